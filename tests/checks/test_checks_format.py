"""Differences as text: rows, shortened values, masked Secrets, and kuttl's unified diff (section 23.3)."""

from __future__ import annotations

from typing import Any

from harness.checks.format import (
    difference_rows,
    mask_differences,
    mask_secret,
    mismatch_error,
    unified_diff,
    value_text,
)
from harness.checks.paths import MISSING
from harness.checks.subset import compare


def test_rows_are_aligned() -> None:
    """Path, wanted and seen stand in columns; what is not there is nothing."""
    rows = difference_rows(compare({"a": {"b": 10}, "long": "x", "l": [1]}, {"a": {"b": 7}, "l": []}))
    assert rows == [
        ".a.b   wanted 10   seen 7",
        ".l     wanted [1]  seen []  (slice length mismatch: 1 != 0)",
        '.long  wanted "x"  seen nothing',
    ]  # fmt: skip


def test_many_rows_are_counted() -> None:
    """Beyond the limit the rest is only a number."""
    expected = {f"k{number:02}": 1 for number in range(30)}
    rows = difference_rows(compare(expected, {}), most=5)
    assert len(rows) == 6
    assert rows[-1] == "and 25 more differences"


def test_long_values_are_shortened() -> None:
    """A long value keeps its beginning and says how long it is."""
    assert value_text("x" * 300).endswith("... (300 characters)")
    assert len(value_text("x" * 300)) <= 80
    assert value_text(list(range(100))).endswith("(100 items)")
    assert value_text(MISSING) == "nothing"


def test_the_values_of_a_secret_are_masked() -> None:
    """Neither the wanted nor the seen value of a Secret is shown, nor in the reason; its other fields are."""
    expected: dict[str, Any] = {"kind": "Secret", "type": "a", "data": {"x": "aHVudGVyMg=="}}
    actual: dict[str, Any] = {"kind": "Secret", "type": "b", "data": {"x": "b3RoZXI="}}
    found = mask_differences(compare(expected, actual), "Secret")
    text = "\n".join([*difference_rows(found), *map(str, found)])
    assert "aHVudGVyMg" not in text
    assert "b3RoZXI" not in text
    assert '.type    wanted "a"' in text
    assert mask_differences(compare(expected, actual), "ConfigMap") == compare(expected, actual)
    assert mask_secret(actual)["data"] == {"x": "[redacted]"}


def test_a_masked_diff_still_shows_which_value_differs() -> None:
    """Equal values of a Secret look equal, differing ones do not."""
    secret = {"kind": "Secret", "data": {"same": "YQ==", "other": "Yg=="}}
    diff = unified_diff(secret, {**secret, "data": {"same": "YQ==", "other": "Yw=="}}, "Secret:ns/x")
    assert "+  other: '[redacted] (another value)'" in diff
    assert "+  same" not in diff
    assert "Yw==" not in diff


LIVE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {
        "name": "x",
        "namespace": "ns",
        "uid": "1",
        "resourceVersion": "2",
        "creationTimestamp": "now",
        "generation": 1,
        "selfLink": "/x",
        "annotations": {"deployment.kubernetes.io/revision": "1"},
        "managedFields": [{"manager": "m"}],
    },
    "data": {"a": "1", "b": "2"},
}
WANTED: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "x", "namespace": "ns"},
    "data": {"a": "2"},
}


def test_the_diff_is_that_of_kuttl() -> None:
    """Section 23.3: both headers, sorted keys, fields of the server left out, a line with one blank at the end."""
    assert unified_diff(WANTED, LIVE, "ConfigMap:ns/x") == (
        "--- ConfigMap:ns/x\n+++ ConfigMap:ns/x\n@@ -1,6 +1,7 @@\n"
        ' apiVersion: v1\n data:\n-  a: "2"\n+  a: "1"\n+  b: "2"\n kind: ConfigMap\n metadata:\n   name: x\n'
    )  # fmt: skip
    assert unified_diff({"a": 1}, {"a": 2}, "x").endswith("-a: 1\n+a: 2\n \n")


def test_managed_fields_are_left_out_unless_asserted_or_asked_for() -> None:
    """Q76: default mode leaves them out, strict mode keeps them."""
    assert "managedFields" not in unified_diff(WANTED, LIVE, "x")
    diff = unified_diff({**WANTED, "data": {"a": "1", "b": "2"}}, LIVE, "x", managed=True)
    assert "+  managedFields:" in diff


def test_long_unexpected_fields_are_elided() -> None:
    """Section 23.3: a key the expected map lacks whose YAML has 10 lines or more is replaced, also in maps below."""
    live = {"a": {"b": 1, "short": list(range(9)), "long": list(range(10))}, "text": "x"}
    diff = unified_diff({"a": {"b": 2}}, live, "x")
    assert "+  long: '[... elided field over 10 lines long ...]'" in diff
    assert "+  - 8" in diff


def test_an_error_is_a_small_report() -> None:
    """What was wanted, how many differences, a row for each, the place; a Secret's values stay hidden."""
    found = compare({"spec": {"replicas": 5}, "data": {"p": "eA=="}}, {"spec": {"replicas": 3}, "data": {"p": "eQ=="}})
    error = mismatch_error("Secret ns/x as asserted", found, kind="Secret", where="02-assert.yaml:1", closest="0 of 2")
    assert str(error) == (
        "wanted  Secret ns/x as asserted\n"
        "seen    2 differences (closest: 0 of 2)\n"
        '        .data.p         wanted "[redacted]"  seen "[redacted]"\n'
        "        .spec.replicas  wanted 5             seen 3\n"
        "where   02-assert.yaml:1"
    )
    one = mismatch_error("x", compare(1, 2))
    assert one.seen == ".  wanted 1  seen 2"
    assert mismatch_error("x", []).seen == "nothing"
