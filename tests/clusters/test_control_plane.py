"""An API server without nodes: which programs it takes, what it says when they fail, and that it leaves nothing."""

from __future__ import annotations

import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness import airgap
from harness.clusters.control_plane import Binaries, ControlPlane, find_binaries
from harness.kit.errors import DeadlineError, HarnessError, UsageError
from harness.kit.process import alive
from harness.kit.waiting import Pending, until
from harness.kube import Kube


def program(path: Path, script: str = "exit 0") -> Path:
    """Write a shell program."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def binaries(folder: Path, etcd: str = "exec sleep 60", apiserver: str = "exec sleep 60") -> Binaries:
    """Return fake programs."""
    return Binaries(etcd=program(folder / "etcd", etcd), apiserver=program(folder / "kube-apiserver", apiserver))


def test_the_programs_come_from_the_environment_before_the_build(tmp_path: Path) -> None:
    """A folder that the user named counts; else what was built."""
    named, built = tmp_path / "named", tmp_path / "built"
    binaries(named)
    binaries(built)
    found = find_binaries({"KUBEBUILDER_ASSETS": str(named)}, build=lambda: built)
    assert found.apiserver == named / "kube-apiserver"
    assert find_binaries({}, build=lambda: built).etcd == built / "etcd"


def test_without_a_named_folder_the_air_gap_builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The air gap's own function gives the folder."""
    binaries(tmp_path)
    monkeypatch.setattr(airgap, "control_plane_binaries", lambda: tmp_path)
    assert find_binaries({}).etcd == tmp_path / "etcd"


def test_missing_programs_are_named_with_the_command_that_makes_them(tmp_path: Path) -> None:
    """A folder that lacks one of them or does not exist is an error, never a skip."""
    program(tmp_path / "etcd")
    with pytest.raises(UsageError) as caught:
        find_binaries({"KUBEBUILDER_ASSETS": str(tmp_path)})
    assert caught.value.seen == "no kube-apiserver"
    assert "harness airgap build --control-plane" in caught.value.run
    with pytest.raises(UsageError) as caught:
        find_binaries({"KUBEBUILDER_ASSETS": str(tmp_path / "nowhere")})
    assert caught.value.seen == "no etcd and no kube-apiserver"


def test_a_program_that_ends_is_reported_with_what_it_printed(tmp_path: Path) -> None:
    """The error has the tail of the log, and the other program is stopped."""
    control_plane = ControlPlane(binaries(tmp_path / "bin", apiserver="echo no such flag; exit 1"), tmp_path / "run")
    with pytest.raises(HarnessError) as caught:
        control_plane.start()
    assert "no such flag" in caught.value.seen
    assert caught.value.where == str(tmp_path / "run" / "kube-apiserver.log")
    assert control_plane._children == []


def test_a_server_that_does_not_get_ready_is_given_up(tmp_path: Path) -> None:
    """At the deadline the error says what was missing; both programs are gone."""
    control_plane = ControlPlane(binaries(tmp_path / "bin"), tmp_path / "run")
    begun = time.monotonic()
    with pytest.raises(DeadlineError) as caught:
        control_plane.start(0.3)
    assert "has not made its certificate yet" in caught.value.seen
    assert time.monotonic() - begun < 5


@pytest.mark.contract
def test_it_serves_and_leaves_nothing_behind() -> None:
    """Started, it answers through its kubeconfig, readable by us only; stopped, its processes and files are gone."""
    with ControlPlane() as control_plane:
        pids = [child.pid for child in control_plane._children]
        assert stat.S_IMODE(control_plane.kubeconfig.stat().st_mode) == 0o600
        with Kube.connect(control_plane.kubeconfig) as kube:
            assert kube.server_version().startswith("v1.")
            assert kube.find("v1", "Namespace", "default")
    assert not any(alive(pid) for pid in pids)
    assert not control_plane.folder.exists()


@pytest.mark.contract
def test_it_ends_with_a_process_that_is_killed(tmp_path: Path) -> None:
    """A run that is killed without a chance to clean up leaves no server behind."""
    code = (
        "import pathlib, signal, sys; from harness.clusters.control_plane import ControlPlane;"
        "plane = ControlPlane(folder=pathlib.Path(sys.argv[1])).start();"
        "print(*(child.pid for child in plane._children), flush=True); signal.pause()"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pids = [int(word) for word in process.stdout.readline().split()]
        process.kill()
    assert len(pids) == 2
    until(lambda: Pending("alive") if any(map(alive, pids)) else True, timeout=10, wanted="both gone")
