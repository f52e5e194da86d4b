"""What `kubectl kudo` prints, byte for byte as the original: trees, tables, and objects as YAML or JSON.

Pure; the command line imports it. Trees have two no-break spaces behind each bar and a blank line behind the tree;
every cell of a table is padded to the width of its column, the last one too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.kit.documents import Manifest, dump_yaml
from harness.kudo.model import Phase, Plan, Step, Task
from harness.kudo.package import Package, PackageParameter

__all__ = [
    "Branch",
    "formatted",
    "formatted_list",
    "history_tree",
    "object_tree",
    "parameter_table",
    "plan_tree",
    "status_tree",
    "table",
    "task_table",
    "tree",
]

_BAR = "│\u00a0\u00a0 "
_WIDEST_PARAMETER_COLUMN = 35  # characters
_NOT_ACTIVE = "NOT ACTIVE"


@dataclass(frozen=True, slots=True)
class Branch:
    """A line of a tree and what hangs below it."""

    text: str
    children: tuple[Branch, ...] = ()


def tree(children: Sequence[Branch], root: str = ".") -> str:
    """Return a tree as it is printed, with the blank line behind it."""
    return "\n".join([root, *_lines(children, "")]) + "\n\n"


def _lines(children: Sequence[Branch], indent: str) -> Iterable[str]:
    for index, child in enumerate(children, 1):
        last = index == len(children)
        yield f"{indent}{'└── ' if last else '├── '}{child.text}"
        yield from _lines(child.children, indent + ("    " if last else _BAR))


def table(rows: Sequence[Sequence[str]], widest: int = 0) -> str:
    """Return rows as a table without a trailing newline.

    Args:
        rows: the cells; the first row is the header.
        widest: the characters a column may have before its words are wrapped, 0 for no limit.
    """
    widths = [max(_width(row[column], widest) for row in rows) for column in range(len(rows[0]))] if rows else []
    return "\n".join(line for row in rows for line in _table_row(row, widths))


def _width(cell: str, widest: int) -> int:
    width = max(map(len, cell.split("\n")))
    return min(width, widest) if widest else width


def _table_row(row: Sequence[str], widths: Sequence[int]) -> Iterable[str]:
    cells = [_wrapped(cell, width) for cell, width in zip(row, widths, strict=True)]
    for index in range(max(map(len, cells))):
        lines = (cell[index] if index < len(cell) else "" for cell in cells)
        yield "\t".join(_fitted(line, width) for line, width in zip(lines, widths, strict=True))


def _wrapped(cell: str, width: int) -> list[str]:
    """Return a cell's lines, broken between words where they are too long."""
    return [part for line in cell.split("\n") for part in (_wrapped_line(line, width) if len(line) > width else [line])]


def _wrapped_line(line: str, width: int) -> list[str]:
    lines = [""]
    for word in line.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if len(joined) > width and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = joined
    return lines


def _fitted(line: str, width: int) -> str:
    return line.ljust(width) if len(line) <= width else line[: max(0, width - 3)] + "..."


def formatted(value: Any, form: str) -> str:
    """Return one object as `yaml` or `json`, as `-o` prints it."""
    return f"{dump_yaml(value)}\n" if form == "yaml" else _json(value)


def formatted_list(values: Sequence[Manifest], form: str) -> str:
    """Return several objects as `yaml` or `json`, as `-o` prints them."""
    if form == "yaml":
        return "".join(f"---\n{dump_yaml(value)}\n" for value in values) + "...\n"
    return _json(list(values))


def _json(value: Any) -> str:
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
    for sign in "<>&":  # as Go writes JSON
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return f"{text}\n"


def parameter_table(parameters: Iterable[PackageParameter], *, descriptions: bool = False) -> str:
    """Return the table of `package list parameters`, sorted by name."""
    rows = [("Name", "Default", "Required", "Immutable", "Descriptions")]
    for each in sorted(parameters, key=lambda parameter: parameter.name):
        flags = (str(each.required).lower(), str(each.immutable).lower())
        rows.append((each.name, each.default_text or "", *flags, each.description))
    return table([row if descriptions else row[:-1] for row in rows], _WIDEST_PARAMETER_COLUMN)


def task_table(tasks: Iterable[Task]) -> str:
    """Return the table of `package list tasks`, in the order of operator.yaml."""
    rows = [("Name", "Kind", "Resources")]
    rows += [(task.name, task.kind, f"[{' '.join(_files(task))}]") for task in tasks]
    return table(rows)


def _files(task: Task) -> tuple[str, ...]:
    return tuple(filter(None, (task.text("pod"),))) if task.kind == "Pipe" else task.resources


def plan_tree(package: Package, *, with_tasks: bool = False) -> str:
    """Return the tree of `package list plans`.

    Args:
        package: the package; its plans are sorted by name.
        with_tasks: whether each task shows its kind and resources.
    """
    tasks = {task.name: task for task in package.tasks}
    branches = [_plan_branch(package.plans[name], tasks, with_tasks=with_tasks) for name in sorted(package.plans)]
    return tree(branches, "plans")


def _plan_branch(plan: Plan, tasks: Mapping[str, Task], *, with_tasks: bool) -> Branch:
    phases = [
        Branch(f"[phase]  {phase.name} ({phase.strategy})", _step_branches(phase, tasks, with_tasks=with_tasks))
        for phase in plan.phases
    ]
    return Branch(f"{plan.name} ({plan.strategy})", tuple(phases))


def _step_branches(phase: Phase, tasks: Mapping[str, Task], *, with_tasks: bool) -> tuple[Branch, ...]:
    def below(step: Step) -> tuple[Branch, ...]:
        if not with_tasks:
            return tuple(Branch(name) for name in step.tasks)
        return tuple(_task_branch(name, tasks.get(name)) for name in step.tasks)

    return tuple(Branch(f"[step]  {step.name}", below(step)) for step in phase.steps)


def _task_branch(name: str, task: Task | None) -> Branch:
    kind = task.kind.lower() if task else "unknown"
    if task is None or kind not in ("apply", "delete", "toggle", "pipe", "dummy"):
        return Branch(f"[unknown]  {name}")
    below = [Branch(f"[parameter]  {task.text('parameter')}")] if kind == "toggle" else []
    return Branch(f"[{kind}]  {name}", (*below, *(Branch(file) for file in _files(task))))


def object_tree(
    operators: Sequence[Manifest], versions: Sequence[Manifest], instances: Sequence[Manifest]
) -> tuple[Branch, ...]:
    """Return operators with their versions and those with their instances, as `get all` nests them."""

    def instances_of(version: str) -> tuple[Branch, ...]:
        found = (each for each in instances if _reference(each, "operatorVersion") == version)
        return tuple(Branch(_name(each)) for each in found)

    def versions_of(operator: str) -> tuple[Branch, ...]:
        found = (each for each in versions if _reference(each, "operator") == operator)
        return tuple(Branch(_name(each), instances_of(_name(each))) for each in found)

    return tuple(Branch(_name(each), versions_of(_name(each))) for each in operators)


def _name(manifest: Manifest) -> str:
    return str(manifest["metadata"]["name"])


def _reference(manifest: Manifest, key: str) -> str:
    return str(((manifest.get("spec") or {}).get(key) or {}).get("name", ""))


def status_tree(
    instance: str, version: str, plans: Mapping[str, Plan], status: Mapping[str, Any] | None, updated: str
) -> str:
    """Return the tree of `plan status`.

    Args:
        instance: its name.
        version: the name of its OperatorVersion.
        plans: the plans of the OperatorVersion.
        status: the entry of `status.planStatus` of the plan that was executed last.
        updated: when that entry was updated last, as it is to be printed; empty when unknown.

    Only that plan shows how far it is: all others are NOT ACTIVE, whatever their history.
    """
    active = status or {}
    head = f'{instance} (Operator-Version: "{version}" Active-Plan: "{active.get("name", "")}")'
    branches = [
        _active_plan(plans[name], active, updated) if name == active.get("name") else _idle_plan(plans[name])
        for name in sorted(plans)
    ]
    return tree([Branch(head, tuple(branches))])


def _idle_plan(plan: Plan) -> Branch:
    phases = [
        Branch(
            f"Phase {phase.name} ({phase.strategy} strategy) [{_NOT_ACTIVE}]",
            tuple(Branch(f"Step {step.name} [{_NOT_ACTIVE}]") for step in phase.steps),
        )
        for phase in plan.phases
    ]
    return Branch(f"Plan {plan.name} ({plan.strategy} strategy) [{_NOT_ACTIVE}]", tuple(phases))


def _active_plan(plan: Plan, status: Mapping[str, Any], updated: str) -> Branch:
    strategies = {phase.name: phase.strategy for phase in plan.phases}
    phases = [
        Branch(
            f"Phase {phase['name']} ({strategies.get(phase['name'], '')} strategy) {_state(phase)}",
            tuple(Branch(f"Step {step['name']} {_state(step)}") for step in phase.get("steps") or ()),
        )
        for phase in status.get("phases") or ()
    ]
    when = f", last updated {updated}" if updated else ""
    return Branch(f"Plan {plan.name} ({plan.strategy} strategy) {_state(status)}{when}", tuple(phases))


def _state(entry: Mapping[str, Any]) -> str:
    message = f" ({entry['message']})" if entry.get("message") else ""
    return f"[{entry.get('status', '')}]{message}"


def history_tree(entries: Mapping[str, Mapping[str, Any]]) -> tuple[Branch, ...]:
    """Return the lines of `plan history`: one for each entry of `status.planStatus`, sorted by name."""
    return tuple(Branch(f"{name} ({_past(entries[name])})") for name in sorted(entries))


def _past(entry: Mapping[str, Any]) -> str:
    state = str(entry.get("status", ""))
    if moment := entry.get("lastUpdatedTimestamp"):
        return f"last finished run at {str(moment).removesuffix('Z')} ({state})"
    if state in ("IN_PROGRESS", "PENDING", "ERROR"):
        return "is running"
    return "NEVER_RUN" if state == "NEVER_RUN" else "never run"
