"""The engine's threads: what wakes it, how it ends, what it tells when it fails."""

from __future__ import annotations

import io
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from harness.kit.documents import Manifest
from harness.kit.errors import DeadlineError, UsageError
from harness.kube import ApiError, Event, Unreachable
from harness.kudo import engine as engine_module
from harness.kudo.crds import CRD_NAMES, crds, install_crds
from harness.kudo.engine import Engine, EngineError, run_foreground
from harness.kudo.events import InstanceEvent
from harness.kudo.plan import Done, Outcome
from harness.kudo.reconcile import Reconciler
from tests.kudo_engine.fakes import (
    API,
    NAMESPACE,
    FakeCluster,
    FakeSource,
    instance_manifest,
    plan_state,
    serial,
    version_manifest,
)

TIMEOUT = 10.0


class Seen:
    """Waits until an Instance is in a state, on the cluster's own watch."""

    def __init__(self, cluster: FakeCluster, condition: Callable[[Manifest], bool]) -> None:
        self._condition = condition
        self._met = threading.Event()
        cluster.watch(API, "Instance", None).subscribe(self._look)

    def _look(self, event: Event) -> None:
        if self._condition(event.object):
            self._met.set()

    def wait(self) -> None:
        assert self._met.wait(TIMEOUT), "the instance did not get there in time"


def complete(name: str = "orders", plan: str = "deploy") -> Callable[[Manifest], bool]:
    return lambda item: item["metadata"]["name"] == name and plan_state(item, plan)[0] == "COMPLETE"


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster()


@contextmanager
def no_threads_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert [thread for thread in threading.enumerate() if thread not in before and thread.is_alive()] == []


def test_instance_that_was_there_before(cluster: FakeCluster) -> None:
    """An engine runs what it finds at its start, and leaves no thread and no watch behind."""
    cluster.create(version_manifest())
    cluster.create(instance_manifest())
    seen = Seen(cluster, complete())
    with no_threads_left(), Engine(cluster) as engine:
        seen.wait()
    assert engine.failed is None
    assert all(source.stopped for source in cluster.sources if source.kind != (API, "Instance") or source.label)


def test_instance_that_comes_later(cluster: FakeCluster) -> None:
    """An Instance whose operator version comes after it is run as soon as that is there."""
    seen = Seen(cluster, complete())
    with Engine(cluster) as engine:
        cluster.create(instance_manifest())
        cluster.create(version_manifest())
        seen.wait()
        assert engine.trouble == {}


def test_other_namespaces_are_left_alone(cluster: FakeCluster) -> None:
    """An engine for one namespace does not touch Instances of another one; two engines do not meet."""
    for namespace in (NAMESPACE, "other"):
        for manifest in (version_manifest(), instance_manifest()):
            manifest["metadata"]["namespace"] = namespace
            cluster.create(manifest)
    here = Seen(cluster, lambda item: complete()(item) and item["metadata"]["namespace"] == NAMESPACE)
    with Engine(cluster, namespaces=[NAMESPACE]):
        here.wait()
    assert "status" not in cluster.see("Instance", "orders", "other")
    there = Seen(cluster, lambda item: complete()(item) and item["metadata"]["namespace"] == "other")
    with Engine(cluster, namespaces=[NAMESPACE]), Engine(cluster, namespaces=["other"]):
        there.wait()


def test_workload_wakes_its_instance(cluster: FakeCluster) -> None:
    """A workload that turns healthy leads to a pass over its Instance at once, not at the next look."""
    template = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\n"
    cluster.create(version_manifest(templates={"cm.yaml": template}))
    cluster.create(instance_manifest())
    waiting = Seen(cluster, lambda item: plan_state(item)[0] == "IN_PROGRESS")
    done = Seen(cluster, complete())
    with Engine(cluster):
        waiting.wait()
        running = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
        cluster.change("Pod", "web", {"status": running}, subresource="status")
        done.wait()


def test_errors_of_the_api_are_tried_again(cluster: FakeCluster) -> None:
    """The engine outlives errors of the API."""
    cluster.create(version_manifest())
    down = Unreachable("patch", reason="Unreachable", message="refused")
    cluster.failures[("patch", "Instance")] = [down] * 3
    seen = Seen(cluster, complete())
    with Engine(cluster) as engine:
        cluster.create(instance_manifest())
        seen.wait()
        assert engine.failed is None


def test_trouble_names_the_instance(cluster: FakeCluster) -> None:
    """What keeps an Instance from being worked on can be asked for."""
    cluster.create(instance_manifest())
    told = threading.Event()
    engine = Engine(cluster, observer=lambda _event: told.set())
    with engine:
        assert told.wait(TIMEOUT)
        engine.stop()
    assert "Error getting operatorVersion db-0.1.0" in engine.trouble["shop/orders"]


def test_bug_in_a_task_surfaces(cluster: FakeCluster) -> None:
    """An unexpected error in the worker ends the engine, is kept, and is raised on leaving."""

    def broken(*_args: Any) -> Outcome:
        raise ZeroDivisionError("a bug")

    cluster.create(version_manifest())
    cluster.create(instance_manifest())
    engine = Engine(cluster, kinds={"Apply": broken})
    with pytest.raises(EngineError, match="ZeroDivisionError: a bug"), no_threads_left(), engine:
        assert engine.wait(TIMEOUT)
    assert isinstance(engine.failed, ZeroDivisionError)


def test_first_error_is_not_hidden(cluster: FakeCluster) -> None:
    """The engine's own failure does not hide the error that leaves its context."""

    def broken(*_args: Any) -> Outcome:
        raise ZeroDivisionError("a bug")

    cluster.create(version_manifest())
    cluster.create(instance_manifest())
    engine = Engine(cluster, kinds={"Apply": broken})
    with pytest.raises(KeyError, match="mine"), engine:
        _wait_and_raise(engine)


def _wait_and_raise(engine: Engine) -> None:
    assert engine.wait(TIMEOUT)
    raise KeyError("mine")


def test_watch_that_ends_surfaces(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A watch that failed for good ends the engine with its error."""
    monkeypatch.setattr(engine_module, "_HEARTBEAT", 0.01)
    engine = Engine(cluster).start()
    cluster.sources[3].failed = ApiError("watch", status=403, reason="Forbidden", message="forbidden")
    assert engine.wait(TIMEOUT)
    engine.stop()
    with pytest.raises(EngineError, match="forbidden"):
        engine.check()


def test_kinds_of_task_can_be_given(cluster: FakeCluster) -> None:
    """An engine runs the kinds of tasks that it is given."""
    cluster.create(version_manifest())
    cluster.create(instance_manifest())
    seen = Seen(cluster, complete())
    with Engine(cluster, kinds={"Apply": lambda _task, _desk: Done()}):
        seen.wait()
    assert not cluster.has("ConfigMap", "orders-settings")


def test_missing_kinds_are_told(cluster: FakeCluster) -> None:
    """Without KUDO's kinds the engine does not start, and says what to run."""
    del cluster.served[(API, "OperatorVersion")]
    with no_threads_left(), pytest.raises(UsageError, match="kubectl kudo init"):
        Engine(cluster).start()


def test_server_that_does_not_answer(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list that does not come in time stops everything that was started."""

    def late(_source: FakeSource, _timeout: float) -> object:
        raise DeadlineError("the list")

    monkeypatch.setattr(FakeSource, "wait_synced", late)
    with no_threads_left(), pytest.raises(DeadlineError):
        Engine(cluster).start()
    assert all(source.stopped for source in cluster.sources)


def test_stop_twice(cluster: FakeCluster) -> None:
    """Stopping twice, and stopping what never started, does nothing."""
    Engine(cluster).stop()
    engine = Engine(cluster).start()
    engine.stop()
    engine.stop()
    assert engine.wait(0)


def test_child_instance_wakes_its_parent(cluster: FakeCluster) -> None:
    """A change of an Instance that belongs to another one leads to a pass over that one."""
    cluster.create(version_manifest())
    heard: list[str] = []
    with Engine(cluster, observer=lambda event: heard.append(event.instance)) as engine:
        done = Seen(cluster, complete("child"))
        child = instance_manifest("child")
        child["metadata"]["ownerReferences"] = [{"apiVersion": API, "kind": "Instance", "name": "parent", "uid": "p"}]
        cluster.create(child)
        done.wait()
        assert engine.failed is None
    assert set(heard) == {"shop/child"}


def test_foreground_run(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """The foreground run installs the kinds, prints a line per plan event, and ends cleanly at Ctrl-C."""
    cluster.create(version_manifest())
    cluster.create(instance_manifest())
    cluster.rewrite = _establish
    seen = Seen(cluster, complete())

    def interrupted(_engine: Engine, _timeout: float) -> bool:
        seen.wait()
        raise KeyboardInterrupt

    monkeypatch.setattr(Engine, "wait", interrupted)
    out = io.StringIO()
    with no_threads_left():
        assert run_foreground(cluster, [NAMESPACE], out=out) == 0
    lines = [line.split("  ", 1)[1].strip() for line in out.getvalue().splitlines()]
    assert "engine ready, namespaces shop; Ctrl-C ends it" in lines
    assert "shop/orders  PlanStarted  Execution of plan deploy started" in lines
    assert "shop/orders  Step  deploy.main.everything COMPLETE" in lines
    assert lines[-1] == "engine stopped"
    assert all(cluster.has("CustomResourceDefinition", name) for name in CRD_NAMES)


def test_foreground_run_ends_at_sigterm(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM ends a foreground run as Ctrl-C does, and is put back as it was."""
    cluster.rewrite = _establish
    before = signal.getsignal(signal.SIGTERM)

    def terminated(_engine: Engine, _timeout: float) -> bool:
        signal.raise_signal(signal.SIGTERM)
        return False

    monkeypatch.setattr(Engine, "wait", terminated)
    out = io.StringIO()
    assert run_foreground(cluster, out=out) == 0
    assert out.getvalue().endswith("engine stopped\n")
    assert signal.getsignal(signal.SIGTERM) is before


def test_foreground_run_beside_the_main_thread(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A foreground run in another thread leaves signals alone."""
    cluster.rewrite = _establish
    monkeypatch.setattr(Engine, "wait", lambda _engine, _timeout: True)
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(run_foreground(cluster, out=io.StringIO())))
    thread.start()
    thread.join(TIMEOUT)
    assert codes == [0]


def test_foreground_run_that_fails(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A foreground run whose engine fails ends with code 1 and says why."""
    cluster.rewrite = _establish
    cluster.create(version_manifest(plans={"deploy": serial(("everything", ["settings"]))}))
    cluster.create(instance_manifest())

    def broken(*_args: Any) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(Reconciler, "reconcile", broken)
    assert run_foreground(cluster) == 1
    captured = capsys.readouterr()
    assert "all namespaces" in captured.out
    assert "ZeroDivisionError: a bug" in captured.err


def _establish(item: Manifest) -> None:
    if item["kind"] == "CustomResourceDefinition":
        item["status"] = {"conditions": [{"type": "Established", "status": "True"}]}


def test_install_crds_leaves_what_is_there(cluster: FakeCluster) -> None:
    """Definitions that are there are not touched; missing ones are created."""
    cluster.rewrite = _establish
    cluster.create(
        {"apiVersion": crds()[0]["apiVersion"], "kind": crds()[0]["kind"], "metadata": {"name": CRD_NAMES[0]}}
    )
    install_crds(cluster)
    assert "spec" not in cluster.see("CustomResourceDefinition", CRD_NAMES[0], None)
    assert cluster.see("CustomResourceDefinition", CRD_NAMES[2], None)["spec"]["names"]["kind"] == "Instance"
    install_crds(cluster)


def test_install_crds_has_a_deadline(cluster: FakeCluster) -> None:
    """Definitions that are never established end the wait with what is missing."""
    with pytest.raises(DeadlineError, match="CRD operators"):
        install_crds(cluster, timeout=0.05)


def test_definitions() -> None:
    """The definitions are those of the reference: names, scope, one version, a status subresource on Instances only."""
    found = crds()
    assert tuple(item["metadata"]["name"] for item in found) == CRD_NAMES
    assert {item["spec"]["scope"] for item in found} == {"Namespaced"}
    versions = [version for item in found for version in item["spec"]["versions"]]
    assert {(version["name"], version["served"], version["storage"]) for version in versions} == {
        ("v1beta1", True, True)
    }
    assert [version.get("subresources") for version in versions] == [None, None, {"status": {}}]


def test_event_reads_as_a_line() -> None:
    """An observed event is one line of text."""
    event = InstanceEvent(instance="shop/orders", type="Normal", reason="PlanStarted", message="Execution started")
    assert str(event) == "shop/orders  PlanStarted  Execution started"
