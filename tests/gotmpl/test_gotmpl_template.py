"""The front door: parsing, rendering, functions of one's own, and what an error tells."""

from __future__ import annotations

from typing import Any

import pytest

from harness.gotmpl import FunctionError, FunctionSet, Template, TemplateError, function, sprig_v2_22
from harness.gotmpl.values import Function, Int64, Slice, Struct, TypedMap
from harness.kit.errors import UsageError


def render(text: str, data: Any = None, **options: Any) -> str:
    return Template.parse(text, "f.yaml", **options).render(data)


def failure(text: str, data: Any = None, **options: Any) -> TemplateError:
    with pytest.raises(TemplateError) as caught:
        render(text, data, **options)
    return caught.value


def test_renders_many_times() -> None:
    """A template is parsed once and renders any number of data."""
    template = Template.parse("{{ .a }}-{{ len .b }}", "f")
    assert [template.render({"a": n, "b": "x" * n}) for n in range(3)] == ["0-0", "1-1", "2-2"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ range $i, $v := .l }}{{ $i }}{{ $v }} {{ end }}", "0a 1b "),
        ("{{ range $k, $v := .m }}{{ $k }}={{ $v }};{{ else }}none{{ end }}", "x=1;y=2;"),
        ("{{ range 3 }}{{ if eq . 1 }}{{ continue }}{{ end }}{{ . }}{{ end }}", "02"),
        ("{{ with .e }}a{{ else with .m }}{{ .x }}{{ end }}", "1"),
        ('{{ define "t" }}<{{ . }}>{{ end }}{{ template "t" .m.y }}{{ block "u" 3 }}[{{ . }}]{{ end }}', "<2>[3]"),
        ("a  {{- 1 -}}  b {{/* c */}}d", "a1b d"),
        ("{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ $y := 5 }}{{ end }}{{ $x }}", "2"),
        ('{{ (index .l 1) | printf "%s-%q" (print 1 2) }}', '1 2-"b"'),
        ("{{ .nope }} {{ .nope.x }} {{ .nil }}", "<no value> <no value> <no value>"),
        ('{{ and .e .l.x }}|{{ or .e 0 "z" }}|{{ not .e }}', "|z|true"),
        ("{{ 1e6 }} {{ 0x1F }} {{ 'a' }} {{ 1_000 }} {{ .l }} {{ .m }} {{ printf \"%d\" \"x\" }}",
         "1e+06 31 97 1000 [a b] map[x:1 y:2] %!d(string=x)"),
    ],
)  # fmt: skip
def test_language(text: str, expected: str) -> None:
    """Every action does what it does in Go."""
    data = {"l": ["a", "b"], "m": {"y": 2, "x": 1}, "e": "", "nil": None}
    assert render(text, data) == expected


@pytest.mark.parametrize(("mode", "expected"), [("default", "<no value>"), ("zero", "<no value>")])
def test_missing_key_is_tolerated(mode: str, expected: str) -> None:
    """In the modes default and zero a missing key prints <no value>; a typed map gives its zero."""
    assert render("{{ .x }}", {}, missing_key=mode) == expected
    assert render("{{ .m.x }}|", {"m": TypedMap("string")}, missing_key="zero") == "|"


def test_missing_key_fails_with_its_place() -> None:
    """In mode error a missing key fails, with Go's text, the file, the line and the column."""
    error = failure("kind: X\nname: {{ .Params.X }}\n", {"Params": {}}, missing_key="error")
    expected = 'template: f.yaml:2:16: executing "f.yaml" at <.Params.X>: map has no entry for key "X"'
    assert (error.go_text, str(error)) == (expected, expected)
    assert (error.file, error.line, error.column) == ("f.yaml", 2, 17)
    assert error.where == "f.yaml:2:17"
    assert isinstance(error, UsageError)


@pytest.mark.parametrize(
    ("text", "go_text"),
    [
        ("{{ upper .x }}", 'template: f.yaml:1: function "upper" not defined'),
        ("{{ if .x }}", "template: f.yaml:1: unexpected EOF"),
        ("a\n{{ .x | 1 }}", "template: f.yaml:2: non executable command in pipeline stage 2"),
        ("{{ .x\n", "template: f.yaml:2: unclosed action started at f.yaml:1"),
        ("{{ end }}", "template: f.yaml:1: unexpected {{end}}"),
        ("{{ $y }}", 'template: f.yaml:1: undefined variable "$y"'),
        ("{{ break }}", "template: f.yaml:1: {{break}} outside {{range}}"),
    ],
)
def test_parse_errors(text: str, go_text: str) -> None:
    """A text that is no template is refused with Go's words and the line."""
    error = failure(text)
    assert error.go_text == go_text
    assert error.line == int(go_text.split(":")[2])


def test_unknown_function_hints_at_the_nearest() -> None:
    """A misspelt function name names the nearest one that exists."""
    error = failure("a: {{ .x | uper }}", functions=sprig_v2_22())
    assert 'did you mean "upper"?' in error.wanted
    assert (error.line, error.column) == (1, 12)


def test_wrong_argument_type_names_both_types() -> None:
    """An argument of another type is refused as Go's type checker does."""
    error = failure("{{ until .n }}", {"n": "3"}, functions=sprig_v2_22())
    assert error.go_text.endswith("at <.n>: wrong type for value; expected int; got string")


def test_callables_of_ones_own() -> None:
    """Plain callables are functions over any values; their arity is checked before they are called."""
    functions = {"twice": lambda value: value * 2, "joined": lambda *values: "+".join(map(str, values))}
    assert render("{{ twice 4 }} {{ joined 1 2 | twice }} {{ joined }}", functions=functions) == "8 1+21+2 "
    assert "wrong number of args for twice: want 1 got 2" in failure("{{ twice 1 2 }}", functions=functions).go_text


def test_typed_function() -> None:
    """A function with a Go signature gets only values of its types."""
    functions = FunctionSet({"half": function("int", lambda number: number // 2)})
    assert render("{{ half 4 }}", functions=functions) == "2"
    assert "expected integer; found" in failure('{{ half "x" }}', functions=functions).go_text


def test_function_error_becomes_gos() -> None:
    """A function refuses with FunctionError; any other exception is a bug and passes through."""

    def refuse() -> str:
        raise FunctionError("no")

    def broken() -> str:
        raise ZeroDivisionError

    functions = {"refuse": refuse, "broken": broken}
    error = failure("{{ refuse }}", functions=functions)
    assert error.go_text == 'template: f.yaml:1:3: executing "f.yaml" at <refuse>: error calling refuse: no'
    with pytest.raises(ZeroDivisionError):
        render("{{ broken }}", functions=functions)


def test_function_may_replace_a_builtin() -> None:
    """A function of a builtin's name wins over it, also over `and`, which then evaluates all its arguments."""
    seen: list[Any] = []

    def both(*values: Any) -> str:
        seen.extend(values)
        return "own"

    assert render('{{ and "" "b" }}', functions={"and": both}) == "own"
    assert seen == ["", "b"]


def test_endless_recursion_ends() -> None:
    """A template that calls itself for ever is an error, not a crash."""
    error = failure('{{ define "t" }}{{ template "t" . }}{{ end }}{{ template "t" . }}')
    assert "exceeded maximum template depth" in error.go_text


def test_deep_recursion_is_fine() -> None:
    """A template may call itself a hundred levels deep."""
    text = '{{ define "t" }}{{ if . }}x{{ template "t" (slice . 1) }}{{ end }}{{ end }}{{ template "t" . }}'
    assert render(text, "a" * 100) == "x" * 100


def test_deep_parentheses_are_refused() -> None:
    """An expression that nests too deeply is refused before it exhausts the stack."""
    assert "max expression depth exceeded" in failure("{{ " + "(" * 400 + "1" + ")" * 400 + " }}").go_text


def test_bytes_survive() -> None:
    """Cut characters come out as the bytes they are, and join again when the halves meet."""
    assert render('{{ slice "é" 0 1 }}').encode("utf-8", "surrogateescape") == b"\xc3"
    assert render('{{ slice "é" 0 1 }}{{ slice "é" 1 2 }}') == "é"


class Point(Struct):
    go_type = "*geo.Point"
    kind = "ptr"

    def fields(self) -> dict[str, Any]:
        return {"X": 3}

    def methods(self) -> dict[str, Any]:
        return {"Plus": lambda number: 3 + number, "Name": lambda: "p"}


def test_structs_have_fields_and_methods() -> None:
    """A Struct's fields and methods are reached as in Go; what it lacks is an error."""
    data = {"p": Point()}
    assert render("{{ .p.X }} {{ .p.Plus 4 }} {{ 5 | .p.Plus }} {{ .p.Name }} {{ (.p).X }}", data) == "3 7 8 p 3"
    assert "can't evaluate field Y in type interface {}" in failure("{{ .p.Y }}", data).go_text
    assert "X has arguments but cannot be invoked as function" in failure("{{ .p.X 1 }}", data).go_text


def test_functions_in_the_data() -> None:
    """{{ call }} calls a function that stands in the data and checks its arity; printing it is an error."""
    data = {"f": Function(lambda first, second: first + second, parameters=2)}
    assert render("{{ call .f 1 2 }}", data) == "3"
    assert "wrong number of args for .f: got 1 want 2" in failure("{{ call .f 1 }}", data).go_text
    assert "can't print {{.f}} of type func(" in failure("{{ .f }}", data).go_text


@pytest.mark.parametrize(
    ("value", "type_name"),
    [
        (1, "int"), (Int64(1), "int64"), (1.5, "float64"), ("", "string"), (True, "bool"), ([], "[]interface {}"),
        ({}, "map[string]interface {}"), (Slice("string"), "[]string"), (TypedMap("int"), "map[string]int"),
        (None, "<nil>"),
    ],
)  # fmt: skip
def test_types(value: Any, type_name: str) -> None:
    """Each Python value stands for one Go type."""
    assert render('{{ printf "%T" .v }}', {"v": value}) == type_name
