"""Fixtures of the client's tests: a client of a real API server, in a namespace of its own."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from harness.clusters.control_plane import ControlPlane
from harness.kube import Kube


@pytest.fixture
def kube(api_server: ControlPlane) -> Iterator[Kube]:
    """Yield a client of the API server whose default namespace is new."""
    with Kube.connect(api_server.kubeconfig) as kube:
        kube.default_namespace = f"test-{uuid.uuid4().hex[:8]}"
        kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": kube.default_namespace}})
        yield kube
