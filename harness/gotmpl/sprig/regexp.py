r"""Go's regular expressions (RE2 syntax) on Python's re: translated, with Go's error texts and match rules.

Private to gotmpl.sprig. Not translated: Unicode scripts such as \p{Greek}, which Python's tables do not name.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from harness.gotmpl.errors import FunctionError
from harness.gotmpl.strconv import can_backquote, quote

__all__ = ["Regexp", "compile_go"]

_MOST_REPEATS = 1000
_LAST = 0x10FFFF
_PERL = {"d": "0-9", "w": "0-9A-Za-z_", "s": "\\t\\n\\f\\r "}
_NOT_PERL = {
    "D": "\\x00-/:-\\U0010ffff",
    "W": "\\x00-/:-@\\[-\\^`{-\\U0010ffff",
    "S": "\\x00-\\x08\\x0b\\x0e-\\x1f!-\\U0010ffff",
}
_POSIX = {
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "ascii": "\\x00-\\x7f", "blank": "\\t ", "cntrl": "\\x00-\\x1f\\x7f",
    "digit": "0-9", "graph": "!-~", "lower": "a-z", "print": " -~", "punct": "!-/:-@\\[-`{-~",
    "space": "\\t\\n\\v\\f\\r ", "upper": "A-Z", "word": "0-9A-Za-z_", "xdigit": "0-9A-Fa-f",
}  # fmt: skip
_NOT_POSIX = {
    "alnum": "\\x00-/:-@\\[-`{-\\U0010ffff", "alpha": "\\x00-@\\[-`{-\\U0010ffff", "ascii": "\\x80-\\U0010ffff",
    "blank": "\\x00-\\x08\\x0a-\\x1f!-\\U0010ffff", "cntrl": " -~\\x80-\\U0010ffff", "digit": _NOT_PERL["D"],
    "graph": "\\x00- \\x7f-\\U0010ffff", "lower": "\\x00-`{-\\U0010ffff", "print": "\\x00-\\x1f\\x7f-\\U0010ffff",
    "punct": "\\x00- 0-9A-Za-z\\x7f-\\U0010ffff", "space": "\\x00-\\x08\\x0e-\\x1f!-\\U0010ffff",
    "upper": "\\x00-@\\[-\\U0010ffff", "word": _NOT_PERL["W"], "xdigit": "\\x00-/:-@G-`g-\\U0010ffff",
}  # fmt: skip
_CONTROLS = {"a": 7, "f": 12, "t": 9, "n": 10, "r": 13, "v": 11}
_PUNCTUATION = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
_REPEAT = re.compile(r"\{(\d+)(,(\d*))?\}", re.ASCII)
_NAME = re.compile(r"\?P?<([^>]*)>")
_FLAGS = re.compile(r"\?([imsU]*)(?:-([imsU]+))?([:)])")
_FLAGS_SO_FAR = re.compile(r"\(\?[imsU]*(?:-[imsU]*)?")
_REFERENCE = re.compile(r"\$(?:(\$)|\{(\w+)\}|(\w+))")


class _SyntaxError(Exception):
    """An error code of Go's regexp/syntax and the text that it names."""

    def __str__(self) -> str:
        code, fragment = self.args
        return f"error parsing regexp: {code}: `{fragment}`"


class Regexp:
    """A compiled Go regular expression."""

    def __init__(self, source: str) -> None:
        translator = _Translator(source)
        self.source = source
        self.pattern = re.compile(translator.run())
        self.names = translator.names  # by group number; Go lets several groups have one name

    def matches(self, text: str) -> bool:
        """Tell whether the expression matches anywhere."""
        return self.pattern.search(text) is not None

    def find(self, text: str) -> str:
        """Return the leftmost match, or an empty text."""
        found = self.pattern.search(text)
        return found[0] if found else ""

    def _all(self, text: str) -> Iterator[re.Match[str]]:
        """Yield the matches; an empty one that touches the match before it is none, as in Go."""
        position, previous_end = 0, -1
        while position <= len(text) and (found := self.pattern.search(text, position)):
            empty = found.end() == found.start()
            if not empty or found.start() != previous_end:
                yield found
            previous_end = found.end()
            position = found.end() + empty if found.end() >= position else position + 1

    def find_all(self, text: str, limit: int) -> list[str]:
        """Return the matches, at most `limit` unless that is below 0."""
        return [found[0] for found in self._limited(text, limit)]

    def _limited(self, text: str, limit: int) -> Iterator[re.Match[str]]:
        for number, found in enumerate(self._all(text)):
            if 0 <= limit <= number:
                return
            yield found

    def replace(self, text: str, replacement: str, *, literal: bool) -> str:
        """Replace every match; unless literal, $1 and ${name} in the replacement stand for groups."""
        parts: list[str] = []
        end = 0
        for found in self._all(text):
            parts.append(text[end : found.start()])
            parts.append(replacement if literal else self._expand(replacement, found))
            end = found.end()
        return "".join([*parts, text[end:]])

    def _expand(self, replacement: str, found: re.Match[str]) -> str:
        def group(reference: re.Match[str]) -> str:
            if reference[1]:
                return "$"
            name = reference[2] or reference[3]
            if name.isascii() and name.isdigit():
                return found[int(name)] or "" if int(name) <= self.pattern.groups else ""
            numbers = (number for number, known in enumerate(self.names) if known == name)
            return next((found[number] for number in numbers if found[number] is not None), "")

        return _REFERENCE.sub(group, replacement)

    def split(self, text: str, limit: int) -> list[str]:
        """Split at the matches into at most `limit` parts, unless that is below 0."""
        if limit == 0:
            return []
        if self.source and not text:
            return [""]
        parts: list[str] = []
        begin = end = 0
        for found in self._limited(text, limit):
            if limit > 0 and len(parts) == limit - 1:
                break
            end = found.start()
            if found.end():
                parts.append(text[begin:end])
            begin = found.end()
        if end != len(text):
            parts.append(text[begin:])
        return parts


@lru_cache(maxsize=256)
def _compiled(source: str) -> Regexp:
    return Regexp(source)


def compile_go(source: str, *, must: bool = False) -> Regexp:
    """Compile a Go regular expression.

    Args:
        source: the expression.
        must: word the error as Go's MustCompile does.

    Raises:
        FunctionError: with Go's text.
    """
    try:
        return _compiled(source)
    except _SyntaxError as error:
        if not must:
            raise FunctionError(str(error)) from None
        shown = f"`{source}`" if can_backquote(source) else quote(source)
        raise FunctionError(f"regexp: Compile({shown}): {error}") from None


class _Translator:
    def __init__(self, source: str) -> None:
        self.source = source
        self.position = 0
        self.flags = frozenset[str]()
        self.outer: list[frozenset[str]] = []
        self.parts: list[str] = []
        self.repeatable = False
        self.repeated_from: int | None = None
        self.names = [""]

    def run(self) -> str:
        while self.position < len(self.source):
            self._step()
        if self.outer:
            raise _SyntaxError("missing closing )", self.source)
        return "".join(self.parts)

    def _step(self) -> None:
        char = self.source[self.position]
        if char in "*+?" or (char == "{" and _REPEAT.match(self.source, self.position)):
            self._repeat()
            return
        self.repeated_from = None
        if char == "(":
            self._open()
        elif char == ")":
            self._close()
        elif char == "|":
            self.position += 1
            self.parts.append("|")
            self.repeatable = False
        elif char == "\\":
            self._escape()
        elif char == "[":
            self._atom(self._class())
        else:
            self.position += 1
            self._atom(self._plain(char))

    def _atom(self, text: str) -> None:
        self.parts.append(text)
        self.repeatable = True

    def _plain(self, char: str) -> str:
        if char == ".":
            return "(?s:.)" if "s" in self.flags else "[^\\n]"
        if char == "^":
            return "(?m:^)" if "m" in self.flags else "(?:\\A)"
        if char == "$":
            return "(?m:$)" if "m" in self.flags else "(?:\\Z)"
        return self._folded(re.escape(char))

    def _folded(self, text: str) -> str:
        return f"(?i:{text})" if "i" in self.flags else text

    def _repeat(self) -> None:
        start = self.position
        found = _REPEAT.match(self.source, start)
        operator = found[0] if found else self.source[start]
        self.position += len(operator)
        lazy = self.source.startswith("?", self.position)
        self.position += lazy
        written = self.source[start : self.position]
        if found:
            low, high = int(found[1]), int(found[3] or found[1]) if found[2] else int(found[1])
            if max(low, high) > _MOST_REPEATS or (found[3] and high < low):
                raise _SyntaxError("invalid repeat count", operator)
        if not self.repeatable:
            raise _SyntaxError("missing argument to repetition operator", written)
        if self.repeated_from is not None:
            raise _SyntaxError("invalid nested repetition operator", self.source[self.repeated_from : self.position])
        self.repeated_from = start
        self.parts.append(operator + ("?" if lazy != ("U" in self.flags) else ""))

    def _open(self) -> None:
        if not self.source.startswith("(?", self.position):
            self._group("(", 1)
            return
        if re.match(r"\(\?P?<", self.source[self.position :]):
            self._named()
            return
        found = _FLAGS.match(self.source, self.position + 1)
        if not found:
            known = _FLAGS_SO_FAR.match(self.source, self.position)
            end = known.end() if known else self.position
            raise _SyntaxError("invalid or unsupported Perl syntax", self.source[self.position : end + 1])
        flags = (self.flags | set(found[1])) - set(found[2] or "")
        if found[3] == ":":
            self._group("(?:", 1 + len(found[0]))
            self.flags = flags
            return
        self.position += 1 + len(found[0])
        self.flags = flags
        self.repeatable = False

    def _named(self) -> None:
        found = _NAME.match(self.source, self.position + 1)
        if found is None:
            raise _SyntaxError("invalid named capture", self.source[self.position :])
        if not re.fullmatch(r"\w+", found[1], re.ASCII):
            raise _SyntaxError("invalid named capture", self.source[self.position : found.end()])
        self._group("(", 1 + len(found[0]), name=found[1])

    def _group(self, opening: str, width: int, *, name: str = "") -> None:
        if opening == "(":
            self.names.append(name)
        self.position += width
        self.outer.append(self.flags)
        self.parts.append(opening)
        self.repeatable = False

    def _close(self) -> None:
        if not self.outer:
            raise _SyntaxError("unexpected )", self.source)
        self.flags = self.outer.pop()
        self.position += 1
        self._atom(")")

    def _escape(self) -> None:
        following = self.source[self.position + 1 : self.position + 2]
        if not following:
            raise _SyntaxError("trailing backslash at end of expression", "")
        zero_width = {"A": "(?:\\A)", "z": "(?:\\Z)", "b": "(?a:\\b)", "B": "(?a:\\B)"}
        if following in zero_width:
            self.position += 2
            self._atom(zero_width[following])
        elif following == "Q":
            self._quoted()
        else:
            items = self._class_escape()
            self._atom(self._folded(f"[{items}]") if items is not None else self._folded(_escaped(self._code())))

    def _quoted(self) -> None:
        literal, _, _ = self.source[self.position + 2 :].partition("\\E")
        closed = self.source.startswith("\\E", self.position + 2 + len(literal))
        self.position += 2 + len(literal) + (2 if closed else 0)
        for char in literal:
            self._atom(self._folded(re.escape(char)))

    def _class_escape(self) -> str | None:
        r"""Return the members of \d, \pL and their like at the position, or None for another escape."""
        kind = self.source[self.position + 1 : self.position + 2]
        if kind in _PERL or kind in _NOT_PERL:
            self.position += 2
            return _PERL.get(kind) or _NOT_PERL[kind]
        if kind not in ("p", "P"):
            return None
        found = re.compile(r"\\[pP](?:\{(\^?)([^}]*)\}|(.))", re.DOTALL).match(self.source, self.position)
        if not found:
            raise _SyntaxError("invalid character class range", self.source[self.position :])
        self.position = found.end()
        negated = (kind == "P") != bool(found[1])
        return _category(found[2] or found[3], negated, found[0])

    def _code(self) -> int:
        """Read an escape that stands for one character; return its code point."""
        start = self.position
        kind = self.source[start + 1]
        found = _NUMERIC.match(self.source, start)
        if found:
            self.position = found.end()
            code = int(found[1] or found[2], 16) if found[1] or found[2] else int(found[3], 8)
            if code <= _LAST:
                return code
        elif kind in _CONTROLS or kind in _PUNCTUATION:
            self.position += 2
            return _CONTROLS.get(kind) or ord(kind)
        raise _SyntaxError("invalid escape sequence", self.source[start : self._refused_at(start)])

    def _refused_at(self, start: int) -> int:
        """Return where Go stops reading a wrong escape, which its error shows up to there."""
        if self.source[start + 1] != "x":
            return start + 2
        if not self.source.startswith("{", start + 2):
            return start + 4
        end = start + 3
        while end < len(self.source) and self.source[end] in string.hexdigits:
            end += 1
            if int(self.source[start + 3 : end], 16) > _LAST:
                return end
        return end + 1

    def _class(self) -> str:
        start = self.position
        self.position += 1
        negated = self.source.startswith("^", self.position)
        self.position += negated
        items: list[str] = []
        first = True
        while first or not self.source.startswith("]", self.position):
            if self.position >= len(self.source):
                raise _SyntaxError("missing closing ]", self.source[start:])
            items.append(self._class_item(start))
            first = False
        self.position += 1
        return self._folded(f"[{'^' if negated else ''}{''.join(items)}]")

    def _class_item(self, start: int) -> str:
        named = re.compile(r"\[:(\^?)(.*?):\]", re.DOTALL).match(self.source, self.position)
        if named:
            self.position = named.end()
            table = _NOT_POSIX if named[1] else _POSIX
            if named[2] not in table:
                raise _SyntaxError("invalid character class range", named[0])
            return table[named[2]]
        if self.source.startswith("\\", self.position):
            items = self._class_escape()
            if items is not None:
                return items
        begin = self.position
        low = self._class_char(start)
        if not re.match(r"-[^\]]", self.source[self.position : self.position + 2], re.DOTALL):
            return _escaped(low)
        self.position += 1
        high = self._class_char(start)
        if high < low:
            raise _SyntaxError("invalid character class range", self.source[begin : self.position])
        return f"{_escaped(low)}-{_escaped(high)}"

    def _class_char(self, start: int) -> int:
        if self.position >= len(self.source):
            raise _SyntaxError("missing closing ]", self.source[start:])
        if self.source[self.position] == "\\":
            if self.position + 1 >= len(self.source):
                raise _SyntaxError("trailing backslash at end of expression", "")
            return self._code()
        self.position += 1
        return ord(self.source[self.position - 1])


_NUMERIC = re.compile(r"\\(?:x(?:\{([0-9A-Fa-f]+)\}|([0-9A-Fa-f]{2}))|(0[0-7]{0,2}|[1-7][0-7]{1,2}))")


def _escaped(code: int) -> str:
    return f"\\U{code:08x}"


@lru_cache(maxsize=64)
def _category(name: str, negated: bool, written: str) -> str:
    """Return the members of a Unicode category such as L or Lu, as ranges for a character class."""
    if name == "Any":
        return "\\x00-\\U0010ffff"
    if not re.fullmatch("[CLMNPSZ][a-z]?", name):
        raise _SyntaxError("invalid character class range", written)
    members = [unicodedata.category(chr(code)).startswith(name) != negated for code in range(_LAST + 1)]
    ranges: list[str] = []
    start: int | None = None
    for code, member in enumerate([*members, False]):
        if member and start is None:
            start = code
        elif not member and start is not None:
            ranges.append(f"{_escaped(start)}-{_escaped(code - 1)}")
            start = None
    return "".join(ranges)
