"""The engine on a real API server: without nodes, controllers and garbage collector, which the tests stand in for."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from harness.kit.documents import Manifest, parse_documents
from harness.kit.waiting import Pending
from harness.kube import ApiError, Conflict, Invalid, Kube, NotFound, condition_of, dig, uid_of, version_of
from harness.kudo.admission import FINALIZER
from harness.kudo.crds import install_crds
from harness.kudo.engine import Engine, release_instances
from harness.kudo.merge import json_patch, merged
from tests.kudo_engine.fakes import (
    API,
    NAMESPACE,
    FakeCluster,
    apply_task,
    config_map,
    instance_manifest,
    plan_state,
    serial,
    version_manifest,
)

pytestmark = pytest.mark.contract

TIMEOUT = 20.0
HEALTHY = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1, "readyReplicas": 1}
WORKLOADS = """apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  replicas: 1
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      initContainers:
      - {name: init, image: busybox, command: [sh, -c, "true"]}
      containers:
      - name: main
        image: "db:{{ .Params.SIZE }}"
        ports: [{containerPort: 3306, name: sql}]
        env: [{name: SIZE, value: "{{ .Params.SIZE }}"}]
        resources: {limits: {cpu: 0.5, memory: 1024Mi}}
        readinessProbe: {tcpSocket: {port: 3306}}
        volumeMounts: [{name: data, mountPath: /data}, {name: config, mountPath: /etc/db}]
      volumes:
      - {name: config, configMap: {name: settings}}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1024Mi}}}
---
apiVersion: v1
kind: Service
metadata: {name: db}
spec:
  selector: {app: db}
  ports: [{port: 3306, name: sql}, {port: 53, protocol: UDP, name: a}, {port: 53, protocol: TCP, name: b}]
---
apiVersion: batch/v1
kind: Job
metadata: {name: once}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: main, image: busybox}]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: db}
spec: {maxUnavailable: 1, selector: {matchLabels: {app: db}}}
"""


@pytest.fixture
def engine(kube: Kube) -> Iterator[Engine]:
    """Yield an engine that works in the test's namespace."""
    with Engine(kube, namespaces=[kube.default_namespace]) as engine:
        yield engine


def put(kube: Kube, manifest: Manifest) -> Manifest:
    manifest = copy.deepcopy(manifest)
    manifest["metadata"]["namespace"] = kube.default_namespace
    return kube.create(manifest)


def install(kube: Kube, instance: Manifest | None = None, **version: Any) -> None:
    put(kube, version_manifest(**version))
    put(kube, instance or instance_manifest())


def until(kube: Kube, condition: Callable[[Manifest], bool], wanted: str, name: str = "orders") -> Manifest:
    def probe(found: Manifest | None) -> Manifest | Pending:
        return found if found is not None and condition(found) else Pending(str((found or {}).get("status")))

    return kube.until(API, "Instance", name, kube.default_namespace, probe, timeout=TIMEOUT, wanted=wanted)


def until_plan(kube: Kube, plan: str = "deploy", state: str = "COMPLETE") -> Manifest:
    return until(kube, lambda item: plan_state(item, plan)[0] == state, f"plan {plan} {state}")


def turn_healthy(kube: Kube, kind: str, name: str) -> None:
    generation = kube.get("apps/v1", kind, name)["metadata"]["generation"]
    status = {**HEALTHY, "observedGeneration": generation}
    kube.patch("apps/v1", kind, name, {"status": status}, subresource="status")


def test_deploy_of_config_maps(kube: Kube, engine: Engine) -> None:
    """Ten steps run in order to COMPLETE; the objects carry labels, annotations and their owner."""
    templates = {f"{number}.yaml": config_map(f"{{{{ .Name }}}}-{number}") for number in range(10)}
    tasks = [apply_task(f"t{number}", f"{number}.yaml") for number in range(10)]
    plan = serial(*((f"s{number}", [f"t{number}"]) for number in range(10)))
    install(kube, templates=templates, tasks=tasks, plans={"deploy": plan})
    instance = until_plan(kube)
    assert plan_state(instance) == ("COMPLETE", ["COMPLETE"] * 10)
    assert instance["spec"]["planExecution"] == {}
    made = kube.list("v1", "ConfigMap", kube.default_namespace, labels="kudo.dev/instance=orders,heritage=kudo")
    assert sorted(item["metadata"]["name"] for item in made) == [f"orders-{number}" for number in range(10)]
    assert {item["metadata"]["ownerReferences"][0]["uid"] for item in made} == {uid_of(instance)}
    until(kube, lambda item: dig(condition_of(item, "Ready"), "status") == "True", "Ready")
    assert engine.trouble == {}


def test_events_are_accepted(kube: Kube, engine: Engine) -> None:
    """The API server takes the events, and they name the Instance."""
    install(kube)
    instance = until_plan(kube)
    engine.stop()
    events = kube.list("v1", "Event", kube.default_namespace, fields=f"involvedObject.uid={uid_of(instance)}")
    assert {event["reason"] for event in events} == {"PlanStarted", "PlanFinished"}


def test_workloads_turn_healthy(kube: Kube, engine: Engine) -> None:
    """A step waits for its workloads and is COMPLETE once all are healthy; nothing is written in between."""
    tasks = [apply_task("settings", "cm.yaml"), apply_task("db", "db.yaml")]
    plan = serial(("settings", ["settings"]), ("db", ["db"]))
    templates = {"cm.yaml": config_map("settings"), "db.yaml": WORKLOADS}
    install(kube, templates=templates, tasks=tasks, plans={"deploy": plan})
    until(kube, lambda item: plan_state(item) == ("IN_PROGRESS", ["COMPLETE", "IN_PROGRESS"]), "waiting for the set")
    turn_healthy(kube, "StatefulSet", "db")
    once = {"succeeded": 1, "startTime": "2026-01-02T03:04:05Z"}
    kube.patch("batch/v1", "Job", "once", {"status": once}, subresource="status")
    until_plan(kube)
    assert kube.get("apps/v1", "StatefulSet", "db")["metadata"]["generation"] == 1
    assert engine.failed is None


def test_repeated_passes_change_nothing(kube: Kube, engine: Engine) -> None:
    """Applying the same again changes no object, though the server defaulted and rewrote a lot in it."""
    tasks = [apply_task("db", "db.yaml"), {"name": "never", "kind": "Dummy", "spec": {"done": False}}]
    install(kube, templates={"db.yaml": WORKLOADS}, tasks=tasks, plans={"deploy": serial(("db", ["db", "never"]))})
    until(kube, lambda item: plan_state(item)[0] == "IN_PROGRESS", "under way")
    kinds = (("apps/v1", "StatefulSet", "db"), ("v1", "Service", "db"), ("policy/v1", "PodDisruptionBudget", "db"))
    before = [version_of(kube.get(*kind)) for kind in kinds]
    restart = {"spec": {"planExecution": {"planName": "deploy", "uid": "again"}}}
    first = kube.get(API, "Instance", "orders")["status"]["planStatus"]["deploy"]["uid"]
    kube.patch(API, "Instance", "orders", restart)
    until(kube, lambda item: item["status"]["planStatus"]["deploy"]["uid"] != first, "restarted")
    turn_healthy(kube, "StatefulSet", "db")
    after = [kube.get(*kind) for kind in kinds]
    generations = [item["metadata"].get("generation", 1) for item in after]
    assert generations == [1, 1, 1]
    assert [version_of(item) for item in after] != before  # the annotation tells of the new run of the plan
    assert engine.failed is None


def test_parameter_change_keeps_what_others_added(kube: Kube, engine: Engine) -> None:
    """A changed parameter changes what the template says; what others added to the same lists stays."""
    install(kube, templates={"db.yaml": WORKLOADS}, tasks=[apply_task("db", "db.yaml")],
            plans={"deploy": serial(("db", ["db"]))})  # fmt: skip
    until(kube, lambda item: plan_state(item)[0] == "IN_PROGRESS", "under way")
    proxy = {"spec": {"template": {"spec": {"containers": [{"name": "proxy", "image": "proxy"}]}}}}
    kube.patch("apps/v1", "StatefulSet", "db", proxy, patch_type="strategic")
    kube.patch(API, "Instance", "orders", {"spec": {"parameters": {"SIZE": "5"}}})

    def rolled(found: Manifest | None) -> Manifest | Pending:
        containers = {each["name"]: each for each in dig(found, "spec.template.spec.containers", [])}
        if dig(containers, "main.image") != "db:5":
            return Pending(str(containers.keys()))
        assert found is not None
        return found

    found = kube.until("apps/v1", "StatefulSet", "db", None, rolled, timeout=TIMEOUT, wanted="image db:5")
    containers = {each["name"]: each for each in found["spec"]["template"]["spec"]["containers"]}
    assert set(containers) == {"main", "proxy"}
    assert containers["main"]["env"] == [{"name": "SIZE", "value": "5"}]
    assert engine.failed is None


def test_our_merge_is_the_servers(kube: Kube) -> None:
    """Our merge of the built-in kinds gives what a strategic merge patch of the server gives."""
    pod_spec = {
        "containers": [{"name": "b", "image": "b:2"}],
        "volumes": [{"name": "v", "secret": {"secretName": "s"}}],
    }
    change: Manifest = {
        "spec": {
            "template": {
                "spec": {
                    **pod_spec,
                    "tolerations": [{"key": "x", "operator": "Exists"}],
                    "imagePullSecrets": [{"name": "two"}],
                    "hostAliases": [{"ip": "10.0.0.2", "hostnames": ["b"]}],
                }
            }
        }
    }
    ports = [{"containerPort": 80, "name": "web"}, {"containerPort": 81, "name": "more"}]
    start: Manifest = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "spec": {
            "selector": {"matchLabels": {"app": "x"}},
            "template": {
                "metadata": {"labels": {"app": "x"}},
                "spec": {
                    "containers": [
                        {"name": "a", "image": "a:1", "ports": ports},
                        {"name": "b", "image": "b:1", "env": [{"name": "E", "value": "1"}]},
                    ],
                    "volumes": [{"name": "v", "configMap": {"name": "c"}}, {"name": "w", "emptyDir": {}}],
                    "tolerations": [{"key": "y", "operator": "Exists"}],
                    "imagePullSecrets": [{"name": "one"}],
                    "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["a"]}],
                },
            },
        },
    }
    theirs = kube.create({**start, "metadata": {"name": "theirs"}})
    ours = kube.create({**start, "metadata": {"name": "ours"}})
    retained = copy.deepcopy(change)
    retained["spec"]["template"]["spec"]["volumes"][0]["$retainKeys"] = ["name", "secret"]
    theirs = kube.patch("apps/v1", "Deployment", "theirs", retained, patch_type="strategic")
    wanted = merged({}, {"apiVersion": "apps/v1", "kind": "Deployment", **change}, ours)
    ours = kube.patch("apps/v1", "Deployment", "ours", json_patch(ours, wanted))
    assert _by_name(ours["spec"]["template"]["spec"]) == _by_name(theirs["spec"]["template"]["spec"])


def _by_name(spec: Manifest) -> Manifest:
    """Return a pod spec with its lists sorted: where foreign items stand among ours is not promised."""
    lists = {key: sorted(value, key=str) for key, value in spec.items() if isinstance(value, list)}
    return {**spec, **lists}


def test_refused_change_is_taken_back(kube: Kube, engine: Engine) -> None:
    """A change with kubectl that admission refuses is taken back, with an event that says why."""
    install(kube, parameters=[{"name": "SIZE", "default": "3", "immutable": True}])
    until_plan(kube)
    kube.patch(API, "Instance", "orders", {"spec": {"parameters": {"SIZE": "5"}}})
    until(kube, lambda item: item["spec"]["parameters"] == {"SIZE": "3"}, "the change taken back")
    engine.stop()
    events = kube.list("v1", "Event", kube.default_namespace)
    assert "parameter 'SIZE' is immutable" in next(e for e in events if e["reason"] == "AdmissionDenied")["message"]


def test_triggered_plan(kube: Kube, engine: Engine) -> None:
    """A parameter with a trigger runs its plan."""
    plans = {name: serial(("everything", ["settings"])) for name in ("deploy", "node_update")}
    install(kube, plans=plans, parameters=[{"name": "SIZE", "default": "3", "trigger": "node_update"}])
    until_plan(kube)
    kube.patch(API, "Instance", "orders", {"spec": {"parameters": {"SIZE": "5"}}})
    until_plan(kube, "node_update")
    assert kube.get("v1", "ConfigMap", "orders-settings")["data"] == {"size": "5"}
    assert engine.failed is None


def test_cleanup(kube: Kube, engine: Engine) -> None:
    """A deleted Instance runs its cleanup plan and is gone."""
    done = {"name": "done", "kind": "Dummy", "spec": {"done": True}}
    install(kube, tasks=[done], plans={name: serial(("one", ["done"])) for name in ("deploy", "cleanup")})
    until_plan(kube)
    kube.delete(API, "Instance", "orders")
    kube.until_gone(API, "Instance", "orders", timeout=TIMEOUT)
    assert engine.failed is None


def test_release_instances(kube: Kube) -> None:
    """Instances that nobody cleans up any more are released, and only of the finalizer that is ours."""
    for name, finalizers in (("held", [FINALIZER, "example.org/theirs"]), ("free", [])):
        manifest = instance_manifest(name)
        manifest["metadata"]["finalizers"] = finalizers
        put(kube, manifest)
    assert release_instances(kube, kube.default_namespace) == ["held"]
    assert kube.get(API, "Instance", "held")["metadata"]["finalizers"] == ["example.org/theirs"]
    kube.patch(API, "Instance", "held", {"metadata": {"finalizers": None}})


def test_restarted_engine_goes_on(kube: Kube) -> None:
    """An engine goes on where another one stopped."""
    tasks = [apply_task("settings", "cm.yaml"), apply_task("db", "db.yaml")]
    plan = serial(("settings", ["settings"]), ("db", ["db"]))
    templates = {"cm.yaml": config_map("settings"), "db.yaml": WORKLOADS}
    with Engine(kube, namespaces=[kube.default_namespace]):
        install(kube, templates=templates, tasks=tasks, plans={"deploy": plan})
        instance = until(kube, lambda item: plan_state(item)[1] == ["COMPLETE", "IN_PROGRESS"], "half way")
    turn_healthy(kube, "StatefulSet", "db")
    once = {"succeeded": 1, "startTime": "2026-01-02T03:04:05Z"}
    kube.patch("batch/v1", "Job", "once", {"status": once}, subresource="status")
    with Engine(kube, namespaces=[kube.default_namespace]):
        finished = until_plan(kube)
    assert [dig(item, "status.planStatus.deploy.uid") for item in (instance, finished)] == [
        dig(finished, "status.planStatus.deploy.uid")
    ] * 2


def test_definitions_can_be_installed_again(kube: Kube) -> None:
    """Installing the definitions where they are is no error and changes nothing."""
    before = version_of(kube.get("apiextensions.k8s.io/v1", "CustomResourceDefinition", "instances.kudo.dev"))
    install_crds(kube)
    after = version_of(kube.get("apiextensions.k8s.io/v1", "CustomResourceDefinition", "instances.kudo.dev"))
    assert before == after


def test_whole_status_is_kept(kube: Kube) -> None:
    """The definition of Instances prunes nothing of what an engine writes."""
    made = put(kube, instance_manifest(parameters={"A": "1"}))
    step = {"name": "s", "status": "ERROR", "message": "m"}
    entry = {
        "name": "deploy", "status": "IN_PROGRESS", "message": "m", "uid": "u",
        "lastUpdatedTimestamp": "2026-01-02T03:04:05Z",
        "phases": [{"name": "p", "status": "ERROR", "message": "m", "steps": [step]}],
    }  # fmt: skip
    ready = {
        "type": "Ready", "status": "Unknown", "reason": "PlanInProgress", "message": "",
        "lastTransitionTime": "2026-01-02T03:04:05Z",
    }  # fmt: skip
    status = {"planStatus": {"deploy": entry}, "conditions": [ready]}
    stored = kube.patch(API, "Instance", made["metadata"]["name"], {"status": status}, subresource="status")
    assert stored["status"] == status


def test_whole_version_is_kept(kube: Kube) -> None:
    """The definition of OperatorVersions prunes nothing of a package."""
    pipe = {"file": "/a", "envFile": "/b", "kind": "Secret", "key": "k"}
    spec = {
        "resources": ["a"], "parameter": "p", "wantErr": True, "fatal": True, "done": True, "pod": "p", "pipe": [pipe],
        "package": "p", "instanceName": "i", "appVersion": "1", "operatorVersion": "1", "parameterFile": "f",
    }  # fmt: skip
    parameter = {
        "name": "A", "displayName": "a", "description": "d", "required": True, "default": "x", "trigger": "deploy",
        "value-type": "string", "immutable": True, "enum": [],
    }  # fmt: skip
    manifest = version_manifest(tasks=[{"name": "t", "kind": "Pipe", "spec": spec}], parameters=[parameter])
    manifest["spec"] |= {"appVersion": "1", "connectionString": "c", "upgradableFrom": [{"name": "x"}]}
    assert put(kube, manifest)["spec"] == manifest["spec"]


def test_definitions_are_plain_yaml(kube: Kube) -> None:
    """The definitions' texts parse, and the server reports all of them as accepted."""
    for name in ("operators.kudo.dev", "operatorversions.kudo.dev", "instances.kudo.dev"):
        found = kube.get("apiextensions.k8s.io/v1", "CustomResourceDefinition", name)
        conditions = {each["type"]: each["status"] for each in found["status"]["conditions"]}
        assert conditions.get("NonStructuralSchema") is None
        assert (conditions["Established"], conditions["NamesAccepted"]) == ("True", "True")
    assert parse_documents(WORKLOADS)


# The cluster in memory is held against the real one in what the engine relies on.


@pytest.fixture(params=["memory", "server"])
def either(request: pytest.FixtureRequest) -> Any:
    """Return a cluster in memory, then a real one."""
    return FakeCluster() if request.param == "memory" else request.getfixturevalue("kube")


def place(either: Any) -> str:
    return NAMESPACE if isinstance(either, FakeCluster) else str(either.default_namespace)


def make(either: Any, manifest: Manifest) -> Manifest:
    manifest["metadata"]["namespace"] = place(either)
    made: Manifest = either.create(manifest)
    return made


@pytest.mark.parametrize("field", ["uid", "resourceVersion"])
def test_preconditions(either: Any, field: str) -> None:
    """A patch that names another uid or an older version is refused."""
    made = make(either, instance_manifest())
    change = {"metadata": {field: made["metadata"][field]}, "spec": {"parameters": {"A": "1"}}}
    either.patch(API, "Instance", "orders", change, place(either))
    other = {"uid": "0b0d0d5c-0000-0000-0000-000000000000", "resourceVersion": made["metadata"]["resourceVersion"]}
    again = {"metadata": {field: other[field]}, "spec": {"parameters": {"A": "2"}}}
    with pytest.raises(Invalid if field == "uid" else Conflict):
        either.patch(API, "Instance", "orders", again, place(either))


def test_status_is_apart(either: Any) -> None:
    """Creating and patching an Instance leaves its status alone; patching the status leaves the rest alone."""
    made = make(either, {**instance_manifest(), "status": {"planStatus": {"x": {"name": "x"}}}})
    assert "status" not in made
    body = {"spec": {"parameters": {"A": "1"}}, "status": {"planStatus": {"x": {"name": "x"}}}}
    spec_only = either.patch(API, "Instance", "orders", body, place(either))
    assert ("status" in spec_only, spec_only["spec"]["parameters"]) == (False, {"A": "1"})
    body["spec"] = {"parameters": {"A": "2"}}
    both = either.patch(API, "Instance", "orders", body, place(either), subresource="status")
    assert (both["spec"]["parameters"], dig(both, "status.planStatus.x.name")) == ({"A": "1"}, "x")


def test_patch_without_effect(either: Any) -> None:
    """A patch that changes nothing gives no new version."""
    made = make(either, instance_manifest(parameters={"A": "1"}))
    same = either.patch(API, "Instance", "orders", {"spec": {"parameters": {"A": "1"}}}, place(either))
    assert version_of(same) == version_of(made)


def test_last_finalizer(either: Any) -> None:
    """An object under deletion stays while it has a finalizer, and goes with the last one."""
    manifest = instance_manifest()
    manifest["metadata"]["finalizers"] = ["kudo.dev.instance.cleanup"]
    make(either, manifest)
    either.delete(API, "Instance", "orders", place(either))
    held = either.get(API, "Instance", "orders", place(either))
    assert held["metadata"]["deletionTimestamp"]
    last = either.patch(API, "Instance", "orders", {"metadata": {"finalizers": None}}, place(either))
    assert not last["metadata"].get("finalizers")
    with pytest.raises(NotFound):
        either.get(API, "Instance", "orders", place(either))
    either.delete(API, "Instance", "orders", place(either))


def test_missing_namespace(kube: Kube) -> None:
    """What cannot be created for want of a namespace is an error of the API, which tasks try again."""
    with pytest.raises(ApiError):
        kube.create(instance_manifest() | {"metadata": {"name": "x", "namespace": "nowhere"}})
