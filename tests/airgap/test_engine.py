"""The engine: the machine's own when it answers, a private dockerd with its own everything otherwise."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from harness.airgap import engine as module
from harness.airgap.engine import Docker, PrivateEngine, end_orphans, system_engine
from harness.airgap.layout import Layout
from harness.airgap.machine import Machine
from harness.kit.errors import HarnessError
from harness.kit.process import ProcessError
from harness.kit.stages import Stages

DEAD_PID = 2**22 + 1  # above the kernel's largest pid


@pytest.fixture
def private(
    layout: Layout, machine: Machine, fake: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> PrivateEngine:
    monkeypatch.setattr(module, "_exec_root", lambda _state: tmp_path / "run")
    return PrivateEngine(layout, machine, fake)


def write_pid(layout: Layout, pid: int) -> Path:
    path = layout.state / "engine" / "dockerd.pid"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(str(pid), encoding="ascii")
    return path


def test_an_engine_that_answers_is_taken(fake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's engine is used as the user's environment names it."""
    monkeypatch.setattr(shutil, "which", lambda _name: "/usr/bin/docker")
    fake.on("docker", "version", gives="28.0.1\n")
    found = system_engine(fake)
    assert isinstance(found, Docker)
    assert found.host is None


def test_a_silent_engine_tells_why(fake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason is docker's own last line."""
    monkeypatch.setattr(shutil, "which", lambda _name: "/usr/bin/docker")
    fake.on("docker", "version", gives=1)
    assert system_engine(fake) == "refused"


def test_an_engine_that_hangs_is_not_waited_for(fake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A question without an answer in time is a reason like any other."""
    monkeypatch.setattr(shutil, "which", lambda _name: "/usr/bin/docker")
    fake.on("docker", "version", gives=ProcessError("docker version to end within 5 s", seen="no output"))
    assert system_engine(fake) == "no output"


def test_no_docker_command_is_a_reason(fake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the command nothing is run."""
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    assert system_engine(fake) == "no docker command on PATH"
    assert fake.commands == []


def test_the_private_engine_shares_nothing(private: PrivateEngine, layout: Layout, tmp_path: Path) -> None:
    """Data root, exec root, socket, pid file and configuration file are its own, and it makes no docker0 bridge."""
    command = private.command()
    options = dict(zip(command[1::2], command[2::2], strict=False))
    assert options["--data-root"] == str(layout.cache / "engine")
    assert options["--exec-root"] == str(tmp_path / "run")
    assert options["--host"] == f"unix://{tmp_path}/run/docker.sock" == private.docker.host
    assert options["--pidfile"].startswith(str(tmp_path / "run"))
    assert options["--config-file"].startswith(str(tmp_path / "run"))
    assert options["--bridge"] == "none"


def test_the_wrapper_is_used_only_where_the_capability_is_missing(private: PrivateEngine, machine: Machine) -> None:
    """A full root gets plain runc; a root without CAP_SYS_RESOURCE gets the mending runtime as the default."""
    assert "--default-runtime" not in private.command()
    (machine.root / "proc/self/status").write_text("CapBnd:\t000001fffeffffff\n", encoding="utf-8")
    command = private.command()
    assert command[command.index("--default-runtime") + 1] == "mended"
    assert command[command.index("--add-runtime") + 1].startswith("mended=")


@pytest.mark.parametrize("content", ["", "text", str(DEAD_PID)])
def test_a_stale_pid_file_is_no_engine(private: PrivateEngine, layout: Layout, content: str) -> None:
    """An empty, broken or outdated pid file never counts as a running engine."""
    write_pid(layout, 1).write_text(content, encoding="ascii")
    assert private.pid() is None
    assert not private.answers()


def test_a_pid_that_now_belongs_to_another_program_is_no_engine(private: PrivateEngine, layout: Layout) -> None:
    """After a reboot the number may be anybody's: only a process with our data root on its command line is ours."""
    write_pid(layout, os.getpid())
    assert private.pid() is None


def test_down_stops_nothing_that_is_not_ours(private: PrivateEngine, layout: Layout, fake: Any) -> None:
    """With a foreign pid in the file, down ends no process and clears the file."""
    path = write_pid(layout, os.getpid())
    assert private.down() == []
    assert not path.exists()
    assert fake.commands == []


def test_what_a_killed_machine_left_is_cleared(private: PrivateEngine, layout: Layout, tmp_path: Path) -> None:
    """Pid files and sockets of the last life are gone before the next start; data stays."""
    write_pid(layout, DEAD_PID)
    (tmp_path / "run/containerd").mkdir(parents=True)
    (tmp_path / "run/containerd/containerd.pid").write_text(str(DEAD_PID), encoding="ascii")
    (tmp_path / "run/docker.sock").touch()
    (layout.cache / "engine").mkdir(parents=True)
    private.down()
    assert not (tmp_path / "run").exists()
    assert (layout.cache / "engine").exists()


def test_a_running_engine_is_not_started_again(
    private: PrivateEngine, fake: Any, stages: Stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It asks once and starts nothing when it answers."""
    monkeypatch.setattr(PrivateEngine, "pid", lambda _self: os.getpid())
    fake.on(private.docker.program, "version", gives="20.10\n")
    assert private.up(stages).private
    assert all(command[1] == "version" for command in fake.commands)


def test_an_engine_that_dies_at_once_shows_its_log(
    private: PrivateEngine, stages: Stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error holds the end of the log and its path, not a mere time-out."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(Machine, "require_packages", lambda *_args, **_kw: None)
    monkeypatch.setattr(private, "command", lambda: ["sh", "-c", "echo failed to mount overlay; exit 1"])
    private.docker.run.on(private.docker.program, "version", gives=1)  # type: ignore[attr-defined]
    with pytest.raises(HarnessError, match="failed to mount overlay") as caught:
        private.up(stages)
    assert caught.value.where == str(private.log)
    assert private.pid() is None


def test_data_of_a_running_engine_is_not_removed(private: PrivateEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says which command comes first."""
    monkeypatch.setattr(PrivateEngine, "pid", lambda _self: 4711)
    with pytest.raises(HarnessError) as caught:
        private.remove_data()
    assert caught.value.run == "harness airgap down"


def test_children_are_bound_to_the_private_engine(private: PrivateEngine, fake: Any) -> None:
    """Every docker command carries the private address, whatever the user's environment says."""
    private.docker("ps")
    assert fake.envs[-1]["DOCKER_HOST"] == private.docker.host


def test_the_engine_does_not_inherit_one_runs_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine outlives the run: variables of docker, of the harness and of pytest stay behind."""
    monkeypatch.setenv("DOCKER_HOST", "tcp://elsewhere")
    monkeypatch.setenv("HARNESS_CACHE", "/x")
    monkeypatch.setenv("PATH", "/usr/bin")
    env = module._daemon_env()
    assert not {"DOCKER_HOST", "HARNESS_CACHE"} & set(env)
    assert env["PATH"].split(":") == ["/usr/bin", "/usr/sbin", "/sbin"]


def test_the_socket_path_fits_the_kernels_limit() -> None:
    """However deep the state folder lies, the socket's path stays below 108 bytes."""
    path = module._exec_root(Path("/" + "deep/" * 60)) / "containerd" / "containerd-debug.sock"
    assert len(str(path)) < 100
    assert module._exec_root(Path("/a")) != module._exec_root(Path("/b"))


def test_image_questions(fake: Any) -> None:
    """Presence is an exit code, size a number."""
    docker = Docker(run=fake)
    fake.on("docker", "image", "inspect", gives=1)
    assert not docker.has_image("a:1")
    fake.on("docker", "image", "inspect", gives="667000000\n")
    assert docker.has_image("a:1")
    assert docker.image_size("a:1") == 667000000


def fake_process(proc: Path, pid: int, *words: str, children: str = "") -> None:
    (proc / f"{pid}/task/{pid}").mkdir(parents=True)
    (proc / f"{pid}/cmdline").write_text("\0".join(words), encoding="utf-8")
    (proc / f"{pid}/task/{pid}/children").write_text(children, encoding="ascii")


def test_what_outlived_a_killed_engine_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers, shims and containerd that name our folder are ended, containers first; nobody else is touched."""
    ours, proc = tmp_path / "ours", tmp_path / "proc"
    fake_process(proc, DEAD_PID, "/usr/bin/containerd", "--config", f"{ours}/containerd/containerd.toml")
    fake_process(
        proc,
        DEAD_PID + 1,
        "/usr/bin/containerd-shim-runc-v2",
        "-address",
        f"{ours}/c.sock",
        children=f"{DEAD_PID + 2} ",
    )
    fake_process(proc, DEAD_PID + 2, "/sbin/init")
    fake_process(proc, DEAD_PID + 3, "/usr/bin/containerd", "--config", f"{tmp_path}/other/containerd.toml")
    fake_process(proc, DEAD_PID + 4, "tail", "-f", f"{ours}/log")
    fake_process(proc, DEAD_PID + 5, "")
    killed: list[int] = []
    monkeypatch.setattr(os, "kill", lambda pid, _signal: killed.append(pid))
    assert sorted(end_orphans(ours, proc)) == [DEAD_PID, DEAD_PID + 1, DEAD_PID + 2]
    assert killed[0] == DEAD_PID + 2
    assert sorted(killed) == [DEAD_PID, DEAD_PID + 1, DEAD_PID + 2]


def test_after_a_clean_stop_there_are_no_orphans(tmp_path: Path) -> None:
    """On this machine nobody names a folder that was just made."""
    assert end_orphans(tmp_path) == []
