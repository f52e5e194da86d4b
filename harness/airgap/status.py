"""What the air gap has and runs, looked up and never remembered. Imported by the command line of harness.airgap."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from harness.airgap import versions
from harness.airgap.engine import Docker, system_engine
from harness.airgap.gobuild import ALL, GoBuild
from harness.airgap.provision import Airgap
from harness.kit.process import Runner

__all__ = ["Status", "gather"]

_MB = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What is there.

    Args:
        system_engine: empty when the machine's own engine answers, else why not.
        private_pid: the process of the private engine; None when it does not run.
        private_answers: whether it answers.
        clusters: names of the kind clusters in the engine that answers.
        node_images: reference to size in bytes, in the engine that answers.
        programs: Kubernetes version to (built, of how many).
        cache: the cache folder and its size in bytes.
        log: the private engine's log.
        docker_host: the private engine's address.
    """

    system_engine: str
    private_pid: int | None
    private_answers: bool
    clusters: tuple[str, ...]
    node_images: dict[str, int]
    programs: dict[str, tuple[int, int]]
    cache: tuple[Path, int]
    log: Path
    docker_host: str

    def lines(self) -> list[str]:
        """Return the status as people read it."""
        folder, size = self.cache
        rows = [f"engine    {self._engine()}"]
        if self.private_pid is not None:
            rows += [f"          export DOCKER_HOST={self.docker_host}", f"          log {self.log}"]
        rows += [f"cluster   {name}" for name in self.clusters] or ["cluster   none"]
        rows += [f"image     {name} ({size / _MB:.0f} MB)" for name, size in self.node_images.items()] or [
            "image     no node image built"
        ]
        rows += [
            f"programs  kubernetes {version}: {built} of {total} built"
            for version, (built, total) in self.programs.items()
            if built
        ] or ["programs  none built"]
        return [*rows, f"cache     {folder} ({size / _MB:.0f} MB)"]

    def _engine(self) -> str:
        if self.private_pid is not None:
            state = "answers" if self.private_answers else "does not answer"
            return f"private, process {self.private_pid}, {state}"
        return f"none ({self.system_engine})" if self.system_engine else "system, answers"


def gather(airgap: Airgap, run: Runner) -> Status:
    """Return the status of now; asks engines and file system, changes nothing."""
    found = system_engine(run)
    pid = airgap.private.pid()
    answers = pid is not None and not airgap.private.docker.why_silent()
    docker = airgap.private.docker if answers else found
    return Status(
        system_engine=found if isinstance(found, str) else "",
        private_pid=pid,
        private_answers=answers,
        clusters=_clusters(docker) if isinstance(docker, Docker) else (),
        node_images=_node_images(docker) if isinstance(docker, Docker) else {},
        programs={version: _programs(airgap, version, run) for version in _begun(airgap, run)},
        cache=(airgap.layout.cache, tree_size(airgap.layout.cache)),
        log=airgap.private.log,
        docker_host=str(airgap.private.docker.host),
    )


def tree_size(folder: Path) -> int:
    """Return the bytes on disk below a folder; what vanishes meanwhile is not counted."""
    total = 0
    pending = [folder]
    while pending:
        try:
            entries = list(os.scandir(pending.pop()))
        except OSError:
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                pending.append(Path(entry.path))
            elif entry.is_file(follow_symlinks=False):
                total += _disk_bytes(entry)
    return total


def _disk_bytes(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_blocks * 512
    except OSError:
        return 0


def _clusters(docker: Docker) -> tuple[str, ...]:
    label = '{{.Label "io.x-k8s.kind.cluster"}}'
    done = docker("ps", "--filter", "label=io.x-k8s.kind.cluster", "--format", label, check=False)
    return tuple(sorted(set(done.stdout.split())))


def _node_images(docker: Docker) -> dict[str, int]:
    listed = docker("images", "--format", "{{.Repository}}:{{.Tag}}", "harness.local/node", check=False).stdout.split()
    return {reference: docker.image_size(reference) for reference in sorted(listed)}


def _begun(airgap: Airgap, run: Runner) -> list[str]:
    """Return the versions of which something of their own is built; companions count for the default only."""
    own = {program.name for program in ALL if not program.companion}
    return [
        version
        for version in versions.RELEASES.values()
        if len(GoBuild(version, airgap.layout, airgap.machine, run).missing(own)) < len(own)
        or version == versions.DEFAULT
    ]


def _programs(airgap: Airgap, version: str, run: Runner) -> tuple[int, int]:
    missing = GoBuild(version, airgap.layout, airgap.machine, run).missing(program.name for program in ALL)
    return len(ALL) - len(missing), len(ALL)
