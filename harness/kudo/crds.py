"""The CustomResourceDefinitions of Operator, OperatorVersion and Instance: what they are, and installing them.

Used by fixtures, the command line and the engine's foreground run. The definitions stand in crds.yaml.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib import resources

from harness.kit.documents import Manifest, parse_documents
from harness.kit.waiting import Deadline, Pending, until
from harness.kube import AlreadyExists, UnknownKind
from harness.kube.objects import condition_of, name_of
from harness.kudo.client import Cluster
from harness.kudo.model import API_VERSION, CRD_NAMES

__all__ = ["CRD_NAMES", "crds", "install_crds"]

_CRD = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")


@functools.cache
def _text() -> str:
    return (resources.files("harness.kudo") / "crds.yaml").read_text(encoding="utf-8")


def crds() -> list[Manifest]:
    """Return the three definitions."""
    return [document.value for document in parse_documents(_text(), "crds.yaml")]


def install_crds(kube: Cluster, *, timeout: float = 30.0) -> None:
    """Create the definitions where they are missing, and wait until the API server serves them.

    Definitions that are there already, the original's too, are left as they are.

    Args:
        kube: the API server.
        timeout: seconds until they must be served.

    Raises:
        DeadlineError: they were not served in time.
        ApiError: the API server refuses.
    """
    deadline = Deadline.after(timeout)
    for manifest in crds():
        if kube.find(*_CRD, name_of(manifest)) is None:
            try:
                kube.create(manifest)
            except AlreadyExists:
                continue  # somebody else was faster
    for manifest in crds():
        name = name_of(manifest)
        _until(functools.partial(_established, kube, name), deadline, f"CRD {name} established")
        kind = manifest["spec"]["names"]["kind"]
        _until(functools.partial(_served, kube, kind), deadline, f"{API_VERSION} {kind} served")


def _until(probe: Callable[[], bool | Pending], deadline: Deadline, wanted: str) -> None:
    until(probe, timeout=deadline, wanted=wanted, interval=0.02, longest=0.2)


def _established(kube: Cluster, name: str) -> bool | Pending:
    condition = condition_of(kube.get(*_CRD, name), "Established") or {}
    return condition.get("status") == "True" or Pending(condition.get("message") or "no Established condition")


def _served(kube: Cluster, kind: str) -> bool | Pending:
    try:
        kube.resource(API_VERSION, kind)
    except UnknownKind as error:
        return Pending(error.seen)
    return True
