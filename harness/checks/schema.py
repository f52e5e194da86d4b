"""A manifest against the OpenAPI schema that a cluster publishes: unknown fields, wrong types, impossible values.

Pure: the caller fetches /openapi/v3/api/v1 or /openapi/v3/apis/<group>/<version>. For lint, to find asserts that can
never hold. Manifests may be partial: nothing is demanded that is not there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.checks.paths import MISSING, Path
from harness.checks.subset import Difference, go_value
from harness.kit.errors import did_you_mean

__all__ = ["check_schema", "find_schema"]

Schema = Mapping[str, Any]

_REFERENCE = "#/components/schemas/"
_ANYTHING = "x-kubernetes-preserve-unknown-fields"
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}
_WORDS = {"string": "a text", "integer": "a whole number", "boolean": "true or false", "array": "a list"}


def find_schema(document: Schema, api_version: str, kind: str) -> Schema | None:
    """Return the schema of a kind, None when the document has none.

    Args:
        document: an OpenAPI v3 document of a cluster.
        api_version: as in a manifest.
        kind: as in a manifest.
    """
    group, _, version = api_version.rpartition("/")
    wanted = {"group": group, "version": version, "kind": kind}
    schemas: Mapping[str, Schema] = (document.get("components") or {}).get("schemas") or {}
    return next((one for one in schemas.values() if wanted in one.get("x-kubernetes-group-version-kind", ())), None)


def check_schema(manifest: Any, schema: Schema, document: Schema, path: Path = ()) -> list[Difference]:
    """Return what the schema rules out in a manifest.

    Args:
        manifest: an object or a part of one, as an assert has it.
        schema: its schema.
        document: the document that references point into.
        path: where the part stands.
    """
    return list(_check(manifest, schema, document, path))


def _check(value: Any, schema: Schema, document: Schema, path: Path) -> Iterator[Difference]:
    schema = _resolved(schema, document)
    if value is None or _open(schema):
        return
    wanted = schema.get("type")
    if wanted in _TYPES and not _is(value, wanted):
        text = _WORDS.get(wanted, f"{'an' if wanted == 'object' else 'a'} {wanted}")
        yield Difference(path=path, wanted=text, seen=value, reason=f"the schema has {text} here")
    elif "enum" in schema and value not in schema["enum"]:
        known = ", ".join(map(go_value, schema["enum"]))
        hint = did_you_mean(str(value), map(str, schema["enum"])) or f"values are {known}"
        yield Difference(path=path, wanted=known, seen=value, reason=f"the schema has no such value; {hint}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _check(item, schema.get("items") or {}, document, (*path, index))
    elif isinstance(value, dict):
        yield from _check_fields(value, schema, document, path)


def _check_fields(value: dict[str, Any], schema: Schema, document: Schema, path: Path) -> Iterator[Difference]:
    fields: Mapping[str, Schema] = schema.get("properties") or {}
    others = schema.get("additionalProperties")
    for key, item in value.items():
        if key in fields:
            yield from _check(item, fields[key], document, (*path, key))
        elif isinstance(others, Mapping):
            yield from _check(item, others, document, (*path, key))
        elif fields and not others and not schema.get(_ANYTHING):
            hint = did_you_mean(key, fields) or f"fields are {', '.join(sorted(fields)[:12])}"
            reason = f"the schema has no such field; {hint}"
            yield Difference(path=(*path, key), wanted=MISSING, seen=item, reason=reason)


def _resolved(schema: Schema, document: Schema) -> Schema:
    """Return a schema with its reference followed; Kubernetes wraps one in allOf to give it a default or a text."""
    schemas: Mapping[str, Schema] = (document.get("components") or {}).get("schemas") or {}
    for _ in range(20):  # references of references; a loop of them is no schema
        parts: list[Schema] = schema.get("allOf") or []
        if len(parts) == 1 and not schema.get("properties"):
            schema = parts[0]
        elif str(schema.get("$ref", "")).startswith(_REFERENCE):
            schema = schemas.get(schema["$ref"].removeprefix(_REFERENCE), {})
        else:
            return schema
    return {}


def _open(schema: Schema) -> bool:
    """Tell whether anything, or one of several things, may stand here."""
    several = any(schema.get(key) for key in ("oneOf", "anyOf", "x-kubernetes-int-or-string"))
    return several or (bool(schema.get(_ANYTHING)) and not schema.get("properties"))


def _is(value: Any, wanted: str) -> bool:
    if isinstance(value, bool):
        return wanted == "boolean"
    return isinstance(value, _TYPES[wanted])
