"""One case: its files read, its namespace made, its steps run, and what it leaves given to the janitor.

Imported by run and by pytest's collection.
"""

from __future__ import annotations

import time
import traceback
from dataclasses import replace

from harness.kit.errors import HarnessError
from harness.kit.waiting import Deadline, Pending
from harness.kube import Manifest, name_of, namespace_of, uid_of
from harness.suite.collectors import event_lines
from harness.suite.commands import Processes, Surroundings
from harness.suite.environment import Environment, new_namespace
from harness.suite.files import Case
from harness.suite.janitor import delete_objects
from harness.suite.loading import load_case
from harness.suite.log import Log, silent
from harness.suite.model import LoadedCase, Step
from harness.suite.namespaces import NamespaceError, create_namespace
from harness.suite.place import id_of
from harness.suite.problem import Problem, judged
from harness.suite.results import CaseResult, Failure, Outcome, StepResult
from harness.suite.sites import Site, Sites, reason_of
from harness.suite.state import CaseState
from harness.suite.steps import run_step

__all__ = ["run_case"]


def run_case(
    case: Case, environment: Environment, *, namespace: str | None = None, loaded: LoadedCase | None = None
) -> CaseResult:
    """Run a case; whatever happens in it is in the result.

    Args:
        case: the case.
        environment: what it runs in.
        namespace: its namespace; None takes the suite's, or a new name.
        loaded: its files, when they have been read for that namespace already.
    """
    started, begun = time.time(), time.monotonic()
    home = namespace or environment.suite.namespace or new_namespace()
    loaded = loaded or load_case(case, namespace=home, options=environment.options)
    log = Log(environment.sink).within(case.name)
    problems = judged(loaded.problems, mode=environment.options.mode)
    for problem in problems:
        log(str(problem))
    run = _CaseRun(case, environment, home, log)
    if not loaded.errors:
        run.run(loaded)
    outcome: Outcome = "failed" if loaded.errors else run.outcome
    return CaseResult(
        name=case.name,
        directory=case.directory,
        suite=str(case.suite),
        namespace=home,
        outcome=outcome,
        started=started,
        seconds=time.monotonic() - begun,
        steps=tuple(run.steps),
        setup=run.setup,
        load=tuple(loaded.errors),
        cleanup=tuple(run.cleanup),
        problems=(*(one for one in problems if one.severity == "warning"), *run.problems),
    )


class _CaseRun:
    """One case while it runs."""

    def __init__(self, case: Case, environment: Environment, namespace: str, log: Log) -> None:
        self.steps: list[StepResult] = []
        self.outcome: Outcome = "passed"
        self.setup = ""
        self.cleanup: list[str] = []
        self.problems: list[Problem] = []
        self._case = case
        self._environment = environment
        self._namespace = namespace
        self._log = log
        self._made: list[Site] = []
        suite = environment.suite
        surroundings = Surroundings(
            directory=case.directory,
            namespace=namespace,
            kubeconfig=environment.site.kubeconfig,
            home=environment.home,
            base=environment.variables,
            mode=environment.options.mode,
            cancelled=lambda: environment.site.recorder.cancelled,
        )
        self._state = CaseState(
            suite=suite, namespace=namespace, mode=environment.options.mode, surroundings=surroundings,
            processes=Processes(),
        )  # fmt: skip
        self._sites = Sites(
            environment.site, directory=case.directory, environment=surroundings.environment,
            connect=environment.connect,
        )  # fmt: skip

    def run(self, loaded: LoadedCase) -> None:
        try:
            self._set_up(loaded)
            if not self.setup:
                self._run_steps(loaded.steps)
            self._log_events()
        except Exception:  # noqa: BLE001 - a bug of ours must not lose the results of the other cases
            self._fail(f"internal error: {traceback.format_exc()}")
        finally:
            self._clean_up()

    def _set_up(self, loaded: LoadedCase) -> None:
        eager = [step for step in loaded.steps if not (step.test_step and step.test_step.lazy)]
        try:
            for site in dict.fromkeys([self._sites.own, *map(self._sites.of, eager)]):
                self._make_namespace(site)
        except NamespaceError as error:
            self._fail(error.text)
        except HarnessError as error:
            self._fail(reason_of(error))

    def _fail(self, text: str) -> None:
        self.setup, self.outcome = text, "failed"
        self._log(text)

    def _make_namespace(self, site: Site) -> None:
        if (
            site is self._sites.own
            and self._environment.suite.namespace
            and self._environment.options.mode == "default"
        ):
            return  # quirk Q44: made before the first case, removed after the last
        if create_namespace(site.kube, self._namespace, run=self._environment.run, log=self._log):
            self._made.append(site)

    def _run_steps(self, steps: tuple[Step, ...]) -> None:
        for step in steps:
            log = self._log.within(step.full_name)
            result = self._run_step(step, log)
            self.steps.append(result)
            self.problems += result.problems
            if result.outcome != "passed":
                self.outcome = result.outcome
                self._log(f"failed in step {step.full_name}")
                for text in result.errors:
                    self._log(text)
                return

    def _run_step(self, step: Step, log: Log) -> StepResult:
        started, begun = time.time(), time.monotonic()
        try:
            known = set(self._sites.others)
            site = self._sites.of(step)
            if site is not self._sites.own and site not in known:
                self._make_namespace(site)
        except HarnessError as error:
            text = error.text if isinstance(error, NamespaceError) else reason_of(error)
            return _lost(step, f"failed to lazy-load kubeconfig: {text}", started, begun)
        log = replace(log, suffix=site.suffix)
        return run_step(step, self._state, site, log, extensions=self._environment.extensions)

    def _log_events(self) -> None:
        if self._environment.suite.suppresses_events:
            self._log("skipping kubernetes event logging")
            return
        if self._log.sink is silent or self._environment.site.recorder.cancelled:
            return
        self._log(f"{self._case.name} events from ns {self._namespace}:")
        try:
            for line in event_lines(self._sites.own.kube, self._namespace):
                self._log(line)
        except HarnessError as error:
            self._log(f"events could not be read: {reason_of(error)}")

    def _clean_up(self) -> None:
        self._state.processes.stop()
        skip = self._environment.suite.effective_skip_delete
        if not skip:
            self._remove_outside()
        self._environment.janitor.later(lambda: self._let_go(skip=skip))

    def _remove_outside(self) -> None:
        """Remove what is not in a namespace that goes anyway, and wait for it: quirk Q50."""
        mine = {(site, self._namespace) for site in self._made}
        outside = [(site, one) for site, one in self._state.created if (site, namespace_of(one)) not in mine]
        if not outside:
            return
        self._delete(self._state.created)
        self._state.created = []
        deadline = Deadline.after(self._environment.cleanup_timeout)
        for site, one in outside:
            if self._environment.options.mode == "default" and not self._environment.site.recorder.cancelled:
                self._until_gone(site, one, deadline)

    def _until_gone(self, site: Site, one: Manifest, deadline: Deadline) -> None:
        def gone(found: Manifest | None) -> bool | Pending:
            if found is None or uid_of(found) != uid_of(one):
                return True
            held = ", ".join(found["metadata"].get("finalizers") or [])
            return Pending(f"held by the finalizers {held}" if held else "it is being removed")

        try:
            site.kube.until(
                str(one["apiVersion"]), str(one["kind"]), name_of(one), namespace_of(one), gone,
                timeout=deadline, wanted=f"{id_of(one)} gone",
            )  # fmt: skip
        except HarnessError as error:
            self.cleanup.append(f"{id_of(one)} is still there: {error.seen}")

    def _delete(self, created: list[tuple[Site, Manifest]]) -> None:
        for site in dict.fromkeys(site for site, _ in created):
            self.cleanup += delete_objects(site, [one for where, one in created if where is site])

    def _let_go(self, *, skip: bool) -> None:
        """Remove the rest, in the janitor's thread."""
        janitor = self._environment.janitor
        if not skip:
            for site in dict.fromkeys(site for site, _ in self._state.created):
                for text in delete_objects(site, [one for where, one in self._state.created if where is site]):
                    janitor.fault(f"{self._case.name}: {text}")
            for site in self._made:
                self._log(f'Deleting namespace "{self._namespace}"')
                janitor.remove_namespace(site, self._namespace)
        self._state.let_go()
        for site in self._sites.others:
            site.recorder.close()
            janitor.at_the_end(site.close)


def _lost(step: Step, text: str, started: float, begun: float) -> StepResult:
    """Return the result of a step that could not begin."""
    where = str(step.test_step.mark) if step.test_step else ""
    return StepResult(
        name=step.full_name, outcome="failed", started=started, seconds=time.monotonic() - begun,
        assertions=len(step.asserts) + len(step.errors), failures=(Failure(text=text, where=where),), files=step.files,
    )  # fmt: skip
