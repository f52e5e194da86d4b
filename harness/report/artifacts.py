"""Where a run's files lie: `.harness/runs/<start>/<test>/`. Imported by the fixtures and the plugin."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

__all__ = ["Artifacts", "safe_name"]

_LONGEST = 100  # characters of a folder's name
_MOST = 4 * 1024 * 1024  # bytes of one file


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifacts:
    """The folder of one run; nothing is made before something is written.

    Args:
        root: the folder, e.g. ".harness/runs/20260101-101500".
    """

    root: Path

    @classmethod
    def of_run(cls, base: Path, started: datetime) -> Artifacts:
        """Return the folder of the run that started at a moment, below `base` (".harness")."""
        return cls(root=base / "runs" / f"{started:%Y%m%d-%H%M%S}")

    def folder(self, test: str) -> Path:
        """Return the folder of a test.

        Args:
            test: its node id: "suites/galera/test_scale.py::test_size[3]".
        """
        return self.root / safe_name(test)

    def write(self, path: Path, text: str) -> Path:
        """Write a text file below the root and return its path; a long one loses its beginning, not its end.

        Args:
            path: relative to the root, or below it.
            text: its content, redacted by the caller.
        """
        target = self.root / path
        if not target.resolve().is_relative_to(self.root.resolve()):
            raise ValueError(f"{path} is not below {self.root}")
        self._begin()
        target.parent.mkdir(parents=True, exist_ok=True)
        data = text.encode("utf-8", "replace")
        if len(data) > _MOST:
            data = f"(the first {len(data) - _MOST} bytes are left out)\n".encode() + data[-_MOST:]
        target.write_bytes(data)
        return target

    def _begin(self) -> None:
        """Make the root, and keep it out of version control as pytest does with its cache."""
        self.root.mkdir(parents=True, exist_ok=True)
        ignore = (self.root.parent.parent if self.root.parent.name == "runs" else self.root) / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")


def safe_name(text: str) -> str:
    """Return a text as one file name: "a/test_b.py::test_c" is "a.test_b.test_c"; a hash keeps other signs unique."""
    short = text.replace(".py::", ".").replace("::", ".").replace("/", ".")
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", short).strip("-.") or "test"
    if plain == short and len(plain) <= _LONGEST:
        return plain
    return f"{plain[:_LONGEST]}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"
