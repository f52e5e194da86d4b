"""The pytest plugin: options, the run, what a failed test prints, with the cluster faked."""

from __future__ import annotations

import pytest

CONFTEST = """
import pytest
from harness.clusters.provider import Cluster
from pathlib import Path

class FakeKube:
    default_namespace = "default"
    def __init__(self): self.namespaces = {}
    def server_version(self): return "v1.36.3"
    def create(self, manifest, namespace=None):
        self.namespaces[manifest["metadata"]["name"]] = manifest; return manifest
    def delete(self, api_version, kind, name, namespace=None, **_): self.namespaces.pop(name, None)
    def find(self, api_version, kind, name, namespace=None): return self.namespaces.get(name)
    def list(self, api_version, kind, namespace=None, *, labels="", fields=""):
        if kind != "Pod": return []
        return [{"kind": "Pod", "metadata": {"name": "db-0", "namespace": namespace, "uid": "1"},
                 "spec": {"containers": [{"name": "db"}]},
                 "status": {"phase": "Pending", "containerStatuses": [{"name": "db", "ready": False,
                     "state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image db:2"}}}]}}]
    def logs(self, *a, **k): return ""
    def close(self): pass

@pytest.fixture(scope="session")
def cluster():
    return Cluster(name="fake", kubeconfig=Path("k"), context="fake", kubernetes_version="v1.36.3",
                   created=False, provider="existing")

@pytest.fixture(scope="session")
def kube(harness_run):
    harness_run.kube = FakeKube()
    yield harness_run.kube
"""


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave hypothesis out of the inner runs: its import takes longer than all of them."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest")


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    """Return a project whose cluster is a fake."""
    pytester.makeconftest(CONFTEST)
    return pytester


def test_a_failed_test_says_why_and_leaves_files(suite: pytest.Pytester) -> None:
    """The report names the pod and the reason; the folder holds the same and the objects."""
    suite.makepyfile("def test_it(namespace): assert namespace == 'other'")
    result = suite.runpytest("--harness-artifacts", str(suite.path / "out"))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*- harness -*", "why *ImagePullBackOff*", "reports  *out/runs/*"])
    reports = list((suite.path / "out" / "runs").rglob("report.txt"))
    assert len(reports) == 1
    assert "ImagePullBackOff" in reports[0].read_text()


def test_a_passed_test_prints_and_leaves_nothing(suite: pytest.Pytester) -> None:
    """Quiet on success: no section, no folder."""
    suite.makepyfile("def test_it(namespace): assert namespace.startswith('test-it-')")
    result = suite.runpytest("--harness-artifacts", str(suite.path / "out"))
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*- harness -*")
    assert not (suite.path / "out").exists()


def test_an_error_of_the_harness_heads_the_report(suite: pytest.Pytester) -> None:
    """What was wanted and seen come from the error that ended the test."""
    suite.makepyfile(
        "from harness.kit.errors import CheckError\n"
        "def test_it(namespace): raise CheckError('size 5', seen='size 4', where='db-0')\n"
    )
    result = suite.runpytest()
    result.stdout.fnmatch_lines(["wanted  size 5 *db-0*", "seen    size 4", "why *"])


def test_a_namespace_goes_with_its_test(suite: pytest.Pytester) -> None:
    """The second test does not see the first one's namespace."""
    suite.makepyfile(
        "def test_a(kube, namespace): assert list(kube.namespaces) == [namespace]\n"
        "def test_b(kube, namespace): assert list(kube.namespaces) == [namespace]\n"
    )
    suite.runpytest().assert_outcomes(passed=2)


def test_the_namespace_of_a_failed_test_is_kept_on_demand(suite: pytest.Pytester) -> None:
    """With --harness-keep-namespace it stays, and the summary says how to remove it; without, it goes."""
    suite.makepyfile(
        "def test_a(namespace): assert False\n"
        "def test_b(kube, namespace): assert len(kube.namespaces) == KEPT\n"
        "import os; KEPT = int(os.environ['KEPT'])\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KEPT", "2")
        kept = suite.runpytest("--harness-keep-namespace")
        patch.setenv("KEPT", "1")
        gone = suite.runpytest()
    kept.assert_outcomes(passed=1, failed=1)
    kept.stdout.fnmatch_lines(["kept     namespace test-a-*kubectl delete namespace test-a-*"])
    gone.assert_outcomes(passed=1, failed=1)
    gone.stdout.no_fnmatch_line("kept*namespace *")


def test_a_dead_cluster_is_named_as_the_reason(suite: pytest.Pytester) -> None:
    """When the API server does not answer, nothing else is collected."""
    suite.makepyfile(
        "def test_it(kube, namespace):\n"
        "    def dead(): raise OSError('connection refused')\n"
        "    kube.server_version = dead\n"
        "    assert False\n"
    )
    suite.runpytest().stdout.fnmatch_lines(["the API server does not answer: connection refused"])


def test_the_options_of_pytest_kind_exist_with_and_without_its_plugin(pytester: pytest.Pytester) -> None:
    """Switching pytest-kind's plugin off spares its imports; the options stay."""
    pytester.makepyfile("def test_it(pytestconfig): assert pytestconfig.getoption('cluster_name') == 'mine'")
    pytester.runpytest("--cluster-name=mine").assert_outcomes(passed=1)
    pytester.runpytest_subprocess("--cluster-name=mine", "-p", "no:pytest-kind").assert_outcomes(passed=1)


def test_our_kind_cluster_wins_over_that_of_pytest_kind(pytester: pytest.Pytester) -> None:
    """Tests written for pytest-kind get our cluster."""
    pytester.makepyfile("def test_it(): pass")
    result = pytester.runpytest("--fixtures", "-v")
    result.stdout.fnmatch_lines(["kind_cluster*fixtures.py*"])


def test_parallel_workers_share_the_run(pytester: pytest.Pytester) -> None:
    """Every xdist worker has the id of the one run, so that labels and cluster names agree."""
    pytester.makepyfile(
        "import pathlib\n"
        "import pytest\n"
        "@pytest.mark.parametrize('n', range(4))\n"
        "def test_it(n, harness_run, worker_id_or_master):\n"
        "    assert worker_id_or_master.startswith('gw')\n"
        "    pathlib.Path(f'id-{n}').write_text(harness_run.id)\n"
    )
    pytester.runpytest_subprocess("-n2", "-p", "xdist").assert_outcomes(passed=4)
    assert len({path.read_text() for path in pytester.path.glob("id-*")}) == 1


def test_stages_are_seen_while_output_is_captured(pytester: pytest.Pytester) -> None:
    """A stage line reaches the terminal at once, on a line of its own, from any thread; prints stay captured."""
    pytester.makepyfile(
        "import threading\n"
        "def test_it(harness_run):\n"
        "    print('captured')\n"
        "    harness_run.stages('here').note('from the test')\n"
        "    thread = threading.Thread(target=lambda: harness_run.stages('there').note('from a thread'))\n"
        "    thread.start(); thread.join()\n"
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["here     from the test", "there    from a thread"])
    result.stdout.no_fnmatch_line("captured")
