"""Pod networks between the nodes of a multi-node cluster made from our node image.

Each node learns its own pod network and a route to every other node's. Imported by harness.airgap.provision.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from harness.airgap.engine import Docker
from harness.kit.waiting import Pending, until

__all__ = ["NodeNetwork", "connect_nodes", "route_lines"]

_JOIN = 60.0  # seconds for every node to be given its pod network
_ASK = 20.0
_KUBECTL = ("kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf")
_APPLY = """
cat >/kind/pod-routes
sed "s#@SUBNET@#$1#" /kind/cni.conflist >/etc/cni/net.d/.new
mv /etc/cni/net.d/.new /etc/cni/net.d/10-harness.conflist
systemctl restart pod-routes
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeNetwork:
    """A node: its name, its address on the engine's network, and the network of its pods."""

    name: str
    address: str
    pods: str


def connect_nodes(cluster: str, docker: Docker) -> None:
    """Tell every node its pod network and the routes to the others; one node needs nothing.

    Args:
        cluster: the kind cluster's name.
        docker: the engine that it runs in.

    Raises:
        DeadlineError: a node was not given a pod network in time.
        ProcessError: a node could not be told.
    """
    names = docker(
        "ps", "--filter", f"label=io.x-k8s.kind.cluster={cluster}", "--format", "{{.Names}}"
    ).stdout.split()  # fmt: skip
    if len(names) < 2:  # noqa: PLR2004 - one node has nobody to reach
        return
    first = f"{cluster}-control-plane"
    nodes = until(lambda: _networks(docker, first, len(names)), timeout=_JOIN, wanted="a pod network for each node")
    for node in nodes:
        docker.feed(
            "exec", "--interactive", node.name, "bash", "-euc", _APPLY, "apply", node.pods,
            stdin="".join(route_lines(node, nodes)), timeout=_ASK,
        )  # fmt: skip


def route_lines(node: NodeNetwork, nodes: Sequence[NodeNetwork]) -> list[str]:
    """Return the lines of `ip -batch` that lead from a node to the pods of all others."""
    return [f"route replace {other.pods} via {other.address}\n" for other in nodes if other.name != node.name]


def _networks(docker: Docker, first: str, count: int) -> list[NodeNetwork] | Pending:
    done = docker("exec", first, *_KUBECTL, "get", "nodes", "--output", "json", timeout=_ASK, check=False)
    if done.returncode != 0:
        return Pending(done.stderr.strip() or "no answer from kubectl in the node")
    items = json.loads(done.stdout)["items"]
    missing = [item["metadata"]["name"] for item in items if not item["spec"].get("podCIDR")]
    if len(items) < count or missing:
        return Pending(
            f"{len(items)} of {count} nodes registered, without a pod network: {', '.join(missing) or 'none'}"
        )
    return [
        NodeNetwork(name=item["metadata"]["name"], address=_address(item), pods=item["spec"]["podCIDR"])
        for item in items
    ]


def _address(item: dict[str, object]) -> str:
    status = item["status"]
    addresses = status["addresses"] if isinstance(status, dict) else []
    return next(str(entry["address"]) for entry in addresses if entry["type"] == "InternalIP")
