"""kuttl's own kinds: every field, wrong types with their places, unknown fields with suggestions."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields
from typing import Any

import pytest

from harness.kit.documents import Document
from harness.suite import spec
from harness.suite.decode import (
    collector_fault,
    command_fault,
    decode_assert,
    decode_file,
    decode_step,
    decode_suite,
    reference_fault,
)
from harness.suite.problem import Problem
from harness.suite.spec import Collector, Command, ResourceRef, TestStep, TestSuite
from harness.suite.streams import parse_stream


def document(text: str) -> Document:
    (found,) = parse_stream(text, "x.yaml").documents
    return found


def suite(text: str) -> tuple[TestSuite, list[Problem]]:
    return decode_suite(document(f"apiVersion: kuttl.dev/v1beta1\nkind: TestSuite\n{text}"))


def step(text: str) -> tuple[TestStep, list[Problem]]:
    return decode_step(document(f"apiVersion: kuttl.dev/v1beta1\nkind: TestStep\n{text}"))


def told(problems: list[Problem]) -> list[tuple[str, int]]:
    return [(one.severity, one.quirk) for one in problems]


WHOLE_SUITE = """
metadata: {name: nightly}
testDirs: [a, b]
crdDir: crds
manifestDirs: [m]
commands:
- {command: echo hi, namespaced: true, ignoreFailure: true, background: true, skipLogOutput: true, timeout: 3}
- {script: echo}
timeout: 60
parallel: 4
namespace: ns
skipDelete: true
skipClusterDelete: true
startControlPlane: false
attachControlPlaneOutput: false
startKIND: true
kindConfig: kind.yaml
kindContext: k
kindNodeCache: true
kindContainers: [img]
artifactsDir: out
reportFormat: xml
reportName: r
reportGranularity: test
suppress: [Events]
ignoreFiles: ["*.md"]
"""


def test_a_whole_suite_is_read() -> None:
    """Section 3: every field, without a word about any."""
    read, problems = suite(WHOLE_SUITE)
    assert problems == []
    assert (read.metadata.name, read.test_dirs) == ("nightly", ("a", "b"))
    assert (read.crd_dir, read.manifest_dirs) == ("crds", ("m",))
    assert read.commands[0] == Command(
        command="echo hi", namespaced=True, ignore_failure=True, background=True, skip_log_output=True, timeout=3
    )
    assert (read.effective_timeout, read.effective_parallel, read.namespace) == (60, 4, "ns")
    assert (read.skip_delete, read.skip_cluster_delete, read.start_kind) == (True, True, True)
    assert (read.kind_config, read.kind_context) == ("kind.yaml", "k")
    assert (read.kind_node_cache, read.kind_containers) == (True, ("img",))
    assert (read.artifacts_dir, read.report_format) == ("out", "xml")
    assert (read.report_name, read.report_granularity) == ("r", "test")
    assert read.suppresses_events
    assert read.effective_ignore_files == ("*.md",)


def test_every_field_of_a_suite_is_in_that_test() -> None:
    """The list above does not fall behind the model."""
    read, _ = suite(WHOLE_SUITE)
    default = TestSuite()
    names = [one.name for one in fields(TestSuite) if one.compare]
    same = [name for name in names if getattr(read, name) == getattr(default, name)]
    assert same == ["start_control_plane", "attach_control_plane_output", "control_plane_args", "config"]


def test_the_defaults_of_a_suite() -> None:
    """Section 3: 30 s, 8 at once, README*; 0 means the default; what was not set can be told from what was."""
    read, _ = suite("timeout: 0\nparallel: 0\n")
    assert (read.effective_timeout, read.effective_parallel, read.effective_ignore_files) == (30, 8, ("README*",))
    assert TestSuite().timeout is None
    assert suite("ignoreFiles: []\n")[0].effective_ignore_files == ()
    assert not TestSuite().effective_skip_delete
    assert TestSuite(start_control_plane=True).effective_skip_delete


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("parallel: -1", ("error", 7)),
        ("startKIND: true\nskipDelete: true", ("warning", 8)),
        ("controlPlaneArgs: [x]", ("warning", 9)),
        ("kindConfig: x", ("warning", 10)),
        ("reportFormat: XML", ("warning", 11)),
        ("reportFormat: html", ("warning", 11)),
        ("reportGranularity: case", ("warning", 12)),
        ("config: {}", ("error", 15)),
        ("timeout: -1", ("warning", 38)),
        ("suppress: [logs]", ("warning", 0)),
        ("startKIND: true\nstartControlPlane: true", ("error", 0)),
        ("attachControlPlaneOutput: true", ("error", 0)),
        ("metadata: {labels: {a: b}}", ("warning", 0)),
        ("commands: [{}]", ("warning", 0)),
    ],
)
def test_what_is_odd_about_a_suite(text: str, expected: tuple[str, int]) -> None:
    """Sections 3 and 25: each with its quirk, and with the line of its field."""
    _, problems = suite(text)
    assert told(problems) == [expected]
    assert problems[0].where.startswith("x.yaml:")


@pytest.mark.parametrize(
    ("text", "part", "where", "hint"),
    [
        ('timeout: "30"', "timeout must be a whole number, not '30'", "x.yaml:3:1", "leave the quotes out"),
        ("timeout: 1.5", "timeout must be a whole number, not 1.5", "x.yaml:3:1", ""),
        ("timeout: 30s", "timeout must be a whole number", "x.yaml:3:1", "seconds without unit: 30"),
        ("testDirs: a", "testDirs must be a list, not 'a'", "x.yaml:3:1", ""),
        ("testDirs: [a, 1]", "testDirs.1 must be a text, not 1", "x.yaml:3:15", "put it in quotes"),
        ("commands: [echo]", "commands.0 must be a mapping, not 'echo'", "x.yaml:3:12", ""),
        ("metadata: {labels: {a: y}}", "metadata.labels.a must be a text, not true", "x.yaml:3:21", "put it in quotes"),
        ("testDirs: [{file: a, shouldFail: true}]", "not a mapping", "x.yaml:3:12", "write the path alone: a"),
        ("skipDelete: 1", "skipDelete must be true or false, not 1", "x.yaml:3:1", ""),
        ("parallel: true", "parallel must be a whole number, not true", "x.yaml:3:1", ""),
    ],
)
def test_wrong_types_are_errors_with_field_and_line(text: str, part: str, where: str, hint: str) -> None:
    """Section 2.7: field, what it must be, what it is, line and column."""
    found = [one for one in suite(text)[1] if one.severity == "error"]
    assert part in found[0].text
    assert (found[0].where, found[0].hint) == (where, hint)


def test_null_is_the_zero_value() -> None:
    """A field without a value is a field that was not set."""
    read, problems = suite("timeout:\ntestDirs:\ncommands: [~]\n")
    assert (read.timeout, read.test_dirs, read.commands) == (None, (), (Command(),))
    assert [one.severity for one in problems] == ["warning"]  # the empty command


@pytest.mark.parametrize(
    ("text", "field", "hint"),
    [
        ("timeout: 30", "timeout", "`timeout` of the TestAssert"),
        ("Commands: []", "Commands", 'did you mean "commands"?'),
        ("assertAll: []", "assertAll", "TestAssert in an assert file"),
        ("comands: []", "comands", 'did you mean "commands"?'),
        ("errors: []", "errors", 'did you mean "error"?'),
        ("description: x", "description", "fields are apply, assert"),
    ],
)
def test_unknown_fields_are_told_with_what_was_meant(text: str, field: str, hint: str) -> None:
    """Q3: object, field, and the field or place probably meant."""
    (one,) = step(text)[1]
    assert told([one]) == [("warning", 3)]
    assert f'unknown field "{field}" of TestStep' in one.text
    assert hint in one.hint


def test_unknown_fields_of_commands_of_an_assert() -> None:
    """Q3: ignoreFailure and timeout do nothing inside of TestAssert.commands."""
    text = "kind: TestAssert\ncommands:\n- command: x\n  timeout: 3\n  ignoreFailure: true\n"
    read, problems = decode_assert(document(text))
    assert read.commands[0].command == "x"
    assert [(one.quirk, one.where) for one in problems] == [(3, "x.yaml:4:3"), (3, "x.yaml:5:3")]
    assert "AssertCommand in commands.0" in problems[0].text


def test_a_whole_step_is_read() -> None:
    """Section 10: every field; index and unitTest are told to be dead (Q46)."""
    read, problems = step(
        """
metadata: {name: s, namespace: x, creationTimestamp: null}
apply: [a]
assert: [b]
error: [c]
delete:
- {apiVersion: v1, kind: Pod, name: p, namespace: ns, labels: {a: b}, uid: u}
commands: [{command: x}]
kubeconfig: k
context: c
kubeconfigLoading: Lazy
index: 3
unitTest: true
"""
    )
    assert (read.metadata.name, read.apply, read.assert_files, read.error) == ("s", ("a",), ("b",), ("c",))
    assert (read.delete[0].kind, read.delete[0].labels) == ("Pod", {"a": "b"})
    assert (read.kubeconfig, read.context, read.lazy) == ("k", "c", True)
    assert str(read.commands[0].mark) == "x.yaml:10:12"
    assert told(problems) == [("warning", 46), ("warning", 46), ("warning", 69)]


@pytest.mark.parametrize(
    ("text", "expected", "part"),
    [
        ("kubeconfigLoading: lazy", ("error", 0), "attribute 'kubeconfigLoading' has invalid value \"lazy\""),
        ("context: c", ("warning", 70), "no effect without kubeconfig"),
        ("commands: [{script: x, background: true}]", ("warning", 57), "ends with its test"),
        ("delete: [{kind: Pod}]", ("error", 0), "apiVersion and kind"),
        ("delete: [{apiVersion: v1, kind: Pod}]", ("note", 0), "deletes every Pod"),
    ],
)
def test_what_is_odd_about_a_step(text: str, expected: tuple[str, int], part: str) -> None:
    """Sections 10, 11, 17 and 22."""
    _, problems = step(text)
    assert told(problems) == [expected]
    assert part in problems[0].text


NAMESPACED_SCRIPT = "script can not used 'namespaced', use the $NAMESPACE environment variable instead"


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        (Command(command="a", script="b"), "command and script can not be set in the same configuration"),
        (Command(), "command or script must be set"),
        (
            Command(script="a", namespaced=True),
            NAMESPACED_SCRIPT,
        ),
        (Command(command="a", namespaced=True), ""),
    ],
)
def test_commands_that_cannot_run(command: Command, fault: str) -> None:
    """Section 17.1: exactly one of command and script, and no namespaced script."""
    assert command_fault(command) == fault


def test_a_whole_assert_is_read() -> None:
    """Section 19: every field."""
    read, problems = decode_assert(
        document(
            """
apiVersion: kuttl.dev/v1beta1
kind: TestAssert
timeout: 9
commands: [{script: x, skipLogOutput: true}]
resourceRefs: [{apiVersion: apps/v1, kind: Deployment, name: d, namespace: ns, ref: d}]
assertAny: [{celExpr: a}]
assertAll: [{celExpr: b}]
collectors: [{type: Pod, pod: p, container: c, tail: 5, namespace: ns}, {selector: a=b}, {command: x}]
"""
        )
    )
    assert problems == []
    assert (read.timeout, read.commands[0].script, read.resource_refs[0].ref) == (9, "x", "d")
    assert (read.assert_any[0].cel_expr, read.assert_all[0].cel_expr) == ("a", "b")
    kinds = [(one.effective_type, one.effective_tail) for one in read.collectors]
    assert kinds == [("pod", 5), ("pod", 10), ("command", -1)]


TWICE = "resourceRefs: [{apiVersion: v1, kind: A, name: a, ref: r}, {apiVersion: v1, kind: A, name: b, ref: r}]"


@pytest.mark.parametrize(
    ("text", "quirk", "part"),
    [
        ("timeout: -1", 38, "passes unchecked"),
        (
            TWICE,
            67,
            "twice",
        ),
        ("resourceRefs: [{apiVersion: v1, kind: A, name: a, ref: a-b}]", 0, "no identifier"),
        ("resourceRefs: [{apiVersion: v1, kind: A, ref: r}]", 0, "name not specified"),
        ("collectors: [{type: pods, pod: x}]", 0, 'collector type "pods" unknown'),
        ("metadata: {name: x}", 0, "no effect"),
    ],
)
def test_what_is_odd_about_an_assert(text: str, quirk: int, part: str) -> None:
    """Sections 19 to 21."""
    (one,) = decode_assert(document(f"kind: TestAssert\n{text}"))[1]
    assert one.quirk == quirk
    assert part in one.text


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({}, "apiVersion not of the format (<group>/)<version>"),
        ({"api_version": "a/b/c"}, "apiVersion not of the format (<group>/)<version>"),
        ({"api_version": "/v1"}, "apiVersion not of the format (<group>/)<version>"),
        ({"api_version": "apps/v1"}, "kind not specified"),
        ({"api_version": "v1", "kind": "Pod"}, "name not specified"),
        ({"api_version": "v1", "kind": "Pod", "name": "p"}, "ref not specified"),
        ({"api_version": "v1", "kind": "Pod", "name": "p", "ref": "p"}, ""),
    ],
)
def test_references_are_checked_in_order(given: dict[str, Any], reason: str) -> None:
    """Section 20: apiVersion, kind, name, ref."""
    fault = reference_fault(ResourceRef(**given))
    assert fault.endswith(f": {reason}") if reason else fault == ""
    assert not reason or fault.startswith("validation failed for reference '")


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({}, "pod collector requires a pod or selector"),
        ({"type": "POD", "pod": "p", "command": "x"}, "pod collector can NOT have a command"),
        ({"type": "events", "pod": "p"}, ""),
        ({"type": "events", "selector": "a=b"}, "event collector can not have a selector, container or command"),
        ({"type": "command"}, "command collector requires a command"),
        ({"command": "x", "namespace": "n"}, "command collectors can NOT have pod, namespace, container or selectors"),
        ({"type": "logs"}, 'collector type "logs" unknown'),
    ],
)
def test_collectors_are_checked(given: dict[str, Any], fault: str) -> None:
    """Section 21: types in any case, with their defaults and refusals."""
    assert collector_fault(Collector(**given)) == fault


@pytest.mark.parametrize(
    ("selector", "labels", "selected"),
    [
        ("{}", {}, True),
        ("{matchLabels: {a: b}}", {"a": "b", "c": "d"}, True),
        ("{matchLabels: {a: b}}", {"a": "x"}, False),
        ("{matchExpressions: [{key: a, operator: In, values: [b, c]}]}", {"a": "c"}, True),
        ("{matchExpressions: [{key: a, operator: NotIn, values: [b]}]}", {}, True),
        ("{matchExpressions: [{key: a, operator: NotIn, values: [b]}]}", {"a": "b"}, False),
        ("{matchExpressions: [{key: a, operator: Exists}]}", {"a": ""}, True),
        ("{matchExpressions: [{key: a, operator: DoesNotExist}]}", {"a": ""}, False),
        ("{matchLabels: {a: b}, matchExpressions: [{key: c, operator: Exists}]}", {"a": "b"}, False),
    ],
)
def test_files_select_runs_by_labels(selector: str, labels: dict[str, str], selected: bool) -> None:
    """Section 8: matchLabels and matchExpressions; {} matches every run."""
    read, problems = decode_file(document(f"kind: TestFile\ntestRunSelector: {selector}\n"))
    assert problems == []
    assert read.selects(labels) is selected


def test_a_file_without_selector_matches_no_run() -> None:
    """Q37: leaving the field out hides the file, and that is told."""
    read, problems = decode_file(document("kind: TestFile\n"))
    assert not read.selects({})
    assert told(problems) == [("warning", 37)]


@pytest.mark.parametrize(
    "requirement",
    [
        "{key: a, operator: in, values: [b]}",
        "{key: a, operator: In}",
        "{key: a, operator: Exists, values: [b]}",
    ],
)
def test_wrong_requirements_are_errors(requirement: str) -> None:
    """Section 8: operators are In, NotIn, Exists, DoesNotExist, with the values they take."""
    text = f"kind: TestFile\ntestRunSelector: {{matchExpressions: [{requirement}]}}\n"
    assert told(decode_file(document(text))[1]) == [("error", 0)]


@pytest.mark.parametrize(
    "model", [getattr(spec, name) for name in spec.__all__ if isinstance(getattr(spec, name), type)]
)
def test_every_field_is_described(model: Any) -> None:
    """Each model says of each of its fields what it means; the reference is written from that."""
    described = set(re.findall(r"^    (\w+): \S", inspect.getdoc(model) or "", re.MULTILINE))
    assert described == {one.name for one in fields(model)}
