"""What is wrong in a namespace: each kind of trouble is told, and the cause comes before its consequences."""

from __future__ import annotations

from typing import Any

import pytest

from harness.report.fact import Fact, Rank
from harness.report.facts import find_facts
from harness.report.snapshot import LogKey


def only(make: Any, *objects: Any) -> Fact:
    """Return the one fact of a snapshot."""
    facts = find_facts(make.snapshot(*objects))
    assert len(facts) == 1, [fact.subject for fact in facts]
    return facts[0]


def test_a_healthy_namespace_has_no_facts(make: Any) -> None:
    """Ready pods, finished pods, bound claims and full workloads are nothing to tell."""
    facts = find_facts(
        make.snapshot(
            make.pod("a", make.container(ready=True, running={}), ready=True),
            make.pod("b", make.container(terminated={"exitCode": 0}), phase="Succeeded"),
            make.object("PersistentVolumeClaim", "c", status={"phase": "Bound"}),
            make.object("StatefulSet", "s", spec={"replicas": 1}, status={"replicas": 1}),
            make.event("StatefulSet/s", "FailedCreate", "an old trouble"),
            make.object("Node", "n", status={"conditions": [{"type": "Ready", "status": "True"}]}),
        )
    )
    assert facts == []


def test_a_dead_api_server_is_the_only_fact(make: Any) -> None:
    """When the API server does not answer, nothing else is known."""
    facts = find_facts(make.snapshot(make.pod("a"), dead="the API server does not answer: refused"))
    assert [(fact.rank, fact.reason) for fact in facts] == [(Rank.CLUSTER, "the API server does not answer: refused")]


def test_an_image_that_cannot_be_pulled(make: Any) -> None:
    """The image and the runtime's own reason are told, not that it backs off."""
    waiting = {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "db:1"'}
    pulled = make.event("Pod/p", "Failed", 'Failed to pull image "db:1": no such host')
    fact = only(
        make,
        make.pod("p", make.container(waiting=waiting)),
        pulled,
        make.event("Pod/p", "Failed", "Error: ErrImagePull"),
    )
    assert (fact.subject, fact.reason, fact.rank) == (
        "Pod p, container main",
        "ImagePullBackOff for 1 m 0 s",
        Rank.IMAGE,
    )
    assert fact.detail == ('Failed to pull image "db:1": no such host',)
    assert fact.run == "kubectl -n ns describe pod p"


def test_an_image_name_that_is_invalid_names_the_image(make: Any) -> None:
    """Without any message the image still stands there."""
    fact = only(make, make.pod("p", make.container(waiting={"reason": "InvalidImageName"})))
    assert fact.detail == ("image db:1",)


def test_a_crash_loop_tells_restarts_and_exit_code(make: Any) -> None:
    """Restarts, the last exit code, and where the log of the crash is; kubelet's back-off sentence is left out."""
    waiting = {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting failed container"}
    last = {"exitCode": 1, "reason": "Error", "finishedAt": "2026-01-01T10:14:50Z"}
    fact = only(make, make.pod("p", make.container(waiting=waiting, restarts=4, last=last)))
    assert fact.reason == "CrashLoopBackOff, 4 restarts, last exit code 1 (Error)"
    assert fact.detail == ()
    assert fact.log == LogKey("p", "main", previous=True)
    assert fact.run == "kubectl -n ns logs p -c main --previous"


def test_a_crash_by_signal_names_the_signal(make: Any) -> None:
    """Exit code 143 is SIGTERM, an unknown one stays a number."""
    for code, text in (
        (143, "exit code 143 (SIGTERM)"),
        (128 + 99, "exit code 227 (Error)"),
        (7, "exit code 7 (Error)"),
    ):
        ended = {"exitCode": code, "reason": "Error"}
        assert only(make, make.pod("p", make.container(terminated=ended))).reason == f"terminated, {text}"


def test_a_failed_liveness_probe_explains_restarts(make: Any) -> None:
    """A container that the kubelet kills is told with the probe's message."""
    waiting = {"reason": "CrashLoopBackOff"}
    probe = make.event("Pod/p", "Unhealthy", "Liveness probe failed: no primary")
    fact = only(make, make.pod("p", make.container(waiting=waiting, restarts=1, last={"exitCode": 137})), probe)
    assert fact.reason == "CrashLoopBackOff, 1 restart, last exit code 137 (SIGKILL)"
    assert fact.detail == ("Liveness probe failed: no primary",)


def test_out_of_memory_tells_the_limit(make: Any) -> None:
    """OOMKilled stands there with the limit that was too low."""
    limits = {"resources": {"limits": {"memory": "16Mi"}}}
    ended = {"exitCode": 137, "reason": "OOMKilled"}
    fact = only(
        make, make.pod("p", make.container(waiting={"reason": "CrashLoopBackOff"}, restarts=2, last=ended, spec=limits))
    )
    assert fact.reason == "CrashLoopBackOff, 2 restarts, last exit code 137 (OOMKilled)"
    assert fact.detail == ("its memory limit is 16Mi",)


def test_a_failing_init_container_is_the_fact_and_not_what_waits_for_it(make: Any) -> None:
    """The init container is named; the main container, which only waits for it, is not."""
    init = make.container("prepare", terminated={"exitCode": 2, "reason": "Error"}, restarts=1, last={"exitCode": 2})
    fact = only(make, make.pod("p", make.container(waiting={"reason": "PodInitializing"}), init=(init,)))
    assert fact.subject == "Pod p, init container prepare"
    assert fact.log == LogKey("p", "prepare", previous=False)


def test_an_unschedulable_pod_tells_the_schedulers_message(make: Any) -> None:
    """The scheduler's own sentence is the reason."""
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/1 nodes are available",
    }
    fact = only(make, make.pod("p", conditions=[condition]))
    assert (fact.reason, fact.detail, fact.rank) == (
        "Unschedulable for 1 m 0 s",
        ("0/1 nodes are available",),
        Rank.SCHEDULE,
    )


def test_a_readiness_probe_that_fails(make: Any) -> None:
    """How long it runs, that it is not ready, the probe's last message and how often."""
    running = {"startedAt": "2026-01-01T10:14:19Z"}
    probe = make.event("Pod/p", "Unhealthy", "Readiness probe failed: not synced", count=25)
    fact = only(make, make.pod("p", make.container(running=running)), probe)
    assert (fact.reason, fact.rank) == ("running for 41 s, not ready", Rank.PROBE)
    assert fact.detail == ("Readiness probe failed: not synced (x25)",)
    assert fact.run == "kubectl -n ns logs p -c main"


def test_a_container_that_has_not_passed_its_startup_probe(make: Any) -> None:
    """Not started is another thing than not ready."""
    container = make.container(running={"startedAt": "2026-01-01T10:14:19Z"}, restarts=1) | {"started": False}
    assert only(make, make.pod("p", container)).reason == "running for 41 s, not started, 1 restart"


def test_a_missing_secret_of_a_container(make: Any) -> None:
    """A configuration that cannot be made is told with the kubelet's words."""
    waiting = {"reason": "CreateContainerConfigError", "message": 'secret "db" not found'}
    fact = only(make, make.pod("p", make.container(waiting=waiting)))
    assert (fact.reason, fact.detail, fact.rank) == (waiting["reason"], ('secret "db" not found',), Rank.CONFIG)


def test_a_volume_that_cannot_be_mounted(make: Any) -> None:
    """The mount's event is the fact, not the ContainerCreating that it causes."""
    event = make.event("Pod/p", "FailedMount", 'configmap "absent" not found')
    fact = only(make, make.pod("p", make.container(waiting={"reason": "ContainerCreating"})), event)
    assert (fact.subject, fact.reason, fact.detail) == ("Pod p", "FailedMount", ('configmap "absent" not found',))


def test_a_container_that_is_just_being_made(make: Any) -> None:
    """With nothing else to tell, the waiting itself is told."""
    fact = only(make, make.pod("p", make.container(waiting={"reason": "ContainerCreating"})))
    assert (fact.reason, fact.rank) == ("ContainerCreating for 1 m 0 s", Rank.STARTING)


def test_a_pod_that_is_unready_for_an_unknown_reason(make: Any) -> None:
    """A readiness gate, or a pod without any status, is told as far as it is known."""
    gate = {
        "type": "Ready",
        "status": "False",
        "message": 'corresponding condition of pod readiness gate "x" not there',
    }
    fact = only(make, make.pod("p", make.container(ready=True, running={}), conditions=[gate]))
    assert fact.reason == "Running, not ready for 1 m 0 s"
    assert fact.detail == (gate["message"],)
    assert only(make, make.pod("q")).reason == "Pending, not ready for 1 m 0 s"


def test_an_evicted_pod(make: Any) -> None:
    """A pod that failed as a whole is told with its reason."""
    fact = only(make, make.pod("p", phase="Failed", reason="Evicted", message="The node was low on resource: memory."))
    assert (fact.reason, fact.detail) == ("Evicted", ("The node was low on resource: memory.",))


def test_a_terminating_pod_tells_its_finalizers(make: Any) -> None:
    """What holds a pod that should be gone is named."""
    pod = make.pod("p", make.container(running={}))
    pod["metadata"] |= {"deletionTimestamp": "2026-01-01T10:14:30Z", "finalizers": ["example.com/hold"]}
    fact = only(make, pod)
    assert (fact.reason, fact.detail) == ("Terminating for 30 s", ("finalizers: example.com/hold",))


def test_a_ready_pod_that_was_restarted(make: Any) -> None:
    """A crash that is over is still told, after everything that is not."""
    container = make.container(ready=True, running={}, restarts=1, last={"exitCode": 139, "reason": "Error"})
    fact = only(make, make.pod("p", container, ready=True))
    assert (fact.reason, fact.rank) == ("restarted, 1 restart, last exit code 139 (SIGSEGV)", Rank.RESTARTED)


def test_claims_that_cannot_be_bound(make: Any) -> None:
    """A claim that failed is a cause; one that waits for its first consumer is not."""
    claim = make.object("PersistentVolumeClaim", "data", spec={"storageClassName": "nope"}, status={"phase": "Pending"})
    failed = make.event("PersistentVolumeClaim/data", "ProvisioningFailed", 'storageclass "nope" not found')
    fact = only(make, claim, failed)
    assert (fact.rank, fact.reason, fact.detail) == (
        Rank.CLAIM,
        "Pending (storage class nope)",
        ('storageclass "nope" not found',),
    )
    waits = make.event("PersistentVolumeClaim/data", "WaitForFirstConsumer", "waiting for first consumer", normal=True)
    assert only(make, claim, waits).rank is Rank.WAITING
    claim["metadata"] |= {"deletionTimestamp": "2026-01-01T10:14:30Z", "finalizers": ["kubernetes.io/pvc-protection"]}
    assert only(make, claim).detail == ("held by kubernetes.io/pvc-protection",)


@pytest.mark.parametrize(
    ("kind", "spec", "status"),
    [
        ("StatefulSet", {"replicas": 3}, {"replicas": 1}),
        ("ReplicaSet", {"replicas": 1}, {}),
        ("DaemonSet", {}, {"desiredNumberScheduled": 2, "currentNumberScheduled": 1}),
        ("Job", {}, {}),
    ],
)
def test_pods_that_cannot_be_created(make: Any, kind: str, spec: dict[str, int], status: dict[str, int]) -> None:
    """A quota or a missing service account shows in events of the workload, not of any pod."""
    workload = make.owned(make.object(kind, "w", spec=spec, status=status), "Instance", "galera")
    event = make.event(f"{kind}/w", "FailedCreate", "exceeded quota: pods=2")
    fact = only(make, workload, event)
    assert (fact.subject, fact.reason, fact.detail) == (
        f"{kind} w",
        "its pods cannot be created",
        ("exceeded quota: pods=2",),
    )
    assert fact.chain == f"Instance galera > {kind} w"


def test_a_failed_job(make: Any) -> None:
    """A job's own condition is told."""
    condition = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "6 retries"}
    fact = only(make, make.object("Job", "j", status={"conditions": [condition], "succeeded": 0, "active": 1}))
    assert (fact.subject, fact.reason, fact.rank) == ("Job j", "BackoffLimitExceeded", Rank.FAILED)


def test_a_node_in_trouble(make: Any) -> None:
    """NotReady and pressure are told with the node's message."""
    conditions = [
        {
            "type": "Ready",
            "status": "Unknown",
            "message": "stopped posting",
            "lastTransitionTime": "2026-01-01T10:14:50Z",
        },
        {"type": "DiskPressure", "status": "True", "lastTransitionTime": "2026-01-01T10:14:55Z"},
        {"type": "MemoryPressure", "status": "False"},
    ]
    facts = find_facts(make.snapshot(make.object("Node", "n", status={"conditions": conditions})))
    assert [(fact.reason, fact.detail) for fact in facts] == [
        ("NotReady for 10 s", ("stopped posting",)),
        ("DiskPressure for 5 s", ()),
    ]


def test_a_namespace_that_is_going(make: Any) -> None:
    """What holds a terminating namespace comes first: nothing can be created in it."""
    namespace = make.object(
        "Namespace",
        "ns",
        spec={"finalizers": ["kubernetes"]},
        status={
            "conditions": [
                {"status": "True", "message": "Some content has finalizers remaining: x"},
                {"status": "False"},
            ]
        },
    )
    namespace["metadata"]["deletionTimestamp"] = "2026-01-01T10:14:30Z"
    pod = make.pod("p", make.container(waiting={"reason": "CrashLoopBackOff"}))
    fact, *_rest = find_facts(make.snapshot(pod, namespace))
    assert (fact.subject, fact.reason) == ("Namespace ns", "Terminating for 30 s")
    assert fact.detail == ("Some content has finalizers remaining: x", "finalizers: kubernetes")


def test_the_cause_comes_before_its_consequences(make: Any) -> None:
    """A claim that cannot be bound comes before the pod that cannot be scheduled for it, and that before a probe."""
    unscheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    facts = find_facts(
        make.snapshot(
            make.pod("probing", make.container(running={"startedAt": "2026-01-01T10:14:01Z"})),
            make.pod("unscheduled", conditions=[unscheduled]),
            make.object("PersistentVolumeClaim", "data", status={"phase": "Lost"}),
        )
    )
    assert [fact.rank for fact in facts] == [Rank.CLAIM, Rank.SCHEDULE, Rank.PROBE]


def test_the_first_of_two_equal_troubles_is_the_older_one(make: Any) -> None:
    """Of two pods that are not ready, the one that started first is the likelier cause."""
    early, late = {"startedAt": "2026-01-01T10:14:10Z"}, {"startedAt": "2026-01-01T10:14:20Z"}
    pods = [make.pod("a", make.container(running=late)), make.pod("b", make.container(running=early))]
    assert find_facts(make.snapshot(*pods))[0].subject == "Pod b, container main"


def test_the_chain_of_owners_is_walked_up(make: Any) -> None:
    """Owners are followed as far as they are known; one that is only referred to is still named; rings end."""
    instance = make.object("Instance", "galera")
    workload = make.owned(make.object("StatefulSet", "db"), "Instance", "galera")
    pod = make.owned(make.pod("db-0", make.container(waiting={"reason": "CrashLoopBackOff"})), "StatefulSet", "db")
    assert only(make, instance, workload, pod).chain == "Instance galera > StatefulSet db > Pod db-0"
    assert only(make, pod).chain == "StatefulSet db > Pod db-0"
    ring = make.owned(
        make.object("Job", "x", status={"conditions": [{"type": "Failed", "status": "True"}]}), "Job", "x"
    )
    assert only(make, ring).chain == "Job x > Job x"


def test_a_plan_that_failed(make: Any) -> None:
    """A fatal error is a cause, one that is tried again is told after the pods' own troubles."""
    pod = make.pod("p", make.container(waiting={"reason": "CrashLoopBackOff"}))
    for status, ranks in (("FATAL_ERROR", [Rank.CREATE, Rank.CRASH]), ("ERROR", [Rank.CRASH, Rank.FAILED])):
        step = {"name": "s", "status": status, "message": 'template "x.yaml" line 3: no such parameter'}
        phases = [{"name": "h", "status": status, "steps": [step]}]
        plans = {"deploy": {"name": "deploy", "status": status, "phases": phases}}
        facts = find_facts(make.snapshot(pod, make.object("Instance", "galera", status={"planStatus": plans})))
        assert [fact.rank for fact in facts] == ranks
        fact = next(fact for fact in facts if fact.subject == "Instance galera")
        assert fact.reason == f"plan deploy [{status}] > phase h [{status}] > step s [{status}]"
        assert fact.detail == (step["message"],)


def test_a_plan_on_its_way_is_no_fact(make: Any) -> None:
    """Work in progress is told as plan, not as trouble."""
    plans = {"deploy": {"name": "deploy", "status": "IN_PROGRESS"}}
    assert find_facts(make.snapshot(make.object("Instance", "galera", status={"planStatus": plans}))) == []
