"""Namespaces that killed runs left in a cluster: found by their label, removed when nobody uses them any more.

Whose run still lives is told by an annotation with host and process. Imported by the command line; the fixtures take
the annotation from here.
"""

from __future__ import annotations

import os
import socket
import sys
from typing import Any, Protocol

from harness.clusters.config import RUN_LABEL
from harness.kit.documents import Manifest
from harness.kit.process import alive
from harness.kit.waiting import Deadline, Pending

__all__ = ["OWNER_ANNOTATION", "namespace_gone", "owner_annotations", "remove_leftovers"]

OWNER_ANNOTATION = "harness.dev/owner"
_GONE = 120.0  # seconds for all namespaces to go away


class _KubeLike(Protocol):
    def list(
        self, api_version: str, kind: str, namespace: str | None = None, *, labels: str = ""
    ) -> list[Manifest]: ...

    def delete(self, api_version: str, kind: str, name: str) -> Any: ...

    def until(
        self,
        api_version: str,
        kind: str,
        name: str,
        namespace: str | None,
        condition: Any,
        *,
        timeout: float | Deadline,
        wanted: str,
    ) -> Any: ...


def owner_annotations() -> dict[str, str]:
    """Return the annotation that every namespace of a run carries: the host and the process that use it."""
    return {OWNER_ANNOTATION: f"{socket.gethostname()}/{os.getpid()}"}


def remove_leftovers(kube: _KubeLike, *, run: str | None = None, dry_run: bool = False) -> int:
    """Remove the namespaces that carry a run's label and that no living run uses; print each with its fate.

    Args:
        kube: a client for the cluster.
        run: only this run's, whether or not it still lives; all when None.
        dry_run: only say what would be removed.

    Returns:
        The exit code, 0.

    Raises:
        DeadlineError: a namespace did not go away; with what holds it.
    """
    found = kube.list("v1", "Namespace", labels=f"{RUN_LABEL}={run}" if run else RUN_LABEL)
    removed = []
    for namespace in sorted(found, key=lambda entry: str(entry["metadata"]["name"])):
        name, used = namespace["metadata"]["name"], "" if run else _in_use(namespace)
        _print(f"namespace {name}: {used or ('would be removed' if dry_run else 'removed')}")
        if not used and not dry_run:
            kube.delete("v1", "Namespace", name)
            removed.append(name)
    deadline = Deadline.after(_GONE)
    for name in removed:
        kube.until("v1", "Namespace", name, None, namespace_gone, timeout=deadline, wanted=f"namespace {name} gone")
    if not found:
        _print("no namespace carries the label " + (f"{RUN_LABEL}={run}" if run else RUN_LABEL))
    return 0


def _print(text: str) -> None:
    """Write a line of a command's output."""
    sys.stdout.write(f"{text}\n")


def _in_use(namespace: Manifest) -> str:
    """Return why a namespace stays; empty for one whose run has ended on this host."""
    metadata = namespace["metadata"]
    run = metadata["labels"][RUN_LABEL]
    host, _, pid = str((metadata.get("annotations") or {}).get(OWNER_ANNOTATION, "")).rpartition("/")
    if not pid.isdigit():
        return f"left as it is, its owner is not known (harness clean --run {run} removes it)"
    if host != socket.gethostname():
        return f"left as it is, made on {host} (harness clean --run {run} removes it)"
    return f"in use by process {pid}" if alive(int(pid)) else ""


def namespace_gone(namespace: Manifest | None) -> bool | Pending:
    """Return True for a namespace that is gone, else what holds it."""
    if namespace is None:
        return True
    status = namespace.get("status") or {}
    held = [str(entry.get("message", "")) for entry in status.get("conditions") or [] if entry.get("status") == "True"]
    return Pending("; ".join([f"phase {status.get('phase', 'unknown')}", *filter(None, held)]))
