"""Three-way merge of applied objects, section 3.1 of the reference."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.kit.documents import Manifest
from harness.kudo.merge import LAST_APPLIED, MissingOriginalError, json_patch, merged, original_of, with_original
from tests.kudo_engine.fakes import merge_patch


def manifest(kind: str = "ConfigMap", api_version: str = "v1", **parts: Any) -> Manifest:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}, **parts}


def pod(**spec: Any) -> Manifest:
    return manifest("Pod", spec=spec)


def container(name: str, **parts: Any) -> Manifest:
    return {"name": name, **parts}


def test_dropped_fields_go_foreign_fields_stay_drift_is_reverted() -> None:
    """What the template dropped is removed, what others added stays, what others changed is put back."""
    original = manifest(data={"a": "1", "b": "2"})
    modified = manifest(data={"a": "1"})
    current = manifest(data={"a": "9", "b": "2", "c": "3"})
    assert merged(original, modified, current)["data"] == {"a": "1", "c": "3"}


def test_null_removes() -> None:
    """A field that the template sets to null is removed, and is not missed where it is absent."""
    modified = manifest(data={"a": None, "b": {"c": None}})
    assert merged({}, modified, manifest(data={"a": "1"}))["data"] == {"b": {}}


def test_containers_merge_by_name() -> None:
    """Containers are merged by name: injected ones stay, defaults stay, dropped ones go, order follows the template."""
    original = pod(containers=[container("a", image="1"), container("old")])
    modified = pod(containers=[container("b", image="3"), container("a", image="2")])
    current = pod(containers=[container("a", image="1", policy="Always"), container("old"), container("proxy")])
    names = merged(original, modified, current)["spec"]["containers"]
    assert names == [
        container("b", image="3"),
        container("a", image="2", policy="Always"),
        container("proxy"),
    ]


def test_nested_lists_of_containers_merge() -> None:
    """Environment, mounts and ports of a container merge by their own keys."""
    old = container("a", env=[{"name": "GONE", "value": "1"}], volumeMounts=[{"mountPath": "/x", "name": "v"}])
    live = container(
        "a",
        env=[{"name": "GONE", "value": "1"}, {"name": "INJECTED", "value": "2"}],
        volumeMounts=[{"mountPath": "/x", "name": "v"}, {"mountPath": "/var/run", "name": "token"}],
        ports=[{"containerPort": 80, "protocol": "TCP"}],
    )
    new = container(
        "a",
        env=[{"name": "NEW", "value": "3"}],
        volumeMounts=[{"mountPath": "/x", "name": "w"}],
        ports=[{"containerPort": 80}],
    )
    result = merged(pod(containers=[old]), pod(containers=[new]), pod(containers=[live]))["spec"]["containers"][0]
    assert result["env"] == [{"name": "INJECTED", "value": "2"}, {"name": "NEW", "value": "3"}]
    assert result["volumeMounts"] == [{"mountPath": "/x", "name": "w"}, {"mountPath": "/var/run", "name": "token"}]
    assert result["ports"] == [{"containerPort": 80, "protocol": "TCP"}]


def test_service_ports_keep_what_the_server_added() -> None:
    """A Service's ports merge by number, so that assigned node ports stay."""
    live = manifest(
        "Service", spec={"ports": [{"port": 3306, "nodePort": 30001, "targetPort": 3306}], "clusterIP": "x"}
    )
    new = manifest("Service", spec={"ports": [{"port": 3306, "targetPort": 3307}]})
    assert merged({}, new, live)["spec"] == {
        "ports": [{"port": 3306, "nodePort": 30001, "targetPort": 3307}],
        "clusterIP": "x",
    }


def test_port_that_stands_twice() -> None:
    """A port for TCP and UDP is not told apart by its number: the list is taken from the template."""
    ports = [{"port": 53, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}]
    live = manifest("Service", spec={"ports": [{"port": 53, "protocol": "TCP", "nodePort": 1}]})
    assert merged({}, manifest("Service", spec={"ports": ports}), live)["spec"]["ports"] == ports


@pytest.mark.parametrize("field", ["tolerations", "command", "args", "readinessGates"])
def test_other_lists_are_replaced(field: str) -> None:
    """Lists without a merge key are replaced as a whole."""
    new = pod(**{field: [{"key": "a"}]})
    live = pod(**{field: [{"key": "b"}, {"key": "c"}]})
    assert merged({}, new, live)["spec"][field] == [{"key": "a"}]


def test_template_of_workloads() -> None:
    """The keys hold inside the pod templates of workloads and of a CronJob's jobs."""
    for kind, api_version, path in (
        ("Deployment", "apps/v1", ["spec"]),
        ("StatefulSet", "apps/v1", ["spec"]),
        ("Job", "batch/v1", ["spec"]),
        ("CronJob", "batch/v1", ["spec", "jobTemplate", "spec"]),
    ):

        def around(
            spec: Manifest, path: list[str] = path, kind: str = kind, api_version: str = api_version
        ) -> Manifest:
            value: Manifest = {"template": {"spec": spec}}
            for key in reversed(path):
                value = {key: value}
            return manifest(kind, api_version, **value)

        new, live = {"containers": [container("a")]}, {"containers": [container("a", image="x"), container("b")]}
        assert merged({}, around(new), around(live)) == around(live), kind


def test_volume_that_changes_its_source() -> None:
    """A volume that becomes another kind of volume loses the fields of the former kind."""
    live = pod(volumes=[{"name": "v", "configMap": {"name": "a", "defaultMode": 420}}])
    secret = merged({}, pod(volumes=[{"name": "v", "secret": {"secretName": "s"}}]), live)
    assert secret["spec"]["volumes"] == [{"name": "v", "secret": {"secretName": "s"}}]
    same = merged({}, pod(volumes=[{"name": "v", "configMap": {"name": "a"}}]), live)
    assert same == live
    other = merged({}, pod(volumes=[{"name": "v", "configMap": {"name": "b"}}]), live)
    assert other["spec"]["volumes"] == [{"name": "v", "configMap": {"name": "b", "defaultMode": 420}}]


def test_strategy_that_changes() -> None:
    """A Deployment that turns to Recreate loses the defaulted rollingUpdate."""
    live = manifest(
        "Deployment", "apps/v1", spec={"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}
    )
    new = manifest("Deployment", "apps/v1", spec={"strategy": {"type": "Recreate"}})
    assert merged({}, new, live)["spec"]["strategy"] == {"type": "Recreate"}


def test_finalizers_and_owners_merge() -> None:
    """Finalizers merge as a set and owners by uid, so that others' entries stay."""
    live, old, new = manifest(), manifest(), manifest()
    live["metadata"] |= {"finalizers": ["theirs", "gone"], "ownerReferences": [{"uid": "1"}, {"uid": "2", "name": "o"}]}
    old["metadata"] |= {"finalizers": ["gone"]}
    new["metadata"] |= {"finalizers": ["ours"], "ownerReferences": [{"uid": "2", "controller": True}]}
    result = merged(old, new, live)["metadata"]
    assert result["finalizers"] == ["theirs", "ours"]
    assert result["ownerReferences"] == [{"uid": "1"}, {"uid": "2", "name": "o", "controller": True}]


@pytest.mark.parametrize("api_version", ["example.org/v1", "kudo.dev/v1beta1", "apiextensions.k8s.io/v1"])
def test_custom_resources_merge_as_json(api_version: str) -> None:
    """Lists of custom resources, KUDO's kinds and CRDs are replaced as a whole, maps are merged."""
    new = manifest("Thing", api_version, spec={"containers": [{"name": "a"}], "m": {"a": 1}})
    live = manifest("Thing", api_version, spec={"containers": [{"name": "a", "x": 1}, {"name": "b"}], "m": {"b": 2}})
    assert merged({}, new, live)["spec"] == {"containers": [{"name": "a"}], "m": {"b": 2, "a": 1}}


def test_annotation_holds_the_object_without_itself() -> None:
    """The annotation is the object as JSON in Go's writing, without the annotation."""
    item = manifest(data={"a": "<b & c>"})
    item["metadata"]["annotations"] = {"x": "y", LAST_APPLIED: "old"}
    text = with_original(item)["metadata"]["annotations"][LAST_APPLIED]
    assert text == (
        '{"apiVersion":"v1","data":{"a":"\\u003cb \\u0026 c\\u003e"},"kind":"ConfigMap",'
        '"metadata":{"annotations":{"x":"y"},"name":"x"}}'
    )
    assert original_of(with_original(item)) == json.loads(text)
    assert "annotations" not in original_of(with_original(manifest()))["metadata"]


def test_object_without_annotations_is_adopted() -> None:
    """A live object without any annotation counts as never applied."""
    assert original_of(manifest()) == {}


@pytest.mark.parametrize(
    ("annotations", "message"),
    [
        ({"other": "x"}, "failed to get original configuration LastAppliedConfigAnnotation is not set"),
        ({LAST_APPLIED: "no json"}, "failed to get original configuration: Expecting value: line 1 column 1 (char 0)"),
        ({LAST_APPLIED: "[]"}, "failed to get original configuration: not an object"),
    ],
)
def test_object_of_somebody_else(annotations: dict[str, str], message: str) -> None:
    """A live object with annotations but not ours, or with ours unreadable, is refused."""
    live = manifest()
    live["metadata"]["annotations"] = annotations
    with pytest.raises(MissingOriginalError) as caught:
        original_of(live)
    assert str(caught.value) == message


JSON = st.recursive(
    st.booleans() | st.integers(0, 3) | st.sampled_from("ab"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.sampled_from("abcd"), JSON, max_size=4)


@settings(deadline=None)  # what counts is the answer, not how busy the machine is
@given(OBJECTS, OBJECTS)
def test_patch_leads_from_one_object_to_the_other(current: Manifest, wanted: Manifest) -> None:
    """A JSON merge patch of two objects turns the one into the other, and is empty only for equal ones."""
    patch = json_patch(current, wanted)
    assert merge_patch(current, patch) == wanted
    assert (patch == {}) == (current == wanted)


@settings(deadline=None)  # what counts is the answer, not how busy the machine is
@given(OBJECTS, OBJECTS, OBJECTS)
def test_merge_settles(original: Manifest, modified: Manifest, current: Manifest) -> None:
    """Merging the result with what was applied changes nothing any more."""
    parts = [manifest("Thing", "example.org/v1", spec=spec) for spec in (original, modified, current)]
    once = merged(*parts)
    assert merged(parts[1], parts[1], once) == once
