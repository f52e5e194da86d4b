"""A queue of keys that are due at a moment; a key that stands in it twice is worked on once.

Private to the engine. One worker takes keys, any thread adds them.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["Backoff", "WorkQueue"]

K = TypeVar("K")


class WorkQueue(Generic[K]):
    """Keys with the moment at which they are due; the earliest moment of a key counts.

    Args:
        clock: a monotonic clock, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._due: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._count = 0  # breaks ties, so that keys are never compared
        self._closed = False

    def add(self, key: K, after: float = 0.0) -> None:
        """Make a key due in so many seconds; it stays due earlier when it already is."""
        moment = self._clock() + after
        with self._changed:
            if self._due.get(key, float("inf")) <= moment:
                return
            self._due[key] = moment
            self._count += 1
            heapq.heappush(self._heap, (moment, self._count, key))
            self._changed.notify()

    def take(self, timeout: float) -> K | None:
        """Return the next key that is due, None when none is within the seconds given or the queue is closed."""
        end = self._clock() + timeout
        with self._changed:
            while not self._closed:
                now = self._clock()
                moment = self._next()
                if moment is not None and moment <= now:
                    key = heapq.heappop(self._heap)[2]
                    del self._due[key]
                    return key
                if now >= end:
                    return None
                self._changed.wait(min(end, moment if moment is not None else end) - now)
            return None

    def close(self) -> None:
        """Wake the worker and give out nothing more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _next(self) -> float | None:
        while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)  # superseded by an earlier moment of the same key
        return self._heap[0][0] if self._heap else None


class Backoff(Generic[K]):
    """Growing pauses per key: the first, then doubled, up to the longest.

    Args:
        first: seconds.
        longest: seconds.
    """

    def __init__(self, first: float, longest: float) -> None:
        self._first = first
        self._longest = longest
        self._times: dict[K, int] = {}

    def pause(self, key: K) -> float:
        """Return the next pause of a key, in seconds."""
        times = self._times.get(key, 0)
        self._times[key] = times + 1
        return float(min(self._longest, self._first * 2 ** min(times, 30)))

    def reset(self, key: K) -> None:
        """Begin again with the first pause."""
        self._times.pop(key, None)
