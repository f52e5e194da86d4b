"""`harness airgap`: verbs, what they print, exit codes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from harness.airgap import cli
from harness.airgap.engine import Docker, Engine, PrivateEngine
from harness.airgap.provision import Airgap, Provision
from harness.kit.errors import HarnessError, UsageError


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep every command away from the user's own cache and state."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HARNESS_STATE", str(tmp_path / "state"))


def call(*arguments: str) -> int:
    parser = argparse.ArgumentParser(prog="harness")
    cli.add_parser(parser.add_subparsers(required=True))
    parsed = parser.parse_args(["airgap", *arguments])
    return int(parsed.handler(parsed))


def engine(fake: Any, *, private: bool) -> Engine:
    return Engine(docker=Docker(host="unix:///run/x.sock" if private else None, run=fake), private=private)


def test_up_prints_what_to_export(
    fake: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The one line on standard output can be evaluated by a shell."""
    monkeypatch.setattr(Airgap, "engine", lambda _self: engine(fake, private=True))
    assert call("up") == 0
    assert capsys.readouterr().out == "export DOCKER_HOST=unix:///run/x.sock\n"


def test_up_beside_a_working_engine_starts_nothing(
    fake: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the machine's own engine answers, that is said."""
    monkeypatch.setattr(Airgap, "engine", lambda _self: engine(fake, private=False))
    assert call("up") == 0
    assert "nothing to start" in capsys.readouterr().out


def test_build_hands_version_and_recipes_on(
    fake: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A minor is resolved, recipes are read before anything is built, results are printed."""
    (tmp_path / "image.yaml").write_text("image: db:1\npackages: []\n", encoding="utf-8")
    seen: list[Any] = []
    made = Provision(
        node_image="harness.local/node:1",
        kind=Path("/bin/kind"),
        kubectl=Path("/bin/kubectl"),
        docker_host=None,
        env={},
        kind_config={},
        kubernetes_version="v1.35.4",
        engine="system",
    )

    def build(_airgap: Airgap, *arguments: Any) -> Provision:
        seen.extend(arguments)
        return made

    monkeypatch.setattr(Airgap, "engine", lambda _self: engine(fake, private=False))
    monkeypatch.setattr(Airgap, "build", build)
    assert call("build", "--kubernetes-version", "1.35", "--images", str(tmp_path)) == 0
    assert (seen[0], [recipe.image for recipe in seen[1]]) == ("v1.35.4", ["db:1"])
    assert capsys.readouterr().out.splitlines() == [
        "node image  harness.local/node:1",
        "kind        /bin/kind",
        "kubectl     /bin/kubectl",
    ]


def test_build_of_the_control_plane_needs_no_engine(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only the programs are built, and the line names the variable that finds them."""
    monkeypatch.setattr(Airgap, "control_plane", lambda _self, _version: Path("/bin/dir"))
    assert call("build", "--control-plane") == 0
    assert capsys.readouterr().out == "export KUBEBUILDER_ASSETS=/bin/dir\n"


def test_build_refuses_an_unknown_version() -> None:
    """The list of versions comes before any work."""
    with pytest.raises(UsageError, match=r"v1\.36\.3"):
        call("build", "--kubernetes-version", "2.0")


def test_down_names_what_it_stopped(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Each container and the engine have a line; nothing running is said too."""
    monkeypatch.setattr(PrivateEngine, "down", lambda _self: ["container dev-control-plane", "engine (process 7)"])
    assert call("down") == 0
    assert capsys.readouterr().out == "stopped container dev-control-plane\nstopped engine (process 7)\n"
    monkeypatch.setattr(PrivateEngine, "down", lambda _self: [])
    assert call("down") == 0
    assert "does not run" in capsys.readouterr().out


def test_clean_removes_all_that_was_built(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The cache is gone, and the line says how much that was."""
    kept = tmp_path / "cache/airgap/programs/x"
    kept.mkdir(parents=True)
    (kept / "kind").write_bytes(b"x" * 2_000_000)
    assert call("clean") == 0
    assert not (tmp_path / "cache/airgap").exists()
    assert capsys.readouterr().out == f"removed {tmp_path}/cache/airgap (2 MB)\n"


def test_clean_under_a_running_engine_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is removed below a running engine."""
    (tmp_path / "cache/airgap").mkdir(parents=True)
    monkeypatch.setattr(PrivateEngine, "pid", lambda _self: 7)
    with pytest.raises(HarnessError):
        call("clean")
    assert (tmp_path / "cache/airgap").exists()


@pytest.fixture
def leased(fake: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What happened to a private engine that a command needed."""
    told: list[str] = []
    running: list[int] = []

    def start(_airgap: Airgap) -> Engine:
        told.append("started")
        running.append(7)
        return engine(fake, private=True)

    def stop(_engine: PrivateEngine) -> list[str]:
        told.append("stopped")
        return []

    monkeypatch.setattr(Airgap, "engine", start)
    monkeypatch.setattr(PrivateEngine, "pid", lambda _self: running[0] if running else None)
    monkeypatch.setattr(PrivateEngine, "containers", lambda _self: [])
    monkeypatch.setattr(PrivateEngine, "down", stop)
    return told


def test_run_gives_a_command_an_engine_for_its_time(leased: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    """The command sees the engine's address; its exit code is ours; the engine is stopped afterwards."""
    assert call("run", "--", "sh", "-c", 'echo "at $DOCKER_HOST"; exit 3') == 3
    assert capfd.readouterr().out == "at unix:///run/x.sock\n"
    assert leased == ["started", "stopped"]


def test_run_of_a_command_that_a_signal_ends(leased: list[str]) -> None:
    """As in a shell: 128 and the signal's number."""
    assert call("run", "sh", "-c", "kill -KILL $$") == 137
    assert leased[-1] == "stopped"


def test_run_of_no_command_or_of_one_that_is_not_there(leased: list[str]) -> None:
    """Both are usage errors, and no engine stays behind."""
    with pytest.raises(UsageError, match="a command to run"):
        call("run", "--")
    assert leased == []
    with pytest.raises(UsageError, match="no-such-program to start"):
        call("run", "--", "no-such-program")
    assert leased == ["started", "stopped"]


def test_status_prints_its_lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Status is for people: one line per fact."""
    monkeypatch.setattr("harness.airgap.status.system_engine", lambda _run: "no docker command on PATH")
    assert call("status") == 0
    assert capsys.readouterr().out.startswith("engine    none (no docker command on PATH)\n")
