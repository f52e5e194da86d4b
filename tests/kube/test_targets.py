"""Which pod a port-forward leads to."""

from __future__ import annotations

from typing import Any, cast

import pytest

from harness.kit.errors import HarnessError, UsageError
from harness.kube import NotFound
from harness.kube.portforward import Endpoint
from harness.kube.session import Session
from harness.kube.targets import PodDialer, ServiceDialer, dialer_for
from tests.kube.fakes import FakeTransport, Peer

NO_SESSION = cast("Session", None)


def pod(name: str, phase: str = "Running") -> dict[str, Any]:
    """Return a pod."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "ns", "uid": f"uid-{name}"},
        "status": {"phase": phase},
    }


def service(name: str, **ports: int) -> dict[str, Any]:
    """Return a Service with named ports."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"ports": [{"name": key, "port": number} for key, number in ports.items()]},
    }


def endpoints(ports: dict[str, int], **ready: bool | None) -> dict[str, Any]:
    """Return an EndpointSlice: port names and numbers, pods and whether they are ready."""
    return {
        "kind": "EndpointSlice",
        "metadata": {"name": "slice"},
        "ports": [{"name": key, "port": number} for key, number in ports.items()],
        "endpoints": [
            {
                "targetRef": {"kind": "Pod", "name": name, "uid": f"uid-{name}"},
                "conditions": {} if value is None else {"ready": value},
            }
            for name, value in ready.items()
        ],
    }


class FakeKube:
    """Objects by kind."""

    def __init__(self, *objects: dict[str, Any]) -> None:
        self.objects = list(objects)

    def list(self, api_version: str, kind: str, namespace: str | None = None, **_: str) -> list[dict[str, Any]]:
        return [one for one in self.objects if one["kind"] == kind]

    def find(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> dict[str, Any] | None:
        return next((one for one in self.list("", kind) if one["metadata"]["name"] == name), None)

    def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> dict[str, Any]:
        found = self.find(api_version, kind, name)
        if found is None:
            raise NotFound(f"get {kind} {name}", status=404)
        return found


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("both", PodDialer),
        ("pod/both", PodDialer),
        ("svc/both", ServiceDialer),
        ("service/both", ServiceDialer),
        ("s", ServiceDialer),
    ],
)
def test_a_plain_name_is_a_pods_before_a_services(target: str, kind: type) -> None:
    """A kind before the name decides; without one, pods are looked at first."""
    kube = FakeKube(pod("both"), service("both"), service("s"))
    assert type(dialer_for(kube, NO_SESSION, target, "ns", 80)) is kind


def test_a_name_that_is_neither_lists_what_there_is() -> None:
    """The error has the nearest name and all names."""
    with pytest.raises(NotFound) as caught:
        dialer_for(FakeKube(pod("galera-0"), service("galera")), NO_SESSION, "galera-1", "ns", 80)
    assert 'did you mean "galera-0"?' in str(caught.value)
    assert "pod/galera-0, service/galera" in str(caught.value)


def test_other_kinds_are_refused() -> None:
    """Only pods and Services can be targets."""
    with pytest.raises(UsageError, match="pod/NAME or service/NAME"):
        dialer_for(FakeKube(), NO_SESSION, "deployment/x", "ns", 80)


def test_a_pod_is_a_target_while_it_runs() -> None:
    """The endpoint has the pod's uid, so that a namesake is noticed; a pod that does not run is none."""
    kube = FakeKube(pod("p"))
    dialer = PodDialer(kube, NO_SESSION, "p", "ns", 3306)
    assert dialer.resolve() == Endpoint(pod="p", namespace="ns", port=3306, uid="uid-p")
    kube.objects[0] = pod("p", "Pending")
    with pytest.raises(HarnessError) as caught:
        dialer.resolve()
    assert caught.value.seen == "pod ns/p is Pending"


def test_a_services_port_leads_to_the_pods_port() -> None:
    """The Service's port number is looked up by its name in the slices, which may be several."""
    kube = FakeKube(
        service("s", web=80, sql=3306),
        endpoints({"other": 1}, a=True),
        endpoints({"web": 8080, "sql": 13306}, c=True, b=None, d=False),
    )
    assert ServiceDialer(kube, NO_SESSION, "s", "ns", 80).resolve() == Endpoint(
        pod="b", namespace="ns", port=8080, uid="uid-b"
    )


def test_a_service_sticks_to_its_pod_while_that_is_ready() -> None:
    """A pod that comes back does not take connections away from the one in use."""
    kube = FakeKube(service("s", web=80), endpoints({"web": 80}, a=False, b=True))
    dialer = ServiceDialer(kube, NO_SESSION, "s", "ns", 80)
    assert dialer.resolve().pod == "b"
    kube.objects[1] = endpoints({"web": 80}, a=True, b=True)
    assert dialer.resolve().pod == "b"
    kube.objects[1] = endpoints({"web": 80}, a=True, b=False)
    assert dialer.resolve().pod == "a"


def test_a_service_without_that_port_lists_its_ports() -> None:
    """The error has the ports that exist."""
    with pytest.raises(UsageError) as caught:
        ServiceDialer(FakeKube(service("s", web=80)), NO_SESSION, "s", "ns", 81).resolve()
    assert caught.value.exists == ("80 (web)",)


def test_a_service_without_ready_pods_says_so() -> None:
    """The error counts the endpoints that are not ready."""
    kube = FakeKube(service("s", web=80), endpoints({"web": 80}, a=False, b=False))
    with pytest.raises(HarnessError) as caught:
        ServiceDialer(kube, NO_SESSION, "s", "ns", 80).resolve()
    assert caught.value.seen == "none of 2 endpoints is ready"


def test_a_connection_is_opened_to_the_pods_port() -> None:
    """The websocket is asked for with the pod's port and the old channel protocol."""
    transport = FakeTransport()
    peer = Peer("v4.channel.k8s.io")
    transport.websockets = [peer.client]
    dialer = PodDialer(FakeKube(pod("p")), Session(transport=transport), "p", "ns", 3306)
    dialer.dial(dialer.resolve()).close()
    assert transport.requests[0].path == "/api/v1/namespaces/ns/pods/p/portforward"
    assert transport.requests[0].query == [("ports", "3306")]
    peer.close()
