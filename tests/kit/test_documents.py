"""YAML documents: scalars as Kubernetes reads them, marks, refusals, and go-yaml's layout on the way out."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from harness.kit.documents import (
    DocumentError,
    dump_documents,
    dump_yaml,
    load_documents,
    parse_documents,
    parse_first,
)

# Read off sigs.k8s.io/yaml v1.6.0 (YAMLToJSON) and gopkg.in/yaml.v2 v2.4.0 (Marshal): text, value, dumped as a text.
SCALARS: list[tuple[str, Any, str]] = [
    ("12:30:45", "12:30:45", '"12:30:45"'),
    ("2001-01-01", "2001-01-01", '"2001-01-01"'),
    ("2001-01-01T00:00:00Z", "2001-01-01T00:00:00Z", '"2001-01-01T00:00:00Z"'),
    ("2001-12-14 21:59:43.10 -5", "2001-12-14 21:59:43.10 -5", "2001-12-14 21:59:43.10 -5"),
    ("y", True, '"y"'),
    ("n", False, '"n"'),
    ("on", True, '"on"'),
    ("tRue", "tRue", "tRue"),
    ("1e3", 1000, '"1e3"'),
    ("1e+3", 1000, '"1e+3"'),
    ("1.e5", 100000, '"1.e5"'),
    ("1e400", "1e400", "1e400"),
    ("0o14", 12, '"0o14"'),
    ("014", 12, '"014"'),
    ("-014", -12, '"-014"'),
    ("08", 8, '"08"'),
    ("0o8", "0o8", "0o8"),
    ("=", "=", "="),
    ("<<", "<<", "<<"),
    ("0x1F", 31, '"0x1F"'),
    ("-0x1F", -31, '"-0x1F"'),
    ("0x", "0x", "0x"),
    ("0b11", 3, '"0b11"'),
    ("0b2", "0b2", "0b2"),
    ("1_000", 1000, '"1_000"'),
    ("_1", "_1", "_1"),
    ("+12", 12, '"+12"'),
    (".5", 0.5, '".5"'),
    ("5.", 5, '"5."'),
    ("+.5", 0.5, '"+.5"'),
    ("~", None, '"~"'),
    ("null", None, '"null"'),
    ("1.10", 1.1, '"1.10"'),
    ("9223372036854775808", 9223372036854775808, '"9223372036854775808"'),
    ("1:2", "1:2", '"1:2"'),
    ("190:20:30", "190:20:30", '"190:20:30"'),
    ("2001-1-1", "2001-1-1", '"2001-1-1"'),
    ("00", 0, '"00"'),
    ("-0", 0, '"-0"'),
]


def value_of(text: str) -> Any:
    return parse_documents(f"a: {text}")[0].value["a"] if parse_documents(f"a: {text}") else None


@pytest.mark.parametrize(("text", "value", "_dumped"), SCALARS)
def test_a_plain_scalar_reads_as_kubernetes_reads_it(text: str, value: Any, _dumped: str) -> None:
    """A plain scalar has the type and value that go-yaml v2 and JSON give it."""
    read = value_of(text)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(("text", "_value", "dumped"), SCALARS)
def test_a_text_is_quoted_where_it_would_read_as_something_else(text: str, _value: Any, dumped: str) -> None:
    """A text dumps as go-yaml v2 dumps it, and reads back as itself."""
    assert dump_yaml({"a": text}) == f"a: {dumped}\n"
    assert parse_documents(dump_yaml({"a": text}))[0].value == {"a": text}


def test_special_floats_are_floats() -> None:
    """Infinity and not-a-number are read; JSON could not carry them."""
    assert value_of(".inf") == math.inf
    assert value_of("-.INF") == -math.inf
    assert math.isnan(value_of(".nan"))


def test_tags_choose_the_type() -> None:
    """!!str keeps a text, !!int reads a quoted number, !!binary is decoded."""
    assert value_of("!!str 3") == "3"
    assert value_of('!!int "3"') == 3
    assert value_of("!!binary aGk=") == "hi"


def test_quoted_scalars_are_texts() -> None:
    """Quotes make a text of anything."""
    assert value_of('"1"') == "1"
    assert value_of("'true'") == "true"


def test_keys_are_texts() -> None:
    """Keys of other types become the texts that JSON would have."""
    assert parse_documents("{1: a, true: b, 0.5: c, y: d}", duplicates="last")[0].value == {
        "1": "a",
        "true": "d",
        "0.5": "c",
    }


def test_a_key_that_stands_twice_is_refused_with_its_place() -> None:
    """The second of two equal keys is named with line and column."""
    with pytest.raises(DocumentError) as caught:
        parse_documents("a: 1\nb:\n  c: 1\n  c: 2\n", "operator.yaml")
    assert caught.value.where == "operator.yaml:4:3"
    assert '"c" stands twice' in caught.value.seen


def test_the_last_of_equal_keys_wins_where_that_is_asked_for() -> None:
    """The lenient reading of KUDO takes the last one."""
    assert parse_documents("a: 1\na: 2\n", duplicates="last")[0].value == {"a": 2}


def test_merge_keys_yield_to_own_keys() -> None:
    """A merged mapping gives only what the mapping itself does not say."""
    text = "base: &b {x: 1, z: 2}\nuse:\n  <<: *b\n  x: 3\n"
    assert parse_documents(text)[0].value["use"] == {"x": 3, "z": 2}


def test_a_syntax_error_has_file_line_and_column() -> None:
    """Text that is no YAML is refused with the place of the fault."""
    with pytest.raises(DocumentError) as caught:
        parse_documents("a: [1, 2\nb: 3\n", "x.yaml")
    assert caught.value.where.startswith("x.yaml:2:")


def test_marks_point_at_keys_and_items() -> None:
    """`at` gives the place of a key or item, or of the nearest known parent."""
    document = parse_documents("a:\n  b:\n  - c: 1\n  - d\n", "f.yaml")[0]
    assert str(document.at("a", "b", 0, "c")) == "f.yaml:3:5"
    assert str(document.at("a", "b", 1)) == "f.yaml:4:5"
    assert str(document.at("a", "missing")) == "f.yaml:1:1"


def test_empty_documents_are_left_out() -> None:
    """Separators, comments and nulls make no document."""
    assert [d.value for d in parse_documents("---\n# nothing\n---\na: 1\n---\n~\n")] == [{"a": 1}]


def test_a_document_that_explodes_is_refused() -> None:
    """Nested aliases that would expand to millions of values are refused at once."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    with pytest.raises(DocumentError, match="aliases are expanded"):
        parse_documents("\n".join(lines))


def test_an_alias_inside_itself_is_refused() -> None:
    """A document without end is refused."""
    with pytest.raises(DocumentError) as caught:
        parse_documents("a: &a\n  b: *a\n")
    assert "inside itself" in caught.value.seen


def test_depth_is_bounded() -> None:
    """Nesting far beyond any manifest is refused, not a crash."""
    with pytest.raises(DocumentError):
        parse_documents("[" * 3000 + "]" * 3000)


def test_a_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    """A file that cannot be read is named."""
    with pytest.raises(DocumentError) as caught:
        load_documents(tmp_path / "none.yaml")
    assert caught.value.where.endswith("none.yaml")


def test_a_binary_file_is_a_usage_error(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 are refused with their place."""
    (tmp_path / "x.yaml").write_bytes(b"a: \xff\xfe")
    with pytest.raises(DocumentError) as caught:
        load_documents(tmp_path / "x.yaml")
    assert "byte 3" in caught.value.seen


def test_dump_has_the_layout_of_go_yaml() -> None:
    """Sorted keys, lists flush with their key, literal blocks, floats as Go prints them."""
    value = {"b": [1, {"z": None, "a": True}], "a": "x\ny\n", "n": 1e6, "e": {}, "l": []}
    assert dump_yaml(value) == 'a: |\n  x\n  y\nb:\n- 1\n- a: true\n  z: null\ne: {}\nl: []\n"n": 1e+06\n'


# Read off gopkg.in/yaml.v2 v2.4.0.
ORDERED = ["!x", "+1", "-a", "{a}", "1", "2", "10", "a1", "a2", "a10", "a10b", "aB", "ab", "b"]


def test_keys_are_ordered_as_go_yaml_orders_them() -> None:
    """Signs come first, numbers inside of texts count as numbers, letters come last."""
    dumped = dump_yaml(dict.fromkeys(reversed(ORDERED), 0))
    assert list(parse_documents(dumped)[0].value) == ORDERED


def test_dumped_streams_are_separated() -> None:
    """Documents after the first follow a line of three dashes."""
    assert dump_documents([{"a": 1}, {"b": 2}]) == "a: 1\n---\nb: 2\n"


def test_the_first_value_is_read_as_one_manifest() -> None:
    """Of several values in one text only the first is read, and the rest is told."""
    read = parse_first('{"a": 1}{"b": 2}', "x.json")
    assert read is not None
    assert (read.value, read.rest) == ({"a": 1}, True)
    assert parse_first("# nothing\n") is None


def test_repeated_keys_are_told_with_their_place() -> None:
    """The last of equal keys wins; each repetition is listed with its line in the file."""
    read = parse_first("a: 1\nb:\n  c: 1\n  c: 2\n", "x.yaml", first_line=11)
    assert read is not None
    assert read.value == {"a": 1, "b": {"c": 2}}
    assert [(key, str(mark)) for key, mark in read.repeated] == [("c", "x.yaml:14:3")]


def test_marks_count_from_the_line_on_which_a_part_begins() -> None:
    """A document in the middle of a file has the file's lines, in marks and in errors."""
    read = parse_first("a:\n  b: 1\n", "x.yaml", first_line=5)
    assert read is not None
    assert str(read.at("a", "b")) == "x.yaml:6:3"
    with pytest.raises(DocumentError) as caught:
        parse_first("a: 1\n b: 2\n", "x.yaml", first_line=5)
    assert caught.value.where.startswith("x.yaml:6:")


def test_numbers_of_a_manifest_are_those_of_json() -> None:
    """A whole number beyond int64 is a float, and what JSON cannot say is refused with its place."""
    read = parse_first("a: 9223372036854775808\nb: -9223372036854775808\n")
    assert read is not None
    assert [type(read.value[key]) for key in "ab"] == [float, float]
    with pytest.raises(DocumentError) as caught:
        parse_first("a:\n- .inf\n", "x.yaml")
    assert caught.value.where == "x.yaml:2:3"


def test_json_that_is_no_yaml_is_read_as_json() -> None:
    """Escaped surrogate pairs are a character, though YAML's parser refuses them."""
    read = parse_first('{"a": "\\ud83d\\ude00"}')
    assert read is not None
    assert read.value == {"a": "\U0001f600"}


def test_scalars_of_yaml_1_2_keep_words_and_write_dates_out() -> None:
    """With scalars 1.2 only true and false are booleans, and a date is an RFC 3339 text."""
    read = parse_first("[yes, 'on', n, True, 010, 2020-1-2]", scalars="1.2")
    assert read is not None
    assert read.value == ["yes", "on", "n", True, 8, "2020-01-02T00:00:00Z"]
