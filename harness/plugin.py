"""The pytest plugin: options, the run, and the report of a failed test.

Loaded by pytest's entry point at every start, so it imports nothing heavy; fixtures do when they are used.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from harness import fixtures
from harness.fixtures import RUN, close_shared, explain
from harness.run import Run, RunOptions

__all__: list[str] = []

pytest_plugins = ["harness.suite.collect"]  # kuttl's folders as tests

_KIND_NAME = "pytest-kind"  # pytest-kind's default for --cluster-name: nobody chose it


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Add our options; those of pytest-kind keep their names and meaning."""
    if pluginmanager.is_blocked("pytest-kind"):
        _add_kind_options(parser)
    group = parser.getgroup("harness", "harness: clusters and operators")
    group.addoption("--harness-kubernetes-version", metavar="V", help="Kubernetes of the kind cluster: 1.36 or v1.36.3")
    group.addoption("--harness-context", metavar="NAME", help="use this existing context (see also --kubeconfig)")
    group.addoption("--harness-workers", type=int, default=0, metavar="N", help="worker nodes of the kind cluster")
    group.addoption("--harness-kind-config", type=Path, metavar="FILE", help="a kind configuration file")
    group.addoption(
        "--harness-airgap",
        choices=("auto", "always", "never"),
        default="auto",
        help="build images here: when nothing can be pulled (auto), always, never",
    )
    group.addoption(
        "--harness-keep-namespace", action="store_true", help="keep the namespaces of failed tests, and name them"
    )
    group.addoption("--harness-artifacts", type=Path, metavar="DIR", help="folder of reports (default: .harness)")
    parser.addini("harness_images", "recipes of the suite's images, relative to the project", type="paths", default=[])


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Make the run, and register our fixtures last, so that our `kind_cluster` is the one that tests get."""
    worker = getattr(config, "workerinput", {})
    run_id = worker.get("harness_run") or secrets.token_hex(2)
    config.stash[RUN] = Run(run_id, _options(config), _Terminal(config))
    config.pluginmanager.register(fixtures, "harness-fixtures")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Give every worker of a parallel run the run's id."""
    node.workerinput["harness_run"] = node.config.stash[RUN].id


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the diagnostics of the namespaces in use to the report of a test that failed."""
    report = yield
    if report.failed and report.when != "teardown":
        run = item.config.stash[RUN]
        run.failed_namespaces.update(used.namespace for used in run.used)
        said = explain(run, item.nodeid, call.excinfo.value if call.excinfo else None)
        if said is not None:
            _mask(report, said.mask)
            report.sections.append(("harness", said.text))
    return report


def _mask(report: pytest.TestReport, mask: Callable[[str], str]) -> None:
    """Mask secrets in what pytest itself shows of a failure: the traceback's values and the captured output."""
    shown = str(report.longrepr)
    if (masked := mask(shown)) != shown:
        report.longrepr = masked
    report.sections[:] = [(title, mask(text)) for title, text in report.sections]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Delete what the parallel workers shared: none of them knows which is the last."""
    is_controller = hasattr(session.config, "workerinput") is False and session.config.pluginmanager.has_plugin(
        "dsession"
    )
    if is_controller:
        close_shared(session.config.stash[RUN])


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say what was kept, and where the reports are."""
    run = config.stash[RUN]
    for line in run.kept:
        terminalreporter.write_line(f"kept     {line}")
    if run.artifacts.root.exists():
        terminalreporter.write_line(f"reports  {run.artifacts.root}")


def _add_kind_options(parser: pytest.Parser) -> None:
    """Add the options of pytest-kind where its plugin is switched off, which spares its imports at every start."""
    group = parser.getgroup("kind")
    group.addoption("--cluster-name", default=_KIND_NAME, help="name of the kind cluster")
    group.addoption("--keep-cluster", action="store_true", help="keep the kind cluster for the next run")
    group.addoption("--kubeconfig", help="use the cluster behind this kubeconfig; none is made")
    group.addoption("--kind-image", help="the node image, e.g. kindest/node:v1.36.3")
    group.addoption("--kind-bin", help="the kind program")
    group.addoption("--kind-kubectl-bin", help="the kubectl program")


def _options(config: pytest.Config) -> RunOptions:
    name = config.getoption("cluster_name", None)
    return RunOptions(
        cluster_name=None if name == _KIND_NAME else name,
        keep_cluster=bool(config.getoption("keep_cluster", default=False)),
        kubeconfig=_path(config.getoption("kubeconfig", None)),
        context=config.getoption("harness_context"),
        kubernetes_version=config.getoption("harness_kubernetes_version"),
        workers=config.getoption("harness_workers"),
        kind_config=config.getoption("harness_kind_config"),
        kind_image=config.getoption("kind_image", None),
        kind=_path(config.getoption("kind_bin", None)),
        kubectl=_path(config.getoption("kind_kubectl_bin", None)),
        airgap=config.getoption("harness_airgap"),
        images=tuple(config.getini("harness_images")),
        keep_namespace=config.getoption("harness_keep_namespace"),
        artifacts=config.getoption("harness_artifacts") or config.invocation_params.dir / ".harness",
        root=config.rootpath,
    )


def _path(text: str | None) -> Path | None:
    return Path(text).expanduser() if text else None


class _Terminal:
    """The real terminal, also while pytest captures a test's output: stages are for the person who waits.

    Made while nothing is captured, so standard output is the real one then; a copy of it stays the real one. Writing to
    the copy is also safe from other threads, in which pytest's capturing must not be touched.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._out = os.dup(1)
        config.add_cleanup(lambda: os.close(self._out))

    def isatty(self) -> bool:
        return False  # progress on lines of its own: pytest draws on the same terminal

    def flush(self) -> None:
        """Nothing is held back."""

    def write(self, text: str) -> int:
        if threading.current_thread() is threading.main_thread():
            self._end_line()
        else:
            text = f"\n{text}"  # pytest may be in a line of dots
        return os.write(self._out, text.encode())

    def _end_line(self) -> None:
        """End the line of dots that pytest may be in."""
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        capture = self._config.pluginmanager.get_plugin("capturemanager")
        if reporter is not None and capture is not None:
            with capture.global_and_fixture_disabled():
                reporter.ensure_newline()
                reporter.flush()
