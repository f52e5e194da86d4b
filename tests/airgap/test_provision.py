"""What is built and what is left to a registry; the pod network of several nodes; the truth of `status`."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from harness.airgap import provision as module
from harness.airgap import versions
from harness.airgap.engine import Docker, Engine
from harness.airgap.gobuild import ALL, GoBuild
from harness.airgap.layout import Layout
from harness.airgap.network import NodeNetwork, connect_nodes, route_lines
from harness.airgap.node_image import NodeImage
from harness.airgap.provision import Airgap, kind_config
from harness.airgap.status import gather, tree_size
from harness.kit.errors import HarnessError, UsageError
from harness.kit.process import ProcessError
from harness.kit.stages import Stages

INSPECT = ("docker", "manifest", "inspect")
IMAGE = ("docker", "image", "inspect")


@pytest.fixture
def airgap(layout: Layout, stages: Stages, fake: Any, monkeypatch: pytest.MonkeyPatch) -> Airgap:
    """An air gap whose programs are built at once and whose user's engine answers."""

    def build(go: GoBuild, names: list[str], _stages: Stages) -> dict[str, Path]:
        paths = {program.name: go.path(program) for program in ALL if program.name in names}
        for path in paths.values():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return paths

    monkeypatch.setattr(GoBuild, "build", build)
    monkeypatch.setattr(module, "system_engine", lambda run: Docker(run=run))
    fake.on(*IMAGE, gives=1)
    return Airgap(layout, stages, fake)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The references of the node images that were built."""
    references: list[str] = []
    monkeypatch.setattr(NodeImage, "ensure", lambda _self, tag, _archives, _key: references.append(tag))
    return references


def use_private(airgap: Airgap, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(docker=Docker(host="unix:///run/private.sock", run=airgap.private.docker.run), private=True)
    monkeypatch.setattr(module, "system_engine", lambda _run: "refused")
    monkeypatch.setattr(airgap.private, "up", lambda _stages: engine)


def test_with_engine_and_registry_nothing_is_built(airgap: Airgap, fake: Any, made: list[str]) -> None:
    """Kind pulls its own image: no node image, no address, no configuration of ours."""
    provision = airgap.ensure(None, (), "auto")
    assert made == []
    assert (provision.node_image, provision.docker_host, provision.engine) == ("", None, "system")
    assert (provision.kind_config, provision.built) == ({}, False)
    assert fake.starting(*INSPECT)[0][-1] == versions.KIND_DEFAULT_IMAGE


def test_a_published_patch_is_taken_for_a_minor(airgap: Airgap, fake: Any, made: list[str]) -> None:
    """The newest patch that the registry has satisfies a wish for a minor."""
    known = "kindest/node:v1.35.1"
    fake.on(*INSPECT, gives=lambda command: "{}" if command[-1] == known else (1, "no such manifest: kindest/node"))
    provision = airgap.ensure("1.35", (), "auto")
    assert (provision.node_image, provision.kubernetes_version, made) == (known, "v1.35.1", [])


def test_without_a_registry_the_image_is_built_and_the_reason_told(
    airgap: Airgap, fake: Any, made: list[str], told: io.StringIO
) -> None:
    """One short question, one line with the reason, then our own node image in the user's engine."""
    fake.on(*INSPECT, gives=(1, "dial tcp: lookup registry: no such host"))
    provision = airgap.ensure("1.36", (), "auto")
    assert provision.node_image == made[0]
    assert provision.built
    assert (provision.engine, provision.env) == ("system", {})
    assert len(fake.starting(*INSPECT)) == 1
    assert "no node image can be pulled (dial tcp: lookup registry: no such host)" in told.getvalue()


def test_a_registry_that_hangs_is_given_up(airgap: Airgap, fake: Any, made: list[str], told: io.StringIO) -> None:
    """No answer within a few seconds is a reason to build."""
    fake.on(*INSPECT, gives=ProcessError("docker manifest inspect to end within 8 s"))
    airgap.ensure("1.36", (), "auto")
    assert made
    assert "the registry gave no answer within 8 s" in told.getvalue()


def test_an_image_built_before_asks_no_registry(airgap: Airgap, fake: Any, made: list[str]) -> None:
    """With our node image there, nothing is asked and nothing is built: this is the fast path."""
    fake.on(*IMAGE, gives="sha256:1")
    provision = airgap.ensure(None, (), "auto")
    assert provision.built
    assert fake.starting(*INSPECT) == []
    assert made == []


def test_without_an_engine_the_private_one_is_used(
    airgap: Airgap, made: list[str], told: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Children are bound to the private engine's address, and the reason is told."""
    use_private(airgap, monkeypatch)
    provision = airgap.ensure(None, (), "auto")
    assert (provision.engine, provision.docker_host) == ("private", "unix:///run/private.sock")
    assert provision.env == {"DOCKER_HOST": "unix:///run/private.sock"}
    assert provision.kind is not None
    assert provision.kind.name == "kind"
    assert "no Docker engine of this machine answers (refused): a private one is used" in told.getvalue()


def test_our_own_engine_is_not_the_users(
    airgap: Airgap, fake: Any, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that was given the private engine's address still counts as a machine without an engine."""
    private = airgap.private
    monkeypatch.setenv("DOCKER_HOST", str(private.docker.host))
    monkeypatch.setattr(private, "up", lambda _stages: Engine(docker=private.docker, private=True))
    fake.on(private.docker.program, "image", "inspect", gives=1)
    provision = airgap.ensure("1.36", (), "auto")
    assert (provision.engine, len(made)) == ("private", 1)
    assert fake.starting(*INSPECT) == []


def test_always_builds_even_with_a_registry(airgap: Airgap, fake: Any, made: list[str]) -> None:
    """Forced, the registry is not asked."""
    assert airgap.ensure("1.36", (), "always").node_image == made[0]
    assert fake.starting(*INSPECT) == []


def test_never_builds_nothing(airgap: Airgap, made: list[str]) -> None:
    """Switched off, the version names a published image."""
    assert airgap.ensure("1.34.2", (), "never").node_image == "kindest/node:v1.34.2"
    assert made == []


def test_never_without_an_engine_is_an_error(airgap: Airgap, monkeypatch: pytest.MonkeyPatch) -> None:
    """No engine and no leave to make one: the error gives the reason and the way out."""
    monkeypatch.setattr(module, "system_engine", lambda _run: "no docker command on PATH")
    with pytest.raises(HarnessError, match="no docker command on PATH") as caught:
        airgap.ensure(None, (), "never")
    assert "--harness-airgap auto" in caught.value.run


def test_a_version_that_cannot_be_built_is_refused(airgap: Airgap, fake: Any, made: list[str]) -> None:
    """Neither published nor pinned: the error lists what can be built."""
    fake.on(*INSPECT, gives=1)
    with pytest.raises(UsageError, match=r"v1\.36\.3"):
        airgap.ensure("1.12.0", (), "auto")
    assert made == []


def test_the_tag_follows_version_and_recipes(
    airgap: Airgap, made: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other content, another tag; the suite's images are named with their registry."""
    (tmp_path / "image.yaml").write_text("image: db:1\npackages: []\n", encoding="utf-8")
    monkeypatch.setattr(module, "build_recipe", lambda *_args: tmp_path / "db.tar")
    plain = airgap.ensure("1.36", (), "always").node_image
    older = airgap.ensure("1.35", (), "always").node_image
    with_image = airgap.ensure("1.36", [tmp_path], "always")
    assert len({plain, older, with_image.node_image}) == 3
    assert with_image.images == {"db:1": "docker.io/library/db:1"}


@pytest.mark.parametrize(
    ("version", "v1", "there"), [("v1.35.4", True, True), ("v1.34.4", True, False), ("v1.36.3", False, False)]
)
def test_cgroup_v1_is_allowed_only_where_it_must_be(version: str, v1: bool, there: bool) -> None:
    """Kubelets before 1.35 do not know the field, and machines with cgroup v2 do not need it."""
    config = kind_config(version, cgroup_v1=v1)
    kubelet = json.loads(config["kubeadmConfigPatches"][0])
    assert ("failCgroupV1" in kubelet) is there
    assert kubelet["featureGates"] == {"KubeletInUserNamespace": True}
    assert config["networking"] == {"disableDefaultCNI": True}


# --- the pod network ------------------------------------------------------------------------------------------------


def node(name: str, number: int, *, pods: str | None = "given") -> dict[str, Any]:
    spec = {} if pods is None else {"podCIDR": f"10.244.{number}.0/24"}
    addresses = [{"type": "Hostname", "address": name}, {"type": "InternalIP", "address": f"172.18.0.{number + 2}"}]
    return {"metadata": {"name": name}, "spec": spec, "status": {"addresses": addresses}}


def test_one_node_needs_no_routes(fake: Any) -> None:
    """A single node reaches its own pods."""
    fake.on("docker", "ps", gives="a-control-plane\n")
    connect_nodes("a", Docker(run=fake))
    assert len(fake.commands) == 1


def test_each_node_learns_its_network_and_the_way_to_the_others(fake: Any) -> None:
    """Every node is told its own pod network and a route to each other node's, through the node's container."""
    fake.on("docker", "ps", gives="a-control-plane\na-worker\n")
    items = [node("a-control-plane", 0), node("a-worker", 1)]
    fake.on("docker", "exec", "a-control-plane", "kubectl", gives=json.dumps({"items": items}))
    connect_nodes("a", Docker(run=fake))
    told = {command[3]: (command[-1], text) for command, text in zip(fake.commands, fake.inputs, strict=True) if text}
    assert told == {
        "a-control-plane": ("10.244.0.0/24", "route replace 10.244.1.0/24 via 172.18.0.3\n"),
        "a-worker": ("10.244.1.0/24", "route replace 10.244.0.0/24 via 172.18.0.2\n"),
    }


def test_nodes_without_a_network_are_waited_for(fake: Any) -> None:
    """A node that has registered but was given no pod network yet is asked for again."""
    fake.on("docker", "ps", gives="a-control-plane\na-worker\n")
    answers = [
        json.dumps({"items": [node("a-control-plane", 0)]}),
        json.dumps({"items": [node("a-control-plane", 0), node("a-worker", 1, pods=None)]}),
        json.dumps({"items": [node("a-control-plane", 0), node("a-worker", 1)]}),
    ]
    fake.on("docker", "exec", "a-control-plane", "kubectl", gives=lambda _command: answers.pop(0))
    connect_nodes("a", Docker(run=fake))
    assert answers == []


def test_routes_leave_out_the_node_itself() -> None:
    """Three nodes, two routes each."""
    nodes = [NodeNetwork(name=name, address=f"a{name}", pods=f"p{name}") for name in "xyz"]
    assert route_lines(nodes[1], nodes) == ["route replace px via ax\n", "route replace pz via az\n"]


def test_a_foreign_node_image_is_left_alone(airgap: Airgap, fake: Any) -> None:
    """A cluster of kind's own image has a network already."""
    provision = airgap.ensure(None, (), "auto")
    fake.commands.clear()
    airgap.after_create("a", provision)
    assert fake.commands == []


# --- status ---------------------------------------------------------------------------------------------------------


def test_status_of_nothing(layout: Layout, stages: Stages, fake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a bare machine every line says so, and nothing is created by asking."""
    monkeypatch.setattr("harness.airgap.status.system_engine", lambda _run: "no docker command on PATH")
    lines = gather(Airgap(layout, stages, fake), fake).lines()
    assert lines == [
        "engine    none (no docker command on PATH)",
        "cluster   none",
        "image     no node image built",
        "programs  none built",
        f"cache     {layout.cache} (0 MB)",
    ]
    assert not layout.cache.exists()
    assert not layout.state.exists()


def test_status_shows_what_is_there(airgap: Airgap, fake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A running private engine, its clusters, images with size, and half-built programs are told apart."""
    program = airgap.private.docker.program
    monkeypatch.setattr("harness.airgap.status.system_engine", lambda _run: "refused")
    monkeypatch.setattr(type(airgap.private), "pid", lambda _self: 4711)
    fake.on(program, "version", gives="20.10\n")
    fake.on(program, "ps", gives="dev\ndev\nother\n")
    fake.on(program, "images", gives="harness.local/node:v1.36.3-1\n")
    fake.on(program, "image", "inspect", gives="667000000\n")
    go = GoBuild(versions.DEFAULT, airgap.layout, airgap.machine, fake)
    go.build(["kubernetes", "etcd"], airgap.stages)
    lines = gather(airgap, fake).lines()
    assert lines[0] == "engine    private, process 4711, answers"
    assert f"          export DOCKER_HOST={airgap.private.docker.host}" in lines
    assert [line for line in lines if line.startswith("cluster")] == ["cluster   dev", "cluster   other"]
    assert "image     harness.local/node:v1.36.3-1 (667 MB)" in lines
    assert "programs  kubernetes v1.36.3: 2 of 6 built" in lines


def test_status_of_an_engine_that_hangs(airgap: Airgap, fake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that runs but does not answer is said to do just that."""
    monkeypatch.setattr("harness.airgap.status.system_engine", lambda _run: "refused")
    monkeypatch.setattr(type(airgap.private), "pid", lambda _self: 4711)
    fake.on(airgap.private.docker.program, "version", gives=1)
    assert gather(airgap, fake).lines()[0] == "engine    private, process 4711, does not answer"


def test_sizes_are_bytes_on_disk(tmp_path: Path) -> None:
    """Links are not followed, and a missing folder is empty."""
    (tmp_path / "a").write_bytes(b"x" * 10000)
    (tmp_path / "loop").symlink_to(tmp_path)
    assert 8192 <= tree_size(tmp_path) <= 65536
    assert tree_size(tmp_path / "none") == 0
