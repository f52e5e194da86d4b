"""Programs with deadlines: run one to its end, or keep one running and stop it again.

Everybody may import it. Each program gets a session of its own, so that it ends with all that it started.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from harness.kit.errors import HarnessError, UsageError
from harness.kit.waiting import Pending, until

__all__ = ["Child", "Completed", "ProcessError", "Runner", "alive", "find_program", "run", "stop_pid"]

_TAIL = 20  # lines of output shown in an error
_GRACE = 5.0  # seconds between TERM and KILL


class ProcessError(HarnessError):
    """A program that failed, was missing, or did not end in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A program that ended: its command, exit code, output as text, and how long it took in seconds."""

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str
    seconds: float


class Runner(Protocol):
    """What code that runs programs takes instead of `run` itself, so that tests can hand in a fake."""

    def __call__(
        self,
        argv: Sequence[str | Path],
        *,
        timeout: float,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: str | None = None,
        check: bool = True,
    ) -> Completed:
        """Run a program as `run` does."""
        ...


def run(
    argv: Sequence[str | Path],
    *,
    timeout: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    check: bool = True,
) -> Completed:
    """Run a program to its end.

    Args:
        argv: program and arguments; no shell is involved.
        timeout: seconds; then the program and all that it started are killed.
        cwd: its working folder.
        env: its whole environment; ours when None.
        stdin: text for its standard input, which is empty otherwise.
        check: whether an exit code other than 0 is an error.

    Raises:
        ProcessError: not found, not ended in time, or ended badly; with the tail of its output.
    """
    command = [str(part) for part in argv]
    begun = time.monotonic()
    process = _spawn(command, cwd, env, has_input=stdin is not None)
    try:
        out, err = process.communicate(stdin, timeout=timeout)
    except subprocess.TimeoutExpired:
        _kill_group(process.pid, signal.SIGKILL)
        out, err = process.communicate(timeout=_GRACE)
        raise ProcessError(
            f"{shlex.join(command[:3])} to end within {timeout:g} s", seen=_tail(out, err), where=shlex.join(command)
        ) from None
    except BaseException:
        _kill_group(process.pid, signal.SIGTERM)
        _reap(process)
        raise
    done = Completed(
        argv=tuple(command), returncode=process.returncode, stdout=out, stderr=err, seconds=time.monotonic() - begun
    )
    if check and done.returncode != 0:
        raise ProcessError(
            f"exit code 0 of {command[0]}",
            seen=f"exit code {done.returncode}\n{_tail(out, err)}".rstrip(),
            where=shlex.join(command),
        )
    return done


class Child:
    """A program that runs beside us, with its output in a file.

    Use it as a context manager, or call stop or detach. A detached one is found again by its pid file.
    """

    def __init__(self, process: subprocess.Popen[bytes], argv: Sequence[str], log: Path, pid_file: Path | None) -> None:
        self._process = process
        self.argv = tuple(argv)
        self.log = log
        self._pid_file = pid_file

    @classmethod
    def start(
        cls,
        argv: Sequence[str | Path],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        pid_file: Path | None = None,
    ) -> Self:
        """Start a program; its standard output and error are appended to `log`.

        Raises:
            ProcessError: the program is missing or cannot be started.
        """
        command = [str(part) for part in argv]
        log.parent.mkdir(parents=True, exist_ok=True)
        try:
            with log.open("ab") as out:
                process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env, cwd=cwd, start_new_session=True
                )
        except OSError as error:
            raise ProcessError(f"{command[0]} to start", seen=error.strerror or str(error), where=command[0]) from None
        if pid_file is not None:
            pid_file.parent.mkdir(parents=True, exist_ok=True)
            pid_file.write_text(str(process.pid), encoding="utf-8")
        return cls(process, command, log, pid_file)

    @property
    def pid(self) -> int:
        """The process id, which is also the id of its process group."""
        return self._process.pid

    def running(self) -> bool:
        """Tell whether the program still runs."""
        return self._process.poll() is None

    def output(self, lines: int = _TAIL) -> str:
        """Return the last lines of what it printed."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])

    def detach(self) -> None:
        """Let the program outlive this process: it is not stopped when the Child is forgotten."""
        self._process.returncode = 0  # else Popen complains when it is collected while its program runs

    def stop(self, timeout: float = _GRACE) -> None:
        """Ask the program and all that it started to end; kill them after `timeout` seconds."""
        if self.running():
            _kill_group(self.pid, signal.SIGTERM)
            try:
                self._process.wait(timeout)
            except subprocess.TimeoutExpired:
                _kill_group(self.pid, signal.SIGKILL)
                self._process.wait(_GRACE)
        if self._pid_file is not None:
            self._pid_file.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def alive(pid: int) -> bool:
    """Tell whether a process exists and is not a zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state != "Z"


def stop_pid(pid: int, *, timeout: float, wanted: str) -> None:
    """End a process that an earlier run started: TERM, then KILL after half of the time.

    Raises:
        DeadlineError: it is still there after `timeout` seconds.
    """
    begun = time.monotonic()
    _kill(pid, signal.SIGTERM)

    def gone() -> bool | Pending:
        if not alive(pid):
            return True
        if time.monotonic() - begun > timeout / 2:
            _kill(pid, signal.SIGKILL)
        return Pending(f"process {pid} still runs")

    until(gone, timeout=timeout, wanted=wanted)


def find_program(name: str, *, install: str) -> Path:
    """Return the path of a program on PATH.

    Args:
        name: the program.
        install: the command that installs it, for the error.

    Raises:
        UsageError: it is not there.
    """
    if found := shutil.which(name):
        return Path(found)
    raise UsageError(f"the program {name} on PATH", seen="not found", run=install)


def _spawn(
    command: list[str], cwd: Path | None, env: Mapping[str, str] | None, *, has_input: bool
) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(
            [*_dying_with_us(command[0], cwd, env), *command],
            stdin=subprocess.PIPE if has_input else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=env,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise ProcessError(f"{command[0]} to start", seen=error.strerror or str(error), where=command[0]) from None


def _dying_with_us(program: str, cwd: Path | None, env: Mapping[str, str] | None) -> list[str]:
    """Return the words before a command that make it end when this thread dies, be it by SIGKILL.

    The thread waits for the program, so it outlives it in all other cases. Without util-linux, or for a program that
    is not there (which Popen then tells better), there are none.
    """
    setpriv = shutil.which("setpriv")
    path = (env or os.environ).get("PATH")
    found = (cwd or Path()) / program if "/" in program else shutil.which(program, path=path)
    return [setpriv, "--pdeathsig", "TERM", "--"] if setpriv and found and Path(found).is_file() else []


def _reap(process: subprocess.Popen[str]) -> None:
    try:
        process.communicate(timeout=_GRACE)
    except subprocess.TimeoutExpired:
        _kill_group(process.pid, signal.SIGKILL)
        process.communicate(timeout=_GRACE)


def _kill_group(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return


def _kill(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _tail(out: str, err: str) -> str:
    lines = (out.rstrip("\n") + "\n" + err.rstrip("\n")).strip("\n").splitlines()
    return "\n".join(lines[-_TAIL:]) or "no output"
