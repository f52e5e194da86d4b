"""Steps on a real API server: their order, commands, expressions, collectors; one test for each rule."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from harness.kube import Kube
from harness.suite.model import Step
from harness.suite.problem import Mode
from harness.suite.results import CaseResult, Failure
from tests.suite_run.conftest import Runner

pytestmark = pytest.mark.contract

Later = Callable[[float, Callable[[], object]], None]


def config_map(name: str = "one", **data: str) -> str:
    """Return a ConfigMap as a document."""
    lines = "".join(f"  '{key}': '{value}'\n" for key, value in data.items())
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n" + (f"data:\n{lines}" if lines else "")


def step(text: str) -> str:
    """Return a TestStep."""
    return f"apiVersion: kuttl.dev/v1beta1\nkind: TestStep\n{text}"


def check(text: str) -> str:
    """Return a TestAssert."""
    return f"apiVersion: kuttl.dev/v1beta1\nkind: TestAssert\n{text}"


def texts(result: CaseResult) -> list[str]:
    """Return the failures of the last step."""
    return [failure.text for failure in result.steps[-1].failures]


def strict(runner: Runner) -> Runner:
    """Make a runner bug for bug."""
    assert "strict" in get_args(Mode)
    runner.options = replace(runner.options, mode="strict")
    return runner


def test_a_step_deletes_then_commands_then_applies_then_asserts(runner: Runner, kube: Kube) -> None:
    """Running a step: delete, commands, apply, asserts, in this order; steps by number, not by text."""
    files = {
        "1-x.yaml": config_map("one"),
        "2-x.yaml": step(
            "delete:\n- {apiVersion: v1, kind: ConfigMap, name: one}\ncommands:\n- script: echo now\n---\n"
        )
        + config_map("two"),
        "10-assert.yaml": config_map("two"),
    }
    result = runner.run(files)
    assert result.passed, runner.told
    assert [one.name for one in result.steps] == ["1-x", "2-x", "10-"]
    order = [line.text for line in runner.lines if line.source == "case/2-x"]
    home = result.namespace
    assert order == [
        "starting test step 2-x",
        f"ConfigMap:{home}/one deleted",
        "running command: [sh -c echo now]",
        "now",
        f"ConfigMap:{home}/two created",
        "test step completed 2-x",
    ]


def test_a_failed_command_skips_the_others_and_the_apply(runner: Runner, kube: Kube) -> None:
    """Commands, quirk Q63: after a failure the other commands are skipped, and nothing is applied."""
    files = {
        "00-x.yaml": step("commands:\n- script: exit 3\n- script: echo no\n- script: echo no\n---\n") + config_map()
    }
    result = runner.run(files)
    assert texts(result) == ['command "exit 3" failed, exit status 3']
    assert result.steps[0].failures[0].where.endswith("00-x.yaml:4:3")
    assert "command failure, skipping 2 additional commands" in runner.told
    assert kube.find("v1", "ConfigMap", "one", result.namespace) is None


def test_strict_mode_applies_after_a_failed_command(runner: Runner, kube: Kube) -> None:
    """Quirk Q63: kuttl applies all the same, though the step has failed."""
    result = strict(runner).run({"00-x.yaml": step("commands:\n- script: exit 3\n---\n") + config_map()})
    assert result.outcome == "failed"
    assert kube.find("v1", "ConfigMap", "one", result.namespace) is not None


def test_ignored_failures_do_not_count(runner: Runner) -> None:
    """Commands: ignoreFailure hides an exit code and a timeout (quirk Q56, with a warning), not a missing program."""
    commands = "- {script: exit 3, ignoreFailure: true}\n- {command: sleep 60, timeout: 1, ignoreFailure: true}\n"
    result = runner.run({"00-x.yaml": step(f"commands:\n{commands}")})
    assert result.passed
    assert [problem.quirk for problem in result.steps[0].problems] == [56]
    missing = "commands:\n- {command: no-such-program, ignoreFailure: true}\n"
    assert runner.run({"00-x.yaml": step(missing)}, "missing").outcome == "failed"


def test_a_command_s_own_timeout(runner: Runner) -> None:
    """Commands: a timeout above 0 replaces the suite's, below 0 there is none."""
    result = runner.run({"00-x.yaml": step("commands:\n- {command: sleep 60, timeout: 1}\n")})
    assert texts(result) == ['command "sleep 60" exceeded 1 sec timeout, context deadline exceeded']
    runner.suite["timeout"] = 1
    assert runner.run({"00-x.yaml": step("commands:\n- {command: sleep 1.2, timeout: -1}\n")}, "none").passed
    assert runner.run({"00-x.yaml": step("commands:\n- {command: sleep 5}\n")}, "suite").outcome == "failed"


def test_a_background_command_of_a_step_ends_with_the_case(runner: Runner) -> None:
    """Quirk Q57: it runs beside the step with a true log line, ends with the case, and a warning says so."""
    begun = time.monotonic()
    result = runner.run({"00-x.yaml": step("commands:\n- {command: sleep 60, background: true}\n")})
    assert result.passed
    assert time.monotonic() - begun < 5
    assert [problem.quirk for problem in result.steps[0].problems] == [57]
    assert "background process [sleep 60] ended with exit code -15" in runner.told


def test_commands_run_in_the_test_directory_also_for_step_folders(runner: Runner) -> None:
    """Environment: the working folder is the test directory, for step folders, asserts and collectors too."""
    files = {
        "check.sh": "test -f check.sh && echo $NAMESPACE > here",
        "00-x/run.yaml": step("commands:\n- command: sh ./check.sh\n"),
        "01-assert.yaml": check("commands:\n- command: sh ./check.sh\n"),
    }
    result = runner.run(files)
    assert result.passed, runner.told
    assert (runner.folder / "case" / "here").read_text().strip() == result.namespace


def test_assert_commands_run_until_they_succeed(runner: Runner, tmp_path: Path, later: Later) -> None:
    """The loop: assert commands run again in every round, at once and then with growing pauses."""
    flag = tmp_path / "flag"
    later(0.6, flag.touch)
    result = runner.run({"00-assert.yaml": check(f"commands:\n- script: test -f {flag}\n")})
    assert result.passed
    rounds = sum(line.text.startswith("running command") for line in runner.lines)
    assert 3 <= rounds <= 8
    assert result.steps[0].seconds < 2


def test_assert_commands_and_objects_must_agree_in_one_round(runner: Runner, kube: Kube, later: Later) -> None:
    """The loop: commands that succeed are run again when the objects come to match."""
    namespace = f"n-{uuid.uuid4().hex[:8]}"
    later(0.5, lambda: kube.patch("v1", "ConfigMap", "one", {"data": {"a": "2"}}, namespace))
    files = {
        "00-x.yaml": config_map(a="1"),
        "00-assert.yaml": check("commands:\n- script: 'true'\n---\n") + config_map(a="2"),
    }
    result = runner.run(files, namespace=namespace)
    assert result.passed
    assert 0.3 < result.steps[0].seconds < 1.2


def test_a_failed_assert_command_is_told_once(runner: Runner) -> None:
    """Assert commands: an unknown program, and a non-zero exit, give exactly one error each, with the output's end."""
    runner.suite["timeout"] = 1
    result = runner.run({"00-assert.yaml": check("commands:\n- command: no-such-program\n- script: echo no\n")})
    assert texts(result) == ['exec: "no-such-program": executable file not found in $PATH']
    result = runner.run({"00-assert.yaml": check("commands:\n- script: echo seen; exit 4\n")}, "exit")
    assert texts(result) == ['command "echo seen; exit 4" failed, exit status 4']
    assert result.steps[0].failures[0].output == "seen"


def test_an_assert_command_that_takes_too_long_ends_the_loop(runner: Runner) -> None:
    """Assert commands: `sleep 5` with a timeout of 1 is one error, in far less than 5 s; the loop does not go on."""
    result = runner.run({"00-assert.yaml": check("timeout: 1\ncommands:\n- command: sleep 5\n")})
    assert texts(result) == ['command "sleep 5" exceeded 1 sec timeout, context deadline exceeded']
    assert result.steps[0].seconds < 3


def test_errors_come_in_kuttl_s_order(runner: Runner) -> None:
    """The loop: the errors of the last round: asserts, commands, expressions, errors."""
    runner.suite["timeout"] = 1
    references = "resourceRefs:\n- {apiVersion: v1, kind: ConfigMap, name: one, ref: r}\n"
    expressions = f"{references}assertAll:\n- celExpr: r.data.a == '2'\n"
    files = {
        "00-x.yaml": config_map(a="1"),
        "00-assert.yaml": check(f"commands:\n- script: exit 1\n{expressions}---\n") + config_map(a="3"),
        "00-errors.yaml": config_map(a="1"),
    }
    result = runner.run(files)
    starts = ["resource ConfigMap:", "command ", "not all assertAll", "resource /v1, Kind=ConfigMap one matched"]
    found = texts(result)
    assert len(found) == 4
    assert all(text.startswith(start) for text, start in zip(found, starts, strict=True))


def cel(expressions: str, refs: str = "- {apiVersion: v1, kind: ConfigMap, name: one, ref: r}\n") -> str:
    """Return a TestAssert with expressions over one reference."""
    return check(f"resourceRefs:\n{refs}{expressions}")


def test_expressions_that_hold(runner: Runner) -> None:
    """CEL: several assertAll, several assertAny of which one is true."""
    good = "assertAll:\n- celExpr: r.data.a == '1'\n- celExpr: has(r.metadata.uid)\n"
    good += "assertAny:\n- celExpr: 'false'\n- celExpr: 'true'\n"
    assert runner.run({"00-x.yaml": config_map(a="1"), "00-assert.yaml": cel(good)}).passed


def test_expressions_that_do_not_hold(runner: Runner) -> None:
    """CEL: the texts of assertAll and assertAny name each expression that is not true."""
    runner.suite["timeout"] = 1
    bad = "assertAll:\n- celExpr: r.data.a == '1'\n- celExpr: r.data.a == '2'\nassertAny:\n- celExpr: r.data.b == 'x'\n"
    result = runner.run({"00-x.yaml": config_map(a="1"), "00-assert.yaml": cel(bad)})
    assert texts(result) == [
        "no expression evaluated to true:\nfailed to evaluate CEL expression: no such key: b",
        "not all assertAll expressions evaluated to true:\nexpression \"r.data.a == '2'\" evaluated to 'false'",
    ]


def test_a_reference_that_is_missing(runner: Runner) -> None:
    """CEL: a referenced object that is not there ends the check, also without any expression."""
    runner.suite["timeout"] = 1
    result = runner.run({"00-assert.yaml": cel("")})
    assert texts(result) == [
        f"failed to get referenced resource '{result.namespace}/one': configmaps \"one\" not found"
    ]


def test_expressions_are_decided_by_events(runner: Runner, kube: Kube, later: Later) -> None:
    """CEL: an expression completes its step with the event that makes it true."""
    namespace = f"n-{uuid.uuid4().hex[:8]}"
    changed: list[float] = []

    def change() -> None:
        kube.patch("v1", "ConfigMap", "one", {"data": {"a": "2"}}, namespace)
        changed.append(time.time())

    later(0.4, change)
    files = {"00-x.yaml": config_map(a="1"), "00-assert.yaml": cel("assertAll:\n- celExpr: r.data.a == '2'\n")}
    result = runner.run(files, namespace=namespace)
    assert result.passed
    assert result.steps[0].started + result.steps[0].seconds - changed[0] < 0.3


def test_an_expression_that_does_not_compile_is_a_load_error(runner: Runner, kube: Kube) -> None:
    """CEL, files: load errors fail the case before its namespace is made, and no step runs."""
    result = runner.run({"00-assert.yaml": cel("assertAll:\n- celExpr: other.a == 1\n")})
    assert result.outcome == "failed"
    assert result.steps == ()
    assert "undeclared reference to 'other'" in result.load[0].text
    assert kube.find("v1", "Namespace", result.namespace) is None


COLLECT = "collectors:\n- {command: echo collected}\n- {type: pod}\n- {type: events}\n- {pod: nobody}\n"


def test_collectors_run_when_the_step_has_failed(runner: Runner) -> None:
    """Collectors: each is logged and run; invalid ones are skipped; what goes wrong in them does not count."""
    runner.suite["timeout"] = 1
    result = runner.run({"00-assert.yaml": check(f"{COLLECT}---\n") + config_map()})
    assert "collecting log output for [type==command,command: echo collected]" in runner.told
    assert "collecting log output for [collector invalid: pod collector requires a pod or selector]" in runner.told
    assert "skipping invalid assertion collector" in runner.told
    assert "collected" in result.steps[0].collected
    assert any("pods" in line and "nobody" in line for line in result.steps[0].collected)
    assert len(texts(result)) == 1
    assert "test step failed" in runner.told


def test_collectors_run_also_when_the_apply_failed(runner: Runner) -> None:
    """Quirk Q64: configured collectors run on any failure of the step; strict mode runs them after the loop only."""
    files = {"00-x.yaml": step("commands:\n- script: exit 1\n"), "00-assert.yaml": check(COLLECT)}
    assert "collected" in runner.run(files).steps[0].collected
    assert runner.run({"00-x.yaml": config_map(), "00-assert.yaml": check(COLLECT)}, "passes").steps[0].collected == ()
    assert strict(runner).run(files, "strict").steps[0].collected == ()


def test_events_of_the_namespace_are_logged(runner: Runner, kube: Kube) -> None:
    """Events: after the last step all events of the namespace are logged, eight fields each, unless suppressed."""
    event = """
        apiVersion: events.k8s.io/v1
        kind: Event
        metadata: {name: e1}
        eventTime: 2030-01-02T03:04:05.000000Z
        type: Normal
        reason: Tested
        action: Testing
        note: a note
        reportingController: example.com/tests
        reportingInstance: i
        regarding: {apiVersion: v1, kind: ConfigMap, name: one, namespace: NS}
        """
    namespace = f"n-{uuid.uuid4().hex[:8]}"
    result = runner.run({"00-x.yaml": event.replace("NS", namespace)}, namespace=namespace)
    assert result.passed, runner.told
    assert f"case events from ns {namespace}:" in runner.told
    (line,) = [line.text for line in runner.lines if "a note" in line.text]
    assert line.split("\t")[1:] == [
        "Normal", "ConfigMap one", "Testing", "Tested", "a note", "example.com/tests", "",
    ]  # fmt: skip
    runner.suite["suppress"] = ("Events",)
    runner.lines.clear()
    runner.run({"00-x.yaml": config_map()}, "suppressed")
    assert "skipping kubernetes event logging" in runner.told
    assert "events from ns" not in runner.told


def test_files_for_other_runs_are_left_out(runner: Runner) -> None:
    """TestFile: the labels of the run choose among files; a step whose files are all left out runs empty."""
    files = {
        "00-a.yaml": "apiVersion: kuttl.dev/v1beta1\nkind: TestFile\ntestRunSelector: {matchLabels: {flavor: a}}\n---\n"
        + config_map("a"),
        "00-assert.yaml": config_map("a"),
        "01-b.yaml": "apiVersion: kuttl.dev/v1beta1\nkind: TestFile\ntestRunSelector: {matchLabels: {flavor: b}}\n---\n"
        + config_map("b"),
    }
    runner.options = replace(runner.options, run_labels={"flavor": "a"})
    result = runner.run(files)
    assert result.passed, runner.told
    assert [one.name for one in result.steps] == ["0-a", "1-"]
    assert "label selector does not match test run labels" in runner.told


def test_listed_files_are_applied_asserted_and_denied(runner: Runner) -> None:
    """TestStep: apply, assert and error name further files, with variables, from files and folders."""
    files = {
        "00-x.yaml": step("apply: [more/a.yaml, more/sub]\nassert: [checks]\nerror: [absent.yaml]\n"),
        "more/a.yaml": config_map("a"),
        "more/sub/b.yaml": config_map("b"),
        "checks/a.yaml": config_map("a"),
        "checks/b.yaml": config_map("b"),
        "absent.yaml": config_map("c"),
    }
    result = runner.run(files)
    assert result.passed, runner.told
    assert result.steps[0].assertions == 3


def test_a_template_knows_the_namespace(runner: Runner) -> None:
    """Templates: the test's namespace and variables are put in, in applied and asserted files."""
    runner.options = replace(runner.options, variables={"size": 3})
    text = config_map("one", at="{{ .Namespace }}", size="{{ .Vars.size }}")
    result = runner.run({"00-x.gotmpl.yaml": text, "01-assert.gotmpl.yaml": text})
    assert result.passed, runner.told


def test_expressions_without_references(runner: Runner) -> None:
    """CEL: expressions that name no object are evaluated too; a false one fails."""
    runner.suite["timeout"] = 1
    assert runner.run({"00-assert.yaml": check("assertAll:\n- celExpr: 1 + 1 == 2\n")}).passed
    result = runner.run({"00-assert.yaml": check("assertAll:\n- celExpr: 1 + 1 == 3\n")}, "false")
    assert result.outcome == "failed"


def test_a_kind_of_ours_that_nobody_runs_fails(runner: Runner) -> None:
    """Extensions: documents of group harness.dev never pass unseen; who runs them is handed the step."""
    files = {"00-x.yaml": "apiVersion: harness.dev/v1alpha1\nkind: Step\n"}
    result = runner.run(files)
    assert texts(result) == ["harness.dev/v1alpha1, Kind=Step cannot be run here"]
    seen: list[str] = []

    def run(step: Step, *_: object) -> list[Failure]:
        seen.extend(entry.kind for entry in step.extensions)
        return []

    runner.more["extensions"] = run
    assert runner.run(files, "handed").passed
    assert seen == ["Step"]
