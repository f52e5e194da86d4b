"""One step: delete, commands, apply, then what it asserts; in kuttl's order and with kuttl's texts.

Imported by case.
"""

from __future__ import annotations

import time
from dataclasses import replace

from harness.kit.errors import HarnessError
from harness.kit.waiting import Deadline
from harness.kube import ApiError, UnknownKind, labels_of, name_of, uid_of
from harness.suite.apply import Applier, ApplyError
from harness.suite.asserting import StepAssertions
from harness.suite.collectors import collect
from harness.suite.commands import CommandError, failure_of, prepare, run_command
from harness.suite.conditions import GoneCondition
from harness.suite.explain import explain
from harness.suite.log import Log
from harness.suite.model import Step
from harness.suite.place import Place, find_resource, locate, resource_id
from harness.suite.problem import Problem
from harness.suite.recorder import Track
from harness.suite.results import Failure, Outcome, StepResult
from harness.suite.sites import Site, reason_of
from harness.suite.spec import Command, ObjectReference
from harness.suite.state import CaseState, Extensions
from harness.suite.verdicts import gvk_text
from harness.suite.waits import Interrupted, Wait

__all__ = ["run_step"]


def run_step(step: Step, state: CaseState, site: Site, log: Log, *, extensions: Extensions | None = None) -> StepResult:
    """Run a step.

    Args:
        step: what to do.
        state: the case's.
        site: the cluster of the step.
        log: of the step.
        extensions: runs its documents of group harness.dev; without it they fail.
    """
    started, begun = time.time(), time.monotonic()
    runner = _Runner(step, state, site, log, extensions)
    outcome = runner.run()
    return StepResult(
        name=step.full_name,
        outcome=outcome,
        started=started,
        seconds=time.monotonic() - begun,
        assertions=len(step.asserts) + len(step.errors),
        failures=tuple(runner.failures),
        problems=tuple(runner.problems),
        collected=tuple(runner.collected),
        files=step.files,
    )


class _Runner:
    """One step while it runs."""

    def __init__(
        self, step: Step, state: CaseState, site: Site, log: Log, extensions: Extensions | None = None
    ) -> None:
        self._extensions = extensions
        self.failures: list[Failure] = []
        self.problems: list[Problem] = []
        self.collected: list[str] = []
        self._step = step
        self._state = state
        self._site = site
        self._log = log
        self._around = replace(state.surroundings, kubeconfig=site.kubeconfig, context=site.context)
        self._timeout = float(step.timeout(state.suite))

    def run(self) -> Outcome:
        self._log(f"starting test step {self._step.full_name}")
        asserting = None
        try:
            asserting = self._act()
            if asserting is not None and not self.failures:
                self.failures += asserting.check(self._timeout)
                self.problems += asserting.problems
        except Interrupted as error:
            self.failures.append(Failure(text=error.seen))
            return "interrupted"
        except HarnessError as error:
            self.failures.append(Failure(text=reason_of(error), hints=tuple(filter(None, (error.run,)))))
        if not self.failures:
            self._log(f"test step completed {self._step.full_name}")
            return "passed"
        if asserting is not None:
            self._log(f"test step failed {self._step.full_name}")
        if asserting is not None or self._state.mode == "default":  # quirk Q64
            self._collect()
        return "failed"

    def _act(self) -> StepAssertions | None:
        """Delete, run commands, apply; None when one of them failed."""
        asserting = StepAssertions(self._step, self._state, self._site, self._around, self._log)
        test_step = self._step.test_step
        if test_step is not None:
            if test_step.delete and not self._delete(test_step.delete):
                return None
            self._run_commands(test_step.commands)
            if self.failures and self._state.mode == "default":  # quirk Q63
                return None
        self._apply()
        self._extend()
        return None if self.failures else asserting

    def _extend(self) -> None:
        """Hand the documents of group harness.dev to who runs them; without one they would pass unseen."""
        if not self._step.extensions or self.failures:
            return
        if self._extensions is not None:
            self.failures += self._extensions(self._step, self._state, self._site, self._log)
            return
        for entry in self._step.extensions:
            text = f"{gvk_text(entry.api_version, entry.kind)} cannot be run here"
            self.failures.append(Failure(text=text, where=str(entry.mark), hints=("nothing runs this kind",)))

    # Deleting

    def _delete(self, references: tuple[ObjectReference, ...]) -> bool:
        deadline = Deadline.after(self._timeout if self._timeout > 0 else float("inf"))
        try:
            tracks = [self._track_of(reference) for reference in references]
            self._catch_up(tracks, deadline)
            doomed = [one for pair in zip(references, tracks, strict=True) for one in self._doomed(*pair)]
        except _DeleteError as error:
            self.failures.append(error.failure)
            return False
        waits = [condition for one in doomed if (condition := self._delete_one(*one)) is not None]
        if self.failures:
            return False
        with Wait(self._site.recorder, waits) as wait:
            if not waits or wait.until(deadline):
                return True
            with self._site.recorder.lock:
                self.failures += [one for unmet in wait.unmet for one in explain(unmet, since=0.0)]
        return False

    def _track_of(self, reference: ObjectReference) -> Track:
        try:
            find_resource(self._site.kube, reference.api_version, reference.kind)
        except UnknownKind as error:
            gvk = gvk_text(reference.api_version, reference.kind)
            text = f"retrieving API resource for {gvk} failed: the server could not find the requested resource"
            raise _DeleteError(Failure(text=text, where=str(reference.mark), hints=(error.seen,))) from None
        return self._state.follow(self._site, self._place_of(reference))

    def _catch_up(self, tracks: list[Track], deadline: Deadline) -> None:
        """See to it that what was written before is known: what is not known of would count as gone."""
        try:
            reached = self._state.catch_up(tracks, deadline)
        except HarnessError as error:
            failure = Failure(text=f"listing resources to delete failed: {reason_of(error)}")
            raise _DeleteError(failure) from None
        with Wait(self._site.recorder, reached) as wait:
            wait.see_to(reached, deadline)

    def _doomed(self, reference: ObjectReference, track: Track) -> list[tuple[ObjectReference, Track, str]]:
        """Return the names of what a reference means."""
        if reference.name:
            return [(reference, track, reference.name)]
        try:
            if track.polled or not track.synced:
                found = self._site.kube.list(reference.api_version, reference.kind, track.home)
            else:
                found = track.objects()
        except HarnessError as error:
            failure = Failure(text=f"listing resources to delete failed: {reason_of(error)}", where=str(reference.mark))
            raise _DeleteError(failure) from None
        wanted = reference.labels.items()
        return [
            (reference, track, name_of(one))
            for one in found
            if all(labels_of(one).get(key) == value for key, value in wanted)
        ]

    def _delete_one(self, reference: ObjectReference, track: Track, name: str) -> GoneCondition | None:
        kube, resource = self._site.kube, track.resource
        kind = resource.kind if resource is not None else reference.kind
        shown = resource_id(kind, track.home, name)
        try:
            before = kube.find(reference.api_version, kind, name, track.home) if reference.name else track.get(name)
            if before is None:
                self._log(f"{shown} already gone")
                return None
            kube.delete(reference.api_version, kind, name, track.home)
        except HarnessError as error:
            cause = error.message if isinstance(error, ApiError) else reason_of(error)
            text = f"deleting {gvk_text(reference.api_version, kind)} {name} failed: {cause}"
            self.failures.append(Failure(text=text, where=str(reference.mark)))
            return None
        self._log(f"{shown} deleted")
        return GoneCondition(track, name, uid_of(before))

    def _place_of(self, reference: ObjectReference) -> Place:
        return locate(
            self._site.kube, reference.api_version, reference.kind,
            written=reference.namespace, namespace=self._state.namespace,
        )  # fmt: skip

    # Commands

    def _run_commands(self, commands: tuple[Command, ...]) -> None:
        for index, command in enumerate(commands):
            failure = self._run_command(command)
            if failure is not None:
                self.failures.append(failure)
                rest = len(commands) - index - 1
                if rest:
                    self._log(f"command failure, skipping {rest} additional commands")
                return

    def _run_command(self, command: Command) -> Failure | None:
        where = str(command.mark)
        quiet = command.skip_log_output
        try:
            prepared = prepare(command, self._around)
            self.problems += prepared.problems
            if command.background:
                text = "background commands are meant for suites; it runs until the test ends"
                self.problems.append(Problem(severity="warning", text=text, where=where, quirk=57))
                self._state.processes.start(prepared, self._around, log=self._log, quiet=quiet)
                return None
            limit = self._limit(command)
            finished = run_command(
                prepared, self._around, limit=limit, log=self._log, quiet=quiet, processes=self._state.processes
            )
        except CommandError as error:
            return Failure(text=error.text, where=where)
        finally:
            self._state.touched = self._site.recorder.clock()
        text = failure_of(command, finished, limit)
        if text and command.ignore_failure:
            self._log(f"ignoring failure: {text}")
            if finished.timed_out:
                seen = "ignoreFailure hides that the command did not end in time"
                self.problems.append(Problem(severity="warning", text=seen, where=where, quirk=56))
            return None
        return Failure(text=text, where=where, output=finished.output) if text else None

    def _limit(self, command: Command) -> float | None:
        if command.timeout:
            return float(command.timeout) if command.timeout > 0 else None
        suite = self._state.suite.effective_timeout
        return float(suite) if suite > 0 else None

    # Applying

    def _apply(self) -> None:
        recorder = self._site.recorder if self._state.mode == "default" else None
        limit = self._state.suite.effective_timeout
        applier = Applier(self._site.kube, recorder, namespace=self._state.namespace, limit=limit)
        for entry in self._step.applies:
            if recorder is not None and self._site.recorder.cancelled:
                raise Interrupted("the step to end", seen="the run was interrupted")
            try:
                applied = applier.apply(entry)
            except ApplyError as error:
                hints = tuple(line for line in (error.run,) if line)
                self.failures.append(Failure(text=error.text, where=error.where, hints=hints))
                continue
            self._log(f"{applied.name} {applied.how}")
            self._state.wrote(self._site, self._state.place_of(self._site, entry), applied.manifest)
            if applied.how == "created":
                self._state.created.append((self._site, applied.manifest))

    def _collect(self) -> None:
        check = self._step.test_assert
        if check is not None:
            self.collected += collect(
                check.collectors, self._site, self._around, limit=self._state.suite.effective_timeout,
                log=self._log, processes=self._state.processes,
            )  # fmt: skip


class _DeleteError(Exception):
    """A reference that cannot be deleted."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.text)
        self.failure = failure
