"""Questions asked of plain dicts."""

from __future__ import annotations

import pytest

from harness.kube import (
    Ref,
    annotations_of,
    condition_of,
    controller_of,
    dig,
    labels_of,
    name_of,
    namespace_of,
    owners_of,
    split_api_version,
    uid_of,
    version_of,
)

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "a",
        "namespace": "ns",
        "uid": "u",
        "resourceVersion": "7",
        "labels": {"app.kubernetes.io/name": "x"},
        "annotations": None,
        "ownerReferences": [{"name": "o"}, {"name": "c", "controller": True}],
    },
    "spec": {"containers": [{"name": "main"}, {"name": "side"}], "nodeName": None},
    "status": {"conditions": [{"type": "Ready", "status": "False"}]},
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("spec.containers.1.name", "side"),
        ("spec.containers.-1.name", "side"),
        ("spec.containers.2.name", "none"),
        ("spec.containers.name", "none"),
        ("spec.nodeName", None),
        ("spec.nodeName.x", "none"),
        ("status.phase", "none"),
        (("metadata", "labels", "app.kubernetes.io/name"), "x"),
        ("metadata.labels.app.kubernetes.io/name", "none"),
        ("", "none"),
    ],
)
def test_dig_follows_a_path_or_gives_the_default(path: str | tuple[str, ...], expected: object) -> None:
    """Dig returns what stands at a path, a null included, and the default where a part of the path is missing."""
    assert dig(POD, path, "none") == expected


def test_a_reference_reads_as_people_say_it() -> None:
    """A reference shows apiVersion, kind, namespace and name, and leaves out what there is not."""
    assert str(Ref.of(POD)) == "v1/Pod ns/a"
    assert str(Ref("v1", "Node", "n")) == "v1/Node n"
    assert str(Ref.of({"apiVersion": "v1", "kind": "Pod"})) == "v1/Pod (unnamed)"
    assert Ref.of(POD) == Ref("v1", "Pod", "a", "ns")


def test_metadata_is_read_from_complete_and_from_poor_objects() -> None:
    """Names, labels, owners and conditions are read where they are, and are empty where they are not."""
    assert (name_of(POD), namespace_of(POD), uid_of(POD), version_of(POD)) == ("a", "ns", "u", "7")
    assert labels_of(POD) == {"app.kubernetes.io/name": "x"}
    assert annotations_of(POD) == {}
    assert [owner["name"] for owner in owners_of(POD)] == ["o", "c"]
    assert (controller_of(POD) or {})["name"] == "c"
    assert (condition_of(POD, "Ready") or {})["status"] == "False"
    assert condition_of(POD, "Initialized") is None
    empty: dict[str, object] = {"metadata": None}
    assert (name_of(empty), namespace_of(empty), uid_of(empty), version_of(empty)) == ("", None, "", "")
    assert (labels_of(empty), owners_of(empty), controller_of(empty), condition_of(empty, "x")) == ({}, [], None, None)


def test_a_generated_name_is_shown_with_a_star() -> None:
    """An object that the server will name shows its prefix."""
    assert name_of({"metadata": {"generateName": "job-"}}) == "job-*"


def test_labels_are_copies() -> None:
    """Changing what labels_of returned does not change the object."""
    labels_of(POD)["new"] = "x"
    assert "new" not in labels_of(POD)


@pytest.mark.parametrize(("text", "parts"), [("v1", ("", "v1")), ("apps/v1", ("apps", "v1")), ("", ("", ""))])
def test_an_api_version_has_a_group_and_a_version(text: str, parts: tuple[str, str]) -> None:
    """The core group is the empty text."""
    assert split_api_version(text) == parts
