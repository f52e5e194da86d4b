"""The objects of kuttl's files: TestSuite, TestStep, TestAssert, TestFile and their parts.

Pure models; harness.suite.decode reads them from documents. Imported by loading, lint, the runner, and the
generators of the reference and the schemas.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from harness.kit.documents import Mark
from harness.suite.words import summary

__all__ = [
    "GROUP",
    "TYPED_KINDS",
    "AssertCommand",
    "Assertion",
    "Collector",
    "Command",
    "LabelSelector",
    "Metadata",
    "ObjectReference",
    "Requirement",
    "ResourceRef",
    "TestAssert",
    "TestFile",
    "TestStep",
    "TestSuite",
]

GROUP = "kuttl.dev"
TYPED_KINDS = ("TestSuite", "TestStep", "TestAssert", "TestFile")

_NOWHERE = Mark("<text>", 1, 1)
_PLACE = {"mark": True}  # filled by the decoder with the place of the value itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """An object's metadata.

    Attributes:
        name: the suite's name in reports, the step's name; of other objects without effect.
        labels: without effect on kuttl's own objects.
        annotations: without effect on kuttl's own objects.
    """

    name: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command of a suite or of a step.

    Attributes:
        command: one program and its arguments, no shell.
        script: text for `sh -c`; exactly one of the two is to be set.
        namespaced: append `--namespace <ns>`.
        ignore_failure: neither a non-zero exit nor a timeout counts.
        background: start it and go on; meant for suites.
        skip_log_output: discard its output.
        timeout: seconds; above 0 it replaces the default, below 0 there is none, 0 means the default.
        mark: where it stands.
    """

    command: str = ""
    script: str = ""
    namespaced: bool = False
    ignore_failure: bool = False
    background: bool = False
    skip_log_output: bool = False
    timeout: int = 0
    mark: Mark = field(default=_NOWHERE, metadata=_PLACE, compare=False, repr=False)

    @property
    def summary(self) -> str:
        """How messages name it, in double quotes."""
        return summary(self.command, self.script)


@dataclass(frozen=True, slots=True, kw_only=True)
class AssertCommand:
    """A command of a TestAssert, run again in every round.

    Attributes:
        command: one program and its arguments, no shell.
        script: text for `sh -c`; exactly one of the two is to be set.
        namespaced: append `--namespace <ns>`.
        skip_log_output: discard its output.
        mark: where it stands.
    """

    command: str = ""
    script: str = ""
    namespaced: bool = False
    skip_log_output: bool = False
    mark: Mark = field(default=_NOWHERE, metadata=_PLACE, compare=False, repr=False)

    @property
    def summary(self) -> str:
        """How messages name it, in double quotes."""
        return summary(self.command, self.script)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectReference:
    """What a step deletes: one object by name, or all of a kind in the namespace that carry the labels.

    Attributes:
        api_version: of the kind.
        kind: the kind.
        name: one object; without name and labels all of the kind.
        namespace: default the test's.
        labels: pairs that each object must carry.
        mark: where it stands.
    """

    api_version: str = ""
    kind: str = ""
    name: str = ""
    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    mark: Mark = field(default=_NOWHERE, metadata=_PLACE, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceRef:
    """An object that CEL expressions name by `ref`.

    Attributes:
        api_version: of the kind.
        kind: the kind.
        name: the object's name, literally.
        namespace: default the test's; without effect for cluster-scoped kinds.
        ref: the variable that expressions use.
        mark: where it stands.
    """

    api_version: str = ""
    kind: str = ""
    name: str = ""
    namespace: str = ""
    ref: str = ""
    mark: Mark = field(default=_NOWHERE, metadata=_PLACE, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertion:
    """One CEL expression of assertAny or assertAll.

    Attributes:
        cel_expr: the expression, over the variables of resourceRefs.
        mark: where it stands.
    """

    cel_expr: str = ""
    mark: Mark = field(default=_NOWHERE, metadata=_PLACE, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Collector:
    """What to fetch when a step has failed: logs of pods, events, or the output of a command.

    Attributes:
        type: pod, command or events, in any case; empty: see `effective_type`.
        pod: a pod's name; for events the object's.
        selector: a label query for pods.
        container: one container; else all of them.
        tail: lines of log; 0: 10 with a selector, all with a name.
        namespace: default the test's.
        command: a program and its arguments.
        mark: where it stands.
    """

    type: str = ""
    pod: str = ""
    selector: str = ""
    container: str = ""
    tail: int = 0
    namespace: str = ""
    command: str = ""
    mark: Mark = field(default=_NOWHERE, metadata=_PLACE, compare=False, repr=False)

    @property
    def effective_type(self) -> str:
        """The type in lower case, with its default: command when there is one, else pod."""
        return self.type.lower() or ("command" if self.command else "pod")

    @property
    def effective_tail(self) -> int:
        """The number of lines to ask for, -1 for all."""
        return self.tail or (10 if self.selector else -1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One expression of a label selector.

    Attributes:
        key: the label.
        operator: In, NotIn, Exists or DoesNotExist.
        values: for In and NotIn.
        mark: where it stands.
    """

    key: str = ""
    operator: str = ""
    values: tuple[str, ...] = ()
    mark: Mark = field(default=_NOWHERE, metadata=_PLACE, compare=False, repr=False)

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether labels meet it; NotIn is met by absence too."""
        value = labels.get(self.key)
        if self.operator == "In":
            return value in self.values
        if self.operator == "NotIn":
            return value not in self.values
        return (value is not None) == (self.operator == "Exists")


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSelector:
    """A label selector of Kubernetes; an empty one matches everything.

    Attributes:
        match_labels: pairs that the labels must hold.
        match_expressions: further demands; all must be met.
    """

    match_labels: Mapping[str, str] = field(default_factory=dict)
    match_expressions: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether labels meet all of it."""
        equal = all(labels.get(key) == value for key, value in self.match_labels.items())
        return equal and all(one.matches(labels) for one in self.match_expressions)


@dataclass(frozen=True, slots=True, kw_only=True)
class TestFile:
    """Says for which runs its file is meant.

    Attributes:
        metadata: without effect.
        test_run_selector: matched with the labels of the run; None matches no run (quirk Q37).
        mark: where it stands.
    """

    __test__: ClassVar[bool] = False  # not a class of tests, whatever pytest thinks of its name

    metadata: Metadata = field(default_factory=Metadata)
    test_run_selector: LabelSelector | None = None
    mark: Mark = field(default=_NOWHERE, metadata=_PLACE, compare=False, repr=False)

    def selects(self, labels: Mapping[str, str]) -> bool:
        """Tell whether the file belongs to a run with these labels."""
        return self.test_run_selector is not None and self.test_run_selector.matches(labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class TestAssert:
    """How a step is asserted, beside its objects.

    Attributes:
        metadata: without effect.
        timeout: seconds for the loop and for `delete`; 0 means the suite's, below 0 nothing is checked (quirk Q38).
        commands: each must succeed, in every round anew.
        resource_refs: the objects that expressions name.
        assert_any: at least one must be true.
        assert_all: each must be true.
        collectors: what to fetch on failure.
        mark: where it stands.
    """

    __test__: ClassVar[bool] = False

    metadata: Metadata = field(default_factory=Metadata)
    timeout: int = 0
    commands: tuple[AssertCommand, ...] = ()
    resource_refs: tuple[ResourceRef, ...] = ()
    assert_any: tuple[Assertion, ...] = ()
    assert_all: tuple[Assertion, ...] = ()
    collectors: tuple[Collector, ...] = ()
    mark: Mark = field(default=_NOWHERE, metadata=_PLACE, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TestStep:
    """What a step does beside applying its objects.

    Attributes:
        metadata: its name is the step's.
        apply: further manifests to apply: URLs, absolute paths, or paths relative to the test's folder.
        assert_files: further manifests to assert (the field `assert`).
        error: further manifests that must not match.
        delete: what to delete before anything else.
        commands: run after the deletions, before the objects are applied.
        kubeconfig: another cluster for all of the step.
        context: a context of that kubeconfig.
        kubeconfig_loading: Eager or Lazy.
        index: without effect (quirk Q46).
        unit_test: without effect (quirk Q46).
        mark: where it stands.
    """

    __test__: ClassVar[bool] = False

    metadata: Metadata = field(default_factory=Metadata)
    apply: tuple[str, ...] = ()
    assert_files: tuple[str, ...] = field(default=(), metadata={"key": "assert"})
    error: tuple[str, ...] = ()
    delete: tuple[ObjectReference, ...] = ()
    commands: tuple[Command, ...] = ()
    kubeconfig: str = ""
    context: str = ""
    kubeconfig_loading: str = ""
    index: int = 0
    unit_test: bool = False
    mark: Mark = field(default=_NOWHERE, metadata=_PLACE, compare=False, repr=False)

    @property
    def lazy(self) -> bool:
        """Whether the kubeconfig is loaded just before the step."""
        return self.kubeconfig_loading == "Lazy"


@dataclass(frozen=True, slots=True, kw_only=True)
class TestSuite:
    """The configuration of a run; None where a field was not given, so that flags and defaults can be told from it.

    Attributes:
        metadata: its name is that of the report's root element.
        test_dirs: folders of cases, or addresses of archives of them.
        crd_dir: CustomResourceDefinitions to install before anything else.
        manifest_dirs: further manifests to install, in this order.
        commands: run once, in the runner's folder, before the cases.
        timeout: seconds, see `effective_timeout`; suite commands have it only where it was given (quirk Q28).
        parallel: cases at once, see `effective_parallel`.
        namespace: one for all cases; empty: one generated for each.
        skip_delete: keep namespaces and objects, see `effective_skip_delete`.
        skip_cluster_delete: keep the cluster or control plane that the run started.
        start_control_plane: run on an etcd and an API server of the run's own.
        attach_control_plane_output: their logs to standard output.
        control_plane_args: without effect (quirk Q9).
        start_kind: run on a kind cluster of the run's own.
        kind_config: its configuration file; without effect without startKIND (quirk Q10).
        kind_context: its name, default `kind`.
        kind_node_cache: keep the images of its nodes in volumes.
        kind_containers: images to load into its nodes.
        artifacts_dir: where reports and logs go, default the current folder.
        report_format: xml or json; empty for none.
        report_name: file name of the report without extension, default `kuttl-report`.
        report_granularity: step (the default) or test.
        suppress: `events` leaves the events of namespaces out of the log.
        ignore_files: patterns of base names, see `effective_ignore_files`; an empty list removes the default.
        config: for users of kuttl's Go library; an error here (quirk Q15).
        mark: where it stands.
    """

    __test__: ClassVar[bool] = False

    metadata: Metadata = field(default_factory=Metadata)
    test_dirs: tuple[str, ...] = ()
    crd_dir: str = ""
    manifest_dirs: tuple[str, ...] = ()
    commands: tuple[Command, ...] = ()
    timeout: int | None = None
    parallel: int | None = None
    namespace: str = ""
    skip_delete: bool | None = None
    skip_cluster_delete: bool = False
    start_control_plane: bool = False
    attach_control_plane_output: bool = False
    control_plane_args: tuple[str, ...] = ()
    start_kind: bool = field(default=False, metadata={"key": "startKIND"})
    kind_config: str = ""
    kind_context: str = ""
    kind_node_cache: bool = False
    kind_containers: tuple[str, ...] = ()
    artifacts_dir: str = ""
    report_format: str = ""
    report_name: str = ""
    report_granularity: str = ""
    suppress: tuple[str, ...] = ()
    ignore_files: tuple[str, ...] | None = None
    config: Any = None
    mark: Mark = field(default=_NOWHERE, metadata=_PLACE, compare=False, repr=False)

    DEFAULT_TIMEOUT: ClassVar[int] = 30
    DEFAULT_PARALLEL: ClassVar[int] = 8
    DEFAULT_IGNORED: ClassVar[tuple[str, ...]] = ("README*",)

    @property
    def effective_timeout(self) -> int:
        """Seconds for assertions, commands, applies, deletions; negative ones have a meaning of their own (Q38)."""
        return self.timeout or self.DEFAULT_TIMEOUT

    @property
    def effective_parallel(self) -> int:
        """Cases at once."""
        return self.parallel or self.DEFAULT_PARALLEL

    @property
    def effective_ignore_files(self) -> tuple[str, ...]:
        """Patterns of base names that are left out of test folders without a word."""
        return self.DEFAULT_IGNORED if self.ignore_files is None else self.ignore_files

    @property
    def effective_skip_delete(self) -> bool:
        """Whether objects and namespaces stay; a control plane without controllers cannot delete them anyway."""
        return bool(self.skip_delete) or self.start_control_plane

    @property
    def suppresses_events(self) -> bool:
        """Whether the events of the test's namespace are left out of the log."""
        return any(one.lower() == "events" for one in self.suppress)
