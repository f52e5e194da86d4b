"""Clusters that the user names: a kubeconfig and a context. Never creates, never deletes a cluster.

What was not named is not written to: a kubeconfig with several contexts needs the context said aloud. Imported by the
fixtures and the command line.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Mapping
from pathlib import Path

from harness.clusters.config import ClusterOptions, same_version
from harness.clusters.kubeconfig import Chosen, choose_context, pinned
from harness.clusters.provider import Cluster, Connect, connect, probe
from harness.kit.documents import dump_yaml
from harness.kit.errors import HarnessError, UsageError
from harness.kit.paths import state_dir
from harness.kit.process import alive
from harness.kit.stages import Stages

__all__ = ["ExistingProvider"]


class ExistingProvider:
    """Borrows the cluster behind a kubeconfig and context that the user named.

    Args:
        options: `kubeconfig`, `context` and `kubernetes_version` are used.
        connect: gives a client.
        environ: where KUBECONFIG is looked up when only a context was named.
        state: folder for the kubeconfig with the one context, which `delete` removes.
        stages: where it is told what was borrowed.
    """

    name = "existing"

    def __init__(
        self,
        options: ClusterOptions,
        *,
        connect: Connect = connect,
        environ: Mapping[str, str] = os.environ,
        state: Path | None = None,
        stages: Stages | None = None,
    ) -> None:
        self._options = options
        self._connect = connect
        self._environ = environ
        self._pinned = (state or state_dir()) / "existing" / f"{options.run}-{os.getpid()}.kubeconfig"
        self._stages = stages or Stages("cluster")

    def create(self) -> Cluster:
        """Borrow the cluster.

        Raises:
            UsageError: it was not named clearly, or has another version than the wanted one.
            HarnessError: it does not answer.
        """
        chosen = choose_context(self._options.kubeconfig, self._options.context, self._environ)
        self._sweep()
        self._write(chosen)
        try:
            version = self._version(chosen)
        except BaseException:
            self._pinned.unlink(missing_ok=True)
            raise
        self._stages.note(f"existing {chosen.context}: Kubernetes {version}")
        return Cluster(
            name=chosen.context,
            kubeconfig=self._pinned,
            context=chosen.context,
            kubernetes_version=version,
            created=False,
            provider=self.name,
            env={"KUBECONFIG": str(self._pinned)},
        )

    def delete(self, cluster: Cluster) -> None:
        """Leave the cluster alone, it is not ours; remove our copy of its kubeconfig."""
        if cluster.kubeconfig == self._pinned:
            self._pinned.unlink(missing_ok=True)

    def export_logs(self, cluster: Cluster, folder: Path) -> None:
        """Write nothing: the nodes are not ours to read."""

    def _write(self, chosen: Chosen) -> None:
        text = dump_yaml(pinned(chosen))
        self._pinned.parent.mkdir(parents=True, exist_ok=True)
        self._pinned.unlink(missing_ok=True)
        self._pinned.touch(0o600)  # it may hold a key: nobody else reads it, not even for a moment
        self._pinned.write_text(text, encoding="utf-8")
        atexit.register(self._pinned.unlink, missing_ok=True)

    def _sweep(self) -> None:
        """Remove the copies that killed processes left."""
        for path in self._pinned.parent.glob("*.kubeconfig"):
            pid = path.stem.rpartition("-")[2]
            if pid.isdigit() and not alive(int(pid)):
                path.unlink(missing_ok=True)

    def _version(self, chosen: Chosen) -> str:
        where = f"context {chosen.context} in {chosen.path}"
        kube = self._connect(self._pinned, chosen.context)
        try:
            if why := probe(kube):
                run = f"kubectl --kubeconfig {chosen.path} --context {chosen.context} version"
                raise HarnessError("the named cluster to answer", seen=why, where=where, run=run)
            version = kube.server_version()
        finally:
            kube.close()
        if not same_version(self._options.kubernetes_version, version):
            raise UsageError(f"Kubernetes {self._options.kubernetes_version}", seen=version, where=where)
        return version
