"""What all providers share: the choice, the sign of life, readiness, records, leftovers."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from harness.clusters.choice import choose_provider
from harness.clusters.config import ClusterOptions
from harness.clusters.leftovers import OWNER_ANNOTATION, owner_annotations, remove_leftovers
from harness.clusters.provider import Cluster, kept_line, probe
from harness.clusters.readiness import coredns_available, node_ready
from harness.clusters.records import Record, Records
from harness.kit.documents import Manifest
from harness.kit.errors import UsageError
from harness.kit.waiting import Pending

DEAD_PID = 2**22 + 1


def test_a_named_kubeconfig_or_context_means_an_existing_cluster() -> None:
    """Nothing is created when a cluster was named."""
    assert choose_provider(ClusterOptions(run="7c1e")).name == "kind"
    assert choose_provider(ClusterOptions(run="7c1e", context="dev")).name == "existing"
    assert choose_provider(ClusterOptions(run="7c1e", kubeconfig=Path("k"))).name == "existing"


def test_options_of_both_providers_exclude_each_other() -> None:
    """A cluster that exists takes no workers and no node image."""
    with pytest.raises(UsageError) as caught:
        choose_provider(ClusterOptions(run="7c1e", context="dev", workers=2, keep=True))
    assert caught.value.seen.endswith("--keep-cluster, workers")


def test_a_dead_api_server_is_said_so(world: Any) -> None:
    """The probe gives the reason, and nothing for a server that answers; it never raises."""
    assert probe(world.kube) == ""
    world.kube.error = TimeoutError()
    assert probe(world.kube) == "the API server does not answer: TimeoutError"


def test_what_stays_is_named_with_its_command() -> None:
    """A kept cluster's line has the command that removes it, a borrowed one has none."""
    cluster = Cluster(
        name="x",
        kubeconfig=Path("k"),
        context="c",
        kubernetes_version="v1.36.3",
        created=True,
        provider="kind",
        remove="rm x",
    )
    assert kept_line(cluster) == "kind x: kept; remove it with: rm x"
    borrowed = Cluster(
        name="x", kubeconfig=Path("k"), context="c", kubernetes_version="", created=False, provider="existing"
    )
    assert kept_line(borrowed) == "existing x: left as it is"


def test_readiness_tells_what_is_missing() -> None:
    """Nodes and CoreDNS that are not ready answer with their reason."""
    assert node_ready(None) == Pending("the node has not joined")
    assert node_ready({}) == Pending("no Ready condition yet")
    not_ready = {"status": {"conditions": [{"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown"}]}}
    assert node_ready(not_ready) == Pending("NodeStatusUnknown")
    assert coredns_available(None) == Pending("there is no Deployment kube-system/coredns")
    assert coredns_available({"status": {}}) == Pending("no pod of CoreDNS is available")
    assert coredns_available({"status": {"availableReplicas": 1}}) is True


def test_records_survive_and_torn_ones_are_passed_over(tmp_path: Path) -> None:
    """What was written is read again; a file that a crash tore is no record."""
    records = Records(tmp_path)
    record = Record(name="a", run="7c1e", status="ready", keep=False, kind="/bin/kind", env={"A": "b"})
    records.write(record)
    assert records.all() == [record]
    (records.folder("a") / "cluster.json").write_text('{"name": "a"')
    assert records.find("a") is None
    (records.folder("a") / "cluster.json").write_text('{"name": "a", "colour": "red"}')
    assert records.all() == []
    records.remove("a")
    assert not records.folder("a").exists()


def test_removing_a_record_cannot_leave_its_folder(tmp_path: Path) -> None:
    """A name with a path in it removes nothing."""
    (tmp_path / "precious").mkdir()
    Records(tmp_path).remove("../precious")
    assert (tmp_path / "precious").exists()


def test_abandoned_is_what_a_dead_process_left(tmp_path: Path) -> None:
    """Clusters of living runs and kept ones are not abandoned; half-made ones are, kept or not."""
    records = Records(tmp_path)
    for name, status, keep, pid in (
        ("alive", "ready", False, os.getpid()),
        ("dead", "ready", False, DEAD_PID),
        ("half", "creating", True, DEAD_PID),
        ("kept", "ready", True, DEAD_PID),
    ):
        records.write(Record(name=name, run="7c1e", status=status, keep=keep, kind="k", pid=pid))  # type: ignore[arg-type]
    assert [record.name for record in records.abandoned()] == ["dead", "half"]


class Namespaces:
    """A client that knows namespaces only."""

    def __init__(self, **owners: str) -> None:
        self.objects = {
            name: {
                "metadata": {
                    "name": name,
                    "labels": {"harness.dev/run": "7c1e"},
                    "annotations": {OWNER_ANNOTATION: owner} if owner else None,
                }
            }
            for name, owner in owners.items()
        }
        self.selectors: list[str] = []

    def list(self, api_version: str, kind: str, namespace: str | None = None, *, labels: str = "") -> list[Manifest]:
        self.selectors.append(labels)
        return list(self.objects.values())

    def delete(self, api_version: str, kind: str, name: str) -> None:
        del self.objects[name]

    def until(
        self, api_version: str, kind: str, name: str, namespace: str | None, condition: Any, **_options: Any
    ) -> Any:
        answer = condition(self.objects.get(name))
        assert answer is True
        return answer


def test_namespaces_of_dead_runs_are_removed(capsys: pytest.CaptureFixture[str]) -> None:
    """What a dead process of this host left goes; living, foreign and unknown owners stay and are named."""
    here = socket.gethostname()
    kube = Namespaces(dead=f"{here}/{DEAD_PID}", mine=owner_annotations()[OWNER_ANNOTATION], far="elsewhere/1", old="")
    assert remove_leftovers(kube) == 0
    assert sorted(kube.objects) == ["far", "mine", "old"]
    assert kube.selectors == ["harness.dev/run"]
    out = capsys.readouterr().out
    assert "namespace dead: removed" in out
    assert f"namespace mine: in use by process {os.getpid()}" in out
    assert "namespace far: left as it is, made on elsewhere (harness clean --run 7c1e removes it)" in out


def test_a_run_that_is_named_is_removed_whoever_owns_it(capsys: pytest.CaptureFixture[str]) -> None:
    """Naming the run is consent; a dry run only says what would go."""
    kube = Namespaces(far="elsewhere/1")
    remove_leftovers(kube, run="7c1e", dry_run=True)
    assert list(kube.objects) == ["far"]
    remove_leftovers(kube, run="7c1e")
    assert kube.objects == {}
    assert kube.selectors == ["harness.dev/run=7c1e"] * 2
    remove_leftovers(kube, run="7c1e")
    assert "no namespace carries the label harness.dev/run=7c1e" in capsys.readouterr().out
