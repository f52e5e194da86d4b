"""What a run found: frozen values, from a single failure to the whole run.

Pure. Made by steps, case and run; read by report, pytest collection and command lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from harness.kube import Ref
from harness.suite.problem import Problem

__all__ = ["CaseResult", "Failure", "Outcome", "RunResult", "StepResult", "SuiteResult"]

Outcome = Literal["passed", "failed", "interrupted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One thing that was not as wanted.

    Attributes:
        text: what, in kuttl's words.
        where: file:line:column of the object, command or expression; of the first differing field where there is one.
        subject: the live object that it is about, None when there is none.
        rows: every difference, one line each, sorted by path: place in the file, path, wanted, seen.
        changes: how each differing field changed during the wait, one line each.
        closest: how close it ever came, in words.
        diff: kuttl's unified diff, an empty text where there is none.
        output: the last lines of a command.
        hints: what was probably meant, what exists, what to run.
    """

    text: str
    where: str = ""
    subject: Ref | None = None
    rows: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    closest: str = ""
    diff: str = ""
    output: str = ""
    hints: tuple[str, ...] = ()

    @property
    def kuttl_errors(self) -> tuple[str, ...]:
        """The errors that kuttl prints for it, in its order."""
        return (self.diff, self.text) if self.diff else (self.text,)

    def __str__(self) -> str:
        """Return it as a small report of several lines."""
        lines = [self.text.rstrip("\n")]
        lines += [f"  at       {self.where}"] if self.where else []
        lines += [f"  differs  {row}" for row in self.rows]
        lines += [f"  changed  {row}" for row in self.changes]
        lines += [f"  closest  {self.closest}"] if self.closest else []
        lines += [f"  output   {line}" for line in self.output.splitlines()]
        lines += [f"  next     {line}" for line in self.hints]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """A step that was started.

    Attributes:
        name: its full name, `<number>-<name>`.
        outcome: what became of it.
        started: seconds since the epoch.
        seconds: how long it took.
        assertions: how many assert and errors objects it has.
        failures: what was not as wanted, in kuttl's order: asserts, commands, expressions, errors.
        problems: warnings met while it ran.
        collected: what its collectors fetched.
        files: the files that it was read from.
    """

    name: str
    outcome: Outcome
    started: float
    seconds: float
    assertions: int
    failures: tuple[Failure, ...] = ()
    problems: tuple[Problem, ...] = ()
    collected: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()

    @property
    def errors(self) -> tuple[str, ...]:
        """The errors as kuttl prints them, in its order."""
        return tuple(text for failure in self.failures for text in failure.kuttl_errors)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """A case that was run, or could not be.

    Attributes:
        name: the case's.
        directory: its folder.
        suite: its test directory, as it was given.
        namespace: the namespace that its steps used.
        outcome: what became of it.
        started: seconds since the epoch.
        seconds: how long it took.
        steps: those that were started.
        setup: why it could not begin (namespace, client), an empty text otherwise.
        load: what is wrong with its files; then no step ran.
        cleanup: what could not be removed; it fails the run, not the case.
        problems: warnings about its files and its run.
    """

    name: str
    directory: Path
    suite: str
    namespace: str
    outcome: Outcome
    started: float
    seconds: float
    steps: tuple[StepResult, ...] = ()
    setup: str = ""
    load: tuple[Problem, ...] = ()
    cleanup: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether all of it was as wanted; what happened in clean-up does not count."""
        return self.outcome == "passed"

    @property
    def assertions(self) -> int:
        """How many assert and errors objects its steps have."""
        return sum(step.assertions for step in self.steps)

    @property
    def failed_step(self) -> StepResult | None:
        """The step that ended it."""
        return next((step for step in self.steps if step.outcome != "passed"), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteResult:
    """The cases of one test directory, in its order."""

    name: str
    started: float
    seconds: float
    cases: tuple[CaseResult, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """A whole run.

    Attributes:
        name: of the TestSuite.
        started: seconds since the epoch.
        seconds: how long it took.
        suites: one per test directory, also when none of its cases ran.
        failure: why the run could not begin, an empty text otherwise.
        cleanup: what stays though it should be gone; an error of the run, never of a case.
        problems: warnings about the configuration.
        interrupted: it was ended from outside.
    """

    name: str
    started: float
    seconds: float
    suites: tuple[SuiteResult, ...] = ()
    failure: str = ""
    cleanup: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = field(default=())
    interrupted: bool = False

    @property
    def cases(self) -> Iterator[CaseResult]:
        """All cases."""
        return (case for suite in self.suites for case in suite.cases)

    @property
    def passed(self) -> bool:
        """Whether the command line ends with 0."""
        whole = not (self.failure or self.cleanup or self.interrupted)
        return whole and all(case.passed and not case.cleanup for case in self.cases)
