"""Reads a namespace within a deadline, never raises, and forgets no secret it has seen.

The reading runs in a thread of its own, so that an API server that hangs costs the deadline and no more. Imported by
harness.report.diagnostics.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Protocol

from harness.kit.documents import Manifest
from harness.kit.errors import HarnessError
from harness.kit.waiting import Deadline
from harness.report.pods import is_ready
from harness.report.redact import Redactor
from harness.report.snapshot import LogKey, Snapshot, name_of

__all__ = ["KubeLike", "collect"]

_LINES = 200  # of each log
_LONGEST = 2000  # characters of a line
_LOG_SECONDS = 5.0  # for one log
_MOST_PODS = 40

_FIRST = (  # what secrets are hidden by, and what the facts are made of
    ("v1", "Secret"),
    ("kudo.dev/v1beta1", "Instance"),
    ("v1", "Pod"),
    ("v1", "Event"),
    ("v1", "PersistentVolumeClaim"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "ReplicaSet"),
    ("apps/v1", "DaemonSet"),
    ("batch/v1", "Job"),
)
_THEN = (  # what helps to understand them
    ("v1", "Service"),
    ("discovery.k8s.io/v1", "EndpointSlice"),
    ("v1", "ConfigMap"),
    ("policy/v1", "PodDisruptionBudget"),
    ("kudo.dev/v1beta1", "OperatorVersion"),
    ("kudo.dev/v1beta1", "Operator"),
)
_OPTIONAL = {"Instance", "OperatorVersion", "Operator"}  # not served on every cluster


class KubeLike(Protocol):
    """What collecting needs of harness.kube.Kube."""

    def server_version(self) -> str:
        """Return the API server's version."""
        ...

    def find(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Manifest | None:
        """Return one object, None when it is not there."""
        ...

    def list(self, api_version: str, kind: str, namespace: str | None = None) -> list[Manifest]:
        """Return all objects of a kind."""
        ...

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
        """Return the last lines of a container's log."""
        ...


def collect(
    kube: KubeLike,
    namespace: str,
    *,
    redactor: Redactor,
    timeout: float,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Snapshot:
    """Read a namespace: its objects, nodes, events, and the logs of its containers, worst first.

    Args:
        kube: a client.
        namespace: which one.
        redactor: learns all secrets that are met; the snapshot itself is not redacted.
        timeout: seconds after which what was read until then is returned.
        clock: the time of day.

    Returns:
        What could be read; `errors` says what could not.
    """
    reading = _Reading(kube, namespace, redactor, Deadline.after(timeout))
    thread = threading.Thread(target=reading.run, name="harness-collect", daemon=True)
    thread.start()
    try:
        thread.join(timeout)
    finally:
        reading.stop()  # also on Ctrl-C: the thread ends with its present request
    return reading.snapshot(clock(), unfinished=f"stopped after {timeout:g} s" if thread.is_alive() else "")


class _Reading:
    """What has been read so far; the thread adds to it, its starter may look at any time."""

    def __init__(self, kube: KubeLike, namespace: str, redactor: Redactor, deadline: Deadline) -> None:
        self._kube = kube
        self._namespace = namespace
        self._redactor = redactor
        self._deadline = deadline
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._dead = ""
        self._doing = "asking the API server for its version"
        self._objects: dict[str, list[Manifest]] = {}
        self._logs: dict[LogKey, str] = {}
        self._errors: list[str] = []

    def run(self) -> None:
        """Read everything; the first thing that fails for lack of an answer ends it."""
        try:
            self._kube.server_version()
        except Exception as error:  # noqa: BLE001 - a report must not fail
            self._dead = f"the API server does not answer: {_reason(error)}"
            return
        for api_version, kind in _FIRST:
            self._step(f"{kind} list", lambda v=api_version, k=kind: self._list(v, k, self._namespace))  # type: ignore[misc]
        self._step("Namespace", self._read_namespace)
        self._step("Node list", lambda: self._list("v1", "Node", None))
        self._read_logs(bad=True)
        for api_version, kind in _THEN:
            self._step(f"{kind} list", lambda v=api_version, k=kind: self._list(v, k, self._namespace))  # type: ignore[misc]
        self._read_logs(bad=False)

    def stop(self) -> None:
        """Begin nothing new."""
        self._stopped.set()

    def snapshot(self, taken: datetime, unfinished: str) -> Snapshot:
        """Return what has been read until now."""
        with self._lock:
            dead = self._dead
            if unfinished and not self._objects:
                dead = f"the API server does not answer: {self._doing}: {unfinished}"
            return Snapshot(
                namespace=self._namespace,
                taken=taken,
                dead=dead,
                objects={kind: list(found) for kind, found in self._objects.items()},
                logs=dict(self._logs),
                errors=[*self._errors, *([f"{self._doing}: {unfinished}"] if unfinished else [])],
            )

    def _step(self, what: str, action: Callable[[], None]) -> None:
        if self._stopped.is_set() or self._deadline.expired():
            return
        self._doing = f"reading {what}"
        try:
            action()
        except Exception as error:  # noqa: BLE001 - what cannot be read becomes a line
            with self._lock:
                self._errors.append(f"{what}: {_reason(error)}")

    def _list(self, api_version: str, kind: str, namespace: str | None) -> None:
        try:
            found = self._kube.list(api_version, kind, namespace)
        except HarnessError:
            if kind in _OPTIONAL:
                return
            raise
        self._keep(kind, [{"apiVersion": api_version, "kind": kind, **entry} for entry in found])

    def _read_namespace(self) -> None:
        found = self._kube.find("v1", "Namespace", self._namespace)
        self._keep("Namespace", [] if found is None else [found])
        if found is None:
            self._errors.append(f"Namespace {self._namespace}: it is not there")

    def _keep(self, kind: str, found: Sequence[Manifest]) -> None:
        for entry in found:
            self._redactor.learn(entry)
        with self._lock:
            self._objects[kind] = list(found)

    def _read_logs(self, *, bad: bool) -> None:
        pods = [pod for pod in self._objects.get("Pod", []) if (not is_ready(pod) or _restarted(pod)) is bad]
        for pod in pods[:_MOST_PODS]:
            for key in _log_keys(pod):
                self._step(f"log of {key.pod} {key.container}", lambda k=key: self._read_log(k))  # type: ignore[misc]

    def _read_log(self, key: LogKey) -> None:
        seconds = max(0.1, min(_LOG_SECONDS, self._deadline.left()))
        text = self._kube.logs(
            key.pod, self._namespace, container=key.container, previous=key.previous, tail=_LINES, timeout=seconds
        )
        lines = [line[:_LONGEST] for line in text.splitlines()[-_LINES:]]
        with self._lock:
            self._logs[key] = "\n".join(lines) + "\n" if lines else ""


def _restarted(pod: Manifest) -> bool:
    return any(key.previous for key in _log_keys(pod))


def _log_keys(pod: Manifest) -> Iterable[LogKey]:
    """Return the logs that exist: of containers that have started, and of those that ran before them."""
    status = pod.get("status") or {}
    for entry in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        state = entry.get("state") or {}
        if "running" in state or "terminated" in state or entry.get("restartCount"):
            yield LogKey(name_of(pod), str(entry.get("name")))
        if entry.get("restartCount"):
            yield LogKey(name_of(pod), str(entry.get("name")), previous=True)


def _reason(error: Exception) -> str:
    text = (getattr(error, "seen", "") or str(error) or type(error).__name__).strip()
    return text.splitlines()[0] if text else type(error).__name__
