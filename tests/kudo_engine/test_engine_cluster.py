"""The engine on a kind cluster: real workloads, a real garbage collector."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import pytest

from harness.clusters.provider import Cluster
from harness.kit.documents import Manifest
from harness.kit.waiting import Pending
from harness.kube import Kube, condition_of, dig, uid_of
from harness.kudo.crds import install_crds
from harness.kudo.engine import Engine, release_instances
from tests.kudo_engine.fakes import API, apply_task, instance_manifest, plan_state, serial, version_manifest

pytestmark = pytest.mark.cluster

TIMEOUT = 90.0
DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: {{ .Params.SIZE }}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - {name: main, image: "busybox:1.28", command: [sleep, "3600"]}
"""
JOB = """apiVersion: batch/v1
kind: Job
metadata: {name: once}
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
      - {name: main, image: "busybox:1.28", command: ["true"]}
"""
TASKS = [
    apply_task("web", "web.yaml"),
    apply_task("job", "job.yaml"),
    {"name": "forget", "kind": "Delete", "spec": {"resources": ["job.yaml"]}},
    {"name": "wipe", "kind": "Delete", "spec": {"resources": ["web.yaml", "job.yaml"]}},
    {"name": "toggle", "kind": "Toggle", "spec": {"resources": ["web.yaml"], "parameter": "WEB"}},
]
PLANS = {
    "deploy": serial(("web", ["toggle"]), ("forget", ["forget"]), ("job", ["job"])),
    "cleanup": serial(("wipe", ["wipe"])),
}
PARAMETERS = [{"name": "SIZE", "default": "1"}, {"name": "WEB", "default": "true"}]


@pytest.fixture
def kube(cluster: Cluster) -> Iterator[Kube]:
    """Yield a client of the run's cluster, with a namespace of its own that goes away again."""
    with Kube.connect(cluster.kubeconfig, cluster.context) as kube:
        install_crds(kube)
        kube.default_namespace = f"harness-kudo-{uuid.uuid4().hex[:8]}"
        kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": kube.default_namespace}})
        try:
            yield kube
        finally:
            release_instances(kube, kube.default_namespace)
            kube.delete("v1", "Namespace", kube.default_namespace)


def until(kube: Kube, condition: Callable[[Manifest], bool], wanted: str) -> Manifest:
    def probe(found: Manifest | None) -> Manifest | Pending:
        return found if found is not None and condition(found) else Pending(str((found or {}).get("status")))

    return kube.until(API, "Instance", "orders", None, probe, timeout=TIMEOUT, wanted=wanted)


def until_run(kube: Kube, before: str) -> str:
    """Wait until deploy is COMPLETE under another uid than before; return that."""

    def done(item: Manifest) -> bool:
        return plan_state(item)[0] == "COMPLETE" and dig(item, "status.planStatus.deploy.uid") != before

    return str(dig(until(kube, done, "plan deploy COMPLETE"), "status.planStatus.deploy.uid"))


def test_life_of_an_instance(kube: Kube) -> None:
    """Deploy waits for real workloads, a deleted Job runs again, a toggle removes, cleanup leaves nothing behind."""
    templates = {"web.yaml": DEPLOYMENT, "job.yaml": JOB}
    version = version_manifest(templates=templates, tasks=TASKS, plans=PLANS, parameters=PARAMETERS)
    instance = instance_manifest()
    for manifest in (version, instance):
        manifest["metadata"]["namespace"] = kube.default_namespace
    with Engine(kube, namespaces=[kube.default_namespace]) as engine:
        kube.create(version)
        kube.create(instance)
        first = until_run(kube, "")
        assert dig(kube.get("apps/v1", "Deployment", "web"), "status.availableReplicas") == 1
        job = uid_of(kube.get("batch/v1", "Job", "once"))

        kube.patch(API, "Instance", "orders", {"spec": {"parameters": {"SIZE": "2"}}})
        second = until_run(kube, first)
        assert dig(kube.get("apps/v1", "Deployment", "web"), "status.availableReplicas") == 2
        assert uid_of(kube.get("batch/v1", "Job", "once")) != job

        # The finished Job's pod is labelled too and not running: the original calls such an Instance not ready.
        ready = until(kube, lambda item: dig(condition_of(item, "Ready"), "status") == "False", "not ready")
        assert "is not running yet: Succeeded" in dig(condition_of(ready, "Ready"), "message")

        kube.patch(API, "Instance", "orders", {"spec": {"parameters": {"WEB": "false"}}})
        until_run(kube, second)
        assert kube.find("apps/v1", "Deployment", "web") is None

        kube.delete(API, "Instance", "orders")
        kube.until_gone(API, "Instance", "orders", timeout=TIMEOUT)
        assert kube.list("batch/v1", "Job", kube.default_namespace) == []
        assert engine.failed is None
