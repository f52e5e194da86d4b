"""What is added to every object that a task applies: labels, annotations, namespace, owner, dependency hash.

Pure but for two questions that the caller answers: is a kind namespaced, and what does the cluster hold.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from harness.kit.documents import Manifest, dump_yaml
from harness.kudo.merge import LAST_APPLIED
from harness.kudo.model import API_VERSION

__all__ = [
    "HERITAGE",
    "INSTANCE_LABEL",
    "EnhanceError",
    "Origin",
    "dependencies_hash",
    "enhance",
    "pod_template_path",
    "sanitised_text",
]

HERITAGE = "heritage"
OPERATOR_LABEL = "kudo.dev/operator"
INSTANCE_LABEL = "kudo.dev/instance"
_VERSION_ANNOTATION = "kudo.dev/operator-version"
_HASH_ANNOTATION = "kudo.dev/dependencies-hash"
_SKIP_HASH = "kudo.dev/skip-hash-calculation"

Scope = Callable[[str, str], bool]
Find = Callable[[str, str], Manifest | None]

_TEMPLATE = ("spec", "template")
_CRON_TEMPLATE = ("spec", "jobTemplate", "spec", "template")
_ANY_GROUP = frozenset({"DaemonSet", "ReplicaSet", "ReplicationController"})
_ABSENT_DIGEST = bytes(16)
_DROPPED_METADATA = (
    "namespace", "resourceVersion", "clusterName", "continue", "creationTimestamp",
    "generateName", "generation", "selfLink", "uid",
)  # fmt: skip
_EMPTIED_METADATA: Manifest = {
    "annotations": {},
    "finalizers": [],
    "managedFields": [],
    "ownerReferences": [],
    "deletionGracePeriodSeconds": 0,
    "remainingItemCount": 0,
}


class EnhanceError(ValueError):
    """An object that cannot be made part of an Instance; retrying cannot help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where an object comes from: the instance, its operator version, and the place in the plan."""

    instance: str
    namespace: str
    uid: str
    operator: str
    version: str
    plan: str
    phase: str
    step: str
    plan_uid: str

    @property
    def labels(self) -> dict[str, str]:
        """Labels of every object of the instance."""
        return {HERITAGE: "kudo", OPERATOR_LABEL: self.operator, INSTANCE_LABEL: self.instance}

    @property
    def annotations(self) -> dict[str, str]:
        """Annotations of every object, on the object only: they change with each run of a plan."""
        return {
            "kudo.dev/plan": self.plan,
            "kudo.dev/phase": self.phase,
            "kudo.dev/step": self.step,
            "kudo.dev/last-plan-execution-uid": self.plan_uid,
        }


def enhance(objects: Sequence[Manifest], origin: Origin, *, namespaced: Scope, find: Find) -> list[Manifest]:
    """Return the objects of one task as they are applied; the given ones are not changed.

    Args:
        objects: as rendered.
        origin: where they come from.
        namespaced: tells for apiVersion and kind whether objects of it live in a namespace.
        find: gets a ConfigMap or Secret (kind, name) of the instance's namespace from the cluster, None when absent.

    Raises:
        EnhanceError: labels or annotations of an odd shape, another controller owner.
    """
    result = [_enhanced(item, origin, namespaced) for item in objects]
    for item in result:
        digest = dependencies_hash(item, result, find)
        path = pod_template_path(item)
        if digest and path is not None:
            _add(item, (*path, "metadata", "annotations"), {_HASH_ANNOTATION: digest})
    return result


def pod_template_path(item: Manifest) -> tuple[str, ...] | None:
    """Return where an object's pod template stands, by shape: spec.template or a CronJob's; None without one."""
    for path in (_TEMPLATE, _CRON_TEMPLATE):
        template = _at(item, path)
        if isinstance(template, dict):
            return path
    return None


def dependencies_hash(item: Manifest, together: Sequence[Manifest], find: Find) -> str:
    """Return the hash of the ConfigMaps and Secrets that a pod template mounts or pulls with, empty without any.

    Args:
        item: the workload.
        together: the objects applied by the same task, enhanced.
        find: gets the others from the cluster.
    """
    path = pod_template_path(item)
    if path is None:
        return ""
    names = sorted(_dependencies(_at(item, (*path, "spec"))))
    digests = [_digest(kind, name, together, find) for kind, name in names]
    return hashlib.md5(b"".join(digests), usedforsecurity=False).hexdigest() if digests else ""


def sanitised_text(item: Manifest) -> str:
    """Return the YAML text of a dependency that its digest is made of: what a cluster adds is taken out."""
    metadata = {key: value for key, value in (item.get("metadata") or {}).items() if key not in _DROPPED_METADATA}
    bare = {**item, "apiVersion": "", "kind": "", "metadata": {**metadata, **_EMPTIED_METADATA}}
    return dump_yaml({"object": bare})


def _enhanced(item: Manifest, origin: Origin, namespaced: Scope) -> Manifest:
    result = copy.deepcopy(item)
    result["metadata"] = result.get("metadata") or {}
    if not isinstance(result["metadata"], dict):
        raise EnhanceError(f"failed to add labels and annotations: metadata of {_name(item)} is not an object")
    _add(result, ("metadata", "labels"), origin.labels, strict=True)
    _add(result, ("metadata", "annotations"), origin.annotations, strict=True)
    for path in _label_paths(result):
        _add(result, (*path, "metadata", "labels"), origin.labels)
        _add(result, (*path, "metadata", "annotations"), {_VERSION_ANNOTATION: origin.version})
    _label_claims(result, origin)
    if namespaced(result.get("apiVersion", ""), result.get("kind", "")):
        result["metadata"]["namespace"] = origin.namespace
        _own(result, origin)
    else:
        result["metadata"].pop("namespace", None)
    return result


def _label_paths(item: Manifest) -> Iterator[tuple[str, ...]]:
    group = str(item.get("apiVersion", "")).rpartition("/")[0]
    kind = item.get("kind")
    if (group, kind) in {("apps", "StatefulSet"), ("apps", "Deployment"), ("batch", "Job")} or kind in _ANY_GROUP:
        yield _TEMPLATE
    elif (group, kind) == ("batch", "CronJob"):
        yield _CRON_TEMPLATE


def _label_claims(item: Manifest, origin: Origin) -> None:
    if item.get("kind") != "StatefulSet" or not str(item.get("apiVersion", "")).startswith("apps/"):
        return
    claims = _at(item, ("spec", "volumeClaimTemplates"))
    for claim in _maps(claims):
        _add(claim, ("metadata", "labels"), origin.labels)


def _own(item: Manifest, origin: Origin) -> None:
    owners = _maps(item["metadata"].get("ownerReferences"))
    other = next((owner for owner in owners if owner.get("controller") and owner.get("uid") != origin.uid), None)
    if other is not None:
        raise EnhanceError(
            f"failed to set the owner of {_name(item)}: already owned by {other.get('kind')} {other.get('name')}"
        )
    reference = {
        "apiVersion": API_VERSION,
        "kind": "Instance",
        "name": origin.instance,
        "uid": origin.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
    item["metadata"]["ownerReferences"] = [owner for owner in owners if owner.get("uid") != origin.uid] + [reference]


def _add(item: Manifest, path: Sequence[str], values: dict[str, str], *, strict: bool = False) -> None:
    """Add texts to the map at a path, which is made; one of another shape is left alone, or refused if strict."""
    node: Any = item
    for key in path:
        if node.get(key) is None:
            node[key] = {}
        node = node[key]
        if not isinstance(node, dict):
            break
    if not isinstance(node, dict) or not all(isinstance(value, str) for value in node.values()):
        if strict:
            raise EnhanceError(f"failed to add labels and annotations: {'.'.join(path)} of {_name(item)}")
        return
    node.update(values)


def _dependencies(pod_spec: Any) -> Iterator[tuple[str, str]]:
    """Yield kind and name of what a pod needs from the API; ConfigMaps sort before Secrets, as they should."""
    spec = pod_spec if isinstance(pod_spec, dict) else {}
    for reference in _maps(spec.get("imagePullSecrets")):
        yield "Secret", str(reference.get("name", ""))
    for volume in _maps(spec.get("volumes")):
        if isinstance(config_map := volume.get("configMap"), dict):
            yield "ConfigMap", str(config_map.get("name", ""))
        if isinstance(secret := volume.get("secret"), dict):
            yield "Secret", str(secret.get("secretName", ""))


def _digest(kind: str, name: str, together: Sequence[Manifest], find: Find) -> bytes:
    item = next((each for each in together if _is(each, kind, name)), None) or _applied(find(kind, name))
    if item is None or _SKIP_HASH in ((item.get("metadata") or {}).get("annotations") or {}):
        return _ABSENT_DIGEST
    return hashlib.md5(sanitised_text(item).encode(), usedforsecurity=False).digest()


def _is(item: Manifest, kind: str, name: str) -> bool:
    return item.get("apiVersion") == "v1" and item.get("kind") == kind and item["metadata"].get("name") == name


def _applied(live: Manifest | None) -> Manifest | None:
    """Return an object of the cluster as it was applied last, when we applied it."""
    text = (_at(live, ("metadata", "annotations")) or {}).get(LAST_APPLIED)
    try:
        value = json.loads(text) if text is not None else live
    except ValueError:
        return live
    return value if isinstance(value, dict) else live


def _maps(value: Any) -> list[Manifest]:
    """Return the maps of a list; what is wrong with others is for the API server to say."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _at(item: Any, path: Sequence[str]) -> Any:
    for key in path:
        item = item.get(key) if isinstance(item, dict) else None
    return item


def _name(item: Manifest) -> str:
    metadata = item.get("metadata")
    return f"{item.get('kind')} {metadata.get('name') if isinstance(metadata, dict) else '?'}"
