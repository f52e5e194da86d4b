"""Is an object healthy, and if not, why: the rules that end a step and that make an Instance ready.

Pure. The tasks and the engine import it; reports may. Objects are plain maps as the API server returned them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from harness.kit.documents import Manifest

__all__ = ["Health", "check_health", "check_readiness", "with_ready"]

State = Literal["healthy", "unhealthy", "broken", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """One object's health.

    Args:
        state: healthy; unhealthy, which may pass; broken, when the rule itself cannot answer (a task then waits,
            readiness stays as it was); failed, which never passes and ends a plan.
        message: why not healthy; rollout messages end in a line break.
    """

    state: State = "healthy"
    message: str = ""

    @property
    def ok(self) -> bool:
        """Tell whether the object is healthy."""
        return self.state == "healthy"


_HEALTHY = Health()
_APPS = frozenset({"apps/v1", "apps/v1beta1", "apps/v1beta2"})
_CRDS = frozenset({"apiextensions.k8s.io/v1", "apiextensions.k8s.io/v1beta1"})


def check_health(item: Manifest) -> Health:
    """Return the health of an object; kinds without a rule are healthy.

    Source: the rules of `kubectl rollout status` (0.19) for workloads, KUDO's table for the rest.
    """
    rule = _rule(item.get("apiVersion", ""), item.get("kind", ""))
    return rule(item) if rule is not None else _HEALTHY


def check_readiness(resources: Iterable[Manifest]) -> Health:
    """Return whether all workloads of an Instance are healthy; the message joins those of the unhealthy ones.

    Args:
        resources: the Deployments, then StatefulSets, then Pods of the Instance.
    """
    found = [health for health in map(check_health, resources) if not health.ok]
    broken = next((health for health in found if health.state == "broken"), None)
    if broken is not None:
        return broken
    return Health(state="unhealthy", message=", ".join(health.message for health in found)) if found else _HEALTHY


def with_ready(status: Manifest, value: str, reason: str, message: str = "", *, now: str) -> Manifest:
    """Return an Instance's status with its Ready condition set.

    Args:
        status: the status so far; it is not changed.
        value: True, False or Unknown.
        reason: ResourcesReady, ResourceNotReady, PlanInProgress or PlanInFatalError.
        message: what is not ready.
        now: the moment, as the API writes it; it counts as transition only when the value changes.
    """
    conditions = status.get("conditions") or []
    before = next((each for each in conditions if each.get("type") == "Ready"), None)
    since = before["lastTransitionTime"] if before is not None and before.get("status") == value else now
    ready = {"type": "Ready", "status": value, "reason": reason, "message": message, "lastTransitionTime": since}
    return {**status, "conditions": [each for each in conditions if each.get("type") != "Ready"] + [ready]}


def _rule(api_version: str, kind: str) -> Callable[[Manifest], Health] | None:
    if api_version in _APPS:
        return {"Deployment": _deployment, "StatefulSet": _stateful_set}.get(kind)
    if api_version in _CRDS:
        return _crd if kind == "CustomResourceDefinition" else None
    return _RULES.get((api_version, kind))


def _deployment(item: Manifest) -> Health:
    name, status = _name(item), _map(item, "status")
    rollout = f'deployment "{name}" is not healthy: Waiting for deployment "{name}" rollout to finish:'
    if _number(_map(item, "metadata"), "generation") > _number(status, "observedGeneration"):
        return _unhealthy(f'deployment "{name}" is not healthy: Waiting for deployment spec update to be observed...\n')
    progressing = _condition(item, "Progressing")
    if progressing is not None and progressing.get("reason") == "ProgressDeadlineExceeded":
        return Health(state="broken", message=f'deployment "{name}" exceeded its progress deadline')
    wanted = _map(item, "spec").get("replicas")
    updated = _number(status, "updatedReplicas")
    if wanted is not None and updated < wanted:
        return _unhealthy(f"{rollout} {updated} out of {wanted} new replicas have been updated...\n")
    if (old := _number(status, "replicas") - updated) > 0:
        return _unhealthy(f"{rollout} {old} old replicas are pending termination...\n")
    if (available := _number(status, "availableReplicas")) < updated:
        return _unhealthy(f"{rollout} {available} of {updated} updated replicas are available...\n")
    return _HEALTHY


def _stateful_set(item: Manifest) -> Health:
    name, spec, status = _name(item), _map(item, "spec"), _map(item, "status")
    head = f'statefulset "{name}" is not healthy:'
    if _map(spec, "updateStrategy").get("type") != "RollingUpdate":
        return Health(state="broken", message="rollout status is only available for RollingUpdate strategy type")
    observed = _number(status, "observedGeneration")
    if observed == 0 or observed < _number(_map(item, "metadata"), "generation"):
        return _unhealthy(f"{head} Waiting for statefulset spec update to be observed...\n")
    wanted = spec.get("replicas")
    if wanted is not None and (ready := _number(status, "readyReplicas")) < wanted:
        return _unhealthy(f"{head} Waiting for {wanted - ready} pods to be ready...\n")
    return _stateful_set_revision(head, spec, status)


def _stateful_set_revision(head: str, spec: Manifest, status: Manifest) -> Health:
    rolling = _map(spec, "updateStrategy").get("rollingUpdate")
    updated = _number(status, "updatedReplicas")
    if rolling is not None:
        wanted = (spec.get("replicas") or 0) - _number(rolling, "partition")
        if updated < wanted:
            what = (
                f"Waiting for partitioned roll out to finish: {updated} out of {wanted} new pods have been updated...\n"
            )
            return _unhealthy(f"{head} {what}")
        return _HEALTHY
    if status.get("updateRevision") != status.get("currentRevision"):
        what = f"{updated} pods at revision {status.get('updateRevision')}"
        return _unhealthy(f"{head} waiting for statefulset rolling update to complete {what}...\n")
    return _HEALTHY


def _job(item: Manifest) -> Health:
    name = _name(item)
    if _map(item, "status").get("succeeded") == 1:
        return _HEALTHY
    failed = _condition(item, "Failed")
    if failed is not None and failed.get("status") == "True":
        return Health(state="failed", message=f'job "{name}" has failed terminally: {failed.get("message", "")}')
    return _unhealthy(f'job "{name}" still running or failed')


def _pod(item: Manifest) -> Health:
    phase = _map(item, "status").get("phase", "")
    ready = _condition(item, "Ready")
    if phase == "Running" and ready is not None and ready.get("status") == "True":
        return _HEALTHY
    return _unhealthy(f"pod {_path(item)} is not running yet: {phase}")


def _service(item: Manifest) -> Health:
    spec = _map(item, "spec")
    if spec.get("type") == "ExternalName":
        return _HEALTHY
    if not spec.get("clusterIP"):
        return _unhealthy(f"service {_path(item)} does not have cluster IP address")
    if spec.get("type") != "LoadBalancer" or spec.get("externalIPs"):
        return _HEALTHY
    if _map(_map(item, "status"), "loadBalancer").get("ingress"):
        return _HEALTHY
    return _unhealthy(f"service {_path(item)} does not have load balancer ingress IP address")


def _namespace(item: Manifest) -> Health:
    phase = _map(item, "status").get("phase", "")
    return _HEALTHY if phase == "Active" else _unhealthy(f"namespace {_name(item)} is not active: {phase}")


def _crd(item: Manifest) -> Health:
    established = _condition(item, "Established")
    if established is not None and established.get("status") == "True":
        return _HEALTHY
    seen = " ".join(f"{each.get('type')}={each.get('status')}" for each in _conditions(item))
    return _unhealthy(f"CRD {_name(item)} is not healthy ( Conditions: [{seen}] )")


def _instance(item: Manifest) -> Health:
    execution = _map(_map(item, "spec"), "planExecution")
    if not execution.get("planName"):
        return _HEALTHY
    return _unhealthy(f"instance {_path(item)} active plan is in state {execution.get('status', '')}")


_RULES: dict[tuple[str, str], Callable[[Manifest], Health]] = {
    ("batch/v1", "Job"): _job,
    ("v1", "Pod"): _pod,
    ("v1", "Service"): _service,
    ("v1", "Namespace"): _namespace,
    ("kudo.dev/v1beta1", "Instance"): _instance,
}


def _unhealthy(message: str) -> Health:
    return Health(state="unhealthy", message=message)


def _map(parent: Manifest, key: str) -> Manifest:
    value: Any = parent.get(key)
    return value if isinstance(value, dict) else {}


def _number(parent: Manifest, key: str) -> int:
    value = parent.get(key)
    return value if isinstance(value, int) else 0


def _conditions(item: Manifest) -> list[Manifest]:
    return _map(item, "status").get("conditions") or []


def _condition(item: Manifest, kind: str) -> Manifest | None:
    return next((each for each in _conditions(item) if each.get("type") == kind), None)


def _name(item: Manifest) -> str:
    return str(_map(item, "metadata").get("name", ""))


def _path(item: Manifest) -> str:
    return f"{_map(item, 'metadata').get('namespace', '')}/{_name(item)}"
