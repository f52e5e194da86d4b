"""Passes over an Instance without threads: scheduling, statuses, events, readiness, clean-up; sections 7 and 8."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.kit.documents import Manifest
from harness.kube import ApiError, Conflict, Event, NotFound
from harness.kube.objects import condition_of, dig
from harness.kudo.admission import ADMITTED, FINALIZER, admit_create, mark_admitted
from harness.kudo.cache import Cache
from harness.kudo.events import InstanceEvent, Recorder
from harness.kudo.model import parse_operator_version
from harness.kudo.reconcile import WORKLOADS, Reconciler, RetryError
from tests.kudo_engine.fakes import (
    API,
    NAMESPACE,
    FakeClock,
    FakeCluster,
    apply_task,
    config_map,
    instance_manifest,
    plan_state,
    serial,
    version_manifest,
)

KEY = (NAMESPACE, "orders")
DEPLOYMENT = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 1, template: {}}\n"
HEALTHY = {"observedGeneration": 1, "updatedReplicas": 1, "replicas": 1, "availableReplicas": 1}
DUMMY = {"name": "err", "kind": "Dummy", "spec": {"wantErr": True}}
FATAL = {"name": "fatal", "kind": "Dummy", "spec": {"wantErr": True, "fatal": True}}
NEVER = {"name": "never", "kind": "Dummy", "spec": {"done": False}}
DONE = {"name": "done", "kind": "Dummy", "spec": {"done": True}}


class Rig:
    """A reconciler on a cluster in memory; what watches would tell is put into its cache at once."""

    def __init__(self, *versions: Manifest, instance: Manifest | None = None, scheduling: bool = True) -> None:
        self.cluster = FakeCluster()
        self.cache = Cache()
        self.clock = FakeClock()
        self.told: list[InstanceEvent] = []
        self.uids = 0
        recorder = Recorder(self.cluster, observer=self.told.append, now=self.clock.now)
        self.reconciler = Reconciler(
            self.cluster, self.cache, recorder, scheduling=scheduling, now=self.clock.now, new_uid=self.new_uid
        )
        for kind in ((API, "Instance"), (API, "OperatorVersion"), *WORKLOADS):
            self.cluster.watch(*kind, None).subscribe(self.on_event)
        for version in versions:
            self.cluster.create(version)
        if instance is not None:
            self.cluster.create(instance)

    def new_uid(self) -> str:
        self.uids += 1
        return f"run-{self.uids}"

    def on_event(self, event: Event) -> None:
        if event.type == "DELETED":
            self.cache.remove(event.object)
        else:
            self.cache.put(event.object)

    def once(self) -> float | None:
        return self.reconciler.reconcile(KEY)

    def settle(self) -> Manifest:
        """Make passes until none is due at once; return the Instance."""
        for _turn in range(20):
            if self.once() != 0.0:
                return self.instance
        raise AssertionError("the instance does not come to rest")

    @property
    def instance(self) -> Manifest:
        return self.cluster.see("Instance", "orders")

    def ready(self) -> tuple[str, str, str]:
        found = condition_of(self.instance, "Ready") or {}
        return found.get("status", ""), found.get("reason", ""), found.get("message", "")

    def write(self, **spec: Any) -> None:
        self.clock.seconds += 10
        self.cluster.change("Instance", "orders", {"spec": spec})

    def reasons(self) -> list[str]:
        return [reason for _type, reason, _message in self.cluster.events()]

    def writes(self) -> list[tuple[str, str]]:
        return [(verb, kind) for verb, kind, _name in self.cluster.requests if verb.split()[0] not in {"get", "find"}]


def rig(**version: Any) -> Rig:
    return Rig(version_manifest(**version), instance=instance_manifest())


def tasks_rig(*steps: tuple[str, list[str]], **plans: Manifest) -> Rig:
    return rig(
        templates={"web.yaml": DEPLOYMENT, "cm.yaml": config_map("settings")},
        tasks=[apply_task("web", "web.yaml"), apply_task("settings", "cm.yaml"), DUMMY, FATAL, NEVER, DONE],
        plans={"deploy": serial(*steps), **plans},
    )


def test_install_to_complete() -> None:
    """A new Instance gets deploy scheduled, runs it, and is idle, COMPLETE and ready."""
    bench = rig()
    instance = bench.settle()
    assert plan_state(instance) == ("COMPLETE", ["COMPLETE"])
    assert instance["spec"]["planExecution"] == {}
    entry = instance["status"]["planStatus"]["deploy"]
    assert (entry["uid"], entry["lastUpdatedTimestamp"]) == ("run-1", "2026-01-02T03:04:05Z")
    assert bench.ready() == ("True", "ResourcesReady", "")
    made = bench.cluster.see("ConfigMap", "orders-settings")
    assert made["metadata"]["annotations"]["kudo.dev/last-plan-execution-uid"] == "run-1"
    assert bench.cluster.events() == [
        ("Normal", "PlanStarted", "Execution of plan deploy started"),
        ("Normal", "PlanFinished", "Execution of plan deploy finished with status COMPLETE"),
    ]


def test_few_requests() -> None:
    """A plan that is done in one pass costs one write for admission, one for the spec and one for the status."""
    bench = rig()
    bench.cluster.requests.clear()
    bench.settle()
    assert bench.writes() == [
        ("patch", "Instance"),
        ("create", "Event"),
        ("create", "ConfigMap"),
        ("patch", "Instance"),
        ("patch status", "Instance"),
        ("create", "Event"),
    ]


def test_first_plan_asks_for_nothing() -> None:
    """The first plan of an Instance creates its objects without asking for them; what is there is merged with."""
    templates = {"cm.yaml": config_map("new"), "old.yaml": config_map("old")}
    bench = rig(templates=templates, tasks=[apply_task("settings", "cm.yaml", "old.yaml")])
    old = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "old", "namespace": NAMESPACE},
        "data": {"a": "b"},
    }
    bench.cluster.create(old)
    bench.cluster.requests.clear()
    bench.settle()
    made = [(verb, name) for verb, kind, name in bench.cluster.requests if kind == "ConfigMap"]
    assert made == [("create", "new"), ("create", "old"), ("get", "old"), ("patch", "old")]
    assert bench.cluster.see("ConfigMap", "old")["data"] == {"a": "b", "size": "3"}
    bench.cluster.requests.clear()
    bench.write(planExecution={"planName": "deploy", "uid": "again"})
    bench.settle()
    assert [verb for verb, kind, _name in bench.cluster.requests if kind == "ConfigMap"] == ["get", "patch"] * 2


def test_spec_is_written_before_status() -> None:
    """Whoever sees COMPLETE finds the plan execution empty."""
    bench = rig()
    seen: list[tuple[str, Any]] = []

    def look(event: Event) -> None:
        seen.append((plan_state(event.object)[0], event.object["spec"].get("planExecution")))

    bench.cluster.watch(API, "Instance", None).subscribe(look)
    bench.settle()
    assert [execution for state, execution in seen if state == "COMPLETE"] == [{}]
    assert [state for state, execution in seen if execution and execution.get("status") == "COMPLETE"] == []


def test_idle_pass_writes_nothing() -> None:
    """A pass over an idle Instance on which nothing changed makes no request."""
    bench = rig()
    bench.settle()
    bench.cluster.requests.clear()
    assert bench.once() is None
    assert bench.cluster.requests == []


def test_waiting_plan_writes_its_status_once() -> None:
    """While a workload is not healthy the plan is IN_PROGRESS in spec and status, and repeated passes write nothing."""
    bench = tasks_rig(("one", ["web"]), ("two", ["settings"]))
    bench.settle()
    assert plan_state(bench.instance) == ("IN_PROGRESS", ["IN_PROGRESS", "PENDING"])
    assert bench.instance["spec"]["planExecution"]["status"] == "IN_PROGRESS"
    assert bench.ready() == ("Unknown", "PlanInProgress", "")
    bench.clock.seconds += 5
    bench.cluster.requests.clear()
    assert bench.once() == 10.0
    assert bench.cluster.requests == []


def test_healthy_workload_ends_the_step() -> None:
    """One pass after the workload turned healthy the plan is COMPLETE."""
    bench = tasks_rig(("one", ["web"]), ("two", ["settings"]))
    bench.settle()
    bench.cluster.change("Deployment", "web", {"status": HEALTHY}, subresource="status")
    bench.once()
    assert plan_state(bench.instance) == ("COMPLETE", ["COMPLETE", "COMPLETE"])


def test_transient_errors_are_told_and_retried_with_growing_pauses() -> None:
    """A transient error leaves the step in ERROR with its message; the pauses grow to one second and no more."""
    bench = tasks_rig(("one", ["err"]))
    pauses = [bench.once() for _turn in range(7)]
    assert pauses == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    step = bench.instance["status"]["planStatus"]["deploy"]["phases"][0]["steps"][0]
    assert step == {
        "name": "one",
        "status": "ERROR",
        "message": "A transient error when executing task deploy.main.one.err. Will retry. dummy error",
    }
    assert plan_state(bench.instance)[0] == "IN_PROGRESS"


def test_progress_begins_with_short_pauses_again() -> None:
    """After a step ended, the pauses of the next one begin small."""
    bench = rig(
        tasks=[apply_task("settings", "cm.yaml"), NEVER],
        plans={"deploy": serial(("one", ["settings"]), ("two", ["never"]))},
    )
    failure = ApiError("create", status=500, reason="Oops", message="shaky")
    bench.cluster.failures[("get", "ConfigMap")] = [failure] * 4
    bench.cluster.failures[("create", "ConfigMap")] = [failure]
    assert [bench.once() for _turn in range(6)] == [0.05, 0.1, 0.2, 0.4, 0.05, 0.1]


def test_fatal_errors_end_the_plan() -> None:
    """A fatal error ends the plan, is told as Warning with the event's own reason, and empties the execution."""
    bench = tasks_rig(("one", ["fatal"]), ("two", ["settings"]))
    bench.once()
    assert bench.ready() == ("Unknown", "PlanInFatalError", "")
    bench.settle()
    assert plan_state(bench.instance) == ("FATAL_ERROR", ["FATAL_ERROR", "PENDING"])
    assert bench.instance["spec"]["planExecution"] == {}
    assert bench.ready() == ("True", "ResourcesReady", "")
    text = "Error during execution: fatal error: shop/orders failed in deploy.main.one.fatal: dummy error"
    assert bench.cluster.events()[1:] == [("Warning", "DummyTaskError", text)]


def test_missing_task_is_fatal() -> None:
    """A step that names no task of the operator version ends the plan."""
    bench = tasks_rig(("one", ["nope"]))
    bench.settle()
    entry = bench.instance["status"]["planStatus"]["deploy"]
    message = "shop/orders fatal error:  missing task deploy.main.one.nope"
    assert entry["phases"][0]["steps"][0]["message"] == message
    assert bench.cluster.events()[-1] == ("Warning", "UnknownTaskName", message)


def test_unparsable_parameters_are_fatal() -> None:
    """A value of type map or array that does not parse ends the plan before any step."""
    bench = rig(parameters=[{"name": "SIZE", "value-type": "array", "default": "a: b"}])
    bench.settle()
    entry = bench.instance["status"]["planStatus"]["deploy"]
    assert (entry["status"], entry["phases"][0]["status"]) == ("FATAL_ERROR", "PENDING")
    assert entry["message"].startswith("Error during execution: fatal error: ")
    assert bench.reasons()[-1] == "InvalidParams"


def test_all_plans_stand_in_the_status() -> None:
    """The status has an entry for every plan, NEVER_RUN where it never ran."""
    bench = rig(plans={"deploy": serial(("everything", ["settings"])), "backup": serial(("one", ["settings"]))})
    bench.settle()
    assert plan_state(bench.instance, "backup") == ("NEVER_RUN", ["NEVER_RUN"])


PLANS = {
    "deploy": serial(("everything", ["settings"])),
    "node_update": serial(("everything", ["settings"])),
    "update": serial(("everything", ["settings"])),
}
NODES = [{"name": "SIZE", "default": "3"}, {"name": "NODES", "default": "3", "trigger": "node_update"}]


@pytest.mark.parametrize(("parameter", "plan"), [("NODES", "node_update"), ("SIZE", "update")])
def test_changed_parameter_runs_its_plan(parameter: str, plan: str) -> None:
    """A parameter that somebody writes runs its own plan, else update."""
    bench = rig(plans=PLANS, parameters=NODES)
    bench.settle()
    bench.write(parameters={parameter: "5"})
    bench.settle()
    assert plan_state(bench.instance, plan)[0] == "COMPLETE"
    assert bench.instance["status"]["planStatus"][plan]["uid"] == "run-2"
    assert bench.instance["status"]["planStatus"]["deploy"]["uid"] == "run-1"
    size = bench.cluster.see("ConfigMap", "orders-settings")["data"]["size"]
    assert size == ("5" if parameter == "SIZE" else "3")


def test_plan_written_by_hand_runs() -> None:
    """A plan that somebody writes into the spec runs under a uid of ours."""
    bench = rig(plans=PLANS, parameters=NODES)
    bench.settle()
    bench.write(planExecution={"planName": "deploy", "uid": "theirs"})
    bench.settle()
    assert bench.instance["status"]["planStatus"]["deploy"]["uid"] == "run-2"
    assert plan_state(bench.instance) == ("COMPLETE", ["COMPLETE"])


def test_refused_change_is_taken_back() -> None:
    """A change that admission refuses is taken back, and told with the reason."""
    bench = rig(parameters=[{"name": "SIZE", "default": "3", "immutable": True}])
    bench.settle()
    bench.write(parameters={"SIZE": "5", "OTHER": None})
    bench.settle()
    assert bench.instance["spec"]["parameters"] == {"SIZE": "3"}
    text = (
        "failed to check immutable parameters for Instance shop/orders: "
        "parameter 'SIZE' is immutable but was changed from '3' to '5'"
    )
    assert bench.cluster.events()[-1] == ("Warning", "AdmissionDenied", text)
    assert plan_state(bench.instance)[0] == "COMPLETE"


def test_refused_cancellation_goes_on() -> None:
    """Taking a running plan out of the spec does not stop it."""
    bench = tasks_rig(("one", ["web"]))
    bench.settle()
    bench.write(planExecution=None)
    bench.settle()
    assert bench.instance["spec"]["planExecution"] == {"planName": "deploy", "uid": "run-1", "status": "IN_PROGRESS"}
    assert bench.reasons().count("AdmissionDenied") == 1
    assert plan_state(bench.instance)[0] == "IN_PROGRESS"


def test_refused_instance_does_not_run_until_it_is_right() -> None:
    """A new Instance that admission refuses is told so once and left alone; when corrected it runs."""
    definition = {"name": "SIZE", "required": True}
    bench = rig(parameters=[definition])
    assert [bench.once(), bench.once()] == [None, None]
    assert bench.reasons() == ["AdmissionDenied"]
    assert "status" not in bench.instance
    bench.write(parameters={"SIZE": "5"})
    assert plan_state(bench.settle()) == ("COMPLETE", ["COMPLETE"])


def test_what_a_client_admitted_is_taken() -> None:
    """An Instance that went through admission in the client keeps the client's plan and uid."""
    version = version_manifest()
    admitted = admit_create(instance_manifest(), parse_operator_version(version), new_uid=lambda: "client")
    for instance in (admitted, mark_admitted(admitted)):
        bench = Rig(version, instance=instance)
        bench.settle()
        assert bench.instance["status"]["planStatus"]["deploy"]["uid"] == "client"


def test_update_that_a_client_prepared_is_taken() -> None:
    """A parameter change that comes with its plan, as admission in the client makes it, is not refused."""
    bench = rig(plans=PLANS, parameters=NODES)
    bench.settle()
    execution = {"planName": "node_update", "uid": "client", "status": "NEVER_RUN"}
    bench.write(parameters={"NODES": "5"}, planExecution=execution)
    bench.settle()
    assert bench.instance["status"]["planStatus"]["node_update"]["uid"] == "client"
    bench.write(parameters={"NODES": "7"}, planExecution={**execution, "planName": "deploy", "uid": "other"})
    bench.settle()
    assert bench.instance["spec"]["parameters"] == {"NODES": "5"}


def test_annotation_that_got_lost_is_remembered() -> None:
    """A replace that drops our annotation does not hide a change from admission."""
    bench = rig(plans=PLANS, parameters=NODES)
    bench.settle()
    changed = {"metadata": {"annotations": None}, "spec": {"parameters": {"NODES": "5"}}}
    bench.cluster.change("Instance", "orders", changed)
    bench.settle()
    assert plan_state(bench.instance, "node_update")[0] == "COMPLETE"


def test_instance_of_another_engine_is_taken_over() -> None:
    """An Instance that ran before without our annotation is taken as it is."""
    bench = rig(plans=PLANS, parameters=NODES)
    status = {"planStatus": {"deploy": {"name": "deploy", "status": "COMPLETE", "uid": "old"}}}
    bench.cluster.change("Instance", "orders", {"status": status}, subresource="status")
    bench.settle()
    assert bench.instance["status"]["planStatus"]["deploy"]["uid"] == "old"
    assert json.loads(bench.instance["metadata"]["annotations"][ADMITTED]) == {"operatorVersion": {"name": "db-0.1.0"}}
    bench.write(parameters={"NODES": "5"})
    bench.settle()
    assert plan_state(bench.instance, "node_update")[0] == "COMPLETE"


def test_upgrade() -> None:
    """A new operator version runs upgrade, else update, else deploy, with its own templates."""
    new = version_manifest(
        name="db-0.2.0", version="0.2.0", plans={**PLANS, "upgrade": serial(("everything", ["settings"]))}
    )
    bench = Rig(version_manifest(), new, instance=instance_manifest())
    bench.settle()
    bench.write(operatorVersion={"name": "db-0.2.0"})
    bench.settle()
    assert plan_state(bench.instance, "upgrade") == ("COMPLETE", ["COMPLETE"])


def test_new_uid_restarts_a_stuck_plan() -> None:
    """The same plan under a new uid begins anew."""
    bench = tasks_rig(("one", ["web"]))
    bench.settle()
    bench.write(planExecution={"planName": "deploy", "uid": "again"})
    bench.settle()
    assert bench.instance["status"]["planStatus"]["deploy"]["uid"] == "run-2"
    assert [item["count"] for ref, item in bench.cluster.objects.items() if ref.kind == "Event"] == [2]


def test_parameters_change_nothing_without_plan() -> None:
    """A changed parameter while another plan runs is refused."""
    bench = tasks_rig(("one", ["web"]), update=serial(("one", ["settings"])))
    bench.settle()
    bench.write(parameters={"SIZE": "5"})
    bench.settle()
    assert "parameters" not in bench.instance["spec"]
    assert "would trigger a different plan 'update'" in bench.cluster.events()[-1][2]


def test_missing_version_is_told_and_retried() -> None:
    """Without its operator version an Instance waits; the event is counted up, not repeated."""
    bench = Rig(instance=instance_manifest())
    message = (
        "InstanceController: Error getting operatorVersion db-0.1.0 for instance shop/orders: "
        'operatorversions "db-0.1.0" not found'
    )
    for _turn in range(3):
        with pytest.raises(RetryError, match="Error getting operatorVersion"):
            bench.once()
    assert bench.cluster.events() == [("Warning", "InvalidOperatorVersion", message)]
    assert next(item for ref, item in bench.cluster.objects.items() if ref.kind == "Event")["count"] == 3
    bench.cluster.create(version_manifest())
    assert plan_state(bench.settle()) == ("COMPLETE", ["COMPLETE"])


def test_plan_that_is_not_in_the_version() -> None:
    """A scheduled plan without entry in the status cannot run, and is tried again."""
    bench = Rig(version_manifest(), instance=instance_manifest(planExecution={"planName": "x"}), scheduling=False)
    with pytest.raises(RetryError, match="failed to find planStatus for plan 'x'"):
        bench.once()


def test_with_a_webhook_the_engine_schedules_nothing() -> None:
    """Where a webhook runs, the engine executes what is scheduled, mirrors its end, and leaves the rest to it."""
    scheduled = {"planName": "deploy", "uid": "hook", "status": "NEVER_RUN"}
    bench = Rig(version_manifest(), instance=instance_manifest(planExecution=scheduled), scheduling=False)
    assert bench.once() is None
    assert bench.instance["spec"]["planExecution"] == {**scheduled, "status": "COMPLETE"}
    assert "annotations" not in bench.instance["metadata"]
    idle = Rig(version_manifest(), instance=instance_manifest(), scheduling=False)
    idle.settle()
    assert idle.ready()[0] == "True"
    assert dig(idle.instance, "status.planStatus") is None


@pytest.mark.parametrize("verb", ["patch", "patch status"])
def test_conflict_leads_to_another_pass(verb: str) -> None:
    """A change by somebody else in between leads to a new pass, and nothing of it is lost."""
    bench = rig()
    bench.cluster.failures[(verb, "Instance")] = [Conflict("patch", status=409, reason="Conflict", message="modified")]
    assert bench.once() == 0.0
    assert plan_state(bench.settle()) == ("COMPLETE", ["COMPLETE"])
    assert bench.reasons() == ["PlanStarted", "PlanFinished"]


@pytest.mark.parametrize("known", [{}, {"deploy": {"name": "deploy", "status": "COMPLETE", "uid": "old"}}])
def test_end_that_never_got_into_the_status(known: Manifest) -> None:
    """An engine that died between its two last writes leaves a plan that the next engine brings to its end."""
    bench = rig()
    bench.settle()
    bench.cluster.change(
        "Instance", "orders", {"status": {"planStatus": None, "conditions": None}}, subresource="status"
    )
    bench.cluster.change("Instance", "orders", {"status": {"planStatus": known}}, subresource="status")
    bench.settle()
    entry = bench.instance["status"]["planStatus"]["deploy"]
    assert (entry["status"], entry["uid"]) == ("COMPLETE", "run-1")
    assert bench.instance["spec"]["planExecution"] == {}


def test_parameter_written_during_a_pass_is_not_lost() -> None:
    """A parameter that changes while the plan's end is being written restarts the plan."""
    bench = rig()

    def meddle(verb: str, kind: str, _name: str) -> None:
        if (verb, kind) == ("create", "ConfigMap"):
            bench.cluster.before = None
            bench.cluster.change("Instance", "orders", {"spec": {"parameters": {"SIZE": "7"}}})

    bench.cluster.before = meddle
    bench.settle()
    assert bench.cluster.see("ConfigMap", "orders-settings")["data"] == {"size": "7"}
    assert bench.instance["status"]["planStatus"]["deploy"]["uid"] == "run-2"


def test_object_that_is_deleted_and_made_again() -> None:
    """A finished Job that one step deletes and the next one applies runs again, though no watch told of its end."""
    job = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: once}\nspec: {template: {spec: {}}}\n"
    bench = rig(
        templates={"job.yaml": job},
        tasks=[apply_task("job", "job.yaml"), {"name": "wipe", "kind": "Delete", "spec": {"resources": ["job.yaml"]}}],
        plans={"deploy": serial(("wipe", ["wipe"]), ("job", ["job"]))},
    )
    bench.settle()
    first = bench.cluster.see("Job", "once")["metadata"]["uid"]
    bench.cluster.change("Job", "once", {"status": {"succeeded": 1}}, subresource="status")
    bench.settle()
    bench.write(planExecution={"planName": "deploy", "uid": "again"})
    bench.cluster.silent = True
    bench.once()
    assert plan_state(bench.instance) == ("IN_PROGRESS", ["COMPLETE", "IN_PROGRESS"])
    assert bench.cluster.see("Job", "once")["metadata"]["uid"] != first


CHILD = """apiVersion: kudo.dev/v1beta1
kind: Instance
metadata: {name: child}
spec:
  operatorVersion: {name: child-0.1.0}
  parameters: {SIZE: "{{ .Params.SIZE }}"}
"""


def family(*definitions: Manifest) -> Rig:
    """Return a rig whose Instance applies another Instance."""
    child = version_manifest(name="child-0.1.0", parameters=definitions or ({"name": "SIZE"},))
    parent = version_manifest(templates={"cm.yaml": CHILD})
    return Rig(parent, child, instance=instance_manifest())


def test_child_instance_is_waited_for() -> None:
    """A step that applies an Instance is COMPLETE when the plans that this starts have ended."""
    bench = family()
    bench.settle()
    assert plan_state(bench.instance) == ("IN_PROGRESS", ["IN_PROGRESS"])
    bench.reconciler.reconcile((NAMESPACE, "child"))
    assert plan_state(bench.cluster.see("Instance", "child")) == ("COMPLETE", ["COMPLETE"])
    bench.settle()
    assert plan_state(bench.instance) == ("COMPLETE", ["COMPLETE"])
    bench.write(parameters={"SIZE": "7"})
    bench.settle()
    assert plan_state(bench.instance) == ("IN_PROGRESS", ["IN_PROGRESS"])
    assert bench.cluster.see("Instance", "child")["spec"]["planExecution"]["planName"] == "deploy"
    bench.reconciler.reconcile((NAMESPACE, "child"))
    bench.settle()
    assert bench.cluster.see("ConfigMap", "child-settings")["data"] == {"size": "7"}
    assert plan_state(bench.instance) == ("COMPLETE", ["COMPLETE"])


def test_refused_child_is_a_transient_error() -> None:
    """What admission refuses of a child Instance is told in the step, in the webhook's words."""
    bench = family({"name": "SIZE", "enum": ["5"]})
    assert bench.once() == 0.05
    message = bench.instance["status"]["planStatus"]["deploy"]["phases"][0]["steps"][0]["message"]
    assert message == (
        "A transient error when executing task deploy.main.everything.settings. Will retry. "
        'admission webhook "instance-admission.kudo.dev" denied the request: '
        "failed to create an Instance shop/child: parameters are not valid: "
        'parameter "SIZE" has an invalid value "3": value is "3", but only allowed values are [5]'
    )
    assert not bench.cluster.has("Instance", "child")


def test_readiness_follows_the_workloads() -> None:
    """While idle, the Ready condition tells of workloads that are not healthy, and of their recovery."""
    bench = tasks_rig(("one", ["web"]))
    bench.settle()
    bench.cluster.change("Deployment", "web", {"status": HEALTHY}, subresource="status")
    bench.settle()
    assert bench.ready() == ("True", "ResourcesReady", "")
    bench.cluster.change("Deployment", "web", {"status": {"availableReplicas": 0}}, subresource="status")
    bench.settle()
    assert bench.ready()[:2] == ("False", "ResourceNotReady")
    assert "0 of 1 updated replicas are available" in bench.ready()[2]
    broken = {"conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]}
    bench.cluster.change("Deployment", "web", {"status": broken}, subresource="status")
    bench.settle()
    assert bench.ready()[:2] == ("False", "ResourceNotReady")


CLEANUP = {"deploy": serial(("everything", ["settings"])), "cleanup": serial(("wipe", ["wipe"]))}
WIPE = [apply_task("settings", "cm.yaml"), {"name": "wipe", "kind": "Delete", "spec": {"resources": ["cm.yaml"]}}]


def delete(bench: Rig) -> None:
    bench.cluster.delete(API, "Instance", "orders", NAMESPACE)


def test_cleanup_runs_before_the_instance_goes() -> None:
    """A deleted Instance runs cleanup, loses its finalizer with COMPLETE, and is gone."""
    bench = rig(plans=CLEANUP, tasks=WIPE)
    assert bench.settle()["metadata"]["finalizers"] == [FINALIZER]
    delete(bench)
    assert bench.once() is None
    assert not bench.cluster.has("Instance", "orders")
    assert not bench.cluster.has("ConfigMap", "orders-settings")
    assert bench.cluster.events()[-1][2] == "Execution of plan cleanup finished with status COMPLETE"
    assert bench.once() is None


def test_cleanup_overrides_a_running_plan() -> None:
    """Deletion during a plan runs cleanup in its place."""
    bench = rig(plans={"deploy": serial(("one", ["never"])), "cleanup": serial(("one", ["never"]))}, tasks=[NEVER])
    bench.settle()
    delete(bench)
    bench.settle()
    assert bench.instance["spec"]["planExecution"] == {"planName": "cleanup", "uid": "run-2", "status": "IN_PROGRESS"}
    assert plan_state(bench.instance, "cleanup")[0] == "IN_PROGRESS"


def test_cleanup_outlives_its_version() -> None:
    """An operator version that goes before its Instance, as with a namespace, does not keep cleanup from running."""
    bench = rig(plans=CLEANUP, tasks=WIPE)
    bench.settle()
    bench.cluster.drop("OperatorVersion", "db-0.1.0")
    delete(bench)
    bench.once()
    assert not bench.cluster.has("Instance", "orders")


def test_failed_cleanup_keeps_the_instance() -> None:
    """A cleanup that fails keeps finalizer and execution, and is not run again."""
    bench = rig(plans={"deploy": serial(("one", ["done"])), "cleanup": serial(("one", ["fatal"]))}, tasks=[DONE, FATAL])
    bench.settle()
    delete(bench)
    assert [bench.once(), bench.once(), bench.once()] == [None, None, None]
    assert bench.instance["metadata"]["finalizers"] == [FINALIZER]
    assert bench.instance["spec"]["planExecution"]["status"] == "FATAL_ERROR"
    assert bench.ready() == ("Unknown", "PlanInFatalError", "")
    assert bench.reasons().count("DummyTaskError") == 1


def test_finalizer_without_cleanup_is_dropped() -> None:
    """An Instance whose version lost its cleanup plan is not kept by the finalizer."""
    bench = rig(plans=CLEANUP, tasks=WIPE)
    bench.settle()
    bench.write(operatorVersion={"name": "db-0.2.0"})
    bench.cluster.create(version_manifest(name="db-0.2.0", tasks=WIPE))
    bench.settle()
    delete(bench)
    bench.once()
    assert not bench.cluster.has("Instance", "orders")


def test_instance_that_vanishes_during_a_pass() -> None:
    """An Instance that is removed while a pass works on it is forgotten quietly."""
    bench = rig()

    def vanish(verb: str, kind: str, _name: str) -> None:
        if (verb, kind) == ("create", "ConfigMap"):
            bench.cluster.before = None
            bench.cluster.silent = True
            bench.cluster.drop("Instance", "orders")

    bench.cluster.before = vanish
    assert [bench.once(), bench.once()] == [0.0, None]


@pytest.mark.parametrize("at", ["create", "patch status"])
def test_instance_that_is_replaced_during_a_pass(at: str) -> None:
    """The outcome of a pass is not written to a new Instance of the same name; that one runs its own plan."""
    bench = rig()

    def replace(verb: str, kind: str, _name: str) -> None:
        if (verb, kind) in {("create", "ConfigMap"), ("patch status", "Instance")} and verb == at:
            bench.cluster.before = None
            bench.cluster.drop("Instance", "orders")
            bench.cluster.create(instance_manifest())

    bench.cluster.before = replace
    assert bench.once() == 0.0
    assert "status" not in bench.instance
    assert bench.settle()["status"]["planStatus"]["deploy"]["uid"] == "run-2"


def test_missing_namespace_is_an_error() -> None:
    """A NotFound that is not about the Instance is not swallowed."""
    bench = rig()
    gone = NotFound("patch", status=404, reason="NotFound", message="namespace gone")
    bench.cluster.failures[("patch", "Instance")] = [gone]
    with pytest.raises(NotFound):
        bench.once()


def test_instance_that_came_back_under_the_same_name() -> None:
    """A new Instance of the same name is a new one: its plan starts from nothing."""
    bench = rig()
    bench.settle()
    bench.cluster.drop("Instance", "orders")
    bench.cluster.create(instance_manifest())
    bench.settle()
    assert bench.instance["status"]["planStatus"]["deploy"]["uid"] == "run-2"


def test_observer_hears_of_steps() -> None:
    """The observer hears of each step's state and of each event, in order."""
    bench = rig()
    bench.settle()
    assert [str(event) for event in bench.told] == [
        "shop/orders  PlanStarted  Execution of plan deploy started",
        "shop/orders  Step  deploy.main.everything COMPLETE",
        "shop/orders  PlanFinished  Execution of plan deploy finished with status COMPLETE",
    ]


def test_events_that_cannot_be_written_stop_nothing() -> None:
    """A plan runs although its events are refused."""
    bench = rig()
    refused = ApiError("create", status=403, reason="Forbidden", message="no")
    bench.cluster.failures[("create", "Event")] = [refused, refused]
    assert plan_state(bench.settle()) == ("COMPLETE", ["COMPLETE"])


def test_event_names_its_instance() -> None:
    """An event is about the Instance, from the component that the original names."""
    bench = rig()
    bench.settle()
    event = next(item for ref, item in bench.cluster.objects.items() if ref.kind == "Event")
    involved = event["involvedObject"]
    assert (involved["kind"], involved["name"], involved["uid"]) == (
        "Instance",
        "orders",
        bench.instance["metadata"]["uid"],
    )
    assert event["source"] == {"component": "instance-controller"}
    assert event["metadata"]["namespace"] == NAMESPACE
