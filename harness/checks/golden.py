"""Assert files from the live state: an object without what changes from run to run, and an old assert with new values.

Pure. The `update` verb of the command line imports it; `dump_documents` writes the result.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.kit.documents import Manifest

__all__ = ["golden_manifest", "refreshed_manifest"]

_METADATA = frozenset(
    {"uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "selfLink", "managedFields"}
    | {"deletionGracePeriodSeconds", "ownerReferences", "namespace", "generateName"}
)
_ANNOTATIONS = ("kubectl.kubernetes.io/", "deployment.kubernetes.io/", "pv.kubernetes.io/", "volume.kubernetes.io/")
_LABELS = frozenset(
    {"pod-template-hash", "controller-revision-hash", "controller-uid", "batch.kubernetes.io/controller-uid"}
)
_VOLATILE = frozenset(
    {"observedGeneration", "lastTransitionTime", "lastUpdateTime", "lastProbeTime", "lastHeartbeatTime"}
    | {"startTime", "completionTime", "startedAt", "finishedAt", "containerID", "imageID", "podIP", "podIPs", "hostIP"}
    | {"hostIPs", "nodeName", "clusterIP", "clusterIPs", "nodePort", "healthCheckNodePort", "currentRevision"}
    | {"updateRevision", "collisionCount", "volumeName", "resourceVersion", "uid", "lastScheduleTime"}
)


def golden_manifest(live: Manifest) -> Manifest:
    """Return a live object as an assert: without fields that differ from run to run, and without its namespace.

    Args:
        live: the object; of a Secret only the keys are kept, its values are asserted to be texts by nobody.
    """
    clean = {key: _stable(value) for key, value in live.items() if key not in {"metadata", "data", "stringData"}}
    if live.get("kind") != "Secret":
        clean |= {key: live[key] for key in ("data", "stringData") if key in live}
    return {**_head(live), "metadata": _metadata(live.get("metadata") or {}), **_without_empty(clean)}


def refreshed_manifest(expected: Manifest, live: Manifest) -> Manifest:
    """Return an assert with the fields that it has and the values that the live object has.

    Args:
        expected: the assert as it was; fields that the live object lacks are left out, lists take the live length.
        live: the object.
    """
    result: Manifest = _refreshed(expected, live)
    return {**_head(expected), **result}


def _head(manifest: Manifest) -> Manifest:
    return {key: manifest[key] for key in ("apiVersion", "kind") if key in manifest}


def _metadata(metadata: Mapping[str, Any]) -> Manifest:
    clean = {key: value for key, value in metadata.items() if key not in _METADATA}
    labels = {key: value for key, value in (metadata.get("labels") or {}).items() if key not in _LABELS}
    annotations = metadata.get("annotations") or {}
    kept = {key: value for key, value in annotations.items() if not key.startswith(_ANNOTATIONS)}
    return _without_empty({**clean, "labels": labels, "annotations": kept})


def _stable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _stable(item) for key, item in value.items() if key not in _VOLATILE}
    return [_stable(item) for item in value] if isinstance(value, list) else value


def _without_empty(manifest: Manifest) -> Manifest:
    return {key: value for key, value in manifest.items() if value not in ({}, None)}


def _refreshed(expected: Any, live: Any) -> Any:
    if isinstance(expected, dict) and isinstance(live, dict):
        return {key: _refreshed(value, live[key]) for key, value in expected.items() if key in live}
    if isinstance(expected, list) and isinstance(live, list):
        common = [_refreshed(old, new) for old, new in zip(expected, live, strict=False)]
        return common + [_stable(item) for item in live[len(expected) :]]
    return _stable(live)
