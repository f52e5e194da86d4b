"""Reading packages: what is lenient, what is refused with its place, and the objects that come out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.kit.errors import HarnessError
from harness.kudo.errors import KudoError
from harness.kudo.package import Package, package_objects, parse_package, version_of
from tests.kudo.conftest import OPERATOR, PARAMETERS, TEMPLATE


def package(operator: str = OPERATOR, parameters: str = PARAMETERS, **templates: str) -> Package:
    """Return a package read from texts."""
    files = {"operator.yaml": operator, "params.yaml": parameters, "templates/config.yaml": TEMPLATE}
    return parse_package(files | {f"templates/{name}": text for name, text in templates.items()}, "op")


def failure(operator: str = OPERATOR, parameters: str = PARAMETERS) -> HarnessError:
    """Return the error of a package that cannot be read."""
    with pytest.raises(HarnessError) as caught:
        package(operator, parameters)
    return caught.value


def parameter(text: str) -> dict[str, Any]:
    """Return a parameter as it ends up in the OperatorVersion."""
    version = package_objects(package(parameters=f"parameters:\n- name: P\n{text}"))
    found: dict[str, Any] = version.operator_version["spec"]["parameters"][0]
    return found


def test_scalars_of_any_type_are_texts() -> None:
    """1.10 becomes 1.1 as in the original, whole numbers keep all digits, null is empty."""
    read = package(
        "name: 5\noperatorVersion: 1.10\nkubernetesVersion: 1.13\nappVersion: 1000000\nkudoVersion: true\nurl: null\n"
    )
    assert (read.name, read.operator_version, read.kubernetes_version) == ("5", "1.1", "1.13")
    assert (read.app_version, read.kudo_version, read.url) == ("1000000", "true", "")


def test_words_that_are_booleans_are_warned_of() -> None:
    """A name such as N or off means false in YAML, here as in the original."""
    read = package(parameters="parameters:\n- name: N\n")
    assert read.parameters[0].name == "false"
    assert read.warnings == ("op/params.yaml:2:3: name is the boolean false in YAML, quote it to mean its own text",)


def test_keys_match_in_any_case_and_the_last_one_wins() -> None:
    """As JSON decoding in Go does it."""
    read = package("Name: first\nOPERATORVERSION: 1.0.0\nname: second\nname: third\nTasks:\n- Name: t\n  KIND: Dummy\n")
    assert (read.name, read.operator_version) == ("third", "1.0.0")
    assert (read.tasks[0].name, read.tasks[0].kind) == ("t", "Dummy")
    assert read.warnings == (
        'op/operator.yaml:4:1: "name" stands twice in this mapping, the last one counts',
        'op/operator.yaml:1:1: "Name" also stands there as "name", which counts',
    )


def test_unknown_keys_are_ignored_with_a_warning() -> None:
    """The warning has the place and the key that was probably meant."""
    read = package(OPERATOR.replace("resources:", "resource:"), "parameters:\n- name: P\n  defualt: x\n")
    assert read.tasks[0].resources == ()
    assert read.warnings == (
        'op/operator.yaml:18:5: unknown key "resource" of a task\'s spec is ignored, did you mean "resources"?',
        'op/params.yaml:3:3: unknown key "defualt" of a parameter is ignored, did you mean "default"?',
    )


def test_a_good_package_has_no_warnings() -> None:
    """The small package of these tests and its places."""
    read = package()
    assert read.warnings == ()
    assert read.place("task", "config", "config.yaml") == "op/operator.yaml:18:17"
    assert read.place("plan", "deploy", "main", "everything", "config") == "op/operator.yaml:13:17"
    assert read.place("parameter", "GREETING", "default") == "op/params.yaml:3:3"
    assert read.place("nothing", "like", "that") == ""


@pytest.mark.parametrize(
    ("operator", "wanted", "seen", "where"),
    [
        ("tasks: {}\n", "a list below tasks", "a mapping", "op/operator.yaml:1:1"),
        ("tasks:\n- text\n", "a mapping below tasks", 'the text "text"', "op/operator.yaml:2:3"),
        ("name: [a]\n", "a text for name", "a list", "op/operator.yaml:1:1"),
        ("plans: []\n", "a mapping below plans", "a list", "op/operator.yaml:1:1"),
        ("tasks:\n- spec:\n    done: 'yes'\n", "true or false for done", 'the text "yes"', "op/operator.yaml:3:5"),
        (
            "tasks:\n- spec:\n    resources: a.yaml\n",
            "a list below resources",
            'the text "a.yaml"',
            "op/operator.yaml:3:5",
        ),
        ("- a\n", "a mapping in op/operator.yaml", "a list", "op/operator.yaml:1:1"),
        ("a: [\n", "YAML", "", "op/operator.yaml:2:1"),
    ],
)
def test_wrong_shapes_have_a_place(operator: str, wanted: str, seen: str, where: str) -> None:
    """The error says what was expected, what is there, and where."""
    error = failure(operator)
    assert (error.wanted, error.where, error.exit_code) == (wanted, where, 2)
    assert seen in error.seen


@pytest.mark.parametrize(
    ("parameters", "wanted"),
    [
        ("parameters:\n- name: P\n  required: 'true'\n", "true or false for required"),
        ("parameters:\n  P: {default: 1}\n", "a list below parameters"),
        ("parameters:\n- name: P\n  enum: a\n", "a list below enum"),
        ("groups:\n- name: g\n  prio: high\n", "a whole number for prio"),
    ],
    ids=["a quoted boolean", "the form of old releases", "an enum that is no list", "a priority that is no number"],
)
def test_wrong_parameters_have_a_place(parameters: str, wanted: str) -> None:
    """The same for params.yaml."""
    error = failure(parameters=parameters)
    assert error.wanted == wanted
    assert error.where.startswith("op/params.yaml:")


def test_files_that_are_missing() -> None:
    """The texts are the original's, and say what is there instead."""
    with pytest.raises(KudoError) as caught:
        parse_package({"operater.yaml": "", "params.yaml": ""}, "op")
    assert caught.value.message == "operator package missing operator.yaml in op"
    assert caught.value.exists == ("operater.yaml", "params.yaml")
    with pytest.raises(KudoError, match=r"operator package missing params\.yaml in op"):
        parse_package({"operator.yaml": "name: x"}, "op")


def test_an_empty_operator() -> None:
    """It is no operator; an empty params.yaml is fine."""
    assert failure("# nothing\n").wanted == "failed to parse yaml into valid operator operator.yaml"
    assert package(parameters="").parameters == ()
    assert package(parameters="parameters:\n").parameters == ()


def test_only_one_api_version_is_supported() -> None:
    """In both files; absent is fine."""
    text = "expecting supported API version kudo.dev/v1beta1 but got kudo.dev/v1alpha1"
    error = failure("apiVersion: kudo.dev/v1alpha1\nname: x\n")
    assert (error.wanted, error.where) == (text, "op/operator.yaml:1:1")
    assert failure(parameters="apiVersion: kudo.dev/v1alpha1\n").wanted == text


def test_which_files_are_templates() -> None:
    """Below folders that start with templates, named with .yaml somewhere; the name is what follows templates/ last."""
    files = dict.fromkeys(
        (
            "templates/a.yaml",
            "templates/sub/b.yaml.tmpl",
            "templates/a/templates/c.yaml",
            "templates/d.yml",
            "templates/README.md",
            "child/templates/e.yaml",
            "f.yaml",
        ),
        "",
    )
    read = parse_package(files | {"operator.yaml": OPERATOR, "params.yaml": PARAMETERS}, "op")
    assert sorted(read.templates) == ["a.yaml", "c.yaml", "sub/b.yaml.tmpl"]


def test_parameters_are_required_unless_they_say_otherwise() -> None:
    """And not immutable."""
    found = parameter("  default: x\n")
    assert (found["required"], found["immutable"]) == (True, False)
    assert parameter("  required: false\n  immutable: true\n")["required"] is False


@pytest.mark.parametrize(
    ("text", "default"),
    [
        ("  default: 2\n", "2"),
        ("  default: 1000000\n", "1e+06"),
        ("  default: '1000000'\n", "1000000"),
        ("  default: 0.25\n", "0.25"),
        ("  default: False\n", "false"),
        ("  default: yes\n", "true"),
        ("  default: ''\n", ""),
        ("  default: [80, 443]\n  type: array\n", "- 80\n- 443\n"),
        ("  default: {b: 1, a: x}\n  type: map\n", "a: x\nb: 1\n"),
        ("  type: array\n", "null\n"),
        ("  default: [1, a]\n", "[1 a]"),
    ],
)
def test_defaults_are_texts(text: str, default: str) -> None:
    """Scalars as Go prints them, lists and maps as YAML; a list or map without default has the default null."""
    assert parameter(text)["default"] == default


def test_a_default_may_be_absent() -> None:
    """Without default, and with null, there is none."""
    assert "default" not in parameter("")
    assert "default" not in parameter("  default: null\n")


def test_enums_and_types_reach_the_operator_version() -> None:
    """The type under its other key; groups, hints and the like stay behind."""
    found = parameter("  type: number\n  enum: [1, 2.5]\n  group: g\n  hint: h.\n  advanced: true\n  trigger: t\n")
    assert found == {
        "name": "P",
        "trigger": "t",
        "required": True,
        "immutable": False,
        "value-type": "number",
        "enum": ["1", "2.5"],
    }


def test_the_objects_of_a_package() -> None:
    """Operator, OperatorVersion and Instance, with names, references and values."""
    objects = package_objects(
        package(OPERATOR + "appVersion: 5.1\nmaintainers: [{name: A, email: a@example.org}]\n"),
        namespace="ns",
        instance="db",
        parameters={"GREETING": "hi"},
    )
    assert objects.operator == {
        "apiVersion": "kudo.dev/v1beta1",
        "kind": "Operator",
        "metadata": {"name": "shop", "namespace": "ns"},
        "spec": {"kubernetesVersion": "1.17.0", "maintainers": [{"name": "A", "email": "a@example.org"}]},
    }
    assert objects.operator_version["metadata"] == {"name": "shop-5.1-0.1.0", "namespace": "ns"}
    spec = objects.operator_version["spec"]
    assert spec["operator"] == {"name": "shop", "kind": "Operator"}
    assert (spec["version"], spec["appVersion"], list(spec["templates"])) == ("0.1.0", "5.1", ["config.yaml"])
    assert spec["tasks"] == [{"name": "config", "kind": "Apply", "spec": {"resources": ["config.yaml"]}}]
    assert objects.instance == {
        "apiVersion": "kudo.dev/v1beta1",
        "kind": "Instance",
        "metadata": {"name": "db", "namespace": "ns", "labels": {"kudo.dev/operator": "shop"}},
        "spec": {"operatorVersion": {"name": "shop-5.1-0.1.0"}, "parameters": {"GREETING": "hi"}},
    }


def test_the_default_name_of_an_instance() -> None:
    """The operator's with -instance; without values there are no parameters."""
    instance = package_objects(package()).instance
    assert instance["metadata"]["name"] == "shop-instance"
    assert "parameters" not in instance["spec"]


def test_strategies_are_kept_as_they_are() -> None:
    """No default is filled in."""
    read = package("plans:\n  deploy:\n    phases:\n    - name: a\n      strategy: odd\n")
    assert (read.plans["deploy"].strategy, read.plans["deploy"].phases[0].strategy) == ("", "odd")
    assert version_of(read).plans == read.plans


def test_a_package_that_cannot_be_converted() -> None:
    """All problems in one error, with their places and what was probably meant."""
    tasks = """tasks:
- {name: a, kind: Aply, spec: {resources: [x.yaml]}}
- {name: b, kind: Apply, spec: {resources: [confg.yaml, config.yaml]}}
- {name: c, kind: Toggle, spec: {resources: [config.yaml]}}
- {name: d, kind: Pipe, spec: {pod: config.yaml}}
- {name: e, kind: KudoOperator, spec: {package: x, parameterFile: gone.yaml}}
"""
    with pytest.raises(KudoError) as caught:
        package_objects(package(tasks))
    assert caught.value.message.split("\n") == [
        "unknown task kind Aply",
        "task b missing template: confg.yaml",
        "toggle task c does not have parameter specified",
        "task d does not have pipe files specified",
        "task e missing template: gone.yaml",
    ]
    assert "op/operator.yaml:2:13, op/operator.yaml:3:45, op/operator.yaml:4:3" in caught.value.where
    assert caught.value.seen == 'did you mean "config.yaml"?'
    assert caught.value.exit_code == 2


def test_the_package_of_the_blog_reads_without_a_warning(blog: Path) -> None:
    """Its versions, in the order of the file, and its tasks."""
    files = {path.relative_to(blog).as_posix(): path.read_text() for path in blog.rglob("*.yaml")}
    read = parse_package(files, str(blog))
    assert read.warnings == ()
    assert (read.name, read.version_name, read.kudo_version) == ("galera", "galera-0.1.0", "0.12.0")
    assert [task.name for task in read.tasks][-2:] == ["cluster_services", "statefulset"]
