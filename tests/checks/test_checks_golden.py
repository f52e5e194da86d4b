"""Assert files from the live state: what is kept, what is left out, and that the result matches."""

from __future__ import annotations

from typing import Any

from harness.checks.golden import golden_manifest, refreshed_manifest
from harness.checks.subset import matches

LIVE: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {
        "name": "db",
        "namespace": "kuttl-x",
        "uid": "u",
        "generation": 3,
        "labels": {"app": "db", "pod-template-hash": "abc"},
        "annotations": {"deployment.kubernetes.io/revision": "1", "mine": "x"},
        "managedFields": [{}],
    },
    "spec": {"replicas": 3, "template": {"spec": {"containers": [{"name": "a"}, {"name": "b"}], "nodeName": "n"}}},
    "status": {
        "observedGeneration": 3,
        "readyReplicas": 3,
        "conditions": [{"type": "Available", "status": "True", "lastTransitionTime": "now"}],
    },
}


def test_what_changes_from_run_to_run_is_left_out() -> None:
    """Identity, times, node names, hashes; the rest is kept."""
    assert golden_manifest(LIVE) == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "db", "labels": {"app": "db"}, "annotations": {"mine": "x"}},
        "spec": {"replicas": 3, "template": {"spec": {"containers": [{"name": "a"}, {"name": "b"}]}}},
        "status": {"readyReplicas": 3, "conditions": [{"type": "Available", "status": "True"}]},
    }


def test_the_result_matches_the_object() -> None:
    """As an assert it holds for the object that it was made of."""
    assert matches(golden_manifest(LIVE), LIVE)


def test_the_values_of_a_secret_are_not_written_down() -> None:
    """An assert file lies in a repository."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "type": "Opaque", "data": {"p": "eA=="}}
    assert golden_manifest(secret) == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s"},
        "type": "Opaque",
    }
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "s"}, "data": {"uid": "x"}}
    assert golden_manifest(config) == config


def test_an_assert_keeps_its_fields_and_takes_the_live_values() -> None:
    """Fields that are gone are left out; a list takes the length that it has now."""
    old = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "db"},
        "spec": {"replicas": 1, "paused": True, "template": {"spec": {"containers": [{"name": "x"}]}}},
        "status": {"readyReplicas": 1},
    }
    new = refreshed_manifest(old, LIVE)
    assert new == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "db"},
        "spec": {"replicas": 3, "template": {"spec": {"containers": [{"name": "a"}, {"name": "b"}]}}},
        "status": {"readyReplicas": 3},
    }
    assert matches(new, LIVE)
