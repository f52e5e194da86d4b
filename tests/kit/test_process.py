"""Programs with deadlines: ends, failures, children of children, leftovers."""

from __future__ import annotations

import gc
import os
import signal
import sys
from pathlib import Path

import pytest

from harness.kit.errors import UsageError
from harness.kit.process import Child, ProcessError, alive, find_program, run, stop_pid
from harness.kit.waiting import Pending, until


def test_output_and_exit_code_are_kept() -> None:
    """A program that ends well gives back what it printed."""
    done = run(["sh", "-c", "cat; echo err >&2"], timeout=10, stdin="hello\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "hello\n", "err\n")


def test_a_failure_shows_the_tail_of_the_output() -> None:
    """An exit code other than 0 is an error with the last lines, unless it is asked for."""
    with pytest.raises(ProcessError) as caught:
        run(["sh", "-c", "echo broken >&2; exit 3"], timeout=10)
    assert caught.value.seen == "exit code 3\nbroken"
    assert run(["sh", "-c", "exit 3"], timeout=10, check=False).returncode == 3


def test_a_program_that_does_not_end_is_killed_with_its_children(tmp_path: Path) -> None:
    """At the deadline the whole process group goes."""
    marker = tmp_path / "pid"
    with pytest.raises(ProcessError, match="to end within"):
        run(["sh", "-c", f"sleep 60 & echo $! > {marker}; wait"], timeout=0.5)
    pid = int(marker.read_text())
    until(lambda: Pending("alive") if alive(pid) else True, timeout=5, wanted="the child's end")


def test_a_program_ends_when_its_caller_is_killed(tmp_path: Path) -> None:
    """A build or a cluster creation does not go on after a run that got SIGKILL."""
    marker = tmp_path / "pid"
    code = f"from harness.kit.process import run\nrun(['sh', '-c', 'echo $$ > {marker}; exec sleep 60'], timeout=60)\n"
    caller = Child.start([sys.executable, "-c", code], log=tmp_path / "log")
    pid = until(lambda: _number(marker), timeout=20, wanted="the program's pid")
    os.kill(caller.pid, signal.SIGKILL)
    caller.stop()
    until(lambda: Pending("alive") if alive(pid) else True, timeout=5, wanted="the program's end")


def _number(path: Path) -> int | Pending:
    text = path.read_text().strip() if path.exists() else ""
    return int(text) if text else Pending("not written")


def test_a_missing_program_is_named() -> None:
    """A program that is not there is an error with its name."""
    with pytest.raises(ProcessError, match="no-such-program"):
        run(["no-such-program"], timeout=1)
    with pytest.raises(UsageError) as caught:
        find_program("no-such-program", install="apt-get install it")
    assert caught.value.run == "apt-get install it"


def test_a_child_is_stopped_even_when_it_ignores_term(tmp_path: Path) -> None:
    """TERM first, KILL after the grace; the pid file goes with it."""
    code = "import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    pid_file = tmp_path / "pid"
    with Child.start([sys.executable, "-c", code], log=tmp_path / "log", pid_file=pid_file) as child:
        until(lambda: True if "up" in child.output() else Pending("silent"), timeout=10, wanted="the child's word")
        assert pid_file.read_text() == str(child.pid)
        child.stop(timeout=0.3)
        assert not child.running()
    assert not pid_file.exists()


def test_a_detached_child_may_be_forgotten(tmp_path: Path) -> None:
    """No warning when it is collected, which would be an error here; it goes on, and ends by its pid."""
    child = Child.start(["sleep", "60"], log=tmp_path / "log")
    pid = child.pid
    child.detach()
    del child
    gc.collect()
    assert alive(pid)
    stop_pid(pid, timeout=5, wanted="the end of sleep")


def test_a_process_of_an_earlier_run_is_ended_by_its_pid(tmp_path: Path) -> None:
    """stop_pid ends a process and waits until it is gone."""
    child = Child.start(["sleep", "60"], log=tmp_path / "log")
    stop_pid(child.pid, timeout=5, wanted="the end of sleep")
    assert not child.running()
    stop_pid(child.pid, timeout=5, wanted="nothing, it is gone")


def test_alive_tells_our_own_process() -> None:
    """Our own process lives; a number that was never given out does not."""
    assert alive(os.getpid())
    assert not alive(2**22 + 1)
