"""Sprig's functions on maps.

Private to gotmpl.sprig. Where Go's order is random (keys, values) it is sorted here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.gotmpl.errors import FunctionError
from harness.gotmpl.functions import GoFunction, function
from harness.gotmpl.sprig.strings import string_value
from harness.gotmpl.values import Slice, TypedMap, is_true, sorted_items, type_name

__all__ = ["DICTS_V2", "DICTS_V3"]

_Table = dict[str, Any]
_ANY = "interface {}"
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


def _merger(*, overwrite: bool, replaces_by_map: bool) -> Callable[..., _Table]:
    """Return a deep merge of maps into the first one.

    Args:
        overwrite: what the target has gives way; otherwise only what it lacks or has empty.
        replaces_by_map: a map may overwrite what is no map (sprig 3), or not (sprig 2).
    """

    def merge_one(target: _Table, source: _Table) -> None:
        for key, value in source.items():
            known = target.get(key)
            if _is_nil(value):
                if overwrite and replaces_by_map:
                    target[key] = value
                continue
            if isinstance(value, dict) and isinstance(known, dict):
                merge_one(known, value)
            if not is_true(known) or (overwrite and not _stays(known, value)):
                _check_assignable(target, source, value)
                target[key] = value

    def _stays(known: Any, value: Any) -> bool:
        return isinstance(value, dict) and (isinstance(known, dict) or not replaces_by_map)

    def merge(target: _Table, *sources: _Table) -> _Table:
        for source in sources:
            merge_one(target, source)
        return target

    return merge


def _check_assignable(target: _Table, source: _Table, value: Any) -> None:
    """Refuse to put an element of one map into another whose elements have a type of their own."""
    wanted = target.element if isinstance(target, TypedMap) else _ANY
    held = source.element if isinstance(source, TypedMap) else _ANY
    given = type_name(value) if isinstance(value, (list, tuple)) else held
    if wanted not in (_ANY, given):
        raise FunctionError(f"reflect.Value.SetMapIndex: value of type {given} is not assignable to type {wanted}")


def _is_nil(value: Any) -> bool:
    return value is None or (isinstance(value, Slice) and value.nil)


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


_DICTS: dict[str, GoFunction] = {
    "dict": function("...any", _dict),
    "set": function("map, string, any", _set),
    "unset": function("map, string", _unset),
    "hasKey": function("map, string", _has_key),
    "pluck": function("string, ...map", _pluck),
    "keys": function("...map", _keys),
    "values": function("map", _values),
    "pick": function("map, ...string", _pick),
    "omit": function("map, ...string", _omit),
}
DICTS_V2: dict[str, GoFunction] = _DICTS | {
    "merge": function("map, ...map", _merger(overwrite=False, replaces_by_map=False)),
    "mergeOverwrite": function("map, ...map", _merger(overwrite=True, replaces_by_map=False)),
}
_MERGE = function("map, ...map", _merger(overwrite=False, replaces_by_map=True))
_OVERWRITE = function("map, ...map", _merger(overwrite=True, replaces_by_map=True))
DICTS_V3: dict[str, GoFunction] = _DICTS | {
    "merge": _MERGE,
    "mergeOverwrite": _OVERWRITE,
    "get": function("map, string", _get),
    "dig": function("...any", _dig),
    "mustMerge": _MERGE,
    "mustMergeOverwrite": _OVERWRITE,
}
