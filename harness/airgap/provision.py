"""Makes ready what a kind cluster needs: an engine, a node image, the programs; from a registry or by building.

On a machine with a working engine and registry nothing is built. Imported by harness.clusters and the command line,
through harness.airgap.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from harness.airgap import versions
from harness.airgap.engine import Docker, Engine, PrivateEngine, system_engine
from harness.airgap.gobuild import ALL, CONTROL_PLANE, GoBuild
from harness.airgap.layout import Layout, content_key
from harness.airgap.machine import Machine, version_tuple
from harness.airgap.network import connect_nodes
from harness.airgap.node_image import NodeImage, node_reference, system_key
from harness.airgap.recipe import Recipe, build_recipe, load_recipe
from harness.airgap.rootfs import Debian
from harness.kit.errors import HarnessError
from harness.kit.process import ProcessError, Runner, run
from harness.kit.stages import Stages

__all__ = ["Airgap", "Mode", "Provision"]

Mode = Literal["auto", "always", "never"]
_REGISTRY = 8.0  # seconds for one question to the registry
_CGROUP_V1_GATE = (1, 35)  # from here on the kubelet refuses cgroup v1 unless told otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Provision:
    """What was made ready.

    Args:
        node_image: the node image; empty for kind's own choice.
        kind: the kind program; None to take the one on PATH.
        kubectl: the kubectl program; None to take the one on PATH.
        docker_host: the engine's address; None for the user's own engine.
        env: variables that bind child processes to the engine.
        kind_config: what the node image needs in kind's configuration.
        kubernetes_version: e.g. "v1.36.3"; empty when kind chooses.
        engine: whose engine it is.
        images: short reference to full reference of the suite images that every node has.
    """

    node_image: str
    kind: Path | None
    kubectl: Path | None
    docker_host: str | None
    env: Mapping[str, str]
    kind_config: Mapping[str, Any]
    kubernetes_version: str
    engine: Literal["private", "system"]
    images: Mapping[str, str] = field(default_factory=dict)

    @property
    def built(self) -> bool:
        """Whether the node image is one of ours."""
        return self.node_image.startswith(node_reference("", "").partition(":")[0] + ":")


class Airgap:
    """The whole recipe, with its parts injected.

    Args:
        layout: where things lie.
        stages: where progress is shown.
        run: how programs are run.
    """

    def __init__(self, layout: Layout | None = None, stages: Stages | None = None, run: Runner = run) -> None:
        self.layout = layout or Layout.default()
        self.stages = stages or Stages("airgap")
        self._run = run
        self.machine = Machine(layout=self.layout, run=run)
        self.private = PrivateEngine(self.layout, self.machine, run)

    def ensure(self, version: str | None, recipes: Sequence[Path | str], mode: Mode) -> Provision:
        """Make everything ready for a cluster; does nothing that was done before.

        Args:
            version: Kubernetes version or minor; None for the default.
            recipes: folders of suite images.
            mode: build when nothing can be pulled, always, or never.

        Raises:
            UsageError: an unknown version, a wrong recipe, a missing prerequisite.
            HarnessError: no engine in mode never, or a build that failed.
        """
        loaded = [load_recipe(Path(recipe)) for recipe in recipes]
        found = self._system()
        if mode == "never":
            return self._pulled(found, version)
        if mode == "auto" and isinstance(found, Docker):
            pulled = self._pull_if_possible(found, version, loaded)
            if pulled is not None:
                return pulled
        resolved = versions.resolve_version(version)
        return self.build(resolved, loaded, self.engine(found))

    def engine(self, found: Docker | str | None = None) -> Engine:
        """Return the user's engine when it answers, else the private one, which is started.

        Args:
            found: the user's engine or why there is none; asked for when None.
        """
        found = self._system() if found is None else found
        if isinstance(found, Docker):
            return Engine(docker=found, private=False)
        if not self.private.answers():
            self.stages.note(f"no Docker engine of this machine answers ({found}): a private one is used")
        return self.private.up(self.stages)

    def build(self, version: str, recipes: Sequence[Recipe], engine: Engine) -> Provision:
        """Build, where missing, the programs and the node image with the suite images in it."""
        go = self._go(version)
        tag, key = self._node_tag(version, recipes)
        missing = not engine.docker.has_image(tag)
        if missing:  # what is asked for late is checked early: compiling takes minutes
            self.machine.require_architecture()
            self.machine.require_root("making Debian trees")
            self.machine.require_packages(["debootstrap"], programs=["debootstrap"], stages=self.stages)
        programs = go.build([program.name for program in ALL], self.stages)
        commands = go.commands(programs)
        if missing:
            debian = Debian(self.layout, self.machine, self._run, self.stages)
            node = NodeImage(
                version, programs, commands, layout=self.layout, docker=engine.docker, debian=debian, run=self._run,
                stages=self.stages,
            )  # fmt: skip
            archives = [build_recipe(recipe, self.layout, debian, self._run) for recipe in recipes]
            node.ensure(tag, archives, key)
        host = engine.docker.host
        return Provision(
            node_image=tag,
            kind=commands / "kind",
            kubectl=commands / "kubectl",
            docker_host=host,
            env={"DOCKER_HOST": host} if host else {},
            kind_config=kind_config(version, cgroup_v1=_host_has_cgroup_v1()),
            kubernetes_version=version,
            engine="private" if engine.private else "system",
            images={recipe.image: recipe.reference for recipe in recipes},
        )

    def control_plane(self, version: str | None) -> Path:
        """Return a folder with etcd, kube-apiserver and kubectl; build only what they need."""
        go = self._go(versions.resolve_version(version))
        return go.commands(go.build(CONTROL_PLANE, self.stages))

    def after_create(self, cluster: str, provision: Provision) -> None:
        """Join the pod networks of a new cluster's nodes; nothing to do for one node or a foreign node image."""
        if provision.built:
            connect_nodes(cluster, Docker(host=provision.docker_host, run=self._run))

    def remove_all(self) -> None:
        """Remove all that was built; Go's own caches stay.

        Raises:
            HarnessError: the private engine runs.
        """
        self.private.remove_data()
        shutil.rmtree(self.layout.cache, ignore_errors=True)

    def _system(self) -> Docker | str:
        """Return the user's engine or why there is none; our own, exported to a command, is not the user's."""
        if os.environ.get("DOCKER_HOST") == self.private.docker.host:
            return "DOCKER_HOST names the private one"
        return system_engine(self._run)

    def _go(self, version: str) -> GoBuild:
        return GoBuild(version, self.layout, self.machine, self._run)

    def _node_tag(self, version: str, recipes: Sequence[Recipe]) -> tuple[str, str]:
        """Return the node image's reference, and the content key of all in it but the suite images."""
        go = self._go(version)
        key = system_key(version, {program.name: go.key(program) for program in ALL})
        return node_reference(version, content_key([key, [recipe.key() for recipe in recipes]])), key

    def _pulled(self, found: Docker | str, version: str | None) -> Provision:
        if isinstance(found, str):
            raise HarnessError(
                "a Docker engine that answers, since building is switched off",
                seen=found,
                run="start Docker, or allow the harness to make an engine: --harness-airgap auto",
            )
        wanted = versions.candidates(version)
        return _foreign(wanted[0] if wanted else "", version)

    def _pull_if_possible(self, docker: Docker, version: str | None, recipes: Sequence[Recipe]) -> Provision | None:
        """Return what a registry gives, or None with the reason printed."""
        if version is None or versions.is_known(version):
            tag, _ = self._node_tag(versions.resolve_version(version), recipes)
            if docker.has_image(tag):
                return None  # built before: no question to a registry that did not answer then
        reason = ""
        for reference in versions.candidates(version) or (versions.KIND_DEFAULT_IMAGE,):
            reason = "" if docker.has_image(reference) else _why_not_pulled(docker, reference)
            if not reason:
                return _foreign(reference if version else "", version)
            if "no such manifest" not in reason and "not found" not in reason:
                break  # the registry itself does not answer: asking for other tags is waste
        self.stages.note(f"no node image can be pulled ({reason}): it is built here")
        return None


def kind_config(version: str, *, cgroup_v1: bool) -> dict[str, Any]:
    """Return kind's configuration for our node image.

    Args:
        version: the Kubernetes version.
        cgroup_v1: whether the engine's machine still has cgroup v1.
    """
    kubelet: dict[str, Any] = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "cgroupDriver": "cgroupfs",
        "featureGates": {"KubeletInUserNamespace": True},
    }
    if cgroup_v1 and version_tuple(version)[:2] >= _CGROUP_V1_GATE:
        kubelet["failCgroupV1"] = False
    # JSON is YAML, and kind wants a text here.
    return {"networking": {"disableDefaultCNI": True}, "kubeadmConfigPatches": [json.dumps(kubelet)]}


def _foreign(reference: str, version: str | None) -> Provision:
    """Return the provision of a machine with a registry: nothing is built, kind pulls."""
    return Provision(
        node_image=reference,
        kind=_on_path("kind"),
        kubectl=_on_path("kubectl"),
        docker_host=None,
        env={},
        kind_config={},
        kubernetes_version=reference.rpartition(":")[2].partition("@")[0] if version else "",
        engine="system",
    )


def _why_not_pulled(docker: Docker, reference: str) -> str:
    """Return why an image cannot be pulled, after one short question; empty when it can."""
    try:
        done = docker("manifest", "inspect", reference, timeout=_REGISTRY, check=False)
    except ProcessError:
        return f"the registry gave no answer within {_REGISTRY:g} s"
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["no answer"])[-1]


def _on_path(name: str) -> Path | None:
    found = shutil.which(name)
    return Path(found) if found else None


def _host_has_cgroup_v1() -> bool:
    return not Path("/sys/fs/cgroup/cgroup.controllers").exists()
