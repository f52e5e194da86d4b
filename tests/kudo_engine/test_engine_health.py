"""Health of objects and readiness of an Instance, section 4 of the reference."""

from __future__ import annotations

from typing import Any

import pytest

from harness.kit.documents import Manifest
from harness.kudo.health import check_health, check_readiness, with_ready


def item(kind: str, api_version: str = "v1", **parts: Any) -> Manifest:
    metadata = {"name": "x", "namespace": "shop", "generation": 2}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **parts}


def deployment(spec: Manifest | None = None, **status: Any) -> Manifest:
    whole = {"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3, **status}
    return item("Deployment", "apps/v1", spec={"replicas": 3} if spec is None else spec, status=whole)


def stateful_set(strategy: Manifest | None = None, **status: Any) -> Manifest:
    whole = {
        "observedGeneration": 2,
        "readyReplicas": 3,
        "updatedReplicas": 3,
        "currentRevision": "a",
        "updateRevision": "a",
    }
    update = {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}} if strategy is None else strategy
    return item("StatefulSet", "apps/v1", spec={"replicas": 3, "updateStrategy": update}, status={**whole, **status})


def condition(kind: str, status: str = "True", **others: Any) -> list[Manifest]:
    return [{"type": kind, "status": status, **others}]


DEPLOYMENT = 'deployment "x" is not healthy: Waiting for deployment "x" rollout to finish:'
PARTITIONED = 'statefulset "x" is not healthy: Waiting for partitioned roll out to finish:'
CASES: list[tuple[Manifest, str, str]] = [
    (deployment(), "healthy", ""),
    (deployment(spec={}), "healthy", ""),
    (
        deployment(observedGeneration=1),
        "unhealthy",
        'deployment "x" is not healthy: Waiting for deployment spec update to be observed...\n',
    ),
    (
        deployment(conditions=condition("Progressing", "False", reason="ProgressDeadlineExceeded")),
        "broken",
        'deployment "x" exceeded its progress deadline',
    ),
    (deployment(updatedReplicas=1), "unhealthy", f"{DEPLOYMENT} 1 out of 3 new replicas have been updated...\n"),
    (deployment(replicas=4), "unhealthy", f"{DEPLOYMENT} 1 old replicas are pending termination...\n"),
    (deployment(availableReplicas=2), "unhealthy", f"{DEPLOYMENT} 2 of 3 updated replicas are available...\n"),
    (item("Deployment", "apps/v1", spec={"replicas": 1}), "unhealthy",
     'deployment "x" is not healthy: Waiting for deployment spec update to be observed...\n'),
    (stateful_set(), "healthy", ""),
    (stateful_set({"type": "OnDelete"}), "broken", "rollout status is only available for RollingUpdate strategy type"),
    (
        stateful_set(observedGeneration=0),
        "unhealthy",
        'statefulset "x" is not healthy: Waiting for statefulset spec update to be observed...\n',
    ),
    (stateful_set(readyReplicas=1), "unhealthy", 'statefulset "x" is not healthy: Waiting for 2 pods to be ready...\n'),
    (
        stateful_set(updatedReplicas=2),
        "unhealthy",
        f"{PARTITIONED} 2 out of 3 new pods have been updated...\n",
    ),
    (stateful_set({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}, updatedReplicas=1), "healthy", ""),
    (
        stateful_set({"type": "RollingUpdate"}, updateRevision="b", updatedReplicas=1),
        "unhealthy",
        'statefulset "x" is not healthy: waiting for statefulset rolling update to complete 1 pods at revision b...\n',
    ),
    (stateful_set({"type": "RollingUpdate"}), "healthy", ""),
    (item("Job", "batch/v1", status={"succeeded": 1}), "healthy", ""),
    (item("Job", "batch/v1", status={"succeeded": 2}), "unhealthy", 'job "x" still running or failed'),
    (item("Job", "batch/v1"), "unhealthy", 'job "x" still running or failed'),
    (
        item("Job", "batch/v1", status={"conditions": condition("Failed", message="BackoffLimitExceeded")}),
        "failed",
        'job "x" has failed terminally: BackoffLimitExceeded',
    ),
    (item("Pod", status={"phase": "Running", "conditions": condition("Ready")}), "healthy", ""),
    (
        item("Pod", status={"phase": "Running", "conditions": condition("Ready", "False")}),
        "unhealthy",
        "pod shop/x is not running yet: Running",
    ),
    (item("Pod", status={"phase": "Succeeded"}), "unhealthy", "pod shop/x is not running yet: Succeeded"),
    (item("Service", spec={"type": "ExternalName"}), "healthy", ""),
    (item("Service", spec={"clusterIP": "None"}), "healthy", ""),
    (item("Service", spec={}), "unhealthy", "service shop/x does not have cluster IP address"),
    (
        item("Service", spec={"type": "LoadBalancer", "clusterIP": "10.0.0.1"}),
        "unhealthy",
        "service shop/x does not have load balancer ingress IP address",
    ),
    (
        item("Service", spec={"type": "LoadBalancer", "clusterIP": "10.0.0.1", "externalIPs": ["1.2.3.4"]}),
        "healthy",
        "",
    ),
    (
        item(
            "Service",
            spec={"type": "LoadBalancer", "clusterIP": "10.0.0.1"},
            status={"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}},
        ),
        "healthy",
        "",
    ),
    (item("Namespace", status={"phase": "Active"}), "healthy", ""),
    (item("Namespace", status={"phase": "Terminating"}), "unhealthy", "namespace x is not active: Terminating"),
    (
        item("CustomResourceDefinition", "apiextensions.k8s.io/v1", status={"conditions": condition("Established")}),
        "healthy",
        "",
    ),
    (
        item("CustomResourceDefinition", "apiextensions.k8s.io/v1", status={"conditions": condition("NamesAccepted")}),
        "unhealthy",
        "CRD x is not healthy ( Conditions: [NamesAccepted=True] )",
    ),
    (item("Instance", "kudo.dev/v1beta1", spec={"planExecution": {}}), "healthy", ""),
    (
        item("Instance", "kudo.dev/v1beta1", spec={"planExecution": {"planName": "deploy", "status": "IN_PROGRESS"}}),
        "unhealthy",
        "instance shop/x active plan is in state IN_PROGRESS",
    ),
    (item("ConfigMap"), "healthy", ""),
    (item("DaemonSet", "apps/v1"), "healthy", ""),
    (item("Deployment", "extensions/v1beta1"), "healthy", ""),
    (item("Job", "example.org/v1"), "healthy", ""),
]  # fmt: skip


@pytest.mark.parametrize(("manifest", "state", "message"), CASES)
def test_health(manifest: Manifest, state: str, message: str) -> None:
    """Each kind is healthy exactly when the reference's table says so, with its message otherwise."""
    health = check_health(manifest)
    assert (health.state, health.message) == (state, message)


def test_readiness_joins_messages() -> None:
    """An Instance is ready when all its workloads are; else the messages are joined in order."""
    assert check_readiness(
        [deployment(), item("Pod", status={"phase": "Running", "conditions": condition("Ready")})]
    ).ok
    health = check_readiness([deployment(availableReplicas=0), item("Pod", status={"phase": "Pending"})])
    assert (
        health.message
        == f"{DEPLOYMENT} 0 of 3 updated replicas are available...\n, pod shop/x is not running yet: Pending"
    )


def test_no_resources_are_ready() -> None:
    """Without workloads an Instance is ready."""
    assert check_readiness([]).ok


def test_a_rule_without_answer_makes_readiness_unknown() -> None:
    """A workload whose rule cannot answer leaves readiness as it was."""
    assert check_readiness([item("Pod"), stateful_set({"type": "OnDelete"})]).state == "broken"


def test_ready_transition_time_changes_with_the_value_only() -> None:
    """The transition time stays while only reason and message change."""
    first = with_ready({}, "False", "ResourceNotReady", "a", now="t1")
    same = with_ready(first, "False", "ResourceNotReady", "b", now="t2")
    other = with_ready(same, "True", "ResourcesReady", now="t3")
    assert [each["conditions"][0]["lastTransitionTime"] for each in (first, same, other)] == ["t1", "t1", "t3"]
    assert other["conditions"] == [
        {"type": "Ready", "status": "True", "reason": "ResourcesReady", "message": "", "lastTransitionTime": "t3"}
    ]
