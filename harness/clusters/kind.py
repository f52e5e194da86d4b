"""Clusters made with kind, built on pytest-kind: the KindCluster that its users know, without its downloads.

The only importer of `pytest_kind`, which is composed and loaded only when asked for: its own `create` knows neither
deadlines nor a private engine nor readiness, so we create the cluster and let a KindCluster adopt it. Imported by the
fixtures and the command line.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from harness.clusters.config import ClusterOptions, cluster_name, kind_config, same_version
from harness.clusters.kind_program import KindProgram, find_kind, find_kubectl
from harness.clusters.provider import Cluster, Connect, connect, probe
from harness.clusters.readiness import until_ready
from harness.clusters.records import Record, Records
from harness.kit.errors import HarnessError, UsageError
from harness.kit.process import Runner, run
from harness.kit.stages import Stages
from harness.kit.waiting import Deadline

if TYPE_CHECKING:
    from pytest_kind import KindCluster

__all__ = ["KindProvider", "Parts", "Provisioned", "adopt", "delete_recorded", "delete_run"]

_OTHERS = 60.0  # seconds that a waiting run grants beyond the creation itself


class Provisioned(Protocol):
    """What harness.airgap makes ready before a cluster can be created."""

    @property
    def node_image(self) -> str:
        """The node image; empty for kind's own choice."""
        ...

    @property
    def kind(self) -> Path | None:
        """The kind program that was built, if one was."""
        ...

    @property
    def kubectl(self) -> Path | None:
        """The kubectl program that was built, if one was."""
        ...

    @property
    def env(self) -> Mapping[str, str]:
        """Variables that bind programs to the engine."""
        ...

    @property
    def kind_config(self) -> Mapping[str, Any]:
        """What the node image needs in kind's configuration."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plain:
    """Nothing to make ready: the engine and the registry are the user's."""

    node_image: str = ""
    kind: Path | None = None
    kubectl: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    kind_config: Mapping[str, Any] = field(default_factory=dict)


def _provision(options: ClusterOptions, stages: Stages) -> Provisioned:
    from harness import airgap

    if options.image is not None and options.airgap != "always" and airgap.engine_available():
        return _Plain(node_image=options.image)
    return airgap.ensure(
        kubernetes_version=options.kubernetes_version,
        recipes=options.recipes,
        stages=Stages("airgap", stages.out),
        mode=options.airgap,
    )


def _after_create(name: str, provisioned: Provisioned, stages: Stages) -> None:
    from harness import airgap

    if isinstance(provisioned, airgap.Provision):
        airgap.after_create(name, provisioned, stages=Stages("airgap", stages.out))


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The outside world of a provider; tests give fakes.

    Args:
        run: runs programs.
        provision: makes the engine, the node image and the programs ready.
        after_create: finishes the nodes' network where the node image needs it.
        connect: gives a client for a kubeconfig and context.
        records: what exists already.
        stages: where progress is told.
        artifacts: folder for the node logs of a creation that failed.
    """

    run: Runner = run
    provision: Callable[[ClusterOptions, Stages], Provisioned] = _provision
    after_create: Callable[[str, Provisioned, Stages], None] = _after_create
    connect: Connect = connect
    records: Records = field(default_factory=Records)
    stages: Stages = field(default_factory=lambda: Stages("cluster"))
    artifacts: Path = Path(".harness")


class KindProvider:
    """Makes, re-uses and deletes kind clusters.

    The processes of one run (pytest-xdist) share one cluster: the first makes it under a lock on its name, the others
    find it. Deleting it is up to the process that outlives them all, with `delete_run`.
    """

    name = "kind"

    def __init__(self, options: ClusterOptions, parts: Parts | None = None) -> None:
        self.options = options
        self._parts = parts or Parts()

    def create(self) -> Cluster:
        """Create the cluster, or take the one of that name.

        Raises:
            UsageError: there is no kind, or a re-used cluster has another version than the wanted one.
            HarnessError: the cluster did not come up, or a re-used one does not answer.
        """
        provisioned = self._parts.provision(self.options, self._parts.stages)
        program = self._program(provisioned)
        program.require_recent()
        name = cluster_name(self.options)
        self._name_leftovers(name)
        with self._parts.records.lock(name, self.options.timeout + _OTHERS):
            if name not in program.clusters():
                return self._make(program, name, provisioned)
            record = self._parts.records.find(name)
            if record is None or record.status == "ready":
                return self._reuse(program, name, record, provisioned)
            # The lock is ours, so its maker was killed half-way.
            with self._parts.stages.stage(f"kind {name}: half made by a killed run, removing it"):
                program.delete(name)
            return self._make(program, name, provisioned)

    def delete(self, cluster: Cluster) -> None:
        """Delete a cluster that this run created; any other stays as it is.

        Raises:
            HarnessError: it could not be deleted; with the command to run.
        """
        if cluster.created:
            delete_recorded(cluster.name, self._parts)

    def export_logs(self, cluster: Cluster, folder: Path) -> None:
        """Write the logs of all nodes to a folder; trouble with that is told and hides nothing."""
        record = self._parts.records.find(cluster.name)
        if record is not None:
            self._save_logs(_recorded_program(record, self._parts), cluster.name, folder)

    def _program(self, provisioned: Provisioned) -> KindProgram:
        path = find_kind(self.options.kind, provisioned.kind)
        return KindProgram(path=path, env=dict(provisioned.env), run=self._parts.run)

    def _make(self, program: KindProgram, name: str, provisioned: Provisioned) -> Cluster:
        options, records = self.options, self._parts.records
        config = kind_config(options, provisioned.kind_config)
        record = Record(
            name=name,
            run=options.run,
            status="creating",
            keep=options.keep,
            kind=str(program.path),
            image=options.image or provisioned.node_image,
            env=dict(program.env),
        )
        records.write(record)
        workers = len(config["nodes"]) - 1
        what = f"kind {name}{f' with {workers} workers' if workers else ''}"
        try:
            with self._parts.stages.stage(f"{what}: creating", f"{what}: Ready"):
                version = self._boot(program, name, config, provisioned)
            self._load(program, name)
            _write_launchers(records.folder(name), program, find_kubectl(options.kubectl, provisioned.kubectl))
            record = replace(record, status="ready", kubernetes_version=version)
            records.write(record)
            return self._cluster(program, record, created=True)
        except BaseException as error:
            self._clear(program, name, error)
            raise

    def _boot(self, program: KindProgram, name: str, config: dict[str, Any], provisioned: Provisioned) -> str:
        """Bring a cluster up and return its version once it is ready."""
        deadline = Deadline.after(self.options.timeout)
        folder = self._parts.records.folder(name)
        image = self.options.image or provisioned.node_image
        program.create(name, image=image, config=config, folder=folder, timeout=deadline.left())
        self._parts.after_create(name, provisioned, self._parts.stages)
        kube = self._parts.connect(folder / "kubeconfig", f"kind-{name}")
        try:
            until_ready(kube, program.nodes(name), deadline)
            version = kube.server_version()
        finally:
            kube.close()
        return self._wanted(version, f"the node image {image or 'of kind'}")

    def _load(self, program: KindProgram, name: str) -> None:
        if images := self.options.images:
            with self._parts.stages.stage(f"kind {name}: loading {', '.join(images)}", f"kind {name}: images loaded"):
                program.load(name, images)

    def _reuse(self, program: KindProgram, name: str, record: Record | None, provisioned: Provisioned) -> Cluster:
        """Take a cluster that exists: it must answer in the wanted version."""
        ours = record is not None and record.run == self.options.run and not record.keep
        folder = self._parts.records.folder(name)
        if not ours:  # the run's other processes have the file in use
            program.export_kubeconfig(name, folder / "kubeconfig")
            _write_launchers(folder, program, find_kubectl(self.options.kubectl, provisioned.kubectl))
        version = self._version(program, name, folder / "kubeconfig")
        seen = record or Record(
            name=name, run="", status="ready", keep=True, kind=str(program.path), env=dict(program.env)
        )
        if not ours:
            self._parts.stages.note(f"kind {name}: re-used, Kubernetes {version}")
            self._compare_images(seen, self.options.image or provisioned.node_image)
            self._load(program, name)
        cluster = self._cluster(program, replace(seen, kubernetes_version=version), created=ours)
        # Without a record it was made by somebody else's kind: our own command would not know it.
        return cluster if record else replace(cluster, remove=program.command("delete", "cluster", "--name", name))

    def _compare_images(self, record: Record, image: str) -> None:
        """Say when a cluster was made from another node image: its suite images may be old ones."""
        if record.image and image and record.image != image:
            remove = f"harness cluster down {record.name}"
            self._parts.stages.note(
                f"kind {record.name}: made from {record.image}, now there is {image}; for a new cluster: {remove}"
            )

    def _version(self, program: KindProgram, name: str, kubeconfig: Path) -> str:
        remove = program.command("delete", "cluster", "--name", name)
        kube = self._parts.connect(kubeconfig, f"kind-{name}")
        try:
            if why := probe(kube):
                raise HarnessError(f"kind cluster {name} to answer, since it exists", seen=why, run=remove)
            version = kube.server_version()
        finally:
            kube.close()
        return self._wanted(
            version, f"the cluster {name} that exists", run=f"{remove}, or choose another --cluster-name"
        )

    def _wanted(self, version: str, where: str, *, run: str = "") -> str:
        """Return a version if it is the one that was asked for; refuse any other."""
        if not same_version(self.options.kubernetes_version, version):
            raise UsageError(f"Kubernetes {self.options.kubernetes_version}", seen=f"{version} in {where}", run=run)
        return version

    def _cluster(self, program: KindProgram, record: Record, *, created: bool) -> Cluster:
        kubeconfig = self._parts.records.folder(record.name) / "kubeconfig"
        return Cluster(
            name=record.name,
            kubeconfig=kubeconfig,
            context=f"kind-{record.name}",
            kubernetes_version=record.kubernetes_version,
            created=created,
            provider=self.name,
            env={**program.env, "KUBECONFIG": str(kubeconfig)},
            nodes=tuple(program.nodes(record.name)),
            remove=f"harness cluster down {record.name}",
        )

    def _clear(self, program: KindProgram, name: str, error: BaseException) -> None:
        """Remove a half-made cluster; trouble on the way is told and never hides the first error."""
        note = self._parts.stages.note
        if not isinstance(error, KeyboardInterrupt):
            self._save_logs(program, name, self._parts.artifacts / f"cluster-{name}")
        try:
            program.delete(name)
        except HarnessError as trouble:
            remove = trouble.run or program.command("delete", "cluster", "--name", name)
            note(f"kind {name}: not removed; remove it with: {remove}")
        else:
            self._parts.records.remove(name)
            note(f"kind {name}: half-made cluster removed")

    def _save_logs(self, program: KindProgram, name: str, folder: Path) -> None:
        try:
            program.export_logs(name, folder)
        except HarnessError as trouble:
            reason = (trouble.seen.strip().splitlines() or [trouble.wanted])[-1]
            self._parts.stages.note(f"kind {name}: no node logs: {reason}")
        else:
            self._parts.stages.note(f"kind {name}: node logs in {folder}")

    def _name_leftovers(self, name: str) -> None:
        for record in self._parts.records.abandoned():
            if record.name != name:
                self._parts.stages.note(
                    f"kind {record.name}: left by a killed run; remove it with: harness cluster down {record.name}"
                )


def delete_recorded(name: str, parts: Parts | None = None) -> bool:
    """Delete a cluster of ours by its name; return False when there is no record of it.

    Raises:
        HarnessError: it could not be deleted; with the command to run.
    """
    parts = parts or Parts()
    with parts.records.lock(name, _OTHERS):
        record = parts.records.find(name)
        if record is None:
            return False
        if _engine_is_gone(record):
            parts.stages.note(f"kind {name}: gone with its engine")
        else:
            with parts.stages.stage(f"kind {name}: deleting", f"kind {name}: deleted"):
                _recorded_program(record, parts).delete(name)
        parts.records.remove(name)
        return True


def _engine_is_gone(record: Record) -> bool:
    """Tell whether the socket of a cluster's private engine is no longer there: its containers went with it."""
    scheme, _, socket = record.env.get("DOCKER_HOST", "").partition("://")
    return scheme == "unix" and not Path(socket).exists()


def delete_run(run: str, parts: Parts | None = None) -> list[str]:
    """Delete all clusters that a run made and that are not to be kept; return their names."""
    parts = parts or Parts()
    names = [record.name for record in parts.records.all() if record.run == run and not record.keep]
    return [name for name in names if delete_recorded(name, parts)]


def adopt(cluster: Cluster, *, kubectl: Path | None = None, records: Records | None = None) -> KindCluster:
    """Return pytest-kind's KindCluster for a cluster that we made, for tests written for pytest-kind.

    Its programs are small launchers bound to the engine, with absolute paths, so that it finds them and downloads
    nothing; `api`, `kubectl` and `load_docker_image` work as its users expect.

    Args:
        cluster: made by a KindProvider.
        kubectl: another kubectl than the one the cluster was made with.
        records: where the cluster's files are.

    Raises:
        UsageError: the cluster is not kind's.
    """
    if cluster.provider != KindProvider.name:
        raise UsageError(
            "a kind cluster, for the fixture kind_cluster",
            seen=f"{cluster.provider} {cluster.name}",
            run="use the fixtures cluster and kube, which take any cluster",
        )
    import pytest_kind

    folder = (records or Records()).folder(cluster.name)
    scratch = Path(".pytest-kind") / cluster.name
    fresh = [path for path in (scratch, scratch.parent) if not path.exists()]
    adopted = pytest_kind.KindCluster(
        cluster.name,
        kubeconfig=cluster.kubeconfig,
        kind_path=folder / "kind",
        kubectl_path=kubectl.resolve() if kubectl else folder / "kubectl",
    )
    for path in fresh:
        path.rmdir()  # its constructor makes a folder for downloads in the working directory
    adopted.create()  # the cluster exists: this only reads the kubeconfig
    return adopted


def _recorded_program(record: Record, parts: Parts) -> KindProgram:
    return KindProgram(path=Path(record.kind), env=record.env, run=parts.run)


def _write_launchers(folder: Path, program: KindProgram, kubectl: Path | None) -> None:
    """Write the programs `kind` and `kubectl` as launchers that carry the engine's variables."""
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in sorted(program.env.items()))
    missing = "echo 'kubectl is not installed: https://kubernetes.io/docs/tasks/tools/' >&2\nexit 127\n"
    bodies = {"kind": _exec_line(program.path), "kubectl": _exec_line(kubectl) if kubectl else missing}
    for name, body in bodies.items():
        (folder / name).write_text(f"#!/bin/sh\n{exports}{body}", encoding="utf-8")
        (folder / name).chmod(0o755)


def _exec_line(path: Path) -> str:
    return f'exec {shlex.quote(str(path))} "$@"\n'
