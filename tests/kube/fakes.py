"""Fakes below the transport's seam: a server that answers from a script, streams that a test feeds, a hand-moved clock.

Imported by the tests of harness.kube.
"""

from __future__ import annotations

import json
import queue
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import websocket

from harness.kube.discovery import Resource
from harness.kube.errors import Unreachable
from harness.kube.transport import Request, Response, Stream

SERVER = "https://10.0.0.1:6443"
CONFIG_MAPS = Resource(group="", version="v1", kind="ConfigMap", plural="configmaps", namespaced=True)
DISCOVERY_CORE = {
    "kind": "APIGroupDiscoveryList",
    "items": [
        {
            "metadata": {},
            "versions": [
                {
                    "version": "v1",
                    "resources": [
                        {
                            "resource": plural,
                            "responseKind": {"group": "", "version": "v1", "kind": kind},
                            "scope": scope,
                            "verbs": ["get", "list", "watch"],
                            "shortNames": [short],
                            "subresources": [{"subresource": "status"}],
                        }
                        for plural, kind, scope, short in (
                            ("configmaps", "ConfigMap", "Namespaced", "cm"),
                            ("namespaces", "Namespace", "Cluster", "ns"),
                            ("pods", "Pod", "Namespaced", "po"),
                            ("services", "Service", "Namespaced", "svc"),
                        )
                    ],
                }
            ],
        }
    ],
}


def answer(value: Any, status: int = 200, **headers: str) -> Response:
    """Return a JSON answer; header names are given with underscores."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Response(status=status, body=json.dumps(value).encode(), headers=named)


def refusal(status: int, reason: str, message: str = "no", **details: Any) -> dict[str, Any]:
    """Return a Status object."""
    return {"kind": "Status", "code": status, "reason": reason, "message": message, "details": details}


def config_map(name: str, version: str, uid: str = "", **data: str) -> dict[str, Any]:
    """Return an object as a server would."""
    metadata = {"name": name, "namespace": "ns", "resourceVersion": version, "uid": uid or f"uid-{name}"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def listed(version: str, *objects: dict[str, Any], **metadata: str) -> Response:
    """Return a list answer, its items without apiVersion and kind as a server sends them."""
    items = [{key: value for key, value in one.items() if key not in {"apiVersion", "kind"}} for one in objects]
    return answer({"kind": "List", "metadata": {"resourceVersion": version, **metadata}, "items": items})


def line(word: str, thing: dict[str, Any]) -> bytes:
    """Return a watch event as it is sent."""
    return json.dumps({"type": word, "object": thing}).encode() + b"\n"


def bookmark(version: str) -> bytes:
    """Return a bookmark as it is sent."""
    return line("BOOKMARK", {"kind": "ConfigMap", "metadata": {"resourceVersion": version}})


class FakeStream:
    """A stream that yields what a test put in, chunk by chunk; an exception in it is raised."""

    def __init__(self, *chunks: bytes | Exception, status: int = 200, open_end: bool = False) -> None:
        self.status = status
        self.closed = threading.Event()
        self._chunks: queue.SimpleQueue[bytes | Exception | None] = queue.SimpleQueue()
        for chunk in chunks:
            self._chunks.put(chunk)
        if not open_end:
            self._chunks.put(None)

    def feed(self, *chunks: bytes | Exception | None) -> None:
        """Add chunks; None ends the stream."""
        for chunk in chunks:
            self._chunks.put(chunk)

    def __iter__(self) -> Iterator[bytes]:
        while (chunk := self._chunks.get(timeout=10)) is not None:
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk

    def close(self) -> None:
        """End as a real stream does: the reader wakes up."""
        self.closed.set()
        self._chunks.put(None)


class FakeTransport:
    """Answers requests and streams from scripts, in order, and remembers what was asked.

    `at_end` is called when the script of streams is used up, before a stream that stays open is given.
    """

    server = SERVER

    def __init__(
        self,
        answers: Sequence[Response | Exception] = (),
        streams: Sequence[FakeStream | Exception] = (),
        at_end: Callable[[], None] = lambda: None,
    ) -> None:
        self.requests: list[Request] = []
        self.streamed: list[Request] = []
        self.closed = False
        self.websockets: list[Any] = []
        self.at_end = at_end
        self._answers = list(answers)
        self._streams = list(streams)

    def send(self, request: Request) -> Response:
        """Give the next answer."""
        self.requests.append(request)
        if request.path == "/api" and (not self._answers or "discovery" in request.accept):
            return answer(DISCOVERY_CORE)
        given = self._answers.pop(0)
        if isinstance(given, Exception):
            raise given
        return given

    def stream(self, request: Request) -> Stream:
        """Give the next stream."""
        self.streamed.append(request)
        if not self._streams:
            self.at_end()
            return FakeStream(open_end=True)
        given = self._streams.pop(0)
        if isinstance(given, Exception):
            raise given
        return given

    def websocket(self, request: Request, protocols: Sequence[str]) -> Any:
        """Give the next websocket."""
        self.requests.append(request)
        given = self.websockets.pop(0)
        if isinstance(given, Exception):
            raise given
        return given

    def close(self) -> None:
        """Remember it."""
        self.closed = True


def unreachable(text: str = "connection refused") -> Unreachable:
    """Return the error of a server that does not answer."""
    return Unreachable("ask", reason="no answer", message=text, server=SERVER)


class FakeClock:
    """A clock that moves when somebody pauses, or on every look by `tick`."""

    def __init__(self, tick: float = 0.0) -> None:
        self.now = 1000.0
        self.tick = tick
        self.pauses: list[float] = []

    def __call__(self) -> float:
        self.now += self.tick
        return self.now

    def pause(self, seconds: float) -> None:
        """Move on."""
        self.pauses.append(seconds)
        self.now += seconds


class Peer:
    """The server's end of a websocket made of a socket pair: real frames, no handshake."""

    def __init__(self, protocol: str = "v5.channel.k8s.io") -> None:
        ours, theirs = socket.socketpair()
        self.socket = theirs
        self.client: Any = websocket.WebSocket()
        self.client.sock = ours
        self.client.connected = True
        self.client.handshake_response = type("Handshake", (), {"subprotocol": protocol})()
        self._server: Any = websocket.WebSocket()
        self._server.sock = theirs
        self._server.connected = True
        theirs.settimeout(10)

    def send(self, channel: int, data: bytes) -> None:
        """Send a message as the server does: unmasked."""
        self.frame(bytes([channel]) + data, websocket.ABNF.OPCODE_BINARY)

    def frame(self, data: bytes, opcode: int, fin: int = 1) -> None:
        """Send one frame."""
        self.socket.sendall(self.encode(data, opcode, fin))

    @staticmethod
    def encode(data: bytes, opcode: int, fin: int = 1) -> bytes:
        """Return a frame's bytes as a server sends them."""
        return bytes(websocket.ABNF(fin, 0, 0, 0, opcode, 0, data).format())

    def end(self, code: int = 1000, text: str = "") -> None:
        """Send a close frame."""
        self.frame(code.to_bytes(2, "big") + text.encode(), websocket.ABNF.OPCODE_CLOSE)

    def receive(self) -> tuple[int, bytes]:
        """Return the client's next message."""
        data = self._server.recv_frame().data
        return data[0], bytes(data[1:])

    def receive_frame(self) -> Any:
        """Return the client's next frame."""
        return self._server.recv_frame()

    def close(self) -> None:
        """Break the connection."""
        self._server.shutdown()
