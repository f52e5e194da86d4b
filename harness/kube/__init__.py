"""Kubernetes API access in plain dicts: client, discovery, watches, exec, logs, port-forward.

The only importer of `kubernetes` (and of its websocket), which is loaded when a client connects, not at import.
Everybody above may import the names listed here.
"""

from __future__ import annotations

from harness.kube.client import Kube, PatchType
from harness.kube.discovery import Resource
from harness.kube.errors import (
    AlreadyExists,
    ApiError,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    TooManyRequests,
    Unauthorized,
    UnknownKind,
    Unreachable,
)
from harness.kube.objects import (
    Manifest,
    Ref,
    annotations_of,
    condition_of,
    controller_of,
    dig,
    labels_of,
    name_of,
    namespace_of,
    owners_of,
    split_api_version,
    uid_of,
    version_of,
)
from harness.kube.portforward import PortForward
from harness.kube.stream import Executed, LogStream
from harness.kube.watch import Event, EventType, Watch

__all__ = [
    "AlreadyExists",
    "ApiError",
    "Conflict",
    "Event",
    "EventType",
    "Executed",
    "Forbidden",
    "Gone",
    "Invalid",
    "Kube",
    "LogStream",
    "Manifest",
    "NotFound",
    "PatchType",
    "PortForward",
    "Ref",
    "Resource",
    "TooManyRequests",
    "Unauthorized",
    "UnknownKind",
    "Unreachable",
    "Watch",
    "annotations_of",
    "condition_of",
    "controller_of",
    "dig",
    "labels_of",
    "name_of",
    "namespace_of",
    "owners_of",
    "split_api_version",
    "uid_of",
    "version_of",
]
