"""A cluster that lives in memory, as far as the engine needs one; the contract tests hold it against a real one."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from harness.kit.documents import Manifest
from harness.kube import AlreadyExists, ApiError, Conflict, Event, EventType, Invalid, NotFound, Ref, UnknownKind
from harness.kube.objects import dig, labels_of, name_of, namespace_of

API = "kudo.dev/v1beta1"
NAMESPACE = "shop"
START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

SERVED: dict[tuple[str, str], bool] = {
    ("v1", "ConfigMap"): True,
    ("v1", "Secret"): True,
    ("v1", "Service"): True,
    ("v1", "Pod"): True,
    ("v1", "Event"): True,
    ("v1", "Namespace"): False,
    ("apps/v1", "Deployment"): True,
    ("apps/v1", "StatefulSet"): True,
    ("batch/v1", "Job"): True,
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"): False,
    (API, "Operator"): True,
    (API, "OperatorVersion"): True,
    (API, "Instance"): True,
}


@dataclass(frozen=True, slots=True)
class FakeResource:
    namespaced: bool


class FakeSource:
    """One watch: delivers at once, in the thread of the writer."""

    def __init__(self, kind: tuple[str, str], namespace: str | None, labels: str, objects: Sequence[Manifest]) -> None:
        self.kind = kind
        self.namespace = namespace
        self.label = labels.split("=") if labels else None
        self.failed: BaseException | None = None
        self.stopped = False
        self.initial = [item for item in objects if self.wants(item)]
        self.subscribers: list[Callable[[Event], None]] = []

    def wants(self, item: Manifest) -> bool:
        if (item["apiVersion"], item["kind"]) != self.kind or self.namespace not in (None, namespace_of(item)):
            return False
        return self.label is None or labels_of(item).get(self.label[0]) == self.label[1]

    def subscribe(self, subscriber: Callable[[Event], None], /) -> Callable[[], None]:
        self.subscribers.append(subscriber)
        for item in self.initial:
            subscriber(Event("ADDED", item, 0.0))
        return lambda: self.subscribers.remove(subscriber)

    def wait_synced(self, timeout: float, /) -> object:
        return self

    def stop(self) -> None:
        self.stopped = True

    def deliver(self, event_type: EventType, item: Manifest) -> None:
        if self.wants(item) and not self.stopped:
            for subscriber in list(self.subscribers):
                subscriber(Event(event_type, item, 0.0))


@dataclass
class FakeCluster:
    """Objects by reference, with versions, uids, finalizers, the status subresource and watches.

    Attributes:
        requests: verb, kind and name of each request that was made.
        failures: errors to raise, by verb and kind, each once.
        hold_deleted: kinds whose deleted objects stay, as without a garbage collector.
        silent: whether watches tell nothing for the moment.
        before: is told of each request before it is carried out.
        rewrite: changes each object before it is stored, as defaulting does.
    """

    served: dict[tuple[str, str], bool] = field(default_factory=lambda: dict(SERVED))
    objects: dict[Ref, Manifest] = field(default_factory=dict)
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    failures: dict[tuple[str, str], list[ApiError]] = field(default_factory=dict)
    hold_deleted: set[str] = field(default_factory=set)
    sources: list[FakeSource] = field(default_factory=list)
    silent: bool = False
    before: Callable[[str, str, str], None] | None = None
    rewrite: Callable[[Manifest], None] | None = None
    lock: threading.RLock = field(default_factory=threading.RLock)
    version: int = 0

    # What the engine calls

    def resource(self, api_version: str, kind: str, /) -> FakeResource:
        if (api_version, kind) not in self.served:
            raise UnknownKind(f"the kind {api_version}/{kind}", seen="not served")
        return FakeResource(self.served[(api_version, kind)])

    def get(self, api_version: str, kind: str, name: str, namespace: str | None = None, /) -> Manifest:
        with self._request("get", kind, name):
            return copy.deepcopy(self._found(api_version, kind, name, namespace))

    def find(self, api_version: str, kind: str, name: str, namespace: str | None = None, /) -> Manifest | None:
        try:
            return self.get(api_version, kind, name, namespace)
        except NotFound:
            return None

    def create(self, manifest: Manifest, /) -> Manifest:
        with self._request("create", manifest["kind"], name_of(manifest)):
            self.resource(manifest["apiVersion"], manifest["kind"])
            ref = Ref.of(manifest)
            if ref in self.objects:
                raise AlreadyExists(
                    f"create {ref}", status=409, reason="AlreadyExists", message=f"{ref} already exists"
                )
            item = copy.deepcopy(manifest)
            item["metadata"] |= {"uid": f"uid-{self.version + 1}", "generation": 1}
            if manifest["kind"] == "Instance":
                item.pop("status", None)
            if manifest["kind"] == "Service":
                item["spec"].setdefault("clusterIP", "10.0.0.7")
            return self._stored("ADDED", item)

    def patch(
        self,
        api_version: str,
        kind: str,
        name: str,
        body: Mapping[str, Any],
        namespace: str | None = None,
        /,
        *,
        subresource: str | None = None,
    ) -> Manifest:
        with self._request(f"patch {subresource or ''}".strip(), kind, name):
            item = self._found(api_version, kind, name, namespace)
            _check_preconditions(item, body.get("metadata") or {})
            parts = {"status"} if subresource == "status" else set(body) - ({"status"} if kind == "Instance" else set())
            changed = copy.deepcopy(item)
            for key in parts:
                changed[key] = merge_patch(changed.get(key), body.get(key))
            if changed.get("spec") != item.get("spec"):
                changed["metadata"]["generation"] = item["metadata"].get("generation", 1) + 1
            return copy.deepcopy(item) if changed == item else self._stored("MODIFIED", changed)

    def delete(
        self,
        api_version: str,
        kind: str,
        name: str,
        namespace: str | None = None,
        /,
        *,
        propagation: Literal["Background", "Foreground", "Orphan"] = "Background",
    ) -> None:
        with self._request(f"delete {propagation}", kind, name):
            ref = self._ref(api_version, kind, name, namespace)
            if ref not in self.objects:
                return
            item = copy.deepcopy(self.objects[ref])
            item["metadata"]["deletionTimestamp"] = "2026-01-02T03:04:05Z"
            if kind in self.hold_deleted:
                item["metadata"]["finalizers"] = ["foregroundDeletion"]
            self._stored("MODIFIED", item)

    def watch(self, api_version: str, kind: str, namespace: str | None = None, /, *, labels: str = "") -> FakeSource:
        self.resource(api_version, kind)
        with self.lock:
            source = FakeSource((api_version, kind), namespace, labels, copy.deepcopy(list(self.objects.values())))
            self.sources.append(source)
        return source

    # What tests call

    def see(self, kind: str, name: str, namespace: str | None = NAMESPACE) -> Manifest:
        """Return a stored object without making a request."""
        with self.lock:
            found = [
                item
                for ref, item in self.objects.items()
                if (ref.kind, ref.name, ref.namespace) == (kind, name, namespace)
            ]
        assert found, f"no {kind} {name}; there are {sorted(str(ref) for ref in self.objects)}"
        return copy.deepcopy(found[0])

    def has(self, kind: str, name: str) -> bool:
        """Tell whether an object is stored."""
        return any((ref.kind, ref.name) == (kind, name) for ref in self.objects)

    def change(self, kind: str, name: str, body: Mapping[str, Any], *, subresource: str | None = None) -> None:
        """Change an object as somebody else would."""
        ref = next(ref for ref in self.objects if (ref.kind, ref.name) == (kind, name))
        log = list(self.requests)
        self.patch(ref.api_version, kind, name, body, ref.namespace, subresource=subresource)
        self.requests[:] = log

    def drop(self, kind: str, name: str) -> None:
        """Remove an object for good, as the garbage collector would."""
        with self.lock:
            ref = next(ref for ref in self.objects if (ref.kind, ref.name) == (kind, name))
            self._deliver("DELETED", self.objects.pop(ref))

    def events(self) -> list[tuple[str, str, str]]:
        """Return type, reason and message of the recorded events, in order."""
        found = [item for ref, item in self.objects.items() if ref.kind == "Event"]
        return [(item["type"], item["reason"], item["message"]) for item in found]

    def _ref(self, api_version: str, kind: str, name: str, namespace: str | None) -> Ref:
        return Ref(api_version, kind, name, namespace if self.served.get((api_version, kind), True) else None)

    def _found(self, api_version: str, kind: str, name: str, namespace: str | None) -> Manifest:
        self.resource(api_version, kind)
        ref = self._ref(api_version, kind, name, namespace)
        if ref not in self.objects:
            raise NotFound(f"get {ref}", status=404, reason="NotFound", message=f'{kind.lower()}s "{name}" not found')
        return self.objects[ref]

    def _stored(self, event_type: EventType, item: Manifest) -> Manifest:
        if self.rewrite is not None:
            self.rewrite(item)
        self.version += 1
        item["metadata"]["resourceVersion"] = str(self.version)
        if item["metadata"].get("deletionTimestamp") and not item["metadata"].get("finalizers"):
            self.objects.pop(Ref.of(item), None)
            event_type = "DELETED"
        else:
            self.objects[Ref.of(item)] = item
        self._deliver(event_type, item)
        return copy.deepcopy(item)

    def _deliver(self, event_type: EventType, item: Manifest) -> None:
        for source in [] if self.silent else self.sources:
            source.deliver(event_type, copy.deepcopy(item))

    @contextmanager
    def _request(self, verb: str, kind: str, name: str) -> Iterator[None]:
        with self.lock:
            self.requests.append((verb, kind, name))
            if self.before is not None:
                self.before(verb, kind, name)
            waiting = self.failures.get((verb, kind))
            if waiting:
                raise waiting.pop(0)
            yield


@dataclass
class FakeClock:
    """A clock that stands still until it is told to move."""

    seconds: float = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)


def _check_preconditions(item: Manifest, wanted: Mapping[str, Any]) -> None:
    if wanted.get("resourceVersion") not in (None, item["metadata"]["resourceVersion"]):
        raise Conflict("patch", status=409, reason="Conflict", message="the object has been modified")
    if wanted.get("uid") not in (None, item["metadata"]["uid"]):
        raise Invalid("patch", status=422, reason="Invalid", message="metadata.uid: field is immutable")


def merge_patch(value: Any, patch: Any) -> Any:
    """Return a value after a JSON merge patch, written down from RFC 7386 and not from the code under test."""
    if not isinstance(patch, Mapping):
        return copy.deepcopy(patch)
    result = dict(value) if isinstance(value, Mapping) else {}
    for key, part in patch.items():
        if part is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), part)
    return result


def config_map(name: str, text: str = "{{ .Params.SIZE }}") -> str:
    """Return the template of a ConfigMap."""
    return f'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  size: "{text}"\n'


def serial(*steps: tuple[str, Sequence[str]], strategy: str = "serial") -> Manifest:
    """Return a plan of one phase, `main`, with steps of task names."""
    phase = {
        "name": "main",
        "strategy": strategy,
        "steps": [{"name": name, "tasks": list(tasks)} for name, tasks in steps],
    }
    return {"strategy": strategy, "phases": [phase]}


def apply_task(name: str, *resources: str) -> Manifest:
    """Return an Apply task."""
    return {"name": name, "kind": "Apply", "spec": {"resources": list(resources)}}


def version_manifest(
    *,
    name: str = "db-0.1.0",
    version: str = "0.1.0",
    templates: Mapping[str, str] | None = None,
    tasks: Sequence[Manifest] = (),
    plans: Mapping[str, Manifest] | None = None,
    parameters: Sequence[Manifest] = ({"name": "SIZE", "default": "3"},),
) -> Manifest:
    """Return an OperatorVersion; without arguments, one that deploys one ConfigMap."""
    return {
        "apiVersion": API,
        "kind": "OperatorVersion",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "operator": {"name": "db", "kind": "Operator"},
            "version": version,
            "templates": dict(templates if templates is not None else {"cm.yaml": config_map("{{ .Name }}-settings")}),
            "tasks": list(tasks) or [apply_task("settings", "cm.yaml")],
            "plans": dict(plans if plans is not None else {"deploy": serial(("everything", ["settings"]))}),
            "parameters": list(parameters),
        },
    }


def instance_manifest(
    name: str = "orders", *, version: str = "db-0.1.0", parameters: Mapping[str, str] | None = None, **spec: Any
) -> Manifest:
    """Return an Instance as a client writes it."""
    whole = {"operatorVersion": {"name": version}, **({"parameters": dict(parameters)} if parameters else {}), **spec}
    return {"apiVersion": API, "kind": "Instance", "metadata": {"name": name, "namespace": NAMESPACE}, "spec": whole}


def plan_state(instance: Manifest, plan: str = "deploy") -> tuple[str, list[str]]:
    """Return a plan's status, and those of all its steps."""
    entry = dig(instance, ["status", "planStatus", plan]) or {"status": "absent"}
    return entry["status"], [step["status"] for phase in entry.get("phases", ()) for step in phase.get("steps", ())]
