"""Fixtures of the engine's contract tests: a real API server with KUDO's kinds, and a namespace of one's own."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from harness.clusters.control_plane import ControlPlane
from harness.kube import Kube
from harness.kudo.crds import install_crds


@pytest.fixture(scope="session")
def kudo_server(api_server: ControlPlane) -> ControlPlane:
    """Return a running API server without nodes that serves KUDO's kinds."""
    with Kube.connect(api_server.kubeconfig) as kube:
        install_crds(kube)
    return api_server


@pytest.fixture
def kube(kudo_server: ControlPlane) -> Iterator[Kube]:
    """Yield a client of the API server whose default namespace is new."""
    with Kube.connect(kudo_server.kubeconfig) as kube:
        kube.default_namespace = f"test-{uuid.uuid4().hex[:8]}"
        kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": kube.default_namespace}})
        yield kube
