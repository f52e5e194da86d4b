"""The syntax tree of a template: one class a kind of node, each knows where it stands and how Go prints it.

Everybody above may import it: analyses walk the tree (`walk`) to find, for example, every use of `.Params.NAME`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from harness.gotmpl.strconv import quote

__all__ = [
    "ActionNode",
    "BoolNode",
    "BreakNode",
    "ChainNode",
    "CommandNode",
    "ContinueNode",
    "DotNode",
    "FieldNode",
    "IdentifierNode",
    "IfNode",
    "ListNode",
    "NilNode",
    "Node",
    "NumberNode",
    "PipeNode",
    "RangeNode",
    "StringNode",
    "TemplateNode",
    "TextNode",
    "Tree",
    "VariableNode",
    "WithNode",
    "walk",
]


@dataclass(slots=True, eq=False)
class Node:
    """What all nodes share.

    Attributes:
        start: where the node stands, as an offset in characters; Tree.place() tells line and column.
    """

    start: int

    def children(self) -> Iterator[Node]:
        """Yield the nodes directly below, in the order of the text."""
        yield from ()


@dataclass(slots=True, eq=False)
class TextNode(Node):
    """Plain text, trimmed."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(slots=True, eq=False)
class BoolNode(Node):
    """The word true or false."""

    value: bool

    def __str__(self) -> str:
        return "true" if self.value else "false"


@dataclass(slots=True, eq=False)
class NumberNode(Node):
    """A number, with each reading that its text allows; None where it allows none."""

    text: str
    integer: int | None = None
    unsigned: int | None = None
    floating: float | None = None
    imaginary: complex | None = None

    def __str__(self) -> str:
        return self.text


@dataclass(slots=True, eq=False)
class StringNode(Node):
    """A quoted text: as written and as meant."""

    quoted: str
    text: str

    def __str__(self) -> str:
        return self.quoted


@dataclass(slots=True, eq=False)
class DotNode(Node):
    """The value at hand: a single dot."""

    def __str__(self) -> str:
        return "."


@dataclass(slots=True, eq=False)
class NilNode(Node):
    """The word nil."""

    def __str__(self) -> str:
        return "nil"


@dataclass(slots=True, eq=False)
class IdentifierNode(Node):
    """The name of a function."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(slots=True, eq=False)
class FieldNode(Node):
    """Fields of dot: `.Params.NAME` has the names ("Params", "NAME"). It stands at its second name, as in Go."""

    names: tuple[str, ...]

    def __str__(self) -> str:
        return "".join(f".{name}" for name in self.names)


@dataclass(slots=True, eq=False)
class VariableNode(Node):
    """A variable and perhaps fields of it: `$x.Field` has the names ("$x", "Field")."""

    names: tuple[str, ...]

    def __str__(self) -> str:
        return ".".join(self.names)


@dataclass(slots=True, eq=False)
class ChainNode(Node):
    """Fields of anything else: `(pipeline).Field`."""

    node: Node
    names: tuple[str, ...]

    def __str__(self) -> str:
        base = f"({self.node})" if isinstance(self.node, PipeNode) else str(self.node)
        return base + "".join(f".{name}" for name in self.names)

    def children(self) -> Iterator[Node]:
        """Yield the nodes directly below."""
        yield self.node


@dataclass(slots=True, eq=False)
class CommandNode(Node):
    """One stage of a pipeline: a function or value, and its arguments."""

    arguments: list[Node] = field(default_factory=list)

    def __str__(self) -> str:
        return " ".join(f"({arg})" if isinstance(arg, PipeNode) else str(arg) for arg in self.arguments)

    def children(self) -> Iterator[Node]:
        """Yield the nodes directly below."""
        yield from self.arguments


@dataclass(slots=True, eq=False)
class PipeNode(Node):
    """Commands joined by `|`, perhaps stored in variables (`assigns`: with =, otherwise with :=)."""

    variables: list[VariableNode] = field(default_factory=list)
    commands: list[CommandNode] = field(default_factory=list)
    assigns: bool = False

    def __str__(self) -> str:
        declared = ", ".join(map(str, self.variables))
        if declared:
            declared += " = " if self.assigns else " := "
        return declared + " | ".join(map(str, self.commands))

    def children(self) -> Iterator[Node]:
        """Yield the nodes directly below."""
        yield from self.variables
        yield from self.commands


@dataclass(slots=True, eq=False)
class ActionNode(Node):
    """A pipeline whose value is printed, or only stored."""

    pipe: PipeNode

    def __str__(self) -> str:
        return f"{{{{{self.pipe}}}}}"

    def children(self) -> Iterator[Node]:
        """Yield the nodes directly below."""
        yield self.pipe


@dataclass(slots=True, eq=False)
class BreakNode(Node):
    """{{break}}."""

    def __str__(self) -> str:
        return "{{break}}"


@dataclass(slots=True, eq=False)
class ContinueNode(Node):
    """{{continue}}."""

    def __str__(self) -> str:
        return "{{continue}}"


@dataclass(slots=True, eq=False)
class ListNode(Node):
    """Nodes after each other."""

    nodes: list[Node] = field(default_factory=list)

    def __str__(self) -> str:
        return "".join(map(str, self.nodes))

    def children(self) -> Iterator[Node]:
        """Yield the nodes directly below."""
        yield from self.nodes


@dataclass(slots=True, eq=False)
class _BranchNode(Node):
    pipe: PipeNode
    body: ListNode
    otherwise: ListNode | None

    def _written(self, keyword: str) -> str:
        tail = f"{{{{else}}}}{self.otherwise}" if self.otherwise is not None else ""
        return f"{{{{{keyword} {self.pipe}}}}}{self.body}{tail}{{{{end}}}}"

    def children(self) -> Iterator[Node]:
        """Yield the nodes directly below."""
        yield self.pipe
        yield self.body
        if self.otherwise is not None:
            yield self.otherwise


class IfNode(_BranchNode):
    """{{if}}: body when the pipeline is true, `otherwise` when not."""

    __slots__ = ()

    def __str__(self) -> str:
        return self._written("if")


class RangeNode(_BranchNode):
    """{{range}}: body for each element, `otherwise` when there is none."""

    __slots__ = ()

    def __str__(self) -> str:
        return self._written("range")


class WithNode(_BranchNode):
    """{{with}}: as {{if}}, and the value becomes dot in the body."""

    __slots__ = ()

    def __str__(self) -> str:
        return self._written("with")


@dataclass(slots=True, eq=False)
class TemplateNode(Node):
    """{{template "name" pipeline}}; also what {{block}} leaves where it stands."""

    name: str
    pipe: PipeNode | None

    def __str__(self) -> str:
        return f"{{{{template {quote(self.name)}{f' {self.pipe}' if self.pipe else ''}}}}}"

    def children(self) -> Iterator[Node]:
        """Yield the nodes directly below."""
        if self.pipe is not None:
            yield self.pipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A parsed text: the main template's root, and the templates that it defines by name.

    Attributes:
        name: the template's name, which Go's errors call the file.
        text: what was parsed.
        root: the main template, or the definition that has its name.
        defined: every template of the text by name, the main one too.
    """

    name: str
    text: str
    root: ListNode
    defined: Mapping[str, ListNode]

    def place(self, node: Node) -> tuple[int, int]:
        """Return line and column of a node, both counted from 1, the column in bytes."""
        before = self.text[: node.start]
        line_start = before.rfind("\n") + 1
        column = len(before[line_start:].encode("utf-8", "surrogateescape"))
        return before.count("\n") + 1, column + 1

    def walk(self) -> Iterator[Node]:
        """Yield every node of the main template and of the definitions."""
        for root in {id(root): root for root in (self.root, *self.defined.values())}.values():
            yield from walk(root)


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and all below it, in the order of the text."""
    yield node
    for child in node.children():
        yield from walk(child)
