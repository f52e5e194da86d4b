"""CEL as kuttl has it (section 20) and JMESPath: compile errors with positions, outcomes in kuttl's words."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from harness.checks import expressions
from harness.checks.expressions import CelEnvironment, ExpressionError, check_cel, compile_jmespath
from harness.kit.errors import UsageError

POD = {
    "metadata": {"name": "p", "labels": {"app": "db"}},
    "spec": {"replicas": 3, "ratio": 1.5, "containers": [{"name": "a"}, {"name": "b"}]},
    "status": {"phase": "Running", "ready": True, "none": None},
}


def outcome(text: str, value: Any = POD) -> Any:
    return CelEnvironment(["pod"]).compile(text).evaluate({"pod": value})


@pytest.mark.parametrize(
    "text",
    [
        'pod.status.phase == "Running" && pod.status.ready',
        "has(pod.spec.replicas) && !has(pod.spec.zzz)",
        "pod.spec.containers.all(c, c.name != '') && pod.spec.containers.exists_one(c, c.name == 'a')",
        "pod.spec.containers.map(c, c.name) == ['a', 'b'] && size(pod.spec.containers.filter(c, c.name > 'a')) == 1",
        "pod.spec.replicas == 3.0 && pod.spec.ratio > pod.spec.replicas - 2",
        "'app' in pod.metadata.labels && pod.metadata.name.matches('^p') && pod.metadata.name.startsWith('p')",
        "timestamp('2020-01-01T00:00:00Z') < timestamp('2021-01-01T00:00:00Z') && duration('1h') > duration('1m')",
        "int('3') == pod.spec.replicas && pod.status.none == null",
    ],
)
def test_the_standard_library_is_there(text: str) -> None:
    """Section 20: operators, macros, conversions, times; values of objects compare across int and double."""
    assert outcome(text).true


@pytest.mark.parametrize(
    ("text", "line", "column", "part"),
    [
        ("pod.status.phase == Running", 1, 21, "undeclared reference to 'Running'"),
        ("", 1, 1, "Syntax error"),
        ("pod.a ==\n  && b", 2, 3, "Syntax error"),
        ("1 == 1.0", 1, 3, "no matching overload"),
    ],
)
def test_a_compile_error_has_its_position(text: str, line: int, column: int, part: str) -> None:
    """Section 20: undeclared names, syntax, and literals of different types are compile errors."""
    with pytest.raises(ExpressionError) as caught:
        CelEnvironment(["pod"]).compile(text)
    fault = caught.value.faults[0]
    assert (fault.line, fault.column) == (line, column)
    assert part in fault.text
    assert caught.value.compiler_text.startswith("ERROR: <input>:")
    assert "INVALID_ARGUMENT" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("pod.metadata.name.lowerAscii() == 'x'", "lowerAscii belongs to CEL's string extension"),
        ("quantity('1') == quantity('1')", "quantity belongs to the CEL libraries of Kubernetes"),
        ("pod.?status == 1", "optional values are not available"),
        ("podd.status == 1", 'did you mean "pod"?'),
        ("zzz == 1", "references are pod"),
    ],
)
def test_what_is_missing_is_named(text: str, hint: str) -> None:
    """Section 20: string extensions, Kubernetes' libraries, optional syntax are not there, and the message says so."""
    with pytest.raises(ExpressionError) as caught:
        CelEnvironment(["pod"]).compile(text)
    assert hint in caught.value.faults[0].hint


def test_functions_on_texts_can_be_asked_for() -> None:
    """An extended environment has the string extension; kuttl's own expressions do not get it."""
    environment = CelEnvironment(["pod"], extended=True)
    assert environment.compile("pod.metadata.name.upperAscii() == 'P'").evaluate({"pod": POD}).true


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("pod.zzz == 1", "no such key: zzz"),
        ("pod.spec.containers[7].name == 'a'", "index out of bounds: 7"),
        ("pod.metadata.name + 1 == 2", "no such overload"),
        ("pod.metadata.name.foo == 1", "no such key: a field was asked of what is no map"),
        ("size(pod.spec.ratio)", "no such overload: size"),
        ("pod.spec.containers['a']", "unsupported index type 'string' in list"),
        ("int('x')", "type conversion error from 'string' to 'int'"),
        ("pod.metadata.name.matches('[')", "error parsing regexp: missing closing ]: `[`"),
        ("1 / 0 == 1", "division by zero"),
    ],
)
def test_a_failed_evaluation_counts_as_not_true(text: str, error: str) -> None:
    """Section 20: failed to evaluate CEL expression: no such key: <k>."""
    found = outcome(text)
    assert not found.true
    assert str(found) == f"failed to evaluate CEL expression: {error}"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("pod.spec.replicas == 5", "false"),
        ("pod.spec.replicas", "3"),
        ("pod.spec.ratio", "1.5"),
        ("pod.status.phase", "Running"),
        ("pod.metadata.labels", "map[app:db]"),
        ("pod.status.none", "NULL_VALUE"),
        ("type(pod)", "map"),
        ("type(null)", "null_type"),
        ("duration('1h')", "1h0m0s"),
        ("duration('-90s')", "-1m30s"),
        ("duration('0.25s')", "250ms"),
        ("timestamp('2020-01-02T03:04:05Z')", "2020-01-02 03:04:05 +0000 UTC"),
        ("b'a'", "[97]"),
        ("[1, 'a', 1.5, {'b': true}]", "[1 a 1.5 map[b:true]]"),
    ],
)
def test_what_is_not_true_is_told_with_its_value(text: str, value: str) -> None:
    """Section 20: expression "<e>" evaluated to '<value>', for values that are no booleans too."""
    assert str(outcome(text)) == f"expression \"{text}\" evaluated to '{value}'"
    assert not outcome(text).true


def test_compile_errors_read_as_those_of_cel_go() -> None:
    """Section 20: texts read off cel-go v0.26: an undeclared a.b.c is about a, optional syntax about its place."""
    texts = {}
    for text in ("confg.data.mode == 'a'", "", "pod.?a", "1 == 1.0"):
        with pytest.raises(ExpressionError) as caught:
            CelEnvironment(["pod"]).compile(text)
        texts[text] = caught.value.compiler_text
    assert texts["confg.data.mode == 'a'"] == (
        "ERROR: <input>:1:1: undeclared reference to 'confg' (in container '')\n | confg.data.mode == 'a'\n | ^"
    )
    assert texts[""].startswith("ERROR: <input>:1:0: Syntax error: mismatched input '<EOF>' expecting {")
    assert texts["pod.?a"] == "ERROR: <input>:1:4: unsupported syntax '.?'\n | pod.?a\n | ...^"
    assert texts["1 == 1.0"].endswith("\n | 1 == 1.0\n | ..^")


def test_any_and_all() -> None:
    """Section 20: one of assertAny, each of assertAll; both must hold; the failing ones are listed."""
    compile_ = CelEnvironment(["pod"]).compile
    true, false, broken = compile_("pod.status.ready"), compile_("!pod.status.ready"), compile_("pod.zzz")
    values = {"pod": POD}
    assert check_cel([false, true], [true], values) == []
    assert check_cel([], [], values) == []
    not_true = "expression \"!pod.status.ready\" evaluated to 'false'"
    failed = "failed to evaluate CEL expression: no such key: zzz"
    assert check_cel([false, broken], [], values) == [f"no expression evaluated to true:\n{not_true}\n{failed}"]
    assert check_cel([true], [true, false], values) == [
        "not all assertAll expressions evaluated to true:\nexpression \"!pod.status.ready\" evaluated to 'false'"
    ]
    assert len(check_cel([false], [false], values)) == 2


def test_a_name_that_is_no_identifier_is_taken() -> None:
    """Section 20: such a ref is accepted but can never be used."""
    assert CelEnvironment(["my-pod"]).names == ("my-pod",)


def test_numbers_beyond_int64_are_floats() -> None:
    """Section 2.4 in expressions: such a number is a double, not an error."""
    assert outcome("pod.big > 1.0", {"big": 2**65}).true


def test_a_missing_object_is_an_error_of_the_expression() -> None:
    """Evaluating without the object says so instead of crashing."""
    assert '"pod"' in str(CelEnvironment(["pod"]).compile("pod.a == 1").evaluate({}))


def test_jmespath() -> None:
    """Values are found; a fault in the text has its column, one in the types its words."""
    assert compile_jmespath("spec.containers[?name=='b'].name | [0]").search(POD) == "b"
    assert compile_jmespath("spec.zzz").search(POD) is None
    with pytest.raises(ExpressionError) as caught:
        compile_jmespath("spec.a b")
    assert (caught.value.faults[0].line, caught.value.faults[0].column) == (1, 8)
    with pytest.raises(ExpressionError):
        compile_jmespath("")
    with pytest.raises(ExpressionError, match="length"):
        compile_jmespath("length(spec.replicas)").search(POD)


def test_the_engines_are_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an engine the error names the extra to install."""
    expressions._environment.cache_clear()
    monkeypatch.setitem(sys.modules, "cel_expr_python", None)
    monkeypatch.setitem(sys.modules, "jmespath", None)
    with pytest.raises(UsageError) as caught:
        CelEnvironment(["pod"])
    assert caught.value.run == "pip install 'operator-harness[cel]'"
    with pytest.raises(UsageError, match="JMESPath"):
        compile_jmespath("a")
    expressions._environment.cache_clear()


def test_importing_the_module_loads_no_engine() -> None:
    """Both engines load with the first expression only."""
    code = "import sys, harness.checks.expressions; print({'cel_expr_python', 'jmespath'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "set()"
