"""Names of files and folders: sections 5.2 and 7 of kuttl's semantics."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.kit.errors import UsageError
from harness.suite.files import Case, Ignore, Named, Refused, list_cases, list_files, parse_name, role_hint


def case_of(directory: Path) -> Case:
    return Case(name=directory.name, directory=directory, suite=directory.parent)


@pytest.mark.parametrize(
    ("name", "index", "role", "step"),
    [
        ("00-assert.yaml", 0, "assert", "assert"),
        ("00-ASSERT-x.yaml", 0, "assert", "ASSERT-x"),
        ("00-errors.yaml", 0, "errors", "errors"),
        ("00-assert.gotmpl.yaml", 0, "assert", "assert"),
        ("00-assert-foo.yaml", 0, "assert", "assert-foo"),
        ("0-x", 0, "apply", "x"),
        ("00-a_b.yaml", 0, "apply", "a_b"),
        ("1-001_foo.yaml", 1, "apply", "001_foo"),
        ("10-a-b-c.yaml", 10, "apply", "a-b-c"),
        ("00-error.yaml", 0, "apply", "error"),
        ("00-asserts.yaml", 0, "apply", "asserts"),
        ("00-foo-assert.yaml", 0, "apply", "foo-assert"),
    ],
)
def test_names_of_steps(name: str, index: int, role: str, step: str) -> None:
    """Section 7: number, role by the lower-cased second group, name by the second and third."""
    named = parse_name(name)
    assert isinstance(named, Named)
    assert (named.index, named.role, named.name) == (index, role, step)
    assert named.template == name.endswith(".gotmpl.yaml")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("00-x.yml", "00-x.yaml"),
        ("00-x.json", "00-x.yaml"),
        ("00-x.YAML", "00-x.yaml"),
        ("00-x.gotmpl", "00-x.gotmpl.yaml"),
        ("00-a.b.yaml", "00-a-b.yaml"),
        ("00-.yaml", "00-install.yaml"),
        ("00-assert.yml", "00-assert.yaml"),
    ],
)
def test_names_that_do_not_follow_the_pattern(name: str, hint: str) -> None:
    """Section 7, Q34: ignored for the pattern, with the name that was probably meant."""
    refused = parse_name(name)
    assert isinstance(refused, Refused)
    assert refused.reason.startswith("name does not follow pattern")
    assert refused.hint == f'did you mean "{hint}"?'


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("01.yaml", "01-install.yaml"),
        ("00_assert.yaml", "00-assert.yaml"),
        ("00--x.yaml", "00-x.yaml"),
        ("00-x-.yaml", "00-x.yaml"),
        ("99_delete.yaml", "99-delete.yaml"),
        ("assert.yaml", "00-assert.yaml"),
        ("files", ""),
        ("Makefile", ""),
        ("chainsaw-test.yaml", ""),
        ("kustomization.yaml", ""),
    ],
)
def test_names_without_a_number(name: str, hint: str) -> None:
    """Section 7, Q34: ignored for the missing number; folders and programs are not suspected of being steps."""
    refused = parse_name(name)
    assert isinstance(refused, Refused)
    assert refused.reason == "does not begin with a number followed by a dash."
    assert refused.hint == (f'did you mean "{hint}"?' if hint else "")


def test_the_largest_number() -> None:
    """Section 7: at most 2^31-1."""
    assert isinstance(parse_name("2147483647-x.yaml"), Named)
    refused = parse_name("2147483648-x.yaml")
    assert isinstance(refused, Refused)
    assert refused.reason.startswith("parsing index failed")


@given(st.text(max_size=12))
def test_no_name_breaks_the_reader(name: str) -> None:
    """Any name is either a step's or refused with a reason."""
    found = parse_name(name)
    assert isinstance(found, Named) or found.reason


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("00-error.yaml", "00-errors.yaml"),
        ("00-asserts.yaml", "00-assert.yaml"),
        ("00-foo-assert.yaml", "00-assert-foo.yaml"),
        ("00-assert_foo.yaml", "00-assert-foo.yaml"),
        ("00-errors_x.gotmpl.yaml", "00-errors-x.gotmpl.yaml"),
        ("00-install.yaml", ""),
        ("00-assert.yaml", ""),
    ],
)
def test_names_of_files_that_are_applied_by_mistake(name: str, hint: str) -> None:
    """Q33: near misses of assert and errors are applied; the right name is suggested."""
    named = parse_name(name)
    assert isinstance(named, Named)
    assert role_hint(Path(name), named) == (f'did you mean "{hint}"?' if hint else "")


def test_every_folder_is_a_case(tmp_path: Path) -> None:
    """Section 5.2, Q23: direct sub-folders only, hidden and empty ones too, in byte order; files are none."""
    for name in ("b", "B", ".hidden", "a/nested"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "file.yaml").touch()
    found = list_cases(tmp_path)
    assert [case.name for case in found.cases] == [".hidden", "B", "a", "b"]
    assert [one.quirk for one in found.problems] == [23]


def test_linked_folders_are_no_cases(tmp_path: Path) -> None:
    """Q24: a link to a folder is not a case, and is named; a link that loops is passed over."""
    (tmp_path / "suite").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "suite" / "linked").symlink_to(tmp_path / "other")
    (tmp_path / "suite" / "loop").symlink_to(tmp_path / "suite" / "loop")
    found = list_cases(tmp_path / "suite")
    assert found.cases == ()
    assert [(one.quirk, Path(one.where).name) for one in found.problems] == [(24, "linked")]


def test_a_test_directory_may_be_a_link(tmp_path: Path) -> None:
    """Section 5.2: one that is given may be a link."""
    (tmp_path / "suite" / "a").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "suite")
    assert [case.name for case in list_cases(tmp_path / "link").cases] == ["a"]


def test_a_missing_test_directory_ends_the_run(tmp_path: Path) -> None:
    """Section 5.1.3: it is an error that names what is there."""
    (tmp_path / "suites").mkdir()
    with pytest.raises(UsageError) as caught:
        list_cases(tmp_path / "suite")
    assert caught.value.exists == ("suites",)


def test_a_case_given_as_test_directory_is_noticed(tmp_path: Path) -> None:
    """A folder of step files has no cases; its parent is suggested."""
    (tmp_path / "00-assert.yaml").touch()
    (found,) = list_cases(tmp_path).problems
    assert str(tmp_path.parent) in found.hint


def test_files_with_one_number_make_one_step(tmp_path: Path) -> None:
    """Section 7: 1-, 01- and 001- are the same step; files in byte order, steps by number."""
    for name in ("10-z.yaml", "1-a.yaml", "01-b.yaml", "001-c.yaml", "2-x.yaml"):
        (tmp_path / name).touch()
    found = list_files(case_of(tmp_path))
    assert [(step.index, [one.path.name for one in step.entries]) for step in found.steps] == [
        (1, ["001-c.yaml", "01-b.yaml", "1-a.yaml"]),
        (2, ["2-x.yaml"]),
        (10, ["10-z.yaml"]),
    ]


def test_ignored_patterns_come_first(tmp_path: Path) -> None:
    """Section 3: ignoreFiles are left out without a word, numbered ones too; an empty list removes the default."""
    for name in ("README.md", "00-skip.yaml", "00-keep.yaml"):
        (tmp_path / name).touch()
    found = list_files(case_of(tmp_path), Ignore(["README*", "*-skip.yaml"]))
    assert [one.path.name for one in found.steps[0].entries] == ["00-keep.yaml"]
    assert found.ignored == ()
    assert [one.path.name for one in list_files(case_of(tmp_path), Ignore([])).ignored] == ["README.md"]


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("README*", "README.md", "readme"),
        ("a?c", "abc", "ac"),
        ("[a-c]x", "bx", "dx"),
        ("[^a-c]x", "dx", "ax"),
        (r"\*x", "*x", "ax"),
        (r"[\]]", "]", "a"),
        ("a.b", "a.b", "aXb"),
        ("[z-a]x", "", "mx"),
    ],
)
def test_patterns_are_those_of_go(pattern: str, matching: str, other: str) -> None:
    """Section 3: shell patterns after filepath.Match."""
    assert not matching or Ignore([pattern]).matches(matching)
    assert not Ignore([pattern]).matches(other)


@pytest.mark.parametrize("pattern", ["[", "[a", "[]a]", "a\\", "[a-]", "[-a]"])
def test_a_malformed_pattern_is_a_configuration_error(pattern: str) -> None:
    """Q14: the pattern is named instead of a crash."""
    with pytest.raises(UsageError, match="Q14"):
        Ignore([pattern])


def test_a_folder_with_a_number_is_a_step(tmp_path: Path) -> None:
    """Section 7: it contributes everything directly in it; numbers inside are optional and ignored."""
    folder = tmp_path / "03-install"
    folder.mkdir()
    for name in ("09-b.yaml", "a.yaml", "assert.yaml", "errors.gotmpl.yaml"):
        (folder / name).touch()
    (tmp_path / "3-more.yaml").touch()
    (step,) = list_files(case_of(tmp_path)).steps
    assert [(one.path.name, one.named.role) for one in step.entries] == [
        ("09-b.yaml", "apply"), ("a.yaml", "apply"), ("assert.yaml", "assert"), ("errors.gotmpl.yaml", "errors"),
        ("3-more.yaml", "apply"),
    ]  # fmt: skip


def test_a_folder_named_like_an_assert_is_a_step_folder_all_the_same(tmp_path: Path) -> None:
    """Section 7: the role is that of each file."""
    (tmp_path / "00-assert").mkdir()
    (tmp_path / "00-assert" / "x.yaml").touch()
    (step,) = list_files(case_of(tmp_path)).steps
    assert step.entries[0].named.role == "apply"


def test_nothing_foreign_may_stand_in_a_step_folder(tmp_path: Path) -> None:
    """Q35: ignored patterns are skipped, anything else is an error with a clear text."""
    folder = tmp_path / "00-install"
    (folder / "nested").mkdir(parents=True)
    for name in ("README", "notes.txt", "x.yml", "ok.yaml"):
        (folder / name).touch()
    found = list_files(case_of(tmp_path))
    assert [one.path.name for one in found.steps[0].entries] == ["ok.yaml"]
    assert [(Path(one.where).name, one.severity, one.quirk) for one in found.problems] == [
        ("nested", "error", 35),
        ("notes.txt", "error", 35),
        ("x.yml", "error", 35),
    ]


def test_a_link_to_a_file_is_followed_and_one_to_a_folder_fails(tmp_path: Path) -> None:
    """Section 7: a linked step folder is opened as a file."""
    case = tmp_path / "case"
    case.mkdir()
    (tmp_path / "x.yaml").touch()
    (tmp_path / "folder").mkdir()
    (case / "00-file.yaml").symlink_to(tmp_path / "x.yaml")
    (case / "01-folder").symlink_to(tmp_path / "folder")
    found = list_files(case_of(case))
    assert [one.path.name for step in found.steps for one in step.entries] == ["00-file.yaml"]
    assert "a link to a folder" in found.problems[0].text


def test_loops_broken_links_and_pipes_are_errors_and_never_opened(tmp_path: Path) -> None:
    """A loop of links, a broken link, a named pipe: a clear line for each, no hang."""
    (tmp_path / "00-loop.yaml").symlink_to(tmp_path / "00-loop.yaml")
    (tmp_path / "01-broken.yaml").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "02-pipe.yaml")
    texts = [one.text for one in list_files(case_of(tmp_path)).problems]
    assert "Too many levels of symbolic links" in texts[0]
    assert "a broken link" in texts[1]
    assert "no regular file" in texts[2]


def test_a_case_without_steps_is_told(tmp_path: Path) -> None:
    """Q23: an empty folder is a passing test; it is a warning."""
    (one,) = list_files(case_of(tmp_path)).problems
    assert (one.severity, one.quirk) == ("warning", 23)


def test_a_case_that_cannot_be_listed_is_an_error(tmp_path: Path) -> None:
    """A folder that vanished is told as such."""
    (one,) = list_files(case_of(tmp_path / "gone")).problems
    assert one.severity == "error"
