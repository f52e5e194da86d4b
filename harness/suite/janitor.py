"""Clean-up beside the run: objects in reverse order, then namespaces; checked at the end, with what hangs and why.

Imported by case and run. Nobody waits for it but the end of the run; what it cannot remove never fails a passed case.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress

from harness.clusters.leftovers import namespace_gone
from harness.kit.errors import DeadlineError, HarnessError
from harness.kit.waiting import Deadline
from harness.kube import Kube, Manifest, UnknownKind, name_of, namespace_of, uid_of
from harness.suite.place import Place, id_of
from harness.suite.recorder import Recorder
from harness.suite.sites import Site, reason_of

__all__ = ["Janitor", "delete_objects"]

_PATIENCE = 10.0  # seconds for requests under way when the end is cut short


class Janitor:
    """Removes what cases leave, in a thread of its own.

    Args:
        timeout: seconds at the end of the run for everything to be gone.
    """

    def __init__(self, *, timeout: float = 120.0) -> None:
        self._timeout = timeout
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._namespaces: list[tuple[Kube, str]] = []
        self._faults: list[str] = []
        self._last: list[Callable[[], None]] = []

    def later(self, job: Callable[[], None]) -> None:
        """Do something in the background, in the order of calls."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="clean-up", daemon=True)
                self._thread.start()
        self._jobs.put(job)

    def at_the_end(self, job: Callable[[], None]) -> None:
        """Do something when everything has been checked."""
        with self._lock:
            self._last.append(job)

    def remove_namespace(self, site: Site, name: str) -> None:
        """Ask for a namespace to go; finish checks it."""
        try:
            site.kube.delete("v1", "Namespace", name)
        except HarnessError as error:
            self.fault(f"namespace {name} was not deleted: {reason_of(error)}")
            return
        with self._lock:
            self._namespaces.append((site.kube, name))

    def fault(self, text: str) -> None:
        """Take something that went wrong."""
        with self._lock:
            self._faults.append(text)

    def finish(self, timeout: float | None = None) -> list[str]:
        """Wait until all is done and gone; return what is not, one line each.

        Args:
            timeout: seconds, less than usual when the run was interrupted.
        """
        deadline = Deadline.after(self._timeout if timeout is None else timeout)
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join(deadline.left() + _PATIENCE)
            if self._thread.is_alive():
                self.fault("clean-up did not come to its end: a request to the API server hangs")
        for kube, name in self._namespaces:
            self._check(kube, name, deadline)
        for job in self._last:
            with suppress(HarnessError):
                job()
        return self._faults

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except Exception as error:  # noqa: BLE001 - whatever it is, the other jobs must be done, and it is told
                self.fault(f"clean-up failed: {error}")

    def _check(self, kube: Kube, name: str, deadline: Deadline) -> None:
        wanted = f"namespace {name} gone"
        try:
            kube.until("v1", "Namespace", name, None, namespace_gone, timeout=deadline, wanted=wanted)
        except DeadlineError as error:
            self.fault(f"namespace {name} is still there: {error.seen}; kubectl get namespace {name} -o yaml")
        except HarnessError as error:
            self.fault(f"namespace {name} could not be checked: {reason_of(error)}")


def delete_objects(site: Site, created: Iterable[Manifest]) -> list[str]:
    """Ask for the removal of objects, the last one first; return what went wrong, one line each."""
    faults: list[str] = []
    for one in reversed(list(created)):
        if _known_gone(site.recorder, one):
            continue
        try:
            site.kube.delete(str(one["apiVersion"]), str(one["kind"]), name_of(one), namespace_of(one))
        except UnknownKind:  # gone with its kind
            continue
        except HarnessError as error:
            faults.append(f"{id_of(one)} was not deleted: {reason_of(error)}")
    return faults


def _known_gone(recorder: Recorder, one: Manifest) -> bool:
    """Tell whether the recorder has seen that an object went."""
    kube = recorder.kube
    try:
        resource = kube.resource(str(one["apiVersion"]), str(one["kind"]))
    except HarnessError:
        return False
    place = Place(
        api_version=str(one["apiVersion"]), kind=str(one["kind"]), namespace=namespace_of(one) or "", resource=resource
    )
    track = recorder.known(place)
    if track is None:
        return False
    history = track.history(name_of(one))
    with recorder.lock:
        now = track.get(name_of(one))
    seen = any(state.object is not None and uid_of(state.object) == uid_of(one) for state in history)
    return now is None and seen
