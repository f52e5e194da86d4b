"""Where an object of a suite lives: its kind as the server knows it, its namespace; and kuttl's ways to name it.

Imported by the runner's modules. Asks the server's discovery, which is cached.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.kube import Kube, Manifest, Resource, UnknownKind
from harness.suite.model import Entry

__all__ = ["Place", "find_resource", "id_of", "locate", "missing_text", "namespaced_copy", "resource_id"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A kind in a namespace.

    Attributes:
        api_version: of the kind.
        kind: as it was written; perhaps in another case than the server's.
        namespace: the namespace that was written, else the test's; without effect for kinds of cluster scope.
        explicit: the namespace was written in the object.
        resource: the kind as it is served; None while it is not.
    """

    api_version: str
    kind: str
    namespace: str
    explicit: bool = False
    resource: Resource | None = None

    @property
    def home(self) -> str | None:
        """The namespace of its objects, None for a kind of cluster scope."""
        return None if self.resource is not None and not self.resource.namespaced else self.namespace


def find_resource(kube: Kube, api_version: str, kind: str) -> Resource:
    """Return how a kind is served; its name may be in another case, as kuttl takes it.

    Raises:
        UnknownKind: it is not served.
    """
    try:
        return kube.resource(api_version, kind)
    except UnknownKind:
        for one in kube.resources():
            if one.api_version == api_version and one.kind.lower() == kind.lower():
                return one
        raise


def locate(kube: Kube, api_version: str, kind: str, *, written: str, namespace: str) -> Place:
    """Return where objects of a kind live.

    Args:
        kube: a client, for its discovery.
        api_version: of the kind.
        kind: the kind.
        written: the namespace written in the object, an empty text where there is none.
        namespace: the test's namespace.
    """
    resource: Resource | None
    try:
        resource = find_resource(kube, api_version, kind)
    except UnknownKind:
        resource = None
    home = written or namespace
    return Place(api_version=api_version, kind=kind, namespace=home, explicit=bool(written), resource=resource)


def namespaced_copy(entry: Entry, place: Place, *, checked: bool = False) -> Manifest:
    """Return the entry's manifest with its namespace put in where the kind has one.

    Args:
        entry: the object; it is not changed.
        place: where it lives.
        checked: it is compared, not sent: the kind is then spelt as the server spells it.
    """
    metadata = dict(entry.manifest.get("metadata") or {})
    if place.home is not None:
        metadata["namespace"] = place.home
    copy = dict(entry.manifest)
    if metadata or "metadata" in copy:
        copy["metadata"] = metadata
    if checked and place.resource is not None:
        copy["kind"] = place.resource.kind
    return copy


def resource_id(kind: str, namespace: str | None, name: str) -> str:
    """Return an object as kuttl names it: `Deployment:ns/name`."""
    return f"{kind}:{namespace or ''}/{name}"


def id_of(manifest: Mapping[str, Any]) -> str:
    """Return an object as kuttl names it."""
    metadata = manifest.get("metadata") or {}
    return resource_id(str(manifest.get("kind")), metadata.get("namespace"), str(metadata.get("name") or ""))


def missing_text(resource: Resource, name: str) -> str:
    """Return the server's sentence for an object that is not there: `deployments.apps "x" not found`."""
    return f'{resource.plural}{"." if resource.group else ""}{resource.group} "{name}" not found'
