"""Numbered channels over one websocket: what exec and port-forward have in common.

Only harness.kube imports it. Reading and writing never block, so that one thread can serve both directions of a
connection: two threads on one TLS connection are not safe, and one that blocks in a write could deadlock with the peer.
"""

from __future__ import annotations

import select
import ssl
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Protocol

__all__ = ["Channels", "HasFileno", "wait_for"]

_LONGEST_WAIT = 1e6  # seconds; poll counts in 32-bit milliseconds
_NORMAL_END = (1000).to_bytes(2, "big")
_AGAIN = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class HasFileno(Protocol):
    """What can be waited for."""

    def fileno(self) -> int:
        """Return the descriptor."""
        ...


def wait_for(
    readers: Iterable[HasFileno], writers: Iterable[HasFileno] = (), timeout: float | None = None
) -> tuple[set[int], set[int]]:
    """Wait until something can be read or written.

    poll and not select, which knows only the first 1,024 descriptors of a process.

    Args:
        readers: what is to be read from.
        writers: what is to be written to.
        timeout: seconds; None is without end.

    Returns:
        The descriptors that can be read (an end and an error count) and those that can be written; empty in time.
    """
    wishes: dict[int, int] = {}
    for things, wish in ((readers, select.POLLIN), (writers, select.POLLOUT)):
        for thing in things:
            wishes[thing.fileno()] = wishes.get(thing.fileno(), 0) | wish
    poll = select.poll()
    for descriptor, wish in wishes.items():
        poll.register(descriptor, wish)
    told = poll.poll(None if timeout is None else min(timeout, _LONGEST_WAIT) * 1000)
    return {fd for fd, what in told if what & ~select.POLLOUT}, {fd for fd, what in told if what & select.POLLOUT}


class Channels:
    """A websocket whose messages begin with the number of their channel.

    `ended` is None while the connection lives, and then what the other side said at the end, or the error.

    Args:
        websocket: an open websocket of websocket-client.
    """

    def __init__(self, websocket: Any) -> None:
        self.ended: str | None = None
        self.protocol = str(websocket.getsubprotocol() or "")
        self._websocket = websocket
        self._out = bytearray()
        self._parts = bytearray()  # of a message that comes in several frames
        websocket.sock.settimeout(0)

    def fileno(self) -> int:
        """Return the socket's descriptor; only while the connection lives."""
        return int(self._websocket.sock.fileno())

    @property
    def pending(self) -> int:
        """How many bytes wait to be sent."""
        return len(self._out)

    def send(self, channel: int, data: bytes) -> None:
        """Queue data for a channel and send what can be sent now."""
        self._queue(bytes([channel]) + data, "binary")

    def read(self) -> list[tuple[int, bytes]]:
        """Return the messages that have arrived: (channel, data); notes the end of the connection."""
        messages: list[tuple[int, bytes]] = []
        while self.ended is None and (frame := self._frame()) is not None:
            if message := self._message(frame):
                messages.append((message[0], message[1:]))
        return messages

    def flush(self) -> None:
        """Send what can be sent now; notes the end of the connection."""
        try:
            while self._out and self.ended is None:
                del self._out[: self._websocket.sock.send(self._out)]
        except _AGAIN:
            return
        except OSError as error:
            self._end(str(error))

    def wait(self, timeout: float) -> bool:
        """Wait until something can be read or queued bytes can be sent; tell whether that came in time."""
        readable, writable = wait_for([self], [self] if self._out else [], timeout)
        return bool(readable or writable)

    def close(self) -> None:
        """End the connection without waiting for the other side's agreement."""
        if self.ended is None:
            self._queue(_NORMAL_END, "close")
            self._end("closed")

    def _end(self, how: str) -> None:
        if self.ended is None:
            self.ended = how
            with suppress(OSError):
                self._websocket.shutdown()

    def _frame(self) -> Any:
        """Return the next frame, None when none is there yet or ever."""
        import websocket

        try:
            return self._websocket.recv_frame()
        except _AGAIN:
            return None
        except (websocket.WebSocketException, OSError) as error:
            self._end(str(error))
            return None

    def _message(self, frame: Any) -> bytes:
        """Return a message that is complete with a frame, else nothing."""
        from websocket import ABNF

        if frame.opcode == ABNF.OPCODE_CLOSE:
            self._end(bytes(frame.data[2:]).decode("utf-8", "replace"))
        elif frame.opcode == ABNF.OPCODE_PING:
            self._queue(bytes(frame.data), "pong")
        elif frame.opcode != ABNF.OPCODE_PONG:
            self._parts += frame.data
            if frame.fin:
                whole, self._parts = bytes(self._parts), bytearray()
                return whole
        return b""

    def _queue(self, data: bytes, kind: str) -> None:
        from websocket import ABNF

        opcode = {"binary": ABNF.OPCODE_BINARY, "close": ABNF.OPCODE_CLOSE, "pong": ABNF.OPCODE_PONG}[kind]
        self._out += ABNF.create_frame(data, opcode).format()
        self.flush()
