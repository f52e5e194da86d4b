"""Namespaces and what is left of them, on a real cluster."""

from __future__ import annotations

import pytest

from harness.clusters.config import new_run_id
from harness.clusters.leftovers import OWNER_ANNOTATION, owner_annotations, remove_leftovers
from harness.clusters.namespaces import Namespaces
from harness.kube import Kube

pytestmark = pytest.mark.cluster

DEAD_PID = 2**22 + 1


def test_a_new_namespace_takes_pods_at_once_and_goes_for_good(kube: Kube) -> None:
    """No pod is refused for a missing service account, and close returns when the namespace is gone."""
    namespaces = Namespaces(kube, run=new_run_id())
    name = namespaces.make("ready")
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "c", "image": "x"}]},
    }
    kube.create(pod, name)
    assert namespaces.close(timeout=60) == []
    assert kube.find("v1", "Namespace", name) is None


def test_only_what_a_dead_run_left_is_removed(kube: Kube, capsys: pytest.CaptureFixture[str]) -> None:
    """A namespace whose owner lives is left alone; one whose owner is dead is removed, and gone when it is said."""
    run = new_run_id()
    namespaces = Namespaces(kube, run=run)
    living, dead = namespaces.make("living"), namespaces.make("dead")
    owner = owner_annotations()[OWNER_ANNOTATION].rpartition("/")[0] + f"/{DEAD_PID}"
    kube.patch("v1", "Namespace", dead, {"metadata": {"annotations": {OWNER_ANNOTATION: owner}}})
    remove_leftovers(kube, dry_run=True)
    told = capsys.readouterr().out
    assert f"namespace {living}: in use by process" in told
    assert f"namespace {dead}: would be removed" in told
    remove_leftovers(kube, run=run)
    assert kube.list("v1", "Namespace", labels=f"harness.dev/run={run}") == []
