"""Stage lines."""

from __future__ import annotations

import io

import pytest

from harness.kit.stages import Stages, took


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_stage_prints_one_line_with_its_time() -> None:
    """The line carries the area, the text for success, and how long it took."""
    clock, out = Clock(), io.StringIO()
    with Stages("airgap", out, clock=clock).stage("engine starting", "engine ready (private)"):
        clock.now += 3.14
    assert out.getvalue() == "airgap   engine ready (private) (3.1 s)\n"


def test_a_failed_stage_says_so() -> None:
    """A stage that ends in an error leaves a line too, and the error goes on."""
    clock, out = Clock(), io.StringIO()
    with pytest.raises(ValueError, match="x"), Stages("kind", out, clock=clock).stage("cluster"):
        raise ValueError("x")
    assert out.getvalue() == "kind     cluster: failed after 0 ms\n"


def test_progress_is_not_printed_too_often() -> None:
    """Without a terminal, progress lines come at most every 15 s."""
    clock, out = Clock(), io.StringIO()
    stages = Stages("airgap", out, clock=clock)
    with stages.stage("building"):
        for second in range(40):
            clock.now = float(second)
            stages.progress(f"at {second}")
    assert out.getvalue().splitlines()[:2] == ["airgap   at 15", "airgap   at 30"]


@pytest.mark.parametrize(("seconds", "text"), [(0.34, "340 ms"), (3.14, "3.1 s"), (252, "4 m 12 s")])
def test_durations_read_as_people_write_them(seconds: float, text: str) -> None:
    """Milliseconds, seconds, then minutes and seconds."""
    assert took(seconds) == text
