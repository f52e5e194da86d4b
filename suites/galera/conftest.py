"""What the tests of this suite share: one cluster of three for the whole run, and writers with a ledger.

The order of the files is set here: what needs no cluster first, what takes a cluster down last.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.kit.errors import HarnessError
from suites.galera.galera import Galera

if TYPE_CHECKING:  # fixtures bring them; collecting the tests need not load them
    from harness.kube import Kube
    from harness.kudo.session import Kudo
    from harness.load import Ledger
    from harness.run import Run

ORDER = ("package", "deploy", "endpoints", "sql", "restart", "scale", "uninstall")

FIGURES = pytest.StashKey[list[str]]()

Writers = Callable[..., "AbstractContextManager[Ledger]"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files in order; inside a file the order stays, and so do the tests of other suites."""
    places = [index for index, item in enumerate(items) if item.path.parent == Path(__file__).parent]
    ours = sorted((items[index] for index in places), key=_rank)
    for index, item in zip(places, ours, strict=True):
        items[index] = item


def _rank(item: pytest.Item) -> int:
    name = item.path.stem.removeprefix("test_")
    return ORDER.index(name) if name in ORDER else len(ORDER)


@pytest.fixture(scope="session")
def sst_method() -> str:
    """Return how joining nodes get their copy: GALERA_SST_METHOD, else the operator's default."""
    return os.environ.get("GALERA_SST_METHOD", "mariabackup")


@pytest.fixture(scope="session")
def galera(
    kube: Kube, kudo: Kudo, namespace_factory: Callable[[str], str], sst_method: str, harness_run: Run
) -> Iterator[Galera]:
    """Return a cluster of three, deployed once for the run. A test that changes it changes it back."""
    with Galera(kube, kudo, namespace=namespace_factory("galera")) as cluster:
        cluster.install(timeout=240, NODE_COUNT=3, SST_METHOD=sst_method)
        yield cluster
        leave(cluster, harness_run)


@pytest.fixture
def whole(galera: Galera) -> Galera:
    """Return the cluster of three, whole and at rest, whatever the test before left behind."""
    if galera.size != 3:
        galera.scale(3)
        galera.until_plan("node_update", timeout=180)
    galera.until_synced(3, timeout=180)
    return galera


@pytest.fixture(scope="session")
def single(kube: Kube, kudo: Kudo, namespace_factory: Callable[[str], str], harness_run: Run) -> Iterator[Galera]:
    """Return a second cluster, of one node, whose nodes copy with rsync."""
    with Galera(kube, kudo, namespace=namespace_factory("single"), instance="solo") as cluster:
        cluster.install(timeout=120, NODE_COUNT=1, SST_METHOD="rsync")
        yield cluster
        leave(cluster, harness_run)


def leave(cluster: Galera, run: Run) -> None:
    """Let pods and volumes go before their namespace does, unless it is kept.

    A namespace with pods that take their time is looked at again only after half of their grace period, a minute; one
    with volume claims after five seconds more.
    """
    if cluster.namespace not in run.to_keep:
        with suppress(HarnessError):  # what is in the way keeps the namespace too, and is told there
            cluster.remove(timeout=60)
            cluster.drop_volumes(timeout=10)


@pytest.fixture
def writers(harness_artifacts: Path, request: pytest.FixtureRequest) -> Writers:
    """Return a maker of writers with a ledger; their figures stand at the end of the run and in the artifacts."""

    @contextmanager
    def write(galera: Galera, *, rate: float, threads: int = 3) -> Iterator[Ledger]:
        journal = harness_artifacts / "journal.jsonl"
        with galera.writing(rate=rate, threads=threads, journal=journal) as ledger:
            yield ledger
        figures = f"{request.node.name}: {ledger.summary()}"
        request.config.stash.setdefault(FIGURES, []).append(figures)
        (harness_artifacts / "ledger.txt").write_text(f"{figures}\n", encoding="utf-8")

    return write


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what the writers of each test met: acknowledged, refused, unknown, and the longest gap."""
    for figures in config.stash.get(FIGURES, []):
        terminalreporter.write_line(f"ledger   {figures}")
