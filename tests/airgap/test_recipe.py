"""Recipes of suite images: reading, refusing, keys, and the finished tree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.airgap.images import Layer
from harness.airgap.layout import Layout
from harness.airgap.recipe import build_recipe, full_reference, load_recipe, recipe_image
from harness.airgap.rootfs import Debian
from harness.kit.errors import UsageError

TEXT = """\
image: db:1.2
packages: [db-server]
users: {db: 999}
files: {/usr/local/bin/entry: entry.sh}
links: {/usr/bin/old: new}
folders: {/var/lib/db: "db:1777"}
script: prepare.sh
remove: [usr/share/doc]
env: {LANG: C.UTF-8}
entrypoint: [entry]
cmd: [dbd]
volumes: [/var/lib/db]
expose: ["3306"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "image.yaml").write_text(TEXT, encoding="utf-8")
    (tmp_path / "entry.sh").write_text("#!/bin/sh\n", encoding="utf-8")
    (tmp_path / "entry.sh").chmod(0o755)
    (tmp_path / "prepare.sh").write_text("true\n", encoding="utf-8")
    return tmp_path


def change(folder: Path, old: str, new: str) -> None:
    path = folder / "image.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


def test_a_recipe_is_read_from_folder_or_file(folder: Path) -> None:
    """Both ways give the same recipe, and every field arrives."""
    recipe = load_recipe(folder)
    assert recipe == load_recipe(folder / "image.yaml")
    assert (recipe.name, recipe.reference) == ("db", "docker.io/library/db:1.2")
    image = recipe_image(recipe, Layer(path=folder, digest="0"))
    assert (image.tags, image.entrypoint, image.cmd) == (("docker.io/library/db:1.2",), ("entry",), ("dbd",))
    assert recipe.tree().users == (("db", 999),)


@pytest.mark.parametrize("image", ["db", "db:latest", "host:5000/db"])
def test_a_tag_is_demanded(folder: Path, image: str) -> None:
    """Kubernetes always pulls latest, which fails offline: the error points at the line."""
    change(folder, "db:1.2", image)
    with pytest.raises(UsageError, match="other than latest") as caught:
        load_recipe(folder)
    assert caught.value.where.endswith("image.yaml:1:1")


def test_an_unknown_field_is_placed_and_corrected(folder: Path) -> None:
    """A misspelt field gives file, line, column and the right word."""
    change(folder, "packages:", "package:")
    with pytest.raises(UsageError, match='did you mean "packages"') as caught:
        load_recipe(folder)
    assert "image.yaml:2" in caught.value.where


@pytest.mark.parametrize(("name", "wanted"), [("entry.sh", "the file entry.sh"), ("prepare.sh", "the file prepare.sh")])
def test_a_missing_file_is_named(folder: Path, name: str, wanted: str) -> None:
    """Files of the recipe are looked for before anything is built."""
    (folder / name).unlink()
    with pytest.raises(UsageError, match=wanted):
        load_recipe(folder)


def test_a_missing_recipe_is_named(tmp_path: Path) -> None:
    """A folder without image.yaml is a usage error with its path."""
    with pytest.raises(UsageError) as caught:
        load_recipe(tmp_path / "nowhere")
    assert caught.value.where.endswith("nowhere")


def test_two_documents_are_refused(folder: Path) -> None:
    """One file, one image."""
    change(folder, TEXT, TEXT + "---\n" + TEXT)
    with pytest.raises(UsageError, match="one document"):
        load_recipe(folder)


@pytest.mark.parametrize(
    ("image", "reference"),
    [
        ("db:1", "docker.io/library/db:1"),
        ("team/db:1", "docker.io/team/db:1"),
        ("ghcr.io/team/db:1", "ghcr.io/team/db:1"),
        ("localhost/db:1", "localhost/db:1"),
        ("localhost:5000/db:1", "localhost:5000/db:1"),
    ],
)
def test_short_references_are_read_as_kubernetes_reads_them(image: str, reference: str) -> None:
    """A name without a registry is Docker Hub's."""
    assert full_reference(image) == reference


def test_the_key_follows_the_files(folder: Path) -> None:
    """Changing a file, its permissions or the recipe gives another key; touching it does not."""
    key = load_recipe(folder).key()
    (folder / "entry.sh").touch()
    assert load_recipe(folder).key() == key
    (folder / "entry.sh").chmod(0o700)
    changed = load_recipe(folder).key()
    (folder / "prepare.sh").write_text("false\n", encoding="utf-8")
    assert len({key, changed, load_recipe(folder).key()}) == 3


def test_the_tree_gets_files_links_folders_and_the_script(
    folder: Path, layout: Layout, fake: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Building copies files with their mode, makes links and folders, and runs the script inside the tree."""
    root = tmp_path / "tree"
    root.mkdir()
    recipe = load_recipe(folder)

    def layer(_self: Debian, _tree: object, finish: Any) -> Layer:
        finish(root)
        (tmp_path / "l.tar").write_bytes(b"layer")
        return Layer.of(tmp_path / "l.tar")

    monkeypatch.setattr(Debian, "layer", layer)
    archive = build_recipe(recipe, layout, Debian(layout, None, fake, None), fake)  # type: ignore[arg-type]
    assert archive == layout.images / f"db-{recipe.key()}.tar"
    assert (root / "usr/local/bin/entry").stat().st_mode & 0o777 == 0o755
    assert (root / "usr/bin/old").readlink() == Path("new")
    assert fake.commands[0] == [
        "chroot", str(root), "install", "-d", "-o", "db", "-g", "db", "-m", "1777", "/var/lib/db",
    ]  # fmt: skip
    assert (fake.commands[1], fake.inputs[1]) == (["chroot", str(root), "/bin/sh", "-eu"], "true\n")


def test_a_built_archive_is_kept(folder: Path, layout: Layout, fake: Any) -> None:
    """With the archive there, nothing runs."""
    recipe = load_recipe(folder)
    layout.images.mkdir(parents=True)
    (layout.images / f"db-{recipe.key()}.tar").touch()
    build_recipe(recipe, layout, Debian(layout, None, fake, None), fake)  # type: ignore[arg-type]
    assert fake.commands == []
