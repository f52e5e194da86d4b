"""What the operations need of a cluster, as a protocol, and how they read and await KUDO's objects.

harness.kube.Kube fulfils the protocol; tests hand in a cluster that lives in memory. Imported by operations, inspection
and the command line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol, TypeVar

from harness.kit.documents import Manifest
from harness.kit.errors import CheckError
from harness.kit.waiting import Deadline, Pending
from harness.kudo.errors import KudoError
from harness.kudo.model import API_VERSION, CRD_NAMES, OperatorVersion, parse_operator_version
from harness.kudo.plan import find_entry

__all__ = ["Api", "check_crds", "get_instance", "get_version", "unfinished", "wait_for_plan"]

T = TypeVar("T")


class Api(Protocol):
    """The requests that operations make; errors are those of harness.kube."""

    def server_version(self) -> str:
        """Return the server's version, v1.36.3."""

    def find(self, api_version: str, kind: str, name: str, namespace: str | None = None, /) -> Manifest | None:
        """Return an object, or None."""

    def list(self, api_version: str, kind: str, namespace: str | None = None, /) -> list[Manifest]:
        """Return all objects of a kind."""

    def create(self, manifest: Manifest, /) -> Manifest:
        """Create an object."""

    def replace(self, manifest: Manifest, /) -> Manifest:
        """Replace an object, unless it has changed since it was read."""

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

    def until(
        self,
        api_version: str,
        kind: str,
        name: str,
        namespace: str | None,
        condition: Callable[[Manifest | None], T | Pending],
        /,
        *,
        timeout: float | Deadline,
        wanted: str,
    ) -> T:
        """Wait on an object's changes."""


def check_crds(kube: Api) -> None:
    """Refuse a cluster that does not serve the definitions of KUDO's kinds.

    Raises:
        KudoError: one is missing, not established, or does not serve v1beta1.
    """
    for name in CRD_NAMES:
        problem = _crd_problem(kube.find("apiextensions.k8s.io/v1", "CustomResourceDefinition", name))
        if problem:
            raise KudoError(f"CRDs invalid: CRD {name} {problem}", run="kubectl kudo init --crd-only")


def _crd_problem(crd: Manifest | None) -> str:
    if crd is None:
        return "is not installed"
    conditions = {each["type"]: each["status"] for each in (crd.get("status") or {}).get("conditions") or ()}
    if conditions.get("Established") != "True":
        return "is not established"
    served = [each["name"] for each in crd["spec"]["versions"] if each.get("served")]
    return "" if "v1beta1" in served else f"serves {', '.join(served) or 'nothing'} and not v1beta1"


def get_instance(kube: Api, namespace: str, name: str, *, message: str = "") -> Manifest:
    """Return an Instance.

    Args:
        kube: the cluster.
        namespace: where it is.
        name: its name.
        message: the error's text, instead of `instance <ns>/<name> does not exist in the cluster`.

    Raises:
        KudoError: there is none; with the ones that exist.
    """
    found = kube.find(API_VERSION, "Instance", name, namespace)
    if found is None:
        exists = sorted(each["metadata"]["name"] for each in kube.list(API_VERSION, "Instance", namespace))
        raise KudoError(message or f"instance {namespace}/{name} does not exist in the cluster", exists=exists)
    return found


def get_version(kube: Api, namespace: str, instance: Manifest) -> OperatorVersion:
    """Return the OperatorVersion that an Instance refers to.

    Raises:
        KudoError: there is none.
    """
    reference = (instance.get("spec") or {}).get("operatorVersion") or {}
    name, place = reference.get("name", ""), reference.get("namespace") or namespace
    found = kube.find(API_VERSION, "OperatorVersion", name, place)
    if found is None:
        raise KudoError(f"operatorversion {place}/{name} does not exist in the cluster")
    return parse_operator_version(found)


def wait_for_plan(kube: Api, instance: Manifest, *, timeout: float | Deadline) -> Manifest:
    """Wait for the plan that a write to an Instance scheduled, and return the Instance with the plan COMPLETE.

    Args:
        kube: the cluster.
        instance: the Instance as the write returned it; without a scheduled plan nothing is waited for.
        timeout: seconds, or a deadline.

    Raises:
        KudoError: the plan ended in FATAL_ERROR (the original waits on); DeadlineError: it did not end in time.
    """
    execution = (instance.get("spec") or {}).get("planExecution") or {}
    uid, plan = execution.get("uid", ""), execution.get("planName", "")
    if not plan:
        return instance
    metadata = instance["metadata"]

    def ended(found: Manifest | None) -> Manifest | Pending:
        if found is None:
            raise CheckError(
                "the instance to stay while it is waited for", seen="it was deleted", where=metadata["name"]
            )
        entry = find_entry((found.get("status") or {}).get("planStatus") or {}, plan) or {}
        if entry.get("uid") != uid:
            _check_not_replaced(found, plan, uid)
            return Pending(f"plan {plan} has not started")
        if entry.get("status") == "COMPLETE":
            return found
        if entry.get("status") == "FATAL_ERROR":
            raise KudoError(f"plan {plan} ended in FATAL_ERROR: {unfinished(entry)}")
        return Pending(f"plan {plan} is {entry.get('status')}: {unfinished(entry)}")

    wanted = f"plan {plan} COMPLETE"
    return kube.until(
        API_VERSION, "Instance", metadata["name"], metadata["namespace"], ended, timeout=timeout, wanted=wanted
    )


def _check_not_replaced(instance: Manifest, plan: str, uid: str) -> None:
    """Refuse to wait for an execution that nobody will make any more."""
    scheduled = (instance.get("spec") or {}).get("planExecution") or {}
    if scheduled.get("uid") not in (None, "", uid):
        raise CheckError(
            f"the execution of plan {plan} that was scheduled",
            seen=f"plan {scheduled.get('planName')} was scheduled in its place",
            where=f"instance {instance['metadata']['namespace']}/{instance['metadata']['name']}",
        )


def unfinished(entry: Mapping[str, Any]) -> str:
    """Return the first step that is not complete, with its message."""
    for phase in entry.get("phases") or ():
        for step in phase.get("steps") or ():
            if step.get("status") != "COMPLETE":
                message = step.get("message") or phase.get("message") or ""
                return f"phase {phase['name']}, step {step['name']} is {step.get('status')} {message}".strip()
    return str(entry.get("message", "")) or "no step is open"
