"""Base64 and base32 with Go's words for what is corrupt, and where.

Private to gotmpl.sprig.
"""

from __future__ import annotations

import base64

from harness.gotmpl.strconv import decode, encode

__all__ = ["b32dec", "b32enc", "b64dec", "b64enc"]

_BASE64 = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_BASE32 = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
_BREAKS = b"\r\n"
_PAD = ord("=")


class _CorruptError(Exception):
    """The offset of the first byte that does not belong."""


def b64enc(text: str) -> str:
    """Return text in base64."""
    return base64.b64encode(encode(text)).decode("ascii")


def b32enc(text: str) -> str:
    """Return text in base32."""
    return base64.b32encode(encode(text)).decode("ascii")


def b64dec(text: str) -> str:
    """Return what base64 stands for, or the text of Go's error."""
    data = encode(text)
    try:
        _check_base64(data)
    except _CorruptError as error:
        return f"illegal base64 data at input byte {error.args[0]}"
    return decode(base64.b64decode(data.translate(None, _BREAKS)))


def b32dec(text: str) -> str:
    """Return what base32 stands for, or the text of Go's error."""
    data = encode(text).translate(None, _BREAKS)
    try:
        length = _check_base32(data)
    except _CorruptError as error:
        return f"illegal base32 data at input byte {error.args[0]}"
    kept = data[:length]
    return decode(base64.b32decode(kept + b"=" * (-len(kept) % 8)))


def _check_base64(data: bytes) -> None:
    """Raise _CorruptError unless data is base64 with padding; line breaks may stand anywhere."""
    count = 0
    for offset, byte in enumerate(data):
        if byte in _BASE64:
            count += 1
        elif byte in _BREAKS:
            continue
        elif byte == _PAD and count % 4 > 1:
            _check_padding(data, offset + 1, missing=2 - count % 4 + 1)
            return
        else:
            raise _CorruptError(offset)
    if count % 4:
        raise _CorruptError(len(data) - count % 4)


def _check_padding(data: bytes, offset: int, *, missing: int) -> None:
    offset = _skip_breaks(data, offset)
    if missing:
        if offset == len(data):
            raise _CorruptError(offset)
        if data[offset] != _PAD:
            raise _CorruptError(offset - 1)
        offset = _skip_breaks(data, offset + 1)
    if offset < len(data):
        raise _CorruptError(offset)


def _skip_breaks(data: bytes, offset: int) -> int:
    while offset < len(data) and data[offset] in _BREAKS:
        offset += 1
    return offset


def _check_base32(data: bytes) -> int:
    """Return how many bytes of data are digits; raise _CorruptError when it is not base32."""
    for offset, byte in enumerate(data):
        place, left = offset % 8, len(data) - offset - 1
        if byte == _PAD and place > 1 and left < 8:  # noqa: PLR2004 - a group has 8 digits
            return _check_base32_padding(data, offset, place, left)
        if byte not in _BASE32:
            raise _CorruptError(offset)
    if len(data) % 8:
        raise _CorruptError(len(data) - len(data) % 8)
    return len(data)


def _check_base32_padding(data: bytes, offset: int, place: int, left: int) -> int:
    if left + place < 7:  # noqa: PLR2004 - the group is not filled
        raise _CorruptError(len(data))
    for number in range(7 - place):
        if data[offset + 1 + number] != _PAD:
            raise _CorruptError(offset + number)
    if place in (3, 6):
        raise _CorruptError(offset)
    return offset
