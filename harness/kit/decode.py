"""A strict decoder from YAML documents to frozen dataclasses, with file:line:column and "did you mean".

Everybody may import it. Field names are the camelCase of the attribute; `metadata={"key": "value-type"}` overrides it.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import types
import typing
from typing import Any, TypeVar

from harness.kit.documents import Document
from harness.kit.errors import UsageError, did_you_mean

__all__ = ["DecodeError", "decode"]

T = TypeVar("T")
Path = tuple[str | int, ...]

_WORDS = {str: "a text", int: "a whole number", float: "a number", bool: "true or false", dict: "a mapping"}


class DecodeError(UsageError):
    """A document that is YAML but not what its kind demands."""


def decode(model: type[T], document: Document, *path: str | int) -> T:
    """Return a part of a document as a dataclass.

    Args:
        model: the dataclass; supported field types are str, int, float, bool, Any, dict, other dataclasses, and
            tuples, lists, mappings and optional forms of these.
        document: the parsed document.
        path: where in the document the part stands.

    Raises:
        DecodeError: an unknown, missing or wrongly typed field, with its place and the fields that exist.
    """
    value = document.value
    for part in path:
        value = value[part]
    return typing.cast("T", _decode(model, value, document, path))


def _decode(wanted: Any, value: Any, document: Document, path: Path) -> Any:  # noqa: PLR0911 - one return per shape of type
    origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
    if wanted is Any:
        return value
    if origin in (types.UnionType, typing.Union):
        if value is None and type(None) in arguments:
            return None
        return _decode(next(a for a in arguments if a is not type(None)), value, document, path)
    if dataclasses.is_dataclass(wanted):
        return _dataclass(typing.cast("type[Any]", wanted), value, document, path)
    if origin in (tuple, list):
        return _sequence(origin, arguments[0], value, document, path)
    if origin is not None and issubclass(origin, typing.Mapping):
        items = _checked(dict, value, document, path).items()
        return {key: _decode(arguments[1], item, document, (*path, key)) for key, item in items}
    return _checked(wanted, value, document, path)


def _dataclass(model: Any, value: Any, document: Document, path: Path) -> Any:
    given = _checked(dict, value, document, path)
    fields = _fields(model)
    hints = _hints(model)
    for key in given:
        if key not in fields:
            raise _unknown(model, key, list(fields), document, path)
    values = {
        field.name: _decode(hints[field.name], given[key], document, (*path, key))
        for key, field in fields.items()
        if key in given
    }
    for key, field in fields.items():
        if field.name not in values and _required(field):
            raise DecodeError(f'the field "{key}"', seen="missing", where=str(document.at(*path)), exists=sorted(given))
    return model(**values)


def _sequence(origin: type[Any], item: Any, value: Any, document: Document, path: Path) -> Any:
    items = _checked(list, value, document, path)
    return origin(_decode(item, one, document, (*path, index)) for index, one in enumerate(items))


def _checked(wanted: type[Any], value: Any, document: Document, path: Path) -> Any:
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    right = isinstance(value, wanted) and not (isinstance(value, bool) and wanted is not bool)
    if not right:
        name = path[-1] if path else "document"
        seen = "nothing" if value is None else f"{value!r}"
        raise DecodeError(f"{_WORDS.get(wanted, 'a list')} in {name}", seen=_short(seen), where=str(document.at(*path)))
    return value


def _unknown(model: type[Any], key: str, fields: list[str], document: Document, path: Path) -> DecodeError:
    hint = did_you_mean(key, fields)
    return DecodeError(
        f"a field of {model.__name__}",
        seen=f'unknown field "{key}"' + (f", {hint}" if hint else ""),
        where=str(document.at(*path, key)),
        exists=sorted(fields),
    )


@functools.cache
def _fields(model: Any) -> dict[str, dataclasses.Field[Any]]:
    return {field.metadata.get("key", _camel(field.name)): field for field in dataclasses.fields(model)}


@functools.cache
def _hints(model: Any) -> dict[str, Any]:
    return typing.get_type_hints(model)


def _required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _camel(name: str) -> str:
    return re.sub(r"_([a-z])", lambda match: match[1].upper(), name)


def _short(text: str, most: int = 60) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."
