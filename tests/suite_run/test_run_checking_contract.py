"""What `kuttl assert` and `kuttl errors` do, and steps on a server that fails; on a real API server."""

from __future__ import annotations

import time
import uuid
from pathlib import Path

import pytest

from harness.kube import Kube
from harness.suite.checking import check_objects
from harness.suite.files import Role
from harness.suite.model import Entry
from harness.suite.objects import load_objects
from harness.suite.sites import Site

pytestmark = pytest.mark.contract


@pytest.fixture
def namespace(kube: Kube) -> str:
    """Return a new namespace with a ConfigMap."""
    name = f"n-{uuid.uuid4().hex[:8]}"
    kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    kube.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}, "data": {"a": "1"}}, name)
    return name


def entries(folder: Path, text: str, role: Role) -> tuple[Entry, ...]:
    """Return the objects of a file."""
    (folder / "x.yaml").write_text(text)
    return load_objects([str(folder / "x.yaml")], role).entries


def config_map(value: str) -> str:
    """Return the ConfigMap with a value."""
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: one}}\ndata: {{a: '{value}'}}\n"


@pytest.mark.parametrize(
    ("role", "value", "count"), [("assert", "1", 0), ("assert", "2", 1), ("errors", "2", 0), ("errors", "1", 1)]
)
def test_objects_are_checked_without_a_case(request: pytest.FixtureRequest, role: Role, value: str, count: int) -> None:
    """Kuttl assert, kuttl errors: all objects must agree within the timeout; else every failure is told."""
    site, namespace, folder = map(request.getfixturevalue, ("site", "namespace", "tmp_path"))
    found = entries(folder, config_map(value), role)
    assert len(check_objects(found, site, namespace=namespace, timeout=1)) == count


def test_a_timeout_of_nothing_looks_once(site: Site, namespace: str, tmp_path: Path) -> None:
    """Quirk Q19: --timeout 0 looks once; in strict mode it succeeds unchecked, as kuttl does."""
    found = entries(tmp_path, config_map("2"), "assert")
    begun = time.monotonic()
    (failure,) = check_objects(found, site, namespace=namespace, timeout=0)
    assert "value mismatch, expected: 2 != actual: 1" in failure.text
    assert time.monotonic() - begun < 2
    assert check_objects(found, site, namespace=namespace, timeout=0, mode="strict") == []
