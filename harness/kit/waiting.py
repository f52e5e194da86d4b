"""Deadlines that are passed down, and the one polling loop of the harness.

The only importer of `tenacity`; everybody may import it. Clock and sleep are injected, so that tests take no real time.
What can be watched is watched (harness.kube); this loop is for what can only be asked: a port, a program, a SQL server.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import tenacity

from harness.kit.errors import DeadlineError

__all__ = ["Deadline", "Pending", "until"]

T = TypeVar("T")
Clock = Callable[[], float]
Sleep = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Pending:
    """The answer of a probe whose condition is not true yet, with the reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment by which something must have happened.

    Args:
        at: the moment on the clock, in seconds.
        total: the whole span that was given, in seconds, for messages.
        clock: a monotonic clock.
    """

    at: float
    total: float
    clock: Clock = field(default=time.monotonic, compare=False)

    @classmethod
    def after(cls, seconds: float, clock: Clock = time.monotonic) -> Deadline:
        """Return the deadline that many seconds from now."""
        return cls(clock() + seconds, seconds, clock)

    def left(self) -> float:
        """Return the seconds left, never below zero."""
        return max(0.0, self.at - self.clock())

    def expired(self) -> bool:
        """Tell whether the moment has passed."""
        return self.clock() >= self.at

    def sooner(self, seconds: float) -> Deadline:
        """Return the deadline of a part: that many seconds from now, but never later than this one."""
        return Deadline(min(self.at, self.clock() + seconds), min(self.total, seconds), self.clock)

    def check(self, wanted: str, seen: str) -> None:
        """Raise DeadlineError when the moment has passed.

        Args:
            wanted: what was waited for.
            seen: the last state that was met.
        """
        if self.expired():
            raise DeadlineError(f"{wanted} within {self.total:g} s", seen=seen)


def until(
    probe: Callable[[], T | Pending],
    *,
    timeout: float | Deadline,
    wanted: str,
    interval: float = 0.1,
    longest: float = 2.0,
    sleep: Sleep = time.sleep,
    clock: Clock = time.monotonic,
) -> T:
    """Ask a probe until it answers with something else than Pending.

    Args:
        probe: the question; exceptions pass through at once.
        timeout: seconds, or the caller's deadline.
        wanted: the condition, for the error.
        interval: seconds before the second question; grows by half each time.
        longest: seconds that a pause grows to.
        sleep: how a pause is made.
        clock: a monotonic clock, used when `timeout` is a number.

    Raises:
        DeadlineError: with the last reason and the number of questions.
    """
    deadline = timeout if isinstance(timeout, Deadline) else Deadline.after(timeout, clock)
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_result(lambda answer: isinstance(answer, Pending)),
        wait=_pauses(deadline, interval, longest),
        stop=lambda _state: deadline.expired(),
        sleep=sleep,
        retry_error_callback=lambda state: _give_up(state, deadline, wanted),
    )
    answer = retrying(probe)
    if isinstance(answer, Pending):  # pragma: no cover - tenacity returns only answers that ended the loop
        raise DeadlineError(wanted, seen=answer.reason)
    return answer


def _pauses(deadline: Deadline, interval: float, longest: float) -> Callable[[tenacity.RetryCallState], float]:
    growing = tenacity.wait_exponential(multiplier=interval, exp_base=1.5, max=longest)
    return lambda state: min(growing(state), deadline.left())


def _give_up(state: tenacity.RetryCallState, deadline: Deadline, wanted: str) -> None:
    answer = state.outcome.result() if state.outcome is not None else None
    reason = answer.reason if isinstance(answer, Pending) else "no answer"
    times = f"asked {state.attempt_number} times" if state.attempt_number > 1 else "asked once"
    raise DeadlineError(f"{wanted} within {deadline.total:g} s", seen=f"{reason} ({times})")
