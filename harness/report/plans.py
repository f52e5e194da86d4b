"""Where a KUDO instance's plan stands, read from its status. Pure. Imported by harness.report.diagnostics.

The engine's own printers know more (strategies, order); callers that have them hand in their text instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.kit.documents import Manifest

__all__ = ["plan_line", "plan_tree"]

_DONE = {"COMPLETE", "NEVER_RUN"}


def plan_line(instance: Manifest | None) -> str:
    """Return the plan that is on its way or has failed, down to its step.

    For example "node_update [IN_PROGRESS] > phase deploy [IN_PROGRESS] > step statefulset [IN_PROGRESS]".
    """
    name = active_plan(instance or {})
    if not name:
        return ""
    plan = _plans(instance or {})[name]
    parts = [_part("", plan | {"name": name})]
    if phase := _unfinished(plan.get("phases")):
        parts.append(_part("phase ", phase))
        if step := _unfinished(phase.get("steps")):
            parts.append(_part("step ", step))
    message = next((str(part["message"]) for part in _levels(plan) if part.get("message")), "")
    return " > ".join(parts) + (f"\n{message}" if message else "")


def plan_tree(instance: Manifest) -> str:
    """Return all plans of an instance that have run, with phases and steps, a line each."""
    lines = []
    for name, plan in sorted(_plans(instance).items()):
        if plan.get("status") == "NEVER_RUN":
            lines.append(f"{name} [NEVER_RUN]")
            continue
        lines.append(_full(plan | {"name": name}))
        for phase in plan.get("phases") or []:
            lines.append(f"  phase {_full(phase)}")
            lines += [f"    step {_full(step)}" for step in phase.get("steps") or []]
    return "\n".join(lines) or "no plan has run"


def active_plan(instance: Mapping[str, Any]) -> str:
    """Return the name of the plan that runs, else of the latest one that did not end well; empty without any."""
    plans = _plans(instance)
    execution = ((instance.get("spec") or {}).get("planExecution") or {}).get("planName", "")
    if execution in plans:
        return str(execution)
    open_plans = {name: plan for name, plan in plans.items() if plan.get("status") not in {*_DONE, None, ""}}
    return max(open_plans, key=lambda name: str(open_plans[name].get("lastUpdatedTimestamp") or ""), default="")


def _plans(instance: Mapping[str, Any]) -> dict[str, Manifest]:
    return dict((instance.get("status") or {}).get("planStatus") or {})


def _unfinished(parts: Any) -> Manifest | None:
    return next((part for part in parts or [] if part.get("status") not in _DONE), None)


def _levels(plan: Manifest) -> list[Manifest]:
    """Return the unfinished step, phase and plan, deepest first, since the deepest message is the nearest."""
    phase = _unfinished(plan.get("phases")) or {}
    return [_unfinished(phase.get("steps")) or {}, phase, plan]


def _part(word: str, part: Mapping[str, Any]) -> str:
    return f"{word}{part.get('name')} [{part.get('status', 'unknown')}]"


def _full(part: Mapping[str, Any]) -> str:
    message = f" ({part['message']})" if part.get("message") else ""
    return f"{part.get('name')} [{part.get('status', 'unknown')}]{message}"
