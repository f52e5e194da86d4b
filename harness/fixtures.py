"""What a test gets: cluster, kube, namespace, kudo, operator; and the report of a test that failed.

Imported by the plugin. Heavy parts are imported by the fixture that needs them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.run import Run

if TYPE_CHECKING:
    from harness.clusters.namespaces import Namespaces
    from harness.clusters.provider import Cluster, Provider
    from harness.kube import Kube
    from harness.kudo.session import Kudo, Operator

__all__ = ["RUN", "NamespaceFactory", "explain"]

RUN = pytest.StashKey[Run]()

_REPORT_TIME = 20.0  # seconds that collecting diagnostics may take
_NAMESPACE_TIME = 60.0  # seconds until a namespace of ours must be gone

NamespaceFactory = Callable[[str], str]


@pytest.fixture(scope="session")
def harness_run(request: pytest.FixtureRequest) -> Run:
    """Return this run: its id, options and artifacts folder."""
    return request.config.stash[RUN]


@pytest.fixture
def harness_artifacts(harness_run: Run, request: pytest.FixtureRequest) -> Path:
    """Return the test's artifacts folder, made."""
    folder = harness_run.folder_of(request.node.nodeid)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def cluster(harness_run: Run, worker_id_or_master: str) -> Iterator[Cluster]:
    """Return the cluster: the one that was named, else a kind cluster made for this run."""
    from harness.clusters.provider import kept_line

    provider = _provider(harness_run)
    borrowed = provider.create()
    yield borrowed
    if harness_run.failed_places or not borrowed.created:
        provider.export_logs(borrowed, harness_run.folder / "nodes")
    if not borrowed.created:
        return
    if harness_run.options.keep_cluster:
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
def kube(cluster: Cluster) -> Iterator[Kube]:
    """Return a client of the cluster."""
    from harness.kube import Kube

    client = Kube.connect(cluster.kubeconfig, cluster.context)
    yield client
    client.close()


@pytest.fixture(scope="session")
def harness_namespaces(kube: Kube, cluster: Cluster, harness_run: Run) -> Iterator[Namespaces]:
    """Return the namespaces of this run; all go at the end, and one that does not is an error of the run."""
    from harness.clusters.namespaces import Namespaces

    namespaces = Namespaces(kube, run=harness_run.id)
    yield namespaces
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
        harness_namespaces.remove(name)
        harness_run.leave(name)


@pytest.fixture(scope="session")
def kudo(kube: Kube, harness_run: Run) -> Iterator[Kudo]:
    """Return the engine for KUDO packages, running in this process, and its verbs: install, update, plan status."""
    from harness.kudo.session import Kudo

    with Kudo.start(kube, used=harness_run.use) as session:
        harness_run.plan_tree = session.plan_tree
        yield session
    harness_run.plan_tree = None


@pytest.fixture
def operator(kudo: Kudo, namespace: str) -> Operator:
    """Return an operator that is about to be installed into the test's namespace."""
    return kudo.operator(namespace)


def explain(run: Run, test: str, failure: str) -> str:
    """Return the report of a failed test for the terminal, and write all of it to the test's folder.

    Args:
        run: the run; its namespaces in use are looked at.
        test: the node id.
        failure: the text of the failure itself, kept with the rest.
    """
    if not run.places:
        return ""
    from harness.report.diagnostics import explain_failure

    return explain_failure(run, test, failure, timeout=_REPORT_TIME)


def _provider(run: Run) -> Provider:
    from harness.clusters.config import ClusterOptions
    from harness.clusters.existing import ExistingProvider
    from harness.clusters.kind import KindProvider, Parts

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
    stages = run.stages("cluster")
    if chosen.kubeconfig or chosen.context:
        return ExistingProvider(options, stages=stages)
    return KindProvider(options, Parts(stages=stages, artifacts=run.folder))
