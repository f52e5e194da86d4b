"""kuttl's objects out of documents: decoded as leniently as kuttl does, and checked beyond it.

Pure. What cannot be meant is an error, what does nothing is a warning that names its quirk; see problem and quirks.
Imported by loading, lint and the runner.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from harness.kit.documents import Document, Mark
from harness.kit.errors import did_you_mean
from harness.suite.decoder import Decoder
from harness.suite.problem import Problem, Severity
from harness.suite.spec import (
    GROUP,
    AssertCommand,
    Collector,
    Command,
    Metadata,
    ObjectReference,
    Requirement,
    ResourceRef,
    TestAssert,
    TestFile,
    TestStep,
    TestSuite,
)

__all__ = [
    "check_suite",
    "collector_fault",
    "command_fault",
    "decode_assert",
    "decode_file",
    "decode_step",
    "decode_suite",
    "reference_fault",
]

T = TypeVar("T")


def decode_suite(document: Document) -> tuple[TestSuite, list[Problem]]:
    """Return a TestSuite and what is wrong or odd about it."""
    suite, problems = _decode(TestSuite, document)
    return suite, problems + _metadata_problems(suite.metadata, document, name="") + check_suite(suite, document)


def decode_step(document: Document) -> tuple[TestStep, list[Problem]]:
    """Return a TestStep and what is wrong or odd about it."""
    step, problems = _decode(TestStep, document)
    problems += _metadata_problems(step.metadata, document, name="")
    problems += _command_problems(step.commands, background=True)
    return step, problems + _step_problems(step, document)


def decode_assert(document: Document) -> tuple[TestAssert, list[Problem]]:
    """Return a TestAssert and what is wrong or odd about it; expressions are compiled elsewhere."""
    read, problems = _decode(TestAssert, document)
    problems += _metadata_problems(read.metadata, document, name="of a TestAssert")
    problems += _command_problems(read.commands, background=False)
    return read, problems + _assert_problems(read, document)


def decode_file(document: Document) -> tuple[TestFile, list[Problem]]:
    """Return a TestFile and what is wrong or odd about it."""
    read, problems = _decode(TestFile, document)
    problems += _metadata_problems(read.metadata, document, name="of a TestFile")
    if read.test_run_selector is None:
        text = "a TestFile without testRunSelector hides its file from every run"
        problems.append(_warning(text, document.mark, 37, "testRunSelector: {} matches every run"))
    for one in read.test_run_selector.match_expressions if read.test_run_selector else ():
        fault = _requirement_fault(one)
        if fault:
            problems.append(_error(fault, one.mark))
    return read, problems


def command_fault(command: Command | AssertCommand) -> str:
    """Return why a command cannot run whatever the cluster, in kuttl's words; an empty text when it can."""
    if command.command and command.script:
        return "command and script can not be set in the same configuration"
    if not command.command and not command.script:
        return "command or script must be set"
    if command.script and command.namespaced:
        return "script can not used 'namespaced', use the $NAMESPACE environment variable instead"
    return ""


def collector_fault(collector: Collector) -> str:
    """Return why a collector cannot run, in kuttl's words; an empty text when it can."""
    kind = collector.effective_type
    if kind == "pod":
        if not collector.pod and not collector.selector:
            return "pod collector requires a pod or selector"
        return "pod collector can NOT have a command" if collector.command else ""
    if kind == "events":
        extra = collector.selector or collector.container or collector.command
        return "event collector can not have a selector, container or command" if extra else ""
    if kind == "command":
        if not collector.command:
            return "command collector requires a command"
        extra = collector.pod or collector.namespace or collector.container or collector.selector
        return "command collectors can NOT have pod, namespace, container or selectors" if extra else ""
    return f'collector type "{collector.type}" unknown'


def reference_fault(reference: ResourceRef) -> str:
    """Return why a reference is invalid, in kuttl's words and order; an empty text when it is valid."""
    group, slash, version = reference.api_version.rpartition("/")
    if not version or "/" in group or (slash and not group):
        reason = "apiVersion not of the format (<group>/)<version>"
    elif not reference.kind:
        reason = "kind not specified"
    elif not reference.name:
        reason = "name not specified"
    elif not reference.ref:
        reason = "ref not specified"
    else:
        return ""
    fields = {
        "apiVersion": reference.api_version,
        "kind": reference.kind,
        "namespace": reference.namespace,
        "name": reference.name,
        "ref": reference.ref,
    }
    shown = ", ".join(f"{key}: {value}" for key, value in fields.items() if value)
    return f"validation failed for reference '{shown}': {reason}"


def check_suite(suite: TestSuite, document: Document) -> list[Problem]:
    """Return what is wrong or odd about a suite's values.

    Args:
        suite: the suite.
        document: the document it was read from, for places.
    """
    problems = _command_problems(suite.commands, background=False)
    for applies, severity, key, text, quirk, hint in (*_switch_rules(suite), *_report_rules(suite)):
        if applies:
            where = str(document.at(key))
            problems.append(Problem(severity=severity, text=text, where=where, hint=hint, quirk=quirk))
    return problems


def _warning(text: str, mark: Mark, quirk: int = 0, hint: str = "") -> Problem:
    return Problem(severity="warning", text=text, where=str(mark), hint=hint, quirk=quirk)


def _error(text: str, mark: Mark, quirk: int = 0, hint: str = "") -> Problem:
    return Problem(severity="error", text=text, where=str(mark), hint=hint, quirk=quirk)


_Rule = tuple[bool, Severity, str, str, int, str]  # applies, severity, field, text, quirk, hint


def _switch_rules(suite: TestSuite) -> tuple[_Rule, ...]:
    negative = f"with the negative timeout {suite.timeout} steps without a timeout of their own pass unchecked"
    deleted = "skipDelete keeps namespaces and objects, but the kind cluster is deleted all the same"
    config = "config is for users of kuttl's Go library and cannot be given here"
    two, needs = (
        "only one of startControlPlane and startKIND can be set",
        "attachControlPlaneOutput needs startControlPlane",
    )
    lost = suite.start_kind and bool(suite.skip_delete) and not suite.skip_cluster_delete
    orphan = suite.attach_control_plane_output and not suite.start_control_plane
    return (
        ((suite.parallel or 0) < 0, "error", "parallel", f"parallel must not be {suite.parallel}", 7, "0 means 8"),
        ((suite.timeout or 0) < 0, "warning", "timeout", negative, 38, ""),
        (lost, "warning", "skipDelete", deleted, 8, "skipClusterDelete: true keeps it"),
        (bool(suite.control_plane_args), "warning", "controlPlaneArgs", "controlPlaneArgs has no effect", 9, ""),
        (
            bool(suite.kind_config) and not suite.start_kind,
            "warning",
            "kindConfig",
            "kindConfig has no effect without startKIND",
            10,
            "set startKIND: true",
        ),
        (suite.config is not None, "error", "config", config, 15, "set KUBECONFIG"),
        (suite.start_control_plane and suite.start_kind, "error", "startKIND", two, 0, ""),
        (orphan, "error", "attachControlPlaneOutput", needs, 0, ""),
    )


def _report_rules(suite: TestSuite) -> tuple[_Rule, ...]:
    known = suite.report_format.lower() in {"", "xml", "json"}
    exact = suite.report_format in {"", "xml", "json"}
    upper = f"reportFormat {suite.report_format}: kuttl knows the lower-case form only, and would write JSON"
    unknown = f"unknown reportFormat {suite.report_format}: JSON is written"
    grain = f"unknown reportGranularity {suite.report_granularity} counts as step"
    others = any(one.lower() != "events" for one in suite.suppress)
    return (
        (known and not exact, "warning", "reportFormat", upper, 11, ""),
        (not known, "warning", "reportFormat", unknown, 11, "xml or json"),
        (
            suite.report_granularity not in {"", "step", "test"},
            "warning",
            "reportGranularity",
            grain,
            12,
            "step or test",
        ),
        (others, "warning", "suppress", "only `events` can be suppressed", 0, ""),
    )


_OBJECT_META = frozenset(
    {"namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "finalizers", "generateName"}
    | {"managedFields", "ownerReferences", "selfLink", "deletionTimestamp", "deletionGracePeriodSeconds"}
)
_TYPE_META = frozenset({"apiVersion", "kind"})
_SILENT: dict[type, frozenset[str]] = {
    Metadata: _OBJECT_META,
    ObjectReference: frozenset({"uid", "resourceVersion", "fieldPath"}),
    **dict.fromkeys((TestSuite, TestStep, TestAssert, TestFile), _TYPE_META),
}
_OF_ASSERT = "it belongs to a TestAssert in an assert file"
_ELSEWHERE: dict[tuple[type, str], str] = {
    (
        TestStep,
        "timeout",
    ): "a step's time is `timeout` of the TestAssert in its assert file, a command's its own `timeout`",
    **{(TestStep, key): _OF_ASSERT for key in ("assertAny", "assertAll", "resourceRefs", "collectors")},
    (TestStep, "errors"): 'did you mean "error"?',
    (TestStep, "namespace"): "namespaces are the suite's `namespace`, or each object's",
    (TestStep, "skipDelete"): "it belongs to the TestSuite",
    **{(TestAssert, key): "it belongs to a TestStep" for key in ("apply", "delete", "kubeconfig", "context")},
    (AssertCommand, "timeout"): "commands of a TestAssert share the time of the TestAssert's `timeout`",
    (AssertCommand, "ignoreFailure"): "a failing command of a TestAssert always counts; append `|| true` to a script",
    (AssertCommand, "background"): "only commands of a TestSuite run in the background",
}


def _decode(model: type[T], document: Document) -> tuple[T, list[Problem]]:
    decoder = Decoder(document, silent=_SILENT, elsewhere=_ELSEWHERE)
    return decoder.decode(model, document.value), decoder.problems


def _metadata_problems(metadata: Metadata, document: Document, *, name: str) -> list[Problem]:
    """Return what has no effect in metadata; `name` says of what a name would be, and is empty where it has one."""
    found = [
        _warning(f"{key} on an object of {GROUP} have no effect", document.at("metadata", key))
        for key, value in (("labels", metadata.labels), ("annotations", metadata.annotations))
        if value
    ]
    if name and metadata.name:
        note = Problem(
            severity="note", text=f"the name {name} has no effect", where=str(document.at("metadata", "name"))
        )
        found.append(note)
    return found


def _command_problems(commands: Sequence[Command | AssertCommand], *, background: bool) -> list[Problem]:
    problems: list[Problem] = []
    for one in commands:
        fault = command_fault(one)
        if fault:
            text = f"processing command {one.summary} with {fault}"
            problems.append(
                Problem(severity="warning", text=text, where=str(one.mark), hint="it will fail when it runs")
            )
        if background and isinstance(one, Command) and one.background:
            text = "background commands are meant for suites; this one ends with its test"
            problems.append(_warning(text, one.mark, 57))
    return problems


def _step_problems(step: TestStep, document: Document) -> list[Problem]:
    problems = [
        _warning(f"{key} has no effect", document.at(key), 46, hint)
        for key, hint in (("index", "the file's number is the step's"), ("unitTest", ""))
        if key in document.value
    ]
    if step.kubeconfig_loading not in {"", "Eager", "Lazy"}:
        text = f"attribute 'kubeconfigLoading' has invalid value \"{step.kubeconfig_loading}\""
        hint = did_you_mean(step.kubeconfig_loading, ("Eager", "Lazy")) or "Eager or Lazy"
        problems.append(_error(text, document.at("kubeconfigLoading"), 0, hint))
    if step.context and not step.kubeconfig:
        problems.append(_warning("context has no effect without kubeconfig", document.at("context"), 70))
    elif step.context and step.commands:
        text = f"commands do not see the context {step.context}, they get the kubeconfig with its own current context"
        problems.append(_warning(text, document.at("context"), 69))
    for one in step.delete:
        if not one.api_version or not one.kind:
            problems.append(_error("an entry of delete needs apiVersion and kind", one.mark))
        elif not one.name and not one.labels:
            text = f"deletes every {one.kind} of the namespace, of the cluster if the kind is cluster-scoped"
            problems.append(Problem(severity="note", text=text, where=str(one.mark)))
    return problems


def _assert_problems(read: TestAssert, document: Document) -> list[Problem]:
    problems: list[Problem] = []
    if read.timeout < 0:
        text = f"with the negative timeout {read.timeout} the step passes unchecked"
        problems.append(_warning(text, document.at("timeout"), 38))
    seen: dict[str, ResourceRef] = {}
    for one in read.resource_refs:
        fault = reference_fault(one)
        if fault:
            problems.append(_error(fault, one.mark))
        elif one.ref in seen:
            problems.append(_warning(f'the ref "{one.ref}" stands twice, the later object counts', one.mark, 67))
        elif not one.ref.isidentifier():
            problems.append(_warning(f'the ref "{one.ref}" is no identifier, no expression can use it', one.mark))
        seen[one.ref] = one
    for collector in read.collectors:
        fault = collector_fault(collector)
        if fault:
            problems.append(_warning(f"skipping invalid collector: {fault}", collector.mark))
    return problems


def _requirement_fault(one: Requirement) -> str:
    if one.operator in {"In", "NotIn"}:
        return "" if one.values else f"operator {one.operator} needs values"
    if one.operator in {"Exists", "DoesNotExist"}:
        return f"operator {one.operator} takes no values" if one.values else ""
    return f'"{one.operator}" is not a valid label selector operator: In, NotIn, Exists, DoesNotExist'
