"""Programs in containers and their output, against a peer that speaks the protocol."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from harness.kit.errors import DeadlineError, HarnessError
from harness.kube import ApiError, Executed, LogStream
from harness.kube.session import Session
from harness.kube.stream import execute, follow_logs, read_logs
from harness.kube.transport import Response
from tests.kube.fakes import FakeStream, FakeTransport, Peer

SUCCESS = json.dumps({"status": "Success"}).encode()


def failure(code: int) -> bytes:
    """Return the status of a program that ended with an exit code."""
    causes = [{"reason": "ExitCode", "message": str(code)}]
    return json.dumps({"status": "Failure", "reason": "NonZeroExitCode", "details": {"causes": causes}}).encode()


@contextmanager
def serving(script: Callable[[Peer], None], protocol: str = "v5.channel.k8s.io") -> Iterator[FakeTransport]:
    """Give a transport whose one websocket has a server that plays a script in a thread."""
    peer = Peer(protocol)
    transport = FakeTransport()
    transport.websockets = [peer.client]
    thread = threading.Thread(target=script, args=(peer,))
    thread.start()
    try:
        yield transport
    finally:
        thread.join(5)
        peer.close()


def run(transport: FakeTransport, **options: Any) -> Executed:
    """Run a program."""
    given: dict[str, Any] = {"container": None, "stdin": None, "timeout": 5.0, **options}
    return execute(Session(transport=transport), "p", "ns", ["sh", "-c", "x y"], **given)


def test_output_and_exit_code_come_apart() -> None:
    """Standard output, standard error and the exit code are told apart; arguments go out one by one."""

    def script(peer: Peer) -> None:
        for channel, data in ((1, b"out1 "), (2, b"err"), (1, b"out2"), (3, failure(3))):
            peer.send(channel, data)
        peer.end()

    with serving(script) as transport:
        done = run(transport, container="c")
    assert (done.exit_code, done.stdout, done.stderr) == (3, "out1 out2", "err")
    request = transport.requests[0]
    assert request.path == "/api/v1/namespaces/ns/pods/p/exec"
    assert [text for key, text in request.query if key == "command"] == ["sh", "-c", "x y"]
    assert ("container", "c") in request.query
    assert "stdin" not in dict(request.query)


def test_standard_input_is_sent_and_closed() -> None:
    """All of it goes out in pieces, and then the channel is closed, so that a reader of it ends."""
    text = "é" * 50_000

    def script(peer: Peer) -> None:
        got = bytearray()
        while (message := peer.receive()) != (255, b"\x00"):
            assert message[0] == 0
            got += message[1]
        peer.send(1, str(len(got)).encode())
        peer.send(3, SUCCESS)
        peer.end()

    with serving(script) as transport:
        done = run(transport, stdin=text)
    assert (done.exit_code, done.stdout) == (0, "100000")
    assert ("stdin", "true") in transport.requests[0].query


def test_a_program_that_cannot_be_started_is_an_error() -> None:
    """A status without an exit code is the server's refusal."""

    def script(peer: Peer) -> None:
        status = {"status": "Failure", "code": 500, "reason": "InternalError", "message": "executable file not found"}
        peer.send(3, json.dumps(status).encode())
        peer.end()

    with serving(script) as transport, pytest.raises(ApiError) as caught:
        run(transport)
    assert "executable file not found" in caught.value.seen
    assert caught.value.wanted == "exec 'sh -c x y' in pod ns/p"


def test_a_program_that_does_not_end_is_reported_with_its_output() -> None:
    """At the deadline the error has what was printed until then."""
    with serving(lambda peer: peer.send(1, b"so far\n")) as transport, pytest.raises(DeadlineError) as caught:
        run(transport, timeout=0.1)
    assert caught.value.wanted.endswith("ended within 0.1 s")
    assert "so far" in caught.value.seen


def test_a_connection_that_ends_early_is_an_error() -> None:
    """Without a status nobody knows the exit code: a pod that was killed, for one."""

    def script(peer: Peer) -> None:
        peer.send(1, b"begun")
        peer.end(1011, "pod killed")

    with serving(script) as transport, pytest.raises(HarnessError) as caught:
        run(transport)
    assert "without an exit code: pod killed" in caught.value.seen
    assert "begun" in caught.value.seen


def test_logs_are_asked_for_with_their_options() -> None:
    """Container, previous and tail go into the query; bytes that are not UTF-8 do no harm."""
    transport = FakeTransport([Response(status=200, body=b"one\ntwo\xff\n")])
    session = Session(transport=transport)
    text = read_logs(session, "p", "ns", container="c", previous=True, tail=2, timeout=5)
    assert text == "one\ntwo\N{REPLACEMENT CHARACTER}\n"
    assert dict(transport.requests[0].query) == {"container": "c", "previous": "true", "tailLines": "2"}


def lines_of(*chunks: bytes, open_end: bool = False) -> LogStream:
    """Return a log that comes in these chunks."""
    transport = FakeTransport(streams=[FakeStream(*chunks, open_end=open_end)])
    return follow_logs(Session(transport=transport), "p", "ns", container=None, tail=None)


def test_followed_logs_come_by_line() -> None:
    """Lines are whole whatever the chunks are; the last one may lack its end."""
    with lines_of(b"a", b"b\nc\n", b"d") as log:
        assert list(log) == ["ab", "c", "d"]


def test_a_line_can_be_waited_for() -> None:
    """The first line that fits is returned."""
    with lines_of(b"a\nready now\n", open_end=True) as log:
        assert log.until(lambda line: "ready" in line, timeout=5, wanted="ready") == "ready now"


@pytest.mark.parametrize(("open_end", "timeout", "note"), [(True, 0.05, "last line: a"), (False, 5, "has ended): a")])
def test_a_line_that_does_not_come_is_reported(open_end: bool, timeout: float, note: str) -> None:
    """At the deadline, or when the container ends, the error has the last line."""
    with lines_of(b"a\n", open_end=open_end) as log, pytest.raises(DeadlineError) as caught:
        log.until(lambda line: "ready" in line, timeout=timeout, wanted="ready")
    assert note in caught.value.seen
