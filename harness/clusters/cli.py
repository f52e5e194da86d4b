"""`harness cluster up|list|down`: clusters for work by hand, and what runs left behind.

Imported by harness.cli only; what a command needs is imported when it runs.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.clusters.records import Record

__all__ = ["add_parser"]


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the verbs of `harness`."""
    cluster = verbs.add_parser("cluster", help="create, list and delete kind clusters")
    actions = cluster.add_subparsers(required=True, metavar="ACTION")
    up = actions.add_parser("up", help="create a cluster that stays, or check the one that is there")
    up.add_argument("name", nargs="?", help="default: one name per project folder")
    up.add_argument("--kubernetes-version", metavar="V", help="e.g. v1.36.3 or 1.36")
    up.add_argument("--workers", type=int, default=0, metavar="N", help="worker nodes beside the control plane (0)")
    up.add_argument("--config", type=Path, metavar="FILE", help="a kind configuration: ports, mounts, nodes")
    up.add_argument("--image", metavar="IMAGE", help="kind's node image")
    up.add_argument("--load", action="append", default=[], metavar="IMAGE", help="load this image (repeatable)")
    up.add_argument("--airgap", choices=("auto", "always", "never"), default="auto", help="build what cannot be pulled")
    up.set_defaults(handler=_up)
    listing = actions.add_parser("list", help="list the clusters that the harness made")
    listing.set_defaults(handler=_list)
    down = actions.add_parser("down", help="delete clusters that the harness made")
    down.add_argument("name", nargs="*", help="default: the cluster of this project folder")
    down.add_argument("--all", action="store_true", help="every cluster that the harness made")
    down.add_argument("--abandoned", action="store_true", help="those that killed runs left")
    down.set_defaults(handler=_down)


def _up(arguments: argparse.Namespace) -> int:
    from harness.clusters.config import ClusterOptions, new_run_id
    from harness.clusters.kind import KindProvider

    options = ClusterOptions(
        run=new_run_id(),
        name=arguments.name,
        keep=True,
        kubernetes_version=arguments.kubernetes_version,
        image=arguments.image,
        workers=arguments.workers,
        config=arguments.config,
        images=tuple(arguments.load),
        airgap=arguments.airgap,
    )
    cluster = KindProvider(options).create()
    variables = "".join(f"export {name}={value}\n" for name, value in sorted(cluster.env.items()))
    sys.stdout.write(f"{variables}# Kubernetes {cluster.kubernetes_version}; remove it with: {cluster.remove}\n")
    return 0


def _list(_arguments: argparse.Namespace) -> int:
    from harness.clusters.records import Records

    records = Records()
    abandoned = {record.name for record in records.abandoned()}
    for record in records.all():
        sys.stdout.write(_row(record, left=record.name in abandoned) + "\n")
    return 0


def _row(record: Record, *, left: bool) -> str:
    state = "left by a killed run" if left else "kept" if record.keep else f"in use by run {record.run}"
    return f"{record.name:<24} {record.kubernetes_version or '-':<10} {state}"


def _down(arguments: argparse.Namespace) -> int:
    from harness.clusters.config import ClusterOptions, cluster_name
    from harness.clusters.kind import delete_recorded
    from harness.clusters.records import Records
    from harness.kit.errors import UsageError

    records = Records()
    names = list(arguments.name)
    if arguments.all:
        names += [record.name for record in records.all()]
    if arguments.abandoned:
        names += [record.name for record in records.abandoned()]
    if not (names or arguments.all or arguments.abandoned):
        names = [cluster_name(ClusterOptions(run="0000", keep=True))]
    known = [record.name for record in records.all()]
    for name in dict.fromkeys(names):
        if not delete_recorded(name):
            raise UsageError(f"cluster {name}, made by the harness", seen="no record of it", exists=known)
    return 0
