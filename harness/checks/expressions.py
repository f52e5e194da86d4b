"""CEL and JMESPath: compile with positions, evaluate on objects, say why an expression is not true.

The only importer of `cel_expr_python` and `jmespath`, both loaded when the first expression is compiled. Suites and
fixtures import it. CEL is the standard library only, as in kuttl; `extended` adds the engine's own string extension.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.checks.subset import go_type, go_value
from harness.kit.errors import UsageError, did_you_mean

__all__ = [
    "MISSING_FUNCTIONS",
    "CelEnvironment",
    "CelExpression",
    "ExpressionError",
    "Fault",
    "JmesExpression",
    "Outcome",
    "check_cel",
    "compile_jmespath",
]

_STRING_FUNCTIONS = (
    "charAt", "format", "indexOf", "join", "lastIndexOf", "lowerAscii", "quote", "replace", "reverse", "split",
    "substring", "trim", "upperAscii",
)  # fmt: skip
_KUBERNETES_FUNCTIONS = (
    "quantity", "isQuantity", "asInteger", "asApproximateFloat", "isGreaterThan", "isLessThan", "compareTo", "add",
    "sub", "sign", "isInteger", "url", "isURL", "getScheme", "getHost", "getHostname", "getPort", "getEscapedPath",
    "getQuery", "ip", "isIP", "family", "cidr", "isCIDR", "containsIP", "containsCIDR", "find", "findAll", "isSorted",
    "sum", "min", "max", "authorizer", "semver", "isSemver",
)  # fmt: skip
MISSING_FUNCTIONS: Mapping[str, str] = {  # function -> the library it belongs to; kuttl has none of them
    **dict.fromkeys(_KUBERNETES_FUNCTIONS, "the CEL libraries of Kubernetes"),
    **dict.fromkeys(_STRING_FUNCTIONS, "CEL's string extension"),
    **dict.fromkeys(("optional", "orValue", "hasValue", "optMap"), "CEL's optional values"),
}
_CEL_FAULT = re.compile(r"ERROR: <input>:(?P<line>\d+):(?P<column>\d+): (?P<text>.*)")
_UNDECLARED = re.compile(r"undeclared reference to '([^']*)'")
_STATUS = re.compile(r"^[A-Z_]+: ")
_RUN_TEXTS: tuple[tuple[re.Pattern[str], str], ...] = (  # the engine's words -> those that cel-go, and so kuttl, prints
    (re.compile(r'^Key not found in map : "?(.*?)"?$'), r"no such key: \1"),
    (re.compile(r"^Index error: index=(-?\d+) size=\d+$"), r"index out of bounds: \1"),
    (re.compile(r"^Index error: expected integer type, got (\w+)$"), r"unsupported index type '\1' in list"),
    (re.compile(r"^No matching overloads found : (\w+)\(.*$"), r"no such overload: \1"),
    (re.compile(r"^No matching overloads found.*$"), "no such overload"),
    (re.compile(r"^Applying SELECT to non-message type$"), "no such key: a field was asked of what is no map"),
    (re.compile(r"^cannot convert (\w+) to (\w+)$"), r"type conversion error from '\1' to '\2'"),
    (re.compile(r"^invalid regular expression: missing (.): (.*)$"), r"error parsing regexp: missing closing \1: `\2`"),
    (re.compile(r"^invalid regular expression: (.*): (.*)$"), r"error parsing regexp: \1: `\2`"),
    (re.compile(r"^divide by zero$"), "division by zero"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing wrong with an expression; line and column count from 1, inside of the expression."""

    line: int
    column: int
    text: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.line}:{self.column}: {self.text}" + (f" ({self.hint})" if self.hint else "")


class ExpressionError(UsageError):
    """An expression that does not compile.

    Attributes:
        expression: its text.
        faults: what is wrong, in the order of the text.
        compiler_text: the compiler's own words, as kuttl prints them.
    """

    def __init__(self, wanted: str, expression: str, faults: Sequence[Fault], compiler_text: str = "") -> None:
        lines = [*map(str, faults)] or [compiler_text]
        super().__init__(wanted, seen="\n".join(lines), where=f"expression {expression!r}")
        self.expression = expression
        self.faults = tuple(faults)
        self.compiler_text = compiler_text or "\n".join(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one evaluation gave.

    Attributes:
        expression: its text.
        true: whether it yielded the boolean true.
        value: what it yielded; None also after an error.
        error: why it could not be evaluated, in cel-go's words; empty when it could.
    """

    expression: str
    true: bool
    value: Any = None
    error: str = ""

    def __str__(self) -> str:
        if self.error:
            return f"failed to evaluate CEL expression: {self.error}"
        return f"expression \"{self.expression}\" evaluated to '{_cel_text(self.value)}'"


class CelEnvironment:
    """What expressions may name: one variable of any type per reference.

    Args:
        names: the references; one that is no identifier is taken, and can never be used.
        extended: functions on texts (split, join, lowerAscii ...) too, which kuttl does not have.

    Raises:
        UsageError: the CEL engine is not installed.
    """

    def __init__(self, names: Iterable[str] = (), *, extended: bool = False) -> None:
        self.names = tuple(dict.fromkeys(names))
        self._engine = _environment(self.names, extended)

    def compile(self, expression: str) -> CelExpression:
        """Compile an expression.

        Raises:
            ExpressionError: syntax, an undeclared name, types that never fit; with every position.
        """
        try:
            return CelExpression(expression, self._engine.compile(expression))
        except RuntimeError as error:
            raise _cel_error(expression, str(error), self.names) from None


class CelExpression:
    """A compiled CEL expression; it may be evaluated from several threads."""

    __slots__ = ("_compiled", "text")

    def __init__(self, text: str, compiled: Any) -> None:
        self.text = text
        self._compiled = compiled

    def evaluate(self, values: Mapping[str, Any]) -> Outcome:
        """Return what the expression yields.

        Args:
            values: the objects by reference, as plain JSON values.
        """
        try:
            result = self._compiled.eval(data=dict(values))
            if result.type().name() == "ERROR" and "out of range" in str(result.plain_value()):
                result = self._compiled.eval(data=_as_go_numbers(dict(values)))
        except (RuntimeError, ValueError, TypeError, OverflowError) as error:
            return Outcome(expression=self.text, true=False, error=_run_text(str(error)))
        if result.type().name() == "ERROR":
            return Outcome(expression=self.text, true=False, error=_run_text(str(result.plain_value())))
        value = result.plain_value()
        if result.type().name() == "TYPE":
            value = _type_text(str(value))
        return Outcome(expression=self.text, true=value is True, value=value)


def check_cel(any_of: Sequence[CelExpression], all_of: Sequence[CelExpression], values: Mapping[str, Any]) -> list[str]:
    """Return the error texts of assertAny and assertAll, none when both hold.

    Args:
        any_of: at least one must be true, unless there is none.
        all_of: each must be true.
        values: the referenced objects by their `ref`.

    Source: kuttl's texts; a value that is no boolean, and an evaluation that fails, count as not true.
    """
    texts: list[str] = []
    outcomes = [one.evaluate(values) for one in any_of]
    if outcomes and not any(one.true for one in outcomes):
        texts.append("\n".join(["no expression evaluated to true:", *map(str, outcomes)]))
    failed = [one for one in (expression.evaluate(values) for expression in all_of) if not one.true]
    if failed:
        texts.append("\n".join(["not all assertAll expressions evaluated to true:", *map(str, failed)]))
    return texts


class JmesExpression:
    """A compiled JMESPath expression."""

    __slots__ = ("_compiled", "text")

    def __init__(self, text: str, compiled: Any) -> None:
        self.text = text
        self._compiled = compiled

    def search(self, value: Any) -> Any:
        """Return what the expression finds in a value, None when it finds nothing.

        Raises:
            ExpressionError: a function was given a type that it does not take.
        """
        from jmespath.exceptions import JMESPathError  # type: ignore[import-untyped,unused-ignore]

        try:
            return self._compiled.search(value)
        except JMESPathError as error:
            raise ExpressionError("a JMESPath value", self.text, (), str(error)) from None


def compile_jmespath(expression: str) -> JmesExpression:
    """Compile a JMESPath expression.

    Raises:
        ExpressionError: it does not parse; with its position.
        UsageError: the library is not installed.
    """
    try:
        import jmespath  # type: ignore[import-untyped,unused-ignore]
        from jmespath.exceptions import JMESPathError, LexerError, ParseError  # type: ignore[import-untyped,unused-ignore]
    except ImportError:
        raise _not_installed("JMESPath", "jmespath") from None
    try:
        return JmesExpression(expression, jmespath.compile(expression))
    except (ParseError, LexerError) as error:
        place = getattr(error, "lex_position", None) or getattr(error, "lexer_position", None) or 0
        text = str(error).split("\n", 1)[0]
        fault = Fault(line=expression.count("\n", 0, place) + 1, column=_column(expression, place), text=text)
        raise ExpressionError("a JMESPath expression", expression, (fault,)) from None
    except JMESPathError as error:  # an empty expression has no position
        raise ExpressionError(
            "a JMESPath expression", expression, (Fault(line=1, column=1, text=str(error)),)
        ) from None


@functools.lru_cache(maxsize=256)
def _environment(names: tuple[str, ...], extended: bool) -> Any:
    try:
        from cel_expr_python import cel  # type: ignore[import-untyped,unused-ignore]
    except ImportError:
        raise _not_installed("CEL", "cel") from None
    extensions = []
    if extended:
        from cel_expr_python.ext import ext_strings  # type: ignore[import-untyped,unused-ignore]

        extensions = [ext_strings.ExtStrings()]
    return cel.NewEnv(variables=dict.fromkeys(names, cel.Type.DYN), extensions=extensions)


def _not_installed(what: str, extra: str) -> UsageError:
    return UsageError(
        f"the engine for {what} expressions", seen="not installed", run=f"pip install 'operator-harness[{extra}]'"
    )


def _cel_error(expression: str, text: str, names: tuple[str, ...]) -> ExpressionError:
    clean = re.sub(r" \[[A-Z_]+\]$", "", _STATUS.sub("", text, count=1))
    lines = expression.split("\n")
    faults: list[Fault] = []
    for found in _CEL_FAULT.finditer(clean):
        line, message = int(found["line"]), found["text"]
        source = lines[line - 1] if line <= len(lines) else ""
        column, message = _as_cel_go(source, int(found["column"]), message)
        faults.append(Fault(line=line, column=column, text=message, hint=_hint(message, names)))
    shown = "\n".join(_compiler_text(lines, fault) for fault in faults)
    return ExpressionError("a CEL expression", expression, faults, shown or clean)


def _as_cel_go(source: str, column: int, text: str) -> tuple[int, str]:
    """Return column and text as cel-go has them: it names the first part of an undeclared a.b.c, and points at it."""
    if "unsupported syntax '.?'" in text:
        return source.find(".?") + 1 or column, text
    found = _UNDECLARED.search(text)
    if found is None or "." not in found[1]:
        return column, text
    first = found[1].split(".", 1)[0]
    at = source.rfind(first, 0, column)
    return (at + 1 if at >= 0 else column), text.replace(f"'{found[1]}'", f"'{first}'")


def _compiler_text(lines: list[str], fault: Fault) -> str:
    source = lines[fault.line - 1] if fault.line <= len(lines) else ""
    if not source:  # an empty expression has no line to show
        return f"ERROR: <input>:{fault.line}:{fault.column - 1}: {fault.text}"
    head = f"ERROR: <input>:{fault.line}:{fault.column}: {fault.text}"
    return f"{head}\n | {source}\n | {'.' * (fault.column - 1)}^"


def _hint(text: str, names: tuple[str, ...]) -> str:
    """Return what an undeclared name probably was: a function of another library, or a reference misspelt."""
    found = _UNDECLARED.search(text)
    if found is None:
        return "optional values are not available" if "unsupported syntax" in text else ""
    name = found[1].split(".", 1)[0]
    if name in MISSING_FUNCTIONS:
        return f"{name} belongs to {MISSING_FUNCTIONS[name]}, only the standard library is available"
    return did_you_mean(name, names) or (f"references are {', '.join(names)}" if names else "there are no references")


def _run_text(text: str) -> str:
    clean = _STATUS.sub("", text, count=1)
    for pattern, replacement in _RUN_TEXTS:
        if pattern.match(clean):
            return pattern.sub(replacement, clean)
    return clean


def _as_go_numbers(value: Any) -> Any:
    """Return a value with the integers that int64 cannot hold as floats, as Kubernetes' JSON reader gives them."""
    if isinstance(value, dict):
        return {key: _as_go_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_go_numbers(item) for item in value]
    return float(value) if isinstance(value, int) and go_type(value) == "float64" else value


def _cel_text(value: Any) -> str:
    if isinstance(value, dt.datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S +0000 UTC")
    if isinstance(value, dt.timedelta):
        return _duration_text(value)
    if isinstance(value, bytes | bytearray):
        return go_value(list(value))
    return "NULL_VALUE" if value is None else go_value(value)


def _duration_text(value: dt.timedelta) -> str:
    """Return a duration as Go prints it: 1h0m0s, 1m30s, 0.5s as 500ms."""
    seconds = abs(value.total_seconds())
    sign = "-" if value < dt.timedelta(0) else ""
    if 0 < seconds < 1:
        return f"{sign}{seconds * 1000:g}ms"
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    parts = [f"{hours:g}h"] if hours else []
    parts += [f"{minutes:g}m"] if hours or minutes else []
    return sign + "".join([*parts, f"{rest:g}s"])


def _type_text(name: str) -> str:
    """Return a type as cel-go names it: MAP<DYN, DYN> is map."""
    base = name.split("<", 1)[0].lower()
    return {"null": "null_type", "timestamp": "google.protobuf.Timestamp", "duration": "google.protobuf.Duration"}.get(
        base, base
    )


def _column(text: str, place: int) -> int:
    return place - (text.rfind("\n", 0, place) + 1) + 1
