"""Sprig's functions on maps.

Private to gotmpl.sprig. Where Go's order is random (keys, values) it is sorted here.
"""

from __future__ import annotations

from typing import Any

from harness.gotmpl.errors import FunctionError
from harness.gotmpl.functions import GoFunction, function
from harness.gotmpl.sprig.strings import string_value
from harness.gotmpl.values import Slice, is_true, sorted_items, type_name

__all__ = ["DICTS", "DICTS_V3"]

_Table = dict[str, Any]
_FEWEST_DUG = 3  # a key, a default, a map


def _dict(*pairs: Any) -> _Table:
    padded = [*pairs, ""] if len(pairs) % 2 else list(pairs)
    return {string_value(key): value for key, value in zip(padded[::2], padded[1::2], strict=True)}


def _set(table: _Table, key: str, value: Any) -> _Table:
    table[key] = value
    return table


def _unset(table: _Table, key: str) -> _Table:
    table.pop(key, None)
    return table


def _has_key(table: _Table, key: str) -> bool:
    return key in table


def _pluck(key: str, *tables: _Table) -> list[Any]:
    return [table[key] for table in tables if key in table]


def _keys(*tables: _Table) -> Slice:
    return Slice("string", [key for table in tables for key in sorted(table)])


def _values(table: _Table) -> list[Any]:
    return [value for _, value in sorted_items(table)]


def _pick(table: _Table, *keys: str) -> _Table:
    return {key: table[key] for key in keys if key in table}


def _omit(table: _Table, *keys: str) -> _Table:
    return {key: value for key, value in table.items() if key not in keys}


def _get(table: _Table, key: str) -> Any:
    return table.get(key, "")


def _merge(target: _Table, *sources: _Table) -> _Table:
    for source in sources:
        _merge_one(target, source, overwrite=False)
    return target


def _merge_overwrite(target: _Table, *sources: _Table) -> _Table:
    for source in sources:
        _merge_one(target, source, overwrite=True)
    return target


def _merge_one(target: _Table, source: _Table, *, overwrite: bool) -> None:
    """Merge maps deeply: what the target lacks or has empty is taken over, or all that is not empty."""
    for key, value in source.items():
        known = target.get(key)
        if isinstance(value, dict) and isinstance(known, dict):
            _merge_one(known, value, overwrite=overwrite)
        elif not is_true(known) or (overwrite and is_true(value)):
            target[key] = value


def _dig(*arguments: Any) -> Any:
    if len(arguments) < _FEWEST_DUG:
        raise FunctionError("dig needs at least three arguments")
    *keys, fallback, value = arguments
    for key in keys:
        if not isinstance(value, dict):
            raise FunctionError(_not_converted(value, "map[string]interface {}"))
        if not isinstance(key, str):
            raise FunctionError(_not_converted(key, "string"))
        if key not in value:
            return fallback
        value = value[key]
    return value


def _not_converted(value: Any, wanted: str) -> str:
    shown = "nil" if value is None else type_name(value)
    return f"interface conversion: interface {{}} is {shown}, not {wanted}"


DICTS: dict[str, GoFunction] = {
    "dict": function("...any", _dict),
    "set": function("map, string, any", _set),
    "unset": function("map, string", _unset),
    "hasKey": function("map, string", _has_key),
    "pluck": function("string, ...map", _pluck),
    "keys": function("...map", _keys),
    "values": function("map", _values),
    "pick": function("map, ...string", _pick),
    "omit": function("map, ...string", _omit),
    "merge": function("map, ...map", _merge),
    "mergeOverwrite": function("map, ...map", _merge_overwrite),
}
DICTS_V3: dict[str, GoFunction] = DICTS | {
    "get": function("map, string", _get),
    "dig": function("...any", _dig),
    "mustMerge": function("map, ...map", _merge),
    "mustMergeOverwrite": function("map, ...map", _merge_overwrite),
}
