"""No registry, no engine: everything that a kind cluster needs, built here from package registries.

Imported by harness.clusters and the command line; the names below are its whole interface. Modules load on first use.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.kit.stages import Stages

if TYPE_CHECKING:
    from harness.airgap.provision import Mode, Provision

__all__ = ["Provision", "after_create", "control_plane_binaries", "engine_available", "ensure"]


def ensure(
    *,
    kubernetes_version: str | None = None,
    recipes: Sequence[Path | str] = (),
    stages: Stages | None = None,
    mode: Mode = "auto",
) -> Provision:
    """Make ready what a kind cluster needs; at most 3 s when everything is there.

    Args:
        kubernetes_version: "1.36", "v1.36.3" ...; None for the default.
        recipes: folders of suite images (image.yaml) that every node shall have.
        stages: where progress is shown; standard error by default.
        mode: "auto" builds when nothing can be pulled, "always" builds, "never" does not.

    Raises:
        UsageError: an unknown version, a wrong recipe, a missing prerequisite; says what to install.
        HarnessError: a build failed, or there is no engine in mode "never".
    """
    from harness.airgap.provision import Airgap

    return Airgap(stages=stages).ensure(kubernetes_version, recipes, mode)


def after_create(cluster: str, provision: Provision, *, stages: Stages | None = None) -> None:
    """Finish a new cluster's network once its nodes have joined.

    Args:
        cluster: the kind cluster's name.
        provision: what it was made from.
        stages: where progress is shown.
    """
    from harness.airgap.provision import Airgap

    Airgap(stages=stages).after_create(cluster, provision)


def control_plane_binaries(kubernetes_version: str | None = None, *, stages: Stages | None = None) -> Path:
    """Return a folder with etcd, kube-apiserver and kubectl, built when they are not there.

    Args:
        kubernetes_version: None for the default.
        stages: where progress is shown.
    """
    from harness.airgap.provision import Airgap

    return Airgap(stages=stages).control_plane(kubernetes_version)


def engine_available() -> bool:
    """Tell whether the machine's own Docker engine answers."""
    from harness.airgap.engine import Docker, system_engine
    from harness.kit.process import run

    return isinstance(system_engine(run), Docker)


def __getattr__(name: str) -> Any:
    if name == "Provision":
        from harness.airgap.provision import Provision

        return Provision
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
