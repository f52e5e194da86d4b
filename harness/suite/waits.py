"""Waiting until conditions hold at one and the same moment: woken by events, never by asking again.

Imported by steps and apply.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

from harness.kit.errors import HarnessError
from harness.kit.waiting import Deadline
from harness.suite.conditions import Condition, ReachedCondition
from harness.suite.recorder import Recorder

__all__ = ["Interrupted", "Wait"]

_STALL = 1.0  # seconds for an event that must come


class Interrupted(HarnessError):  # noqa: N818 - what happened, not a fault
    """The run was interrupted while something waited."""


class Wait:
    """Conditions of one cluster; a context manager, within which they are followed.

    Args:
        recorder: the cluster's.
        conditions: what must hold; none holds at once.
    """

    def __init__(self, recorder: Recorder, conditions: Iterable[Condition]) -> None:
        self._recorder = recorder
        self._conditions = tuple(conditions)
        self._unmet: set[Condition] = set(self._conditions)
        self._woken = threading.Event()
        self._held = False  # all held at some moment since the last look

    def __enter__(self) -> Self:
        self._recorder.cancellation.waiting(self._woken)
        with self._recorder.lock:
            for condition in self._conditions:
                condition.tell = self._told
                for track, name in condition.topics():
                    track.add(condition, name)
            for condition in self._conditions:
                condition.look()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._recorder.lock:
            for condition in self._conditions:
                for track, name in condition.topics():
                    track.remove(condition, name)
        self._recorder.cancellation.done_waiting(self._woken)

    @property
    def unmet(self) -> list[Condition]:
        """The conditions that do not hold now, in their order."""
        with self._recorder.lock:
            return [one for one in self._conditions if one in self._unmet]

    def holds(self) -> bool:
        """Tell whether all hold now."""
        return not self._unmet

    def until(self, deadline: Deadline, *, again: bool = False) -> bool:
        """Wait until all have held at one moment, however short; False when the deadline came first.

        Args:
            deadline: the end of the wait.
            again: let that moment count for the next call too.

        Raises:
            Interrupted: the run was.
        """
        while True:
            with self._recorder.lock:
                held = self._held or not self._unmet
                self._held = held and again
                if held:
                    return True
                if self._recorder.cancelled:
                    raise Interrupted("the step to end", seen="the run was interrupted")
                self._woken.clear()
            left = deadline.left()
            if left <= 0:
                return False
            self._woken.wait(min(left, threading.TIMEOUT_MAX))

    def see_to(self, reached: Sequence[ReachedCondition], deadline: Deadline) -> None:
        """Ask for the objects when the watch does not tell of what we wrote: it may have gone, and its word with it.

        Args:
            reached: conditions of this wait that an event must make true in a moment.
            deadline: the end of the wait.
        """
        if not reached or self.until(deadline.sooner(_STALL), again=True):
            return
        for one in reached:
            if one in self._unmet:
                with suppress(HarnessError):  # the watch goes on trying, and a failure says what is wrong with it
                    one.track.refresh()
        self.look()

    def look(self) -> None:
        """Look at everything anew."""
        with self._recorder.lock:
            for condition in self._conditions:
                condition.look()

    def pause(self, deadline: Deadline) -> None:
        """Wait for the deadline, whatever happens to the conditions.

        Raises:
            Interrupted: the run was.
        """
        while not self._recorder.cancelled and not deadline.expired():
            self._woken.clear()
            self._woken.wait(deadline.left())
        if self._recorder.cancelled:
            raise Interrupted("the step to end", seen="the run was interrupted")

    def _told(self, condition: Condition, holds: bool) -> None:
        """Take a condition's state; with the recorder's lock held."""
        if holds:
            self._unmet.discard(condition)
            if not self._unmet:
                self._held = True
                self._woken.set()
        else:
            self._unmet.add(condition)
