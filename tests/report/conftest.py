"""Builders of objects in trouble, and a client that holds them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from harness.kit.documents import Manifest
from harness.kit.errors import HarnessError
from harness.report.snapshot import Snapshot

NOW = datetime(2026, 1, 1, 10, 15, 0, tzinfo=UTC)
BORN = "2026-01-01T10:14:00Z"  # a minute ago


def meta(kind: str, name: str, **fields: Any) -> Manifest:
    """Return an object with metadata, named and born a minute ago."""
    metadata = {"name": name, "namespace": "ns", "uid": f"uid-{kind}-{name}", "creationTimestamp": BORN, **fields}
    return {"kind": kind, "metadata": metadata}


class Make:
    """Builders of objects."""

    now = NOW

    def pod(self, name: str, *containers: Manifest, init: tuple[Manifest, ...] = (), **status: Any) -> Manifest:
        """Return a pod; it is Ready only if `ready=True`."""
        ready = status.pop("ready", False)
        conditions = status.pop("conditions", [{"type": "Ready", "status": str(ready)}])
        spec = {
            "containers": [{"name": entry["name"], "image": "db:1", **entry.pop("spec", {})} for entry in containers],
            "initContainers": [{"name": entry["name"], "image": "tool:1"} for entry in init],
        }
        statuses = {"phase": "Running" if containers else "Pending", "conditions": conditions, **status}
        if containers:
            statuses["containerStatuses"] = list(containers)
        if init:
            statuses["initContainerStatuses"] = list(init)
        return {**meta("Pod", name), "spec": spec, "status": statuses}

    def container(
        self,
        name: str = "main",
        *,
        restarts: int = 0,
        last: Manifest | None = None,
        spec: Manifest | None = None,
        **state: Any,
    ) -> Manifest:
        """Return a container's status: waiting={...}, running={...} or terminated={...}."""
        ready = state.pop("ready", False)
        return {
            "name": name,
            "ready": ready,
            "restartCount": restarts,
            "state": state,
            "lastState": {"terminated": last} if last else {},
            "spec": spec or {},
        }

    def event(
        self, about: str, reason: str, message: str, *, normal: bool = False, at: str = BORN, count: int = 1
    ) -> Manifest:
        """Return an event about "Pod/name"."""
        kind, _, name = about.partition("/")
        return {
            **meta("Event", f"{name}.{reason}"),
            "involvedObject": {"kind": kind, "name": name},
            "type": "Normal" if normal else "Warning",
            "reason": reason,
            "message": message,
            "lastTimestamp": at,
            "count": count,
        }

    def owned(self, value: Manifest, kind: str, name: str) -> Manifest:
        """Return an object with its controller."""
        owner = {"kind": kind, "name": name, "uid": f"uid-{kind}-{name}", "controller": True}
        return {**value, "metadata": {**value["metadata"], "ownerReferences": [owner]}}

    def object(self, kind: str, name: str, **fields: Any) -> Manifest:
        """Return any other object."""
        return {**meta(kind, name), **fields}

    def snapshot(self, *objects: Manifest, **fields: Any) -> Snapshot:
        """Return a snapshot of objects."""
        by_kind: dict[str, list[Manifest]] = {}
        for entry in objects:
            by_kind.setdefault(entry["kind"], []).append(entry)
        return Snapshot(namespace="ns", taken=NOW, objects=by_kind, **fields)


@dataclass
class FakeKube:
    """A client that holds objects and logs; `fail` maps a verb or kind to an error or to something to do."""

    objects: list[Manifest] = field(default_factory=list)
    texts: dict[tuple[str, str, bool], str] = field(default_factory=dict)
    fail: dict[str, Exception | Callable[[], None]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        trouble = self.fail.get(what)
        if isinstance(trouble, Exception):
            raise trouble
        if trouble is not None:
            trouble()

    def server_version(self) -> str:
        self._ask("version")
        return "v1.36.3"

    def find(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Manifest | None:
        self._ask(kind)
        return next(
            (entry for entry in self.objects if (entry["kind"], entry["metadata"]["name"]) == (kind, name)), None
        )

    def list(self, api_version: str, kind: str, namespace: str | None = None) -> list[Manifest]:
        self._ask(kind)
        return [entry for entry in self.objects if entry["kind"] == kind]

    def logs(
        self,
        pod: str,
        namespace: str | None,
        *,
        container: str | None = None,
        previous: bool = False,
        tail: int | None = None,
        timeout: float = 30.0,
    ) -> str:
        self._ask(f"log {pod}")
        assert tail == 200
        assert 0 < timeout <= 5
        text = self.texts.get((pod, str(container), previous))
        if text is None:
            raise HarnessError("a log", seen=f"previous terminated container {container} not found")
        return text


@pytest.fixture
def make() -> Make:
    """Return the builders."""
    return Make()


@pytest.fixture
def fake_kube() -> FakeKube:
    """Return an empty client."""
    return FakeKube()
