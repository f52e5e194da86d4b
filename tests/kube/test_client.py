"""What the client sends, without a server."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from harness.kit.errors import DeadlineError, UsageError
from harness.kit.waiting import Pending
from harness.kube import Kube, Manifest, NotFound
from tests.kube.fakes import FakeStream, FakeTransport, answer, config_map, line, listed, refusal

CONFIG_MAP: Manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"x": "1"}}


def client(*answers: Any, streams: tuple[FakeStream, ...] = ()) -> tuple[Kube, FakeTransport]:
    """Return a client whose answers (values, Status objects by their code) are given."""
    given = [one if not isinstance(one, dict) else answer(one, int(one.get("code") or 200)) for one in answers]
    transport = FakeTransport(given, streams)
    return Kube(transport, default_namespace="home"), transport


def test_the_namespace_is_the_objects_else_the_arguments_else_the_default() -> None:
    """Three places name a namespace; the manifest that was given is not changed."""
    kube, transport = client({}, {}, {})
    kube.create(CONFIG_MAP)
    kube.create(CONFIG_MAP, "there")
    kube.create({**CONFIG_MAP, "metadata": {"name": "a", "namespace": "own"}})
    asked = transport.requests[1:]
    assert [request.path.split("/")[4] for request in asked] == ["home", "there", "own"]
    assert [json.loads(request.body or b"")["metadata"]["namespace"] for request in asked] == ["home", "there", "own"]
    assert CONFIG_MAP["metadata"] == {"name": "a"}


def test_two_different_namespaces_are_a_mistake() -> None:
    """An object that says one namespace is not put into another."""
    kube, _ = client()
    with pytest.raises(UsageError, match="in namespace there"):
        kube.create({**CONFIG_MAP, "metadata": {"name": "a", "namespace": "own"}}, "there")


def test_cluster_wide_objects_have_no_namespace() -> None:
    """A namespace given for a cluster-wide kind is ignored."""
    kube, transport = client({}, {})
    kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}}, "there")
    kube.get("v1", "Namespace", "x", "there")
    assert [request.path for request in transport.requests[1:]] == ["/api/v1/namespaces", "/api/v1/namespaces/x"]
    assert "namespace" not in json.loads(transport.requests[1].body or b"")["metadata"]


@pytest.mark.parametrize(
    "manifest", [{}, {"kind": "ConfigMap"}, {"apiVersion": "v1"}, {"apiVersion": None, "kind": "x"}]
)
def test_an_object_without_a_kind_is_a_mistake(manifest: Manifest) -> None:
    """What lacks apiVersion or kind cannot be sent anywhere."""
    with pytest.raises(UsageError, match="apiVersion and kind"):
        client()[0].create(manifest)


@pytest.mark.parametrize("verb", ["get", "patch", "delete", "apply", "replace"])
def test_an_empty_name_is_a_mistake(verb: str) -> None:
    """An empty name would address the whole collection: for delete, with all that is in it."""
    kube, transport = client()
    nameless = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": ""}}
    calls: dict[str, Callable[[], object]] = {
        "get": lambda: kube.get("v1", "ConfigMap", ""),
        "patch": lambda: kube.patch("v1", "ConfigMap", "", {}),
        "delete": lambda: kube.delete("v1", "ConfigMap", ""),
        "apply": lambda: kube.apply(nameless),
        "replace": lambda: kube.replace(nameless),
    }
    with pytest.raises(UsageError, match="the name"):
        calls[verb]()
    assert [request.path for request in transport.requests] == ["/api"]


def test_deleting_all_needs_labels_and_a_namespace() -> None:
    """A slip must not empty a namespace, or all of them."""
    kube, transport = client()
    for namespace, labels in (("ns", ""), (None, "a=b")):
        with pytest.raises(UsageError):
            kube.delete_all("v1", "ConfigMap", namespace, labels=labels)
    assert [request.method for request in transport.requests] == ["GET"]


@pytest.mark.parametrize(
    ("patch_type", "content_type"),
    [("merge", "merge-patch"), ("json", "json-patch"), ("strategic", "strategic-merge-patch")],
)
def test_patches_say_their_kind(patch_type: Any, content_type: str) -> None:
    """The content type tells the server how to read the body."""
    kube, transport = client({})
    kube.patch("v1", "ConfigMap", "a", [], patch_type=patch_type, subresource="status")
    assert transport.requests[1].content_type == f"application/{content_type}+json"
    assert transport.requests[1].path.endswith("/configmaps/a/status")
    assert ("fieldManager", "harness") in transport.requests[1].query


def test_an_apply_names_its_manager() -> None:
    """Server-side apply says who owns the fields and whether to take them."""
    kube, transport = client({}, {})
    kube.apply(CONFIG_MAP)
    kube.apply(CONFIG_MAP, field_manager="kudo", force=False)
    assert list(transport.requests[1].query) == [("fieldManager", "harness"), ("force", "true")]
    assert list(transport.requests[2].query) == [("fieldManager", "kudo"), ("force", "false")]
    assert transport.requests[1].content_type == "application/apply-patch+yaml"


def test_a_missing_object_is_none_for_find_and_no_error_for_delete() -> None:
    """Get raises, find returns None, delete does not mind unless told to."""
    missing = refusal(404, "NotFound", name="a", kind="configmaps")
    kube, _ = client(missing, missing, missing, missing)
    assert kube.find("v1", "ConfigMap", "a") is None
    kube.delete("v1", "ConfigMap", "a")
    with pytest.raises(NotFound, match="delete v1/ConfigMap home/a"):
        kube.delete("v1", "ConfigMap", "a", missing_ok=False)
    with pytest.raises(NotFound, match="get v1/ConfigMap home/a"):
        kube.get("v1", "ConfigMap", "a")


def test_a_kind_that_is_gone_is_looked_up_again() -> None:
    """A 404 that names no object means the kind; its place is asked for anew at the next use."""
    kube, transport = client(refusal(404, "NotFound"), {})
    with pytest.raises(NotFound):
        kube.get("v1", "ConfigMap", "a")
    kube.get("v1", "ConfigMap", "a")
    assert [request.path for request in transport.requests].count("/api") == 2


def test_delete_options_are_sent() -> None:
    """Propagation, grace period and the uid that is meant go into the body."""
    kube, transport = client({})
    kube.delete("v1", "ConfigMap", "a", propagation="Foreground", grace=0, uid="u")
    assert json.loads(transport.requests[1].body or b"") == {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "propagationPolicy": "Foreground",
        "gracePeriodSeconds": 0,
        "preconditions": {"uid": "u"},
    }


def test_a_condition_that_is_true_already_opens_no_watch() -> None:
    """One read decides."""
    kube, transport = client(config_map("a", "1"))
    assert kube.until("v1", "ConfigMap", "a", None, lambda found: found is not None, timeout=5, wanted="x") is True
    assert transport.streamed == []


def test_a_condition_on_one_object_is_decided_on_its_events() -> None:
    """Absence is told as None; the watch looks at that one name only and is closed in the end."""
    stream = FakeStream(
        line("ADDED", config_map("a", "2", phase="new")), line("MODIFIED", config_map("a", "3")), open_end=True
    )
    kube, transport = client(refusal(404, "NotFound", name="a"), listed("1"), streams=(stream,))
    seen: list[str] = []

    def settled(found: Manifest | None) -> str | Pending:
        seen.append(found["metadata"]["resourceVersion"] if found else "none")
        return "done" if seen[-1] == "3" else Pending(f"at {seen[-1]}")

    assert kube.until("v1", "ConfigMap", "a", None, settled, timeout=5, wanted="settled") == "done"
    assert seen == ["none", "none", "2", "3"]
    assert ("fieldSelector", "metadata.name=a") in transport.streamed[0].query
    assert stream.closed.is_set()


def test_an_object_that_stays_is_reported_with_what_holds_it() -> None:
    """The error of until_gone names the finalizers, or says that nobody asked for the removal."""
    held = config_map("a", "1")
    held["metadata"] |= {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["kudo.dev/cleanup"]}
    for found, reason in (
        (held, "held by the finalizers kudo.dev/cleanup"),
        (config_map("a", "1"), "nobody has asked"),
    ):
        kube, _ = client(found, listed("1", found))
        with pytest.raises(DeadlineError) as caught:
            kube.until_gone("v1", "ConfigMap", "a", timeout=0.05)
        assert reason in caught.value.seen


def test_a_namesake_is_not_the_object_that_was_to_go() -> None:
    """A new object of the same name means that the old one is gone."""
    kube, _ = client(config_map("a", "1"), listed("9", config_map("a", "9", uid="second")))
    kube.until_gone("v1", "ConfigMap", "a", timeout=5)
