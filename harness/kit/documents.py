"""YAML in and out, with scalars as Kubernetes reads them and a file:line:column for every node.

The only importer of `yaml`; everybody may import it. PyYAML's own scalars are not Kubernetes' (`12:30:45`, dates, `y`,
`1e3`, `0o14`, `=`), so documents are composed by its C parser and constructed here, after the rules of go-yaml v2.
"""

from __future__ import annotations

import base64
import binascii
import functools
import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from harness.kit.errors import UsageError
from harness.kit.numbers import go_float

__all__ = [
    "Document",
    "DocumentError",
    "Manifest",
    "Mark",
    "dump_documents",
    "dump_yaml",
    "load_documents",
    "parse_documents",
    "parse_first",
    "read_text",
]

Manifest = dict[str, Any]
Duplicates = Literal["refuse", "last"]
Scalars = Literal["1.1", "1.2"]

_LARGEST_FILE = 32 * 1024 * 1024  # etcd takes 1.5 MiB an object; beyond this it is not a manifest
_MOST_NODES = 2_000_000  # of one document with its aliases expanded: stops exponential documents
_LARGEST_INTEGER = 2**63
_DEEPEST = 400  # nesting; Python's own recursion limit lies behind it

_WORDS: dict[str, Any] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INTEGER = re.compile(r"[-+]?(0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|0[bB][01]+|0|[1-9][0-9]*)")
_BASE60 = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")
_TIMESTAMP = re.compile(  # the four layouts that go-yaml v2 tries
    r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
    r"([Tt][0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}(\.[0-9]+)?(Z|[-+][0-9]{2}:[0-9]{2})"
    r"| [0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}(\.[0-9]+)?)?"
)
_CACHED = 40  # characters of the longest plain scalar whose tag is remembered
_TAG_NAMES: dict[type, str] = {bool: "bool", type(None): "null", int: "int", float: "float", str: "str"}
_TAG = "tag:yaml.org,2002:"
_STR = _TAG + "str"


class DocumentError(UsageError):
    """Text that is not the YAML that was expected."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a file; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """One YAML document: its value and, by path, where each part of it stands."""

    value: Any
    file: str
    _node: yaml.Node | None = field(default=None, repr=False)
    repeated: tuple[tuple[str, Mark], ...] = ()  # keys given again in one mapping, and where
    rest: bool = False  # more stood behind the first value of the text and was not read
    _first_line: int = 1

    @property
    def mark(self) -> Mark:
        """Where the document's first node stands."""
        return self.at()

    def at(self, *path: str | int) -> Mark:
        """Return where a path, e.g. "spec", "steps", 0, stands in the file, or its nearest known parent.

        A key's mark is the key's, not its value's, since that is where one looks for it.
        """
        node, mark = self._node, self._mark(self._node)
        for part in path:
            found = _child(node, part)
            if found is None:
                return mark
            mark, node = self._mark(found[0]), found[1]
        return mark

    def _mark(self, node: yaml.Node | None) -> Mark:
        return _mark_of(node, self.file, self._first_line)


def parse_documents(text: str, file: str = "<text>", *, duplicates: Duplicates = "refuse") -> list[Document]:
    """Parse a stream of YAML documents; empty ones are left out.

    Args:
        text: the stream.
        file: the name used in errors and marks.
        duplicates: what a key that stands twice in one mapping does: refuse the text, or the last one wins.

    Raises:
        DocumentError: not YAML, a duplicate key, a key that is not a scalar, a document too large when expanded.
    """
    try:
        nodes: list[yaml.Node | None] = list(yaml.compose_all(text, Loader=_Composer))
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, file) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise DocumentError("YAML", seen=str(error).split("\n", 1)[0], where=file) from None
    built = (_Construction(file, duplicates).document(node) for node in nodes if node is not None)
    return [document for document in built if document.value is not None]


def parse_first(text: str, file: str = "<text>", *, first_line: int = 1, scalars: Scalars = "1.1") -> Document | None:
    """Parse the first value of a text as kubectl and kuttl read one manifest; None when there is none.

    Of equal keys the last one wins and is told in `repeated`; what follows the first value is told in `rest`. Numbers
    are those of JSON: a whole number beyond int64 is a float, infinities are refused.

    Args:
        text: YAML or JSON.
        file: the name used in errors and marks.
        first_line: the line of the file on which the text begins.
        scalars: "1.2" keeps yes, no, on, off, y and n as texts and turns dates into RFC 3339 texts.

    Raises:
        DocumentError: as parse_documents, or a number that JSON does not have.
    """
    try:
        loader = _Composer(text)
        node = loader.get_node() if loader.check_node() else None
    except yaml.MarkedYAMLError as error:
        return _json_or_raise(text, file, first_line, _syntax_error(error, file, first_line))
    except (yaml.YAMLError, RecursionError) as error:
        raise DocumentError("YAML", seen=str(error).split("\n", 1)[0], where=f"{file}:{first_line}:1") from None
    if node is None:
        return None
    construction = _Construction(file, "last", first_line=first_line, json=True, scalars=scalars)
    return construction.document(node, rest=_has_more(loader))


def load_documents(path: Path, *, duplicates: Duplicates = "refuse") -> list[Document]:
    """Read a file of YAML documents, as parse_documents does.

    Raises:
        DocumentError: also when the file is missing, too large or not UTF-8.
    """
    return parse_documents(read_text(path), str(path), duplicates=duplicates)


def read_text(path: Path) -> str:
    """Return the text of a file that should hold manifests.

    Raises:
        DocumentError: the file is missing, no file, too large or not UTF-8.
    """
    try:
        if (size := path.stat().st_size) > _LARGEST_FILE:
            raise DocumentError(
                f"a manifest of at most {_LARGEST_FILE >> 20} MiB", seen=f"{size >> 20} MiB", where=str(path)
            )
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise DocumentError("a readable file", seen=error.strerror or str(error), where=str(path)) from None
    except UnicodeDecodeError as error:
        raise DocumentError("UTF-8 text", seen=f"byte {error.start}: {error.reason}", where=str(path)) from None


def dump_yaml(value: Any) -> str:
    """Return a value as block YAML in the layout of go-yaml v2.

    Keys are sorted, lists are not indented under their key, texts with line breaks are literal blocks, texts that
    would read as something else are double quoted; ends in one newline.
    """
    return yaml.dump(
        value, Dumper=_Dumper, default_flow_style=False, sort_keys=False, allow_unicode=True, explicit_end=False
    ).removesuffix("...\n")


def dump_documents(values: Iterable[Any]) -> str:
    """Return several values as one stream, each but the first after a line of three dashes."""
    return "---\n".join(dump_yaml(value) for value in values)


class _Composer(yaml.CSafeLoader):
    """PyYAML's C parser up to the node graph, with our reading of plain scalars."""

    def resolve(self, kind: type[yaml.Node], value: str | None, implicit: Any) -> str:
        if kind is yaml.ScalarNode:
            return _plain_tag(value or "") if implicit[0] else _STR
        return _TAG + ("seq" if kind is yaml.SequenceNode else "map")


class _Construction:
    """One document's way from nodes to values; aliases share their value, so a repeated part costs nothing."""

    def __init__(
        self, file: str, duplicates: Duplicates, *, first_line: int = 1, json: bool = False, scalars: Scalars = "1.1"
    ) -> None:
        self._file = file
        self._duplicates = duplicates
        self._first_line = first_line
        self._json = json
        self._scalars = scalars
        self._repeated: list[tuple[str, Mark]] = []
        self._built: dict[int, tuple[Any, int]] = {}  # node id -> (value, nodes in it)
        self._open: set[int] = set()

    def document(self, node: yaml.Node, *, rest: bool = False) -> Document:
        value, _size = self._value(node, 0)
        return Document(value, self._file, node, tuple(self._repeated), rest, self._first_line)

    def _value(self, node: yaml.Node, depth: int) -> tuple[Any, int]:
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node), 1
        key = id(node)
        if key in self._built:
            return self._built[key]
        if key in self._open or depth > _DEEPEST:
            raise self._error(node, "a finite document", "an alias inside itself" if key in self._open else "too deep")
        self._open.add(key)
        build = self._list if isinstance(node, yaml.SequenceNode) else self._mapping
        value, size = build(node, depth + 1)
        if size > _MOST_NODES:
            raise self._error(node, f"at most {_MOST_NODES:,} values", f"{size:,} when its aliases are expanded")
        self._open.discard(key)
        self._built[key] = value, size
        return value, size

    def _list(self, node: yaml.Node, depth: int) -> tuple[list[Any], int]:
        values, total = [], 1
        for item in node.value:
            value, size = self._value(item, depth)
            values.append(value)
            total += size
        return values, total

    def _mapping(self, node: yaml.Node, depth: int) -> tuple[dict[str, Any], int]:
        result: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        total = 1
        for key_node, value_node in node.value:
            value, size = self._value(value_node, depth)
            total += size + 1
            if key_node.value == "<<" and isinstance(key_node, yaml.ScalarNode) and not key_node.style:
                merged = {**self._merged(value_node, value), **merged}
                continue
            key = self._key(key_node)
            if key in result:
                if self._duplicates == "refuse":
                    raise self._error(key_node, "each key once", f'"{key}" stands twice in this mapping')
                self._repeated.append((key, _mark_of(key_node, self._file, self._first_line)))
            result[key] = value
        return {**merged, **result} if merged else result, total

    def _merged(self, node: yaml.Node, value: Any) -> dict[str, Any]:
        parts = value if isinstance(value, list) else [value]
        if not all(isinstance(part, dict) for part in parts):
            raise self._error(node, "a mapping, or a list of mappings, behind <<", type(value).__name__)
        return {key: item for part in reversed(parts) for key, item in part.items()}

    def _key(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise self._error(node, "a plain key", "a list or mapping as key")
        value = self._scalar(node)
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, float):
            return go_float(value)
        if value is None and self._json:
            raise self._error(node, "a text as key", "null")
        return "null" if value is None else str(value)

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        tag, text = node.tag, node.value
        if self._scalars == "1.2" and not node.style and (tag == _TAG + "bool" or _TIMESTAMP.fullmatch(text)):
            return _core_value(text)
        if tag == _STR:
            return text
        if tag == _TAG + "binary":
            return self._binary(node)
        if not tag.startswith(_TAG):
            return text
        value = _plain_value(text)
        return self._json_number(node, value) if self._json else value

    def _json_number(self, node: yaml.ScalarNode, value: Any) -> Any:
        if isinstance(value, float) and not math.isfinite(value):
            raise self._error(node, "a number that JSON has", node.value)
        return float(value) if isinstance(value, int) and abs(value) >= _LARGEST_INTEGER else value

    def _binary(self, node: yaml.ScalarNode) -> str:
        try:
            return base64.b64decode("".join(node.value.split()), validate=True).decode("utf-8", "replace")
        except (binascii.Error, ValueError) as error:
            raise self._error(node, "base64 behind !!binary", str(error)) from None

    def _error(self, node: yaml.Node, wanted: str, seen: str) -> DocumentError:
        return DocumentError(wanted, seen=seen, where=str(_mark_of(node, self._file, self._first_line)))


class _Dumper(yaml.CSafeDumper):
    """PyYAML's C emitter with the scalar rules of go-yaml v2."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the name is PyYAML's
        return True

    def resolve(self, kind: type[yaml.Node], value: str | None, implicit: Any) -> str:
        if kind is yaml.ScalarNode:
            return _plain_tag(value or "") if implicit[0] else _STR
        return _TAG + ("seq" if kind is yaml.SequenceNode else "map")


def _represent_str(dumper: _Dumper, data: str) -> yaml.Node:
    if "\n" in data:
        style: str | None = "|"
    elif _plain_tag(data) != _STR or _BASE60.fullmatch(data) or _TIMESTAMP.fullmatch(data):
        style = '"'
    else:
        style = None
    return dumper.represent_scalar(_STR, data, style)


def _represent_float(dumper: _Dumper, data: float) -> yaml.Node:
    text = go_float(data)
    return dumper.represent_scalar(_plain_tag(text), text)


def _represent_mapping(dumper: _Dumper, data: dict[Any, Any]) -> yaml.Node:
    return dumper.represent_mapping(_TAG + "map", sorted(data.items(), key=lambda item: _KEY_ORDER(str(item[0]))))


def _compare_keys(one: str, other: str) -> int:
    """Order keys as go-yaml v2 does: numbers inside of texts count as numbers, letters come after all other signs."""
    for index, (left, right) in enumerate(zip(one, other, strict=False)):
        if left == right:
            continue
        if left.isalpha() != right.isalpha():
            return 1 if left.isalpha() else -1
        if not left.isalpha():
            head = one[:index]
            digits = head[len(head.rstrip("0123456789")) :]
            start = 1 if "0" in (left, right) and digits.strip("0") else 0  # 10 and 1 differ by a number, 010 does not
            numbers = _number_at(one, index, start), _number_at(other, index, start)
            if numbers[0] != numbers[1]:
                return -1 if numbers[0] < numbers[1] else 1
        return -1 if left < right else 1
    return len(one) - len(other)


def _number_at(text: str, index: int, start: int) -> int:
    """Return the number whose digits stand at a place, read on from a first value."""
    number = start
    while index < len(text) and text[index].isdecimal():
        number = number * 10 + int(text[index])
        index += 1
    return number


_KEY_ORDER = functools.cmp_to_key(_compare_keys)

_Dumper.add_representer(str, _represent_str)
_Dumper.add_representer(float, _represent_float)
_Dumper.add_representer(dict, _represent_mapping)


def _plain_tag(text: str) -> str:
    return _short_tag(text) if len(text) <= _CACHED else _short_tag.__wrapped__(text)


@functools.lru_cache(maxsize=8192)
def _short_tag(text: str) -> str:
    """Return the tag of a short plain scalar; the same keys and words stand in every manifest, so it is remembered."""
    return _TAG + _TAG_NAMES[type(_plain_value(text))]


def _plain_value(text: str) -> Any:
    """Return what a plain scalar means: go-yaml v2's table and number syntax; timestamps stay texts."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    plain = text.replace("_", "") if text[0] != "." else text
    if _INTEGER.fullmatch(plain):
        number = _integer(plain)
        if -_LARGEST_INTEGER <= number < 2 * _LARGEST_INTEGER:
            return number
    if _FLOAT.fullmatch(plain):
        return _number(float(plain), text)
    return text


def _number(value: float, text: str) -> Any:
    """Return a float as it looks after JSON: whole ones are integers, one too large for a float is a text."""
    if math.isinf(value):
        return text
    return int(value) if value.is_integer() and abs(value) < _LARGEST_INTEGER else value


def _integer(plain: str) -> int:
    sign, digits = (-1, plain[1:]) if plain[0] == "-" else (1, plain.removeprefix("+"))
    if len(digits) > 1 and digits[0] == "0" and digits[1].isdigit():
        return sign * int(digits, 8)
    return sign * int(digits, 0)


def _core_value(text: str) -> Any:
    """Return what YAML 1.2's schema makes of a word or date that 1.1 reads otherwise; dates are RFC 3339 texts."""
    found = re.fullmatch(r"(\d{4})-(\d\d?)-(\d\d?)", text)
    if found:
        return f"{found[1]}-{int(found[2]):02d}-{int(found[3]):02d}T00:00:00Z"
    return text.lower() == "true" if text.lower() in {"true", "false"} else text


def _has_more(loader: _Composer) -> bool:
    """Tell whether anything stands behind the first value; that it cannot be read does not matter, it is not read."""
    try:
        return bool(loader.check_node())
    except (yaml.YAMLError, RecursionError):
        return True


def _json_or_raise(text: str, file: str, first_line: int, error: DocumentError) -> Document | None:
    """Read JSON that YAML's parser refuses, such as escaped surrogate pairs; its marks are those of the first line."""
    start = text.lstrip()
    if not start.startswith("{"):
        raise error
    try:
        value, end = json.JSONDecoder().raw_decode(start)
    except (ValueError, RecursionError):
        raise error from None
    return Document(value, file, rest=bool(start[end:].strip()), _first_line=first_line)


def _mark_of(node: yaml.Node | None, file: str, first_line: int = 1) -> Mark:
    start = node.start_mark if node is not None else None
    return Mark(file, start.line + first_line, start.column + 1) if start is not None else Mark(file, first_line, 1)


def _child(node: yaml.Node | None, part: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """Return the node that marks a part (a key, an item) and the node of its value."""
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part]
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value == str(part):
                return key, value
    return None


def _syntax_error(error: yaml.MarkedYAMLError, file: str, first_line: int = 1) -> DocumentError:
    place = error.problem_mark or error.context_mark
    where = f"{file}:{place.line + first_line}:{place.column + 1}" if place is not None else file
    parts: Sequence[str | None] = (error.context, error.problem)
    return DocumentError("YAML", seen=", ".join(part for part in parts if part), where=where)
