"""Parameter values, template rendering, decoding of what comes out, and what tasks need."""

from __future__ import annotations

from typing import Any

import pytest

from harness.kudo.building import check_task, template_names
from harness.kudo.model import OperatorVersion, Parameter, Phase, Plan, Step, Task
from harness.kudo.rendering import (
    FatalRenderError,
    Variables,
    documents,
    parameter_values,
    pipe_name,
    pipe_values,
    render,
    variables_of,
)


def operator(templates: dict[str, str] | None = None, *parameters: Parameter) -> OperatorVersion:
    """Return an operator version with some templates and parameters."""
    return OperatorVersion(
        name="shop-0.1.0",
        operator_name="shop",
        version="0.1.0",
        app_version="5",
        templates=templates or {},
        parameters={each.name: each for each in parameters},
    )


def rendered(text: str, **params: object) -> str:
    """Return what a template gives for some parameters."""
    variables = variables_of(
        operator(), instance="db", namespace="ns", params=params, plan="deploy", phase="a", step="b"
    )
    return render(operator({"f.yaml": text}), "f.yaml", variables)


def failure(text: str, **params: object) -> FatalRenderError:
    """Return the error of a template."""
    with pytest.raises(FatalRenderError) as caught:
        rendered(text, **params)
    return caught.value


def test_all_variables_are_there() -> None:
    """The eight plain variables, Params and Pipes."""
    names = ("OperatorName", "Name", "Namespace", "AppVersion", "OperatorVersion", "PlanName", "PhaseName", "StepName")
    text = " ".join(f"{{{{ .{name} }}}}" for name in names)
    assert rendered(text) == "shop db ns 5 0.1.0 deploy a b"


def test_the_value_of_a_parameter_is_given_or_default_or_empty() -> None:
    """A given empty text counts as given; names that are not declared are invisible."""
    version = operator(None, Parameter(name="A", default="a"), Parameter(name="B", default="b"), Parameter(name="C"))
    assert parameter_values(version, {"B": "", "X": "x"}) == {"A": "a", "B": "", "C": ""}


def test_integers_and_booleans_stay_texts() -> None:
    """Templates compare with "true" and convert with int."""
    version = operator(None, Parameter(name="N", value_type="integer"), Parameter(name="F", value_type="boolean"))
    params = parameter_values(version, {"N": "3", "F": "false"})
    assert params == {"N": "3", "F": "false"}
    assert rendered("{{ if .Params.F }}truthy{{ end }} {{ add (int .Params.N) 1 }}", **params) == "truthy 4"


@pytest.mark.parametrize(
    ("value_type", "text", "value"),
    [
        ("array", "- 80\n- 443\n", [80.0, 443.0]),
        ("array", "", None),
        ("array", "null\n", None),
        ("map", "a: {b: true}", {"a": {"b": True}}),
        ("map", "scalar", "scalar"),
        ("map", "", None),
    ],
)
def test_lists_and_maps_are_parsed(value_type: str, text: str, value: object) -> None:
    """Numbers inside become floats; a map may be a scalar, as in the original."""
    assert parameter_values(operator(None, Parameter(name="P", value_type=value_type)), {"P": text}) == {"P": value}


def test_numbers_inside_of_lists_print_as_floats() -> None:
    """80 stays 80, a million has an exponent."""
    params = parameter_values(operator(None, Parameter(name="P", value_type="array")), {"P": "[80, 1000000]"})
    assert rendered("{{ range .Params.P }}{{ . }} {{ end }}", **params) == "80 1e+06 "
    assert rendered("{{ toYaml .Params.P }}", **params) == "- 80\n- 1e+06\n"


@pytest.mark.parametrize(("value_type", "text"), [("array", "a: b"), ("array", "[1"), ("map", "a: [")])
def test_lists_and_maps_that_do_not_parse_are_fatal(value_type: str, text: str) -> None:
    """The error names the parameter."""
    with pytest.raises(FatalRenderError, match='parameter "P"'):
        parameter_values(operator(None, Parameter(name="P", value_type=value_type)), {"P": text})


def test_a_missing_template_is_fatal() -> None:
    """The text is the original's."""
    with pytest.raises(FatalRenderError) as caught:
        render(operator(), "nope.yaml", Variables())
    assert caught.value.cause == "error finding resource named nope.yaml"


def test_a_missing_key_is_fatal_and_has_a_place() -> None:
    """The text is Go's; the place counts from 1."""
    error = failure("a\nb: {{ .Params.X }}")
    assert error.cause == (
        "error expanding template f.yaml: error rendering template: template: f.yaml:2:13: "
        'executing "f.yaml" at <.Params.X>: map has no entry for key "X"'
    )
    assert error.where == "templates/f.yaml:2:14"


def test_a_template_that_does_not_parse_is_fatal() -> None:
    """The text says that parsing failed."""
    assert failure("{{ if }}").cause.startswith(
        "error expanding template f.yaml: error parsing template: template: f.yaml:1: missing value for if"
    )


@pytest.mark.parametrize("name", ["env", "expandenv", "base", "dir", "clean", "ext", "isAbs", "fromJson", "include"])
def test_functions_that_operators_do_not_have(name: str) -> None:
    """Functions that read the machine, later sprig and Helm's are not defined."""
    assert f'function "{name}" not defined' in failure(f'{{{{ {name} "x" }}}}').cause


def test_step_number_does_not_exist() -> None:
    """Variables of other releases are missing keys."""
    assert 'map has no entry for key "StepNumber"' in failure("{{ .StepNumber }}").cause


def test_objects_come_in_order_without_empty_chunks() -> None:
    """Blank chunks and chunks of comments give nothing."""
    text = "kind: A\n---\n\n---\n# nothing\n---\nkind: B\nmetadata: {name: b}\n"
    assert [each["kind"] for each in documents(text, "f.yaml")] == ["A", "B"]
    assert documents("  \n# only a comment\n", "f.yaml") == []


def test_a_stream_may_start_with_dashes() -> None:
    """A leading separator is no document."""
    assert [each["kind"] for each in documents("---\nkind: A\n---\nkind: B", "f.yaml")] == ["A", "B"]


@pytest.mark.parametrize(
    ("text", "reason", "line"),
    [
        ("a: b\n", "Object 'Kind' is missing in '{\"a\":\"b\"}'", 1),
        ("kind: ''\n", "Object 'Kind' is missing", 1),
        ("kind: A\n---\n- 1\n", "an object was expected", 3),
        ("kind: A\n---\nkind: [B\n", "", 4),
    ],
)
def test_a_chunk_that_is_no_object_is_fatal(text: str, reason: str, line: int) -> None:
    """The error quotes the chunk and knows the line of the rendered text."""
    with pytest.raises(FatalRenderError) as caught:
        documents(text, "f.yaml")
    assert caught.value.cause.startswith("fatal error: parsing YAML from f.yaml: decoding chunk ")
    assert reason in caught.value.reason
    assert caught.value.where.startswith(f"f.yaml (rendered):{line}:")


def test_of_duplicate_keys_the_last_counts() -> None:
    """Rendered YAML is read as leniently as the original reads it."""
    assert documents("kind: A\nkind: B\n", "f.yaml") == [{"kind": "B"}]


@pytest.mark.parametrize(
    ("kind", "spec", "names"),
    [
        ("Apply", {"resources": ["a", "b"]}, ("a", "b")),
        ("Pipe", {"pod": "p"}, ("p",)),
        ("KudoOperator", {"parameterFile": "f"}, ("f",)),
        ("KudoOperator", {}, ()),
        ("Dummy", {}, ()),
    ],
)
def test_the_templates_that_a_task_needs(kind: str, spec: dict[str, Any], names: tuple[str, ...]) -> None:
    """Each kind names them in its own field."""
    assert template_names(Task(name="t", kind=kind, spec=spec)) == names


EMPTY = "has an empty resource list. if that's what you need, use a Dummy task instead"
PIPE = {"file": "/a", "kind": "Secret", "key": "k"}


@pytest.mark.parametrize(
    ("kind", "spec", "problem"),
    [
        ("Appply", {}, "unknown task kind Appply"),
        ("Apply", {}, f"task validation error: apply task 't' {EMPTY}"),
        ("Delete", {"resources": []}, f"task validation error: delete task 't' {EMPTY}"),
        ("Toggle", {"parameter": "P"}, f"task validation error: toggle task {EMPTY}"),
        ("Toggle", {"resources": ["a"]}, "task validation error: Missing parameter to evaluate the Toggle Task"),
        ("Pipe", {"pod": "p"}, "task validation error: pipe task has an empty pipe files list"),
        ("Pipe", {"pipe": [{**PIPE, "envFile": "/b"}]}, "must have either 'file' or 'envFile' field set but not both"),
        ("Pipe", {"pipe": [{"kind": "Secret", "key": "k"}]}, "must have either 'file' or 'envFile'"),
        ("Pipe", {"pipe": [{**PIPE, "kind": "Pod"}]}, "invalid pipe kind (must be Secret or ConfigMap): Pod"),
        (
            "Pipe",
            {"pipe": [{**PIPE, "key": "a.b"}]},
            "invalid pipe key (only letters, numbers and _ and - are allowed): a.b",
        ),
        ("KudoOperator", {}, "task validation error: kudo operator task 't' has an empty package name"),
        (
            "KudoOperator",
            {"package": "x"},
            "task validation error: kudo operator task 't' has an empty operatorVersion",
        ),
        ("Apply", {"resources": ["a"]}, ""),
        ("Pipe", {"pipe": [PIPE]}, ""),
        ("Dummy", {}, ""),
        ("KudoOperator", {"package": "x", "operatorVersion": "1"}, ""),
    ],
)
def test_what_a_task_needs_to_be_built(kind: str, spec: dict[str, Any], problem: str) -> None:
    """Each lack has the original's text; a good task has none."""
    found = check_task(Task(name="t", kind=kind, spec=spec))
    assert problem in found
    assert bool(problem) == bool(found)


def test_in_a_package_a_child_operator_needs_no_version() -> None:
    """It is resolved when the package is installed."""
    assert check_task(Task(name="t", kind="KudoOperator", spec={"package": "./x"}), installed=False) == ""


def test_the_name_of_a_pipes_artifact() -> None:
    """Parts are lower-cased and lose every sign but letters and digits."""
    path = ("deploy", "init", "makeCerts", "gen-certs")
    assert pipe_name("shop-db", path, "Ca_1") == "shopdb.deploy.init.makecerts.gencerts.ca1"


def test_pipe_keys_are_unique_in_a_plan() -> None:
    """The map holds all keys of a plan; a second use is an error."""
    task = Task(name="t", kind="Pipe", spec={"pipe": [PIPE]})
    version = OperatorVersion(name="v", operator_name="o", version="1", tasks={"t": task})
    one = Plan(name="p", phases=(Phase(name="a", steps=(Step(name="s", tasks=("t", "unknown")),)),))
    assert pipe_values(version, one, "i") == {"k": "i.p.a.s.t.k"}
    two = Plan(name="p", phases=(Phase(name="a", steps=(Step(name="s", tasks=("t", "t")),)),))
    with pytest.raises(FatalRenderError, match="duplicated pipe key k"):
        pipe_values(version, two, "i")


def test_a_template_may_ask_for_chance_and_time() -> None:
    """Passwords made by randAlphaNum are operators' bread and butter."""
    text = '{{ randAlphaNum 12 }} {{ now | date "2006" }}'
    first, second = rendered(text).split(), rendered(text).split()
    assert len(first[0]) == 12
    assert first[0] != second[0]
    assert int(first[1]) >= 2026
