"""Sprig's functions on texts: trimming, cases, quoting, indenting, splitting.

Private to gotmpl.sprig. Lengths and offsets count bytes where sprig's do.
"""

from __future__ import annotations

from typing import Any

from harness.gotmpl.errors import FunctionError
from harness.gotmpl.formatting import print_value
from harness.gotmpl.functions import GoFunction, function
from harness.gotmpl.sprig.cases import (
    camel_case,
    initials,
    kebab_case,
    lower,
    snake_case,
    swap_case,
    title,
    uncapitalize,
    upper,
)
from harness.gotmpl.sprig.layout import abbreviate, abbreviate_both, wrap, wrap_with
from harness.gotmpl.strconv import decode, encode, quote
from harness.gotmpl.values import Slice, TypedMap

__all__ = ["STRINGS", "STRINGS_V2", "STRINGS_V3", "go_split", "string_list", "string_value"]

_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f"
    "\u205f\u3000"
)


def string_value(value: Any) -> str:
    """Return a value as sprig's strval does: texts as they are, the rest as %v."""
    return value if isinstance(value, str) else print_value(value)


def string_list(value: Any) -> list[str]:
    """Return a value as a list of texts; nil elements are left out, a single value becomes a list of one."""
    if isinstance(value, (list, tuple)):
        return [string_value(item) for item in value if item is not None]
    return [] if value is None else [string_value(value)]


def go_split(text: str, separator: str, limit: int = -1) -> list[str] | None:
    """Split as strings.SplitN does: limit 0 gives nil (None), below 0 no limit; an empty separator splits runes."""
    if limit == 0:
        return None
    if not separator:
        head = list(text) if limit < 0 else list(text[: limit - 1])
        rest = "" if limit < 0 else text[limit - 1 :]
        return [*head, rest] if rest else head
    return text.split(separator, limit - 1 if limit > 0 else -1)


def _quoted(*values: Any) -> str:
    return " ".join(quote(string_value(value)) for value in values if value is not None)


def _single_quoted(*values: Any) -> str:
    return " ".join(f"'{print_value(value)}'" for value in values if value is not None)


def _cat(*values: Any) -> str:
    return " ".join(print_value(value) for value in values if value is not None)


def _spaces(count: int) -> str:
    if count < 0:
        raise FunctionError("strings: negative Repeat count")
    return " " * count


def _indent(spaces: int, text: str) -> str:
    pad = _spaces(spaces)
    return pad + text.replace("\n", "\n" + pad)


def _repeat(count: int, text: str) -> str:
    if count < 0:
        raise FunctionError("strings: negative Repeat count")
    return text * count


def _replace(old: str, new: str, text: str) -> str:
    return text.replace(old, new)


def _cut(text: str, low: int, high: int | None) -> str:
    """Slice bytes; bounds that Go would panic on are refused with its words."""
    data = encode(text)
    size = len(data)
    end = size if high is None else high
    if end < 0 or end > size:
        raise FunctionError(
            f"runtime error: slice bounds out of range [:{end}]" + (f" with length {size}" if end > size else "")
        )
    if low < 0 or low > end:
        shown = f"[{low}:{end}]" if low > end and high is not None else f"[{low}:{size}]"
        raise FunctionError(f"runtime error: slice bounds out of range {shown if low >= 0 else f'[{low}:]'}")
    return decode(data[low:end])


def _truncate_v2(count: int, text: str) -> str:
    return text if len(encode(text)) <= count else _cut(text, 0, count)


def _truncate_v3(count: int, text: str) -> str:
    size = len(encode(text))
    if count < 0 and size + count > 0:
        return _cut(text, size + count, None)
    return _cut(text, 0, count) if 0 <= count < size else text


def _substring(start: int, end: int, text: str) -> str:
    if start < 0:
        return _cut(text, 0, end)
    if end < 0 or end > len(encode(text)):
        return _cut(text, start, None)
    return _cut(text, start, end)


def _without_space(text: str) -> str:
    """Drop space; where there is some, the other bytes become characters one by one, as sprig's library has it."""
    data = encode(text).decode("latin-1")
    kept = "".join(char for char in data if char not in _SPACE)
    return text if kept == data else kept


def _trim_suffix(suffix: str, text: str) -> str:
    return text.removesuffix(suffix)


def _trim_prefix(prefix: str, text: str) -> str:
    return text.removeprefix(prefix)


def _split_map(separator: str, text: str) -> TypedMap:
    return _numbered(go_split(text, separator))


def _splitn(separator: str, limit: int, text: str) -> TypedMap:
    return _numbered(go_split(text, separator, limit))


def _numbered(parts: list[str] | None) -> TypedMap:
    return TypedMap("string", {f"_{number}": part for number, part in enumerate(parts or ())})


def _join(separator: str, value: Any) -> str:
    return separator.join(string_list(value))


def _sort_alpha(value: Any) -> Slice:
    if isinstance(value, (list, tuple)):
        return Slice("string", sorted(string_list(value), key=encode))
    return Slice("string", [string_value(value)])


def _plural(one: str, many: str, count: int) -> str:
    return one if count == 1 else many


STRINGS: dict[str, GoFunction] = {
    "hello": function("", lambda: "Hello!"),
    "abbrev": function("int, string", abbreviate),
    "abbrevboth": function("int, int, string", abbreviate_both),
    "trim": function("string", lambda text: text.strip(_SPACE)),
    "upper": function("string", lambda text: "".join(map(upper, text))),
    "lower": function("string", lambda text: "".join(map(lower, text))),
    "title": function("string", title),
    "untitle": function("string", uncapitalize),
    "substr": function("int, int, string", _substring),
    "repeat": function("int, string", _repeat),
    "trimall": function("string, string", lambda cut, text: text.strip(cut) if cut else text),
    "trimAll": function("string, string", lambda cut, text: text.strip(cut) if cut else text),
    "trimSuffix": function("string, string", _trim_suffix),
    "trimPrefix": function("string, string", _trim_prefix),
    "nospace": function("string", _without_space),
    "initials": function("string", initials),
    "swapcase": function("string", swap_case),
    "snakecase": function("string", snake_case),
    "camelcase": function("string", camel_case),
    "kebabcase": function("string", kebab_case),
    "wrap": function("int, string", wrap),
    "wrapWith": function("int, string, string", wrap_with),
    "contains": function("string, string", lambda part, text: part in text),
    "hasPrefix": function("string, string", lambda part, text: text.startswith(part)),
    "hasSuffix": function("string, string", lambda part, text: text.endswith(part)),
    "quote": function("...any", _quoted),
    "squote": function("...any", _single_quoted),
    "cat": function("...any", _cat),
    "indent": function("int, string", _indent),
    "nindent": function("int, string", lambda spaces, text: "\n" + _indent(spaces, text)),
    "replace": function("string, string, string", _replace),
    "plural": function("string, string, int", _plural),
    "toString": function("any", string_value),
    "split": function("string, string", _split_map),
    "splitList": function("string, string", lambda separator, text: Slice("string", go_split(text, separator) or ())),
    "splitn": function("string, int, string", _splitn),
    "toStrings": function("any", lambda value: Slice("string", string_list(value))),
    "join": function("string, any", _join),
    "sortAlpha": function("any", _sort_alpha),
}
STRINGS_V2 = {"trunc": function("int, string", _truncate_v2)}
STRINGS_V3 = {"trunc": function("int, string", _truncate_v3)}
