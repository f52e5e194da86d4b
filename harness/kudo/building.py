"""What the kinds of tasks need to be built, with the original's words for what is missing.

Pure; package, rendering, verify and the engine use it.
"""

from __future__ import annotations

import re

from harness.kudo.model import Task

__all__ = ["TASK_KINDS", "check_task", "template_names"]

TASK_KINDS = ("Apply", "Delete", "Toggle", "Pipe", "Dummy", "KudoOperator")

_PIPE_KEY = re.compile(r"[a-zA-Z0-9_\-]+")


def template_names(task: Task) -> tuple[str, ...]:
    """Return the templates that a task needs, in the order of its spec."""
    if task.kind in ("Apply", "Delete", "Toggle"):
        return task.resources
    key = {"Pipe": "pod", "KudoOperator": "parameterFile"}.get(task.kind, "")
    return (task.text(key),) if task.text(key) else ()


def check_task(task: Task, *, installed: bool = True) -> str:
    """Return why a task cannot be built, empty when it can.

    Args:
        task: the task.
        installed: whether it stands in an OperatorVersion of a cluster, where child operators are resolved.
    """
    if task.kind not in TASK_KINDS:
        return f"unknown task kind {task.kind}"
    problem = _pipe_problem(task) if task.kind == "Pipe" else _task_problem(task, installed=installed)
    return f"task validation error: {problem}" if problem else ""


def _task_problem(task: Task, *, installed: bool) -> str:
    kind, hint = task.kind, "has an empty resource list. if that's what you need, use a Dummy task instead"
    if kind in ("Apply", "Delete", "Toggle") and not task.resources:
        return f"toggle task {hint}" if kind == "Toggle" else f"{kind.lower()} task '{task.name}' {hint}"
    if kind == "Toggle" and not task.text("parameter"):
        return "Missing parameter to evaluate the Toggle Task"
    if kind == "KudoOperator":
        if not task.text("package"):
            return f"kudo operator task '{task.name}' has an empty package name"
        if installed and not task.text("operatorVersion"):
            return f"kudo operator task '{task.name}' has an empty operatorVersion"
    return ""


def _pipe_problem(task: Task) -> str:
    entries = task.spec.get("pipe") or ()
    if not entries:
        return "pipe task has an empty pipe files list"
    for entry in entries:
        file, env_file, kind, key = (str(entry.get(name) or "") for name in ("file", "envFile", "kind", "key"))
        if bool(file) == bool(env_file):
            return "pipe task must have either 'file' or 'envFile' field set but not both"
        if kind not in ("Secret", "ConfigMap"):
            return f"invalid pipe kind (must be Secret or ConfigMap): {kind}"
        if not _PIPE_KEY.fullmatch(key):
            return f"invalid pipe key (only letters, numbers and _ and - are allowed): {key}"
    return ""
