"""What was read of a namespace at one moment, as plain data. Imported by the rest of harness.report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from harness.kit.documents import Manifest

__all__ = ["LogKey", "Snapshot", "age", "moment", "name_of", "owner_chain"]

_MINUTE = 60


@dataclass(frozen=True, slots=True, order=True)
class LogKey:
    """One log: a pod's container, the running one or the one before its last restart."""

    pod: str
    container: str
    previous: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Objects, logs, and what could not be read.

    Args:
        namespace: the namespace's name.
        taken: when it was taken.
        dead: why the API server does not answer; empty when it does.
        objects: by kind, e.g. "Pod", "Event", "Node", "Namespace".
        logs: the last lines of containers.
        errors: one line per thing that could not be read.
    """

    namespace: str
    taken: datetime
    dead: str = ""
    objects: Mapping[str, Sequence[Manifest]] = field(default_factory=dict)
    logs: Mapping[LogKey, str] = field(default_factory=dict)
    errors: Sequence[str] = ()

    def of(self, kind: str) -> Sequence[Manifest]:
        """Return the objects of a kind."""
        return self.objects.get(kind, ())

    def find(self, kind: str, name: str) -> Manifest | None:
        """Return one object."""
        return next((entry for entry in self.of(kind) if name_of(entry) == name), None)


def name_of(value: Mapping[str, Any]) -> str:
    """Return an object's name."""
    return str((value.get("metadata") or {}).get("name", ""))


def owner_chain(snapshot: Snapshot, kind: str, value: Mapping[str, Any]) -> str:
    """Return the owners of an object down to itself: "Instance galera > StatefulSet db > Pod db-4".

    Empty for an object without an owner.
    """
    chain = [f"{kind} {name_of(value)}"]
    by_uid = {(entry.get("metadata") or {}).get("uid"): entry for group in snapshot.objects.values() for entry in group}
    seen: set[str] = set()
    current: Mapping[str, Any] | None = value
    while current is not None and (owner := _owner(current)) and owner.get("uid") not in seen:
        seen.add(str(owner.get("uid")))
        chain.insert(0, f"{owner.get('kind')} {owner.get('name')}")
        current = by_uid.get(owner.get("uid"))
    return " > ".join(chain) if len(chain) > 1 else ""


def moment(text: object) -> datetime | None:
    """Return a timestamp of the API server as a moment; None when it is none."""
    if not isinstance(text, str):
        return None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def age(since: object, now: datetime) -> str:
    """Return how long ago a timestamp was: "41 s", "4 m 12 s", empty when it is not known."""
    begun = moment(since)
    if begun is None:
        return ""
    seconds = max(0, round((now - begun).total_seconds()))
    minutes, rest = divmod(seconds, _MINUTE)
    return f"{minutes} m {rest} s" if minutes else f"{seconds} s"


def _owner(value: Mapping[str, Any]) -> Manifest | None:
    owners = (value.get("metadata") or {}).get("ownerReferences") or []
    controllers = [owner for owner in owners if owner.get("controller")]
    return next(iter(controllers or owners), None)
