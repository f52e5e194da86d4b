"""Three-way merge of an object: what the template said last, what it says now, what lives in the cluster.

Pure; the tasks import it. Objects stay plain maps, so the merge keys of the built-in kinds' lists stand here in a
table. Source of the keys: the `patchStrategy` and `patchMergeKey` tags of the Kubernetes API types.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.kit.documents import Manifest

__all__ = ["LAST_APPLIED", "MissingOriginalError", "json_patch", "merged", "original_of", "patched", "with_original"]

LAST_APPLIED = "kudo.dev/last-applied-configuration"


class MissingOriginalError(ValueError):
    """The live object is annotated, but not by us, or our annotation cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """How the parts of a map are merged; what is not named is merged by name when a map, replaced when a list.

    Args:
        fields: the shapes of nested maps.
        lists: lists of maps by the key that names their items, with the shape of an item.
        sets: lists of plain values that are merged as sets.
        exact: fields the template does not name are dropped as soon as another field changes (unions, "retainKeys").
    """

    fields: Mapping[str, _Shape] = field(default_factory=dict)
    lists: Mapping[str, tuple[str, _Shape]] = field(default_factory=dict)
    sets: frozenset[str] = frozenset()
    exact: bool = False


_PLAIN = _Shape()
_UNION = _Shape(exact=True)
_METADATA = _Shape(lists={"ownerReferences": ("uid", _PLAIN)}, sets=frozenset({"finalizers"}))
_CONTAINER = _Shape(
    lists={
        "env": ("name", _PLAIN),
        "ports": ("containerPort", _PLAIN),
        "volumeMounts": ("mountPath", _PLAIN),
        "volumeDevices": ("devicePath", _PLAIN),
    }
)
_POD_SPEC = _Shape(
    lists={
        "containers": ("name", _CONTAINER),
        "initContainers": ("name", _CONTAINER),
        "ephemeralContainers": ("name", _CONTAINER),
        "volumes": ("name", _UNION),
        "imagePullSecrets": ("name", _PLAIN),
        "hostAliases": ("ip", _PLAIN),
        "topologySpreadConstraints": ("topologyKey", _PLAIN),
        "schedulingGates": ("name", _PLAIN),
        "resourceClaims": ("name", _UNION),
    }
)
_TEMPLATE = _Shape(fields={"metadata": _METADATA, "spec": _POD_SPEC})
_JOB_SPEC = _Shape(fields={"template": _TEMPLATE})
_WEBHOOKS = {"webhooks": ("name", _Shape(lists={"matchConditions": ("name", _PLAIN)}))}


def _object(spec: _Shape = _PLAIN, **others: Any) -> _Shape:
    return _Shape(fields={"metadata": _METADATA, "spec": spec}, **others)


_KINDS: dict[tuple[str, str], _Shape] = {
    ("", "Pod"): _object(_POD_SPEC),
    ("", "PodTemplate"): _Shape(fields={"metadata": _METADATA, "template": _TEMPLATE}),
    ("", "ReplicationController"): _object(_Shape(fields={"template": _TEMPLATE})),
    ("", "Service"): _object(_Shape(lists={"ports": ("port", _PLAIN)})),
    ("", "ServiceAccount"): _object(lists={"secrets": ("name", _PLAIN), "imagePullSecrets": ("name", _PLAIN)}),
    ("", "Node"): _object(_Shape(sets=frozenset({"podCIDRs"}))),
    ("apps", "Deployment"): _object(_Shape(fields={"template": _TEMPLATE, "strategy": _UNION})),
    ("apps", "StatefulSet"): _object(_Shape(fields={"template": _TEMPLATE})),
    ("apps", "DaemonSet"): _object(_Shape(fields={"template": _TEMPLATE})),
    ("apps", "ReplicaSet"): _object(_Shape(fields={"template": _TEMPLATE})),
    ("batch", "Job"): _object(_JOB_SPEC),
    ("batch", "CronJob"): _object(
        _Shape(fields={"jobTemplate": _Shape(fields={"metadata": _METADATA, "spec": _JOB_SPEC})})
    ),
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): _object(lists=_WEBHOOKS),
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): _object(lists=_WEBHOOKS),
}
_BUILT_IN = _object()
_JSON_GROUPS = ("kudo.dev", "apiextensions.k8s.io")


def merged(original: Manifest, modified: Manifest, current: Manifest) -> Manifest:
    """Return the live object with the template's changes.

    Fields that were in the template and are no longer are removed, fields that others set are kept, fields of the
    template get its value. Lists of built-in kinds merge by their key, those of other kinds are replaced as a whole.

    Args:
        original: the object as applied last.
        modified: the object as it shall be.
        current: the live object.
    """
    return _merge_map(original, modified, current, _shape(modified))


def json_patch(current: Any, wanted: Any) -> Manifest:
    """Return the JSON merge patch (RFC 7386) that turns one map into the other; empty when they are equal."""
    patch: Manifest = {key: None for key in current if key not in wanted}
    for key, value in wanted.items():
        before = current.get(key)
        if isinstance(value, dict) and isinstance(before, dict):
            nested = json_patch(before, value)
            if nested:
                patch[key] = nested
        elif key not in current or before != value:
            patch[key] = copy.deepcopy(value)
    return patch


def patched(value: Any, patch: Any) -> Any:
    """Return a value after a JSON merge patch (RFC 7386)."""
    if not isinstance(patch, Mapping):
        return copy.deepcopy(patch)
    result = copy.deepcopy(dict(value)) if isinstance(value, Mapping) else {}
    for key, part in patch.items():
        if part is None:
            result.pop(key, None)
        else:
            result[key] = patched(result.get(key), part)
    return result


def original_of(live: Manifest) -> Manifest:
    """Return the object as applied last, from the live object's annotation; empty for one without any annotation.

    Raises:
        MissingOriginalError: there are annotations but not this one, or it is not the JSON of an object.
    """
    annotations = (live.get("metadata") or {}).get("annotations")
    if not annotations:
        return {}
    text = annotations.get(LAST_APPLIED)
    if text is None:
        raise MissingOriginalError("failed to get original configuration LastAppliedConfigAnnotation is not set")
    try:
        value = json.loads(text)
    except ValueError as error:
        raise MissingOriginalError(f"failed to get original configuration: {error}") from None
    if not isinstance(value, dict):
        raise MissingOriginalError("failed to get original configuration: not an object")
    return value


def with_original(item: Manifest) -> Manifest:
    """Return an object with the annotation that tells what was applied: the object itself without it, as JSON."""
    metadata = item.get("metadata") or {}
    annotations = {key: value for key, value in (metadata.get("annotations") or {}).items() if key != LAST_APPLIED}
    bare = {**item, "metadata": {**metadata, "annotations": annotations}}
    if not annotations:
        del bare["metadata"]["annotations"]
    return {**item, "metadata": {**metadata, "annotations": {**annotations, LAST_APPLIED: _go_json(bare)}}}


def _go_json(value: Any) -> str:
    """Return JSON as Go writes it: keys sorted, no blanks, <, > and & escaped."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _shape(item: Manifest) -> _Shape:
    group, _, version = str(item.get("apiVersion", "")).rpartition("/")
    known = _KINDS.get((group, item.get("kind", "")))
    if known is not None:
        return known
    built_in = group not in _JSON_GROUPS and ("." not in group or group.endswith(".k8s.io")) and bool(version)
    return _BUILT_IN if built_in else _PLAIN


def _merge_map(original: Any, modified: Manifest, current: Manifest, shape: _Shape) -> Manifest:
    before = original if isinstance(original, dict) else {}
    result: Manifest = {}
    for key, value in current.items():
        if key in modified:
            if modified[key] is not None:
                result[key] = _merge_value(key, before.get(key), modified[key], value, shape)
        elif key not in before:
            result[key] = value
    for key, value in modified.items():
        if key not in current and value is not None:
            result[key] = _without_null(value)
    if shape.exact and result != current:
        return {key: value for key, value in result.items() if modified.get(key) is not None}
    return result


def _merge_value(key: str, original: Any, modified: Any, current: Any, shape: _Shape) -> Any:
    if isinstance(modified, dict) and isinstance(current, dict):
        return _merge_map(original, modified, current, shape.fields.get(key, _PLAIN))
    if isinstance(modified, list) and isinstance(current, list):
        if key in shape.lists:
            name, item_shape = shape.lists[key]
            return _merge_list(original, modified, current, name, item_shape)
        if key in shape.sets:
            return _merge_set(original, modified, current)
    return _without_null(modified)


def _merge_list(original: Any, modified: Sequence[Any], current: Sequence[Any], key: str, shape: _Shape) -> list[Any]:
    """Merge a list of named items: the template's order, foreign items after their predecessor in the live list.

    A list whose items are not named uniquely (a port once for TCP and once for UDP) is replaced as a whole.
    """
    before, after, live = (
        _by_key(items, key) for items in (original if isinstance(original, list) else [], modified, current)
    )
    if after is None or live is None:
        return [_without_null(item) for item in modified]
    known = before or {}
    result = {
        name: _merge_map(known.get(name), item, live[name], shape) if name in live else _without_null(item)
        for name, item in after.items()
    }
    order = list(after)
    previous: Any = None
    for name in live:
        if name not in after and name not in known:
            order.insert(order.index(previous) + 1 if previous in order else 0, name)
            result[name] = live[name]
        previous = name if name in result else previous
    return [result[name] for name in order]


def _by_key(items: Sequence[Any], key: str) -> dict[Any, Manifest] | None:
    named = {item[key]: item for item in items if isinstance(item, dict) and isinstance(item.get(key), str | int)}
    return named if len(named) == len(items) else None


def _merge_set(original: Any, modified: Sequence[Any], current: Sequence[Any]) -> list[Any]:
    gone = [item for item in (original or ()) if item not in modified]
    kept = [item for item in current if item not in gone]
    return kept + [item for item in modified if item not in kept]


def _without_null(value: Any) -> Any:
    """Return a value as the API server stores it: a field set to null is a field that is not set."""
    if isinstance(value, dict):
        return {key: _without_null(item) for key, item in value.items() if item is not None}
    return value
