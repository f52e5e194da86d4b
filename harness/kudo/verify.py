"""`package verify`: everything that can be told about a package without a cluster, in the original's order and words.

Pure; the command line imports it. Each finding also knows its file, line and column, and often what was meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.gotmpl import TemplateError
from harness.kit.errors import did_you_mean
from harness.kudo.building import check_task, template_names
from harness.kudo.finding import Finding, parse_version
from harness.kudo.model import OperatorVersion, Plan
from harness.kudo.package import Package, version_of
from harness.kudo.parameter_rules import check_definitions, check_groups, check_names, check_prose
from harness.kudo.rendering import (
    VARIABLES,
    FatalRenderError,
    Variables,
    documents,
    parameter_values,
    parse_template,
    pipe_values,
    render,
)
from harness.kudo.scan import Usage, scan

__all__ = ["Report", "verify"]

_NAMESPACE = re.compile(r"kind:\s*Namespace\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was found; a package without errors is valid."""

    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that make the package invalid."""
        return tuple(each for each in self.findings if not each.warning)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The other findings."""
        return tuple(each for each in self.findings if each.warning)


def verify(package: Package, checks: Sequence[str] = ()) -> Report:
    """Check a package by all rules.

    Args:
        package: the package.
        checks: names of PARAMETER_CHECKS, the checks of how parameters are described.

    Raises:
        KudoError: an unknown check.
    """
    prose = list(check_prose(package, checks))
    usages = {name: _usage(text, name) for name, text in package.templates.items()}
    return Report(
        findings=(
            *check_names(package),
            *_check_versions(package),
            *_check_tasks(package),
            *_check_task_names(package),
            *_check_plans(package),
            *_check_usage(package, usages),
            *check_definitions(package),
            *check_groups(package),
            *_check_templates(package, usages),
            *_check_references(package),
            *_check_rendering(package, {name for name, usage in usages.items() if isinstance(usage, Usage)}),
            *_check_namespaces(package),
            *prose,
        )
    )


def _usage(text: str, name: str) -> Usage | TemplateError:
    try:
        return scan(parse_template(text, name).tree)
    except TemplateError as error:
        return error


def _check_versions(package: Package) -> Iterator[Finding]:
    versions = {
        "operatorVersion": package.operator_version,
        "appVersion": package.app_version,
        "kubernetesVersion": package.kubernetes_version,
        "kudoVersion": package.kudo_version,
    }
    for key in ("operatorVersion", "kubernetesVersion"):
        if not versions[key]:
            yield Finding(text=f'"{key}" is required and must be semver', where=package.place("operator", key))
    for key, text in versions.items():
        if text and parse_version(text) is None:
            where = package.place("operator", key)
            yield Finding(
                text=f'unable to parse "{key}": Invalid Semantic Version', where=where, hint=f'it is "{text}"'
            )


def _check_tasks(package: Package) -> Iterator[Finding]:
    for task in package.tasks:
        if problem := check_task(task, installed=False):
            yield Finding(text=problem, where=package.place("task", task.name, "kind"))


def _check_task_names(package: Package) -> Iterator[Finding]:
    defined = [task.name for task in package.tasks]
    used: set[str] = set()
    for plan in package.plans.values():
        for phase, step in plan.steps():
            for name in step.tasks:
                used.add(name)
                if name not in defined:
                    text = f'task "{name}" in plan "{plan.name}" is not defined'
                    where = package.place("plan", plan.name, phase.name, step.name, name)
                    yield Finding(text=text, where=where, hint=_meant(name, defined))
    for name in defined:
        if name not in used:
            yield Finding(text=f'task "{name}" defined but not used', where=package.place("task", name), warning=True)


def _meant(name: str, candidates: Sequence[str]) -> str:
    return did_you_mean(name, candidates) or (f"there are {', '.join(sorted(candidates))}" if candidates else "")


def _check_plans(package: Package) -> Iterator[Finding]:
    for each in package.parameters:
        if each.trigger and each.trigger not in package.plans:
            text = f'plan "{each.trigger}" used in parameter "{each.name}" is not defined'
            where = package.place("parameter", each.name, "trigger")
            yield Finding(text=text, where=where, hint=_meant(each.trigger, list(package.plans)))
    if "deploy" not in package.plans:
        hint = _meant("deploy", list(package.plans))
        yield Finding(
            text="an operator is required to have 'deploy' plan", where=package.place("operator", "plans"), hint=hint
        )


def _check_usage(package: Package, usages: dict[str, Usage | TemplateError]) -> Iterator[Finding]:
    defined = [each.name for each in package.parameters]
    used: set[str] = set()
    for file, usage in usages.items():
        for name, (line, column) in (usage.parameters if isinstance(usage, Usage) else {}).items():
            used.add(name)
            if name not in defined:
                text = f'parameter "{name}" in template {file} is not defined'
                where = f"{_template_file(package, file)}:{line}:{column}"
                yield Finding(text=text, where=where, hint=_meant(name, defined))
    for task in package.tasks:
        name = task.text("parameter")
        if task.kind != "Toggle" or not name:
            continue
        used.add(name)
        if name not in defined:
            text = f'parameter "{name}" in ToggleTask {task.name} is not defined'
            yield Finding(text=text, where=package.place("task", task.name, name), hint=_meant(name, defined))
    for each in package.parameters:
        if each.name not in used and not each.trigger:
            where = package.place("parameter", each.name)
            yield Finding(text=f'parameter "{each.name}" defined but not used.', where=where, warning=True)


def _template_file(package: Package, name: str) -> str:
    folder = "" if package.where in ("", ".") else f"{package.where.rstrip('/')}/"
    return f"{folder}templates/{name}"


def _check_templates(package: Package, usages: dict[str, Usage | TemplateError]) -> Iterator[Finding]:
    for name, usage in usages.items():
        file = _template_file(package, name)
        if isinstance(usage, TemplateError):
            text = f'template file "{name}" reports the following error: {usage.go_text}'
            yield Finding(text=text, where=f"{file}:{usage.line}")
            continue
        for field, (line, column) in usage.unknown.items():
            text = f'template {name} defines an invalid implicit parameter "{field}"'
            yield Finding(text=text, where=f"{file}:{line}:{column}", hint=did_you_mean(field, VARIABLES))


def _check_references(package: Package) -> Iterator[Finding]:
    used: set[str] = {package.namespace_manifest}
    for task in package.tasks:
        for name in template_names(task):
            used.add(name)
            if name not in package.templates:
                text = f'template "{name}" required by {task.name} but is not defined'
                where = package.place("task", task.name, name)
                yield Finding(text=text, where=where, hint=_meant(name, list(package.templates)))
    for name in package.templates:
        if name not in used:
            text = f'template "{name}" is not referenced from any task'
            yield Finding(text=text, where=_template_file(package, name), warning=True)


def _check_rendering(package: Package, parsed: set[str]) -> Iterator[Finding]:
    """Render every template that parses: each variable is its own name, parameters have their defaults."""
    version = version_of(package)
    pipes: dict[str, str] = {}
    for plan in version.plans.values():
        found, finding = _pipes(package, version, plan)
        pipes |= found
        if finding is not None:
            yield finding
    try:
        params = parameter_values(version, {})
    except FatalRenderError as error:
        yield Finding(text=error.cause)
        return
    parameter_files = {task.text("parameterFile") for task in package.tasks}
    variables = _dummies(params, pipes)
    for name in sorted(parsed):
        yield from _check_one(package, version, name, variables, parse=name not in parameter_files)


def _pipes(package: Package, version: OperatorVersion, plan: Plan) -> tuple[dict[str, str], Finding | None]:
    try:
        return pipe_values(version, plan, "Name"), None
    except FatalRenderError as error:
        return {}, Finding(text=error.cause, where=package.place("plan", plan.name))


def _dummies(params: dict[str, object], pipes: dict[str, str]) -> Variables:
    return Variables(
        operator_name="OperatorName",
        name="Name",
        namespace="Namespace",
        app_version="AppVersion",
        operator_version="OperatorVersion",
        plan_name="PlanName",
        phase_name="PhaseName",
        step_name="StepName",
        params=params,
        pipes=pipes,
    )


def _check_one(
    package: Package, version: OperatorVersion, name: str, variables: Variables, *, parse: bool
) -> Iterator[Finding]:
    try:
        text = render(version, name, variables)
    except FatalRenderError as error:
        where = f"{_template_file(package, name)}{error.where.removeprefix(f'templates/{name}')}"
        yield Finding(text=f"error rendering template: {error.reason}", where=where)
        return
    try:
        if parse:
            documents(text, name)
    except FatalRenderError as error:
        line = error.where.split(":")[-2]
        where = f"{_template_file(package, name)}, line {line} of the rendered text"
        yield Finding(text=f"parsing rendered YAML from {name} failed: {error.reason}", where=where)


def _check_namespaces(package: Package) -> Iterator[Finding]:
    manifest = package.namespace_manifest
    for name, text in package.templates.items():
        match = _NAMESPACE.search(text)
        if match and name != manifest:
            line = text.count("\n", 0, match.start()) + 1
            message = (
                f"template \"{name}\" contains 'kind: Namespace' not allowed unless specified as 'NamespaceManifest'"
            )
            yield Finding(text=message, where=f"{_template_file(package, name)}:{line}")
    if manifest and (problem := _manifest_problem(package, manifest)):
        text = f'Unable to marshal NamespaceManifest "{manifest}" ' if problem == "?" else problem
        yield Finding(text=text, where=package.place("operator", "namespaceManifest"))


def _manifest_problem(package: Package, name: str) -> str:
    """Return what is wrong with the namespace manifest: empty for nothing, `?` when it cannot be read at all."""
    if name not in package.templates:
        return f'NamespaceManifest "{name}" not found in /templates folder'
    version = version_of(package)
    try:
        found = documents(render(version, name, _dummies(parameter_values(version, {}), {})), name)
    except FatalRenderError:
        return "?"
    if not found:
        return f'NamespaceManifest "{name}" found but does not contain a manifest'
    if len(found) > 1:
        return f'NamespaceManifest "{name}" found but contains {len(found)} manifests which is greater than 1'
    return (
        ""
        if found[0]["kind"] == "Namespace"
        else f'NamespaceManifest "{name}" found but manifest is not kind: Namespace'
    )
