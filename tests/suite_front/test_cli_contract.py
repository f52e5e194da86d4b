"""`kubectl kuttl` on a real API server: verdicts, exit codes, reports; the same as pytest's on the same folder."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.clusters.control_plane import ControlPlane
from harness.kube import Kube
from harness.suite.cli import main
from tests.suite_front.conftest import SUITE, config_map, write

pytestmark = pytest.mark.contract

STEP = "apiVersion: kuttl.dev/v1beta1\nkind: TestStep\n"
CASES = {
    "good": {"00-install.yaml": config_map("one", size="3"), "00-assert.yaml": config_map("one", size="3")},
    "mismatch": {"00-install.yaml": config_map("one", size="3"), "00-assert.yaml": config_map("one", size="5")},
    "command": {"00-run.yaml": f"{STEP}commands:\n- script: exit 3\n"},
    "errors": {"00-install.yaml": config_map("one"), "00-errors.yaml": config_map("one")},
    "broken": {"00-install.yaml": "kind: ["},
}


@pytest.fixture
def here(inner: pytest.Pytester, api_server: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Yield the current folder, with a suite of one case for each way to end; $KUBECONFIG is the API server."""
    monkeypatch.setenv("KUBECONFIG", str(api_server.kubeconfig))
    with Kube.connect(api_server.kubeconfig) as kube:  # no controller makes it
        kube.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}, "default")
    files = {f"cases/{case}/{name}": text for case, found in CASES.items() for name, text in found.items()}
    more = "testDirs: [cases]\ntimeout: 1\nskipDelete: true\nsuppress: [events]\nreportFormat: json\n"
    yield write(inner.path, {"kuttl-test.yaml": SUITE + more, **files})
    with Kube.connect(api_server.kubeconfig) as kube:  # by its absence others see that no controllers run
        kube.delete("v1", "ServiceAccount", "default", "default")


def verdicts(path: Path) -> dict[str, bool]:
    """Return which cases of a report have no failure."""
    report = json.loads(path.read_text())
    (suite,) = report["testsuite"]
    return {case["name"]: not case["failures"] for case in suite["testsuite"]}


def test_pytest_and_the_command_line_agree(
    here: Path, on_api_server: pytest.Pytester, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same folder gives the same verdicts and the same report, whoever runs it."""
    assert main(["test"]) == 1
    told = capsys.readouterr().out
    ours = verdicts(here / "kuttl-report.json")
    assert ours == {name: name == "good" for name in CASES}
    assert "        --- PASS: kuttl/harness/good" in told
    assert told.endswith("FAIL\n")
    (here / "kuttl-report.json").unlink()
    result = on_api_server.runpytest("-v")
    result.assert_outcomes(passed=1, failed=4)
    assert {name: f"::{name} PASSED" in result.stdout.str() for name in CASES} == ours
    assert verdicts(here / "kuttl-report.json") == ours


def test_a_passed_run(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only the selected case runs; the code is 0, the last line PASS, and no kubeconfig is left in the folder."""
    assert main(["test", "--case", "good", "--report", "XML", "--report-name", "r", "--artifacts-dir", "out"]) == 0
    told = capsys.readouterr().out
    assert "starting test step 0-install" in told
    assert told.endswith("PASS\n")
    assert (here / "out" / "r.xml").read_text().lstrip().startswith("<testsuites")
    assert not (here / "kubeconfig").exists()


def test_nothing_selected(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No match passes with a warning, as under kuttl, and fails with --fail-if-none (quirk Q17)."""
    assert main(["test", "--test", "nothing"]) == 0
    assert "testing: warning: no tests to run" in capsys.readouterr().err
    assert main(["test", "--test", "nothing", "--fail-if-none"]) == 1


def test_strict_fails_cases_with_warnings(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --strict an unknown field fails its case before it runs, and the others run."""
    write(here / "cases/odd", {"00-x.yaml": f"{STEP}timeout: 3\n", "00-assert.yaml": config_map("none")})
    assert main(["test", "--strict", "--test", "^(odd|good)$"]) == 1
    told = capsys.readouterr().out
    assert "00-x.yaml:3:1: error: " in told
    assert "--- PASS: kuttl/harness/good" in told
    assert "--- FAIL: kuttl/harness/odd" in told


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_a_run_in_order(here: Path, number: signal.Signals, code: int) -> None:
    """An interrupted run says so, writes its report with the interrupted case, and ends with the signal's code."""
    write(here / "cases/long", {"00-assert.yaml": config_map("never")})
    command = [sys.executable, "-m", "harness.suite.cli", "test", "--case", "long", "--timeout", "60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "starting test step" in line:
                process.send_signal(number)
                break
        told = process.stdout.read()
        assert process.wait(30) == code
    assert told.endswith("FAIL\n")
    assert "interrupted" in (here / "kuttl-report.json").read_text()


def test_a_control_plane_of_its_own(here: Path, assets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--start-control-plane needs no kubeconfig, and stops what it started."""
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))
    monkeypatch.setenv("KUBECONFIG", str(here / "none"))
    assert main(["test", "--start-control-plane", "--case", "good"]) == 0


def test_assert_and_errors(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Valid prints kuttl's sentence; invalid the errors on standard output, kuttl's line on standard error, code 1."""
    (here / "there.yaml").write_text(config_map("checked", size="3"))
    (here / "other.yaml").write_text(config_map("checked", size="4"))
    with Kube.connect() as kube:
        kube.apply(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "checked"}, "data": {"size": "3"}}
            | {"metadata": {"name": "checked", "namespace": "default"}}
        )
    assert main(["assert", "there.yaml"]) == 0
    assert capsys.readouterr().out == "assert is valid\n"
    assert main(["errors", "other.yaml", "none.yaml"][:2]) == 0
    assert capsys.readouterr().out == "error assert is valid\n"
    assert main(["assert", "--timeout", "0", "other.yaml"]) == 1
    told = capsys.readouterr()
    assert "resource ConfigMap:default/checked: .data.size: value mismatch" in told.out
    assert told.err.endswith("Error: asserts not valid\n")
    assert main(["errors", "--timeout", "0", "--bug-for-bug", "there.yaml"]) == 0  # quirk Q19: nothing was checked
    assert main(["errors", "--timeout", "1", "--bug-for-bug", "there.yaml"]) == 255


def test_lint_knows_the_cluster(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Fields and values that the schema lacks, kinds that are not served, and what a case defines itself."""
    deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec:\n  replica: 3\n"
    unknown = "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: a}\n"
    write(
        here / "linted/one",
        {
            "00-install.yaml": config_map("one"),
            "00-assert.yaml": deployment,
            "01-errors.yaml": unknown,
            "01-install.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {size: 3}\n",
        },
    )
    assert main(["lint", "--cluster", "linted"]) == 1
    told = capsys.readouterr().out
    assert "00-assert.yaml:5:3: error: .spec.replica is asserted, but the schema has no such field" in told
    assert 'did you mean "replicas"?' in told
    assert "the cluster does not serve example.com/v1 Thing: an errors entry of an unknown kind fails" in told
    assert "01-install.yaml:4:8: error: .data.size is applied, but the schema has a text here" in told


def test_update_refreshes_and_writes(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An assert takes the live values, other documents stay as they are; a new file gets the object without noise."""
    check = "# kept\napiVersion: kuttl.dev/v1beta1\nkind: TestAssert\ntimeout: 3\n"
    (here / "00-assert.yaml").write_text(f"{check}---\n{config_map('golden', size='1')}")
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "golden"},
        "data": {"size": "7", "b": "c"},
    }
    with Kube.connect() as kube:
        kube.create(manifest, "default")
    assert main(["update", "-n", "default", "--dry-run", "00-assert.yaml"]) == 0
    assert '+  size: "7"' in capsys.readouterr().out
    assert main(["update", "-n", "default", "00-assert.yaml"]) == 0
    assert capsys.readouterr().out == "00-assert.yaml: 1 document written\n"
    refreshed = 'apiVersion: v1\ndata:\n  size: "7"\nkind: ConfigMap\nmetadata:\n  name: golden\n'
    text = (here / "00-assert.yaml").read_text()
    assert text.startswith(f"{check}---\n")
    assert sorted(text.removeprefix(f"{check}---\n").split("\n")) == sorted(refreshed.split("\n"))
    assert main(["update", "-n", "default", "00-assert.yaml"]) == 0
    assert capsys.readouterr().out == "00-assert.yaml: up to date\n"
    assert main(["update", "-n", "default", "01-assert.yaml", "--object", "v1/ConfigMap/golden"]) == 0
    written = (here / "01-assert.yaml").read_text()
    assert "  b: c\n" in written
    assert "uid" not in written
    assert main(["assert", "01-assert.yaml"]) == 0
    assert main(["update", "-n", "default", "02-assert.yaml"]) == 2
