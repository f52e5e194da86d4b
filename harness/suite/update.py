"""Golden files: an assert file written or refreshed from the live state, without what changes from run to run.

Imported by verbs. Only documents whose values changed are rewritten, without their comments; the rest stays as it is.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.checks.golden import golden_manifest, refreshed_manifest
from harness.checks.nearest import ranked
from harness.kit.documents import Manifest, dump_yaml, parse_first
from harness.kit.errors import UsageError
from harness.suite.spec import GROUP
from harness.suite.streams import split_stream

__all__ = ["Updated", "update_file"]

_PARTS = 3  # of API version, kind and name, at least


class Live(Protocol):
    """What is needed of harness.kube.Kube."""

    def find(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Manifest | None:
        """Return an object, None when it is not there."""
        ...

    def list(
        self, api_version: str, kind: str, namespace: str | None = None, *, labels: str = "", fields: str = ""
    ) -> list[Manifest]:
        """Return objects."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Updated:
    """A file as it would be.

    Attributes:
        path: the file.
        before: its text, empty for a new one.
        text: its new text.
        documents: how many documents were added or changed.
    """

    path: Path
    before: str
    text: str
    documents: int

    @property
    def changed(self) -> bool:
        """Whether there is anything to write."""
        return self.text != self.before

    @property
    def summary(self) -> str:
        """What was done, in words."""
        if not self.changed:
            return "up to date"
        return f"{self.documents} {'document' if self.documents == 1 else 'documents'} written"

    @property
    def diff(self) -> str:
        """The change as a unified diff."""
        old, new = self.before.splitlines(keepends=True), self.text.splitlines(keepends=True)
        return "".join(difflib.unified_diff(old, new, str(self.path), str(self.path)))


def update_file(path: Path, kube: Live, namespace: str, *, objects: Sequence[str] = ()) -> Updated:
    """Return an assert file with the values of the live objects.

    Args:
        path: the file; a new one needs objects.
        kube: a client.
        namespace: where the objects are.
        objects: objects to add, "apps/v1/Deployment/db".

    Raises:
        UsageError: a template, a file that cannot be read, an object that is not there.
    """
    if path.name.endswith(".gotmpl.yaml"):
        raise UsageError("an assert file", seen="a template: its values come from elsewhere", where=str(path))
    if not path.exists() and not objects:
        run = f"the same command with --object APIVERSION/KIND/NAME, to write a new {path.name}"
        raise UsageError("an assert file", seen="no such file", where=str(path), run=run)
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    lines = before.split("\n")
    written = 0
    for line, part in reversed(split_stream(before, str(path))):
        refreshed = _refreshed(part, line, path, kube, namespace)
        if refreshed is not None:
            count = part.count("\n") + (not part.endswith("\n"))
            lines[line - 1 : line - 1 + count] = refreshed.rstrip("\n").split("\n")
            written += 1
    text = "\n".join(lines)
    for name in objects:
        added = dump_yaml(golden_manifest(_named(name, kube, namespace)))
        text = f"{text}---\n{added}" if text.strip() else added
        written += 1
    return Updated(path=path, before=before, text=text, documents=written)


def _refreshed(part: str, line: int, path: Path, kube: Live, namespace: str) -> str | None:
    """Return a document with live values, None when it stays as it is."""
    document = parse_first(part, str(path), first_line=line)
    value = document.value if document else None
    if document is None or not isinstance(value, dict) or str(value.get("apiVersion", "")).startswith(f"{GROUP}/"):
        return None
    live = _live(value, kube, namespace)
    if live is None:
        metadata = value.get("metadata") or {}
        name = metadata.get("name") or "with these labels"
        raise UsageError(f"a live {value.get('kind')} {name}", seen=f"none in {namespace}", where=str(document.mark))
    refreshed = refreshed_manifest(value, live)
    return None if refreshed == value else dump_yaml(refreshed)


def _live(expected: Manifest, kube: Live, namespace: str) -> Manifest | None:
    """Return the live object of an assert; of several candidates the one that differs least."""
    metadata = expected.get("metadata") or {}
    api_version, kind = str(expected.get("apiVersion")), str(expected.get("kind"))
    home = str(metadata.get("namespace") or namespace)
    if metadata.get("name"):
        return kube.find(api_version, kind, str(metadata["name"]), home)
    labels = ",".join(f"{key}={value}" for key, value in (metadata.get("labels") or {}).items())
    found = ranked(expected, kube.list(api_version, kind, home, labels=labels))
    return found[0].value if found else None


def _named(text: str, kube: Live, namespace: str) -> Manifest:
    parts = text.split("/")
    if len(parts) < _PARTS or not all(parts):
        raise UsageError("an object as APIVERSION/KIND/NAME, such as apps/v1/Deployment/db", seen=text)
    api_version, kind, name = "/".join(parts[:-2]), parts[-2], parts[-1]
    found = kube.find(api_version, kind, name, namespace)
    if found is None:
        raise UsageError(f"a live {kind} {name}", seen=f"none in {namespace}", where="--object")
    return found
