"""Commands as text: expansion, splitting and summaries, section 17 of kuttl's semantics."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.kit.errors import UsageError
from harness.suite.words import expand, split_words, summary


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("kubectl -n $NS get ${KIND}s", "kubectl -n ns get pods"),
        ("'$NS'", "'ns'"),
        ("$$NS $$", "$NS $"),
        ("$(pwd) a$ $", "$(pwd) a$ $"),
        ("$UNSET|${UNSET}|", "||"),
        ("a${}b ${NS", "ab NS"),
        ("$1x ${1}2 ${$}", "x 2 $"),
    ],
)
def test_variables_are_put_in(text: str, result: str) -> None:
    """Section 17.2: everywhere, inside single quotes too; $$ gives $; $ before anything else stays."""
    assert expand(text, {"NS": "ns", "KIND": "pod"}).text == result


def test_unset_variables_give_nothing_and_are_named() -> None:
    """Q58: an unset name, ${NAME:-x}, $1, $? and $@ give nothing; each is named once."""
    found = expand("$A ${A} ${B:-x} $1 $? $@", {"B": "set"})
    assert found.text.strip() == ""
    assert found.unset == ("A", "B:-x", "1", "?", "@")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a  b\tc\nd", ["a", "b", "c", "d"]),
        ("a 'b $c \\' d", ["a", "b $c \\", "d"]),
        ('a "b \\" \'c\'" d', ["a", "b \" 'c'", "d"]),
        ("a\\ b '' \"\"", ["a b", "", ""]),
        ("a'b'\"c\"d", ["abcd"]),
        ("a | b; c > *.x ~", ["a", "|", "b;", "c", ">", "*.x", "~"]),
        ("a#b", ["a#b"]),
        ("", []),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    """Section 17.2: split like a simple shell, in which nothing but quotes, blanks and escapes is special."""
    assert list(split_words(text).words) == words


def test_a_comment_is_dropped_up_to_the_end_of_its_line() -> None:
    """Q59: # at the start of a word begins it; it is told."""
    found = split_words("a #b c\nd '#e'")
    assert found.words == ("a", "d", "#e")
    assert found.comment == "#b c"


@pytest.mark.parametrize("text", ["a 'b", 'a "b', 'a "b\\"', "a \\"])
def test_an_unclosed_quote_is_an_error(text: str) -> None:
    """Section 17.2: EOF found when expecting closing quote."""
    with pytest.raises(UsageError, match="EOF found"):
        split_words(text)


@given(st.text(alphabet="ab '\"\\#$\n{}", max_size=20))
def test_no_text_breaks_the_splitter(text: str) -> None:
    """Any text splits or is refused."""
    with contextlib.suppress(UsageError):
        assert all(isinstance(word, str) for word in split_words(expand(text, {}).text).words)


def test_summaries() -> None:
    """Section 17.4: a script without blanks, comments and its first set, joined by an escaped newline, cut to 70."""
    assert summary("kubectl get pods", "") == '"kubectl get pods"'
    assert summary("", "set -eu\n# x\n\n  one\n two\n") == '"one\\\\n two"'
    assert summary("", "one\nset -e") == '"one\\\\n set -e"'
    assert len(summary("x" * 100, "")) == 72
    assert summary("x" * 100, "").endswith('..."')
