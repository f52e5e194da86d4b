"""The table of versions: what names resolve, which published images satisfy a wish."""

from __future__ import annotations

import pytest

from harness.airgap import versions
from harness.kit.errors import UsageError


@pytest.mark.parametrize("name", ["1.36", "v1.36", "1.36.3", "v1.36.3", None, ""])
def test_names_of_one_release_resolve_to_it(name: str | None) -> None:
    """A minor, with or without v and patch, means the pinned release; nothing means the default."""
    assert versions.resolve_version(name) == "v1.36.3"


def test_four_minors_are_pinned() -> None:
    """The four newest minors are known, and the default is the newest of them."""
    assert list(versions.RELEASES) == ["1.36", "1.35", "1.34", "1.33"]
    assert next(iter(versions.RELEASES.values())) == versions.DEFAULT


def test_an_unknown_version_names_those_that_exist() -> None:
    """The error lists the pinned releases and suggests the nearest."""
    with pytest.raises(UsageError, match=r"v1\.36\.3, v1\.35") as caught:
        versions.resolve_version("1.36.4")
    assert "did you mean" in str(caught.value)


def test_a_minor_is_satisfied_by_any_known_patch() -> None:
    """Only some patches are published: the newest is asked for first, then those below."""
    assert versions.candidates("1.36") == tuple(f"kindest/node:v1.36.{patch}" for patch in (3, 2, 1, 0))


def test_a_patch_is_satisfied_by_itself_only() -> None:
    """Who names a patch gets that patch, also one that cannot be built here."""
    assert versions.candidates("v1.30.2") == ("kindest/node:v1.30.2",)


@pytest.mark.parametrize("wanted", [None, "", "latest"])
def test_no_wish_names_no_image(wanted: str | None) -> None:
    """Without a version kind chooses."""
    assert versions.candidates(wanted) == ()


@pytest.mark.parametrize(("name", "known"), [("1.36", True), ("v1.36.3", True), ("1.36.9", False), ("main", False)])
def test_known_versions_are_those_of_the_table(name: str, known: bool) -> None:
    """Only pinned releases can be built."""
    assert versions.is_known(name) is known
