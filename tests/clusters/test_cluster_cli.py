"""`harness cluster up|list|down` and `harness clean`: what they print, change and refuse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness import cli
from harness.clusters.config import ClusterOptions
from harness.clusters.kind import KindProvider
from harness.clusters.provider import Cluster
from harness.clusters.records import Record, Records

DEAD_PID = 2**22 + 1


@pytest.fixture
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Records:
    """Return the records of a state folder of its own, with clusters whose engine is gone."""
    monkeypatch.setenv("HARNESS_STATE", str(tmp_path))
    records = Records()
    kept = Record(
        name="kept", run="0001", status="ready", keep=True, kind="/bin/kind", kubernetes_version="v1.36.3",
        env={"DOCKER_HOST": "unix:///nowhere.sock"},
    )  # fmt: skip
    records.write(kept)
    records.write(replace(kept, name="dead", keep=False, pid=DEAD_PID, status="creating", kubernetes_version=""))
    records.write(replace(kept, name="busy", run="0002", keep=False))
    return records


def test_the_list_tells_what_is_kept_used_and_left(records: Records, capsys: pytest.CaptureFixture[str]) -> None:
    """One line per cluster: name, version, state and kubeconfig."""
    assert cli.main(["cluster", "list"]) == 0
    lines = [line.split("  ")[:3] for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        ["busy", "v1.36.3", "in use by run 0002"],
        ["dead", "-", "left by a killed run"],
        ["kept", "v1.36.3", "kept"],
    ]


def test_down_removes_what_is_named(records: Records, capsys: pytest.CaptureFixture[str]) -> None:
    """Only the named cluster goes."""
    assert cli.main(["cluster", "down", "kept"]) == 0
    assert [record.name for record in records.all()] == ["busy", "dead"]
    assert "kind kept: gone with its engine" in capsys.readouterr().err


def test_down_removes_what_killed_runs_left(records: Records) -> None:
    """Kept clusters and those of living runs stay."""
    assert cli.main(["cluster", "down", "--abandoned"]) == 0
    assert [record.name for record in records.all()] == ["busy", "kept"]
    assert cli.main(["cluster", "down", "--abandoned"]) == 0


def test_down_refuses_an_unknown_name(records: Records, capsys: pytest.CaptureFixture[str]) -> None:
    """A cluster that was not made here is not touched; the ones that were are named."""
    assert cli.main(["cluster", "down", "yours"]) == 2
    assert "busy, dead, kept" in capsys.readouterr().err


def test_up_prints_the_environment(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output can be given to eval; how to remove the cluster is told beside it."""
    seen: list[ClusterOptions] = []

    def create(self: KindProvider) -> Cluster:
        seen.append(self.options)
        return Cluster(
            name="mine", kubeconfig=Path("k"), context="kind-mine", kubernetes_version="v1.36.3", created=True,
            provider="kind", env={"KUBECONFIG": "/a b/k"}, remove="harness cluster down mine",
        )  # fmt: skip

    monkeypatch.setattr(KindProvider, "create", create)
    assert cli.main(["cluster", "up", "mine", "--workers", "2", "--kubernetes-version", "1.35"]) == 0
    captured = capsys.readouterr()
    assert captured.out == "export KUBECONFIG='/a b/k'\n"
    assert "kind mine: kept; remove it with: harness cluster down mine" in captured.err
    assert (seen[0].name, seen[0].workers, seen[0].kubernetes_version, seen[0].keep) == ("mine", 2, "1.35", True)


def test_clean_asks_the_named_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The kubeconfig and context that were given are used, and the client is closed."""
    file = tmp_path / "k"
    file.write_text("contexts: [{name: dev}, {name: prod}]\ncurrent-context: prod\n")
    seen: list[Any] = []

    class Client:
        def list(self, *_arguments: Any, **_options: Any) -> list[Any]:
            return []

        def close(self) -> None:
            seen.append("closed")

    def connect(kubeconfig: Any, context: Any) -> Client:
        seen.append((kubeconfig, context))
        return Client()

    monkeypatch.setattr("harness.kube.Kube.connect", connect)
    assert cli.main(["clean", "--kubeconfig", str(file), "--context", "dev"]) == 0
    assert seen == [(file, "dev"), "closed"]
    assert "no namespace carries the label harness.dev/run" in capsys.readouterr().out


def test_clean_needs_a_cluster_that_was_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It deletes, so neither the current context nor a file with several contexts is enough."""
    assert cli.main(["clean"]) == 2
    file = tmp_path / "k"
    file.write_text("contexts: [{name: dev}, {name: prod}]\ncurrent-context: prod\n")
    assert cli.main(["clean", "--kubeconfig", str(file)]) == 2
    assert "next    the same command with --context prod" in capsys.readouterr().err
