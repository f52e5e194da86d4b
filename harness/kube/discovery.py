"""Which kinds a server serves: aggregated discovery, one request per root (/api, /apis), kept until a kind is missed.

Only harness.kube imports it; `Resource` is public through harness.kube.
Format: https://kubernetes.io/docs/concepts/overview/kubernetes-api/#aggregated-discovery (apidiscovery.k8s.io/v2).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from harness.kit.errors import HarnessError, did_you_mean
from harness.kube.errors import UnknownKind
from harness.kube.objects import split_api_version
from harness.kube.transport import Request

__all__ = ["Discovery", "Resource", "parse_discovery"]

_ACCEPT = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
Kinds = dict[tuple[str, str], "Resource"]  # (apiVersion, kind) -> resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One served kind: where its objects live."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    verbs: frozenset[str] = frozenset()
    short_names: tuple[str, ...] = ()
    subresources: frozenset[str] = frozenset()

    @property
    def api_version(self) -> str:
        """Group and version as objects carry them."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """Return the URL path of the collection, an object or its subresource.

        Args:
            namespace: ignored for cluster-wide kinds; None is all namespaces.
            name: the object; None is the collection.
            subresource: "status", "scale", ...
        """
        parts = ["apis", self.group, self.version] if self.group else ["api", self.version]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/" + "/".join(parts)


class _Asks(Protocol):
    def json(self, request: Request) -> Any: ...


class Discovery:
    """The kinds of one server; thread-safe."""

    def __init__(self, session: _Asks) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._roots: dict[str, Kinds] = {}

    def resource(self, api_version: str, kind: str) -> Resource:
        """Return how a kind is served; a miss asks the server once more.

        Raises:
            UnknownKind: not served, with the nearest kinds that are.
        """
        with self._lock:
            root = _root_of(api_version)
            known = self._roots.get(root, {}).get((api_version, kind))
            if known is None:
                known = self._load(root).get((api_version, kind))
        if known is None:
            raise self._unknown(api_version, kind)
        return known

    def resources(self) -> list[Resource]:
        """Return all kinds that the server serves now."""
        with self._lock:
            return [*self._load("/api").values(), *self._load("/apis").values()]

    def forget(self, resource: Resource) -> None:
        """Drop a kind that the server no longer knows, so that the next use asks again."""
        with self._lock:
            self._roots.get(_root_of(resource.api_version), {}).pop((resource.api_version, resource.kind), None)

    def _load(self, root: str) -> Kinds:
        wanted = f"the kinds that the server serves ({root})"
        answer = self._session.json(Request(method="GET", path=root, accept=_ACCEPT, wanted=wanted))
        if answer.get("kind") != "APIGroupDiscoveryList":
            raise HarnessError(wanted, seen=f"{answer.get('kind')}: a server older than Kubernetes 1.30", where=root)
        self._roots[root] = {(one.api_version, one.kind): one for one in parse_discovery(answer)}
        return self._roots[root]

    def _unknown(self, api_version: str, kind: str) -> UnknownKind:
        known = [key for kinds in list(self._roots.values()) for key in kinds]
        elsewhere = sorted(f"{version}/{other}" for version, other in known if other == kind)
        beside = sorted(other for version, other in known if version == api_version)
        if elsewhere:
            seen, exists = f"{kind} is served in another version", elsewhere
        elif beside:
            seen, exists = f"no such kind there; {did_you_mean(kind, beside)}".rstrip("; "), beside
        else:
            versions = sorted({version for version, _ in known})
            seen, exists = f"no such apiVersion; {did_you_mean(api_version, versions)}".rstrip("; "), versions
        return UnknownKind(
            f"the kind {api_version}/{kind}", seen=seen, exists=exists, run="kubectl api-resources; kubectl get crds"
        )


def parse_discovery(answer: Mapping[str, Any]) -> Iterator[Resource]:
    """Yield the resources of an APIGroupDiscoveryList; of a kind served under two plurals the first one counts."""
    seen: set[tuple[str, str]] = set()
    for group in answer.get("items") or []:
        name = str((group.get("metadata") or {}).get("name") or "")
        for version in group.get("versions") or []:
            for entry in version.get("resources") or []:
                resource = _resource(name, str(version.get("version")), entry)
                if resource is not None and (resource.api_version, resource.kind) not in seen:
                    seen.add((resource.api_version, resource.kind))
                    yield resource


def _resource(group: str, version: str, entry: Mapping[str, Any]) -> Resource | None:
    kind = (entry.get("responseKind") or {}).get("kind")
    if not kind or not entry.get("resource"):
        return None
    return Resource(
        group=group,
        version=version,
        kind=str(kind),
        plural=str(entry["resource"]),
        namespaced=entry.get("scope") == "Namespaced",
        verbs=frozenset(entry.get("verbs") or []),
        short_names=tuple(entry.get("shortNames") or ()),
        subresources=frozenset(str(sub.get("subresource")) for sub in entry.get("subresources") or []),
    )


def _root_of(api_version: str) -> str:
    return "/apis" if split_api_version(api_version)[0] else "/api"
