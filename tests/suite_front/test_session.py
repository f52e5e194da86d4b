"""The cases of a suite, run one by one: what is held back, what stays, what is told at the end; with a fake client."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.kit.documents import parse_documents
from harness.kit.errors import CheckError, UsageError
from harness.suite.header import CaseHeader, SuiteHeader, parse_header
from harness.suite.loading import LoadOptions
from harness.suite.session import HeldJanitor, SessionOptions, SuiteSession
from harness.suite.spec import TestSuite


def test_jobs_are_held_until_release() -> None:
    """Nothing of a case is removed before its failure was reported; what is dropped never is."""
    done: list[str] = []
    janitor = HeldJanitor()
    janitor.later(lambda: done.append("kept"))
    janitor.drop()
    janitor.later(lambda: done.append("removed"))
    assert done == []
    janitor.release()
    assert janitor.finish(5) == []
    assert done == ["removed"]


def test_what_is_left_is_an_error_of_the_end(tmp_path: Path) -> None:
    """A fault of the clean-up is told when the suite is closed, with the command to run."""
    options = SessionOptions(suite=TestSuite(), load=LoadOptions(), home=tmp_path, run="abcd")
    session = SuiteSession(None, tmp_path, options)  # type: ignore[arg-type]  # no request is made
    session.environment.janitor.fault("namespace x is still there: held by the finalizers y")
    with pytest.raises(CheckError) as caught:
        session.close()
    assert "held by the finalizers y" in caught.value.seen
    assert caught.value.run == "harness clean"


def header(text: str) -> SuiteHeader:
    """Return the header of a document."""
    return parse_header(parse_documents(f"apiVersion: harness.dev/v1alpha1\nkind: Suite\n{text}", "kuttl-test.yaml"))


def test_a_header_adds_up() -> None:
    """A case gets what every case asks for, and what each entry that matches its name asks for, once each."""
    found = header(
        "fixtures: [a, b]\nmarks: [slow]\nvariables: {image: img}\ncases:\n"
        "- {name: up-*, fixtures: [b, c], marks: [up]}\n- {name: '*', skip: why}\n- {name: none}\n"
    )
    assert found.of("up-1") == CaseHeader(
        name="up-1", fixtures=("a", "b", "img", "c"), marks=("slow", "up"), skip="why"
    )
    assert [one.name for one in found.unmatched(["up-1"])] == ["none"]
    assert parse_header([]) == SuiteHeader()


@pytest.mark.parametrize("text", ["marks: [a b]\n", "cases: [{fixtures: [a]}]\n", "variables: [a]\n", "case: []\n"])
def test_a_wrong_header_says_where(text: str) -> None:
    """Wrong names, types and fields are refused with the line."""
    with pytest.raises(UsageError) as caught:
        header(text)
    assert caught.value.where.startswith("kuttl-test.yaml:")


def test_two_headers_are_refused() -> None:
    """There is one header in a file."""
    document = "apiVersion: harness.dev/v1alpha1\nkind: Suite\n"
    with pytest.raises(UsageError, match="one Suite"):
        parse_header(parse_documents(f"{document}---\n{document}", "kuttl-test.yaml"))
