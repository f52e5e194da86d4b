"""The commands `harness cluster up|list|down` and `harness clean`.

Imported by harness.cli; imports what a command needs only when it runs.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from harness.kit.errors import UsageError

__all__ = ["add_clean", "add_parser", "add_target"]


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `cluster` to the verbs of `harness`."""
    actions = verbs.add_parser("cluster", help="kind clusters for tests").add_subparsers(
        required=True, metavar="ACTION"
    )
    up = actions.add_parser("up", help="make a kind cluster that stays, or take the one that is there")
    up.add_argument("name", nargs="?", help="default: one name per folder")
    up.add_argument("--kubernetes-version", metavar="V", help="1.36 or v1.36.3")
    up.add_argument("--workers", type=int, default=0, metavar="N")
    up.add_argument("--config", type=Path, metavar="FILE", help="a kind configuration file")
    up.add_argument("--airgap", choices=("auto", "always", "never"), default="auto")
    up.add_argument("--images", type=Path, nargs="*", default=[], metavar="DIR", help="recipes of images to load")
    up.set_defaults(handler=_up)
    actions.add_parser("list", help="the clusters that were made and not removed").set_defaults(handler=_list)
    down = actions.add_parser("down", help="remove clusters that were made here")
    down.add_argument("name", nargs="*")
    down.add_argument("--abandoned", action="store_true", help="those that killed runs left")
    down.set_defaults(handler=_down, refuse=down.error)


def add_target(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose a cluster that exists."""
    parser.add_argument("--kubeconfig", type=Path, help="default: $KUBECONFIG or ~/.kube/config")
    parser.add_argument("--context", help="default: the current context")


def add_clean(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `clean` to the verbs of `harness`."""
    clean = verbs.add_parser("clean", help="remove the namespaces that killed runs left in a cluster")
    clean.add_argument("--kubeconfig", type=Path, help="the cluster's kubeconfig")
    clean.add_argument("--context", help="the context in it; needed unless the kubeconfig has only one")
    clean.add_argument("--run", metavar="ID", help="only what this run left")
    clean.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    clean.set_defaults(handler=_clean)


def _up(arguments: argparse.Namespace) -> int:
    from harness.clusters.config import ClusterOptions, new_run_id
    from harness.clusters.kind import KindProvider
    from harness.clusters.provider import kept_line

    options = ClusterOptions(
        run=new_run_id(),
        name=arguments.name,
        keep=True,
        kubernetes_version=arguments.kubernetes_version,
        workers=arguments.workers,
        config=arguments.config,
        airgap=arguments.airgap,
        recipes=tuple(str(path) for path in arguments.images),
    )
    cluster = KindProvider(options).create()
    environment = " ".join(f"{name}={shlex.quote(value)}" for name, value in sorted(cluster.env.items()))
    sys.stdout.write(f"export {environment}\n")
    sys.stderr.write(f"{kept_line(cluster)}\n")
    return 0


def _list(_arguments: argparse.Namespace) -> int:
    from harness.clusters.records import Records

    records = Records()
    abandoned = {record.name for record in records.abandoned()}
    for record in records.all():
        kept = "kept" if record.keep else f"in use by run {record.run}"
        state = "left by a killed run" if record.name in abandoned else kept
        version = record.kubernetes_version or "-"
        sys.stdout.write(f"{record.name}  {version}  {state}  {records.folder(record.name) / 'kubeconfig'}\n")
    return 0


def _down(arguments: argparse.Namespace) -> int:
    from harness.clusters.kind import delete_recorded
    from harness.clusters.records import Records

    records = Records()
    names = [*arguments.name, *(record.name for record in records.abandoned() if arguments.abandoned)]
    if not names and not arguments.abandoned:
        arguments.refuse("a name is needed, or --abandoned")
    for name in dict.fromkeys(names):
        if not delete_recorded(name):
            known = [record.name for record in records.all()]
            raise UsageError("a cluster that was made here", seen=name, exists=known, run="harness cluster list")
    return 0


def _clean(arguments: argparse.Namespace) -> int:
    from harness.clusters.kubeconfig import choose_context
    from harness.clusters.leftovers import remove_leftovers
    from harness.kube import Kube

    # It deletes: the current context alone is not enough.
    chosen = choose_context(arguments.kubeconfig, arguments.context, option="--context")
    kube = Kube.connect(chosen.path, chosen.context)
    try:
        return remove_leftovers(kube, run=arguments.run, dry_run=arguments.dry_run)
    finally:
        kube.close()
