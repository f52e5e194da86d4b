"""Template functions with Go signatures: what a function takes decides which arguments Go's templates refuse.

A plain Python callable is taken too; its parameters are then interface {}. May be imported by everybody above who
adds functions.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.gotmpl.values import Int64, Struct, Uint32

__all__ = [
    "ANY",
    "BOOL",
    "FLOAT64",
    "INT",
    "INT64",
    "MAP",
    "RAW",
    "STRING",
    "UINT32",
    "FunctionSet",
    "GoFunction",
    "GoType",
    "function",
    "signature",
    "struct_type",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class GoType:
    """A parameter's type.

    Attributes:
        name: as reflect names it.
        accepts: the Python types whose values are assignable to it; empty means any value.
        nil: what a missing value becomes; None with `nillable` false means that it is refused.
        nillable: whether nil is a value of the type.
        raw: hand a missing value on as it is (Go's reflect.Value).
    """

    name: str
    accepts: frozenset[type] = frozenset()
    nil: Any = None
    nillable: bool = False
    raw: bool = False


RAW = GoType(name="reflect.Value", nillable=True, raw=True)
ANY = GoType(name="interface {}", nillable=True)
STRING = GoType(name="string", accepts=frozenset({str}))
BOOL = GoType(name="bool", accepts=frozenset({bool}))
INT = GoType(name="int", accepts=frozenset({int}))
INT64 = GoType(name="int64", accepts=frozenset({Int64}))
UINT32 = GoType(name="uint32", accepts=frozenset({Uint32}))
FLOAT64 = GoType(name="float64", accepts=frozenset({float}))
MAP = GoType(name="map[string]interface {}", accepts=frozenset({dict}), nil={}, nillable=True)
_BY_NAME = {kind.name: kind for kind in (RAW, ANY, STRING, BOOL, INT, INT64, UINT32, FLOAT64, MAP)} | {
    "any": ANY,
    "map": MAP,
    "raw": RAW,
}


def struct_type(struct: type[Struct], name: str = "") -> GoType:
    """Return the type of a struct parameter, such as time.Time."""
    return GoType(name=name or struct.go_type, accepts=frozenset({struct}))


@dataclass(frozen=True, slots=True, kw_only=True)
class GoFunction:
    """A function and its Go signature; the last parameter repeats when it is variadic."""

    call: Callable[..., Any]
    parameters: tuple[GoType, ...]
    variadic: bool = False

    def parameter(self, index: int) -> GoType:
        """Return the type that the argument at an index must have."""
        return self.parameters[min(index, len(self.parameters) - 1)]


def signature(text: str, *structs: GoType) -> tuple[tuple[GoType, ...], bool]:
    """Read a signature such as "string, ...any" into parameter types and whether the last repeats.

    Args:
        text: names of types, separated by commas: raw, any, string, bool, int, int64, uint32, float64, map.
        structs: further types that the text names.
    """
    known = _BY_NAME | {kind.name: kind for kind in structs}
    words = [word.strip() for word in text.split(",") if word.strip()]
    variadic = bool(words) and words[-1].startswith("...")
    return tuple(known[word.removeprefix("...")] for word in words), variadic


def function(text: str, call: Callable[..., Any], *structs: GoType) -> GoFunction:
    """Return a function with the signature that a text describes, as `signature` reads it."""
    parameters, variadic = signature(text, *structs)
    return GoFunction(call=call, parameters=parameters, variadic=variadic)


def _described(call: Callable[..., Any]) -> GoFunction:
    """Give a plain callable a signature of interface {} parameters."""
    kinds = [parameter.kind for parameter in inspect.signature(call).parameters.values()]
    variadic = inspect.Parameter.VAR_POSITIONAL in kinds
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    count = sum(kind in positional for kind in kinds) + variadic
    return GoFunction(call=call, parameters=(ANY,) * count, variadic=variadic)


class FunctionSet(Mapping[str, GoFunction]):
    """Functions by name; sets are combined with | and narrowed with without()."""

    __slots__ = ("_functions",)

    def __init__(self, functions: Mapping[str, Callable[..., Any] | GoFunction] | None = None) -> None:
        self._functions = {
            name: call if isinstance(call, GoFunction) else _described(call) for name, call in (functions or {}).items()
        }

    def __getitem__(self, name: str) -> GoFunction:
        return self._functions[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._functions)

    def __len__(self) -> int:
        return len(self._functions)

    def __contains__(self, name: object) -> bool:
        return name in self._functions

    def __or__(self, other: Mapping[str, Callable[..., Any] | GoFunction]) -> FunctionSet:
        return FunctionSet({**self._functions, **other})

    def without(self, names: Iterable[str]) -> FunctionSet:
        """Return the set without some names; a name that is not in it is not minded."""
        dropped = frozenset(names)
        return FunctionSet({name: call for name, call in self._functions.items() if name not in dropped})
