"""What the engine needs of a cluster: the part of harness.kube.Kube that it calls, as protocols.

Imported by the engine's modules; tests hand in a cluster that lives in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

from harness.kit.documents import Manifest
from harness.kube import Event

__all__ = ["Cluster", "Scoped", "Source"]


class Scoped(Protocol):
    """A kind that the server serves."""

    @property
    def namespaced(self) -> bool:
        """Whether its objects live in namespaces."""


class Source(Protocol):
    """A running list and watch of one kind."""

    @property
    def failed(self) -> BaseException | None:
        """The error that ended it, if one did."""

    def subscribe(self, subscriber: Callable[[Event], None], /) -> Callable[[], None]:
        """Call a function for every event, first for what is there."""

    def wait_synced(self, timeout: float, /) -> object:
        """Wait until the first list is in."""

    def stop(self) -> None:
        """End promptly."""


class Cluster(Protocol):
    """The requests that the engine makes; errors are those of harness.kube."""

    def resource(self, api_version: str, kind: str, /) -> Scoped:
        """Return what the server knows of a kind, or raise UnknownKind."""

    def get(self, api_version: str, kind: str, name: str, namespace: str | None = None, /) -> Manifest:
        """Return an object, or raise NotFound."""

    def find(self, api_version: str, kind: str, name: str, namespace: str | None = None, /) -> Manifest | None:
        """Return an object, or None."""

    def create(self, manifest: Manifest, /) -> Manifest:
        """Create an object."""

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
        """Send a JSON merge patch."""

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
        """Delete an object; one that is gone already is no error."""

    def watch(self, api_version: str, kind: str, namespace: str | None = None, /, *, labels: str = "") -> Source:
        """Follow the objects of a kind."""
