"""Go's fmt: Sprint, Sprintln and Sprintf with every verb, flag and error text.

Private to gotmpl, except that whoever needs Go's printing of a value may use sprint().
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from harness.gotmpl.strconv import can_backquote, encode, format_float, quote, quote_rune
from harness.gotmpl.values import MISSING, Function, Slice, Struct, sorted_items, type_name

__all__ = ["sprint", "sprintf", "sprintln"]

_TOO_LARGE = 1_000_000  # widths and precisions beyond are refused
_UNSIGNED = ("uint", "uint8", "uint16", "uint32", "uint64")
_MOST_RUNE = 0x10FFFF
_FLOAT_VERBS = {"v": ("g", -1), "f": ("f", 6), "F": ("f", 6), "e": ("e", 6), "E": ("E", 6)} | {
    verb: (verb, -1) for verb in "bgGxX"
}


@dataclass(slots=True)
class _Spec:
    """One verb with its flags."""

    verb: str = "v"
    sharp: bool = False
    zero: bool = False
    plus: bool = False
    minus: bool = False
    space: bool = False
    sharp_v: bool = False
    plus_v: bool = False
    width: int | None = None
    precision: int | None = None
    erroring: bool = False

    def pad(self, text: str, *, zeros: bool = True) -> str:
        if not self.width:
            return text
        missing = self.width - len(text)
        if missing <= 0:
            return text
        if self.minus:
            return text + " " * missing
        return ("0" if self.zero and zeros else " ") * missing + text

    def truncate(self, text: str) -> str:
        return text if self.precision is None else text[: self.precision]


_PLAIN = _Spec()


def sprint(*values: Any) -> str:
    """Return values as fmt.Sprint does: a space between two that are both no strings."""
    parts: list[str] = []
    previous_string = False
    for number, value in enumerate(values):
        is_string = isinstance(value, str)
        if number and not is_string and not previous_string:
            parts.append(" ")
        parts.append(value if is_string else print_value(value))
        previous_string = is_string
    return "".join(parts)


def sprintln(*values: Any) -> str:
    """Return values as fmt.Sprintln does: a space between any two, a newline at the end."""
    return " ".join(map(print_value, values)) + "\n"


def print_value(value: Any) -> str:
    """Return a value as %v prints it."""
    if isinstance(value, str):
        return value
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, int):
        return int.__repr__(value)
    return _argument(value, _PLAIN)


def sprintf(template: str, *values: Any) -> str:
    """Return a text formatted as fmt.Sprintf does, with fmt's error texts in the place of what is wrong."""
    return _Formatter(template, values).run()


class _Formatter:
    def __init__(self, template: str, values: tuple[Any, ...]) -> None:
        self.template = template
        self.values = values
        self.position = 0
        self.argument = 0
        self.reordered = False
        self.good_index = True
        self.parts: list[str] = []

    def run(self) -> str:
        template, end = self.template, len(self.template)
        while self.position < end:
            percent = template.find("%", self.position)
            if percent < 0:
                self.parts.append(template[self.position :])
                break
            self.parts.append(template[self.position : percent])
            self.position = percent + 1
            self.good_index = True
            if not self._directive():
                break
        if not self.reordered and self.argument < len(self.values):
            self._extra()
        return "".join(self.parts)

    def _directive(self) -> bool:
        spec = _Spec()
        after_index = self._flags_and_sizes(spec)
        if not after_index:
            self._index()
        if self.position >= len(self.template):
            self.parts.append("%!(NOVERB)")
            return False
        verb = self.template[self.position]
        self.position += 1
        spec.verb = verb
        if verb == "%":
            self.parts.append("%")
        elif not self.good_index:
            self.parts.append(f"%!{verb}(BADINDEX)")
        elif self.argument >= len(self.values):
            self.parts.append(f"%!{verb}(MISSING)")
        else:
            if verb in "vw":
                spec.sharp_v, spec.sharp = spec.sharp, False
                spec.plus_v, spec.plus = spec.plus, False
            self.parts.append(_argument(self.values[self.argument], spec))
            self.argument += 1
        return True

    def _flags_and_sizes(self, spec: _Spec) -> bool:
        names = {"#": "sharp", "0": "zero", "+": "plus", "-": "minus", " ": "space"}
        while self.position < len(self.template) and (name := names.get(self.template[self.position])):
            setattr(spec, name, True)
            self.position += 1
        after_index = self._index()
        if self._at("*"):
            self._star_width(spec)
            after_index = False
        else:
            spec.width = self._digits()
            if after_index and spec.width is not None:
                self.good_index = False
        if self._at(".") and self.position + 1 <= len(self.template):
            after_index = self._precision(spec, after_index=after_index)
        return after_index

    def _at(self, char: str) -> bool:
        return self.template.startswith(char, self.position)

    def _star_width(self, spec: _Spec) -> None:
        self.position += 1
        spec.width = self._int_argument()
        if spec.width is None:
            self.parts.append("%!(BADWIDTH)")
        elif spec.width < 0:
            spec.width, spec.minus, spec.zero = -spec.width, True, False

    def _precision(self, spec: _Spec, *, after_index: bool) -> bool:
        if self.position + 1 >= len(self.template):
            return after_index  # a "." that ends the format is taken for the verb
        self.position += 1
        if after_index:
            self.good_index = False
        after_index = self._index()
        if self._at("*"):
            self.position += 1
            spec.precision = self._int_argument()
            if spec.precision is not None and spec.precision < 0:
                spec.precision = None
            if spec.precision is None:
                self.parts.append("%!(BADPREC)")
            return False
        digits = self._digits()
        spec.precision = 0 if digits is None else digits
        return after_index

    def _digits(self) -> int | None:
        found = _DIGITS.match(self.template, self.position)
        if found is None:
            return None
        if len(found[0]) > 1 and int(found[0][:-1]) > _TOO_LARGE:
            self.position = len(self.template)
            return None
        self.position = found.end()
        return int(found[0])

    def _int_argument(self) -> int | None:
        if self.argument >= len(self.values):
            return None
        value = self.values[self.argument]
        self.argument += 1
        if not isinstance(value, int) or isinstance(value, bool) or abs(value) > _TOO_LARGE:
            return None
        return int(value)

    def _index(self) -> bool:
        """Read an argument index like [2]; tell whether one stood here and was well formed."""
        if not self._at("["):
            return False
        self.reordered = True
        close = self.template.find("]", self.position)
        if len(self.template) - self.position < 3 or close < 0:  # noqa: PLR2004 - "[n]"
            self.position += 1
            self.good_index = False
            return False
        text = self.template[self.position + 1 : close]
        self.position = close + 1
        if not (text.isascii() and text.isdigit()):
            self.good_index = False
            return False
        index = int(text) - 1
        if 0 <= index < len(self.values):
            self.argument = index
        else:
            self.good_index = False
        return True

    def _extra(self) -> None:
        shown = [
            "<nil>" if value is None else f"{type_name(value)}={_argument(value, _PLAIN)}"
            for value in self.values[self.argument :]
        ]
        self.parts.append(f"%!(EXTRA {', '.join(shown)})")


_DIGITS = re.compile(r"[0-9]+")


def _argument(value: Any, spec: _Spec) -> str:
    if value is None:
        return spec.pad("<nil>") if spec.verb in "Tv" else f"%!{spec.verb}(<nil>)"
    if value is MISSING:
        return "<no value>"
    if spec.verb == "T":
        return spec.pad(spec.truncate(type_name(value)))
    if spec.verb == "p":
        return _pointer(value, spec)
    return _value(value, spec, 0)


def _value(value: Any, spec: _Spec, depth: int) -> str:  # noqa: PLR0911 - one return a kind
    if isinstance(value, str):
        return _string(value, spec)
    if isinstance(value, bool):
        return spec.pad("true" if value else "false") if spec.verb in "tv" else _bad_verb(value, spec)
    if isinstance(value, int):
        return _integer_verb(value, spec)
    if isinstance(value, float):
        return _float_verb(value, spec)
    if isinstance(value, complex):
        return _complex(value, spec)
    if value is None:
        return _nil_element(spec)
    if isinstance(value, dict):
        return _map(value, spec, depth)
    if isinstance(value, (list, tuple)):
        return _slice(value, spec, depth)
    if isinstance(value, Struct):
        return _struct(value, spec, depth)
    return _pointer(value, spec)


def _nil_element(spec: _Spec) -> str:
    if spec.sharp_v:
        return "interface {}(nil)"
    return "<nil>"


def _bad_verb(value: Any, spec: _Spec) -> str:
    if spec.erroring:
        return f"%!{spec.verb}({type_name(value)})"
    inner = _Spec(
        sharp=spec.sharp, zero=spec.zero, plus=spec.plus, minus=spec.minus, space=spec.space,
        width=spec.width, precision=spec.precision, erroring=True,
    )  # fmt: skip
    return f"%!{spec.verb}({type_name(value)}={_value(value, inner, 0)})"


def _string(value: str, spec: _Spec) -> str:
    verb = spec.verb
    if verb == "s" or (verb == "v" and not spec.sharp_v):
        return spec.pad(spec.truncate(value))
    if verb in "vq":
        return _quoted(value, spec)
    if verb in "xX":
        return _hex(encode(value), spec)
    return _bad_verb(value, spec)


def _quoted(value: str, spec: _Spec) -> str:
    value = spec.truncate(value)
    if spec.sharp and can_backquote(value):
        return spec.pad(f"`{value}`")
    return spec.pad(quote(value, ascii_only=spec.plus))


def _hex(data: bytes, spec: _Spec) -> str:
    if spec.precision is not None:
        data = data[: spec.precision]
    prefix = f"0{spec.verb}" if spec.sharp else ""
    digits = [f"{byte:02{spec.verb}}" for byte in data]
    if not data:
        return spec.pad("")
    return spec.pad(" ".join(prefix + pair for pair in digits) if spec.space else prefix + "".join(digits))


def _integer_verb(value: int, spec: _Spec) -> str:  # noqa: PLR0911 - one return a kind
    verb = spec.verb
    if verb == "v" and spec.sharp_v and type_name(value) in _UNSIGNED:
        return _integer(value, "x", spec, sharp=True)
    if verb in "vd":
        return _integer(value, "d", spec, sharp=False)
    if verb in "boOxX":
        return _integer(value, verb, spec, sharp=spec.sharp)
    if verb == "c":
        return spec.pad(_rune(value))
    if verb == "q":
        code = value if 0 <= value <= _MOST_RUNE else 0xFFFD
        return spec.pad(quote_rune(code, ascii_only=spec.plus))
    if verb == "U":
        return _unicode(value, spec)
    return _bad_verb(value, spec)


def _rune(code: int) -> str:
    return chr(code) if 0 <= code <= _MOST_RUNE and not 0xD800 <= code < 0xE000 else "\ufffd"  # noqa: PLR2004


def _unicode(value: int, spec: _Spec) -> str:
    code = value & 0xFFFFFFFFFFFFFFFF
    text = f"U+{code:0{max(4, spec.precision or 0)}X}"
    if spec.sharp and code <= _MOST_RUNE and chr(code).isprintable():
        text += f" '{chr(code)}'"
    return spec.pad(text, zeros=False)


def _integer(value: int, verb: str, spec: _Spec, *, sharp: bool) -> str:
    sign = "-" if value < 0 else ("+" if spec.plus else (" " if spec.space else ""))
    digits = format(abs(int(value)), "o" if verb == "O" else verb)
    if spec.precision is not None:
        if spec.precision == 0 and value == 0:
            return " " * (spec.width or 0)
        digits = digits.rjust(spec.precision, "0")
    elif spec.zero and not spec.minus and spec.width:
        digits = digits.rjust(spec.width - len(sign), "0")
    if sharp:
        digits = {"b": "0b", "x": "0x", "X": "0X"}.get(verb, "") + digits
        if verb in "oO" and not digits.startswith("0"):
            digits = "0" + digits
    if verb == "O":
        digits = "0o" + digits
    return spec.pad(sign + digits, zeros=False)


def _float_verb(value: float, spec: _Spec) -> str:
    known = _FLOAT_VERBS.get(spec.verb)
    if known is None:
        return _bad_verb(value, spec)
    verb, precision = known
    return _float(value, verb, precision if spec.precision is None else spec.precision, spec)


def _float(value: float, verb: str, precision: int, spec: _Spec) -> str:
    text = format_float(value, verb, precision)
    sign, text = (text[0], text[1:]) if text[0] in "+-" else ("+", text)
    if spec.space and sign == "+" and not spec.plus:
        sign = " "
    if text[0] in "IN":
        unsigned = text[0] == "N" and not spec.space and not spec.plus
        return spec.pad(text if unsigned else sign + text, zeros=False)
    if spec.sharp and verb != "b":
        text = _with_point(text, verb, precision)
    if spec.plus or sign != "+":
        if spec.zero and not spec.minus and spec.width and spec.width > len(text) + 1:
            return sign + "0" * (spec.width - len(text) - 1) + text
        return spec.pad(sign + text)
    return spec.pad(text)


def _with_point(text: str, verb: str, precision: int) -> str:
    """Keep the decimal point and trailing zeros, as the # flag asks."""
    found = _MANTISSA[verb in "xX"].match(text)
    mantissa = found[0] if found else text
    tail = text[len(mantissa) :]
    digits = 0
    if verb in "gGx":
        digits = 6 if precision == -1 else precision
    significant = re.sub(r"[^0-9a-fA-FxX]", "", mantissa).lstrip("0")
    if "." not in mantissa:
        digits -= mantissa == "0"
        mantissa += "."
    return mantissa + "0" * (digits - len(significant)) + tail


_MANTISSA = {False: re.compile(r"[^eEpP]*"), True: re.compile(r"[^pP]*")}


def _complex(value: complex, spec: _Spec) -> str:
    if spec.verb not in _FLOAT_VERBS:
        return _bad_verb(value, spec)
    real = _float_verb(value.real, spec)
    plus, spec.plus = spec.plus, True
    imaginary = _float_verb(value.imag, spec)
    spec.plus = plus
    return f"({real}{imaginary}i)"


def _map(value: dict[Any, Any], spec: _Spec, depth: int) -> str:
    pairs = [f"{_element(key, spec, depth)}:{_element(item, spec, depth)}" for key, item in sorted_items(value)]
    if spec.sharp_v:
        return f"{type_name(value)}{{{', '.join(pairs)}}}"
    return f"map[{' '.join(pairs)}]"


def _slice(value: list[Any] | tuple[Any, ...], spec: _Spec, depth: int) -> str:
    if spec.sharp_v and isinstance(value, Slice) and value.nil and not value:
        return f"{type_name(value)}(nil)"
    items = [_element(item, spec, depth) for item in value]
    if spec.sharp_v:
        return f"{type_name(value)}{{{', '.join(items)}}}"
    return f"[{' '.join(items)}]"


def _element(value: Any, spec: _Spec, depth: int) -> str:
    return _value(value, spec, depth + 1)


def _struct(value: Struct, spec: _Spec, depth: int) -> str:
    text = value.text()
    if text is not None and spec.verb in "vsxXq" and not spec.sharp_v:
        return _string(text, spec)
    named = spec.plus_v or spec.sharp_v
    items = [(f"{name}:" if named else "") + _element(item, spec, depth) for name, item in value.fields().items()]
    if spec.sharp_v:
        return f"{value.go_type}{{{', '.join(items)}}}"
    return f"{{{' '.join(items)}}}"


def _pointer(value: Any, spec: _Spec) -> str:
    """Print the address of what has one; the number differs from run to run, as in Go."""
    if not isinstance(value, (dict, list, tuple, Function)) and not callable(value):
        return _bad_verb(value, spec)
    if spec.verb in "vp":
        return _integer(id(value), "x", spec, sharp=not spec.sharp)
    if spec.verb in "bodxX":
        return _integer(id(value), spec.verb, spec, sharp=spec.sharp)
    return _bad_verb(value, spec)
