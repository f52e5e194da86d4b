"""The commands against a real API server, with the engine in the same process: objects, texts and times."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from harness.clusters.control_plane import ControlPlane
from harness.kube import Kube
from harness.kudo.cli import main
from harness.kudo.crds import install_crds
from harness.kudo.engine import Engine
from tests.kudo.conftest import OPERATOR, PARAMETERS, MakePackage

pytestmark = pytest.mark.contract

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def kube(api_server: ControlPlane) -> Iterator[Kube]:
    """Yield a client of it, with KUDO's kinds installed and the engine at work."""
    with Kube.connect(api_server.kubeconfig) as client:
        install_crds(client)
        with Engine(client):
            yield client


@pytest.fixture
def namespace(kube: Kube) -> str:
    """Return a new namespace."""
    name = f"kudo-{uuid4().hex[:8]}"
    kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    return name


@pytest.fixture
def run(api_server: ControlPlane, namespace: str, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs a command in the namespace and returns exit code, stdout and stderr."""

    def call(*words: str | Path) -> tuple[int, str, str]:
        code = main(["--kubeconfig", str(api_server.kubeconfig), "-n", namespace, *map(str, words)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def test_an_installation_is_ready_when_it_says_so(
    run: Run, kube: Kube, namespace: str, make_package: MakePackage
) -> None:
    """The plan is complete, its object is there, and the status shows it."""
    code, out, err = run("install", make_package(), "--wait", "-p", "GREETING=hi")
    assert (code, err) == (0, "")
    assert out.split("\n")[-3:] == [
        f"instance {namespace}/shop-instance created",
        f"instance {namespace}/shop-instance ready",
        "",
    ]
    assert kube.get("v1", "ConfigMap", "shop-instance-config", namespace)["data"] == {"greeting": "hi"}
    _code, out, _err = run("plan", "status", "--instance", "shop-instance")
    assert "Plan deploy (serial strategy) [COMPLETE], last updated " in out
    assert "Step everything [COMPLETE]\n" in out


def test_an_update_has_happened_when_it_says_so(
    run: Run, kube: Kube, namespace: str, make_package: MakePackage
) -> None:
    """The wait is for the plan that the update scheduled."""
    run("install", make_package(), "--wait")
    for value in ("one", "two", "three"):
        assert run("update", "--instance", "shop-instance", "-p", f"GREETING={value}", "--wait")[0] == 0
        assert kube.get("v1", "ConfigMap", "shop-instance-config", namespace)["data"] == {"greeting": value}


def test_an_upgrade_reaches_the_engine(run: Run, kube: Kube, namespace: str, make_package: MakePackage) -> None:
    """The new version's templates are applied."""
    run("install", make_package(), "--wait")
    newer = make_package(
        OPERATOR.replace("operatorVersion: 0.1.0", "operatorVersion: 0.2.0"),
        PARAMETERS.replace("hello", "servus"),
        name="newer",
    )
    assert run("upgrade", newer, "--instance", "shop-instance")[0] == 0
    assert run("plan", "status", "--instance", "shop-instance", "--wait", "--wait-time", "10")[0] == 0
    assert kube.get("v1", "ConfigMap", "shop-instance-config", namespace)["data"] == {"greeting": "servus"}


def test_a_failing_template_ends_the_wait_with_its_text(run: Run, make_package: MakePackage) -> None:
    """Long before the deadline."""
    folder = make_package(templates={"config.yaml": "kind: ConfigMap\nx: {{ .Params.MISSING }}\n"})
    code, _out, err = run("install", folder, "--wait")
    assert code == 1
    assert "plan deploy ended in FATAL_ERROR" in err
    assert 'map has no entry for key "MISSING"' in err


def test_refusals_come_with_their_reason(run: Run, make_package: MakePackage) -> None:
    """Types, undeclared names, and plans that do not exist."""
    folder = make_package(parameters=PARAMETERS + "- name: COUNT\n  default: '1'\n  type: integer\n")
    code, _out, err = run("install", folder, "-p", "COUNT=x")
    assert code == 1
    assert "denied the request: failed to create an Instance" in err
    run("install", folder, "--wait")
    assert 'failed to find parameter "M"' in run("update", "--instance", "shop-instance", "-p", "M=1")[2]
    assert "plan nope does not exist" in run("plan", "trigger", "--instance", "shop-instance", "--name", "nope")[2]


def test_init_may_be_repeated(run: Run) -> None:
    """The definitions stay, and it says the same."""
    assert run("init", "--crd-only") == (0, "✅ installed crds\n", "")


def test_a_namespace_that_is_missing(api_server: ControlPlane, run: Run, make_package: MakePackage) -> None:
    """The error says what to do, and doing it helps."""
    name = f"new-{uuid4().hex[:8]}"
    code, _out, err = run("install", make_package(), "-n", name)
    assert (code, err) == (1, f'Error: namespaces "{name}" not found\n  next    the same with --create-namespace\n')
    assert run("install", make_package(), "-n", name, "--create-namespace", "--wait")[0] == 0


def test_a_triggered_plan_runs_again(run: Run, make_package: MakePackage) -> None:
    """To its end."""
    run("install", make_package(), "--wait")
    code, _out, err = run("plan", "trigger", "--instance", "shop-instance", "--name", "deploy", "--wait")
    assert (code, err) == (0, "")


def test_an_uninstallation_can_be_waited_for(run: Run, kube: Kube, namespace: str, make_package: MakePackage) -> None:
    """The cleanup plan runs first."""
    cleanup = "  cleanup:\n    phases:\n    - name: c\n      steps:\n      - name: c\n        tasks: [config]\n"
    run("install", make_package(OPERATOR.replace("tasks:\n- name", f"{cleanup}tasks:\n- name", 1)), "--wait")
    assert run("uninstall", "--instance", "shop-instance", "--wait")[0] == 0
    assert kube.find("kudo.dev/v1beta1", "Instance", "shop-instance", namespace) is None
