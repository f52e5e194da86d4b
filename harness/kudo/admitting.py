"""A cluster whose Instances go through admission when tasks write them, as they would with a webhook.

Private to the engine, for Instances that are parts of others. A refusal is an error of the API with the webhook's
words, and the answer to a write already names the plan that it started: so a task waits for the child's plan and not
only for its object.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, Literal

from harness.kit.documents import Manifest
from harness.kube import Forbidden
from harness.kube.objects import namespace_of, version_of
from harness.kudo.admission import DENIED_PREFIX, Denied, admit_create, admit_update, mark_admitted
from harness.kudo.client import Cluster, Scoped, Source
from harness.kudo.merge import json_patch, patched
from harness.kudo.model import API_VERSION, OperatorVersion, parse_operator_version
from harness.kudo.scheduling import reference_of

__all__ = ["AdmittingCluster"]

_INSTANCE = (API_VERSION, "Instance")


class AdmittingCluster:
    """A cluster as tasks see it; everything but the writing of Instances is handed on as it is."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def resource(self, api_version: str, kind: str, /) -> Scoped:
        """Return what the server knows of a kind."""
        return self._cluster.resource(api_version, kind)

    def get(self, api_version: str, kind: str, name: str, namespace: str | None = None, /) -> Manifest:
        """Return an object."""
        return self._cluster.get(api_version, kind, name, namespace)

    def find(self, api_version: str, kind: str, name: str, namespace: str | None = None, /) -> Manifest | None:
        """Return an object, or None."""
        return self._cluster.find(api_version, kind, name, namespace)

    def create(self, manifest: Manifest, /) -> Manifest:
        """Create an object; an Instance through admission.

        Raises:
            Forbidden: admission refuses.
        """
        if (manifest.get("apiVersion"), manifest.get("kind")) != _INSTANCE:
            return self._cluster.create(manifest)
        version = self._version(manifest)
        return self._cluster.create(_admitted(lambda: admit_create(manifest, version)))

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
        """Send a JSON merge patch; for an Instance, with what admission adds to it.

        Raises:
            Forbidden: admission refuses.
            Conflict: the Instance changed meanwhile.
        """
        if (api_version, kind) != _INSTANCE or subresource is not None:
            return self._cluster.patch(api_version, kind, name, body, namespace, subresource=subresource)
        old = self._cluster.get(api_version, kind, name, namespace)
        new = patched(old, body)
        versions = self._version(old), self._version(new)
        whole = json_patch(old, _admitted(lambda: admit_update(old, new, *versions)))
        whole["metadata"] = {**(whole.get("metadata") or {}), "resourceVersion": version_of(old)}
        return self._cluster.patch(api_version, kind, name, whole, namespace)

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
        """Delete an object."""
        return self._cluster.delete(api_version, kind, name, namespace, propagation=propagation)

    def watch(self, api_version: str, kind: str, namespace: str | None = None, /, *, labels: str = "") -> Source:
        """Follow the objects of a kind."""
        return self._cluster.watch(api_version, kind, namespace, labels=labels)

    def _version(self, instance: Manifest) -> OperatorVersion:
        namespace, name = reference_of(instance.get("spec") or {}, namespace_of(instance) or "")
        return parse_operator_version(self._cluster.get(API_VERSION, "OperatorVersion", name, namespace))


def _admitted(admit: Callable[[], Manifest]) -> Manifest:
    try:
        return mark_admitted(copy.deepcopy(admit()))
    except Denied as denied:
        message = f"{DENIED_PREFIX}{denied.message}"
        raise Forbidden("admission of an Instance", status=403, reason="Forbidden", message=message) from None
