"""kuttl suites as pytest tests: a folder with a kuttl-test.yaml, or a path given with --kuttl; one case is one item.

A pytest plugin, loaded by harness.plugin at every start, so it imports nothing heavy: reading a suite's configuration
begins when one is found, everything else when a case runs. Nothing of a case's files is opened to collect it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from harness.kube import Kube
    from harness.suite.files import Case
    from harness.suite.header import SuiteHeader
    from harness.suite.loading import LoadOptions
    from harness.suite.model import LoadedSuite
    from harness.suite.problem import Problem
    from harness.suite.results import CaseResult
    from harness.suite.session import SuiteSession
    from harness.suite.spec import TestSuite

__all__ = ["CaseFailed", "KuttlCase", "KuttlSuite"]

SUITE_FILE = "kuttl-test.yaml"
_WARNING = "kuttl warning"  # the property by which parallel workers hand warnings on
_STATE = pytest.StashKey["_State"]()


class CaseFailed(Exception):  # noqa: N818 - a case that failed, not an error of ours
    """A case was not as wanted; its text is the report."""


@dataclass(slots=True)
class _State:
    """What --kuttl named, and the folders whose cases are collected through their suite."""

    paths: set[Path] = field(default_factory=set)
    test_dirs: set[Path] = field(default_factory=set)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of kuttl suites."""
    group = parser.getgroup("kuttl", "kuttl suites")
    group.addoption(
        "--kuttl", action="append", default=[], metavar="PATH",
        help="collect a suite file, a test directory, or a single case (repeatable)",
    )  # fmt: skip
    group.addoption(
        "--template-var", action="append", default=[], metavar="K=V", help="a variable of .gotmpl.yaml files, in .Vars"
    )
    group.addoption("--test-run-labels", default="", metavar="K=V,...", help="labels for the selectors of TestFiles")
    group.addoption("--kuttl-timeout", type=int, metavar="SECONDS", help="instead of the suites' timeout")
    group.addoption("--kuttl-strict", action="store_true", help="warnings about a case's files are errors")


def pytest_configure(config: pytest.Config) -> None:
    """Add what --kuttl names to the paths that are collected."""
    state = config.stash[_STATE] = _State()
    named = [_suite_path(Path(text), config) for text in config.getoption("kuttl")]
    state.paths.update(named)
    worker = getattr(config, "workerinput", None)
    if worker is not None:
        config.args[:] = worker.get("kuttl_args", config.args)
        return
    if not named:
        return
    given = config.args if config.args_source is pytest.Config.ArgsSource.ARGS else []
    known = {_absolute(text.partition("::")[0], config) for text in given}
    config.args[:] = [*given, *(str(path) for path in named if path not in known)]


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Give every worker of a parallel run the paths that are collected."""
    if node.config.getoption("kuttl"):
        node.workerinput["kuttl_args"] = list(node.config.args)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> KuttlSuite | None:
    """Collect a suite file."""
    state = parent.config.stash[_STATE]
    if file_path.name != SUITE_FILE and file_path not in state.paths:
        return None
    return KuttlSuite.from_parent(parent, path=file_path)


def pytest_collect_directory(path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a folder named by --kuttl; keep pytest out of the cases of a folder with a suite file."""
    state = parent.config.stash[_STATE]
    if path in state.paths:
        return KuttlSuite.from_parent(parent, path=path)
    if (path / SUITE_FILE).is_file():
        from harness.kit.errors import HarnessError

        with suppress(HarnessError):  # the collector of the file tells it
            found = _Configuration.read(path / SUITE_FILE, path, parent.config)
            state.test_dirs.update(found.directories)
    return None


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Keep pytest from walking through the folders of cases: their suite collects them."""
    test_dirs = config.stash[_STATE].test_dirs
    if collection_path.parent in test_dirs and collection_path not in test_dirs and collection_path.is_dir():
        return not any(collection_path in one.parents for one in test_dirs) or None
    return None


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Show the warnings about suites, each once."""
    reports = [one for found in terminalreporter.stats.values() for one in found if hasattr(one, "user_properties")]
    told = dict.fromkeys(str(text) for one in reports for name, text in one.user_properties if name == _WARNING)
    if told:
        terminalreporter.section("kuttl warnings", sep="-")
        for text in told:
            terminalreporter.write_line(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Configuration:
    """A suite's configuration and where its cases are."""

    loaded: LoadedSuite
    header: SuiteHeader
    directories: tuple[Path, ...]
    home: Path

    @classmethod
    def read(cls, path: Path, folder: Path, config: pytest.Config) -> _Configuration:
        """Return the configuration of a suite file.

        Raises:
            UsageError: it is wrong.
        """
        from harness.kit.errors import UsageError
        from harness.suite.header import parse_header
        from harness.suite.objects import load_suite
        from harness.suite.problem import raise_errors

        loaded = load_suite(path)
        raise_errors(loaded.problems, "a suite's configuration")
        names = loaded.suite.test_dirs
        if addresses := [name for name in names if "://" in name]:
            run = f"kubectl kuttl test --config {path}"
            raise UsageError("folders in testDirs", seen=", ".join(addresses), where=str(path), run=run)
        here = all((folder / name).is_dir() for name in names)
        home = folder if here else config.invocation_params.dir  # where kuttl is started, they are relative to
        directories = tuple(_normal(home / name) for name in names)
        return cls(loaded=loaded, header=parse_header(loaded.extensions), directories=directories, home=home)


class KuttlSuite(pytest.Module):
    """The cases of one suite file, or of one folder given with --kuttl."""

    configuration: _Configuration
    problems: list[Problem]

    @classmethod
    def from_parent(cls, parent: pytest.Collector, *, path: Path) -> KuttlSuite:  # type: ignore[override]
        """Return the collector of a suite file or folder."""
        suite: KuttlSuite = super().from_parent(parent, path=path)
        suite.problems = []
        suite.obj = ModuleType("kuttl")  # what request.module is: there is no file to import
        return suite

    def collect(self) -> Iterator[KuttlCase]:
        """Return an item for each case; none of its files is opened.

        Raises:
            CollectError: the configuration or a test directory is wrong.
        """
        from harness.kit.errors import HarnessError

        try:
            cases = list(self._cases())
        except HarnessError as error:
            raise self.CollectError(str(error)) from None
        if not self.path.is_dir():
            self.problems += _unmatched(self.configuration.header, self.path, [case.name for _, case in cases])
        for name, case in cases:
            yield _item(self, name, case)

    def _cases(self) -> Iterator[tuple[str, Case]]:
        if self.path.is_dir():
            yield from self._folder()
            return
        self.configuration = _Configuration.read(self.path, self.path.parent, self.config)
        directories = self.configuration.directories
        if not directories:
            from harness.kit.errors import UsageError

            raise UsageError("testDirs in a suite file that is collected", seen="none", where=str(self.path))
        for directory in directories:
            several = f"{directory.name}/" if len(directories) > 1 else ""
            yield from ((several + case.name, case) for case in self._listed(directory))

    def _folder(self) -> Iterator[tuple[str, Case]]:
        """Return the cases of a folder given with --kuttl, or the one case that it is."""
        from harness.suite.files import Case

        self.configuration = self._of_folder()
        if _is_case(self.path):
            yield self.path.name, Case(name=self.path.name, directory=self.path, suite=self.path.parent)
            return
        yield from ((case.name, case) for case in self._listed(self.path))

    def _listed(self, directory: Path) -> Iterator[Case]:
        from harness.suite.files import list_cases

        listed = list_cases(directory)
        self.problems += listed.problems
        yield from listed.cases

    def _of_folder(self) -> _Configuration:
        """Return the configuration of a folder: of the nearest suite file above it, up to the project's root."""
        from harness.suite.header import SuiteHeader
        from harness.suite.model import LoadedSuite

        root = self.config.rootpath
        for folder in self.path.parents:
            if (folder / SUITE_FILE).is_file():
                return _Configuration.read(folder / SUITE_FILE, folder, self.config)
            if folder == root:
                break
        home = self.config.invocation_params.dir
        return _Configuration(loaded=LoadedSuite(), header=SuiteHeader(), directories=(), home=home)


class KuttlCase(pytest.Function):
    """One case."""

    case: Case

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int, str]:
        """Return the suite: there is no line of Python to name."""
        return self.path, 0, self.name

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *args: Any, **kwargs: Any) -> Any:
        """Return the report of a failed case, and a user's mistake, without a traceback of ours."""
        from harness.kit.errors import HarnessError

        if isinstance(excinfo.value, CaseFailed | HarnessError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, *args, **kwargs)


@pytest.fixture(scope="module")
def kuttl_suite(request: pytest.FixtureRequest) -> Iterator[SuiteSession]:
    """Yield what the cases of a suite share: its set-up is done, and undone when the last one has run."""
    from harness.suite.session import SessionOptions, SuiteSession

    node: KuttlSuite = request.node
    configuration = node.configuration
    run = request.getfixturevalue("harness_run")
    with _cluster_of(request, own=configuration.loaded.suite.start_control_plane) as place:
        suite = _adjusted(configuration, request.config, controllers=place.controllers)
        options = SessionOptions(
            suite=suite, load=_load_options(suite, request.config), home=configuration.home, run=run.id,
            controllers=place.controllers, warnings_fail=request.config.getoption("kuttl_strict"),
        )  # fmt: skip
        session = SuiteSession(place.kube, place.kubeconfig, options)
        session.problems += [*configuration.loaded.problems, *node.problems]
        try:
            session.start()
            yield session
        finally:
            session.close()
            _write_report(session, request.config, configuration.home)


@pytest.fixture
def kuttl_case(request: pytest.FixtureRequest, kuttl_suite: SuiteSession) -> Iterator[Callable[[], CaseResult]]:
    """Yield what runs the case; what it leaves is removed when its failure has been reported."""
    item, run = request.node, request.getfixturevalue("harness_run")
    header = item.parent.configuration.header
    variables = {name: request.getfixturevalue(fixture) for name, fixture in header.variables.items()}
    own = "namespace" in request.fixturenames
    namespace = request.getfixturevalue("namespace") if own else kuttl_suite.namespace()
    run.use(namespace)
    try:
        yield lambda: kuttl_suite.run(item.case, namespace, variables)
    finally:
        keep = namespace in run.to_keep
        if not own and not keep:
            run.leave(namespace)
        kuttl_suite.release(keep=keep)


def _body(request: pytest.FixtureRequest, kuttl_suite: SuiteSession, kuttl_case: Callable[[], CaseResult]) -> None:
    """Carry out an item: run the case, hand on its log and its warnings, fail as it failed."""
    from harness.suite.excerpt import explain_case

    item = request.node
    kuttl_suite.lines()
    result = kuttl_case()
    item.add_report_section("call", "kuttl log", "\n".join(str(line) for line in kuttl_suite.lines()))
    problems = [*kuttl_suite.problems, *result.problems]
    warnings = dict.fromkeys(str(one) for one in problems if one.severity == "warning")
    item.user_properties.extend((_WARNING, text) for text in warnings)
    if not result.passed:
        raise CaseFailed(explain_case(result, relative_to=request.config.invocation_params.dir))


def _item(suite: KuttlSuite, name: str, case: Case) -> KuttlCase:
    """Return the item of a case, with the fixtures and marks that the suite's header asks for."""
    asked = suite.configuration.header.of(case.name)

    def body(request: pytest.FixtureRequest, kuttl_suite: SuiteSession, kuttl_case: Callable[[], CaseResult]) -> None:
        _body(request, kuttl_suite, kuttl_case)

    if asked.fixtures:
        body = pytest.mark.usefixtures(*asked.fixtures)(body)
    for mark in asked.marks:
        body = getattr(pytest.mark, mark)(body)
    if asked.skip:
        body = pytest.mark.skip(reason=asked.skip)(body)
    item: KuttlCase = KuttlCase.from_parent(suite, name=name, callobj=body)
    item.case = case
    return item


def _unmatched(header: SuiteHeader, path: Path, names: list[str]) -> list[Problem]:
    from harness.kit.errors import did_you_mean
    from harness.suite.problem import Problem

    return [
        Problem(
            severity="warning", text=f'the header names the case "{one.name}", which matches none',
            where=str(path), hint=did_you_mean(one.name, names),
        )
        for one in header.unmatched(names)
    ]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    kube: Kube
    kubeconfig: Path
    controllers: bool


@contextmanager
def _cluster_of(request: pytest.FixtureRequest, *, own: bool) -> Iterator[_Place]:
    """Give the run's cluster, or a control plane of the suite's own."""
    if not own:
        cluster, kube = request.getfixturevalue("cluster"), request.getfixturevalue("kube")
        yield _Place(kube=kube, kubeconfig=cluster.kubeconfig, controllers=cluster.provider != "control-plane")
        return
    from harness.clusters.control_plane import ControlPlane
    from harness.kube import Kube

    with ControlPlane() as running, Kube.connect(running.kubeconfig) as kube:
        yield _Place(kube=kube, kubeconfig=running.kubeconfig, controllers=False)


def _adjusted(configuration: _Configuration, config: pytest.Config, *, controllers: bool) -> TestSuite:
    """Return a suite's configuration with the options put in and its paths made absolute.

    Without controllers no namespace ever goes, so nothing is deleted unless the suite insists, as kuttl has it.
    """
    suite, home = configuration.loaded.suite, configuration.home
    timeout = config.getoption("kuttl_timeout")
    return replace(
        suite,
        timeout=suite.timeout if timeout is None else timeout,
        skip_delete=not controllers if suite.skip_delete is None else suite.skip_delete,
        crd_dir=str(home / suite.crd_dir) if suite.crd_dir else "",
        manifest_dirs=tuple(str(home / name) for name in suite.manifest_dirs),
    )


def _load_options(suite: TestSuite, config: pytest.Config) -> LoadOptions:
    from harness.suite.files import Ignore
    from harness.suite.loading import LoadOptions
    from harness.suite.selection import parse_run_labels
    from harness.suite.templates import parse_template_vars

    return LoadOptions(
        run_labels=parse_run_labels(config.getoption("test_run_labels")),
        variables=parse_template_vars(config.getoption("template_var")),
        ignore=Ignore(suite.effective_ignore_files),
    )


def _write_report(session: SuiteSession, config: pytest.Config, home: Path) -> None:
    """Write the report file that the suite asks for; of parallel workers none knows the whole run."""
    if session.options.suite.report_format and not hasattr(config, "workerinput"):
        from harness.suite.output import write_report

        write_report(session.result(), session.options.suite, home)


def _suite_path(path: Path, config: pytest.Config) -> Path:
    """Return what is collected for a path behind --kuttl: a suite file where there is one, else the folder."""
    path = _absolute(str(path), config)
    if not path.exists():
        raise pytest.UsageError(f"--kuttl {path}: no such file or folder")
    return path / SUITE_FILE if (path / SUITE_FILE).is_file() else path


def _is_case(folder: Path) -> bool:
    """Tell whether a folder holds steps itself: a numbered file, not only folders."""
    from harness.suite.files import Named, parse_name

    with os.scandir(folder) as entries:
        return any(one.is_file() and isinstance(parse_name(one.name), Named) for one in entries)


def _absolute(text: str, config: pytest.Config) -> Path:
    return _normal(config.invocation_params.dir / text)


def _normal(path: Path) -> Path:
    """Return a path as pytest forms it: absolute, without dots, links kept."""
    return Path(os.path.normpath(path))
