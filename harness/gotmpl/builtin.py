"""The functions that every Go template has: comparison, index, slice, len, printing, escaping.

Private to gotmpl. `and`, `or` and `call` are evaluated by compiler.py, since they do not evaluate all arguments or
need their callee's name; they are listed here for their signatures.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote_plus

from harness.gotmpl.errors import FunctionError
from harness.gotmpl.formatting import sprint, sprintf, sprintln
from harness.gotmpl.functions import FunctionSet, function
from harness.gotmpl.strconv import decode, encode
from harness.gotmpl.values import (
    MISSING,
    Function,
    Slice,
    Struct,
    TypedMap,
    Uint8,
    is_true,
    type_name,
    zero,
)

__all__ = ["BUILTINS", "call_value"]

_BAD_TYPE = "invalid type for comparison"
_UNSIGNED = frozenset({"uint", "uint8", "uint16", "uint32", "uint64"})


def _unreachable(*_: Any) -> Any:
    raise AssertionError("evaluated by the compiler")


def _basic_kind(value: Any) -> str:
    """Return the kind by which Go compares a value; an empty text when it does not."""
    if isinstance(value, str):
        return "string"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "uint" if type_name(value) in _UNSIGNED else "int"
    if isinstance(value, float):
        return "float"
    return "complex" if isinstance(value, complex) else ""


def _is_nil(value: Any) -> bool:
    return value is None or value is MISSING


def _equal(first: Any, *others: Any) -> bool:
    if not others:
        raise FunctionError("missing argument for comparison")
    kind = _basic_kind(first)
    return any(_equal_pair(first, kind, other) for other in others)


def _equal_pair(first: Any, kind: str, other: Any) -> bool:
    other_kind = _basic_kind(other)
    if kind != other_kind and {kind, other_kind} != {"int", "uint"}:
        if _is_nil(first) or _is_nil(other):
            return False
        raise FunctionError(f"incompatible types for comparison: {type_name(first)} and {type_name(other)}")
    if kind:
        return bool(first == other)
    if _is_nil(first) or _is_nil(other):
        return _is_nil(first) and _is_nil(other)
    return _equal_rest(first, other)


def _equal_rest(first: Any, other: Any) -> bool:
    """Compare what is neither nil nor of a basic kind."""
    if _shape(first) != _shape(other):
        raise FunctionError(
            f"non-comparable types {sprintf('%s', first)}: {type_name(first)}, {type_name(other)}: {sprint(other)}"
        )
    if not isinstance(other, Struct):
        raise FunctionError(f"non-comparable type {sprintf('%s', other)}: {type_name(other)}")
    return bool(first == other)


def _shape(value: Any) -> type:
    for shape in (dict, list, tuple, Struct):
        if isinstance(value, shape):
            return list if shape is tuple else shape
    return type(value)


def _less(first: Any, second: Any) -> bool:
    kind, other = _basic_kind(first), _basic_kind(second)
    if not kind or not other:
        raise FunctionError(_BAD_TYPE)
    if kind != other and {kind, other} != {"int", "uint"}:
        raise FunctionError(f"incompatible types for comparison: {type_name(first)} and {type_name(second)}")
    if kind in ("bool", "complex"):
        raise FunctionError(_BAD_TYPE)
    if kind == "string":
        return encode(first) < encode(second)
    return bool(first < second)


def _less_or_equal(first: Any, second: Any) -> bool:
    return _less(first, second) or _equal(first, second)


def _position(index: Any, limit: int) -> int:
    if isinstance(index, int) and not isinstance(index, bool):
        if not 0 <= index <= limit:
            raise FunctionError(f"index out of range: {int(index)}")
        return int(index)
    if _is_nil(index):
        raise FunctionError("cannot index slice/array with nil")
    raise FunctionError(f"cannot index slice/array with type {type_name(index)}")


def _index(item: Any, *indexes: Any) -> Any:
    if _is_nil(item):
        raise FunctionError("index of untyped nil")
    for index in indexes:
        if _is_nil(item):
            raise FunctionError("index of nil pointer")
        item = _element(item, index)
    return item


def _element(item: Any, index: Any) -> Any:
    if isinstance(item, dict):
        return _entry(item, index)
    if isinstance(item, str):
        data = encode(item)
        return Uint8(_at(data, _position(index, len(data)), "string"))
    if isinstance(item, (list, tuple)):
        return _at(item, _position(index, len(item)), "slice")
    raise FunctionError(f"can't index item of type {type_name(item)}")


def _at(items: Any, position: int, kind: str) -> Any:
    if position == len(items):
        raise FunctionError(f"reflect: {kind} index out of range")
    return items[position]


def _entry(table: dict[Any, Any], key: Any) -> Any:
    key_type = table.key if isinstance(table, TypedMap) else "string"
    element = table.element if isinstance(table, TypedMap) else "interface {}"
    if _is_nil(key):
        if key_type != "interface {}":
            raise FunctionError(f"value is nil; should be of type {key_type}")
        key = None
    if key_type not in ("interface {}", type_name(key)) and not (isinstance(key, int) and "int" in key_type):
        raise FunctionError(f"value has type {type_name(key)}; should be {key_type}")
    try:
        found = table.get(key, MISSING)
    except TypeError:
        raise FunctionError(f"runtime error: hash of unhashable type {type_name(key)}") from None
    return zero(element) if found is MISSING else found


def _slice(item: Any, *indexes: Any) -> Any:
    if _is_nil(item):
        raise FunctionError("slice of untyped nil")
    if len(indexes) > 3:  # noqa: PLR2004 - low, high, capacity
        raise FunctionError(f"too many slice indexes: {len(indexes)}")
    if isinstance(item, str):
        if len(indexes) == 3:  # noqa: PLR2004
            raise FunctionError("cannot 3-index slice a string")
        data = encode(item)
        low, high = _bounds(indexes, len(data))
        return decode(data[low:high])
    if not isinstance(item, (list, tuple)):
        raise FunctionError(f"can't slice item of type {type_name(item)}")
    low, high = _bounds(indexes, len(item))
    part = item[low:high]
    return Slice(item.element, part) if isinstance(item, Slice) else list(part)


def _bounds(indexes: tuple[Any, ...], length: int) -> tuple[int, int]:
    places = [0, length, length]
    for number, index in enumerate(indexes):
        places[number] = _position(index, length)
    for low, high in ((places[0], places[1]), (places[1], places[2])):
        if low > high:
            raise FunctionError(f"invalid slice index: {low} > {high}")
    return places[0], places[1]


def _length(item: Any) -> int:
    if isinstance(item, str):
        return len(item) if item.isascii() else len(encode(item))
    if isinstance(item, (dict, list, tuple)):
        return len(item)
    if item is None:
        raise FunctionError("len of nil pointer")
    if item is MISSING:
        raise FunctionError("reflect: call of reflect.Value.Type on zero Value")
    raise FunctionError(f"len of type {type_name(item)}")


def call_value(name: str, callee: Any, *arguments: Any) -> Any:
    """Call a function that stands in the data, as {{call}} does.

    Args:
        name: how the template wrote the callee.
        callee: a values.Function.
        arguments: what it is given.

    Raises:
        FunctionError: the callee is no function, or the number of arguments is not its own.
    """
    if _is_nil(callee):
        raise FunctionError("call of nil")
    if not isinstance(callee, Function):
        if not callable(callee):
            raise FunctionError(f"non-function {name} of type {type_name(callee)}")
        return callee(*arguments)
    fixed = callee.parameters - callee.variadic
    if callee.variadic and len(arguments) < fixed:
        raise FunctionError(f"wrong number of args for {name}: got {len(arguments)} want at least {fixed}")
    if not callee.variadic and len(arguments) != fixed:
        raise FunctionError(f"wrong number of args for {name}: got {len(arguments)} want {fixed}")
    return callee.call(*arguments)


def _joined(values: tuple[Any, ...]) -> str:
    return sprint(*("<no value>" if value is None else value for value in values))


_HTML = str.maketrans({"\0": "\ufffd", '"': "&#34;", "'": "&#39;", "&": "&amp;", "<": "&lt;", ">": "&gt;"})
_JS = {"\\": "\\\\", "'": "\\'", '"': '\\"', "<": "\\u003C", ">": "\\u003E", "&": "\\u0026", "=": "\\u003D"}


def _html(*values: Any) -> str:
    return _joined(values).translate(_HTML)


def _js(*values: Any) -> str:
    return "".join(map(_js_char, _joined(values)))


def _js_char(char: str) -> str:
    if char in _JS:
        return _JS[char]
    if char < " ":
        return f"\\u00{ord(char):02X}"
    if char.isprintable():
        return char
    code = 0xFFFD if "\ud800" <= char <= "\udfff" else ord(char)
    return chr(code) if code == 0xFFFD else f"\\u{code:04X}"  # noqa: PLR2004


def _urlquery(*values: Any) -> str:
    return quote_plus(encode(_joined(values)), safe="")


BUILTINS = FunctionSet(
    {
        "and": function("raw, ...raw", _unreachable),
        "or": function("raw, ...raw", _unreachable),
        "call": function("raw, ...raw", _unreachable),
        "html": function("...any", _html),
        "index": function("raw, ...raw", _index),
        "slice": function("raw, ...raw", _slice),
        "js": function("...any", _js),
        "len": function("raw", _length),
        "not": function("raw", lambda value: not is_true(value)),
        "print": function("...any", sprint),
        "printf": function("string, ...any", sprintf),
        "println": function("...any", sprintln),
        "urlquery": function("...any", _urlquery),
        "eq": function("raw, ...raw", _equal),
        "ge": function("raw, raw", lambda first, second: not _less(first, second)),
        "gt": function("raw, raw", lambda first, second: not _less_or_equal(first, second)),
        "le": function("raw, raw", _less_or_equal),
        "lt": function("raw, raw", _less),
        "ne": function("raw, raw", lambda first, second: not _equal(first, second)),
    }
)
