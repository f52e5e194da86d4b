"""The client against a real API server."""

from __future__ import annotations

import base64
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from harness.clusters.control_plane import ControlPlane
from harness.kit.documents import dump_yaml, load_documents
from harness.kit.errors import DeadlineError
from harness.kit.waiting import Pending
from harness.kube import (
    AlreadyExists,
    ApiError,
    Conflict,
    Forbidden,
    Invalid,
    Kube,
    Manifest,
    NotFound,
    TooManyRequests,
    Unauthorized,
    UnknownKind,
    dig,
    reflect,
)

pytestmark = pytest.mark.contract


def config_map(name: str, labels: dict[str, str] | None = None, **data: str) -> Manifest:
    """Return a ConfigMap."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels or {}}, "data": data}


def crd(plural: str, kind: str, group: str) -> Manifest:
    """Return a definition of a namespaced kind."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
        },
    }


def test_the_server_tells_its_version_and_kinds(kube: Kube) -> None:
    """Discovery finds built-in kinds, their scope and their subresources."""
    assert kube.server_version().startswith("v1.")
    sets = kube.resource("apps/v1", "StatefulSet")
    assert (sets.plural, sets.namespaced, "scale" in sets.subresources) == ("statefulsets", True, True)
    assert not kube.resource("v1", "Namespace").namespaced
    assert {"CustomResourceDefinition", "EndpointSlice"} <= {one.kind for one in kube.resources()}
    with pytest.raises(UnknownKind) as caught:
        kube.resource("apps/v1", "StatefullSet")
    assert 'did you mean "StatefulSet"?' in caught.value.seen


def test_objects_are_created_read_changed_and_deleted(kube: Kube) -> None:
    """The whole life of an object, in plain dicts."""
    made = kube.create(config_map("a", x="1"))
    assert (made["apiVersion"], made["kind"], made["metadata"]["namespace"]) == (
        "v1",
        "ConfigMap",
        kube.default_namespace,
    )
    assert kube.get("v1", "ConfigMap", "a") == made
    made["data"]["x"] = "2"
    assert kube.replace(made)["data"] == {"x": "2"}
    assert kube.patch("v1", "ConfigMap", "a", {"data": {"y": "3"}})["data"] == {"x": "2", "y": "3"}
    operations = [{"op": "remove", "path": "/data/x"}]
    assert kube.patch("v1", "ConfigMap", "a", operations, patch_type="json")["data"] == {"y": "3"}
    assert kube.patch("v1", "ConfigMap", "a", {"data": {"z": "4"}}, patch_type="strategic")["data"]["z"] == "4"
    kube.delete("v1", "ConfigMap", "a")
    kube.delete("v1", "ConfigMap", "a")
    assert kube.find("v1", "ConfigMap", "a") is None
    with pytest.raises(NotFound):
        kube.delete("v1", "ConfigMap", "a", missing_ok=False)


def test_a_name_that_is_taken_is_told_apart_from_a_conflict(kube: Kube) -> None:
    """Both are a 409: creating twice, and replacing an object that has changed."""
    first = kube.create(config_map("a"))
    with pytest.raises(AlreadyExists):
        kube.create(config_map("a"))
    kube.patch("v1", "ConfigMap", "a", {"data": {"x": "1"}})
    with pytest.raises(Conflict):
        kube.replace(first)
    with pytest.raises(Conflict):
        kube.delete("v1", "ConfigMap", "a", uid="another")


def test_apply_owns_its_fields(kube: Kube) -> None:
    """Apply creates and updates; a field of another manager is a conflict that names both, unless forced."""
    kube.apply(config_map("a", x="1"), field_manager="one")
    with pytest.raises(Conflict) as caught:
        kube.apply(config_map("a", x="2"), field_manager="two", force=False)
    assert '"one"' in str(caught.value)
    assert ".data.x" in str(caught.value)
    assert kube.apply(config_map("a", x="2"), field_manager="two")["data"] == {"x": "2"}


def test_an_invalid_object_names_each_field(kube: Kube) -> None:
    """Every cause is a line with its field."""
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": [{"port": 99999}]}}
    with pytest.raises(Invalid) as caught:
        kube.create(service)
    assert "spec.ports[0].port: Invalid value: 99999" in caught.value.seen
    assert caught.value.where == kube.server


def test_a_secrets_value_stays_out_of_errors(kube: Kube) -> None:
    """A rejected Secret's values are in no text of the error."""
    value = "hunter2-hunter2"
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "type": "kubernetes.io/tls"}
    for data in ({"stringData": {"bad key!": value}}, {"data": {"x": value + "!"}}, {"stringData": value}):
        with pytest.raises(ApiError) as caught:
            kube.create({**secret, **data})
        assert value not in str(caught.value)


def test_lists_are_selected_and_paged(kube: Kube, monkeypatch: pytest.MonkeyPatch) -> None:
    """Label and field selectors work, pages are joined, and items say what they are."""
    for number in range(5):
        kube.create(config_map(f"c{number}", {"half": str(number % 2)}))
    monkeypatch.setattr(reflect, "_PAGE", 2)
    space = kube.default_namespace
    found = kube.list("v1", "ConfigMap", space)
    assert [one["metadata"]["name"] for one in found] == [f"c{number}" for number in range(5)]
    assert {(one["apiVersion"], one["kind"]) for one in found} == {("v1", "ConfigMap")}
    assert len(kube.list("v1", "ConfigMap", space, labels="half=1")) == 2
    assert len(kube.list("v1", "ConfigMap", space, fields="metadata.name=c3")) == 1
    assert len(kube.list("v1", "ConfigMap")) >= 5


def test_all_objects_with_a_label_are_deleted_and_no_others(kube: Kube) -> None:
    """A run's leftovers go, and what is not labelled stays."""
    for name, label in (("a", "mine"), ("b", "mine"), ("c", "other")):
        kube.create(config_map(name, {"run": label}))
    kube.delete_all("v1", "ConfigMap", kube.default_namespace, labels="run=mine")
    assert [one["metadata"]["name"] for one in kube.list("v1", "ConfigMap", kube.default_namespace)] == ["c"]


def test_a_new_kind_can_be_used_as_soon_as_it_is_served(kube: Kube) -> None:
    """A definition that was just created is waited for; one whose kind is gone again is unknown."""
    kube.create(crd("widgets", "Widget", "one.harness.dev"))
    assert kube.until_served("one.harness.dev/v1", "Widget", timeout=10).plural == "widgets"
    made = kube.create(
        {"apiVersion": "one.harness.dev/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"a": 1}}
    )
    assert made["spec"] == {"a": 1}
    kube.delete("apiextensions.k8s.io/v1", "CustomResourceDefinition", "widgets.one.harness.dev")
    kube.until_gone("apiextensions.k8s.io/v1", "CustomResourceDefinition", "widgets.one.harness.dev", timeout=10)
    with pytest.raises(NotFound):
        kube.get("one.harness.dev/v1", "Widget", "w")
    with pytest.raises(DeadlineError) as caught:
        kube.until_served("one.harness.dev/v1", "Gadget", timeout=0.05)
    assert "the kind one.harness.dev/v1/Gadget served" in caught.value.wanted


def test_waiting_for_an_object_is_decided_on_its_events(kube: Kube) -> None:
    """The wait ends with the change, whoever makes it; the value of the condition is returned."""

    def value(found: Manifest | None) -> str | Pending:
        text = dig(found or {}, "data.x")
        return str(text) if text == "2" else Pending(f"x is {text}")

    timer = threading.Timer(0.05, lambda: kube.create(config_map("a", x="2")))
    timer.start()
    assert kube.until("v1", "ConfigMap", "a", None, value, timeout=10, wanted="x is 2") == "2"
    timer.join()
    with pytest.raises(DeadlineError) as caught:
        kube.until("v1", "ConfigMap", "b", None, value, timeout=0.1, wanted="x is 2")
    assert caught.value.seen == "x is None"


def test_an_object_held_by_a_finalizer_is_not_gone(kube: Kube) -> None:
    """The error names the finalizer; once that is taken off, the object is gone."""
    kube.create({**config_map("a"), "metadata": {"name": "a", "finalizers": ["harness.dev/hold"]}})
    kube.delete("v1", "ConfigMap", "a")
    with pytest.raises(DeadlineError) as caught:
        kube.until_gone("v1", "ConfigMap", "a", timeout=0.1)
    assert "harness.dev/hold" in caught.value.seen
    timer = threading.Timer(0.05, lambda: kube.patch("v1", "ConfigMap", "a", {"metadata": {"finalizers": None}}))
    timer.start()
    kube.until_gone("v1", "ConfigMap", "a", timeout=10)
    timer.join()


def test_a_status_is_written_through_its_subresource(kube: Kube) -> None:
    """Status patches change the status and nothing else."""
    spec = {"containers": [{"name": "c", "image": "x"}]}
    kube.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec})
    assert (
        kube.patch("v1", "Pod", "p", {"status": {"phase": "Running"}}, subresource="status")["status"]["phase"]
        == "Running"
    )


def test_a_disruption_budgets_refusal_is_told_at_once(kube: Kube) -> None:
    """An eviction that a budget forbids raises TooManyRequests, and is not retried until the timeout."""
    spec = {"containers": [{"name": "c", "image": "x"}]}
    kube.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "labels": {"a": "b"}}, "spec": spec})
    conditions = [{"type": "Ready", "status": "True"}]
    kube.patch("v1", "Pod", "p", {"status": {"phase": "Running", "conditions": conditions}}, subresource="status")
    budget = {"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}}
    kube.create({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "b"}, "spec": budget})
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}}
    with pytest.raises(TooManyRequests):
        kube.create(eviction, subresource="eviction")
    kube.delete("policy/v1", "PodDisruptionBudget", "b")
    kube.create(eviction, subresource="eviction")


def with_token(original: Path, token: str, copy: Path) -> Path:
    """Write a kubeconfig for another user."""
    value: dict[str, Any] = load_documents(original)[0].value
    value["users"][0]["user"] = {"token": token}
    copy.write_text(dump_yaml(value), encoding="utf-8")
    return copy


def test_users_without_rights_and_unknown_users_are_told_so(
    kube: Kube, api_server: ControlPlane, tmp_path: Path
) -> None:
    """A service account without a role is Forbidden, a wrong token is Unauthorized; no token is in the text."""
    kube.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "poor"}})
    request = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "metadata": {"name": "poor"},
        "spec": {},
    }
    token = kube.create(request, subresource="token")["status"]["token"]
    assert json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))["sub"].endswith(":poor")
    with Kube.connect(with_token(api_server.kubeconfig, token, tmp_path / "poor")) as poor:
        with pytest.raises(Forbidden) as caught:
            poor.list("v1", "ConfigMap", kube.default_namespace)
        assert "can-i" in caught.value.run
        with pytest.raises(Forbidden):
            poor.watch("v1", "ConfigMap").wait_synced(5)
    wrong_config = with_token(api_server.kubeconfig, "wrong-token", tmp_path / "wrong")
    with Kube.connect(wrong_config) as wrong, pytest.raises(Unauthorized) as unknown:
        wrong.get("v1", "ConfigMap", "a")
    assert "wrong-token" not in str(unknown.value)


def test_one_client_serves_many_threads(kube: Kube) -> None:
    """Eight threads write and read through one client; nothing is lost or mixed up."""

    def work(number: int) -> str:
        kube.create(config_map(f"t{number}", x=str(number)))
        return str(kube.get("v1", "ConfigMap", f"t{number}")["data"]["x"])

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(64))) == [str(number) for number in range(64)]
