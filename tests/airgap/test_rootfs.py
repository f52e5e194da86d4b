"""Debian trees: what is run, in which order, what is kept, what a killed build leaves."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.airgap.layout import Layout
from harness.airgap.machine import Machine
from harness.airgap.rootfs import Debian, Tree
from harness.kit.errors import UsageError
from harness.kit.process import ProcessError
from harness.kit.stages import Stages

DEAD_PID = 2**22 + 1  # above the kernel's largest pid
TREE = Tree(name="db", packages=("db-server", "socat"), users=(("db", 999),), trim=("usr/bin/perl*",))


@pytest.fixture
def debian(layout: Layout, machine: Machine, fake: Any, stages: Stages, monkeypatch: pytest.MonkeyPatch) -> Debian:
    """A maker of trees whose debootstrap and tar write files at once, as root."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(Machine, "require_packages", lambda *_args, **_options: None)
    fake.on("debootstrap", gives=lambda command: fill(Path(command[3])))
    fake.on("tar", "--extract", gives=lambda command: fill(Path(command[-1])))
    fake.on("tar", "--create", gives=lambda command: write(Path(command[3])))
    return Debian(layout, machine, fake, stages)


def fill(root: Path) -> str:
    for folder in ("etc/apt/apt.conf.d", "etc/dpkg/dpkg.cfg.d", "usr/sbin", "usr/bin", "usr/share/doc/x", "var/log"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "usr/bin/perl5").touch()
    (root / "usr/bin/sh").touch()
    return ""


def write(path: Path) -> str:
    path.write_bytes(b"tar")
    return ""


def steps(fake: Any) -> list[str]:
    """Return the recorded programs; chroot by what runs in it."""
    return [command[2] if command[0] == "chroot" else " ".join(command[:2]) for command in fake.commands]


def test_a_tree_is_the_base_with_accounts_and_packages(debian: Debian, fake: Any, layout: Layout) -> None:
    """Debootstrap once, then accounts before packages, then the tar file under its key."""
    layer = debian.layer(TREE)
    assert layer.path == layout.trees / f"db-{TREE.key()}.tar"
    assert [step for step in steps(fake) if not step.startswith("apt-get indextargets")] == [
        "debootstrap --variant=minbase",
        "tar --create",
        "tar --extract",
        "groupadd",
        "useradd",
        "apt-get",
        "apt-get",
        "tar --create",
    ]
    assert fake.commands[-2][-2:] == ["db-server", "socat"]


def test_a_tree_is_made_once_and_the_base_shared(debian: Debian, fake: Any) -> None:
    """The same tree runs nothing, another tree starts from the same base."""
    first = debian.layer(TREE)
    count = len(fake.commands)
    assert debian.layer(TREE) == first
    assert len(fake.commands) == count
    debian.layer(Tree(name="other", packages=("x",)))
    assert len(fake.starting("debootstrap")) == 1


def test_what_nobody_reads_is_taken_out_before_packing(debian: Debian, fake: Any) -> None:
    """Documentation, the recipe's own patterns and our traces are gone when tar runs; the rest is there."""
    seen: dict[str, bool] = {}

    def look(command: list[str]) -> str:
        root = Path(command[command.index("--directory") + 1])
        names = (
            "usr/share/doc/x",
            "usr/bin/perl5",
            "usr/sbin/policy-rc.d",
            "etc/dpkg/dpkg.cfg.d/harness",
            "usr/bin/sh",
        )
        seen.update({name: (root / name).exists() for name in names})
        return write(Path(command[3]))

    debian.layer(Tree(name="first", packages=()))  # makes the base
    fake.on("tar", "--create", gives=look)
    debian.layer(TREE)
    assert [name for name, there in seen.items() if there] == ["usr/bin/sh"]


def test_no_package_may_start_a_service(debian: Debian, fake: Any) -> None:
    """While packages are installed, policy-rc.d refuses; the machine's name servers are lent."""
    during: dict[str, str] = {}

    def look(command: list[str]) -> str:
        root = Path(command[1])
        during["policy"] = (root / "usr/sbin/policy-rc.d").read_text(encoding="ascii")
        during["resolver"] = (root / "etc/resolv.conf").read_text(encoding="utf-8")
        return ""

    fake.on("chroot", gives=look)
    debian.layer(TREE)
    assert during["policy"].endswith("exit 101\n")
    assert during["resolver"] == Path("/etc/resolv.conf").read_text(encoding="utf-8")


def test_the_finishing_touch_sees_the_installed_tree(debian: Debian, fake: Any) -> None:
    """It is called after the packages and before anything is taken out."""
    seen: list[bool] = []
    finish: Callable[[Path], None] = lambda root: seen.append((root / "usr/bin/perl5").exists())  # noqa: E731
    debian.layer(TREE, finish)
    assert seen == [True]


def test_a_failed_installation_leaves_nothing(debian: Debian, fake: Any, layout: Layout) -> None:
    """No tree under the final name, no work folder; the next attempt starts from the base."""
    fake.on("chroot", gives=ProcessError("apt-get to end well", seen="E: Unable to locate package db-server"))
    with pytest.raises(ProcessError, match="Unable to locate"):
        debian.layer(TREE)
    assert not debian.path(TREE).exists()
    assert list(layout.work.iterdir()) == []
    fake.on("chroot", gives="")
    assert debian.layer(TREE).path.exists()
    assert len(fake.starting("debootstrap")) == 1


def test_work_of_dead_builds_is_removed_and_of_living_ones_kept(debian: Debian, layout: Layout) -> None:
    """A folder with the id of a process that is gone is rubbish; one of a running process is somebody's work."""
    dead, living = layout.work / f"db-{DEAD_PID}", layout.work / f"db-{os.getppid()}"
    dead.mkdir(parents=True)
    living.mkdir()
    debian.layer(TREE)
    assert (dead.exists(), living.exists()) == (False, True)


def test_without_root_nothing_is_tried(debian: Debian, fake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chroot and device nodes need root: that is said before debootstrap runs."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(UsageError, match="making Debian trees"):
        debian.layer(TREE)
    assert fake.starting("debootstrap") == []


def test_the_machines_mirror_is_used(debian: Debian, fake: Any) -> None:
    """Debootstrap and apt in the tree take packages from where the machine does."""
    lines: list[str] = []
    fake.on("apt-get", "indextargets", gives="http://mirror.example/debian bookworm main\n")

    def look(command: list[str]) -> str:
        lines.append((Path(command[1]) / "etc/apt/sources.list").read_text(encoding="ascii"))
        return ""

    fake.on("chroot", gives=look)
    debian.layer(TREE)
    assert fake.starting("debootstrap")[0][-1] == "http://mirror.example/debian"
    assert set(lines) == {"deb http://mirror.example/debian bookworm main\n"}


@pytest.mark.parametrize("field", ["packages", "users", "trim", "extra"])
def test_the_key_follows_every_field(field: str) -> None:
    """Two trees that differ in anything that matters are two trees."""
    changed = {"packages": ("x",), "users": (("a", 1),), "trim": ("y",), "extra": "z"}[field]
    given: Any = {field: changed}
    fields: Any = {"packages": TREE.packages, "users": TREE.users, "trim": TREE.trim, **given}
    assert Tree(name="db", **fields).key() != TREE.key()
    assert Tree(name="other", packages=TREE.packages, users=TREE.users, trim=TREE.trim).key() == TREE.key()
