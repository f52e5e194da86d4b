"""Fixtures of the client's tests: a real API server for contract tests, a kind cluster for those that need pods."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.clusters.control_plane import ControlPlane
from harness.kube import Kube

KUBECONFIG = "HARNESS_TEST_KUBECONFIG"


@pytest.fixture(scope="session")
def api_server() -> Iterator[ControlPlane]:
    """Yield a running API server without nodes; its programs must be there, which is an error and not a skip."""
    with ControlPlane() as control_plane:
        yield control_plane


@pytest.fixture
def kube(api_server: ControlPlane) -> Iterator[Kube]:
    """Yield a client of the API server whose default namespace is new."""
    with Kube.connect(api_server.kubeconfig) as kube:
        kube.default_namespace = f"test-{uuid.uuid4().hex[:8]}"
        kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": kube.default_namespace}})
        yield kube


@pytest.fixture(scope="session")
def cluster_kube() -> Iterator[Kube]:
    """Yield a client of a kind cluster, named by its kubeconfig, with a namespace of its own that goes away again."""
    named = os.environ.get(KUBECONFIG)
    if not named:
        pytest.fail(f"tests marked cluster need a kind cluster: export {KUBECONFIG}=FILE (kind get kubeconfig > FILE)")
    with Kube.connect(Path(named)) as kube:
        kube.default_namespace = f"harness-kube-{uuid.uuid4().hex[:8]}"
        kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": kube.default_namespace}})
        try:
            yield kube
        finally:
            kube.delete("v1", "Namespace", kube.default_namespace)
