"""Where the harness keeps what it builds (cache) and what it runs (state), and locks between runs.

Everybody may import it. Nothing is created before it is asked for.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.kit.errors import DeadlineError

__all__ = ["cache_dir", "file_lock", "state_dir"]

_NAME = "operator-harness"


def cache_dir() -> Path:
    """Return the folder of what can be built again: $HARNESS_CACHE, else below $XDG_CACHE_HOME or ~/.cache."""
    return _place("HARNESS_CACHE", "XDG_CACHE_HOME", ".cache")


def state_dir() -> Path:
    """Return the folder of what runs now: $HARNESS_STATE, else below $XDG_STATE_HOME or ~/.local/state."""
    return _place("HARNESS_STATE", "XDG_STATE_HOME", ".local/state")


@contextmanager
def file_lock(path: Path, *, timeout: float, wanted: str) -> Iterator[None]:
    """Hold an exclusive lock on a file while the block runs.

    The kernel frees the lock when its holder dies, so a killed run never blocks the next one.

    Args:
        path: the lock file; made when missing, never removed (removing it would race).
        timeout: seconds to wait for another holder.
        wanted: what the lock is for, for the error.

    Raises:
        DeadlineError: another process held the lock all the time; `seen` names it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as handle:
        _acquire(handle.fileno(), path, timeout, wanted)
        try:
            handle.truncate(0)
            handle.write(str(os.getpid()))
            handle.flush()
            yield
        finally:
            handle.truncate(0)
            fcntl.flock(handle.fileno(), fcntl.LOCK_UN)


def _acquire(descriptor: int, path: Path, timeout: float, wanted: str) -> None:
    ends = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= ends:
                holder = path.read_text(encoding="utf-8") or "unknown"
                raise DeadlineError(
                    f"{wanted}: the lock within {timeout:.0f} s",
                    seen=f"held by process {holder}",
                    where=str(path),
                    run=f"ps -p {holder}",
                ) from None
            time.sleep(0.1)  # flock has no timed form; the loop is bounded by the deadline above
        else:
            return


def _place(own: str, xdg: str, fallback: str) -> Path:
    if chosen := os.environ.get(own):
        return Path(chosen)
    base = os.environ.get(xdg)
    return (Path(base) if base else Path.home() / fallback) / _NAME
