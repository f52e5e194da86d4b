"""The node image: what its archives hold, how it is preloaded, what is kept."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from harness.airgap import versions
from harness.airgap.engine import Docker
from harness.airgap.gobuild import ALL, COMMANDS
from harness.airgap.images import Layer, files_layer
from harness.airgap.layout import Layout
from harness.airgap.node_image import NODE_TREE, NodeImage, node_files, node_reference, system_key
from harness.airgap.rootfs import Debian
from harness.kit.documents import parse_documents
from harness.kit.process import ProcessError
from harness.kit.stages import Stages

WANTED = """\
registry.k8s.io/kube-apiserver:v1.36.3
registry.k8s.io/kube-controller-manager:v1.36.3
registry.k8s.io/kube-scheduler:v1.36.3
registry.k8s.io/kube-proxy:v1.36.3
registry.k8s.io/coredns/coredns:v1.14.2
registry.k8s.io/pause:3.10.2
registry.k8s.io/etcd:3.6.8-0
"""
TAG = node_reference("v1.36.3", "tag")


@pytest.fixture
def image(layout: Layout, fake: Any, stages: Stages, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> NodeImage:
    """A builder whose programs are small files and whose Debian trees are there."""
    programs = {}
    for program in ALL:
        programs[program.name] = tmp_path / "programs" / program.name
        programs[program.name].parent.mkdir(exist_ok=True)
        programs[program.name].write_text(program.name, encoding="utf-8")
    for name in ("proxy", "busybox"):
        files_layer(layout.trees / f"{name}-{NODE_TREE.key()}.layer", {f"bin/{name}": name.encode()})
    node = files_layer(layout.trees / "node.tar", {"sbin/init": b"init"})
    monkeypatch.setattr(Debian, "layer", lambda *_arguments: node)
    debian = Debian(layout, None, fake, stages)  # type: ignore[arg-type]
    fake.on(str(tmp_path / "kubeadm"), "config", "images", "list", gives=WANTED)
    fake.on("docker", "image", "inspect", gives=1)
    return NodeImage(
        "v1.36.3", programs, tmp_path, layout=layout, docker=Docker(run=fake), debian=debian, run=fake, stages=stages
    )


def manifest(archive: Path) -> dict[str, dict[str, Any]]:
    """Return tag to manifest entry, with the configuration under "config"."""
    with tarfile.open(archive) as tar:
        entries = json.load(tar.extractfile("manifest.json") or pytest.fail("no manifest"))
        for entry in entries:
            entry["config"] = json.load(tar.extractfile(entry["Config"]) or pytest.fail("no configuration"))
    return {tag: entry for entry in entries for tag in entry["RepoTags"]}


def test_every_image_that_kubeadm_asks_for_is_there(image: NodeImage, layout: Layout) -> None:
    """The references are kubeadm's own, whatever versions we built; the provisioner and busybox come along."""
    image.ensure(TAG, [], "key")
    tags = manifest(layout.images / "system-v1.36.3-key.tar")
    assert set(tags) == {*WANTED.split(), *versions.BUSYBOX_TAGS, versions.PROVISIONER_TAG}
    assert all(tag.rpartition(":")[2] != "latest" for tag in tags)


def test_kubernetes_is_there_once(image: NodeImage, layout: Layout) -> None:
    """The four Kubernetes images share one layer and differ in what they start; kube-proxy has its tools on top."""
    image.ensure(TAG, [], "key")
    tags = manifest(layout.images / "system-v1.36.3-key.tar")
    names = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")
    entries = [tags[f"registry.k8s.io/{name}:v1.36.3"] for name in names]
    assert len({entry["Layers"][0] for entry in entries}) == 1
    assert [entry["config"]["config"]["Entrypoint"] for entry in entries] == [[name] for name in names]
    assert [len(entry["Layers"]) for entry in entries] == [1, 1, 1, 2]


def test_the_node_holds_what_kind_looks_for(image: NodeImage, layout: Layout) -> None:
    """Version, storage manifest, entrypoint and units are in the node's own layer, with their marks filled in."""
    image.ensure(TAG, [], "key")
    entry = manifest(layout.images / "node-root-key.tar")["harness.local/node-root:v1.36.3-key"]
    assert entry["config"]["config"]["Entrypoint"] == ["/usr/local/sbin/node-entrypoint"]
    with tarfile.open(layout.images / "node-files-v1.36.3.layer") as own:
        names = own.getnames()
        read = {name: (own.extractfile(name) or pytest.fail(name)).read().decode() for name in (
            "kind/version", "kind/manifests/default-storage.yaml", "etc/containerd/config.toml",
        )}  # fmt: skip
    assert read["kind/version"] == "v1.36.3"
    assert 'sandbox_image = "registry.k8s.io/pause:3.10.2"' in read["etc/containerd/config.toml"]
    assert versions.PROVISIONER_TAG in read["kind/manifests/default-storage.yaml"]
    assert not any("@" in text.replace("SUBNET@", "") for text in read.values())
    assert "etc/systemd/system/kubelet.service" in names
    assert "etc/systemd/system/multi-user.target.wants/containerd.service" in names


def test_the_storage_manifest_is_what_kind_applies() -> None:
    """One default class, one provisioner under the account that its helper pods run as."""
    text = node_files()["default-storage.yaml"].replace("@BUSYBOX@", "b:1").replace("@PROVISIONER@", "p:1")
    objects = {(value["kind"], value["metadata"]["name"]): value for value in (d.value for d in parse_documents(text))}
    default = objects["StorageClass", "standard"]["metadata"]["annotations"]
    assert default == {"storageclass.kubernetes.io/is-default-class": "true"}
    assert ("ServiceAccount", "local-path-provisioner-service-account") in objects
    pod = objects["Deployment", "local-path-provisioner"]["spec"]["template"]["spec"]
    assert pod["containers"][0]["imagePullPolicy"] == "IfNotPresent"


def test_images_are_unpacked_into_a_container_that_becomes_the_node_image(
    image: NodeImage, fake: Any, tmp_path: Path
) -> None:
    """System and suite archives are mounted, unpacked, and the container is committed and gone."""
    suite = tmp_path / "db.tar"
    image.ensure(TAG, [suite], "key")
    started = fake.starting("docker", "run")[0]
    assert f"--volume={suite}:/media/1.tar:ro" in started
    assert "--network=none" in started
    words = [command[1] for command in fake.commands if command[0] == "docker"]
    order = [word for word in words if word in ("load", "run", "exec", "stop", "commit", "rm")]
    assert order == ["load", "run", "exec", "stop", "commit", "rm"]
    assert fake.starting("docker", "commit")[0][-1] == TAG


def test_an_image_that_is_there_is_not_made_again(image: NodeImage, fake: Any) -> None:
    """One question, no work."""
    fake.on("docker", "image", "inspect", gives="sha256:1")
    image.ensure(TAG, [], "key")
    assert len(fake.commands) == 1


def test_a_failed_preload_removes_its_container(image: NodeImage, fake: Any) -> None:
    """Nothing is committed and nothing is left running when unpacking fails."""
    fake.on("docker", "exec", gives=ProcessError("unpacking to end well", seen="no space left on device"))
    with pytest.raises(ProcessError, match="no space left"):
        image.ensure(TAG, [], "key")
    assert fake.starting("docker", "commit") == []
    name = fake.starting("docker", "run")[0][4]
    assert fake.starting("docker", "rm")[-1] == ["docker", "rm", "--force", "--volumes", name]


def test_containers_of_killed_builds_are_removed_first(image: NodeImage, fake: Any) -> None:
    """Under the lock nobody else preloads: what carries our name is a leftover."""
    fake.on("docker", "ps", gives="abc\ndef\n")
    image.ensure(TAG, [], "key")
    assert fake.starting("docker", "rm")[0] == ["docker", "rm", "--force", "--volumes", "abc", "def"]


def test_old_images_and_archives_go(image: NodeImage, fake: Any, layout: Layout) -> None:
    """The newest node images stay, older ones are offered for removal; archives of other content go."""
    layout.images.mkdir(parents=True, exist_ok=True)
    old, other = layout.images / "system-v1.36.3-old.tar", layout.images / "system-v1.35.4-old.tar"
    old.touch()
    other.touch()
    listed = [f"harness.local/node:{number}" for number in range(9)]
    fake.on("docker", "images", gives=lambda command: "\n".join(listed) if command[-1].endswith("/node") else "")
    image.ensure(TAG, [], "key")
    assert fake.starting("docker", "rmi") == [["docker", "rmi", *listed[6:]]]
    assert (old.exists(), other.exists()) == (False, True)


def test_the_key_follows_version_programs_and_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes into the image changes its key."""
    programs = {"kubernetes": "a"}
    key = system_key("v1.36.3", programs)
    assert key == system_key("v1.36.3", {"kubernetes": "a"})
    assert key != system_key("v1.35.4", programs)
    assert key != system_key("v1.36.3", {"kubernetes": "b"})
    changed = node_files() | {"entrypoint": "#!/bin/sh\n"}
    monkeypatch.setattr("harness.airgap.node_image.node_files", lambda: changed)
    assert key != system_key("v1.36.3", programs)


def test_every_command_is_a_name_of_the_one_program(image: NodeImage, layout: Layout) -> None:
    """Each Kubernetes command is a link in the shared layer."""
    found: list[Layer] = []
    monkey = pytest.MonkeyPatch()
    with monkey.context() as patch:
        patch.setattr("harness.airgap.node_image.write_archive", lambda _path, images: found.extend(check(images)))
        image.ensure(TAG, [], "key")
    assert found


def check(images: Any) -> list[Layer]:
    """Look into the first layer of the API server's image while it is there."""
    found = []
    for entry in images:
        if any("kube-apiserver" in tag for tag in entry.tags):
            with tarfile.open(entry.layers[0].path) as tar:
                links = {member.name.rpartition("/")[2] for member in tar if member.issym()}
            assert links == set(COMMANDS)
            found.append(entry.layers[0])
    return found
