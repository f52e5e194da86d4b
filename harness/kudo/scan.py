"""Which parameters a template uses, found as the original's `package verify` finds them.

Pure; harness.kudo.verify imports it. What the original overlooks or refuses needlessly, this does too, so that a
package is valid here exactly when it is valid there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from harness.gotmpl import (
    ActionNode,
    CommandNode,
    FieldNode,
    IfNode,
    ListNode,
    Node,
    PipeNode,
    RangeNode,
    Tree,
    VariableNode,
    WithNode,
)
from harness.kudo.rendering import VARIABLES

__all__ = ["Usage", "scan"]

Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Usage:
    """What a template uses, each with line and column of its first use.

    Attributes:
        parameters: the X of `.Params.X` and `$.Params.X`.
        unknown: fields that are no variable: `.Foo`, `.Params` alone, the fields of elements.
    """

    parameters: dict[str, Place] = field(default_factory=dict)
    unknown: dict[str, Place] = field(default_factory=dict)


def scan(tree: Tree) -> Usage:
    """Return what a template uses: actions, both branches of if and with, the main branch of range."""
    usage = Usage()
    for pipe in _pipes(tree.root):
        _scan_pipe(tree, pipe, usage)
    return usage


def _pipes(node: Node) -> Iterator[PipeNode]:
    if isinstance(node, ListNode):
        for child in node.nodes:
            yield from _pipes(child)
    elif isinstance(node, ActionNode):
        yield node.pipe
    elif isinstance(node, (IfNode, WithNode, RangeNode)):
        yield node.pipe
        yield from _pipes(node.body)
        if node.otherwise is not None and not isinstance(node, RangeNode):
            yield from _pipes(node.otherwise)


def _scan_pipe(tree: Tree, pipe: PipeNode, usage: Usage) -> None:
    """Note what a pipeline uses; what stands behind a field of one name is not looked at."""
    for argument in _arguments(pipe):
        if isinstance(argument, PipeNode):
            _scan_pipe(tree, argument, usage)
        elif isinstance(argument, FieldNode) and len(argument.names) == 1:
            if argument.names[0] not in VARIABLES:
                usage.unknown.setdefault(argument.names[0], tree.place(argument))
            return
        elif isinstance(argument, (FieldNode, VariableNode)):
            names = argument.names[1:] if argument.names[0] == "$" else argument.names
            if len(names) > 1 and names[0] == "Params":
                usage.parameters.setdefault(names[1], tree.place(argument))


def _arguments(pipe: PipeNode) -> Iterator[Node]:
    for command in pipe.commands:
        if isinstance(command, CommandNode):
            yield from command.arguments
