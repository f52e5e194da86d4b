"""What Go's encoding/json says about text that is no JSON.

Private to gotmpl.sprig; read only after json.loads has refused a text, so it may be slow.
"""

from __future__ import annotations

from harness.gotmpl.strconv import encode, quote_rune

__all__ = ["complaint"]

_SPACE = b" \t\r\n"
_ESCAPES = b'bfnrt\\/"'
_DIGITS = b"0123456789"
_HEX = b"0123456789abcdefABCDEF"
_LITERALS = {b"t": b"true", b"f": b"false", b"n": b"null"}
_END = "unexpected end of JSON input"


class _InvalidError(Exception):
    """The sentence about the first byte that does not belong."""


def complaint(text: str) -> str:
    """Return Go's sentence about a text that is no JSON; empty when this scanner finds nothing wrong."""
    scanner = _Scanner(encode(text) + b" ")  # Go ends a text by scanning one space more
    try:
        scanner.value()
        scanner.skip()
        if scanner.position < len(scanner.data):
            scanner.refuse("after top-level value")
    except _InvalidError as error:
        return str(error)
    except IndexError:
        return _END
    return ""


class _Scanner:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    def refuse(self, where: str) -> None:
        """Raise about the byte at the position; Go names it as if it were a character."""
        raise _InvalidError(f"invalid character {quote_rune(self.data[self.position])} {where}")

    def skip(self) -> None:
        """Pass over white space."""
        while self.position < len(self.data) and self.data[self.position] in _SPACE:
            self.position += 1

    def _next(self) -> bytes:
        """Return the next byte that is no space; IndexError at the end."""
        self.skip()
        return bytes([self.data[self.position]])

    def value(self) -> None:
        """Pass over one value."""
        first = self._next()
        if first == b"{":
            self._members()
        elif first == b"[":
            self._elements()
        elif first == b'"':
            self._string()
        elif first in _LITERALS:
            self._literal(_LITERALS[first])
        elif first in b"-0123456789":
            self._number()
        else:
            self.refuse("looking for beginning of value")

    def _members(self) -> None:
        self.position += 1
        if self._next() == b"}":
            self.position += 1
            return
        while True:
            if self._next() != b'"':
                self.refuse("looking for beginning of object key string")
            self._string()
            if self._next() != b":":
                self.refuse("after object key")
            self.position += 1
            self.value()
            if self._closes(b"}", "after object key:value pair"):
                return

    def _elements(self) -> None:
        self.position += 1
        if self._next() == b"]":
            self.position += 1
            return
        while True:
            self.value()
            if self._closes(b"]", "after array element"):
                return

    def _closes(self, bracket: bytes, where: str) -> bool:
        found = self._next()
        if found not in (bracket, b","):
            self.refuse(where)
        self.position += 1
        return found == bracket

    def _string(self) -> None:
        self.position += 1
        while (byte := self.data[self.position]) != ord('"'):
            if byte < ord(" "):
                self.refuse("in string literal")
            self.position += 1
            if byte == ord("\\"):
                self._escape()
        self.position += 1

    def _escape(self) -> None:
        kind = self.data[self.position]
        if kind != ord("u") and kind not in _ESCAPES:
            self.refuse("in string escape code")
        self.position += 1
        for _ in range(4 if kind == ord("u") else 0):
            if self.data[self.position] not in _HEX:
                self.refuse("in \\u hexadecimal character escape")
            self.position += 1

    def _literal(self, word: bytes) -> None:
        for expected in word:
            if self.data[self.position] != expected:
                self.refuse(f"in literal {word.decode()} (expecting {quote_rune(expected)})")
            self.position += 1

    def _number(self) -> None:
        self._pass_one(b"-")
        if self.data[self.position] not in _DIGITS:
            self.refuse("in numeric literal")
        if not self._pass_one(b"0"):  # a leading zero is the whole part
            self._digits("in numeric literal")
        if self._pass_one(b"."):
            self._digits("after decimal point in numeric literal")
        if self._pass_one(b"eE"):
            self._pass_one(b"+-")
            self._digits("in exponent of numeric literal")

    def _pass_one(self, wanted: bytes) -> bool:
        found = self.data[self.position] in wanted
        self.position += found
        return found

    def _digits(self, where: str) -> None:
        if self.data[self.position] not in _DIGITS:
            self.refuse(where)
        while self.data[self.position] in _DIGITS:
            self.position += 1
