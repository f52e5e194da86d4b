"""What a step waits for, each as a condition that is decided by the events of the objects that it is about.

Imported by waits, steps and explain. A condition looks at one object per event, never at all of them; its methods are
called with the recorder's lock held.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from harness.checks.expressions import check_cel
from harness.checks.subset import matches
from harness.kube import Manifest, labels_of, name_of, uid_of
from harness.suite.model import Entry, Expressions
from harness.suite.place import Place, missing_text, namespaced_copy
from harness.suite.recorder import Track
from harness.suite.spec import ResourceRef

__all__ = [
    "Condition",
    "ExpressionCondition",
    "GoneCondition",
    "MatchCondition",
    "ReachedCondition",
    "Reference",
]

Told = Callable[["Condition", bool], None]
Key = tuple[Track, str | None]


class Condition(Protocol):
    """One thing that must hold."""

    tell: Told

    def topics(self) -> Sequence[Key]:
        """Return what it is about: tracks, and names in them (None: all objects)."""
        ...

    def changed(self, track: Track, name: str, found: Manifest | None) -> None:
        """Take an object's new state."""
        ...

    def began(self, track: Track) -> None:
        """Take that a track's objects are known now."""
        ...

    def look(self) -> None:
        """Look at everything anew."""
        ...


def _nobody(_condition: Condition, _holds: bool) -> None:
    return


class MatchCondition:
    """An object of an assert file matches, or one of an errors file does not.

    With a name it is about that object; without, about all of its kind in the namespace that carry its labels, of which
    one is enough to match.

    Args:
        entry: the object of the suite.
        track: where it is looked for.
        place: the same, as it was located; its resource may become known later.
        wanted: whether a match is wanted (assert) or not (errors).
        strict: bug for bug (quirk Q53: a namespace on a cluster-scoped object never matches).
    """

    def __init__(self, entry: Entry, track: Track, place: Place, *, wanted: bool, strict: bool = False) -> None:
        self.entry = entry
        self.track = track
        self.place = place
        self.wanted = wanted
        self.tell: Told = _nobody
        self.matching: set[str] = set()
        self._strict = strict
        self._expected: Manifest | None = None

    @property
    def expected(self) -> Manifest:
        """The object to compare with, its namespace put in; final once the kind is known."""
        if self._expected is not None:
            return self._expected
        resource = self.track.resource
        place = Place(
            api_version=self.place.api_version,
            kind=self.place.kind,
            namespace=self.place.namespace,
            explicit=self.place.explicit,
            resource=resource,
        )
        copy = namespaced_copy(self.entry, place, checked=True)
        cluster_wide = resource is not None and not resource.namespaced
        if cluster_wide and self.place.explicit and self.wanted and not self._strict:  # quirk Q53
            copy["metadata"] = {key: value for key, value in copy["metadata"].items() if key != "namespace"}
        if resource is not None:
            self._expected = copy
        return copy

    @property
    def name(self) -> str | None:
        """The object's name, None when it is looked for by its labels."""
        return self.entry.name or None

    def topics(self) -> Sequence[Key]:
        """Return what it is about."""
        return ((self.track, self.name),)

    def candidates(self) -> list[Manifest]:
        """Return the objects that it is about, as they were last seen."""
        if self.name is not None:
            found = self.track.get(self.name)
            return [found] if found is not None else []
        return [one for one in self.track.objects() if self._selected(one)]

    def changed(self, track: Track, name: str, found: Manifest | None) -> None:
        """Take an object's new state."""
        if not track.knows(self.name):
            return
        if found is not None and self._selected(found) and matches(self.expected, found):
            self.matching.add(name)
        else:
            self.matching.discard(name)
        self.tell(self, bool(self.matching) == self.wanted)

    def began(self, track: Track) -> None:  # noqa: ARG002 - the signature
        """Take that the track's objects are known now."""
        self.look()

    def look(self) -> None:
        """Look at everything anew."""
        if not self.track.knows(self.name):
            return
        self.matching = {name_of(one) for one in self.candidates() if matches(self.expected, one)}
        self.tell(self, bool(self.matching) == self.wanted)

    def _selected(self, found: Manifest) -> bool:
        if self.name is not None or not self.entry.labels:
            return True
        labels = labels_of(found)
        return all(labels.get(key) == value for key, value in self.entry.labels.items())


class GoneCondition:
    """An object that was there is gone; another one of the same name may have come.

    Args:
        track: where it was.
        name: its name.
        uid: its uid.
    """

    def __init__(self, track: Track, name: str, uid: str) -> None:
        self.track = track
        self.name = name
        self.tell: Told = _nobody
        self._uid = uid

    def topics(self) -> Sequence[Key]:
        """Return what it is about."""
        return ((self.track, self.name),)

    def changed(self, track: Track, name: str, found: Manifest | None) -> None:  # noqa: ARG002 - the signature
        """Take an object's new state."""
        if track.knows(self.name):
            self.tell(self, found is None or uid_of(found) != self._uid)

    def began(self, track: Track) -> None:  # noqa: ARG002 - the signature
        """Take that the track's objects are known now."""
        self.look()

    def look(self) -> None:
        """Look at everything anew."""
        self.changed(self.track, self.name, self.track.get(self.name))


class ReachedCondition:
    """A track has seen what we wrote: without it, a state from before the write could decide.

    Args:
        track: the track.
        version: the highest resource version that a write returned.
        moment: when it returned, on the recorder's clock.
    """

    def __init__(self, track: Track, version: int, moment: float) -> None:
        self.track = track
        self.version = version
        self.moment = moment
        self.tell: Told = _nobody

    def topics(self) -> Sequence[Key]:
        """Return what it is about."""
        return ((self.track, None),)

    def changed(self, track: Track, name: str, found: Manifest | None) -> None:  # noqa: ARG002 - the signature
        """Take an object's new state."""
        self.look()

    def began(self, track: Track) -> None:  # noqa: ARG002 - the signature
        """Take that the track's objects are known now."""
        self.look()

    def look(self) -> None:
        """Look at the version; a list that was asked for after the write is as good."""
        track = self.track
        seen = track.version >= self.version or track.fresh > self.moment
        self.tell(self, track.polled or (track.synced and seen))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reference:
    """An object that expressions name, and where it is."""

    spec: ResourceRef
    track: Track


class ExpressionCondition:
    """The CEL expressions of a step, over the objects that they name.

    Args:
        expressions: compiled.
        references: the objects, in the order of the file; of two with one name the later counts (quirk Q67).
    """

    def __init__(self, expressions: Expressions, references: Sequence[Reference]) -> None:
        self.references = references
        self.tell: Told = _nobody
        self._expressions = expressions

    def topics(self) -> Sequence[Key]:
        """Return what it is about."""
        return tuple(dict.fromkeys((one.track, one.spec.name) for one in self.references)) or ()

    def texts(self) -> list[str]:
        """Return the error texts of the expressions, none when they hold."""
        values: dict[str, Manifest] = {}
        for one in self.references:
            found = one.track.get(one.spec.name)
            if found is None:
                return [f"failed to get referenced resource '{self._shown(one)}': {self._why_missing(one)}"]
            values[one.spec.ref] = found
        return check_cel(self._expressions.any_of, self._expressions.all_of, values)

    def changed(self, track: Track, name: str, found: Manifest | None) -> None:  # noqa: ARG002 - the signature
        """Take an object's new state."""
        self.look()

    def began(self, track: Track) -> None:  # noqa: ARG002 - the signature
        """Take that the track's objects are known now."""
        self.look()

    def look(self) -> None:
        """Evaluate the expressions; also those that name nothing."""
        if all(one.track.knows(one.spec.name) for one in self.references):
            self.tell(self, not self.texts())

    def _shown(self, reference: Reference) -> str:
        home = reference.track.home
        return f"{home}/{reference.spec.name}" if home else reference.spec.name

    def _why_missing(self, reference: Reference) -> str:
        track = reference.track
        if track.resource is None or not track.knows(reference.spec.name):
            return track.trouble or "it is not known yet"
        return missing_text(track.resource, reference.spec.name)
