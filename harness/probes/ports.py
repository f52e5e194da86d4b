"""Is anybody listening? TCP from here, and names and ports as a pod sees them.

Imported by suites. Inside a pod nothing but bash and getent is needed, so any image with a C library will do.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from typing import Protocol

from harness.kit.errors import HarnessError

__all__ = ["Runner", "is_open", "open_from", "resolve_from"]

_NOT_FOUND = 2  # getent's exit code for a name that nobody knows


class Runner(Protocol):
    """Runs a program somewhere and returns its exit code and output: a pod, mostly."""

    def __call__(self, argv: Sequence[str], /, *, timeout: float) -> tuple[int, str]:
        """Return the exit code and the standard output."""
        ...


def is_open(host: str, port: int, *, timeout: float = 2.0) -> bool:
    """Tell whether a TCP connection can be made from here.

    Args:
        host: name or address.
        port: TCP port.
        timeout: seconds.
    """
    try:
        with socket.create_connection((host, port), timeout=timeout):
            return True
    except OSError:
        return False


def resolve_from(run: Runner, name: str, *, timeout: float = 15.0) -> frozenset[str]:
    """Return the addresses that a name has where the runner runs; none when it has none.

    Args:
        run: runs programs, in a pod for instance.
        name: a host name; with a dot at its end it is not searched for in the pod's own domains.
        timeout: seconds.

    Raises:
        HarnessError: getent cannot be run, or says neither yes nor no.
    """
    code, output = run(["getent", "ahosts", name], timeout=timeout)
    if code == _NOT_FOUND:
        return frozenset()
    if code != 0:
        raise HarnessError(f"the addresses of {name}", seen=f"getent ended with {code}: {output.strip()}")
    found = {line.split()[0] for line in output.splitlines() if line.strip()}
    return frozenset(str(ipaddress.ip_address(address)) for address in found)


def open_from(run: Runner, host: str, port: int, *, timeout: float = 5.0) -> bool:
    """Tell whether a TCP connection can be made where the runner runs.

    Args:
        run: runs programs, in a pod for instance; it needs bash.
        host: name or address.
        port: TCP port.
        timeout: seconds that the connection may take.
    """
    script = 'exec 3<>"/dev/tcp/$0/$1"'
    argv = ["timeout", f"{timeout:g}", "bash", "-c", script, host, str(port)]
    code, _output = run(argv, timeout=timeout + 5)
    return code == 0
