"""Programs run in a pod's container, and what its containers print.

Everybody above uses it through Kube.exec, Kube.logs and Kube.follow_logs.
Protocol: v5.channel.k8s.io; channels 0 to 3 are standard input, output, error and the final Status, 255 closes one.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from harness.kit.errors import DeadlineError, HarnessError
from harness.kit.waiting import Deadline
from harness.kube.channels import Channels
from harness.kube.errors import error_from
from harness.kube.session import Session
from harness.kube.transport import Request, Stream

__all__ = ["Executed", "LogStream", "execute", "follow_logs", "read_logs"]

_PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
_STDIN, _STDOUT, _STDERR, _STATUS, _CLOSE = 0, 1, 2, 3, 255
_TAIL = 2000  # characters of output shown when a program does not end in time
_SILENT = 3600.0  # a container may print nothing for long


@dataclass(frozen=True, slots=True, kw_only=True)
class Executed:
    """A program that has ended in a container."""

    exit_code: int
    stdout: str
    stderr: str
    seconds: float = 0.0


def execute(
    session: Session,
    pod: str,
    namespace: str,
    argv: Sequence[str],
    *,
    container: str | None,
    stdin: str | bytes | None,
    timeout: float | Deadline,
) -> Executed:
    """Run a program in a container to its end; arguments as for Kube.exec."""
    begun = time.monotonic()
    deadline = timeout if isinstance(timeout, Deadline) else Deadline.after(timeout)
    wanted = f"exec {' '.join(argv)[:80]!r} in pod {namespace}/{pod}"
    query = [("command", part) for part in argv] + [("stdout", "true"), ("stderr", "true")]
    query += [("container", container)] if container else []
    query += [("stdin", "true")] if stdin is not None else []
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/exec"
    request = Request(method="GET", path=path, query=query, wanted=wanted, read=max(0.05, deadline.left()))
    channels = Channels(session.transport.websocket(request, _PROTOCOLS))
    conversation = _Conversation(channels)
    try:
        if stdin is not None:
            conversation.feed(stdin if isinstance(stdin, bytes) else stdin.encode())
        conversation.run(deadline, wanted)
    finally:
        channels.close()
    server = session.transport.server
    return Executed(
        exit_code=_exit_code(conversation.text(_STATUS), wanted, server),
        stdout=conversation.text(_STDOUT),
        stderr=conversation.text(_STDERR),
        seconds=time.monotonic() - begun,
    )


@dataclass(slots=True)
class _Conversation:
    """Collects what comes on each channel until the status is there and the connection ends."""

    channels: Channels
    received: dict[int, bytearray] = field(default_factory=dict)

    def feed(self, data: bytes) -> None:
        for start in range(0, len(data), 1 << 15):
            self.channels.send(_STDIN, data[start : start + (1 << 15)])
        if self.channels.protocol == _PROTOCOLS[0]:
            self.channels.send(_CLOSE, bytes([_STDIN]))

    def run(self, deadline: Deadline, wanted: str) -> None:
        while True:
            for channel, data in self.channels.read():
                self.received.setdefault(channel, bytearray()).extend(data)
            self.channels.flush()
            if self.channels.ended is not None:
                break
            if not self.channels.wait(deadline.left()):
                raise DeadlineError(f"{wanted} ended within {deadline.total:g} s", seen=self._so_far())
        if _STATUS not in self.received:
            seen = f"the connection ended without an exit code: {self.channels.ended}\n{self._so_far()}"
            raise HarnessError(wanted, seen=seen)

    def text(self, channel: int) -> str:
        return self.received.get(channel, b"").decode("utf-8", "replace")

    def _so_far(self) -> str:
        printed = (self.text(_STDOUT) + self.text(_STDERR))[-_TAIL:].rstrip()
        return f"it printed:\n{printed}" if printed else "it printed nothing"


def _exit_code(status: str, wanted: str, server: str) -> int:
    """Return the exit code that a Status tells.

    Raises:
        ApiError: the program could not be started at all.
    """
    told: dict[str, Any] = json.loads(status)
    if told.get("status") == "Success":
        return 0
    causes = (told.get("details") or {}).get("causes") or []
    code = next((cause.get("message") for cause in causes if cause.get("reason") == "ExitCode"), None)
    if code is None:
        raise error_from(wanted, int(told.get("code") or 500), told, server=server)
    return int(code)


def read_logs(
    session: Session,
    pod: str,
    namespace: str,
    *,
    container: str | None,
    previous: bool,
    tail: int | None,
    timeout: float,
) -> str:
    """Return what a container has printed; arguments as for Kube.logs."""
    query = _log_query(container, previous=previous, tail=tail)
    request = _log_request(pod, namespace, query, timeout)
    return session.send(request).body.decode("utf-8", "replace")


def follow_logs(session: Session, pod: str, namespace: str, *, container: str | None, tail: int | None) -> LogStream:
    """Return what a container prints from now on; arguments as for Kube.follow_logs."""
    query = [*_log_query(container, previous=False, tail=tail), ("follow", "true")]
    return LogStream(session.stream(_log_request(pod, namespace, query, _SILENT)))


class LogStream:
    """Lines of a container as they come; iterate over it, or stop it from any thread. A context manager."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[str]:
        rest = b""
        for chunk in self._stream:
            *whole, rest = (rest + chunk).split(b"\n")
            yield from (line.decode("utf-8", "replace") for line in whole)
        if rest:
            yield rest.decode("utf-8", "replace")

    def until(self, condition: Callable[[str], bool], *, timeout: float | Deadline, wanted: str) -> str:
        """Return the first line for which a condition is true.

        Raises:
            DeadlineError: no such line came in time, or the container ended; `seen` is the last line.
        """
        deadline = timeout if isinstance(timeout, Deadline) else Deadline.after(timeout)
        timer = _at(deadline, self.stop)
        last = ""
        try:
            for line in self:
                if condition(line):
                    return line
                last = line
        finally:
            timer()
        ended = "" if deadline.expired() else " (the container has ended)"
        raise DeadlineError(f"{wanted} within {deadline.total:g} s", seen=f"last line{ended}: {last or 'none'}")

    def stop(self) -> None:
        """End the stream at once."""
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _at(deadline: Deadline, action: Callable[[], None]) -> Callable[[], None]:
    """Call an action at a deadline; return what calls that off."""
    import threading

    timer = threading.Timer(deadline.left(), action)
    timer.daemon = True
    timer.start()
    return timer.cancel


def _log_request(pod: str, namespace: str, query: Sequence[tuple[str, str]], read: float) -> Request:
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
    return Request(
        method="GET", path=path, query=query, wanted=f"logs of pod {namespace}/{pod}", accept="*/*", read=read
    )


def _log_query(container: str | None, *, previous: bool, tail: int | None) -> list[tuple[str, str]]:
    query = [("container", container)] if container else []
    query += [("previous", "true")] if previous else []
    query += [("tailLines", str(tail))] if tail is not None else []
    return query
