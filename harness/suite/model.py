"""A case as it was read: its steps, their objects with their places, and what was found wrong or odd.

Pure data, made by loading, imported by lint and the runner.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from harness.kit.documents import Document, Manifest, Mark
from harness.suite.files import Case, Role
from harness.suite.problem import Problem, errors_of
from harness.suite.spec import ResourceRef, TestAssert, TestStep, TestSuite

if TYPE_CHECKING:
    from harness.checks.expressions import CelExpression

__all__ = ["Entry", "Expressions", "LoadedCase", "LoadedObjects", "LoadedSuite", "Step"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Entry:
    """One object of a step.

    Attributes:
        manifest: the object; not to be changed, a copy is namespaced and sent.
        document: the document that it stands in, for places.
        role: what is done with it.
        base: where in the document it stands: empty, or ("items", 2) in a List.
        listed: it comes from a file that the TestStep names, not from a file of the step.
    """

    manifest: Manifest
    document: Document
    role: Role
    base: tuple[str | int, ...] = ()
    listed: bool = False

    def __repr__(self) -> str:
        return f"Entry({self.role} {self.manifest.get('kind')} {self.name or '*'} at {self.mark})"  # no values: Secrets

    @property
    def mark(self) -> Mark:
        """Where the object begins."""
        return self.document.at(*self.base)

    def at(self, *path: str | int) -> Mark:
        """Return where a part of the object stands, or its nearest known parent."""
        return self.document.at(*self.base, *path)

    @property
    def api_version(self) -> str:
        """The object's apiVersion, an empty text where it has none."""
        return str(self.manifest.get("apiVersion") or "")

    @property
    def kind(self) -> str:
        """The object's kind."""
        return str(self.manifest["kind"])

    @property
    def name(self) -> str:
        """The object's name, an empty text where it has none."""
        return str(self._metadata.get("name") or "")

    @property
    def namespace(self) -> str:
        """The namespace written in the object, an empty text where there is none."""
        return str(self._metadata.get("namespace") or "")

    @property
    def labels(self) -> dict[str, str]:
        """The object's labels: what a name-less assert selects by."""
        labels = self._metadata.get("labels")
        return labels if isinstance(labels, dict) else {}

    @property
    def _metadata(self) -> Mapping[str, object]:
        metadata = self.manifest.get("metadata")
        return metadata if isinstance(metadata, dict) else {}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Expressions:
    """The compiled expressions of a step; harness.checks.expressions.check_cel evaluates them."""

    references: tuple[ResourceRef, ...] = ()
    any_of: tuple[CelExpression, ...] = ()
    all_of: tuple[CelExpression, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Step:
    """One step: everything that shares a number.

    Attributes:
        index: the number.
        name: of the first apply file or of the TestStep; may be empty.
        directory: the case's folder, where commands run.
        applies: objects to apply, in load order.
        asserts: objects to assert.
        errors: objects that must not match.
        extensions: documents of group harness.dev, in load order, with the role of their file.
        test_step: the TestStep, if any.
        test_assert: the TestAssert that counts, if any.
        expressions: its expressions, compiled; None when it has neither expressions nor references.
        files: the files that were read, listed ones behind them.
    """

    index: int
    name: str
    directory: Path
    applies: tuple[Entry, ...] = ()
    asserts: tuple[Entry, ...] = ()
    errors: tuple[Entry, ...] = ()
    extensions: tuple[Entry, ...] = ()
    test_step: TestStep | None = None
    test_assert: TestAssert | None = None
    expressions: Expressions | None = None
    files: tuple[Path, ...] = ()

    @property
    def full_name(self) -> str:
        """The name in logs and reports: <number without zeros>-<name>."""
        return f"{self.index}-{self.name}"

    def timeout(self, suite: TestSuite) -> int:
        """Return the seconds for this step's assertions and deletions; negative: unchecked (quirk Q38)."""
        own = self.test_assert.timeout if self.test_assert else 0
        return own or suite.effective_timeout


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LoadedCase:
    """A case whose files have been read; with errors among its problems it must not run."""

    case: Case
    steps: tuple[Step, ...]
    problems: tuple[Problem, ...] = ()

    @property
    def errors(self) -> list[Problem]:
        """What keeps it from running."""
        return errors_of(self.problems)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LoadedObjects:
    """Objects of files outside of cases: crdDir, manifestDirs, the files of `assert` and `errors`."""

    entries: tuple[Entry, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LoadedSuite:
    """A suite's configuration.

    Attributes:
        suite: the TestSuite that counts; defaults where there is none.
        path: its file, None without one.
        extensions: documents of group harness.dev in that file.
        problems: what is wrong or odd about it.
    """

    suite: TestSuite = field(default_factory=TestSuite)
    path: Path | None = None
    extensions: tuple[Document, ...] = ()
    problems: tuple[Problem, ...] = ()
