"""Which cases run, and with which labels: --test and --test-run-labels.

Pure. Imported by the command line and collect.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from harness.kit.errors import UsageError
from harness.suite.files import Case
from harness.suite.problem import Mode

__all__ = ["by_name", "parse_run_labels"]

_POSIX = {"[:alnum:]": "0-9A-Za-z", "[:alpha:]": "A-Za-z", "[:digit:]": "0-9", "[:lower:]": "a-z", "[:upper:]": "A-Z"}


def by_name(pattern: str, exact: Sequence[str] = (), *, mode: Mode = "default") -> Callable[[Case], bool]:
    """Return what tells whether a case was selected.

    Args:
        pattern: of --test, an unanchored regular expression; blanks in it and in names count as underscores.
        exact: names of --case; a case is selected when it is one of them, or they are empty.
        mode: in strict mode only the part before a top-level bar counts (quirk Q16).

    Raises:
        UsageError: the pattern is no regular expression.
    """
    text = _before_bar(pattern) if mode == "strict" else pattern
    text = re.sub(r"\s", "_", text)
    for name, members in _POSIX.items():
        text = text.replace(name, members)
    try:
        compiled = re.compile(text)
    except re.error as error:
        raise UsageError("a regular expression behind --test", seen=f"{pattern}: {error}") from None
    names = frozenset(exact)

    def selected(case: Case) -> bool:
        found = compiled.search(re.sub(r"\s", "_", case.name)) is not None
        return found and (not names or case.name in names)

    return selected


def parse_run_labels(text: str) -> dict[str, str]:
    """Return the labels of --test-run-labels.

    Args:
        text: "k=v,k2=v2"; empty for none.

    Raises:
        UsageError: anything but pairs with one equals sign.
    """
    labels: dict[str, str] = {}
    for pair in text.split(",") if text.strip() else ():
        key, equals, value = pair.partition("=")
        if not equals or not key.strip() or "=" in value or "!" in key:
            raise UsageError("labels as k=v,k2=v2", seen=f"cannot parse label set: {text}")
        labels[key.strip()] = value.strip()
    return labels


def _before_bar(pattern: str) -> str:
    """Return a pattern up to its first bar outside of brackets, as Go's test runner splits it."""
    depth = escaped = in_class = 0
    for at, char in enumerate(pattern):
        if escaped:
            escaped = 0
        elif char == "\\":
            escaped = 1
        elif in_class:
            in_class = char != "]"
        elif char == "[":
            in_class = 1
        elif char in "()":
            depth += 1 if char == "(" else -1
        elif char == "|" and depth == 0:
            return pattern[:at]
    return pattern
