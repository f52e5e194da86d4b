"""Deadlines and the polling loop, on a clock that costs no time."""

from __future__ import annotations

import pytest

from harness.kit.errors import DeadlineError
from harness.kit.waiting import Deadline, Pending, until


class Clock:
    def __init__(self) -> None:
        self.now = 100.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += max(seconds, 0.001)


def test_until_returns_the_first_answer_that_is_not_pending() -> None:
    """The loop ends with the answer itself."""
    clock = Clock()
    answers = iter([Pending("no"), Pending("not yet"), "yes"])
    assert until(lambda: next(answers), timeout=10, wanted="x", sleep=clock.sleep, clock=clock) == "yes"
    assert clock.pauses == [pytest.approx(0.1), pytest.approx(0.15)]


def test_until_gives_up_with_the_last_reason() -> None:
    """At the deadline the error says what was wanted, what was seen last, and how often."""
    clock = Clock()
    with pytest.raises(DeadlineError) as caught:
        until(lambda: Pending(f"at {clock.now:.0f}"), timeout=5, wanted="a port", sleep=clock.sleep, clock=clock)
    assert caught.value.wanted == "a port within 5 s"
    assert caught.value.seen.startswith("at 105")
    assert "asked" in caught.value.seen


def test_until_lets_errors_through() -> None:
    """An exception of the probe ends the wait at once."""
    with pytest.raises(ZeroDivisionError):
        until(lambda: 1 // 0, timeout=5, wanted="x")


def test_pauses_grow_but_never_beyond_the_longest() -> None:
    """Pauses grow by half up to the given bound."""
    clock = Clock()
    with pytest.raises(DeadlineError):
        until(lambda: Pending("no"), timeout=30, wanted="x", longest=1.0, sleep=clock.sleep, clock=clock)
    assert max(clock.pauses) <= 1.0
    assert clock.pauses[:-1] == sorted(clock.pauses[:-1])


def test_a_part_never_outlives_the_whole() -> None:
    """`sooner` shortens a deadline and cannot extend it."""
    clock = Clock()
    whole = Deadline.after(10, clock)
    assert whole.sooner(3).left() == pytest.approx(3)
    assert whole.sooner(30).left() == pytest.approx(10)


def test_check_raises_once_the_moment_has_passed() -> None:
    """Before the deadline nothing happens, after it the error carries the last state."""
    clock = Clock()
    deadline = Deadline.after(1, clock)
    deadline.check("x", "y")
    clock.now += 2
    assert deadline.left() == 0
    with pytest.raises(DeadlineError, match="within 1 s"):
        deadline.check("x", "y")
