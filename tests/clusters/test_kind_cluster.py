"""kind clusters for real: the whole life of one, an interrupt and a kill while one is being made."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.clusters.config import ClusterOptions, new_run_id
from harness.clusters.kind import KindProvider, Parts, adopt, delete_recorded, delete_run
from harness.clusters.kind_program import KindProgram
from harness.clusters.provider import Cluster, probe
from harness.clusters.records import Record, Records
from harness.kit.process import alive
from harness.kit.process import run as execute
from harness.kit.waiting import Pending, until
from harness.kube import Kube
from harness.report.diagnostics import Story, diagnose

pytestmark = pytest.mark.cluster

MAKER = """
import sys
import time
from pathlib import Path
from harness.clusters.config import ClusterOptions
from harness.clusters.kind import KindProvider, Parts
from harness.clusters.records import Records
KindProvider(ClusterOptions(run=sys.argv[1]), Parts(records=Records(Path(sys.argv[2])))).create()
"""


@pytest.fixture
def run() -> str:
    """Return the id of a run of its own."""
    return new_run_id()


@pytest.fixture
def parts(tmp_path: Path, run: str) -> Iterator[Parts]:
    """Return the real outside world with records of its own; what is left is removed."""
    parts = Parts(records=Records(tmp_path / "state"), artifacts=tmp_path / "artifacts")
    yield parts
    for record in parts.records.all():
        delete_recorded(record.name, parts)


def program(record: Record) -> KindProgram:
    """Return the kind program that a record names."""
    return KindProgram(path=Path(record.kind), env=record.env)


def making(run: str, parts: Parts, state: Path) -> tuple[subprocess.Popen[str], Record]:
    """Start a process that makes a cluster, and return once the first node is there."""
    command = [sys.executable, "-c", MAKER, run, str(state)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)

    def begun() -> Record | Pending:
        record = parts.records.find(f"harness-{run}")
        if process.poll() is not None:
            pytest.fail(f"the maker ended: {process.communicate()[1]}")
        if record is None or not program(record).nodes(record.name):
            return Pending("no node yet")
        return record

    try:
        return process, until(begun, timeout=120, wanted="a first node", interval=0.3, longest=0.5)
    except BaseException:
        process.kill()
        raise


def death_is_told(cluster: Cluster) -> None:
    """Freeze the node under a client: probe and report say so in time, though no connection is refused."""
    docker = {**os.environ, **cluster.env}
    with Kube.connect(cluster.kubeconfig, cluster.context, request_timeout=2.0) as kube:
        execute(["docker", "pause", *cluster.nodes], timeout=30, env=docker)
        try:
            begun = time.monotonic()
            assert probe(kube).startswith("the API server does not answer: ")
            cause = diagnose(kube, "default", Story(test="t"), timeout=3.0).cause
            assert cause.startswith("Cluster: the API server does not answer: ")
            assert time.monotonic() - begun < 15
        finally:
            execute(["docker", "unpause", *cluster.nodes], timeout=30, env=docker)


def test_the_life_of_a_cluster(run: str, parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made, answers, is shared within its run, serves pytest-kind's users, gives its logs; its death is told."""
    provider = KindProvider(ClusterOptions(run=run), parts)
    cluster = provider.create()
    with Kube.connect(cluster.kubeconfig, cluster.context) as kube:
        assert probe(kube) == ""
        node = kube.get("v1", "Node", cluster.nodes[0])
    assert node["metadata"]["labels"]["harness.dev/run"] == run
    assert KindProvider(ClusterOptions(run=run), parts).create() == cluster
    monkeypatch.chdir(tmp_path)
    adopted = adopt(cluster, records=parts.records)
    assert cluster.nodes[0] in adopted.kubectl("get", "nodes", "-o", "name")
    assert not (tmp_path / ".pytest-kind").exists()
    provider.export_logs(cluster, tmp_path / "logs")
    assert list((tmp_path / "logs").glob("*/kubelet.log"))
    death_is_told(cluster)
    record = parts.records.find(cluster.name)
    assert record is not None
    assert delete_run(run, parts) == [cluster.name]
    assert cluster.name not in program(record).clusters()
    assert parts.records.all() == []


def test_ctrl_c_while_a_cluster_is_made_leaves_nothing(run: str, parts: Parts, tmp_path: Path) -> None:
    """An interrupt with a node already there ends with no node, no record and no process."""
    process, record = making(run, parts, tmp_path / "state")
    os.kill(process.pid, signal.SIGINT)
    _out, told = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "half-made cluster removed" in told
    assert program(record).nodes(record.name) == []
    assert parts.records.all() == []


def test_a_killed_maker_is_cleared_up_by_the_next_run(run: str, parts: Parts, tmp_path: Path) -> None:
    """What a kill leaves is known to the next run, which makes the cluster of that name anew."""
    process, record = making(run, parts, tmp_path / "state")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=10)
    until(lambda: Pending("alive") if alive(process.pid) else True, timeout=5, wanted="the maker's end")
    assert [entry.name for entry in parts.records.abandoned()] == [record.name]
    cluster = KindProvider(ClusterOptions(run=new_run_id(), name=record.name), parts).create()
    assert cluster.created
    delete_recorded(cluster.name, parts)
    assert program(record).nodes(record.name) == []
