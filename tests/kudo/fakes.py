"""A cluster in memory for tests of the operations: objects by key, writes noted, changes that others make on cue."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Literal, TypeVar

from harness.kit.documents import Manifest
from harness.kit.errors import DeadlineError
from harness.kit.waiting import Deadline, Pending
from harness.kube import Conflict
from harness.kudo.model import CRD_NAMES

T = TypeVar("T")
Key = tuple[str, str, str]


class FakeCluster:
    """An implementation of harness.kudo.api.Api.

    Attributes:
        objects: what is stored, by kind, namespace and name.
        writes: a line for each write.
        later: functions that change the cluster, called one by one while somebody waits.
        interferers: functions that change the cluster just before a replace.
    """

    def __init__(self, *, version: str = "v1.36.3", crds: bool = True) -> None:
        self.objects: dict[Key, Manifest] = {}
        self.writes: list[str] = []
        self.later: list[Callable[[], object]] = []
        self.interferers: list[Callable[[], object]] = []
        self._version = version
        self._revision = 0
        for name in CRD_NAMES if crds else ():
            self.objects["CustomResourceDefinition", "", name] = served_crd(name)

    def server_version(self) -> str:
        return self._version

    def find(self, api_version: str, kind: str, name: str, namespace: str | None = None, /) -> Manifest | None:
        return copy.deepcopy(self.objects.get((kind, namespace or "", name)))

    def list(self, api_version: str, kind: str, namespace: str | None = None, /) -> list[Manifest]:
        return [copy.deepcopy(each) for key, each in self.objects.items() if key[:2] == (kind, namespace or "")]

    def create(self, manifest: Manifest, /) -> Manifest:
        return self._store("create", manifest)

    def replace(self, manifest: Manifest, /) -> Manifest:
        for interferer in self.interferers[:1]:
            self.interferers.remove(interferer)
            interferer()
        stored = self.objects[_key(manifest)]
        if manifest["metadata"].get("resourceVersion") != stored["metadata"]["resourceVersion"]:
            raise Conflict("replace", status=409, reason="Conflict", message="the object has been modified")
        return self._store("replace", manifest)

    def delete(
        self,
        api_version: str,
        kind: str,
        name: str,
        namespace: str | None = None,
        /,
        *,
        propagation: Literal["Background", "Foreground", "Orphan"] = "Background",
    ) -> object:
        self.writes.append(f"delete {kind} {name} {propagation}")
        if not self.objects[kind, namespace or "", name]["metadata"].get("finalizers"):
            del self.objects[kind, namespace or "", name]
        return None

    def until(
        self,
        api_version: str,
        kind: str,
        name: str,
        namespace: str | None,
        condition: Callable[[Manifest | None], T | Pending],
        /,
        *,
        timeout: float | Deadline,
        wanted: str,
    ) -> T:
        while True:
            answer = condition(self.find(api_version, kind, name, namespace))
            if not isinstance(answer, Pending):
                return answer
            if not self.later:
                raise DeadlineError(f"{wanted} within {timeout} s", seen=answer.reason)
            self.later.pop(0)()

    def instance(self, name: str, namespace: str = "shop") -> Manifest:
        """Return a stored instance itself, to be looked at or changed."""
        return self.objects["Instance", namespace, name]

    def set_plan(self, name: str, plan: str, status: str, message: str = "", *, namespace: str = "shop") -> None:
        """Write a plan's status as the engine would, for the execution that is scheduled."""
        manifest = self.instance(name, namespace)
        step = {"name": "everything", "status": status} | ({"message": message} if message else {})
        manifest.setdefault("status", {}).setdefault("planStatus", {})[plan] = {
            "name": plan,
            "status": status,
            "uid": manifest["spec"].get("planExecution", {}).get("uid", "earlier"),
            "lastUpdatedTimestamp": "2024-03-02T10:20:30Z",
            "phases": [{"name": "main", "status": status, "steps": [step]}],
        }
        if status in ("COMPLETE", "FATAL_ERROR"):
            manifest["spec"].pop("planExecution", None)
        self.touch(manifest)

    def touch(self, manifest: Manifest) -> None:
        """Give an object a new resource version."""
        self._revision += 1
        manifest["metadata"]["resourceVersion"] = str(self._revision)

    def _store(self, verb: str, manifest: Manifest) -> Manifest:
        stored = copy.deepcopy(manifest)
        self.writes.append(f"{verb} {stored['kind']} {stored['metadata']['name']}")
        stored["metadata"].setdefault("uid", f"uid-{len(self.writes)}")
        self.touch(stored)
        self.objects[_key(stored)] = stored
        return copy.deepcopy(stored)


def _key(manifest: Manifest) -> Key:
    metadata = manifest["metadata"]
    return manifest["kind"], metadata.get("namespace", ""), metadata["name"]


def served_crd(name: str, *, version: str = "v1beta1", established: str = "True") -> Manifest:
    """Return a definition of a kind as a cluster has it."""
    conditions: list[dict[str, Any]] = [{"type": "Established", "status": established}]
    return {
        "kind": "CustomResourceDefinition",
        "metadata": {"name": name},
        "spec": {"versions": [{"name": version, "served": True}]},
        "status": {"conditions": conditions},
    }
