"""A whole run: setup, the cases of all test directories in parallel, clean-up; whatever happens, there is a result.

Imported by the command line.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from harness.kit.errors import HarnessError, UsageError
from harness.kit.waiting import Deadline, Pending
from harness.kube import Manifest
from harness.suite.apply import Applier, ApplyError
from harness.suite.case import run_case
from harness.suite.commands import CommandError, Processes, Surroundings, failure_of, prepare, run_command
from harness.suite.downloads import Downloads, is_url
from harness.suite.environment import Environment, new_namespace
from harness.suite.files import Case, Cases, list_cases
from harness.suite.log import Log
from harness.suite.model import Entry
from harness.suite.namespaces import NamespaceError, create_namespace
from harness.suite.objects import load_manifests
from harness.suite.problem import Problem, errors_of
from harness.suite.results import CaseResult, RunResult, SuiteResult
from harness.suite.sites import reason_of
from harness.suite.spec import Command
from harness.suite.verdicts import gvk_text
from harness.suite.waits import Interrupted

__all__ = ["SetupError", "run_suite", "set_up"]

_CRD = "CustomResourceDefinition"
_CRD_VERSIONS = ("apiextensions.k8s.io/v1", "apiextensions.k8s.io/v1beta1")
_SERVED = 10.0  # seconds for CRDs to be served, as kuttl documents
_ACCOUNT = 60.0  # seconds for the service account that pods need
_HURRY = 15.0  # seconds for the clean-up of an interrupted run


class SetupError(HarnessError):
    """A run that cannot begin; `text` is kuttl's sentence."""

    def __init__(self, text: str, *, where: str = "", seen: str = "", hint: str = "") -> None:
        super().__init__(text, seen=seen, where=where, run=hint)
        self.text = text


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    name: str
    cases: Cases


def run_suite(
    environment: Environment,
    test_dirs: Sequence[str],
    *,
    select: Callable[[Case], bool] = lambda _case: True,
    controllers: bool = True,
) -> RunResult:
    """Run the cases of test directories; always ends with a result, also when interrupted.

    Args:
        environment: what they run in; its suite says the rest, with the flags of the command line put in.
        test_dirs: the test directories, as they are to be named in the report.
        select: which cases run.
        controllers: controllers run in the cluster, so that service accounts are made.
    """
    started, begun = time.time(), time.monotonic()
    run = _Run(environment, select)
    try:
        run.run(test_dirs, controllers=controllers)
    except SetupError as error:
        run.failure = error.text
        Log(environment.sink)(error.text)
    except (KeyboardInterrupt, Interrupted):
        run.interrupted = True
    except BaseException:
        run.clean_up()
        raise
    run.clean_up()
    return RunResult(
        name=environment.suite.metadata.name,
        started=started,
        seconds=time.monotonic() - begun,
        suites=tuple(run.results()),
        failure=run.failure,
        cleanup=tuple(run.cleanup),
        problems=tuple(run.problems),
        interrupted=run.interrupted,
    )


def set_up(environment: Environment, processes: Processes, *, controllers: bool = True) -> list[Problem]:
    """Install CRDs and manifests, run the suite's commands; return warnings.

    Args:
        environment: the run's.
        processes: keeps the background commands.
        controllers: controllers run in the cluster.

    Raises:
        SetupError: something failed; the run must not begin.
        Interrupted: the run was.
    """
    setup = _Setup(environment, processes)
    if controllers:
        setup.wait_for_account()
    setup.install()
    setup.run_commands()
    return setup.problems


class _Setup:
    """What comes before the cases."""

    def __init__(self, environment: Environment, processes: Processes) -> None:
        self.problems: list[Problem] = []
        self._environment = environment
        self._suite = environment.suite
        self._processes = processes
        self._log = Log(environment.sink)
        variables = dict(environment.variables)
        if self._suite.namespace:  # quirk Q27: $NAMESPACE is always default
            variables["HARNESS_NAMESPACE"] = self._suite.namespace
        self._around = Surroundings(
            directory=environment.home,
            namespace="default",
            kubeconfig=environment.site.kubeconfig,
            home=environment.home,
            base=variables,
            mode=environment.options.mode,
            cancelled=lambda: environment.site.recorder.cancelled,
        )

    def wait_for_account(self) -> None:
        namespaces = ["default", *([self._suite.namespace] if self._suite.namespace else [])]
        for index, namespace in enumerate(namespaces):
            try:
                self._environment.site.kube.until(
                    "v1", "ServiceAccount", "default", namespace, lambda found: found or Pending("it is not there"),
                    timeout=_ACCOUNT, wanted=f"service account default in namespace {namespace}",
                )  # fmt: skip
            except HarnessError as error:
                if index == len(namespaces) - 1:
                    raise SetupError(f"fatal error getting client: {reason_of(error)}") from None
            else:
                return

    def install(self) -> None:
        if self._suite.crd_dir:
            self._install_crds(Path(self._suite.crd_dir))
        for directory in self._suite.manifest_dirs:
            for entry in self._entries(Path(directory), "installing manifests"):
                self._apply(entry, "installing manifests")

    def run_commands(self) -> None:
        for command in self._suite.commands:
            try:
                self._run_command(command)
            except CommandError as error:
                where = str(command.mark)
                raise SetupError(
                    f"fatal error running commands: {error.text}", where=where, seen=error.output
                ) from None
        background = self._processes.shown
        if background:
            self._log(f"background processes [{' '.join(background)}]")

    def _install_crds(self, path: Path) -> None:
        crds = []
        for entry in self._entries(path, "installing crds"):
            if entry.kind == _CRD and entry.api_version in _CRD_VERSIONS:
                self._apply(entry, "installing crds")
                crds.append(entry)
            else:
                gvk = gvk_text(entry.api_version, entry.kind)
                expected = ", ".join(gvk_text(version, _CRD) for version in _CRD_VERSIONS)
                self._log(f"Skipping resource {gvk} because it does not match expected kinds: {expected}")
        deadline = Deadline.after(_SERVED)
        for entry in crds:
            for api_version, kind in _served_by(entry.manifest):
                try:
                    self._environment.site.kube.until_served(api_version, kind, timeout=deadline)
                except HarnessError as error:
                    text = f"fatal error waiting for crds: {reason_of(error)}"
                    raise SetupError(text, where=str(entry.mark)) from None

    def _entries(self, path: Path, doing: str) -> Iterator[Entry]:
        try:
            loaded = load_manifests(path, options=self._environment.options)
        except UsageError as error:
            raise SetupError(f"fatal error {doing}: {error.seen}", where=error.where) from None
        wrong = errors_of(loaded.problems)
        if wrong:
            text = f"fatal error {doing}: {wrong[0].text}"
            raise SetupError(text, where=wrong[0].where, seen="\n".join(map(str, wrong)))
        self.problems += [one for one in loaded.problems if one.severity == "warning"]
        yield from loaded.entries

    def _apply(self, entry: Entry, doing: str) -> None:
        limit = self._suite.effective_timeout
        try:
            applied = Applier(self._environment.site.kube, None, namespace="default", limit=limit).apply(entry)
        except ApplyError as error:
            raise SetupError(f"fatal error {doing}: {error.text}", where=error.where, hint=error.run) from None
        self._log(f"{applied.name} {applied.how}")

    def _run_command(self, command: Command) -> None:
        prepared = prepare(command, self._around)
        self.problems += prepared.problems
        quiet = command.skip_log_output
        if command.background:
            self._processes.start(prepared, self._around, log=self._log, quiet=quiet)
            return
        limit = self._limit(command)
        finished = run_command(
            prepared, self._around, limit=limit, log=self._log, quiet=quiet, processes=self._processes
        )
        text = failure_of(command, finished, limit)
        if text and not command.ignore_failure:
            raise CommandError(text, output=finished.output, where=str(command.mark))

    def _limit(self, command: Command) -> float | None:
        """Return a suite command's limit: the suite's counts only where it was given (quirk Q28)."""
        seconds = command.timeout or self._suite.timeout or 0
        return float(seconds) if seconds > 0 else None


class _Run:
    """A run while it goes on."""

    def __init__(self, environment: Environment, select: Callable[[Case], bool]) -> None:
        self.failure = ""
        self.interrupted = False
        self.cleanup: list[str] = []
        self.problems: list[Problem] = []
        self._environment = environment
        self._suite = environment.suite
        self._select = select
        self._log = Log(environment.sink)
        self._processes = Processes()
        self._downloads = Downloads()
        self._listed: list[_Listed] = []
        self._futures: dict[Future[CaseResult], str] = {}
        self._shared = False

    def run(self, test_dirs: Sequence[str], *, controllers: bool) -> None:
        self._log("starting setup")
        self.problems += set_up(self._environment, self._processes, controllers=controllers)
        self._listed = [self._list(name) for name in test_dirs]
        self._share_namespace()
        self._log("running tests")
        for one in self._listed:
            seconds = self._suite.effective_timeout
            self._log(f"going to run test suite with timeout of {seconds} seconds for each step")
            self._log(f"testsuite: {one.name} has {len(one.cases.cases)} tests")
        self._run_cases()
        self._log("run tests finished")

    def results(self) -> Iterator[SuiteResult]:
        """Return the results of all test directories, in their order."""
        done = [(name, future.result()) for future, name in self._futures.items() if _ended(future)]
        for one in self._listed:
            cases = sorted((case for name, case in done if name == one.name), key=lambda case: case.name)
            first = min((case.started for case in cases), default=time.time())
            last = max((case.started + case.seconds for case in cases), default=first)
            yield SuiteResult(name=one.name, started=first, seconds=last - first, cases=tuple(cases))

    def clean_up(self) -> None:
        self._log("cleaning up")
        self._processes.stop()
        self._downloads.remove()
        janitor = self._environment.janitor
        if self._shared and not self._suite.effective_skip_delete:
            self._log(f'Deleting namespace "{self._suite.namespace}"')
            janitor.remove_namespace(self._environment.site, self._suite.namespace)
        self.cleanup += janitor.finish(_HURRY if self.interrupted else None)
        for line in self.cleanup:
            self._log(line)

    def _list(self, name: str) -> _Listed:
        try:
            cases = list_cases(self._downloads.fetch(name) if is_url(name) else Path(name))
        except UsageError as error:
            seen = f"{error.where}: {error.seen}"
            raise SetupError(f"fatal error listing tests: {seen}", where=name, hint=", ".join(error.exists)) from None
        self.problems += cases.problems
        return _Listed(name=name, cases=cases)

    def _share_namespace(self) -> None:
        """Create a namespace that all cases share before the first one (quirk Q44)."""
        name = self._suite.namespace
        if not name or self._environment.options.mode == "strict":
            return
        try:
            self._shared = create_namespace(self._environment.site.kube, name, run=self._environment.run, log=self._log)
        except NamespaceError as error:
            raise SetupError(error.text) from None

    def _run_cases(self) -> None:
        recorder = self._environment.site.recorder
        with ThreadPoolExecutor(self._suite.effective_parallel, thread_name_prefix="case") as pool:
            try:
                for one in self._listed:
                    for case in filter(self._select, one.cases.cases):
                        namespace = self._suite.namespace or new_namespace()
                        future = pool.submit(run_case, case, self._environment, namespace=namespace)
                        self._futures[future] = one.name
                wait(self._futures)
            except BaseException:
                recorder.cancel()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        for future in self._futures:
            future.result()  # a bug of ours shows itself


def _ended(future: Future[CaseResult]) -> bool:
    return future.done() and not future.cancelled() and future.exception() is None


def _served_by(crd: Manifest) -> Iterator[tuple[str, str]]:
    """Return what a CustomResourceDefinition makes the server serve."""
    spec = crd.get("spec") or {}
    kind = str((spec.get("names") or {}).get("kind") or "")
    versions = spec.get("versions") or [{"name": spec.get("version"), "served": True}]
    for version in versions:
        if version.get("served", True) and version.get("name") and kind:
            yield f"{spec.get('group')}/{version['name']}", kind
