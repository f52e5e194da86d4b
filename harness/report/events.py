"""A namespace's events as lines, sorted by time. Pure. Imported by the rest of harness.report."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from harness.kit.documents import Manifest
from harness.report.snapshot import moment

__all__ = ["EventLine", "event_lines", "shown_first"]

_POD = re.compile(r"in pod ([a-z0-9.-]+)_[a-z0-9.-]+\([0-9a-f-]{36}\)")
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLine:
    """One event: when it was last seen, of which kind, about what."""

    when: datetime
    warning: bool
    reason: str
    kind: str
    name: str
    message: str
    count: int = 1

    def __str__(self) -> str:
        word = "Warning" if self.warning else "Normal"
        times = f" (x{self.count})" if self.count > 1 else ""
        return f"{self.when:%H:%M:%S} {word:<7} {self.reason} {self.kind}/{self.name}: {self.message}{times}"


def event_lines(events: Iterable[Manifest]) -> list[EventLine]:
    """Return events of either API version, oldest first."""
    return sorted((_line(event) for event in events), key=lambda line: (line.when, line.kind, line.name, line.reason))


def shown_first(lines: Sequence[EventLine], most: int) -> list[EventLine]:
    """Return the events for a short report: the latest warnings, then the latest others, each in their order of time.

    Args:
        lines: all of them, oldest first.
        most: how many; warnings have the precedence.
    """
    warnings = [line for line in lines if line.warning][-most:]
    rest = most - len(warnings)
    others = [line for line in lines if not line.warning]
    return warnings + (others[-rest:] if rest else [])


def _line(event: Manifest) -> EventLine:
    about = event.get("involvedObject") or event.get("regarding") or {}
    series = event.get("series") or {}
    return EventLine(
        when=_when(event, series),
        warning=event.get("type") == "Warning",
        reason=str(event.get("reason") or ""),
        kind=str(about.get("kind") or ""),
        name=str(about.get("name") or ""),
        message=_message(str(event.get("message") or event.get("note") or "")),
        count=int(series.get("count") or event.get("count") or event.get("deprecatedCount") or 1),
    )


def _message(text: str) -> str:
    """Return a message on one line, without the pod's uid that kubelets repeat: "in pod db-0_ns(55176489-...)"."""
    return _POD.sub(r"in pod \1", " ".join(text.split()))


def _when(event: Manifest, series: Manifest) -> datetime:
    """Return the last time of an event: which field holds it depends on who wrote it."""
    stamps = (
        series.get("lastObservedTime"),
        event.get("lastTimestamp"),
        event.get("deprecatedLastTimestamp"),
        event.get("eventTime"),
        (event.get("metadata") or {}).get("creationTimestamp"),
    )
    return next((found for stamp in stamps if (found := moment(stamp))), _LONG_AGO)
