"""Texts of manifests split and parsed exactly as kuttl does: at lines of dashes, one value per part.

Pure but for `fetch_text` and `read_stream_file`. Imported by loading.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from harness.kit.documents import Document, DocumentError, parse_first, read_text
from harness.kit.errors import UsageError
from harness.suite.problem import Problem

__all__ = ["Stream", "fetch_text", "parse_stream", "read_stream_file", "split_stream"]

_SEPARATOR = re.compile(r"^---(.*)$", re.MULTILINE)
_LARGEST_PART = 6 * 1024 * 1024  # characters; etcd takes 1.5 MiB an object, indentation may double it and more
_LARGEST_FETCH = 32 * 1024 * 1024  # bytes


@dataclass(frozen=True, slots=True)
class Stream:
    """The documents of one text, and what is wrong or odd about it."""

    documents: list[Document] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def split_stream(text: str, file: str = "<text>") -> list[tuple[int, str]]:
    """Return the parts of a stream with the line on which each begins; empty parts are left out.

    The split is textual: a line that starts with three dashes splits inside of a block scalar too.

    Raises:
        DocumentError: anything but blanks or a comment behind the dashes.
    """
    parts: list[tuple[int, str]] = []
    begin, line = 0, 1
    for found in _SEPARATOR.finditer(text):
        here = line + text.count("\n", begin, found.start())
        rest = found[1].strip()
        if rest and not rest.startswith("#"):
            seen = f"invalid Yaml document separator: {rest}"
            raise DocumentError("nothing, or a comment, behind the dashes", seen=seen, where=f"{file}:{here}:4")
        if found.start() > begin:
            parts.append((line, text[begin : found.start()]))
        begin, line = found.end() + 1, here + 1
    if begin < len(text):
        parts.append((line, text[begin:]))
    return parts


def parse_stream(text: str, file: str) -> Stream:
    """Return the documents of a stream.

    Args:
        text: YAML or JSON.
        file: its name in marks and problems.
    """
    stream = Stream()
    try:
        parts = split_stream(text, file)
    except DocumentError as error:
        stream.problems.append(_as_problem(error))
        return stream
    for line, part in parts:
        try:
            document = _parsed(part, file, line)
        except DocumentError as error:
            stream.problems.append(_as_problem(error))
            continue
        if document is None or document.value is None or document.value == {}:
            note = f"object detected with no GVK Kind for path {file}"
            stream.problems.append(Problem(severity="note", text=note, where=f"{file}:{line}"))
            continue
        stream.problems.extend(_oddities(document))
        stream.documents.append(document)
    return stream


def read_stream_file(path: Path) -> Stream:
    """Read a file and return its documents; a file that cannot be read is an error among the problems."""
    try:
        return parse_stream(read_text(path), str(path))
    except DocumentError as error:
        return Stream(problems=[_as_problem(error)])


def fetch_text(url: str, *, timeout: float = 30.0) -> str:
    """Return the text behind an http or https address.

    Args:
        url: the address.
        timeout: seconds for each wait on the network.

    Raises:
        UsageError: no connection, a status other than 200, too much, not UTF-8.
    """
    import http.client
    import urllib.request

    if not url.startswith(("http://", "https://")):
        raise UsageError("an http or https address", seen=url)
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer:  # noqa: S310 - the scheme was checked
            if answer.status != http.client.OK:
                raise UsageError("status 200", seen=f"status {answer.status} {answer.reason}", where=url)
            content: bytes = answer.read(_LARGEST_FETCH + 1)
    except (OSError, http.client.HTTPException) as error:
        raise UsageError("a manifest", seen=str(error), where=url) from None
    if len(content) > _LARGEST_FETCH:
        raise UsageError(f"a manifest of at most {_LARGEST_FETCH >> 20} MiB", seen="more", where=url)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise UsageError("UTF-8 text", seen=f"byte {error.start}: {error.reason}", where=url) from None


def _parsed(part: str, file: str, line: int) -> Document | None:
    if len(part) > _LARGEST_PART:
        seen, place = f"{len(part) / 2**20:.1f} MiB", f"{file}:{line}:1"
        raise DocumentError(f"an object of at most {_LARGEST_PART >> 20} MiB", seen=seen, where=place)
    return parse_first(part, file, first_line=line)


def _oddities(document: Document) -> list[Problem]:
    found = [
        Problem(severity="warning", text=f'the key "{key}" stands twice, the last one counts', where=str(mark), quirk=2)
        for key, mark in document.repeated
    ]
    if document.rest:
        text = "only the first value of this document is read, the rest is ignored"
        hint = "separate values with a line of ---"
        found.append(Problem(severity="warning", text=text, where=str(document.mark), hint=hint, quirk=1))
    return found


def _as_problem(error: UsageError) -> Problem:
    return Problem(severity="error", text=f"wanted {error.wanted}, seen {error.seen}", where=error.where)
