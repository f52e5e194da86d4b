"""JSON as Go's encoding/json writes and reads it.

Private to gotmpl.sprig.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from harness.gotmpl.errors import FunctionError
from harness.gotmpl.sprig.jsonscan import complaint
from harness.gotmpl.strconv import format_float
from harness.gotmpl.values import MISSING, Slice, Struct, sorted_items, type_name

__all__ = ["from_json", "marshal", "must_from_json", "must_marshal"]

_ESCAPED = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
_SEPARATORS = {"\u2028": "\\u2028", "\u2029": "\\u2029"}
_HTML = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}
_HALF = re.compile("[\ud800-\udfff]")
_SMALL, _LARGE = 1e-6, 1e21  # outside, floats have an exponent


def marshal(value: Any, *, indent: str = "", escape_html: bool = True) -> str:
    """Return a value as JSON; what JSON has no words for gives an empty text, as sprig ignores the error.

    must_marshal() does not.

    Args:
        value: any template value.
        indent: text for each level; empty means one line.
        escape_html: write <, > and & as escapes, as Go does unless told not to.
    """
    try:
        return must_marshal(value, indent=indent, escape_html=escape_html)
    except FunctionError:
        return ""


def must_marshal(value: Any, *, indent: str = "", escape_html: bool = True) -> str:
    """Return a value as JSON, as marshal() does.

    Raises:
        FunctionError: JSON has no words for it.
    """
    return _Writer(indent, escape_html=escape_html).value(value, "")


class _Writer:
    def __init__(self, indent: str, *, escape_html: bool) -> None:
        self.indent = indent
        self.escapes = _ESCAPED | _SEPARATORS | (_HTML if escape_html else {})

    def value(self, value: Any, margin: str) -> str:  # noqa: PLR0911 - one return a kind
        if isinstance(value, str):
            return self._text(value)
        if value is None or value is MISSING or (isinstance(value, Slice) and value.nil and not value):
            return "null"
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int):
            return str(int(value))
        if isinstance(value, float):
            return _float(value)
        if isinstance(value, dict):
            return self._object(value, margin)
        if isinstance(value, (list, tuple)):
            inner = margin + self.indent
            return self._enclosed("[]", [self.value(item, inner) for item in value], margin)
        if isinstance(value, Struct):
            text = value.json_text()
            return self._text(text) if text is not None else self._object(dict(value.fields()), margin)
        raise FunctionError(f"json: unsupported type: {type_name(value)}")

    def _object(self, table: dict[Any, Any], margin: str) -> str:
        inner = margin + self.indent
        colon = ": " if self.indent else ":"
        pairs = sorted_items({str(key): item for key, item in table.items()})
        return self._enclosed(
            "{}", [f"{self._text(key)}{colon}{self.value(item, inner)}" for key, item in pairs], margin
        )

    def _enclosed(self, brackets: str, items: list[str], margin: str) -> str:
        if not items or not self.indent:
            return brackets[0] + ",".join(items) + brackets[1]
        inner = f"\n{margin}{self.indent}"
        return f"{brackets[0]}{inner}{f',{inner}'.join(items)}\n{margin}{brackets[1]}"

    def _text(self, text: str) -> str:
        return '"' + "".join(map(self._char, text)) + '"'

    def _char(self, char: str) -> str:
        if char in self.escapes:
            return self.escapes[char]
        if char < " ":
            return f"\\u{ord(char):04x}"
        return "\\ufffd" if "\ud800" <= char <= "\udfff" else char


def _float(value: float) -> str:
    if not math.isfinite(value):
        raise FunctionError(f"json: unsupported value: {format_float(value)}")
    if value and not _SMALL <= abs(value) < _LARGE:
        text = format_float(value, "e")
        return text[:-2] + text[-1] if text[-4:-1] == "e-0" else text
    return format_float(value, "f")


def must_from_json(text: str) -> Any:
    """Return the value that JSON describes; numbers are float64.

    Raises:
        FunctionError: it is no JSON.
    """
    try:
        return _paired(json.loads(text, parse_int=_number, parse_float=_number, parse_constant=_refused))
    except ValueError as error:
        raise FunctionError(complaint(text) or str(error)) from None


def _number(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"json: cannot unmarshal number {text} into Go value of type float64")
    return value


def _paired(value: Any) -> Any:
    """Replace the halves of surrogate pairs, which JSON can spell and Go strings cannot hold."""
    if isinstance(value, str):
        return value if value.isascii() else _HALF.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_paired(key): _paired(item) for key, item in value.items()}
    return [_paired(item) for item in value] if isinstance(value, list) else value


def _refused(word: str) -> Any:
    raise ValueError(word)


def from_json(text: str) -> Any:
    """Return the value that JSON describes, or nil when it is none."""
    try:
        return must_from_json(text)
    except FunctionError:
        return None
