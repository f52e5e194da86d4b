"""One thing that `package verify` found, and how names are compared as semantic versions.

Pure; the verify rules import it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Finding", "Version", "parse_version"]

Version = tuple[tuple[int, int, int], tuple[tuple[int, int, str], ...]]

_VERSION = re.compile(
    r"v?(?P<major>0|[1-9][0-9]*|[0-9]+)(?:\.(?P<minor>[0-9]+))?(?:\.(?P<patch>[0-9]+))?"
    r"(?:-(?P<pre>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
)
_LAST = (2, 0, "")  # a release comes after all its pre-releases


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """An error or a warning about a package.

    Attributes:
        text: in the original's words.
        where: file:line:column, empty when it has no place.
        hint: what was probably meant, or what exists.
        warning: whether the package is still valid.
    """

    text: str
    where: str = ""
    hint: str = ""
    warning: bool = False


def parse_version(text: str) -> Version | None:
    """Return a version that compares as semantic versions do, None when the text is none.

    Lenient: `1`, `1.15` and `v1.2` are versions. Build data is left out.
    """
    match = _VERSION.fullmatch(text)
    if not match:
        return None
    major, minor, patch = (int(match[name] or 0) for name in ("major", "minor", "patch"))
    parts = match["pre"].split(".") if match["pre"] else []
    keys = tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts)
    return (major, minor, patch), keys or (_LAST,)
