"""Steps that name another cluster: kubeconfig, context, eager and lazy; one test for each rule."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.clusters.control_plane import ControlPlane
from harness.kit.documents import dump_yaml, load_documents
from harness.kube import Kube
from tests.suite_run.conftest import Runner

pytestmark = pytest.mark.contract

MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\n"


@pytest.fixture(scope="module")
def other() -> Iterator[ControlPlane]:
    """Yield a second API server."""
    with ControlPlane() as running:
        yield running


@pytest.fixture
def other_kube(other: ControlPlane) -> Iterator[Kube]:
    """Yield a client of the second API server."""
    with Kube.connect(other.kubeconfig) as client:
        yield client


def step(fields: str, kubeconfig: Path | str) -> str:
    """Return a TestStep of another cluster."""
    return f"apiVersion: kuttl.dev/v1beta1\nkind: TestStep\nkubeconfig: {kubeconfig}\n{fields}---\n"


def test_a_step_acts_on_the_cluster_that_it_names(runner: Runner, other: ControlPlane, other_kube: Kube) -> None:
    """Kubeconfig: what is made in one cluster is asserted there and denied in the other; both get the namespace."""
    files = {
        "00-there.yaml": step("", other.kubeconfig) + MAP,
        "00-assert.yaml": MAP,
        "01-errors.yaml": MAP,
        "02-there.yaml": step("", other.kubeconfig),
        "02-assert.yaml": MAP,
    }
    result = runner.run(files)
    assert result.passed, runner.told
    assert other_kube.find("v1", "Namespace", result.namespace) is not None
    suffix = f' (using kubeconfig "{other.kubeconfig}")'
    first = next(line.text for line in runner.lines if line.source == "case/0-there")
    assert first == f"starting test step 0-there{suffix}"


def test_its_commands_get_the_file_as_it_is(runner: Runner, other: ControlPlane) -> None:
    """Kubeconfig, quirk Q69: commands see the step's file; its context is in a variable of its own."""
    command = "commands:\n- script: echo $KUBECONFIG $HARNESS_CONTEXT\n"
    result = runner.run({"00-x.yaml": step(f"context: control-plane\n{command}", other.kubeconfig)})
    assert result.passed, runner.told
    assert f"{other.kubeconfig} control-plane" in runner.told


def test_a_context_is_chosen(runner: Runner, other: ControlPlane, other_kube: Kube, site: object) -> None:
    """Context: API calls go to the named context of the file, not to its current one."""
    here = load_documents(runner.site.kubeconfig)[0].value
    there = load_documents(other.kubeconfig)[0].value
    both = dict(here)
    for plural in ("clusters", "users"):
        both[plural] = [*here[plural], {**there[plural][0], "name": "there"}]
    both["contexts"] = [*here["contexts"], {"name": "there", "context": {"cluster": "there", "user": "there"}}]
    case = runner.write({"00-x.yaml": step("context: there\n", "both.yaml") + MAP, "both.yaml": dump_yaml(both)})
    result = runner.run({"00-assert.yaml": MAP})
    assert result.passed, runner.told
    assert case.directory.is_dir()
    assert other_kube.find("v1", "ConfigMap", "one", result.namespace) is not None


def test_a_lazy_kubeconfig_may_be_written_by_an_earlier_step(runner: Runner, other: ControlPlane) -> None:
    """Lazy: the file is read, and the namespace made, just before the step; it is relative to the test directory."""
    commands = f"apiVersion: kuttl.dev/v1beta1\nkind: TestStep\ncommands:\n- script: cp {other.kubeconfig} made.yaml\n"
    lazy = step("kubeconfigLoading: Lazy\n", "./made.yaml")
    result = runner.run({"00-x.yaml": commands, "01-x.yaml": lazy + MAP, "01-assert.yaml": MAP})
    assert result.passed, runner.told


def test_a_missing_kubeconfig(runner: Runner) -> None:
    """Eager: a missing file fails the case before any step; lazy: it fails its step."""
    result = runner.run({"00-x.yaml": step("", "absent.yaml")})
    assert result.outcome == "failed"
    assert result.steps == ()
    assert "absent.yaml" in result.setup or "no such file" in result.setup
    result = runner.run({"00-x.yaml": step("kubeconfigLoading: Lazy\n", "absent.yaml")}, "lazy")
    assert result.steps[0].failures[0].text.startswith("failed to lazy-load kubeconfig: ")


def test_variables_in_the_path(runner: Runner, other: ControlPlane) -> None:
    """Kubeconfig: variables are put into the path."""
    runner.more["variables"] = {"WHERE": str(other.kubeconfig), "PATH": "/usr/bin:/bin"}
    assert runner.run({"00-x.yaml": step("", "${WHERE}") + MAP, "00-assert.yaml": MAP}).passed, runner.told
