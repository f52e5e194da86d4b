"""The verbs behind the fixtures `kudo` and `operator`, against a real API server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest

from harness.clusters.control_plane import ControlPlane
from harness.kit.errors import CheckError, DeadlineError, HarnessError
from harness.kube import Kube
from harness.kudo.crds import install_crds
from harness.kudo.model import API_VERSION
from harness.kudo.session import Kudo
from tests.kudo.conftest import OPERATOR, PARAMETERS, MakePackage

pytestmark = pytest.mark.contract

CLEANUP = OPERATOR.replace(
    "tasks:\n- name: config\n",
    "  cleanup:\n    strategy: serial\n    phases:\n    - name: main\n      strategy: serial\n      steps:\n"
    "      - name: everything\n        tasks: [TASK]\ntasks:\n- name: stuck\n  kind: Dummy\n- name: config\n",
    1,
)
WAITING = OPERATOR.replace("  kind: Apply\n  spec:\n    resources: [config.yaml]\n", "  kind: Dummy\n")


@pytest.fixture(scope="module")
def kube(api_server: ControlPlane) -> Iterator[Kube]:
    """Yield a client of a server that serves KUDO's kinds."""
    with Kube.connect(api_server.kubeconfig) as client:
        install_crds(client)
        yield client


@pytest.fixture
def make_namespace(kube: Kube) -> Callable[[], str]:
    """Return a maker of namespaces."""

    def make() -> str:
        name = f"session-{uuid4().hex[:8]}"
        kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        return name

    return make


@pytest.fixture
def namespace(make_namespace: Callable[[], str]) -> str:
    """Return a new namespace."""
    return make_namespace()


@pytest.fixture
def kudo(kube: Kube) -> Iterator[Kudo]:
    """Yield the verbs."""
    with Kudo(kube) as session:
        yield session


def test_an_operator_is_installed_updated_and_removed(
    kudo: Kudo, kube: Kube, namespace: str, make_package: MakePackage
) -> None:
    """Each verb works on the operator's own namespace and instance."""
    operator = kudo.operator(namespace)
    operator.install(make_package(), GREETING="hi")
    assert operator.instance == "shop-instance"
    assert operator.until_plan("deploy", timeout=10)["status"] == "COMPLETE"
    assert kube.get("v1", "ConfigMap", "shop-instance-config", namespace)["data"] == {"greeting": "hi"}
    operator.update(GREETING="servus", wait=10)
    assert kube.get("v1", "ConfigMap", "shop-instance-config", namespace)["data"] == {"greeting": "servus"}
    assert "Plan deploy" in kudo.plan_tree("shop-instance", namespace=namespace)
    operator.uninstall(wait=10)
    assert kube.find(API_VERSION, "Instance", "shop-instance", namespace) is None


def test_values_become_the_texts_that_kudo_holds(kudo: Kudo, namespace: str, make_package: MakePackage) -> None:
    """Numbers and booleans are written as an Instance has them."""
    parameters = PARAMETERS + "- name: COUNT\n  default: '1'\n- name: 'ON_'\n  default: 'false'\n"
    made = kudo.install(make_package(parameters=parameters), namespace=namespace, parameters={"COUNT": 3, "ON_": True})
    assert made["spec"]["parameters"] == {"COUNT": "3", "ON_": "true"}


def test_a_plan_that_ends_badly_ends_the_wait(kudo: Kudo, namespace: str, make_package: MakePackage) -> None:
    """FATAL_ERROR is told with the step and its message, long before the deadline."""
    kudo.install(make_package(templates={"config.yaml": "{{ .Params.NONE }}"}), namespace=namespace)
    with pytest.raises(CheckError) as caught:
        kudo.until_plan("shop-instance", namespace=namespace, plan="deploy", timeout=30)
    assert "step everything is FATAL_ERROR" in caught.value.seen
    assert 'no entry for key "NONE"' in caught.value.seen


def test_a_plan_that_does_not_end_is_told_with_its_step(kudo: Kudo, namespace: str, make_package: MakePackage) -> None:
    """At the deadline the error says which step the plan is in."""
    kudo.install(make_package(WAITING), namespace=namespace)
    with pytest.raises(DeadlineError) as caught:
        kudo.until_plan("shop-instance", namespace=namespace, plan="deploy", timeout=0.5)
    assert "step everything is IN_PROGRESS" in caught.value.seen


def test_bad_parameters_are_refused_with_the_reason(
    kudo: Kudo, kube: Kube, namespace: str, make_package: MakePackage
) -> None:
    """The text is that of the admission webhook, and nothing is created."""
    folder = make_package(parameters=PARAMETERS + "- name: COUNT\n  default: '1'\n  type: integer\n")
    with pytest.raises(HarnessError, match='type is "integer" but format of "many" is invalid'):
        kudo.install(folder, namespace=namespace, parameters={"COUNT": "many"})
    assert kube.list(API_VERSION, "Instance", namespace) == []


def test_each_namespace_has_its_engine(
    kudo: Kudo, make_namespace: Callable[[], str], make_package: MakePackage
) -> None:
    """Leaving one namespace does not stop the other's plans."""
    first, second = make_namespace(), make_namespace()
    for name in (first, second):
        kudo.install(make_package(), namespace=name, wait=10)
    kudo.leave(first)
    kudo.update("shop-instance", namespace=second, parameters={"GREETING": "x"}, wait=10)


def test_leaving_a_namespace_runs_its_cleanup_plans(
    kudo: Kudo, kube: Kube, namespace: str, make_package: MakePackage
) -> None:
    """Instances that have a cleanup plan are deleted while there is an engine."""
    kudo.install(make_package(CLEANUP.replace("TASK", "config")), namespace=namespace, wait=10)
    kudo.leave(namespace)
    assert kube.list(API_VERSION, "Instance", namespace) == []


def test_an_instance_whose_cleanup_hangs_is_released(
    kudo: Kudo, kube: Kube, namespace: str, make_package: MakePackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would hold the namespace for ever."""
    monkeypatch.setattr("harness.kudo.session._CLEANUP", 0.5)
    kudo.install(make_package(CLEANUP.replace("TASK", "stuck")), namespace=namespace, wait=10)
    kudo.leave(namespace)
    assert kube.list(API_VERSION, "Instance", namespace) == []
