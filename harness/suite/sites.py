"""The clusters that a case acts on: the run's own, and those that its steps name by kubeconfig and context.

Imported by steps, case and run. A site brings client, recorder and what commands need to reach the same cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.clusters.kubeconfig import choose_context, pinned
from harness.kit.documents import dump_yaml
from harness.kit.errors import HarnessError
from harness.kube import Kube
from harness.suite.model import Step
from harness.suite.recorder import Recorder
from harness.suite.words import expand

__all__ = ["Connect", "Site", "Sites", "connect_kubeconfig", "reason_of", "write_kubeconfig"]

Connect = Callable[[Path, str | None], Kube]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Site:
    """A cluster to act on.

    Attributes:
        kube: a client.
        recorder: what is seen of it.
        kubeconfig: the file for commands.
        context: the step's context, which commands do not follow (quirk Q69); empty for the file's current one.
        named: the kubeconfig as the step names it, empty for the run's own cluster.
    """

    kube: Kube
    recorder: Recorder
    kubeconfig: Path
    context: str = ""
    named: str = ""

    @property
    def suffix(self) -> str:
        """What is put behind log lines."""
        return f' (using kubeconfig "{self.kubeconfig}")' if self.named else ""

    def close(self) -> None:
        """Stop following, drop the connections."""
        self.recorder.close()
        self.kube.close()


def write_kubeconfig(path: Path, *, source: Path | None = None, context: str | None = None) -> Path:
    """Write the kubeconfig that commands get: one context of the user's, whole, without a namespace (quirks Q30, Q31).

    Args:
        path: where to; only we can read it.
        source: the user's file; None takes those of $KUBECONFIG or ~/.kube/config, and needs a context.
        context: the context; None takes the file's only one.

    Raises:
        UsageError: no such file or context, or several contexts and none named.
    """
    value = pinned(choose_context(source, context, option="--context"))
    for one in value["contexts"]:
        one["context"] = {key: part for key, part in one["context"].items() if key != "namespace"}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.touch(0o600)
    path.write_text(dump_yaml(value), encoding="utf-8")
    return path


def connect_kubeconfig(kubeconfig: Path, context: str | None) -> Kube:
    """Return a client for a kubeconfig."""
    return Kube.connect(kubeconfig, context)


class Sites:
    """The sites of one case.

    Args:
        own: the run's own cluster.
        directory: the case's folder, to which kubeconfigs are relative.
        environment: variables in their paths.
        connect: gives a client.
    """

    def __init__(
        self, own: Site, *, directory: Path, environment: Mapping[str, str], connect: Connect = connect_kubeconfig
    ) -> None:
        self.own = own
        self._directory = directory
        self._environment = environment
        self._connect = connect
        self._others: dict[tuple[Path, str], Site] = {}

    def of(self, step: Step) -> Site:
        """Return the cluster of a step, connected on first need.

        Raises:
            HarnessError: its kubeconfig cannot be used.
        """
        named = step.test_step.kubeconfig if step.test_step else ""
        if not named or step.test_step is None:
            return self.own
        path = self._directory / expand(named, self._environment).text
        context = step.test_step.context
        site = self._others.get((path, context))
        if site is None:
            kube = self._connect(path, context or None)
            recorder = Recorder(kube, cancellation=self.own.recorder.cancellation)
            site = Site(kube=kube, recorder=recorder, kubeconfig=path, context=context, named=named)
            self._others[path, context] = site
        return site

    @property
    def others(self) -> list[Site]:
        """The sites beside the run's own."""
        return list(self._others.values())


def reason_of(error: HarnessError) -> str:
    """Return an error on one line."""
    return f"{error.wanted}: {error.seen}".replace("\n", "; ") if error.seen else error.wanted
