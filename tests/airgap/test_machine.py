"""Prerequisites: each lack is one error that says what is missing and what to do."""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.airgap import machine as module
from harness.airgap.machine import Machine, unmount_below, version_tuple
from harness.kit.errors import HarnessError, UsageError
from harness.kit.stages import Stages


def test_without_root_the_error_names_the_purpose_and_the_way_out(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody who is not root reads what root is needed for and what to run."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(UsageError) as caught:
        machine.require_root("a private container engine")
    assert caught.value.seen == "user id 1000"
    assert "a private container engine" in caught.value.wanted
    assert "sudo" in caught.value.run


def test_as_root_nothing_is_said(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root passes."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    machine.require_root("anything")


def test_other_processors_are_refused_before_any_work(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The images are for x86-64; elsewhere the error names the processor and what works there."""
    machine_name = "aarch64"
    monkeypatch.setattr(platform, "machine", lambda: machine_name)
    with pytest.raises(UsageError, match="aarch64") as caught:
        machine.require_architecture()
    assert "--kubeconfig" in caught.value.run
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    machine.require_architecture()


@pytest.mark.parametrize("release", ["ID=fedora\nPRETTY_NAME=Fedora\n", ""])
def test_a_system_other_than_debian_is_named(machine: Machine, monkeypatch: pytest.MonkeyPatch, release: str) -> None:
    """Elsewhere the error says which system was seen and what to install."""
    monkeypatch.setattr(shutil, "which", lambda *_args, **_kw: "/usr/bin/apt-get")
    (machine.root / "etc/os-release").write_text(release, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        machine.require_debian("packages")
    assert caught.value.seen in ("Fedora", "an unknown system")
    assert "install Docker" in caught.value.run


def test_a_derivative_of_debian_will_do(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ubuntu says ID_LIKE=debian and has apt."""
    monkeypatch.setattr(shutil, "which", lambda *_args, **_kw: "/usr/bin/apt-get")
    (machine.root / "etc/os-release").write_text("ID=ubuntu\nID_LIKE=debian\n", encoding="utf-8")
    machine.require_debian("packages")


def test_present_programs_install_nothing(machine: Machine, fake: Any, stages: Stages) -> None:
    """When every program is there, apt is not even asked."""
    machine.require_packages(["coreutils"], programs=["ls"], stages=stages)
    assert fake.commands == []


def test_missing_programs_are_installed(
    machine: Machine, fake: Any, stages: Stages, monkeypatch: pytest.MonkeyPatch, told: Any
) -> None:
    """A missing program leads to one apt-get install of the packages, announced in one line."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(module, "find_tool", lambda name: None if name == "dockerd" else Path("/bin") / name)
    monkeypatch.setattr(shutil, "which", lambda *_args, **_kw: "/usr/bin/apt-get")
    machine.require_packages(["docker.io", "runc"], programs=["dockerd", "runc"], stages=stages)
    assert fake.commands[-1] == [
        "apt-get",
        "install",
        "--yes",
        "--quiet",
        "--no-install-recommends",
        "docker.io",
        "runc",
    ]
    assert told.getvalue().startswith("airgap   packages docker.io runc: installed")


def test_without_root_missing_packages_are_named(
    machine: Machine, stages: Stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the missing program and its packages."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(module, "find_tool", lambda _name: None)
    monkeypatch.setattr(shutil, "which", lambda *_args, **_kw: "/usr/bin/apt-get")
    with pytest.raises(UsageError, match=r"debootstrap \(packages debootstrap\)"):
        machine.require_packages(["debootstrap"], programs=["debootstrap"], stages=stages)


def test_no_go_says_where_to_get_it(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Go the error names the version and the address."""
    monkeypatch.setattr(module, "find_tool", lambda _name: None)
    with pytest.raises(UsageError) as caught:
        machine.require_go("1.26.0")
    assert (caught.value.wanted, caught.value.seen) == (
        "Go 1.26.0 or newer, to build Kubernetes",
        "no go command on PATH",
    )
    assert "https://go.dev/dl/" in caught.value.run


@pytest.mark.parametrize(
    ("seen", "enough"), [("go1.26.0", True), ("go1.26.8", True), ("go1.27rc1", True), ("go1.25.9", False)]
)
def test_go_must_be_as_new_as_kubernetes_wants(
    machine: Machine, fake: Any, monkeypatch: pytest.MonkeyPatch, seen: str, enough: bool
) -> None:
    """An older Go is refused with both versions, an equal or newer one is taken."""
    monkeypatch.setattr(module, "find_tool", lambda _name: Path("/opt/go"))
    fake.on("/opt/go", "env", "GOVERSION", gives=f"{seen}\n")
    if enough:
        assert machine.require_go("1.26.0") == Path("/opt/go")
    else:
        with pytest.raises(UsageError, match=seen):
            machine.require_go("1.26.0")


def test_too_small_a_disk_is_measured(machine: Machine, tmp_path: Path) -> None:
    """The error gives both figures, the folder and the two ways out."""
    with pytest.raises(HarnessError, match="GiB free for building") as caught:
        machine.require_space(tmp_path / "not" / "there", 1 << 60, "building")
    assert "HARNESS_CACHE" in caught.value.run
    machine.require_space(tmp_path, 1, "building")


@pytest.mark.parametrize(
    ("status", "held"),
    [
        ("CapBnd:\t000001fffeffffff\n", False),
        ("CapBnd:\t000001ffffffffff\n", True),
        ("Name:\tx\n", True),
    ],
)
def test_the_capability_is_read_from_the_bounding_set(machine: Machine, status: str, held: bool) -> None:
    """Bit 24 of CapBnd decides; what cannot be read counts as held."""
    (machine.root / "proc/self/status").write_text(status, encoding="utf-8")
    assert machine.has_sys_resource() is held


def test_without_proc_the_capability_counts_as_held(machine: Machine, tmp_path: Path) -> None:
    """A machine without /proc gets no wrapper."""
    assert replace(machine, root=tmp_path / "empty").has_sys_resource()


def test_trees_are_made_from_where_the_machine_itself_installs(machine: Machine, fake: Any) -> None:
    """A local mirror is honoured; other suites, components and media do not count; the main archive comes first."""
    rows = [
        "http://mirror.example/security/ bookworm-security main",
        "http://mirror.example/debian/ bookworm-updates main",
        "http://mirror.example/debian/ bookworm main",
        "http://mirror.example/debian/ bookworm contrib",
        "https://other.example/apt cloud-sdk-bookworm main",
        "cdrom://disk/ bookworm main",
        "",
    ]
    fake.on("apt-get", "indextargets", gives="\n".join(rows))
    assert machine.debian_sources("bookworm") == [
        ("http://mirror.example/debian/", "bookworm"),
        ("http://mirror.example/debian/", "bookworm-updates"),
        ("http://mirror.example/security/", "bookworm-security"),
    ]
    assert machine.debian_sources("trixie") == []


def test_only_mounts_below_the_folder_are_unmounted(fake: Any, tmp_path: Path) -> None:
    """Nothing of the machine is unmounted by mistake."""
    unmount_below(tmp_path, fake)
    assert fake.commands == []
    unmount_below(Path("/proc"), fake)
    assert ["umount", "--lazy", "/proc"] in fake.commands
    assert all(command[2].startswith("/proc") for command in fake.commands)


@pytest.mark.parametrize(("text", "numbers"), [("go1.26.8", (1, 26, 8)), ("v1.36.3", (1, 36, 3)), ("1.24", (1, 24))])
def test_versions_compare_by_number(text: str, numbers: tuple[int, ...]) -> None:
    """1.9 is older than 1.10."""
    assert version_tuple(text) == numbers
    assert version_tuple("1.9") < version_tuple("1.10")
