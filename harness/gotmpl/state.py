"""What is at hand while a template executes, and how a failure there becomes Go's error.

Private to gotmpl.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from harness.gotmpl.errors import TemplateError
from harness.gotmpl.nodes import Node, Tree
from harness.gotmpl.strconv import quote

__all__ = ["Block", "Evaluate", "State", "Variable"]

Evaluate = Callable[["State", Any], Any]  # state, dot -> value
Block = Callable[["State", Any], None]  # state, dot -> nothing; prints through the state
Variable = list[Any]  # [name, value, whether the value was an element of an interface {} container]


class State:
    """One execution of one template: its variables, where it stands, where its output goes.

    Attributes:
        node: the node evaluated last, which an error names.
        variables: the stack of variables in scope.
        write: takes the output piece by piece.
        in_interface: whether dot is an element that its container holds as interface {}; only error texts depend on it.
    """

    __slots__ = ("blocks", "in_interface", "name", "node", "tree", "variables", "write")

    def __init__(
        self, tree: Tree, name: str, blocks: Mapping[str, Block], write: Callable[[str], None], dot: Any
    ) -> None:
        self.tree = tree
        self.name = name
        self.blocks = blocks
        self.write = write
        self.node: Node = tree.root
        self.variables: list[Variable] = [["$", dot, False]]
        self.in_interface = False

    def called(self, name: str, dot: Any) -> State:
        """Return the state of a template that this one calls: it sees no variables but $."""
        return State(self.tree, name, self.blocks, self.write, dot)

    def error(self, message: str, node: Node | None = None) -> TemplateError:
        """Return the error of the node at hand, or of another one, with Go's text."""
        at = node or self.node
        line, column = self.tree.place(at)
        place = f"{self.tree.name}:{line}:{column - 1}"
        text = f"template: {place}: executing {quote(self.name)} at <{at}>: {message}"
        return TemplateError(text, file=self.tree.name, line=line, column=column)

    def variable(self, name: str) -> Variable:
        """Return the innermost variable of a name.

        Raises:
            TemplateError: there is none.
        """
        for entry in reversed(self.variables):
            if entry[0] == name:
                return entry
        raise self.error(f"undefined variable: {name}")
