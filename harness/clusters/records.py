"""What the harness has made and not yet removed: one folder per cluster, written before the cluster exists.

A run that was killed leaves its record, so that the next one can name and remove what is left. Imported by the rest of
harness.clusters and by the command line.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from harness.kit.paths import file_lock, state_dir
from harness.kit.process import alive

__all__ = ["Record", "Records"]

Status = Literal["creating", "ready"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One cluster of ours.

    Args:
        name: the cluster's name.
        run: id of the run that made it.
        status: "creating" until it was seen ready; with the lock free, its maker was killed.
        keep: whether it was made to stay.
        kind: path of the kind program that made it.
        image: the node image it was made from; empty for kind's own choice.
        env: variables that bind kind to the engine it runs in.
        kubernetes_version: what its API server said, empty while creating.
        pid: the process that made it; the run lives as long as this one does.
    """

    name: str
    run: str
    status: Status
    keep: bool
    kind: str
    image: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    kubernetes_version: str = ""
    pid: int = field(default_factory=os.getpid)

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the record in a file; None when it is torn or from another version."""
        try:
            value: Any = json.loads(text)
            return cls(**value) if isinstance(value, dict) else None
        except (ValueError, TypeError):
            return None


class Records:
    """The records below one state folder."""

    def __init__(self, state: Path | None = None) -> None:
        self._state = state or state_dir()

    def folder(self, name: str) -> Path:
        """Return the folder of a cluster's files: its record, kubeconfig and configuration."""
        return self._state / "clusters" / name

    def lock(self, name: str, timeout: float) -> AbstractContextManager[None]:
        """Hold the name of a cluster; who makes or removes it does so alone."""
        return file_lock(self._state / "locks" / f"cluster-{name}", timeout=timeout, wanted=f"cluster {name}")

    def find(self, name: str) -> Record | None:
        """Return the record of a cluster, None when there is none that can be read."""
        try:
            return Record.parse((self.folder(name) / "cluster.json").read_text(encoding="utf-8"))
        except OSError:
            return None

    def all(self) -> list[Record]:
        """Return all records, sorted by name."""
        names = sorted(path.parent.name for path in self._state.glob("clusters/*/cluster.json"))
        return [record for name in names if (record := self.find(name)) is not None]

    def abandoned(self) -> list[Record]:
        """Return the records of clusters whose run was killed before it could remove them."""
        return [
            record
            for record in self.all()
            if not alive(record.pid) and (record.status == "creating" or not record.keep)
        ]

    def write(self, record: Record) -> None:
        """Write a record; a reader sees the old one or the new one, never a part."""
        folder = self.folder(record.name)
        folder.mkdir(parents=True, exist_ok=True)
        new = folder / "cluster.json.new"
        new.write_text(json.dumps(asdict(record), indent=1, sort_keys=True), encoding="utf-8")
        new.replace(folder / "cluster.json")

    def remove(self, name: str) -> None:
        """Forget a cluster and remove its files."""
        if re.fullmatch(r"[a-z0-9][-.a-z0-9]*", name):  # a name that could leave the folder is not ours
            shutil.rmtree(self.folder(name), ignore_errors=True)
