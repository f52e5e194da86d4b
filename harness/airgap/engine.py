"""A container engine: the machine's own when one answers, a private dockerd otherwise.

The private one has its own data root (cache), socket, pid file and log (state), so that it never collides with another
engine, and it outlives the run that started it until `harness airgap down`. Imported by the rest of harness.airgap.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from harness.airgap.layout import Layout, whole_file
from harness.airgap.machine import Machine, unmount_below
from harness.kit.errors import HarnessError
from harness.kit.paths import file_lock
from harness.kit.process import Child, Completed, ProcessError, Runner, alive, stop_pid
from harness.kit.stages import Stages
from harness.kit.waiting import Pending, until

__all__ = ["Docker", "Engine", "PrivateEngine", "system_engine"]

_START = 30.0  # seconds; 3 s is usual, a data root that was left dirty takes longer
_STOP = 40.0
_ASK = 5.0  # seconds for an engine to answer a question
_SOCKET_LIMIT = 100  # bytes; the kernel refuses unix socket paths above 107
_PACKAGES = ("docker.io", "containerd", "runc", "iptables")


@dataclass(frozen=True, slots=True, kw_only=True)
class Docker:
    """The docker command bound to one engine.

    Args:
        program: path or name of the docker command.
        host: value of DOCKER_HOST; the machine's default when None.
        run: how programs are run.
    """

    program: str = "docker"
    host: str | None = None
    run: Runner

    @property
    def env(self) -> dict[str, str]:
        """The environment that binds child processes to this engine."""
        return os.environ | ({"DOCKER_HOST": self.host} if self.host else {})

    def __call__(self, *arguments: str | Path, timeout: float = 60.0, check: bool = True) -> Completed:
        """Run one docker command.

        Raises:
            ProcessError: it failed or did not end in time.
        """
        return self.run([self.program, *arguments], timeout=timeout, env=self.env, check=check)

    def feed(self, *arguments: str | Path, stdin: str, timeout: float = 60.0) -> Completed:
        """Run one docker command with a text as its standard input."""
        return self.run([self.program, *arguments], timeout=timeout, env=self.env, stdin=stdin)

    def why_silent(self) -> str:
        """Return why the engine does not answer; empty when it does."""
        try:
            done = self("version", "--format", "{{.Server.Version}}", timeout=_ASK, check=False)
        except ProcessError as error:
            return error.seen.splitlines()[-1] if error.seen else error.wanted
        if done.returncode == 0 and done.stdout.strip():
            return ""
        return (done.stderr.strip().splitlines() or ["no answer"])[-1]

    def has_image(self, reference: str) -> bool:
        """Tell whether the engine holds an image."""
        return self("image", "inspect", "--format", "{{.Id}}", reference, timeout=_ASK * 2, check=False).returncode == 0

    def image_size(self, reference: str) -> int:
        """Return the size of an image in bytes, as the engine counts it."""
        return int(self("image", "inspect", "--format", "{{.Size}}", reference).stdout)


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """An engine that answers: the docker command for it, and whether it is ours."""

    docker: Docker
    private: bool


def system_engine(run: Runner) -> Docker | str:
    """Return the engine that the user's own environment names, or why there is none."""
    if shutil.which("docker") is None:
        return "no docker command on PATH"
    docker = Docker(run=run)
    return docker.why_silent() or docker


class PrivateEngine:
    """The dockerd that the harness starts, and stops by its pid only."""

    def __init__(self, layout: Layout, machine: Machine, run: Runner) -> None:
        self._layout = layout
        self._machine = machine
        self._run = run
        folder = layout.state / "engine"
        self._pid_file = folder / "dockerd.pid"
        self.log = folder / "dockerd.log"
        self.data = layout.cache / "engine"
        self._runtime = folder / "oci-runtime"
        self._exec = _exec_root(layout.state)
        self.docker = Docker(
            program="/usr/bin/docker" if Path("/usr/bin/docker").exists() else "docker",
            host=f"unix://{self._exec / 'docker.sock'}",
            run=run,
        )

    def pid(self) -> int | None:
        """Return the pid of our running dockerd; None when it does not run, whatever the pid file says."""
        try:
            pid = int(self._pid_file.read_text(encoding="ascii"))
            words = Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").split("\0")
        except (OSError, ValueError):
            return None
        return pid if alive(pid) and str(self.data) in words else None

    def answers(self) -> bool:
        """Tell whether our engine runs and answers."""
        return self.pid() is not None and not self.docker.why_silent()

    def up(self, stages: Stages) -> Engine:
        """Return the running private engine; start it when it does not run.

        Raises:
            HarnessError: it cannot run here, or did not answer in time; with the end of its log.
        """
        with file_lock(self._layout.locks / "engine", timeout=_START + _STOP, wanted="the private engine"):
            if not self.answers():
                self._machine.require_root("a private container engine")
                self._machine.require_packages(
                    _PACKAGES, programs=("dockerd", "containerd", "runc", "iptables"), stages=stages
                )
                with stages.stage("engine starting", "engine ready (private)"):
                    self._start()
        return Engine(docker=self.docker, private=True)

    def down(self) -> list[str]:
        """Stop the private engine with all its containers; return what was stopped, one line each."""
        with file_lock(self._layout.locks / "engine", timeout=_START + _STOP, wanted="the private engine"):
            pid = self.pid()
            stopped = []
            if pid is not None:
                stopped = [f"container {name}" for name in self.containers()]
                self._remove_containers()
                stop_pid(pid, timeout=_STOP, wanted=f"the private engine (process {pid}) to end")
                stopped.append(f"engine (process {pid})")
            self._clear_leftovers()
        return stopped

    def remove_data(self) -> None:
        """Remove the images and containers of the stopped engine.

        Raises:
            HarnessError: it still runs.
        """
        if self.pid() is not None:
            raise HarnessError("the private engine stopped", seen="it runs", run="harness airgap down")
        unmount_below(self.data, self._run)
        shutil.rmtree(self.data, ignore_errors=True)

    def command(self) -> list[str]:
        """Return the command line of our dockerd."""
        argv = [
            "dockerd", "--data-root", str(self.data), "--exec-root", str(self._exec),
            "--pidfile", str(self._exec / "docker.pid"), "--host", f"unix://{self._exec / 'docker.sock'}",
            "--config-file", str(self._exec / "none.json"), "--bridge", "none", "--storage-driver", "overlay2",
            "--log-level", "warn", "--shutdown-timeout", "10",
        ]  # fmt: skip
        if not self._machine.has_sys_resource():
            argv += ["--add-runtime", f"mended={self._runtime}", "--default-runtime", "mended"]
        return argv

    def _start(self) -> None:
        if (hung := self.pid()) is not None:
            stop_pid(hung, timeout=_STOP, wanted=f"the private engine (process {hung}), which does not answer, to end")
        self._clear_leftovers()
        self.data.mkdir(parents=True, exist_ok=True)
        self._exec.mkdir(parents=True, exist_ok=True)
        (self._exec / "none.json").write_text("{}", encoding="ascii")  # else the machine's own daemon.json is read
        if not self._machine.has_sys_resource():
            install_runtime(self._runtime, sys.executable, shutil.which("runc") or "/usr/sbin/runc")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.log.write_bytes(b"")
        child = Child.start(self.command(), log=self.log, pid_file=self._pid_file, env=_daemon_env())
        try:
            until(lambda: self._ready(child), timeout=_START, wanted="an answer from the private engine")
        except BaseException:
            child.stop()
            raise
        child.detach()  # ended by its pid, maybe by another run

    def _ready(self, child: Child) -> bool | Pending:
        if not child.running():
            raise HarnessError("the private engine to start", seen=child.output(), where=str(self.log))
        why = self.docker.why_silent()
        return Pending(f"{why}\n{child.output(3)}") if why else True

    def _clear_leftovers(self) -> None:
        """Remove pid files, sockets and mounts of an engine that was killed or lost its machine."""
        self._pid_file.unlink(missing_ok=True)
        end_orphans(self._exec)
        unmount_below(self._exec, self._run)
        shutil.rmtree(self._exec, ignore_errors=True)

    def containers(self) -> list[str]:
        """Return the names of all containers in the engine, stopped ones too."""
        done = self.docker("ps", "--all", "--format", "{{.Names}}", timeout=_ASK * 2, check=False)
        return done.stdout.split()

    def _remove_containers(self) -> None:
        if names := self.containers():
            self.docker("rm", "--force", "--volumes", *names, timeout=_STOP, check=False)


def install_runtime(path: Path, python: str, runc: str) -> None:
    """Write the capability-dropping OCI runtime as a program.

    Args:
        path: where to.
        python: the interpreter that shall run it.
        runc: the runtime that it becomes.
    """
    source = resources.files("harness.airgap").joinpath("oci_runtime.py").read_text(encoding="utf-8")
    text = f"#!{python} -IS\n" + source.replace('RUNC = "/usr/sbin/runc"', f"RUNC = {json.dumps(runc)}")
    with whole_file(path) as new:
        new.write_text(text, encoding="utf-8")
        new.chmod(0o755)


def end_orphans(folder: Path, proc: Path = Path("/proc")) -> list[int]:
    """End what outlived an engine that was killed: its containers, their shims, its containerd.

    Args:
        folder: the engine's folder of sockets; only processes that name it on their command line are touched, and
            the containers below them.
        proc: where processes are listed.

    Returns:
        The ids of the processes that were ended, containers first.
    """
    ours = [pid for pid in _pids(proc) if _names(proc / str(pid), folder)]
    ended = [*(child for pid in ours for child in _children(proc / str(pid)) if child not in ours), *ours]
    for pid in ended:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)  # nobody is left who could end them gently
    until(
        lambda: Pending("they still run") if any(alive(pid) for pid in ended) else True,
        timeout=_STOP,
        wanted="the processes of a killed engine to end",
    )
    return ended


def _pids(proc: Path) -> list[int]:
    return [int(entry.name) for entry in proc.iterdir() if entry.name.isdigit() and int(entry.name) != os.getpid()]


def _names(process: Path, folder: Path) -> bool:
    """Tell whether a process is an engine's and has a path below a folder on its command line."""
    try:
        words = (process / "cmdline").read_text(encoding="utf-8").split("\0")
    except (OSError, UnicodeDecodeError):
        return False
    program = Path(words[0]).name
    return program.startswith("containerd") and any(word.startswith(f"{folder}/") for word in words)


def _children(process: Path) -> list[int]:
    """Return the child processes of all threads of a process."""
    found = []
    for path in process.glob("task/*/children"):
        with suppress(OSError):
            found += [int(word) for word in path.read_text(encoding="ascii").split()]
    return found


def _exec_root(state: Path) -> Path:
    """Return the folder of sockets: short enough for the kernel, and gone after a reboot like what it holds."""
    sign = hashlib.sha256(str(state).encode()).hexdigest()[:8]
    return Path("/run") / f"operator-harness-{sign}"


def _daemon_env() -> Mapping[str, str]:
    """Return the engine's environment: it shall not inherit the variables of one run."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("DOCKER_", "HARNESS_", "PYTEST_"))
    }
    return kept | {"PATH": _with_sbin(os.environ.get("PATH", ""))}


def _with_sbin(path: str) -> str:
    have = path.split(":")
    return ":".join([*have, *(folder for folder in ("/usr/sbin", "/sbin") if folder not in have)])
