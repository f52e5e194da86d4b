"""Values on a command line and in files."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.kudo.parameters import ParameterError, load_values, parse_assignments, parse_file


def test_assignments_split_at_the_first_sign() -> None:
    """Later ones win."""
    assert parse_assignments(["A=1", "B=x=y", "A=2"]) == {"A": "2", "B": "x=y"}


def test_all_bad_assignments_are_told_at_once() -> None:
    """With the original's words."""
    with pytest.raises(ParameterError) as caught:
        parse_assignments(["foo", "=bar", "foo=", "A=1"])
    assert caught.value.message == (
        "could not parse parameters: parameter not set: foo, parameter name can not be empty: =bar, "
        "parameter value can not be empty: foo="
    )


def test_values_of_a_file() -> None:
    """Lists and mappings become YAML, texts stay, the rest is printed as Go does it."""
    text = "c: [7, 7, 7]\nm: {b: 1, a: x}\ns: '08'\ni: 42\nb: true\nbig: 1000000\n"
    assert parse_file(text, "F") == {
        "c": "- 7\n- 7\n- 7\n",
        "m": "a: x\nb: 1\n",
        "s": "08",
        "i": "42",
        "b": "true",
        "big": "1e+06",
    }
    assert parse_file("", "F") == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "error unmarshalling content of parameter file F: F:2:1:"),
        ("- a", "error unmarshalling content of parameter file F: a mapping was expected"),
        (
            "a:\nb: 1\n",
            "errors while unmarshaling following keys of the parameter file F: a has a null value (https://yaml.org/",
        ),
    ],
)
def test_files_that_cannot_be_read(text: str, message: str) -> None:
    """Not YAML, no mapping, a key without value."""
    with pytest.raises(ParameterError) as caught:
        parse_file(text, "F")
    assert caught.value.problems[0].startswith(message)


def test_assignments_win_over_files_and_later_files_over_earlier_ones(tmp_path: Path) -> None:
    """Whatever their order on the command line."""
    (tmp_path / "one").write_text("A: 1\nB: 1\nC: 1\n")
    (tmp_path / "two").write_text("B: 2\nC: 2\n")
    assert load_values(["C=3"], [tmp_path / "one", tmp_path / "two"]) == {"A": "1", "B": "2", "C": "3"}


def test_problems_of_files_and_assignments_are_told_together(tmp_path: Path) -> None:
    """One error with all of them."""
    with pytest.raises(ParameterError) as caught:
        load_values(["x"], [tmp_path / "none"])
    assert caught.value.problems == (
        f"error reading from parameter file {tmp_path / 'none'}: No such file or directory",
        "parameter not set: x",
    )
    assert caught.value.exit_code == 2
