"""Events of core/v1 about Instances, and the same facts for an observer inside the process.

Used by the engine. Recording is best effort: what cannot be recorded never stops a plan.
"""

from __future__ import annotations

import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from harness.kit.documents import Manifest
from harness.kube import ApiError
from harness.kube.objects import name_of, namespace_of, uid_of, version_of
from harness.kudo.client import Cluster
from harness.kudo.model import API_VERSION

__all__ = ["EventType", "InstanceEvent", "Observer", "Recorder", "rfc3339", "utc_now"]

EventType = Literal["Normal", "Warning"]
_COMPONENT = "instance-controller"
_REMEMBERED = 512  # events that are counted up when they come again
_LONGEST_MESSAGE = 1024  # what the API server takes


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceEvent:
    """One fact about an Instance: `namespace/name`, a reason as in KUDO (PlanStarted ...), one line of text."""

    instance: str
    type: EventType
    reason: str
    message: str

    def __str__(self) -> str:
        return f"{self.instance}  {self.reason}  {self.message}"


Observer = Callable[[InstanceEvent], None]


def utc_now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """Return a moment as the API writes it, in whole seconds: 2024-03-02T10:20:30Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Recorder:
    """Writes Events; one that comes again is counted up.

    Args:
        cluster: where the events go.
        observer: hears of every event too.
        now: the wall clock.
    """

    def __init__(
        self, cluster: Cluster, *, observer: Observer | None = None, now: Callable[[], datetime] = utc_now
    ) -> None:
        self._cluster = cluster
        self._observer = observer
        self._now = now
        self._known: OrderedDict[tuple[str, str, str], tuple[str, int]] = OrderedDict()

    def record(self, instance: Manifest, event_type: EventType, reason: str, message: str) -> None:
        """Record one event about an Instance; API errors are dropped."""
        self.tell(instance, reason, message, event_type)
        key = (uid_of(instance), reason, message)
        try:
            self._known[key] = self._write(instance, event_type, reason, message, self._known.pop(key, None))
        except ApiError:
            return
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def tell(self, instance: Manifest, reason: str, message: str, event_type: EventType = "Normal") -> None:
        """Tell the observer only."""
        if self._observer is not None:
            path = f"{namespace_of(instance)}/{name_of(instance)}"
            self._observer(InstanceEvent(instance=path, type=event_type, reason=reason, message=message))

    def _write(
        self, instance: Manifest, event_type: EventType, reason: str, message: str, known: tuple[str, int] | None
    ) -> tuple[str, int]:
        now, namespace = rfc3339(self._now()), namespace_of(instance)
        if known is not None:
            name, count = known
            self._cluster.patch("v1", "Event", name, {"count": count + 1, "lastTimestamp": now}, namespace)
            return name, count + 1
        name = f"{name_of(instance)[:220]}.{uuid.uuid4().hex[:16]}"
        self._cluster.create(
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": name, "namespace": namespace},
                "involvedObject": {
                    "apiVersion": API_VERSION,
                    "kind": "Instance",
                    "namespace": namespace,
                    "name": name_of(instance),
                    "uid": uid_of(instance),
                    "resourceVersion": version_of(instance),
                },
                "type": event_type,
                "reason": reason,
                "message": message[:_LONGEST_MESSAGE],
                "source": {"component": _COMPONENT},
                "firstTimestamp": now,
                "lastTimestamp": now,
                "count": 1,
            }
        )
        return name, 1
