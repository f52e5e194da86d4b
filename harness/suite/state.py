"""What the steps of one case share: what is followed for it, what it wrote, what it made.

Imported by steps, asserting and case.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from harness.kit.waiting import Deadline
from harness.kube import Manifest, version_of
from harness.suite.commands import Processes, Surroundings
from harness.suite.conditions import ReachedCondition
from harness.suite.log import Log
from harness.suite.model import Entry, Step
from harness.suite.place import Place, locate
from harness.suite.problem import Mode
from harness.suite.recorder import Recorder, Track
from harness.suite.results import Failure
from harness.suite.sites import Site
from harness.suite.spec import TestSuite

__all__ = ["CaseState", "Extensions"]


@dataclass(slots=True, kw_only=True, eq=False)
class CaseState:
    """One case while it runs.

    Attributes:
        suite: the configuration.
        namespace: the test's namespace.
        mode: strict is bug for bug.
        surroundings: what commands find; kubeconfig and context are those of a step.
        processes: what commands leave running.
        created: objects that steps created, with their cluster, in order.
        touched: when the last command ended, on the recorders' clock: what it wrote, nobody has told us.
    """

    suite: TestSuite
    namespace: str
    mode: Mode
    surroundings: Surroundings
    processes: Processes
    created: list[tuple[Site, Manifest]] = field(default_factory=list)
    touched: float = 0.0
    _tracks: dict[Track, Recorder] = field(default_factory=dict)
    _written: dict[Track, tuple[int, float]] = field(default_factory=dict)

    def place_of(self, site: Site, entry: Entry) -> Place:
        """Return where an object lives."""
        return locate(site.kube, entry.api_version, entry.kind, written=entry.namespace, namespace=self.namespace)

    def follow(self, site: Site, place: Place) -> Track:
        """Return the track of a kind, followed until the case ends."""
        track = site.recorder.track(place)
        if track in self._tracks:
            site.recorder.release([track])
        else:
            self._tracks[track] = site.recorder
            self._written[track] = (0, 0.0)  # what was written before is in its first list
        return track

    def wrote(self, site: Site, place: Place, manifest: Manifest) -> None:
        """Take what a write returned."""
        text = version_of(manifest)
        number = int(text) if text.isdecimal() else 0
        track = site.recorder.known(place)
        if track is not None and track in self._written:
            self._written[track] = (max(self._written[track][0], number), site.recorder.clock())

    def catch_up(self, tracks: Iterable[Track], deadline: Deadline) -> list[ReachedCondition]:
        """See to it that tracks know what commands did; return conditions for what we wrote ourselves."""
        conditions = []
        for track in dict.fromkeys(tracks):
            if not track.until_ready(deadline):
                continue
            if track.fresh < self.touched:
                track.refresh()
            version, moment = self._written.get(track, (0, 0.0))
            if version > track.version and moment >= track.fresh:
                conditions.append(ReachedCondition(track, version, moment))
        return conditions

    def let_go(self) -> None:
        """Follow nothing any more."""
        tracks, self._tracks = self._tracks, {}
        for track, recorder in tracks.items():
            recorder.release([track])


class Extensions(Protocol):
    """Runs what a step holds of group harness.dev, after its objects have been applied."""

    def __call__(self, step: Step, state: CaseState, site: Site, log: Log) -> Sequence[Failure]:
        """Run the step's extensions in their order and return what was not as wanted."""
        ...
