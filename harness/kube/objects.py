"""API objects as plain dicts: references, and the few questions that everybody asks of an object.

Pure; everybody above may import it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.kit.documents import Manifest

__all__ = [
    "Manifest",
    "Ref",
    "annotations_of",
    "condition_of",
    "controller_of",
    "dig",
    "labels_of",
    "name_of",
    "namespace_of",
    "owners_of",
    "split_api_version",
    "uid_of",
    "version_of",
]


@dataclass(frozen=True, slots=True)
class Ref:
    """The name of one object in a cluster; str gives "apps/v1/StatefulSet ns/name"."""

    api_version: str
    kind: str
    name: str
    namespace: str | None = None

    @classmethod
    def of(cls, manifest: Mapping[str, Any]) -> Ref:
        """Return the reference of an object; parts that it lacks are empty."""
        return cls(
            str(manifest.get("apiVersion") or ""),
            str(manifest.get("kind") or ""),
            name_of(manifest),
            namespace_of(manifest),
        )

    def __str__(self) -> str:
        name = self.name or "(unnamed)"
        return f"{self.api_version}/{self.kind} {self.namespace}/{name}" if self.namespace else self._cluster_wide(name)

    def _cluster_wide(self, name: str) -> str:
        return f"{self.api_version}/{self.kind} {name}"


def dig(value: Any, path: str | Sequence[str | int], default: Any = None) -> Any:
    """Return what stands at a path, or the default where any part of it is missing.

    Args:
        value: an object or a part of one.
        path: "status.conditions" or "spec.containers.0.name"; a sequence when a key itself contains dots.
        default: the answer for a missing path; a null on the way counts as missing, a null at its end does not.
    """
    for part in path.split(".") if isinstance(path, str) else path:
        found = _child(value, part)
        if found is None:
            return default
        value = found[0]
    return value


def name_of(manifest: Mapping[str, Any]) -> str:
    """Return metadata.name, or metadata.generateName with a star, or an empty text."""
    metadata = _metadata(manifest)
    prefix = metadata.get("generateName")
    return str(metadata.get("name") or (f"{prefix}*" if prefix else ""))


def namespace_of(manifest: Mapping[str, Any]) -> str | None:
    """Return metadata.namespace, None when empty."""
    return _metadata(manifest).get("namespace") or None


def uid_of(manifest: Mapping[str, Any]) -> str:
    """Return metadata.uid, or an empty text for an object that was not read from a server."""
    return str(_metadata(manifest).get("uid") or "")


def version_of(manifest: Mapping[str, Any]) -> str:
    """Return metadata.resourceVersion, or an empty text."""
    return str(_metadata(manifest).get("resourceVersion") or "")


def labels_of(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return a copy of the labels, empty when there are none."""
    return dict(_metadata(manifest).get("labels") or {})


def annotations_of(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return a copy of the annotations, empty when there are none."""
    return dict(_metadata(manifest).get("annotations") or {})


def owners_of(manifest: Mapping[str, Any]) -> list[Manifest]:
    """Return metadata.ownerReferences, empty when there are none."""
    return list(_metadata(manifest).get("ownerReferences") or [])


def controller_of(manifest: Mapping[str, Any]) -> Manifest | None:
    """Return the owner reference that is marked as controller, if any."""
    return next((owner for owner in owners_of(manifest) if owner.get("controller")), None)


def condition_of(manifest: Mapping[str, Any], kind: str) -> Manifest | None:
    """Return the entry of status.conditions with a type ("Ready"), if any."""
    conditions = dig(manifest, "status.conditions") or []
    return next((one for one in conditions if one.get("type") == kind), None)


def split_api_version(api_version: str) -> tuple[str, str]:
    """Return (group, version) of an apiVersion; the core group is the empty text."""
    group, _, version = api_version.rpartition("/")
    return group, version


def _metadata(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = manifest.get("metadata")
    return metadata if isinstance(metadata, Mapping) else {}


def _child(value: Any, part: str | int) -> tuple[Any] | None:
    """Return the child in a one-tuple, since a child may be None itself."""
    if isinstance(value, Mapping):
        return (value[part],) if part in value else None
    if isinstance(value, list | tuple):
        index = int(part) if str(part).lstrip("-").isdigit() else None
        return (value[index],) if index is not None and -len(value) <= index < len(value) else None
    return None
