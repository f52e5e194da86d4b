"""A store of the current objects of one kind, and every change of them as an event.

Everybody above gets a Watch from Kube.watch. One thread per watch; a dropped connection resumes where it was, and when
the server has forgotten that point, the difference between a new list and the store is told as events.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self, TypeVar

from harness.kit.errors import DeadlineError, HarnessError
from harness.kit.waiting import Deadline, Pending
from harness.kube.discovery import Resource
from harness.kube.objects import Manifest, name_of, namespace_of, uid_of, version_of
from harness.kube.reflect import Reflector
from harness.kube.session import Session

__all__ = ["Event", "EventType", "Watch"]

T = TypeVar("T")
Key = tuple[str | None, str]
EventType = Literal["ADDED", "MODIFIED", "DELETED"]
_TYPES: dict[str, EventType] = {"ADDED": "ADDED", "MODIFIED": "MODIFIED", "DELETED": "DELETED"}
_JOIN = 2.0  # seconds that stop waits for the thread


@dataclass(frozen=True, slots=True)
class Event:
    """One change of one object. The object is shared by all that see it: read it, never write to it.

    Args:
        type: ADDED, MODIFIED or DELETED.
        object: the object after the change; for DELETED its last state.
        received: when it arrived here, on the monotonic clock, in seconds.
        relisted: told by a list, not by the server's watch: states in between may have been missed.
    """

    type: EventType
    object: Manifest
    received: float
    relisted: bool = field(default=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class _Mark:
    """Told to followers between events: the first list is complete, or the watch has ended."""

    ended: bool


Follower = Callable[[Event | _Mark], None]


class Watch:
    """Follows the objects of one kind in a thread of its own until stop is called.

    Use it as a context manager. `synced` is set once the first list is in; `trouble` says what is wrong with the
    connection at the moment, empty when nothing is; `failed` is the error that ended the watch, if one did.
    """

    def __init__(
        self,
        session: Session,
        resource: Resource,
        namespace: str | None = None,
        *,
        labels: str = "",
        fields: str = "",
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        self.resource = resource
        self.namespace = namespace if resource.namespaced else None
        self.synced = threading.Event()
        self.trouble = ""
        self.failed: BaseException | None = None
        self._clock = clock
        self._server = session.transport.server
        self._lock = threading.RLock()  # store, followers and delivery change together
        self._store: dict[Key, Manifest] = {}
        self._followers: list[Follower] = []
        self._ended = False
        selectors = [(key, text) for key, text in (("labelSelector", labels), ("fieldSelector", fields)) if text]
        sink = _Sink(self)
        self._reflector = Reflector(session, resource, self.namespace, selectors, sink, clock=clock, pause=pause)
        self._thread = threading.Thread(target=self._run, name=f"watch {self}", daemon=True)

    def __str__(self) -> str:
        where = f" in {self.namespace}" if self.namespace else ""
        return f"{self.resource.api_version}/{self.resource.kind}{where}"

    def start(self) -> Self:
        """Begin to follow; returns at once, and does nothing when it was begun. Waiting for something begins it too."""
        with self._lock:
            if self._thread.ident is None and not self._ended:
                self._thread.start()
        return self

    def stop(self) -> None:
        """End promptly: the open connection is shut down, followers end."""
        self._reflector.stop()
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(_JOIN)
        self._end()  # also when the thread still sits in a request that nobody answers

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def objects(self) -> list[Manifest]:
        """Return the current objects, as far as the server has told."""
        with self._lock:
            return list(self._store.values())

    def get(self, name: str, namespace: str | None = None) -> Manifest | None:
        """Return a current object, if it is there; without a namespace, that of the watch."""
        with self._lock:
            return self._store.get((namespace or self.namespace, name))

    def wait_synced(self, timeout: float | Deadline = 30.0) -> Self:
        """Wait until the first list is in.

        Raises:
            ApiError: the server refuses the list.
            DeadlineError: it did not come in time; `seen` says what is wrong with the connection.
        """
        deadline = _deadline(timeout, self._clock)
        for mark in self._told(deadline):
            if isinstance(mark, _Mark):
                return self
        raise self._late(f"the list of {self}", deadline, "")

    def subscribe(self, subscriber: Callable[[Event], None]) -> Callable[[], None]:
        """Call a function for every event, first for the objects that are there, as ADDED.

        It is called in the watch's thread (for the first ones in yours), one event at a time, in order; it must be
        quick and must not wait for other threads. An exception from it ends the watch and is kept in `failed`.

        Returns:
            The function that ends the subscription.
        """
        return self._follow(lambda told: None if isinstance(told, _Mark) else subscriber(told))

    def events(self, timeout: float | Deadline | None = None) -> Iterator[Event]:
        """Yield events as they come, first the objects that are there; end at the deadline or when stopped.

        Args:
            timeout: seconds, or the caller's deadline; None is without end.

        Raises:
            ApiError: the server refuses the watch.
        """
        deadline = _deadline(float("inf") if timeout is None else timeout, self._clock)
        return (told for told in self._told(deadline) if isinstance(told, Event))

    def __iter__(self) -> Iterator[Event]:
        return self.events()

    def until(self, condition: Callable[[list[Manifest]], T | Pending], *, timeout: float | Deadline, wanted: str) -> T:
        """Wait until a condition on the current objects is true; it is asked after every single event.

        Args:
            condition: gets the objects, answers with a value or Pending; first asked when the first list is in.
            timeout: seconds, or the caller's deadline.
            wanted: the condition, for the error.

        Raises:
            DeadlineError: with the last reason, and what is wrong with the connection if anything is.
            ApiError: the server refuses the watch.
        """
        return self.decide(condition, _deadline(timeout, self._clock), wanted)

    def decide(
        self, condition: Callable[[list[Manifest]], T | Pending], deadline: Deadline, wanted: str, *, reason: str = ""
    ) -> T:
        """Wait as until does, for a caller that has met a state before: `reason` is what it was."""
        store: dict[Key, Manifest] = {}  # our own: events may be ahead of us in the watch's
        synced = False
        for told in self._told(deadline):
            if isinstance(told, Event):
                _apply(store, told)
            else:
                synced = True
            if not synced:
                continue
            answer = condition(list(store.values()))
            if not isinstance(answer, Pending):
                return answer
            reason = answer.reason
        raise self._late(wanted, deadline, reason)

    def _late(self, wanted: str, deadline: Deadline, reason: str) -> HarnessError:
        seen = reason or ("nothing" if self.synced.is_set() else f"no list of {self} yet")
        if self.trouble:
            seen += f"\nthe watch of {self} is interrupted: {self.trouble}"
        if self._ended:
            return HarnessError(wanted, seen=f"{seen}\nthe watch of {self} was stopped", where=self._server)
        return DeadlineError(f"{wanted} within {deadline.total:g} s", seen=seen, where=self._server)

    def _told(self, deadline: Deadline) -> Iterator[Event | _Mark]:
        """Yield events and the mark of the first list until the deadline or the end; raise what ended the watch."""
        inbox: queue.SimpleQueue[Event | _Mark] = queue.SimpleQueue()
        leave = self._follow(inbox.put)
        self.start()  # only now, so that the first follower misses nothing
        try:
            while True:
                try:
                    told = inbox.get(timeout=min(deadline.left(), threading.TIMEOUT_MAX))
                except queue.Empty:
                    return
                if isinstance(told, _Mark) and told.ended:
                    self._raise_failure()
                    return
                yield told
        finally:
            leave()

    def _raise_failure(self) -> None:
        if isinstance(self.failed, HarnessError):
            raise self.failed
        if self.failed is not None:
            raise RuntimeError(f"the watch of {self} broke") from self.failed

    def _follow(self, follower: Follower) -> Callable[[], None]:
        with self._lock:
            now = self._clock()
            for found in self._store.values():
                follower(Event("ADDED", found, now, relisted=True))
            if self.synced.is_set():
                follower(_Mark(ended=False))
            if self._ended:
                follower(_Mark(ended=True))
            self._followers.append(follower)

        def leave() -> None:
            with self._lock, suppress(ValueError):
                self._followers.remove(follower)

        return leave

    def _run(self) -> None:
        try:
            self._reflector.run()
        except HarnessError as error:
            self.failed = error
        except BaseException as error:
            self.failed = error  # a bug, ours or a subscriber's: whoever waits learns of it, and the log does
            raise
        finally:
            self._end()

    def _end(self) -> None:
        with self._lock:
            if not self._ended:
                self._ended = True
                self._tell(_Mark(ended=True))

    def _tell(self, told: Event | _Mark) -> None:
        for follower in list(self._followers):
            follower(told)

    def _event(self, event: Event) -> None:
        with self._lock:
            if self._ended:
                return
            _apply(self._store, event)
            self._tell(event)


class _Sink:
    """Turns what the reflector tells into the watch's store and events."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def interrupted(self, trouble: str) -> None:
        self._watch.trouble = trouble

    def change(self, word: str, thing: Manifest) -> None:
        if (kind := _TYPES.get(word)) is not None:
            self._watch._event(Event(kind, thing, self._watch._clock()))  # noqa: SLF001 - its other half

    def replace(self, objects: list[Manifest]) -> None:
        watch = self._watch
        with watch._lock:  # noqa: SLF001 - its other half
            for event in _difference(watch._store, objects, watch._clock()):  # noqa: SLF001
                watch._event(event)  # noqa: SLF001
            if not watch.synced.is_set():
                watch.synced.set()
                watch._tell(_Mark(ended=False))  # noqa: SLF001


def _difference(store: dict[Key, Manifest], objects: list[Manifest], now: float) -> list[Event]:
    """Return the events that lead from the store to a list, removals first."""
    listed = {_key(one): one for one in objects}
    events = []
    for key, old in store.items():
        if key not in listed or uid_of(listed[key]) != uid_of(old):
            events.append(Event("DELETED", old, now, relisted=True))
    for key, new in listed.items():
        known = store.get(key)
        if known is None or uid_of(known) != uid_of(new):
            events.append(Event("ADDED", new, now, relisted=True))
        elif version_of(known) != version_of(new):
            events.append(Event("MODIFIED", new, now, relisted=True))
    return events


def _apply(store: dict[Key, Manifest], event: Event) -> None:
    if event.type == "DELETED":
        store.pop(_key(event.object), None)
    else:
        store[_key(event.object)] = event.object


def _key(manifest: Manifest) -> Key:
    return namespace_of(manifest), name_of(manifest)


def _deadline(timeout: float | Deadline, clock: Callable[[], float]) -> Deadline:
    return timeout if isinstance(timeout, Deadline) else Deadline.after(timeout, clock)
