"""What is wrong with a pod: scheduling, images, configuration, init containers, crashes, probes. Pure.

Imported by harness.report.facts.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from harness.kit.documents import Manifest
from harness.report.events import EventLine
from harness.report.fact import Fact, Rank
from harness.report.snapshot import LogKey, Snapshot, age, name_of, owner_chain

__all__ = ["is_ready", "pod_facts"]

_IMAGE = {
    "ErrImagePull",
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "InvalidImageName",
    "ImageInspectError",
    "RegistryUnavailable",
}
_CONFIG = {
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
    "PreStartHookError",
    "PostStartHookError",
}
_STARTING = {"ContainerCreating", "PodInitializing"}
_SIGNALLED = 128  # exit codes above it are 128 + the number of a signal


@dataclass(frozen=True, slots=True, kw_only=True)
class _Container:
    """One container of a pod with its status, ready to be asked."""

    name: str
    init: bool
    status: Manifest
    spec: Manifest

    @property
    def waiting(self) -> Manifest:
        return (self.status.get("state") or {}).get("waiting") or {}

    @property
    def ended(self) -> Manifest:
        return (self.status.get("state") or {}).get("terminated") or {}

    @property
    def last(self) -> Manifest:
        return (self.status.get("lastState") or {}).get("terminated") or {}

    @property
    def restarts(self) -> int:
        return int(self.status.get("restartCount", 0))


def is_ready(pod: Manifest) -> bool:
    """Tell whether a pod is Ready, or has done its work."""
    status = pod.get("status") or {}
    if status.get("phase") == "Succeeded":
        return True
    return any(
        entry.get("type") == "Ready" and entry.get("status") == "True" for entry in status.get("conditions") or []
    )


def pod_facts(snapshot: Snapshot, pod: Manifest, events: Sequence[EventLine]) -> Iterator[Fact]:
    """Return what is wrong with a pod; nothing for one that is ready and was never restarted.

    Args:
        snapshot: where its owners are looked up.
        pod: the pod.
        events: of the namespace, oldest first.
    """
    told = [line for line in events if (line.kind, line.name) == ("Pod", name_of(pod))]
    view = _View(snapshot, pod, told)
    if pod["metadata"].get("deletionTimestamp"):
        yield view.terminating()
        return
    if (pod.get("status") or {}).get("phase") == "Succeeded":
        return
    found = [*view.whole(), *(fact for container in _containers(pod) for fact in view.container(container))]
    if not found and not is_ready(pod):
        found.append(view.unready())
    yield from found


class _View:
    """One pod, its events, and the facts that they make."""

    def __init__(self, snapshot: Snapshot, pod: Manifest, told: Sequence[EventLine]) -> None:
        self._snapshot = snapshot
        self._pod = pod
        self._name = name_of(pod)
        self._told = told
        self._kubectl = f"kubectl -n {snapshot.namespace}"
        self._created = str(pod["metadata"].get("creationTimestamp") or "")

    def whole(self) -> Iterator[Fact]:
        """Yield what is wrong with the pod as a whole: not scheduled, evicted, volumes that cannot be mounted."""
        status = self._pod.get("status") or {}
        for entry in status.get("conditions") or []:
            if (entry.get("type"), entry.get("status")) == ("PodScheduled", "False"):
                yield self._fact(
                    None, f"{entry.get('reason', 'not scheduled')}{self._for()}", Rank.SCHEDULE, entry.get("message")
                )
        if status.get("phase") == "Failed" and not status.get("containerStatuses"):
            yield self._fact(None, str(status.get("reason") or "Failed"), Rank.CRASH, status.get("message"))
        if self._creating() and (line := self._last("FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox")):
            yield self._fact(None, line.reason, Rank.CONFIG, line.message)

    def container(self, container: _Container) -> Iterator[Fact]:
        """Yield what is wrong with one container."""
        if container.waiting:
            yield from self._waiting(container)
        elif container.ended:
            if container.ended.get("exitCode") != 0:
                yield self._crash(container, "terminated", container.ended, previous=False)
        elif not container.init and not container.status.get("ready") and (container.status.get("state") or {}):
            yield self._probe(container)
        elif container.restarts and container.last.get("exitCode") != 0 and container.last:
            yield self._crash(container, "restarted", container.last, previous=True, rank=Rank.RESTARTED)

    def terminating(self) -> Fact:
        """Return the fact of a pod that is on its way out."""
        metadata = self._pod["metadata"]
        finalizers = metadata.get("finalizers") or []
        detail = f"finalizers: {', '.join(finalizers)}" if finalizers else ""
        reason = f"Terminating for {age(metadata['deletionTimestamp'], self._snapshot.taken)}"
        return self._fact(None, reason, Rank.WAITING, detail)

    def unready(self) -> Fact:
        """Return the fact of a pod that is not ready for no reason that its containers know."""
        status = self._pod.get("status") or {}
        conditions = [entry for entry in status.get("conditions") or [] if entry.get("status") != "True"]
        details = [str(entry["message"]) for entry in conditions if entry.get("message")]
        line = self._last(*{line.reason for line in self._told if line.warning})
        return self._fact(
            None,
            f"{status.get('phase', 'unknown')}, not ready{self._for()}",
            Rank.STARTING,
            *details,
            line.message if line else "",
        )

    def _waiting(self, container: _Container) -> Iterator[Fact]:
        reason, message = str(container.waiting.get("reason") or "waiting"), str(container.waiting.get("message") or "")
        if reason in _IMAGE:
            yield self._fact(container, f"{reason}{self._for()}", Rank.IMAGE, self._pull_error() or message)
        elif reason in _CONFIG:
            yield self._fact(container, reason, Rank.CONFIG, message)
        elif reason not in _STARTING:
            yield self._crash(container, reason, container.last or container.ended, previous=True)
        elif not (container.restarts or self._blocked(container)):
            yield self._fact(container, f"{reason}{self._for()}", Rank.STARTING, message)

    def _pull_error(self) -> str:
        """Return what the container runtime said; a container that backs off only says that it does."""
        told = (
            line
            for line in reversed(self._told)
            if line.reason == "Failed" and line.message.startswith("Failed to pull")
        )
        return next((line.message for line in told), "")

    def _blocked(self, container: _Container) -> bool:
        """Tell whether a container waits for something that is a fact of its own: an init container, a volume."""
        inits = [entry for entry in _containers(self._pod) if entry.init]
        init_pending = not container.init and any(not entry.ended or entry.ended.get("exitCode") for entry in inits)
        return init_pending or bool(list(self.whole()))

    def _crash(
        self, container: _Container, word: str, ended: Manifest, *, previous: bool, rank: Rank = Rank.CRASH
    ) -> Fact:
        parts = [word]
        if container.restarts:
            parts.append(f"{container.restarts} restart{'s' if container.restarts > 1 else ''}")
        if ended:
            parts.append(f"{'last ' if previous else ''}{_exit(ended)}")
        memory = ((container.spec.get("resources") or {}).get("limits") or {}).get("memory")
        limit = f"its memory limit is {memory or 'not set'}" if ended.get("reason") == "OOMKilled" else ""
        liveness = self._last("Unhealthy")
        probe = liveness.message if liveness and "iveness" in liveness.message else ""
        return self._fact(container, ", ".join(parts), rank, str(ended.get("message") or "").strip(), limit, probe,
            since=str(ended.get("finishedAt") or ""), previous=previous and container.restarts > 0,
            log=True,
        )  # fmt: skip

    def _probe(self, container: _Container) -> Fact:
        line = self._last("Unhealthy")
        started = ((container.status.get("state") or {}).get("running") or {}).get("startedAt")
        word = "not started" if container.status.get("started") is False else "not ready"
        parts = [f"running for {age(started, self._snapshot.taken)}, {word}"]
        if container.restarts:
            parts.append(f"{container.restarts} restart{'s' if container.restarts > 1 else ''}")
        times = f" (x{line.count})" if line and line.count > 1 else ""
        message = f"{line.message}{times}" if line else ""
        return self._fact(container, ", ".join(parts), Rank.PROBE, message, since=str(started or ""), log=True)

    def _fact(
        self,
        container: _Container | None,
        reason: str,
        rank: Rank,
        *detail: str | None,
        since: str = "",
        previous: bool = False,
        log: bool = False,
    ) -> Fact:
        lines = [text for text in detail if text]
        subject, name = f"Pod {self._name}", container.name if container else ""
        if container is not None:
            subject += f", {'init container' if container.init else 'container'} {name}"
            image = str(container.spec.get("image", ""))
            if rank is Rank.IMAGE and not any(image in line for line in lines):
                lines.insert(0, f"image {image}")
        logs = f"{self._kubectl} logs {self._name} -c {name}{' --previous' if previous else ''}"
        return Fact(
            subject=subject,
            reason=reason,
            detail=tuple(dict.fromkeys(lines)),
            rank=rank,
            since=since or self._created,
            chain=owner_chain(self._snapshot, "Pod", self._pod),
            run=logs if log else f"{self._kubectl} describe pod {self._name}",
            log=LogKey(self._name, name, previous) if log else None,
        )

    def _creating(self) -> bool:
        containers = _containers(self._pod)
        return not containers or any(entry.waiting.get("reason") in _STARTING for entry in containers)

    def _for(self) -> str:
        passed = age(self._created, self._snapshot.taken)
        return f" for {passed}" if passed else ""

    def _last(self, *reasons: str) -> EventLine | None:
        return next((line for line in reversed(self._told) if line.reason in reasons and line.warning), None)


def _containers(pod: Manifest) -> list[_Container]:
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    return [
        _Container(name=str(entry.get("name")), init=init, status=entry, spec=_spec(spec.get(kind), entry.get("name")))
        for kind, statuses, init in (
            ("initContainers", "initContainerStatuses", True),
            ("containers", "containerStatuses", False),
        )
        for entry in status.get(statuses) or []
    ]


def _spec(containers: Any, name: Any) -> Manifest:
    return next((entry for entry in containers or [] if entry.get("name") == name), {})


def _exit(ended: Manifest) -> str:
    """Return how a container ended: "exit code 137 (OOMKilled)", "exit code 143 (SIGTERM)"."""
    code = int(ended.get("exitCode", 0))
    word = str(ended.get("reason") or "")
    if code > _SIGNALLED and word in {"", "Error"}:
        word = _signal_name(code - _SIGNALLED) or word
    return f"exit code {code}" + (f" ({word})" if word else "")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return ""
