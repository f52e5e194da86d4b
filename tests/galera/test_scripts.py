"""The operator's shell scripts, run by bash with stand-ins for the programs that they ask: every decision they make."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from suites.galera.package_checks import View, load_view

PACKAGE = Path(__file__).parents[2] / "suites" / "galera" / "operator"
MINE = "eff94218-e607-11f1-962c-a640ea89f844"
OTHER = "0a1b2c3d-e607-11f1-962c-a640ea89f844"
NOBODY = "00000000-0000-0000-0000-000000000000"


class Pod:
    """A folder that stands for a pod's file system, with programs that say what they are told to say."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.programs = root / "bin"
        self.data = root / "var-lib-mysql"
        for folder in (self.programs, self.data, root / "tmp"):
            folder.mkdir()
        (root / "resolv.conf").write_text("search ns.svc.cluster.local svc.cluster.local\n")
        self.program("sleep", "exec /bin/sleep 0.01")
        self.program("getent", "exit 2")
        self.program("mariadb", "exit 1")
        self.program("mariadb-admin", "exit 1")
        self.program("docker-entrypoint.sh", 'echo "started: $*"')

    def program(self, name: str, script: str) -> None:
        path = self.programs / name
        path.write_text(f"#!/bin/bash\n{script}\n")
        path.chmod(0o755)

    def answers(self, **rows: str) -> None:
        """Let the client print rows such as SHOW STATUS gives, in no particular order."""
        lines = "\n".join(f"echo '{name}\t{value}'" for name, value in reversed(rows.items()))
        self.program("mariadb", lines or "true")

    def start(self, script: str, *arguments: str) -> subprocess.Popen[str]:
        for real, ours in (
            ("/tmp/", f"{self.root}/tmp/"),  # noqa: S108 - replaced, not used; first, since ours are there too
            ("/var/lib/mysql", self.data),
            ("/etc/resolv.conf", self.root / "resolv.conf"),
        ):
            script = script.replace(real, str(ours))
        path = self.root / "script.sh"
        path.write_text(script)
        environment = {**os.environ, "PATH": f"{self.programs}:{os.environ['PATH']}"}
        argv = ["bash", str(path), *arguments]
        return subprocess.Popen(
            argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )

    def run(self, script: str, *arguments: str) -> tuple[int, str]:
        with self.start(script, *arguments) as process:
            output, _ = process.communicate(timeout=20)
        return process.returncode, output


@pytest.fixture(scope="module")
def view() -> View:
    return load_view(PACKAGE)


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    return Pod(tmp_path)


@pytest.fixture
def bootstrap(view: View) -> str:
    return str(view.find("ConfigMap", "galera-bootstrap")["data"]["bootstrap.sh"])


NAMES_WORK = 'if [ "$2" = kubernetes.default.svc ]; then echo 10.96.0.1; exit 0; fi'
ONE_NODE = f'{NAMES_WORK}\n[ "$2" = galera-hs.ns.svc.cluster.local. ] && echo "10.0.0.5 STREAM"'


def test_without_nodes_a_cluster_is_made(pod: Pod, bootstrap: str) -> None:
    """No node of the instance has a name: the server starts, with the arguments that the pod gave."""
    pod.program("getent", f"{NAMES_WORK}\nexit 2")
    code, output = pod.run(bootstrap, "--wsrep-node-name=b")
    assert code == 0
    assert output == "bootstrap: making a new cluster\nstarted: mariadbd --wsrep-node-name=b\n"


def until(process: subprocess.Popen[str], text: str) -> str:
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        if text in line:
            return seen
    pytest.fail(f"{text!r} was expected, and the script ended with: {seen}")


def stopped(process: subprocess.Popen[str]) -> int:
    process.send_signal(signal.SIGTERM)
    code = process.wait(timeout=10)
    if process.stdout is not None:
        process.stdout.close()
    return code


def test_beside_a_living_cluster_it_stands_aside(pod: Pod, bootstrap: str) -> None:
    """A node is Primary: nothing is started, the pod counts as ready, and it goes at once when it is told to."""
    pod.program("getent", ONE_NODE)
    pod.answers(wsrep_cluster_status="Primary")
    process = pod.start(bootstrap)
    seen = until(process, "standing aside")
    assert "node 10.0.0.5 serves this cluster" in seen
    assert "started" not in seen
    deadline = time.monotonic() + 10
    while not (pod.root / "tmp" / "stand-aside").exists() and time.monotonic() < deadline:
        time.sleep(0.01)  # the file is written by the next command of the script
    assert (pod.root / "tmp" / "stand-aside").exists()
    assert stopped(process) == 0


@pytest.mark.parametrize("status", ["non-Primary", "Disconnected", ""])
def test_beside_nodes_that_do_not_serve_it_waits(pod: Pod, bootstrap: str, status: str) -> None:
    """Nodes exist but none is Primary: their volumes may hold the data, so no cluster is made."""
    pod.program("getent", ONE_NODE)
    if status:
        pod.answers(wsrep_cluster_status=status)
    process = pod.start(bootstrap)
    for _ in range(3):
        seen = until(process, "nodes exist but none is Primary: 10.0.0.5")
        assert "making a new cluster" not in seen
    assert stopped(process) == 0


def test_without_a_name_service_it_waits(pod: Pod, bootstrap: str) -> None:
    """When no name resolves at all, that the nodes' names do not resolve says nothing."""
    process = pod.start(bootstrap)
    for _ in range(3):
        seen = until(process, "waiting for the name service")
        assert "making a new cluster" not in seen
    assert stopped(process) == 0


def grastate(pod: Pod, uuid: str) -> None:
    (pod.data / "grastate.dat").write_text(f"# GALERA saved state\nversion: 2.1\nuuid:    {uuid}\nseqno:   -1\n")


def test_a_new_volume_is_prepared(pod: Pod, view: View) -> None:
    """An empty volume gets the folder that keeps the image from making a database of its own."""
    code, output = pod.run(view.scripts["init.sh"])
    assert (code, output) == (0, "init: no data yet, a donor will be asked for a copy\n")
    assert (pod.data / "mysql").is_dir()


@pytest.mark.parametrize(
    ("mine", "theirs", "text"),
    [
        (NOBODY, OTHER, "no data yet"),
        (MINE, "", f"data of cluster {MINE}"),
        (MINE, MINE, f"data of cluster {MINE}"),
        (MINE, OTHER, f"refused: this volume holds data of cluster {MINE}"),
    ],
)
def test_a_volume_is_protected(pod: Pod, view: View, mine: str, theirs: str, text: str) -> None:
    """Only a bootstrap node that has made another cluster is refused; none at all, or one's own, is right."""
    grastate(pod, mine)
    if theirs:
        pod.answers(wsrep_cluster_state_uuid=theirs)
    code, output = pod.run(view.scripts["init.sh"])
    assert text in output
    assert (code != 0) is text.startswith("refused")


Answers = dict[str, str]


def answers(status: str, state: str, ready: str) -> Answers:
    return {"wsrep_cluster_status": status, "wsrep_local_state": state, "wsrep_ready": ready}


@pytest.mark.parametrize(
    ("rows", "ready"),
    [
        (answers("Primary", "4", "ON"), True),
        (answers("Primary", "2", "ON"), True),
        (answers("Primary", "2", "OFF"), False),
        (answers("Primary", "3", "ON"), False),
        (answers("Primary", "1", "OFF"), False),
        (answers("non-Primary", "4", "ON"), False),
        (answers("Disconnected", "0", "OFF"), False),
        ({}, False),
    ],
)
def test_readiness(pod: Pod, view: View, rows: Answers, ready: bool) -> None:
    """Clients are sent to synced nodes of the primary component, and to donors that keep serving."""
    pod.answers(**rows)
    code, output = pod.run(view.scripts["node-readiness-probe.sh"])
    assert (code == 0) is ready
    assert ready or "not ready: cluster status, local state, ready" in output


def test_a_blocked_donor_is_not_ready(pod: Pod, view: View) -> None:
    """With rsync the donor stands still while it is copied from: no client is sent there."""
    from suites.galera.package_checks import rendering

    tasks = rendering(view.version, "deploy", SST_METHOD="rsync")
    script = View(version=view.version, deploy=tasks, scaled=tasks, other=tasks).scripts["node-readiness-probe.sh"]
    pod.answers(**answers("Primary", "2", "ON"))
    assert pod.run(script)[0] == 1
    pod.answers(**answers("Primary", "4", "ON"))
    assert pod.run(script)[0] == 0


@pytest.mark.parametrize(
    ("ping", "status", "alive"),
    [
        ("true", "Primary", True),
        ("true", "non-Primary", True),
        ("true", "Disconnected", False),
        ("exit 1", "Primary", False),
    ],
)
def test_liveness(pod: Pod, view: View, ping: str, status: str, alive: bool) -> None:
    """A server that answers lives, without quorum too; one that left the group for good does not."""
    pod.program("mariadb-admin", ping)
    pod.answers(wsrep_cluster_status=status)
    assert (pod.run(view.scripts["node-liveness-probe.sh"])[0] == 0) is alive


def counted(pod: Pod, script: Callable[[Path], str]) -> Path:
    """Let the client count how often it is asked."""
    path = pod.root / "asked"
    pod.program("mariadb", f"echo x >> {path}\n{script(path)}")
    return path


@pytest.mark.parametrize("state", ["4", "0", ""])
def test_a_node_that_copies_for_nobody_stops_at_once(pod: Pod, view: View, state: str) -> None:
    """Before it stops, a node that is no donor, or does not answer, is asked once."""
    path = counted(pod, lambda _: f"echo 'wsrep_local_state\t{state}'" if state else "exit 1")
    assert pod.run(view.scripts["wait-for-sync.sh"])[0] == 0
    assert len(path.read_text().split()) == 1


def test_a_donor_finishes_its_copy_first(pod: Pod, view: View) -> None:
    """A donor is asked again until it is synced."""
    path = counted(pod, lambda path: f"[ $(wc -l < {path}) -lt 5 ] && echo 's\t2' || echo 's\t4'")
    assert pod.run(view.scripts["wait-for-sync.sh"])[0] == 0
    assert len(path.read_text().split()) == 5


def test_a_donor_does_not_wait_for_ever(pod: Pod, view: View) -> None:
    """After sixty tries it stops all the same: the grace period is longer than that."""
    path = counted(pod, lambda _: "echo 's\t2'")
    assert pod.run(view.scripts["wait-for-sync.sh"])[0] == 0
    assert len(path.read_text().split()) == 60
