"""Ports from here, and names and ports as a pod sees them, through a runner."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Sequence

import pytest

from harness.kit.errors import HarnessError
from harness.probes.ports import is_open, open_from, resolve_from


def local(argv: Sequence[str], /, *, timeout: float) -> tuple[int, str]:
    done = subprocess.run(list(argv), capture_output=True, text=True, timeout=timeout, check=False)
    return done.returncode, done.stdout


def test_an_open_and_a_closed_port() -> None:
    """A listener is open, from here and through a runner; the same port is closed when it ended."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        assert is_open("127.0.0.1", port)
        assert open_from(local, "127.0.0.1", port)
    assert not is_open("127.0.0.1", port)
    assert not open_from(local, "127.0.0.1", port)


def test_a_name_has_its_addresses_once() -> None:
    """Getent prints an address for each kind of socket; each counts once."""

    def getent(argv: Sequence[str], /, *, timeout: float) -> tuple[int, str]:
        assert argv == ["getent", "ahosts", "db"]
        return 0, "10.0.0.7  STREAM db\n10.0.0.7  DGRAM\n10.0.0.8  STREAM\nFD00::0001  STREAM\n"

    assert resolve_from(getent, "db") == {"10.0.0.7", "10.0.0.8", "fd00::1"}


def test_an_unknown_name_has_none() -> None:
    """A name that the name service does not know has no address; that is an answer, not an error."""
    assert resolve_from(lambda argv, /, *, timeout: (2, ""), "db") == frozenset()


def test_a_runner_without_getent_is_an_error() -> None:
    """A missing program is not taken for a missing name."""
    with pytest.raises(HarnessError, match="the addresses of db") as caught:
        resolve_from(lambda argv, /, *, timeout: (127, "not found"), "db")
    assert caught.value.seen == "getent ended with 127: not found"
