"""Builds the Go programs of a cluster from modules: Kubernetes, etcd, CoreDNS, kind and the storage provisioner.

All of them come from one generated module, so that what they share compiles once. Each finished program is kept under a
key of its inputs: an interrupted build goes on where it stopped. Imported by the rest of harness.airgap.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from harness.airgap import versions
from harness.airgap.layout import Layout, content_key, whole_file
from harness.airgap.machine import Machine
from harness.kit.errors import HarnessError
from harness.kit.paths import file_lock
from harness.kit.process import Child, Runner
from harness.kit.stages import Stages, took
from harness.kit.waiting import Pending, until

__all__ = ["ALL", "COMMANDS", "CONTROL_PLANE", "GoBuild", "Program", "module_text", "staging_modules"]

_FETCH = 600.0  # seconds for downloads
_BUILD = 1800.0  # seconds for one program
_SPACE = 10 << 30  # bytes: sources 2, compiler cache 4, programs 0.5, and room
_KUBERNETES = "k8s.io/kubernetes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program to build.

    Args:
        name: its file name.
        package: import path, or a folder of the generated module such as "./etcd".
        seconds: how long it takes after those before it, on 2 cores from nothing; for progress lines.
        companion: it does not depend on the Kubernetes version asked for.
    """

    name: str
    package: str
    seconds: float
    companion: bool = False


_PROVISIONER = "github.com/rancher/local-path-provisioner"
# The order matters: what the first builds of shared packages, the others need not; the control plane comes first.
ALL = (
    Program(name="kubernetes", package="./kubernetes", seconds=340),
    Program(name="etcd", package="./etcd", seconds=10, companion=True),
    Program(name="kind", package="./kind", seconds=3, companion=True),
    Program(name="coredns", package="./coredns", seconds=10, companion=True),
    Program(name="local-path-provisioner", package=_PROVISIONER, seconds=4, companion=True),
    Program(name="pause", package="./pause", seconds=1, companion=True),
)
CONTROL_PLANE = ("kubernetes", "etcd")
# The names under which the one Kubernetes program is each of them.
COMMANDS = (
    "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubeadm", "kubectl", "kubelet",
)  # fmt: skip


class GoBuild:
    """Builds programs for one Kubernetes version."""

    def __init__(self, version: str, layout: Layout, machine: Machine, run: Runner) -> None:
        self.version = version
        self._layout = layout
        self._machine = machine
        self._run = run

    def key(self, program: Program) -> str:
        """Return the content key of a program's inputs."""
        version = versions.DEFAULT if program.companion else self.version
        return content_key(
            {
                "kubernetes": version,
                "companions": versions.COMPANIONS if version == versions.DEFAULT else {},
                "source": _sources().get(program.package.removeprefix("./"), ""),
                "package": program.package,
                "flags": _link_flags(version),
            }
        )

    def path(self, program: Program) -> Path:
        """Return where a finished program lies."""
        version = versions.DEFAULT if program.companion else self.version
        return self._layout.programs / f"{version}-{self.key(program)}" / program.name

    def missing(self, names: Iterable[str]) -> list[Program]:
        """Return the programs that are still to be built, in building order."""
        wanted = set(names)
        return [program for program in ALL if program.name in wanted and not self.path(program).exists()]

    def build(self, names: Sequence[str], stages: Stages) -> dict[str, Path]:
        """Build what is missing; return the path of each program.

        Args:
            names: program names of `ALL`.
            stages: where progress is shown.

        Raises:
            UsageError: no Go, or one that is too old.
            HarnessError: no space, a failed download, a compiler error.
        """
        if self.missing(names):
            with file_lock(self._layout.locks / "gobuild", timeout=_BUILD, wanted="the Go build"):
                self._build_missing(self.missing(names), stages)
        return {program.name: self.path(program) for program in ALL if program.name in set(names)}

    def commands(self, built: Mapping[str, Path]) -> Path:
        """Return a folder where each program that was built, and each Kubernetes command, has its own name.

        Args:
            built: what `build` returned.
        """
        links = dict(built)
        if kubernetes := built.get("kubernetes"):
            links.update(dict.fromkeys(COMMANDS, kubernetes))
        folder = self._layout.cache / "bin" / f"{self.version}-{content_key({n: str(p) for n, p in links.items()})}"
        folder.mkdir(parents=True, exist_ok=True)
        for name, target in links.items():
            link = folder / name
            if not link.is_symlink():
                fresh = folder / f".{name}-{os.getpid()}"
                fresh.symlink_to(target)
                fresh.replace(link)
        return folder

    def _build_missing(self, programs: Sequence[Program], stages: Stages) -> None:
        if not programs:
            return
        self._machine.require_space(self._layout.cache, _SPACE, "building Kubernetes")
        self._machine.require_go(_FIRST_GO)
        done = f"kubernetes {self.version}: built {len(programs)} programs"
        with stages.stage(f"kubernetes {self.version}: building", done):
            begun = time.monotonic()
            for number, program in enumerate(programs, start=1):
                label = f"kubernetes {self.version}: building {number} of {len(programs)} programs, {program.name}"
                ends = time.monotonic() + sum(later.seconds for later in programs[number - 1 :])
                self._build(program, stages, _Progress(label=label, begun=begun, ends=ends))

    def _build(self, program: Program, stages: Stages, progress: _Progress) -> None:
        version = versions.DEFAULT if program.companion else self.version
        module = self._module(version, stages)
        with whole_file(self.path(program)) as target:
            argv = [str(self._go), "build", "-ldflags", _link_flags(version), "-o", str(target), program.package]
            self._long(argv, module, stages, progress)
            if not target.exists():
                log = module / "build.log"
                seen = log.read_text(encoding="utf-8", errors="replace")[-4000:]
                raise HarnessError(f"{program.name} to compile", seen=seen, where=str(log), run="harness airgap build")

    @property
    def _go(self) -> Path:
        return self._machine.require_go(_FIRST_GO)

    def _module(self, version: str, stages: Stages) -> Path:
        """Return the folder of the generated module, resolved."""
        companions = versions.COMPANIONS if version == versions.DEFAULT else {}
        folder = self._layout.cache / "modules" / f"{version}-{content_key([version, companions, _sources()])}"
        if (folder / "resolved").exists():
            return folder
        with stages.stage(f"kubernetes {version}: fetching the sources", f"kubernetes {version}: sources fetched"):
            own = self._kubernetes_mod(version)
            self._machine.require_go(_go_line(own))
            _write_sources(folder, with_companions=bool(companions))
            (folder / "go.mod").write_text(module_text(version, own, companions), encoding="utf-8")
            self._run([self._go, "mod", "tidy"], timeout=_FETCH, cwd=folder, env=_go_env())
            (folder / "resolved").write_bytes(b"")
        return folder

    def _kubernetes_mod(self, version: str) -> str:
        """Return the text of Kubernetes' own go.mod."""
        self._layout.work.mkdir(parents=True, exist_ok=True)
        argv = [str(self._go), "list", "-m", "-f", "{{.GoMod}}", f"{_KUBERNETES}@{version}"]
        found = self._run(argv, timeout=_FETCH, cwd=self._layout.work, env=_go_env() | {"GO111MODULE": "on"})
        return Path(found.stdout.strip()).read_text(encoding="utf-8")

    def _long(self, argv: Sequence[str], folder: Path, stages: Stages, progress: _Progress) -> None:
        log = folder / "build.log"
        log.unlink(missing_ok=True)
        with Child.start(argv, log=log, cwd=folder, env=_go_env()) as child:
            until(lambda: _ended(child, stages, progress), timeout=_BUILD, wanted=f"{argv[-1]} to be built")


_FIRST_GO = "1.24"  # older ones know no tool lines; what a Kubernetes version itself needs is read from its go.mod


@dataclass(frozen=True, slots=True, kw_only=True)
class _Progress:
    label: str
    begun: float
    ends: float  # as far as the programs' usual durations tell

    def text(self, now: float) -> str:
        left = f"about {took(self.ends - now)} left" if self.ends > now + 1 else "longer than usual"
        return f"{self.label}, {took(now - self.begun)} so far ({left})"


def module_text(version: str, kubernetes_mod: str, companions: Mapping[str, str]) -> str:
    """Return the go.mod that makes Kubernetes' own packages buildable outside its repository.

    Kubernetes' go.mod replaces its staging modules by folders, which no other module can follow: here they are
    replaced by their published versions (v1.36.3 is published as v0.36.3).

    Args:
        version: the Kubernetes version, e.g. "v1.36.3".
        kubernetes_mod: the text of its go.mod.
        companions: other modules and versions.
    """
    require = {_KUBERNETES: version, **companions}
    published = f"v0{version.removeprefix('v1')}"
    lines = ["module harness.dev/airgap", "", f"go {_go_line(kubernetes_mod)}", ""]
    lines += [f"tool {name}" for name in companions if name == _PROVISIONER]
    lines += ["require (", *(f"\t{name} {pin}" for name, pin in require.items()), ")"]
    lines += ["replace (", *(f"\t{name} => {name} {published}" for name in staging_modules(kubernetes_mod)), ")", ""]
    return "\n".join(lines)


def staging_modules(kubernetes_mod: str) -> list[str]:
    """Return the modules that Kubernetes' go.mod replaces by folders of its staging area."""
    return re.findall(r"^\t(\S+) => \./staging/", kubernetes_mod, re.MULTILINE)


def _go_line(mod: str) -> str:
    found = re.search(r"^go (\S+)$", mod, re.MULTILINE)
    if found is None:
        raise HarnessError("a go line in Kubernetes' go.mod", seen="none")
    return found[1]


def _ended(child: Child, stages: Stages, progress: _Progress) -> bool | Pending:
    if not child.running():
        return True
    stages.progress(progress.text(time.monotonic()))
    return Pending(f"{progress.label}: still running")


def _go_env() -> dict[str, str]:
    flags = {"CGO_ENABLED": "0", "GOFLAGS": "-trimpath -buildvcs=false", "GOTOOLCHAIN": "local", "GOWORK": "off"}
    return os.environ | flags


def _link_flags(version: str) -> str:
    """Return linker flags: no symbol tables, and the version stamps without which kubeadm and kubectl misbehave."""
    major, minor, _ = version.removeprefix("v").split(".", 2)
    stamps = {
        "gitVersion": version,
        "gitMajor": major,
        "gitMinor": minor,
        "gitCommit": "0" * 40,
        "gitTreeState": "clean",
    }
    pairs = (f"-X k8s.io/component-base/version.{name}={text}" for name, text in stamps.items())
    return " ".join(["-s", "-w", *pairs])


def _sources() -> dict[str, str]:
    """Return the main packages of ours: folder name to text."""
    root = resources.files("harness.airgap").joinpath("data/go")
    names = sorted(entry.name for entry in root.iterdir() if entry.is_dir())
    return {name: root.joinpath(name, "main.go").read_text(encoding="utf-8") for name in names}


def _write_sources(folder: Path, *, with_companions: bool) -> None:
    own = {program.package for program in ALL if with_companions or not program.companion}
    for name, text in _sources().items():
        if f"./{name}" in own:
            (folder / name).mkdir(parents=True, exist_ok=True)
            (folder / name / "main.go").write_text(text, encoding="utf-8")
