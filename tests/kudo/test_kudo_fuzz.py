"""Packages that nobody would write: whatever the files hold, the answer is a package or an error for users."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.kit.documents import dump_yaml
from harness.kit.errors import HarnessError
from harness.kudo.package import package_objects, parse_package
from harness.kudo.preview import rendered_stream, rendered_tasks
from harness.kudo.printers import parameter_table, plan_tree, task_table
from harness.kudo.verify import verify

KEYS = (
    "apiVersion", "name", "operatorVersion", "kubernetesVersion", "appVersion", "namespaceManifest", "maintainers",
    "tasks", "plans", "deploy", "strategy", "phases", "steps", "kind", "spec", "resources", "parameter", "pod", "pipe",
    "done", "parameters", "groups", "default", "required", "immutable", "trigger", "type", "enum", "group", "advanced",
    "prio",
)  # fmt: skip
WORDS = (
    "a",
    "",
    "a.yaml",
    "Apply",
    "Toggle",
    "Pipe",
    "Delete",
    "KudoOperator",
    "serial",
    "1.0",
    "array",
    "map",
    "integer",
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-9, 10**7),
    st.floats(allow_nan=False),
    st.sampled_from(WORDS),
    st.text(max_size=4),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=25,
)
names = st.sampled_from(("a", "b", "deploy"))
tasks = st.fixed_dictionaries(
    {"name": names, "kind": st.sampled_from(WORDS[3:8])},
    optional={
        "spec": st.fixed_dictionaries(
            {},
            optional={
                "resources": st.lists(st.sampled_from(("a.yaml", "b.yaml")), max_size=2),
                "parameter": names,
                "pod": st.just("a.yaml"),
                "pipe": st.lists(
                    st.dictionaries(st.sampled_from(("file", "envFile", "kind", "key")), names), max_size=2
                ),
                "package": names,
            },
        )
    },
)
steps = st.fixed_dictionaries({"name": names, "tasks": st.lists(names, max_size=2)})
phases = st.fixed_dictionaries({"name": names, "steps": st.lists(steps, max_size=2)})
parameters = st.fixed_dictionaries(
    {"name": names},
    optional={
        "default": values,
        "type": st.sampled_from(("string", "integer", "number", "boolean", "array", "map", "")),
        "enum": st.lists(scalars, max_size=2),
        "required": st.booleans(),
        "trigger": names,
        "group": st.text(max_size=3),
    },
)
templates = st.sampled_from(
    (
        "",
        "kind: A\n",
        "{{ .Params.a }}",
        "{{ if",
        "kind: Namespace",
        "{{ toYaml .Params.b }}",
        "- 1",
        "{{ .Name }}: {{ .x }}",
    )
)


@given(operator=values, settings_=values)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_yaml_is_a_package_or_an_error(operator: Any, settings_: Any) -> None:
    """Reading never ends in a traceback."""
    try:
        parse_package({"operator.yaml": dump_yaml(operator), "params.yaml": dump_yaml(settings_)}, "op")
    except HarnessError as error:
        message = str(error)
    else:
        message = "read"
    assert message


@given(
    tasks=st.lists(tasks, max_size=3),
    plans=st.dictionaries(names, st.fixed_dictionaries({"phases": st.lists(phases, max_size=2)}), max_size=2),
    parameters=st.lists(parameters, max_size=3),
    texts=st.dictionaries(st.sampled_from(("a.yaml", "b.yaml")), templates),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_read_can_be_verified_printed_and_rendered(
    tasks: Any, plans: Any, parameters: Any, texts: dict[str, str]
) -> None:
    """A package that verifies can be converted and rendered with its defaults."""
    files = {
        "operator.yaml": dump_yaml(
            {"name": "x", "operatorVersion": "1", "kubernetesVersion": "1", "tasks": tasks, "plans": plans}
        )
    }
    files |= {"params.yaml": dump_yaml({"parameters": parameters})}
    files |= {f"templates/{name}": text for name, text in texts.items()}
    package = parse_package(files, "op")
    report = verify(package, ["all"])
    assert all(each.text for each in report.findings)
    assert plan_tree(package, with_tasks=True)
    assert task_table(package.tasks)
    assert parameter_table(package.parameters, descriptions=True)
    if report.errors:
        return
    version = package_objects(package).parsed()
    assert rendered_stream(rendered_tasks(version, plan="deploy", instance="i", namespace="n", given={})) is not None
