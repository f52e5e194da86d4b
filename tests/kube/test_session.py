"""Retries within the deadline, and errors instead of answers."""

from __future__ import annotations

import pytest

from harness.kube import ApiError, NotFound, TooManyRequests, Unreachable
from harness.kube.session import Session
from harness.kube.transport import Request, Response
from tests.kube.fakes import FakeClock, FakeStream, FakeTransport, answer, refusal, unreachable

GET = Request(method="GET", path="/x", wanted="get x")
POST = Request(method="POST", path="/x", wanted="create x")


def session(transport: FakeTransport, clock: FakeClock | None = None, timeout: float = 30.0) -> Session:
    """Return a session on a fake clock."""
    clock = clock or FakeClock()
    return Session(transport=transport, request_timeout=timeout, clock=clock, pause=clock.pause)


def test_json_goes_out_and_comes_back() -> None:
    """A body is sent as JSON and the answer is read as JSON; an empty answer is an empty object."""
    transport = FakeTransport([answer({"a": 1}), Response(status=200)])
    assert session(transport).json(POST, {"b": [2]}) == {"a": 1}
    assert transport.requests[0].body == b'{"b":[2]}'
    assert session(transport).json(GET) == {}


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_again_when_it_says(status: int) -> None:
    """After the seconds of Retry-After the request is made again, writes included."""
    clock = FakeClock()
    transport = FakeTransport(
        [answer({}, status, Retry_After="2"), answer({}, status, retry_after="3"), answer({"a": 1})]
    )
    assert session(transport, clock).json(POST, {}) == {"a": 1}
    assert clock.pauses == [2.0, 3.0]


def test_a_busy_server_is_not_waited_for_beyond_the_deadline() -> None:
    """When Retry-After lies behind the deadline, the refusal is raised at once."""
    clock = FakeClock()
    transport = FakeTransport([answer(refusal(429, "TooManyRequests"), 429, Retry_After="31")])
    with pytest.raises(TooManyRequests):
        session(transport, clock).json(GET)
    assert clock.pauses == []


def test_a_busy_server_that_names_no_time_is_not_asked_again() -> None:
    """Without Retry-After the refusal is the answer."""
    with pytest.raises(ApiError, match="get x"):
        session(FakeTransport([answer(refusal(503, ""), 503)])).json(GET)


def test_a_disruption_budget_is_not_a_busy_server() -> None:
    """An eviction that a budget forbids is told at once, though it is a 429 with Retry-After."""
    body = refusal(429, "TooManyRequests", causes=[{"reason": "DisruptionBudget"}])
    with pytest.raises(TooManyRequests):
        session(FakeTransport([answer(body, 429, Retry_After="1")])).json(POST, {})


def test_a_read_on_a_broken_connection_is_repeated_once() -> None:
    """A kept connection that the server had closed does not fail a read."""
    transport = FakeTransport([unreachable(), answer({"a": 1})])
    assert session(transport).json(GET) == {"a": 1}
    with pytest.raises(Unreachable):
        session(FakeTransport([unreachable(), unreachable()])).json(GET)


def test_a_write_on_a_broken_connection_is_not_repeated() -> None:
    """Whether the server has carried out the write is not known, so it is not done twice."""
    transport = FakeTransport([unreachable(), answer({})])
    with pytest.raises(Unreachable):
        session(transport).json(POST, {})
    assert len(transport.requests) == 1


def test_the_silence_allowed_shrinks_with_the_deadline() -> None:
    """A retried request may be silent only as long as the deadline leaves."""
    transport = FakeTransport([answer({}, 503, Retry_After="20"), answer({})])
    session(transport).json(GET)
    assert [request.read for request in transport.requests] == [30.0, 10.0]


def test_an_answer_that_is_not_json_is_an_error() -> None:
    """A page of a proxy in place of JSON is shown."""
    with pytest.raises(ApiError) as caught:
        session(FakeTransport([Response(status=200, body=b"<html>")])).json(GET)
    assert "<html>" in caught.value.seen


def test_a_refused_stream_is_an_error() -> None:
    """The body of a refused stream becomes the error."""
    refused = FakeStream(b'{"reason": "NotFound", ', b'"message": "gone"}', status=404)
    with pytest.raises(NotFound) as caught:
        session(FakeTransport(streams=[refused])).stream(GET)
    assert caught.value.message == "gone"
