"""The text of a `command`: variables put in, then split into arguments as by a simple shell; and its summary.

Pure. loading uses it for the paths of a TestStep, the runner for commands, lint for both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from harness.kit.errors import UsageError

__all__ = ["Expanded", "Words", "expand", "split_words", "summary"]

_NAME = re.compile(r"\$(?:\{(?P<braced>[^}]*)\}|\{|(?P<special>[*#$@!?0-9-])|(?P<name>[A-Za-z_][A-Za-z0-9_]*))")
_LONGEST_SUMMARY = 70


@dataclass(frozen=True, slots=True, kw_only=True)
class Expanded:
    """A text with its variables put in.

    Attributes:
        text: the result.
        unset: names that were not set and gave nothing, in their order (quirk Q58).
    """

    text: str
    unset: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The arguments of a command.

    Attributes:
        words: the program and its arguments.
        comment: the comment that was dropped, from its #; empty when there was none (quirk Q59).
    """

    words: tuple[str, ...]
    comment: str = ""


def expand(text: str, environment: Mapping[str, str]) -> Expanded:
    """Replace $NAME and ${NAME} everywhere, inside of quotes too; $$ gives $; ${} and an unclosed ${ give nothing.

    Args:
        text: the command or path.
        environment: the variables; ${NAME:-x} is taken as a name, $1 and $? too, and give nothing.

    Source: kuttl's rules, those of Go's os.Expand with $$ as an escape.
    """
    unset: list[str] = []

    def value(found: re.Match[str]) -> str:
        name = found["braced"] or found["special"] or found["name"] or ""
        if name == "$":
            return "$"
        if name and name not in environment:
            unset.append(name)
        return environment.get(name, "")

    return Expanded(text=_NAME.sub(value, text), unset=tuple(dict.fromkeys(unset)))


def split_words(text: str) -> Words:
    r"""Split a text into words.

    Blanks, tabs and newlines separate; single quotes are literal; in double quotes and outside of quotes \ keeps the
    next character; # at the start of a word begins a comment up to the end of the line; nothing else is special.

    Raises:
        UsageError: a quote that does not close, or a \ at the very end.
    """
    return _Splitter(text).split()


def summary(command: str, script: str) -> str:
    """Return how messages name a command: shortened, in double quotes with escapes.

    Args:
        command: its `command`, or an empty text.
        script: its `script`; blank lines, comments and a first line `set -...` are left out.
    """
    text = command or _script_summary(script)
    if len(text) > _LONGEST_SUMMARY:
        text = text[: _LONGEST_SUMMARY - 3] + "..."
    return json.dumps(text, ensure_ascii=False)


class _Splitter:
    """One walk over a text, character by character."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._words: list[str] = []
        self._word: list[str] | None = None  # None between words: '' is a word too
        self._comment = ""

    def split(self) -> Words:
        while self._at < len(self._text):
            self._next(self._take())
        self._end_word()
        return Words(words=tuple(self._words), comment=self._comment)

    def _next(self, char: str) -> None:
        if char in " \t\r\n":
            self._end_word()
        elif char == "#" and self._word is None:
            end = self._text.find("\n", self._at)
            end = len(self._text) if end < 0 else end
            self._comment = self._comment or self._text[self._at - 1 : end].strip()
            self._at = end
        elif char == "'":
            self._add(self._until("'", escapes=False))
        elif char == '"':
            self._add(self._until('"', escapes=True))
        elif char == "\\":
            self._add(self._escaped("an escape"))
        else:
            self._add(char)

    def _take(self) -> str:
        self._at += 1
        return self._text[self._at - 1]

    def _escaped(self, what: str) -> str:
        if self._at >= len(self._text):
            raise UsageError(f"a character behind {what}", seen="EOF found after escape character", where=self._text)
        return self._take()

    def _until(self, quote: str, *, escapes: bool) -> str:
        opened = self._at
        parts: list[str] = []
        while self._at < len(self._text):
            char = self._take()
            if char == quote:
                return "".join(parts)
            parts.append(self._escaped("a backslash") if char == "\\" and escapes else char)
        place = f"column {opened} of {self._text}"
        raise UsageError(f"a closing {quote}", seen="EOF found when expecting closing quote", where=place)

    def _add(self, part: str) -> None:
        self._word = [*(self._word or []), part]

    def _end_word(self) -> None:
        if self._word is not None:
            self._words.append("".join(self._word))
        self._word = None


def _script_summary(script: str) -> str:
    lines = [line.strip() for line in script.split("\n")]
    kept = [line for line in lines if line and not line.startswith("#")]
    if kept and kept[0].startswith("set -"):
        kept = kept[1:]
    return "\\n ".join(kept)
