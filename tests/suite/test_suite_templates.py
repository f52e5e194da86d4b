"""Template variables and expansion: sections 4.1 and 8 of kuttl's semantics."""

from __future__ import annotations

from typing import Any

import pytest

from harness.kit.errors import UsageError
from harness.suite.templates import parse_template_vars, render_template


def render(text: str, variables: dict[str, Any] | None = None, **options: Any) -> str:
    return render_template(text, "x.gotmpl.yaml", namespace="ns", variables=variables or {}, **options)[0]


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["a=1", "b=x,c=yes"], {"a": 1, "b": "x", "c": "yes"}),
        (['"l=[1,2]"'], {"l": [1, 2]}),
        (["a=b=c"], {"a": "b=c"}),
        (["a=010,b=2020-01-02,c=true,d=1.5,e="], {"a": 8, "b": "2020-01-02T00:00:00Z", "c": True, "d": 1.5, "e": None}),
        (['"m={a: {b: [x]}}"'], {"m": {"a": {"b": ["x"]}}}),
        (["a=1", "a=2"], {"a": 2}),
    ],
)
def test_variables_are_read(arguments: list[str], found: dict[str, Any]) -> None:
    """Section 4.1: CSV of key=value, later = belong to the value, each value is YAML in which yes is a text."""
    assert parse_template_vars(arguments) == found


@pytest.mark.parametrize(
    ("argument", "part"),
    [("a", "a must be formatted as key=value"), ("a=[1", 'failed to parse value of "a" as YAML'), ('"a=1', "CSV")],
)
def test_wrong_variables_are_refused(argument: str, part: str) -> None:
    """Section 4.1: each with its own text."""
    with pytest.raises(UsageError, match=part.replace("[", r"\[")):
        parse_template_vars([argument])


def test_expansion() -> None:
    """Section 8: .Namespace, .Vars and sprig."""
    assert render("{{ .Namespace }}-{{ .Vars.a | upper }}-{{ .Vars.n }}", {"a": "x", "n": 42}) == "ns-X-42"


def test_each_file_gets_its_own_copy() -> None:
    """Section 8: what one file sets, the next does not see."""
    variables = {"m": {"a": 1}}
    assert render('{{ $_ := set .Vars.m "a" 2 }}{{ .Vars.m.a }}', variables) == "2"
    assert variables == {"m": {"a": 1}}


def test_strict_numbers() -> None:
    """Q39: whole numbers are floats, at any depth; truth values stay."""
    variables = {"l": [1000000], "m": {"n": 42}, "b": True}
    assert render("{{ index .Vars.l 0 }} {{ .Vars.m.n }} {{ .Vars.b }}", variables, mode="strict") == "1e+06 42 true"


def test_a_missing_variable_prints_no_value_and_is_told() -> None:
    """Q40: <no value>, with the line of the expanded text; an option makes it an error."""
    text, problems = render_template("a: 1\nb: {{ .Vars.x }}", "f", namespace="ns", variables={"y": 1})
    assert text == "a: 1\nb: <no value>"
    assert (problems[0].quirk, problems[0].severity) == (40, "warning")
    assert "line 2" in problems[0].text
    assert problems[0].hint == "variables are y"
    with pytest.raises(UsageError, match="x"):
        render("{{ .Vars.x }}", missing_fails=True)


@pytest.mark.parametrize("text", ["{{ .Foo }}", "{{ nope }}", "{{ if }}", "{{ .Vars.a.b }}"])
def test_other_faults_are_errors(text: str) -> None:
    """Section 8: unknown fields, unknown functions, syntax errors, with the file."""
    with pytest.raises(UsageError) as caught:
        render(text, {"a": 1})
    assert caught.value.where == "x.gotmpl.yaml"
