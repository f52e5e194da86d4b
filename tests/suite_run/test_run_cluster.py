"""Cases on a cluster with nodes and controllers: pods, their logs, and namespaces that really go away."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.kube import Kube
from harness.suite.janitor import Janitor
from harness.suite.recorder import Recorder
from harness.suite.run import run_suite
from harness.suite.sites import Site
from tests.suite_run.conftest import Runner

pytestmark = pytest.mark.cluster

KUBECONFIG = "HARNESS_TEST_KUBECONFIG"
POD = """
apiVersion: v1
kind: Pod
metadata: {name: one}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {name: main, image: "docker.io/library/busybox:1.28", imagePullPolicy: IfNotPresent, command: [sh, -c, "echo said; sleep 600"]}
"""  # noqa: E501 - as one writes it
RUNNING = "apiVersion: v1\nkind: Pod\nmetadata: {name: one}\nstatus: {phase: Running}\n"
CHECK = "apiVersion: kuttl.dev/v1beta1\nkind: TestAssert\ntimeout: 2\n"


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Runner]:
    """Yield a runner on a kind cluster, named by its kubeconfig."""
    named = os.environ.get(KUBECONFIG)
    if not named:
        pytest.fail(f"tests marked cluster need a kind cluster: export {KUBECONFIG}=FILE (kind get kubeconfig > FILE)")
    with Kube.connect(Path(named)) as client:
        recorder = Recorder(client)
        site = Site(kube=client, recorder=recorder, kubeconfig=Path(named))
        runner = Runner(site=site, folder=tmp_path / "suite", suite={"timeout": 60})
        yield runner
        recorder.close()


def test_a_pod_in_a_new_namespace_which_goes_away(nodes: Runner) -> None:
    """Apply: a bare pod waits for its namespace's service account; the namespace is gone when the run ends."""
    nodes.write({"00-x.yaml": POD, "00-assert.yaml": RUNNING}, "case")
    nodes.more["run"] = "suite-run-tests"
    environment = nodes.environment()
    result = run_suite(environment, [str(nodes.folder)])
    (case,) = result.cases
    assert case.passed, nodes.told
    environment.janitor.finish(60)
    assert nodes.site.kube.find("v1", "Namespace", case.namespace) is None


def test_logs_of_pods_are_collected(nodes: Runner) -> None:
    """Collectors: logs of pods by name, each line with its pod and container, and the events about an object."""
    collectors = "collectors:\n- {type: pod, pod: one}\n- {type: events, pod: one}\n"
    never = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: never}\n"
    files = {"00-x.yaml": POD, "00-assert.yaml": RUNNING, "01-assert.yaml": CHECK + collectors + never}
    result = nodes.run(files)
    assert result.outcome == "failed"
    collected = result.steps[1].collected
    assert "[pod/one/main] said" in collected
    assert any("Started" in line for line in collected)
    assert Janitor(timeout=1).finish() == []
