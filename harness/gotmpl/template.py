"""A parsed template that renders: the package's front door.

Everybody above may use it, through harness.gotmpl.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from harness.gotmpl.builtin import BUILTINS
from harness.gotmpl.compiler import compile_tree
from harness.gotmpl.expressions import MissingKey
from harness.gotmpl.functions import GoFunction
from harness.gotmpl.nodes import Tree
from harness.gotmpl.parser import parse
from harness.gotmpl.state import Block, State
from harness.gotmpl.strconv import tidy

__all__ = ["Template"]


class Template:
    """A Go template, parsed and compiled; rendering it changes nothing, so it may be shared between threads.

    Attributes:
        name: the name that errors give.
        tree: the syntax tree, for analyses.
    """

    __slots__ = ("_blocks", "name", "tree")

    def __init__(self, tree: Tree, blocks: Mapping[str, Block]) -> None:
        self.name = tree.name
        self.tree = tree
        self._blocks = blocks

    @classmethod
    def parse(
        cls,
        text: str,
        name: str,
        *,
        functions: Mapping[str, Callable[..., Any] | GoFunction] | None = None,
        missing_key: MissingKey = "default",
    ) -> Template:
        """Parse a template.

        Args:
            text: the template.
            name: the name that errors give, most often the file's.
            functions: what it may call beside Go's own functions: sprig_v2_22(), sprig_v3(), own callables by name.
            missing_key: what a key that a map lacks gives: "default" prints <no value>, "zero" the zero value of the
                map's element type, "error" fails.

        Raises:
            TemplateError: it does not parse; with Go's text and the line.
        """
        known = BUILTINS | (functions or {})
        tree = parse(text, name, known)
        return cls(tree, compile_tree(tree, known, missing_key))

    def render(self, data: Any) -> str:
        """Return the text that the template gives for its data.

        Args:
            data: what dot is at the start, most often a dict; see harness.gotmpl.values for Go's other types.

        Raises:
            TemplateError: execution failed; with Go's text, line and column.
        """
        parts: list[str] = []
        state = State(self.tree, self.name, self._blocks, parts.append, data)
        try:
            self._blocks[self.name](state, data)
        except RecursionError:
            raise state.error("exceeded maximum template depth") from None
        return tidy("".join(parts))
