"""A KUDO package: operator.yaml, params.yaml and templates, read from file contents and turned into API objects.

Pure: it is given the contents (harness.kudo.packages reads folders and archives). Verify, printers and operations
import it. Where the original ignores a key, so does this; the ignored keys are kept as warnings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.kit.documents import Document, DocumentError, Manifest, Mark, dump_yaml, parse_documents
from harness.kit.errors import did_you_mean
from harness.kudo.building import TASK_KINDS, template_names
from harness.kudo.errors import KudoError
from harness.kudo.model import (
    API_VERSION,
    OperatorVersion,
    Plan,
    Task,
    go_text,
    json_numbers,
    parse_operator_version,
    parse_plan,
    version_name,
)
from harness.kudo.reading import PackageError, Section

__all__ = [
    "Group",
    "Maintainer",
    "Objects",
    "Package",
    "PackageParameter",
    "package_objects",
    "parse_package",
    "version_of",
]

OPERATOR_FILE = "operator.yaml"
PARAMETERS_FILE = "params.yaml"

_OPERATOR_KEYS = (
    "apiVersion", "name", "description", "operatorVersion", "appVersion", "kudoVersion", "kubernetesVersion",
    "maintainers", "url", "namespaceManifest", "tasks", "plans",
)  # fmt: skip
_PARAMETER_KEYS = (
    "name", "displayName", "description", "default", "required", "immutable", "trigger", "type", "enum", "group",
    "advanced", "hint",
)  # fmt: skip
_TASK_TEXTS = ("parameter", "pod", "package", "instanceName", "appVersion", "operatorVersion", "parameterFile")
_TASK_FLAGS = ("wantErr", "fatal", "done")

Place = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintainer:
    """Who looks after an operator."""

    name: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group of parameters, for those who read them."""

    name: str
    display_name: str = ""
    description: str = ""
    priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageParameter:
    """A parameter as params.yaml has it; `default` and `enum` keep their YAML types."""

    name: str
    display_name: str = ""
    description: str = ""
    default: Any = None
    required: bool = True
    immutable: bool = False
    trigger: str = ""
    value_type: str = ""
    enum: tuple[Any, ...] | None = None
    group: str = ""
    advanced: bool = False
    hint: str = ""

    @property
    def default_text(self) -> str | None:
        """The default as the OperatorVersion has it: always a text; "null" for a list or map without default."""
        return self.as_text(self.default)

    def as_text(self, value: Any) -> str | None:
        """Return a default or an item of the enum as text."""
        if self.value_type in ("array", "map"):
            return dump_yaml(json_numbers(value))
        return None if value is None else go_text(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package as its files have it; lists keep their order and duplicates.

    Attributes:
        where: the folder or archive, for messages.
        places: where things stand, by ("task", name), ("parameter", name), ("step", plan, phase, step) and so on.
        warnings: a line for each key that is ignored, with file:line:column.
    """

    where: str
    name: str
    operator_version: str
    app_version: str = ""
    kudo_version: str = ""
    kubernetes_version: str = ""
    description: str = ""
    url: str = ""
    namespace_manifest: str = ""
    maintainers: tuple[Maintainer, ...] = ()
    tasks: tuple[Task, ...] = ()
    plans: Mapping[str, Plan] = field(default_factory=dict)
    parameters: tuple[PackageParameter, ...] = ()
    groups: tuple[Group, ...] = ()
    templates: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[Place, Mark] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def version_name(self) -> str:
        """The name of the package's OperatorVersion object."""
        return version_name(self.name, self.operator_version, self.app_version)

    def place(self, *key: str) -> str:
        """Return where something stands, or its nearest parent; empty when unknown."""
        for end in range(len(key), 0, -1):
            if key[:end] in self.places:
                return str(self.places[key[:end]])
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Objects:
    """The API objects of a package."""

    operator: Manifest
    operator_version: Manifest
    instance: Manifest

    def parsed(self) -> OperatorVersion:
        """Return the OperatorVersion as values."""
        return parse_operator_version(self.operator_version)


def parse_package(files: Mapping[str, str], where: str) -> Package:
    """Read a package.

    Args:
        files: contents by path relative to the package's root, with slashes.
        where: the folder or archive, for messages; marks name files below it.

    Raises:
        KudoError: a file is missing or has another API version; PackageError: a part of it cannot be read as what it
            should be; DocumentError: not YAML.
    """
    for name in (OPERATOR_FILE, PARAMETERS_FILE):
        if name not in files:
            exists = sorted(path for path in files if "/" not in path)
            raise KudoError(f"operator package missing {name} in {where}", usage=True, exists=exists)
    warnings: list[str] = []
    places: dict[Place, Mark] = {}
    operator = _section(files[OPERATOR_FILE], _shown(where, OPERATOR_FILE), warnings, "operator")
    settings = _section(files[PARAMETERS_FILE], _shown(where, PARAMETERS_FILE), warnings, "params")
    operator.expect("the operator", *_OPERATOR_KEYS)
    settings.expect("params.yaml", "apiVersion", "groups", "parameters")
    for name in (*_OPERATOR_KEYS[1:7], "namespaceManifest"):
        places["operator", name] = operator.at(name)
    return Package(
        where=where,
        name=operator.text("name"),
        operator_version=operator.text("operatorVersion"),
        app_version=operator.text("appVersion"),
        kudo_version=operator.text("kudoVersion"),
        kubernetes_version=operator.text("kubernetesVersion"),
        description=operator.text("description"),
        url=operator.text("url"),
        namespace_manifest=operator.text("namespaceManifest"),
        maintainers=tuple(_maintainer(section) for section in operator.sections("maintainers")),
        tasks=tuple(_task(section, places) for section in operator.sections("tasks")),
        plans=_plans(operator, places),
        parameters=tuple(_parameter(section, places) for section in settings.sections("parameters")),
        groups=tuple(_group(section, places) for section in settings.sections("groups")),
        templates=_templates(files),
        places=places,
        warnings=tuple(warnings),
    )


def _shown(where: str, name: str) -> str:
    return name if where in ("", ".") else f"{where.rstrip('/')}/{name}"


def _section(text: str, file: str, warnings: list[str], kind: str) -> Section:
    documents = parse_documents(text, file, duplicates="last")
    if not documents and kind == "operator":
        raise KudoError(f"failed to parse yaml into valid operator {OPERATOR_FILE}", usage=True, where=file)
    document = documents[0] if documents else Document({}, file)
    try:
        parse_documents(text, file)
    except DocumentError as error:  # only a key that stands twice is refused here and not above
        warnings.append(f"{error.where}: {error.seen}, the last one counts")
    section = Section.of(document, warnings, wanted=f"a mapping in {file}")
    version = section.text("apiVersion") or API_VERSION
    if version != API_VERSION:
        message = f"expecting supported API version {API_VERSION} but got {version}"
        raise KudoError(message, usage=True, where=str(section.at("apiVersion")))
    return section


def _templates(files: Mapping[str, str]) -> dict[str, str]:
    """Return the templates by name: every YAML file below templates/, named by its path behind the last templates/."""
    found = {}
    for path in sorted(files):
        folder, _, base = path.rpartition("/")
        if folder.startswith("templates") and ".yaml" in base:
            found[path.rpartition("templates/")[2]] = files[path]
    return found


def _maintainer(section: Section) -> Maintainer:
    section.expect("a maintainer", "name", "email")
    return Maintainer(name=section.text("name"), email=section.text("email"))


def _group(section: Section, places: dict[Place, Mark]) -> Group:
    section.expect("a group", "name", "displayName", "description", "prio")
    name, priority = section.text("name"), section.raw("prio")
    if priority is not None and (not isinstance(priority, int) or isinstance(priority, bool)):
        raise PackageError("a whole number for prio", seen=str(priority), where=str(section.at("prio")))
    places["group", name] = section.at()
    return Group(
        name=name,
        display_name=section.text("displayName"),
        description=section.text("description"),
        priority=priority or 0,
    )


def _parameter(section: Section, places: dict[Place, Mark]) -> PackageParameter:
    section.expect("a parameter", *_PARAMETER_KEYS)
    name, enum = section.text("name"), section.raw("enum")
    if enum is not None and not isinstance(enum, list):
        raise PackageError("a list below enum", seen=str(enum), where=str(section.at("enum")))
    places["parameter", name] = section.at()
    places.update({("parameter", name, key): section.at(key) for key in _PARAMETER_KEYS})
    return PackageParameter(
        name=name,
        display_name=section.text("displayName"),
        description=section.text("description"),
        default=section.raw("default"),
        required=section.flag("required", default=True),
        immutable=section.flag("immutable", default=False),
        trigger=section.text("trigger"),
        value_type=section.text("type"),
        enum=None if enum is None else tuple(enum),
        group=section.text("group"),
        advanced=section.flag("advanced", default=False),
        hint=section.text("hint"),
    )


def _task(section: Section, places: dict[Place, Mark]) -> Task:
    section.expect("a task", "name", "kind", "spec")
    name, spec = section.text("name"), section.section("spec")
    places["task", name] = section.at()
    places["task", name, "kind"] = section.at("kind")
    return Task(name=name, kind=section.text("kind"), spec=_task_spec(spec, name, places) if spec else {})


def _task_spec(spec: Section, task: str, places: dict[Place, Mark]) -> dict[str, Any]:
    """Return the fields that are set, under their proper names."""
    spec.expect("a task's spec", "resources", "pipe", *_TASK_TEXTS, *_TASK_FLAGS)
    resources = spec.texts("resources")
    fields: dict[str, Any] = {} if resources is None else {"resources": list(resources)}
    for index, name in enumerate(resources or ()):
        places["task", task, name] = spec.at("resources", index)
    for key in _TASK_TEXTS:
        if spec.text(key):
            fields[key] = spec.text(key)
            places["task", task, spec.text(key)] = spec.at(key)
    fields |= {key: True for key in _TASK_FLAGS if spec.flag(key, default=False)}
    if spec.raw("pipe") is not None:
        fields["pipe"] = [_pipe(entry) for entry in spec.sections("pipe")]
    return fields


def _pipe(entry: Section) -> dict[str, str]:
    entry.expect("a pipe", "file", "envFile", "kind", "key")
    return {key: entry.text(key) for key in ("file", "envFile", "kind", "key") if entry.text(key)}


def _plans(operator: Section, places: dict[Place, Mark]) -> dict[str, Plan]:
    """Return the plans in the order of the file, having noted where their parts stand."""
    section = operator.section("plans")
    return {} if section is None else {name: _plan(name, plan, places) for name, plan in section.items()}


def _plan(name: str, section: Section, places: dict[Place, Mark]) -> Plan:
    section.expect("a plan", "strategy", "phases")
    places["plan", name] = section.at()
    phases = [_phase(phase, ("plan", name), places) for phase in section.sections("phases")]
    return parse_plan(name, {"strategy": section.text("strategy"), "phases": phases})


def _phase(section: Section, parent: Place, places: dict[Place, Mark]) -> dict[str, Any]:
    section.expect("a phase", "name", "strategy", "steps")
    place = (*parent, section.text("name"))
    places[place] = section.at()
    steps = [_step(step, place, places) for step in section.sections("steps")]
    return {"name": section.text("name"), "strategy": section.text("strategy"), "steps": steps}


def _step(section: Section, parent: Place, places: dict[Place, Mark]) -> dict[str, Any]:
    section.expect("a step", "name", "tasks")
    place, tasks = (*parent, section.text("name")), section.texts("tasks") or ()
    places[place] = section.at()
    places.update({(*place, task): section.at("tasks", index) for index, task in enumerate(tasks)})
    return {"name": section.text("name"), "tasks": list(tasks)}


def package_objects(
    package: Package,
    *,
    namespace: str = "",
    instance: str = "",
    parameters: Mapping[str, str] | None = None,
) -> Objects:
    """Return a package's Operator, OperatorVersion and Instance.

    Args:
        package: the package; child operators in its tasks are taken as they stand.
        namespace: put into all three, left out when empty.
        instance: the Instance's name, `<operator>-instance` when empty.
        parameters: the Instance's values.

    Raises:
        KudoError: an unknown kind of task, a template that is missing, a Toggle without parameter, a Pipe without
            files; all of them in one error.
    """
    _check_conversion(package)
    name = instance or f"{package.name}-instance"
    labels = {"kudo.dev/operator": package.name}
    spec: dict[str, Any] = {"operatorVersion": {"name": package.version_name}}
    if parameters:
        spec["parameters"] = dict(parameters)
    return Objects(
        operator=_object("Operator", package.name, namespace, _operator_spec(package)),
        operator_version=_object("OperatorVersion", package.version_name, namespace, _version_spec(package)),
        instance=_object("Instance", name, namespace, spec, labels),
    )


def version_of(package: Package) -> OperatorVersion:
    """Return a package's OperatorVersion as values, without checking that the package can be installed."""
    return parse_operator_version(_object("OperatorVersion", package.version_name, "", _version_spec(package)))


def _object(
    kind: str, name: str, namespace: str, spec: dict[str, Any], labels: Mapping[str, str] | None = None
) -> Manifest:
    metadata: dict[str, Any] = {"name": name}
    if namespace:
        metadata["namespace"] = namespace
    if labels:
        metadata["labels"] = dict(labels)
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}


def _operator_spec(package: Package) -> dict[str, Any]:
    maintainers = [_present(name=each.name, email=each.email) for each in package.maintainers]
    return _present(
        description=package.description,
        kudoVersion=package.kudo_version,
        kubernetesVersion=package.kubernetes_version,
        maintainers=maintainers,
        url=package.url,
        namespaceManifest=package.namespace_manifest,
    )


def _version_spec(package: Package) -> dict[str, Any]:
    return {
        "operator": {"kind": "Operator", "name": package.name},
        **_present(
            version=package.operator_version,
            appVersion=package.app_version,
            templates=dict(package.templates),
            parameters=[_parameter_object(parameter) for parameter in package.parameters],
        ),
        "tasks": [{"name": task.name, "kind": task.kind, "spec": dict(task.spec)} for task in package.tasks],
        "plans": {name: _plan_object(plan) for name, plan in package.plans.items()},
    }


def _parameter_object(parameter: PackageParameter) -> dict[str, Any]:
    fields = _present(
        name=parameter.name,
        displayName=parameter.display_name,
        description=parameter.description,
        trigger=parameter.trigger,
    )
    fields |= {"required": parameter.required, "immutable": parameter.immutable}
    if (default := parameter.default_text) is not None:
        fields["default"] = default
    if parameter.value_type:
        fields["value-type"] = parameter.value_type
    if parameter.enum is not None:
        fields["enum"] = [parameter.as_text(item) or "" for item in parameter.enum]
    return fields


def _plan_object(plan: Plan) -> dict[str, Any]:
    phases = [
        {
            "name": phase.name,
            **_present(strategy=phase.strategy),
            "steps": [{"name": step.name, "tasks": list(step.tasks)} for step in phase.steps],
        }
        for phase in plan.phases
    ]
    return {**_present(strategy=plan.strategy), "phases": phases}


def _present(**fields: Any) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value}


def _check_conversion(package: Package) -> None:
    problems: list[tuple[str, str]] = []
    for task in package.tasks:
        if task.kind not in TASK_KINDS:
            problems.append((f"unknown task kind {task.kind}", package.place("task", task.name, "kind")))
        for name in template_names(task):
            if name not in package.templates:
                message = f"task {task.name} missing template: {name}"
                problems.append((message, package.place("task", task.name, name)))
        if task.kind == "Toggle" and not task.text("parameter"):
            message = f"toggle task {task.name} does not have parameter specified"
            problems.append((message, package.place("task", task.name)))
        if task.kind == "Pipe" and not task.spec.get("pipe"):
            message = f"task {task.name} does not have pipe files specified"
            problems.append((message, package.place("task", task.name)))
    if problems:
        raise _conversion_error(package, problems)


def _conversion_error(package: Package, problems: Sequence[tuple[str, str]]) -> KudoError:
    messages = [message for message, _place in problems]
    missing = [message.rpartition(": ")[2] for message in messages if " missing template: " in message]
    hints = [did_you_mean(name, package.templates) for name in missing]
    kinds = any(message.startswith("unknown task kind") for message in messages)
    return KudoError(
        "\n".join(messages),
        usage=True,
        seen="\n".join(dict.fromkeys(hint for hint in hints if hint)),
        where=", ".join(dict.fromkeys(place for _message, place in problems)),
        exists=TASK_KINDS if kinds else sorted(package.templates) if missing else (),
    )
