"""The kind program: where it is found, and its commands with deadlines, bound to one container engine.

Imported by harness.clusters.kind. Nothing is downloaded here.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.kit.documents import Manifest, dump_yaml
from harness.kit.errors import HarnessError, UsageError
from harness.kit.process import Completed, ProcessError, Runner, find_program, run

__all__ = ["OLDEST", "KindProgram", "find_kind", "find_kubectl"]

OLDEST = (0, 30)  # older ones cannot boot today's node images
_INSTALL = "go install sigs.k8s.io/kind@v0.33.0 and put ~/go/bin on PATH, or name the program in HARNESS_KIND"
_SYSTEM = {"kube-system", "local-path-storage"}  # namespaces of the cluster's own pods
_ASK = 30.0  # seconds for questions: what exists, which version
_CHANGE = 120.0  # seconds for deleting, for logs, for loading one image


@dataclass(frozen=True, slots=True, kw_only=True)
class KindProgram:
    """Commands of one kind program.

    Args:
        path: the program.
        env: variables added to ours, e.g. DOCKER_HOST of a private engine.
        run: how programs are run.
    """

    path: Path
    env: Mapping[str, str] = field(default_factory=dict)
    run: Runner = run

    def version(self) -> tuple[int, ...]:
        """Return the program's version as numbers."""
        return tuple(int(part) for part in re.findall(r"\d+", self._kind("version", "-q").stdout)[:3])

    def require_recent(self) -> None:
        """Raise UsageError when the program is too old."""
        version = self.version()
        if version[:2] < OLDEST:
            raise UsageError(
                f"kind {'.'.join(map(str, OLDEST))} or newer",
                seen=".".join(map(str, version)) or "no version",
                where=str(self.path),
                run=_INSTALL,
            )

    def clusters(self) -> list[str]:
        """Return the names of all clusters in this engine."""
        return self._kind("get", "clusters").stdout.split()

    def nodes(self, name: str) -> list[str]:
        """Return the names of a cluster's nodes, sorted; none when there is no such cluster."""
        return sorted(self._kind("get", "nodes", "--name", name).stdout.split())

    def create(self, name: str, *, image: str, config: Manifest, folder: Path, timeout: float) -> None:
        """Create a cluster; when that fails its nodes stay, so that their logs can be read.

        kind's own --wait asks the API server in a loop; readiness is watched by the caller instead.

        Args:
            name: the cluster's name.
            image: the node image; kind's own choice when empty.
            config: kind's configuration.
            folder: where the configuration and the kubeconfig are written.
            timeout: seconds.
        """
        file = folder / "config.yaml"
        file.write_text(dump_yaml(config), encoding="utf-8")
        kubeconfig = folder / "kubeconfig"
        kubeconfig.unlink(missing_ok=True)  # kind adds to a file that is there
        argv = ["create", "cluster", "--name", name, "--config", str(file), "--kubeconfig", str(kubeconfig), "--retain"]
        self._kind(*argv, *(["--image", image] if image else []), timeout=timeout)
        kubeconfig.chmod(0o600)

    def export_kubeconfig(self, name: str, kubeconfig: Path) -> None:
        """Write the kubeconfig of a cluster that exists."""
        kubeconfig.parent.mkdir(parents=True, exist_ok=True)
        new = kubeconfig.with_name("kubeconfig.new")
        new.unlink(missing_ok=True)
        self._kind("export", "kubeconfig", "--name", name, "--kubeconfig", str(new))
        new.chmod(0o600)
        new.replace(kubeconfig)  # whoever reads it meanwhile sees the old file or the new one

    def export_logs(self, name: str, folder: Path) -> None:
        """Write the logs of all nodes to a folder, without those of workloads, which may hold secrets.

        A node image may lack a tool that kind asks for; what could be written counts.

        Raises:
            ProcessError: nothing could be written.
        """
        folder.mkdir(parents=True, exist_ok=True)
        done = self._kind("export", "logs", str(folder), "--name", name, timeout=_CHANGE, check=False)
        _remove_workload_logs(folder)
        if done.returncode != 0 and not any(folder.glob("*/*.log")):
            seen = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            raise ProcessError(f"the logs of cluster {name}", seen=seen, where=str(folder))

    def load(self, name: str, images: Sequence[str]) -> None:
        """Copy images from the engine to every node; one that is there already costs a question."""
        self._kind("load", "docker-image", "--name", name, *images, timeout=_CHANGE * max(1, len(images)))

    def delete(self, name: str) -> None:
        """Delete a cluster and check that its nodes are gone.

        Raises:
            HarnessError: something of it is still there; with the command that removes it.
        """
        command = ["delete", "cluster", "--name", name]
        try:
            # A path of its own: kind would otherwise edit the user's kubeconfig.
            self._kind(*command, "--kubeconfig", os.devnull, timeout=_CHANGE)
            left = self.nodes(name)
        except ProcessError as error:
            raise HarnessError(f"cluster {name} deleted", seen=error.seen, run=self.command(*command)) from None
        if left:
            raise HarnessError(f"cluster {name} deleted", seen=f"nodes {', '.join(left)}", run=self.command(*command))

    def command(self, *arguments: str) -> str:
        """Return a command line that does the same in the user's shell."""
        variables = [f"{name}={shlex.quote(value)}" for name, value in sorted(self.env.items())]
        return " ".join([*variables, shlex.join([str(self.path), *arguments])])

    def _kind(self, *arguments: str, timeout: float = _ASK, check: bool = True) -> Completed:
        return self.run([self.path, *arguments], timeout=timeout, env={**os.environ, **self.env}, check=check)


def _remove_workload_logs(folder: Path) -> None:
    """Remove the raw logs of pods that are not the cluster's own; the report of a test has them, redacted."""
    for path in [*folder.glob("*/pods/*"), *folder.glob("*/containers/*")]:
        # "<namespace>_<pod>_<uid>" and "<pod>_<namespace>_<container>-<id>.log"
        parts = path.name.split("_")
        if _SYSTEM.isdisjoint(parts[:1] if path.parent.name == "pods" else parts[1:2]):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def find_kind(named: Path | None, built: Path | None, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the kind program: the named one, $HARNESS_KIND, the one that was built here, the one on PATH.

    Raises:
        UsageError: there is none, or the named one is missing.
    """
    for path, where in ((named, "--kind-bin"), (environ.get("HARNESS_KIND"), "HARNESS_KIND")):
        if path:
            return _program(Path(path), where)
    if built is not None:
        return built
    return find_program("kind", install=_INSTALL).resolve()


def find_kubectl(named: Path | None, built: Path | None) -> Path | None:
    """Return the kubectl program: the named one, the one that was built here, the one on PATH; None without any."""
    if named is not None:
        return _program(named, "--kind-kubectl-bin")
    if built is not None:
        return built
    found = shutil.which("kubectl")
    return Path(found).resolve() if found else None


def _program(path: Path, where: str) -> Path:
    if not os.access(path, os.X_OK):
        raise UsageError("a program that can be run", seen=str(path), where=where)
    return path.resolve()
