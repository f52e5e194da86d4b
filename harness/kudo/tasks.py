"""The kinds of tasks and how each is run once: Apply, Delete, Toggle, Dummy.

The engine imports it. A kind is one function from a task and its desk to an outcome; further kinds (Pipe, KudoOperator)
are added to a registry, not to the engine. Tasks are idempotent: each pass runs all tasks of an open step again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from harness.kit.documents import Manifest
from harness.kit.errors import HarnessError
from harness.kube import AlreadyExists, ApiError, Conflict, NotFound, Ref, UnknownKind
from harness.kube.objects import dig, uid_of, version_of
from harness.kudo.cache import Cache
from harness.kudo.client import Cluster
from harness.kudo.enhance import EnhanceError, Origin, enhance
from harness.kudo.health import check_health
from harness.kudo.merge import MissingOriginalError, json_patch, merged, original_of, with_original
from harness.kudo.model import OperatorVersion, Task, boolean
from harness.kudo.plan import Done, Fatal, Outcome, Place, Transient, Waiting
from harness.kudo.rendering import FatalRenderError, Variables, check_task, documents, render

__all__ = ["TASK_KINDS", "Desk", "RunTask", "Settled", "TaskError", "fatal_text", "run_task"]

_ATTEMPTS = 3  # of a patch whose object changed in between
_BOOKKEEPING = ("resourceVersion", "managedFields", "generation")


class TaskError(Exception):
    """A task cannot succeed, however often it is tried.

    Args:
        cause: what is wrong.
        event: the reason of the Warning event.
        prefix: words before the standard text.
    """

    def __init__(self, cause: str, event: str, *, prefix: str = "") -> None:
        super().__init__(cause)
        self.cause = cause
        self.event = event
        self.prefix = prefix


@dataclass(slots=True)
class Settled:
    """What was applied with which result, so that a pass does not send again what would change nothing.

    A patch can be non-empty for ever where the server rewrites a value (0.5 CPU to 500m): it is sent once.
    """

    results: dict[Ref, tuple[str, str]] = field(default_factory=dict)

    def holds(self, ref: Ref, wanted: Manifest, live: Manifest) -> bool:
        """Tell whether exactly this was applied to an object that still looks as it did afterwards."""
        return self.results.get(ref) == (_text(wanted), _look(live))

    def note(self, ref: Ref, wanted: Manifest, live: Manifest) -> None:
        """Remember the server's answer to what was applied."""
        self.results[ref] = (_text(wanted), _look(live))


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Everything a task works with.

    Args:
        cluster: the API server.
        cache: the newest known objects; asked before the server is.
        watched: apiVersion and kind of the objects whose changes are told by events.
        settled: what earlier passes of this plan applied.
        version: the operator version.
        origin: what applied objects say about their instance and plan.
        variables: what templates see.
        place: where in the plan the task stands.
        first: whether this is the instance's first plan, whose objects are most likely not there yet.
    """

    cluster: Cluster
    cache: Cache
    watched: Collection[tuple[str, str]]
    settled: Settled
    version: OperatorVersion
    origin: Origin
    variables: Variables
    place: Place
    first: bool = False

    @property
    def instance(self) -> str:
        """The instance as namespace/name."""
        return f"{self.origin.namespace}/{self.origin.instance}"


RunTask = Callable[[Task, Desk], Outcome]


def run_task(task: Task, desk: Desk, kinds: Mapping[str, RunTask] | None = None) -> Outcome:
    """Run a task once.

    Args:
        task: what to do.
        desk: what it works with.
        kinds: the registry of task kinds, this module's when absent.

    Errors of the API are transient, what cannot heal by itself is fatal; both come back as outcomes.
    """
    known = TASK_KINDS if kinds is None else kinds
    problem = check_task(task)
    if not problem and task.kind not in known:
        problem = f"task kind {task.kind} is not supported yet (supported: {', '.join(sorted(known))})"
    if problem:
        message = f"{desk.instance} fatal error:  failed to build task {desk.place}: {problem}"
        return Fatal(message=message, event="TaskBuildError")
    try:
        return known[task.kind](task, desk)
    except (TaskError, FatalRenderError, EnhanceError) as error:
        return _fatal(error, desk)
    except _PatchError as error:
        return Transient(error=str(error))
    except HarnessError as error:  # of the API, or of discovery: a kind that went away since it was looked up
        return Transient(error=(isinstance(error, ApiError) and error.message) or error.seen or error.wanted)


def _fatal(error: TaskError | FatalRenderError | EnhanceError, desk: Desk) -> Fatal:
    if isinstance(error, TaskError):
        return Fatal(message=error.prefix + fatal_text(desk, error.cause), event=error.event)
    if isinstance(error, FatalRenderError):
        return Fatal(message=fatal_text(desk, error.cause), event="TaskRenderingError")
    return Fatal(message=fatal_text(desk, f"fatal error: {error}"), event="TaskEnhancementError")


def fatal_text(desk: Desk, cause: str) -> str:
    """Return the standard text of a fatal error."""
    return f"Error during execution: fatal error: {desk.instance} failed in {desk.place}: {cause}"


def _apply(task: Task, desk: Desk) -> Outcome:
    return _apply_objects(_rendered(task, desk), desk)


def _delete(task: Task, desk: Desk) -> Outcome:
    return _delete_objects(_rendered(task, desk), desk)


def _toggle(task: Task, desk: Desk) -> Outcome:
    name = task.text("parameter")
    objects = _rendered(task, desk)
    if name not in desk.variables.params:
        raise TaskError(f"no value for parameter {name} found", "ToggleTaskError")
    value = desk.variables.params[name]
    if not isinstance(value, str):
        raise TaskError(f"value of parameter {name} isn't a string", "ToggleTaskError")
    wanted = boolean(value)
    if wanted is None:
        parsing = f'strconv.ParseBool: parsing "{value}": invalid syntax'
        raise TaskError(f"could not parse value of parameter {name}: {parsing}", "ToggleTaskError")
    return _apply_objects(objects, desk) if wanted else _delete_objects(objects, desk)


def _dummy(task: Task, desk: Desk) -> Outcome:
    if task.spec.get("wantErr"):
        if task.spec.get("fatal"):
            raise TaskError("dummy error", "DummyTaskError")
        return Transient(error="dummy error")
    return Done() if task.spec.get("done") else Waiting(reason=f"{desk.place} is a dummy that is never done")


TASK_KINDS: Mapping[str, RunTask] = {"Apply": _apply, "Delete": _delete, "Toggle": _toggle, "Dummy": _dummy}


def _rendered(task: Task, desk: Desk) -> list[Manifest]:
    found: list[Manifest] = []
    for name in dict.fromkeys(task.resources):
        found += documents(render(desk.version, name, desk.variables), name)
    for item in found:
        metadata = item.get("metadata") or {}
        if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str) or not metadata["name"]:
            raise TaskError(f"an object of kind {item['kind']} has no metadata.name", "TaskRenderingError")
    return found


def _apply_objects(objects: Sequence[Manifest], desk: Desk) -> Outcome:
    """Create or patch all objects, then judge their health."""
    enhanced = enhance(
        objects, desk.origin, namespaced=lambda *kind: _namespaced(desk, *kind), find=lambda *name: _found(desk, *name)
    )
    live = [_put(item, desk) for item in enhanced]
    return next((outcome for outcome in (_judged(item, desk) for item in live) if outcome is not None), Done())


def _judged(item: Manifest, desk: Desk) -> Outcome | None:
    """Return why an object keeps its task from being done, None when it does not."""
    ref, watched = Ref.of(item), _is_watched(item, desk)
    if dig(item, "metadata.deletionTimestamp"):
        return Waiting(reason=f"{ref} is being deleted", watched=watched)
    health = check_health(item)
    if health.ok:
        return None
    if health.state == "failed":
        cause = f"object {_path(ref)} is NOT healthy: fatal error: HealthUtil: {health.message}"
        raise TaskError(cause, "FailedTerminalStateError")
    return Waiting(reason=health.message.strip(), watched=watched)


def _put(item: Manifest, desk: Desk) -> Manifest:
    """Create an object, or merge it into the live one; return the server's answer."""
    ref, wanted = Ref.of(item), with_original(item)
    live = desk.cache.get(ref)
    if live is None and desk.first and ref not in desk.settled.results:
        with suppress(ApiError):  # whatever is wrong is found out below, in the order that tells it best
            return _create(ref, wanted, desk)
    for _attempt in range(_ATTEMPTS - 1):
        try:
            return _put_once(ref, wanted, live, desk)
        except (AlreadyExists, _StaleError):
            live = None  # what was known is out of date: ask
    return _put_once(ref, wanted, None, desk)


def _put_once(ref: Ref, wanted: Manifest, live: Manifest | None, desk: Desk) -> Manifest:
    live = live or desk.cluster.find(ref.api_version, ref.kind, ref.name, ref.namespace)
    return _create(ref, wanted, desk) if live is None else _patch(ref, wanted, live, desk)


def _create(ref: Ref, wanted: Manifest, desk: Desk) -> Manifest:
    answer = desk.cluster.create(wanted)
    _remember(ref, wanted, answer, desk)
    return answer


def _patch(ref: Ref, wanted: Manifest, live: Manifest, desk: Desk) -> Manifest:
    if desk.settled.holds(ref, wanted, live):
        return live
    try:
        original = original_of(live)
    except MissingOriginalError as error:
        raise TaskError(str(error), "TaskRenderingError", prefix=_patch_prefix(wanted, ref)) from None
    patch = json_patch(live, merged(original, wanted, live))
    if not patch:
        desk.settled.note(ref, wanted, live)
        return live
    if _has_list(patch):  # a list goes out as a whole: not onto an object that changed since it was read
        patch.setdefault("metadata", {})["resourceVersion"] = version_of(live)
    try:
        answer = desk.cluster.patch(ref.api_version, ref.kind, ref.name, patch, ref.namespace)
    except (Conflict, NotFound) as error:
        raise _StaleError(wanted, ref, error) from None
    except ApiError as error:
        raise _PatchError(wanted, ref, error) from None
    _remember(ref, wanted, answer, desk)
    return answer


class _PatchError(Exception):
    """A patch was refused; the text is what the step's message shows."""

    def __init__(self, wanted: Manifest, ref: Ref, error: ApiError) -> None:
        super().__init__(f"{_patch_prefix(wanted, ref)}failed to execute patch: {error.message or error.seen}")


class _StaleError(_PatchError):
    """The object changed, or went away, since it was read."""


def _patch_prefix(wanted: Manifest, ref: Ref) -> str:
    return f"failed to patch a {_gvk(wanted)} {_path(ref)}: "


def _remember(ref: Ref, wanted: Manifest, answer: Manifest, desk: Desk) -> None:
    desk.settled.note(ref, wanted, answer)
    if _is_watched(answer, desk):
        desk.cache.put(answer)


def _delete_objects(objects: Sequence[Manifest], desk: Desk) -> Outcome:
    """Delete all objects in the foreground; done when none of them is there any more."""
    waiting = [outcome for outcome in [_delete_one(item, desk) for item in objects] if outcome is not None]
    return waiting[0] if waiting else Done()


def _delete_one(item: Manifest, desk: Desk) -> Waiting | None:
    try:
        scoped = _namespaced(desk, item.get("apiVersion", ""), item["kind"])
    except EnhanceError:
        return None  # a kind that the server does not know has no objects
    ref = Ref(item["apiVersion"], item["kind"], item["metadata"]["name"], desk.origin.namespace if scoped else None)
    target = (ref.api_version, ref.kind, ref.name, ref.namespace)
    live = desk.cluster.find(*target)
    if live is not None and not dig(live, "metadata.deletionTimestamp"):
        desk.cluster.delete(*target, propagation="Foreground")
        live = desk.cluster.find(*target)
    if live is None:
        _forget(ref, desk)
        return None
    return Waiting(reason=f"{ref} is being deleted", watched=_is_watched(live, desk))


def _forget(ref: Ref, desk: Desk) -> None:
    """Drop what is known of an object that is gone: the next task may create it anew before the watch tells."""
    known = desk.cache.get(ref)
    if known is not None:
        desk.cache.remove(known)


def _namespaced(desk: Desk, api_version: str, kind: str) -> bool:
    try:
        return desk.cluster.resource(str(api_version), kind).namespaced
    except UnknownKind:
        gvk = _gvk({"apiVersion": api_version, "kind": kind})
        raise EnhanceError(
            f"failed to determine if object of kind {kind} is namespaced: "
            f"a resource with GVK {gvk} seems to be missing in API resource list"
        ) from None


def _found(desk: Desk, kind: str, name: str) -> Manifest | None:
    return desk.cluster.find("v1", kind, name, desk.origin.namespace) if name else None


def _is_watched(item: Manifest, desk: Desk) -> bool:
    return (item.get("apiVersion"), item.get("kind")) in desk.watched and dig(
        item, "metadata.labels.heritage"
    ) == "kudo"


def _gvk(item: Manifest) -> str:
    group, _, version = str(item.get("apiVersion", "")).rpartition("/")
    return f"{group}/{version}, Kind={item.get('kind')}"


def _path(ref: Ref) -> str:
    return f"{ref.namespace or ''}/{ref.name}"


def _has_list(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_has_list(item) for item in value.values())
    return isinstance(value, list)


def _look(live: Manifest) -> str:
    """Return a text of an object without what changes by itself: its status and the server's bookkeeping."""
    metadata = {key: value for key, value in live["metadata"].items() if key not in _BOOKKEEPING}
    kept = {key: value for key, value in live.items() if key != "status"}
    return f"{uid_of(live)} {_text({**kept, 'metadata': metadata})}"


def _text(value: Manifest) -> str:
    return json.dumps(value, sort_keys=True)
