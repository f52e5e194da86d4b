"""The plan state machine: one pass over the phases, steps and tasks of a plan, as a function of data.

Pure: no client, no clock; tasks are run by a function that the caller hands in. The engine imports it, a printer may.
A plan status is the plain map that stands in `status.planStatus` of an Instance.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.kit.documents import Manifest
from harness.kudo.model import Phase, Plan, Step

__all__ = [
    "CLEANUP",
    "COMPLETE",
    "DEPLOY",
    "ERROR",
    "FATAL_ERROR",
    "IN_PROGRESS",
    "NEVER_RUN",
    "PENDING",
    "RUNNING",
    "TERMINAL",
    "UPDATE",
    "UPGRADE",
    "Done",
    "Execute",
    "Fatal",
    "Outcome",
    "Pass",
    "Place",
    "Transient",
    "Waiting",
    "advance",
    "begin_plan",
    "complete_tree",
    "find_entry",
    "last_executed",
]

IN_PROGRESS = "IN_PROGRESS"
PENDING = "PENDING"
COMPLETE = "COMPLETE"
ERROR = "ERROR"
FATAL_ERROR = "FATAL_ERROR"
NEVER_RUN = "NEVER_RUN"
TERMINAL = frozenset({COMPLETE, FATAL_ERROR})
RUNNING = frozenset({IN_PROGRESS, PENDING, ERROR})

DEPLOY, UPDATE, UPGRADE, CLEANUP = "deploy", "update", "upgrade", "cleanup"

_SERIAL = "serial"  # every other strategy, the empty one too, does not wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where in a plan a task runs; its text is the dotted path that messages show."""

    plan: str
    phase: str
    step: str
    task: str

    def __str__(self) -> str:
        return f"{self.plan}.{self.phase}.{self.step}.{self.task}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The task has nothing left to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The task waits for the cluster.

    Args:
        reason: what it waits for, one line.
        watched: whether an event will tell of the change, so that nobody needs to ask again soon.
    """

    reason: str = ""
    watched: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Transient:
    """The task failed in a way that may pass; `error` is the bare cause."""

    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fatal:
    """The task ended the plan; `message` is the whole text, `event` the reason of the Warning event."""

    message: str
    event: str


Outcome = Done | Waiting | Transient | Fatal
Execute = Callable[[Place], Outcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """What one pass over a plan led to: its new status, and why it is not finished."""

    status: Manifest
    fatal: Fatal | None = None
    pending: tuple[Waiting | Transient, ...] = ()


def advance(plan: Plan, entry: Manifest, execute: Execute, *, instance: str) -> Pass:
    """Run every task of every open step once and return the plan's new status.

    Serial phases and steps stop at the first unfinished element, all others go on; "parallel" means not waiting, the
    tasks still run one after another. A fatal outcome ends the pass at once.

    Args:
        plan: what shall happen.
        entry: the plan's status so far; it is not changed.
        execute: runs one task and tells its outcome.
        instance: "namespace/name", for messages.
    """
    if entry.get("status") in TERMINAL:
        return Pass(status=entry)
    return _Walk(plan=plan, status=copy.deepcopy(entry), execute=execute, instance=instance).run()


def complete_tree(plans: Mapping[str, Plan], plan_status: Mapping[str, Manifest]) -> dict[str, Manifest]:
    """Return the status with an entry for each plan, phase and step of the operator version, in its order.

    Known elements keep their status by name, new ones are NEVER_RUN, phases and steps that are gone are dropped;
    entries of plans that are gone are kept.
    """
    result = copy.deepcopy(dict(plan_status))
    for name, plan in plans.items():
        entry = result.setdefault(name, {"name": name, "status": NEVER_RUN})
        entry.setdefault("status", NEVER_RUN)
        entry["phases"] = [_phase_tree(phase, entry.get("phases")) for phase in plan.phases]
    return result


def begin_plan(entry: Manifest, *, uid: str, now: str) -> Manifest:
    """Return a plan's status at the start of an execution: everything PENDING, messages gone."""
    phases = [
        {**_reset(phase), "steps": [_reset(step) for step in phase.get("steps") or ()]}
        for phase in entry.get("phases") or ()
    ]
    return {**_reset(entry), "uid": uid, "lastUpdatedTimestamp": now, "phases": phases}


def find_entry(plan_status: Mapping[str, Manifest], name: str) -> Manifest | None:
    """Return the status of a plan; the name inside the entry decides, not the key of the map."""
    return next((entry for entry in plan_status.values() if entry.get("name") == name), None)


def last_executed(plan_status: Mapping[str, Manifest]) -> Manifest | None:
    """Return the running plan, else the one that was updated last, else None when none ever ran."""
    entries = list(plan_status.values())
    running = next((entry for entry in entries if entry.get("status") in RUNNING), None)
    if running is not None:
        return running
    ran = [entry for entry in entries if entry.get("status") not in (NEVER_RUN, "", None)]
    return max(ran, key=lambda entry: entry.get("lastUpdatedTimestamp") or "", default=None)


@dataclass(slots=True, kw_only=True)
class _Walk:
    """The mutable state of one pass."""

    plan: Plan
    status: Manifest
    execute: Execute
    instance: str
    pending: list[Waiting | Transient] = field(default_factory=list)

    def run(self) -> Pass:
        _set(self.status, IN_PROGRESS)
        finished = True
        for phase in self.plan.phases:
            result = self._phase(phase)
            if isinstance(result, Fatal):
                self.status["status"] = FATAL_ERROR
                return Pass(status=self.status, fatal=result, pending=tuple(self.pending))
            finished = finished and result
            if not result and self.plan.strategy == _SERIAL:
                break
        if finished:
            _set(self.status, COMPLETE)
        return Pass(status=self.status, pending=tuple(self.pending))

    def _phase(self, phase: Phase) -> bool | Fatal:
        status = _named(self.status.get("phases"), phase.name)
        if status is None:
            return self._structural(
                self.status, "MissingPhaseStatus", f"missing phase status: {self.plan.name}.{phase.name}"
            )
        if status["status"] == COMPLETE:
            return True
        _mark_running(status)
        finished = True
        for step in phase.steps:
            result = self._step(phase, step, status)
            if isinstance(result, Fatal):
                status["status"] = FATAL_ERROR
                return result
            finished = finished and result
            if not result and phase.strategy == _SERIAL:
                break
        if finished:
            _set(status, COMPLETE)
        return finished

    def _step(self, phase: Phase, step: Step, phase_status: Manifest) -> bool | Fatal:
        status = _named(phase_status.get("steps"), step.name)
        if status is None:
            what = f"missing step status: {self.plan.name}.{phase.name}.{step.name}"
            return self._structural(phase_status, "MissingStepStatus", what)
        if status["status"] == COMPLETE:
            return True
        _mark_running(status)
        finished = True
        for task in step.tasks:
            place = Place(plan=self.plan.name, phase=phase.name, step=step.name, task=task)
            outcome = self.execute(place)
            if isinstance(outcome, Fatal):
                _set(status, FATAL_ERROR, outcome.message)
                return outcome
            finished = self._note(status, place, outcome) and finished
        if finished:
            _set(status, COMPLETE)
        return finished

    def _note(self, status: Manifest, place: Place, outcome: Done | Waiting | Transient) -> bool:
        if isinstance(outcome, Done):
            return True
        self.pending.append(outcome)
        if isinstance(outcome, Transient):
            _set(status, ERROR, f"A transient error when executing task {place}. Will retry. {outcome.error}")
        return False

    def _structural(self, status: Manifest, event: str, what: str) -> Fatal:
        fatal = Fatal(message=f"{self.instance} fatal error:  {what}", event=event)
        _set(status, FATAL_ERROR, fatal.message)
        return fatal


def _phase_tree(phase: Phase, known: Any) -> Manifest:
    status = _known(known, phase.name)
    return {**status, "steps": [_known(status.get("steps"), step.name) for step in phase.steps]}


def _known(elements: Any, name: str) -> Manifest:
    """Return a copy of the status of a phase or step; one without status, a new one, was never run."""
    return {"name": name, "status": NEVER_RUN, **(_named(elements, name) or {})}


def _named(elements: Iterable[Manifest] | None, name: str) -> Manifest | None:
    return next((element for element in elements or () if element.get("name") == name), None)


def _reset(status: Manifest) -> Manifest:
    return {key: value for key, value in status.items() if key != "message"} | {"status": PENDING}


def _set(status: Manifest, value: str, message: str = "") -> None:
    status["status"] = value
    if message:
        status["message"] = message
    else:
        status.pop("message", None)


def _mark_running(status: Manifest) -> None:
    """Mark a phase or step that is under way; one that joined the plan later (NEVER_RUN) runs unmarked."""
    if status["status"] in RUNNING:
        _set(status, IN_PROGRESS)
