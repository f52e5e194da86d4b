"""Admission for writes that came past it: what was admitted last stands in an annotation, what differs is examined.

Pure. Used by the engine where no webhook is at work; with a webhook the engine leaves all of this out.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

from harness.kit.documents import Manifest
from harness.kudo.admission import (
    FINALIZER,
    Denied,
    admit_create,
    admit_update,
    mark_admitted,
    normal_spec,
)
from harness.kudo.model import OperatorVersion
from harness.kudo.plan import DEPLOY, NEVER_RUN, TERMINAL, find_entry

__all__ = [
    "NewUid",
    "admit_new",
    "admit_written",
    "ended",
    "execution_of",
    "finalized",
    "reference_of",
    "restored",
    "unreported",
    "with_execution",
]

NewUid = Callable[[], str]
_ENDED = "harness.dev/ended"


def admit_new(instance: Manifest, version: OperatorVersion, *, new_uid: NewUid) -> Manifest:
    """Return an Instance that nobody has admitted yet as it is to be stored; a uid that a client prepared is kept.

    Raises:
        Denied: it may not be.
    """
    execution = execution_of(instance)
    prepared = execution.get("uid") if execution.get("planName") == DEPLOY else None
    return mark_admitted(admit_create(instance, version, new_uid=(lambda: str(prepared)) if prepared else new_uid))


def admit_written(
    instance: Manifest, admitted: Manifest, old_version: OperatorVersion, version: OperatorVersion, *, new_uid: NewUid
) -> Manifest:
    """Return a changed Instance as it is to be stored.

    Args:
        instance: the Instance as somebody wrote it.
        admitted: the spec that was admitted last, without the status of the plan execution.
        old_version: the operator version of `admitted`.
        version: the operator version of `instance`.
        new_uid: makes plan uids.

    Raises:
        Denied: the change is not allowed.
    """
    old = restored(instance, admitted)
    try:
        result = admit_update(old, instance, old_version, version, new_uid=new_uid)
    except Denied:
        if not _is_prepared(old, instance, old_version, version):
            raise
        result = instance
    return mark_admitted(result)


def restored(instance: Manifest, admitted: Manifest) -> Manifest:
    """Return an Instance with the spec that was admitted last."""
    execution = dict(admitted.get("planExecution") or {})
    status = execution_of(instance).get("status")
    if execution and status:
        execution["status"] = status
    return {**instance, "spec": {**copy.deepcopy(admitted), "planExecution": execution}}


def with_execution(instance: Manifest, execution: Manifest) -> Manifest:
    """Return an Instance with another plan execution."""
    return {**instance, "spec": {**(instance.get("spec") or {}), "planExecution": execution}}


def ended(instance: Manifest) -> Manifest:
    """Return an Instance whose plan has ended: nothing is scheduled, and an annotation says what was.

    Spec and status are two writes. Should the second one never come, `unreported` finds out.
    """
    execution = execution_of(instance)
    metadata = instance["metadata"]
    text = json.dumps({key: execution.get(key, "") for key in ("planName", "uid")}, separators=(",", ":"))
    annotations = {**(metadata.get("annotations") or {}), _ENDED: text}
    return {**with_execution(instance, {}), "metadata": {**metadata, "annotations": annotations}}


def unreported(instance: Manifest) -> Manifest | None:
    """Return the execution that ended without its end in the status, None when there is none."""
    text = (instance["metadata"].get("annotations") or {}).get(_ENDED)
    try:
        execution = json.loads(text) if text else {}
        name, uid = execution["planName"], execution["uid"]
    except (ValueError, KeyError, TypeError):
        return None
    entry = find_entry((instance.get("status") or {}).get("planStatus") or {}, name) or {}
    if entry.get("uid", "") == uid and entry.get("status") in TERMINAL:
        return None
    return {"planName": name, "uid": uid, "status": NEVER_RUN}


def finalized(instance: Manifest) -> Manifest:
    """Return an Instance without the finalizer that keeps it until its cleanup plan is done."""
    finalizers = [each for each in instance["metadata"].get("finalizers") or () if each != FINALIZER]
    return {**instance, "metadata": {**instance["metadata"], "finalizers": finalizers}}


def execution_of(instance: Manifest) -> Manifest:
    """Return the plan execution of an Instance without empty fields."""
    value: Any = normal_spec(instance).get("planExecution") or {}
    return dict(value)


def reference_of(spec: Manifest, namespace: str) -> tuple[str, str]:
    """Return namespace and name of the operator version that a spec refers to."""
    reference = spec.get("operatorVersion") or {}
    return reference.get("namespace") or namespace, reference.get("name") or ""


def _is_prepared(old: Manifest, new: Manifest, old_version: OperatorVersion, version: OperatorVersion) -> bool:
    """Tell whether a client ran admission itself and stored its result: the plan is the one that the change starts."""
    execution = execution_of(new)
    if execution.get("status") != NEVER_RUN or execution.get("uid") == execution_of(old).get("uid"):
        return False
    try:
        result = admit_update(old, with_execution(new, execution_of(old)), old_version, version)
    except Denied:
        return False
    return bool(execution_of(result).get("planName") == execution.get("planName"))
