"""Places inside of a value: parts, their order, their text, and the text read back.

Imported by the other modules of harness.checks, and by whoever prints or reads a path.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from harness.kit.errors import UsageError

__all__ = ["MISSING", "Key", "Missing", "Part", "Path", "find", "kuttl_path", "parse_path", "path_text", "sort_key"]


class Missing:
    """The type of MISSING: nothing there, where None is a null that is there."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "missing"


MISSING: Final = Missing()


@dataclass(frozen=True, slots=True)
class Key:
    """The item of a list whose field has a value: prints as [name=db]."""

    field: str
    value: Any

    def __str__(self) -> str:
        return f"[{self.field}={self.value}]"


Part = str | int | Key
Path = tuple[Part, ...]

_PLAIN = re.compile(r"[A-Za-z_][\w-]*")
_TOKEN = re.compile(
    r"""\.?(?P<name>[^.\[\]"']+)"""
    r"""|\[(?P<index>-?[0-9]+)\]"""
    r"""|\.?\[?"(?P<quoted>(?:[^"\\]|\\.)*)"\]?"""
    r"""|\['(?P<single>[^']*)'\]"""
    r"""|\[(?P<field>[\w.-]+)=(?P<value>[^\]]*)\]"""
)


def path_text(path: Path) -> str:
    """Return a path as one writes it: .spec.containers[0].image, .metadata.labels["app.kubernetes.io/name"]."""
    return "".join(_part_text(part) for part in path)


def kuttl_path(path: Path) -> str:
    """Return a path as kuttl prints it: keys behind dots, list positions left out (quirk Q52)."""
    return "".join(f".{part}" for part in path if isinstance(part, str))


def sort_key(path: Path) -> tuple[tuple[int, int, str], ...]:
    """Return what paths are sorted by: list positions by number, keys by text."""
    return tuple((0, part, "") if isinstance(part, int) else (1, 0, str(part)) for part in path)


def parse_path(text: str) -> Path:
    """Return the path that a text means.

    Args:
        text: spec.containers[0].image, spec.containers[name=db], metadata.labels["app.kubernetes.io/name"]; a leading
            dot may be left out.

    Raises:
        UsageError: a bracket or quote that does not close, an empty part.
    """
    return tuple(_parts(text))


def find(value: Any, path: Path) -> Any:
    """Return what stands at a path, or MISSING; a Key finds the first item that has it, -1 is a list's last item."""
    for part in path:
        value = _step(value, part)
        if value is MISSING:
            return MISSING
    return value


def _part_text(part: Part) -> str:
    if isinstance(part, int):
        return f"[{part}]"
    if isinstance(part, Key):
        return str(part)
    if _PLAIN.fullmatch(part):
        return f".{part}"
    escaped = part.replace("\\", "\\\\").replace('"', '\\"')
    return f'["{escaped}"]'


def _parts(text: str) -> Iterator[Part]:
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None or (found["name"] is not None and at > 0 and text[at] != "."):
            raise UsageError("a path such as .spec.containers[0].image", seen=text, where=f"column {at + 1}")
        at = found.end()
        if found["index"] is not None:
            yield int(found["index"])
        elif found["field"] is not None:
            yield Key(found["field"], found["value"])
        elif found["quoted"] is not None:
            yield re.sub(r"\\(.)", r"\1", found["quoted"])
        else:
            yield found["single"] if found["single"] is not None else found["name"]


def _step(value: Any, part: Part) -> Any:
    if isinstance(part, str):
        return value.get(part, MISSING) if isinstance(value, dict) else MISSING
    if not isinstance(value, list):
        return MISSING
    if isinstance(part, int):
        return value[part] if -len(value) <= part < len(value) else MISSING
    wanted = str(part.value)
    return next((one for one in value if isinstance(one, dict) and str(one.get(part.field)) == wanted), MISSING)
