"""The list-and-watch protocol, played from scripts on a fake clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from harness.kube import Forbidden, NotFound
from harness.kube.reflect import Reflector, list_objects
from harness.kube.session import Session
from harness.kube.transport import Response
from tests.kube.fakes import (
    CONFIG_MAPS,
    FakeClock,
    FakeStream,
    FakeTransport,
    answer,
    bookmark,
    config_map,
    line,
    listed,
    refusal,
    unreachable,
)

A1, A2, B2 = config_map("a", "1"), config_map("a", "2"), config_map("b", "2")


@dataclass
class Script:
    """What one run of the loop asked, and what it told."""

    transport: FakeTransport
    clock: FakeClock
    told: list[Any] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    def replace(self, objects: list[dict[str, Any]]) -> None:
        self.told.append([one["metadata"]["name"] for one in objects])

    def change(self, word: str, thing: dict[str, Any]) -> None:
        self.told.append((word, thing["metadata"]["name"], thing["metadata"]["resourceVersion"]))

    def interrupted(self, trouble: str) -> None:
        if self.troubles[-1:] != [trouble]:
            self.troubles.append(trouble)

    @property
    def versions(self) -> list[str]:
        """The resource versions that watches began at."""
        return [dict(request.query)["resourceVersion"] for request in self.transport.streamed]


def play(lists: Sequence[Response | Exception], streams: Sequence[FakeStream | Exception]) -> Script:
    """Run the loop until the streams are used up, then stop it."""
    clock = FakeClock(tick=0.1)
    script = Script(FakeTransport(lists, streams), clock)
    session = Session(transport=script.transport, clock=clock, pause=clock.pause)
    reflector = Reflector(
        session, CONFIG_MAPS, "ns", [("labelSelector", "x=y")], script, clock=clock, pause=clock.pause
    )
    script.transport.at_end = reflector.stop
    reflector.run()
    return script


def test_a_watch_begins_where_the_list_ended() -> None:
    """The list is told as a whole, then each change; the selectors are in both requests."""
    script = play([listed("5", A1)], [FakeStream(line("ADDED", B2), line("DELETED", A1))])
    assert script.told == [["a"], ("ADDED", "b", "2"), ("DELETED", "a", "1")]
    assert script.versions[0] == "5"
    for request in (script.transport.requests[0], script.transport.streamed[0]):
        assert ("labelSelector", "x=y") in request.query
        assert request.path == "/api/v1/namespaces/ns/configmaps"
    assert ("allowWatchBookmarks", "true") in script.transport.streamed[0].query


def test_events_may_come_in_any_pieces() -> None:
    """An event that is split over chunks is told once; several in one chunk are told one by one."""
    data = line("ADDED", A1) + line("MODIFIED", A2)
    script = play([listed("0")], [FakeStream(data[:10], data[10:70], data[70:])])
    assert script.told == [[], ("ADDED", "a", "1"), ("MODIFIED", "a", "2")]


def test_a_bookmark_moves_the_point_to_resume_at() -> None:
    """A watch that the server ends is resumed at the last bookmark, without a list; the bookmark itself is not told."""
    script = play([listed("5")], [FakeStream(line("ADDED", A1), bookmark("90"))])
    assert script.versions == ["5", "90"]
    assert script.told == [[], ("ADDED", "a", "1")]
    assert script.clock.pauses == []


def test_a_dropped_connection_resumes_after_the_last_event() -> None:
    """Half an event is dropped with the connection, and the watch goes on after the last whole one."""
    half = line("MODIFIED", A2)[:20]
    script = play(
        [listed("0")], [FakeStream(line("ADDED", A1), half, unreachable("reset")), FakeStream(line("MODIFIED", A2))]
    )
    assert script.versions == ["0", "1", "2"]
    assert script.told == [[], ("ADDED", "a", "1"), ("MODIFIED", "a", "2")]
    assert script.troubles == ["", "no answer: reset", ""]


@pytest.mark.parametrize("expired", ["event", "answer"])
def test_a_forgotten_version_leads_to_a_new_list(expired: str) -> None:
    """A 410, as an event or as the answer, is followed by a list at once: no pause, no trouble."""
    body = refusal(410, "Expired", "too old resource version")
    streams = {"event": FakeStream(line("ERROR", body)), "answer": FakeStream(answer(body).body, status=410)}
    script = play([listed("5", A1), listed("9", A2, B2)], [streams[expired]])
    assert script.told == [["a"], ["a", "b"]]
    assert script.versions == ["5", "9"]
    assert (script.clock.pauses, script.troubles) == ([], [""])


def test_versions_that_are_always_forgotten_are_not_asked_for_in_a_rush() -> None:
    """A second 410 in a row is followed by a pause before the next list."""
    gone = [FakeStream(line("ERROR", refusal(410, "Expired"))) for _ in range(3)]
    script = play([listed("5")] * 4, gone)
    assert len(script.clock.pauses) == 2


def test_an_error_event_is_trouble_and_the_watch_goes_on() -> None:
    """Another error than 410 is noted, paused after, and the watch resumes where it was."""
    error = refusal(500, "InternalError", "etcd is away")
    script = play([listed("5")], [FakeStream(line("ERROR", error)), FakeStream(line("ADDED", A1))])
    assert script.versions == ["5", "5", "1"]
    assert script.troubles == ["", "500 InternalError: etcd is away", ""]
    assert len(script.clock.pauses) == 1


def test_pauses_grow_and_are_bounded() -> None:
    """Failures in a row lead to longer pauses, never longer than five seconds."""
    script = play([listed("5")] * 4, [unreachable() for _ in range(12)])
    assert script.clock.pauses[:4] == [0.05, 0.1, 0.2, 0.4]
    assert max(script.clock.pauses) == script.clock.pauses[-1] == 5.0


def test_pauses_begin_anew_after_an_event() -> None:
    """A connection that has brought something counts as good."""
    script = play(
        [listed("5")], [unreachable(), unreachable(), FakeStream(line("ADDED", A1), unreachable()), unreachable()]
    )
    assert script.clock.pauses == [0.05, 0.1, 0.05, 0.1]


def test_after_many_failures_everything_is_listed_anew() -> None:
    """The fifth failure in a row gives up the point to resume at: the cluster may be another one."""
    script = play([listed("5"), listed("2", A1)], [unreachable() for _ in range(5)])
    assert script.versions == ["5"] * 5 + ["2"]


def test_a_server_that_ends_every_watch_at_once_is_not_hammered() -> None:
    """A round that was short and silent counts as a failure."""
    script = play([listed("5")], [FakeStream(), FakeStream()])
    assert script.clock.pauses == [0.05, 0.1]
    assert "closes the watch at once" in script.troubles[1]


def test_a_refused_first_list_is_final() -> None:
    """Without the right to list, waiting would not help."""
    with pytest.raises(Forbidden):
        play([answer(refusal(403, "Forbidden"), 403)], [])


def test_an_unreachable_server_is_waited_for_from_the_start() -> None:
    """A server that does not answer yet is asked again."""
    script = play([unreachable(), unreachable(), listed("5", A1)], [])
    assert script.told == [["a"]]
    assert script.troubles == ["no answer: connection refused", ""]


def test_a_kind_that_goes_away_takes_its_objects_with_it() -> None:
    """When the kind is no longer served its objects are told as gone; when it comes back, it is listed again."""
    missing = FakeStream(answer(refusal(404, "NotFound")).body, status=404)
    script = play([listed("5", A1), answer(refusal(404, "NotFound"), 404), listed("9", B2)], [missing])
    assert script.told == [["a"], [], [], ["b"]]


def test_a_stop_during_a_stream_ends_the_loop_without_trouble() -> None:
    """The error that closing the connection causes is not taken for a failure."""
    script = Script(FakeTransport([listed("5")]), FakeClock(tick=0.1))
    session = Session(transport=script.transport, clock=script.clock, pause=script.clock.pause)
    reflector = Reflector(session, CONFIG_MAPS, "ns", [], script, clock=script.clock, pause=script.clock.pause)

    class Closing(FakeStream):
        def __iter__(self) -> Any:
            reflector.stop()
            raise unreachable("closed by us")

    script.transport._streams = [Closing()]
    reflector.run()
    assert script.troubles == [""]


def session_of(*answers: Response) -> tuple[Session, FakeTransport]:
    """Return a session whose answers are given."""
    transport = FakeTransport(answers)
    return Session(transport=transport), transport


def test_a_list_comes_in_pages() -> None:
    """Pages are followed to the end; the version is the last page's; items get the apiVersion and kind they lack."""
    session, transport = session_of(listed("5", A1, **{"continue": "t"}), listed("5", B2))
    objects, version = list_objects(session, CONFIG_MAPS, "ns", [])
    assert [(one["apiVersion"], one["kind"], one["metadata"]["name"]) for one in objects] == [
        ("v1", "ConfigMap", "a"),
        ("v1", "ConfigMap", "b"),
    ]
    assert version == "5"
    assert ("continue", "t") in transport.requests[1].query


def test_an_expired_page_token_leads_to_one_whole_list() -> None:
    """When the token has expired nothing of the first pages is kept."""
    session, transport = session_of(
        listed("5", A1, **{"continue": "t"}), answer(refusal(410, "Expired"), 410), listed("7", A2, B2)
    )
    objects, version = list_objects(session, CONFIG_MAPS, "ns", [])
    assert [one["metadata"]["resourceVersion"] for one in objects] == ["2", "2"]
    assert version == "7"
    assert "limit" not in dict(transport.requests[2].query)


def test_a_list_of_a_kind_that_is_gone_is_an_error() -> None:
    """Errors of the first page are the caller's."""
    session, _ = session_of(answer(refusal(404, "NotFound"), 404))
    with pytest.raises(NotFound, match="list v1/ConfigMap in ns"):
        list_objects(session, CONFIG_MAPS, "ns", [])
