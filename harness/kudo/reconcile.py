"""One pass over one Instance: admission, the scheduled plan, its status, readiness, clean-up.

Private to the engine, which calls it from its one worker thread. Every write carries what it was decided on, so that a
change by somebody else in between leads to a new pass instead of a lost change.
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from harness.kit.documents import Manifest
from harness.kube import Conflict, Invalid, NotFound, Ref
from harness.kube.objects import dig, name_of, namespace_of, uid_of, version_of
from harness.kudo.admission import Denied, admitted_spec, intent_of, mark_admitted
from harness.kudo.admitting import AdmittingCluster
from harness.kudo.cache import Cache
from harness.kudo.client import Cluster
from harness.kudo.enhance import INSTANCE_LABEL, Origin
from harness.kudo.events import Recorder, rfc3339, utc_now
from harness.kudo.health import check_readiness, with_ready
from harness.kudo.merge import json_patch
from harness.kudo.model import API_VERSION, OperatorVersion, parse_operator_version
from harness.kudo.plan import (
    CLEANUP,
    COMPLETE,
    DEPLOY,
    FATAL_ERROR,
    NEVER_RUN,
    PENDING,
    TERMINAL,
    UPDATE,
    UPGRADE,
    Execute,
    Fatal,
    Outcome,
    Pass,
    Place,
    Transient,
    advance,
    begin_plan,
    complete_tree,
    find_entry,
)
from harness.kudo.rendering import FatalRenderError, parameter_values, pipe_values, variables_of
from harness.kudo.scheduling import (
    NewUid,
    admit_new,
    admit_written,
    ended,
    execution_of,
    finalized,
    reference_of,
    restored,
    unreported,
    with_execution,
)
from harness.kudo.tasks import TASK_KINDS, Desk, RunTask, Settled, run_task
from harness.kudo.workqueue import Backoff

__all__ = ["WORKLOADS", "Key", "Reconciler", "RetryError"]

Key = tuple[str, str]  # namespace and name of an Instance

WORKLOADS: tuple[tuple[str, str], ...] = (
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("batch/v1", "Job"),
    ("v1", "Service"),
    ("v1", "Pod"),
)
_INSTANCE = (API_VERSION, "Instance")
_READINESS = (("apps/v1", "Deployment"), ("apps/v1", "StatefulSet"), ("v1", "Pod"))
_MARKING_PLANS = frozenset({DEPLOY, UPGRADE, UPDATE})  # the plans whose run makes the Instance's readiness unknown
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0
_SAFETY = 10.0  # seconds until a look without event, in case that an event was lost


class RetryError(Exception):
    """The pass could not be made; it is tried again with growing pauses."""


@dataclass(slots=True, kw_only=True)
class _Memory:
    """What is known of an Instance beyond its object; lost with the process, and needed by nobody then."""

    uid: str
    admitted: Manifest | None = None
    denied: tuple[Manifest, OperatorVersion] | None = None
    started: str = ""
    finished: str = ""
    settled: Settled = field(default_factory=Settled)


class Reconciler:
    """Makes passes over Instances.

    Args:
        cluster: the API server.
        cache: the newest known objects, fed by watches and by this class.
        recorder: takes the events.
        kinds: the registry of task kinds.
        scheduling: whether to run admission here, where no webhook does.
        now: the wall clock.
        new_uid: makes plan uids.
    """

    def __init__(
        self,
        cluster: Cluster,
        cache: Cache,
        recorder: Recorder,
        *,
        kinds: Mapping[str, RunTask] = TASK_KINDS,
        scheduling: bool = True,
        now: Callable[[], datetime] = utc_now,
        new_uid: NewUid = lambda: str(uuid.uuid4()),
    ) -> None:
        self._cluster = cluster
        self._tasks_cluster: Cluster = AdmittingCluster(cluster) if scheduling else cluster
        self._cache = cache
        self._recorder = recorder
        self._kinds = kinds
        self._scheduling = scheduling
        self._now = now
        self._new_uid = new_uid
        self._memories: dict[Key, _Memory] = {}
        self._pauses: Backoff[Key] = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE)
        self._versions: dict[Ref, tuple[str, OperatorVersion]] = {}
        self._watched: Collection[tuple[str, str]] = frozenset({*WORKLOADS, _INSTANCE})

    def reconcile(self, key: Key) -> float | None:
        """Make one pass.

        Returns:
            Seconds until the next pass that no event causes, None when there is none.

        Raises:
            RetryError: the pass could not be made yet.
            ApiError: a request of the engine itself (not of a task) failed.
        """
        instance = self._cache.get(Ref(*_INSTANCE, key[1], key[0]))
        if instance is None:
            self._forget(key)
            return None
        try:
            return self._pass(key, instance)
        except Conflict:
            self._refresh(instance)
            return 0.0
        except (NotFound, Invalid):  # a uid that is not the object's any more makes a patch invalid
            if self._refresh(instance):
                raise
            return 0.0

    def _pass(self, key: Key, instance: Manifest) -> float | None:
        memory = self._memory(key, instance)
        version = self._version_for(instance, instance.get("spec") or {})
        if self._scheduling:
            admitted = self._admitted(instance, version, memory)
            if admitted is None:
                return None
            instance = self._resumed(admitted, version)
        if _is_deleting(instance):
            instance = self._with_cleanup(instance, version)
        if execution_of(instance).get("planName"):
            return self._run(key, instance, version, memory)
        self._evaluate_readiness(instance)
        return None

    # Admission

    def _admitted(self, instance: Manifest, version: OperatorVersion, memory: _Memory) -> Manifest | None:
        """Return the Instance with an admitted spec, None when it may not run at all."""
        base = admitted_spec(instance) or memory.admitted
        wanted: Manifest | None
        if base == intent_of(instance):
            memory.admitted = base
            return instance
        if base is None and (dig(instance, "status.planStatus") or _is_deleting(instance)):
            base = intent_of(instance)  # it ran before under somebody else: taken over as it is
            wanted = mark_admitted(instance)
        elif memory.denied == (intent_of(instance), version):
            return None
        else:
            wanted = self._judged(instance, base, version, memory)
        if wanted is None:
            return None
        stored = self._store(instance, wanted)
        memory.admitted = admitted_spec(stored)
        return stored

    def _judged(
        self, instance: Manifest, base: Manifest | None, version: OperatorVersion, memory: _Memory
    ) -> Manifest | None:
        try:
            if base is None:
                return admit_new(instance, version, new_uid=self._new_uid)
            old_version = self._version_for(instance, base)
            return admit_written(instance, base, old_version, version, new_uid=self._new_uid)
        except Denied as denied:
            self._recorder.record(instance, "Warning", "AdmissionDenied", denied.message)
            if base is None:
                memory.denied = (intent_of(instance), version)
                return None
            return mark_admitted(restored(instance, base))

    def _resumed(self, instance: Manifest, version: OperatorVersion) -> Manifest:
        """Return an Instance with a plan scheduled again whose end never got into the status: an error, or a crash.

        Its tasks are idempotent, so that running it again brings back what the status should say.
        """
        execution = unreported(instance) if not execution_of(instance) else None
        if execution is None or execution["planName"] not in version.plans:
            return instance
        return self._store(instance, self._marked(with_execution(instance, execution)))

    def _with_cleanup(self, instance: Manifest, version: OperatorVersion) -> Manifest:
        """Return an Instance that is being deleted with its cleanup plan scheduled, once, over any other plan."""
        if CLEANUP not in version.plans:
            return self._store(instance, finalized(instance))
        entry = find_entry(dig(instance, "status.planStatus") or {}, CLEANUP)
        never_run = entry is None or entry.get("status") == NEVER_RUN
        if not never_run or execution_of(instance).get("planName") == CLEANUP:
            return instance
        execution = {"planName": CLEANUP, "uid": self._new_uid(), "status": NEVER_RUN}
        return self._store(instance, self._marked(with_execution(instance, execution)))

    # Execution

    def _run(self, key: Key, instance: Manifest, version: OperatorVersion, memory: _Memory) -> float | None:
        name, uid = str(execution_of(instance)["planName"]), str(execution_of(instance).get("uid", ""))
        now = rfc3339(self._now())
        status = copy.deepcopy(instance.get("status") or {})
        status["planStatus"] = complete_tree(version.plans, status.get("planStatus") or {})
        entry = find_entry(status["planStatus"], name)
        if entry is None:
            raise RetryError(f"failed to find planStatus for plan '{name}'")
        if entry.get("uid", "") != uid:
            entry = begin_plan(entry, uid=uid, now=now)
            memory.settled = Settled()
        if entry["status"] == PENDING and memory.started != uid:
            memory.started = uid
            self._recorder.record(instance, "Normal", "PlanStarted", f"Execution of plan {name} started")
        if name in _MARKING_PLANS:
            status = with_ready(status, "Unknown", "PlanInProgress", now=now)
        result = self._advanced(instance, version, entry, memory)
        self._tell_progress(instance, entry, result.status)
        status = self._with_result(instance, status, result, rfc3339(self._now()))
        self._persist(instance, status, result.status["status"])
        self._report(instance, result, uid, memory)
        return self._next_pass(key, instance, entry, result)

    def _advanced(self, instance: Manifest, version: OperatorVersion, entry: Manifest, memory: _Memory) -> Pass:
        plan = version.plans.get(entry["name"])
        if plan is None:
            return _failed(entry, "InvalidPlan", f"plan {entry['name']} is not in operatorversion {version.name}")
        try:
            params = parameter_values(version, dig(instance, "spec.parameters") or {})
        except FatalRenderError as error:
            return _failed(entry, "InvalidParams", error.cause)
        try:
            pipes = pipe_values(version, plan, name_of(instance))
        except FatalRenderError as error:
            return _failed(entry, "InvalidPlan", error.cause)
        execute = self._executor(instance, version, memory, params=params, pipes=pipes)
        return advance(plan, entry, execute, instance=_path(instance))

    def _executor(
        self,
        instance: Manifest,
        version: OperatorVersion,
        memory: _Memory,
        *,
        params: Mapping[str, Any],
        pipes: Mapping[str, str],
    ) -> Execute:
        """Return the function that runs one task of the plan."""
        first = not dig(instance, "status.planStatus")

        def execute(place: Place) -> Outcome:
            task = version.tasks.get(place.task)
            if task is None:
                return Fatal(message=f"{_path(instance)} fatal error:  missing task {place}", event="UnknownTaskName")
            variables = variables_of(
                version,
                instance=name_of(instance),
                namespace=namespace_of(instance) or "",
                params=params,
                plan=place.plan,
                phase=place.phase,
                step=place.step,
                pipes=pipes,
            )
            desk = Desk(
                cluster=self._tasks_cluster,
                cache=self._cache,
                watched=self._watched,
                settled=memory.settled,
                version=version,
                origin=_origin(instance, version, place),
                variables=variables,
                place=place,
                first=first,
            )
            return run_task(task, desk, self._kinds)

        return execute

    def _with_result(self, instance: Manifest, status: Manifest, result: Pass, now: str) -> Manifest:
        entry = result.status
        before = find_entry(dig(instance, "status.planStatus") or {}, entry["name"])
        if entry != before:
            entry = {**entry, "lastUpdatedTimestamp": now}
        status = {**status, "planStatus": {**status["planStatus"], entry["name"]: entry}}
        if entry["status"] == COMPLETE:
            return with_ready(status, "True", "ResourcesReady", now=now)
        if entry["status"] == FATAL_ERROR:
            return with_ready(status, "Unknown", "PlanInFatalError", now=now)
        return status

    def _persist(self, instance: Manifest, status: Manifest, plan_state: str) -> None:
        """Write spec, then status, each only if it changed."""
        execution = {**execution_of(instance), "status": plan_state}
        wanted = with_execution(instance, execution)
        if plan_state in TERMINAL and self._schedules(instance):
            wanted = ended(wanted)
        if plan_state == COMPLETE and execution["planName"] == CLEANUP and _is_deleting(instance):
            wanted = finalized(wanted)
        stored = self._store(instance, self._marked(wanted))
        if stored["metadata"].get("finalizers") or not _is_deleting(instance):
            self._write_status(stored, status)  # else it is gone

    def _schedules(self, instance: Manifest) -> bool:
        """Tell whether the engine empties the plan execution at a plan's end; under deletion nobody does."""
        return self._scheduling and not _is_deleting(instance)

    def _report(self, instance: Manifest, result: Pass, uid: str, memory: _Memory) -> None:
        state, name = result.status["status"], result.status["name"]
        if state not in TERMINAL or memory.finished == uid:
            return
        memory.finished = uid
        if result.fatal is not None:
            self._recorder.record(instance, "Warning", result.fatal.event, result.fatal.message)
            return
        message = f"Execution of plan {name} finished with status {state}"
        self._recorder.record(instance, "Normal", "PlanFinished", message)

    def _tell_progress(self, instance: Manifest, before: Manifest, after: Manifest) -> None:
        known = dict(_step_states(before))
        for path, state in _step_states(after):
            if known.get(path) != state:
                self._recorder.tell(instance, "Step", f"{after['name']}.{path} {state}")

    def _next_pass(self, key: Key, instance: Manifest, before: Manifest, result: Pass) -> float | None:
        """Return when to look again: soon where nobody tells of a change, late where an event will."""
        if result.status["status"] in TERMINAL:
            self._pauses.reset(key)
            return 0.0 if self._schedules(instance) else None  # once more without a plan: readiness
        if list(_step_states(before)) != list(_step_states(result.status)):
            self._pauses.reset(key)
        if any(isinstance(each, Transient) or not each.watched for each in result.pending):
            return self._pauses.pause(key)
        return _SAFETY

    # Readiness

    def _evaluate_readiness(self, instance: Manifest) -> None:
        namespace, name = namespace_of(instance) or "", name_of(instance)
        resources = [
            item for kind in _READINESS for item in self._cache.labelled(*kind, namespace, INSTANCE_LABEL, name)
        ]
        health = check_readiness(resources)
        if health.state == "broken" or _is_deleting(instance):
            return
        value, reason = ("True", "ResourcesReady") if health.ok else ("False", "ResourceNotReady")
        status = instance.get("status") or {}
        self._write_status(instance, with_ready(status, value, reason, health.message, now=rfc3339(self._now())))

    # The API

    def _version_for(self, instance: Manifest, spec: Manifest) -> OperatorVersion:
        """Return the operator version that a spec of an Instance refers to."""
        namespace, name = reference_of(spec, namespace_of(instance) or "")
        ref = Ref(API_VERSION, "OperatorVersion", name, namespace)
        known = self._versions.get(ref)
        manifest = self._cache.get(ref)
        if manifest is None and known is not None and _is_deleting(instance):
            return known[1]  # gone before its instance, as with a namespace: cleanup still needs it
        if manifest is None:
            manifest = self._fetched_version(instance, ref)
        mark = f"{uid_of(manifest)} {version_of(manifest)}"
        if known is None or known[0] != mark:
            known = self._versions[ref] = (mark, parse_operator_version(manifest))
        return known[1]

    def _fetched_version(self, instance: Manifest, ref: Ref) -> Manifest:
        """Return an operator version that no watch has told of: a new one, or one of another namespace."""
        try:
            if ref.name:
                return self._cluster.get(ref.api_version, ref.kind, ref.name, ref.namespace)
            reason = "the instance refers to none"
        except NotFound as error:
            reason = error.message
        message = (
            f"InstanceController: Error getting operatorVersion {ref.name} for instance {_path(instance)}: {reason}"
        )
        self._recorder.record(instance, "Warning", "InvalidOperatorVersion", message)
        raise RetryError(message)

    def _store(self, instance: Manifest, wanted: Manifest) -> Manifest:
        """Write annotations, finalizers and spec of an Instance if they changed; refused when it changed meanwhile."""
        patch = json_patch(_writable(instance), _writable(wanted))
        if not patch:
            return instance
        patch.setdefault("metadata", {}).update({"resourceVersion": version_of(instance), "uid": uid_of(instance)})
        return self._send(instance, patch)

    def _write_status(self, instance: Manifest, status: Manifest) -> None:
        patch = json_patch(instance.get("status") or {}, status)
        if patch:
            self._send(instance, {"metadata": {"uid": uid_of(instance)}, "status": patch}, subresource="status")

    def _send(self, instance: Manifest, patch: Manifest, subresource: str | None = None) -> Manifest:
        namespace, name = namespace_of(instance), name_of(instance)
        answer = self._cluster.patch(*_INSTANCE, name, patch, namespace, subresource=subresource)
        self._cache.put(answer)
        return answer

    def _refresh(self, instance: Manifest) -> bool:
        """Ask for the newest state of an Instance; tell whether it is still there."""
        fresh = self._cluster.find(*_INSTANCE, name_of(instance), namespace_of(instance))
        if fresh is None or uid_of(fresh) != uid_of(instance):
            self._cache.remove(instance)
        if fresh is not None:
            self._cache.put(fresh)
        return fresh is not None and uid_of(fresh) == uid_of(instance)

    def _marked(self, instance: Manifest) -> Manifest:
        return mark_admitted(instance) if self._scheduling else instance

    def _memory(self, key: Key, instance: Manifest) -> _Memory:
        memory = self._memories.get(key)
        if memory is None or memory.uid != uid_of(instance):
            memory = self._memories[key] = _Memory(uid=uid_of(instance))
        return memory

    def _forget(self, key: Key) -> None:
        self._memories.pop(key, None)
        self._pauses.reset(key)


def _failed(entry: Manifest, event: str, cause: str) -> Pass:
    """Return the end of a plan that cannot start; phases and steps stay as they are."""
    message = f"Error during execution: fatal error: {cause}"
    return Pass(status={**entry, "status": FATAL_ERROR, "message": message}, fatal=Fatal(message=message, event=event))


def _path(instance: Manifest) -> str:
    return f"{namespace_of(instance)}/{name_of(instance)}"


def _is_deleting(instance: Manifest) -> bool:
    return bool(dig(instance, "metadata.deletionTimestamp"))


def _origin(instance: Manifest, version: OperatorVersion, place: Place) -> Origin:
    return Origin(
        instance=name_of(instance),
        namespace=namespace_of(instance) or "",
        uid=uid_of(instance),
        operator=version.operator_name,
        version=version.version,
        plan=place.plan,
        phase=place.phase,
        step=place.step,
        plan_uid=str(execution_of(instance).get("uid", "")),
    )


def _writable(instance: Manifest) -> Manifest:
    metadata = instance.get("metadata") or {}
    kept = {key: metadata[key] for key in ("annotations", "finalizers") if metadata.get(key)}
    return {"metadata": kept, "spec": instance.get("spec") or {}}


def _step_states(entry: Manifest) -> list[tuple[str, str]]:
    return [
        (f"{phase['name']}.{step['name']}", step["status"])
        for phase in entry.get("phases") or ()
        for step in phase.get("steps") or ()
    ]
