"""What every provider of clusters has in common: the Cluster that it hands out, its protocol, and a sign of life.

Imported by the rest of harness.clusters and by the fixtures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from harness.kit.documents import Manifest

__all__ = ["Cluster", "Connect", "KubeLike", "Provider", "connect", "kept_line", "probe"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A cluster that answers.

    Args:
        name: its name with the provider.
        kubeconfig: the file that reaches it.
        context: the context in that file.
        kubernetes_version: what its API server says, "v1.36.3".
        created: whether this run made it; only then may the run delete it.
        provider: "kind", "existing", "control-plane".
        env: variables that bind child programs (kubectl, kind, docker) to it.
        nodes: names of its nodes, as far as the provider knows them.
        remove: the command that removes it; empty for a borrowed one.
    """

    name: str
    kubeconfig: Path
    context: str
    kubernetes_version: str
    created: bool
    provider: str
    env: Mapping[str, str] = field(default_factory=dict)
    nodes: tuple[str, ...] = ()
    remove: str = ""


class Provider(Protocol):
    """A source of clusters. Each method has its own deadline."""

    name: str

    def create(self) -> Cluster:
        """Make or borrow the cluster; the second call of one run gives the same one.

        Raises:
            UsageError: what was asked for cannot be had here; with the command that mends it.
            HarnessError: it was tried and failed; nothing is left behind.
        """
        ...

    def delete(self, cluster: Cluster) -> None:
        """Remove a cluster that this run created and check that it is gone; leave any other alone."""
        ...

    def export_logs(self, cluster: Cluster, folder: Path) -> None:
        """Write the nodes' logs to a folder, as far as there are any."""
        ...


class KubeLike(Protocol):
    """What providers need of harness.kube.Kube."""

    def server_version(self) -> str:
        """Return the API server's version."""
        ...

    def until(
        self,
        api_version: str,
        kind: str,
        name: str,
        namespace: str | None,
        condition: Callable[[Manifest | None], Any],
        *,
        timeout: float,
        wanted: str,
    ) -> Any:
        """Wait for a condition of one object, decided on watch events."""
        ...

    def close(self) -> None:
        """End all connections."""
        ...


Connect = Callable[[Path, str], KubeLike]


def connect(kubeconfig: Path, context: str) -> KubeLike:
    """Return a client; the library behind it is loaded only now."""
    from harness.kube import Kube

    return Kube.connect(kubeconfig, context)


class _Versioned(Protocol):
    def server_version(self) -> str: ...


def probe(kube: _Versioned) -> str:
    """Ask the API server for its version; return why it does not answer, empty when it does.

    For a test that failed: a cluster that died is the reason, whatever the test says.
    """
    try:
        kube.server_version()
    except Exception as error:  # noqa: BLE001 - any failure here is the answer, and a report must not fail
        reason = (str(error) or type(error).__name__).strip()
        return f"the API server does not answer: {reason}"
    return ""


def kept_line(cluster: Cluster) -> str:
    """Return the line that says that a cluster stays and how to remove it."""
    if not cluster.remove:
        return f"{cluster.provider} {cluster.name}: left as it is"
    return f"{cluster.provider} {cluster.name}: kept; remove it with: {cluster.remove}"
