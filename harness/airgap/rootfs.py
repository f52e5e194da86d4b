"""Debian file trees for nodes and images: debootstrap once, packages on top, what nobody reads at run time taken out.

Imported by the rest of harness.airgap. A finished tree is kept as a tar file under a key of what it was made from.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.airgap import versions
from harness.airgap.images import Layer, tree_layer
from harness.airgap.layout import Layout, content_key
from harness.airgap.machine import Machine, unmount_below
from harness.kit.paths import file_lock
from harness.kit.process import Runner, alive
from harness.kit.stages import Stages

__all__ = ["Debian", "Tree", "closure"]

_BOOTSTRAP = 900.0  # seconds; one minute is usual
_INSTALL = 900.0
_SPACE = 4 << 30  # bytes
_RECIPE = 1  # raise it when this module makes other trees from the same inputs

# Documentation, translations, package archives and lists: unread in a container.
_DPKG = """\
force-unsafe-io
path-exclude /usr/share/doc/*
path-exclude /usr/share/man/*
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/lintian/*
path-exclude /usr/share/bash-completion/*
"""
_TRIM = (
    "usr/share/doc/*", "usr/share/man/*", "usr/share/info/*", "usr/share/locale/*", "usr/share/lintian/*",
    "usr/share/bash-completion/*", "usr/lib/x86_64-linux-gnu/gconv/*", "var/cache/apt/*", "var/cache/debconf/*",
    "var/cache/ldconfig/*", "var/lib/apt/lists/*", "var/lib/dpkg/info/*", "var/lib/dpkg/*-old", "var/log/*",
    "usr/sbin/policy-rc.d", "etc/dpkg/dpkg.cfg.d/harness", "etc/apt/apt.conf.d/99harness",
    "etc/apt/apt.conf.d/*proxy*", "etc/resolv.conf", "tmp/*",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """What a Debian tree shall hold.

    Args:
        name: for messages and file names.
        packages: Debian packages on top of the minimal base.
        users: (name, uid) pairs made, with a group of the same name and id, before packages are installed.
        trim: glob patterns below the root that are removed at the end.
        extra: further content that the key depends on.
    """

    name: str
    packages: tuple[str, ...]
    users: tuple[tuple[str, int], ...] = ()
    trim: tuple[str, ...] = ()
    extra: str = ""

    def key(self) -> str:
        """Return the content key of the tree."""
        return content_key([_RECIPE, versions.SUITE, self.packages, self.users, self.trim, self.extra, _TRIM, _DPKG])


class Debian:
    """Makes Debian trees."""

    def __init__(self, layout: Layout, machine: Machine, run: Runner, stages: Stages) -> None:
        self._layout = layout
        self._machine = machine
        self._run = run
        self._stages = stages

    def path(self, tree: Tree) -> Path:
        """Return where the finished tree lies as a tar file."""
        return self._layout.trees / f"{tree.name}-{tree.key()}.tar"

    def layer(self, tree: Tree, finish: Callable[[Path], None] = lambda _root: None) -> Layer:
        """Return a tree as a layer; make it when it is not there.

        Args:
            tree: what it holds.
            finish: called with the root of the installed tree before it is trimmed and packed.

        Raises:
            UsageError: not root, or no debootstrap and no way to install it.
            ProcessError: debootstrap or apt-get failed.
        """
        path = self.path(tree)
        with file_lock(self._layout.locks / f"tree-{tree.name}", timeout=_INSTALL, wanted=f"the tree of {tree.name}"):
            if not path.exists():
                self._make(tree, path, finish)
        return Layer.of(path)

    def _make(self, tree: Tree, path: Path, finish: Callable[[Path], None]) -> None:
        base = self._base()
        done = f"image {tree.name}: {len(tree.packages)} Debian packages installed"
        with self._stages.stage(f"image {tree.name}: installing Debian packages", done), self._work(tree.name) as root:
            self._run(["tar", "--extract", "--file", base, "--directory", root], timeout=_BOOTSTRAP)
            self._install(root, tree)
            finish(root)
            remove_globs(root, [*_TRIM, *tree.trim])
            tree_layer(path, root, self._run)

    def _base(self) -> Path:
        """Return the minimal Debian tree as a tar file."""
        self._machine.require_root("making Debian trees")
        path = self._layout.trees / f"base-{content_key([_RECIPE, versions.SUITE])}.tar"
        with file_lock(self._layout.locks / "base", timeout=_BOOTSTRAP, wanted="the Debian base tree"):
            if not path.exists():
                self._machine.require_packages(["debootstrap"], programs=["debootstrap"], stages=self._stages)
                self._machine.require_space(self._layout.cache, _SPACE, "Debian trees")
                with self._stages.stage("debian base: debootstrap", "debian base ready"), self._work("base") as root:
                    argv: list[str | Path] = ["debootstrap", "--variant=minbase", versions.SUITE, root]
                    # The first source is the main archive; without one debootstrap knows where Debian is.
                    mirror = [address for address, _ in self._machine.debian_sources(versions.SUITE)[:1]]
                    self._run([*argv, *mirror], timeout=_BOOTSTRAP, env=_environment())
                    remove_globs(root, _TRIM)
                    tree_layer(path, root, self._run)
        return path

    def _install(self, root: Path, tree: Tree) -> None:
        _prepare_apt(root, self._machine.debian_sources(versions.SUITE))
        for name, number in tree.users:
            self._chroot(root, "groupadd", "--system", "--gid", str(number), name)
            self._chroot(
                root, "useradd", "--system", "--uid", str(number), "--gid", name, "--no-create-home", "--shell",
                "/usr/sbin/nologin", name,
            )  # fmt: skip
        self._chroot(root, "apt-get", "update", "--quiet=2")
        self._chroot(root, "apt-get", "install", "--yes", "--quiet=2", "--no-install-recommends", *tree.packages)

    def _chroot(self, root: Path, *argv: str) -> None:
        self._run(["chroot", root, *argv], timeout=_INSTALL, env=_environment())

    @contextmanager
    def _work(self, name: str) -> Iterator[Path]:
        """Give an empty folder that is gone afterwards, whatever happened."""
        self._remove_stale_work()
        root = self._layout.work / f"{name}-{os.getpid()}"
        root.mkdir(parents=True)
        try:
            yield root
        finally:
            self._remove(root)

    def _remove_stale_work(self) -> None:
        """Remove what killed builds left: folders that carry the id of a process that is gone."""
        for folder in self._layout.work.glob("*-*"):
            owner = folder.name.rpartition("-")[2]
            if owner.isdigit() and not alive(int(owner)):
                self._remove(folder)

    def _remove(self, folder: Path) -> None:
        unmount_below(folder, self._run)  # debootstrap mounts /proc while it works
        shutil.rmtree(folder, ignore_errors=True)


def closure(root: Path, programs: Sequence[str], run: Runner) -> dict[str, Path]:
    """Return the files that programs of a tree need to run: themselves, their links, their libraries.

    Args:
        root: the tree.
        programs: absolute names in it.
        run: how programs are run.

    Returns:
        Absolute name in an image to the file in the tree, links resolved.
    """
    found: dict[str, Path] = {}
    for program in programs:
        found[program] = resolve_in(root, program)
        listed = run(["chroot", root, "ldd", program], timeout=30.0, check=False).stdout
        names = [word for line in listed.splitlines() for word in line.split() if word.startswith("/")]
        found.update({name: resolve_in(root, name) for name in names})
    return found


def resolve_in(root: Path, name: str) -> Path:
    """Return the file behind an absolute name in a tree; absolute links start again at the tree's root."""
    path = root / name.lstrip("/")
    for _ in range(40):
        # A folder on the way may be a link too (/lib to usr/lib).
        parent = (
            path.parent if path.parent == root else resolve_in(root, "/" + path.parent.relative_to(root).as_posix())
        )
        path = parent / path.name
        if not path.is_symlink():
            return path
        target = path.readlink()
        path = root / target.relative_to("/") if target.is_absolute() else Path(os.path.normpath(parent / target))
    return path


def remove_globs(root: Path, patterns: Sequence[str]) -> None:
    """Remove what glob patterns below a root match; what is not there is no error."""
    for pattern in patterns:
        for path in root.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def _prepare_apt(root: Path, sources: Sequence[tuple[str, str]]) -> None:
    if sources:  # else what debootstrap wrote stays
        lines = [f"deb {address} {release} main\n" for address, release in sources]
        (root / "etc/apt/sources.list").write_text("".join(lines), encoding="ascii")
    (root / "etc/dpkg/dpkg.cfg.d/harness").write_text(_DPKG, encoding="ascii")
    (root / "etc/apt/apt.conf.d/99harness").write_text('Acquire::Languages "none";\n', encoding="ascii")
    for path in sorted(Path("/etc/apt/apt.conf.d").glob("*proxy*")):  # the way out is the machine's own
        shutil.copyfile(path, root / "etc/apt/apt.conf.d" / path.name)
    refuse = root / "usr/sbin/policy-rc.d"  # no package may start a service inside the tree
    refuse.write_text("#!/bin/sh\nexit 101\n", encoding="ascii")
    refuse.chmod(0o755)
    shutil.copyfile("/etc/resolv.conf", root / "etc/resolv.conf")


def _environment() -> dict[str, str]:
    path = "/usr/sbin:/usr/bin:/sbin:/bin"
    return os.environ | {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8", "PATH": path}
