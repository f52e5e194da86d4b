"""The cluster that a command works on: the user's, a control plane or a kind cluster of the run's own; and how it ends.

Imported by verbs.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.clusters.config import ClusterOptions, new_run_id
from harness.kit.documents import dump_yaml
from harness.kit.errors import UsageError
from harness.kube import Kube
from harness.suite.environment import Environment
from harness.suite.janitor import Janitor
from harness.suite.log import Sink
from harness.suite.recorder import Recorder
from harness.suite.sites import Site, write_kubeconfig
from harness.suite.spec import TestSuite

if TYPE_CHECKING:
    from harness.suite.configuration import Configured

__all__ = ["Place", "place_of_run"]

_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A cluster to work on.

    Attributes:
        kube: a client.
        kubeconfig: the file for commands; it names no namespace, so that commands without -n act in `default`.
        controllers: controllers run in it.
        run: id of the run.
        stack: what ends with it.
    """

    kube: Kube
    kubeconfig: Path
    controllers: bool
    run: str
    stack: ExitStack

    def site(self) -> Site:
        """Return the cluster as the runner takes it."""
        recorder = Recorder(self.kube)
        self.stack.callback(recorder.close)
        return Site(kube=self.kube, recorder=recorder, kubeconfig=self.kubeconfig)

    def environment(self, configured: Configured, sink: Sink) -> Environment:
        """Return what the cases of a run share."""
        return Environment(
            site=self.site(), suite=configured.suite, options=configured.options, janitor=Janitor(), sink=sink,
            run=self.run,
        )  # fmt: skip


@contextmanager
def place_of_run(arguments: argparse.Namespace, suite: TestSuite) -> Iterator[Place]:
    """Give the cluster of a run; what was started for it is stopped unless the suite keeps it.

    Raises:
        UsageError: no kubeconfig, no such context, or --as, which the client cannot do.
        HarnessError: the cluster did not come up.
    """
    if arguments.impersonate:
        raise UsageError("a user of the kubeconfig", seen="--as: impersonation is not supported by this client")
    run = new_run_id()
    with ExitStack() as stack:
        if suite.start_control_plane:
            kubeconfig, controllers = _control_plane(stack, suite), False
        elif suite.start_kind:
            kubeconfig, controllers = _kind(stack, suite, run), True
        else:
            kubeconfig, controllers = _existing(stack, arguments), True
        kube = stack.enter_context(Kube.connect(kubeconfig))
        yield Place(kube=kube, kubeconfig=kubeconfig, controllers=controllers, run=run, stack=stack)


def _control_plane(stack: ExitStack, suite: TestSuite) -> Path:
    from harness.clusters.control_plane import ControlPlane

    control_plane = ControlPlane()
    control_plane.start()
    if suite.skip_cluster_delete:
        _kept(control_plane.kubeconfig)
    else:
        stack.callback(control_plane.stop)
    return control_plane.kubeconfig


def _kind(stack: ExitStack, suite: TestSuite, run: str) -> Path:
    from harness.clusters.kind import KindProvider

    options = ClusterOptions(
        run=run, name=suite.kind_context or "kind", config=Path(suite.kind_config) if suite.kind_config else None,
        images=suite.kind_containers, keep=suite.skip_cluster_delete,
    )  # fmt: skip
    provider = KindProvider(options)
    cluster = provider.create()
    if suite.skip_cluster_delete:
        _kept(cluster.kubeconfig)
    else:
        stack.callback(provider.delete, cluster)
    logs = Path(suite.artifacts_dir or ".") / f"kind-logs-{int(time.time())}"
    stack.callback(provider.export_logs, cluster, logs)
    return cluster.kubeconfig


def _kept(kubeconfig: Path) -> None:
    sys.stderr.write("skipping cluster tear down\n")
    sys.stderr.write(f'to connect to the cluster, run: export KUBECONFIG="{kubeconfig}"\n')


def _existing(stack: ExitStack, arguments: argparse.Namespace) -> Path:
    """Return a private kubeconfig of the user's context, without its namespace; removed at the end (quirk Q30)."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kuttl-")))
    path = folder / "kubeconfig"
    named = arguments.kubeconfig or arguments.context or os.environ.get("KUBECONFIG")
    if not named and os.environ.get("KUBERNETES_SERVICE_HOST") and _ACCOUNT.is_dir():
        path.write_text(dump_yaml(_in_cluster()), encoding="utf-8")  # it names the token's file, not the token
        return path
    with Kube.connect(arguments.kubeconfig, arguments.context) as kube:
        context = kube.context
    return write_kubeconfig(path, source=arguments.kubeconfig, context=context)


def _in_cluster() -> dict[str, object]:
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    server = f"https://{f'[{host}]' if ':' in host else host}:{port}"
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "cluster",
        "contexts": [{"name": "cluster", "context": {"cluster": "cluster", "user": "user"}}],
        "clusters": [
            {"name": "cluster", "cluster": {"server": server, "certificate-authority": str(_ACCOUNT / "ca.crt")}}
        ],
        "users": [{"name": "user", "user": {"tokenFile": str(_ACCOUNT / "token")}}],
    }
