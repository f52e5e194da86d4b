"""The lines that a run tells while it goes on: who, and what, in kuttl's words.

Pure but for the clock of its lines. Imported by the runner's modules; the command line and pytest give a sink.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Line", "Log", "Sink", "silent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One message; a text may have several lines.

    Attributes:
        source: `<test>`, `<test>/<step>`, or empty for the suite.
        text: the message.
        at: seconds since the epoch.
    """

    source: str
    text: str
    at: float

    def __str__(self) -> str:
        """Return it as kuttl prints it."""
        clock = time.strftime("%H:%M:%S", time.localtime(self.at))
        return f"logger.go:42: {clock} | {self.source} | {self.text}"


Sink = Callable[[Line], None]


def silent(_line: Line) -> None:
    """Take a line and do nothing."""


@dataclass(frozen=True, slots=True)
class Log:
    """Tells lines of one source to a sink; it may be used from several threads if the sink may."""

    sink: Sink = silent
    source: str = ""
    suffix: str = ""

    def __call__(self, text: str) -> None:
        """Tell a message."""
        self.sink(Line(source=self.source, text=f"{text}{self.suffix}", at=time.time()))

    def within(self, part: str, suffix: str = "") -> Log:
        """Return the log of a part: a test of the run, a step of a test."""
        return Log(self.sink, f"{self.source}/{part}" if self.source else part, suffix)
