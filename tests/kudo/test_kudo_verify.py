"""The rules of package verify: for each rule a package that breaks it."""

from __future__ import annotations

import pytest

from harness.gotmpl import Template, sprig_v2_22
from harness.kudo.errors import KudoError
from harness.kudo.finding import parse_version
from harness.kudo.package import parse_package
from harness.kudo.scan import scan
from harness.kudo.verify import Report, verify
from tests.kudo.conftest import OPERATOR, PARAMETERS, TEMPLATE


def verified(
    operator: str = OPERATOR, parameters: str = PARAMETERS, checks: tuple[str, ...] = (), **templates: str
) -> Report:
    """Return what is found in a package; templates are given by name without .yaml."""
    files = {"operator.yaml": operator, "params.yaml": parameters, "templates/config.yaml": TEMPLATE}
    files |= {f"templates/{name}.yaml": text for name, text in templates.items()}
    return verify(parse_package(files, "op"), checks)


def errors(operator: str = OPERATOR, parameters: str = PARAMETERS, **templates: str) -> list[tuple[str, str]]:
    """Return texts and places of the errors."""
    return [(each.text, each.where) for each in verified(operator, parameters, (), **templates).errors]


def warnings(operator: str = OPERATOR, parameters: str = PARAMETERS, **templates: str) -> list[str]:
    """Return the texts of the warnings."""
    return [each.text for each in verified(operator, parameters, (), **templates).warnings]


def with_parameter(text: str) -> str:
    """Return params.yaml with a second parameter P, which the operator's template does not use."""
    return f"{PARAMETERS}- name: P\n{text}"


def test_a_good_package_has_no_findings() -> None:
    """The small package of these tests."""
    assert verified().findings == ()


def test_names_that_stand_twice() -> None:
    """In any case."""
    assert errors(parameters=f"{PARAMETERS}- name: greeting\n")[0] == (
        'parameter "greeting" has a duplicate',
        "op/params.yaml:4:3",
    )


def test_names_with_signs_of_the_command_line() -> None:
    """Semicolon and comma."""
    texts = [text for text, _where in errors(parameters=f"{PARAMETERS}- name: 'a,b;'\n")]
    assert "parameter \"a,b;\" contains invalid character ';'" in texts
    assert "parameter \"a,b;\" contains invalid character ','" in texts


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("operatorVersion: 0.1.0", "", '"operatorVersion" is required and must be semver'),
        ("kubernetesVersion: 1.17.0", "", '"kubernetesVersion" is required and must be semver'),
        (
            "operatorVersion: 0.1.0",
            "operatorVersion: one",
            'unable to parse "operatorVersion": Invalid Semantic Version',
        ),
        ("name: shop", "name: shop\nappVersion: 1.x", 'unable to parse "appVersion": Invalid Semantic Version'),
        ("name: shop", "name: shop\nkudoVersion: new", 'unable to parse "kudoVersion": Invalid Semantic Version'),
    ],
)
def test_versions_must_be_semantic(old: str, new: str, text: str) -> None:
    """Two are required, all must parse."""
    assert text in [found for found, _where in errors(OPERATOR.replace(old, new))]


def test_tasks_that_cannot_be_built() -> None:
    """At the place of the task's kind."""
    assert ("unknown task kind Aply", "op/operator.yaml:16:3") in errors(OPERATOR.replace("kind: Apply", "kind: Aply"))
    found = errors(OPERATOR.replace("resources: [config.yaml]", "resources: []"))
    assert found[0][0].startswith("task validation error: apply task 'config' has an empty resource list")


def test_tasks_that_nobody_defines() -> None:
    """The finding has the place in the plan, and says what was probably meant."""
    report = verified(OPERATOR.replace("tasks: [config]", "tasks: [confg]"))
    first = report.errors[0]
    assert (first.text, first.where) == ('task "confg" in plan "deploy" is not defined', "op/operator.yaml:13:17")
    assert first.hint == 'did you mean "config"?'
    assert [each.text for each in report.warnings] == ['task "config" defined but not used']


def test_an_operator_needs_a_deploy_plan() -> None:
    """Whatever else it has."""
    found = errors(OPERATOR.replace("deploy:", "deplyo:"))
    assert found[0][0] == "an operator is required to have 'deploy' plan"


def test_triggers_are_plans() -> None:
    """A parameter's trigger must exist."""
    assert errors(parameters=PARAMETERS + "  trigger: resize\n") == [
        ('plan "resize" used in parameter "GREETING" is not defined', "op/params.yaml:4:3")
    ]


def test_parameters_that_templates_use_must_be_defined() -> None:
    """At the place in the template."""
    report = verified(config=TEMPLATE + "  more: {{ .Params.GREETNG }}\n")
    first = report.errors[0]
    assert (first.text, first.where, first.hint) == (
        'parameter "GREETNG" in template config.yaml is not defined',
        "op/templates/config.yaml:7:19",
        'did you mean "GREETING"?',
    )


TOGGLE = OPERATOR.replace("kind: Apply\n  spec:\n", "kind: Toggle\n  spec:\n    parameter: ENABLED\n")


def test_parameters_that_toggles_use_must_be_defined() -> None:
    """And count as used when they are."""
    assert ('parameter "ENABLED" in ToggleTask config is not defined', "op/operator.yaml:18:5") in errors(TOGGLE)
    assert verified(TOGGLE, PARAMETERS + "- name: ENABLED\n  default: 'true'\n").findings == ()


def test_parameters_that_nobody_uses() -> None:
    """Only a warning, and none for one that triggers a plan."""
    assert warnings(parameters=with_parameter("")) == ['parameter "P" defined but not used.']
    assert warnings(parameters=with_parameter("  trigger: deploy\n")) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "  immutable: true\n  required: false\n",
            "is immutable but is not marked as required or has a default value",
        ),
        ("  enum: []\n", "is an enum but has no allowed values"),
        (
            "  enum: ['x']\n  type: boolean\n",
            (
                'has an invalid enum value: type is "boolean" but format of "x" is invalid: '
                'strconv.ParseBool: parsing "x": invalid syntax'
            ),
        ),
        (
            "  default: x\n  type: integer\n",
            (
                'has an invalid default value: type is "integer" but format of "x" is invalid: '
                'strconv.ParseInt: parsing "x": invalid syntax'
            ),
        ),
        (
            "  default: c\n  enum: [a, b]\n",
            'has an invalid default value: value is "c", but only allowed values are [a b]',
        ),
        ("  group: a/b\n", "has a group with invalid character '/'"),
        (
            "  advanced: true\n",
            (
                "is marked as advanced, but also as required and has no default. "
                "An advanced parameter must either be optional or have a default value"
            ),
        ),
        ("  group: g\n", 'has a group "g" that is not defined in the group section'),
    ],
    ids=["immutable", "no values", "enum", "default", "default of enum", "group sign", "advanced", "group"],
)
def test_definitions_that_contradict_themselves(text: str, problem: str) -> None:
    """Each with the original's text."""
    assert f'parameter "P" {problem}' in [found for found, _where in errors(parameters=with_parameter(text))]


@pytest.mark.parametrize(
    "text",
    [
        "  default: 3\n  type: integer\n",
        "  default: '3'\n  type: integer\n",
        "  default: false\n  type: boolean\n",
        "  default: [1]\n  type: array\n  enum: [[1], [2]]\n",
        "  default: a\n  enum: [a, b]\n",
        "  advanced: true\n  required: false\n",
        "  immutable: true\n",
    ],
)
def test_definitions_that_are_fine(text: str) -> None:
    """Whole numbers without quotes too, which the original refuses by mistake."""
    assert errors(parameters=with_parameter(text)) == []


def test_groups() -> None:
    """Names without slash, once each."""
    found = errors(parameters=f"groups:\n- name: a/b\n- name: g\n- name: g\n{PARAMETERS}")
    assert [text for text, _where in found] == [
        "parameter group \"a/b\" contains invalid character '/'",
        'parameter group "g" is duplicated',
    ]


def test_templates_that_do_not_parse() -> None:
    """With Go's text and the line."""
    text, where = errors(config="a\n{{ nope }}")[0]
    assert text == (
        'template file "config.yaml" reports the following error: template: config.yaml:2: function "nope" not defined'
    )
    assert where == "op/templates/config.yaml:2"


def test_fields_that_are_no_variables() -> None:
    """They are errors even where they would render, such as fields of elements, as in the original."""
    report = verified(config=TEMPLATE + "  x: {{ .Nmae }}{{ range .Params.L }}{{ .host }}{{ end }}\n")
    texts = {each.text: each.hint for each in report.errors}
    assert texts['template config.yaml defines an invalid implicit parameter "Nmae"'] == 'did you mean "Name"?'
    assert 'template config.yaml defines an invalid implicit parameter "host"' in texts


def test_templates_that_tasks_need_must_exist() -> None:
    """The finding has the place in the task; templates that nobody needs are a warning."""
    report = verified(OPERATOR.replace("[config.yaml]", "[confg.yaml]"))
    first = report.errors[0]
    assert (first.text, first.where) == (
        'template "confg.yaml" required by config but is not defined',
        "op/operator.yaml:18:17",
    )
    assert first.hint == 'did you mean "config.yaml"?'
    assert [each.text for each in report.warnings] == ['template "config.yaml" is not referenced from any task']


def test_templates_must_render_with_defaults() -> None:
    """Otherwise the error has Go's text and the place."""
    text, where = errors(config=TEMPLATE + '  x: {{ fail "no" }}\n')[0]
    assert text.startswith("error rendering template: template: config.yaml:7:8: executing")
    assert where == "op/templates/config.yaml:7:9"


def test_rendered_templates_must_be_objects() -> None:
    """A list at the top is none; the place is one in the rendered text."""
    text, where = errors(config="x: {{ .Params.GREETING }}\n")[0]
    assert text == "parsing rendered YAML from config.yaml failed: Object 'Kind' is missing in '{\"x\":\"hello\"}'"
    assert where == "op/templates/config.yaml, line 1 of the rendered text"


CHILD = OPERATOR + "- name: child\n  kind: KudoOperator\n  spec: {package: ./x, parameterFile: child.yaml}\n"


def test_parameter_files_need_not_be_objects() -> None:
    """They are rendered, but hold values."""
    assert errors(CHILD, child="A: {{ .Params.GREETING }}\n") == []


PIPE = """\
- name: pipe
  kind: Pipe
  spec:
    pod: pod.yaml
    pipe: [{file: /a/b, kind: Secret, key: k}]
"""


def test_pipe_keys_stand_once_in_a_plan() -> None:
    """The second use is an error; templates see the pipes of all plans."""
    pod = "kind: Pod\nmetadata: {name: '{{ .Pipes.k }}'}\n"
    once = OPERATOR.replace("tasks: [config]", "tasks: [config, pipe]") + PIPE
    assert errors(once, pod=pod) == []
    twice = OPERATOR.replace("tasks: [config]", "tasks: [config, pipe, pipe]") + PIPE
    assert ("duplicated pipe key k", "op/operator.yaml:6:3") in errors(twice, pod=pod)


NAMESPACE = "apiVersion: v1\nkind: Namespace\n"


def test_namespaces_only_in_the_namespace_manifest() -> None:
    """Anywhere else they are refused, with the line."""
    message = "template \"config.yaml\" contains 'kind: Namespace' not allowed unless specified as 'NamespaceManifest'"
    assert errors(config=TEMPLATE + "---\n" + NAMESPACE) == [(message, "op/templates/config.yaml:9")]
    assert verified("namespaceManifest: ns.yaml\n" + OPERATOR, ns=NAMESPACE).findings == ()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, 'NamespaceManifest "ns.yaml" not found in /templates folder'),
        ("# nothing\n", 'NamespaceManifest "ns.yaml" found but does not contain a manifest'),
        ("kind: Pod\n", 'NamespaceManifest "ns.yaml" found but manifest is not kind: Namespace'),
        (
            f"{NAMESPACE}---\n{NAMESPACE}",
            'NamespaceManifest "ns.yaml" found but contains 2 manifests which is greater than 1',
        ),
        ("a: [\n", 'Unable to marshal NamespaceManifest "ns.yaml" '),
    ],
)
def test_the_namespace_manifest_is_one_namespace(text: str | None, problem: str) -> None:
    """Each fault has its text."""
    templates = {} if text is None else {"ns": text}
    found = [each for each, _where in errors("namespaceManifest: ns.yaml\n" + OPERATOR, **templates)]
    assert problem in found


def test_how_parameters_are_described() -> None:
    """Only on request, only the first failing check of each kind, and groups by their own name."""
    parameters = f"groups:\n- name: g\n  displayName: 'group:'\n{PARAMETERS}  description: says hello\n  hint: no dot\n"
    report = verified(parameters=parameters, checks=("all",))
    assert [each.text for each in report.findings] == [
        'parameter "GREETING" has no displayName',
        "parameter \"GREETING\" has a hint not ending with a '.'",
        "parameter \"GREETING\" has a description not ending with one of '.!?)'",
        'parameter "GREETING" has no explicit type assigned',
        'parameter "GREETING" has no group',
        "parameter group \"g\" has a displayName ending with ':'",
        'parameter group "g" has no description',
    ]
    assert report.errors == ()
    assert [each.text for each in verified(parameters=parameters, checks=("type",)).findings] == [
        'parameter "GREETING" has no explicit type assigned'
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("  displayName: 'Greeting:'\n", "has a displayName ending with ':'"),
        ("  displayName: greeting\n", "has a displayName that does not start with a capital letter"),
        ("  displayName: Greeting\n", "has no description"),
        (
            "  displayName: Greeting\n  description: says.\n",
            "has a description that does not start with a capital letter",
        ),
    ],
)
def test_the_first_fault_of_a_description_counts(text: str, problem: str) -> None:
    """Names before descriptions."""
    report = verified(parameters=PARAMETERS + text, checks=("display", "desc"))
    assert report.findings[0].text == f'parameter "GREETING" {problem}'


def test_an_unknown_check_of_descriptions() -> None:
    """The error lists the known ones."""
    with pytest.raises(KudoError) as caught:
        verified(checks=("typo",))
    assert caught.value.message == (
        "unknown parameter check: typo, must be one of [display hint desc type hasgroup groups all]"
    )


def test_errors_stand_in_the_order_of_the_rules() -> None:
    """Parameters, versions, tasks, plans, use of parameters, references."""
    operator = OPERATOR.replace("kubernetesVersion: 1.17.0\n", "").replace("tasks: [config]", "tasks: [gone]")
    texts = [text for text, _where in errors(operator, with_parameter("  trigger: gone\n- name: P\n"), other="{{")]
    assert [text.split('"')[1] if '"' in text else text for text in texts[:5]] == [
        "P",
        "kubernetesVersion",
        "gone",
        "gone",
        "other.yaml",
    ]


def used(text: str) -> tuple[list[str], list[str]]:
    """Return the parameters and the unknown fields that a template uses."""
    usage = scan(Template.parse(text, "t", functions=sprig_v2_22()).tree)
    return list(usage.parameters), list(usage.unknown)


@pytest.mark.parametrize(
    ("text", "parameters", "unknown"),
    [
        ("{{ .Params.A }}{{ $.Params.B.c }}", ["A", "B"], []),
        ("{{ if .Params.A }}{{ .Params.B }}{{ else }}{{ .Params.C }}{{ end }}", ["A", "B", "C"], []),
        ("{{ with .Params.A }}{{ .x }}{{ else }}{{ .Params.C }}{{ end }}", ["A", "C"], ["x"]),
        ("{{ range .Params.A }}{{ .Params.B }}{{ else }}{{ .Params.C }}{{ end }}", ["A", "B"], []),
        ("{{ untilStep 1 (int .Params.A) 1 | join .Params.B }}", ["A", "B"], []),
        ("{{ eq .Name .Params.X }}", [], []),
        ("{{ .Params }}{{ .Pipes }}{{ .Pipes.k }}", [], ["Params", "Pipes"]),
        ("{{ $x := .Params.A }}{{ $x.Params.B }}", ["A"], []),
    ],
)
def test_what_a_template_uses(text: str, parameters: list[str], unknown: list[str]) -> None:
    """As the original scans it, with what it overlooks."""
    assert used(text) == (parameters, unknown)


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("0.1", "0.1.1"),
        ("v1.2", "1.10"),
        ("1.0.0-rc.1", "1.0.0"),
        ("1.0.0-1", "1.0.0-a"),
        ("1.0.0-rc.9", "1.0.0-rc.10"),
    ],
)
def test_versions_compare_as_semantic_versions(older: str, newer: str) -> None:
    """Leniently read: parts may be missing, a v may stand in front."""
    low, high = parse_version(older), parse_version(newer)
    assert low is not None
    assert high is not None
    assert low < high


@pytest.mark.parametrize("text", ["", "one", "1.x", "1.2.3.4", "1.2-", " 1.2"])
def test_texts_that_are_no_versions(text: str) -> None:
    """They have no value to compare."""
    assert parse_version(text) is None
