"""Go's values in Python: which Python value stands for which Go type, what is true, what a type is called.

str, bool, int, float, complex, None, list and dict stand for string, bool, int, float64, complex128, nil,
[]interface {} and map[string]interface {}. The classes here stand for what templates meet beside those.
May be imported by everybody above who hands values to templates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Final

__all__ = [
    "MISSING",
    "Function",
    "Int8",
    "Int16",
    "Int32",
    "Int64",
    "Missing",
    "Slice",
    "Struct",
    "TypedMap",
    "Uint",
    "Uint8",
    "Uint16",
    "Uint32",
    "Uint64",
    "is_true",
    "kind_name",
    "sorted_items",
    "type_name",
    "zero",
]


class Missing:
    """The type of MISSING: no value at all, where None is a nil that a variable or element holds."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "<no value>"


MISSING: Final = Missing()


class _Integer(int):
    """An integer of another Go type than int."""

    __slots__ = ()
    go_type: ClassVar[str] = "int"


class Int8(_Integer):
    """int8."""

    __slots__ = ()
    go_type = "int8"


class Int16(_Integer):
    """int16."""

    __slots__ = ()
    go_type = "int16"


class Int32(_Integer):
    """int32, also rune."""

    __slots__ = ()
    go_type = "int32"


class Int64(_Integer):
    """int64: what sprig's arithmetic returns."""

    __slots__ = ()
    go_type = "int64"


class Uint(_Integer):
    """uint."""

    __slots__ = ()
    go_type = "uint"


class Uint8(_Integer):
    """uint8, also byte: what indexing a string gives."""

    __slots__ = ()
    go_type = "uint8"


class Uint16(_Integer):
    """uint16."""

    __slots__ = ()
    go_type = "uint16"


class Uint32(_Integer):
    """uint32."""

    __slots__ = ()
    go_type = "uint32"


class Uint64(_Integer):
    """uint64."""

    __slots__ = ()
    go_type = "uint64"


class Slice(list[Any]):
    """A slice whose elements have one Go type: Slice("string", ["a", "b"]) is []string{"a", "b"}.

    A nil slice is empty too; JSON and %#v tell the difference.
    """

    __slots__ = ("element", "nil")

    def __init__(self, element: str, items: Iterable[Any] = (), *, nil: bool = False) -> None:
        super().__init__(items)
        self.element = element
        self.nil = nil


class TypedMap(dict[Any, Any]):
    """A map of other types than map[string]interface {}: TypedMap("string", {...}) is map[string]string."""

    __slots__ = ("element", "key")

    def __init__(self, element: str, items: Mapping[Any, Any] | None = None, *, key: str = "string") -> None:
        super().__init__(items or {})
        self.element = element
        self.key = key


class Struct:
    """A Go struct or pointer to one: fields and methods by name, and how it prints.

    Subclasses set go_type ("time.Time") and fill the two tables; text() is what %v prints.
    """

    go_type: ClassVar[str] = "struct {}"
    kind: ClassVar[str] = "struct"

    def fields(self) -> Mapping[str, Any]:
        """Return the exported fields."""
        return {}

    def methods(self) -> Mapping[str, Callable[..., Any]]:
        """Return the exported methods; each takes the arguments that the template gives."""
        return {}

    def text(self) -> str | None:
        """Return what String() gives, or None when the type has no such method."""
        return None

    def json_text(self) -> str | None:
        """Return the text that stands for the value in JSON, or None when its fields do."""
        return self.text()


class Function:
    """A Go function as a value in the data, for {{call}}: a Python callable over any arguments."""

    __slots__ = ("call", "go_type", "parameters", "variadic")

    def __init__(
        self, call: Callable[..., Any], *, parameters: int = 1, variadic: bool = False, go_type: str = ""
    ) -> None:
        self.call = call
        self.parameters = parameters
        self.variadic = variadic
        self.go_type = go_type or f"func({', '.join(['interface {}'] * parameters)}) interface {{}}"


_BASIC: dict[type, str] = {
    str: "string",
    bool: "bool",
    int: "int",
    float: "float64",
    complex: "complex128",
    list: "[]interface {}",
    tuple: "[]interface {}",
    dict: "map[string]interface {}",
    type(None): "interface {}",
}
_BASES = (str, bool, int, float, list, tuple, dict)


def type_name(value: Any) -> str:
    """Return the Go type of a value as reflect names it."""
    name = _BASIC.get(type(value))
    if name is not None:
        return name
    if isinstance(value, (_Integer, Struct, Function)):
        return value.go_type
    if isinstance(value, Slice):
        return f"[]{value.element}"
    if isinstance(value, TypedMap):
        return f"map[{value.key}]{value.element}"
    for base in _BASES:
        if isinstance(value, base):
            return _BASIC[base]
    return "func()" if callable(value) else f"*{type(value).__name__}"


def kind_name(value: Any) -> str:
    """Return the Go kind of a value: "map", "slice", "struct", or the name of a basic type."""
    if isinstance(value, dict):
        return "map"
    if isinstance(value, (list, tuple)):
        return "slice"
    if isinstance(value, Struct):
        return value.kind
    if isinstance(value, Function):
        return "func"
    if value is None or value is MISSING:
        return "invalid"
    name = type_name(value)
    return "ptr" if name.startswith("*") else ("func" if name.startswith("func(") else name)


def is_true(value: Any) -> bool:
    """Tell whether an {{if}} takes a value for true: not nil, not zero, not empty."""
    if isinstance(value, (str, int, float, complex, list, dict, tuple)):
        return bool(value)
    return value is not None and value is not MISSING


def zero(element: str) -> Any:
    """Return the zero value of a Go type."""
    if element == "string":
        return ""
    if element == "bool":
        return False
    if element == "float64":
        return 0.0
    for kind in (Int8, Int16, Int32, Int64, Uint, Uint8, Uint16, Uint32, Uint64):
        if kind.go_type == element:
            return kind(0)
    return 0 if element == "int" else None


def sorted_items(table: Mapping[Any, Any]) -> list[tuple[Any, Any]]:
    """Return the entries of a map in the order in which Go prints and ranges over them."""
    try:
        return sorted(table.items(), key=lambda item: item[0])
    except TypeError:  # keys of several types: by type, then by value
        return sorted(table.items(), key=lambda item: (type_name(item[0]), str(item[0])))
