"""Images without an engine: layers, archives, Debian closures."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from harness.airgap.images import Image, Layer, Link, digest, files_layer, tree_layer, write_archive
from harness.airgap.rootfs import closure, remove_globs, resolve_in
from harness.kit.process import run


def members(path: Path) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(path) as archive:
        return {member.name: member for member in archive}


def test_the_same_files_give_the_same_layer(tmp_path: Path) -> None:
    """A layer depends on its content alone: neither clock nor order of the mapping changes a byte."""
    one = files_layer(tmp_path / "one.tar", {"/bin/a": b"a", "/bin/b": Link(target="a"), "/data": None})
    two = files_layer(tmp_path / "two.tar", {"/data": None, "/bin/b": Link(target="a"), "/bin/a": b"a"})
    assert one.digest == two.digest == digest(tmp_path / "one.tar")


def test_a_layer_holds_folders_before_their_files(tmp_path: Path) -> None:
    """Every parent folder has an entry of its own, ahead of what lies in it."""
    layer = files_layer(tmp_path / "l.tar", {"/usr/local/bin/x": b"x"})
    found = members(layer.path)
    assert list(found) == ["usr", "usr/local", "usr/local/bin", "usr/local/bin/x"]
    assert found["usr/local"].isdir()
    assert (found["usr/local/bin/x"].mode, found["usr/local/bin/x"].uid) == (0o755, 0)


def test_images_that_share_a_layer_carry_it_once(tmp_path: Path) -> None:
    """The archive has one configuration per image and each layer once, as docker load expects."""
    shared = files_layer(tmp_path / "s.tar", {"/x": b"x"})
    own = files_layer(tmp_path / "o.tar", {"/y": b"y"})
    images = [Image(tags=("a:1",), layers=(shared,)), Image(tags=("b:1", "b:2"), layers=(shared, own), cmd=("y",))]
    write_archive(tmp_path / "images.tar", images)
    with tarfile.open(tmp_path / "images.tar") as archive:
        manifest = json.load(archive.extractfile("manifest.json") or pytest.fail("no manifest"))
        names = archive.getnames()
        config = json.load(archive.extractfile(manifest[1]["Config"]) or pytest.fail("no configuration"))
    assert [entry["RepoTags"] for entry in manifest] == [["a:1"], ["b:1", "b:2"]]
    assert names.count(f"{shared.digest}.tar") == 1
    assert config["rootfs"]["diff_ids"] == [f"sha256:{shared.digest}", f"sha256:{own.digest}"]
    assert config["config"]["Cmd"] == ["y"]


def test_a_configuration_says_what_a_dockerfile_would() -> None:
    """Environment, ports, volumes, user and entrypoint arrive; what is not set is not there."""
    image = Image(
        tags=("db:1",), layers=(), env={"LANG": "C.UTF-8"}, entrypoint=("run",), volumes=("/data",),
        expose=("3306", "53/udp"), user="999", workdir="/data", stop_signal="SIGTERM",
    )  # fmt: skip
    config = json.loads(image.configuration())["config"]
    assert "LANG=C.UTF-8" in config["Env"]
    assert any(entry.startswith("PATH=") for entry in config["Env"])
    assert config["ExposedPorts"] == {"3306/tcp": {}, "53/udp": {}}
    assert config["Volumes"] == {"/data": {}}
    assert "Cmd" not in config


def test_an_interrupted_archive_has_no_name(tmp_path: Path) -> None:
    """A build that dies while writing leaves nothing under the final name."""
    gone = Layer(path=tmp_path / "missing.tar", digest="0" * 64)
    with pytest.raises(FileNotFoundError):
        write_archive(tmp_path / "a.tar", [Image(tags=("a:1",), layers=(gone,))])
    assert not (tmp_path / "a.tar").exists()


def test_a_tree_keeps_owners_and_links(tmp_path: Path) -> None:
    """A whole tree becomes a layer with numeric owners, and /proc's content stays out."""
    tree = tmp_path / "tree"
    (tree / "proc").mkdir(parents=True)
    (tree / "proc/cpuinfo").touch()
    (tree / "file").write_text("x", encoding="utf-8")
    (tree / "link").symlink_to("file")
    found = members(tree_layer(tmp_path / "t.tar", tree, run).path)
    assert found["./link"].issym()
    assert found["./file"].uid == os.getuid()
    assert "./proc" in found
    assert "./proc/cpuinfo" not in found


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree with merged /usr, a library behind two links, and an absolute link."""
    root = tmp_path / "root"
    (root / "usr/lib/x").mkdir(parents=True)
    (root / "usr/bin").mkdir()
    (root / "lib").symlink_to("usr/lib")
    (root / "usr/lib/x/libc.so.1.2").write_text("libc", encoding="utf-8")
    (root / "usr/lib/x/libc.so.1").symlink_to("libc.so.1.2")
    (root / "etc/alternatives").mkdir(parents=True)
    (root / "etc/alternatives/tool").symlink_to("/usr/bin/tool-nft")
    (root / "usr/bin/tool").symlink_to("/etc/alternatives/tool")
    (root / "usr/bin/tool-nft").write_text("tool", encoding="utf-8")
    return root


def test_links_are_followed_inside_the_tree(tree: Path) -> None:
    """An absolute link means the tree's root, not the machine's, and folders on the way may be links."""
    assert resolve_in(tree, "/usr/bin/tool").read_text(encoding="utf-8") == "tool"
    assert resolve_in(tree, "/lib/x/libc.so.1") == tree / "usr/lib/x/libc.so.1.2"
    assert resolve_in(tree, "/usr/bin/tool-nft") == tree / "usr/bin/tool-nft"


def test_a_closure_holds_programs_and_their_libraries(tree: Path, fake: Any) -> None:
    """What ldd names comes along, under the name that the loader will ask for."""
    fake.on("chroot", gives="\tlinux-vdso.so.1 (0x7ff)\n\tlibc.so.1 => /lib/x/libc.so.1 (0x7f0)\n")
    found = closure(tree, ["/usr/bin/tool"], fake)
    assert found == {"/usr/bin/tool": tree / "usr/bin/tool-nft", "/lib/x/libc.so.1": tree / "usr/lib/x/libc.so.1.2"}
    assert fake.commands == [["chroot", str(tree), "ldd", "/usr/bin/tool"]]


def test_trimming_removes_files_folders_and_links_only_inside(tree: Path) -> None:
    """A pattern removes what it matches; a link to a folder goes, the folder behind it stays."""
    remove_globs(tree, ["lib", "etc/*", "nothing/*"])
    assert not (tree / "lib").is_symlink()
    assert (tree / "usr/lib/x/libc.so.1.2").exists()
    assert list((tree / "etc").iterdir()) == []


def test_layers_are_what_tar_reads(tmp_path: Path) -> None:
    """GNU tar lists our layers without complaint."""
    layer = files_layer(tmp_path / "l.tar", {"/a/b": b"1", "/c": Link(target="a/b")})
    done = subprocess.run(["tar", "-tf", layer.path], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.split() == ["a/", "a/b", "c"]
