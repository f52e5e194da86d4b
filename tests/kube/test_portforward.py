"""A local port and the pods behind it, against peers that speak the protocol."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from harness.kit.errors import HarnessError
from harness.kube import Forbidden, PortForward
from harness.kube.channels import Channels
from harness.kube.portforward import Endpoint, _Pump
from tests.kube.fakes import Peer

PORT = (3306).to_bytes(2, "little")
FIRST = Endpoint(pod="p", namespace="ns", port=3306, uid="1")
SECOND = Endpoint(pod="p", namespace="ns", port=3306, uid="2")


class FakeDialer:
    """Finds endpoints from a script (the last one stays) and keeps the peers of the connections that were opened."""

    def __init__(self, *found: Endpoint | HarnessError) -> None:
        self._found = list(found)
        self.peers: list[Peer] = []
        self.dialled: list[Endpoint] = []
        self.opened = threading.Semaphore(0)

    def resolve(self) -> Endpoint:
        found = self._found.pop(0) if len(self._found) > 1 else self._found[0]
        if isinstance(found, HarnessError):
            raise found
        return found

    def dial(self, endpoint: Endpoint) -> Channels:
        peer = Peer("v4.channel.k8s.io")
        peer.send(0, PORT)
        peer.send(1, PORT)
        self.dialled.append(endpoint)
        self.peers.append(peer)
        self.opened.release()
        return Channels(peer.client)

    def next_peer(self) -> Peer:
        """Wait for the next connection and return its peer."""
        assert self.opened.acquire(timeout=5)
        return self.peers[-1]

    def close(self) -> None:
        for peer in self.peers:
            peer.close()


Open = Callable[..., tuple[PortForward, FakeDialer]]


@pytest.fixture
def opened() -> Iterator[Open]:
    """Yield a function that starts a forward; it is stopped in the end."""
    made: list[tuple[PortForward, FakeDialer]] = []

    def start(*found: Endpoint | HarnessError, patience: float = 0.0) -> tuple[PortForward, FakeDialer]:
        dialer = FakeDialer(*(found or (FIRST,)))
        forward = PortForward("ns/p:3306", dialer, patience=patience, pause=lambda _: None)
        made.append((forward, dialer))
        return forward.start(), dialer

    yield start
    for forward, dialer in made:
        forward.stop()
        dialer.close()
        assert not forward._threads, "every thread has ended"


def connect(forward: PortForward) -> socket.socket:
    """Connect as a client would."""
    client = socket.create_connection((forward.host, forward.port), timeout=5)
    client.settimeout(5)
    return client


def drained(client: socket.socket) -> bytes:
    """Return all that comes until the end."""
    data = b""
    while piece := client.recv(65536):
        data += piece
    return data


def test_bytes_go_both_ways(opened: Open) -> None:
    """What the client sends reaches the pod, what the pod sends reaches the client, without the port numbers."""
    forward, dialer = opened()
    with connect(forward) as client:
        peer = dialer.next_peer()
        client.sendall(b"query")
        assert peer.receive() == (0, b"query")
        peer.send(0, b"answer")
        assert client.recv(100) == b"answer"
    assert not forward.notes


class Buffered(Channels):
    """Channels over TLS that hold a message already, of which their descriptor does not tell."""

    early: tuple[tuple[int, bytes], ...] = ((0, PORT), (1, PORT), (0, b"greeting"))

    def read(self) -> list[tuple[int, bytes]]:
        messages, self.early = list(self.early), ()
        return messages


def test_a_greeting_that_came_with_the_handshake_is_not_held_back() -> None:
    """A server that speaks first is heard, though the descriptor never turns readable."""
    peer = Peer("v4.channel.k8s.io")
    client, ours = socket.socketpair()
    waker, woken = socket.socketpair()
    thread = threading.Thread(target=_Pump(ours, Buffered(peer.client), woken).run, daemon=True)
    with client, ours, waker, woken:
        thread.start()
        client.settimeout(5)
        assert client.recv(100) == b"greeting"
        waker.close()
        thread.join(5)
    peer.client.shutdown()
    peer.close()


def test_connections_do_not_mix(opened: Open) -> None:
    """Each local connection has a connection of its own to the pod."""
    forward, dialer = opened()
    with connect(forward) as one, connect(forward) as two:
        dialer.next_peer()
        dialer.next_peer()
        one.sendall(b"1")
        two.sendall(b"2")
        assert sorted(peer.receive()[1] for peer in dialer.peers) == [b"1", b"2"]


def test_much_data_in_both_directions_does_not_lock_up(opened: Open) -> None:
    """A client that sends a lot before it reads gets all of it back from a pod that echoes."""
    forward, dialer = opened()
    amount = 6_000_000
    with connect(forward) as client:
        peer = dialer.next_peer()

        def echo() -> None:
            done = 0
            while done < amount:
                data = peer.receive()[1]
                done += len(data)
                peer.send(0, data)
            peer.end()

        threads = [threading.Thread(target=echo), threading.Thread(target=client.sendall, args=(b"x" * amount,))]
        for thread in threads:
            thread.start()
        assert len(drained(client)) == amount
        for thread in threads:
            thread.join(5)


def test_the_rest_of_an_answer_reaches_a_client_that_has_closed_its_side(opened: Open) -> None:
    """A client that shuts down its sending side still gets the answer."""
    forward, dialer = opened()
    with connect(forward) as client:
        peer = dialer.next_peer()
        client.sendall(b"q")
        client.shutdown(socket.SHUT_WR)
        assert peer.receive() == (0, b"q")
        peer.send(0, b"late answer")
        peer.end()
        assert drained(client) == b"late answer"


def test_a_port_where_nobody_listens_is_noted(opened: Open) -> None:
    """The pod's refusal closes the connection and is told in the notes."""
    forward, dialer = opened()
    with connect(forward) as client:
        dialer.next_peer().send(1, b"connect: connection refused\n")
        assert client.recv(1) == b""
    forward.stop()
    assert list(forward.notes) == ["a connection to ns/p:3306 ended: connect: connection refused"]


def test_a_pod_that_goes_away_breaks_its_connection_and_not_the_forward(opened: Open) -> None:
    """The client sees the end at once; the next connection goes to the new pod, and both are noted."""
    forward, dialer = opened(FIRST, FIRST, SECOND)
    with connect(forward) as client:
        dialer.next_peer().close()
        assert client.recv(1) == b""
    with connect(forward) as client:
        peer = dialer.next_peer()
        client.sendall(b"again")
        assert peer.receive() == (0, b"again")
    assert dialer.dialled == [FIRST, SECOND]
    ended, replaced = forward.notes
    assert ended.startswith("a connection to ns/p:3306 ended: ")
    assert replaced == "ns/p:3306 (uid 1) was replaced; new connections go to ns/p:3306 (uid 2)"


def test_a_new_connection_waits_for_the_new_pod(opened: Open) -> None:
    """While the pod is being replaced, a connection waits instead of failing."""
    missing = HarnessError("a pod", seen="pod ns/p is Pending")
    forward, dialer = opened(FIRST, missing, missing, SECOND, patience=5.0)
    with connect(forward) as client:
        client.sendall(b"hello")
        assert dialer.next_peer().receive() == (0, b"hello")


def test_without_a_new_pod_the_connection_fails_with_a_note(opened: Open) -> None:
    """When patience ends the client's connection is closed and the notes say why."""
    forward, _ = opened(FIRST, HarnessError("a pod", seen="pod ns/p is Failed"))
    with connect(forward) as client:
        assert client.recv(1) == b""
    forward.stop()
    assert list(forward.notes) == ["a connection to ns/p:3306 failed: pod ns/p is Failed"]


def test_a_missing_right_is_not_waited_for(opened: Open) -> None:
    """Patience is for pods that come back, not for refusals."""
    forward, _ = opened(FIRST, Forbidden("dial", status=403, reason="Forbidden"), patience=60.0)
    with connect(forward) as client:
        assert client.recv(1) == b""


def test_a_forward_without_a_pod_does_not_start() -> None:
    """The first look is made at once, and its error is the caller's."""
    with pytest.raises(HarnessError, match="a pod"):
        PortForward("x", FakeDialer(HarnessError("a pod", seen="none"))).start()


def test_stop_ends_listener_connections_and_threads(opened: Open) -> None:
    """After stop the port is closed, open connections end, and stopping again does nothing."""
    forward, dialer = opened()
    with connect(forward) as client:
        dialer.next_peer()
        forward.stop()
        assert client.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            connect(forward)
        forward.stop()
    assert not forward.notes
