"""Conditions and waits without a server: decided by events, at one moment, at a flat cost per event."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from harness.kit.waiting import Deadline
from harness.kube import Event, Resource
from harness.suite import conditions
from harness.suite.conditions import Condition, GoneCondition, MatchCondition, ReachedCondition
from harness.suite.explain import explain
from harness.suite.files import Role
from harness.suite.model import Entry
from harness.suite.place import Place
from harness.suite.recorder import Recorder, Track
from harness.suite.streams import parse_stream
from harness.suite.waits import Interrupted, Wait

RESOURCE = Resource(group="", version="v1", kind="ConfigMap", plural="configmaps", namespaced=True)
PLACE = Place(api_version="v1", kind="ConfigMap", namespace="ns", resource=RESOURCE)
NOW = Deadline.after(0)


class World:
    """A track that is told events by hand."""

    def __init__(self) -> None:
        self.recorder = Recorder(None)  # type: ignore[arg-type]  # no server is asked
        self.track = Track(self.recorder.kube, PLACE, self.recorder.lock, self.recorder.clock)
        self.version = 0

    def list(self) -> None:
        """Let the first list be complete."""
        with self.recorder.lock:
            self.track._begin()

    def told(self, name: str, *, gone: bool = False, uid: str = "", at: float = 0.0, **data: str) -> None:
        """Tell an event."""
        self.version += 1
        metadata = {"name": name, "namespace": "ns", "uid": uid or name, "resourceVersion": str(self.version)}
        metadata["labels"] = {"app": data.pop("app")} if "app" in data else {}  # type: ignore[assignment]  # JSON
        thing: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
        self.track._event(Event("DELETED" if gone else "MODIFIED", thing, at))

    def match(self, name: str = "", *, wanted: bool = True, app: str = "", **data: str) -> MatchCondition:
        """Return a condition on an object by name, or on those with a label."""
        metadata = {**({"name": name} if name else {}), **({"labels": {"app": app}} if app else {})}
        value = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
        (document,) = parse_stream(json.dumps(value), "00-assert.yaml").documents
        role: Role = "assert" if wanted else "errors"
        entry = Entry(manifest=document.value, document=document, role=role)
        return MatchCondition(entry, self.track, PLACE, wanted=wanted)

    def wait(self, *waited: Condition) -> Wait:
        """Return a wait."""
        return Wait(self.recorder, waited)


@pytest.fixture
def world() -> World:
    """Return a track whose first list is not in yet."""
    return World()


def test_nothing_holds_before_the_first_list(world: World) -> None:
    """Recorder: neither presence nor absence is decided before the objects are known."""
    with world.wait(world.match("one", wanted=False)) as wait:
        assert not wait.until(NOW)
        world.list()
        assert wait.until(NOW)


def test_all_must_hold_at_one_moment(world: World) -> None:
    """The loop: conditions that hold one after the other do not end a wait, a short moment of all does."""
    world.list()
    with world.wait(world.match("a", on="1"), world.match("b", on="1")) as wait:
        world.told("a", on="1")
        world.told("a", on="2")
        world.told("b", on="1")
        assert not wait.until(NOW)
        world.told("a", on="1")
        world.told("b", on="2")
        assert not wait.holds()
        assert wait.until(NOW), "they held together for a moment, though nobody looked then"
        assert not wait.until(NOW), "each such moment counts once"


def test_an_assert_by_label_takes_any(world: World) -> None:
    """Asserts without a name: one match is enough, the last match to go ends it; labels choose among objects."""
    world.list()
    condition = world.match(app="db", n="1")
    with world.wait(condition) as wait:
        world.told("x", app="web", n="1")
        assert not wait.holds()
        world.told("a", app="db", n="1")
        world.told("b", app="db", n="1")
        assert wait.holds()
        world.told("a", app="db", n="1", gone=True)
        assert wait.holds()
        world.told("b", app="db", n="2")
        assert not wait.holds()


def test_an_object_that_came_again_counts_as_gone(world: World) -> None:
    """Delete: the object that was there is gone when another one of its name has come."""
    world.list()
    world.told("one", uid="first")
    with world.wait(GoneCondition(world.track, "one", "first")) as wait:
        assert not wait.holds()
        world.told("one", uid="second")
        assert wait.holds()


def test_what_was_written_must_have_been_told(world: World) -> None:
    """Recorder: a state from before our own write does not decide; a list asked for after it is as good."""
    world.list()
    world.told("one", a="1")
    with world.wait(ReachedCondition(world.track, 3, moment=world.recorder.clock())) as wait:
        assert not wait.holds()
        world.told("other")
        world.told("other")
        assert wait.holds()
    with world.wait(ReachedCondition(world.track, 9, moment=world.recorder.clock())) as wait:
        world.track.fresh = world.recorder.clock() + 1
        wait.look()
        assert wait.holds()


def test_old_news_are_not_taken_for_new(world: World) -> None:
    """Recorder: an event that a list was ahead of changes nothing."""
    world.list()
    world.told("one", a="1")
    world.told("one", a="2")
    world.version = 0
    world.told("one", a="1")
    found = world.track.get("one")
    assert found is not None
    assert found["data"] == {"a": "2"}


def test_an_event_costs_the_same_however_many_wait(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Speed: an event is compared once for each condition on its object, not for those on others."""
    compared: list[Any] = []

    def compare(expected: object, actual: object) -> bool:
        compared.append(expected)
        return False

    monkeypatch.setattr(conditions, "matches", compare)
    world.list()
    waits = [world.wait(world.match(f"m{number}")).__enter__() for number in range(1000)]
    world.told("m7")
    assert len(compared) == 1
    for wait in waits:
        wait.__exit__(None, None, None)
    world.told("m7")
    assert len(compared) == 1


def test_history_is_bounded(world: World) -> None:
    """Recorder: of one object 64 states are kept, of all a few thousand, however many events come."""
    world.list()
    for number in range(300):
        world.told("busy", n=str(number))
    assert len(world.track.history("busy")) == 64
    for number in range(10_000):
        world.told(f"m{number % 200}", n=str(number))
    assert sum(len(world.track.history(f"m{number}")) for number in range(200)) <= 4096


def test_an_interrupt_wakes_who_waits(world: World) -> None:
    """Quirk Q22: an interrupted run ends every wait at once."""
    with world.wait(world.match("never")) as wait:
        timer = threading.Timer(0.05, world.recorder.cancel)
        timer.start()
        with pytest.raises(Interrupted):
            wait.until(Deadline.after(30))
        timer.join()


def test_a_failure_tells_how_the_field_changed(world: World) -> None:
    """Failures: what each differing field was over time, and how close the object ever came."""
    world.list()
    condition = world.match("db", ready="5", phase="up")
    with world.wait(condition):
        for at, ready, phase in ((10.5, "1", "down"), (12.0, "4", "up"), (13.0, "3", "down")):
            world.told("db", at=at, ready=ready, phase=phase)
        (failure,) = explain(condition, since=10.0)
    assert failure.text == "resource ConfigMap:ns/db: .data.phase: value mismatch, expected: up != actual: down"
    assert failure.changes == (
        '.data.phase  +0.5 s "down"   +2.0 s "up"   +3.0 s "down"',
        '.data.ready  +0.5 s "1"   +2.0 s "4"   +3.0 s "3"',
    )
    assert failure.closest == "5 of 6 fields agree at +2.0 s"
    assert "closest  5 of 6" in str(failure)


def test_an_object_that_was_there_is_told(world: World) -> None:
    """Failures: an object that went away during the wait is told with the moment of its deletion."""
    world.list()
    condition = world.match("db")
    with world.wait(condition):
        world.told("db", at=11.0)
        world.told("db", at=12.0, gone=True)
        (failure,) = explain(condition, since=10.0)
    assert failure.text == 'configmaps "db" not found'
    assert failure.hints[0] == "it was there until +2.0 s, then it was deleted"
