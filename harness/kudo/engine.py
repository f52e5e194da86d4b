"""The engine: runs the plans of KUDO Instances inside this process, on watches.

Public: `Engine`, and `run_foreground` for the command line. One worker thread takes Instances from a queue that the
watches fill; what it does with one stands in harness.kudo.reconcile.
"""

from __future__ import annotations

import functools
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from types import TracebackType
from typing import Self, TextIO

from harness.kit.errors import HarnessError, UsageError
from harness.kit.waiting import Deadline
from harness.kube import ApiError, Event, Kube, NotFound, UnknownKind
from harness.kube.objects import dig, name_of, namespace_of, owners_of
from harness.kudo.admission import FINALIZER
from harness.kudo.cache import Cache
from harness.kudo.client import Cluster, Source
from harness.kudo.crds import install_crds
from harness.kudo.enhance import HERITAGE
from harness.kudo.events import InstanceEvent, Observer, Recorder, utc_now
from harness.kudo.merge import json_patch
from harness.kudo.model import API_VERSION
from harness.kudo.reconcile import WORKLOADS, Key, Reconciler, RetryError
from harness.kudo.scheduling import finalized, reference_of
from harness.kudo.tasks import TASK_KINDS, RunTask
from harness.kudo.workqueue import Backoff, WorkQueue

__all__ = ["Engine", "EngineError", "release_instances", "run_foreground"]

_SYNC_TIMEOUT = 30.0
_STOP_TIMEOUT = 10.0
_HEARTBEAT = 1.0  # seconds between looks at the health of the watches
_FIRST_PAUSE = 0.005
_LONGEST_PAUSE = 5.0


class EngineError(HarnessError):
    """The engine ended by itself; `__cause__` is what ended it."""


class Engine:
    """Runs the plans of the Instances of some namespaces.

    Use it as a context manager, or call start and stop. Leaving the context raises what made the engine fail, unless
    another error is already on its way.

    Args:
        kube: the API server.
        namespaces: where to work; None is everywhere. Engines with different namespaces do not see each other.
        kinds: the registry of task kinds.
        scheduling: whether the engine runs admission itself; off where an admission webhook does.
        observer: hears of plan starts, steps, ends and warnings, in the worker's thread.
        clock: a monotonic clock.
        now: the wall clock.
    """

    def __init__(
        self,
        kube: Cluster,
        *,
        namespaces: Sequence[str] | None = None,
        kinds: Mapping[str, RunTask] = TASK_KINDS,
        scheduling: bool = True,
        observer: Observer | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._kube = kube
        self._namespaces: tuple[str | None, ...] = (None,) if namespaces is None else tuple(namespaces)
        self._clock = clock
        self._cache = Cache()
        self._queue: WorkQueue[Key] = WorkQueue(clock)
        self._pauses: Backoff[Key] = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE)
        recorder = Recorder(kube, observer=observer, now=now)
        self._reconciler = Reconciler(kube, self._cache, recorder, kinds=kinds, scheduling=scheduling, now=now)
        self._sources: list[Source] = []
        self._stopping = threading.Event()
        self._worker = threading.Thread(target=self._work, name="kudo engine", daemon=True)
        self._ended = threading.Event()
        self._failed: BaseException | None = None
        self._trouble: dict[Key, str] = {}

    @property
    def failed(self) -> BaseException | None:
        """What ended the engine by itself, None while all is well."""
        return self._failed

    @property
    def trouble(self) -> Mapping[str, str]:
        """Why the last pass over an Instance (namespace/name) could not be made; empty while all is well."""
        return {f"{namespace}/{name}": text for (namespace, name), text in dict(self._trouble).items()}

    def start(self, timeout: float = _SYNC_TIMEOUT) -> Self:
        """Begin to work; returns once everything that exists is known.

        Args:
            timeout: seconds that the first lists may take.

        Raises:
            UsageError: the CustomResourceDefinitions are not installed.
            DeadlineError: the API server did not answer in time.
            ApiError: the API server refuses.
        """
        deadline = Deadline.after(timeout, self._clock)
        try:
            for namespace in self._namespaces:
                self._follow(namespace)
            for source in self._sources:
                source.wait_synced(deadline.left())
        except UnknownKind as error:
            self.stop()
            raise UsageError("an API server with KUDO's kinds", seen=error.seen, run="kubectl kudo init") from error
        except BaseException:
            self.stop()
            raise
        self._worker.start()
        return self

    def stop(self, timeout: float = _STOP_TIMEOUT) -> None:
        """End all threads; a pass that is under way is given some seconds to end."""
        self._stopping.set()
        self._queue.close()
        for source in self._sources:
            source.stop()
        if self._worker.ident is not None and self._worker is not threading.current_thread():
            self._worker.join(timeout)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the engine has ended; return whether it has.

        Args:
            timeout: seconds, None for as long as it takes.
        """
        return self._ended.wait(timeout)

    def check(self) -> None:
        """Raise EngineError if the engine failed."""
        if self._failed is not None:
            seen = f"{type(self._failed).__name__}: {self._failed}"
            raise EngineError("a running KUDO engine", seen=seen) from self._failed

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if error is None:
            self.check()

    def _follow(self, namespace: str | None) -> None:
        """Start the watches of one namespace, or of all."""
        kinds: list[tuple[str, str, str, Callable[[Event], None]]] = [
            (API_VERSION, "OperatorVersion", "", self._on_version),
            (API_VERSION, "Instance", "", self._on_instance),
            *((*kind, f"{HERITAGE}=kudo", self._on_workload) for kind in WORKLOADS),
        ]
        for api_version, kind, labels, handler in kinds:
            source = self._kube.watch(api_version, kind, namespace, labels=labels)
            self._sources.append(source)
            source.subscribe(functools.partial(self._on_event, handler))

    def _on_event(self, handler: Callable[[Event], None], event: Event) -> None:
        if event.type == "DELETED":
            self._cache.remove(event.object)
        elif not self._cache.put(event.object):
            return  # the echo of a write of our own
        handler(event)

    def _on_instance(self, event: Event) -> None:
        self._queue.add((namespace_of(event.object) or "", name_of(event.object)))
        self._on_workload(event)

    def _on_workload(self, event: Event) -> None:
        """Look at the Instances that own an object."""
        for owner in owners_of(event.object):
            if owner.get("kind") == "Instance" and owner.get("apiVersion") == API_VERSION:
                self._queue.add((namespace_of(event.object) or "", owner["name"]))

    def _on_version(self, event: Event) -> None:
        """Look at the Instances that refer to an operator version."""
        version = (namespace_of(event.object) or "", name_of(event.object))
        for instance in self._cache.of_kind(API_VERSION, "Instance"):
            namespace = namespace_of(instance) or ""
            if reference_of(instance.get("spec") or {}, namespace) == version:
                self._queue.add((namespace, name_of(instance)))

    def _work(self) -> None:
        try:
            while not self._stopping.is_set():
                self._check_sources()
                key = self._queue.take(_HEARTBEAT)
                if key is not None:
                    self._take(key)
        except BaseException as error:  # noqa: BLE001 - a thread's last word: kept, and raised by check and on leaving
            self._failed = error
        finally:
            self._ended.set()

    def _take(self, key: Key) -> None:
        try:
            after = self._reconciler.reconcile(key)
        except (ApiError, UnknownKind, RetryError) as error:
            self._trouble[key] = str(error) if isinstance(error, RetryError) else error.seen
            self._queue.add(key, self._pauses.pause(key))
            return
        self._trouble.pop(key, None)
        self._pauses.reset(key)
        if after is not None:
            self._queue.add(key, after)

    def _check_sources(self) -> None:
        for source in self._sources:
            if source.failed is not None and not self._stopping.is_set():
                raise EngineError("a running watch", seen=str(source.failed)) from source.failed


def release_instances(kube: Kube, namespace: str) -> list[str]:
    """Drop the cleanup finalizer from all Instances of a namespace; return the names of those that had it.

    For a namespace that is to go although no engine runs any more: nobody would run the cleanup plans, and the
    Instances would keep the namespace for ever.
    """
    held = [
        item
        for item in kube.list(API_VERSION, "Instance", namespace)
        if FINALIZER in dig(item, "metadata.finalizers", [])
    ]
    for item in held:
        patch = json_patch(item, finalized(item))
        with suppress(NotFound):
            kube.patch(API_VERSION, "Instance", name_of(item), patch, namespace)
    return [name_of(item) for item in held]


def run_foreground(
    kube: Cluster, namespaces: Sequence[str] | None = None, *, out: TextIO | None = None, timeout: float = _SYNC_TIMEOUT
) -> int:
    """Install the kinds if they are missing, then run an engine until Ctrl-C or SIGTERM; print one line per plan event.

    Args:
        kube: the API server.
        namespaces: where to work, None is everywhere.
        out: where the lines go; standard output when absent.
        timeout: seconds until everything that exists must be known.

    Returns:
        The exit code: 0 when it was asked to end, 1 when the engine failed.
    """
    stream = out if out is not None else sys.stdout

    def show(event: InstanceEvent) -> None:
        stamp = utc_now().astimezone().strftime("%H:%M:%S.%f")[:-3]
        _say(stream, f"{stamp}  {event}")

    engine = Engine(kube, namespaces=namespaces, observer=show)
    with suppress(KeyboardInterrupt), _terminated_as_interrupted():
        try:
            install_crds(kube, timeout=timeout)
            engine.start(timeout)
            where = "all namespaces" if namespaces is None else f"namespaces {', '.join(namespaces)}"
            _say(stream, f"kudo     engine ready, {where}; Ctrl-C ends it")
            while not engine.wait(_HEARTBEAT):
                pass
        finally:
            engine.stop()
    if engine.failed is not None:
        seen = f"{type(engine.failed).__name__}: {engine.failed}"
        _say(sys.stderr, str(EngineError("a running KUDO engine", seen=seen)))
        return 1
    _say(stream, "kudo     engine stopped")
    return 0


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """End on SIGTERM as on Ctrl-C; only the main thread can ask for that."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _say(stream: TextIO, line: str) -> None:
    stream.write(f"{line}\n")
    stream.flush()
