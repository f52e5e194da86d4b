"""Objects brought to the server as kuttl does it: created, or merge-patched as a whole; and deleted again.

Imported by steps and run. Where the recorder knows whether an object is there, the question is not asked again; the
answer of the write decides.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from harness.kit.errors import DeadlineError, HarnessError
from harness.kit.waiting import Pending, until
from harness.kube import (
    AlreadyExists,
    ApiError,
    Conflict,
    Forbidden,
    Kube,
    Manifest,
    NotFound,
    UnknownKind,
    dig,
    uid_of,
    version_of,
)
from harness.suite.model import Entry
from harness.suite.place import Place, id_of, locate, namespaced_copy
from harness.suite.recorder import Recorder
from harness.suite.verdicts import gvk_text

__all__ = ["Applied", "Applier", "ApplyError"]

_NO_ACCOUNT = "error looking up service account"


class ApplyError(HarnessError):
    """An object that could not be applied; `text` is kuttl's sentence."""

    def __init__(self, text: str, *, seen: str = "", where: str = "", hint: str = "") -> None:
        super().__init__(text, seen=seen, where=where, run=hint)
        self.text = text


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """An object as the server keeps it after a write."""

    manifest: Manifest
    how: Literal["created", "updated"]
    entry: Entry

    @property
    def name(self) -> str:
        """The object as kuttl names it."""
        return id_of(self.manifest)


class Applier:
    """Applies the objects of one case to one cluster.

    Args:
        kube: a client.
        recorder: knows objects of kinds that are followed; None asks the server each time, as kuttl does.
        namespace: the namespace of objects that name none.
        limit: seconds for one object; none when it is not positive.
        sleep: how a pause is made.
    """

    def __init__(
        self,
        kube: Kube,
        recorder: Recorder | None,
        *,
        namespace: str,
        limit: float,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._kube = kube
        self._recorder = recorder
        self._namespace = namespace
        self._limit = limit
        self._sleep = sleep

    def apply(self, entry: Entry) -> Applied:
        """Create or merge-patch an object.

        Raises:
            ApplyError: the server refused it, or conflicts did not end within the limit.
        """
        try:
            return self._repeated(entry)
        except ApplyError:
            raise
        except HarnessError as error:
            raise self._failed(entry, _cause(error), error) from None

    def _repeated(self, entry: Entry) -> Applied:
        place = self._place(entry)
        if place.resource is None and self._defined(entry):
            place = self._place(entry)
        if place.resource is None:
            raise self._unknown(entry)
        manifest = namespaced_copy(entry, place)
        known = self._known(place, entry.name)
        limit = self._limit if self._limit > 0 else float("inf")
        last: list[str] = []

        def once() -> Applied | Pending:
            nonlocal known
            try:
                return self._once(entry, manifest, known)
            except _StaleError:
                known = _ASK
                return Pending("it changed meanwhile")
            except ApiError as error:
                if not self._passes(entry, error):
                    raise
                known, last[:] = _ASK, [_cause(error)]
                return Pending(last[0])

        try:
            return until(once, timeout=limit, wanted="applied", interval=0.01, longest=0.5, sleep=self._sleep)
        except DeadlineError:
            cause = f"create/update timeout exceeded, last attempt was: {last[0] if last else 'none'}"
            raise self._failed(entry, cause) from None

    def _passes(self, entry: Entry, error: ApiError) -> bool:
        """Tell whether an error goes away by itself within a moment."""
        if isinstance(error, NotFound):  # discovery tells of a kind before its objects can be written
            return not dig(error.body, "details.name") and self._defined(entry)
        if isinstance(error, Forbidden):  # the namespace is new: its controllers make the account
            return _NO_ACCOUNT in error.message
        return isinstance(error, Conflict | AlreadyExists)

    def _place(self, entry: Entry) -> Place:
        return locate(self._kube, entry.api_version, entry.kind, written=entry.namespace, namespace=self._namespace)

    def _defined(self, entry: Entry) -> bool:
        """Tell whether a CustomResourceDefinition for the object is there; then wait until the kind is served."""
        group = entry.api_version.rpartition("/")[0]
        try:
            crds = self._kube.list("apiextensions.k8s.io/v1", "CustomResourceDefinition") if group else []
        except ApiError:  # who may not read them is told of the kind
            return False
        if not any((dig(one, "spec.group"), dig(one, "spec.names.kind")) == (group, entry.kind) for one in crds):
            return False
        limit = self._limit if self._limit > 0 else float("inf")
        with suppress(DeadlineError):
            self._kube.until_served(entry.api_version, entry.kind, timeout=limit)
        return True

    def _known(self, place: Place, name: str) -> Any:
        """Return the object as the recorder knows it, None when it knows of none, _ASK when it does not know."""
        track = self._recorder.known(place) if self._recorder is not None else None
        if track is None or self._recorder is None:
            return _ASK
        with self._recorder.lock:
            return track.get(name) if track.knows(name) and not track.polled else _ASK

    def _once(self, entry: Entry, manifest: Manifest, known: Any) -> Applied:
        api_version, kind, name = entry.api_version, entry.kind, entry.name
        home = (manifest.get("metadata") or {}).get("namespace")
        asked = known is _ASK
        if asked:
            with _said("failed to check object's existence"):
                known = self._kube.find(api_version, kind, name, home)
        if known is None:
            try:
                with _said("failed to create object"):
                    return Applied(manifest=self._kube.create(manifest), how="created", entry=entry)
            except (AlreadyExists, Conflict):
                raise
            except ApiError:
                if asked:
                    raise
                raise _StaleError from None  # it may be there all the same: ask, then the server's answer counts
        body = {**manifest, "metadata": {**manifest["metadata"], "resourceVersion": version_of(known)}}
        try:
            with _said("failed to patch object"):
                patched = self._kube.patch(api_version, kind, name, body, home)
        except NotFound:
            if asked:
                raise
            raise _StaleError from None
        return Applied(manifest=patched, how="updated", entry=entry)

    def _unknown(self, entry: Entry) -> ApplyError:
        gvk = gvk_text(entry.api_version, entry.kind)
        try:
            self._kube.resource(entry.api_version, entry.kind)
        except UnknownKind as error:
            if entry.namespace:
                return self._failed(
                    entry, f'no matches for kind "{entry.kind}" in version "{entry.api_version}"', error
                )
            cause = f"retrieving API resource for {gvk} failed: the server could not find the requested resource"
            return ApplyError(cause, seen=error.seen, where=str(entry.mark), hint=error.run)
        return self._failed(entry, "the kind was served a moment ago only")  # pragma: no cover - a race

    def _failed(self, entry: Entry, cause: str, error: HarnessError | None = None) -> ApplyError:
        text = f"applying {gvk_text(entry.api_version, entry.kind)} {entry.name} failed: {cause}"
        hint = error.run if error is not None else ""
        return ApplyError(text, seen=error.seen if error is not None else "", where=str(entry.mark), hint=hint)


class _StaleError(Exception):
    """What the recorder knew was old."""


_ASK = object()


class _said:  # noqa: N801 - used as a statement
    """Puts kuttl's words before the message of an API error."""

    def __init__(self, words: str) -> None:
        self._words = words

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ApiError):
            error.add_note(self._words)


def _cause(error: HarnessError) -> str:
    """Return kuttl's cause: which request failed, and the server's sentence."""
    words = next(iter(getattr(error, "__notes__", [])), "")
    message = (error.message or error.seen) if isinstance(error, ApiError) else error.seen or error.wanted
    return f"{words}: {message}" if words else message


def delete_in_reverse(kube: Kube, created: Sequence[Manifest]) -> list[str]:
    """Ask for the removal of objects, the last one first; return what went wrong, one line each."""
    faults: list[str] = []
    for one in reversed(created):
        metadata = one["metadata"]
        try:
            kube.delete(one["apiVersion"], one["kind"], metadata["name"], metadata.get("namespace"), uid=uid_of(one))
        except (NotFound, UnknownKind, Conflict):  # gone, with its kind perhaps, or another one of that name
            continue
        except HarnessError as error:
            faults.append(f"deleting {id_of(one)} failed: {_cause(error)}")
    return faults
