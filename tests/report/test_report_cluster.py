"""The failure report on a real cluster: pods in every kind of trouble, told as kubelet and scheduler tell it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from harness.kit.documents import Manifest
from harness.kit.waiting import Pending
from harness.kube import Kube
from harness.report.artifacts import Artifacts
from harness.report.diagnostics import Story, diagnose
from harness.report.facts import find_facts
from harness.report.snapshot import Snapshot

pytestmark = pytest.mark.cluster

IMAGE = "docker.io/library/busybox:1.28"
PASSWORD = "Tr0ub4dor-and-3"


def pod(name: str, script: str = "sleep 600", container: Manifest | None = None, **spec: Any) -> Manifest:
    """Return a pod of one container that runs a script."""
    main = {"name": "main", "image": IMAGE, "imagePullPolicy": "IfNotPresent", "command": ["sh", "-c", script]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"terminationGracePeriodSeconds": 0, "containers": [main | (container or {})], **spec},
    }


PODS = {
    "image": pod("image", container={"image": "registry.invalid/nowhere:1"}),
    "crash": pod("crash", f"echo connecting with {PASSWORD}; echo '[ERROR] no primary view'; exit 3"),
    "unschedulable": pod("unschedulable", nodeSelector={"no": "such"}),
    "unready": pod(
        "unready",
        container={
            "readinessProbe": {"exec": {"command": ["sh", "-c", "echo not synced; exit 1"]}, "periodSeconds": 1}
        },
    ),
    "oom": pod("oom", "tail /dev/zero", container={"resources": {"limits": {"memory": "16Mi"}}}),
    "init": pod(
        "init", initContainers=[{"name": "prepare", "image": IMAGE, "command": ["sh", "-c", "echo no name db; exit 1"]}]
    ),
    "config": pod(
        "config",
        container={"env": [{"name": "P", "valueFrom": {"secretKeyRef": {"name": "missing", "key": "password"}}}]},
    ),
    "mount": pod(
        "mount",
        container={"volumeMounts": [{"name": "v", "mountPath": "/v"}]},
        volumes=[{"name": "v", "configMap": {"name": "absent"}}],
    ),
    "claimed": pod("claimed", volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]),
}

EXPECTED = {  # subject: (one of these in the reason, this in the detail)
    "Pod image, container main": (("ErrImagePull", "ImagePullBackOff"), "registry.invalid"),
    "Pod crash, container main": (("CrashLoopBackOff", "exit code 3 (Error)"), ""),
    "Pod unschedulable": (("Unschedulable",), "node affinity/selector"),
    "Pod unready, container main": (("not ready",), "Readiness probe failed: not synced"),
    "Pod oom, container main": (("exit code 137 (OOMKilled)",), "its memory limit is 16Mi"),
    "Pod init, init container prepare": (("exit code 1 (Error)",), ""),
    "Pod config, container main": (("CreateContainerConfigError",), 'secret "missing" not found'),
    "Pod mount": (("FailedMount",), 'configmap "absent" not found'),
    "Pod claimed": (("Unschedulable",), "unbound immediate PersistentVolumeClaims"),
}


@pytest.fixture
def trouble(kube: Kube, namespace: str) -> str:
    """Return a namespace full of trouble, once the cluster has noticed all of it."""
    kube.create(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}, "stringData": {"pw": PASSWORD}}, namespace
    )
    claim = {
        "storageClassName": "no-such",
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Mi"}},
    }
    kube.create(
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}, "spec": claim}, namespace
    )
    for manifest in PODS.values():
        kube.create(manifest, namespace)
    with kube.watch("v1", "Event", namespace) as events:
        events.until(lambda told: noticed(kube, namespace, told), timeout=120, wanted="every trouble noticed")
    return namespace


def noticed(kube: Kube, namespace: str, events: list[Manifest]) -> bool | Pending:
    """Tell whether there is a fact for each trouble; asked anew on each event of the namespace."""
    pods = [{"kind": "Pod", **entry} for entry in kube.list("v1", "Pod", namespace)]
    snapshot = Snapshot(namespace=namespace, taken=datetime.now(UTC), objects={"Pod": pods, "Event": events})
    facts = {fact.subject: fact for fact in find_facts(snapshot)}
    for subject, (reasons, detail) in EXPECTED.items():
        fact = facts.get(subject)
        if fact is None:
            return Pending(f"{subject}: no fact")
        if not any(reason in fact.reason for reason in reasons) or detail not in "\n".join(fact.detail):
            return Pending(f"{subject}: {fact.reason} {fact.detail}")
    return True


def test_every_trouble_is_told_and_no_secret(kube: Kube, trouble: str, tmp_path: Path) -> None:
    """The report of a real namespace has the cause, the logs and the files, within seconds and without the password."""
    begun = time.monotonic()
    done = diagnose(kube, trouble, Story(test="t", kept=True), artifacts=Artifacts(root=tmp_path))
    assert time.monotonic() - begun < 10
    assert done.cause == "PersistentVolumeClaim data: Pending (storage class no-such)"
    assert 'storageclass.storage.k8s.io "no-such" not found' in done.text
    assert "[ERROR] no primary view" in done.text
    folder = tmp_path / "t"
    files = {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*.*")}
    assert "connecting with [redacted]" in files["logs/crash.main.log"] + files.get("logs/crash.main.previous.log", "")
    assert {f"objects/Pod.{name}.yaml" for name in PODS} < set(files)
    assert not [name for name, text in files.items() if PASSWORD in text]
    assert PASSWORD not in done.text
    assert f"namespace {trouble}" in done.text


def test_a_namespace_that_hangs_is_explained(kube: Kube, namespace: str) -> None:
    """A finalizer that nobody removes is named as what holds the namespace."""
    held = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "held", "finalizers": ["harness.dev/test"]}}
    kube.create(held, namespace)
    kube.delete("v1", "Namespace", namespace)
    try:
        kube.until(
            "v1", "Namespace", namespace, None, _explained, timeout=60, wanted="the controller's word on finalizers"
        )
        done = diagnose(kube, namespace, Story(test="t"))
    finally:
        kube.patch("v1", "ConfigMap", "held", {"metadata": {"finalizers": None}}, namespace)
    assert done.cause.startswith(f"Namespace {namespace}: Terminating for")
    assert "harness.dev/test" in done.text


def _explained(found: Manifest | None) -> bool | Pending:
    conditions = ((found or {}).get("status") or {}).get("conditions") or []
    told = any(entry.get("status") == "True" and "harness.dev/test" in entry.get("message", "") for entry in conditions)
    return told or Pending(f"{len(conditions)} conditions")
