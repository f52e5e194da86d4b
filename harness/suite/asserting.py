"""The assertion loop of a step: objects and expressions are decided by events, commands run on a schedule beside them.

Imported by steps. Everything must hold at one moment, as in one round of kuttl's loop.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.kit.errors import HarnessError
from harness.kit.waiting import Deadline
from harness.suite.commands import CommandError, Surroundings, failure_of, prepare, run_command
from harness.suite.conditions import Condition, ExpressionCondition, MatchCondition, Reference
from harness.suite.explain import explain
from harness.suite.log import Log
from harness.suite.model import Entry, Step
from harness.suite.place import Place, locate
from harness.suite.problem import Problem
from harness.suite.recorder import Track
from harness.suite.results import Failure
from harness.suite.sites import Site, reason_of
from harness.suite.spec import AssertCommand, ResourceRef
from harness.suite.state import CaseState
from harness.suite.waits import Wait

__all__ = ["StepAssertions"]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0  # seconds between rounds of commands
_LAST_SECOND = 1.0
_FIRST_LOOK = 5.0  # seconds for the first list where the timeout leaves no time for it


class StepAssertions:
    """What a step asserts; what it is about is followed from the moment on that this is made.

    Args:
        step: the step.
        state: the case's.
        site: the cluster of the step.
        surroundings: what its commands find.
        log: of the step.
    """

    def __init__(self, step: Step, state: CaseState, site: Site, surroundings: Surroundings, log: Log) -> None:
        self._step = step
        self._state = state
        self._site = site
        self._around = surroundings
        self._log = log
        self.problems: list[Problem] = []
        self._commands = step.test_assert.commands if step.test_assert else ()
        for entry in (*step.asserts, *step.errors):
            state.follow(site, state.place_of(site, entry))
        self._references()

    def check(self, timeout: float) -> list[Failure]:
        """Wait until everything holds; return why it does not, when it did not within the timeout.

        Args:
            timeout: seconds; below 0 everything is looked at once, and nothing fails (quirk Q38).
        """
        deadline = Deadline.after(max(0.0, timeout))
        since = self._site.recorder.clock()
        conditions = self._conditions()
        tracks = [track for one in conditions for track, _ in one.topics()]
        try:
            reached = self._state.catch_up(tracks, deadline if timeout > 0 else Deadline.after(_FIRST_LOOK))
        except HarnessError as error:
            return [Failure(text=f"listing objects failed: {reason_of(error)}")]
        with Wait(self._site.recorder, [*reached, *conditions]) as wait:
            wait.see_to(reached, deadline)
            if self._commands and timeout >= 0:
                held, failed = self._rounds(wait, deadline, timeout)
            else:
                held, failed = wait.until(deadline), []
            if held:
                return []
            with self._site.recorder.lock:
                unmet = wait.unmet
                found = [(one, explain(one, since=since, mode=self._state.mode)) for one in unmet]
        failures = _in_order(found, failed)
        if timeout < 0:
            shown = "; ".join(failure.text for failure in failures)
            text = f"a negative timeout: nothing is checked; it would fail with: {shown}"
            self.problems.append(Problem(severity="warning", text=text, where=str(self._step.directory), quirk=38))
            return []
        return failures

    def _conditions(self) -> list[Condition]:
        found: list[Condition] = [self._match(entry, wanted=True) for entry in self._step.asserts]
        references = self._references()
        if self._step.expressions is not None:
            found.append(ExpressionCondition(self._step.expressions, references))
        return found + [self._match(entry, wanted=False) for entry in self._step.errors]

    def _match(self, entry: Entry, *, wanted: bool) -> MatchCondition:
        place = self._state.place_of(self._site, entry)
        track = self._state.follow(self._site, place)
        self._warn_of_scope(entry, place, wanted=wanted)
        return MatchCondition(entry, track, place, wanted=wanted, strict=self._state.mode == "strict")

    def _references(self) -> list[Reference]:
        expressions = self._step.expressions
        if expressions is None:
            return []
        return [Reference(spec=one, track=self._follow(one)) for one in expressions.references]

    def _follow(self, one: ResourceRef) -> Track:
        place = locate(
            self._site.kube, one.api_version, one.kind, written=one.namespace, namespace=self._state.namespace
        )
        return self._state.follow(self._site, place)

    def _warn_of_scope(self, entry: Entry, place: Place, *, wanted: bool) -> None:
        if place.explicit and place.home is None:
            effect = "it never matches under kuttl" if wanted else "so this entry can never fail"
            text = f"{entry.kind} is of cluster scope, its namespace is {entry.namespace}: {effect}"
            where = str(entry.at("metadata", "namespace"))
            self.problems.append(Problem(severity="warning", text=text, where=where, quirk=53))

    def _rounds(self, wait: Wait, deadline: Deadline, timeout: float) -> tuple[bool, list[Failure]]:
        """Run the commands again and again until they succeed while the objects are as wanted."""
        pause = _FIRST_PAUSE
        while True:
            failed, over = self._run_commands(deadline, timeout)
            if not failed and wait.until(Deadline.after(0)):
                return True, []
            if over or deadline.expired():
                return False, failed
            part = deadline.sooner(pause)
            if failed or not wait.until(part):  # with the commands right, the objects' next change decides
                wait.pause(part)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _run_commands(self, deadline: Deadline, timeout: float) -> tuple[list[Failure], bool]:
        """Run the commands once; return what failed, and whether that ends the loop."""
        for index, command in enumerate(self._commands):
            limit = self._limit(deadline, timeout)
            failure, over = self._run_command(command, limit)
            if failure is not None:
                rest = len(self._commands) - index - 1
                if rest:
                    self._log(f"command failure, skipping {rest} additional commands")
                return [failure], over
        return [], False

    def _run_command(self, command: AssertCommand, limit: float | None) -> tuple[Failure | None, bool]:
        where = str(command.mark)
        try:
            prepared = prepare(command, self._around)
            finished = run_command(
                prepared, self._around, limit=limit, log=self._log, quiet=command.skip_log_output,
                processes=self._state.processes,
            )  # fmt: skip
        except CommandError as error:
            return Failure(text=error.text, where=where), False
        self._note(prepared.problems)
        text = failure_of(command, finished, limit)
        return (Failure(text=text, where=where, output=finished.output) if text else None), finished.timed_out

    def _limit(self, deadline: Deadline, timeout: float) -> float | None:
        """Return what a command may take (quirk Q66: in strict mode nothing limits it in the last second)."""
        left = deadline.left()
        if self._state.mode == "strict":
            return float(int(left)) or None
        return left if left >= _LAST_SECOND else max(timeout, _LAST_SECOND)

    def _note(self, problems: Sequence[Problem]) -> None:
        self.problems += [one for one in problems if one not in self.problems]


def _in_order(found: list[tuple[Condition, list[Failure]]], commands: list[Failure]) -> list[Failure]:
    """Return failures in kuttl's order: asserts, commands, expressions, errors."""
    asserts, expressions, errors = [], [], []
    for condition, failures in found:
        if isinstance(condition, ExpressionCondition):
            expressions += failures
        elif isinstance(condition, MatchCondition) and not condition.wanted:
            errors += failures
        else:
            asserts += failures
    return [*asserts, *commands, *expressions, *errors]
