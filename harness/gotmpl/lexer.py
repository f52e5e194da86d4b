"""Splits a template into tokens, with the errors of Go's text/template at the same places.

Private to gotmpl: only parser.py uses it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from harness.gotmpl.strconv import quote

__all__ = ["KEYWORDS", "Kind", "Token", "tokens"]


class Kind(Enum):
    """What a token is."""

    ERROR = auto()
    EOF = auto()
    TEXT = auto()
    LEFT_DELIM = auto()
    RIGHT_DELIM = auto()
    SPACE = auto()
    ASSIGN = auto()
    DECLARE = auto()
    PIPE = auto()
    LEFT_PAREN = auto()
    RIGHT_PAREN = auto()
    CHAR = auto()
    CHAR_CONSTANT = auto()
    NUMBER = auto()
    COMPLEX = auto()
    STRING = auto()
    RAW_STRING = auto()
    BOOL = auto()
    DOT = auto()
    FIELD = auto()
    VARIABLE = auto()
    IDENTIFIER = auto()
    BLOCK = auto()
    BREAK = auto()
    CONTINUE = auto()
    DEFINE = auto()
    ELSE = auto()
    END = auto()
    IF = auto()
    NIL = auto()
    RANGE = auto()
    TEMPLATE = auto()
    WITH = auto()


KEYWORDS = {
    "block": Kind.BLOCK,
    "break": Kind.BREAK,
    "continue": Kind.CONTINUE,
    "define": Kind.DEFINE,
    "else": Kind.ELSE,
    "end": Kind.END,
    "if": Kind.IF,
    "nil": Kind.NIL,
    "range": Kind.RANGE,
    "template": Kind.TEMPLATE,
    "with": Kind.WITH,
}
_KEYWORD_KINDS = frozenset({*KEYWORDS.values(), Kind.DOT})
_SPACE = " \t\r\n"
_LONGEST_SHOWN = 10  # characters of a token in an error


@dataclass(frozen=True, slots=True)
class Token:
    """A token, its text and where it starts (offset in characters)."""

    kind: Kind
    start: int
    text: str
    line: int

    def __str__(self) -> str:
        """Return the token as Go names it in errors."""
        if self.kind is Kind.EOF:
            return "EOF"
        if self.kind is Kind.ERROR:
            return self.text
        if self.kind in _KEYWORD_KINDS:
            return f"<{self.text}>"
        if len(self.text.encode("utf-8", "surrogateescape")) > _LONGEST_SHOWN:
            return quote(self.text[:_LONGEST_SHOWN]) + "..."
        return quote(self.text)


class _LexError(Exception):
    """Ends the scan; args are the message and the token's start."""


_SPACES = re.compile(r"[ \t\r\n]+")
_WORD = re.compile(r"[A-Za-z0-9_]*")
_NUMBER = re.compile(
    r"[+-]?(?:0[xX][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?[0-9_]*)?|0[oO][0-7_]*(?:\.[0-7_]*)?"
    r"|0[bB][01_]*(?:\.[01_]*)?|[0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9_]*)?)i?"
)
_QUOTED = re.compile(r'"(?:[^"\\\n]|\\[^\n])*"')
_CHARACTER = re.compile(r"'(?:[^'\\\n]|\\[^\n])*'")
_SINGLE = {"=": Kind.ASSIGN, "|": Kind.PIPE}


def tokens(text: str) -> Iterator[Token]:
    """Yield the tokens of a template, ending in EOF or in ERROR.

    Comments are dropped. After an ERROR there is nothing more to read.
    """
    yield from _Lexer(text).run()


class _Lexer:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.parens = 0
        self._line = 1
        self._counted = 0

    def run(self) -> Iterator[Token]:
        try:
            while self.position < len(self.text):
                yield from self._text()
                if self.position < len(self.text):
                    yield from self._action()
        except _LexError as error:
            message, start = error.args
            yield self._token(Kind.ERROR, start, message)
            return
        yield self._token(Kind.EOF, self.position, "EOF")

    def _token(self, kind: Kind, start: int, text: str) -> Token:
        if start >= self._counted:
            self._line += self.text.count("\n", self._counted, start)
        else:
            self._line -= self.text.count("\n", start, self._counted)
        self._counted = start
        return Token(kind, start, text, self._line)

    def _text(self) -> Iterator[Token]:
        start = self.position
        left = self.text.find("{{", start)
        if left < 0:
            self.position = len(self.text)
            yield self._token(Kind.TEXT, start, self.text[start:])
            return
        value = self.text[start:left]
        if self._trims_left(left + 2):
            value = value.rstrip(_SPACE)
        self.position = left
        if value:
            yield self._token(Kind.TEXT, start, value)

    def _trims_left(self, at: int) -> bool:
        return self.text.startswith("-", at) and self.text[at + 1 : at + 2] in tuple(_SPACE)

    def _action(self) -> Iterator[Token]:
        start = self.position
        inside = start + (4 if self._trims_left(start + 2) else 2)
        if self.text.startswith("/*", inside):
            self._comment(inside)
            return
        yield self._token(Kind.LEFT_DELIM, start, "{{")
        self.position = inside
        self.parens = 0
        while True:
            token = self._inside()
            yield token
            if token.kind is Kind.RIGHT_DELIM:
                return

    def _comment(self, start: int) -> None:
        end = self.text.find("*/", start + 2)
        if end < 0:
            raise _LexError("unclosed comment", start)
        close = self._right_delim(end + 2)
        if close is None:
            raise _LexError("comment ends before closing delimiter", start)
        self.position = close

    def _right_delim(self, at: int) -> int | None:
        """Return the offset after a right delimiter at an offset, and after the space that it trims."""
        if self.text.startswith("}}", at):
            return at + 2
        if self.text[at : at + 1] in tuple(_SPACE) and self.text.startswith("-}}", at + 1):
            found = _SPACES.match(self.text, at + 4)
            return found.end() if found else at + 4
        return None

    def _inside(self) -> Token:  # noqa: C901, PLR0911 - one return a kind
        start = self.position
        close = self._right_delim(start)
        if close is not None:
            if self.parens:
                raise _LexError("unclosed left paren", start)
            self.position = close
            return self._token(Kind.RIGHT_DELIM, start if self.text[start] == "}" else start + 2, "}}")
        if start >= len(self.text):
            raise _LexError("unclosed action", start)
        char = self.text[start]
        if char in _SPACE:
            return self._space(start)
        if char in "\"'`":
            return self._quoted(char, start)
        if char == "$" or (char == "." and not self.text[start + 1 : start + 2].isascii()):
            return self._name(start)
        if char == "." and self.text[start + 1 : start + 2] not in tuple("0123456789"):
            if start + 1 < len(self.text):
                return self._name(start)
            return self._number(start)
        if char in ".+-0123456789":
            return self._number(start)
        if _alphanumeric(char):
            return self._identifier(start)
        return self._punctuation(char, start)

    def _emit(self, kind: Kind, start: int, end: int) -> Token:
        self.position = end
        return self._token(kind, start, self.text[start:end])

    def _space(self, start: int) -> Token:
        found = _SPACES.match(self.text, start)
        end = found.end() if found else start
        if self.text.startswith("-}}", end):
            end -= 1  # the last space belongs to the trim marker
        return self._emit(Kind.SPACE, start, end)

    def _quoted(self, char: str, start: int) -> Token:
        if char == "`":
            end = self.text.find("`", start + 1)
            if end < 0:
                raise _LexError("unterminated raw quoted string", start)
            return self._emit(Kind.RAW_STRING, start, end + 1)
        found = (_QUOTED if char == '"' else _CHARACTER).match(self.text, start)
        if found is None:
            raise _LexError("unterminated quoted string" if char == '"' else "unterminated character constant", start)
        return self._emit(Kind.STRING if char == '"' else Kind.CHAR_CONSTANT, start, found.end())

    def _name(self, start: int) -> Token:
        kind = Kind.VARIABLE if self.text[start] == "$" else Kind.FIELD
        if self._at_terminator(start + 1):
            return self._emit(kind if kind is Kind.VARIABLE else Kind.DOT, start, start + 1)
        end = self._word_end(start + 1)
        self._refuse_bad_character(start, end)
        return self._emit(kind, start, end)

    def _identifier(self, start: int) -> Token:
        end = self._word_end(start)
        self._refuse_bad_character(start, end)
        word = self.text[start:end]
        if word in KEYWORDS:
            return self._emit(KEYWORDS[word], start, end)
        return self._emit(Kind.BOOL if word in ("true", "false") else Kind.IDENTIFIER, start, end)

    def _word_end(self, at: int) -> int:
        while True:
            found = _WORD.match(self.text, at)
            at = found.end() if found else at
            if at >= len(self.text) or not _alphanumeric(self.text[at]):
                return at
            at += 1

    def _refuse_bad_character(self, start: int, at: int) -> None:
        if not self._at_terminator(at):
            raise _LexError(f"bad character {_unicode(self.text[at])}", start)

    def _at_terminator(self, at: int) -> bool:
        return at >= len(self.text) or self.text[at] in " \t\r\n.,|:)(" or self.text.startswith("}}", at)

    def _number(self, start: int) -> Token:
        end = self._number_end(start, start)
        if self.text[end : end + 1] not in ("+", "-"):
            return self._emit(Kind.NUMBER, start, end)
        end = self._number_end(start, end)
        if self.text[end - 1] != "i":
            raise _LexError(f"bad number syntax: {quote(self.text[start:end])}", start)
        return self._emit(Kind.COMPLEX, start, end)

    def _number_end(self, start: int, at: int) -> int:
        found = _NUMBER.match(self.text, at)
        end = found.end() if found else at
        if end < len(self.text) and _alphanumeric(self.text[end]):
            raise _LexError(f"bad number syntax: {quote(self.text[start : end + 1])}", start)
        return end

    def _punctuation(self, char: str, start: int) -> Token:
        if char == ":":
            if not self.text.startswith("=", start + 1):
                raise _LexError("expected :=", start)
            return self._emit(Kind.DECLARE, start, start + 2)
        if char in _SINGLE:
            return self._emit(_SINGLE[char], start, start + 1)
        if char == "(":
            self.parens += 1
            return self._emit(Kind.LEFT_PAREN, start, start + 1)
        if char == ")":
            self.parens -= 1
            if self.parens < 0:
                raise _LexError("unexpected right paren", start)
            return self._emit(Kind.RIGHT_PAREN, start, start + 1)
        if char.isascii() and char.isprintable():
            return self._emit(Kind.CHAR, start, start + 1)
        raise _LexError(f"unrecognized character in action: {_unicode(char)}", start)


def _alphanumeric(char: str) -> bool:
    return char == "_" or char.isalpha() or char.isdecimal()


def _unicode(char: str) -> str:
    """Return a character as Go's %#U does; an undecodable byte reads as U+FFFD."""
    shown = "\ufffd" if "\ud800" <= char <= "\udfff" else char
    return f"U+{ord(shown):04X}" + (f" '{shown}'" if shown.isprintable() else "")
