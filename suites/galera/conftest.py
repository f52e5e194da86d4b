"""What the tests of this suite share: one cluster of three for the whole run, and writers with a ledger.

The order of the files is set here: what needs no cluster first, what takes a cluster down last.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import pytest

from harness.kit.errors import HarnessError
from harness.kube import Kube
from harness.kudo.session import Kudo
from harness.load import Ledger
from harness.run import Run
from suites.galera.galera import Galera

ORDER = ("package", "deploy", "endpoints", "sql", "restart", "scale", "uninstall")

Writers = Callable[..., AbstractContextManager[Ledger]]


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
    """Let the pods go before their namespace does, unless it is kept.

    A namespace with pods that take their time is looked at again only after half of their grace period: a minute.
    """
    if cluster.namespace not in run.to_keep:
        with suppress(HarnessError):  # what is in the way keeps the namespace too, and is told there
            cluster.remove(timeout=60)


@pytest.fixture
def writers(harness_artifacts: Path, record_property: Callable[[str, object], None]) -> Writers:
    """Return a maker of writers with a ledger, whose figures go into the report of the test."""

    @contextmanager
    def write(galera: Galera, *, rate: float, threads: int = 3) -> Iterator[Ledger]:
        with galera.writing(rate=rate, threads=threads, journal=harness_artifacts / "journal.jsonl") as ledger:
            try:
                yield ledger
            finally:
                summary = ledger.summary()
                record_property("ledger", str(summary))
                record_property("longest_gap_ms", round(summary.longest_gap_ms))
                print(f"ledger   {summary}")  # noqa: T201 - shown with -s, and with the report of a failure

    return write
