"""Places and locks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.kit.errors import DeadlineError
from harness.kit.paths import cache_dir, file_lock, state_dir


def test_own_variables_win_over_the_desktop_standard(monkeypatch: pytest.MonkeyPatch) -> None:
    """HARNESS_CACHE and HARNESS_STATE are taken as they are; XDG folders get our name."""
    monkeypatch.setenv("HARNESS_CACHE", "/a/b")
    monkeypatch.setenv("XDG_STATE_HOME", "/s")
    monkeypatch.delenv("HARNESS_STATE", raising=False)
    assert cache_dir() == Path("/a/b")
    assert state_dir() == Path("/s/operator-harness")


def test_a_second_holder_waits_and_is_told_who_holds_the_lock(tmp_path: Path) -> None:
    """A lock that is held for the whole time is an error that names the holder."""
    lock = tmp_path / "x" / "lock"
    with file_lock(lock, timeout=1, wanted="first"):
        with pytest.raises(DeadlineError) as caught, file_lock(lock, timeout=0.2, wanted="second"):
            pass
        assert caught.value.seen == f"held by process {os.getpid()}"
    with file_lock(lock, timeout=0.2, wanted="third"):
        pass
