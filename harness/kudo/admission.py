"""What may be written to an Instance, and which plan a write schedules: the rules of KUDO's admission webhook.

Pure but for fresh plan uids, which come from a function that can be handed in. The command line calls it before
writing, the engine for writes that came past it, a webhook would call the same two functions.
"""

from __future__ import annotations

import copy
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.kit.documents import Manifest
from harness.kit.errors import CheckError
from harness.kudo.model import OperatorVersion, Parameter, check_value
from harness.kudo.plan import CLEANUP, DEPLOY, NEVER_RUN, TERMINAL, UPDATE, UPGRADE

__all__ = [
    "ADMITTED",
    "DENIED_PREFIX",
    "FINALIZER",
    "Denied",
    "admit_create",
    "admit_update",
    "admitted_spec",
    "intent_of",
    "mark_admitted",
    "normal_spec",
]

FINALIZER = "kudo.dev.instance.cleanup"
ADMITTED = "harness.dev/admitted"
DENIED_PREFIX = 'admission webhook "instance-admission.kudo.dev" denied the request: '

NewUid = Callable[[], str]
_REFERENCE_FIELDS = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")


class Denied(CheckError):  # noqa: N818 - the webhook's own word, and what callers read best
    """A write to an Instance that is not allowed; `message` is the reason in the webhook's words."""

    def __init__(self, message: str, *, where: str = "") -> None:
        super().__init__("an allowed change of an Instance", seen=message, where=where)
        self.message = message


def admit_create(
    instance: Manifest, operator_version: OperatorVersion, *, new_uid: NewUid = lambda: str(uuid.uuid4())
) -> Manifest:
    """Return a new Instance as it is stored: deploy scheduled, finalizer and immutable defaults added.

    Raises:
        Denied: the operator version has no deploy plan, or a parameter's value is missing or wrong.
    """
    path = _path(instance)
    if DEPLOY not in operator_version.plans:
        raise Denied(
            f"failed to create an Instance {path}: couldn't find 'deploy' plan in the operatorVersion", where=path
        )
    result = copy.deepcopy(instance)
    if CLEANUP in operator_version.plans:
        finalizers = result["metadata"].setdefault("finalizers", [])
        if FINALIZER not in finalizers:
            finalizers.append(FINALIZER)
    spec = result.setdefault("spec", {})
    status = _execution(instance).get("status")
    spec["planExecution"] = {"planName": DEPLOY, "uid": new_uid()} | ({"status": status} if status else {})
    parameters = _parameters(instance) | {
        name: definition.default
        for name, definition in operator_version.parameters.items()
        if definition.immutable and definition.default is not None and name not in _parameters(instance)
    }
    if parameters:
        spec["parameters"] = parameters
    problem = _invalid_parameter(operator_version, parameters)
    if problem:
        raise Denied(f"failed to create an Instance {path}: parameters are not valid: {problem}", where=path)
    return result


def admit_update(
    old: Manifest,
    new: Manifest,
    old_version: OperatorVersion,
    new_version: OperatorVersion,
    *,
    new_uid: NewUid = lambda: str(uuid.uuid4()),
) -> Manifest:
    """Return a changed Instance as it is stored: with the plan that the change schedules.

    Args:
        old: the stored Instance.
        new: what a client wants to store; metadata is free.
        old_version: the operator version that `old` refers to.
        new_version: the operator version that `new` refers to.
        new_uid: makes the uid of a scheduled plan; uids sent by clients are not kept.

    Raises:
        Denied: with KUDO's text.
    """
    if normal_spec(old) == normal_spec(new) and old.get("status") == new.get("status"):
        return new
    result = copy.deepcopy(new)
    change = _Change.of(old, result, old_version, new_version)
    change.check_plan_exists()
    changed = change.changed_parameters()
    change.check_immutable(changed)
    if change.upgrade:
        _strip_gone(result, old_version, new_version)
    problem = _invalid_parameter(new_version, _parameters(result))
    if problem:
        raise Denied(f"failed to validate parameters for Instance {change.path}: {problem}", where=change.path)
    triggered = change.triggered_plan(changed)
    if (new.get("metadata") or {}).get("deletionTimestamp"):
        change.check_deleting(changed=bool(triggered))
        return result
    change.check_lifecycle(triggered)
    _schedule(result, change, triggered, new_uid)
    return result


def normal_spec(instance: Manifest) -> Manifest:
    """Return an Instance's spec without what is empty, so that equal meanings compare equal."""
    spec = instance.get("spec") or {}
    kept = {
        "operatorVersion": {key: value for key, value in (spec.get("operatorVersion") or {}).items() if value},
        "parameters": _parameters(instance),
        "planExecution": {key: value for key, value in _execution(instance).items() if value},
    }
    return {key: value for key, value in kept.items() if value}


def mark_admitted(instance: Manifest) -> Manifest:
    """Return an Instance whose annotation says that its spec went through admission.

    The engine then takes the spec as it is; without the annotation it runs admission itself. The status of the plan
    execution is left out: it mirrors the plan's and says nothing about who wants what.
    """
    result = copy.deepcopy(instance)
    metadata = result.setdefault("metadata", {})
    text = json.dumps(intent_of(instance), sort_keys=True, separators=(",", ":"))
    metadata["annotations"] = {**(metadata.get("annotations") or {}), ADMITTED: text}
    return result


def admitted_spec(instance: Manifest) -> Manifest | None:
    """Return the spec that was admitted last, None when the annotation is missing or unreadable."""
    text = ((instance.get("metadata") or {}).get("annotations") or {}).get(ADMITTED)
    try:
        value = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def intent_of(instance: Manifest) -> Manifest:
    """Return what an Instance's spec asks for: without what is empty and without the status of the plan execution."""
    spec = normal_spec(instance)
    execution = {key: value for key, value in spec.pop("planExecution", {}).items() if key != "status"}
    if execution:
        spec["planExecution"] = execution
    return spec


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """One update, seen from all the sides that the rules ask about."""

    path: str
    old_plan: str
    new_plan: str
    old_uid: str
    new_uid: str
    new_status: str
    old_parameters: Mapping[str, str]
    new_parameters: Mapping[str, str]
    upgrade: bool
    reference: str
    old_version: OperatorVersion
    new_version: OperatorVersion

    @classmethod
    def of(cls, old: Manifest, new: Manifest, old_version: OperatorVersion, new_version: OperatorVersion) -> _Change:
        before, after = _execution(old), _execution(new)
        return cls(
            path=_path(new),
            old_plan=before.get("planName") or "",
            new_plan=after.get("planName") or "",
            old_uid=before.get("uid") or "",
            new_uid=after.get("uid") or "",
            new_status=after.get("status") or "",
            old_parameters=_parameters(old),
            new_parameters=_parameters(new),
            upgrade=normal_spec(old).get("operatorVersion") != normal_spec(new).get("operatorVersion"),
            reference=_struct((new.get("spec") or {}).get("operatorVersion") or {}),
            old_version=old_version,
            new_version=new_version,
        )

    def deny(self, prefix: str, message: str) -> Denied:
        text = f"{prefix} {self.path}: {message}" if prefix else message
        return Denied(text, where=self.path)

    def check_plan_exists(self) -> None:
        if self.new_plan and self.new_plan not in self.new_version.plans:
            raise self.deny("", f"plan {self.new_plan} does not exist")

    def set_parameters(self) -> list[str]:
        """Return the names that were added or got another value."""
        old = self.old_parameters
        return sorted(name for name, value in self.new_parameters.items() if name not in old or old[name] != value)

    def changed_parameters(self) -> list[Parameter]:
        """Return the definitions of the parameters whose change may start a plan.

        One removed name that the new version does not declare mutes all removals, as in the original.
        """
        declared = self.new_version.parameters
        for name in self.set_parameters():
            if name not in declared:
                raise self.deny(
                    "failed to update Instance", f'failed to find parameter "{name}" in the OperatorVersion'
                )
        changed = [declared[name] for name in self.set_parameters() if name in self.old_version.parameters]
        removed = sorted(set(self.old_parameters) - set(self.new_parameters))
        return changed + ([declared[name] for name in removed] if all(name in declared for name in removed) else [])

    def check_immutable(self, changed: list[Parameter]) -> None:
        if self.upgrade:
            self._check_immutable_upgrade()
            return
        for definition in changed:
            name = definition.name
            if definition.immutable and name in self.new_parameters:
                old, new = self.old_parameters.get(name, ""), self.new_parameters[name]
                raise self._immutable(f"parameter '{name}' is immutable but was changed from '{old}' to '{new}'")

    def _check_immutable_upgrade(self) -> None:
        version = self.new_version.name
        for name, definition in self.new_version.parameters.items():
            before = self.old_version.parameters.get(name)
            if not definition.immutable or name in self.new_parameters or (before is not None and before.immutable):
                continue
            if before is not None:
                what = f"was changed to immutable in operator version {version} but no value was provided"
            else:
                hint = f" (default would be {definition.default})" if definition.default is not None else ""
                what = f"was added in operator version {version}, but no value was provided{hint}"
            raise self._immutable(f"parameter '{name}' {what}")

    def _immutable(self, message: str) -> Denied:
        return self.deny("failed to check immutable parameters for Instance", message)

    def triggered_plan(self, changed: list[Parameter]) -> str:
        """Return the plan that the changed parameters start, empty when none changed."""
        if not changed:
            return ""
        plans = self.new_version.plans
        for definition in changed:
            if definition.trigger and definition.trigger not in plans:
                raise self._refused(
                    f"param {definition.name} defined trigger plan {definition.trigger}, "
                    "but plan not defined in operatorversion"
                )
        triggers = sorted({definition.trigger for definition in changed if definition.trigger})
        if len(triggers) > 1:
            raise self._refused(f"triggering multiple plans: [[{' '.join(triggers)}]] at once is not allowed")
        if triggers:
            return triggers[0]
        fallback = next((name for name in (UPDATE, DEPLOY) if name in plans), "")
        if not fallback:
            raise self._refused("couldn't find any plans that would be triggered by the update")
        return fallback

    def check_deleting(self, *, changed: bool) -> None:
        if self.old_plan == CLEANUP and self.new_plan != CLEANUP:
            raise self.deny(
                "",
                "'cleanup' plan can not be cancelled or overridden by another plan since the instance is being deleted",
            )
        if changed or self.upgrade:
            raise self.deny("", "parameter update and/or upgrade is not allowed when an instance is being deleted")
        if self.new_plan not in ("", CLEANUP, self.old_plan):
            raise self.deny("", "only 'cleanup' plan can be scheduled when an instance is being deleted")

    def check_lifecycle(self, triggered: str) -> None:
        problem = self._lifecycle_problem(triggered)
        if problem:
            raise self._refused(problem)

    def _lifecycle_problem(self, triggered: str) -> str:
        """Return why the change does not fit what is scheduled; the order of the rules decides which text is shown."""
        old, new = self.old_plan, self.new_plan
        busy = f"plan '{old}' is scheduled (or running)"
        upgrade = f"upgrade to new OperatorVersion {self.reference}"
        replaced = bool(old) and new != old
        rules = (
            (old and triggered not in ("", old), f"{busy} and an update would trigger a different plan '{triggered}'"),
            (self.upgrade and old, f"{upgrade} while a {busy} is not allowed"),
            (self.upgrade and new, f"{upgrade} and triggering new plan '{new}' is not allowed"),
            (
                self.upgrade and triggered not in ("", DEPLOY),
                f"{upgrade} together with a parameter update triggering '{triggered}' is not allowed",
            ),
            (
                replaced and new,
                f"overriding currently scheduled (or running) plan '{old}' with '{new}' is not supported",
            ),
            (replaced, f"cancelling currently scheduled (or running) plan '{old}' is not supported"),
            (
                triggered and new and not old,
                f"triggering one plan '' directly and through parameter update '{new}' is not allowed",
            ),
            (
                new == CLEANUP and old != CLEANUP,
                "only the controller schedules the 'cleanup' plan when the instance is deleted",
            ),
        )
        return next((text for applies, text in rules if applies), "")

    def _refused(self, message: str) -> Denied:
        return self.deny("failed to update Instance", message)


def _schedule(result: Manifest, change: _Change, triggered: str, new_uid: NewUid) -> None:
    """Write the plan that the change starts into the result, or clear a plan that has ended."""
    spec = result.setdefault("spec", {})
    if change.upgrade:
        plans = change.new_version.plans
        plan = next((name for name in (UPGRADE, UPDATE, DEPLOY) if name in plans), "")
        if not plan:
            what = "couldn't find any suitable plan that would be triggered by an OperatorVersion upgrade"
            raise change.deny("failed to update Instance", what)
    elif triggered:
        plan = triggered
    elif change.new_plan and not change.old_plan:
        plan = change.new_plan
    elif change.new_status in TERMINAL:
        spec["planExecution"] = {}
        return
    elif change.new_plan and change.new_uid != change.old_uid:
        plan = change.new_plan
    else:
        return
    spec["planExecution"] = {"planName": plan, "uid": new_uid(), "status": NEVER_RUN}


def _strip_gone(result: Manifest, old_version: OperatorVersion, new_version: OperatorVersion) -> None:
    gone = set(old_version.parameters) - set(new_version.parameters)
    parameters = _parameters(result)
    if gone & set(parameters):
        result["spec"]["parameters"] = {name: value for name, value in parameters.items() if name not in gone}


def _invalid_parameter(version: OperatorVersion, given: Mapping[str, str]) -> str:
    problems = (check_value(definition, given.get(name, "")) for name, definition in version.parameters.items())
    return next((problem for problem in problems if problem), "")


def _execution(instance: Manifest) -> Manifest:
    return (instance.get("spec") or {}).get("planExecution") or {}


def _parameters(instance: Manifest) -> dict[str, Any]:
    return dict((instance.get("spec") or {}).get("parameters") or {})


def _path(instance: Manifest) -> str:
    metadata = instance.get("metadata") or {}
    return f"{metadata.get('namespace', '')}/{metadata.get('name', '')}"


def _struct(reference: Manifest) -> str:
    """Return an object reference as Go prints the bare struct: all seven fields, the empty ones as blanks."""
    return "{" + " ".join(str(reference.get(name) or "") for name in _REFERENCE_FIELDS) + "}"
