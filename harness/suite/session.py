"""The cases of one suite that are run one by one by somebody else: what they share, set up once, removed at the end.

Imported by collect, for pytest. kubectl-kuttl runs whole suites with harness.suite.run instead.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.kit.errors import CheckError
from harness.kube import Kube
from harness.suite.case import run_case
from harness.suite.commands import Processes
from harness.suite.environment import Environment, new_namespace
from harness.suite.files import Case
from harness.suite.janitor import Janitor
from harness.suite.loading import LoadOptions, load_case
from harness.suite.log import Line, Log
from harness.suite.namespaces import create_namespace
from harness.suite.problem import Problem, judged
from harness.suite.recorder import Recorder
from harness.suite.results import CaseResult, RunResult, SuiteResult
from harness.suite.run import set_up
from harness.suite.sites import Site
from harness.suite.spec import TestSuite

__all__ = ["SessionOptions", "SuiteSession"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOptions:
    """How the cases of a suite run.

    Attributes:
        suite: the configuration.
        load: how files are read.
        home: the runner's folder, where suite commands run.
        run: id of the run.
        controllers: controllers run in the cluster, so that service accounts are made.
        warnings_fail: a warning about a case's files is an error.
    """

    suite: TestSuite
    load: LoadOptions
    home: Path
    run: str
    controllers: bool = True
    warnings_fail: bool = False


class HeldJanitor(Janitor):
    """A janitor that begins with a case's leftovers only when it is told to.

    Whoever reports a failed case wants to look at its namespace first.
    """

    def __init__(self) -> None:
        super().__init__()
        self._held: list[Callable[[], None]] = []

    def later(self, job: Callable[[], None]) -> None:
        """Keep a job until release."""
        self._held.append(job)

    def release(self) -> None:
        """Begin with what was kept."""
        held, self._held = self._held, []
        for job in held:
            super().later(job)

    def drop(self) -> None:
        """Forget what was kept: its objects stay."""
        self._held.clear()


class SuiteSession:
    """The cases of one suite on one cluster; start it, run cases in any order, close it.

    Args:
        kube: a client of the cluster; it stays the caller's.
        kubeconfig: the file that reaches the same cluster, for commands.
        options: how the cases run.
    """

    def __init__(self, kube: Kube, kubeconfig: Path, options: SessionOptions) -> None:
        self.options = options
        self._lines: list[Line] = []
        self._lock = threading.Lock()
        self._janitor = HeldJanitor()
        self._processes = Processes()
        self._recorder = Recorder(kube)
        self._shared = False
        self._started = time.time()
        self._results: list[CaseResult] = []
        self._left: list[str] = []
        self.problems: list[Problem] = []
        self.environment = Environment(
            site=Site(kube=kube, recorder=self._recorder, kubeconfig=kubeconfig),
            suite=options.suite,
            options=options.load,
            janitor=self._janitor,
            sink=self._take,
            home=options.home,
            run=options.run,
        )

    def start(self) -> None:
        """Install CRDs and manifests, run the suite's commands, make the namespace that all cases share.

        Raises:
            SetupError: something of it failed.
        """
        environment = self.environment
        self.problems += set_up(environment, self._processes, controllers=self.options.controllers)
        name = self.options.suite.namespace
        if name and self.options.load.mode == "default":
            site, log = environment.site, Log(self._take)
            self._shared = create_namespace(site.kube, name, run=environment.run, log=log)

    def namespace(self) -> str:
        """Return the namespace of the next case: the suite's, or a new name."""
        return self.options.suite.namespace or new_namespace()

    def run(self, case: Case, namespace: str, variables: Mapping[str, Any] | None = None) -> CaseResult:
        """Run a case; what it leaves stays until release.

        Args:
            case: the case.
            namespace: its namespace.
            variables: values for templates, beside those of the options.
        """
        load = self.options.load
        if variables:
            load = replace(load, variables={**load.variables, **variables})
        loaded = load_case(case, namespace=namespace, options=load)
        if self.options.warnings_fail:
            problems = judged(loaded.problems, mode=load.mode, warnings_fail=True)
            loaded = replace(loaded, problems=tuple(problems))
        result = run_case(case, replace(self.environment, options=load), namespace=namespace, loaded=loaded)
        self._results.append(result)
        self._left += [f"{case.name}: {text}" for text in result.cleanup]
        return result

    def lines(self) -> list[Line]:
        """Return the lines told since the last call."""
        with self._lock:
            lines, self._lines = self._lines, []
        return lines

    def release(self, *, keep: bool = False) -> None:
        """Remove what the last case left, in the background.

        Args:
            keep: leave it where it is.
        """
        if keep:
            self._janitor.drop()
        self._janitor.release()

    def result(self) -> RunResult:
        """Return the cases run so far as a run, for report files."""
        suites = []
        for name in dict.fromkeys(one.suite for one in self._results):
            cases = tuple(one for one in self._results if one.suite == name)
            first, last = cases[0].started, max(one.started + one.seconds for one in cases)
            suites.append(SuiteResult(name=name, started=first, seconds=last - first, cases=cases))
        return RunResult(
            name=self.options.suite.metadata.name, started=self._started, seconds=time.time() - self._started,
            suites=tuple(suites), problems=tuple(self.problems),
        )  # fmt: skip

    def close(self) -> None:
        """End the suite's background commands and wait until everything is removed.

        Raises:
            CheckError: something is still there; with what holds it.
        """
        self._processes.stop()
        self._janitor.release()
        if self._shared and not self.options.suite.effective_skip_delete:
            self._janitor.remove_namespace(self.environment.site, self.options.suite.namespace)
        left = self._left + self._janitor.finish()
        self._recorder.close()
        if left:
            raise CheckError("nothing left of the suite's cases", seen="\n".join(left), run="harness clean")

    def _take(self, line: Line) -> None:
        with self._lock:
            self._lines.append(line)
