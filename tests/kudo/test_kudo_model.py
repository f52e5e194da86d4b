"""The operator version as values, and which values a parameter may have."""

from __future__ import annotations

from typing import Any

import pytest

from harness.kudo.model import (
    OperatorVersion,
    Parameter,
    Task,
    boolean,
    check_type,
    check_value,
    go_text,
    parse_operator_version,
    version_name,
)

MANIFEST: dict[str, Any] = {
    "metadata": {"name": "galera-10.5.3-0.1.0", "namespace": "shop"},
    "spec": {
        "operator": {"name": "galera", "kind": "Operator"},
        "version": "0.1.0",
        "appVersion": "10.5.3",
        "templates": {"a.yaml": "text"},
        "tasks": [
            {"name": "infra", "kind": "Apply", "spec": {"resources": ["a.yaml"]}},
            {"name": "none", "kind": "Dummy"},
        ],
        "parameters": [
            {"name": "SIZE", "default": "3", "required": True, "value-type": "integer", "trigger": "resize"},
            {"name": "MODE", "enum": ["a", "b"], "immutable": True},
        ],
        "plans": {
            "deploy": {
                "strategy": "serial",
                "phases": [{"name": "main", "strategy": "parallel", "steps": [{"name": "one", "tasks": ["infra"]}]}],
            },
            "nothing": None,
        },
    },
}


def test_an_operator_version_is_read_whole() -> None:
    """Names, templates, tasks, parameters and plans arrive under their names."""
    version = parse_operator_version(MANIFEST)
    assert (version.operator_name, version.version, version.app_version) == ("galera", "0.1.0", "10.5.3")
    assert version.namespace == "shop"
    assert version.tasks["infra"].resources == ("a.yaml",)
    assert version.parameters["SIZE"] == Parameter(
        name="SIZE", default="3", required=True, value_type="integer", trigger="resize"
    )
    assert version.parameters["MODE"].enum == ("a", "b")
    phase, step = next(version.plans["deploy"].steps())
    assert (phase.strategy, step.name, step.tasks) == ("parallel", "one", ("infra",))


def test_what_an_api_server_leaves_out_has_a_default() -> None:
    """Absent lists, strategies and the whole spec are empty; a raw parameter is not required."""
    version = parse_operator_version(MANIFEST)
    assert version.plans["nothing"].phases == ()
    assert version.tasks["none"].spec == {}
    assert not version.parameters["MODE"].required
    assert parse_operator_version({}) == OperatorVersion(name="", operator_name="", version="")


def test_a_task_tells_the_texts_of_its_spec() -> None:
    """Absent texts are empty."""
    task = Task(name="t", kind="Toggle", spec={"parameter": "ON"})
    assert (task.text("parameter"), task.text("pod")) == ("ON", "")


@pytest.mark.parametrize(
    ("app", "name"), [("", "galera-0.1.0"), ("10.5.3", "galera-10.5.3-0.1.0")], ids=["plain", "with an app version"]
)
def test_the_name_of_an_operator_version(app: str, name: str) -> None:
    """The app version stands between operator and version."""
    assert version_name("galera", "0.1.0", app) == name


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (2, "2"),
        (1000000, "1e+06"),
        (1234567, "1.234567e+06"),
        (0.25, "0.25"),
        (0.00001, "1e-05"),
        ("1.10", "1.10"),
        ([1, "b", None], "[1 b <nil>]"),
        ({"b": 1, "a": [2]}, "map[a:[2] b:1]"),
    ],
)
def test_values_print_as_go_prints_them(value: object, text: str) -> None:
    """Numbers are floats with %v, lists and maps have Go's brackets."""
    assert go_text(value) == text


def test_booleans_are_gos() -> None:
    """Only Go's spellings count; yes and empty do not."""
    assert [boolean(text) for text in ("1", "T", "true", "0", "FALSE", "yes", "")] == [
        True,
        True,
        True,
        False,
        False,
        None,
        None,
    ]


@pytest.mark.parametrize(
    ("value_type", "value"),
    [
        ("", "anything"),
        ("unknown", "anything"),
        ("string", "text"),
        ("integer", "-5"),
        ("integer", "+5"),
        ("integer", 5),
        ("integer", "9223372036854775807"),
        ("number", "1e3"),
        ("number", ".5"),
        ("number", "5."),
        ("number", "-Inf"),
        ("number", "NaN"),
        ("number", 0.5),
        ("boolean", True),
        ("boolean", "t"),
        ("array", "[1, 2]"),
        ("array", "- a\n- b\n"),
        ("array", ""),
        ("array", ["a"]),
        ("map", "a: b"),
        ("map", {"a": "b"}),
    ],
)
def test_values_of_a_type(value_type: str, value: object) -> None:
    """A value of the type passes; unknown types are not checked."""
    assert check_type(value_type, value) == ""


@pytest.mark.parametrize(
    ("value_type", "value", "text"),
    [
        (
            "integer",
            "x",
            'type is "integer" but format of "x" is invalid: strconv.ParseInt: parsing "x": invalid syntax',
        ),
        (
            "integer",
            "1.5",
            'type is "integer" but format of "1.5" is invalid: strconv.ParseInt: parsing "1.5": invalid syntax',
        ),
        ("integer", "9223372036854775808", "value out of range"),
        ("integer", 1.5, 'type is "integer" but format of 1.5 is invalid'),
        ("integer", True, 'type is "integer" but format of true is invalid'),
        ("number", "1,5", 'parsing "1,5": invalid syntax'),
        ("number", "1e999", "value out of range"),
        (
            "boolean",
            "yes",
            'type is "boolean" but format of "yes" is invalid: strconv.ParseBool: parsing "yes": invalid syntax',
        ),
        ("string", 5, 'type is "string" but format of 5 is invalid'),
        ("array", "a: b", 'type is "array", but format of "a: b" is invalid'),
        ("array", "[1", 'type is "array", but format of "[1" is invalid'),
        ("array", "text", 'type is "array", but format of "text" is invalid'),
        ("map", "[1]", 'type is "map", but format of "[1]" is invalid'),
    ],
)
def test_values_that_are_not_of_their_type(value_type: str, value: object, text: str) -> None:
    """The reason names the type, the value, and what Go's parser says."""
    assert text in check_type(value_type, value)


def test_a_required_parameter_needs_a_value_unless_it_has_a_default() -> None:
    """Empty is no value."""
    assert check_value(Parameter(name="P", required=True), "") == 'parameter "P" is required but has no value set'
    assert check_value(Parameter(name="P", required=True, default=""), "") == ""
    assert check_value(Parameter(name="P", value_type="integer"), "") == ""


def test_a_value_must_fit_type_and_enum() -> None:
    """The text names parameter, value and what is allowed."""
    enum = Parameter(name="P", enum=("a", "b"))
    assert check_value(enum, "b") == ""
    assert check_value(enum, "x") == (
        'parameter "P" has an invalid value "x": value is "x", but only allowed values are [a b]'
    )
    assert check_value(Parameter(name="P", value_type="array"), "1").startswith(
        'parameter "P" has an invalid value "1"'
    )
