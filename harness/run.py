"""One test run: its id, the options it was given, its artifacts folder, and the namespaces that tests use.

Imported by the fixtures and the plugin. Light: what a run needs of clusters or the API is imported by the fixtures.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from harness.kit.stages import Out, Stages
from harness.report.artifacts import Artifacts

if TYPE_CHECKING:
    from harness.kube import Kube
    from harness.kudo.session import Kudo

__all__ = ["Run", "RunOptions", "Used"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What the user asked for, as read from the command line and the configuration.

    Args:
        cluster_name: name of the kind cluster; chosen when None.
        keep_cluster: the cluster stays for the next run.
        kubeconfig: a kubeconfig of the user's; with it (or a context) no cluster is made.
        context: the context in it.
        kubernetes_version: "1.36" or "v1.36.3"; the newest known one when None.
        workers: worker nodes beside the control plane.
        kind_config: a kind configuration file.
        kind_image: a node image, instead of the one that fits the version.
        kind: the kind program.
        kubectl: the kubectl program.
        airgap: "auto", "always" or "never".
        images: recipes of the suite's images.
        keep_namespace: the namespaces of failed tests stay.
        artifacts: folder for reports.
        root: the project's folder.
    """

    cluster_name: str | None = None
    keep_cluster: bool = False
    kubeconfig: Path | None = None
    context: str | None = None
    kubernetes_version: str | None = None
    workers: int = 0
    kind_config: Path | None = None
    kind_image: str | None = None
    kind: Path | None = None
    kubectl: Path | None = None
    airgap: str = "auto"
    images: tuple[Path, ...] = ()
    keep_namespace: bool = False
    artifacts: Path = Path(".harness")
    root: Path = field(default_factory=Path.cwd)


@dataclass(frozen=True, slots=True)
class Used:
    """A namespace that tests use, and the KUDO instance in it, if there is one."""

    namespace: str
    instance: str = ""


class Run:
    """The state that fixtures and reports share.

    Args:
        run_id: four hexadecimal digits; the same in every worker of a parallel run.
        options: what the user asked for.
        out: where stage lines go: the terminal, also while a test's output is captured.
    """

    def __init__(self, run_id: str, options: RunOptions, out: Out | None = None) -> None:
        self.id = run_id
        self.options = options
        self._out = out
        root = options.artifacts / "runs" / f"{time.strftime('%Y%m%d-%H%M%S')}-{run_id}"
        self.artifacts = Artifacts(root=root)
        self._used: dict[str, Used] = {}
        self.failed_namespaces: set[str] = set()
        self.kept: list[str] = []
        self.kube: Kube | None = None
        self.kudo: Kudo | None = None

    def stages(self, area: str) -> Stages:
        """Return a reporter of stage lines."""
        return Stages(area, self._out)

    def use(self, namespace: str, instance: str = "") -> None:
        """Remember that tests use a namespace, and the instance in it: a failed test's report shows both."""
        before = self._used.get(namespace, Used(namespace))
        self._used[namespace] = Used(namespace, instance or before.instance)

    def leave(self, namespace: str) -> None:
        """Forget a namespace that is about to go; what is installed in it is cleaned up and its engine stops."""
        self._used.pop(namespace, None)
        if self.kudo is not None:
            self.kudo.leave(namespace)

    @property
    def to_keep(self) -> frozenset[str]:
        """The namespaces that stay: those of failed tests, when the user asked for it."""
        return frozenset(self.failed_namespaces) if self.options.keep_namespace else frozenset()

    @property
    def used(self) -> tuple[Used, ...]:
        """The namespaces in use now."""
        return tuple(self._used.values())
