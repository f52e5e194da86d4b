"""Tasks run once against a cluster in memory, section 3 of the reference."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.kit.documents import Manifest
from harness.kube import ApiError, Conflict, Unreachable
from harness.kudo.cache import Cache
from harness.kudo.enhance import Origin
from harness.kudo.merge import LAST_APPLIED
from harness.kudo.model import Task, parse_operator_version
from harness.kudo.plan import Done, Fatal, Outcome, Place, Transient, Waiting
from harness.kudo.reconcile import WORKLOADS
from harness.kudo.rendering import parameter_values, variables_of
from harness.kudo.tasks import TASK_KINDS, Desk, Settled, run_task
from tests.kudo_engine.fakes import NAMESPACE, FakeCluster, config_map, version_manifest

FATAL = "Error during execution: fatal error: shop/orders failed in deploy.main.one.t: "
DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  template:
    spec:
      containers:
      - name: main
        image: "{{ .Params.SIZE }}"
"""
JOB = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: once}\nspec: {template: {spec: {}}}\n"


class Bench:
    """One task's surroundings: a cluster, templates and parameters."""

    def __init__(self, templates: dict[str, str] | None = None, parameters: list[Manifest] | None = None) -> None:
        self.cluster = FakeCluster()
        self.cache = Cache()
        self.settled = Settled()
        self.templates = templates if templates is not None else {"cm.yaml": config_map("settings")}
        self.parameters = parameters if parameters is not None else [{"name": "SIZE", "default": "3"}]
        self.given: dict[str, str] = {}

    def run(self, kind: str = "Apply", **spec: Any) -> Outcome:
        version = parse_operator_version(version_manifest(templates=self.templates, parameters=self.parameters))
        place = Place(plan="deploy", phase="main", step="one", task="t")
        params = parameter_values(version, self.given)
        desk = Desk(
            cluster=self.cluster,
            cache=self.cache,
            watched=WORKLOADS,
            settled=self.settled,
            version=version,
            origin=Origin(
                instance="orders", namespace=NAMESPACE, uid="u-1", operator="db", version="0.1.0",
                plan="deploy", phase="main", step="one", plan_uid="p-1",
            ),
            variables=variables_of(version, instance="orders", namespace=NAMESPACE, params=params),
            place=place,
        )  # fmt: skip
        whole = spec or {"resources": list(self.templates)}
        return run_task(Task(name="t", kind=kind, spec=whole), desk)

    def fatal(self, kind: str = "Apply", **spec: Any) -> tuple[str, str]:
        outcome = self.run(kind, **spec)
        assert isinstance(outcome, Fatal), outcome
        return outcome.event, outcome.message


def refused(message: str = "field is immutable", status: int = 422) -> ApiError:
    return ApiError("patch x", status=status, reason="Invalid", message=message)


def test_apply_creates() -> None:
    """An object that is not there is created, with all that is added and the annotation of what was applied."""
    bench = Bench()
    assert bench.run() == Done()
    made = bench.cluster.see("ConfigMap", "settings")
    assert made["data"] == {"size": "3"}
    assert made["metadata"]["labels"]["kudo.dev/instance"] == "orders"
    applied = json.loads(made["metadata"]["annotations"][LAST_APPLIED])
    assert applied["data"] == {"size": "3"}
    assert LAST_APPLIED not in applied["metadata"]["annotations"]


def test_apply_again_sends_nothing() -> None:
    """Applying the same again asks, but writes nothing."""
    bench = Bench()
    bench.run()
    bench.cluster.requests.clear()
    bench.settled = Settled()
    assert bench.run() == Done()
    assert [verb for verb, _kind, _name in bench.cluster.requests] == ["get"]


def test_apply_patches() -> None:
    """A changed parameter leads to a patch that keeps what others added."""
    bench = Bench()
    bench.run()
    bench.cluster.change("ConfigMap", "settings", {"data": {"theirs": "1"}})
    bench.given = {"SIZE": "5"}
    assert bench.run() == Done()
    assert bench.cluster.see("ConfigMap", "settings")["data"] == {"size": "5", "theirs": "1"}


def test_apply_reverts_drift() -> None:
    """A field of the template that somebody changed is put back, also when the object was settled before."""
    bench = Bench()
    bench.run()
    bench.cluster.change("ConfigMap", "settings", {"data": {"size": "9"}})
    bench.run()
    assert bench.cluster.see("ConfigMap", "settings")["data"] == {"size": "3"}


def test_what_the_server_rewrites_is_sent_once() -> None:
    """A value that the server writes differently does not lead to a patch in every pass."""
    bench = Bench()

    def upper(item: Manifest) -> None:
        item["data"] = {"size": "three"}

    bench.cluster.rewrite = upper
    bench.run()
    bench.settled = Settled()
    bench.cluster.requests.clear()
    bench.run()
    bench.run()
    assert [verb for verb, _kind, _name in bench.cluster.requests] == ["get", "patch", "get"]


def test_apply_waits_for_health() -> None:
    """A workload that is not healthy keeps the task waiting, and an event will tell when to look again."""
    bench = Bench({"d.yaml": DEPLOYMENT})
    assert bench.run() == Waiting(
        reason='deployment "web" is not healthy: Waiting for deployment spec update to be observed...', watched=True
    )
    healthy = {"observedGeneration": 1, "updatedReplicas": 1, "replicas": 1, "availableReplicas": 1}
    bench.cluster.change("Deployment", "web", {"status": healthy}, subresource="status")
    bench.cache.put(bench.cluster.see("Deployment", "web"))
    assert bench.run() == Done()


def test_unwatched_kinds_are_polled() -> None:
    """An unhealthy object of a kind that nobody watches asks for another look soon."""
    bench = Bench({"ns.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: team}\n"})
    assert bench.run() == Waiting(reason="namespace team is not active:", watched=False)


def test_job_that_failed_is_fatal() -> None:
    """A Job that failed for good ends the plan."""
    bench = Bench({"job.yaml": JOB})
    bench.run()
    failed = {"conditions": [{"type": "Failed", "status": "True", "message": "BackoffLimitExceeded"}]}
    bench.cluster.change("Job", "once", {"status": failed}, subresource="status")
    bench.cache = Cache()
    cause = 'HealthUtil: job "once" has failed terminally: BackoffLimitExceeded'
    expected = f"{FATAL}object shop/once is NOT healthy: fatal error: {cause}"
    assert bench.fatal() == ("FailedTerminalStateError", expected)


def test_object_that_is_going_away_is_waited_for() -> None:
    """An object under deletion does not count as applied."""
    bench = Bench()
    bench.run()
    bench.cluster.hold_deleted.add("ConfigMap")
    bench.cluster.delete("v1", "ConfigMap", "settings", NAMESPACE)
    assert bench.run() == Waiting(reason="v1/ConfigMap shop/settings is being deleted")
    bench.cluster.drop("ConfigMap", "settings")
    assert bench.run() == Done()


def test_unknown_kind_is_fatal_before_anything_is_applied() -> None:
    """A kind that the server does not know ends the plan, and no object of the task is created."""
    bench = Bench({"cm.yaml": config_map("settings"), "x.yaml": "apiVersion: e.org/v1\nkind: X\nmetadata: {name: x}\n"})
    event, message = bench.fatal()
    assert event == "TaskEnhancementError"
    assert message == (
        f"{FATAL}fatal error: failed to determine if object of kind X is namespaced: "
        "a resource with GVK e.org/v1, Kind=X seems to be missing in API resource list"
    )
    assert not bench.cluster.has("ConfigMap", "settings")


@pytest.mark.parametrize("message", ["shaky", ""])
def test_api_errors_are_transient(message: str) -> None:
    """An error of the API is told as it is and tried again."""
    bench = Bench()
    bench.cluster.failures[("create", "ConfigMap")] = [ApiError("create", status=500, reason="Oops", message=message)]
    assert bench.run() == Transient(error=message or "500 Oops")
    assert bench.run() == Done()


def test_kind_that_goes_away_is_transient() -> None:
    """A kind whose definition is removed after it was looked up is an error that may pass."""
    bench = Bench()

    def remove(_verb: str, _kind: str, _name: str) -> None:
        bench.cluster.served.pop(("v1", "ConfigMap"), None)

    bench.cluster.before = remove
    assert bench.run() == Transient(error="not served")


def test_unreachable_server_is_transient() -> None:
    """A server that does not answer is tried again."""
    bench = Bench()
    bench.cluster.failures[("get", "ConfigMap")] = [Unreachable("get", reason="Unreachable", message="refused")]
    assert bench.run() == Transient(error="refused")


def test_refused_patch_is_transient() -> None:
    """A patch that the server refuses is told with kind and name, and tried again."""
    bench = Bench()
    bench.run()
    bench.given = {"SIZE": "5"}
    bench.cluster.failures[("patch", "ConfigMap")] = [refused()]
    text = "failed to patch a /v1, Kind=ConfigMap shop/settings: failed to execute patch: field is immutable"
    assert bench.run() == Transient(error=text)
    bench.cluster.failures[("patch", "Deployment")] = [refused()]


def test_stale_object_is_read_again() -> None:
    """A list is never written onto an object that changed since it was read: it is read again."""
    bench = Bench({"d.yaml": DEPLOYMENT})
    bench.run()
    bench.given = {"SIZE": "5"}
    injected = [{"name": "main", "image": "3"}, {"name": "proxy", "image": "p"}]
    bench.cluster.change("Deployment", "web", {"spec": {"template": {"spec": {"containers": injected}}}})
    bench.run()
    containers = bench.cluster.see("Deployment", "web")["spec"]["template"]["spec"]["containers"]
    assert containers == [{"name": "main", "image": "5"}, {"name": "proxy", "image": "p"}]


def test_object_that_keeps_changing_is_transient() -> None:
    """After some attempts on an object that always changed in between, the error is told and tried again."""
    bench = Bench()
    bench.run()
    bench.given = {"SIZE": "5"}
    conflict = Conflict("patch", status=409, reason="Conflict", message="modified")
    bench.cluster.failures[("patch", "ConfigMap")] = [conflict, conflict, conflict]
    text = "failed to patch a /v1, Kind=ConfigMap shop/settings: failed to execute patch: modified"
    assert bench.run() == Transient(error=text)


def test_object_that_appears_in_between_is_patched() -> None:
    """An object that somebody created between question and answer is merged with."""
    bench = Bench()

    def other(verb: str, kind: str, _name: str) -> None:
        if (verb, kind) == ("create", "ConfigMap"):
            bench.cluster.before = None
            bench.cluster.create(
                {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "namespace": NAMESPACE}}
            )

    bench.cluster.before = other
    assert bench.run() == Done()
    assert bench.cluster.see("ConfigMap", "settings")["data"] == {"size": "3"}


def test_foreign_object_is_fatal() -> None:
    """An annotated object that was never applied by us is not taken over."""
    bench = Bench()
    bench.cluster.create(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "settings", "namespace": NAMESPACE, "annotations": {"a": "b"}},
        }
    )
    event, message = bench.fatal()
    assert event == "TaskRenderingError"
    prefix = "failed to patch a /v1, Kind=ConfigMap shop/settings: "
    assert message == f"{prefix}{FATAL}failed to get original configuration LastAppliedConfigAnnotation is not set"


@pytest.mark.parametrize(
    ("template", "cause"),
    [
        (None, "error finding resource named x.yaml"),
        ("{{ .Params.NOPE }}", 'map has no entry for key "NOPE"'),
        ("{{ if }}", "error parsing template"),
        ("a: [", "fatal error: parsing YAML from x.yaml: decoding chunk"),
        ("a: b", "Object 'Kind' is missing"),
        ("kind: ConfigMap\napiVersion: v1\n", "an object of kind ConfigMap has no metadata.name"),
        ("kind: ConfigMap\napiVersion: v1\nmetadata: []\nx: 1", "an object of kind ConfigMap has no metadata.name"),
        ("kind: ConfigMap\napiVersion: v1\nmetadata: [1]", "an object of kind ConfigMap has no metadata.name"),
    ],
)
@pytest.mark.parametrize("kind", ["Apply", "Delete"])
def test_bad_templates_are_fatal(kind: str, template: str | None, cause: str) -> None:
    """A template that is missing, does not render, or renders to no object ends the plan with the cause."""
    bench = Bench({} if template is None else {"x.yaml": template})
    event, message = bench.fatal(kind, resources=["x.yaml"])
    assert event == "TaskRenderingError"
    assert message.startswith(FATAL)
    assert cause in message


def test_delete_waits_until_all_is_gone() -> None:
    """A Delete task deletes in the foreground, once, and is done when nothing is there any more."""
    bench = Bench()
    bench.run()
    bench.cluster.hold_deleted.add("ConfigMap")
    bench.cluster.requests.clear()
    waiting = Waiting(reason="v1/ConfigMap shop/settings is being deleted")
    assert [bench.run("Delete"), bench.run("Delete")] == [waiting, waiting]
    assert [verb for verb, _kind, _name in bench.cluster.requests].count("delete Foreground") == 1
    bench.cluster.drop("ConfigMap", "settings")
    assert bench.run("Delete") == Done()


def test_delete_of_nothing() -> None:
    """Objects that are not there, and kinds that the server does not know, are deleted already."""
    bench = Bench({"cm.yaml": config_map("x"), "x.yaml": "apiVersion: e.org/v1\nkind: X\nmetadata: {name: x}\n"})
    assert bench.run("Delete") == Done()


@pytest.mark.parametrize(("value", "there"), [("true", True), ("T", True), ("1", True), ("false", False), ("0", False)])
def test_toggle(value: str, there: bool) -> None:
    """Toggle applies for a true parameter and deletes for a false one."""
    bench = Bench(parameters=[{"name": "SIZE", "default": "3"}, {"name": "ON", "default": "true"}])
    bench.run("Toggle", resources=["cm.yaml"], parameter="ON")
    assert bench.cluster.has("ConfigMap", "settings")
    bench.given = {"ON": value}
    assert bench.run("Toggle", resources=["cm.yaml"], parameter="ON") == Done()
    assert bench.cluster.has("ConfigMap", "settings") == there


@pytest.mark.parametrize(
    ("parameter", "cause"),
    [
        ("NONE", "no value for parameter NONE found"),
        ("LIST", "value of parameter LIST isn't a string"),
        ("ODD", 'could not parse value of parameter ODD: strconv.ParseBool: parsing "yes": invalid syntax'),
        ("EMPTY", 'could not parse value of parameter EMPTY: strconv.ParseBool: parsing "": invalid syntax'),
    ],
)
def test_toggle_of_odd_values(parameter: str, cause: str) -> None:
    """A Toggle's parameter must be there, a text, and a boolean."""
    bench = Bench(
        parameters=[
            {"name": "SIZE", "default": "3"},
            {"name": "LIST", "value-type": "array", "default": "[a]"},
            {"name": "ODD", "default": "yes"},
            {"name": "EMPTY"},
        ]
    )
    expected = ("ToggleTaskError", FATAL + cause)
    assert bench.fatal("Toggle", resources=["cm.yaml"], parameter=parameter) == expected


@pytest.mark.parametrize(
    ("spec", "outcome"),
    [
        ({"done": True}, Done()),
        ({"done": False}, Waiting(reason="deploy.main.one.t is a dummy that is never done")),
        ({"wantErr": True, "done": True}, Transient(error="dummy error")),
        ({"wantErr": True, "fatal": True}, Fatal(message=f"{FATAL}dummy error", event="DummyTaskError")),
    ],
)
def test_dummy(spec: Manifest, outcome: Outcome) -> None:
    """A Dummy does what it is told."""
    assert Bench().run("Dummy", **spec) == outcome


BUILD = "shop/orders fatal error:  failed to build task deploy.main.one.t: "
PIPE = {"pod": "p.yaml", "pipe": [{"file": "/a", "kind": "Secret", "key": "k"}]}


@pytest.mark.parametrize(
    ("kind", "spec", "cause"),
    [
        ("Nope", {"a": 1}, "unknown task kind Nope"),
        (
            "Apply",
            {"resources": []},
            "task validation error: apply task 't' has an empty resource list. "  # noqa: ISC004
            "if that's what you need, use a Dummy task instead",
        ),
        ("Pipe", PIPE, "task kind Pipe is not supported yet (supported: Apply, Delete, Dummy, Toggle)"),
        (
            "KudoOperator",
            {"package": "a", "operatorVersion": "1"},
            "task kind KudoOperator is not supported yet (supported: Apply, Delete, Dummy, Toggle)",
        ),
    ],
)
def test_tasks_that_cannot_be_built(kind: str, spec: Manifest, cause: str) -> None:
    """A task of an unknown or unsupported kind, or without its fields, ends the plan."""
    assert Bench().fatal(kind, **spec) == ("TaskBuildError", BUILD + cause)


def test_kinds_can_be_added() -> None:
    """A kind of task that is registered is run like the others."""
    bench = Bench()
    seen: list[str] = []

    def pipe(task: Task, desk: Desk) -> Outcome:
        seen.append(f"{task.kind} {desk.place}")
        return Done()

    version = parse_operator_version(version_manifest())
    desk = Desk(
        cluster=bench.cluster, cache=bench.cache, watched=WORKLOADS, settled=bench.settled, version=version,
        origin=Origin(
            instance="orders", namespace=NAMESPACE, uid="u", operator="db", version="1", plan="p", phase="f",
            step="s", plan_uid="p",
        ),
        variables=variables_of(version, instance="orders", namespace=NAMESPACE, params={}),
        place=Place(plan="p", phase="f", step="s", task="t"),
    )  # fmt: skip
    assert run_task(Task(name="t", kind="Pipe", spec=PIPE), desk, {**TASK_KINDS, "Pipe": pipe}) == Done()
    assert seen == ["Pipe p.f.s.t"]
