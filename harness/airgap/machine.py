"""What this machine is and has: root, Debian, packages, Go, disk space, capabilities.

Each lack is one error that says what is missing and what to install. Imported by the rest of harness.airgap.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.airgap.layout import Layout
from harness.kit.errors import HarnessError, UsageError
from harness.kit.paths import file_lock
from harness.kit.process import Runner
from harness.kit.stages import Stages

__all__ = ["Machine", "find_tool", "unmount_below", "version_tuple"]

_SYS_RESOURCE = 24  # bit of CAP_SYS_RESOURCE in CapBnd
_APT = 300.0  # seconds for one apt-get
_GIB = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Questions about the machine, and the installation of Debian packages.

    Args:
        layout: where the lock for apt lies.
        run: how programs are run.
        root: where the machine's files are; tests give another folder.
    """

    layout: Layout
    run: Runner
    root: Path = field(default=Path("/"))

    def require_root(self, purpose: str) -> None:
        """Raise UsageError unless we are root."""
        if os.geteuid() != 0:
            raise UsageError(
                f"root, for {purpose}",
                seen=f"user id {os.geteuid()}",
                run="sudo -E harness airgap up, or start a Docker engine that this user may use",
            )

    def require_architecture(self) -> None:
        """Raise UsageError on other processors than x86-64: the images made here are for those."""
        if (seen := platform.machine()) not in ("x86_64", "AMD64"):
            raise UsageError(
                "an x86-64 machine, to build a node image",
                seen=seen,
                run="use a machine with Docker and an image registry, or an existing cluster: --kubeconfig",
            )

    def require_debian(self, purpose: str) -> None:
        """Raise UsageError unless this is Debian or made from it, with apt."""
        release = self._release()
        names = {release.get("ID", ""), *release.get("ID_LIKE", "").split()}
        if "debian" not in names or shutil.which("apt-get") is None:
            raise UsageError(
                f"Debian with apt-get, for {purpose}",
                seen=release.get("PRETTY_NAME", "an unknown system"),
                run="install Docker, Go and debootstrap with this system's own package manager, then try again",
            )

    def require_packages(self, packages: Sequence[str], *, programs: Sequence[str], stages: Stages) -> None:
        """Install Debian packages when one of their programs is missing.

        Args:
            packages: the package names.
            programs: the programs that they bring.
            stages: where the installation is announced.

        Raises:
            UsageError: not root or not Debian.
            ProcessError: apt-get failed.
        """
        missing = [program for program in programs if find_tool(program) is None]
        if not missing:
            return
        purpose = f"the programs {', '.join(missing)} (packages {' '.join(packages)})"
        self.require_debian(purpose)
        self.require_root(purpose)
        with (
            file_lock(self.layout.locks / "apt", timeout=_APT * 2, wanted="apt-get"),
            stages.stage(f"packages {' '.join(packages)}: installing", f"packages {' '.join(packages)}: installed"),
        ):
            self._apt("update", "--quiet")
            self._apt("install", "--yes", "--quiet", "--no-install-recommends", *packages)

    def debian_sources(self, suite: str) -> list[tuple[str, str]]:
        """Return where this machine's own apt gets a Debian release from: pairs of address and release.

        Args:
            suite: code name such as "bookworm"; its updates and security releases are included.

        Returns:
            The main archive first; nothing on a machine of another release.
        """
        listed = self.run(
            ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"],
            timeout=30.0, check=False,
        ).stdout  # fmt: skip
        rows = [line.split() for line in listed.splitlines()]
        found = {
            (row[0], row[1])
            for row in rows
            if len(row) == 3 and row[2] == "main" and row[1].split("-")[0] == suite and row[0].startswith("http")  # noqa: PLR2004
        }
        return sorted(found, key=lambda pair: (pair[1] != suite, pair))

    def require_go(self, wanted: str) -> Path:
        """Return the go command, at least of a version such as "1.26.0".

        Raises:
            UsageError: there is none, or an older one.
        """
        install = f"install Go {wanted} or newer from https://go.dev/dl/ and put its bin folder on PATH"
        go = find_tool("go")
        if go is None:
            raise UsageError(f"Go {wanted} or newer, to build Kubernetes", seen="no go command on PATH", run=install)
        seen = self.run(
            [go, "env", "GOVERSION"], timeout=30.0, env=os.environ | {"GOTOOLCHAIN": "local"}
        ).stdout.strip()
        if version_tuple(seen) < version_tuple(wanted):
            raise UsageError(f"Go {wanted} or newer, to build Kubernetes", seen=f"{seen} at {go}", run=install)
        return go

    def require_space(self, folder: Path, wanted: int, purpose: str) -> None:
        """Raise HarnessError unless the disk of a folder has `wanted` bytes free."""
        there = next(parent for parent in [folder, *folder.parents] if parent.exists())
        free = shutil.disk_usage(there).free
        if free < wanted:
            raise HarnessError(
                f"{wanted / _GIB:.1f} GiB free for {purpose}",
                seen=f"{free / _GIB:.1f} GiB",
                where=str(folder),
                run="harness airgap clean, or set HARNESS_CACHE to a folder on a larger disk",
            )

    def has_sys_resource(self) -> bool:
        """Tell whether root's bounding set holds CAP_SYS_RESOURCE; taken as held where it cannot be read."""
        try:
            status = (self.root / "proc/self/status").read_text(encoding="utf-8")
        except OSError:
            return True
        found = re.search(r"^CapBnd:\s*([0-9a-f]+)", status, re.MULTILINE)
        return found is None or bool(int(found[1], 16) >> _SYS_RESOURCE & 1)

    def _release(self) -> dict[str, str]:
        try:
            lines = (self.root / "etc/os-release").read_text(encoding="utf-8").splitlines()
        except OSError:
            return {}
        pairs = (line.partition("=") for line in lines if "=" in line)
        return {name: text.strip('"') for name, _, text in pairs}

    def _apt(self, *arguments: str) -> None:
        env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        self.run(["apt-get", *arguments], timeout=_APT, env=env)


def find_tool(name: str) -> Path | None:
    """Return the path of a program on PATH or in the folders of root's programs; None when it is not there."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/go/bin"])
    found = shutil.which(name, path=path)
    return Path(found) if found else None


def version_tuple(text: str) -> tuple[int, ...]:
    """Return the numbers of a version such as "go1.26.8" or "v1.36.3", for comparison."""
    return tuple(int(number) for number in re.findall(r"\d+", text)[:3])


def unmount_below(folder: Path, run: Runner) -> None:
    """Unmount what a killed program left mounted at or below a folder, deepest first."""
    try:
        table = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    points = sorted((line.split()[1] for line in table), key=len, reverse=True)
    for point in points:
        if Path(point).is_relative_to(folder):
            run(["umount", "--lazy", point], timeout=10.0, check=False)
