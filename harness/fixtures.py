"""What a test gets: cluster, kube, namespace, kudo, operator; and the report of a test that failed.

Imported by the plugin. Heavy parts are imported by the fixture that needs them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
    folder = harness_run.artifacts.folder(request.node.nodeid)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def cluster(harness_run: Run, worker_id_or_master: str) -> Iterator[Cluster]:
    """Return the cluster: the one that was named, else a kind cluster made for this run."""
    from harness.clusters.provider import kept_line

    provider = _provider(harness_run)
    borrowed = provider.create()
    yield borrowed
    if harness_run.failed_namespaces:
        provider.export_logs(borrowed, harness_run.artifacts.root / "nodes")
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

    with Kudo(kube, used=harness_run.use) as session:
        harness_run.kudo = session
        yield session
    harness_run.kudo = None


@pytest.fixture
def operator(kudo: Kudo, namespace: str) -> Operator:
    """Return an operator that is about to be installed into the test's namespace."""
    return kudo.operator(namespace)


def explain(run: Run, test: str, error: BaseException | None) -> str:
    """Return the report of a failed test for the terminal, and write all of it to the test's folder.

    Args:
        run: the run; each namespace in use is looked at.
        test: the node id.
        error: what the test failed with; a HarnessError says what was wanted and seen.
    """
    if run.kube is None or not run.used:
        return ""
    from harness.clusters.provider import probe

    if silent := probe(run.kube):
        return silent
    return "\n\n".join(_diagnosis(run, test, error, used) for used in run.used)


def _diagnosis(run: Run, test: str, error: BaseException | None, used: Used) -> str:
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
    return diagnose(run.kube, used.namespace, story, artifacts=run.artifacts, timeout=_REPORT_TIME).text


def _plan_tree(run: Run, used: Used) -> str:
    if run.kudo is None:
        return ""
    try:
        return run.kudo.plan_tree(used.instance, namespace=used.namespace)
    except HarnessError as error:  # e.g. the test has uninstalled it
        return str(error)


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
    return KindProvider(options, Parts(stages=stages, artifacts=run.artifacts.root))
