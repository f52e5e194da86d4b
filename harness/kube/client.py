"""Kube: one API server, spoken to in plain dicts.

Everybody above harness.kube uses it through `Kube.connect`. It is thread-safe. The official client carries the bytes
(kubeconfig, credentials, TLS, connection pool); its typed classes are never loaded.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeVar
from weakref import WeakSet

from harness.kit.errors import UsageError
from harness.kit.waiting import Deadline, Pending, until
from harness.kube.address import Address, locate, place
from harness.kube.discovery import Discovery, Resource
from harness.kube.errors import NotFound, UnknownKind
from harness.kube.objects import Manifest, Ref, dig, uid_of
from harness.kube.portforward import PortForward
from harness.kube.reflect import list_objects
from harness.kube.session import Session
from harness.kube.stream import Executed, LogStream, execute, follow_logs, read_logs
from harness.kube.targets import dialer_for
from harness.kube.transport import Request, Transport, connect
from harness.kube.watch import Watch

__all__ = ["Kube", "PatchType"]

T = TypeVar("T")
PatchType = Literal["merge", "json", "strategic"]
Propagation = Literal["Background", "Foreground", "Orphan"]
FIELD_MANAGER = "harness"
JSON = "application/json"
_OURS = [("fieldManager", FIELD_MANAGER)]
_APPLY = "application/apply-patch+yaml"
_PATCHES: dict[PatchType, str] = {
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "strategic": "application/strategic-merge-patch+json",
}


class Kube:
    """A client of one API server with one user and one default namespace."""

    def __init__(
        self,
        transport: Transport,
        *,
        default_namespace: str = "default",
        context: str = "",
        request_timeout: float = 30.0,
    ) -> None:
        self.default_namespace = default_namespace
        self.context = context
        self._transport = transport
        self._session = Session(transport=transport, request_timeout=request_timeout)
        self._discovery = Discovery(self._session)
        self._open: WeakSet[Any] = WeakSet()  # watches and port-forwards, closed with us
        self._lock = threading.Lock()

    @classmethod
    def connect(
        cls, kubeconfig: Path | None = None, context: str | None = None, *, request_timeout: float = 30.0
    ) -> Kube:
        """Return a client for a kubeconfig's context; no request is made yet.

        Args:
            kubeconfig: the file; None takes $KUBECONFIG, then ~/.kube/config, then a pod's own service account.
            context: the context's name; None takes the file's current one.
            request_timeout: seconds for one request, its retries included.

        Raises:
            UsageError: no such file or context; with the contexts that exist.
        """
        target = connect(kubeconfig, context)
        return cls(
            target.transport,
            default_namespace=target.namespace,
            context=target.context,
            request_timeout=request_timeout,
        )

    @property
    def server(self) -> str:
        """The API server's address."""
        return self._transport.server

    def close(self) -> None:
        """Stop what was opened here (watches, port-forwards) and drop the connections."""
        with self._lock:
            opened = list(self._open)
        for one in opened:
            one.stop()
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def server_version(self) -> str:
        """Return the server's version, "v1.36.3"."""
        return str(self.raw("GET", "/version")["gitVersion"])

    def resource(self, api_version: str, kind: str) -> Resource:
        """Return how a kind is served; a miss asks the server once more.

        Raises:
            UnknownKind: not served, with the nearest kinds that are.
        """
        return self._discovery.resource(api_version, kind)

    def resources(self) -> list[Resource]:
        """Return all kinds that the server serves now."""
        return self._discovery.resources()

    def until_served(self, api_version: str, kind: str, *, timeout: float | Deadline = 30.0) -> Resource:
        """Wait until a kind is served: a CustomResourceDefinition takes a moment.

        Raises:
            DeadlineError: it was not in time.
        """

        def served() -> Resource | Pending:
            try:
                resource = self.resource(api_version, kind)
            except UnknownKind as error:
                return Pending(error.seen)
            try:  # what we know may be old, and discovery may be ahead of what it tells of
                self.raw("GET", resource.path(), query=[("limit", "1")], wanted=f"list {api_version}/{kind}")
            except NotFound as error:
                self._discovery.forget(resource)
                return Pending(error.seen)
            return resource

        # Neither can be watched; this asks, at growing intervals.
        return until(served, timeout=timeout, wanted=f"the kind {api_version}/{kind} served", interval=0.02)

    def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Manifest:
        """Return an object.

        Args:
            api_version: "apps/v1".
            kind: "StatefulSet".
            name: the object's name.
            namespace: None is the default namespace; ignored for cluster-wide kinds.

        Raises:
            NotFound: there is none.
            UnknownKind: the kind is not served.
        """
        address = self._at(api_version, kind, name, namespace)
        return self._call("GET", "get", address, address.path())

    def find(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Manifest | None:
        """Return an object, or None when there is none. Arguments as for get."""
        try:
            return self.get(api_version, kind, name, namespace)
        except NotFound:
            return None

    def list(
        self, api_version: str, kind: str, namespace: str | None = None, *, labels: str = "", fields: str = ""
    ) -> list[Manifest]:
        """Return all objects of a kind.

        Args:
            api_version: "v1".
            kind: "Pod".
            namespace: None is all namespaces.
            labels: a label selector, "app=galera,tier!=web".
            fields: a field selector, "status.phase=Running".
        """
        selectors = [(key, text) for key, text in (("labelSelector", labels), ("fieldSelector", fields)) if text]
        return list_objects(self._session, self.resource(api_version, kind), namespace, selectors)[0]

    def create(self, manifest: Manifest, namespace: str | None = None, *, subresource: str | None = None) -> Manifest:
        """Create an object and return it as the server keeps it.

        Args:
            manifest: the object; not changed.
            namespace: where, when the object does not say; then the default namespace.
            subresource: "eviction", "token", ...: the manifest is then posted to that part of the object it names.

        Raises:
            AlreadyExists: an object of that name is there.
            Invalid: the object is not valid; the causes name the fields.
        """
        address, body = self._placed(manifest, namespace, subresource)
        path = address.path(subresource) if subresource else address.collection
        return self._call("POST", "create", address, path, body=body, query=_OURS)

    def replace(self, manifest: Manifest, namespace: str | None = None, *, subresource: str | None = None) -> Manifest:
        """Replace an object as a whole and return it as the server keeps it.

        Args:
            manifest: the object; when it carries a resourceVersion, the server's must be the same.
            namespace: where, when the object does not say.
            subresource: "status", when only that part is to be replaced.

        Raises:
            Conflict: the object changed in between.
        """
        address, body = self._placed(manifest, namespace)
        return self._call("PUT", "replace", address, address.path(subresource), body=body, query=_OURS)

    def apply(
        self,
        manifest: Manifest,
        namespace: str | None = None,
        *,
        field_manager: str = FIELD_MANAGER,
        force: bool = True,
        subresource: str | None = None,
    ) -> Manifest:
        """Apply an object on the server's side: create it, or own the fields that it names.

        Args:
            manifest: the fields that are wanted; not changed.
            namespace: where, when the object does not say.
            field_manager: who owns the fields.
            force: take fields over from other managers.
            subresource: "status", when only that part is meant.

        Raises:
            Conflict: another manager owns a field, and force is off; the causes name fields and managers.
        """
        address, body = self._placed(manifest, namespace)
        query = [("fieldManager", field_manager), ("force", str(force).lower())]
        path = address.path(subresource)
        return self._call("PATCH", "apply", address, path, body=body, query=query, content_type=_APPLY)

    def patch(
        self,
        api_version: str,
        kind: str,
        name: str,
        body: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        namespace: str | None = None,
        *,
        patch_type: PatchType = "merge",
        subresource: str | None = None,
    ) -> Manifest:
        """Change parts of an object and return it as the server keeps it.

        Args:
            api_version: "apps/v1".
            kind: "StatefulSet".
            name: the object's name.
            body: an object for a merge or strategic patch, a list of operations for a JSON patch.
            namespace: None is the default namespace.
            patch_type: "strategic" is for built-in kinds only.
            subresource: "status", "scale", ...

        Raises:
            NotFound: there is no such object.
            Invalid: the result is not valid.
        """
        address = self._at(api_version, kind, name, namespace)
        path, content_type = address.path(subresource), _PATCHES[patch_type]
        return self._call("PATCH", "patch", address, path, body=body, query=_OURS, content_type=content_type)

    def delete(
        self,
        api_version: str,
        kind: str,
        name: str,
        namespace: str | None = None,
        *,
        propagation: Propagation = "Background",
        grace: int | None = None,
        missing_ok: bool = True,
        uid: str | None = None,
    ) -> None:
        """Ask for an object's removal; until_gone waits for it.

        Args:
            api_version: "v1".
            kind: "Pod".
            name: the object's name.
            namespace: None is the default namespace.
            propagation: what happens to the objects that it owns.
            grace: seconds for a pod to end; 0 kills; None is the pod's own.
            missing_ok: whether an object that is not there is no error.
            uid: only the object of that uid, not one of the same name that came later.

        Raises:
            NotFound: there is none, and missing_ok is off.
            Conflict: an object of another uid is there.
        """
        options: Manifest = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
        options |= {"gracePeriodSeconds": grace} if grace is not None else {}
        options |= {"preconditions": {"uid": uid}} if uid else {}
        address = self._at(api_version, kind, name, namespace)
        try:
            self._call("DELETE", "delete", address, address.path(), body=options)
        except NotFound:
            if not missing_ok:
                raise

    def delete_all(
        self,
        api_version: str,
        kind: str,
        namespace: str | None,
        *,
        labels: str,
        propagation: Propagation = "Background",
    ) -> None:
        """Ask for the removal of all objects of a kind with certain labels.

        Args:
            api_version: "v1".
            kind: "ConfigMap".
            namespace: needed for kinds that live in one.
            labels: a label selector; must not be empty, so that a slip does not empty a namespace.
            propagation: what happens to the objects that they own.
        """
        resource = self.resource(api_version, kind)
        if not labels or (resource.namespaced and not namespace):
            raise UsageError(f"delete all {kind} objects", seen="no label selector, or no namespace")
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
        self.raw(
            "DELETE", resource.path(namespace), body=options, query=[("labelSelector", labels)],
            wanted=f"delete {api_version}/{kind} objects with {labels}",
        )  # fmt: skip

    def raw(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Sequence[tuple[str, str]] = (),
        content_type: str = JSON,
        wanted: str = "",
    ) -> Any:
        """Carry out any request and return its answer as JSON.

        Args:
            method: "GET", "POST", ...
            path: "/version", "/api/v1/namespaces/x/pods/y/eviction".
            body: a JSON value to send.
            query: pairs for the URL.
            content_type: of the body.
            wanted: what it is for, for errors.

        Raises:
            ApiError: the server refused, or did not answer in time.
        """
        wanted = wanted or f"{method} {path}"
        request = Request(
            method=method, path=path, query=query, content_type=content_type, wanted=wanted,
            read=self._session.request_timeout,
        )  # fmt: skip
        return self._session.json(request, body)

    def watch(
        self, api_version: str, kind: str, namespace: str | None = None, *, labels: str = "", fields: str = ""
    ) -> Watch:
        """Return a running watch; use it as a context manager or stop it.

        Args:
            api_version: "v1".
            kind: "Pod".
            namespace: None is all namespaces.
            labels: a label selector.
            fields: a field selector, "metadata.name=x".

        Raises:
            UnknownKind: the kind is not served.
        """
        return self._watch(api_version, kind, namespace, labels=labels, fields=fields).start()

    def until(
        self,
        api_version: str,
        kind: str,
        name: str,
        namespace: str | None,
        condition: Callable[[Manifest | None], T | Pending],
        *,
        timeout: float | Deadline,
        wanted: str,
    ) -> T:
        """Wait until a condition on one object is true, decided on each of its changes.

        Args:
            api_version: "apps/v1".
            kind: "StatefulSet".
            name: the object's name.
            namespace: None is the default namespace.
            condition: gets the object, or None while there is none; answers with a value or Pending.
            timeout: seconds, or the caller's deadline.
            wanted: the condition, for the error.

        Raises:
            DeadlineError: with the last reason, and what is wrong with the connection if anything is.
        """
        deadline = timeout if isinstance(timeout, Deadline) else Deadline.after(timeout)
        answer = condition(self.find(api_version, kind, name, namespace))
        if not isinstance(answer, Pending):
            return answer
        ref = self._at(api_version, kind, name, namespace).ref
        # Not started yet: then the wait is there first, and no state passes before it looks.
        with self._watch(api_version, kind, ref.namespace, fields=f"metadata.name={name}") as watch:
            return watch.decide(
                lambda objects: condition(objects[0] if objects else None), deadline, wanted, reason=answer.reason
            )

    def until_gone(
        self, api_version: str, kind: str, name: str, namespace: str | None = None, *, timeout: float | Deadline
    ) -> None:
        """Wait until the object that is there now is gone; one of the same name that comes after it does not count.

        Raises:
            DeadlineError: it is still there; `seen` names the finalizers that hold it.
        """
        first: list[str] = []

        def gone(found: Manifest | None) -> bool | Pending:
            if found is None:
                return True
            first.append(uid_of(found))
            return True if uid_of(found) != first[0] else Pending(_why_still_there(found))

        ref = Ref(api_version, kind, name, namespace)
        self.until(api_version, kind, name, namespace, gone, timeout=timeout, wanted=f"{ref} gone")

    def exec(
        self,
        pod: str,
        namespace: str | None,
        argv: Sequence[str],
        *,
        container: str | None = None,
        stdin: str | bytes | None = None,
        timeout: float | Deadline = 30.0,
    ) -> Executed:
        """Run a program in a pod's container to its end; an exit code other than 0 is no error.

        Args:
            pod: the pod's name.
            namespace: None is the default namespace.
            argv: program and arguments; no shell is involved.
            container: None is the pod's default container.
            stdin: what it reads on standard input, which is closed after it.
            timeout: seconds, or the caller's deadline.

        Raises:
            ApiError: no such pod or container, or the program cannot be started.
            DeadlineError: it did not end in time; `seen` is the tail of what it printed. It is not killed.
        """
        place = namespace or self.default_namespace
        return execute(self._session, pod, place, argv, container=container, stdin=stdin, timeout=timeout)

    def logs(
        self,
        pod: str,
        namespace: str | None,
        *,
        container: str | None = None,
        previous: bool = False,
        tail: int | None = None,
        timeout: float = 30.0,
    ) -> str:
        """Return what a container has printed.

        Args:
            pod: the pod's name.
            namespace: None is the default namespace.
            container: None is the pod's default container.
            previous: the container before its last restart.
            tail: the last lines only.
            timeout: seconds.

        Raises:
            NotFound: there is no such pod.
            ApiError: there is no such container, or it has not started.
        """
        place = namespace or self.default_namespace
        return read_logs(self._session, pod, place, container=container, previous=previous, tail=tail, timeout=timeout)

    def follow_logs(
        self, pod: str, namespace: str | None, *, container: str | None = None, tail: int | None = None
    ) -> LogStream:
        """Return a container's lines as they come; stop it, or use it as a context manager. Arguments as for logs."""
        stream = follow_logs(self._session, pod, namespace or self.default_namespace, container=container, tail=tail)
        self._keep(stream)
        return stream

    def port_forward(
        self, pod_or_service: str, namespace: str | None, port: int, *, patience: float = 10.0
    ) -> PortForward:
        """Return a local port that leads to a port of a pod; use it as a context manager or stop it.

        Args:
            pod_or_service: a name (a pod's before a Service's), "pod/NAME" or "service/NAME".
            namespace: None is the default namespace.
            port: the pod's port, or the Service's.
            patience: seconds that a new connection waits while the pod is being replaced.

        Raises:
            NotFound: there is no such pod or Service; with the names that exist.
            HarnessError: no pod is running or ready there.
        """
        place = namespace or self.default_namespace
        dialer = dialer_for(self, self._session, pod_or_service, place, port)
        forward = PortForward(f"{place}/{pod_or_service}:{port}", dialer, patience=patience)
        self._keep(forward)
        return forward.start()

    def _watch(
        self, api_version: str, kind: str, namespace: str | None, *, labels: str = "", fields: str = ""
    ) -> Watch:
        watch = Watch(self._session, self.resource(api_version, kind), namespace, labels=labels, fields=fields)
        self._keep(watch)
        return watch

    def _keep(self, opened: Any) -> None:
        with self._lock:
            self._open.add(opened)

    def _at(self, api_version: str, kind: str, name: str, namespace: str | None) -> Address:
        home = self.default_namespace
        return locate(self.resource, api_version, kind, name, namespace=namespace, default_namespace=home)

    def _placed(
        self, manifest: Manifest, namespace: str | None, subresource: str | None = None
    ) -> tuple[Address, Manifest]:
        home = self.default_namespace
        return place(self.resource, manifest, namespace=namespace, default_namespace=home, subresource=subresource)

    def _call(
        self,
        method: str,
        verb: str,
        address: Address,
        path: str,
        *,
        body: Any = None,
        query: Sequence[tuple[str, str]] = (),
        content_type: str = JSON,
    ) -> Manifest:
        part = path.rpartition("/")[2]
        wanted = f"{verb} {address.ref}" + (f" ({part})" if part in address.resource.subresources else "")
        try:
            answer: Manifest = self.raw(method, path, body, query=query, content_type=content_type, wanted=wanted)
        except NotFound as error:
            if not dig(error.body, "details.name"):  # not the object is missing, but the kind
                self._discovery.forget(address.resource)
            raise
        return answer


def _why_still_there(found: Manifest) -> str:
    if not dig(found, "metadata.deletionTimestamp"):
        return "it is there and nobody has asked for its removal"
    finalizers = dig(found, "metadata.finalizers") or []
    grace = dig(found, "metadata.deletionGracePeriodSeconds")
    held = f"held by the finalizers {', '.join(finalizers)}" if finalizers else f"grace period {grace or 0} s"
    return f"it is being removed, {held}"
