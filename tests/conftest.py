"""Fixtures of all tests: one API server for contract tests, and a client of a kind cluster for those that need pods."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from harness.clusters.control_plane import ControlPlane
from harness.clusters.provider import Cluster
from harness.kube import Kube


@pytest.fixture(scope="session")
def api_server() -> Iterator[ControlPlane]:
    """Yield a running API server without nodes; its programs must be there, which is an error and not a skip."""
    with ControlPlane() as control_plane:
        yield control_plane


@pytest.fixture(scope="session")
def cluster_kube(cluster: Cluster) -> Iterator[Kube]:
    """Yield a client of the run's cluster, with a default namespace of its own that goes away again."""
    with Kube.connect(cluster.kubeconfig, cluster.context) as kube:
        kube.default_namespace = f"tests-{uuid.uuid4().hex[:8]}"
        kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": kube.default_namespace}})
        try:
            yield kube
        finally:
            kube.delete("v1", "Namespace", kube.default_namespace)
