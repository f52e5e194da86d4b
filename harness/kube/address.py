"""Where an object lives: its kind's resource, its namespace and its name, from arguments or from a manifest.

Only harness.kube imports it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.kit.errors import UsageError
from harness.kube.discovery import Resource
from harness.kube.objects import Manifest, Ref, name_of, namespace_of

__all__ = ["Address", "locate", "place"]

Lookup = Callable[[str, str], Resource]
# What is posted to these parts of an object is of another kind than the object.
_PARENTS = {"eviction": ("v1", "Pod"), "token": ("v1", "ServiceAccount"), "binding": ("v1", "Pod")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """An object's place on the server."""

    resource: Resource
    ref: Ref

    @property
    def collection(self) -> str:
        """The path that new objects are posted to."""
        return self.resource.path(self.ref.namespace)

    def path(self, subresource: str | None = None) -> str:
        """Return the path of the object, or of a part of it.

        Raises:
            UsageError: the object has no name; the path would be the whole collection's.
        """
        if not self.ref.name or self.ref.name.endswith("*"):
            raise UsageError(f"the name of a {self.ref.kind}", seen=self.ref.name or "an empty text")
        return self.resource.path(self.ref.namespace, self.ref.name, subresource)


def locate(
    lookup: Lookup, api_version: str, kind: str, name: str, *, namespace: str | None, default_namespace: str
) -> Address:
    """Return the address of an object that is named by arguments.

    Raises:
        UnknownKind: the kind is not served.
    """
    resource = lookup(api_version, kind)
    home = (namespace or default_namespace) if resource.namespaced else None
    return Address(resource=resource, ref=Ref(api_version, kind, name, home))


def place(
    lookup: Lookup, manifest: Manifest, *, namespace: str | None, default_namespace: str, subresource: str | None = None
) -> tuple[Address, Manifest]:
    """Return where a manifest goes, and a copy of it that says so.

    Args:
        lookup: finds how a kind is served.
        manifest: the object; its own namespace comes first.
        namespace: the second choice.
        default_namespace: the last one.
        subresource: the part that it is posted to.

    Raises:
        UsageError: it has no apiVersion or kind, or its namespace is another one than the argument.
        UnknownKind: the kind is not served.
    """
    api_version, kind = str(manifest.get("apiVersion") or ""), str(manifest.get("kind") or "")
    if not api_version or not kind:
        keys = ", ".join(map(str, manifest)) or "none"
        raise UsageError("an object with apiVersion and kind", seen=f"the keys {keys}")
    resource = lookup(*_PARENTS.get(subresource or "", (api_version, kind)))
    own = namespace_of(manifest)
    if own and namespace and own != namespace:
        raise UsageError(f"{kind} {name_of(manifest)} in namespace {namespace}", seen=f"its metadata says {own}")
    home = (own or namespace or default_namespace) if resource.namespaced else None
    metadata = {**(manifest.get("metadata") or {}), **({"namespace": home} if home else {})}
    ref = Ref(api_version, kind, name_of(manifest), home)
    return Address(resource=resource, ref=ref), {**manifest, "metadata": metadata}
