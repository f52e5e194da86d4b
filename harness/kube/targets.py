"""Which pod a port-forward leads to: a pod by name, or a ready one behind a Service.

Only harness.kube imports it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from harness.kit.errors import HarnessError, UsageError, did_you_mean
from harness.kube.channels import Channels
from harness.kube.errors import NotFound
from harness.kube.objects import Manifest, Ref, dig, name_of, uid_of
from harness.kube.portforward import Endpoint
from harness.kube.session import Session
from harness.kube.transport import Request

__all__ = ["PodDialer", "ServiceDialer", "dialer_for"]

_PROTOCOLS = ("v4.channel.k8s.io",)
_SERVICE_LABEL = "kubernetes.io/service-name"
_KINDS = {"pod": "Pod", "pods": "Pod", "po": "Pod", "service": "Service", "services": "Service", "svc": "Service"}


class Reads(Protocol):
    """What is asked of the client."""

    def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Manifest:
        """Return an object."""
        ...

    def find(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Manifest | None:
        """Return an object, or None."""
        ...

    def list(
        self, api_version: str, kind: str, namespace: str | None = None, *, labels: str = "", fields: str = ""
    ) -> list[Manifest]:
        """Return all objects of a kind."""
        ...


def dialer_for(kube: Reads, session: Session, target: str, namespace: str, port: int) -> PodDialer | ServiceDialer:
    """Return the way to a target: "name", "pod/name" or "service/name"; a plain name is a pod's before a Service's.

    Raises:
        NotFound: neither exists; with the names that do.
        UsageError: the text before the slash is not a kind that a port can be forwarded to.
    """
    word, slash, name = target.rpartition("/")
    if slash and word not in _KINDS:
        raise UsageError("pod/NAME or service/NAME", seen=target)
    if slash:
        kind = _KINDS[word]
    elif kube.find("v1", "Pod", name, namespace):
        kind = "Pod"
    elif kube.find("v1", "Service", name, namespace):
        kind = "Service"
    else:
        raise _nothing_of_that_name(kube, name, namespace)
    if kind == "Pod":
        return PodDialer(kube, session, name, namespace, port)
    return ServiceDialer(kube, session, name, namespace, port)


class PodDialer:
    """A pod by its name, whichever pod has that name at the moment."""

    def __init__(self, kube: Reads, session: Session, name: str, namespace: str, port: int) -> None:
        self._kube = kube
        self._session = session
        self._name = name
        self._namespace = namespace
        self._port = port

    def resolve(self) -> Endpoint:
        """Return the running pod of that name.

        Raises:
            NotFound: there is none.
            HarnessError: it does not run.
        """
        pod = self._kube.get("v1", "Pod", self._name, self._namespace)
        phase = dig(pod, "status.phase", "Unknown")
        if phase != "Running":
            raise HarnessError(f"{Ref.of(pod)} running", seen=f"pod {self._namespace}/{self._name} is {phase}")
        return Endpoint(pod=self._name, namespace=self._namespace, port=self._port, uid=uid_of(pod))

    def dial(self, endpoint: Endpoint) -> Channels:
        """Open a connection to a pod's port."""
        return _dial(self._session, endpoint)


class ServiceDialer:
    """A ready pod behind a Service; the same one as before as long as it stays ready."""

    def __init__(self, kube: Reads, session: Session, name: str, namespace: str, port: int) -> None:
        self._kube = kube
        self._session = session
        self._name = name
        self._namespace = namespace
        self._port = port
        self._last: Endpoint | None = None

    def resolve(self) -> Endpoint:
        """Return a ready pod.

        Raises:
            NotFound: there is no such Service.
            UsageError: the Service has no such port.
            HarnessError: no pod behind it is ready.
        """
        service = self._kube.get("v1", "Service", self._name, self._namespace)
        port_name = self._port_name(service)
        labels = f"{_SERVICE_LABEL}={self._name}"
        slices = self._kube.list("discovery.k8s.io/v1", "EndpointSlice", self._namespace, labels=labels)
        found = sorted(_ready_pods(slices, self._namespace, port_name), key=lambda one: one.pod)
        if not found:
            raise HarnessError(
                f"a ready pod behind Service {self._namespace}/{self._name}",
                seen=f"none of {sum(len(one.get('endpoints') or []) for one in slices)} endpoints is ready",
            )
        chosen = self._last if self._last is not None and self._last in found else found[0]
        self._last = chosen
        return chosen

    def dial(self, endpoint: Endpoint) -> Channels:
        """Open a connection to a pod's port."""
        return _dial(self._session, endpoint)

    def _port_name(self, service: Manifest) -> str:
        ports = dig(service, "spec.ports") or []
        found = next((one for one in ports if one.get("port") == self._port), None)
        if found is None:
            exists = [f"{one.get('port')} ({one.get('name', 'unnamed')})" for one in ports]
            wanted = f"port {self._port} of Service {self._namespace}/{self._name}"
            raise UsageError(wanted, seen="no such port", exists=exists)
        return str(found.get("name") or "")


def _ready_pods(slices: list[Manifest], namespace: str, port_name: str) -> Iterator[Endpoint]:
    for one in slices:
        port = next((entry for entry in one.get("ports") or [] if (entry.get("name") or "") == port_name), None)
        for endpoint in one.get("endpoints") or []:
            target = endpoint.get("targetRef") or {}
            ready = (endpoint.get("conditions") or {}).get("ready", True)  # not told counts as ready
            if port and ready and target.get("kind") == "Pod":
                yield Endpoint(
                    pod=str(target["name"]), namespace=namespace, port=int(port["port"]), uid=str(target.get("uid", ""))
                )


def _dial(session: Session, endpoint: Endpoint) -> Channels:
    request = Request(
        method="GET",
        path=f"/api/v1/namespaces/{endpoint.namespace}/pods/{endpoint.pod}/portforward",
        query=[("ports", str(endpoint.port))],
        wanted=f"port-forward to {endpoint}",
    )
    return Channels(session.transport.websocket(request, _PROTOCOLS))


def _nothing_of_that_name(kube: Reads, name: str, namespace: str) -> NotFound:
    names = [f"pod/{name_of(one)}" for one in kube.list("v1", "Pod", namespace)]
    names += [f"service/{name_of(one)}" for one in kube.list("v1", "Service", namespace)]
    hint = did_you_mean(name, [one.partition("/")[2] for one in names])
    error = NotFound(
        f"a pod or Service {namespace}/{name}", status=404, reason="NotFound", message=hint or "neither is there"
    )
    error.exists = tuple(names)
    return error
