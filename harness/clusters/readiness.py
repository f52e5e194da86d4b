"""When a new cluster is ready: every node Ready and CoreDNS available, decided on watch events.

Imported by harness.clusters.kind.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.clusters.provider import KubeLike
from harness.kit.documents import Manifest
from harness.kit.waiting import Deadline, Pending

__all__ = ["coredns_available", "node_ready", "until_ready"]


def until_ready(kube: KubeLike, nodes: Sequence[str], deadline: Deadline) -> None:
    """Wait until all nodes are Ready and CoreDNS answers.

    Args:
        kube: a client for the cluster.
        nodes: names of the nodes.
        deadline: when to give up.

    Raises:
        DeadlineError: with the condition that was missing and its reason.
    """
    for name in nodes:
        kube.until("v1", "Node", name, None, node_ready, timeout=deadline.left(), wanted=f"node {name} Ready")
    kube.until(
        "apps/v1", "Deployment", "coredns", "kube-system", coredns_available,
        timeout=deadline.left(), wanted="CoreDNS available",
    )  # fmt: skip


def node_ready(node: Manifest | None) -> bool | Pending:
    """Return True for a node that is Ready and takes pods, else why not."""
    if node is None:
        return Pending("the node has not joined")
    condition = _condition(node, "Ready")
    if condition.get("status") != "True":
        return Pending(condition.get("message") or condition.get("reason") or "no Ready condition yet")
    return True


def coredns_available(deployment: Manifest | None) -> bool | Pending:
    """Return True for a Deployment that has a pod ready, else why not."""
    if deployment is None:
        return Pending("there is no Deployment kube-system/coredns")
    ready = deployment.get("status", {}).get("availableReplicas", 0)
    if ready < 1:
        return Pending(_condition(deployment, "Available").get("message") or "no pod of CoreDNS is available")
    return True


def _condition(value: Manifest, name: str) -> Manifest:
    conditions = value.get("status", {}).get("conditions") or []
    return next((entry for entry in conditions if entry.get("type") == name), {})
