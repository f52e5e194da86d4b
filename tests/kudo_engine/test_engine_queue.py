"""The engine's queue, pauses and cache."""

from __future__ import annotations

import threading
import time

from harness.kit.documents import Manifest
from harness.kube import Ref
from harness.kudo.cache import Cache
from harness.kudo.workqueue import Backoff, WorkQueue
from tests.kudo_engine.fakes import FakeClock


def test_keys_come_out_once_in_order_of_their_moment() -> None:
    """A key that is added twice comes out once, at its earliest moment; keys that are not due stay."""
    clock = FakeClock()
    queue: WorkQueue[str] = WorkQueue(clock.monotonic)
    queue.add("late", 5.0)
    queue.add("b")
    queue.add("a", 1.0)
    queue.add("b", 3.0)
    assert [queue.take(0), queue.take(0)] == ["b", None]
    clock.seconds = 1.0
    queue.add("late", 0.5)
    assert [queue.take(0), queue.take(0)] == ["a", None]
    clock.seconds = 10.0
    assert [queue.take(0), queue.take(0)] == ["late", None]


def test_key_can_be_added_again_while_it_is_worked_on() -> None:
    """A key that was taken and is added again comes out again."""
    queue: WorkQueue[str] = WorkQueue(lambda: 0.0)
    queue.add("a")
    assert queue.take(0) == "a"
    queue.add("a")
    assert queue.take(0) == "a"


def test_waiting_worker_wakes_for_a_new_key() -> None:
    """A worker that waits for a later key gets a sooner one at once."""
    queue: WorkQueue[str] = WorkQueue()
    queue.add("later", 60.0)
    threading.Timer(0.01, queue.add, ["now"]).start()
    begin = time.monotonic()
    assert queue.take(30.0) == "now"
    assert time.monotonic() - begin < 5.0


def test_closed_queue_gives_out_nothing() -> None:
    """Closing wakes a waiting worker; what is left is not given out."""
    queue: WorkQueue[str] = WorkQueue()
    threading.Timer(0.01, queue.close).start()
    assert queue.take(30.0) is None
    queue.add("a")
    assert queue.take(30.0) is None


def test_pauses_double_up_to_the_longest() -> None:
    """Pauses grow per key, and begin again after a reset."""
    pauses: Backoff[str] = Backoff(1.0, 5.0)
    assert [pauses.pause("a") for _turn in range(4)] == [1.0, 2.0, 4.0, 5.0]
    assert pauses.pause("b") == 1.0
    pauses.reset("a")
    assert pauses.pause("a") == 1.0


def item(version: str, uid: str = "u", name: str = "x", **labels: str) -> Manifest:
    metadata = {"name": name, "namespace": "n", "uid": uid, "resourceVersion": version, "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}


REF = Ref("v1", "Pod", "x", "n")


def test_newer_states_replace_older_ones() -> None:
    """The newest state of an object is kept, whatever the order in which states arrive; echoes are no news."""
    cache = Cache()
    assert [cache.put(item(version)) for version in ("9", "10", "10", "8")] == [True, True, False, False]
    assert cache.get(REF) == item("10")


def test_opaque_versions_are_news_when_they_differ() -> None:
    """Versions that are no numbers are taken as news when they differ."""
    cache = Cache()
    assert [cache.put(item(version)) for version in ("b", "a", "a")] == [True, True, False]


def test_deleted_objects_do_not_come_back() -> None:
    """A late state of a deleted object is ignored; a new object of the same name is not."""
    cache = Cache()
    cache.put(item("1"))
    cache.remove(item("2"))
    assert [cache.put(item("3")), cache.get(REF)] == [False, None]
    assert cache.put(item("2", uid="other"))
    cache.remove(item("9"))
    assert cache.get(REF) == item("2", uid="other")


def test_objects_by_kind_and_label() -> None:
    """Objects are found by kind, namespace and label, by name."""
    cache = Cache()
    for name in ("b", "a"):
        cache.put(item("1", uid=name, name=name, app="db"))
    cache.put(item("1", uid="c", name="c", app="web"))
    found = cache.labelled("v1", "Pod", "n", "app", "db")
    assert [each["metadata"]["name"] for each in found] == ["a", "b"]
    assert cache.of_kind("v1", "Pod", "elsewhere") == []
    assert len(cache.of_kind("v1", "Pod")) == 3
