"""The list-and-watch loop of one kind: what the server's protocol asks for, told to a sink as lists and changes.

Only harness.kube.watch imports it.
Rules: https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Protocol

from harness.kube.discovery import Resource
from harness.kube.errors import ApiError, Gone, NotFound, error_from
from harness.kube.objects import Manifest, version_of
from harness.kube.session import Session
from harness.kube.transport import Request, Stream

__all__ = ["Reflector", "Sink", "list_objects"]

Selectors = list[tuple[str, str]]

# The server ends a watch after this many seconds and we resume: so a connection that died silently is noticed.
_ROUND = 60
_SILENCE = _ROUND + 10.0
_TOO_SHORT = 1.0  # a round that ends sooner and said nothing counts as a failure
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 5.0
_FAILURES_BEFORE_RELIST = 5
_FINAL = frozenset({400, 401, 403, 404, 405, 406, 422})  # asking the same again would not help
_PAGE = 500


class Sink(Protocol):
    """Who is told."""

    def replace(self, objects: list[Manifest]) -> None:
        """Take a complete list in place of what was known."""
        ...

    def change(self, word: str, thing: Manifest) -> None:
        """Take one change: ADDED, MODIFIED or DELETED."""
        ...

    def interrupted(self, trouble: str) -> None:
        """Take what is wrong with the connection; empty when it works again."""
        ...


class Reflector:
    """One kind's loop; run it in a thread, stop it from another."""

    def __init__(
        self,
        session: Session,
        resource: Resource,
        namespace: str | None,
        selectors: Selectors,
        sink: Sink,
        *,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        self._session = session
        self._resource = resource
        self._path = resource.path(namespace)
        self._namespace = namespace
        self._selectors = selectors
        self._sink = sink
        self._clock = clock
        self._stopping = threading.Event()
        self._pause = pause or self._stopping.wait
        self._lock = threading.Lock()
        self._stream: Stream | None = None
        self._version = ""
        self._listed = False
        self._failures = 0

    def stop(self) -> None:
        """End the loop promptly, from any thread."""
        self._stopping.set()
        with self._lock:
            stream = self._stream
        if stream is not None:
            stream.close()

    def run(self) -> None:
        """List and watch until stopped.

        Raises:
            ApiError: the server refuses the first list for good (no such kind, not allowed).
        """
        while not self._stopping.is_set():
            try:
                if not self._version:
                    self._list()
                self._watch()
            except ApiError as error:
                if not self._stopping.is_set():
                    self._failed(error)

    def _list(self) -> None:
        objects, version = list_objects(self._session, self._resource, self._namespace, self._selectors)
        if self._stopping.is_set():
            return
        self._version, self._listed = version, True
        self._sink.interrupted("")
        self._sink.replace(objects)

    def _watch(self) -> None:
        begun = self._clock()
        stream = self._session.stream(self._request())
        with self._lock:
            self._stream = stream
        try:
            if self._stopping.is_set():  # stop may have looked for the stream before it was there
                return
            self._sink.interrupted("")
            heard = self._read(stream)
        finally:
            stream.close()
            with self._lock:
                self._stream = None
        if heard or self._clock() - begun >= _TOO_SHORT:
            self._failures = 0
        elif not self._stopping.is_set():
            raise ApiError(f"watch {self._path}", reason="ended", message="the server closes the watch at once")

    def _request(self) -> Request:
        query = [
            ("watch", "1"),
            ("resourceVersion", self._version),
            ("allowWatchBookmarks", "true"),
            ("timeoutSeconds", str(_ROUND)),
            *self._selectors,
        ]
        return Request(
            method="GET", path=self._path, query=query, wanted=f"watch {_named(self._resource)}", read=_SILENCE
        )

    def _read(self, stream: Stream) -> bool:
        heard = False
        for line in _lines(stream):
            if self._stopping.is_set():
                break
            self._take(json.loads(line))
            heard = True
            self._failures = 0
        return heard

    def _take(self, told: Mapping[str, Any]) -> None:
        word, thing = str(told.get("type")), told.get("object") or {}
        if word == "ERROR":
            raise error_from(f"watch {_named(self._resource)}", int(thing.get("code") or 500), thing)
        if word != "BOOKMARK":
            self._sink.change(word, thing)
        self._version = version_of(thing) or self._version

    def _failed(self, error: ApiError) -> None:
        """Decide what a failed round means, and pause; a refusal of the very first list is final."""
        if not self._listed and error.status in _FINAL:
            raise error
        self._failures += 1
        if isinstance(error, Gone) or error.status in _FINAL or self._failures % _FAILURES_BEFORE_RELIST == 0:
            self._version = ""
        if isinstance(error, NotFound):  # the kind itself is gone, and all its objects with it
            self._sink.replace([])
        if isinstance(error, Gone) and self._failures == 1:
            return  # the usual way to learn of a compaction; nothing is wrong
        self._sink.interrupted(error.seen)
        self._pause(min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(self._failures - 1, 10)))


def list_objects(
    session: Session, resource: Resource, namespace: str | None, selectors: Selectors
) -> tuple[list[Manifest], str]:
    """Return all objects of a kind and the resource version of the list.

    Large lists come in pages; when a page's token has expired, everything is asked for at once.

    Raises:
        ApiError: the server refused, or did not answer in time.
    """
    first = Request(
        method="GET",
        path=resource.path(namespace),
        wanted=f"list {_named(resource)}" + (f" in {namespace}" if namespace and resource.namespaced else ""),
        query=[*selectors, ("limit", str(_PAGE))],
    )
    page = session.json(first)
    items = _items(page, resource)
    while token := (page.get("metadata") or {}).get("continue"):
        try:
            page = session.json(replace(first, query=[*first.query, ("continue", token)]))
        except Gone:
            page = session.json(replace(first, query=selectors))
            items = []
        items += _items(page, resource)
    return items, version_of(page)


def _items(page: Mapping[str, Any], resource: Resource) -> list[Manifest]:
    """Return a page's objects; items of built-in kinds come without apiVersion and kind."""
    head = {"apiVersion": resource.api_version, "kind": resource.kind}
    return [{**head, **item} for item in page.get("items") or []]


def _lines(chunks: Stream) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line for line in whole if line.strip())
    # What is left is half an event of a connection that broke; the resumed watch tells it again.


def _named(resource: Resource) -> str:
    return f"{resource.api_version}/{resource.kind}"
