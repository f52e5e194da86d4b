"""Errors in the original's own words.

Everything in harness.kudo may import it. Such an error is a whole sentence; what else is known stands below it.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.kit.errors import HarnessError

__all__ = ["KudoError"]


class KudoError(HarnessError):
    """A failure that the original reports too, with its text.

    Args:
        message: the text.
        usage: whether the input is wrong, so that the command line ends with code 2 instead of 1.
        seen, where, exists, run: what else is known, as for every HarnessError.
    """

    def __init__(
        self,
        message: str,
        *,
        usage: bool = False,
        seen: str = "",
        where: str = "",
        exists: Sequence[str] = (),
        run: str = "",
    ) -> None:
        super().__init__(message, seen=seen, where=where, exists=exists, run=run)
        self.message = message
        self.exit_code = 2 if usage else 1

    def __str__(self) -> str:
        rest = str(HarnessError("", seen=self.seen, where=self.where, exists=self.exists, run=self.run))
        return f"{self.message}\n{rest}" if rest else self.message
