"""The errors of this package: what a template did wrong, and how a function refuses its arguments.

Everybody above may import TemplateError; FunctionError is for those who write template functions.
"""

from __future__ import annotations

from harness.kit.errors import UsageError

__all__ = ["FunctionError", "TemplateError"]


class TemplateError(UsageError):
    """A template that does not parse or does not execute; as text it is Go's own, in one line.

    Attributes:
        go_text: the text of Go's own error, for output that must be the same byte for byte.
        file: name of the template.
        line: counted from 1; 0 where unknown.
        column: counted from 1, in bytes as Go counts (go_text itself counts columns from 0); 0 where unknown.
    """

    def __init__(self, go_text: str, *, file: str, line: int = 0, column: int = 0, wanted: str = "") -> None:
        where = ":".join(str(part) for part in (file, line, column) if part)
        super().__init__(wanted or "a template that renders", seen=go_text, where=where)
        self.go_text = go_text
        self.file = file
        self.line = line
        self.column = column

    def __str__(self) -> str:
        return self.go_text


class FunctionError(Exception):
    """Raised by a template function to stop the rendering: its text follows "error calling NAME: "."""
