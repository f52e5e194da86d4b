"""A failed case for people: what is not as wanted, and the lines of its files that say so, with their numbers.

Reads the files that a failure names. Imported by collect and the command line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.suite.results import CaseResult, Failure, StepResult

__all__ = ["excerpt", "explain_case"]

_PLACE = re.compile(r"(?P<file>.+?):(?P<line>\d+)(?::\d+)?$")
_ROW = re.compile(r"\s*line\s+(\d+)\b")
_WHOLE = 24  # lines of a document that are shown whole
_LARGEST = 1 << 20  # bytes of a file that is looked into
_WIDEST = 200  # characters of a line
_AROUND = 3  # lines above and below a marked one of a longer document


def explain_case(result: CaseResult, *, relative_to: Path | None = None) -> str:
    """Return why a case failed: the step, each failure, and the source lines; an empty text when it passed.

    Args:
        result: of the case.
        relative_to: a folder that paths are shown relative to.
    """
    parts: list[str] = []
    if result.load:
        parts.append("\n".join([f"{result.name} could not be loaded", *(str(one) for one in result.load)]))
        parts += [excerpt(place) for place in dict.fromkeys(one.where for one in result.load)]
    if result.setup:
        parts.append(f"{result.name} could not begin: {result.setup}")
    step = result.failed_step
    if step is not None:
        parts += _step_parts(result, step)
    text = "\n".join(part for part in parts if part)
    return text.replace(f"{relative_to}/", "") if relative_to else text


def excerpt(where: str, marked: Iterable[int] = ()) -> str:
    """Return the document around a place with line numbers, the place and other lines marked.

    Args:
        where: file:line or file:line:column; anything else, and a file that cannot be read, gives an empty text.
        marked: further lines to mark, counted from 1.
    """
    found = _PLACE.fullmatch(where)
    lines = _lines(found["file"]) if found else []
    line = int(found["line"]) if found else 0
    if found is None or not 1 <= line <= len(lines):
        return ""
    first, last = _document(lines, line)
    shown = {line, *(one for one in marked if first <= one <= last)}
    return "\n".join([f"{found['file']}:", *_numbered(lines, first, last, shown)])


def _lines(file: str) -> list[str]:
    """Return a file's lines, none of an address, of an expanded template, or of what is no text for people."""
    path = Path(file)
    try:
        if path.stat().st_size > _LARGEST:
            return []
        return [line[:_WIDEST] for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    except OSError:
        return []


def _step_parts(result: CaseResult, step: StepResult) -> list[str]:
    head = f"failed in step {step.name} of {result.name}"
    if step.outcome == "interrupted":
        head = f"interrupted in step {step.name} of {result.name}"
    parts = [f"{head} after {step.seconds:.1f} s, namespace {result.namespace}"]
    sources: dict[tuple[str, int], tuple[str, set[int]]] = {}
    for failure in step.failures:
        parts.append(str(failure))
        _add_source(sources, failure)
    parts += [excerpt(where, marked) for where, marked in sources.values()]
    parts += [f"collected  {text}" for text in step.collected]
    return parts


def _add_source(sources: dict[tuple[str, int], tuple[str, set[int]]], failure: Failure) -> None:
    """Gather the marked lines by document, so that several failures about one show it once."""
    found = _PLACE.fullmatch(failure.where)
    if found is None:
        return
    first, _last = _document(_lines(found["file"]), int(found["line"]))
    _where, marked = sources.setdefault((found["file"], first), (failure.where, set()))
    marked |= {int(found["line"]), *(int(row[1]) for one in failure.rows if (row := _ROW.match(one)))}


def _document(lines: Sequence[str], line: int) -> tuple[int, int]:
    """Return the first and last line of the document that a line stands in."""
    above = range(min(line - 1, len(lines)), 0, -1)
    first = next((at + 1 for at in above if lines[at - 1].startswith("---")), 1)
    last = next((at - 1 for at in range(line + 1, len(lines) + 1) if lines[at - 1].startswith("---")), len(lines))
    return first, last


def _numbered(lines: Sequence[str], first: int, last: int, marked: set[int]) -> Iterable[str]:
    width = len(str(last))
    whole = last - first < _WHOLE
    skipped = False
    for at in range(first, last + 1):
        if not whole and not any(abs(at - one) <= _AROUND for one in marked):
            skipped = True
            continue
        if skipped:
            yield f"  {'...':>{width}}"
            skipped = False
        yield f"{'>' if at in marked else ' '} {at:>{width}}  {lines[at - 1]}".rstrip()
