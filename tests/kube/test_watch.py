"""The store and the events of a watch, its followers and its end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.kit.errors import DeadlineError, HarnessError
from harness.kit.waiting import Deadline, Pending
from harness.kube import Event, Forbidden, Watch
from harness.kube import watch as watching
from harness.kube.session import Session
from harness.kube.transport import Response
from tests.kube.fakes import (
    CONFIG_MAPS,
    FakeStream,
    FakeTransport,
    answer,
    config_map,
    line,
    listed,
    refusal,
    unreachable,
)

SOON = 5.0  # a bound for what happens at once
A1, A2, B2 = config_map("a", "1"), config_map("a", "2"), config_map("b", "2")


class Scene:
    """A running watch whose stream the test feeds."""

    def __init__(self, *lists: Response | Exception, streams: int = 1) -> None:
        self.streams = [FakeStream(open_end=True) for _ in range(streams)]
        self.transport = FakeTransport(lists, self.streams)
        self.pauses: list[float] = []
        session = Session(transport=self.transport)
        self.watch = Watch(session, CONFIG_MAPS, "ns", pause=self.pauses.append)

    def __enter__(self) -> Self:
        self.watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.watch.stop()


def take(events: Iterator[Event], count: int) -> list[tuple[str, str, str]]:
    """Return the next events in short."""
    return [short(next(events)) for _ in range(count)]


def short(event: Event) -> tuple[str, str, str]:
    return event.type, event.object["metadata"]["name"], event.object["metadata"]["resourceVersion"]


def test_events_begin_with_what_is_there() -> None:
    """The objects of the first list come as ADDED, then the changes, with the time of their arrival."""
    with Scene(listed("1", A1)) as scene:
        events = scene.watch.events(SOON)
        assert take(events, 1) == [("ADDED", "a", "1")]
        before = time.monotonic()
        scene.streams[0].feed(line("MODIFIED", A2), line("ADDED", B2), line("DELETED", A2))
        changed = next(events)
        assert short(changed) == ("MODIFIED", "a", "2")
        assert before <= changed.received <= time.monotonic()
        assert not changed.relisted
        assert take(events, 2) == [("ADDED", "b", "2"), ("DELETED", "a", "2")]
        assert [one["metadata"]["name"] for one in scene.watch.objects()] == ["b"]
        assert scene.watch.get("b") == B2
        assert scene.watch.get("a") is None


def test_a_late_follower_sees_the_present_first() -> None:
    """Whoever comes later gets the current objects as ADDED, and every change after them."""
    with Scene(listed("1", A1)) as scene:
        first = scene.watch.events(SOON)
        take(first, 1)
        scene.streams[0].feed(line("MODIFIED", A2))
        take(first, 1)
        late = scene.watch.events(SOON)
        assert take(late, 1) == [("ADDED", "a", "2")]
        scene.streams[0].feed(line("ADDED", B2))
        assert take(late, 1) == take(first, 1) == [("ADDED", "b", "2")]


def test_a_new_list_tells_the_difference() -> None:
    """After a 410: what is gone is DELETED, what is new ADDED, what changed MODIFIED, a namesake both; marked so."""
    old = [config_map("gone", "1"), config_map("same", "1"), config_map("changed", "1"), config_map("other", "1")]
    new = [
        config_map("same", "1"),
        config_map("changed", "8"),
        config_map("other", "9", uid="second"),
        config_map("new", "7"),
    ]
    with Scene(listed("1", *old), listed("9", *new), streams=2) as scene:
        events = scene.watch.events(SOON)
        take(events, 4)
        scene.streams[0].feed(line("ERROR", refusal(410, "Expired")))
        told = [next(events) for _ in range(5)]
        assert {short(event) for event in told} == {
            ("DELETED", "gone", "1"),
            ("DELETED", "other", "1"),
            ("ADDED", "other", "9"),
            ("ADDED", "new", "7"),
            ("MODIFIED", "changed", "8"),
        }
        assert all(event.relisted for event in told)
        assert [event.type for event in told][:2] == ["DELETED", "DELETED"]
        assert len(scene.watch.objects()) == 4


def test_a_subscriber_is_called_until_it_leaves() -> None:
    """A subscriber gets the same events as an iterator, in order, and none after it has left."""
    with Scene(listed("1", A1)) as scene:
        events = scene.watch.events(SOON)
        seen: list[tuple[str, str, str]] = []
        scene.watch.wait_synced(SOON)
        leave = scene.watch.subscribe(lambda event: seen.append(short(event)))
        scene.streams[0].feed(line("MODIFIED", A2))
        take(events, 2)
        leave()
        scene.streams[0].feed(line("ADDED", B2))
        take(events, 1)
        assert seen == [("ADDED", "a", "1"), ("MODIFIED", "a", "2")]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_subscriber_that_fails_ends_the_watch_loudly() -> None:
    """A bug in a subscriber is not swallowed: who waits learns of it, with its cause."""

    def broken(_event: Event) -> None:
        raise KeyError("bug")

    scene = Scene(listed("1", A1))
    scene.watch.subscribe(broken)
    with scene, pytest.raises(RuntimeError) as caught:
        scene.watch.until(lambda _: Pending("never"), timeout=SOON, wanted="x")
    assert isinstance(caught.value.__cause__, KeyError)


def test_synced_is_set_by_the_first_list_even_an_empty_one() -> None:
    """An empty list also says how things are."""
    with Scene(listed("1")) as scene:
        assert scene.watch.wait_synced(SOON) is scene.watch
        assert scene.watch.synced.is_set()
        assert scene.watch.objects() == []


def test_a_first_list_that_does_not_come_is_reported() -> None:
    """The error names what is wrong with the connection."""
    scene = Scene(*(unreachable() for _ in range(1000)))
    release = threading.Event()
    scene.watch._reflector._pause = lambda _: release.wait(SOON)
    with scene:
        with pytest.raises(DeadlineError) as caught:
            scene.watch.wait_synced(0.05)
        scene.watch._reflector.stop()
        release.set()
    assert "the list of v1/ConfigMap in ns" in str(caught.value)
    assert "interrupted: no answer: connection refused" in caught.value.seen


def test_a_refused_watch_raises_where_it_is_waited_for() -> None:
    """A refusal reaches every kind of waiter, also those that come later."""
    with Scene(answer(refusal(403, "Forbidden", "no list for you"), 403)) as scene:
        for wait in (
            lambda: scene.watch.wait_synced(SOON),
            lambda: list(scene.watch.events(SOON)),
            lambda: scene.watch.until(lambda _: Pending("x"), timeout=SOON, wanted="x"),
        ):
            with pytest.raises(Forbidden):
                wait()
        assert isinstance(scene.watch.failed, Forbidden)


def test_events_end_at_the_deadline() -> None:
    """An iterator with a deadline that has passed gives what is there, and ends."""
    with Scene(listed("1", A1)) as scene:
        scene.watch.wait_synced(SOON)
        assert [short(event) for event in scene.watch.events(Deadline.after(0))] == [("ADDED", "a", "1")]


def test_a_stop_is_prompt_and_ends_iterators() -> None:
    """Stop shuts the open connection, the thread ends, iterators end; a second stop does nothing."""
    scene = Scene(listed("1", A1))
    with scene:
        events = iter(scene.watch)
        next(events)
        begun = time.monotonic()
        scene.watch.stop()
        assert time.monotonic() - begun < 1
        assert not scene.watch._thread.is_alive()
        assert list(events) == []
        assert scene.streams[0].closed.is_set()


def test_a_condition_sees_every_state() -> None:
    """A state that lasted for one event only is seen, though the store has moved on."""
    with Scene(listed("1")) as scene:
        scene.watch.wait_synced(SOON)
        flash, after = config_map("a", "2", phase="flash"), config_map("a", "3", phase="calm")
        scene.streams[0].feed(line("ADDED", A1) + line("MODIFIED", flash) + line("MODIFIED", after))

        def flashed(objects: list[dict[str, Any]]) -> str | Pending:
            phases = [one["data"].get("phase") for one in objects]
            return "seen" if "flash" in phases else Pending(f"phases {phases}")

        assert scene.watch.until(flashed, timeout=SOON, wanted="a flash") == "seen"


def test_a_condition_is_first_asked_when_the_list_is_complete() -> None:
    """Half a list would look like missing objects."""
    counts: list[int] = []

    def two(objects: list[dict[str, Any]]) -> bool | Pending:
        counts.append(len(objects))
        return len(objects) == 2 or Pending("x")

    with Scene(listed("1", A1, B2)) as scene:
        scene.watch.until(two, timeout=SOON, wanted="two")
    assert counts == [2]


def test_a_condition_that_never_comes_is_reported_with_its_last_reason() -> None:
    """The error has the condition, the last reason and the server."""
    with Scene(listed("1", A1)) as scene, pytest.raises(DeadlineError) as caught:
        scene.watch.until(lambda objects: Pending(f"{len(objects)} of 2"), timeout=0.05, wanted="two objects")
    assert str(caught.value).split("\n")[:2] == ["wanted  two objects within 0.05 s", "seen    1 of 2"]


def test_a_watch_that_is_stopped_under_a_waiter_says_so() -> None:
    """A waiter in another thread does not wait for its deadline."""
    with Scene(listed("1", A1)) as scene:

        def stop_it(_objects: object) -> Pending:
            threading.Thread(target=scene.watch.stop).start()
            return Pending("not yet")

        with pytest.raises(HarnessError) as caught:
            scene.watch.until(stop_it, timeout=SOON, wanted="x")
    assert "was stopped" in caught.value.seen


OBJECTS = st.dictionaries(st.sampled_from("abcde"), st.tuples(st.integers(1, 3), st.integers(1, 3)))


@given(before=OBJECTS, after=OBJECTS)
def test_the_difference_leads_from_one_list_to_the_next(
    before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]]
) -> None:
    """Whatever two lists hold, their difference applied to the first gives the second, with no needless event."""
    old, new = (
        [config_map(name, str(version), uid=f"{name}{uid}") for name, (uid, version) in objects.items()]
        for objects in (before, after)
    )
    store: dict[watching.Key, dict[str, Any]] = {("ns", one["metadata"]["name"]): one for one in old}
    events = watching._difference(store, new, 0.0)
    for event in events:
        assert (event.type == "ADDED") == (("ns", event.object["metadata"]["name"]) not in store)
        watching._apply(store, event)
    assert sorted(store.values(), key=str) == sorted(new, key=str)
    same = {name for name in before if before[name] == after.get(name)}
    assert not same & {event.object["metadata"]["name"] for event in events}
