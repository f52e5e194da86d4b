"""Errors as small reports: what was wanted, what was seen, where, what exists, what to run next.

Everybody may import it. A user's mistake is a HarnessError and shows no traceback; a bug is any other exception and
does.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

__all__ = ["CheckError", "DeadlineError", "HarnessError", "UsageError", "did_you_mean"]

_SHOWN = 12  # names listed under "exists" before the rest is only counted


class HarnessError(Exception):
    """A failure that a user can act upon.

    Args:
        wanted: what the harness tried or expected, one line.
        seen: what it met instead; several lines are indented under the first.
        where: an object, a file:line:column, a command.
        exists: the names that would have been valid.
        run: the command to run next.
    """

    exit_code = 1

    def __init__(
        self, wanted: str, *, seen: str = "", where: str = "", exists: Sequence[str] = (), run: str = ""
    ) -> None:
        super().__init__(wanted)
        self.wanted = wanted
        self.seen = seen
        self.where = where
        self.exists = tuple(exists)
        self.run = run

    def __str__(self) -> str:
        parts = {
            "wanted": self.wanted,
            "seen": self.seen,
            "where": self.where,
            "exists": _listed(self.exists),
            "next": self.run,
        }
        return "\n".join(_row(name, text) for name, text in parts.items() if text)


class UsageError(HarnessError):
    """Wrong input: an option, a file, a package. The command line ends with code 2."""

    exit_code = 2


class CheckError(HarnessError):
    """A check was made and failed. The command line ends with code 1."""


class DeadlineError(HarnessError):
    """A wait ended without its condition; `seen` is the last state that was met."""


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """Return 'did you mean "x"?' for the candidate nearest to a word, or an empty text."""
    names = {name.lower(): name for name in candidates}
    near = difflib.get_close_matches(word.lower(), names, n=1)
    return f'did you mean "{names[near[0]]}"?' if near else ""


def _row(name: str, text: str) -> str:
    first, *rest = text.rstrip("\n").split("\n")
    return "\n".join([f"{name:<7} {first}", *(f"        {line}" for line in rest)])


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown
