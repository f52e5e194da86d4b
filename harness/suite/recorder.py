"""What was seen of a cluster during a run: one watch per kind and namespace, current objects and their last states.

Imported by the runner's modules. Whoever waits registers under the name that it waits for, so that an event costs the
same whether ten or a thousand cases wait. All state changes under one lock; watchers are called with it held.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from harness.kit.errors import DeadlineError, HarnessError
from harness.kit.waiting import Deadline
from harness.kube import (
    ApiError,
    Event,
    Kube,
    Manifest,
    NotFound,
    Resource,
    UnknownKind,
    Watch,
    name_of,
    uid_of,
    version_of,
)
from harness.suite.place import Place, find_resource

__all__ = ["Cancellation", "Recorder", "State", "Track", "Watcher"]

Clock = Callable[[], float]
_STATES = 64  # states kept of one object
_ALL_STATES = 4096  # states kept of one track; beyond, old ones are dropped
_FEW_STATES = 4
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
_SLICE = 0.25  # seconds between looks at the run's interruption
_PATIENCE = 60.0  # seconds after which a silent first list is looked at again


@dataclass(frozen=True, slots=True)
class State:
    """An object at a moment of the monotonic clock; None when it was deleted then."""

    at: float
    object: Manifest | None


class Watcher(Protocol):
    """Who wants to hear of an object, or of all objects of a track. Called with the recorder's lock held."""

    def changed(self, track: Track, name: str, found: Manifest | None) -> None:
        """Take an object's new state, None when it is gone."""
        ...

    def began(self, track: Track) -> None:
        """Take that the track's objects are known now, or have become so again."""
        ...


class Track:
    """The objects of one kind in one namespace, followed by a watch, or asked for where watching is not possible.

    Attributes:
        resource: the kind as it is served; None while it is not.
        synced: the objects are known.
        trouble: why they are not, or not reliably.
        version: the highest resource version met.
        fresh: a moment since which every change has been told or will be (the watch was opened, or a list was asked
            for, then); what others wrote before it is known.
    """

    def __init__(
        self, kube: Kube, place: Place, lock: threading.RLock, clock: Clock, cancellation: Cancellation | None = None
    ) -> None:
        self.kube = kube
        self.place = place
        self.resource: Resource | None = place.resource
        self.synced = False
        self.polled = False
        self.version = 0
        self.fresh = clock()
        self.users = 0
        self._own_trouble = ""
        self._lock = lock
        self._clock = clock
        self._cancellation = cancellation or Cancellation()
        self._objects: dict[str, Manifest] = {}
        self._histories: dict[str, deque[State]] = {}
        self._states = 0
        self._gone: set[str] = set()  # uids that a list told to be gone, ahead of the watch
        self._asked: set[str] = set()
        self._named: dict[str, dict[Watcher, None]] = {}
        self._all: dict[Watcher, None] = {}
        self._watch: Watch | None = None
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._ready = threading.Event()  # the first list is in, or objects are asked for one by one
        self._thread = threading.Thread(target=self._open, name=f"open {place.kind}", daemon=True)

    @property
    def home(self) -> str | None:
        """The namespace that is followed, None for a kind of cluster scope."""
        return None if self.resource is not None and not self.resource.namespaced else self.place.namespace

    @property
    def trouble(self) -> str:
        """What is wrong at the moment, an empty text when nothing is."""
        watch = self._watch
        return self._own_trouble or (watch.trouble if watch is not None else "")

    def start(self) -> None:
        """Begin to follow, in the background."""
        self._thread.start()

    def stop(self) -> None:
        """End; waiting ones keep what they know."""
        self._stopping.set()
        self._wake.set()
        if self._watch is not None:
            self._watch.stop()
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(_LONGEST_PAUSE)

    def until_ready(self, deadline: Deadline) -> bool:
        """Wait until the first list is in; False when it is not to be expected, or the deadline has come."""
        while not self._ready.wait(min(_SLICE, deadline.left())):
            over = self._stopping.is_set() or self._cancellation.cancelled or deadline.expired()
            if over or self.resource is None:
                return False
        return self.synced

    def knows(self, name: str | None) -> bool:
        """Tell whether the state of an object (or with None, of all) is known; call it with the lock held."""
        return self.synced and (not self.polled or "" in self._asked or (name is not None and name in self._asked))

    def get(self, name: str) -> Manifest | None:
        """Return an object as it was last seen."""
        return self._objects.get(name)

    def objects(self) -> list[Manifest]:
        """Return all objects as they were last seen."""
        with self._lock:
            return list(self._objects.values())

    def history(self, name: str) -> tuple[State, ...]:
        """Return the last states of an object, the oldest first."""
        with self._lock:
            return tuple(self._histories.get(name, ()))

    def add(self, watcher: Watcher, name: str | None) -> None:
        """Call a watcher for an object, or for all with None; with the lock held."""
        (self._all if name is None else self._named.setdefault(name, {}))[watcher] = None
        if self.polled:
            self._asked.discard(name or "")
            self._wake.set()

    def remove(self, watcher: Watcher, name: str | None) -> None:
        """Call a watcher no more; with the lock held."""
        watchers = self._all if name is None else self._named.get(name, {})
        watchers.pop(watcher, None)
        if name is not None and not watchers:
            self._named.pop(name, None)

    def refresh(self) -> None:
        """Ask for a list and take what the watch has not told yet.

        Raises:
            ApiError: the server refuses it.
        """
        if self.polled or self.resource is None:
            return
        begun = self._clock()
        with self._lock:
            before = {name: uid_of(one) for name, one in self._objects.items()}
        listed = self.kube.list(self.resource.api_version, self.resource.kind, self.home)
        with self._lock:
            self._merge(listed, before)
            self.fresh = max(self.fresh, begun)

    def _open(self) -> None:
        pause = _FIRST_PAUSE
        while not self._stopping.is_set():
            try:
                self.resource = find_resource(self.kube, self.place.api_version, self.place.kind)
                if self._follow(self.resource):
                    return
            except UnknownKind as error:
                self._own_trouble = error.seen
            except ApiError as error:
                self._own_trouble = error.seen
            if self._stopping.wait(pause):
                return
            pause = min(pause * 1.5, _LONGEST_PAUSE)

    def _follow(self, resource: Resource) -> bool:
        """Follow with a watch, else by asking; tell whether that is settled."""
        if "watch" not in resource.verbs:
            self._poll(resource)
            return True
        self.fresh = self._clock()
        watch = self.kube.watch(resource.api_version, resource.kind, self.home)
        self._watch = watch
        if self._stopping.is_set():
            watch.stop()
            return True
        watch.subscribe(self._event)
        try:
            self._until_synced(watch)
        except NotFound as error:  # what discovery told was old
            self._drop(watch)
            self._own_trouble = error.seen
            self.kube.until_served(resource.api_version, resource.kind, timeout=_LONGEST_PAUSE)
            return False
        except ApiError:
            self._drop(watch)
            self._poll(resource)
            return True
        if not self._stopping.is_set():
            with self._lock:
                self._begin()
        return True

    def _until_synced(self, watch: Watch) -> None:
        while not self._stopping.is_set():
            try:
                watch.wait_synced(_PATIENCE)
            except ApiError:
                raise
            except DeadlineError:
                continue
            except HarnessError:  # it was stopped
                return
            return

    def _drop(self, watch: Watch) -> None:
        watch.stop()
        self._watch = None

    def _begin(self) -> None:
        self.synced, self._own_trouble = True, ""
        self._ready.set()
        for watcher in self._watchers():
            watcher.began(self)

    def _watchers(self) -> list[Watcher]:
        named = [watcher for watchers in self._named.values() for watcher in watchers]
        return list(dict.fromkeys([*self._all, *named]))

    def _event(self, event: Event) -> None:
        with self._lock:
            self._take(event.object, event.received, deleted=event.type == "DELETED")

    def _take(self, thing: Manifest, at: float, *, deleted: bool) -> None:
        number, name, uid = _number(thing), name_of(thing), uid_of(thing)
        known = self._objects.get(name)
        self.version = max(self.version, number)
        if uid in self._gone:  # a list was ahead of the watch
            if deleted:
                self._gone.discard(uid)
            return
        if known is not None and uid_of(known) == uid and not deleted and 0 < number <= _number(known):
            self._tell(name, known)  # the version has moved, though the object has not
            return
        if deleted and known is not None and uid_of(known) != uid:
            return
        if deleted:
            self._objects.pop(name, None)
        else:
            self._objects[name] = thing
        self._remember(name, State(at, None if deleted else thing))
        self._tell(name, None if deleted else thing)

    def _tell(self, name: str, found: Manifest | None) -> None:
        for watcher in [*self._named.get(name, ()), *self._all]:
            watcher.changed(self, name, found)

    def _remember(self, name: str, state: State) -> None:
        history = self._histories.setdefault(name, deque(maxlen=_STATES))
        self._states += len(history) < _STATES
        history.append(state)
        if self._states > max(_ALL_STATES, 4 * _FEW_STATES * len(self._histories)):  # seldom enough to cost little
            self._histories = {key: deque(list(old)[-_FEW_STATES:], _STATES) for key, old in self._histories.items()}
            self._states = sum(map(len, self._histories.values()))

    def _merge(self, listed: Iterable[Manifest], before: dict[str, str]) -> None:
        now = self._clock()
        by_name = {name_of(one): one for one in listed}
        for name, uid in before.items():
            known = self._objects.get(name)
            if known is not None and uid_of(known) == uid and (name not in by_name or uid_of(by_name[name]) != uid):
                self._take(known, now, deleted=True)
                if not self.polled:
                    self._gone.add(uid)
        for name, one in by_name.items():
            known = self._objects.get(name)
            if known is None or _number(known) < _number(one) or (self.polled and known != one):
                self._take(one, now, deleted=False)

    def _poll(self, resource: Resource) -> None:
        """Ask for what is waited for, at growing intervals: the kind cannot be watched."""
        self.polled, pause = True, _FIRST_PAUSE
        self._ready.set()
        while not self._stopping.is_set():
            with self._lock:
                names, everything = list(self._named), bool(self._all)
                self._wake.clear()
            if names or everything:
                try:
                    self._ask(resource, names, everything=everything)
                except HarnessError as error:
                    self._own_trouble = error.seen
            if self._wake.wait(pause):
                pause = _FIRST_PAUSE
            pause = min(pause * 1.5, _LONGEST_PAUSE)

    def _ask(self, resource: Resource, names: list[str], *, everything: bool) -> None:
        with self._lock:
            before = {name: uid_of(one) for name, one in self._objects.items() if everything or name in names}
        begun = self._clock()
        if everything:
            found = self.kube.list(resource.api_version, resource.kind, self.home)
        else:
            asked = [self.kube.find(resource.api_version, resource.kind, name, self.home) for name in names]
            found = [one for one in asked if one is not None]
        with self._lock:
            self._asked |= {*names, *([""] if everything else [])}
            self.fresh = begun
            self._merge(found, before)
            self._begin()


class Cancellation:
    """The end of a run from outside: tells everybody who waits, in all clusters."""

    def __init__(self) -> None:
        self.cancelled = False
        self._lock = threading.Lock()
        self._waits: dict[threading.Event, None] = {}

    def cancel(self) -> None:
        """Wake everybody who waits."""
        with self._lock:
            self.cancelled = True
            for event in self._waits:
                event.set()

    def waiting(self, event: threading.Event) -> None:
        """Take an event that cancel is to set."""
        with self._lock:
            self._waits[event] = None
            if self.cancelled:
                event.set()

    def done_waiting(self, event: threading.Event) -> None:
        """Forget an event."""
        with self._lock:
            self._waits.pop(event, None)


class Recorder:
    """The tracks of one cluster, shared by all cases of a run.

    Args:
        kube: a client of the cluster; it stays the caller's.
        cancellation: the run's.
        clock: a monotonic clock.
    """

    def __init__(self, kube: Kube, *, cancellation: Cancellation | None = None, clock: Clock = time.monotonic) -> None:
        self.kube = kube
        self.lock = threading.RLock()
        self.clock = clock
        self.cancellation = cancellation or Cancellation()
        self._tracks: dict[tuple[str, str, str | None], Track] = {}

    @property
    def cancelled(self) -> bool:
        """Whether the run was interrupted."""
        return self.cancellation.cancelled

    def cancel(self) -> None:
        """Wake everybody who waits, here and in the run's other clusters."""
        self.cancellation.cancel()

    def track(self, place: Place) -> Track:
        """Return the track of a kind in a namespace, started on first need; give it back with release."""
        key = (place.api_version, place.kind.lower(), place.home)
        with self.lock:
            track = self._tracks.get(key)
            if track is None:
                track = self._tracks[key] = Track(self.kube, place, self.lock, self.clock, self.cancellation)
                track.start()
            track.users += 1
            return track

    def known(self, place: Place) -> Track | None:
        """Return the track of a kind in a namespace if there is one already."""
        with self.lock:
            return self._tracks.get((place.api_version, place.kind.lower(), place.home))

    def release(self, tracks: Iterable[Track]) -> None:
        """Give tracks back; those that nobody uses any more end."""
        idle = []
        with self.lock:
            for track in tracks:
                track.users -= 1
                if track.users == 0:
                    idle.append(track)
                    self._tracks = {key: one for key, one in self._tracks.items() if one is not track}
        for track in idle:
            track.stop()

    def close(self) -> None:
        """End all tracks."""
        with self.lock:
            tracks, self._tracks = list(self._tracks.values()), {}
        for track in tracks:
            track.stop()


def _number(manifest: Manifest) -> int:
    """Return the resource version as a number; 0 where a server uses other texts."""
    text = version_of(manifest)
    return int(text) if text.isdecimal() else 0
