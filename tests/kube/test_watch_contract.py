"""Watches against a real API server, through a connection that can be cut."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from harness.clusters.control_plane import ControlPlane
from harness.kit.errors import DeadlineError
from harness.kit.waiting import Pending
from harness.kube import Event, Kube, Manifest, Unreachable
from tests.kube.cutter import Cutter

pytestmark = pytest.mark.contract
SOON = 10.0
CRD = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")


def config_map(name: str, label: str = "x", **data: str) -> Manifest:
    """Return a ConfigMap."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"l": label}}, "data": data}


def short(event: Event) -> tuple[str, str]:
    """Return an event in short."""
    return event.type, event.object["metadata"]["name"]


@pytest.fixture
def cutter(api_server: ControlPlane) -> Iterator[Cutter]:
    """Yield a port to the API server that can be cut."""
    with Cutter(urlsplit(api_server.url).port or 0) as cutter:
        yield cutter


@pytest.fixture
def cut_kube(kube: Kube, cutter: Cutter, api_server: ControlPlane, tmp_path: Path) -> Iterator[Kube]:
    """Yield a client whose connections go through the cutter."""
    with Kube.connect(cutter.kubeconfig(api_server.kubeconfig, tmp_path / "cut")) as cut_kube:
        cut_kube.default_namespace = kube.default_namespace
        yield cut_kube


def test_changes_arrive_as_events(kube: Kube) -> None:
    """What is there, what comes, changes and goes; only with the labels that were asked for, and with its kind."""
    kube.create(config_map("a"))
    kube.create(config_map("z", "other"))
    with kube.watch("v1", "ConfigMap", kube.default_namespace, labels="l=x") as watch:
        events = watch.events(SOON)
        first = next(events)
        assert (short(first), first.object["kind"]) == (("ADDED", "a"), "ConfigMap")
        kube.create(config_map("b"))
        kube.patch("v1", "ConfigMap", "a", {"data": {"x": "1"}})
        kube.delete("v1", "ConfigMap", "b")
        kube.patch("v1", "ConfigMap", "a", {"metadata": {"labels": {"l": "left"}}})
        told = [short(next(events)) for _ in range(4)]
    assert told == [("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "b"), ("DELETED", "a")]


def test_an_event_is_here_within_milliseconds(kube: Kube) -> None:
    """Between the answer to a patch and its event lie milliseconds, not a polling interval."""
    kube.create(config_map("a"))
    with kube.watch("v1", "ConfigMap", kube.default_namespace) as watch:
        events = watch.events(SOON)
        next(events)
        delays = []
        for number in range(20):
            begun = time.monotonic()
            kube.patch("v1", "ConfigMap", "a", {"data": {"x": str(number)}})
            delays.append(next(events).received - begun)
    assert sorted(delays)[10] < 0.2  # 7 ms on an idle machine


def test_a_cut_connection_resumes_without_a_gap(kube: Kube, cut_kube: Kube, cutter: Cutter) -> None:
    """What happened while the connection was away is told afterwards, once, by the watch and not by a list."""
    kube.create(config_map("a"))
    with cut_kube.watch("v1", "ConfigMap", kube.default_namespace) as watch:
        events = watch.events(SOON)
        next(events)
        kube.patch("v1", "ConfigMap", "a", {"data": {"x": "0"}})
        next(events)
        told = []
        for number in range(3):
            cutter.cut()
            kube.create(config_map(f"b{number}"))
            kube.delete("v1", "ConfigMap", f"b{number}")
            told += [next(events), next(events)]
    assert [short(event) for event in told] == [(word, f"b{n}") for n in range(3) for word in ("ADDED", "DELETED")]
    assert not any(event.relisted for event in told)


def test_a_server_that_dies_under_a_wait_is_named_in_its_error(kube: Kube, cut_kube: Kube, cutter: Cutter) -> None:
    """The wait ends at its deadline and says that the server does not answer; the next request fails at once."""
    kube.create(config_map("a"))

    def never(found: Manifest | None) -> Pending:
        cutter.shut()
        return Pending("the last state that was met")

    with pytest.raises(DeadlineError) as caught:
        cut_kube.until("v1", "ConfigMap", "a", None, never, timeout=0.5, wanted="something")
    assert "the last state that was met" in caught.value.seen
    assert "Connection refused" in caught.value.seen
    with pytest.raises(Unreachable):
        cut_kube.get("v1", "ConfigMap", "a")


def test_a_server_that_falls_silent_does_not_hang_us(
    kube: Kube, cutter: Cutter, api_server: ControlPlane, tmp_path: Path
) -> None:
    """Requests end at their timeout, waits at their deadline, and a stop is prompt, though connections stay open."""
    config = cutter.kubeconfig(api_server.kubeconfig, tmp_path / "cut")
    with Kube.connect(config, request_timeout=0.5) as cut_kube:
        with cut_kube.watch("v1", "ConfigMap", kube.default_namespace) as watch:
            events = watch.events(SOON)
            kube.create(config_map("a"))
            next(events)
            kube.create(config_map("b"))
            next(events)  # by now the watch itself is open
            cutter.freeze()
            with pytest.raises(Unreachable) as caught:
                cut_kube.get("v1", "ConfigMap", "a")
            assert "silence" in caught.value.seen
            with pytest.raises(DeadlineError):
                watch.until(lambda _: Pending("nothing yet"), timeout=0.1, wanted="something")
            begun = time.monotonic()
        assert time.monotonic() - begun < 0.5


def definition(group: str) -> Manifest:
    """Return the definition of a kind Thing."""
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
    names = {"plural": "things", "kind": "Thing"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"things.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [version]},
    }


@pytest.fixture
def thing(kube: Kube) -> Iterator[Manifest]:
    """Yield an object, not created yet, of a kind that is served and goes away again."""
    group = f"{kube.default_namespace}.harness.dev"
    kube.create(definition(group))
    kube.until_served(f"{group}/v1", "Thing", timeout=SOON)
    yield {"apiVersion": f"{group}/v1", "kind": "Thing", "metadata": {"name": "t"}}
    kube.delete(*CRD, f"things.{group}")


def test_a_forgotten_version_leads_to_the_difference(
    kube: Kube, cut_kube: Kube, cutter: Cutter, thing: Manifest
) -> None:
    """When the server says 410, a new list tells what is gone, changed and new."""

    def named(name: str) -> Manifest:
        return {**thing, "metadata": {"name": name}}

    for name in ("same", "changed", "gone"):
        kube.create(named(name))
    kind = (thing["apiVersion"], "Thing")
    with cut_kube.watch(*kind, kube.default_namespace) as watch:
        events = watch.events(SOON)
        for _ in range(3):
            next(events)
        # Long forgotten: the server remembers nothing from before the kind was defined.
        watch._reflector._version = "1"
        cutter.cut()
        kube.delete(*kind, "gone")
        kube.patch(*kind, "changed", {"metadata": {"labels": {"x": "1"}}})
        kube.create(named("new"))
        told = [next(events) for _ in range(3)]
    assert {short(event) for event in told} == {("DELETED", "gone"), ("MODIFIED", "changed"), ("ADDED", "new")}


def test_a_kind_may_go_away_and_come_back(kube: Kube, thing: Manifest) -> None:
    """A watch outlives its definition: the objects go, and those of the new definition come."""
    group = thing["apiVersion"].partition("/")[0]
    with kube.watch(thing["apiVersion"], "Thing", kube.default_namespace) as watch:
        events = watch.events(30)
        kube.create(thing)
        assert short(next(events)) == ("ADDED", "t")
        kube.delete(*CRD, f"things.{group}")
        assert short(next(events)) == ("DELETED", "t")
        kube.until_gone(*CRD, f"things.{group}", timeout=SOON)
        kube.create(definition(group))
        kube.until_served(thing["apiVersion"], "Thing", timeout=SOON)
        kube.create(thing)
        assert short(next(events)) == ("ADDED", "t")


def test_a_stop_is_prompt_on_a_real_connection(kube: Kube) -> None:
    """The thread that reads the connection wakes up at once."""
    with kube.watch("v1", "ConfigMap", kube.default_namespace) as watch:
        watch.wait_synced(SOON)
        kube.create(config_map("a"))
        next(watch.events(SOON))
        begun = time.monotonic()
        watch.stop()
        assert time.monotonic() - begun < 0.5
        assert not watch._thread.is_alive()
        assert watch.failed is None
