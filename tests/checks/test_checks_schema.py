"""Manifests against the schema of a cluster: what an assert can never see."""

from __future__ import annotations

from typing import Any

import pytest

from harness.checks.paths import path_text
from harness.checks.schema import check_schema, find_schema

DOCUMENT: dict[str, Any] = {
    "components": {
        "schemas": {
            "example.Db": {
                "type": "object",
                "x-kubernetes-group-version-kind": [{"group": "example.com", "version": "v1", "kind": "Db"}],
                "properties": {
                    "apiVersion": {"type": "string"},
                    "kind": {"type": "string"},
                    "metadata": {"allOf": [{"$ref": "#/components/schemas/Meta"}], "default": {}},
                    "spec": {
                        "type": "object",
                        "properties": {
                            "replicas": {"type": "integer"},
                            "ratio": {"type": "number"},
                            "port": {"x-kubernetes-int-or-string": True},
                            "size": {"oneOf": [{"type": "string"}, {"type": "number"}]},
                            "mode": {"type": "string", "enum": ["Fast", "Slow"]},
                            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                            "raw": {"type": "object"},
                            "items": {"type": "array", "items": {"$ref": "#/components/schemas/Item"}},
                            "loop": {"$ref": "#/components/schemas/Loop"},
                        },
                    },
                },
            },
            "Meta": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                },
            },
            "Item": {"type": "object", "properties": {"name": {"type": "string"}, "ready": {"type": "boolean"}}},
            "Loop": {"$ref": "#/components/schemas/Loop"},
        }
    }
}


def texts(manifest: dict[str, Any]) -> list[str]:
    schema = find_schema(DOCUMENT, "example.com/v1", "Db")
    assert schema is not None
    return [f"{path_text(one.path)}: {one.reason}" for one in check_schema(manifest, schema, DOCUMENT)]


def test_a_schema_is_found_by_kind() -> None:
    """By group, version and kind; another version has none."""
    assert find_schema(DOCUMENT, "example.com/v2", "Db") is None
    assert find_schema({}, "v1", "Pod") is None


def test_what_the_schema_allows() -> None:
    """Partial objects, nulls, open parts, maps, one of several types."""
    spec = {"replicas": 3, "ratio": 1, "port": "http", "size": "1Gi", "mode": None, "free": {"x": 1}, "raw": {"y": 2}}
    metadata = {"labels": {"a": "b"}}
    manifest = {"metadata": metadata, "spec": {**spec, "items": [{"ready": True}], "loop": {"a": 1}}}
    assert texts(manifest) == []
    assert texts({"spec": {"port": 80, "size": 1, "mode": "Fast"}}) == []


@pytest.mark.parametrize(
    ("manifest", "text"),
    [
        ({"spec": {"replica": 3}}, '.spec.replica: the schema has no such field; did you mean "replicas"?'),
        ({"zzz": 1}, ".zzz: the schema has no such field; fields are apiVersion, kind, metadata, spec"),
        (
            {"spec": {"items": [{}, {"redy": True}]}},
            '.spec.items[1].redy: the schema has no such field; did you mean "ready"?',
        ),
        ({"spec": {"replicas": "3"}}, ".spec.replicas: the schema has a whole number here"),
        ({"spec": {"replicas": True}}, ".spec.replicas: the schema has a whole number here"),
        ({"spec": {"items": {}}}, ".spec.items: the schema has a list here"),
        ({"spec": []}, ".spec: the schema has an object here"),
        ({"metadata": {"labels": {"a": 1}}}, ".metadata.labels.a: the schema has a text here"),
        ({"spec": {"mode": "fast"}}, '.spec.mode: the schema has no such value; did you mean "Fast"?'),
        ({"spec": {"mode": "x"}}, ".spec.mode: the schema has no such value; values are Fast, Slow"),
    ],
)
def test_what_the_schema_rules_out(manifest: dict[str, Any], text: str) -> None:
    """Unknown fields with what was meant, wrong types, values that are none of the enumerated ones."""
    assert texts(manifest) == [text]
