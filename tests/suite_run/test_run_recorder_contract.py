"""The recorder against a real API server that misbehaves: no hang, no state lost, a clear line for each."""

from __future__ import annotations

import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from harness.clusters.control_plane import ControlPlane
from harness.kit.documents import dump_yaml, load_documents
from harness.kit.waiting import Deadline, Pending, until
from harness.kube import Kube
from harness.suite.place import locate
from harness.suite.recorder import Recorder, Track
from harness.suite.sites import Site
from tests.kube.cutter import Cutter
from tests.suite_run.conftest import Runner

pytestmark = pytest.mark.contract

Later = Callable[[float, Callable[[], object]], None]


def config_map(name: str = "one", **data: str) -> str:
    """Return a ConfigMap as a document."""
    lines = "".join(f"  '{key}': '{value}'\n" for key, value in data.items())
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n" + (f"data:\n{lines}" if lines else "")


@pytest.fixture
def namespace(kube: Kube) -> str:
    """Return a new namespace."""
    name = f"n-{uuid.uuid4().hex[:8]}"
    kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    return name


@pytest.fixture
def cutter(control_plane: ControlPlane) -> Iterator[Cutter]:
    """Yield a port between a client and the API server that can be cut."""
    with Cutter(urlsplit(control_plane.url).port or 0) as between:
        yield between


def follow(recorder: Recorder, namespace: str, kind: str = "ConfigMap") -> Track:
    """Return a track that knows its objects."""
    place = locate(recorder.kube, "v1", kind, written="", namespace=namespace)
    track = recorder.track(place)
    assert track.until_ready(Deadline.after(10))
    return track


def test_one_watch_is_shared_and_ends_with_its_last_user(site: Site, namespace: str) -> None:
    """Recorder: cases share the watch of a kind and namespace; it starts on first need and ends with the last one."""
    first, second = follow(site.recorder, namespace), follow(site.recorder, namespace)
    assert first is second
    site.recorder.release([first])
    place = locate(site.kube, "v1", "ConfigMap", written="", namespace=namespace)
    assert site.recorder.known(place) is first
    site.recorder.release([second])
    assert site.recorder.known(place) is None
    names = [thread.name for thread in threading.enumerate()]
    assert f"watch v1/ConfigMap in {namespace}" not in names


def test_states_are_kept_in_order(site: Site, kube: Kube, namespace: str) -> None:
    """Recorder: every state of an object is kept, its deletion too, with the moment."""
    track = follow(site.recorder, namespace)
    kube.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}, "data": {"a": "1"}}, namespace)
    for value in ("2", "3"):
        kube.patch("v1", "ConfigMap", "one", {"data": {"a": value}}, namespace)
    kube.delete("v1", "ConfigMap", "one", namespace)
    until(lambda: True if len(track.history("one")) == 4 else Pending("not yet"), timeout=5, wanted="four states")
    history = track.history("one")
    assert [state.object["data"]["a"] if state.object else None for state in history] == ["1", "2", "3", None]
    assert [state.at for state in history] == sorted(state.at for state in history)


def test_a_refresh_takes_what_the_watch_has_not_told(site: Site, kube: Kube, namespace: str) -> None:
    """Recorder: a list brings what others wrote, and what they deleted; the watch's later word does no harm."""
    track = follow(site.recorder, namespace)
    for number in range(20):
        name = f"m{number}"
        kube.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}, namespace)
        track.refresh()
        assert track.get(name) is not None
        kube.delete("v1", "ConfigMap", name, namespace)
        track.refresh()
        assert track.get(name) is None
    time.sleep(0.2)  # the watch tells all of it again
    assert track.objects() == []


@pytest.fixture
def cut(runner: Runner, control_plane: ControlPlane, cutter: Cutter, tmp_path: Path) -> Iterator[Runner]:
    """Yield a runner whose connections can be cut."""
    path = cutter.kubeconfig(control_plane.kubeconfig, tmp_path / "cut.yaml")
    runner.suite |= {"suppress": ("events",)}
    with Kube.connect(path) as client:
        recorder = Recorder(client)
        runner.site = Site(kube=client, recorder=recorder, kubeconfig=path)
        yield runner
        recorder.close()


def test_a_dropped_watch_loses_nothing(cut: Runner, cutter: Cutter, kube: Kube, later: Later, namespace: str) -> None:
    """Bad input: connections that drop while a step waits do not fail it; what happened meanwhile is seen."""

    def cut_and_change() -> None:
        cutter.cut()
        kube.patch("v1", "ConfigMap", "one", {"data": {"a": "2"}}, namespace)
        cutter.cut()

    later(0.5, cut_and_change)
    result = cut.run({"00-x.yaml": config_map(a="1"), "00-assert.yaml": config_map(a="2")}, namespace=namespace)
    assert result.passed, cut.told


def test_a_server_that_goes_away_is_told(cut: Runner, cutter: Cutter, later: Later, namespace: str) -> None:
    """Bad input: a server that dies while a step waits: the step ends at its timeout, and the failure says why."""
    cut.suite["timeout"] = 2
    later(0.5, cutter.shut)
    begun = time.monotonic()
    result = cut.run({"00-x.yaml": config_map(), "00-assert.yaml": config_map("two")}, namespace=namespace)
    assert result.outcome == "failed"
    assert time.monotonic() - begun < 10
    assert any("the watch is interrupted" in hint for hint in result.steps[0].failures[0].hints)


@pytest.fixture
def restricted(kube: Kube, control_plane: ControlPlane, namespace: str, tmp_path: Path) -> Path:
    """Return the kubeconfig of somebody who may get and write ConfigMaps, but neither list nor watch them."""
    rbac = "rbac.authorization.k8s.io/v1"
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "create", "patch", "delete"]}]
    kube.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "tester"}}, namespace)
    kube.create({"apiVersion": rbac, "kind": "Role", "metadata": {"name": "tester"}, "rules": rules}, namespace)
    subject = {"kind": "ServiceAccount", "name": "tester", "namespace": namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "tester"}
    binding = {"apiVersion": rbac, "kind": "RoleBinding", "metadata": {"name": "tester"}}
    kube.create({**binding, "roleRef": role, "subjects": [subject]}, namespace)
    asked = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "metadata": {"name": "tester"},
        "spec": {},
    }
    token = kube.create(asked, namespace, subresource="token")["status"]["token"]
    value = load_documents(control_plane.kubeconfig)[0].value
    value["users"][0]["user"] = {"token": token}
    path = tmp_path / "restricted.yaml"
    path.write_text(dump_yaml(value))
    return path


def test_who_may_only_get_is_served_by_asking(
    runner: Runner, restricted: Path, kube: Kube, namespace: str, later: Later
) -> None:
    """Asserts, namespaces: kuttl needs only get; without list and watch objects are asked for at growing intervals."""
    later(0.5, lambda: kube.patch("v1", "ConfigMap", "one", {"data": {"a": "2"}}, namespace))
    runner.suite |= {"suppress": ("events",)}
    with Kube.connect(restricted) as tester:
        recorder = Recorder(tester)
        runner.site = Site(kube=tester, recorder=recorder, kubeconfig=restricted)
        files = {
            "00-x.yaml": config_map(a="1"),
            "00-assert.yaml": config_map(a="2"),
            "00-errors.yaml": config_map("absent"),
            "01-x.yaml": "apiVersion: kuttl.dev/v1beta1\nkind: TestStep\n"
            "delete:\n- {apiVersion: v1, kind: ConfigMap, name: one}\n",
            "01-errors.yaml": config_map(),
        }
        result = runner.run(files, namespace=namespace)
        nameless = runner.run({"00-assert.yaml": "apiVersion: v1\nkind: ConfigMap\n"}, "nameless", namespace=namespace)
        thing = "apiVersion: nowhere.io/v1\nkind: Thing\nmetadata: {name: x}\n"
        unknown = runner.run({"00-x.yaml": thing}, "unknown", namespace=namespace)
        recorder.close()
    assert result.passed, runner.told
    assert "could not find the requested resource" in unknown.steps[0].failures[0].text
    assert 'cannot create resource "namespaces"' in runner.told or "can neither be created" in runner.told
    assert nameless.outcome == "failed"
    assert "forbidden" in nameless.steps[0].failures[0].text


def test_a_server_that_restarts(tmp_path: Path, later: Later) -> None:
    """Bad input: a server that is started anew while a step waits: the wait goes on and sees what happened after."""
    with ControlPlane(folder=tmp_path / "plane") as plane, Kube.connect(plane.kubeconfig) as client:
        recorder = Recorder(client)
        runner = Runner(site=Site(kube=client, recorder=recorder, kubeconfig=plane.kubeconfig), folder=tmp_path)
        runner.suite |= {"timeout": 40, "suppress": ("events",)}
        server = plane._children[-1]  # the API server; etcd keeps what it wrote

        def restart() -> None:
            server.stop()
            plane._child("kube-apiserver", list(server.argv[server.argv.index("--") + 1 :]))
            change = {"data": {"a": "2"}}
            until(lambda: patched(client, change), timeout=30, wanted="the server back")

        later(1.0, restart)
        files = {"00-x.yaml": config_map(a="1"), "00-assert.yaml": config_map(a="2")}
        result = runner.run(files, namespace="restarted")
        recorder.close()
    assert result.passed, [str(failure) for failure in result.steps[0].failures]


def patched(client: Kube, change: Mapping[str, Any]) -> bool | Pending:
    """Change the object, if the server is there."""
    from harness.kube import ApiError

    try:
        client.patch("v1", "ConfigMap", "one", change, "restarted")
    except ApiError as error:
        return Pending(error.seen)
    return True


def test_a_webhook_that_hangs(runner: Runner, kube: Kube) -> None:
    """Bad input: an admission webhook that never answers fails the object with a reason; nothing hangs."""
    word = f"w{uuid.uuid4().hex[:8]}"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/"
        rules = [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}]
        hook = {
            "name": f"{word}.example.com", "clientConfig": {"url": url}, "rules": rules, "timeoutSeconds": 1,
            "objectSelector": {"matchLabels": {"hook": word}}, "failurePolicy": "Fail", "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        }  # fmt: skip
        kind = ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration")
        kube.create({"apiVersion": kind[0], "kind": kind[1], "metadata": {"name": word}, "webhooks": [hook]})
        labelled = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: one, labels: {{hook: {word}}}}}\n"
        try:
            until(lambda: hangs(runner, labelled, word), timeout=10, wanted="the webhook in effect")
        finally:
            kube.delete(*kind, word)


def hangs(runner: Runner, text: str, word: str) -> bool | Pending:
    """Run a case whose object the webhook is asked about; a new webhook takes effect after a moment."""
    begun = time.monotonic()
    result = runner.run({"00-x.yaml": text}, f"case-{begun}")
    if result.passed:
        return Pending("it is not asked yet")
    failure = result.steps[0].failures[0].text
    assert f'failed calling webhook "{word}.example.com"' in failure
    assert time.monotonic() - begun < 5
    return True
