"""Namespaces of cases: created with the run's label, or found; only those that were created are removed.

Imported by case and run.
"""

from __future__ import annotations

from harness.clusters.config import run_labels
from harness.clusters.leftovers import owner_annotations
from harness.kit.errors import HarnessError
from harness.kube import AlreadyExists, ApiError, Forbidden, Kube
from harness.suite.log import Log

__all__ = ["NamespaceError", "create_namespace"]


class NamespaceError(HarnessError):
    """A namespace that could not be made; `text` is kuttl's sentence."""

    def __init__(self, name: str, error: HarnessError) -> None:
        cause = error.message if isinstance(error, ApiError) else error.seen
        self.text = f'failed to create test namespace "{name}": cannot create namespace "{name}": {cause}'
        super().__init__(f"the namespace {name}", seen=cause, where=error.where, run=error.run)


def create_namespace(kube: Kube, name: str, *, run: str, log: Log) -> bool:
    """Create a namespace; tell whether it is ours to remove.

    Args:
        kube: a client of the cluster.
        name: the namespace.
        run: id of the run, its label.
        log: of the case.

    Raises:
        NamespaceError: it is not there and cannot be made.
    """
    log(f'Creating namespace "{name}"')
    metadata = {"name": name, "labels": run_labels(run), "annotations": owner_annotations()}
    try:
        kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    except AlreadyExists:
        log(f'Namespace "{name}" already exists')
        return False
    except Forbidden as error:
        return _forbidden(kube, name, error, log)
    except HarnessError as error:
        raise NamespaceError(name, error) from None
    return True


def _forbidden(kube: Kube, name: str, error: Forbidden, log: Log) -> bool:
    try:
        found = kube.find("v1", "Namespace", name)
    except HarnessError as other:  # quirk Q42: it is not ours, so it will not be deleted either
        log(f'namespace "{name}" can neither be created nor looked up: {other.seen}')
        return False
    if found is None:
        raise NamespaceError(name, error)
    log(f'Namespace "{name}" already exists')
    return False
