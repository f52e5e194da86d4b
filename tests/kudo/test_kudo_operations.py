"""install, update, upgrade, uninstall and trigger, against a cluster in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from harness.kit.errors import CheckError, DeadlineError, HarnessError
from harness.kudo.admission import DENIED_PREFIX
from harness.kudo.api import check_crds, wait_for_plan
from harness.kudo.errors import KudoError
from harness.kudo.operations import Options, install, trigger, uninstall, update, upgrade
from harness.kudo.packages import find_source
from tests.kudo.conftest import OPERATOR, PARAMETERS, TEMPLATE, MakePackage
from tests.kudo.fakes import FakeCluster, served_crd


@dataclass
class Session:
    """One user's commands against one cluster."""

    kube: FakeCluster = field(default_factory=FakeCluster)
    said: list[str] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)

    def install(self, folder: Path, **options: Any) -> Any:
        source = find_source(str(folder))
        return install(
            self.kube,
            source,
            namespace="shop",
            options=Options(**options),
            say=self.said.append,
            warn=self.warned.append,
        )

    def update(self, parameters: Mapping[str, str], wait: float | None = None) -> Any:
        return update(
            self.kube,
            namespace="shop",
            instance="shop-instance",
            parameters=parameters,
            wait=wait,
            say=self.said.append,
        )

    def upgrade(self, folder: Path, parameters: Mapping[str, str] | None = None) -> Any:
        return upgrade(
            self.kube,
            find_source(str(folder)),
            namespace="shop",
            instance="shop-instance",
            parameters=parameters or {},
            say=self.said.append,
            warn=self.warned.append,
        )

    def idle(self) -> None:
        """Let the scheduled plan be complete."""
        instance = self.kube.instance("shop-instance")
        self.kube.set_plan("shop-instance", instance["spec"]["planExecution"]["planName"], "COMPLETE")


@pytest.fixture
def session() -> Session:
    """Return a user of an empty cluster."""
    return Session()


def refused(action: Callable[[], object]) -> HarnessError:
    """Return the error of an action."""
    with pytest.raises(HarnessError) as caught:
        action()
    return caught.value


def test_an_installation_creates_operator_version_and_instance(session: Session, make_package: MakePackage) -> None:
    """In this order, with the lines of the original, and with the deploy plan scheduled."""
    session.install(make_package(), parameters={"GREETING": "hi"})
    assert session.said == [
        "operator shop/shop created",
        "operatorversion shop/shop-0.1.0 created",
        "instance shop/shop-instance created",
    ]
    instance = session.kube.instance("shop-instance")
    assert instance["spec"]["parameters"] == {"GREETING": "hi"}
    assert instance["spec"]["planExecution"]["planName"] == "deploy"
    assert session.warned == []


def test_a_second_installation_reuses_the_operator(session: Session, make_package: MakePackage) -> None:
    """Another instance of the same version creates only itself."""
    session.install(make_package())
    session.said.clear()
    session.install(make_package(), instance="second")
    assert session.said == ["operatorversion shop/shop-0.1.0 already installed", "instance shop/second created"]


def test_a_changed_package_of_the_same_version_stays_as_it_was(session: Session, make_package: MakePackage) -> None:
    """As in the original, but with a warning."""
    session.install(make_package())
    session.install(make_package(templates={"config.yaml": TEMPLATE + "# new\n"}), instance="second")
    assert "differs from the package and stays as it is" in session.warned[0]
    stored = session.kube.objects["OperatorVersion", "shop", "shop-0.1.0"]
    assert stored["spec"]["templates"]["config.yaml"] == TEMPLATE


def test_an_instance_is_installed_once(session: Session, make_package: MakePackage) -> None:
    """The second time it is refused."""
    session.install(make_package())
    assert refused(lambda: session.install(make_package())).wanted == (
        "cannot install instance 'shop-instance' because an instance of that name already exists in namespace shop"
    )


def test_the_instance_may_be_left_out(session: Session, make_package: MakePackage) -> None:
    """Then required parameters do not matter."""
    folder = make_package(parameters="parameters:\n- name: GREETING\n")
    assert session.install(folder, skip_instance=True) is None
    assert session.said == ["operator shop/shop created", "operatorversion shop/shop-0.1.0 created"]


def test_required_parameters_need_values(session: Session, make_package: MakePackage) -> None:
    """Nothing is written before they are known."""
    folder = make_package(parameters="parameters:\n- name: GREETING\n- name: A\n- name: B\n  required: false\n")
    error = refused(lambda: session.install(folder, parameters={"A": "x"}))
    assert error.wanted == "missing required parameters during installation: GREETING"
    assert (error.exit_code, error.run) == (2, "the same with -p GREETING=VALUE")
    assert session.kube.writes == []


def test_a_refusal_of_admission_has_its_reason(session: Session, make_package: MakePackage) -> None:
    """With the prefix that a webhook's refusal has."""
    folder = make_package(parameters=PARAMETERS + "  type: integer\n")
    error = refused(lambda: session.install(folder, parameters={"GREETING": "x"}))
    assert error.wanted == (
        f"failed to install instance shop/shop-instance: installing Instance: {DENIED_PREFIX}"
        "failed to create an Instance shop/shop-instance: parameters are not valid: "
        'parameter "GREETING" has an invalid value "x": type is "integer" but format of "x" is invalid: '
        'strconv.ParseInt: parsing "x": invalid syntax'
    )
    assert error.exit_code == 1


def test_names_that_the_operator_does_not_declare_are_warned_of(session: Session, make_package: MakePackage) -> None:
    """They are stored all the same, as in the original."""
    session.install(make_package(), parameters={"GREETNG": "hi"})
    assert session.warned == ['parameter "GREETNG" is not declared by the operator, did you mean "GREETING"?']


@pytest.mark.parametrize(
    ("needed", "server", "text"),
    [
        ("1.37", "v1.36.3", "expected kubernetes version of 1.37 is not supported with version: v1.36.3"),
        ("''", "v1.36.3", "unable to parse operators kubernetes version: Invalid Semantic Version"),
    ],
)
def test_the_server_must_be_new_enough(make_package: MakePackage, needed: str, server: str, text: str) -> None:
    """Major and minor are compared."""
    session = Session(FakeCluster(version=server))
    folder = make_package(OPERATOR.replace("kubernetesVersion: 1.17.0", f"kubernetesVersion: {needed}"))
    assert refused(lambda: session.install(folder)).wanted == text
    assert session.kube.writes == []


def test_a_newer_patch_of_the_same_minor_is_fine(session: Session, make_package: MakePackage) -> None:
    """The patch is not compared."""
    session.install(make_package(OPERATOR.replace("kubernetesVersion: 1.17.0", "kubernetesVersion: 1.36.9")))
    assert len(session.said) == 3


def test_the_namespace_can_be_created_first(session: Session, make_package: MakePackage) -> None:
    """From the package's manifest, rendered with the given values only, under the name of the command line."""
    manifest = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: x\n  labels: {greeting: '{{ .Params.GREETING }}'}\n"
    folder = make_package(
        "namespaceManifest: ns.yaml\n" + OPERATOR, templates={"config.yaml": TEMPLATE, "ns.yaml": manifest}
    )
    session.install(folder, create_namespace=True, parameters={"GREETING": "hi"})
    assert session.kube.objects["Namespace", "", "shop"]["metadata"] | {"uid": "", "resourceVersion": ""} == {
        "name": "shop",
        "labels": {"greeting": "hi"},
        "annotations": {"created-by": "kudo-cli"},
        "uid": "",
        "resourceVersion": "",
    }
    assert session.kube.writes[0] == "create Namespace shop"


CHILD_TASK = "- name: child\n  kind: KudoOperator\n  spec: {package: ../child, instanceName: c}\n"


def test_dependencies_are_installed_first_and_named_in_the_task(session: Session, make_package: MakePackage) -> None:
    """Without instances; a dependency of two is installed once."""
    make_package(OPERATOR.replace("name: shop", "name: leaf\nappVersion: '5'"), name="leaf")
    make_package(OPERATOR.replace("name: shop", "name: kid") + CHILD_TASK.replace("../child", "../leaf"), name="child")
    folder = make_package(
        OPERATOR + CHILD_TASK + CHILD_TASK.replace("name: child", "name: two").replace("../child", "../leaf")
    )
    session.install(folder)
    assert [line for line in session.said if line.startswith("operatorversion")] == [
        "operatorversion shop/leaf-5-0.1.0 created",
        "operatorversion shop/kid-0.1.0 created",
        "operatorversion shop/shop-0.1.0 created",
    ]
    tasks = session.kube.objects["OperatorVersion", "shop", "shop-0.1.0"]["spec"]["tasks"]
    assert [task["spec"] for task in tasks[1:]] == [
        {"package": "kid", "operatorVersion": "0.1.0", "instanceName": "c"},
        {"package": "leaf", "operatorVersion": "0.1.0", "appVersion": "5", "instanceName": "c"},
    ]
    assert [key for key in session.kube.objects if key[0] == "Instance"] == [("Instance", "shop", "shop-instance")]


def test_dependencies_in_a_circle_are_refused(session: Session, make_package: MakePackage) -> None:
    """With the edge that closes it."""
    make_package(
        OPERATOR.replace("name: shop", "name: kid") + CHILD_TASK.replace("../child", "../package"), name="child"
    )
    error = refused(lambda: session.install(make_package(OPERATOR + CHILD_TASK)))
    assert error.wanted == "cyclic package dependency found when adding package kid-0.1.0 -> shop-0.1.0"
    assert session.kube.writes == []


@pytest.mark.parametrize(
    ("name", "reason"),
    [("../nope", "no such folder or archive"), ("kafka", "repositories are not supported, name a path")],
)
def test_dependencies_that_are_not_found(session: Session, make_package: MakePackage, name: str, reason: str) -> None:
    """The error names the package that needs them."""
    folder = make_package(OPERATOR + CHILD_TASK.replace("../child", name))
    assert refused(lambda: session.install(folder)).wanted == (
        f'failed to resolve package Operator: "{name}", OperatorVersion: "any", AppVersion "any", '
        f"dependency of package shop-0.1.0: {reason}"
    )


def test_waiting_for_an_installation(session: Session, make_package: MakePackage) -> None:
    """Until the deploy plan is complete."""
    kube = session.kube
    kube.later = [
        lambda: kube.set_plan("shop-instance", "deploy", "PENDING"),
        lambda: kube.set_plan("shop-instance", "deploy", "COMPLETE"),
    ]
    # the engine clears planExecution in the write that completes the plan, so its uid is kept by the status only
    uid: list[str] = []

    def complete() -> None:
        uid.append(kube.instance("shop-instance")["spec"]["planExecution"]["uid"])
        kube.set_plan("shop-instance", "deploy", "COMPLETE")

    kube.later[1] = complete
    session.install(make_package(), wait=10)
    assert session.said[-1] == "instance shop/shop-instance ready"
    assert uid


def test_a_wait_that_ends_without_the_plan(session: Session, make_package: MakePackage) -> None:
    """The line, the text, and what the plan was at."""
    session.kube.later = [lambda: session.kube.set_plan("shop-instance", "deploy", "IN_PROGRESS", "image not found")]
    error = refused(lambda: session.install(make_package(), wait=10))
    assert session.said[-1] == "timeout waiting for instance shop/shop-instance"
    assert error.wanted == "failed to wait on instance shop/shop-instance: timed out waiting for the condition"
    assert error.seen == "plan deploy is IN_PROGRESS: phase main, step everything is IN_PROGRESS image not found"


def test_a_failed_plan_ends_the_wait(session: Session, make_package: MakePackage) -> None:
    """At once, with the step's message, where the original waits on."""
    session.kube.later = [lambda: session.kube.set_plan("shop-instance", "deploy", "FATAL_ERROR", "no template")]
    assert refused(lambda: session.install(make_package(), wait=10)).wanted == (
        "failed to wait on instance shop/shop-instance: plan deploy ended in FATAL_ERROR: "
        "phase main, step everything is FATAL_ERROR no template"
    )


def test_an_instance_that_goes_ends_the_wait(session: Session, make_package: MakePackage) -> None:
    """There is nothing left to wait for."""
    session.kube.later = [lambda: session.kube.objects.pop(("Instance", "shop", "shop-instance"))]
    created = session.install(make_package())
    session.kube.objects.clear()
    with pytest.raises(CheckError, match="it was deleted"):
        wait_for_plan(session.kube, created, timeout=1)


def test_an_update_changes_parameters_and_keeps_the_others(session: Session, make_package: MakePackage) -> None:
    """And schedules a plan."""
    folder = make_package(parameters=PARAMETERS + "- name: B\n  default: b\n")
    session.install(folder, parameters={"B": "x"})
    session.idle()
    session.update({"GREETING": "hi"})
    spec = session.kube.instance("shop-instance")["spec"]
    assert spec["parameters"] == {"B": "x", "GREETING": "hi"}
    assert spec["planExecution"]["planName"] == "deploy"
    assert session.said[-1] == "Instance shop-instance was updated."


def test_an_update_that_meets_another_write_is_made_again(session: Session, make_package: MakePackage) -> None:
    """On the newer object, so that nothing is lost."""
    session.install(make_package())
    session.idle()

    def interfere() -> None:
        instance = session.kube.instance("shop-instance")
        instance["metadata"]["labels"]["team"] = "red"
        session.kube.touch(instance)

    session.kube.interferers = [interfere, interfere]
    session.update({"GREETING": "hi"})
    instance = session.kube.instance("shop-instance")
    assert instance["metadata"]["labels"]["team"] == "red"
    assert instance["spec"]["parameters"] == {"GREETING": "hi"}


def test_an_update_that_never_gets_through(session: Session, make_package: MakePackage) -> None:
    """It gives up."""
    session.install(make_package())
    session.idle()
    touch = lambda: session.kube.touch(session.kube.instance("shop-instance"))  # noqa: E731
    session.kube.interferers = [touch] * 100
    with pytest.raises(CheckError, match="20 conflicts"):
        session.update({"GREETING": "hi"})


def test_an_update_can_be_waited_for(session: Session, make_package: MakePackage) -> None:
    """The plan that it scheduled counts, not the one that ran before."""
    session.install(make_package())
    session.idle()
    session.kube.later = [session.idle]
    session.update({"GREETING": "hi"}, wait=10)
    assert session.kube.later == []
    session.kube.later = []
    with pytest.raises(DeadlineError, match="plan deploy has not started"):
        session.update({"GREETING": "ho"}, wait=10)


def test_a_wait_for_a_plan_that_was_replaced_ends(session: Session, make_package: MakePackage) -> None:
    """Somebody scheduled another execution meanwhile."""
    created = session.install(make_package())

    def replace() -> None:
        session.kube.instance("shop-instance")["spec"]["planExecution"]["uid"] = "another"

    session.kube.later = [replace]
    with pytest.raises(CheckError, match="was scheduled in its place"):
        wait_for_plan(session.kube, created, timeout=1)


def test_an_update_without_change_waits_for_nothing(session: Session, make_package: MakePackage) -> None:
    """No plan is scheduled."""
    session.install(make_package(), parameters={"GREETING": "hi"})
    session.idle()
    session.update({"GREETING": "hi"}, wait=10)
    assert session.said[-1] == "Instance shop-instance was updated."


def test_updates_that_are_refused(session: Session, make_package: MakePackage) -> None:
    """Without parameters, without instance, with undeclared names."""
    assert refused(lambda: session.update({})).wanted == (
        "need to specify at least one parameter to override via -p otherwise there is nothing to update"
    )
    assert refused(lambda: session.update({"A": "x"})).wanted == (
        "instance shop-instance in namespace shop does not exist in the cluster"
    )
    session.install(make_package())
    session.idle()
    error = refused(lambda: session.update({"GREETNG": "x"}))
    assert error.seen == 'parameter "GREETNG" is not declared by the operator, did you mean "GREETING"?'
    assert refused(lambda: session.update({"A": "x"})).wanted == (
        f"updating instance shop-instance {DENIED_PREFIX}failed to update Instance shop/shop-instance: "
        'failed to find parameter "A" in the OperatorVersion'
    )


def test_a_change_while_another_plan_runs(session: Session, make_package: MakePackage) -> None:
    """It is refused, with the command that waits for the plan."""
    resize = OPERATOR.replace("  deploy:", "  resize: {}\n  deploy:")
    session.install(make_package(resize, PARAMETERS + "- name: SIZE\n  default: '1'\n  trigger: resize\n"))
    error = refused(lambda: session.update({"SIZE": "2"}))
    assert error.wanted == (
        f"updating instance shop-instance {DENIED_PREFIX}failed to update Instance shop/shop-instance: "
        "plan 'deploy' is scheduled (or running) and an update would trigger a different plan 'resize'"
    )
    assert error.run == "kubectl kudo plan status --instance shop-instance --wait"


def test_an_upgrade_installs_the_version_and_moves_the_instance(session: Session, make_package: MakePackage) -> None:
    """With parameters, if any."""
    session.install(make_package())
    session.idle()
    session.said.clear()
    newer = make_package(OPERATOR.replace("operatorVersion: 0.1.0", "operatorVersion: 0.2.0"), name="newer")
    session.upgrade(newer, {"GREETING": "hi"})
    assert session.said == ["operatorversion shop/shop-0.2.0 created", "instance shop/shop-instance updated"]
    spec = session.kube.instance("shop-instance")["spec"]
    assert spec["operatorVersion"] == {"name": "shop-0.2.0"}
    assert (spec["parameters"], spec["planExecution"]["planName"]) == ({"GREETING": "hi"}, "deploy")


@pytest.mark.parametrize("new", ["0.1.0", "0.0.9"])
def test_an_upgrade_must_be_newer(session: Session, make_package: MakePackage, new: str) -> None:
    """The same version is refused too, before anything is written."""
    session.install(make_package())
    before = list(session.kube.writes)
    package = make_package(OPERATOR.replace("operatorVersion: 0.1.0", f"operatorVersion: {new}"), name="other")
    assert refused(lambda: session.upgrade(package)).wanted == (
        f"upgraded version {new} is the same or smaller as current version 0.1.0 -> not upgrading"
    )
    assert session.kube.writes == before


def test_an_upgrade_needs_instance_and_version(session: Session, make_package: MakePackage) -> None:
    """The error lists the instances that there are."""
    session.install(make_package(), instance="other")
    error = refused(lambda: session.upgrade(make_package()))
    assert error.wanted == "instance shop/shop-instance does not exist in the cluster"
    assert error.exists == ("other",)
    session.install(make_package())
    del session.kube.objects["OperatorVersion", "shop", "shop-0.1.0"]
    assert refused(lambda: session.upgrade(make_package())).wanted == (
        "operatorversion shop/shop-0.1.0 does not exist in the cluster"
    )


def test_a_plan_can_be_triggered(session: Session, make_package: MakePackage) -> None:
    """When the instance is idle; unknown plans are refused with those that exist."""
    session.install(make_package())
    session.idle()
    trigger(session.kube, namespace="shop", instance="shop-instance", plan="deploy", wait=None, say=session.said.append)
    assert session.said[-1] == "Triggered deploy plan for shop/shop-instance instance"
    assert session.kube.instance("shop-instance")["spec"]["planExecution"]["planName"] == "deploy"
    error = refused(
        lambda: trigger(session.kube, namespace="shop", instance="shop-instance", plan="dploy", wait=None, say=print)
    )
    assert error.wanted == f"{DENIED_PREFIX}plan dploy does not exist"
    assert (error.seen, error.exists) == ('did you mean "deploy"?', ("deploy",))


def test_an_uninstallation_deletes_the_instance_only(session: Session, make_package: MakePackage) -> None:
    """In the background; the operator stays."""
    session.install(make_package())
    uninstall(session.kube, namespace="shop", instance="shop-instance", wait=None, say=session.said.append)
    assert session.kube.writes[-1] == "delete Instance shop-instance Background"
    assert session.said[-1] == "instance.kudo.dev/v1beta1/shop-instance deleted\n"
    assert ("OperatorVersion", "shop", "shop-0.1.0") in session.kube.objects
    assert refused(
        lambda: uninstall(session.kube, namespace="shop", instance="shop-instance", wait=None, say=print)
    ).wanted == ("instance shop-instance in namespace shop does not exist in the cluster")


def test_an_uninstallation_can_be_waited_for(session: Session, make_package: MakePackage) -> None:
    """A timeout names the finalizer that holds the instance and its cleanup plan."""
    folder = make_package(OPERATOR.replace("  deploy:", "  cleanup: {}\n  deploy:"))
    session.install(folder)
    session.kube.later = [lambda: session.kube.set_plan("shop-instance", "cleanup", "IN_PROGRESS", "still there")]
    with pytest.raises(DeadlineError) as caught:
        uninstall(session.kube, namespace="shop", instance="shop-instance", wait=5, say=session.said.append)
    assert caught.value.seen.startswith("held by kudo.dev.instance.cleanup; plan cleanup is IN_PROGRESS: phase main")
    session.kube.later = [lambda: session.kube.objects.pop(("Instance", "shop", "shop-instance"))]
    uninstall(session.kube, namespace="shop", instance="shop-instance", wait=5, say=session.said.append)
    assert session.said[-1].endswith("deleted\n")


@pytest.mark.parametrize(
    ("crd", "text"),
    [
        (None, "CRDs invalid: CRD operators.kudo.dev is not installed"),
        (
            served_crd("operators.kudo.dev", established="False"),
            "CRDs invalid: CRD operators.kudo.dev is not established",
        ),
        (
            served_crd("operators.kudo.dev", version="v1alpha1"),
            "CRDs invalid: CRD operators.kudo.dev serves v1alpha1 and not v1beta1",
        ),
    ],
)
def test_the_definitions_must_be_served(crd: dict[str, Any] | None, text: str) -> None:
    """Each fault has its words, and the command that mends it."""
    kube = FakeCluster()
    check_crds(kube)
    key = ("CustomResourceDefinition", "", "operators.kudo.dev")
    if crd is None:
        del kube.objects[key]
    else:
        kube.objects[key] = crd
    with pytest.raises(KudoError) as caught:
        check_crds(kube)
    assert (caught.value.message, caught.value.run) == (text, "kubectl kudo init --crd-only")
