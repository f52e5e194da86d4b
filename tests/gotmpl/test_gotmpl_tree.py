"""The syntax tree, for analyses of templates."""

from __future__ import annotations

import pytest

from harness.gotmpl import FieldNode, IdentifierNode, RangeNode, Template, VariableNode, sprig_v2_22, walk

TEXT = """\
{{- define "name" }}{{ .Params.A }}{{ end -}}
{{ if eq .Params.B "x" }}{{ range .Params.L }}{{ $.Params.C | quote }}{{ end }}{{ end }}
é {{ with (.Params.D) }}{{ . }}{{ else }}{{ .Params.E }}{{ end }}
"""


def test_walk_finds_every_use_with_its_place() -> None:
    """Walking the tree meets each parameter, in definitions too, and tells line and column, in bytes from 1."""
    tree = Template.parse(TEXT, "f", functions=sprig_v2_22()).tree
    fields = {str(node): tree.place(node) for node in tree.walk() if isinstance(node, FieldNode | VariableNode)}
    assert fields == {
        ".Params.A": (1, 31),
        ".Params.B": (2, 17),
        ".Params.L": (2, 42),
        "$.Params.C": (2, 51),
        ".Params.D": (3, 20),
        ".Params.E": (3, 53),
    }
    lines = TEXT.encode().splitlines()
    for line, column in fields.values():
        assert lines[line - 1][column - 1 :].startswith(b"."), "a place is where Go's errors point"


def test_walk_from_a_node() -> None:
    """A walk may start at any node; functions are met by name."""
    tree = Template.parse(TEXT, "f", functions=sprig_v2_22()).tree
    (loop,) = (node for node in tree.walk() if isinstance(node, RangeNode))
    assert [node.name for node in walk(loop) if isinstance(node, IdentifierNode)] == ["quote"]
    assert set(tree.defined) == {"f", "name"}


@pytest.mark.parametrize(
    "text",
    [
        "{{if .a}}b{{else}}c{{end}}",
        "{{range $i, $v := .l}}{{break}}{{continue}}{{end}}",
        '{{with $x := (.a).b}}{{template "t" .}}{{end}}',
        '{{$x = print 1 "s" nil true | len}}',
        "{{(index .a 0).b.c}}",
    ],
)
def test_nodes_print_as_in_go(text: str) -> None:
    """A tree printed is the template again, spaced as Go does."""
    declared = f"{{{{$x := 1}}}}{text}"
    assert str(Template.parse(declared, "f").tree.root) == declared
