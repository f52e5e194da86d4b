"""A cluster of two nodes from our own node image: services, names, volumes, routes, and what survives a restart."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import airgap
from harness.airgap.engine import Docker
from harness.clusters.config import ClusterOptions, new_run_id
from harness.clusters.kind import KindProvider
from harness.clusters.provider import Cluster
from harness.kit.process import ProcessError, run
from harness.kit.waiting import Pending, until

pytestmark = pytest.mark.cluster

WORKLOAD = """\
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      tolerations: [{operator: Exists}]
      terminationGracePeriodSeconds: 0
      containers:
      - name: web
        image: busybox:1.28
        command: [sh, -c, "mkdir -p /w && hostname > /w/index.html && exec httpd -f -p 80 -h /w"]
        readinessProbe: {httpGet: {port: 80}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 10M}}}
---
apiVersion: v1
kind: Pod
metadata: {name: keeper}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: keeper
    image: busybox:1.28
    command: [sh, -c, "echo kept > /data/file && exec sleep 3600"]
    volumeMounts: [{name: data, mountPath: /data}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
"""


class Nodes:
    """The cluster, its kubectl and its engine."""

    def __init__(self, cluster: Cluster, provision: airgap.Provision) -> None:
        self.cluster = cluster
        self.docker = Docker(host=provision.docker_host, run=run)
        self._kubectl = provision.kubectl or Path("kubectl")

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        argv = [str(self._kubectl), "--kubeconfig", str(self.cluster.kubeconfig), *arguments]
        return run(argv, timeout=90.0, stdin=stdin).stdout

    def pods(self) -> dict[str, str]:
        """Return the names of the web pods with their addresses."""
        items = json.loads(self.kubectl("get", "pods", "-l", "app=web", "-o", "json"))["items"]
        return {item["metadata"]["name"]: item["status"]["podIP"] for item in items}

    def fetch(self, pod: str, host: str) -> str:
        return self.kubectl("exec", pod, "--", "wget", "-q", "-O-", f"http://{host}/").strip()


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    provision = airgap.ensure(mode="always")
    provider = KindProvider(ClusterOptions(run=new_run_id(), workers=1, airgap="always"))
    cluster = provider.create()
    try:
        made = Nodes(cluster, provision)
        made.kubectl("apply", "-f", "-", stdin=WORKLOAD)
        made.kubectl("rollout", "status", "daemonset/web", "--timeout=60s")
        made.kubectl("wait", "pod/keeper", "--for=condition=Ready", "--timeout=60s")
        yield made
    finally:
        provider.delete(cluster)


def test_pods_reach_each_other_across_nodes(nodes: Nodes) -> None:
    """Every pod answers every other, on its own node and on the other one."""
    pods = nodes.pods()
    assert len(pods) == 2
    for source in pods:
        assert {nodes.fetch(source, address) for address in pods.values()} == set(pods)


def test_a_service_with_two_endpoints_is_reached_by_name(nodes: Nodes) -> None:
    """From each node the Service's name leads to both pods: DNS, kube-proxy and its balancing work."""
    pods = nodes.pods()
    for source in pods:
        seen = {nodes.fetch(source, "web.default.svc.cluster.local") for _ in range(20)}
        assert seen == set(pods)


def test_a_claim_is_bound_by_the_default_class(nodes: Nodes) -> None:
    """A claim without a class gets a volume, and what is written there is read there."""
    assert nodes.kubectl("get", "pvc", "data", "-o", "jsonpath={.status.phase}") == "Bound"
    assert nodes.kubectl("exec", "keeper", "--", "cat", "/data/file").strip() == "kept"


def test_the_cluster_survives_a_restart_of_its_nodes(nodes: Nodes) -> None:
    """After all node containers were restarted at once, pods reach each other again and data is still there."""
    nodes.docker("restart", *nodes.cluster.nodes, timeout=120.0)
    until(lambda: _served(nodes), timeout=120.0, wanted="both pods to answer on both nodes again")
    assert nodes.kubectl("exec", "keeper", "--", "cat", "/data/file").strip() == "kept"


def _served(nodes: Nodes) -> bool | Pending:
    try:
        pods = nodes.pods()
        seen = {nodes.fetch(source, address) for source in pods for address in pods.values()}
    except (ProcessError, KeyError) as error:
        return Pending(str(error))
    return True if len(seen) == len(pods) == len(nodes.cluster.nodes) else Pending(f"{sorted(seen)} of {sorted(pods)}")
