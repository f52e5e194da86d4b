"""A local port that leads to a port of a pod, also after the pod was replaced.

Everybody above gets a PortForward from Kube.port_forward. A listener accepts connections; each one gets a websocket
of its own to the pod that is the target at that moment, so a pod's end breaks its connections and not the forward.
Protocol: v4.channel.k8s.io; channel 0 carries data, channel 1 an error text, and both begin with the port number.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from harness.kit.errors import HarnessError
from harness.kit.waiting import Deadline
from harness.kube.channels import Channels, HasFileno, wait_for
from harness.kube.errors import ApiError

__all__ = ["Endpoint", "PortForward"]

_HOST = "127.0.0.1"
_DATA, _ERROR = 0, 1
_PREFIX = 2  # bytes of the port number that each channel begins with
_CHUNK = 1 << 15
_FULL = 1 << 20  # bytes on their way in one direction before we stop reading for it
_NOTES = 100
_PAUSE = 0.1  # seconds between two tries to find a pod
_BACKLOG = 128
_JOIN = 2.0  # seconds that stop waits for its threads
_LINGER = 1.0  # seconds of silence after which a client that has closed its side is let go


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A pod and its port."""

    pod: str
    namespace: str
    port: int
    uid: str = ""

    def __str__(self) -> str:
        return f"{self.namespace}/{self.pod}:{self.port}"


class Dialer(Protocol):
    """What a forward needs of the client."""

    def resolve(self) -> Endpoint:
        """Return the pod to speak to now; raise a HarnessError that says why there is none."""
        ...

    def dial(self, endpoint: Endpoint) -> Channels:
        """Open a connection to a pod's port; raise an ApiError when that fails."""
        ...


class PortForward:
    """A listener on a local port; a context manager. `notes` tells what happened to it and to the pod behind it.

    Args:
        target: what it leads to, for messages.
        dialer: finds the pod and opens connections to it.
        patience: seconds that a new connection waits for a pod that is being replaced.
        pause: how the time between two tries is spent.
    """

    def __init__(
        self, target: str, dialer: Dialer, *, patience: float = 10.0, pause: Callable[[float], object] | None = None
    ) -> None:
        self.target = target
        self.host = _HOST
        self.port = 0
        self.notes: deque[str] = deque(maxlen=_NOTES)
        self._dialer = dialer
        self._patience = patience
        self._stopping = threading.Event()
        self._pause = pause or self._stopping.wait
        self._lock = threading.Lock()
        self._last: Endpoint | None = None
        self._listener: socket.socket | None = None
        self._threads: set[threading.Thread] = set()
        self._wake, self._woken = socket.socketpair()  # closing one end wakes every thread that waits on the other

    def start(self) -> Self:
        """Find the pod and begin to listen.

        Raises:
            HarnessError: there is no pod to speak to.
        """
        try:
            self._last = self._dialer.resolve()
            self._listener = socket.create_server((self.host, 0), backlog=_BACKLOG)
            self.port = self._listener.getsockname()[1]
            self._spawn(self._accept, self._listener)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop listening and end all connections."""
        self._stopping.set()
        self._wake.close()
        deadline = Deadline.after(_JOIN)
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join(deadline.left())
        if self._listener is not None:
            self._listener.close()
        self._woken.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _spawn(self, work: Callable[[socket.socket], None], sock: socket.socket) -> None:
        def run() -> None:
            try:
                work(sock)
            finally:
                with self._lock:
                    self._threads.discard(threading.current_thread())

        thread = threading.Thread(target=run, name=f"port-forward {self.target}", daemon=True)
        with self._lock:
            self._threads.add(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            wait_for([listener, self._woken])
            if self._stopping.is_set():
                return
            client, _ = listener.accept()
            self._spawn(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with client:
            try:
                endpoint, channels = self._connect()
            except HarnessError as error:
                self._note(f"a connection to {self.target} failed: {error.seen or error.wanted}")
                return
            try:
                error_text = _Pump(client, channels, self._woken).run()
            finally:
                channels.close()
            if error_text:
                self._note(f"a connection to {endpoint} ended: {error_text}")

    def _connect(self) -> tuple[Endpoint, Channels]:
        """Open a connection to the pod; while a pod is missing, look again until patience ends."""
        deadline = Deadline.after(self._patience)
        while True:
            try:
                endpoint = self._dialer.resolve()
                channels = self._dialer.dial(endpoint)
            except HarnessError as error:
                final = isinstance(error, ApiError) and error.status in {401, 403}
                if final or deadline.expired() or self._stopping.is_set():
                    raise
                self._pause(_PAUSE)
                continue
            self._moved(endpoint)
            return endpoint, channels

    def _moved(self, endpoint: Endpoint) -> None:
        with self._lock:
            last, self._last = self._last, endpoint
        if last is not None and last != endpoint:
            self._note(f"{last} (uid {last.uid}) was replaced; new connections go to {endpoint} (uid {endpoint.uid})")

    def _note(self, text: str) -> None:
        if not self._stopping.is_set():
            self.notes.append(text)


class _Pump:
    """Carries bytes both ways between a local connection and a pod's port, in one thread."""

    def __init__(self, client: socket.socket, channels: Channels, woken: socket.socket) -> None:
        self._client = client
        self._channels = channels
        self._woken = woken
        self._down = bytearray()  # on its way to the client
        self._heard: set[int] = set()  # channels whose leading port number has come
        self._error = bytearray()
        self._client_ended = False
        self._stopped = False
        client.settimeout(0)

    def run(self) -> str:
        """Carry until one side ends; return what went wrong, empty for a normal end."""
        try:
            # A server that speaks first may have done so while the connection was opened: those bytes are in TLS's
            # buffer already, and the descriptor will not tell of them.
            self._from_pod()
            while not self._finished():
                self._step()
        except OSError:  # the client has gone away
            return ""
        if self._error:
            return self._error.decode("utf-8", "replace").strip()
        return "" if self._client_ended else self._channels.ended or ""

    def _finished(self) -> bool:
        ended = self._channels.ended is not None or bool(self._error)
        return self._stopped or (ended and not self._down)

    def _step(self) -> None:
        readable, writable = self._wait()
        ready = readable | writable
        if self._woken.fileno() in ready or not ready:
            self._stopped = True
            return
        if self._channels.ended is None and self._channels.fileno() in ready:
            self._from_pod()
        if self._client.fileno() in readable and not self._client_ended:
            self._from_client()
        if self._down:
            self._to_client()

    def _wait(self) -> tuple[set[int], set[int]]:
        """Wait for what can be carried: from a side only as long as the other one takes it."""
        readers: list[HasFileno] = [self._woken]
        writers: list[HasFileno] = [self._client] if self._down else []
        if self._channels.ended is None:
            readers += [self._channels] if len(self._down) < _FULL else []
            readers += [self._client] if not self._client_ended and self._channels.pending < _FULL else []
            writers += [self._channels] if self._channels.pending else []
        # The protocol cannot tell the pod that the client has said all; so the rest of an answer is waited for.
        return wait_for(readers, writers, _LINGER if self._client_ended else None)

    def _from_pod(self) -> None:
        self._channels.flush()
        for channel, data in self._channels.read():
            self._take(channel, data)

    def _take(self, channel: int, data: bytes) -> None:
        if channel not in self._heard:
            self._heard.add(channel)
            data = data[_PREFIX:]
        if channel == _DATA:
            self._down += data
        elif channel == _ERROR:
            self._error += data

    def _from_client(self) -> None:
        try:
            data = self._client.recv(_CHUNK)
        except BlockingIOError:
            return
        if data:
            self._channels.send(_DATA, data)
        else:
            self._client_ended = True

    def _to_client(self) -> None:
        with contextlib.suppress(BlockingIOError):
            del self._down[: self._client.send(self._down)]
