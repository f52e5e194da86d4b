"""Sprig's semantic versions: parsing, comparing, constraints, in the two dialects of sprig 2 and 3.

Private to gotmpl.sprig.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.gotmpl.errors import FunctionError
from harness.gotmpl.functions import GoFunction, function
from harness.gotmpl.values import Int64, Struct, Uint64

__all__ = ["SEMVER_V2", "SEMVER_V3", "Version"]

_TAIL = r"(?:-([0-9A-Za-z\-]+(?:\.[0-9A-Za-z\-]+)*))?(?:\+([0-9A-Za-z\-]+(?:\.[0-9A-Za-z\-]+)*))?"
_VERSION = re.compile(rf"v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?{_TAIL}")
_PART = r"[0-9|xX*]+"
_LOOSE = rf"v?({_PART})(?:\.({_PART}))?(?:\.({_PART}))?{_TAIL}"
_LOOSE_PLAIN = re.sub(r"\((?!\?)", "(?:", _LOOSE)
_OPERATORS = r"!=|>=|=>|<=|=<|~>|=|>|<|~|\^|"
_CONSTRAINT = re.compile(rf"\s*({_OPERATORS})\s*{_LOOSE}\s*")
_EACH = re.compile(rf"(?:{_OPERATORS})\s*(?:{_LOOSE_PLAIN})")
_LIST = re.compile(rf"\s*(?:{_OPERATORS})\s*{_LOOSE_PLAIN}\s*(?:(?:\s+|,\s*)(?:{_OPERATORS})\s*{_LOOSE_PLAIN}\s*)*")
_RANGE = re.compile(rf"\s*({_LOOSE_PLAIN})\s+-\s+({_LOOSE_PLAIN})\s*")
_ANY_PART = frozenset({"x", "X", "*"})


@dataclass(frozen=True, eq=False)
class Version(Struct):
    """A version; its parts are methods in templates."""

    numbers: tuple[int, int, int]
    prerelease: str
    metadata: str
    original: str
    unsigned: bool = True

    go_type = "*semver.Version"
    kind = "ptr"

    def methods(self) -> Mapping[str, Callable[..., Any]]:
        """Return what templates may call on a version."""
        number = Uint64 if self.unsigned else Int64
        major, minor, patch = map(number, self.numbers)
        return {
            "Major": lambda: major,
            "Minor": lambda: minor,
            "Patch": lambda: patch,
            "Prerelease": lambda: self.prerelease,
            "Metadata": lambda: self.metadata,
            "Original": lambda: self.original,
            "String": self.text,
            "IncMajor": lambda: self._next((self.numbers[0] + 1, 0, 0)),
            "IncMinor": lambda: self._next((self.numbers[0], self.numbers[1] + 1, 0)),
            "IncPatch": self._next_patch,
            "Compare": self.compare,
            "Equal": lambda other: self.compare(other) == 0,
            "LessThan": lambda other: self.compare(other) < 0,
            "GreaterThan": lambda other: self.compare(other) > 0,
        }

    def text(self) -> str:
        """Return the version, with all three numbers."""
        shown = ".".join(map(str, self.numbers))
        return (
            shown + (f"-{self.prerelease}" if self.prerelease else "") + (f"+{self.metadata}" if self.metadata else "")
        )

    def _next(self, numbers: tuple[int, int, int]) -> Version:
        prefix = "v" if self.original.startswith("v") else ""
        shown = prefix + ".".join(map(str, numbers))
        return Version(numbers, "", "", shown, unsigned=self.unsigned)

    def _next_patch(self) -> Version:
        major, minor, patch = self.numbers
        return self._next((major, minor, patch if self.prerelease else patch + 1))

    def compare(self, other: Version) -> int:
        """Return -1, 0 or 1: whether this version comes before, with or after another one."""
        if self.numbers != other.numbers:
            return 1 if self.numbers > other.numbers else -1
        return _compare_prereleases(self.prerelease, other.prerelease)


def _compare_prereleases(first: str, second: str) -> int:
    if first == second:
        return 0
    if not first or not second:
        return 1 if not first else -1
    mine, theirs = first.split("."), second.split(".")
    for one, two in zip(mine, theirs, strict=False):
        if one != two:
            return _compare_parts(one, two)
    return 1 if len(mine) > len(theirs) else -1


def _compare_parts(first: str, second: str) -> int:
    """Order two parts of a prerelease: numbers before words."""
    if first.isdigit() and second.isdigit():
        return 1 if int(first) > int(second) else -1
    if first.isdigit() != second.isdigit():
        return -1 if first.isdigit() else 1
    return 1 if first > second else -1


def _parse(text: str, *, strict: bool) -> Version:
    found = _VERSION.fullmatch(text)
    if found is None:
        raise FunctionError("Invalid Semantic Version")
    major, minor, patch, prerelease, metadata = found.groups(default="")
    if strict and any(len(part) > 1 and part.isdigit() and part[0] == "0" for part in prerelease.split(".")):
        raise FunctionError("Version segment starts with 0")
    numbers = (int(major), int(minor or 0), int(patch or 0))
    return Version(numbers, prerelease, metadata, text, unsigned=strict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Constraint:
    """One comparison; `dirty` when a part of its version is open, and which."""

    operator: str
    version: Version
    dirty: bool = False
    minor_dirty: bool = False
    patch_dirty: bool = False

    def admits(self, version: Version, *, strict: bool) -> bool:
        plain_inequality = self.operator == "!=" and not self.dirty
        if version.prerelease and not self.version.prerelease and not plain_inequality:
            return False
        checks = _CHECKS_V3 if strict else _CHECKS_V2
        return checks[self.operator](self, version)


def _not_equal_v2(own: _Constraint, version: Version) -> bool:
    if not own.dirty:
        return version.compare(own.version) != 0
    if own.version.numbers[0] != version.numbers[0]:
        return True
    return own.version.numbers[1] != version.numbers[1] and not own.minor_dirty


def _not_equal_v3(own: _Constraint, version: Version) -> bool:
    if own.dirty:
        if _not_equal_v2(own, version):
            return True
        if own.minor_dirty:
            return False
        if own.version.numbers[2] != version.numbers[2] and not own.patch_dirty:
            return True
        if own.patch_dirty:
            return _compare_prereleases(version.prerelease, own.version.prerelease) != 0
    return version.compare(own.version) != 0


def _greater_v2(own: _Constraint, version: Version) -> bool:
    return version.compare(own.version) > 0


def _greater_v3(own: _Constraint, version: Version) -> bool:
    if own.dirty and version.numbers[0] != own.version.numbers[0]:
        return version.numbers[0] > own.version.numbers[0]
    if own.dirty and own.minor_dirty:
        return False
    if own.dirty and own.patch_dirty:
        return version.numbers[1] > own.version.numbers[1]
    return version.compare(own.version) > 0


def _below_dirty(own: _Constraint, version: Version) -> bool:
    major, minor = own.version.numbers[:2]
    return not (version.numbers[0] > major or (version.numbers[1] > minor and not own.minor_dirty))


def _less_v2(own: _Constraint, version: Version) -> bool:
    return _below_dirty(own, version) if own.dirty else version.compare(own.version) < 0


def _less_v3(own: _Constraint, version: Version) -> bool:
    return version.compare(own.version) < 0


def _at_least(own: _Constraint, version: Version) -> bool:
    return version.compare(own.version) >= 0


def _at_most_v2(own: _Constraint, version: Version) -> bool:
    return _below_dirty(own, version) if own.dirty else version.compare(own.version) <= 0


def _at_most_v3(own: _Constraint, version: Version) -> bool:
    if not own.dirty:
        return version.compare(own.version) <= 0
    if version.numbers[0] != own.version.numbers[0]:
        return version.numbers[0] < own.version.numbers[0]
    return version.numbers[1] <= own.version.numbers[1] or own.minor_dirty


def _tilde(own: _Constraint, version: Version) -> bool:
    if version.compare(own.version) < 0:
        return False
    if own.version.numbers == (0, 0, 0) and not own.minor_dirty and not own.patch_dirty:
        return True
    same_minor = version.numbers[1] == own.version.numbers[1] or own.minor_dirty
    return version.numbers[0] == own.version.numbers[0] and same_minor


def _tilde_or_equal(own: _Constraint, version: Version) -> bool:
    return _tilde(own, version) if own.dirty else version.compare(own.version) == 0


def _caret_v2(own: _Constraint, version: Version) -> bool:
    return version.compare(own.version) >= 0 and version.numbers[0] == own.version.numbers[0]


def _caret_v3(own: _Constraint, version: Version) -> bool:
    if version.compare(own.version) < 0:
        return False
    (major, minor, patch), wanted = version.numbers, own.version.numbers
    if wanted[0] > 0 or own.minor_dirty:
        return major == wanted[0]
    if major > 0:
        return False
    if wanted[1] > 0 or own.patch_dirty:
        return minor == wanted[1]
    return minor == 0 and patch == wanted[2]


_Check = Callable[[_Constraint, Version], bool]


def _checks(not_equal: _Check, greater: _Check, less: _Check, at_most: _Check, caret: _Check) -> dict[str, _Check]:
    return {
        "": _tilde_or_equal, "=": _tilde_or_equal, "!=": not_equal, ">": greater, "<": less,
        ">=": _at_least, "=>": _at_least, "<=": at_most, "=<": at_most, "~": _tilde, "~>": _tilde, "^": caret,
    }  # fmt: skip


_CHECKS_V2 = _checks(_not_equal_v2, _greater_v2, _less_v2, _at_most_v2, _caret_v2)
_CHECKS_V3 = _checks(_not_equal_v3, _greater_v3, _less_v3, _at_most_v3, _caret_v3)


def _parse_constraint(text: str, *, strict: bool) -> _Constraint:
    if not text and strict:
        return _Constraint(operator="", version=_parse("0.0.0", strict=True), dirty=True)
    found = _CONSTRAINT.fullmatch(text)
    if found is None:
        raise FunctionError(f"improper constraint: {text}")
    operator, major, minor, patch, prerelease, _ = found.groups(default="")
    tail = f"-{prerelease}" if prerelease else ""
    if major in _ANY_PART:
        return _Constraint(
            operator=operator, version=_inner(f"0.0.0{tail if strict else ''}", strict=strict), dirty=True
        )
    if not minor or minor in _ANY_PART:
        version = _inner(f"{major}.0.0{tail}", strict=strict)
        return _Constraint(operator=operator, version=version, dirty=True, minor_dirty=True)
    if patch in _ANY_PART or (strict and not patch):
        version = _inner(f"{major}.{minor}.0{tail}", strict=strict)
        return _Constraint(operator=operator, version=version, dirty=True, patch_dirty=True)
    whole = f"{major}.{minor}{f'.{patch}' if patch else ''}{tail}"
    return _Constraint(operator=operator, version=_inner(whole, strict=strict))


def _inner(text: str, *, strict: bool) -> Version:
    try:
        return _parse(text, strict=strict)
    except FunctionError:
        raise FunctionError("constraint Parser Error") from None


def _alternatives(text: str, *, strict: bool) -> list[list[_Constraint]]:
    after = " " if strict else ""
    rewritten = _RANGE.sub(lambda found: f">= {found[1]}, <= {found[2]}{after}", text)
    return [
        [_parse_constraint(part, strict=strict) for part in _parts(alternative, strict=strict)]
        for alternative in rewritten.split("||")
    ]


def _parts(text: str, *, strict: bool) -> list[str]:
    if not strict:
        return text.split(",")
    if not _LIST.fullmatch(text):
        raise FunctionError(f"improper constraint: {text}")
    return _EACH.findall(text)


def _satisfies(*, strict: bool) -> Callable[[str, str], bool]:
    def compare(constraint: str, version: str) -> bool:
        alternatives = _alternatives(constraint, strict=strict)
        parsed = _parse(version, strict=strict)
        return any(all(part.admits(parsed, strict=strict) for part in parts) for parts in alternatives)

    return compare


SEMVER_V2: dict[str, GoFunction] = {
    "semver": function("string", lambda text: _parse(text, strict=False)),
    "semverCompare": function("string, string", _satisfies(strict=False)),
}
SEMVER_V3: dict[str, GoFunction] = {
    "semver": function("string", lambda text: _parse(text, strict=True)),
    "semverCompare": function("string, string", _satisfies(strict=True)),
}
