"""package render: what the steps of a plan would apply, told without a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.kit.errors import UsageError
from harness.kudo.model import OperatorVersion
from harness.kudo.package import package_objects, version_of
from harness.kudo.packages import load_package
from harness.kudo.preview import Rendered, check_given, rendered_stream, rendered_tasks, unknown_parameters
from harness.kudo.rendering import FatalRenderError
from tests.kudo.conftest import OPERATOR, PARAMETERS, TEMPLATE, MakePackage

TASKS = """\
- name: removal
  kind: Delete
  spec: {resources: [config.yaml, empty.yaml]}
- name: maybe
  kind: Toggle
  spec: {parameter: ENABLED, resources: [config.yaml]}
- name: nothing
  kind: Dummy
  spec: {done: true}
"""


@pytest.fixture
def version(make_package: MakePackage) -> OperatorVersion:
    """Return an operator whose step runs tasks of several kinds."""
    folder = make_package(
        OPERATOR.replace("tasks: [config]", "tasks: [config, removal, maybe, nothing]") + TASKS,
        PARAMETERS + "- name: ENABLED\n  default: 'true'\n  type: boolean\n",
        {"config.yaml": TEMPLATE, "empty.yaml": "# {{ .StepName }}\n"},
    )
    return package_objects(load_package(folder)).parsed()


def preview(version: OperatorVersion, given: Mapping[str, str] | None = None, **where: Any) -> list[Rendered]:
    """Return what the deploy plan does."""
    place = {"plan": "deploy", "instance": "db", "namespace": "ns", "given": given or {}} | where
    return list(rendered_tasks(version, **place))


def test_tasks_come_in_order_with_what_is_done(version: OperatorVersion) -> None:
    """One entry for each template; a toggle applies or deletes by its parameter; a dummy has no objects."""
    found = [(each.path, each.action, each.template, len(each.manifests)) for each in preview(version)]
    step = "deploy/main/everything"
    assert found == [
        (f"{step}/config", "apply", "config.yaml", 1),
        (f"{step}/removal", "delete", "config.yaml", 1),
        (f"{step}/removal", "delete", "empty.yaml", 0),
        (f"{step}/maybe", "apply", "config.yaml", 1),
        (f"{step}/nothing", "dummy", "", 0),
    ]
    assert preview(version, {"ENABLED": "false"})[3].action == "delete"


def test_values_reach_the_objects(version: OperatorVersion) -> None:
    """So do names."""
    manifest = preview(version, {"GREETING": "hi"}, instance="other")[0].manifests[0]
    assert (manifest["metadata"]["name"], manifest["data"]["greeting"]) == ("other-config", "hi")


def test_the_stream_names_each_place(version: OperatorVersion) -> None:
    """A comment before each object; templates without objects are mentioned."""
    assert rendered_stream(preview(version)[1:3]) == (
        "# deploy/main/everything/removal: delete config.yaml\n"
        "apiVersion: v1\ndata:\n  greeting: hello\nkind: ConfigMap\nmetadata:\n  name: db-config\n"
        "---\n"
        "# deploy/main/everything/removal: delete empty.yaml (no objects)\n"
    )


@pytest.mark.parametrize(
    ("where", "wanted", "hint"),
    [
        ({"plan": "dploy"}, 'plan "dploy"', 'did you mean "deploy"?'),
        ({"phase": "mian"}, 'phase "mian" of plan deploy', 'did you mean "main"?'),
        ({"step": "zzz"}, 'step "zzz" of plan deploy', ""),
    ],
)
def test_places_that_do_not_exist(version: OperatorVersion, where: dict[str, Any], wanted: str, hint: str) -> None:
    """The error lists those that do."""
    with pytest.raises(UsageError) as caught:
        preview(version, **where)
    assert (caught.value.wanted, caught.value.seen) == (wanted, hint)
    assert caught.value.exists


def test_one_step_of_one_phase(blog: Path) -> None:
    """Only what was asked for."""
    version = package_objects(load_package(blog)).parsed()
    found = preview(version, phase="deploy", step="cluster_services")
    assert [each.task for each in found] == ["cluster_services"]
    assert len(preview(version)) == 6


def test_a_task_that_is_not_defined(make_package: MakePackage) -> None:
    """The error says what was probably meant."""
    folder = make_package(OPERATOR.replace("tasks: [config]", "tasks: [confg]"))
    with pytest.raises(UsageError) as caught:
        preview(package_objects(load_package(folder)).parsed())
    assert (caught.value.wanted, caught.value.exists) == ('task "confg" of step everything', ("config",))


@pytest.mark.parametrize(
    ("value", "cause"),
    [
        ("perhaps", 'could not parse value of parameter ENABLED: strconv.ParseBool: parsing "perhaps": invalid syntax'),
        ("", 'could not parse value of parameter ENABLED: strconv.ParseBool: parsing "": invalid syntax'),
    ],
)
def test_a_toggle_needs_a_boolean(version: OperatorVersion, value: str, cause: str) -> None:
    """The texts are those of the engine."""
    with pytest.raises(FatalRenderError) as caught:
        preview(version, {"ENABLED": value})
    assert caught.value.cause == cause


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (("parameter: ENABLED", "parameter: GONE"), "no value for parameter GONE found"),
        (("type: boolean", "type: array"), "value of parameter ENABLED isn't a string"),
        (("kind: Delete", "kind: Delte"), "unknown task kind Delte"),
    ],
)
def test_tasks_that_cannot_run(make_package: MakePackage, change: tuple[str, str], cause: str) -> None:
    """A toggle without its parameter or with a list, and kinds that do not exist."""
    operator = OPERATOR.replace("tasks: [config]", "tasks: [maybe, removal]") + TASKS
    parameters = PARAMETERS + "- name: ENABLED\n  default: []\n  type: boolean\n"
    folder = make_package(
        operator.replace(*change), parameters.replace(*change), {"config.yaml": TEMPLATE, "empty.yaml": ""}
    )
    version = version_of(load_package(folder))
    with pytest.raises(FatalRenderError) as caught:
        preview(version, {"ENABLED": "true"} if "kind" in change[0] else {})
    assert caught.value.cause == cause


def test_given_values_are_checked(version: OperatorVersion) -> None:
    """Unknown names and wrong types are refused before anything is rendered."""
    check_given(version, {"ENABLED": "false"})
    with pytest.raises(UsageError, match='did you mean "GREETING"'):
        check_given(version, {"GREETNG": "hi"})
    with pytest.raises(UsageError, match='type is "boolean" but format of "x" is invalid'):
        check_given(version, {"ENABLED": "x"})
    assert unknown_parameters(version, ["ENABLED", "X"]) == ['parameter "X" is not declared by the operator']
