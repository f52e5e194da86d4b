"""What a suite says to pytest: the document `kind: Suite` of harness.dev/v1alpha1 in kuttl-test.yaml.

Pure. Imported by collect. kuttl logs and skips a document of another group, so the file stays good for both.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from harness.kit.decode import decode
from harness.kit.documents import Document
from harness.kit.errors import UsageError, did_you_mean

__all__ = ["HEADER_KIND", "HEADER_VERSION", "CaseHeader", "SuiteHeader", "parse_header"]

HEADER_VERSION = "harness.dev/v1alpha1"
HEADER_KIND = "Suite"
_MARK = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseHeader:
    """What some cases ask for.

    Attributes:
        name: a case's name, or a shell pattern of names.
        fixtures: fixtures that are set up before the case, in this order.
        marks: marks for -m.
        skip: why the cases do not run; empty runs them.
    """

    name: str
    fixtures: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    skip: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteHeader:
    """What a suite asks of pytest; kuttl does not see it.

    Attributes:
        api_version: harness.dev/v1alpha1.
        kind: Suite.
        fixtures: fixtures of every case, the harness's or the project's.
        marks: marks of every case.
        variables: values of templates (`.Vars`) by name, each the value of a fixture.
        cases: what single cases ask for beyond that.
    """

    api_version: str = HEADER_VERSION
    kind: str = HEADER_KIND
    fixtures: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    cases: tuple[CaseHeader, ...] = ()

    def of(self, case: str) -> CaseHeader:
        """Return what a case asks for, all that matches its name added up."""
        found = [one for one in self.cases if fnmatch.fnmatchcase(case, one.name)]
        fixtures = [*self.fixtures, *self.variables.values(), *(name for one in found for name in one.fixtures)]
        marks = [*self.marks, *(name for one in found for name in one.marks)]
        skip = next((one.skip for one in found if one.skip), "")
        return CaseHeader(
            name=case, fixtures=tuple(dict.fromkeys(fixtures)), marks=tuple(dict.fromkeys(marks)), skip=skip
        )

    def unmatched(self, cases: Iterable[str]) -> list[CaseHeader]:
        """Return the entries that no case's name matches."""
        names = list(cases)
        return [one for one in self.cases if not fnmatch.filter(names, one.name)]


def parse_header(documents: Iterable[Document]) -> SuiteHeader:
    """Return the header among a suite file's own documents, an empty one when there is none.

    Args:
        documents: those of group harness.dev.

    Raises:
        UsageError: an unknown kind or field, a wrong type, a name that no mark can have, two headers.
    """
    found: SuiteHeader | None = None
    for document in documents:
        version, kind = document.value.get("apiVersion"), document.value.get("kind")
        if (version, kind) != (HEADER_VERSION, HEADER_KIND):
            hint = did_you_mean(str(kind), [HEADER_KIND])
            seen = f"{version} {kind}{f'; {hint}' if hint else ''}"
            raise UsageError(
                f"{HEADER_VERSION} {HEADER_KIND} beside the TestSuite", seen=seen, where=str(document.mark)
            )
        if found is not None:
            raise UsageError("one Suite", seen="a second one", where=str(document.mark))
        found = decode(SuiteHeader, document)
        _check_marks(found, document)
    return found or SuiteHeader()


def _check_marks(header: SuiteHeader, document: Document) -> None:
    for name in (*header.marks, *(mark for one in header.cases for mark in one.marks)):
        if not _MARK.fullmatch(name):
            raise UsageError("the name of a mark, such as smoke", seen=repr(name), where=str(document.at("marks")))
