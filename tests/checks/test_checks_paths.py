"""Paths: their text, the text read back, and what stands at them."""

from __future__ import annotations

import pytest

from harness.checks.paths import MISSING, Key, find, parse_path, path_text
from harness.kit.errors import UsageError

VALUE = {
    "spec": {"containers": [{"name": "a"}, {"name": "db", "image": "x"}]},
    "metadata": {"labels": {"app.k8s/x": None}},
}


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("spec.containers[0].image", ("spec", "containers", 0, "image")),
        (".spec.containers[name=db].image", ("spec", "containers", Key("name", "db"), "image")),
        ('metadata.labels["app.k8s/x"]', ("metadata", "labels", "app.k8s/x")),
        ("metadata.labels['app.k8s/x']", ("metadata", "labels", "app.k8s/x")),
        ("a[-1]", ("a", -1)),
        ("", ()),
    ],
)
def test_a_path_is_read(text: str, path: tuple[object, ...]) -> None:
    """Keys behind dots or in quotes, positions and keys of items in brackets."""
    assert parse_path(text) == path
    assert parse_path(path_text(parse_path(text))) == path


@pytest.mark.parametrize("text", ["a[", "a..b", "a]", "a[b", "[0]b"])
def test_a_path_that_makes_no_sense_is_refused(text: str) -> None:
    """The column of the fault is told."""
    with pytest.raises(UsageError) as caught:
        parse_path(text)
    assert caught.value.where.startswith("column ")


def test_what_stands_at_a_path_is_found() -> None:
    """By position, from the end, by the key of an item; a null is found, nothing is MISSING."""
    assert find(VALUE, parse_path("spec.containers[1].image")) == "x"
    assert find(VALUE, parse_path("spec.containers[-1].image")) == "x"
    assert find(VALUE, parse_path("spec.containers[name=db].image")) == "x"
    assert find(VALUE, parse_path('metadata.labels["app.k8s/x"]')) is None
    for text in ("spec.containers[2]", "spec.containers[name=x]", "spec.none", "spec[0]", "spec.containers.a"):
        assert find(VALUE, parse_path(text)) is MISSING
    assert repr(MISSING) == "missing"
    assert not MISSING
