"""What lint says without a cluster; for each finding a case that has it and one that has not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.suite.files import Case
from harness.suite.lint import lint_case, lint_directory, lint_suite
from harness.suite.model import LoadedCase
from harness.suite.objects import load_suite
from harness.suite.problem import Problem
from harness.suite.quirks import QUIRKS, quirk
from harness.suite.spec import TestSuite

Load = Callable[..., LoadedCase]
Write = Callable[..., Case]

STEP = "apiVersion: kuttl.dev/v1beta1\nkind: TestStep\n"
ASSERT = "apiVersion: kuttl.dev/v1beta1\nkind: TestAssert\n"


def config(name: str, more: str = "") -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n{more}"


def found(loaded: LoadedCase, suite: TestSuite | None = None) -> list[Problem]:
    return [one for one in lint_case(loaded, suite or TestSuite()) if one.severity != "note"]


def command(text: str, more: str = "") -> dict[str, str]:
    return {"00-x.yaml": f"{STEP}commands:\n- command: {text}\n{more}"}


def test_a_good_case_has_nothing(load: Load) -> None:
    """Neither warnings nor errors."""
    assert found(load({"00-x.yaml": config("a"), "00-assert.yaml": config("a", "data: {x: '1'}\n")})) == []


@pytest.mark.parametrize(
    ("files", "quirk_number"),
    [
        ({"00-x.yaml": config("a", "data: {}\ndata: {}\n"), "00-assert.yaml": config("a")}, 2),
        ({"00-assert.yaml": ASSERT + "timeout: -1\n---\n" + config("a")}, 38),
    ],
)
def test_some_warnings_are_errors_here(load: Load, files: dict[str, str], quirk_number: int) -> None:
    """Q2 and Q38: a repeated key and a negative timeout."""
    assert [(one.severity, one.quirk) for one in found(load(files))] == [("error", quirk_number)]


def test_a_suite_of_another_group_is_an_error_here(tmp_path: Path) -> None:
    """Q6; and commands of the suite are looked at."""
    path = tmp_path / "kuttl-test.yaml"
    path.write_text("apiVersion: x/v1\nkind: TestSuite\n")
    assert [(one.severity, one.quirk) for one in lint_suite(load_suite(path))] == [("error", 6)]
    path.write_text("apiVersion: kuttl.dev/v1beta1\nkind: TestSuite\ntimeout: 5\ncommands: [{script: sleep 60}]\n")
    assert ["waits up to 60 s" in one.text for one in lint_suite(load_suite(path))] == [True]
    path.write_text("apiVersion: kuttl.dev/v1beta1\nkind: TestSuite\ncommands: [{script: sleep 60}]\n")
    assert lint_suite(load_suite(path)) == []  # Q28: without a timeout there is no limit


def test_objects_that_stand_twice_are_told(load: Load) -> None:
    """The same object applied twice, or asserted twice with the same content, in one step."""
    twice = load({"00-x.yaml": config("a") + "---\n" + config("a", "data: {}\n"), "00-assert.yaml": config("a")})
    assert ["is applied twice in step 0-x" in one.text for one in found(twice)] == [True]
    same = load({"00-assert.yaml": config("a") + "---\n" + config("a")})
    assert ["is asserted twice" in one.text for one in found(same)] == [True]
    parts = load({"00-assert.yaml": config("a", "data: {x: '1'}\n") + "---\n" + config("a", "data: {z: '2'}\n")})
    assert found(parts) == []


def test_an_errors_entry_that_contradicts_an_assert_is_an_error(load: Load) -> None:
    """What an assert demands always matches the errors entry: the step cannot pass."""
    loaded = load({"00-assert.yaml": config("a", "data: {x: '1'}\n"), "00-errors.yaml": config("a")})
    assert [one.severity for one in found(loaded)] == ["error"]
    fine = load({"00-assert.yaml": config("a", "data: {x: '1'}\n"), "00-errors.yaml": config("a", "data: {x: '2'}\n")})
    assert found(fine) == []


def test_a_kind_in_small_letters_is_told(load: Load) -> None:
    """Q54: it works for checks by name only."""
    loaded = load({"00-assert.yaml": "apiVersion: v1\nkind: pod\nmetadata: {name: a}\n"})
    assert [(one.quirk, one.hint) for one in found(loaded)] == [(54, 'did you mean "Pod"?')]


def test_an_asserted_null_is_told(load: Load) -> None:
    """Section 14.6: it never matches a missing field."""
    loaded = load({"00-assert.yaml": config("a", "data:\n  x:\n")})
    assert [".data.x is asserted to be null" in one.text for one in found(loaded)] == [True]


@pytest.mark.parametrize(
    ("files", "suite", "told"),
    [
        (
            {"00-x.yaml": STEP + "commands: [{script: sleep 60}]\n"},
            TestSuite(),
            "waits up to 60 s, but is stopped after 30 s",
        ),
        ({"00-x.yaml": STEP + "commands: [{script: sleep 60}]\n"}, TestSuite(timeout=90), ""),
        ({"00-x.yaml": STEP + "commands: [{script: sleep 60, timeout: 70}]\n"}, TestSuite(), ""),
        ({"00-x.yaml": STEP + "commands: [{script: sleep 60, timeout: -1}]\n"}, TestSuite(), ""),
        ({"00-x.yaml": STEP + "commands: [{command: kubectl wait --timeout=1m30s pod/x}]\n"}, TestSuite(), "90 s"),
        ({"00-x.yaml": STEP + "commands: [{script: 'sleep 1; sleep 2'}]\n"}, TestSuite(), ""),
        (
            {"00-assert.yaml": ASSERT + "timeout: 5\ncommands: [{script: sleep 6}]\n"},
            TestSuite(timeout=90),
            "after 5 s",
        ),
    ],
)
def test_timeouts_that_cannot_fit(load: Load, files: dict[str, str], suite: TestSuite, told: str) -> None:
    """A command that waits longer than it may run."""
    texts = [one.text for one in found(load(files), suite)]
    assert (len(texts), told in "".join(texts)) == ((1, True) if told else (0, True))


@pytest.mark.parametrize(
    ("text", "quirk_number", "told"),
    [
        ("kubectl get pods | grep x", 0, "has no shell: '|'"),
        ("echo a && echo b", 0, "has no shell: '&&'"),
        ("echo $(date)", 0, "has no shell: '$(date)'"),
        ("echo ${X:-y}", 58, "${X:-y} gives nothing"),
        ("'echo a #b'", 59, "the comment '#b' is dropped"),
        ('"echo a"', 0, ""),
        ("sh -c 'a | b'", 0, ""),
        ("kubectl get pods -o jsonpath={.items}", 0, ""),
    ],
)
def test_commands_are_read_as_the_runner_will(load: Load, text: str, quirk_number: int, told: str) -> None:
    """Section 17.2: shell syntax without a shell, defaults of variables, comments."""
    problems = found(load(command(text)))
    assert [one.quirk for one in problems] == ([quirk_number] if told else [])
    assert told in "".join(one.text for one in problems)


def test_an_unclosed_quote_and_a_command_that_cannot_run_are_errors(load: Load) -> None:
    """They would fail when the step runs."""
    assert [one.severity for one in found(load(command('"echo \'a"')))] == ["error"]
    assert [one.severity for one in found(load(command("x", "  script: z\n")))] == ["error"]


def test_a_namespace_behind_a_bare_double_dash(load: Load) -> None:
    """Q77: it is put before, unlike kuttl."""
    assert [one.quirk for one in found(load(command("kubectl exec p -- ls", "  namespaced: true\n")))] == [77]


def test_a_case_that_checks_nothing_is_told(load: Load) -> None:
    """It passes whatever happens to what it applied."""
    assert ["no step asserts anything" in one.text for one in found(load({"00-x.yaml": config("a")}))] == [True]


def test_a_directory_is_linted_case_by_case(write: Write) -> None:
    """The directory's own findings first, then each case with its own; one broken case does not end it."""
    case = write({"00-x.yaml": "[a\n"})
    (case.suite / "empty").mkdir()
    (case.suite / ".hidden").mkdir()
    results = {one.name if one else "": problems for one, problems in lint_directory(case.suite, TestSuite())}
    assert list(results) == ["", ".hidden", "case", "empty"]
    assert [one.quirk for one in results[""]] == [23]
    assert "error" in {one.severity for one in results["case"]}


def test_the_register_of_quirks_is_whole() -> None:
    """Section 27: 78 quirks, each with a verdict and an action, found by number."""
    assert [one.number for one in QUIRKS] == list(range(1, 79))
    assert {one.verdict for one in QUIRKS} == {"COPY", "WARN", "STRICT", "REPLACE"}
    assert all(one.behaviour and one.action for one in QUIRKS)
    assert (str(quirk(33)), quirk(33).verdict) == ("Q33", "WARN")
    for number in (0, 79):
        with pytest.raises(IndexError):
            quirk(number)
