"""`package render`: the objects that each step of a plan would apply or delete, told without a cluster.

Pure; the command line and suites import it. Objects are shown as the templates give them, before the engine adds its
labels, owners and hash.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.kit.documents import Manifest, dump_yaml
from harness.kit.errors import UsageError, did_you_mean
from harness.kudo.building import check_task, template_names
from harness.kudo.model import OperatorVersion, Phase, Plan, Step, Task, boolean, check_value
from harness.kudo.rendering import (
    FatalRenderError,
    Variables,
    documents,
    parameter_values,
    pipe_values,
    render,
    variables_of,
)

__all__ = ["Rendered", "check_given", "rendered_stream", "rendered_tasks", "unknown_parameters"]

_ACTIONS = {"Apply": "apply", "Delete": "delete", "Pipe": "run pod", "Dummy": "dummy", "KudoOperator": "operator"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """What one task does with one template.

    Attributes:
        plan, phase, step, task: where in the plan.
        action: apply, delete, run pod, dummy or operator.
        template: the template's name, empty for tasks without one.
        manifests: the objects, in order.
    """

    plan: str
    phase: str
    step: str
    task: str
    action: str
    template: str = ""
    manifests: tuple[Manifest, ...] = ()

    @property
    def path(self) -> str:
        """Plan, phase, step and task, joined by slashes."""
        return f"{self.plan}/{self.phase}/{self.step}/{self.task}"


def unknown_parameters(version: OperatorVersion, given: Iterable[str]) -> list[str]:
    """Return a line for each name that the operator does not declare, with the one that was probably meant."""
    lines = []
    for name in given:
        if name not in version.parameters:
            hint = did_you_mean(name, version.parameters)
            lines.append(f'parameter "{name}" is not declared by the operator{", " + hint if hint else ""}')
    return lines


def check_given(version: OperatorVersion, given: Mapping[str, str]) -> None:
    """Refuse values that an installation would not take.

    Raises:
        UsageError: names that are not declared, values that are missing or not of their type.
    """
    problems = unknown_parameters(version, given)
    if problems:
        raise UsageError("declared parameters", seen="\n".join(problems), exists=sorted(version.parameters))
    problems = [
        problem for name, each in version.parameters.items() if (problem := check_value(each, given.get(name, "")))
    ]
    if problems:
        raise UsageError("a valid value for every parameter", seen="\n".join(problems), run="give values with -p K=V")


def rendered_tasks(
    version: OperatorVersion,
    *,
    plan: str,
    phase: str = "",
    step: str = "",
    instance: str,
    namespace: str,
    given: Mapping[str, str],
) -> Iterator[Rendered]:
    """Yield what the tasks of a plan do, in order.

    Args:
        version: the operator.
        plan: the plan's name.
        phase: only this phase, all when empty.
        step: only this step, all when empty.
        instance: the instance's name.
        namespace: its namespace.
        given: values of parameters.

    Raises:
        UsageError: no such plan, phase or step; FatalRenderError: a task or template is wrong.
    """
    chosen = _chosen(version, plan)
    params = parameter_values(version, given)
    pipes = pipe_values(version, chosen, instance)
    for each_phase, each_step in _selected(chosen, phase, step):
        names = {"plan": plan, "phase": each_phase.name, "step": each_step.name}
        variables = variables_of(version, instance=instance, namespace=namespace, params=params, pipes=pipes, **names)
        for name in each_step.tasks:
            yield from _task(version, _defined(version, name, each_step), variables)


def _chosen(version: OperatorVersion, name: str) -> Plan:
    if name not in version.plans:
        raise UsageError(f'plan "{name}"', seen=did_you_mean(name, version.plans), exists=sorted(version.plans))
    return version.plans[name]


def _selected(plan: Plan, phase: str, step: str) -> Sequence[tuple[Phase, Step]]:
    phases = [each.name for each in plan.phases]
    if phase and phase not in phases:
        raise UsageError(f'phase "{phase}" of plan {plan.name}', seen=did_you_mean(phase, phases), exists=phases)
    pairs = [pair for pair in plan.steps() if not phase or pair[0].name == phase]
    steps = [each.name for _phase, each in pairs]
    if step and step not in steps:
        raise UsageError(f'step "{step}" of plan {plan.name}', seen=did_you_mean(step, steps), exists=steps)
    return [pair for pair in pairs if not step or pair[1].name == step]


def _defined(version: OperatorVersion, name: str, step: Step) -> Task:
    task = version.tasks.get(name)
    if task is None:
        hint = did_you_mean(name, version.tasks)
        raise UsageError(f'task "{name}" of step {step.name}', seen=hint, exists=sorted(version.tasks))
    if problem := check_task(task, installed=False):
        raise FatalRenderError(problem, where=f"task {name}", wanted="a task that can be built")
    return task


def _task(version: OperatorVersion, task: Task, variables: Variables) -> Iterator[Rendered]:
    bare = Rendered(
        plan=variables.plan_name,
        phase=variables.phase_name,
        step=variables.step_name,
        task=task.name,
        action=_action(task, variables),
    )
    if task.kind in ("Dummy", "KudoOperator"):
        yield bare
        return
    for name in template_names(task):
        found = documents(render(version, name, variables), name)
        yield replace(bare, template=name, manifests=tuple(found))


def _action(task: Task, variables: Variables) -> str:
    if task.kind != "Toggle":
        return _ACTIONS[task.kind]
    name = task.text("parameter")
    value = variables.params.get(name)
    where = f"task {task.name}"
    if name not in variables.params:
        raise FatalRenderError(f"no value for parameter {name} found", where=where)
    if not isinstance(value, str):
        raise FatalRenderError(f"value of parameter {name} isn't a string", where=where)
    if boolean(value) is None:
        reason = f'strconv.ParseBool: parsing "{value}": invalid syntax'
        raise FatalRenderError(f"could not parse value of parameter {name}: {reason}", where=where)
    return "apply" if boolean(value) else "delete"


def rendered_stream(tasks: Iterable[Rendered]) -> str:
    """Return tasks as a YAML stream: before each object a comment with its place and what is done with it."""
    return "---\n".join(part for task in tasks for part in _parts(task))


def _parts(task: Rendered) -> Iterator[str]:
    head = f"# {task.path}: {task.action}{f' {task.template}' if task.template else ''}\n"
    if not task.manifests:
        yield f"{head.rstrip()} (no objects)\n" if task.template else head
    for manifest in task.manifests:
        yield head + dump_yaml(manifest)
