"""Sprig's functions on lists.

Private to gotmpl.sprig.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from harness.gotmpl.errors import FunctionError
from harness.gotmpl.functions import GoFunction, function
from harness.gotmpl.sprig.defaults import deep_equal, is_empty
from harness.gotmpl.sprig.number import to_int_v2, to_int_v3
from harness.gotmpl.values import Slice, kind_name

__all__ = ["LISTS_V2", "LISTS_V3", "new_list"]

_ANY = "interface {}"


def new_list(*items: Any) -> list[Any]:
    """Return a list of any values."""
    return list(items)


def _items(value: Any, refusal: str) -> Sequence[Any]:
    """Return the elements of a list.

    Raises:
        FunctionError: it is none; `refusal` is Go's text with %s for the kind.
    """
    if isinstance(value, (list, tuple)):
        return value
    if value is None:
        raise FunctionError("runtime error: invalid memory address or nil pointer dereference")
    raise FunctionError(refusal % kind_name(value))


def _append(items: Any, item: Any) -> list[Any]:
    return [*_items(items, "Cannot push on type %s"), item]


def _prepend(items: Any, item: Any) -> list[Any]:
    return [item, *_items(items, "Cannot prepend on type %s")]


def _first(items: Any) -> Any:
    known = _items(items, "Cannot find first on type %s")
    return known[0] if known else None


def _last(items: Any) -> Any:
    known = _items(items, "Cannot find last on type %s")
    return known[-1] if known else None


def _rest(items: Any) -> list[Any]:
    known = _items(items, "Cannot find rest on type %s")
    return list(known[1:]) if known else Slice(_ANY, nil=True)


def _initial(items: Any) -> list[Any]:
    known = _items(items, "Cannot find initial on type %s")
    return list(known[:-1]) if known else Slice(_ANY, nil=True)


def _reverse(items: Any) -> list[Any]:
    return list(reversed(_items(items, "Cannot find reverse on type %s")))


def _compact(items: Any) -> list[Any]:
    return [item for item in _items(items, "Cannot compact on type %s") if not is_empty(item)]


def _contains(items: Sequence[Any], wanted: Any) -> bool:
    return any(deep_equal(wanted, item) for item in items)


def _unique(items: Any) -> list[Any]:
    seen: list[Any] = []
    for item in _items(items, "Cannot find uniq on type %s"):
        if not _contains(seen, item):
            seen.append(item)
    return seen


def _without(items: Any, *dropped: Any) -> list[Any]:
    return [item for item in _items(items, "Cannot find without on type %s") if not _contains(dropped, item)]


def _has(wanted: Any, items: Any) -> bool:
    return items is not None and _contains(_items(items, "Cannot find has on type %s"), wanted)


def _slicer(to_int: Callable[[Any], int]) -> Callable[..., Any]:
    def cut(items: Any, *indices: Any) -> Any:
        known = _items(items, "list should be type of slice or array but %s")
        if not known:
            return None
        low = to_int(indices[0]) if indices else 0
        high = to_int(indices[1]) if len(indices) > 1 else len(known)
        if not 0 <= low <= high <= len(known):
            raise FunctionError("reflect.Value.Slice: slice index out of bounds")
        part = known[low:high]
        return Slice(items.element, part) if isinstance(items, Slice) else list(part)

    return cut


def _concat(*lists: Any) -> list[Any]:
    joined = [item for items in lists for item in _items(items, "Cannot concat type %s as list")]
    return joined or Slice(_ANY, nil=True)


def _chunk(size: int, items: Any) -> Slice:
    known = _items(items, "Cannot chunk type %s")
    count = math.floor((len(known) - 1) / size) + 1 if size else -1
    last = int(math.fmod(len(known), size)) or size if size else 0
    if count < 0 or (count > 1 and size < 0) or (count and last < 0):
        raise FunctionError("runtime error: makeslice: len out of range")
    chunks = (list(known[number * size :][: last if number == count - 1 else size]) for number in range(count))
    return Slice("[]interface {}", chunks)


def _functions(to_int: Callable[[Any], int]) -> dict[str, GoFunction]:
    return {
        "tuple": function("...any", new_list),
        "list": function("...any", new_list),
        "append": function("any, any", _append),
        "push": function("any, any", _append),
        "prepend": function("any, any", _prepend),
        "first": function("any", _first),
        "rest": function("any", _rest),
        "last": function("any", _last),
        "initial": function("any", _initial),
        "reverse": function("any", _reverse),
        "compact": function("any", _compact),
        "uniq": function("any", _unique),
        "without": function("any, ...any", _without),
        "has": function("any, any", _has),
        "slice": function("any, ...any", _slicer(to_int)),
        "concat": function("...any", _concat),
    }


LISTS_V2 = _functions(to_int_v2)
_V3 = _functions(to_int_v3)
_MUST = ("append", "push", "prepend", "first", "rest", "last", "initial", "reverse", "compact", "uniq", "without",
         "has", "slice")  # fmt: skip
LISTS_V3 = (
    _V3
    | {f"must{name.capitalize()}": _V3[name] for name in _MUST}
    | {"chunk": function("int, any", _chunk), "mustChunk": function("int, any", _chunk)}
)
