"""What the user asked for: one frozen set of options, the cluster's name, and kind's configuration made from it.

Pure but for reading the user's own configuration file. Imported by the rest of harness.clusters, the fixtures and the
command line.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from harness.kit.documents import Manifest, load_documents
from harness.kit.errors import UsageError

__all__ = [
    "RUN_LABEL",
    "Airgap",
    "ClusterOptions",
    "cluster_name",
    "kind_config",
    "new_run_id",
    "run_labels",
    "same_version",
]

Airgap = Literal["auto", "always", "never"]

RUN_LABEL = "harness.dev/run"

_API_VERSION = "kind.x-k8s.io/v1alpha4"
_NAME = re.compile(r"[a-z0-9]([-.a-z0-9]{0,48}[a-z0-9])?")  # kind: ^[a-z0-9.-]+$; at most 50 for the nodes' host names
_MOST_WORKERS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterOptions:
    """What kind of cluster is wanted, and for which run.

    Args:
        run: id of the run; everything that is created carries it as label.
        name: the cluster's name; chosen by `cluster_name` when None.
        keep: whether the cluster stays after the run, to be used again by the next one.
        kubeconfig: a kubeconfig of the user's; with it, or with `context`, no cluster is created.
        context: the context in it.
        kubernetes_version: e.g. "v1.36.3" or "1.36"; the newest that can be had when None.
        image: kind's node image, instead of the one that fits the version.
        kind: the kind program.
        kubectl: the kubectl program.
        workers: worker nodes beside the control plane.
        config: a kind configuration file of the user's (ports, mounts, nodes).
        images: images of the suite that are loaded from the engine into every node.
        recipes: names of images that the air gap can build.
        airgap: whether things are built here: when nothing can be pulled, always, never.
        timeout: seconds from the start of kind to a cluster that is ready.
        project: the folder that a kept cluster without a name belongs to.
    """

    run: str
    name: str | None = None
    keep: bool = False
    kubeconfig: Path | None = None
    context: str | None = None
    kubernetes_version: str | None = None
    image: str | None = None
    kind: Path | None = None
    kubectl: Path | None = None
    workers: int = 0
    config: Path | None = None
    images: tuple[str, ...] = ()
    recipes: tuple[str, ...] = ()
    airgap: Airgap = "auto"
    timeout: float = 240.0
    project: Path = field(default_factory=Path.cwd)

    def __post_init__(self) -> None:
        if self.name is not None and not _NAME.fullmatch(self.name):
            raise UsageError(
                "a cluster name of at most 50 small letters, digits, dots and dashes",
                seen=self.name,
                where="--cluster-name",
            )
        if not 0 <= self.workers <= _MOST_WORKERS:
            raise UsageError(f"0 to {_MOST_WORKERS} worker nodes", seen=str(self.workers))


def new_run_id() -> str:
    """Return the id of a new run: four hexadecimal digits."""
    return secrets.token_hex(2)


def run_labels(run: str) -> dict[str, str]:
    """Return the labels of everything that a run creates."""
    return {RUN_LABEL: run}


def cluster_name(options: ClusterOptions) -> str:
    """Return the cluster's name: the given one, else one per run, or one per project for a cluster that is kept.

    A name per run lets runs go side by side; a kept cluster must be found again by the next run of the same project.
    """
    if options.name:
        return options.name
    if options.keep:
        project = str(options.project.resolve())
        return f"harness-{hashlib.sha256(project.encode()).hexdigest()[:4]}"
    return f"harness-{options.run}"


def same_version(wanted: str | None, seen: str) -> bool:
    """Tell whether a server's version is the wanted one: "1.36" is met by "v1.36.3", "v1.36.3" only by itself."""
    if not wanted:
        return True
    asked = re.findall(r"\d+", wanted)[:3]
    return re.findall(r"\d+", seen)[: len(asked)] == asked


def kind_config(options: ClusterOptions, needed: Mapping[str, Any]) -> Manifest:
    """Return kind's configuration: the user's file, the wanted workers, and what the node image needs.

    Args:
        options: `config` and `workers` are used.
        needed: a part of a kind configuration that the node image depends upon.

    Raises:
        UsageError: the file is not a kind configuration, or says the opposite of what is needed.
    """
    config = _merged(_user_config(options), needed, str(options.config), ())
    config |= {"kind": "Cluster", "apiVersion": _API_VERSION}
    nodes = config.get("nodes") or []
    if nodes and options.workers:
        raise UsageError(
            "worker nodes from the option or from the file, not from both",
            seen=f"{options.workers} workers and {len(nodes)} nodes in the file",
            where=str(options.config),
        )
    nodes = nodes or [{"role": "control-plane"}, *({"role": "worker"} for _ in range(options.workers))]
    config["nodes"] = [_labelled(node, options.run) for node in nodes]
    return config


def _labelled(node: Mapping[str, Any], run: str) -> Manifest:
    return {**node, "labels": {**(node.get("labels") or {}), **run_labels(run)}}


def _user_config(options: ClusterOptions) -> Manifest:
    if options.config is None:
        return {}
    wanted = f"one kind configuration (kind: Cluster, apiVersion: {_API_VERSION})"
    documents = load_documents(options.config)
    if len(documents) != 1 or not isinstance(documents[0].value, dict):
        raise UsageError(wanted, seen=f"{len(documents)} documents", where=str(options.config))
    value: Manifest = documents[0].value
    if (value.get("kind"), value.get("apiVersion")) != ("Cluster", _API_VERSION):
        seen = f"kind {value.get('kind')}, apiVersion {value.get('apiVersion')}"
        raise UsageError(wanted, seen=seen, where=str(documents[0].mark))
    if value.get("name"):
        raise UsageError(
            "the cluster's name from --cluster-name", seen=f"name {value['name']}", where=str(documents[0].at("name"))
        )
    return value


def _merged(base: Mapping[str, Any], needed: Mapping[str, Any], file: str, path: tuple[str, ...]) -> Manifest:
    """Return both; lists are joined, mappings merged, and two different plain values are the user's to solve."""
    result = dict(base)
    for key, value in needed.items():
        have = result.get(key)
        if have is None or have == value:
            result[key] = value
        elif isinstance(have, dict) and isinstance(value, Mapping):
            result[key] = _merged(have, value, file, (*path, key))
        elif isinstance(have, list) and isinstance(value, list):
            result[key] = [*have, *value]
        else:
            raise UsageError(
                f"{'.'.join((*path, key))}: {value}, as the node image needs it", seen=str(have), where=file
            )
    return result
