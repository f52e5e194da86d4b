"""The capability-dropping runtime: which file it mends, and what it takes out."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.airgap.engine import install_runtime
from harness.airgap.oci_runtime import mend_config, mend_process, split, targets


def process(**fields: Any) -> dict[str, Any]:
    capabilities = {name: ["CAP_SYS_RESOURCE", "CAP_NET_ADMIN"] for name in ("bounding", "effective", "permitted")}
    return {"capabilities": capabilities, "oomScoreAdj": -500, "args": ["sleep"], **fields}


def test_the_capability_leaves_every_set() -> None:
    """CAP_SYS_RESOURCE goes from all sets, and the other capabilities stay."""
    spec = process()
    mend_process(spec)
    assert spec["capabilities"] == {
        "bounding": ["CAP_NET_ADMIN"],
        "effective": ["CAP_NET_ADMIN"],
        "permitted": ["CAP_NET_ADMIN"],
    }


def test_a_lower_oom_score_is_not_asked_for() -> None:
    """The oom score is left out: lowering it needs the missing capability."""
    spec = {"process": process(), "root": {"path": "rootfs"}}
    mend_config(spec)
    assert "oomScoreAdj" not in spec["process"]
    assert spec["process"]["args"] == ["sleep"]
    assert spec["root"] == {"path": "rootfs"}


def test_limits_above_the_hosts_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit above the host's hard limit goes, one at or below it stays."""
    monkeypatch.setattr(resource, "getrlimit", lambda _number: (100, 20000))
    low = {"type": "RLIMIT_NOFILE", "hard": 20000, "soft": 1024}
    spec = process(rlimits=[{"type": "RLIMIT_NOFILE", "hard": 1048576, "soft": 1048576}, low])
    mend_process(spec)
    assert spec["rlimits"] == [low]


def test_limits_stay_where_the_host_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a hard limit on the host every limit may be set."""
    monkeypatch.setattr(resource, "getrlimit", lambda _number: (100, resource.RLIM_INFINITY))
    limit = {"type": "RLIMIT_NOFILE", "hard": 2**63, "soft": 1}
    spec = process(rlimits=[limit])
    mend_process(spec)
    assert spec["rlimits"] == [limit]


def test_a_specification_without_a_process_is_left_alone() -> None:
    """What is not there is not mended."""
    spec: dict[str, Any] = {"ociVersion": "1.0.2"}
    mend_config(spec)
    assert spec == {"ociVersion": "1.0.2"}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--root", "/r", "--log", "l", "create", "--bundle", "/b", "id"], "/b/config.json"),
        (["--root=/r", "run", "--bundle=/b", "id"], "/b/config.json"),
        (["create", "-b", "/b", "id"], "/b/config.json"),
        (["create", "id"], "config.json"),
        (["--systemd-cgroup", "exec", "--process", "/p.json", "id"], "/p.json"),
        (["exec", "-p", "/p.json", "id"], "/p.json"),
    ],
)
def test_the_file_to_mend_is_found(arguments: list[str], expected: str) -> None:
    """Create and run name a bundle, exec names a process file, in both ways of writing an option."""
    assert [str(path) for path, _ in targets(arguments)] == [expected]


@pytest.mark.parametrize("arguments", [["delete", "id"], ["exec", "id", "sh"], ["--version"], [], ["state", "id"]])
def test_other_commands_touch_nothing(arguments: list[str]) -> None:
    """Commands without a specification pass through."""
    assert targets(arguments) == []


def test_the_value_of_a_global_option_is_not_the_command() -> None:
    """`--root create` names a folder, not the command."""
    assert split(["--root", "create", "delete", "id"]) == ("delete", ["id"])


def test_the_installed_program_mends_and_becomes_runc(tmp_path: Path) -> None:
    """The written program runs without our package, mends the bundle and hands all arguments on."""
    runc = tmp_path / "runc"
    runc.write_text('#!/bin/sh\necho "$@"\n', encoding="utf-8")
    runc.chmod(0o755)
    program = tmp_path / "runtime"
    install_runtime(program, sys.executable, str(runc))
    (tmp_path / "config.json").write_text(json.dumps({"process": process()}), encoding="utf-8")
    done = subprocess.run(
        [program, "create", "--bundle", tmp_path, "id"], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout.split() == ["create", "--bundle", str(tmp_path), "id"]
    mended = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    assert mended["process"]["capabilities"]["bounding"] == ["CAP_NET_ADMIN"]
