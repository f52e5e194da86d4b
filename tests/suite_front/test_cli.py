"""`kubectl kuttl` without a cluster: usage, configuration, lint, the plan of a dry run, selection, output."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from harness.kit.errors import UsageError
from harness.suite.cli import main
from harness.suite.files import Case
from harness.suite.log import Line
from harness.suite.output import Stream, render_tail, write_report
from harness.suite.results import CaseResult, RunResult, SuiteResult
from harness.suite.selection import by_name, parse_run_labels
from harness.suite.spec import TestSuite
from tests.suite_front.conftest import SUITE, config_map, write

STEP = "apiVersion: kuttl.dev/v1beta1\nkind: TestStep\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder, the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["test"], "no test directories provided, please provide either --config or test directories"),
        (["test", "x", "--report-granularity", "case"], 'unrecognized report granularity "case"'),
        (["test", "x", "-n", " "], 'setting namespace explicitly to "" or empty string is not supported'),
        (
            ["test", "x", "--start-control-plane", "--start-kind"],
            "only one of --start-control-plane and --start-kind can be set",
        ),
        (
            ["test", "x", "--attach-control-plane-output"],
            "only use --attach-control-plane-output with --start-control-plane",
        ),
        (["test", "x", "--test-run-labels", "a"], "cannot parse label set: a"),
        (["test", "x", "--template-var", "a"], "a must be formatted as key=value"),
        (["test", "x", "--test", "("], "a regular expression behind --test"),
        (["test", "x", "--parallel", "-1"], "a number above 0 for parallel"),
        (["test", "x", "--skip-delete=maybe"], 'invalid boolean value "maybe"'),
        (["test", "x", "--config", "none.yaml"], "no such file"),
        (["assert"], "one file argument is required"),
        (["errors", "none.yaml"], "it does not exist"),
        (["update", "-n", "x", "none.yaml", "--kubeconfig", "none"], "none"),
        (["test", "x", "--as", "somebody"], "impersonation is not supported"),
        (["nothing"], "invalid choice"),
    ],
)
def test_wrong_usage(here: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    """Wrong words end with code 2 and one message on standard error, kuttl's where it has one."""
    try:
        code = main(words)
    except SystemExit as error:
        code = int(str(error.code))
    assert (code, said in capsys.readouterr().err) == (2, True)


def test_kuttls_exit_code(here: Path) -> None:
    """With --bug-for-bug wrong usage ends with kuttl's 255 (quirk Q21)."""
    assert main(["test", "--bug-for-bug"]) == 255


def test_versions(capsys: pytest.CaptureFixture[str]) -> None:
    """Version and --version print what kuttl's do, with our number."""
    assert main(["version"]) == 0
    assert capsys.readouterr().out.startswith("KUTTL Version: version ")
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out.startswith("kubectl-kuttl version ")


def test_help_loads_nothing_heavy(here: Path) -> None:
    """Help and wrong usage need neither YAML nor a client."""
    code = (
        "import sys\nfrom harness.suite.cli import main\n"
        "try: main(['test', '--help'])\nexcept SystemExit: pass\n"
        "print(sorted({'yaml', 'kubernetes', 'tenacity'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.endswith("[]\n")


def test_a_dry_run_prints_the_plan(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each step's deletions, commands, objects and asserts with their places; what is odd; no cluster is asked."""
    delete = f"{STEP}delete:\n- {{apiVersion: v1, kind: Pod, labels: {{a: b}}}}\ncommands:\n- command: echo hi\n"
    check = "apiVersion: kuttl.dev/v1beta1\nkind: TestAssert\ncommands:\n- script: 'true'\n"
    case = {"00-install.yaml": config_map("one"), "00-assert.yaml": f"{check}---\n{config_map('one')}"}
    write(here / "cases/deploy", {**case, "01-go.yaml": delete, "01-errors.yaml": config_map("one")})
    assert main(["test", "--dry-run", "cases"]) == 0
    told = capsys.readouterr()
    assert told.out.splitlines() == [
        "deploy",
        "  0-install",
        "    apply   ConfigMap one  00-install.yaml:1:1",
        "    assert  ConfigMap one  00-assert.yaml:6:1",
        '    check   "true"',
        "  1-go",
        "    delete  Pod a=b",
        '    run     "echo hi"',
        "    deny    ConfigMap one  01-errors.yaml:1:1",
    ]
    assert "running without a 'kuttl-test.yaml' configuration" in told.err
    assert "kutt-test config testdirs is overridden with args: [ cases ]" in told.err


def test_a_dry_run_of_a_broken_case_fails(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What could not be loaded is told with its place, and the code is 1."""
    write(here / "cases/broken", {"00-install.yaml": "kind: ["})
    assert main(["test", "--dry-run", "cases"]) == 1
    assert "00-install.yaml:2:1: error" in capsys.readouterr().out


def test_lint(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Unknown fields and misnamed files are told with places and suggestions; errors and --strict end with 1."""
    case = {
        "00-install.yaml": config_map("one"),
        "00-assert.yml": config_map("one"),
        "01-x.yaml": f"{STEP}timeout: 3\n",
    }
    write(here, {"kuttl-test.yaml": f"{SUITE}testDirs: [cases]\n"})
    write(here / "cases/a", case)
    assert main(["lint"]) == 0
    told = capsys.readouterr().out
    assert '00-assert.yml: warning: Ignoring "00-assert.yml"' in told
    assert 'did you mean "00-assert.yaml"?' in told
    assert "01-x.yaml:3:1: warning:" in told
    assert told.endswith("1 cases: 0 errors, 3 warnings\n")
    assert main(["lint", "--strict"]) == 1


@pytest.mark.parametrize(
    ("pattern", "mode", "names"),
    [
        ("", "default", ["a b", "bar", "foo", "foobar"]),
        ("foo", "default", ["foo", "foobar"]),
        ("^foo$", "default", ["foo"]),
        ("bar|a", "default", ["a b", "bar", "foobar"]),
        ("^bar|^a", "strict", ["bar"]),
        ("(^bar|^a)", "strict", ["a b", "bar"]),
        ("a b", "default", ["a b"]),
        ("[[:digit:]]", "default", []),
    ],
)
def test_selection_by_expression(pattern: str, mode: str, names: list[str]) -> None:
    """--test is unanchored; a bar separates alternatives, but not in kuttl (quirk Q16); blanks are underscores."""
    select = by_name(pattern, mode=mode)  # type: ignore[arg-type]  # a parameter of the test
    found = ["a b", "bar", "foo", "foobar"]
    assert [one for one in found if select(Case(name=one, directory=Path(one), suite=Path()))] == names


def test_selection_by_exact_name() -> None:
    """--case takes whole names."""
    select = by_name("", ["foo"])
    assert [name for name in ("foo", "foobar") if select(Case(name=name, directory=Path(), suite=Path()))] == ["foo"]


def test_run_labels() -> None:
    """Labels are equality pairs only."""
    assert parse_run_labels("a=b, c=d") == {"a": "b", "c": "d"}
    assert parse_run_labels("") == {}
    for wrong in ("a!=b", "a==b", "a in (b)"):
        with pytest.raises(UsageError, match="labels as"):
            parse_run_labels(wrong)


def result(*cases: tuple[str, str]) -> RunResult:
    """Return a run of cases with names and outcomes."""
    found = tuple(
        CaseResult(
            name=name, directory=Path(name), suite="cases", namespace="x", outcome=outcome,  # type: ignore[arg-type]  # a short form for tests
            started=0, seconds=1.5,
        )
        for name, outcome in cases
    )  # fmt: skip
    return RunResult(
        name="run", started=0, seconds=2, suites=(SuiteResult(name="cases", started=0, seconds=2, cases=found),)
    )


def test_the_tail() -> None:
    """The tree of go test: equal names are numbered, one failure fails all above it."""
    text = render_tail(result(("a", "passed"), ("a", "failed")))
    assert text.splitlines() == [
        "--- FAIL: kuttl (2.00s)",
        "    --- FAIL: kuttl/harness (0.00s)",
        "        --- PASS: kuttl/harness/a (1.50s)",
        "        --- FAIL: kuttl/harness/a#01 (1.50s)",
        "FAIL",
    ]
    assert render_tail(result(("a", "passed"))).endswith("PASS")


def test_the_stream() -> None:
    """A line names its test whenever that changes; further lines of a text are indented by eight blanks."""
    out = io.StringIO()
    stream = Stream(out)
    stream(Line(source="a/0-x", text="one\ntwo", at=0))
    stream(Line(source="a", text="three", at=0))
    stream(Line(source="b", text="four", at=0))
    lines = out.getvalue().splitlines()
    assert [line for line in lines if line.startswith("===")] == [
        "=== NAME  kuttl/harness/a",
        "=== NAME  kuttl/harness/b",
    ]
    assert lines[1].endswith("| a/0-x | one")
    assert lines[2] == "        two"


@pytest.mark.parametrize(
    ("form", "mode", "name"),
    [("XML", "default", "r.xml"), ("XML", "strict", "r.json"), ("json", "default", "r.json"), ("", "default", None)],
)
def test_report_files(tmp_path: Path, form: str, mode: str, name: str | None) -> None:
    """The format is read in any case, but not in strict mode (quirk Q11); the folder is made."""
    suite = TestSuite(report_format=form, report_name="r", artifacts_dir="out")
    path = write_report(result(("a", "passed")), suite, tmp_path, mode=mode)  # type: ignore[arg-type]  # a parameter of the test
    assert (path and path.relative_to(tmp_path / "out").name) == name
