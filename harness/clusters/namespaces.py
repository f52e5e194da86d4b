"""Namespaces for tests: labelled with the run, removed without waiting, checked at the end.

Imported by the fixtures. A namespace that hangs is named with what holds it; the test that used it has long passed.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Collection
from typing import Any, Protocol

from harness.clusters.config import run_labels
from harness.clusters.leftovers import namespace_gone, owner_annotations
from harness.kit.documents import Manifest
from harness.kit.errors import DeadlineError, HarnessError
from harness.kit.waiting import Deadline, Pending

__all__ = ["NamespaceClient", "Namespaces"]

_LONGEST = 63 - 5  # a DNS label, less the random end
_READY = 30.0  # seconds until the controllers have made what every pod needs
_MANAGER = "app.kubernetes.io/managed-by"


class NamespaceClient(Protocol):
    """What is needed of harness.kube.Kube."""

    def create(self, manifest: Manifest, namespace: str | None = None) -> Manifest:
        """Create an object."""
        ...

    def delete(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Any:
        """Delete an object; it may be missing."""
        ...

    def find(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Manifest | None:
        """Return an object or None."""
        ...

    def until(
        self,
        api_version: str,
        kind: str,
        name: str,
        namespace: str | None,
        condition: Callable[[Manifest | None], Any],
        *,
        timeout: float | Deadline,
        wanted: str,
    ) -> Any:
        """Wait for a condition of one object, decided on watch events."""
        ...


class Namespaces:
    """The namespaces of one run in one cluster.

    Args:
        kube: a client.
        run: id of the run; the label that lets `harness clean` find what a killed run left.
    """

    def __init__(self, kube: NamespaceClient, *, run: str) -> None:
        self._kube = kube
        self._run = run
        self._made: list[str] = []
        self._removed: list[str] = []
        self._controlled: bool | None = None

    def make(self, prefix: str) -> str:
        """Make a namespace and return its name: the prefix, cleaned, and four random digits.

        Raises:
            DeadlineError: the controllers did not make its service account, without which no pod can be created.
        """
        name = f"{_label(prefix)}-{secrets.token_hex(2)}"
        labels = {**run_labels(self._run), _MANAGER: "operator-harness"}
        metadata = {"name": name, "labels": labels, "annotations": owner_annotations()}
        self._made.append(name)  # before the request: an interrupt must not lose it
        self._kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        if self._has_controllers():
            wanted = f"service account default in namespace {name}"
            self._kube.until("v1", "ServiceAccount", "default", name, _there, timeout=_READY, wanted=wanted)
        return name

    def remove(self, name: str) -> None:
        """Ask for a namespace to go, without waiting."""
        self._kube.delete("v1", "Namespace", name)
        self._made.remove(name)
        self._removed.append(name)

    def close(self, *, keep: Collection[str] = (), timeout: float) -> list[str]:
        """Remove all that are left but those to keep, and check that all removed ones are gone.

        Args:
            keep: names that stay.
            timeout: seconds for all of them; 0 asks without checking.

        Returns:
            A line for each namespace that stays on purpose, with the command that removes it.

        Raises:
            DeadlineError: one does not go; with what holds it.
        """
        for name in [name for name in self._made if name not in keep]:
            self.remove(name)
        if timeout > 0 and self._has_controllers():
            deadline = Deadline.after(timeout)
            for name in self._removed:
                self._until_gone(name, deadline)
        return [f"namespace {name}; remove it with: kubectl delete namespace {name}" for name in self._made]

    def _until_gone(self, name: str, deadline: Deadline) -> None:
        try:
            self._kube.until(
                "v1", "Namespace", name, None, namespace_gone, timeout=deadline, wanted=f"namespace {name} gone"
            )
        except DeadlineError as error:
            raise HarnessError(
                error.wanted, seen=error.seen, where=f"Namespace {name}", run=f"kubectl get namespace {name} -o yaml"
            ) from None

    def _has_controllers(self) -> bool:
        """Tell whether controllers run: an API server alone makes no service accounts and ends no namespace."""
        if self._controlled is None:
            self._controlled = self._kube.find("v1", "ServiceAccount", "default", "default") is not None
        return self._controlled


def _there(found: Manifest | None) -> bool | Pending:
    return True if found is not None else Pending("not made yet")


def _label(text: str) -> str:
    """Return a text as the start of a DNS label."""
    cleaned = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return (cleaned if cleaned[:1].isalpha() else f"t-{cleaned}")[:_LONGEST].strip("-")
