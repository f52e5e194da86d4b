"""Which kinds are served, from one request, and what is said of those that are not."""

from __future__ import annotations

from typing import Any

import pytest

from harness.kit.errors import HarnessError
from harness.kube import Resource, UnknownKind
from harness.kube.discovery import Discovery, parse_discovery
from harness.kube.transport import Request
from tests.kube.fakes import DISCOVERY_CORE


def group(name: str, versions: dict[str, dict[str, str]]) -> dict[str, Any]:
    """Return a group of cluster-wide kinds: version -> plural -> kind."""
    return {
        "metadata": {"name": name},
        "versions": [
            {
                "version": version,
                "resources": [
                    {"resource": plural, "responseKind": {"kind": kind}, "scope": "Cluster"}
                    for plural, kind in kinds.items()
                ],
            }
            for version, kinds in versions.items()
        ],
    }


class FakeSession:
    """Answers discovery requests; `groups` may be changed between them."""

    def __init__(self) -> None:
        self.groups: list[dict[str, Any]] = [group("apps", {"v1": {"statefulsets": "StatefulSet"}})]
        self.asked: list[str] = []
        self.kind = "APIGroupDiscoveryList"

    def json(self, request: Request) -> Any:
        assert "as=APIGroupDiscoveryList" in request.accept
        self.asked.append(request.path)
        return DISCOVERY_CORE if request.path == "/api" else {"kind": self.kind, "items": self.groups}


def test_an_aggregated_answer_is_read_into_resources() -> None:
    """Group, version, kind, plural, scope, verbs, short names and subresources come from the answer."""
    found = {one.kind: one for one in parse_discovery(DISCOVERY_CORE)}
    assert found["Pod"] == Resource(
        group="", version="v1", kind="Pod", plural="pods", namespaced=True,
        verbs=frozenset({"get", "list", "watch"}), short_names=("po",), subresources=frozenset({"status"}),
    )  # fmt: skip
    assert not found["Namespace"].namespaced


def test_entries_without_a_kind_are_left_out() -> None:
    """A resource that exists only through its subresources is no kind."""
    answer = {"items": [{"metadata": {"name": "g"}, "versions": [{"version": "v1", "resources": [{"resource": "x"}]}]}]}
    assert list(parse_discovery(answer)) == []


@pytest.mark.parametrize(
    ("namespace", "name", "subresource", "path"),
    [
        ("ns", "a", None, "/api/v1/namespaces/ns/pods/a"),
        ("ns", "a", "status", "/api/v1/namespaces/ns/pods/a/status"),
        ("ns", None, None, "/api/v1/namespaces/ns/pods"),
        (None, None, None, "/api/v1/pods"),
    ],
)
def test_paths_of_a_core_kind(namespace: str | None, name: str | None, subresource: str | None, path: str) -> None:
    """The path names the namespace, the object and its part as far as they are given."""
    pods = Resource(group="", version="v1", kind="Pod", plural="pods", namespaced=True)
    assert pods.path(namespace, name, subresource) == path


def test_the_path_of_a_cluster_wide_kind_has_no_namespace() -> None:
    """A namespace is ignored where there is none."""
    nodes = Resource(group="g.dev", version="v2", kind="Thing", plural="things", namespaced=False)
    assert nodes.path("ns", "a") == "/apis/g.dev/v2/things/a"
    assert nodes.api_version == "g.dev/v2"


def test_known_kinds_are_asked_for_once() -> None:
    """The core group and the others take one request each, and none after that."""
    session = FakeSession()
    discovery = Discovery(session)
    for _ in range(3):
        assert discovery.resource("v1", "Pod").plural == "pods"
        assert discovery.resource("apps/v1", "StatefulSet").plural == "statefulsets"
    assert session.asked == ["/api", "/apis"]


def test_a_missed_kind_is_looked_for_once_more() -> None:
    """A kind that came after the first look is found; one that is not there costs one request each time."""
    session = FakeSession()
    discovery = Discovery(session)
    with pytest.raises(UnknownKind):
        discovery.resource("kudo.dev/v1beta1", "Instance")
    session.groups.append(group("kudo.dev", {"v1beta1": {"instances": "Instance"}}))
    assert discovery.resource("kudo.dev/v1beta1", "Instance").plural == "instances"
    assert session.asked == ["/apis", "/apis"]


def test_a_forgotten_kind_is_asked_for_again() -> None:
    """A kind that the server no longer knew is looked up again at its next use."""
    session = FakeSession()
    discovery = Discovery(session)
    discovery.forget(discovery.resource("v1", "Pod"))
    discovery.resource("v1", "Pod")
    assert session.asked == ["/api", "/api"]


@pytest.mark.parametrize(
    ("api_version", "kind", "seen", "exists"),
    [
        ("v1", "Pods", 'did you mean "Pod"?', "Pod"),
        ("apps/v1beta1", "StatefulSet", "served in another version", "apps/v1/StatefulSet"),
        ("app/v1", "Deployment", 'did you mean "apps/v1"?', "apps/v1"),
    ],
)
def test_an_unknown_kind_names_the_nearest(api_version: str, kind: str, seen: str, exists: str) -> None:
    """The error says what is near: another spelling, another version, another group; and what exists."""
    with pytest.raises(UnknownKind) as caught:
        Discovery(FakeSession()).resource(api_version, kind)
    assert seen in caught.value.seen
    assert exists in caught.value.exists


def test_all_kinds_can_be_listed() -> None:
    """Resources returns the kinds of both roots, as they are now."""
    kinds = {one.kind for one in Discovery(FakeSession()).resources()}
    assert {"Pod", "StatefulSet"} <= kinds


def test_a_server_without_aggregated_discovery_is_named() -> None:
    """An old server's answer is an error that says which version is needed."""
    session = FakeSession()
    session.kind = "APIGroupList"
    with pytest.raises(HarnessError, match="the kinds") as caught:
        Discovery(session).resource("apps/v1", "StatefulSet")
    assert "older than Kubernetes 1.30" in caught.value.seen
