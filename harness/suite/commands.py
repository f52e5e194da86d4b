"""Commands and scripts of suites, steps, asserts and collectors: their environment, their limits, their output.

Imported by steps, collectors and run. Each gets a process group of its own, which ends with its time limit, and what
it left behind with the case or the run.
"""

from __future__ import annotations

import os
import selectors
import shutil
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from harness.kit.errors import HarnessError, UsageError
from harness.kit.process import alive
from harness.kit.waiting import Deadline
from harness.suite.decode import command_fault
from harness.suite.log import Log
from harness.suite.problem import Mode, Problem
from harness.suite.spec import AssertCommand, Command
from harness.suite.waits import Interrupted
from harness.suite.words import expand, split_words

__all__ = ["CommandError", "Finished", "Prepared", "Processes", "Surroundings", "prepare", "run_command"]

_GRACE = 2.0  # seconds that output is still read after the end, and between TERM and KILL
_TAIL = 20
_SLICE = 0.25  # seconds between looks at the run's interruption
_CHUNK = 1 << 16
_LONGEST_LINE = 1 << 20
_REMIND = 30.0  # seconds after which a command without a limit is said to run still


class CommandError(HarnessError):
    """A command that failed; `text` is kuttl's sentence, `output` the tail of what it printed."""

    def __init__(self, text: str, *, output: str = "", where: str = "", timed_out: bool = False) -> None:
        super().__init__("a command that succeeds", seen=text, where=where)
        self.text = text
        self.output = output
        self.timed_out = timed_out


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What commands find around them.

    Attributes:
        directory: their working folder.
        namespace: $NAMESPACE.
        kubeconfig: $KUBECONFIG.
        context: $HARNESS_CONTEXT, the step's context of that file (quirk Q69); empty for none.
        home: the runner's folder, whose bin comes first in $PATH.
        base: the runner's environment.
        mode: strict is bug for bug.
        cancelled: tells whether the run was interrupted.
    """

    directory: Path
    namespace: str
    kubeconfig: Path
    context: str = ""
    home: Path = field(default_factory=Path.cwd)
    base: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    mode: Mode = "default"
    cancelled: Callable[[], bool] = lambda: False

    @property
    def environment(self) -> dict[str, str]:
        """The variables of a command."""
        path = self.base.get("PATH", "")
        own = {
            "NAMESPACE": self.namespace,
            "KUBECONFIG": str(self.kubeconfig),
            "PATH": f"{self.home}/bin/{os.pathsep}{path}",
        }
        return {**self.base, **own, **({"HARNESS_CONTEXT": self.context} if self.context else {})}


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A command ready to run: its arguments, and what is odd about it."""

    argv: tuple[str, ...]
    problems: tuple[Problem, ...] = ()

    @property
    def shown(self) -> str:
        """The arguments as logs show them."""
        return f"[{' '.join(self.argv)}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A command that ended by itself or was killed at its limit.

    Attributes:
        code: its exit code; below 0 the number of the signal.
        output: the last lines of both streams.
        timed_out: it was killed.
        seconds: how long it took.
    """

    code: int
    output: str
    timed_out: bool
    seconds: float


def prepare(command: Command | AssertCommand, around: Surroundings) -> Prepared:
    """Return a command's arguments: variables put in, split, with its namespace.

    Raises:
        CommandError: neither or both of command and script, an open quote, nothing left.
    """
    fault = command_fault(command)
    if fault:
        raise CommandError(f"processing command {command.summary} with {fault}", where=str(command.mark))
    if command.script:
        return Prepared(argv=("sh", "-c", command.script))
    expanded = expand(command.command, around.environment)
    where = str(command.mark)
    problems = [
        Problem(severity="warning", text=f"${name} is not set, it gives nothing", where=where, quirk=58)
        for name in expanded.unset
    ]
    try:
        words = split_words(expanded.text)
    except UsageError as error:
        raise CommandError(f"processing command {command.summary} with {error.seen}", where=where) from None
    if words.comment:
        text = f"{words.comment} is a comment, it was dropped"
        problems.append(Problem(severity="warning", text=text, where=where, quirk=59))
    if not words.words:
        text = f"processing command {command.summary} with nothing left to run, the command is empty after expansion"
        raise CommandError(text, where=where)
    argv = list(words.words)
    if command.namespaced and not _names_namespace(argv):
        argv, found = _with_namespace(argv, around, where)
        problems += found
    return Prepared(argv=tuple(argv), problems=tuple(problems))


def run_command(
    prepared: Prepared, around: Surroundings, *, limit: float | None, log: Log, quiet: bool, processes: Processes
) -> Finished:
    """Run a command to its end, or to its limit.

    Args:
        prepared: what to run.
        around: where.
        limit: seconds; None for none.
        log: gets the command line and each line of output.
        quiet: leave the output out of the log.
        processes: keeps what it leaves running, to be ended later.

    Raises:
        CommandError: it cannot be started.
        Interrupted: the run was.
    """
    log(f"running command: {prepared.shown}")
    begun = time.monotonic()
    process = _start(prepared, around)
    lines: deque[str] = deque(maxlen=_TAIL)
    try:
        with processes.foreground(process):
            timed_out = _read(process, around, begun, limit, _Lines(lines, log, quiet=quiet))
    except BaseException:
        _kill_group(process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
        raise
    seconds = time.monotonic() - begun
    return Finished(code=process.returncode, output="\n".join(lines), timed_out=timed_out, seconds=seconds)


def failure_of(command: Command | AssertCommand, finished: Finished, limit: float | None) -> str:
    """Return kuttl's sentence for a command that failed, an empty text for one that did not."""
    if finished.timed_out and limit is not None:
        return f"command {command.summary} exceeded {limit:.0f} sec timeout, context deadline exceeded"
    if finished.code < 0:
        name = signal.strsignal(-finished.code) or str(-finished.code)
        return f"command {command.summary} failed, signal: {name.lower()}"
    return f"command {command.summary} failed, exit status {finished.code}" if finished.code else ""


class Processes:
    """What runs in the background, and what commands left behind; ended by stop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._background: list[tuple[subprocess.Popen[bytes], Prepared, Log, threading.Thread]] = []
        self._left: list[int] = []

    def foreground(self, process: subprocess.Popen[bytes]) -> _Foreground:
        """Return a context that remembers the process group of a command if it outlives the command."""
        return _Foreground(self, process)

    def remember(self, group: int) -> None:
        """Take a process group that is to end with us."""
        with self._lock:
            self._left.append(group)

    def start(self, prepared: Prepared, around: Surroundings, *, log: Log, quiet: bool) -> None:
        """Start a command in the background; its output is logged line by line.

        Raises:
            CommandError: it cannot be started.
        """
        log(f"running command: {prepared.shown}")
        process = _start(prepared, around)
        sink = _Lines(deque(maxlen=_TAIL), log, quiet=quiet)
        thread = threading.Thread(target=_follow, args=(process, sink), name=f"log {prepared.argv[0]}", daemon=True)
        with self._lock:
            self._background.append((process, prepared, log, thread))
        thread.start()

    @property
    def shown(self) -> list[str]:
        """The background commands as logs show them."""
        with self._lock:
            return [prepared.shown for _, prepared, _, _ in self._background]

    def stop(self) -> None:
        """End everything: TERM, a short grace, KILL; and say how the background commands ended."""
        with self._lock:
            background, self._background = self._background, []
            left, self._left = self._left, []
        groups = [group for group in left if _is_ours(group)]
        for group in [*groups, *(process.pid for process, *_ in background)]:
            _kill_group(group, signal.SIGTERM)
        deadline = Deadline.after(_GRACE)
        for process, *_ in background:
            with suppress(subprocess.TimeoutExpired):
                process.wait(deadline.left())
        for group in [*groups, *(process.pid for process, *_ in background)]:
            _kill_group(group, signal.SIGKILL)
        for process, prepared, log, thread in background:
            with suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE)
            thread.join(_GRACE)
            log(f"background process {prepared.shown} ended with exit code {process.returncode}")


class _Foreground:
    def __init__(self, processes: Processes, process: subprocess.Popen[bytes]) -> None:
        self._processes = processes
        self._process = process

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, 0)
            if self._process.returncode is not None:  # the command has ended, something of it has not
                self._processes.remember(self._process.pid)


class _Lines:
    """Cuts output into lines; keeps the last ones, and logs all."""

    def __init__(self, kept: deque[str], log: Log, *, quiet: bool) -> None:
        self._kept = kept
        self._log = log
        self._quiet = quiet
        self._rest = b""

    def take(self, data: bytes) -> None:
        *whole, self._rest = (self._rest + data).split(b"\n")
        for line in whole:
            self._line(line)
        if len(self._rest) > _LONGEST_LINE:
            self.end()

    def note(self, text: str) -> None:
        self._log(text)

    def end(self) -> None:
        if self._rest:
            self._line(self._rest)
            self._rest = b""

    def _line(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace")
        self._kept.append(text)
        if not self._quiet:
            self._log(text)


def _start(prepared: Prepared, around: Surroundings) -> subprocess.Popen[bytes]:
    program = _program(prepared.argv[0], around)
    try:
        return subprocess.Popen(
            [program, *prepared.argv[1:]],
            cwd=around.directory,
            env=around.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise CommandError(f"fork/exec {prepared.argv[0]}: {reason}") from None


def _program(name: str, around: Surroundings) -> str:
    """Return the program to run: from the runner's PATH, then its bin (quirk Q61); with a slash, as it is."""
    if "/" in name:
        return name
    search = around.base.get("PATH", "")
    if around.mode == "default":
        search += f"{os.pathsep}{around.home}/bin"
    found = shutil.which(name, path=search)
    if found is None:
        raise CommandError(f'exec: "{name}": executable file not found in $PATH')
    return found


def _read(
    process: subprocess.Popen[bytes], around: Surroundings, begun: float, limit: float | None, lines: _Lines
) -> bool:
    """Read until the output ends; kill at the limit. Tell whether that was necessary."""
    stream = process.stdout
    assert stream is not None  # noqa: S101 - it was asked for
    end = begun + limit if limit is not None else float("inf")
    remind, timed_out = begun + _REMIND, False
    with selectors.DefaultSelector() as selector, stream:
        selector.register(stream, selectors.EVENT_READ)
        while True:
            now = time.monotonic()
            if now >= end:
                if timed_out or process.poll() is not None:
                    break  # the grace is over; or only something that it started still holds the output
                timed_out, end = True, now + _GRACE
                _kill_group(process.pid, signal.SIGKILL)
            if around.cancelled():
                raise Interrupted("a command to end", seen="the run was interrupted")
            if limit is None and now >= remind:
                lines.note(f"still running after {now - begun:.0f} s, without a limit")
                remind += _REMIND
            if selector.select(min(_SLICE, max(0.0, end - now))) and not _take(stream, lines):
                break
    lines.end()
    return _wait(process, end, around) or timed_out


def _take(stream: IO[bytes], lines: _Lines) -> bool:
    data = os.read(stream.fileno(), _CHUNK)
    lines.take(data)
    return bool(data)


def _wait(process: subprocess.Popen[bytes], end: float, around: Surroundings) -> bool:
    """Wait for a process that has closed its output; kill it at the limit."""
    while True:
        left = end - time.monotonic()
        try:
            process.wait(max(0.0, min(_SLICE, left)))
        except subprocess.TimeoutExpired:
            if around.cancelled():
                raise Interrupted("a command to end", seen="the run was interrupted") from None
            if left <= 0:
                _kill_group(process.pid, signal.SIGKILL)
                process.wait(_GRACE)
                return True
        else:
            return False


def _follow(process: subprocess.Popen[bytes], lines: _Lines) -> None:
    stream = process.stdout
    assert stream is not None  # noqa: S101 - it was asked for
    with stream, suppress(OSError, ValueError):
        while _take(stream, lines):
            continue
        lines.end()


def _names_namespace(argv: Sequence[str]) -> bool:
    """Tell whether arguments before a bare -- name a namespace."""
    for index, word in enumerate(argv[1:], 1):
        if word == "--":
            return False
        if word.startswith("--namespace="):
            return True
        if word == "--namespace":
            return index + 1 < len(argv)
        if word.startswith("-n") and not word.startswith("--"):
            return len(word) > len("-n") or index + 1 < len(argv)
    return False


def _with_namespace(argv: list[str], around: Surroundings, where: str) -> tuple[list[str], list[Problem]]:
    flag = ["--namespace", around.namespace]
    if "--" not in argv or around.mode == "strict":
        return [*argv, *flag], []
    at = argv.index("--")
    text = "--namespace is put before the bare --, kuttl appends it behind"
    return [*argv[:at], *flag, *argv[at:]], [Problem(severity="warning", text=text, where=where, quirk=77)]


def _is_ours(group: int) -> bool:
    """Tell whether a group whose leader has ended still is the same: a process of that id would be a new leader."""
    return not alive(group)


def _kill_group(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
