"""What a failed case shows: the step, each failure, the lines of its documents."""

from __future__ import annotations

from pathlib import Path

from harness.suite.excerpt import excerpt, explain_case
from harness.suite.problem import Problem
from harness.suite.results import CaseResult, Failure, StepResult

TWO = "a: 1\nb: 2\n--- # next\nc: 3\nd: 4\n"


def failed(*failures: Failure, **more: object) -> CaseResult:
    """Return a case that failed in its only step."""
    step = StepResult(name="0-x", outcome="failed", started=0, seconds=2, assertions=1, failures=failures)
    return CaseResult(
        name="one", directory=Path("one"), suite="cases", namespace="ns", outcome="failed", started=0, seconds=2,
        steps=(step,), **more,  # type: ignore[arg-type]  # a short form for tests
    )  # fmt: skip


def test_a_document_with_its_lines(tmp_path: Path) -> None:
    """Only the document of the place is shown, with the file's numbers; the place and other lines are marked."""
    file = tmp_path / "a.yaml"
    file.write_text(TWO)
    assert excerpt(f"{file}:4:1", [5, 1]).splitlines() == [f"{file}:", "> 4  c: 3", "> 5  d: 4"]
    assert excerpt(f"{file}:2").splitlines() == [f"{file}:", "  1  a: 1", "> 2  b: 2"]


def test_a_long_document_is_cut(tmp_path: Path) -> None:
    """Of a long document three lines around each mark are shown, gaps as dots."""
    file = tmp_path / "a.yaml"
    file.write_text("".join(f"k{at}: {at}\n" for at in range(1, 101)))
    lines = excerpt(f"{file}:50:1", [90]).splitlines()[1:]
    assert lines[0].strip() == "..."
    assert [line for line in lines if line.startswith(">")] == ["> " + " 50  k50: 50", "> " + " 90  k90: 90"]
    assert len(lines) == 2 + 7 + 7


def test_places_without_a_text_give_nothing(tmp_path: Path) -> None:
    """An address, an expanded template, a missing or huge file, a line that is not there."""
    huge = tmp_path / "huge.yaml"
    huge.write_bytes(b"a: 1\n" * (1 << 19))
    places = ["", "x", "https://example.com/a.yaml:1:1", f"{tmp_path}/a.yaml (expanded):1:1", f"{huge}:1:1"]
    assert [excerpt(place) for place in places] == [""] * 5
    (tmp_path / "b.yaml").write_text("a: 1\n")
    assert excerpt(f"{tmp_path}/b.yaml:7:1") == ""


def test_failures_about_one_document_show_it_once(tmp_path: Path) -> None:
    """Several failures mark their lines in one excerpt; another document of the same file gets its own."""
    file = tmp_path / "a.yaml"
    file.write_text(TWO)
    rows = ("line 2  .b  wanted 2  seen 3",)
    result = failed(
        Failure(text="first", where=f"{file}:1:1", rows=rows), Failure(text="second", where=f"{file}:2:1"),
        Failure(text="third", where=f"{file}:5:1"), Failure(text="fourth"),
    )  # fmt: skip
    assert explain_case(result, relative_to=tmp_path).splitlines() == [
        "failed in step 0-x of one after 2.0 s, namespace ns",
        "first", "  at       a.yaml:1:1", "  differs  line 2  .b  wanted 2  seen 3",
        "second", "  at       a.yaml:2:1",
        "third", "  at       a.yaml:5:1",
        "fourth",
        "a.yaml:", "> 1  a: 1", "> 2  b: 2",
        "a.yaml:", "  4  c: 3", "> 5  d: 4",
    ]  # fmt: skip


def test_what_kept_a_case_from_running(tmp_path: Path) -> None:
    """A case that could not be loaded or begun says why."""
    problem = Problem(severity="error", text="wrong", where=str(tmp_path))
    text = explain_case(failed(load=(problem,), setup="no namespace"))
    assert text.startswith(f"one could not be loaded\n{tmp_path}: error: wrong\none could not begin: no namespace\n")


def test_a_passed_case_has_nothing_to_explain() -> None:
    """The text is empty."""
    result = CaseResult(
        name="one", directory=Path("one"), suite="cases", namespace="ns", outcome="passed", started=0, seconds=2
    )
    assert explain_case(result) == ""
