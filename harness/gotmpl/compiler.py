"""Turns a tree into Python closures that print: text, actions, {{if}}, {{range}}, {{with}}, {{template}}.

Private to gotmpl: template.py compiles once and runs the result many times.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from typing import Any

from harness.gotmpl.expressions import Expressions, MissingKey
from harness.gotmpl.formatting import print_value
from harness.gotmpl.functions import GoFunction
from harness.gotmpl.nodes import (
    ActionNode,
    BreakNode,
    ContinueNode,
    IfNode,
    ListNode,
    Node,
    RangeNode,
    TemplateNode,
    TextNode,
    Tree,
    WithNode,
    walk,
)
from harness.gotmpl.state import Block, State
from harness.gotmpl.values import MISSING, Function, Slice, TypedMap, is_true, sorted_items, type_name

__all__ = ["compile_tree"]


class _Break(Exception):  # noqa: N818 - a jump, not an error
    """{{break}}."""


class _Continue(Exception):  # noqa: N818 - a jump, not an error
    """{{continue}}."""


def compile_tree(tree: Tree, functions: Mapping[str, GoFunction], missing_key: MissingKey) -> dict[str, Block]:
    """Return one closure for each template of a tree, by name.

    Args:
        tree: a parsed text.
        functions: the functions that it may call; those that it calls must be in it.
        missing_key: what a key that a map lacks gives.
    """
    compiler = _Compiler(functions, missing_key)
    return {name: compiler.block(root) for name, root in {**tree.defined, tree.name: tree.root}.items()}


class _Compiler:
    def __init__(self, functions: Mapping[str, GoFunction], missing_key: MissingKey) -> None:
        self._expressions = Expressions(functions, missing_key)

    def block(self, node: ListNode | None) -> Block:
        if node is None:
            return lambda _state, _dot: None
        blocks = tuple(self._statement(child) for child in node.nodes)
        if len(blocks) == 1:
            return blocks[0]

        def run(state: State, dot: Any) -> None:
            for block in blocks:
                block(state, dot)

        return run

    def _statement(self, node: Node) -> Block:  # noqa: PLR0911 - one return a kind
        if isinstance(node, TextNode):
            return _text(node.text)
        if isinstance(node, ActionNode):
            return self._action(node)
        if isinstance(node, IfNode):
            return self._if(node)
        if isinstance(node, WithNode):
            return self._with(node)
        if isinstance(node, RangeNode):
            return self._range(node)
        if isinstance(node, TemplateNode):
            return self._template(node)
        if isinstance(node, (BreakNode, ContinueNode)):
            return _jump(_Break if isinstance(node, BreakNode) else _Continue)
        raise AssertionError(f"no statement: {node!r}")

    def _action(self, node: ActionNode) -> Block:
        evaluate = self._expressions.pipeline(node.pipe)
        if node.pipe.variables:
            return lambda state, dot: evaluate(state, dot) and None

        def action(state: State, dot: Any) -> None:
            value = evaluate(state, dot)
            state.write(value if type(value) is str else _printed(state, node, value))

        return action

    def _if(self, node: IfNode) -> Block:
        condition = self._expressions.pipeline(node.pipe)
        body, otherwise = self.block(node.body), self.block(node.otherwise)

        def run(state: State, dot: Any) -> None:
            mark = len(state.variables)
            if is_true(condition(state, dot)):
                body(state, dot)
            else:
                otherwise(state, dot)
            del state.variables[mark:]

        return run

    def _with(self, node: WithNode) -> Block:
        condition = self._expressions.pipeline(node.pipe)
        body, otherwise = self.block(node.body), self.block(node.otherwise)

        def run(state: State, dot: Any) -> None:
            mark = len(state.variables)
            value = condition(state, dot)
            if is_true(value):
                in_interface, state.in_interface = state.in_interface, False
                body(state, value)
                state.in_interface = in_interface
            else:
                otherwise(state, dot)
            del state.variables[mark:]

        return run

    def _range(self, node: RangeNode) -> Block:
        evaluate = self._expressions.pipeline(node.pipe)
        body, otherwise = self.block(node.body), self.block(node.otherwise)
        if any(isinstance(child, (BreakNode, ContinueNode)) for child in walk(node.body)):
            body = _continuing(body)

        def run(state: State, dot: Any) -> None:
            state.node = node
            mark, in_interface = len(state.variables), state.in_interface
            value = evaluate(state, dot)
            entries = _entries(state, node, value)
            if entries:
                with contextlib.suppress(_Break):
                    _iterate(state, node, body, entries, holds_any=_holds_interfaces(value))
                state.in_interface = in_interface
            else:
                otherwise(state, dot)
            del state.variables[mark:]

        return run

    def _template(self, node: TemplateNode) -> Block:
        evaluate = self._expressions.pipeline(node.pipe) if node.pipe is not None else None

        def run(state: State, dot: Any) -> None:
            state.node = node
            called = state.blocks.get(node.name)
            if called is None:
                raise state.error(f'template "{node.name}" not defined')
            value = evaluate(state, dot) if evaluate else MISSING
            called(state.called(node.name, value), value)

        return run


def _text(text: str) -> Block:
    return lambda state, _dot: state.write(text)


def _jump(kind: type[Exception]) -> Block:
    def jump(_state: State, _dot: Any) -> None:
        raise kind

    return jump


def _continuing(body: Block) -> Block:
    def run(state: State, dot: Any) -> None:
        with contextlib.suppress(_Continue):
            body(state, dot)

    return run


def _printed(state: State, node: ActionNode, value: Any) -> str:
    if value is MISSING:
        return "<no value>"
    if isinstance(value, Function) or (callable(value) and not isinstance(value, type)):
        raise state.error(f"can't print {node} of type {type_name(value)}", node)
    return print_value(value)


def _entries(state: State, node: RangeNode, value: Any) -> Iterable[tuple[Any, Any]]:
    """Return what a range goes over, as pairs of index or key and element."""
    if isinstance(value, (list, tuple)):
        return list(enumerate(value))
    if isinstance(value, dict):
        return sorted_items(value)
    if isinstance(value, int) and not isinstance(value, bool):
        if len(node.pipe.variables) > 1:
            raise state.error(f"can't use {value} to iterate over more than one variable")
        return [(MISSING, type(value)(number)) for number in range(value)]
    if value is MISSING:
        return ()
    raise state.error(f"range can't iterate over {print_value(value)}")


def _holds_interfaces(value: Any) -> bool:
    if isinstance(value, (Slice, TypedMap)):
        return value.element == "interface {}"
    return not isinstance(value, int)


def _iterate(
    state: State, node: RangeNode, body: Block, entries: Iterable[tuple[Any, Any]], *, holds_any: bool
) -> None:
    variables, names = state.variables, [variable.names[0] for variable in node.pipe.variables]
    mark = len(variables)
    for key, element in entries:
        if names:
            _bind(state, node, names, (key, element), holds_any=holds_any)
        state.in_interface = holds_any
        body(state, element)
        del variables[mark:]


def _bind(state: State, node: RangeNode, names: list[str], entry: tuple[Any, Any], *, holds_any: bool) -> None:
    key, element = entry
    declared = state.variables[-len(names) :]
    targets = [state.variable(name) for name in names] if node.pipe.assigns else declared
    targets[-1][1:] = (element, holds_any)
    if len(names) > 1:
        targets[0][1:] = (key, False)
