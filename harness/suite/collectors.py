"""Collectors: logs, events and commands fetched when a step has failed; nothing that goes wrong here counts.

Imported by steps and case.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.kit.errors import HarnessError
from harness.kube import Kube, Manifest, dig
from harness.suite.commands import CommandError, Processes, Surroundings, failure_of, prepare, run_command
from harness.suite.decode import collector_fault
from harness.suite.log import Log
from harness.suite.sites import Site, reason_of
from harness.suite.spec import Collector, Command

__all__ = ["collect", "event_lines"]

_NEVER = "0001-01-01 00:00:00 +0000 UTC"


def collect(
    collectors: Sequence[Collector],
    site: Site,
    around: Surroundings,
    *,
    limit: int,
    log: Log,
    processes: Processes,
) -> list[str]:
    """Run collectors and return what they fetched, line by line.

    Args:
        collectors: in the order of the file.
        site: the cluster of the step.
        around: what commands find.
        limit: seconds for a command; none when it is not positive.
        log: of the step.
        processes: keeps what commands leave running.
    """
    collected: list[str] = []
    for one in collectors:
        fault = collector_fault(one)
        if fault:
            log(f"collecting log output for [collector invalid: {fault}]")
            log("skipping invalid assertion collector")
            continue
        log(f"collecting log output for {_shown(one)}")
        lines = _lines(one, site, around, limit=limit, log=log, processes=processes)
        collected += lines
    return collected


def event_lines(kube: Kube, namespace: str) -> list[str]:
    """Return the events of a namespace as kuttl logs them, sorted by creation and name.

    Raises:
        HarnessError: no API of events can be read.
    """
    events = _events(kube, namespace)
    return [_event_line(one) for one in sorted(events, key=_order)]


def _lines(
    one: Collector, site: Site, around: Surroundings, *, limit: int, log: Log, processes: Processes
) -> list[str]:
    if one.effective_type == "command":
        return _command(one, around, limit=limit, log=log, processes=processes)
    try:
        lines = _logs(one, site.kube, around.namespace) if one.effective_type == "pod" else _about(one, site, around)
    except HarnessError as error:
        lines = [f"nothing could be collected: {reason_of(error)}"]
    for line in lines:
        log(line)
    return lines


def _command(one: Collector, around: Surroundings, *, limit: int, log: Log, processes: Processes) -> list[str]:
    command = Command(command=one.command, mark=one.mark)
    bound = float(limit) if limit > 0 else None
    try:
        finished = run_command(prepare(command, around), around, limit=bound, log=log, quiet=False, processes=processes)
    except CommandError as error:
        log(error.text)
        return [error.text]
    failed = failure_of(command, finished, bound)
    return [*finished.output.splitlines(), *([failed] if failed else [])]


def _logs(one: Collector, kube: Kube, namespace: str) -> list[str]:
    """Return the logs of pods, each line with its pod and container in front, as kubectl's --prefix has it."""
    home = one.namespace or namespace
    pods = kube.list("v1", "Pod", home, labels=one.selector) if one.selector else [kube.get("v1", "Pod", one.pod, home)]
    if one.selector and one.pod:
        pods = [pod for pod in pods if dig(pod, "metadata.name") == one.pod]
    tail = one.effective_tail
    lines: list[str] = []
    for pod in pods:
        name = str(dig(pod, "metadata.name"))
        for container in [one.container] if one.container else _containers(pod):
            try:
                text = kube.logs(name, home, container=container, tail=tail if tail >= 0 else None)
            except HarnessError as error:
                text = f"no log: {reason_of(error)}"
            lines += [f"[pod/{name}/{container}] {line}" for line in text.splitlines()]
    return lines or [f"no pods in namespace {home} with {one.selector}"]


def _containers(pod: Manifest) -> list[str]:
    spec = pod.get("spec") or {}
    return [str(one["name"]) for key in ("initContainers", "containers") for one in spec.get(key) or []]


def _about(one: Collector, site: Site, around: Surroundings) -> list[str]:
    """Return the events of a namespace, or those about one object (quirk Q68: kuttl: of that name)."""
    home = one.namespace or around.namespace
    events = _events(site.kube, home)
    if one.pod:
        path = "metadata.name" if around.mode == "strict" else "regarding.name"
        events = [event for event in events if dig(event, path) == one.pod]
    return [_event_line(event) for event in sorted(events, key=_order)] or [f"no events in namespace {home}"]


def _events(kube: Kube, namespace: str) -> list[Manifest]:
    try:
        return kube.list("events.k8s.io/v1", "Event", namespace)
    except HarnessError:
        return [_modern(one) for one in kube.list("v1", "Event", namespace)]


def _modern(event: Manifest) -> Manifest:
    """Return a core event in the shape of events.k8s.io."""
    other = {
        "regarding": event.get("involvedObject"),
        "note": event.get("message"),
        "reportingController": event.get("reportingComponent"),
    }
    return {**event, **other}


def _order(event: Manifest) -> tuple[str, str]:
    return str(dig(event, "metadata.creationTimestamp", "")), str(dig(event, "metadata.name", ""))


def _event_line(event: Manifest) -> str:
    fields = [
        _time(dig(event, "metadata.creationTimestamp")),
        event.get("type"),
        _object(event.get("regarding")),
        event.get("action"),
        event.get("reason"),
        event.get("note"),
        event.get("reportingController"),
        _object(event.get("related")),
    ]
    return "\t".join(str(field or "") for field in fields)


def _time(text: Any) -> str:
    return f"{text[:10]} {text[11:19]} +0000 UTC" if isinstance(text, str) and len(text) > len("2030-01-02") else _NEVER


def _object(reference: Any) -> str:
    """Return `Kind.group name.fieldPath`."""
    if not isinstance(reference, dict):
        return ""
    group = str(reference.get("apiVersion") or "").rpartition("/")[0]
    kind = f"{reference.get('kind') or ''}{'.' if group else ''}{group}"
    field = reference.get("fieldPath")
    return f"{kind} {reference.get('name') or ''}{f'.{field}' if field else ''}"


def _shown(one: Collector) -> str:
    parts = {
        "type=": one.effective_type,
        "pod=": one.pod,
        "label: ": one.selector,
        "namespace: ": one.namespace,
        "container: ": one.container,
        "command: ": one.command,
    }
    texts = [f"{key}{'=' if key.endswith('=') else ''}{value}" for key, value in parts.items() if value]
    return f"[{','.join(texts)}]"
