"""The reference page and the JSON schemas of the suite format, generated from the models.

    python -m harness.suite.reference            # writes docs/kuttl-reference.md and harness/suite/schemas/*.json

Nobody imports it but its test, which says when the files are out of date.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.suite.header import HEADER_VERSION, SuiteHeader
from harness.suite.quirks import QUIRKS
from harness.suite.spec import (
    GROUP,
    AssertCommand,
    Command,
    Metadata,
    ObjectReference,
    Requirement,
    ResourceRef,
    TestAssert,
    TestFile,
    TestStep,
    TestSuite,
)

__all__ = ["KINDS", "Kind", "files", "main", "render_reference", "render_schema"]

_VERSION = f"{GROUP}/v1beta1"
_DRAFT = "http://json-schema.org/draft-07/schema#"
_WORDS = {str: "text", int: "whole number", bool: "true or false", float: "number"}
_JSON = {str: "string", int: "integer", bool: "boolean", float: "number"}
_VALUES: dict[tuple[type, str], tuple[str, ...]] = {
    (TestStep, "kubeconfigLoading"): ("Eager", "Lazy"),
    (TestSuite, "reportFormat"): ("xml", "json"),
    (TestSuite, "reportGranularity"): ("step", "test"),
    (Requirement, "operator"): ("In", "NotIn", "Exists", "DoesNotExist"),
}
_DEFAULTS: dict[tuple[type, str], str] = {
    (TestSuite, "timeout"): "30",
    (TestSuite, "parallel"): "8",
    (TestSuite, "ignoreFiles"): "README*",
    (TestSuite, "reportGranularity"): "step",
    (TestStep, "kubeconfigLoading"): "Eager",
}
_INTERNAL = re.compile(r"[;,] (?:None where|see `effective_)[^;.]*")  # what only readers of the code need
_REQUIRED: dict[type, tuple[str, ...]] = {
    ResourceRef: ("apiVersion", "kind", "name", "ref"),
    ObjectReference: ("apiVersion", "kind"),
    Requirement: ("key", "operator"),
}
_ONE_OF: dict[type, tuple[str, ...]] = {Command: ("command", "script"), AssertCommand: ("command", "script")}
_INTRODUCTION = """# Reference of the suite format

Generated from the models by `python -m harness.suite.reference`; a test says when it is out of date. JSON schemas for
editors are in `harness/suite/schemas/`, one per kind. Field names are case-sensitive; an unknown field is a warning
with a suggestion, an error with `--strict`.
"""
_QUIRKS = """## Quirks

What kuttl does that looks like a defect, and what is done here. COPY: the same. WARN: the same, with a warning.
STRICT: the better behaviour by default, kuttl's with `--bug-for-bug`. REPLACE: the better behaviour always. Messages
name them as `[Q33]`.

| Q | kuttl | verdict | here |
|---|---|---|---|
"""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of document.

    Attributes:
        model: its dataclass.
        name: its kind.
        api_version: its apiVersion.
        place: the files it belongs to.
    """

    model: type
    name: str
    api_version: str
    place: str


KINDS = (
    Kind(model=TestSuite, name="TestSuite", api_version=_VERSION, place="`kuttl-test.yaml`, or the file of `--config`"),
    Kind(model=TestStep, name="TestStep", api_version=_VERSION, place="files that are applied: `00-install.yaml`"),
    Kind(model=TestAssert, name="TestAssert", api_version=_VERSION, place="assert files: `00-assert.yaml`"),
    Kind(model=TestFile, name="TestFile", api_version=_VERSION, place="any file of a step"),
    Kind(
        model=SuiteHeader, name="Suite", api_version=HEADER_VERSION,
        place="`kuttl-test.yaml`, beside the TestSuite; read by pytest, skipped by kuttl",
    ),
)  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    key: str
    type: Any
    default: Any
    text: str


def render_reference() -> str:
    """Return the reference page."""
    parts = [_INTRODUCTION]
    for kind in KINDS:
        parts.append(f"## {kind.name}\n\n`{kind.api_version}`. In {kind.place}.\n\n{_summary(kind.model)}\n")
        parts.append(_table(kind.model))
        parts += [f"### {_title(part)}\n\n{_summary(part)}\n\n{_table(part)}" for part in _parts(kind.model)]
    rows = [f"| {one.number} | {_cell(one.behaviour)} | {one.verdict} | {_cell(one.action)} |" for one in QUIRKS]
    return "\n".join([*parts, _QUIRKS + "\n".join(rows) + "\n"])


def render_schema(kind: Kind) -> str:
    """Return the JSON schema of a kind."""
    definitions = {part.__name__: _object(part) for part in _parts(kind.model)}
    body = _object(kind.model)
    head = {"apiVersion": {"const": kind.api_version}, "kind": {"const": kind.name}}
    schema = {
        "$schema": _DRAFT, "title": kind.name, **body,
        "properties": {**head, **body["properties"], **head},
        "required": ["apiVersion", "kind"],
    }  # fmt: skip
    if definitions:
        schema["definitions"] = definitions
    return json.dumps(schema, indent=2) + "\n"


def files(root: Path) -> dict[Path, str]:
    """Return what belongs into the generated files.

    Args:
        root: the project's folder.
    """
    schemas = root / "harness" / "suite" / "schemas"
    found = {schemas / f"{kind.name}.json": render_schema(kind) for kind in KINDS}
    return {root / "docs" / "kuttl-reference.md": render_reference(), **found}


def main() -> int:
    """Write the files, and say which changed."""
    for path, text in files(Path(__file__).parents[2]).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"{path.name}: written\n")
    return 0


def _fields(model: type) -> Iterator[_Field]:
    hints, texts = typing.get_type_hints(model), _texts(model)
    for one in dataclasses.fields(model):
        if not one.metadata.get("mark"):
            key = str(one.metadata.get("key") or _camel(one.name))
            default = one.default if one.default_factory is dataclasses.MISSING else None
            yield _Field(
                key=key, type=hints[one.name], default=default, text=_INTERNAL.sub("", texts.get(one.name, ""))
            )


def _texts(model: type) -> dict[str, str]:
    """Return what a class's docstring says of its attributes."""
    _, _, section = inspect.getdoc(model).partition("Attributes:\n")  # type: ignore[union-attr]  # all models have one
    found: dict[str, str] = {}
    name = ""
    for line in section.splitlines():
        begin = re.match(r" {4}(\w+): (.*)", line)
        if begin:
            name, found[begin[1]] = begin[1], begin[2]
        elif name and line.strip():
            found[name] += f" {line.strip()}"
    return found


def _summary(model: type) -> str:
    text = (inspect.getdoc(model) or "").partition("\n\nAttributes:")[0]
    return _INTERNAL.sub("", text.replace("\n", " "))


def _parts(model: type) -> list[type]:
    """Return the models that a model's fields consist of, each once, in order."""
    found: dict[type, None] = {}
    for field in _fields(model):
        for one in _leaves(field.type):
            if isinstance(one, type) and dataclasses.is_dataclass(one):
                found[one] = None
                found.update(dict.fromkeys(_parts(one)))
    return list(found)


def _leaves(hint: Any) -> Iterator[Any]:
    arguments = typing.get_args(hint)
    if not arguments:
        yield hint
    for one in arguments:
        yield from _leaves(one)


def _table(model: type) -> str:
    rows = ["| field | type | default | meaning |", "|---|---|---|---|"]
    for field in _fields(model):
        values = _VALUES.get((model, field.key))
        kind = " or ".join(f"`{one}`" for one in values) if values else _words(field.type)
        rows.append(f"| `{field.key}` | {kind} | {_default(model, field)} | {_cell(field.text)} |")
    return "\n".join(rows) + "\n"


def _words(hint: Any) -> str:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return _words(next(one for one in arguments if one is not type(None)))
    if origin is tuple:
        return f"list of {_words(arguments[0])}"
    if origin is not None and issubclass(origin, Mapping):
        return f"map of {_words(arguments[1])}"
    return _title(hint) if dataclasses.is_dataclass(hint) else _WORDS.get(hint, "anything")


def _default(model: type, field: _Field) -> str:
    if (model, field.key) in _DEFAULTS:
        return f"`{_DEFAULTS[model, field.key]}`"
    if isinstance(field.default, bool):
        return "false" if not field.default else "true"
    return f"`{field.default}`" if field.default not in (None, "", (), dataclasses.MISSING) else ""


def _object(model: type) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for field in _fields(model):
        values = _VALUES.get((model, field.key))
        schema = {**_schema(field.type), **({"enum": list(values)} if values else {})}
        if "$ref" not in schema and field.text:
            schema["description"] = field.text
        properties[field.key] = schema
    result: dict[str, Any] = {
        "description": _summary(model), "type": "object", "properties": properties,
        "additionalProperties": model is Metadata,
    }  # fmt: skip
    if model in _REQUIRED:
        result["required"] = list(_REQUIRED[model])
    if model in _ONE_OF:
        result["oneOf"] = [{"required": [key]} for key in _ONE_OF[model]]
    return result


def _schema(hint: Any) -> dict[str, Any]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return _schema(next(one for one in arguments if one is not type(None)))
    if origin is tuple:
        return {"type": "array", "items": _schema(arguments[0])}
    if origin is not None and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _schema(arguments[1])}
    if dataclasses.is_dataclass(hint):
        return {"$ref": f"#/definitions/{hint.__name__}"}  # type: ignore[union-attr]  # a class
    return {"type": _JSON[hint]} if hint in _JSON else {}


def _title(model: Any) -> str:
    return str(model.__name__)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    sys.exit(main())
