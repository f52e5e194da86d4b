"""Fixtures of the front's tests: suites written on the spot, run by an inner pytest and by kubectl-kuttl."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from harness.clusters.control_plane import ControlPlane, find_binaries

CLUSTER = """
import pytest
from pathlib import Path
from harness.clusters.provider import Cluster

@pytest.fixture(scope="session")
def cluster():
    return Cluster(name="own", kubeconfig=Path({kubeconfig!r}), context="{context}", kubernetes_version="v1.36.3",
                   created=True, provider="control-plane")
"""
SUITE = "apiVersion: kuttl.dev/v1beta1\nkind: TestSuite\n"


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """Write files below a folder, each text dedented; return the folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")
    return folder


def config_map(name: str, **data: str) -> str:
    """Return a ConfigMap as a document."""
    lines = "".join(f'  {key}: "{value}"\n' for key, value in data.items())
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n" + (f"data:\n{lines}" if lines else "")


@pytest.fixture(scope="session")
def assets() -> Path:
    """Return the folder of the control plane's programs, found before pytester gives inner runs another home."""
    return find_binaries().etcd.parent


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Return a project for an inner pytest that knows kuttl suites."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p harness.suite.collect -p no:hypothesispytest")
    return pytester


@pytest.fixture
def on_api_server(inner: pytest.Pytester, api_server: ControlPlane) -> pytest.Pytester:
    """Return a project whose cluster is the API server of the contract tests."""
    inner.makeconftest(CLUSTER.format(kubeconfig=str(api_server.kubeconfig), context="control-plane"))
    return inner
