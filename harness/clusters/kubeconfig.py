"""Reading a user's kubeconfig: which context was named, and a file that holds only that one.

Imported by harness.clusters.existing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.kit.documents import Manifest, load_documents
from harness.kit.errors import UsageError, did_you_mean

__all__ = ["Chosen", "choose_context", "pinned"]

_FILES = ("certificate-authority", "client-certificate", "client-key", "tokenFile")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """One context of one kubeconfig file, both named by the user.

    Args:
        path: the file.
        context: the context.
        value: the file's content.
    """

    path: Path
    context: str
    value: Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    path: Path
    value: Manifest

    @property
    def current(self) -> str:
        return str(self.value.get("current-context") or "")

    @property
    def contexts(self) -> tuple[str, ...]:
        return tuple(str(entry["name"]) for entry in _entries(self.value, "contexts"))


def choose_context(
    kubeconfig: Path | None,
    context: str | None,
    environ: Mapping[str, str] = os.environ,
    *,
    option: str = "--harness-context",
) -> Chosen:
    """Return the kubeconfig and context that the user named.

    Args:
        kubeconfig: the file that was named; without one, the files of $KUBECONFIG or ~/.kube/config are searched, but
            only for a context that was named.
        context: the context that was named; the file's only one when None.
        environ: where KUBECONFIG is looked up.
        option: how the user names a context, for errors.

    Raises:
        UsageError: neither was named, the file has several contexts and none was named, or there is no such context.
    """
    if kubeconfig is None and context is None:
        raise UsageError("a cluster that was named", seen=f"neither --kubeconfig nor {option}")
    files = [_read(path) for path in ([kubeconfig.absolute()] if kubeconfig else _default_files(environ))]
    if context is None:
        return Chosen(path=files[0].path, context=_only_context(files[0], option), value=files[0].value)
    for file in files:
        if context in file.contexts:
            return Chosen(path=file.path, context=context, value=file.value)
    exists = [name for file in files for name in file.contexts]
    where = ", ".join(str(file.path) for file in files) or "no file of KUBECONFIG and no ~/.kube/config"
    raise UsageError(
        f"context {context}", seen=did_you_mean(context, exists) or "not there", where=where, exists=exists
    )


def pinned(chosen: Chosen) -> Manifest:
    """Return a kubeconfig with the chosen context only, as current one, that works from any folder.

    Programs that a test starts (kubectl) then reach this cluster, whatever becomes of the user's current context.

    Raises:
        UsageError: the context's cluster or user stands in another file.
    """
    context = _named(chosen, "contexts", chosen.context)
    body = context.get("context") or {}
    parts = {
        plural: [_anchored(_named(chosen, plural, str(body[singular])), chosen.path.parent)]
        for plural, singular in (("clusters", "cluster"), ("users", "user"))
        if body.get(singular)
    }
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": chosen.context,
        "contexts": [context],
        "clusters": parts.get("clusters", []),
        "users": parts.get("users", []),
    }


def _only_context(file: _File, option: str) -> str:
    if len(file.contexts) == 1:
        return file.contexts[0]
    hint = f"{option} {file.current}" if file.current in file.contexts else f"{option} NAME"
    raise UsageError(
        "the context to write to, said explicitly",
        seen=f"{len(file.contexts)} contexts" + (f", the current one is {file.current}" if file.current else ""),
        where=str(file.path),
        exists=file.contexts,
        run=f"the same command with {hint}",
    )


def _default_files(environ: Mapping[str, str]) -> list[Path]:
    named = environ.get("KUBECONFIG", "")
    paths = [Path(part) for part in named.split(os.pathsep) if part] or [Path.home() / ".kube" / "config"]
    return [path.absolute() for path in paths if path.exists()]


def _read(path: Path) -> _File:
    documents = load_documents(path, duplicates="last")
    value: Any = documents[0].value if documents else None
    if not isinstance(value, dict) or value.get("kind", "Config") != "Config":
        raise UsageError("a kubeconfig (kind: Config)", seen="something else", where=str(path))
    return _File(path=path, value=value)


def _entries(value: Manifest, plural: str) -> list[Manifest]:
    return [entry for entry in value.get(plural) or [] if isinstance(entry, dict) and entry.get("name")]


def _named(chosen: Chosen, plural: str, name: str) -> Manifest:
    for entry in _entries(chosen.value, plural):
        if entry["name"] == name:
            return entry
    raise UsageError(
        f"{name} among the {plural} of the file of its context",
        seen="not there",
        where=str(chosen.path),
        run=f"kubectl config view --flatten --minify --context {chosen.context} > one.yaml, and --kubeconfig one.yaml",
    )


def _anchored(entry: Manifest, folder: Path) -> Manifest:
    """Return an entry whose file names no longer depend on the folder of its kubeconfig."""
    return {key: _anchored_part(part, folder) if isinstance(part, dict) else part for key, part in entry.items()}


def _anchored_part(part: Manifest, folder: Path) -> Manifest:
    result = {key: str(folder / str(text)) if key in _FILES and text else text for key, text in part.items()}
    command = (part.get("exec") or {}).get("command", "")
    if "/" in command:  # a bare name is looked up on PATH, anything else beside the file
        result["exec"] = {**part["exec"], "command": str(folder / command)}
    return result
