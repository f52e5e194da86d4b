"""The lenient reading of a package's YAML: keys in any case, any scalar where a text is expected, unknown keys ignored.

Pure; harness.kudo.package imports it. What is not lenient is refused with file, line and column; what is ignored is
kept as a warning.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from harness.kit.documents import Document, Mark
from harness.kit.errors import UsageError, did_you_mean
from harness.kit.numbers import go_float

__all__ = ["PackageError", "Section", "scalar_text"]

Path = tuple[str | int, ...]


class PackageError(UsageError):
    """A package that cannot be read or used."""


@dataclass(frozen=True, slots=True)
class Section:
    """One mapping of a package's file.

    Args:
        document: the file's document.
        path: where in it the mapping stands.
        value: the mapping.
        warnings: receives a line for each key that is ignored.
    """

    document: Document
    path: Path
    value: dict[str, Any]
    warnings: list[str]

    @classmethod
    def of(cls, document: Document, warnings: list[str], *, wanted: str) -> Section:
        """Return the whole document as a section.

        Raises:
            PackageError: the document is no mapping.
        """
        if not isinstance(document.value, dict):
            raise PackageError(wanted, seen=_kind_of(document.value), where=str(document.mark))
        return cls(document, (), document.value, warnings)

    def expect(self, what: str, *known: str) -> None:
        """Warn of every key that is not known, with the key that was probably meant, and of keys in two spellings."""
        folded = {name.lower() for name in known}
        for key in self.value:
            if key.lower() in folded and key != self._spelled(key):
                place = self.document.at(*self.path, key)
                self.warnings.append(f'{place}: "{key}" also stands there as "{self._spelled(key)}", which counts')
            if key.lower() not in folded:
                hint = did_you_mean(key, known)
                place = self.document.at(*self.path, key)
                self.warnings.append(f'{place}: unknown key "{key}" of {what} is ignored{", " + hint if hint else ""}')

    def at(self, *names: str | int) -> Mark:
        """Return where a key (in any case) and what lies below it stands."""
        if names and isinstance(names[0], str):
            names = (self._spelled(names[0]) or names[0], *names[1:])
        return self.document.at(*self.path, *names)

    def raw(self, name: str) -> Any:
        """Return a key's value as the YAML has it, None when absent."""
        key = self._spelled(name)
        return None if key is None else self.value[key]

    def text(self, name: str) -> str:
        """Return a scalar as text, empty when absent."""
        return self._scalar(self.raw(name), "a text", name)

    def flag(self, name: str, default: bool) -> bool:
        """Return a boolean.

        Raises:
            PackageError: any other value; quoted booleans are texts.
        """
        value = self.raw(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self._error(f"true or false for {name}", value, name)
        return value

    def texts(self, name: str) -> tuple[str, ...] | None:
        """Return a list of scalars as texts, None when absent."""
        items = self._list(name)
        if items is None:
            return None
        return tuple(self._scalar(item, "a text", name, index) for index, item in enumerate(items))

    def section(self, name: str) -> Section | None:
        """Return the mapping below a key, None when absent."""
        value = self.raw(name)
        return None if value is None else self._below(value, name)

    def sections(self, name: str) -> Iterator[Section]:
        """Yield the mappings of a list; none when absent. Empty items count as empty mappings."""
        for index, item in enumerate(self._list(name) or ()):
            yield self._below({} if item is None else item, name, index)

    def items(self) -> Iterator[tuple[str, Section]]:
        """Yield key and mapping of each entry, for mappings whose keys are names."""
        for key, value in self.value.items():
            yield key, self._below({} if value is None else value, key)

    def _spelled(self, name: str) -> str | None:
        folded = name.lower()
        return next((key for key in reversed(self.value) if key.lower() == folded), None)

    def _below(self, value: Any, name: str, *rest: int) -> Section:
        if not isinstance(value, dict):
            raise self._error(f"a mapping below {name}", value, name, *rest)
        return Section(self.document, (*self.path, self._spelled(name) or name, *rest), value, self.warnings)

    def _list(self, name: str) -> Sequence[Any] | None:
        value = self.raw(name)
        if value is not None and not isinstance(value, list):
            raise self._error(f"a list below {name}", value, name)
        return value

    def _scalar(self, value: Any, wanted: str, name: str, *rest: int) -> str:
        if isinstance(value, (dict, list)):
            raise self._error(f"{wanted} for {name}", value, name, *rest)
        if isinstance(value, bool):
            place, text = self.at(name, *rest), scalar_text(value)
            self.warnings.append(f"{place}: {name} is the boolean {text} in YAML, quote it to mean its own text")
        return scalar_text(value)

    def _error(self, wanted: str, value: Any, *names: str | int) -> PackageError:
        return PackageError(wanted, seen=_kind_of(value), where=str(self.at(*names)))


def scalar_text(value: Any) -> str:
    """Return a scalar as text where a text is expected: 1.10 is 1.1, true is true, null is empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return go_float(value) if isinstance(value, float) else str(value)


def _kind_of(value: Any) -> str:
    if isinstance(value, (dict, list)):
        return "a mapping" if isinstance(value, dict) else "a list"
    return f'the text "{value}"' if isinstance(value, str) else scalar_text(value) or "nothing"
