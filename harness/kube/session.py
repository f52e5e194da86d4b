"""Requests with retries, JSON and errors: what client, discovery, watch and streams share.

Only harness.kube imports it. Clock and pause are injected, so that tests of retries take no real time.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from harness.kit.waiting import Deadline
from harness.kube.errors import Unreachable, error_from
from harness.kube.transport import Request, Response, Stream, Transport

__all__ = ["Session"]

_BUSY = frozenset({429, 503})
_OK = 300
_BROKEN_CONNECTION_RETRIES = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A transport with the rules for using it.

    Args:
        transport: carries the bytes.
        request_timeout: seconds for one request, its retries included.
        clock: a monotonic clock.
        pause: how waiting for a busy server is done.
    """

    transport: Transport
    request_timeout: float = 30.0
    clock: Callable[[], float] = field(default=time.monotonic)
    pause: Callable[[float], None] = field(default=time.sleep)

    def json(self, request: Request, body: Any = None) -> Any:
        """Carry out a request and return its answer as JSON.

        Args:
            request: the request; its `read` is cut to the session's timeout.
            body: a JSON value to send, when not None.

        Raises:
            ApiError: the server refused, or did not answer in time.
        """
        if body is not None:
            request = replace(request, body=json.dumps(body, separators=(",", ":")).encode())
        answer = self.send(request)
        try:
            return json.loads(answer.body) if answer.body else {}
        except ValueError:
            raise error_from(request.wanted, answer.status, answer.body, server=self.transport.server) from None

    def send(self, request: Request) -> Response:
        """Carry out a request; a server that says when to come back is asked again within the timeout.

        Raises:
            ApiError: the server refused, or did not answer in time.
        """
        deadline = Deadline.after(self.request_timeout, self.clock)
        broken = 0
        while True:
            try:
                answer = self.transport.send(replace(request, read=max(0.05, min(request.read, deadline.left()))))
            except Unreachable:
                broken += 1
                # A kept connection that was closed meanwhile says nothing about the server; reads are safe to repeat.
                if request.method != "GET" or broken > _BROKEN_CONNECTION_RETRIES or deadline.expired():
                    raise
                continue
            if answer.status < _OK:
                return answer
            wait = _wait_asked_for(answer)
            if wait is None or wait > deadline.left():
                raise error_from(request.wanted, answer.status, answer.body, server=self.transport.server)
            self.pause(wait)

    def stream(self, request: Request) -> Stream:
        """Begin a request whose answer is read while it comes.

        Raises:
            ApiError: the server refused.
        """
        stream = self.transport.stream(request)
        if stream.status < _OK:
            return stream
        body = b"".join(stream)
        raise error_from(request.wanted, stream.status, body, server=self.transport.server)


def _wait_asked_for(answer: Response) -> float | None:
    """Return the seconds that a busy server asks for; None when repeating would not help."""
    if answer.status not in _BUSY or _budget_forbids(answer.body):
        return None
    headers: Mapping[str, str] = {name.lower(): value for name, value in answer.headers.items()}
    try:
        return max(0.05, float(headers.get("retry-after", "")))
    except ValueError:
        return None


def _budget_forbids(body: bytes) -> bool:
    """Tell a disruption budget's refusal, which also is a 429, from a busy server."""
    with contextlib.suppress(ValueError, AttributeError):
        causes = (json.loads(body).get("details") or {}).get("causes") or []
        return any(cause.get("reason") == "DisruptionBudget" for cause in causes)
    return False
