"""Go's text/template and sprig in pure Python: the same output and the same error texts, byte for byte.

Pure: no files, no clock, no chance of its own. kudo, suite and checks above may import it; it imports only kit.

    Template.parse("{{ .Name | upper }}", "f.yaml", functions=sprig_v3()).render({"Name": "x"})
"""

from __future__ import annotations

from harness.gotmpl.errors import FunctionError, TemplateError
from harness.gotmpl.expressions import MissingKey
from harness.gotmpl.functions import FunctionSet, GoFunction, function
from harness.gotmpl.nodes import (
    ActionNode,
    BoolNode,
    BreakNode,
    ChainNode,
    CommandNode,
    ContinueNode,
    DotNode,
    FieldNode,
    IdentifierNode,
    IfNode,
    ListNode,
    NilNode,
    Node,
    NumberNode,
    PipeNode,
    RangeNode,
    StringNode,
    TemplateNode,
    TextNode,
    Tree,
    VariableNode,
    WithNode,
    walk,
)
from harness.gotmpl.sprig import KUDO_REMOVED, NOT_SUPPORTED, World, sprig_v2_22, sprig_v3
from harness.gotmpl.template import Template

__all__ = [
    "KUDO_REMOVED",
    "NOT_SUPPORTED",
    "ActionNode",
    "BoolNode",
    "BreakNode",
    "ChainNode",
    "CommandNode",
    "ContinueNode",
    "DotNode",
    "FieldNode",
    "FunctionError",
    "FunctionSet",
    "GoFunction",
    "IdentifierNode",
    "IfNode",
    "ListNode",
    "MissingKey",
    "NilNode",
    "Node",
    "NumberNode",
    "PipeNode",
    "RangeNode",
    "StringNode",
    "Template",
    "TemplateError",
    "TemplateNode",
    "TextNode",
    "Tree",
    "VariableNode",
    "WithNode",
    "World",
    "function",
    "sprig_v2_22",
    "sprig_v3",
    "walk",
]
