"""Sprig's encodings and checksums: base64, base32, JSON, YAML, SHA, Adler.

Private to gotmpl.sprig.
"""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from collections.abc import Callable
from typing import Any

from harness.gotmpl.functions import GoFunction, function
from harness.gotmpl.sprig.gojson import from_json, marshal, must_from_json
from harness.gotmpl.strconv import decode, encode
from harness.gotmpl.values import Slice, Struct
from harness.kit.documents import dump_yaml

__all__ = ["ENCODING", "ENCODING_V3", "to_yaml"]

_BASE64 = "A-Za-z0-9+/"
_BASE32 = "A-Z2-7"


def _b64enc(text: str) -> str:
    return base64.b64encode(encode(text)).decode("ascii")


def _b32enc(text: str) -> str:
    return base64.b32encode(encode(text)).decode("ascii")


def _b64dec(text: str) -> str:
    at = _corrupt_at(text.replace("\r", "").replace("\n", ""), _BASE64, 4, {2, 3})
    if at is not None:
        return f"illegal base64 data at input byte {_original(text, at)}"
    return decode(base64.b64decode(encode(text)))


def _b32dec(text: str) -> str:
    plain = text.replace("\r", "").replace("\n", "")
    at = _corrupt_at(plain, _BASE32, 8, {2, 4, 5, 7})
    if at is not None:
        return f"illegal base32 data at input byte {at}"
    return decode(base64.b32decode(encode(plain)))


def _corrupt_at(text: str, alphabet: str, group: int, partial: set[int]) -> int | None:
    """Return the offset at which Go finds the text corrupt, or None."""
    found = re.match(f"[{alphabet}]*", text)
    length = found.end() if found else 0
    tail = length % group
    padding = text[length:]
    if not tail and not padding:
        return None
    if tail in partial and padding == "=" * (group - tail):
        return None
    return _corrupt_tail(padding, length, tail, group, partial)


def _corrupt_tail(padding: str, length: int, tail: int, group: int, partial: set[int]) -> int:
    if not padding:  # the text ends inside a group
        return length - tail if group == 4 else length  # noqa: PLR2004 - base64 names the group, base32 the end
    if padding[0] != "=" or tail not in partial:
        return length
    equals = len(padding) - len(padding.lstrip("="))
    wanted = group - tail
    if equals < wanted:
        return length + equals if len(padding) == equals else length + equals
    return length + wanted


def _original(text: str, at: int) -> int:
    """Translate an offset that does not count line breaks into one that does."""
    seen = 0
    for number, char in enumerate(text):
        if char not in "\r\n":
            if seen == at:
                return number
            seen += 1
    return len(text)


def _digest(algorithm: Callable[[bytes], Any]) -> Callable[[str], str]:
    return lambda text: str(algorithm(encode(text)).hexdigest())


def to_yaml(value: Any) -> str:
    """Return a value as YAML in go-yaml v2's layout, with its newline at the end."""
    return dump_yaml(_plain(value))


def _plain(value: Any) -> Any:
    """Turn Go's typed values into the plain ones that the YAML writer knows."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, Slice)):
        return [_plain(item) for item in value]
    if isinstance(value, Struct):
        text = value.text()
        return text if text is not None else _plain(dict(value.fields()))
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    return value


ENCODING: dict[str, GoFunction] = {
    "b64enc": function("string", _b64enc),
    "b64dec": function("string", _b64dec),
    "b32enc": function("string", _b32enc),
    "b32dec": function("string", _b32dec),
    "sha1sum": function("string", _digest(lambda data: hashlib.sha1(data, usedforsecurity=False))),
    "sha256sum": function("string", _digest(hashlib.sha256)),
    "adler32sum": function("string", lambda text: str(zlib.adler32(encode(text)))),
    "toJson": function("any", marshal),
    "toPrettyJson": function("any", lambda value: marshal(value, indent="  ")),
    "toYaml": function("any", to_yaml),
}
ENCODING_V3: dict[str, GoFunction] = ENCODING | {
    "sha512sum": function("string", _digest(hashlib.sha512)),
    "fromJson": function("string", from_json),
    "mustFromJson": function("string", must_from_json),
    "mustToJson": ENCODING["toJson"],
    "mustToPrettyJson": ENCODING["toPrettyJson"],
    "toRawJson": function("any", lambda value: marshal(value, escape_html=False)),
    "mustToRawJson": function("any", lambda value: marshal(value, escape_html=False)),
}
