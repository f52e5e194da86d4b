"""KUDO packages inside a test process: the verbs, and an engine for each namespace in which they are used.

Behind the fixtures `kudo` and `operator`. An engine sees only its own namespace, so that parallel runs in one cluster
never work on each other's instances.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from harness.kit.documents import Manifest
from harness.kit.errors import CheckError, HarnessError
from harness.kit.waiting import Deadline, Pending
from harness.kube import Kube
from harness.kudo import inspection, operations
from harness.kudo.admission import FINALIZER
from harness.kudo.api import get_instance, unfinished
from harness.kudo.crds import install_crds
from harness.kudo.engine import Engine, release_instances
from harness.kudo.events import InstanceEvent
from harness.kudo.model import API_VERSION
from harness.kudo.packages import find_source
from harness.kudo.plan import COMPLETE, FATAL_ERROR, find_entry

__all__ = ["Kudo", "Operator"]

_CLEANUP = 60.0  # seconds for the cleanup plans of a namespace that is about to go


def _silent(_line: str) -> None:
    """Drop a line: what a command would print is the test's own business."""


class Kudo:
    """The verbs of `kubectl kudo` as methods, with engines that carry them out.

    Args:
        kube: the cluster; KUDO's kinds are installed in it when they are missing.
        used: called with namespace and instance for each installation, so that reports know them.
        observer: hears of the engines' plan starts, steps and ends.
    """

    def __init__(
        self,
        kube: Kube,
        *,
        used: Callable[[str, str], None] = lambda _namespace, _instance: None,
        observer: Callable[[InstanceEvent], None] | None = None,
    ) -> None:
        self._kube = kube
        self._used = used
        self._observer = observer
        self._engines: dict[str, Engine] = {}
        self.kept: frozenset[str] = frozenset()
        """Namespaces in which nothing is cleaned up at the end."""

    def __enter__(self) -> Self:
        install_crds(self._kube)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for namespace in list(self._engines):
            self.leave(namespace, clean=namespace not in self.kept, check=error is None)

    def engine(self, namespace: str) -> Engine:
        """Return the engine of a namespace, started.

        Raises:
            EngineError: it ended by itself.
        """
        if namespace not in self._engines:
            self._engines[namespace] = Engine(self._kube, namespaces=[namespace], observer=self._observer).start()
        engine = self._engines[namespace]
        engine.check()
        return engine

    def leave(self, namespace: str, *, clean: bool = True, check: bool = True) -> None:
        """Stop the engine of a namespace that is about to go.

        Args:
            namespace: the namespace.
            clean: delete its Instances first, so that their cleanup plans run while there is an engine and the
                namespace still takes objects; one that does not end is released, since it would hold the namespace.
            check: raise what ended the engine.

        Raises:
            EngineError: it had ended by itself, and `check` is true.
        """
        engine = self._engines.pop(namespace, None)
        if engine is None:
            return
        try:
            if clean and engine.failed is None:
                self._uninstall_all(namespace)
        finally:
            engine.stop()
            if clean:
                release_instances(self._kube, namespace)
        if check:
            engine.check()

    def _uninstall_all(self, namespace: str) -> None:
        deadline = Deadline.after(_CLEANUP)
        for found in self._kube.list(API_VERSION, "Instance", namespace):
            if FINALIZER in (found["metadata"].get("finalizers") or ()):
                with suppress(HarnessError):
                    name = found["metadata"]["name"]
                    operations.uninstall(
                        self._kube, namespace=namespace, instance=name, wait=deadline.left(), say=_silent
                    )

    def operator(self, namespace: str) -> Operator:
        """Return the verbs bound to a namespace."""
        return Operator(self, namespace)

    def install(
        self,
        package: str | Path,
        *,
        namespace: str,
        instance: str = "",
        parameters: Mapping[str, object] | None = None,
        wait: float | None = None,
    ) -> Manifest:
        """Install a package and an instance of it, and return the Instance.

        Args:
            package: a folder or a .tgz archive.
            namespace: where to.
            instance: the Instance's name; `<operator>-instance` when empty.
            parameters: values; numbers and booleans are written as KUDO's texts.
            wait: seconds to wait for the plan `deploy`; None for not at all.

        Raises:
            KudoError: what `kubectl kudo install` refuses, with its words.
            DeadlineError: the plan did not end in time.
        """
        self.engine(namespace)
        options = operations.Options(instance=instance, parameters=_texts(parameters or {}), wait=wait)
        source = find_source(str(Path(package).absolute()))
        made = operations.install(self._kube, source, namespace=namespace, options=options, say=_silent, warn=_silent)
        if made is None:  # pragma: no cover - only with skip_instance, which is not passed
            raise CheckError("an Instance", seen="none was made")
        self._used(namespace, made["metadata"]["name"])
        return made

    def update(
        self, instance: str, *, namespace: str, parameters: Mapping[str, object], wait: float | None = None
    ) -> Manifest:
        """Change parameters of an instance and return it; `wait` is as in install.

        Raises:
            KudoError: the change is refused.
        """
        self.engine(namespace)
        return operations.update(
            self._kube, namespace=namespace, instance=instance, parameters=_texts(parameters), wait=wait, say=_silent
        )

    def upgrade(
        self,
        package: str | Path,
        *,
        namespace: str,
        instance: str,
        parameters: Mapping[str, object] | None = None,
    ) -> Manifest:
        """Move an instance to the version of a package and return it.

        Raises:
            KudoError: the version is not newer, or the change is refused.
        """
        self.engine(namespace)
        return operations.upgrade(
            self._kube,
            find_source(str(Path(package).absolute())),
            namespace=namespace,
            instance=instance,
            parameters=_texts(parameters or {}),
            say=_silent,
            warn=_silent,
        )

    def uninstall(self, instance: str, *, namespace: str, wait: float | None = None) -> None:
        """Delete an instance; with `wait`, return when it is gone."""
        self.engine(namespace)
        operations.uninstall(self._kube, namespace=namespace, instance=instance, wait=wait, say=_silent)

    def trigger(self, instance: str, *, namespace: str, plan: str, wait: float | None = None) -> Manifest:
        """Run a plan of an instance by hand and return the instance."""
        self.engine(namespace)
        return operations.trigger(self._kube, namespace=namespace, instance=instance, plan=plan, wait=wait, say=_silent)

    def instance(self, name: str, *, namespace: str) -> Manifest:
        """Return an Instance as it is now."""
        return get_instance(self._kube, namespace, name)

    def plan_status(self, instance: str, *, namespace: str) -> dict[str, Any]:
        """Return `status.planStatus` of an instance: plan name to entry, empty before the first plan."""
        status: dict[str, Any] = self.instance(instance, namespace=namespace).get("status") or {}
        return dict(status.get("planStatus") or {})

    def plan_tree(self, instance: str, *, namespace: str) -> str:
        """Return what `kubectl kudo plan status` prints."""
        return inspection.plan_status(self._kube, namespace=namespace, instance=instance)

    def until_plan(self, instance: str, *, namespace: str, plan: str, timeout: float) -> dict[str, Any]:
        """Wait until a plan is COMPLETE and nothing else is scheduled; return its status entry.

        Args:
            instance: the instance's name.
            namespace: where it is.
            plan: the plan's name.
            timeout: seconds.

        Raises:
            CheckError: the plan ended in FATAL_ERROR, or the instance is gone.
            DeadlineError: it is not COMPLETE in time; with the step it is in.
            EngineError: the engine ended by itself.
        """
        engine = self.engine(namespace)

        def complete(found: Manifest | None) -> dict[str, Any] | Pending:
            engine.check()
            return _complete(found, plan)

        return self._kube.until(
            API_VERSION,
            "Instance",
            instance,
            namespace,
            complete,
            timeout=timeout,
            wanted=f"plan {plan} of instance {instance} COMPLETE",
        )


class Operator:
    """One installed operator: the verbs of Kudo without naming the namespace and the instance each time.

    Args:
        kudo: the verbs.
        namespace: where it is installed.
        instance: its Instance's name, once it is known.
    """

    def __init__(self, kudo: Kudo, namespace: str, instance: str = "") -> None:
        self._kudo = kudo
        self.namespace = namespace
        self.instance = instance

    def install(
        self, package: str | Path, *, instance: str = "", wait: float | None = None, **parameters: object
    ) -> Manifest:
        """Install a package: `operator.install("operator/", NODE_COUNT=3, wait=120)`."""
        made = self._kudo.install(
            package, namespace=self.namespace, instance=instance, parameters=parameters, wait=wait
        )
        self.instance = made["metadata"]["name"]
        return made

    def update(self, *, wait: float | None = None, **parameters: object) -> Manifest:
        """Change parameters: `operator.update(NODE_COUNT=5, wait=120)`."""
        return self._kudo.update(self.instance, namespace=self.namespace, parameters=parameters, wait=wait)

    def upgrade(self, package: str | Path, **parameters: object) -> Manifest:
        """Move to the version of a package."""
        return self._kudo.upgrade(package, namespace=self.namespace, instance=self.instance, parameters=parameters)

    def uninstall(self, *, wait: float | None = None) -> None:
        """Delete the instance."""
        self._kudo.uninstall(self.instance, namespace=self.namespace, wait=wait)

    def trigger(self, plan: str, *, wait: float | None = None) -> Manifest:
        """Run a plan by hand."""
        return self._kudo.trigger(self.instance, namespace=self.namespace, plan=plan, wait=wait)

    def until_plan(self, plan: str, *, timeout: float) -> dict[str, Any]:
        """Wait until a plan is COMPLETE; return its status entry."""
        return self._kudo.until_plan(self.instance, namespace=self.namespace, plan=plan, timeout=timeout)

    def status(self) -> dict[str, Any]:
        """Return the status of all plans."""
        return self._kudo.plan_status(self.instance, namespace=self.namespace)


def _texts(parameters: Mapping[str, object]) -> dict[str, str]:
    """Return parameter values as the texts that an Instance holds: 3 becomes "3", True becomes "true"."""
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in parameters.items()}


def _complete(found: Manifest | None, plan: str) -> dict[str, Any] | Pending:
    if found is None:
        raise CheckError("the instance to stay while its plan is waited for", seen="it is gone")
    entry = find_entry((found.get("status") or {}).get("planStatus") or {}, plan)
    active = ((found.get("spec") or {}).get("planExecution") or {}).get("planName")
    if entry is None:
        return Pending("no plan has run yet")
    if entry.get("status") == FATAL_ERROR:
        raise CheckError(f"plan {plan} COMPLETE", seen=f"FATAL_ERROR: {unfinished(entry)}")
    if entry.get("status") == COMPLETE and not active:
        return entry
    return Pending(
        f"plan {plan} is {entry.get('status')}: {unfinished(entry)}"
        if active == plan or not active
        else f"plan {active} runs"
    )
