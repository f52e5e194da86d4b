"""plan status, plan history and get: what a cluster says about instances, as the original prints it.

Imported by the command line and by failure reports.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from harness.kit.documents import Manifest
from harness.kit.waiting import Pending
from harness.kudo.api import Api, get_instance, unfinished
from harness.kudo.errors import KudoError
from harness.kudo.model import API_VERSION, OperatorVersion, parse_operator_version
from harness.kudo.plan import last_executed
from harness.kudo.printers import Branch, formatted, formatted_list, history_tree, object_tree, status_tree, tree

__all__ = ["GETTABLE", "check_gettable", "get", "plan_history", "plan_status", "watch_plan"]

GETTABLE = ("instances", "operators", "operatorversions", "all")
_KINDS = {"operators": "Operator", "operatorversions": "OperatorVersion", "instances": "Instance"}


def plan_status(kube: Api, *, namespace: str, instance: str, output: str = "") -> str:
    """Return the tree of an instance's plans.

    Args:
        kube: the cluster.
        namespace: where the instance is; its OperatorVersion is looked up there too.
        instance: its name.
        output: `yaml` or `json` for the instance's status instead.

    Raises:
        KudoError: no such instance or OperatorVersion.
    """
    found = get_instance(kube, namespace, instance, message=f"instance {namespace}/{instance} does not exist")
    if output:
        return formatted(found.get("status") or {}, output)
    return _status(found, _version(kube, namespace, found))


def _version(kube: Api, namespace: str, instance: Manifest) -> OperatorVersion:
    name = instance["spec"]["operatorVersion"]["name"]
    found = kube.find(API_VERSION, "OperatorVersion", name, namespace)
    if found is None:
        path = f"{namespace}/{instance['metadata']['name']}"
        raise KudoError(f"OperatorVersion {name} from instance {path} does not exist")
    return parse_operator_version(found)


def _status(instance: Manifest, version: OperatorVersion) -> str:
    name, namespace = instance["metadata"]["name"], instance["metadata"]["namespace"]
    last = last_executed((instance.get("status") or {}).get("planStatus") or {})
    if last is None:
        return f"No plan ever run for instance - nothing to show for instance {name}\n"
    head = f'Plan(s) for "{name}" in namespace "{namespace}":\n'
    return head + status_tree(name, version.name, version.plans, last, _local(last.get("lastUpdatedTimestamp") or ""))


def _local(moment: str) -> str:
    """Return a UTC timestamp in local time, as the tree shows it; anything else unchanged."""
    try:
        parsed = datetime.strptime(moment, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return moment
    return parsed.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def watch_plan(kube: Api, *, namespace: str, instance: str, timeout: float, show: Callable[[str], None]) -> None:
    """Show an instance's plans at each change until the last executed one is COMPLETE.

    Raises:
        KudoError: it ended in FATAL_ERROR, or the instance is gone; DeadlineError: the time is over.
    """
    version = _version(kube, namespace, get_instance(kube, namespace, instance))
    shown = ""

    def complete(found: Manifest | None) -> bool | Pending:
        nonlocal shown
        if found is None:
            raise KudoError(f"instance {namespace}/{instance} does not exist")
        text = _status(found, version)
        if text != shown:
            shown = text
            show(text)
        last = last_executed((found.get("status") or {}).get("planStatus") or {}) or {}
        if last.get("status") == "FATAL_ERROR":
            raise KudoError(f"plan {last.get('name')} ended in FATAL_ERROR: {unfinished(last)}")
        return True if last.get("status") == "COMPLETE" else Pending(f"plan {last.get('name')} is {last.get('status')}")

    wanted = f"the last executed plan of {namespace}/{instance} COMPLETE"
    kube.until(API_VERSION, "Instance", instance, namespace, complete, timeout=timeout, wanted=wanted)


def plan_history(kube: Api, *, namespace: str, instance: str) -> str:
    """Return the tree of when an instance's plans ran last.

    Raises:
        KudoError: no such instance.
    """
    found = get_instance(
        kube, namespace, instance, message=f"client Error: instance {namespace}/{instance} does not exist"
    )
    return tree(history_tree((found.get("status") or {}).get("planStatus") or {}))


def check_gettable(what: str) -> None:
    """Refuse a word that is none of GETTABLE.

    Raises:
        KudoError: it is none.
    """
    if what not in GETTABLE:
        raise KudoError(
            f'expecting one of "instances, operators, operatorversions or all" and not "{what}"', usage=True
        )


def get(kube: Api, what: str, *, namespace: str, output: str = "") -> str:
    """Return a tree of installed objects.

    Args:
        kube: the cluster.
        what: one of GETTABLE.
        namespace: where to look.
        output: `yaml` or `json` for the objects themselves.

    Raises:
        KudoError: `what` is something else.
    """
    check_gettable(what)
    wanted = _KINDS if what == "all" else (what,)
    found = {name: _named(kube.list(API_VERSION, _KINDS[name], namespace)) for name in wanted}
    if output:
        return formatted_list([each for objects in found.values() for each in objects], output)
    if what == "all":
        title = f'List of current installed operators including versions and instances in namespace "{namespace}":\n'
        return title + tree(object_tree(found["operators"], found["operatorversions"], found["instances"]))
    branches = [Branch(each["metadata"]["name"]) for each in found[what]]
    return f'List of current installed {what} in namespace "{namespace}":\n{tree(branches)}'


def _named(objects: list[Manifest]) -> list[Manifest]:
    return sorted(objects, key=lambda each: str(each["metadata"]["name"]))
