"""From templates and parameter values to the objects that a task applies, with the original's error texts.

Pure, but that a template may ask for the time and for chance (`now`, `randAlphaNum`). The engine, `package verify` and
`package render` import it. Rules: templates are rendered one by one with Go's text/template, sprig 2.22 and toYaml; a
missing key is an error.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from random import SystemRandom
from typing import Any

from harness.gotmpl import KUDO_REMOVED, FunctionSet, Template, TemplateError, World, sprig_v2_22
from harness.gotmpl.strconv import quote
from harness.kit.documents import DocumentError, Manifest, parse_documents
from harness.kit.errors import UsageError
from harness.kudo.building import check_task
from harness.kudo.model import OperatorVersion, Parameter, Plan, json_numbers

__all__ = [
    "VARIABLES",
    "FatalRenderError",
    "Variables",
    "check_task",
    "documents",
    "parameter_values",
    "parse_template",
    "pipe_name",
    "pipe_values",
    "render",
    "variables_of",
]

VARIABLES = ("OperatorName", "Name", "Namespace", "AppVersion", "OperatorVersion", "PlanName", "PhaseName", "StepName")


class FatalRenderError(UsageError):
    """A template, its result or a parameter value is wrong; retrying cannot help.

    Attributes:
        cause: the original's text of the error, without place, as it ends up in the status of a step.
        reason: the innermost part of that text.
    """

    def __init__(
        self, cause: str, *, where: str = "", wanted: str = "a template that renders to objects", reason: str = ""
    ) -> None:
        super().__init__(wanted, seen=cause, where=where)
        self.cause = cause
        self.reason = reason or cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Variables:
    """What a template of a task can see."""

    operator_name: str = ""
    name: str = ""
    namespace: str = ""
    app_version: str = ""
    operator_version: str = ""
    plan_name: str = ""
    phase_name: str = ""
    step_name: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    pipes: Mapping[str, str] = field(default_factory=dict)

    def mapping(self) -> dict[str, Any]:
        """Return the variables under the names that templates use."""
        return {
            "OperatorName": self.operator_name,
            "Name": self.name,
            "Namespace": self.namespace,
            "AppVersion": self.app_version,
            "OperatorVersion": self.operator_version,
            "PlanName": self.plan_name,
            "PhaseName": self.phase_name,
            "StepName": self.step_name,
            "Params": dict(self.params),
            "Pipes": dict(self.pipes),
        }


def variables_of(
    operator_version: OperatorVersion,
    *,
    instance: str,
    namespace: str,
    params: Mapping[str, Any],
    plan: str = "",
    phase: str = "",
    step: str = "",
    pipes: Mapping[str, str] | None = None,
) -> Variables:
    """Return the variables of one step of an instance's plan."""
    return Variables(
        operator_name=operator_version.operator_name,
        name=instance,
        namespace=namespace,
        app_version=operator_version.app_version,
        operator_version=operator_version.version,
        plan_name=plan,
        phase_name=phase,
        step_name=step,
        params=params,
        pipes=pipes or {},
    )


def parameter_values(operator_version: OperatorVersion, given: Mapping[str, str]) -> dict[str, Any]:
    """Return the values of all declared parameters: the given one, else the default, else empty.

    Args:
        operator_version: declares the parameters; given values that it does not declare are invisible.
        given: the instance's `spec.parameters`.

    Raises:
        FatalRenderError: a value of type array or map does not parse.
    """
    return {
        name: _parameter_value(parameter, given.get(name, parameter.default or ""))
        for name, parameter in operator_version.parameters.items()
    }


def _parameter_value(parameter: Parameter, text: str) -> Any:
    """Return the value of one parameter: maps and arrays are parsed, all other types stay texts."""
    if parameter.value_type not in ("array", "map"):
        return text
    where = f'parameter "{parameter.name}"'
    try:
        parsed = parse_documents(text, where, duplicates="last")
    except DocumentError as error:
        cause = f"failed to parse the value of {where} as {parameter.value_type}: {error.seen}"
        raise FatalRenderError(cause, where=error.where, wanted=f"YAML of type {parameter.value_type}") from None
    value = json_numbers(parsed[0].value) if parsed else None
    if parameter.value_type == "array" and not isinstance(value, list | None):
        cause = f"failed to parse the value of {where} as array: {_json(value)}"
        raise FatalRenderError(cause, where=where, wanted="a YAML list")
    return value


@lru_cache(maxsize=512)
def parse_template(text: str, name: str) -> Template:
    """Parse a template with exactly the functions that operators have.

    Raises:
        TemplateError: with Go's text, file, line and column.
    """
    return Template.parse(text, name, functions=_functions(), missing_key="error")


@lru_cache(maxsize=1)
def _functions() -> FunctionSet:
    return sprig_v2_22(world=World(clock=time.time, random=SystemRandom()), exclude=KUDO_REMOVED)


def render(operator_version: OperatorVersion, template_name: str, variables: Variables) -> str:
    """Return the text of a rendered template.

    Raises:
        FatalRenderError: no such template, it does not parse, it does not execute (a missing key included).
    """
    text = operator_version.templates.get(template_name)
    if text is None:
        raise FatalRenderError(f"error finding resource named {template_name}", where=f"templates/{template_name}")
    doing = "parsing"
    try:
        template = parse_template(text, template_name)
        doing = "rendering"
        return template.render(variables.mapping())
    except TemplateError as error:
        cause = f"error expanding template {template_name}: error {doing} template: {error.go_text}"
        raise FatalRenderError(cause, where=f"templates/{error.where}", reason=error.go_text) from error


def documents(text: str, template_name: str) -> list[Manifest]:
    """Return the objects of a rendered text in order; chunks without content are left out.

    Raises:
        FatalRenderError: a chunk is not YAML, or is no object with a kind.
    """
    found = []
    line = 1
    for chunk in text.split("\n---"):
        if chunk.strip():
            found += _decoded(chunk, template_name, line)
        line += chunk.count("\n") + 1
    return found


def _decoded(chunk: str, template_name: str, line: int) -> list[Manifest]:
    try:
        parsed = parse_documents("\n" * (line - 1) + chunk, f"{template_name} (rendered)", duplicates="last")
    except DocumentError as error:
        raise _undecodable(chunk, template_name, error.seen, error.where) from None
    if not parsed:
        return []
    value, where = parsed[0].value, str(parsed[0].mark)
    if not isinstance(value, dict):
        raise _undecodable(chunk, template_name, f"an object was expected, not {_json(value)}", where)
    if not isinstance(value.get("kind"), str) or not value["kind"]:
        raise _undecodable(chunk, template_name, f"Object 'Kind' is missing in '{_json(value)}'", where)
    return [value]


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _undecodable(chunk: str, template_name: str, reason: str, where: str) -> FatalRenderError:
    cause = f"fatal error: parsing YAML from {template_name}: decoding chunk {quote(chunk)} failed: {reason}"
    return FatalRenderError(cause, where=where, reason=reason)


def pipe_name(instance: str, path: tuple[str, str, str, str], key: str) -> str:
    """Return the name of a pipe's artifact, or of its pod with the key `pipepod`.

    Args:
        instance: the instance's name.
        path: plan, phase, step and task.
        key: the pipe's key.
    """
    return ".".join(re.sub(r"[^a-z0-9]", "", part.lower()) for part in (instance, *path, key))


def pipe_values(operator_version: OperatorVersion, plan: Plan, instance: str) -> dict[str, str]:
    """Return the artifact names by pipe key of one plan.

    Raises:
        FatalRenderError: a key is used twice in the plan.
    """
    found: dict[str, str] = {}
    for phase, step in plan.steps():
        for task in (operator_version.tasks[name] for name in step.tasks if name in operator_version.tasks):
            for entry in (task.spec.get("pipe") or ()) if task.kind == "Pipe" else ():
                key = entry.get("key", "")
                if key in found:
                    where = f"plan {plan.name}, step {step.name}"
                    raise FatalRenderError(f"duplicated pipe key {key}", where=where, wanted="each pipe key once")
                found[key] = pipe_name(instance, (plan.name, phase.name, step.name, task.name), key)
    return found
