"""Sprig's wrapping and abbreviating of texts; widths count bytes.

Private to gotmpl.sprig.
"""

from __future__ import annotations

from harness.gotmpl.strconv import decode, encode

__all__ = ["abbreviate", "abbreviate_both", "wrap", "wrap_with"]

_NARROWEST = 4  # an ellipsis and one character
_NARROWEST_BOTH = 7  # two ellipses and one character
_ELLIPSIS = b"..."


def wrap(width: int, text: str) -> str:
    """Break text at spaces so that lines have at most `width` bytes; longer words stay whole."""
    return _wrapped(text, width, "\n", breaks_words=False)


def wrap_with(width: int, separator: str, text: str) -> str:
    """Break text as wrap does, with a separator of one's own; longer words are broken."""
    return _wrapped(text, width, separator or "\n", breaks_words=True)


def _wrapped(text: str, width: int, separator: str, *, breaks_words: bool) -> str:
    data, width, newline = encode(text), max(width, 1), encode(separator)
    parts: list[bytes] = []
    offset = 0
    while len(data) - offset > width:
        if data[offset : offset + 1] == b" ":
            offset += 1
            continue
        space = data.rfind(b" ", offset, offset + width + 1)
        if space < 0 and breaks_words:
            parts += [data[offset : offset + width], newline]
            offset += width
            continue
        if space < 0:
            space = data.find(b" ", offset + width)
        if space < 0:
            break
        parts += [data[offset:space], newline]
        offset = space + 1
    return decode(b"".join([*parts, data[offset:]]))


def abbreviate(width: int, text: str) -> str:
    """Shorten text to at most `width` bytes, ending in "..."."""
    return text if width < _NARROWEST else _abbreviated(text, 0, width)


def abbreviate_both(left: int, right: int, text: str) -> str:
    """Shorten text at both ends: keep what stands at offset `left`, at most `right` bytes in all."""
    if right < _NARROWEST or (left > 0 and right < _NARROWEST_BOTH):
        return text
    return _abbreviated(text, left, right)


def _abbreviated(text: str, offset: int, width: int) -> str:
    data = encode(text)
    if len(data) <= width:
        return text
    offset = min(offset, len(data))
    if len(data) - offset < width - 3:
        offset = len(data) - (width - 3)
    if offset <= _NARROWEST:
        return decode(data[: width - 3] + _ELLIPSIS)
    if width < _NARROWEST_BOTH:
        return ""
    if offset + width - 3 < len(data):
        return decode(_ELLIPSIS + encode(_abbreviated(decode(data[offset:]), 0, width - 3)))
    return decode(_ELLIPSIS + data[len(data) - (width - 3) :])
