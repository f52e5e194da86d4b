"""The documents of one file put where they belong: objects, kuttl's own kinds, extensions; misplaced ones are errors.

Pure. Imported by loading.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from harness.kit.documents import Document
from harness.suite.decode import decode_assert, decode_file, decode_step
from harness.suite.files import Role
from harness.suite.model import Entry
from harness.suite.problem import Problem
from harness.suite.spec import GROUP, TYPED_KINDS, TestAssert, TestFile, TestStep

__all__ = ["EXTENSION_GROUP", "Placed", "group_of", "place"]

EXTENSION_GROUP = "harness.dev"
_PLACES = {
    "TestStep": "a TestStep belongs to a file that is applied, such as 00-install.yaml",
    "TestAssert": "a TestAssert belongs to an assert file, such as 00-assert.yaml",
    "TestSuite": "a TestSuite belongs to kuttl-test.yaml",
    "TestFile": "a TestFile belongs to a file of a step, not to one that a TestStep lists",
}


@dataclass(slots=True, kw_only=True)
class Placed:
    """What one file holds.

    Attributes:
        entries: ordinary objects, in order; the items of Lists among them.
        extensions: documents of group harness.dev.
        steps: TestSteps; more than one in a step is an error of the step.
        asserts: TestAsserts; the last one of a step counts.
        selector: the TestFile, if any.
        problems: what is wrong or odd.
    """

    entries: list[Entry] = field(default_factory=list)
    extensions: list[Entry] = field(default_factory=list)
    steps: list[TestStep] = field(default_factory=list)
    asserts: list[TestAssert] = field(default_factory=list)
    selector: TestFile | None = None
    problems: list[Problem] = field(default_factory=list)


def place(documents: Iterable[Document], role: Role, *, listed: bool = False) -> Placed:
    """Return the documents of one file, sorted by what they are.

    Args:
        documents: as they were parsed.
        role: the file's.
        listed: it is a file that a TestStep lists, or an argument of `assert` or `errors`.
    """
    placed = Placed()
    for document in documents:
        _place_value(placed, Entry(manifest=document.value, document=document, role=role, listed=listed))
    return placed


def group_of(api_version: Any) -> str:
    """Return the group of an apiVersion; empty for the core group and for what is no text."""
    return api_version.rpartition("/")[0] if isinstance(api_version, str) else ""


def _place_value(placed: Placed, entry: Entry) -> None:
    fault = _fault(entry)
    if fault:
        placed.problems.append(fault)
        return
    group, kind = group_of(entry.manifest.get("apiVersion")), entry.manifest["kind"]
    if group == GROUP and kind in TYPED_KINDS and not entry.base:
        _place_typed(placed, entry, kind)
    elif group == EXTENSION_GROUP:
        placed.extensions.append(entry)
    elif not entry.listed and (kind, entry.role) in {("TestStep", "apply"), ("TestAssert", "assert")}:
        seen = f"failed to load {kind} object from {entry.document.file}: it contains an object of type {kind}"
        hint = f"its apiVersion must be {GROUP}/v1beta1, not {entry.api_version or 'missing'}"
        placed.problems.append(_error(entry, seen, hint=hint))
    elif kind == "List" and entry.api_version == "v1":
        _place_items(placed, entry)
    else:
        placed.problems += _object_problems(entry)
        placed.entries.append(entry)


def _fault(entry: Entry) -> Problem | None:
    """Return why a value is no object at all."""
    value: Any = entry.manifest
    if not isinstance(value, dict):
        return _error(entry, f"an object must be a mapping, this is {_shape(value)}")
    if value.get("kind") in (None, ""):
        hint = "every object needs a kind" + ("" if "Kind" not in value else ', written "kind"')
        return _error(entry, f"Object 'Kind' is missing in '{_short_json(value)}'", hint=hint)
    for key in ("kind", "apiVersion"):
        if not isinstance(value.get(key), str | None):
            return _error(entry, f"{key} must be a text, not {value[key]!r}", key)
    if not isinstance(value.get("metadata"), dict | None):
        return _error(entry, "metadata must be a mapping", "metadata")
    return None


def _place_typed(placed: Placed, entry: Entry, kind: str) -> None:
    found: list[Problem] = []
    if kind == "TestFile" and not entry.listed:
        selector, found = decode_file(entry.document)
        if placed.selector is not None:
            text = f'more than one TestFile object encountered in file "{entry.document.file}"'
            found.append(_error(entry, text))
        placed.selector = selector
    elif kind == "TestStep" and entry.role == "apply" and not entry.listed:
        step, found = decode_step(entry.document)
        placed.steps.append(step)
    elif kind == "TestAssert" and entry.role != "apply":
        read, found = decode_assert(entry.document)
        placed.asserts.append(read)
    else:
        quirk = {"TestStep": 45, "TestAssert": 20}.get(kind, 0)
        found = [_error(entry, f"a {kind} does not belong here", hint=_PLACES[kind], quirk=quirk)]
    placed.problems += found


def _place_items(placed: Placed, entry: Entry) -> None:
    """Put the items of a List where they would belong on their own (quirk Q4)."""
    items = entry.manifest.get("items")
    if not isinstance(items, list):
        placed.problems.append(_error(entry, "a List needs a list of items", "items", quirk=4))
        return
    for index, item in enumerate(items):
        base = (*entry.base, "items", index)
        one = Entry(manifest=item, document=entry.document, role=entry.role, base=base, listed=entry.listed)
        _place_value(placed, one)


def _object_problems(entry: Entry) -> list[Problem]:
    found: list[Problem] = []
    metadata = entry.manifest.get("metadata") or {}
    if entry.role == "apply" and not entry.name:
        hint = "generateName is not supported" if metadata.get("generateName") else "give it metadata.name"
        found.append(_error(entry, f"a {entry.kind} to apply: resource name may not be empty", hint=hint, quirk=48))
    if not entry.api_version:
        found.append(_error(entry, f"a {entry.kind} without apiVersion"))
    for key in ("labels", "annotations"):
        values = metadata.get(key, {})
        if values is None:
            continue
        if not isinstance(values, dict):
            found.append(_error(entry, f"metadata.{key} must be a mapping", "metadata", key))
            continue
        for name, value in values.items():
            if not isinstance(value, str):
                text = f"metadata.{key}.{name} is {json.dumps(value)}, not a text"
                where = str(entry.at("metadata", key, name))
                found.append(Problem(severity="warning", text=text, where=where, hint="put it in quotes"))
    return found


def _error(entry: Entry, text: str, *path: str, hint: str = "", quirk: int = 0) -> Problem:
    return Problem(severity="error", text=text, where=str(entry.at(*path)), hint=hint, quirk=quirk)


def _shape(value: Any) -> str:
    return "a list" if isinstance(value, list) else f"the value {_short_json(value)}"


def _short_json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."  # noqa: PLR2004 - a line's worth
