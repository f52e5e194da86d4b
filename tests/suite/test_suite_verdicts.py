"""Asserts and errors entries on live objects: sections 15 and 16 of kuttl's semantics."""

from __future__ import annotations

from typing import Any

import pytest

from harness.suite.verdicts import assert_verdict, errors_text, gvk_text, resource_text, selects


def config(name: str = "", labels: dict[str, str] | None = None, **data: Any) -> dict[str, Any]:
    metadata: dict[str, Any] = (
        {"namespace": "ns"} | ({"name": name} if name else {}) | ({"labels": labels} if labels else {})
    )
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


A, B = config("a", {"app": "x"}, size="1"), config("b", {"app": "x", "tier": "y"}, size="2")


@pytest.mark.parametrize(
    ("expected", "live", "selected"),
    [
        (config("a"), A, True),
        (config("a"), B, False),
        (config(labels={"app": "x"}), B, True),
        (config(labels={"tier": "y"}), A, False),
        (config(), A, True),
        (config("a", {"app": "other"}), A, True),
    ],
)
def test_selection(expected: dict[str, Any], live: dict[str, Any], selected: bool) -> None:
    """Section 15: by name; without one by equality of the labels, if any, else every object of the kind."""
    assert selects(expected, live) is selected


@pytest.mark.parametrize("objects", [[A, B], [B, A]])
def test_one_matching_item_is_enough(objects: list[Any]) -> None:
    """Section 15: first or last in the list."""
    assert assert_verdict(config(size="2"), objects).holds


def test_nothing_selected() -> None:
    """Section 15: no resources matched of kind for checks without a name; not found for those with one."""
    assert assert_verdict(config(), []).texts == ("no resources matched of kind: /v1, Kind=ConfigMap",)
    given = 'configmaps "x" not found'
    assert assert_verdict(config("x"), [], not_found=given).texts == (given,)
    assert assert_verdict(config("x"), []).texts == ('ConfigMap "x" not found',)


def test_every_item_adds_a_diff_and_a_reason() -> None:
    """Section 15: with the expected object's identity, whose name is empty for lists."""
    verdict = assert_verdict(config(size="3"), [A, B])
    assert [text.split("\n")[0] for text in verdict.texts] == [
        "--- ConfigMap:ns/",
        "resource ConfigMap:ns/: .data.size: value mismatch, expected: 3 != actual: 1",
        "--- ConfigMap:ns/",
        "resource ConfigMap:ns/: .data.size: value mismatch, expected: 3 != actual: 2",
    ]


def test_all_mismatches_are_told_the_first_in_kuttls_wording() -> None:
    """Q51 and Q52: sorted, with list positions; in strict mode only the first, without."""
    expected, live = config("a", l=[{"x": 1}], z="1"), config("a", l=[{"x": 2}])
    assert assert_verdict(expected, [live]).texts[1] == (
        "resource ConfigMap:ns/a: .data.l[0].x: value mismatch, expected: 1 != actual: 2\n"
        "  and .data.z: key is missing from map"
    )
    strict = assert_verdict(expected, [live], mode="strict").texts[1]
    assert strict == "resource ConfigMap:ns/a: .data.l.x: value mismatch, expected: 1 != actual: 2"


def test_the_nearest_candidate_is_explained() -> None:
    """The one that lacks least, with what it lacks."""
    verdict = assert_verdict(config(size="2", mode="fast"), [A, B])
    assert verdict.nearest is not None
    assert verdict.nearest.value is B
    assert [str(one) for one in verdict.differences] == [".data.mode: key is missing from map"]
    assert assert_verdict(config(), []).differences == ()


def test_values_of_secrets_stay_hidden() -> None:
    """Neither diff nor reason shows them."""
    live = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"p": "aHVudGVy"}}
    texts = "\n".join(assert_verdict({**live, "data": {"p": "b3RoZXI="}}, [live]).texts)
    assert "aHVudGVy" not in texts
    assert "b3RoZXI" not in texts


def test_an_errors_entry_is_fine_until_something_matches() -> None:
    """Section 16: what does not exist, or does not match, is fine; one or several that match are an error."""
    assert errors_text(config("a"), []) == ""
    assert errors_text(config(size="3"), [A, B]) == ""
    assert errors_text(config("a"), [A]) == "resource /v1, Kind=ConfigMap a matched error assertion"
    assert errors_text(config(), [A, B, A]) == (
        "resource /v1, Kind=ConfigMap a (and 2 other resources) matched error assertion"
    )


def test_names_of_kinds_and_objects() -> None:
    """Section 9: <group>/<version>, Kind=<kind>, and <Kind>:<ns>/<name>."""
    assert gvk_text("apps/v1", "Deployment") == "apps/v1, Kind=Deployment"
    assert resource_text(A) == "ConfigMap:ns/a"
    assert resource_text({"kind": "Node", "metadata": {"name": "n"}}) == "Node:/n"
