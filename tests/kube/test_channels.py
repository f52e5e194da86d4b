"""Numbered channels over real websocket frames."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
import websocket

from harness.kube.channels import Channels, wait_for
from tests.kube.fakes import Peer


@pytest.fixture
def peer() -> Iterator[Peer]:
    """Yield the server's end."""
    peer = Peer()
    yield peer
    peer.close()
    peer.client.shutdown()


def test_messages_carry_their_channel_both_ways(peer: Peer) -> None:
    """The first byte is the channel, the rest the data."""
    channels = Channels(peer.client)
    assert channels.protocol == "v5.channel.k8s.io"
    channels.send(3, b"up")
    assert peer.receive() == (3, b"up")
    peer.send(1, b"down")
    peer.send(2, b"")
    assert channels.wait(5)
    assert channels.read() == [(1, b"down"), (2, b"")]
    assert channels.read() == []
    assert channels.ended is None


def test_half_a_frame_is_waited_for(peer: Peer) -> None:
    """A frame that comes in pieces is returned once it is whole; reading never blocks."""
    channels = Channels(peer.client)
    data = Peer.encode(b"\x01" + b"x" * 300, websocket.ABNF.OPCODE_BINARY)
    for piece in (data[:1], data[1:3], data[3:50]):
        peer.socket.sendall(piece)
        assert channels.wait(5)
        assert channels.read() == []
    peer.socket.sendall(data[50:])
    assert channels.wait(5)
    assert channels.read() == [(1, b"x" * 300)]


def test_a_message_may_come_in_several_frames(peer: Peer) -> None:
    """Continuation frames belong to the message before them."""
    channels = Channels(peer.client)
    peer.frame(b"\x01ab", websocket.ABNF.OPCODE_BINARY, fin=0)
    peer.frame(b"cd", websocket.ABNF.OPCODE_CONT)
    assert channels.wait(5)
    assert channels.read() == [(1, b"abcd")]


def test_a_ping_is_answered_and_is_no_message(peer: Peer) -> None:
    """Control frames are dealt with here."""
    channels = Channels(peer.client)
    peer.frame(b"hey", websocket.ABNF.OPCODE_PING)
    peer.frame(b"", websocket.ABNF.OPCODE_PONG)
    assert channels.wait(5)
    assert channels.read() == []
    frame = peer.receive_frame()
    assert (frame.opcode, frame.data) == (websocket.ABNF.OPCODE_PONG, b"hey")


def test_what_came_before_the_end_is_returned(peer: Peer) -> None:
    """The last messages are not lost when the connection ends right after them; the end's reason is kept."""
    channels = Channels(peer.client)
    peer.send(1, b"last")
    peer.end(1011, "why")
    assert channels.wait(5)
    assert channels.read() == [(1, b"last")]
    assert channels.ended == "why"
    assert channels.read() == []


def test_a_broken_connection_is_an_end(peer: Peer) -> None:
    """A connection that is lost without a word ends, on reading and on writing, and writing more does no harm."""
    channels = Channels(peer.client)
    peer.close()
    assert channels.wait(5)
    assert channels.read() == []
    assert channels.ended
    channels.send(0, b"x")
    channels.close()


def test_writing_does_not_block_on_a_peer_that_does_not_read(peer: Peer) -> None:
    """What cannot be sent stays queued, and goes out in order when the peer reads."""
    channels = Channels(peer.client)
    for _ in range(40):
        channels.send(0, b"x" * 65536)
    assert channels.pending > 0
    received = 0
    while received < 40 * 65536:
        channels.flush()
        received += len(peer.receive()[1])
    assert (received, channels.pending) == (40 * 65536, 0)


def test_close_says_so_and_is_repeatable(peer: Peer) -> None:
    """The peer gets a close frame."""
    channels = Channels(peer.client)
    channels.close()
    channels.close()
    assert peer.receive_frame().opcode == websocket.ABNF.OPCODE_CLOSE
    assert channels.ended == "closed"


def test_waiting_tells_readers_from_writers() -> None:
    """Descriptors are told as readable or writable; a closed peer counts as readable; in time there is nothing."""
    one, two = socket.socketpair()
    with one, two:
        assert wait_for([one], (), 0) == (set(), set())
        assert wait_for([one], [one], 5) == (set(), {one.fileno()})
        two.close()
        assert one.fileno() in wait_for([one], (), None)[0]
