"""Where the air gap keeps what it builds and runs, and the content keys that name it.

Imported by the rest of harness.airgap. Nothing is created before it is asked for.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.kit.paths import cache_dir, state_dir

__all__ = ["Layout", "content_key", "tree_key", "whole_file"]

_KEY = 12  # characters of a key: 48 bits, plenty for the dozens of things in one cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The folders of one air gap.

    Args:
        cache: what can be built again; keyed by content.
        state: what runs now: pid files, logs.
    """

    cache: Path
    state: Path

    @classmethod
    def default(cls) -> Layout:
        """Return the folders below the user's cache and state folders."""
        return cls(cache=cache_dir() / "airgap", state=state_dir())

    @property
    def locks(self) -> Path:
        """Lock files; kept apart, so that removing a cache never removes a held lock."""
        return self.state / "locks"

    @property
    def programs(self) -> Path:
        """Go programs, one folder per Kubernetes version and build key."""
        return self.cache / "programs"

    @property
    def trees(self) -> Path:
        """Debian trees as tar files, one per key."""
        return self.cache / "trees"

    @property
    def images(self) -> Path:
        """Image archives, one per key."""
        return self.cache / "images"

    @property
    def work(self) -> Path:
        """Unfinished work; whatever lies here belongs to a running build or to a killed one."""
        return self.cache / "work"


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give another name to write to; the file gets its own when the block ends well, and is gone otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def content_key(value: Any) -> str:
    """Return a short name for JSON-like content: the same content, the same key."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:_KEY]


def tree_key(paths: Iterable[Path]) -> str:
    """Return a short name for the content, mode and relative path of files and of all files below folders."""
    rows = []
    for root in paths:
        for path in [root] if root.is_file() else sorted(root.rglob("*")):
            if path.is_file():
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                rows.append([path.relative_to(root.parent).as_posix(), path.stat().st_mode & 0o777, digest])
    return content_key(rows)
