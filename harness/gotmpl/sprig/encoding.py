"""Sprig's encodings and checksums: base64, base32, JSON, YAML, SHA, Adler.

Private to gotmpl.sprig.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable
from typing import Any

from harness.gotmpl.errors import FunctionError
from harness.gotmpl.functions import GoFunction, function
from harness.gotmpl.sprig.basen import b32dec, b32enc, b64dec, b64enc
from harness.gotmpl.sprig.gojson import from_json, marshal, must_from_json, must_marshal
from harness.gotmpl.strconv import encode
from harness.gotmpl.values import Slice, Struct, type_name
from harness.kit.documents import dump_yaml

__all__ = ["ENCODING", "ENCODING_V3", "to_yaml"]


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
    if value is None or isinstance(value, (str, bool, float)):
        return value
    raise FunctionError(f"cannot marshal type: {type_name(value)}")


ENCODING: dict[str, GoFunction] = {
    "b64enc": function("string", b64enc),
    "b64dec": function("string", b64dec),
    "b32enc": function("string", b32enc),
    "b32dec": function("string", b32dec),
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
    "mustToJson": function("any", must_marshal),
    "mustToPrettyJson": function("any", lambda value: must_marshal(value, indent="  ")),
    "toRawJson": function("any", lambda value: must_marshal(value, escape_html=False)),
    "mustToRawJson": function("any", lambda value: must_marshal(value, escape_html=False)),
}
