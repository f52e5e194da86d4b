"""An operator's release as plain values: plans, tasks, parameters, templates (KUDO's OperatorVersion).

Pure; everything in harness.kudo may import it. Field names and shapes follow the `kudo.dev/v1beta1` OperatorVersion.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.kit.documents import DocumentError, Manifest, parse_documents
from harness.kit.numbers import go_float

__all__ = [
    "API_VERSION",
    "BOOLEANS",
    "CRD_NAMES",
    "OperatorVersion",
    "Parameter",
    "Phase",
    "Plan",
    "Step",
    "Task",
    "boolean",
    "check_type",
    "check_value",
    "go_text",
    "json_numbers",
    "parse_operator_version",
    "parse_plan",
    "version_name",
]

API_VERSION = "kudo.dev/v1beta1"
CRD_NAMES = ("operators.kudo.dev", "operatorversions.kudo.dev", "instances.kudo.dev")
BOOLEANS: Mapping[str, bool] = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}

_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(
    r"[-+]?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|0[xX][0-9a-fA-F.]+[pP][-+]?[0-9]+|inf|infinity|nan)",
    re.IGNORECASE,
)
_LARGEST_INT64 = 2**63


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Tasks that are run together; done when all are done in one pass."""

    name: str
    tasks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """Steps with a strategy: `serial`, anything else runs without waiting."""

    name: str
    strategy: str = ""
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Phases with a strategy: `serial`, anything else runs without waiting."""

    name: str
    strategy: str = ""
    phases: tuple[Phase, ...] = ()

    def steps(self) -> Iterator[tuple[Phase, Step]]:
        """Yield every step with its phase, in order."""
        for phase in self.phases:
            for step in phase.steps:
                yield phase, step


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One unit of work; `spec` is the flat union of all kinds' fields, as in the OperatorVersion."""

    name: str
    kind: str
    spec: Mapping[str, Any] = field(default_factory=dict)

    @property
    def resources(self) -> tuple[str, ...]:
        """Template names of an Apply, Delete or Toggle task."""
        return tuple(self.spec.get("resources") or ())

    def text(self, key: str) -> str:
        """Return a text of the spec, empty when absent."""
        return str(self.spec.get(key) or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter's definition; `default` is a text whatever the type, None when there is none."""

    name: str
    display_name: str = ""
    description: str = ""
    required: bool = False
    default: str | None = None
    trigger: str = ""
    value_type: str = ""
    immutable: bool = False
    enum: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorVersion:
    """One complete release of an operator."""

    name: str
    operator_name: str
    version: str
    app_version: str = ""
    namespace: str = ""
    templates: Mapping[str, str] = field(default_factory=dict)
    tasks: Mapping[str, Task] = field(default_factory=dict)
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    plans: Mapping[str, Plan] = field(default_factory=dict)


def version_name(operator: str, version: str, app_version: str = "") -> str:
    """Return the name of an OperatorVersion object: galera-0.1.0, or galera-10.5-0.1.0 with an app version."""
    return "-".join(part for part in (operator, app_version, version) if part)


def parse_operator_version(manifest: Manifest) -> OperatorVersion:
    """Read an OperatorVersion object as an API server returns it.

    Of tasks and parameters of the same name the last one counts, as in the original.
    """
    metadata, spec = manifest.get("metadata") or {}, manifest.get("spec") or {}
    tasks = [_task(item) for item in spec.get("tasks") or ()]
    parameters = [_parameter(item) for item in spec.get("parameters") or ()]
    return OperatorVersion(
        name=metadata.get("name", ""),
        namespace=metadata.get("namespace", ""),
        operator_name=(spec.get("operator") or {}).get("name", ""),
        version=spec.get("version", ""),
        app_version=spec.get("appVersion", ""),
        templates=dict(spec.get("templates") or {}),
        tasks={task.name: task for task in tasks},
        parameters={parameter.name: parameter for parameter in parameters},
        plans={name: parse_plan(name, item or {}) for name, item in (spec.get("plans") or {}).items()},
    )


def _task(item: Mapping[str, Any]) -> Task:
    return Task(name=item.get("name", ""), kind=item.get("kind", ""), spec=dict(item.get("spec") or {}))


def _parameter(item: Mapping[str, Any]) -> Parameter:
    enum = item.get("enum")
    return Parameter(
        name=item.get("name", ""),
        display_name=item.get("displayName", ""),
        description=item.get("description", ""),
        required=bool(item.get("required")),
        default=item.get("default"),
        trigger=item.get("trigger", ""),
        value_type=item.get("value-type", ""),
        immutable=bool(item.get("immutable")),
        enum=None if enum is None else tuple(enum),
    )


def parse_plan(name: str, item: Mapping[str, Any]) -> Plan:
    """Read one plan of an OperatorVersion."""
    phases = tuple(_phase(phase) for phase in item.get("phases") or ())
    return Plan(name=name, strategy=item.get("strategy") or "", phases=phases)


def _phase(item: Mapping[str, Any]) -> Phase:
    steps = tuple(
        Step(name=step.get("name", ""), tasks=tuple(step.get("tasks") or ())) for step in item.get("steps") or ()
    )
    return Phase(name=item.get("name", ""), strategy=item.get("strategy") or "", steps=steps)


def boolean(text: str) -> bool | None:
    """Return what a text means as a boolean in Go's reading, None when it is none."""
    return BOOLEANS.get(text)


def go_text(value: Any) -> str:
    """Return a value as Go's generic formatting prints it: true, 2, 1e+06, texts unchanged, [a b], map[k:v]."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return go_float(float(value))
    if isinstance(value, Mapping):
        return f"map[{' '.join(f'{key}:{go_text(value[key])}' for key in sorted(value))}]"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{' '.join(go_text(item) for item in value)}]"
    return "<nil>" if value is None else str(value)


def json_numbers(value: Any) -> Any:
    """Return a value with all numbers as floats, which is how JSON decoding leaves them in the original."""
    if isinstance(value, dict):
        return {key: json_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [json_numbers(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def check_value(parameter: Parameter, text: str) -> str:
    """Return why an instance may not give a parameter this value, empty when it may.

    Args:
        parameter: the definition.
        text: the instance's value, empty when it gives none.

    The rules are those of the admission of instances: a required parameter without default needs a value; a value
    that is given must be of the parameter's type and one of its enum.
    """
    if not text:
        missing = parameter.required and parameter.default is None
        return f'parameter "{parameter.name}" is required but has no value set' if missing else ""
    problem = check_type(parameter.value_type, text)
    if not problem and parameter.enum is not None and text not in parameter.enum:
        problem = f'value is "{text}", but only allowed values are [{" ".join(parameter.enum)}]'
    return f'parameter "{parameter.name}" has an invalid value "{text}": {problem}' if problem else ""


def check_type(value_type: str, value: Any) -> str:
    """Return why a value is not of a parameter type, empty when it is or the type is unknown.

    Args:
        value_type: string, integer, number, boolean, array or map; others are not checked.
        value: a text, or the value as it stands in params.yaml.

    Whole numbers written without quotes are taken for integers, which the original's verify refuses by mistake.
    """
    if value_type == "string":
        return "" if isinstance(value, str) else _invalid("string", value)
    if value_type == "boolean":
        fits = isinstance(value, bool) or (isinstance(value, str) and value in BOOLEANS)
        return "" if fits else _invalid("boolean", value, "ParseBool")
    if value_type == "integer":
        return _check_integer(value)
    if value_type == "number":
        return _check_number(value)
    wanted = {"array": list, "map": dict}.get(value_type)
    return _check_structure(value_type, wanted, value) if wanted else ""


def _check_integer(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return ""
    if not isinstance(value, str) or not _INTEGER.fullmatch(value):
        return _invalid("integer", value, "ParseInt")
    if -_LARGEST_INT64 <= int(value) < _LARGEST_INT64:
        return ""
    return _invalid("integer", value, "ParseInt", "value out of range")


def _check_number(value: Any) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return ""
    if not isinstance(value, str) or not _FLOAT.fullmatch(value):
        return _invalid("number", value, "ParseFloat")
    too_large = "x" not in value.lower() and "inf" not in value.lower() and math.isinf(float(value))
    return _invalid("number", value, "ParseFloat", "value out of range") if too_large else ""


def _check_structure(value_type: str, wanted: type, value: Any) -> str:
    problem = f'type is "{value_type}", but format of "{go_text(value)}" is invalid'
    if isinstance(value, str):
        try:
            parsed = parse_documents(value, duplicates="last")
        except DocumentError:
            return problem
        value = parsed[0].value if parsed else None
    return "" if value is None or isinstance(value, wanted) else problem


def _invalid(value_type: str, value: Any, parser: str = "", cause: str = "invalid syntax") -> str:
    shown = f'"{value}"' if isinstance(value, str) else go_text(value)
    reason = f": strconv.{parser}: parsing {shown}: {cause}" if parser and isinstance(value, str) else ""
    return f'type is "{value_type}" but format of {shown} is invalid{reason}'
