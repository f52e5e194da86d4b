"""Which folders are cases, which files are steps: kuttl's rules for names, and what a misnamed file was meant to be.

Reads names, no contents. Imported by loading, lint, and whoever lists cases.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.kit.errors import UsageError
from harness.suite.problem import Problem

__all__ = [
    "Case",
    "CaseFiles",
    "Cases",
    "Ignore",
    "IgnoredFile",
    "Named",
    "Refused",
    "Role",
    "StepEntry",
    "StepFiles",
    "list_cases",
    "list_files",
    "parse_name",
    "role_hint",
    "suggest_name",
]

Role = Literal["apply", "assert", "errors"]

_NAME = re.compile(r"(\d+-)?([^-.]+)(-[^.]+)?((?:\.gotmpl)?\.yaml)?", re.ASCII)
_LARGEST_INDEX = 2**31 - 1
_PATTERN_TEXT = 'name does not follow pattern "(<number>-)<name>(-<name>)((.gotmpl).yaml)".'
_NO_NUMBER = "does not begin with a number followed by a dash."
_OTHERS = frozenset(  # files of other tools, which stand beside steps on purpose
    {"chainsaw-test.yaml", "kuttl-test.yaml", "kustomization.yaml", "kustomization.yml", "Chart.yaml", "values.yaml"}
)
_EXTENSIONS = (".gotmpl.yaml", ".gotmpl.yml", ".gotmpl", ".yaml", ".yml", ".json")
_ALMOST: dict[str, str] = {
    **dict.fromkeys(("asserts", "assertion", "assertions", "assrt", "asert", "assserts"), "assert"),
    **dict.fromkeys(("error", "err", "errs", "erros", "erorrs"), "errors"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What a file's name says.

    Attributes:
        index: the step's number; None where the name has none.
        role: assert and errors by the word behind the number, else apply.
        name: the name that an apply file gives its step.
        template: whether it is expanded before it is read.
    """

    index: int | None
    role: Role
    name: str
    template: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A name that is no step's.

    Attributes:
        reason: why, in kuttl's words.
        hint: the name that was probably meant, or an empty text.
    """

    reason: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One test: a folder directly in a test directory.

    Attributes:
        name: the folder's base name.
        directory: the folder.
        suite: the test directory.
    """

    name: str
    directory: Path
    suite: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Cases:
    """The cases of a test directory, in the order of their names' bytes."""

    suite: Path
    cases: tuple[Case, ...]
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEntry:
    """One file of a step."""

    path: Path
    named: Named


@dataclass(frozen=True, slots=True, kw_only=True)
class IgnoredFile:
    """An entry of a case's folder that belongs to no step; a listed or mentioned one is not worth a warning."""

    path: Path
    refused: Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFiles:
    """The files of one step in load order; those of step folders among them."""

    index: int
    entries: tuple[StepEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFiles:
    """The files of a case.

    Attributes:
        case: the case.
        steps: by ascending number.
        ignored: entries that are no step's.
        problems: entries that can not be read as what they are.
    """

    case: Case
    steps: tuple[StepFiles, ...]
    ignored: tuple[IgnoredFile, ...] = ()
    problems: tuple[Problem, ...] = ()


class Ignore:
    """Patterns of base names that are left out without a word (`ignoreFiles`).

    Raises:
        UsageError: a pattern is malformed (quirk Q14).
    """

    def __init__(self, patterns: Iterable[str] = ("README*",)) -> None:
        self.patterns = tuple(patterns)
        self._compiled = [re.compile(_glob(pattern), re.DOTALL) for pattern in self.patterns]

    def matches(self, name: str) -> bool:
        """Tell whether a base name is left out."""
        return any(one.fullmatch(name) for one in self._compiled)


def parse_name(name: str, *, numbered: bool = True) -> Named | Refused:
    r"""Return what a base name says.

    Args:
        name: of a file or folder.
        numbered: a number is demanded, as it is directly in a case's folder.

    Source: kuttl's pattern ^(\d+-)?([^-.]+)(-[^.]+)?((?:\.gotmpl)?\.yaml)?$
    """
    found = _NAME.fullmatch(name)
    if found is None:
        return Refused(reason=_PATTERN_TEXT, hint=suggest_name(name))
    number, word, rest, extension = found.groups()
    if numbered and number is None:
        return Refused(reason=_NO_NUMBER, hint=suggest_name(name))
    index = int(number[:-1]) if number else None
    if index is not None and index > _LARGEST_INDEX:
        reason = f'parsing index failed: strconv.ParseInt: parsing "{number[:-1]}": value out of range'
        return Refused(reason=reason, hint=f"the largest number is {_LARGEST_INDEX}")
    lower = word.lower()
    role: Role = "assert" if lower == "assert" else "errors" if lower == "errors" else "apply"
    template = bool(extension) and extension.startswith(".gotmpl")
    return Named(index=index, role=role, name=word + (rest or ""), template=template)


def suggest_name(name: str) -> str:
    """Return 'did you mean "00-assert.yaml"?' for a name that almost follows the rules, else an empty text."""
    extension = next((one for one in _EXTENSIONS if name.lower().endswith(one)), "")
    if not extension or name in _OTHERS:
        return ""
    stem = re.sub(r"[.\s]+", "-", name[: len(name) - len(extension)]).strip("-")
    number, _, rest = _split_number(stem)
    kind = ".gotmpl.yaml" if extension.startswith(".gotmpl") else ".yaml"
    better = f"{number or '00'}-{rest or 'install'}{kind}"
    if better == name or not isinstance(_NAME.fullmatch(better), re.Match):
        return ""
    return f'did you mean "{better}"?'


def role_hint(path: Path, named: Named) -> str:
    """Return 'did you mean "00-errors.yaml"?' for an apply file whose name almost has another role (quirk Q33).

    00-error.yaml, 00-asserts.yaml, 00-foo-assert.yaml and 00-assert_foo.yaml are all applied.
    """
    if named.role != "apply":
        return ""
    words = re.split(r"[-_]", named.name.lower())
    almost = {**_ALMOST, "assert": "assert", "errors": "errors"}
    at = next((place for place in (0, len(words) - 1) if words[place] in almost), None)
    if at is None:
        return ""
    rest = [word for place, word in enumerate(words) if place != at]
    number = path.name.split("-", 1)[0]
    extension = ".gotmpl.yaml" if named.template else ".yaml"
    return f'did you mean "{"-".join([number, almost[words[at]], *rest])}{extension}"?'


def list_cases(directory: Path) -> Cases:
    """Return the cases of a test directory: every folder directly in it, hidden and empty ones too.

    Raises:
        UsageError: the directory is missing or cannot be listed.
    """
    try:
        entries = _listed(directory)
    except OSError as error:
        reason = error.strerror or str(error)
        exists = _neighbours(directory)
        raise UsageError("a test directory", seen=reason, where=str(directory), exists=exists) from None
    cases: list[Case] = []
    problems: list[Problem] = []
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            cases.append(Case(name=entry.name, directory=directory / entry.name, suite=directory))
            if entry.name.startswith("."):
                problems.append(_warning("a hidden folder is a case too", entry.path, 23))
        elif entry.is_symlink() and os.path.isdir(entry.path):  # noqa: PTH112 - answers False for a loop of links
            problems.append(_warning("a linked folder is not a case", entry.path, 24, "copy it, or list its parent"))
    if not cases and any(isinstance(parse_name(entry.name), Named) for entry in entries):
        hint = f"a test directory holds folders of steps: pass {directory.parent}"
        problems.append(_warning("there are step files here, but no cases", str(directory), 0, hint))
    return Cases(suite=directory, cases=tuple(cases), problems=tuple(problems))


def list_files(case: Case, ignore: Ignore | None = None) -> CaseFiles:
    """Return the files of a case by step; nothing is opened.

    Args:
        case: the case.
        ignore: what is left out without a word; None for the default.
    """
    ignore = ignore or Ignore()
    steps: dict[int, list[StepEntry]] = {}
    ignored: list[IgnoredFile] = []
    problems: list[Problem] = []
    try:
        entries = _listed(case.directory)
    except OSError as error:
        text = f"the case cannot be listed: {error.strerror or error}"
        return CaseFiles(case=case, steps=(), problems=(_error(text, str(case.directory)),))
    for entry in entries:
        if ignore.matches(entry.name):
            continue
        named = parse_name(entry.name)
        path = case.directory / entry.name
        if isinstance(named, Refused):
            ignored.append(IgnoredFile(path=path, refused=named))
            continue
        files = steps.setdefault(named.index or 0, [])
        if entry.is_dir(follow_symlinks=False):
            files += _folder_entries(path, ignore, problems)
        elif _is_file(entry, problems):
            files.append(StepEntry(path=path, named=named))
    if not steps:
        problems.append(_warning("no steps: the case passes without a check", str(case.directory), 23))
    ordered = tuple(StepFiles(index=index, entries=tuple(steps[index])) for index in sorted(steps))
    return CaseFiles(case=case, steps=ordered, ignored=tuple(ignored), problems=tuple(problems))


def _folder_entries(folder: Path, ignore: Ignore, problems: list[Problem]) -> list[StepEntry]:
    """Return the files of a step folder; whatever else stands in it is an error (quirk Q35)."""
    found: list[StepEntry] = []
    try:
        entries = _listed(folder)
    except OSError as error:
        problems.append(_error(f"the step folder cannot be listed: {error.strerror or error}", str(folder)))
        return found
    for entry in entries:
        if ignore.matches(entry.name):
            continue
        named = parse_name(entry.name, numbered=False)
        if entry.is_dir(follow_symlinks=False):
            problems.append(_error("a step folder cannot hold a folder", entry.path, 35, "only files of this step"))
        elif isinstance(named, Refused):
            hint = named.hint or "move it out of the step folder, or add it to ignoreFiles"
            problems.append(_error(f"unrecognized file in a step folder: {named.reason}", entry.path, 35, hint))
        elif _is_file(entry, problems):
            found.append(StepEntry(path=folder / entry.name, named=named))
    return found


def _is_file(entry: os.DirEntry[str], problems: list[Problem]) -> bool:
    """Tell whether an entry can be opened as a file without hanging; a link is followed."""
    try:
        if entry.is_file():
            return True
        seen = "a link to a folder" if entry.is_dir() else "a broken link" if entry.is_symlink() else "no regular file"
    except OSError as error:  # a loop of links
        seen = error.strerror or str(error)
    problems.append(_error(f"a step must be a file or a folder, this is {seen}", entry.path))
    return False


def _listed(directory: Path) -> list[os.DirEntry[str]]:
    with os.scandir(directory) as entries:
        return sorted(entries, key=lambda entry: os.fsencode(entry.name))


def _neighbours(directory: Path) -> Sequence[str]:
    try:
        return [entry.name for entry in _listed(directory.parent) if entry.is_dir()]
    except OSError:
        return ()


def _split_number(stem: str) -> tuple[str, str, str]:
    found = re.match(r"(\d+)([-_]*)(.*)", stem, re.DOTALL)
    if found is None:
        return "", "", stem
    return found[1], found[2], found[3]


def _glob(pattern: str) -> str:
    """Return the regular expression of a shell pattern after Go's filepath.Match."""
    parts: list[str] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "*":
            parts.append("[^/]*")
        elif char == "?":
            parts.append("[^/]")
        elif char == "[":
            text, at = _glob_class(pattern, at)
            parts.append(text)
        elif char == "\\":
            literal, at = _glob_char(pattern, at - 1)
            parts.append(re.escape(literal))
        else:
            parts.append(re.escape(char))
    return "".join(parts)


def _glob_class(pattern: str, at: int) -> tuple[str, int]:
    negated = pattern[at : at + 1] == "^"
    at += negated
    ranges: list[str] = []
    while not (ranges and pattern[at : at + 1] == "]"):
        low, at = _glob_char(pattern, at, in_class=True)
        high = low
        if pattern[at : at + 1] == "-":
            high, at = _glob_char(pattern, at + 1, in_class=True)
        if low <= high:
            ranges.append(f"{re.escape(low)}-{re.escape(high)}")
        else:
            ranges.append("")  # an empty range matches nothing, and is no fault to Go
    body = "".join(ranges)
    if not body:
        return ("." if negated else "(?!)"), at + 1
    return f"[{'^' if negated else ''}{body}]", at + 1


def _glob_char(pattern: str, at: int, *, in_class: bool = False) -> tuple[str, int]:
    char = pattern[at : at + 1]
    if not char or (in_class and char in "-]"):
        raise _bad_pattern(pattern, at)
    if char != "\\":
        return char, at + 1
    if at + 1 >= len(pattern):
        raise _bad_pattern(pattern, at)
    return pattern[at + 1], at + 2


def _bad_pattern(pattern: str, at: int) -> UsageError:
    return UsageError("a shell pattern in ignoreFiles", seen=f"{pattern!r} (Q14)", where=f"character {at + 1}")


def _warning(text: str, where: str, quirk: int = 0, hint: str = "") -> Problem:
    return Problem(severity="warning", text=text, where=where, hint=hint, quirk=quirk)


def _error(text: str, where: str, quirk: int = 0, hint: str = "") -> Problem:
    return Problem(severity="error", text=text, where=where, hint=hint, quirk=quirk)
