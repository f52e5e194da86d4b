"""Whole runs on a real API server: setup, namespaces, clean-up, interruption, reports; one test for each rule."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.kit.process import alive
from harness.kit.waiting import Pending, until
from harness.kube import Kube
from harness.suite.janitor import Janitor
from harness.suite.report import render_json, render_xml
from harness.suite.results import RunResult
from harness.suite.run import run_suite
from harness.suite.spec import Command, Metadata
from tests.suite_run.conftest import Runner

pytestmark = pytest.mark.contract

Later = Callable[[float, Callable[[], object]], None]
MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {}}}\n"
COMMAND = "apiVersion: kuttl.dev/v1beta1\nkind: TestStep\ncommands:\n- script: {}\n"
CHECK = "apiVersion: kuttl.dev/v1beta1\nkind: TestAssert\ncommands:\n- script: {}\n"


def run(runner: Runner, *names: str, controllers: bool = False) -> RunResult:
    """Run test directories below the runner's folder."""
    names = names or (".",)
    return run_suite(runner.environment(), [str(runner.folder / name) for name in names], controllers=controllers)


def group() -> str:
    """Return a new API group."""
    return f"g{uuid.uuid4().hex[:8]}.example.com"


def crd(name: str) -> str:
    """Return a CustomResourceDefinition of a group."""
    return f"""
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: things.{name}}}
spec:
  group: {name}
  names: {{kind: Thing, plural: things}}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema: {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}
"""


def test_cases_run_in_parallel_each_in_its_own_namespace(runner: Runner) -> None:
    """Model: every folder is a case, `parallel` at a time, each with a generated namespace."""
    runner.suite["parallel"] = 4
    for number in range(4):
        runner.write({"00-x.yaml": COMMAND.format("sleep 0.5")}, f"case-{number}")
    begun = time.monotonic()
    result = run(runner)
    assert result.passed, runner.told
    assert time.monotonic() - begun < 1.8
    cases = list(result.cases)
    assert [case.name for case in cases] == [f"case-{number}" for number in range(4)]
    assert len({case.namespace for case in cases}) == 4
    assert all(case.namespace.startswith("kuttl-") for case in cases)


def test_parallel_is_a_limit(runner: Runner) -> None:
    """TestSuite.parallel: no more than so many cases run at once."""
    runner.suite["parallel"] = 1
    for number in range(2):
        runner.write({"00-x.yaml": COMMAND.format("sleep 0.2")}, f"case-{number}")
    first, second = run(runner).cases
    assert second.started >= first.started + first.seconds - 0.05


def test_empty_and_broken_cases(runner: Runner) -> None:
    """Discovery, quirks Q23 and Q72: a folder without steps passes; one that cannot be read fails, the others run."""
    runner.write({"README.md": "nothing"}, "empty")
    runner.write({"00-x.yaml": "a: [1"}, "broken")
    runner.write({"00-x.yaml": MAP.format("one")}, "good")
    result = run(runner)
    assert {case.name: case.outcome for case in result.cases} == {
        "empty": "passed", "broken": "failed", "good": "passed",
    }  # fmt: skip
    assert not result.passed
    assert 'name="load"' in render_xml(result)


def test_selected_cases_only(runner: Runner) -> None:
    """--test: only the selected cases run; none selected is a passed run."""
    runner.write({"00-x.yaml": MAP.format("one")}, "foo")
    runner.write({"00-x.yaml": MAP.format("one")}, "bar")
    environment = runner.environment()
    result = run_suite(environment, [str(runner.folder)], select=lambda case: case.name == "foo", controllers=False)
    assert [case.name for case in result.cases] == ["foo"]
    nothing = run_suite(runner.environment(), [str(runner.folder)], select=lambda _: False, controllers=False)
    assert nothing.passed
    assert [suite.name for suite in nothing.suites] == [str(runner.folder)]


def test_a_missing_test_directory_ends_the_run(runner: Runner) -> None:
    """Life of a run: a test directory that does not exist ends the run, with a failure at the report's root."""
    result = run(runner, "absent")
    assert not result.passed
    assert "absent" in result.failure
    root = ET.fromstring(render_xml(result))  # noqa: S314 - our own text
    assert root.find("failure") is not None


def test_crds_and_manifests_are_installed_first(runner: Runner, kube: Kube, tmp_path: Path) -> None:
    """crdDir, manifestDirs, quirk Q26: CRDs are served before the cases begin; namespaced objects go to default."""
    name, word = group(), f"m{uuid.uuid4().hex[:8]}"
    (tmp_path / "crds" / "sub").mkdir(parents=True)
    (tmp_path / "crds" / "sub" / "thing.yml").write_text(crd(name) + "---\n" + MAP.format(word))
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "x.json").write_text(
        json.dumps({"apiVersion": f"{name}/v1", "kind": "Thing", "metadata": {"name": word}})
    )
    runner.suite |= {"crd_dir": str(tmp_path / "crds"), "manifest_dirs": (str(tmp_path / "manifests"),)}
    runner.write({"00-x.yaml": f"apiVersion: {name}/v1\nkind: Thing\nmetadata: {{name: x}}\n"}, "case")
    result = run(runner)
    assert result.passed, runner.told
    assert kube.find(f"{name}/v1", "Thing", word, "default") is not None
    assert kube.find("v1", "ConfigMap", word, "default") is None
    assert "Skipping resource /v1, Kind=ConfigMap because it does not match expected kinds" in runner.told
    kube.delete("apiextensions.k8s.io/v1", "CustomResourceDefinition", f"things.{name}")


def test_a_broken_manifest_ends_the_run(runner: Runner, tmp_path: Path) -> None:
    """Life of a run: an error of the setup is fatal; no case runs."""
    (tmp_path / "bad.yaml").write_text(
        "apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {ports: [{port: 0}]}\n"
    )
    runner.suite["manifest_dirs"] = (str(tmp_path / "bad.yaml"),)
    runner.write({"00-x.yaml": MAP.format("one")})
    result = run(runner)
    assert result.failure.startswith("fatal error installing manifests: applying /v1, Kind=Service x failed")
    assert list(result.cases) == []


def test_suite_commands_run_once_in_the_runner_s_folder(runner: Runner, tmp_path: Path) -> None:
    """Suite commands, quirk Q27: in order, in the runner's folder, with NAMESPACE=default."""
    home = tmp_path / "home"
    home.mkdir()
    runner.more["home"] = home
    name = f"n-{uuid.uuid4().hex[:8]}"
    script = "echo $NAMESPACE $HARNESS_NAMESPACE >> said"
    runner.suite |= {"commands": (Command(script=script), Command(script="echo 2 >> said")), "namespace": name}
    runner.write({"00-x.yaml": MAP.format("one")})
    assert run(runner).passed, runner.told
    assert (home / "said").read_text().splitlines() == [f"default {name}", "2"]


def test_a_failing_suite_command_ends_the_run(runner: Runner) -> None:
    """Suite commands: the first failure aborts, unless it is to be ignored; no limit unless one was given (Q28)."""
    runner.write({"00-x.yaml": MAP.format("one")})
    runner.suite["commands"] = (Command(script="exit 1", ignore_failure=True), Command(script="exit 2"))
    result = run(runner)
    assert result.failure == 'fatal error running commands: command "exit 2" failed, exit status 2'
    assert list(result.cases) == []


def test_background_suite_commands_end_with_the_run(runner: Runner, tmp_path: Path) -> None:
    """Suite commands: `sleep 1000000` in the background does not hold the run, and is ended with it."""
    command = Command(script=f"echo $$ > {tmp_path}/pid; sleep 1000000", background=True)
    runner.suite["commands"] = (command,)
    runner.write({"00-x.yaml": COMMAND.format(f"'while ! test -s {tmp_path}/pid; do sleep 0.05; done'")})
    result = run(runner)
    assert result.passed, runner.told
    pid = int((tmp_path / "pid").read_text())
    until(lambda: True if not alive(pid) else Pending("it runs"), timeout=5, wanted="the process ended")
    assert "background processes [[sh -c " in runner.told


def test_a_shared_namespace_lives_for_the_whole_run(runner: Runner, kube: Kube) -> None:
    """Namespaces, quirk Q44: the suite's namespace is made before the first case and removed after the last."""
    name = f"n-{uuid.uuid4().hex[:8]}"
    runner.suite |= {"namespace": name, "skip_delete": False, "parallel": 1}
    runner.write({"00-x.yaml": MAP.format("one")}, "a")
    runner.write({"00-x.yaml": MAP.format("two"), "00-assert.yaml": MAP.format("two")}, "b")
    result = run(runner)
    assert all(case.passed for case in result.cases)
    assert {case.namespace for case in result.cases} == {name}
    assert [line.text for line in runner.lines].count(f'Deleting namespace "{name}"') == 1
    assert kube.get("v1", "Namespace", name)["metadata"].get("deletionTimestamp")


def test_a_namespace_that_was_there_stays(runner: Runner, kube: Kube) -> None:
    """Namespaces: a namespace of the user is used and kept; objects that the case made in it are removed."""
    name = f"n-{uuid.uuid4().hex[:8]}"
    kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    kube.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mine"}}, name)
    runner.suite |= {"namespace": name, "skip_delete": False}
    runner.write({"00-x.yaml": f"{MAP.format('one')}---\n{MAP.format('mine')}data: {{a: b}}\n"})
    result = run(runner)
    assert result.passed, runner.told
    assert not kube.get("v1", "Namespace", name)["metadata"].get("deletionTimestamp")
    assert kube.find("v1", "ConfigMap", "one", name) is None
    assert kube.get("v1", "ConfigMap", "mine", name)["data"] == {"a": "b"}, "what was updated is not restored"


def test_what_hangs_is_an_error_of_the_run_and_not_of_the_case(runner: Runner) -> None:
    """Namespaces, quirk Q43: a namespace that does not go is told with its state; the case has passed all the same."""
    runner.suite["skip_delete"] = False
    runner.write({"00-x.yaml": MAP.format("one")})
    environment = replace(runner.environment(), janitor=Janitor(timeout=0.5))
    result = run_suite(environment, [str(runner.folder)], controllers=False)
    (case,) = result.cases
    assert case.passed
    assert not result.passed
    (line,) = result.cleanup
    assert line.startswith(f"namespace {case.namespace} is still there: phase Terminating")
    assert "clean-up left something" in render_xml(result)


def test_cluster_scoped_objects_are_removed_before_the_case_ends(runner: Runner, kube: Kube) -> None:
    """Clean-up, quirk Q50: objects outside of the case's namespace are gone when the case ends, in reverse order."""
    name = group()
    runner.suite["skip_delete"] = False
    result = runner.run(
        {"00-x.yaml": crd(name), "01-x.yaml": f"apiVersion: {name}/v1\nkind: Thing\nmetadata: {{name: x}}\n"}
    )
    assert result.passed, runner.told
    assert kube.find("apiextensions.k8s.io/v1", "CustomResourceDefinition", f"things.{name}") is None


def test_a_held_cluster_scoped_object_is_told(runner: Runner, kube: Kube) -> None:
    """Clean-up: an object that a finalizer holds is named, with the finalizer; the case has passed."""
    name = f"r{uuid.uuid4().hex[:8]}"
    runner.suite["skip_delete"] = False
    runner.more["cleanup_timeout"] = 0.5
    metadata = f"metadata: {{name: {name}, finalizers: [example.com/x]}}\n"
    held = f"apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\n{metadata}"
    result = runner.run({"00-x.yaml": held})
    assert result.passed
    assert result.cleanup
    assert "example.com/x" in result.cleanup[0]
    kube.patch("rbac.authorization.k8s.io/v1", "ClusterRole", name, {"metadata": {"finalizers": None}})


def test_skip_delete_keeps_everything(runner: Runner, kube: Kube) -> None:
    """skipDelete: namespaces and created objects stay."""
    result = runner.run({"00-x.yaml": MAP.format("one")})
    assert kube.find("v1", "ConfigMap", "one", result.namespace) is not None
    assert not kube.get("v1", "Namespace", result.namespace)["metadata"].get("deletionTimestamp")


def test_namespaces_carry_the_run(runner: Runner, kube: Kube) -> None:
    """Clean-up: a namespace names its run, so that what a killed run left can be found."""
    runner.more["run"] = "run-x"
    result = runner.run({"00-x.yaml": MAP.format("one")})
    assert kube.get("v1", "Namespace", result.namespace)["metadata"]["labels"]["harness.dev/run"] == "run-x"


def test_an_interrupt_ends_everything_and_is_reported(runner: Runner, tmp_path: Path) -> None:
    """Quirk Q22: on SIGINT waits and commands end at once, clean-up runs, the interrupted cases are in the report."""
    runner.suite |= {"timeout": 60, "parallel": 2}
    runner.write({"00-assert.yaml": MAP.format("never")}, "waits")
    runner.write({"00-x.yaml": COMMAND.format(f"'echo $$ > {tmp_path}/pid; exec sleep 60'")}, "runs")
    threading.Timer(1.0, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    begun = time.monotonic()
    result = run(runner)
    assert time.monotonic() - begun < 8
    assert result.interrupted
    assert not result.passed
    assert {case.name: case.outcome for case in result.cases} == {"waits": "interrupted", "runs": "interrupted"}
    pid = int((tmp_path / "pid").read_text())
    until(lambda: True if not alive(pid) else Pending("it runs"), timeout=5, wanted="the process ended")
    assert "the run was interrupted" in render_xml(result)


def suites(runner: Runner) -> RunResult:
    """Run two suites of three cases: passes; fails in step 2 by command; fails in step 1 by an assert command."""
    runner.suite |= {"timeout": 1, "metadata": Metadata(name="nightly")}
    one, two = MAP.format("one"), MAP.format("two")
    cases = {
        "passes": {"00-x.yaml": one, "01-assert.yaml": one, "02-x.yaml": two},
        "step-one": {"00-x.yaml": one, "01-assert.yaml": CHECK.format("exit 1"), "02-x.yaml": two},
        "step-two": {"00-x.yaml": one, "01-x.yaml": two, "02-x.yaml": COMMAND.format("exit 1")},
    }
    for suite in ("a", "b"):
        for name, files in cases.items():
            runner.write(files, f"{suite}/{name}")
    environment = runner.environment()
    return run_suite(environment, [str(runner.folder / "a"), str(runner.folder / "b")], controllers=False)


def test_reports_count_cases_and_failures(runner: Runner) -> None:
    """Acceptance case of the reports: per step every setup and step is a case, per test every test; four failures."""
    result = suites(runner)
    assert not result.passed
    by_step = ET.fromstring(render_xml(result))  # noqa: S314 - our own text
    by_test = ET.fromstring(render_xml(result, granularity="test"))  # noqa: S314 - our own text
    per_suite = 4 + 4 + 3
    assert (by_step.get("tests"), by_step.get("failures")) == (str(2 * per_suite), "4")
    assert (by_test.get("tests"), by_test.get("failures")) == ("6", "4")
    value = json.loads(render_json(result, granularity="test"))
    assert (value["tests"], value["failures"], value["name"]) == (6, 4, "nightly")
