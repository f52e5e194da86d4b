"""Typed objects out of YAML documents, as leniently as kuttl: what is wrong or unknown is told, nothing is raised.

Pure; imported by spec. (kit.decode is the strict sibling for our own formats, where the first fault ends the reading.)
"""

from __future__ import annotations

import dataclasses
import functools
import re
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from harness.kit.documents import Document, Mark
from harness.kit.errors import did_you_mean
from harness.suite.problem import Problem

__all__ = ["Decoder"]

T = TypeVar("T")
Path = tuple[str | int, ...]

_WORDS: dict[Any, str] = {
    str: "a text",
    int: "a whole number",
    bool: "true or false",
    dict: "a mapping",
    list: "a list",
}


class _Wrong:
    """The type of _WRONG: a value that had the wrong type and was told."""


_WRONG = _Wrong()


class Decoder:
    """Reads parts of one document; findings gather in `problems`.

    Args:
        document: the document.
        silent: fields by model that exist in kuttl, mean nothing here, and are not worth a word.
        elsewhere: hints for fields that are often written in the wrong place, by (model, field).
    """

    def __init__(
        self,
        document: Document,
        *,
        silent: Mapping[type, frozenset[str]] | None = None,
        elsewhere: Mapping[tuple[type, str], str] | None = None,
    ) -> None:
        self.document = document
        self.problems: list[Problem] = []
        self._silent = silent or {}
        self._elsewhere = elsewhere or {}

    def decode(self, model: type[T], value: Any, path: Path = ()) -> T:
        """Return a value as a dataclass; absent, null and wrong fields have their default.

        Field names are the camelCase of the attribute, or metadata["key"]; a field with metadata["mark"] gets the place
        of the value itself. Names are case-sensitive.

        Args:
            model: the dataclass, every field of which has a default.
            value: the mapping.
            path: where it stands in the document.
        """
        given = value if isinstance(value, dict) else {}
        if not isinstance(value, dict | None):
            self._wrong(dict, value, path)
        fields, hints = _fields(typing.cast("Any", model)), _hints(typing.cast("Any", model))
        values: dict[str, Any] = {}
        for key, item in given.items():
            if key in fields:
                found = None if item is None else self._value(hints[fields[key].name], item, (*path, key))
                if found is not None and found is not _WRONG:
                    values[fields[key].name] = found
            elif key not in self._silent.get(model, ()):
                self._unknown(model, key, path)
        for field in _marked(typing.cast("Any", model)):
            values[field] = self.document.at(*path)
        return model(**values)

    def _value(self, wanted: Any, value: Any, path: Path) -> Any:
        wanted = _inner(wanted)
        origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
        if wanted is Any:
            return value
        if dataclasses.is_dataclass(wanted):
            return self.decode(typing.cast("type[Any]", wanted), value, path)
        if origin is tuple:
            return self._list(arguments[0], value, path)
        if origin is not None and issubclass(origin, Mapping):
            return self._mapping(arguments[1], value, path)
        right = isinstance(value, wanted) and not (isinstance(value, bool) and wanted is not bool)
        return value if right else self._wrong(wanted, value, path)

    def _list(self, item: Any, value: Any, path: Path) -> Any:
        if not isinstance(value, list):
            return self._wrong(list, value, path)
        kept = [self._value(item, one if one is not None else _zero(item), (*path, i)) for i, one in enumerate(value)]
        return tuple(one for one in kept if one is not _WRONG)

    def _mapping(self, item: Any, value: Any, path: Path) -> Any:
        if not isinstance(value, dict):
            return self._wrong(dict, value, path)
        kept = {
            key: self._value(item, one if one is not None else _zero(item), (*path, key)) for key, one in value.items()
        }
        return {key: one for key, one in kept.items() if one is not _WRONG}

    def _wrong(self, wanted: Any, value: Any, path: Path) -> _Wrong:
        field = ".".join(f"{part}" for part in path) or "the document"
        hint = ""
        if wanted is str and isinstance(value, bool | int | float):
            hint = "put it in quotes"
        elif wanted is int and isinstance(value, str) and re.fullmatch(r"[+-]?\d+", value):
            hint = "leave the quotes out"
        elif wanted is int and isinstance(value, str) and re.fullmatch(r"\d+s", value):
            hint = f"seconds without unit: {value[:-1]}"
        elif wanted is str and isinstance(value, dict) and isinstance(value.get("file"), str):
            hint = f"write the path alone: {value['file']}"  # Kyverno's fork has {file: x, shouldFail: true}
        text = f"{field} must be {_WORDS.get(wanted, 'a value')}, not {_shown(value)}"
        self.problems.append(Problem(severity="error", text=text, where=str(self.document.at(*path)), hint=hint))
        return _WRONG

    def _unknown(self, model: type, key: str, path: Path) -> None:
        names = sorted(_fields(model))
        hint = self._elsewhere.get((model, key)) or did_you_mean(key, names) or f"fields are {', '.join(names)}"
        inside = ".".join(str(part) for part in path)
        text = f'unknown field "{key}" of {model.__name__}{f" in {inside}" if inside else ""} is ignored'
        where = str(self.document.at(*path, key))
        self.problems.append(Problem(severity="warning", text=text, where=where, hint=hint, quirk=3))


@functools.cache
def _fields(model: Any) -> dict[str, dataclasses.Field[Any]]:
    return {
        field.metadata.get("key", _camel(field.name)): field
        for field in dataclasses.fields(model)
        if not field.metadata.get("mark")
    }


@functools.cache
def _marked(model: Any) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(model) if field.metadata.get("mark"))


@functools.cache
def _hints(model: Any) -> dict[str, Any]:
    return typing.get_type_hints(model, localns={"Mark": Mark})


def _inner(wanted: Any) -> Any:
    """Return the type of an optional field without its None."""
    if typing.get_origin(wanted) in (types.UnionType, typing.Union):
        return next(one for one in typing.get_args(wanted) if one is not type(None))
    return wanted


def _zero(wanted: Any) -> Any:
    """Return what Go makes of a null in a list: the type's zero value."""
    zeros: dict[Any, Any] = {str: "", int: 0, bool: False}
    return zeros.get(wanted, {} if dataclasses.is_dataclass(wanted) else None)


def _camel(name: str) -> str:
    return re.sub(r"_([a-z])", lambda found: found[1].upper(), name)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = "a mapping" if isinstance(value, dict) else "a list" if isinstance(value, list) else f"{value!r}"
    return text if len(text) <= 60 else text[:57] + "..."  # noqa: PLR2004 - a line's worth
