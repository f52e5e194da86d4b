"""kuttl suites run by pytest on a real API server: what fails, what is shown, what fixtures give, what stays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.suite_front.conftest import SUITE, config_map, write

pytestmark = pytest.mark.contract

GOOD = {"00-install.yaml": config_map("one", size="3"), "00-assert.yaml": config_map("one", size="3")}
BAD = {"00-install.yaml": config_map("one", size="3"), "00-assert.yaml": config_map("one", more="x", size="5")}
HEADER = "---\napiVersion: harness.dev/v1alpha1\nkind: Suite\n"


def suite(inner: pytest.Pytester, cases: dict[str, dict[str, str]], more: str = "", header: str = "") -> None:
    """Write a suite of cases with a short timeout."""
    files = {f"cases/{case}/{name}": text for case, found in cases.items() for name, text in found.items()}
    text = f"{SUITE}testDirs: [cases]\ntimeout: 1\nsuppress: [events]\n{more}"
    write(inner.path, {"kuttl-test.yaml": text + (HEADER + header if header else ""), **files})


def test_a_failed_case_shows_its_lines(on_api_server: pytest.Pytester) -> None:
    """The failure has every mismatch and the numbered lines of the file, and no traceback; the passed case is quiet."""
    suite(on_api_server, {"good": GOOD, "bad": BAD})
    result = on_api_server.runpytest("-vv")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "kuttl-test.yaml::bad FAILED*",
            "kuttl-test.yaml::good PASSED*",
            "failed in step 0-install of bad after 1.* s, namespace kuttl-*",
            "resource ConfigMap:kuttl-*/one: .data.more: key is missing from map",
            "  differs*line 6*.data.more*",
            "  differs*line 7*.data.size*",
            "cases/bad/00-assert.yaml:",
            "  1  apiVersion: v1",
            '> 6    more: "x"',
            '> 7    size: "5"',
            "*kuttl log*",
            "*starting test step 0-install",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*collect.py*")


def test_the_last_failed_case_runs_again(on_api_server: pytest.Pytester) -> None:
    """--lf runs only the case that failed."""
    suite(on_api_server, {"good": GOOD, "bad": BAD})
    on_api_server.runpytest().assert_outcomes(passed=1, failed=1)
    on_api_server.runpytest("--lf").assert_outcomes(failed=1)


def test_the_first_failure_may_end_the_run(on_api_server: pytest.Pytester) -> None:
    """-x stops after a failed case."""
    suite(on_api_server, {"bad": BAD, "good": GOOD})
    on_api_server.runpytest("-x").assert_outcomes(failed=1)


def test_cases_run_in_parallel(on_api_server: pytest.Pytester) -> None:
    """Workers of xdist share the cases of one suite, next to Python tests."""
    suite(on_api_server, {"a": GOOD, "b": GOOD, "c": GOOD})
    on_api_server.makepyfile("def test_own(): pass")
    on_api_server.runpytest("-n", "2").assert_outcomes(passed=4)
    on_api_server.runpytest("-n", "2", "--kuttl", ".").assert_outcomes(passed=3)


def test_fixtures_and_variables_of_the_header(on_api_server: pytest.Pytester) -> None:
    """A case gets the fixtures that its suite's header names, and templates see their values."""
    on_api_server.makepyfile(
        conftest=(on_api_server.path / "conftest.py").read_text()
        + """
@pytest.fixture
def size():
    return 7

@pytest.fixture
def prepared(kube, namespace):
    kube.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "before"}}, namespace)
"""
    )
    template = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\ndata: {size: "{{ .Vars.size }}"}\n'
    case = {
        "00-install.gotmpl.yaml": template,
        "00-assert.yaml": f"{config_map('one', size='7')}---\n{config_map('before')}",
    }
    header = "fixtures: [prepared]\nvariables: {size: size}\ncases:\n- {name: away, skip: not here}\n"
    suite(on_api_server, {"own": case, "away": GOOD}, header=header)
    result = on_api_server.runpytest("-rs")
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["*not here*"])


def test_a_missing_fixture_says_which_exist(on_api_server: pytest.Pytester) -> None:
    """A header that names an unknown fixture is an error of the case, in pytest's words."""
    suite(on_api_server, {"good": GOOD}, header="fixtures: [nothing]\n")
    result = on_api_server.runpytest()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*fixture 'nothing' not found*"])


def test_a_broken_case_fails_alone(on_api_server: pytest.Pytester) -> None:
    """A case whose files cannot be read fails with file, line and source; the others run."""
    suite(on_api_server, {"good": GOOD, "broken": {"00-install.yaml": "apiVersion: v1\nkind: [\n"}})
    result = on_api_server.runpytest()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["broken could not be loaded", "cases/broken/00-install.yaml:*: error: *"])


def test_warnings_are_told_once_and_may_be_errors(on_api_server: pytest.Pytester) -> None:
    """An unknown field is a warning at the end of the run, and with --kuttl-strict the case fails."""
    step = "apiVersion: kuttl.dev/v1beta1\nkind: TestStep\ntimeout: 5\n"
    cases = {"good": GOOD | {"01-step.yaml": step, "01-assert.yaml": config_map("one")}}
    suite(on_api_server, cases, header="cases: [{name: godo, marks: [slow]}]\n")
    result = on_api_server.runpytest()
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        [
            "*- kuttl warnings -*",
            '*kuttl-test.yaml: warning: the header names the case "godo", *did you mean "good"[?]',
            "*01-step.yaml:3:1: warning: *timeout*",
        ]
    )
    on_api_server.runpytest("--kuttl-strict").assert_outcomes(failed=1)


def test_a_suite_is_set_up_once(on_api_server: pytest.Pytester) -> None:
    """Manifests and commands of the suite come before its first case; a failing one is an error of every case."""
    suite(on_api_server, {"a": GOOD, "b": GOOD}, "commands:\n- script: echo x >> ran\n")
    on_api_server.runpytest().assert_outcomes(passed=2)
    assert (on_api_server.path / "ran").read_text() == "x\n"
    suite(on_api_server, {"a": GOOD, "b": GOOD}, "commands:\n- script: exit 3\n")
    result = on_api_server.runpytest()
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(['*fatal error running commands: command "exit 3" failed, exit status 3*'])


def test_a_suite_may_bring_its_own_control_plane(
    assets: Path, inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """StartControlPlane runs the cases on an API server of the suite's own; nobody asks for a cluster."""
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))
    suite(inner, {"good": GOOD}, "startControlPlane: true\n")
    inner.runpytest().assert_outcomes(passed=1)


def test_a_report_is_written_as_kuttl_does(on_api_server: pytest.Pytester) -> None:
    """ReportFormat and reportName of the suite give the same file as the command line."""
    suite(on_api_server, {"good": GOOD, "bad": BAD}, "reportFormat: json\nreportName: own\n")
    on_api_server.runpytest()
    report = json.loads((on_api_server.path / "own.json").read_text())
    assert (report["tests"], report["failures"]) == (4, 1)
