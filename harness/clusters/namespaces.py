"""Namespaces for tests: labelled with the run, removed without waiting, checked at the end.

Imported by the fixtures. A namespace that hangs is named with what holds it; the test that used it has long passed.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection
from typing import Any, Protocol

from harness.clusters.config import RUN_LABEL, run_labels
from harness.kit.documents import Manifest
from harness.kit.errors import DeadlineError, HarnessError
from harness.kit.waiting import Deadline, Pending, until

__all__ = ["NamespaceClient", "Namespaces", "leftovers"]

_LONGEST = 63 - 5  # a DNS label, less the random end
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

    def list(
        self, api_version: str, kind: str, namespace: str | None = None, *, labels: str = "", fields: str = ""
    ) -> list[Manifest]:
        """Return objects."""
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

    def make(self, prefix: str) -> str:
        """Make a namespace and return its name: the prefix, cleaned, and four random digits."""
        name = f"{_label(prefix)}-{secrets.token_hex(2)}"
        labels = {**run_labels(self._run), _MANAGER: "operator-harness"}
        self._kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
        self._made.append(name)
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
        if timeout > 0:
            deadline = Deadline.after(timeout)
            for name in self._removed:
                self._until_gone(name, deadline)
        return [f"namespace {name}; remove it with: kubectl delete namespace {name}" for name in self._made]

    def _until_gone(self, name: str, deadline: Deadline) -> None:
        def gone() -> bool | Pending:
            namespace = self._kube.find("v1", "Namespace", name)
            return True if namespace is None else Pending(_holders(namespace))

        try:
            until(gone, timeout=deadline, wanted=f"namespace {name} gone")
        except DeadlineError as error:
            raise HarnessError(
                error.wanted, seen=error.seen, where=f"Namespace {name}", run=f"kubectl get namespace {name} -o yaml"
            ) from None


def leftovers(kube: NamespaceClient, *, run: str | None = None) -> list[Manifest]:
    """Return the namespaces that runs have left: of one run, or of all."""
    return kube.list("v1", "Namespace", labels=f"{RUN_LABEL}={run}" if run else RUN_LABEL)


def _label(text: str) -> str:
    """Return a text as the start of a DNS label."""
    cleaned = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return (cleaned if cleaned[:1].isalpha() else f"t-{cleaned}")[:_LONGEST].strip("-")


def _holders(namespace: Manifest) -> str:
    """Return why a namespace is still there, in the namespace controller's own words."""
    conditions = namespace.get("status", {}).get("conditions", [])
    reasons = [c.get("message", c.get("reason", "")) for c in conditions if c.get("status") == "True"]
    phase = namespace.get("status", {}).get("phase", "unknown")
    return f"phase {phase}" + (f": {'; '.join(reasons)}" if reasons else "")
