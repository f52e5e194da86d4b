"""One line per stage: what is done, how long it took, and progress on the long ones.

Everybody may import it. Lines go to standard error, so that a command's own output stays clean.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

__all__ = ["Out", "Stages", "took"]

_MINUTE = 60.0


class Out(Protocol):
    """Where lines go: standard error, a file, or a test's own collector."""

    def write(self, text: str, /) -> object:
        """Take a text."""
        ...

    def flush(self) -> None:
        """Pass on what was taken."""
        ...

    def isatty(self) -> bool:
        """Tell whether lines can be redrawn."""
        ...


class Stages:
    """A reporter of stages for one area ("airgap", "cluster", "galera").

    On a terminal the running stage is redrawn in place; elsewhere progress lines are printed at most every 15 s.
    """

    def __init__(
        self, area: str, out: Out | None = None, *, clock: Callable[[], float] = time.monotonic, every: float = 15.0
    ) -> None:
        self.area = area
        self._given = out
        self._clock = clock
        self._every = every
        self._last = float("-inf")
        self._live = False
        self._lock = threading.Lock()

    @property
    def out(self) -> Out:
        """The stream in use; standard error is looked up at each line, so that capturing it works."""
        return self._given or sys.stderr

    @contextmanager
    def stage(self, what: str, done: str = "") -> Iterator[None]:
        """Print a line when the block has ended: its text and the time it took, or that it failed.

        Args:
            what: what is being done, e.g. "engine starting".
            done: the text for success, e.g. "engine ready (private)"; the text of `what` when empty.
        """
        begun = self._clock()
        self._last = begun
        try:
            yield
        except BaseException as error:
            word = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
            self._print(f"{what}: {word} after {took(self._clock() - begun)}")
            raise
        self._print(f"{done or what} ({took(self._clock() - begun)})")

    def note(self, text: str) -> None:
        """Print a line that has no duration."""
        self._print(text)

    def progress(self, text: str) -> None:
        """Show where a long stage is; may be called often."""
        with self._lock:
            if self.out.isatty():
                self.out.write(f"\r\033[K{self._line(text)}")
                self.out.flush()
                self._live = True
            elif self._clock() - self._last >= self._every:
                self._last = self._clock()
                self.out.write(self._line(text) + "\n")
                self.out.flush()

    def _print(self, text: str) -> None:
        with self._lock:
            start = "\r\033[K" if self._live else ""
            self._live = False
            self.out.write(f"{start}{self._line(text)}\n")
            self.out.flush()

    def _line(self, text: str) -> str:
        return f"{self.area:<8} {text}"


def took(seconds: float) -> str:
    """Return a duration as people read it: 340 ms, 3.1 s, 4 m 12 s."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} m {rest} s"
