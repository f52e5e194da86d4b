"""Letter cases and word joining as sprig has them: camelcase, snakecase, title, swapcase, initials.

Private to gotmpl.sprig.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from harness.gotmpl.strconv import encode

__all__ = [
    "camel_case",
    "initials",
    "kebab_case",
    "lower",
    "snake_case",
    "swap_case",
    "title",
    "uncapitalize",
    "upper",
]

_WORD = re.compile(r"[cq]+|p[pq]*|U+(?=Ua)|UU+|Ua*|a+|n+|o+")
_CONNECTED = "apnoU"


def upper(char: str) -> str:
    """Return a character in upper case, or itself where that would be several characters."""
    changed = char.upper()
    return changed if len(changed) == 1 else char


def lower(char: str) -> str:
    """Return a character in lower case; only the dotted capital I has several, of which Go keeps the first."""
    return char.lower()[:1]


def _titled(char: str) -> str:
    changed = char.title()
    return changed if len(changed) == 1 else upper(char)


def title(text: str) -> str:
    """Return text with the first letter of each word in title case (strings.Title)."""
    parts: list[str] = []
    previous = " "
    for char in text:
        parts.append(_titled(char) if _separates(previous) else char)
        previous = char
    return "".join(parts)


def _separates(char: str) -> bool:
    if char.isascii():
        return not (char.isalnum() or char == "_")
    if char.isalpha() or char.isdecimal():
        return False
    return char.isspace()


def uncapitalize(text: str) -> str:
    """Return text with the first character of each word in lower case."""
    parts: list[str] = []
    at_start = True
    for char in text:
        if char.isspace():
            at_start = True
        elif at_start:
            char, at_start = lower(char), False  # noqa: PLW2901 - the character that is kept
        parts.append(char)
    return "".join(parts)


def swap_case(text: str) -> str:
    """Return text with its cases swapped; a lower-case letter that starts a word becomes a title-case one."""
    parts: list[str] = []
    after_space = True
    for char in text:
        if char.isupper() or char.istitle():
            parts.append(lower(char))
            after_space = False
        elif char.islower():
            parts.append(_titled(char) if after_space else upper(char))
            after_space = False
        else:
            parts.append(char)
            after_space = char.isspace()
    return "".join(parts)


def initials(text: str) -> str:
    """Return the first byte of each word, as a character."""
    words = encode(text).decode("latin-1")
    return "".join(
        char for before, char in zip(" " + words, words, strict=False) if before.isspace() and not char.isspace()
    )


def _is_connector(char: str) -> bool:
    return char in "-_" or char.isspace()


def camel_case(text: str) -> str:
    """Return text with its words joined, each with a first capital: some_words is SomeWords.

    Connectors at the start stay; of several in a row all but one stay; a run of capitals keeps only its first.
    """
    found = _LEADING.match(text)
    lead = found[0] if found else ""
    body = text[len(lead) :]
    if not body:
        return lead + lead[-1:]
    parts = [lead]
    current, shouting = upper(body[0]), body[0].isupper()
    for char in body[1:]:
        if _is_connector(current) and not _is_connector(char):
            current, shouting = upper(char), char.isupper()
            continue
        parts.append(current)
        if not _is_connector(current):
            shouting = shouting and char.isupper()
        current = lower(char) if shouting else char
    return "".join([*parts, current])


_LEADING = re.compile(r"[-_\s]*")


def snake_case(text: str) -> str:
    """Return text with its words in lower case joined by underscores: FirstName is first_name."""
    return _joined_lower(text, "_")


def kebab_case(text: str) -> str:
    """Return text with its words in lower case joined by hyphens: FirstName is first-name."""
    return _joined_lower(text, "-")


def _class(char: str) -> str:
    if char in "-_":
        return "q"  # a connector where a word starts, punctuation inside punctuation
    if char.isspace():
        return "c"
    if unicodedata.category(char).startswith("P"):
        return "p"
    if char.isupper():
        return "U"
    if char.isalpha():
        return "a"
    return "n" if char.isnumeric() else "o"


def _words(text: str) -> list[tuple[str, str]]:
    """Split into words with the class of their first character."""
    classes = "".join(map(_class, text))
    return [(found[0][0].replace("q", "c"), text[found.start() : found.end()]) for found in _WORD.finditer(classes)]


def _joined_lower(text: str, connector: str) -> str:
    words = _words(text)
    parts: list[str] = []
    position = 0
    while position < len(words) - 1:
        kind, word = words[position]
        if kind != "c":
            parts.append(_lowered(kind, word, connector))
        position += 1
        if kind == "n":
            position = _glued(words, position, parts, connector)
            _connect(words, position, parts, connector)
        elif kind == "c":
            parts.append(_lowered(kind, word, connector))
        elif kind != "p":
            position = _after_letters(words, position, parts, connector)
    if position < len(words):
        kind, word = words[position]
        parts.append(_lowered(kind, word, connector))
    return "".join(parts)


def _lowered(kind: str, word: str, connector: str) -> str:
    if kind == "c":
        return connector * len(word)
    return "".join(map(lower, word)) if kind == "U" else word


def _connect(words: Sequence[tuple[str, str]], position: int, parts: list[str], connector: str) -> None:
    if position < len(words) and words[position][0] not in "cp":
        parts.append(connector)


def _glued(words: Sequence[tuple[str, str]], position: int, parts: list[str], connector: str) -> int:
    """Append the small letters and digits that belong to a number; return where they end."""
    while position < len(words) and words[position][0] in "an":
        parts.append(_lowered(*words[position], connector))
        position += 1
    return position


def _after_letters(words: Sequence[tuple[str, str]], position: int, parts: list[str], connector: str) -> int:
    """Decide what follows a word of letters: a number may belong to it or start the next word."""
    if words[position][0] != "n":
        _connect(words, position, parts, connector)
        return position
    if position == len(words) - 1:
        return position
    if words[position + 1][0] != "a":
        parts.append(words[position][1])
        _connect(words, position + 1, parts, connector)
        return position + 1
    parts.append(connector + words[position][1])
    position = _glued(words, position + 1, parts, connector)
    _connect(words, position, parts, connector)
    return position
