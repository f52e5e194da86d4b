"""The strict decoder: types, names, places, suggestions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from harness.kit.decode import DecodeError, decode
from harness.kit.documents import parse_documents


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    name: str
    value_type: str = field(default="", metadata={"key": "value-type"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    time_limit: float = 1.0
    items: tuple[Item, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    anything: Any = None
    maybe: int | None = None
    flag: bool = False


def read(text: str) -> Model:
    return decode(Model, parse_documents(text, "m.yaml")[0])


def test_fields_are_camel_case_and_typed() -> None:
    """Each field arrives under its camelCase name, nested models and mappings included."""
    model = read(
        "timeLimit: 3\nitems:\n- {name: a, value-type: map}\nlabels: {x: z}\nanything: [1]\nmaybe: null\nflag: true\n"
    )
    assert model == Model(
        time_limit=3.0, items=(Item(name="a", value_type="map"),), labels={"x": "z"}, anything=[1], flag=True
    )


def test_an_unknown_field_is_refused_with_a_suggestion() -> None:
    """The place and the nearest field are named."""
    with pytest.raises(DecodeError) as caught:
        read("flag: true\ntimelimit: 3\n")
    assert caught.value.where == "m.yaml:2:1"
    assert 'did you mean "timeLimit"?' in caught.value.seen
    assert "timeLimit" in caught.value.exists


def test_a_missing_field_is_refused() -> None:
    """A field without default must be there."""
    with pytest.raises(DecodeError) as caught:
        read("items:\n- {value-type: map}\n")
    assert caught.value.wanted == 'the field "name"'
    assert caught.value.where == "m.yaml:2:3"


@pytest.mark.parametrize(
    "text", ["timeLimit: x", "items: {}", "flag: 1", "labels: {a: 1}", "maybe: true", "items: [1]", "timeLimit: true"]
)
def test_a_value_of_the_wrong_type_is_refused(text: str) -> None:
    """Types are not converted; a boolean is no number."""
    with pytest.raises(DecodeError, match="wanted"):
        read(text)
