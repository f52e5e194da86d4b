"""Go's literals and numbers as text: quoting, unquoting, float formatting, strings as bytes.

Private to gotmpl, but for quote() and format_float(), which everybody above may use. A Go string is bytes: here it is
a str whose undecodable bytes are lone surrogates (surrogateescape).
"""

from __future__ import annotations

import math
import re

__all__ = [
    "can_backquote",
    "decode",
    "encode",
    "format_float",
    "parse_float",
    "parse_int",
    "quote",
    "quote_rune",
    "tidy",
    "unquote",
    "unquote_char",
]

_ESCAPES = {7: "\\a", 8: "\\b", 12: "\\f", 10: "\\n", 13: "\\r", 9: "\\t", 11: "\\v", 92: "\\\\"}
_NEEDS_NO_ESCAPE = re.compile(r"[ !#-\[\]-~]*")
_UNESCAPES = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "\\": 92}
_HEX_ESCAPES = {"x": 2, "u": 4, "U": 8}
_MOST_RUNE = 0x10FFFF
_FIRST_WIDE = 0x10000
_ESCAPED_BYTES = range(0xDC80, 0xDD00)  # how surrogateescape spells the bytes 0x80 to 0xff
_SURROGATES = range(0xD800, 0xE000)
_DEL = 0x7F
_LEAST_POWER = -1074  # of two, in a float64
_HEX_DIGITS = 13  # of the fraction of a float64
_SMALL_EXPONENT = -4  # below it, and
_LARGE_EXPONENT = 6  # from here on %g without a precision writes an exponent
_INVALID_SYNTAX = "invalid syntax"


def encode(text: str) -> bytes:
    """Return the bytes of a Go string; half a surrogate pair, which no Go string has, becomes U+FFFD."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        whole = (char if ord(char) in _ESCAPED_BYTES or ord(char) not in _SURROGATES else "\ufffd" for char in text)
        return "".join(whole).encode("utf-8", "surrogateescape")


def decode(data: bytes) -> str:
    """Return the Go string made of these bytes."""
    return data.decode("utf-8", "surrogateescape")


def tidy(text: str) -> str:
    """Join bytes that together spell a character, after concatenation of cut strings."""
    if text.isascii() or not any("\udc80" <= char <= "\udcff" for char in text):
        return text
    return decode(encode(text))


def _quote_char(char: str, quote_mark: str, *, ascii_only: bool) -> str:  # noqa: PLR0911 - one return a kind
    code = ord(char)
    if char == quote_mark:
        return "\\" + char
    if code in _ESCAPES:
        return _ESCAPES[code]
    if code in _ESCAPED_BYTES:
        return f"\\x{code - 0xDC00:02x}"
    if char.isprintable() and (code < _DEL or not ascii_only):
        return char
    if code < ord(" ") or code == _DEL:
        return f"\\x{code:02x}"
    if code in _SURROGATES:
        return "\\ufffd"
    return f"\\u{code:04x}" if code < _FIRST_WIDE else f"\\U{code:08x}"


def quote(text: str, *, ascii_only: bool = False) -> str:
    """Return text as a double-quoted Go literal (strconv.Quote, QuoteToASCII)."""
    if _NEEDS_NO_ESCAPE.fullmatch(text):
        return f'"{text}"'
    return '"' + "".join(_quote_char(char, '"', ascii_only=ascii_only) for char in text) + '"'


def quote_rune(code: int, *, ascii_only: bool = False) -> str:
    """Return a rune as a single-quoted Go literal; what is no rune is U+FFFD."""
    valid = 0 <= code <= _MOST_RUNE and code not in _SURROGATES
    return "'" + _quote_char(chr(code) if valid else "\ufffd", "'", ascii_only=ascii_only) + "'"


def can_backquote(text: str) -> bool:
    """Tell whether text fits between back quotes unchanged, on one line (strconv.CanBackquote)."""
    return not any(
        (char < " " and char != "\t") or char in "`\x7f\ufeff" or ord(char) in _ESCAPED_BYTES for char in text
    )


def unquote_char(text: str, quote_mark: str) -> tuple[bytes | int, str]:
    """Read one character of a literal: (byte or code point, rest).

    Raises:
        ValueError: with Go's text, "invalid syntax".
    """
    if not text or (text[0] == quote_mark and quote_mark in "'\""):
        raise ValueError(_INVALID_SYNTAX)
    if text[0] != "\\":
        return ord(text[0]), text[1:]
    if len(text) == 1:
        raise ValueError(_INVALID_SYNTAX)
    kind, rest = text[1], text[2:]
    if kind in _UNESCAPES:
        return _UNESCAPES[kind], rest
    if kind in _HEX_ESCAPES:
        return _hex_escape(kind, rest)
    if kind in "01234567":
        return _octal_escape(text[1:])
    if kind in "'\"" and kind == quote_mark:
        return ord(kind), rest
    raise ValueError(_INVALID_SYNTAX)


def _hex_escape(kind: str, rest: str) -> tuple[bytes | int, str]:
    width = _HEX_ESCAPES[kind]
    digits = rest[:width]
    if not re.fullmatch(rf"[0-9a-fA-F]{{{width}}}", digits):
        raise ValueError(_INVALID_SYNTAX)
    code = int(digits, 16)
    if kind == "x":
        return bytes([code]), rest[width:]
    if code > _MOST_RUNE or code in _SURROGATES:
        raise ValueError(_INVALID_SYNTAX)
    return code, rest[width:]


def _octal_escape(text: str) -> tuple[bytes, str]:
    if not re.match(r"[0-3][0-7]{2}", text):
        raise ValueError(_INVALID_SYNTAX)
    return bytes([int(text[:3], 8)]), text[3:]


def unquote(literal: str) -> str:
    """Return the text that a double- or back-quoted Go literal stands for.

    Raises:
        ValueError: with Go's text, "invalid syntax".
    """
    if literal[0] == "`":
        return literal[1:-1].replace("\r", "")
    body = literal[1:-1]
    if "\n" in body:
        raise ValueError(_INVALID_SYNTAX)
    if "\\" not in body:
        return body
    parts: list[bytes] = []
    while body:
        value, body = unquote_char(body, '"')
        parts.append(value if isinstance(value, bytes) else encode(chr(value)))
    return decode(b"".join(parts))


def parse_int(text: str, *, bits: int = 64, signed: bool = True, base: int = 0) -> int:
    """Parse a Go integer: base 0 takes 0x, 0o, 0b, 0 prefixes and underscores.

    Raises:
        ValueError: with Go's text, "invalid syntax" or "value out of range".
    """
    pattern = _PREFIXED if base == 0 else _DIGITS[base]
    if not pattern.fullmatch(text) or (not signed and text[0] in "+-"):
        raise ValueError(_INVALID_SYNTAX)
    digits = text.lstrip("+-").replace("_", "")
    if base == 0 and len(digits) > 1 and digits[0] == "0" and digits[1].isdigit():
        digits = "0o" + digits[1:]
    value = int(digits, base)
    value = -value if text[0] == "-" else value
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    if not low <= value <= high:
        raise ValueError("value out of range")
    return value


_PREFIXED = re.compile(
    r"[+-]?(0[xX](_?[0-9a-fA-F])+|0[bB](_?[01])+|0[oO](_?[0-7])+|0(_?[0-7])*|[1-9](_?[0-9])*)", re.ASCII
)
_DIGITS = {10: re.compile(r"[+-]?[0-9]+"), 16: re.compile(r"[+-]?[0-9a-fA-F]+"), 8: re.compile(r"[+-]?[0-7]+")}
_DECIMAL = re.compile(r"[+-]?([0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)([eE][+-]?[0-9][0-9_]*)?")
_HEXADECIMAL = re.compile(r"[+-]?0[xX][0-9a-fA-F_]*\.?[0-9a-fA-F_]*[pP][+-]?[0-9][0-9_]*")
_LOOSE_UNDERSCORE = re.compile(r"(?<![0-9a-fA-FxX])_|_(?![0-9a-fA-F])")
_NOT_FINITE = re.compile(r"[+-]?(inf|infinity)|nan", re.IGNORECASE)


def parse_float(text: str) -> float:
    """Parse a float64 as strconv.ParseFloat does; underscores may stand between digits.

    Raises:
        ValueError: with Go's text, "invalid syntax" or "value out of range".
    """
    if _NOT_FINITE.fullmatch(text):
        return float(text)
    hexadecimal = _HEXADECIMAL.fullmatch(text)
    if not (hexadecimal or _DECIMAL.fullmatch(text)) or _LOOSE_UNDERSCORE.search(text):
        raise ValueError(_INVALID_SYNTAX)
    plain = text.replace("_", "")
    try:
        value = float.fromhex(plain) if hexadecimal else float(plain)
    except OverflowError:
        value = math.inf
    if math.isinf(value):
        raise ValueError("value out of range")
    return value


def format_float(value: float, verb: str = "g", precision: int = -1) -> str:
    """Return a float64 as strconv.FormatFloat does.

    Args:
        value: the number.
        verb: one of b, e, E, f, g, G, x, X.
        precision: digits; -1 is the fewest that read back as the same number.
    """
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("+Inf" if value > 0 else "-Inf")
    if verb == "b":
        return _binary_exponent(value)
    if verb in "xX":
        return _hexadecimal(value, verb, precision)
    if precision >= 0:
        return _fixed_precision(value, verb, precision)
    return _shortest(value, verb)


def _fixed_precision(value: float, verb: str, precision: int) -> str:
    if verb in "gG":
        return format(value, f".{precision or 1}{verb}")
    return format(value, f".{precision}{verb}")


def _shortest(value: float, verb: str) -> str:
    sign, digits, point = _digits(value)
    exponent = point - 1
    if verb in "gG":
        verb = {"g": "e", "G": "E"}[verb] if not _SMALL_EXPONENT <= exponent < _LARGE_EXPONENT else "f"
    if verb == "f":
        return sign + _plain(digits, point)
    mantissa = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
    return f"{sign}{mantissa}{verb}{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def _digits(value: float) -> tuple[str, str, int]:
    """Split into sign, shortest significant digits and the place of the decimal point after their start."""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    point = len(whole) + int(exponent or 0)
    digits = whole + fraction
    stripped = digits.lstrip("0")
    point -= len(digits) - len(stripped)
    stripped = stripped.rstrip("0")
    sign = "-" if math.copysign(1, value) < 0 else ""
    return (sign, stripped, point) if stripped else (sign, "0", 1)


def _plain(digits: str, point: int) -> str:
    if point <= 0:
        return "0." + "0" * -point + digits if digits != "0" else "0"
    if len(digits) <= point:
        return digits + "0" * (point - len(digits))
    return digits[:point] + "." + digits[point:]


def _binary_exponent(value: float) -> str:
    mantissa, exponent = math.frexp(value)
    scaled = int(mantissa * (1 << 53))
    power = exponent - 53
    if value == 0:
        scaled, power = 0, _LEAST_POWER
    elif power < _LEAST_POWER:
        scaled, power = scaled >> (_LEAST_POWER - power), _LEAST_POWER
    sign = "-" if math.copysign(1, value) < 0 else ""
    return f"{sign}{abs(scaled)}p{power:+d}"


def _hexadecimal(value: float, verb: str, precision: int) -> str:
    sign = "-" if math.copysign(1, value) < 0 else ""
    mantissa, exponent = math.frexp(abs(value))
    bits = int(mantissa * (1 << 53)) if value else 0
    exponent = exponent - 1 if value else 0
    if 0 <= precision < _HEX_DIGITS:
        drop = 4 * (_HEX_DIGITS - precision)
        half, rest = 1 << drop - 1, bits & ((1 << drop) - 1)
        bits >>= drop
        if rest > half or (rest == half and bits & 1):
            bits += 1
        if bits >> (4 * precision + 1):
            bits, exponent = bits >> 1, exponent + 1
        digits = f"{bits & ((1 << 4 * precision) - 1):0{precision}x}" if precision else ""
        lead = bits >> 4 * precision
    else:
        digits = f"{bits & ((1 << 52) - 1):013x}"
        digits = digits.rstrip("0") if precision < 0 else digits.ljust(precision, "0")
        lead = bits >> 52
    text = f"0x{lead}{'.' + digits if digits else ''}p{'-' if exponent < 0 else '+'}{abs(exponent):02d}"
    return sign + (text.upper() if verb == "X" else text)
