"""Hand-made templates that Go and the Python renderer must treat alike, errors included."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness.gotmpl.values import Function, Int64, Slice, TypedMap, Uint8

DATA: dict[str, Any] = {
    "s": "text",
    "e": "",
    "i": 42,
    "n": -7,
    "z": 0,
    "f": 3.25,
    "big": 1234567.0,
    "t": True,
    "b": False,
    "nil": None,
    "l": [1, "two", None, 3.5, {"k": "v"}],
    "words": Slice("string", ["pear", "apple", "fig"]),
    "ints": Slice("int", [3, 1, 2]),
    "empty": [],
    "none": {},
    "m": {"b": 2, "a": 1, "c": {"d": "deep", "nil": None}},
    "labels": TypedMap("string", {"app": "db", "tier": "data"}),
    "i64": Int64(9),
    "u8": Uint8(200),
    "fn": Function(str.upper, go_type="func(string) string"),
    "uni": "é日本語x",
    "multi": "one\ntwo\n\nthree",
    "quoted": "a \"b\" 'c' \\ <d> & \t",
    "Params": {"NODE_COUNT": "3", "EMPTY": "", "LIST": ["a", "b"]},
}

FOLDER = Path(__file__).parent / "templates"


def _lines(name: str) -> list[str]:
    return (FOLDER / f"{name}.txt").read_text(encoding="utf-8").removesuffix("\n").split("\n")


def _multiline() -> list[str]:
    lines = (FOLDER / "multiline.jsonl").read_text(encoding="utf-8").splitlines()
    return [str(json.loads(line)) for line in lines]


REMOVED = ['{{ env "HOME" }}', '{{ base "/a" }}']
GROUPS: dict[str, tuple[str, list[str]]] = {
    "actions": ("go", _lines("actions") + _multiline()),
    "builtins": ("go", _lines("builtins")),
    "kudo": ("kudo", _lines("kudo") + REMOVED),
    "sprig2": ("sprig2", _lines("sprig")),
    "sprig3": ("sprig3", _lines("kudo") + _lines("sprig") + _lines("modern")),
}
