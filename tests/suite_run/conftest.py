"""Fixtures of the runner's tests: a real API server, suites written on the spot, and one call that runs a case."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from harness.clusters.control_plane import ControlPlane
from harness.kube import Kube
from harness.suite.case import run_case
from harness.suite.environment import Environment
from harness.suite.files import Case
from harness.suite.janitor import Janitor
from harness.suite.loading import LoadOptions
from harness.suite.log import Line
from harness.suite.recorder import Recorder
from harness.suite.results import CaseResult
from harness.suite.sites import Site
from harness.suite.spec import TestSuite

NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """Yield a running API server without nodes; its programs must be there, which is an error and not a skip."""
    with ControlPlane() as running:
        yield running


@pytest.fixture(scope="session")
def kube(control_plane: ControlPlane) -> Iterator[Kube]:
    """Yield a client of the API server."""
    with Kube.connect(control_plane.kubeconfig) as client:
        yield client


@pytest.fixture
def site(kube: Kube, control_plane: ControlPlane) -> Iterator[Site]:
    """Yield the API server as a suite's runner sees it."""
    recorder = Recorder(kube)
    yield Site(kube=kube, recorder=recorder, kubeconfig=control_plane.kubeconfig)
    recorder.close()


@dataclass
class Runner:
    """Writes cases and runs them; keeps the lines that they told."""

    site: Site
    folder: Path
    suite: dict[str, Any] = field(default_factory=lambda: {"timeout": 5, "skip_delete": True})
    options: LoadOptions = field(default_factory=LoadOptions)
    lines: list[Line] = field(default_factory=list)
    more: dict[str, Any] = field(default_factory=dict)

    def write(self, files: Mapping[str, str], name: str = "case") -> Case:
        """Write a case's files, each text dedented."""
        directory = self.folder / name
        directory.mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            path = directory / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text), encoding="utf-8")
        return Case(name=name, directory=directory, suite=self.folder)

    def environment(self) -> Environment:
        """Return what cases run in."""
        return Environment(
            site=self.site,
            suite=TestSuite(**self.suite),
            options=self.options,
            janitor=Janitor(timeout=1),
            sink=self.lines.append,
            **self.more,
        )

    def run(self, files: Mapping[str, str], name: str = "case", namespace: str | None = None) -> CaseResult:
        """Write and run a case."""
        environment = self.environment()
        result = run_case(self.write(files, name), environment, namespace=namespace)
        environment.janitor.finish(0)
        return result

    @property
    def told(self) -> str:
        """All lines, one under the other."""
        return "\n".join(str(line) for line in self.lines)


@pytest.fixture
def runner(site: Site, tmp_path: Path) -> Runner:
    """Return a runner of cases."""
    return Runner(site=site, folder=tmp_path / "suite")


@pytest.fixture
def later() -> Iterator[Callable[[float, Callable[[], object]], None]]:
    """Return a function that does something after some seconds, joined at the end."""
    timers: list[threading.Timer] = []

    def start(seconds: float, action: Callable[[], object]) -> None:
        timer = threading.Timer(seconds, action)
        timers.append(timer)
        timer.start()

    yield start
    for timer in timers:
        timer.cancel()
        timer.join()
