"""What a test gets: cluster, kube, namespace, kudo, operator; and the report of a test that failed.

Imported by the plugin. Heavy parts are imported by the fixture that needs them.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.kit.errors import HarnessError
from harness.run import Run, Used

if TYPE_CHECKING:
    from harness.clusters.namespaces import Namespaces
    from harness.clusters.provider import Cluster, Provider
    from harness.kube import Kube
    from harness.kudo.session import Kudo, Operator
    from harness.report.redact import Redactor

__all__ = ["RUN", "Explanation", "NamespaceFactory", "explain"]

RUN = pytest.StashKey[Run]()

_REPORT_TIME = 20.0  # seconds that collecting diagnostics may take
_NAMESPACE_TIME = 120.0  # seconds until a namespace of ours must be gone; its controller waits for half a grace period

NamespaceFactory = Callable[[str], str]


@pytest.fixture(scope="session")
def harness_run(request: pytest.FixtureRequest) -> Run:
    """Return this run: its id, options and artifacts folder."""
    return request.config.stash[RUN]


@pytest.fixture
def harness_artifacts(harness_run: Run, request: pytest.FixtureRequest) -> Path:
    """Return the test's artifacts folder, made."""
    folder = harness_run.artifacts.folder(request.node.nodeid)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def cluster(harness_run: Run, worker_id_or_master: str) -> Iterator[Cluster]:
    """Return the cluster: the one that was named, else a kind cluster made for this run."""
    from harness.clusters.provider import kept_line

    provider = _provider(harness_run)
    with _ended_by_sigterm(), _engine_lease(harness_run, worker_id_or_master):
        borrowed = provider.create()
        yield borrowed
        if harness_run.failed_namespaces:
            provider.export_logs(borrowed, harness_run.artifacts.root / "nodes")
        if borrowed.created and harness_run.options.keep_cluster:
            harness_run.kept.append(kept_line(borrowed))
        elif worker_id_or_master == "master":
            provider.delete(borrowed)


@pytest.fixture(scope="session")
def worker_id_or_master(request: pytest.FixtureRequest) -> str:
    """Return the name of the parallel worker, or "master" when there is only one process."""
    worker = getattr(request.config, "workerinput", {})
    return str(worker.get("workerid", "master"))


@pytest.fixture(scope="session")
def kind_cluster(cluster: Cluster, harness_run: Run) -> Any:
    """Return pytest-kind's KindCluster for our cluster, so that tests written for pytest-kind run unchanged."""
    from harness.clusters.kind import adopt

    return adopt(cluster, kubectl=harness_run.options.kubectl)


@pytest.fixture(scope="session")
def kube(cluster: Cluster, harness_run: Run) -> Iterator[Kube]:
    """Return a client of the cluster."""
    from harness.kube import Kube

    client = Kube.connect(cluster.kubeconfig, cluster.context)
    harness_run.kube = client
    yield client
    harness_run.kube = None
    client.close()


@pytest.fixture(scope="session")
def harness_namespaces(kube: Kube, cluster: Cluster, harness_run: Run) -> Iterator[Namespaces]:
    """Return the namespaces of this run; all go at the end, and one that does not is an error of the run."""
    from harness.clusters.namespaces import Namespaces

    namespaces = Namespaces(kube, run=harness_run.id)
    yield namespaces
    for used in harness_run.used:
        if used.namespace not in harness_run.to_keep:
            harness_run.leave(used.namespace)
    goes_anyway = cluster.created and not harness_run.options.keep_cluster
    kept = namespaces.close(keep=harness_run.to_keep, timeout=0 if goes_anyway else _NAMESPACE_TIME)
    harness_run.kept.extend(kept)


@pytest.fixture(scope="session")
def namespace_factory(harness_namespaces: Namespaces, harness_run: Run) -> NamespaceFactory:
    """Return a maker of namespaces that live until the end of the run, given a prefix such as "galera"."""

    def make(prefix: str) -> str:
        name = harness_namespaces.make(prefix)
        harness_run.use(name)
        return name

    return make


@pytest.fixture
def namespace(harness_namespaces: Namespaces, harness_run: Run, request: pytest.FixtureRequest) -> Iterator[str]:
    """Return a namespace of this test alone; it goes in the background when the test ends."""
    name = harness_namespaces.make(request.node.name)
    harness_run.use(name)
    yield name
    if name not in harness_run.to_keep:
        harness_run.leave(name)
        harness_namespaces.remove(name)


@pytest.fixture(scope="session")
def kudo(kube: Kube, harness_run: Run) -> Iterator[Kudo]:
    """Return the engine for KUDO packages, running in this process, and its verbs: install, update, plan status."""
    from harness.kudo.session import Kudo

    stages = harness_run.stages("kudo")
    with Kudo(kube, used=harness_run.use, observer=lambda event: stages.progress(str(event))) as session:
        harness_run.kudo = session
        yield session
        session.kept = harness_run.to_keep
    harness_run.kudo = None


@pytest.fixture
def operator(kudo: Kudo, namespace: str) -> Operator:
    """Return an operator that is about to be installed into the test's namespace."""
    return kudo.operator(namespace)


@dataclass(frozen=True, slots=True)
class Explanation:
    """The report of a failed test for the terminal, and what masks the secrets that were learnt on the way."""

    text: str
    mask: Callable[[str], str]


def explain(run: Run, test: str, error: BaseException | None) -> Explanation | None:
    """Return the report of a failed test, and write all of it to the test's folder; None when it used no cluster.

    Args:
        run: the run; each namespace in use is looked at.
        test: the node id.
        error: what the test failed with; a HarnessError says what was wanted and seen.
    """
    if run.kube is None or not run.used:
        return None
    from harness.clusters.provider import probe
    from harness.report.redact import Redactor

    redactor = Redactor()
    if silent := probe(run.kube):
        return Explanation(silent, redactor.text)
    texts = [_diagnosis(run, test, error, used, redactor) for used in run.used]
    return Explanation("\n\n".join(texts), redactor.text)


def _diagnosis(run: Run, test: str, error: BaseException | None, used: Used, redactor: Redactor) -> str:
    from harness.report.diagnostics import Story, diagnose

    said = error if isinstance(error, HarnessError) else None
    story = Story(
        test=test if len(run.used) == 1 else f"{test}-{used.namespace}",
        wanted=said.wanted if said else "",
        seen=said.seen if said else "",
        where=said.where if said else "",
        run=said.run if said else "",
        instance=used.instance,
        kept=used.namespace in run.to_keep,
        sections=[("plans", _plan_tree(run, used))] if used.instance else [],
    )
    assert run.kube is not None  # noqa: S101 - the caller has looked
    done = diagnose(run.kube, used.namespace, story, artifacts=run.artifacts, redactor=redactor, timeout=_REPORT_TIME)
    return done.text


def close_shared(run: Run) -> None:
    """Delete the cluster that parallel workers shared."""
    if run.options.kubeconfig or run.options.context:
        return
    from harness.clusters.kind import Parts, delete_run

    delete_run(run.id, Parts(stages=run.stages("cluster"), artifacts=run.artifacts.root))


def _plan_tree(run: Run, used: Used) -> str:
    if run.kudo is None:
        return ""
    try:
        return run.kudo.plan_tree(used.instance, namespace=used.namespace)
    except HarnessError as error:  # e.g. the test has uninstalled it
        return str(error)


def _provider(run: Run) -> Provider:
    from harness.clusters.choice import choose_provider
    from harness.clusters.config import ClusterOptions
    from harness.clusters.kind import Parts

    chosen = run.options
    options = ClusterOptions(
        run=run.id,
        name=chosen.cluster_name,
        keep=chosen.keep_cluster,
        kubeconfig=chosen.kubeconfig,
        context=chosen.context,
        kubernetes_version=chosen.kubernetes_version,
        image=chosen.kind_image,
        kind=chosen.kind,
        kubectl=chosen.kubectl,
        workers=chosen.workers,
        config=chosen.kind_config,
        recipes=tuple(str(path) for path in chosen.images),
        airgap=chosen.airgap,  # type: ignore[arg-type]  # the option's choices are exactly these
        project=chosen.root,
    )
    return choose_provider(options, Parts(stages=run.stages("cluster"), artifacts=run.artifacts.root))


@contextmanager
def _engine_lease(run: Run, worker: str) -> Iterator[None]:
    """Stop the private engine at the end if it was started for this run; parallel workers leave that to the first."""
    if run.options.kubeconfig or run.options.context or worker != "master":
        yield
        return
    from harness.airgap.lease import engine_lease

    with engine_lease(run.stages("airgap")):
        yield


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Treat SIGTERM as Ctrl-C while there is a cluster: a cancelled pipeline must not leave one behind."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
