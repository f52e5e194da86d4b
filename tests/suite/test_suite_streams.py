"""Reading YAML as kuttl does: section 2 of its semantics, and input that is bad on purpose."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from harness.kit.documents import DocumentError
from harness.kit.errors import UsageError
from harness.suite.streams import fetch_text, parse_stream, read_stream_file, split_stream


def value_of(text: str) -> Any:
    stream = parse_stream(f"kind: X\nv: {text}\n", "x.yaml")
    assert stream.problems == [], [str(one) for one in stream.problems]
    return stream.documents[0].value["v"]


def test_a_stream_is_split_at_lines_of_dashes() -> None:
    """Section 2.1: with blanks or a comment behind them; the lines of the file are kept."""
    assert split_stream("a: 1\n--- # next\nb: 2\n---   \n---\nc: 3") == [(1, "a: 1\n"), (3, "b: 2\n"), (6, "c: 3")]


@pytest.mark.parametrize("line", ["----", "--- foo", "---a"])
def test_anything_else_behind_the_dashes_is_an_error(line: str) -> None:
    """Section 2.1: invalid Yaml document separator: <rest>."""
    with pytest.raises(DocumentError) as caught:
        split_stream(f"a: 1\n{line}\n", "x.yaml")
    assert caught.value.seen == f"invalid Yaml document separator: {line[3:].strip()}"
    assert caught.value.where == "x.yaml:2:4"


def test_the_split_is_textual() -> None:
    """Section 2.1: a line of dashes inside a block scalar splits too."""
    assert len(split_stream("a: |\n  x\n---\nb: 1\n")) == 2
    assert len(split_stream("a: |\n  x\n  ---\n  y\n")) == 1


def test_empty_documents_are_dropped_and_told() -> None:
    """Section 2.2: comments only, or an empty mapping: a note with the path."""
    stream = parse_stream("# nothing\n---\n{}\n---\nkind: X\n", "x.yaml")
    assert len(stream.documents) == 1
    assert {one.text for one in stream.problems} == {"object detected with no GVK Kind for path x.yaml"}
    assert {one.severity for one in stream.problems} == {"note"}


def test_only_the_first_json_value_counts() -> None:
    """Q1: JSON is accepted; of several values in one document the first is read, the rest is told."""
    stream = parse_stream('{"kind": "A"}\n{"kind": "B"}\n', "x.json")
    assert [one.value for one in stream.documents] == [{"kind": "A"}]
    assert [one.quirk for one in stream.problems] == [1]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("y", True), ("N", False), ("on", True), ("OFF", False),
        ("1_000", 1000), ("0b11", 3), ("0o17", 15), ("017", 15), ("0x1F", 31), ("+5", 5),
        ("08", 8), ("0123456789", 123456789),
        ("1e3", 1000), ("1.0", 1), ("1.", 1),
        (".5", 0.5), ("1e-2", 0.01), ("1.5", 1.5),
        ("12:30:45", "12:30:45"), ("2020-01-01", "2020-01-01"),
        ("~", None), ("null", None), ("", None),
        ("9223372036854775808", 9223372036854775808.0), ("9223372036854775807", 9223372036854775807),
        ("!!binary aGk=", "hi"), ("!foo text", "text"), ("=", "="), ('"<<"', "<<"), ("<<", "<<"),
    ],
)  # fmt: skip
def test_the_dialect(text: str, value: Any) -> None:
    """Section 2.4: YAML 1.1 as Kubernetes reads it, then JSON; the type counts too."""
    found = value_of(text)
    assert (found, type(found)) == (value, type(value))


def test_keys_are_texts() -> None:
    """Section 2.4: keys that are no text become one, and stay apart."""
    assert parse_stream("{1: a, true: b, n: c, 1.5: d}", "x").documents[0].value == {
        "1": "a",
        "true": "b",
        "false": "c",
        "1.5": "d",
    }


def test_a_null_key_is_an_error() -> None:
    """Section 2.4: the YAML library of Kubernetes takes no null as key."""
    (one,) = parse_stream("kind: X\n~: a\n", "x.yaml").problems
    assert (one.severity, one.where) == ("error", "x.yaml:2:1")


def test_merge_keys() -> None:
    """Section 2.4: <<: *anchor is merged."""
    stream = parse_stream("a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}\n", "x")
    assert stream.documents[0].value["b"] == {"p": 1, "q": 3}


@pytest.mark.parametrize("text", [".inf", "-.INF", ".nan"])
def test_numbers_that_json_does_not_have_are_errors(text: str) -> None:
    """Section 2.4: .inf and .nan, with their place."""
    (one,) = parse_stream(f"kind: X\nv: {text}\n", "x.yaml").problems
    assert (one.severity, one.where) == ("error", "x.yaml:2:4")


def test_a_repeated_key_is_told_and_the_last_one_counts() -> None:
    """Q2: the place of the second key is named, in the file's lines."""
    stream = parse_stream("kind: A\n---\nkind: X\nv: 1\nv: 2\n", "x.yaml")
    assert stream.documents[1].value["v"] == 2
    assert [(one.quirk, one.where) for one in stream.problems] == [(2, "x.yaml:5:1")]


def test_a_fault_in_one_document_does_not_hide_the_others() -> None:
    """Each fault is told with file, line and column; the other documents are read."""
    stream = parse_stream("kind: A\n---\na: [1\n---\nkind: B\n---\nb: }\n", "x.yaml")
    assert [one.value["kind"] for one in stream.documents] == ["A", "B"]
    assert [one.where for one in stream.problems] == ["x.yaml:4:1", "x.yaml:7:4"]


def test_a_bomb_is_refused() -> None:
    """Nested aliases that would expand to millions of values end with a clear line."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    (one,) = parse_stream("\n".join(lines), "bomb.yaml").problems
    assert "when its aliases are expanded" in one.text
    assert one.where.startswith("bomb.yaml:")


def test_endless_nesting_is_refused() -> None:
    """Thousands of brackets and an alias inside itself are clear lines too."""
    assert parse_stream("[" * 5000, "x").problems[0].severity == "error"
    assert "inside itself" in parse_stream("a: &a [*a]", "x").problems[0].text


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    """A file of 50 MB is told without being read."""
    path = tmp_path / "big.yaml"
    with path.open("wb") as file:
        file.truncate(50 * 1024 * 1024)
    (one,) = read_stream_file(path).problems
    assert "50 MiB" in one.text
    assert one.where == str(path)


def test_a_huge_document_is_refused() -> None:
    """An object that no API server takes is refused before it is parsed."""
    (one,) = parse_stream("kind: A\n---\na: " + "x" * (7 * 1024 * 1024), "x.yaml").problems
    assert "7.0 MiB" in one.text
    assert one.where == "x.yaml:3:1"


@pytest.mark.parametrize("content", [b"\x7fELF\x02\x01\x01\x00\xff\xfe", b"a: \xff", b"kind: \x00"])
def test_a_binary_file_is_a_clear_line(tmp_path: Path, content: bytes) -> None:
    """Bytes that are no text, or no YAML, are told with the file."""
    path = tmp_path / "x.yaml"
    path.write_bytes(content)
    (one,) = read_stream_file(path).problems
    assert one.severity == "error"
    assert one.where.startswith(str(path))


def test_a_file_that_cannot_be_read_is_a_clear_line(tmp_path: Path) -> None:
    """Missing, or a folder."""
    assert "No such file" in read_stream_file(tmp_path / "none").problems[0].text
    assert "Is a directory" in read_stream_file(tmp_path).problems[0].text


@pytest.fixture
def server() -> Iterator[str]:
    """Return the address of a server of manifests."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = {"/x.yaml": b"kind: X\n", "/binary": b"\xff\xfe"}.get(self.path)
            self.send_response(200 if body else 404)
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *arguments: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()
        thread.join()


def test_a_manifest_is_fetched(server: str) -> None:
    """Section 10: a URL is read with GET."""
    assert fetch_text(f"{server}/x.yaml") == "kind: X\n"


def test_an_address_that_cannot_be_read_is_an_error(server: str) -> None:
    """Section 10: a status other than 200, no text, no server, no http."""
    for address, part in (
        (f"{server}/none.yaml", "404"),
        (f"{server}/binary", "byte 0"),
        ("http://127.0.0.1:1/x.yaml", "refused"),
        ("file:///etc/passwd", "file:"),
    ):
        with pytest.raises(UsageError) as caught:
            fetch_text(address, timeout=5)
        assert part in caught.value.seen
