"""What is wrong or odd about a suite's files: one line each, with place, suggestion, and the quirk that it belongs to.

Pure. Written by spec, files, loading and lint; read by the runner, which logs or refuses, and by reports.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from harness.kit.errors import UsageError

__all__ = ["Mode", "Problem", "Severity", "errors_of", "judged", "raise_errors"]

Severity = Literal["note", "warning", "error"]
Mode = Literal["default", "strict"]  # strict: bug for bug, to compare with kuttl


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One finding.

    Attributes:
        severity: a note is only logged, a warning is reported, an error keeps the case or the run from starting.
        text: what was seen, most often one line; a compiler's text may have more.
        where: file:line:column, or a file or folder.
        hint: what was probably meant, or what to do.
        quirk: the number of the quirk of kuttl that it belongs to, 0 for none.
    """

    severity: Severity
    text: str
    where: str = ""
    hint: str = ""
    quirk: int = 0

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        hint = f"; {self.hint}" if self.hint else ""
        first, *rest = self.text.rstrip("\n").split("\n")
        line = f"{place}{self.severity}: {first}{hint}" + (f" [Q{self.quirk}]" if self.quirk else "")
        return "\n".join([line, *(f"    {one}" for one in rest)])


def judged(problems: Iterable[Problem], *, mode: Mode = "default", warnings_fail: bool = False) -> list[Problem]:
    """Return the problems as a run sees them.

    Args:
        problems: as they were found.
        mode: in strict mode the warnings about quirks are left out, as kuttl says nothing.
        warnings_fail: make errors of warnings (the option --strict of the command line).
    """
    kept = [one for one in problems if not (mode == "strict" and one.quirk and one.severity == "warning")]
    return [replace(one, severity="error") if warnings_fail and one.severity == "warning" else one for one in kept]


def errors_of(problems: Iterable[Problem]) -> list[Problem]:
    """Return only the errors."""
    return [one for one in problems if one.severity == "error"]


def raise_errors(problems: Iterable[Problem], wanted: str) -> None:
    """Raise the errors among the problems, if any, as one.

    Raises:
        UsageError: with a line for each.
    """
    errors = errors_of(problems)
    if errors:
        lines = [f"{one.text}{f' ({one.hint})' if one.hint else ''}" for one in errors]
        if len(errors) > 1:
            lines = [f"{one.where}: {line}" if one.where else line for one, line in zip(errors, lines, strict=True)]
        raise UsageError(wanted, seen="\n".join(lines), where=errors[0].where if len(errors) == 1 else "")
