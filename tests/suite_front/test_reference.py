"""The generated reference and schemas: up to date, complete, and they refuse what the decoder refuses."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from harness.suite.reference import KINDS, Kind, files


def test_the_generated_files_are_up_to_date(project: Path) -> None:
    """Page and schemas are what the models give: run `python -m harness.suite.reference` after changing a model."""
    old = [path.name for path, text in files(project).items() if not path.exists() or path.read_text() != text]
    assert old == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_field_is_described(project: Path, kind: Kind) -> None:
    """Each field of each part of a kind stands in its schema with a description or a reference; nothing else may."""
    schema = json.loads((project / "harness/suite/schemas" / f"{kind.name}.json").read_text())
    fields = [one for one in dataclasses.fields(kind.model) if not one.metadata.get("mark")]
    own = {"apiVersion", "kind"}
    assert len(set(schema["properties"]) - own) == len(
        [one for one in fields if one.name not in {"api_version", "kind"}]
    )
    for name, part in {"": schema, **schema.get("definitions", {})}.items():
        assert part["additionalProperties"] is (name == "Metadata")
        bare = [key for key, one in part["properties"].items() if not {"description", "$ref", "const"} & set(one)]
        assert bare == []
