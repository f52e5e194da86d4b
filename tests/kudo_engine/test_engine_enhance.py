"""What is added to applied objects, section 6 of the reference."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.kit.documents import Manifest
from harness.kudo.enhance import EnhanceError, Origin, dependencies_hash, enhance, sanitised_text
from harness.kudo.merge import LAST_APPLIED

ORIGIN = Origin(
    instance="shop",
    namespace="prod",
    uid="u-1",
    operator="galera",
    version="0.1.0",
    plan="deploy",
    phase="nodes",
    step="set",
    plan_uid="p-1",
)
LABELS = {"heritage": "kudo", "kudo.dev/operator": "galera", "kudo.dev/instance": "shop"}
EXAMPLE = """object:
  apiVersion: ""
  data:
    mode: primary
    peers: three
  kind: ""
  metadata:
    annotations: {}
    deletionGracePeriodSeconds: 0
    finalizers: []
    labels:
      heritage: kudo
      kudo.dev/instance: shop
      kudo.dev/operator: galera
    managedFields: []
    name: shop-settings
    ownerReferences: []
    remainingItemCount: 0
"""


def nothing(_kind: str, _name: str) -> Manifest | None:
    return None


def added(*objects: Manifest, find: Any = nothing) -> list[Manifest]:
    return enhance(objects, ORIGIN, namespaced=lambda _version, kind: kind != "ClusterRole", find=find)


def manifest(kind: str, api_version: str = "v1", **parts: Any) -> Manifest:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}, **parts}


def workload(*volumes: Manifest, kind: str = "Deployment", api_version: str = "apps/v1", **pod: Any) -> Manifest:
    return manifest(kind, api_version, spec={"template": {"spec": {"volumes": list(volumes), **pod}}})


def settings(mode: str = "primary") -> Manifest:
    return {**manifest("ConfigMap", data={"mode": mode, "peers": "three"}), "metadata": {"name": "shop-settings"}}


CONFIG_VOLUME: Manifest = {"name": "c", "configMap": {"name": "shop-settings"}}
SECRET_VOLUME: Manifest = {"name": "s", "secret": {"secretName": "missing"}}


def digest(item: Manifest) -> str | None:
    annotations = item["spec"]["template"]["metadata"].get("annotations", {})
    found: str | None = annotations.get("kudo.dev/dependencies-hash")
    return found


def test_labels_annotations_and_owner() -> None:
    """Every object gets the labels, the place in the plan, the instance's namespace and its owner."""
    item = manifest("ConfigMap")
    item["metadata"] |= {"namespace": "elsewhere", "labels": {"a": "b"}}
    (result,) = added(item)
    assert result["metadata"] == {
        "name": "x",
        "namespace": "prod",
        "labels": {"a": "b", **LABELS},
        "annotations": {
            "kudo.dev/plan": "deploy",
            "kudo.dev/phase": "nodes",
            "kudo.dev/step": "set",
            "kudo.dev/last-plan-execution-uid": "p-1",
        },
        "ownerReferences": [
            {
                "apiVersion": "kudo.dev/v1beta1",
                "kind": "Instance",
                "name": "shop",
                "uid": "u-1",
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
    }
    assert item["metadata"]["namespace"] == "elsewhere"


def test_cluster_wide_objects_have_no_owner() -> None:
    """Cluster-wide kinds get neither namespace nor owner."""
    item = manifest("ClusterRole", "rbac.authorization.k8s.io/v1")
    item["metadata"]["namespace"] = "elsewhere"
    (result,) = added(item)
    assert "namespace" not in result["metadata"]
    assert "ownerReferences" not in result["metadata"]


@pytest.mark.parametrize(
    ("kind", "api_version", "path"),
    [
        ("StatefulSet", "apps/v1", ["spec", "template"]),
        ("Deployment", "apps/v1", ["spec", "template"]),
        ("DaemonSet", "apps/v1", ["spec", "template"]),
        ("ReplicaSet", "apps/v1", ["spec", "template"]),
        ("ReplicationController", "v1", ["spec", "template"]),
        ("Job", "batch/v1", ["spec", "template"]),
        ("CronJob", "batch/v1", ["spec", "jobTemplate", "spec", "template"]),
    ],
)
def test_pod_templates(kind: str, api_version: str, path: list[str]) -> None:
    """Pod templates get the labels and the operator's version, and nothing that changes from run to run."""
    (result,) = added(manifest(kind, api_version, spec={}))
    template: Any = result
    for key in path:
        template = template[key]
    assert template["metadata"] == {"labels": LABELS, "annotations": {"kudo.dev/operator-version": "0.1.0"}}
    assert "selector" not in result["spec"]


@pytest.mark.parametrize(("kind", "api_version"), [("Deployment", "extensions/v1beta1"), ("Thing", "example.org/v1")])
def test_other_kinds_keep_their_template(kind: str, api_version: str) -> None:
    """Templates of other kinds are not labelled."""
    (result,) = added(manifest(kind, api_version, spec={"template": {}}))
    assert result["spec"] == {"template": {}}


def test_claims_are_labelled() -> None:
    """Volume claim templates of a StatefulSet get the labels."""
    claims = [{"metadata": {"name": "data"}}, {}]
    (result,) = added(manifest("StatefulSet", "apps/v1", spec={"volumeClaimTemplates": claims}))
    assert [claim["metadata"]["labels"] for claim in result["spec"]["volumeClaimTemplates"]] == [LABELS, LABELS]


def test_odd_template_is_skipped() -> None:
    """A pod template whose labels are no texts is left alone."""
    odd = {"metadata": {"labels": {"a": 1}}}
    (result,) = added(manifest("Deployment", "apps/v1", spec={"template": odd}))
    assert result["spec"]["template"]["metadata"]["labels"] == {"a": 1}


@pytest.mark.parametrize("metadata", [{"labels": "x"}, {"annotations": {"a": 1}}, "text"])
def test_odd_metadata_is_refused(metadata: Any) -> None:
    """Labels or annotations of the object itself that are no texts cannot be added to."""
    with pytest.raises(EnhanceError, match="failed to add labels and annotations"):
        added({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})


def test_other_controller_is_refused() -> None:
    """An object that already has a controller cannot belong to the instance; another owner is no hindrance."""
    item = manifest("ConfigMap")
    item["metadata"]["ownerReferences"] = [{"kind": "Job", "name": "j", "uid": "other", "controller": True}]
    with pytest.raises(EnhanceError, match="already owned by Job j"):
        added(item)
    item["metadata"]["ownerReferences"] = [{"kind": "Job", "name": "j", "uid": "other"}]
    assert [owner["uid"] for owner in added(item)[0]["metadata"]["ownerReferences"]] == ["other", "u-1"]


@pytest.mark.parametrize(
    ("volumes", "mode", "expected"),
    [
        ([CONFIG_VOLUME], "primary", "ef28c2c1aa4cad2058035d4473777463"),
        ([CONFIG_VOLUME], "replica", "2671e3837a610039336c9993548c1812"),
        ([CONFIG_VOLUME, SECRET_VOLUME], "primary", "e1549029deb3c6ae516cf4c6ada684b4"),
        ([SECRET_VOLUME, CONFIG_VOLUME], "primary", "e1549029deb3c6ae516cf4c6ada684b4"),
    ],
)
def test_hash_of_the_worked_example(volumes: list[Manifest], mode: str, expected: str) -> None:
    """The dependency hash is the reference's, to the letter."""
    _settings, result = added(settings(mode), workload(*volumes))
    assert digest(result) == expected


def test_hashed_text_of_the_worked_example() -> None:
    """The text that is hashed is the reference's."""
    assert sanitised_text(added(settings())[0]) == EXAMPLE


def test_hash_of_an_applied_dependency() -> None:
    """A dependency in the cluster counts as it was applied last, whatever the server or others added to it."""
    applied = added(settings())[0]
    live = {**applied, "data": {"mode": "drifted"}, "metadata": {**applied["metadata"]}}
    live["metadata"]["annotations"] = {LAST_APPLIED: json.dumps(applied)}
    (result,) = added(workload(CONFIG_VOLUME), find=lambda *_name: live)
    assert digest(result) == "ef28c2c1aa4cad2058035d4473777463"


def test_hash_of_a_foreign_dependency() -> None:
    """A dependency that we never applied counts as it is, without what the server adds."""
    live = added(settings())[0]
    live["metadata"] |= {"uid": "u", "resourceVersion": "7", "creationTimestamp": "t", "annotations": {"a": "b"}}
    (result,) = added(workload(CONFIG_VOLUME), find=lambda *_name: live)
    assert digest(result) == "ef28c2c1aa4cad2058035d4473777463"


def test_skipped_dependency_counts_as_missing() -> None:
    """A dependency annotated to be skipped has no influence but its place."""
    skipped = settings()
    skipped["metadata"]["annotations"] = {"kudo.dev/skip-hash-calculation": ""}
    with_it = digest(added(skipped, workload(CONFIG_VOLUME))[1])
    assert with_it == digest(added(workload(CONFIG_VOLUME))[0])
    assert with_it != digest(added(settings(), workload(CONFIG_VOLUME))[1])


def test_what_counts_as_dependency() -> None:
    """Image pull secrets count; environment and projected volumes do not."""
    asked: list[tuple[str, str]] = []

    def find(kind: str, name: str) -> None:
        asked.append((kind, name))

    container = {"name": "c", "envFrom": [{"configMapRef": {"name": "env"}}]}
    projected = {"name": "p", "projected": {"sources": [{"secret": {"name": "projected"}}]}}
    item = workload(SECRET_VOLUME, projected, "odd", imagePullSecrets=[{"name": "pull"}], containers=[container])  # type: ignore[arg-type]
    assert dependencies_hash(item, [], find)
    assert asked == [("Secret", "missing"), ("Secret", "pull")]


def test_no_dependencies_no_hash() -> None:
    """A workload without dependencies has no hash annotation."""
    assert digest(added(workload())[0]) is None


def test_hash_of_a_cron_job() -> None:
    """A CronJob's hash stands in its nested template."""
    nested = {"jobTemplate": {"spec": {"template": {"spec": {"volumes": [CONFIG_VOLUME]}}}}}
    _settings, result = added(settings(), manifest("CronJob", "batch/v1", spec=nested))
    template = result["spec"]["jobTemplate"]["spec"]["template"]
    assert template["metadata"]["annotations"]["kudo.dev/dependencies-hash"] == "ef28c2c1aa4cad2058035d4473777463"
