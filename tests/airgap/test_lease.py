"""The engine for the time of one run: who starts it stops it, nobody else does."""

from __future__ import annotations

import io

import pytest

from harness.airgap.engine import PrivateEngine
from harness.airgap.lease import engine_lease
from harness.kit.stages import Stages


class Life:
    """A private engine's life as the lease sees it."""

    def __init__(self) -> None:
        self.pid: int | None = None
        self.inside: list[str] = []
        self.stopped = 0

    def stop(self) -> list[str]:
        self.stopped += 1
        self.pid = None
        return []


@pytest.fixture
def life(monkeypatch: pytest.MonkeyPatch) -> Life:
    made = Life()
    monkeypatch.setattr(PrivateEngine, "pid", lambda _self: made.pid)
    monkeypatch.setattr(PrivateEngine, "containers", lambda _self: made.inside)
    monkeypatch.setattr(PrivateEngine, "down", lambda _self: made.stop())
    return made


def test_an_engine_that_the_run_started_is_stopped(life: Life, stages: Stages, told: io.StringIO) -> None:
    """Started inside, stopped at the end, with a line that says so."""
    with engine_lease(stages):
        life.pid = 7
    assert life.stopped == 1
    assert "engine stopped" in told.getvalue()


def test_an_engine_that_ran_before_is_left_alone(life: Life, stages: Stages, told: io.StringIO) -> None:
    """Somebody else's engine is not ours to stop."""
    life.pid = 7
    with engine_lease(stages):
        pass
    assert (life.stopped, told.getvalue()) == (0, "")


def test_an_engine_that_holds_something_is_kept_and_named(life: Life, stages: Stages, told: io.StringIO) -> None:
    """A kept cluster keeps its engine, and the line says how to stop it."""
    with engine_lease(stages):
        life.pid, life.inside = 7, ["dev-control-plane"]
    assert life.stopped == 0
    assert "holds dev-control-plane; stop it with: harness airgap down" in told.getvalue()


def test_an_interrupt_stops_it_too(life: Life, stages: Stages) -> None:
    """Whatever ends the run, the engine goes."""

    def interrupted() -> None:
        with engine_lease(stages):
            life.pid = 7
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert life.stopped == 1


def test_a_run_without_an_engine_stops_nothing(life: Life, stages: Stages) -> None:
    """Nothing started, nothing to stop."""
    with engine_lease(stages):
        pass
    assert life.stopped == 0
