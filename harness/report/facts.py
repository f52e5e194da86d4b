"""What is wrong in a namespace, told from its objects: one fact per trouble, the likeliest cause first. Pure.

Imported by harness.report.diagnostics; pods have a module of their own.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.kit.documents import Manifest
from harness.report.events import EventLine, event_lines
from harness.report.fact import Fact, Rank
from harness.report.plans import plan_line
from harness.report.pods import pod_facts
from harness.report.snapshot import Snapshot, age, name_of, owner_chain

__all__ = ["find_facts"]


def find_facts(snapshot: Snapshot) -> list[Fact]:
    """Return all troubles: by rank, then the oldest first, since the first failure is the cause of later ones."""
    if snapshot.dead:
        return [Fact(subject="Cluster", reason=snapshot.dead, rank=Rank.CLUSTER, run="kubectl cluster-info")]
    events = event_lines(snapshot.of("Event"))
    found = [
        *_namespace_facts(snapshot),
        *_node_facts(snapshot),
        *_plan_facts(snapshot),
        *_claim_facts(snapshot, events),
        *_workload_facts(snapshot, events),
        *(fact for pod in snapshot.of("Pod") for fact in pod_facts(snapshot, pod, events)),
    ]
    return sorted(found, key=lambda fact: (fact.rank, fact.since or "~", fact.subject))


def _namespace_facts(snapshot: Snapshot) -> Iterator[Fact]:
    namespace = snapshot.find("Namespace", snapshot.namespace)
    if namespace is None or not namespace["metadata"].get("deletionTimestamp"):
        return
    since = namespace["metadata"]["deletionTimestamp"]
    conditions = (namespace.get("status") or {}).get("conditions") or []
    held = sorted({str(entry.get("message", "")) for entry in conditions if entry.get("status") == "True"})
    finalizers = (namespace.get("spec") or {}).get("finalizers") or []
    yield Fact(
        subject=f"Namespace {snapshot.namespace}",
        reason=f"Terminating for {age(since, snapshot.taken)}",
        detail=(*filter(None, held), *([f"finalizers: {', '.join(finalizers)}"] if finalizers else [])),
        rank=Rank.NAMESPACE,
        since=since,
        run=f"kubectl get namespace {snapshot.namespace} -o yaml",
    )


def _node_facts(snapshot: Snapshot) -> Iterator[Fact]:
    for node in snapshot.of("Node"):
        for entry in (node.get("status") or {}).get("conditions") or []:
            good = "True" if entry.get("type") == "Ready" else "False"
            if entry.get("status") == good:
                continue
            name = "NotReady" if good == "True" else str(entry.get("type"))
            yield Fact(
                subject=f"Node {name_of(node)}",
                reason=f"{name} for {age(entry.get('lastTransitionTime'), snapshot.taken)}",
                detail=(str(entry["message"]),) if entry.get("message") else (),
                rank=Rank.NODE,
                since=str(entry.get("lastTransitionTime") or ""),
                run=f"kubectl describe node {name_of(node)}",
            )


def _plan_facts(snapshot: Snapshot) -> Iterator[Fact]:
    """Yield plans that failed; what cannot be mended by waiting comes before the pods, which it never made."""
    for instance in snapshot.of("Instance"):
        line, _, message = plan_line(instance).partition("\n")
        if "ERROR]" not in line:
            continue
        yield Fact(
            subject=f"Instance {name_of(instance)}",
            reason=f"plan {line}",
            detail=(message,) if message else (),
            rank=Rank.CREATE if "[FATAL_ERROR]" in line else Rank.FAILED,
            since=str(instance["metadata"].get("creationTimestamp") or ""),
            run=f"kubectl kudo plan status --instance={name_of(instance)} --namespace={snapshot.namespace}",
        )


def _claim_facts(snapshot: Snapshot, events: list[EventLine]) -> Iterator[Fact]:
    for claim in snapshot.of("PersistentVolumeClaim"):
        phase = (claim.get("status") or {}).get("phase", "Pending")
        metadata = claim["metadata"]
        name = name_of(claim)
        told = [line for line in events if (line.kind, line.name) == ("PersistentVolumeClaim", name)]
        failed = [line for line in told if line.warning]
        run = f"kubectl -n {snapshot.namespace} describe pvc {name}"
        if metadata.get("deletionTimestamp"):
            held = ", ".join(metadata.get("finalizers") or []) or "nothing"
            yield _claim(claim, "Terminating", (f"held by {held}",), Rank.WAITING, run)
        elif phase == "Lost" or (phase == "Pending" and failed):
            yield _claim(claim, phase, tuple(line.message for line in failed[-1:]), Rank.CLAIM, run)
        elif phase == "Pending":
            # Waiting for its first consumer is how local storage works: a fact only when nothing else is wrong.
            yield _claim(claim, phase, tuple(line.message for line in told[-1:]), Rank.WAITING, run)


def _claim(claim: Manifest, reason: str, detail: tuple[str, ...], rank: Rank, run: str) -> Fact:
    storage = (claim.get("spec") or {}).get("storageClassName")
    text = f"{reason} (storage class {storage})" if storage else reason
    since = str(claim["metadata"].get("creationTimestamp") or "")
    return Fact(
        subject=f"PersistentVolumeClaim {name_of(claim)}", reason=text, detail=detail, rank=rank, since=since, run=run
    )


def _workload_facts(snapshot: Snapshot, events: list[EventLine]) -> Iterator[Fact]:
    for kind in ("StatefulSet", "ReplicaSet", "DaemonSet", "Job"):
        for workload in snapshot.of(kind):
            told = [line for line in events if (line.kind, line.name) == (kind, name_of(workload)) and line.warning]
            failed = [line for line in told if line.reason == "FailedCreate"]
            if failed and _lacks_pods(kind, workload):
                yield _workload(snapshot, workload, Rank.CREATE, "its pods cannot be created", failed[-1].message)
            yield from _failed_job(snapshot, kind, workload)


def _failed_job(snapshot: Snapshot, kind: str, workload: Manifest) -> Iterator[Fact]:
    conditions = (workload.get("status") or {}).get("conditions") or []
    for entry in conditions if kind == "Job" else []:
        if (entry.get("type"), entry.get("status")) == ("Failed", "True"):
            yield _workload(snapshot, workload, Rank.FAILED, str(entry.get("reason")), str(entry.get("message")))


def _lacks_pods(kind: str, workload: Manifest) -> bool:
    """Tell whether a workload has fewer pods than it wants; an old event of one that recovered is no fact."""
    spec, status = workload.get("spec") or {}, workload.get("status") or {}
    if kind == "Job":
        return not (status.get("active") or status.get("succeeded"))
    if kind == "DaemonSet":
        return int(status.get("currentNumberScheduled", 0)) < int(status.get("desiredNumberScheduled", 0))
    return int(status.get("replicas", 0)) < int(spec.get("replicas", 1))


def _workload(snapshot: Snapshot, workload: Manifest, rank: Rank, reason: str, detail: str) -> Fact:
    kind = str(workload["kind"])
    return Fact(
        subject=f"{kind} {name_of(workload)}",
        reason=reason,
        detail=(detail,) if detail else (),
        rank=rank,
        since=str(workload["metadata"].get("creationTimestamp") or ""),
        chain=owner_chain(snapshot, kind, workload),
        run=f"kubectl -n {snapshot.namespace} describe {kind.lower()} {name_of(workload)}",
    )
