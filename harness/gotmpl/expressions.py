"""Turns the expressions of a tree (operands, commands, pipelines, calls) into Python closures.

Private to gotmpl: compiler.py adds the control structures. Each closure notes the node that it evaluates, so that an
error names the same place as Go's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from harness.gotmpl.builtin import BUILTINS, call_value
from harness.gotmpl.errors import FunctionError
from harness.gotmpl.functions import ANY, BOOL, FLOAT64, INT, INT64, RAW, STRING, UINT32, GoFunction, GoType
from harness.gotmpl.nodes import (
    BoolNode,
    ChainNode,
    CommandNode,
    DotNode,
    FieldNode,
    IdentifierNode,
    NilNode,
    Node,
    NumberNode,
    PipeNode,
    StringNode,
    VariableNode,
)
from harness.gotmpl.state import Evaluate, State
from harness.gotmpl.strconv import quote
from harness.gotmpl.values import MISSING, Int64, Struct, TypedMap, Uint32, is_true, type_name, zero

__all__ = ["Expressions", "MissingKey"]

MissingKey = Literal["default", "zero", "error"]
Command = Callable[[State, Any, Any], Any]  # state, dot, value of the stage before -> value
_NOT_SUBSCRIPTABLE = (KeyError, TypeError, IndexError)
_INT_RANGE = range(-(1 << 63), 1 << 63)


class Expressions:
    """Compiles expressions for one set of functions and one way of treating missing keys."""

    def __init__(self, functions: Mapping[str, GoFunction], missing_key: MissingKey) -> None:
        self._functions = functions
        self._missing_key = missing_key

    # Pipelines

    def pipeline(self, node: PipeNode) -> Evaluate:
        """Return a closure that evaluates a pipeline and stores its variables."""
        commands = [self._command(command, final=bool(stage)) for stage, command in enumerate(node.commands)]
        if node.variables:
            return _storing(node, _run_commands(node, commands))
        return _run_commands(node, commands)

    def _command(self, node: CommandNode, *, final: bool) -> Command:  # noqa: PLR0911 - one return a kind
        first = node.arguments[0]
        more = len(node.arguments) > 1 or final
        if isinstance(first, FieldNode):
            return self._with_arguments(first, node, final=final, more=more)
        if isinstance(first, ChainNode):
            return self._with_arguments(first, node, final=final, more=more)
        if isinstance(first, VariableNode):
            if len(first.names) > 1:
                return self._with_arguments(first, node, final=final, more=more)
            return _refuse_arguments(first, first) if more else _ignore_final(self._raw(first))
        if isinstance(first, IdentifierNode):
            return self._call(first, node, node.arguments[1:], final=final)
        if isinstance(first, PipeNode):
            return _refuse_arguments(first, None) if more else _ignore_final(self.pipeline(first))
        if more:
            return _refuse_arguments(first, first)
        if isinstance(first, NilNode):
            return _failing(first, "nil is not a command")
        return _ignore_final(self._raw(first))

    def _with_arguments(
        self, first: FieldNode | ChainNode | VariableNode, node: CommandNode, *, final: bool, more: bool
    ) -> Command:
        """Compile fields that may end in a method, which then gets the command's arguments."""
        if not more:
            return _ignore_final(self._raw(first))
        arguments = [self.argument(argument, ANY) for argument in node.arguments[1:]]
        return self._fields(first, arguments, final=final)

    # Operands

    def argument(self, node: Node, kind: GoType) -> Evaluate:
        """Return a closure that evaluates an argument for a parameter of a type."""
        if isinstance(node, NilNode):
            return _nil(node, kind)
        if isinstance(node, DotNode | FieldNode | VariableNode | PipeNode | IdentifierNode | ChainNode):
            return _checked(self._raw(node), kind)
        if kind is ANY or kind is RAW:
            return self._raw(node)
        return _constant_of(node, kind)

    def _raw(self, node: Node) -> Evaluate:  # noqa: PLR0911 - one return a kind
        """Return a closure that evaluates an operand, whatever its type."""
        if isinstance(node, DotNode):
            return _dot(node)
        if isinstance(node, VariableNode) and len(node.names) == 1:
            return _variable(node)
        if isinstance(node, PipeNode):
            return self.pipeline(node)
        if isinstance(node, IdentifierNode):
            call = self._call(node, node, [], final=False)
            return lambda state, dot: call(state, dot, MISSING)
        if isinstance(node, FieldNode):
            return self._plain_fields(node)
        if isinstance(node, (ChainNode, VariableNode)):
            fields = self._fields(node, [], final=False)
            return lambda state, dot: fields(state, dot, MISSING)
        return _constant(node)

    def _plain_fields(self, node: FieldNode) -> Evaluate:
        """Compile `.A.B`: straight through dicts, and the long way when that fails."""
        names = node.names
        slow = self._fields(node, [], final=False)

        def fields(state: State, dot: Any) -> Any:
            state.node = node
            value = dot
            try:
                for name in names:
                    value = value[name]
            except _NOT_SUBSCRIPTABLE:
                return slow(state, dot, MISSING)
            return value

        return fields

    def _fields(
        self, node: FieldNode | ChainNode | VariableNode, arguments: Sequence[Evaluate], *, final: bool
    ) -> Command:
        names = node.names[1:] if isinstance(node, VariableNode) else node.names
        receiver = self._receiver(node)
        more = bool(arguments) or final

        def fields(state: State, dot: Any, previous: Any) -> Any:
            state.node = node
            value, in_interface = receiver(state, dot)
            for name in names[:-1]:
                value, in_interface = self._field(state, value, name, in_interface)
            name = names[-1]
            if isinstance(value, Struct) and name in value.methods():
                given = [argument(state, dot) for argument in arguments] + ([previous] if final else [])
                return _called(state, node, name, value.methods()[name], given)
            if more:
                _refuse_field_arguments(state, value, name)
            return self._field(state, value, name, in_interface)[0]

        return fields

    def _receiver(self, node: FieldNode | ChainNode | VariableNode) -> Callable[[State, Any], tuple[Any, bool]]:
        """Return what fetches the value whose fields are read, and whether an interface {} held it."""
        if isinstance(node, FieldNode):
            return lambda state, dot: (dot, state.in_interface)
        if isinstance(node, VariableNode):
            return _variable_held(node.names[0])
        inner = self._raw(node.node)
        return lambda state, dot: (inner(state, dot), False)

    def _field(self, state: State, value: Any, name: str, in_interface: bool) -> tuple[Any, bool]:
        """Read one field; also tell whether its container holds it as interface {}."""
        if value is MISSING:
            if self._missing_key == "error":
                raise state.error(f"nil data; no entry for key {quote(name)}")
            return MISSING, False
        if value is None:
            raise state.error(f"nil pointer evaluating interface {{}}.{name}")
        if isinstance(value, dict):
            found = self._entry(state, value, name)
            if found is not _NO_FIELD:
                return found, not isinstance(value, TypedMap) or value.element == "interface {}"
        if isinstance(value, Struct):
            if name in value.methods():
                return _called(state, state.node, name, value.methods()[name], []), False
            if name in value.fields():
                return value.fields()[name], False
        shown = "interface {}" if in_interface else type_name(value)
        raise state.error(f"can't evaluate field {name} in type {shown}")

    def _entry(self, state: State, table: dict[Any, Any], name: str) -> Any:
        if isinstance(table, TypedMap) and table.key not in ("string", "interface {}"):
            return _NO_FIELD
        if name in table:
            return table[name]
        if self._missing_key == "error":
            raise state.error(f"map has no entry for key {quote(name)}")
        if self._missing_key == "zero":
            return zero(table.element) if isinstance(table, TypedMap) else None
        return MISSING

    # Calls

    def _call(self, name: IdentifierNode, node: Node, arguments: Sequence[Node], *, final: bool) -> Command:
        function = self._functions[name.name]
        wrong = _wrong_count(name.name, function, len(arguments), final=final)
        if wrong:
            return _failing(name, wrong)
        if name.name in ("and", "or") and function is BUILTINS[name.name]:
            return self._short_circuit(name, arguments, stops_at=name.name == "or", final=final)
        given = [self.argument(argument, function.parameter(index)) for index, argument in enumerate(arguments)]
        call = function.call
        if function is BUILTINS["call"]:
            call = _caller(str(arguments[0]) if arguments else "")
        if final:
            return _call_with_final(name, node, call, given, function.parameter(len(given)))
        return _call_without_final(name, node, call, given)

    def _short_circuit(
        self, name: IdentifierNode, arguments: Sequence[Node], *, stops_at: bool, final: bool
    ) -> Command:
        given = [self.argument(argument, RAW) for argument in arguments]

        def run(state: State, dot: Any, previous: Any) -> Any:
            state.node = name
            value: Any = MISSING
            for evaluate in given:
                value = evaluate(state, dot)
                if is_true(value) is stops_at:
                    return value
            return previous if final else value

        return run


_NO_FIELD: Any = object()


def _caller(written: str) -> Callable[..., Any]:
    """Return what {{call}} does; without a written callee the value that is piped in names itself."""

    def call(callee: Any, *arguments: Any) -> Any:
        shown = callee if isinstance(callee, str) else f"<{type_name(callee)} Value>"
        return call_value(written or shown, callee, *arguments)

    return call


def _run_commands(node: PipeNode, commands: Sequence[Command]) -> Evaluate:
    first, *others = commands

    def run_one(state: State, dot: Any) -> Any:
        state.node = node
        value = first(state, dot, MISSING)
        return MISSING if value is None else value

    def run(state: State, dot: Any) -> Any:
        value = run_one(state, dot)
        for command in others:
            value = command(state, dot, value)
            if value is None:
                value = MISSING
        return value

    return run if others else run_one


def _storing(node: PipeNode, evaluate: Evaluate) -> Evaluate:
    names = [variable.names[0] for variable in node.variables]

    def declare(state: State, dot: Any) -> Any:
        value = evaluate(state, dot)
        state.variables.extend([name, value, False] for name in names)
        return value

    def assign(state: State, dot: Any) -> Any:
        value = evaluate(state, dot)
        for name in names:
            state.variable(name)[1:] = (value, False)
        return value

    return assign if node.assigns else declare


def _ignore_final(evaluate: Evaluate) -> Command:
    return lambda state, dot, _: evaluate(state, dot)


def _failing(node: Node | None, message: str) -> Command:
    def fail(state: State, _dot: Any, _final: Any) -> Any:
        raise state.error(message, node)

    return fail


def _refuse_arguments(first: Node, at: Node | None) -> Command:
    return _failing(at, f"can't give argument to non-function {first}")


def _refuse_field_arguments(state: State, value: Any, name: str) -> None:
    if isinstance(value, dict):
        raise state.error(f"{name} is not a method but has arguments")
    if isinstance(value, Struct) and name in value.fields():
        raise state.error(f"{name} has arguments but cannot be invoked as function")


def _dot(node: DotNode) -> Evaluate:
    def dot_value(state: State, dot: Any) -> Any:
        state.node = node
        return dot

    return dot_value


def _variable(node: VariableNode) -> Evaluate:
    name = node.names[0]

    def variable(state: State, _dot: Any) -> Any:
        state.node = node
        for entry in reversed(state.variables):
            if entry[0] == name:
                return entry[1]
        return state.variable(name)[1]

    return variable


def _variable_held(name: str) -> Callable[[State, Any], tuple[Any, bool]]:
    def held(state: State, _dot: Any) -> tuple[Any, bool]:
        _, value, in_interface = state.variable(name)
        return value, in_interface

    return held


def _nil(node: NilNode, kind: GoType) -> Evaluate:
    def nil(state: State, _dot: Any) -> Any:
        state.node = node
        if not kind.nillable:
            raise state.error(f"cannot assign nil to {kind.name}")
        return MISSING if kind.raw else _nil_of(kind)

    return nil


def _nil_of(kind: GoType) -> Any:
    return dict(kind.nil) if isinstance(kind.nil, dict) else kind.nil


def _constant(node: Node) -> Evaluate:
    """Compile a constant where any type will do: its own syntax tells its type."""
    value: Any = None
    wrong = ""
    if isinstance(node, BoolNode):
        value = node.value
    elif isinstance(node, StringNode):
        value = node.text
    elif isinstance(node, NumberNode):
        value, wrong = _ideal(node)

    def constant(state: State, _dot: Any) -> Any:
        state.node = node
        if wrong:
            raise state.error(wrong)
        return value

    return constant


def _ideal(node: NumberNode) -> tuple[Any, str]:
    text = node.text
    if node.imaginary is not None:
        return node.imaginary, ""
    hexadecimal = text[:2].lower() == "0x" and "p" not in text.lower()
    if node.floating is not None and not hexadecimal and text[0] != "'" and any(char in text for char in ".eEpP"):
        return node.floating, ""
    if node.integer is not None:
        return node.integer, ""
    return None, f"{text} overflows int"


def _constant_of(node: Node, kind: GoType) -> Evaluate:
    """Compile a constant for a parameter of a basic type."""
    value: Any = None
    wrong = f"can't handle {node} for arg of type {kind.name}"
    if kind is STRING:
        value, wrong = (node.text, "") if isinstance(node, StringNode) else (None, f"expected string; found {node}")
    elif kind is BOOL:
        value, wrong = (node.value, "") if isinstance(node, BoolNode) else (None, f"expected bool; found {node}")
    elif kind in (INT, INT64):
        whole = node.integer if isinstance(node, NumberNode) else None
        wrong = f"expected integer; found {node}" if whole is None else ""
        value = Int64(whole or 0) if kind is INT64 else whole
    elif kind is UINT32:
        whole = node.unsigned if isinstance(node, NumberNode) else None
        wrong = f"expected unsigned integer; found {node}" if whole is None else ""
        value = Uint32((whole or 0) % (1 << 32))
    elif kind is FLOAT64:
        value = node.floating if isinstance(node, NumberNode) else None
        wrong = f"expected float; found {node}" if value is None else ""

    def constant(state: State, _dot: Any) -> Any:
        state.node = node
        if wrong:
            raise state.error(wrong)
        return value

    return constant


def _checked(evaluate: Evaluate, kind: GoType) -> Evaluate:
    if kind.raw:
        return evaluate
    if kind is ANY:

        def any_value(state: State, dot: Any) -> Any:
            value = evaluate(state, dot)
            return None if value is MISSING else value

        return any_value
    accepts = kind.accepts

    def typed(state: State, dot: Any) -> Any:
        value = evaluate(state, dot)
        return value if type(value) in accepts else _assignable(state, value, kind)

    return typed


def _assignable(state: State, value: Any, kind: GoType) -> Any:
    """Return a value that may be handed to a parameter, as Go's assignability has it."""
    if kind.raw:
        return value
    if value is MISSING:
        if kind.nillable:
            return _nil_of(kind)
        raise state.error(f"invalid value; expected {kind.name}")
    if kind is ANY or (isinstance(value, tuple(kind.accepts)) and _same_type(value, kind)):
        return value
    raise state.error(f"wrong type for value; expected {kind.name}; got {type_name(value)}")


def _same_type(value: Any, kind: GoType) -> bool:
    return isinstance(value, Struct) or type_name(value) == kind.name


def _wrong_count(name: str, function: GoFunction, written: int, *, final: bool) -> str:
    given = written + final
    wanted = len(function.parameters)
    if function.variadic:
        if given < wanted - 1:
            return f"wrong number of args for {name}: want at least {wanted - 1} got {written}"
        return ""
    return f"wrong number of args for {name}: want {wanted} got {given}" if given != wanted else ""


def _called(state: State, node: Node, name: str, call: Callable[..., Any], given: Sequence[Any]) -> Any:
    try:
        return call(*given)
    except FunctionError as error:
        raise state.error(f"error calling {name}: {error}", node) from None


def _call_with_final(
    name: IdentifierNode, node: Node, call: Callable[..., Any], given: Sequence[Evaluate], kind: GoType
) -> Command:
    def run(state: State, dot: Any, previous: Any) -> Any:
        state.node = name
        values = [evaluate(state, dot) for evaluate in given]
        values.append(_assignable(state, previous, kind))
        try:
            return call(*values)
        except FunctionError as error:
            raise state.error(f"error calling {name.name}: {error}", node) from None

    return run


def _call_without_final(
    name: IdentifierNode, node: Node, call: Callable[..., Any], given: Sequence[Evaluate]
) -> Command:
    def run(state: State, dot: Any, _previous: Any) -> Any:
        state.node = name
        values = [evaluate(state, dot) for evaluate in given]
        try:
            return call(*values)
        except FunctionError as error:
            raise state.error(f"error calling {name.name}: {error}", node) from None

    return run
