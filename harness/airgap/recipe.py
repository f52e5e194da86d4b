"""Suite images described in a file: Debian packages, files of the suite, what the container starts with.

A recipe is a folder with an image.yaml. The harness knows nothing of what is in it. Imported by harness.airgap and by
whoever wants to name the images of a suite.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.airgap.images import Image, Layer, write_archive
from harness.airgap.layout import Layout, content_key, tree_key
from harness.airgap.rootfs import Debian, Tree
from harness.kit.decode import decode
from harness.kit.documents import load_documents
from harness.kit.errors import UsageError
from harness.kit.process import Runner

__all__ = ["Recipe", "build_recipe", "full_reference", "load_recipe"]

_FILE = "image.yaml"
_SCRIPT = 300.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A suite image.

    Args:
        image: reference with a tag that is not latest, e.g. "mariadb:10.11".
        packages: Debian packages.
        users: name to user id, made before the packages are installed.
        files: absolute name in the image to a file beside the recipe; its permissions are kept.
        links: absolute name in the image to the target of a symbolic link.
        folders: absolute name to "user:mode", e.g. "mysql:1777".
        script: a file beside the recipe, run with /bin/sh in the installed tree.
        remove: glob patterns below the root that are taken out at the end.
        env, entrypoint, cmd, volumes, expose, workdir, user: as in a Dockerfile.
        folder: where the recipe lies; set when it is loaded.
    """

    image: str
    packages: tuple[str, ...]
    users: Mapping[str, int] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    folders: Mapping[str, str] = field(default_factory=dict)
    script: str = ""
    remove: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    expose: tuple[str, ...] = ()
    workdir: str = ""
    user: str = ""
    folder: Path = field(default=Path(), metadata={"key": ""})

    @property
    def name(self) -> str:
        """The last part of the reference without its tag, e.g. "mariadb"."""
        return self.image.rpartition(":")[0].rpartition("/")[2]

    @property
    def reference(self) -> str:
        """The whole reference, with its registry."""
        return full_reference(self.image)

    @property
    def sources(self) -> list[Path]:
        """The files beside the recipe that go into the image, the recipe itself included."""
        names = [*self.files.values(), *([self.script] if self.script else [])]
        return [self.folder / _FILE, *(self.folder / name for name in names)]

    def tree(self) -> Tree:
        """Return the Debian tree of the image."""
        return Tree(
            name=self.name, packages=self.packages, users=tuple(self.users.items()), trim=self.remove,
            extra=tree_key(self.sources),
        )  # fmt: skip

    def key(self) -> str:
        """Return the content key of the image."""
        return content_key([self.tree().key(), self.image])


def load_recipe(path: Path) -> Recipe:
    """Read a recipe from its folder or file.

    Raises:
        UsageError: no such file, wrong YAML, an unknown field, a tag that is missing or latest, a missing file.
    """
    file = path / _FILE if path.is_dir() else path
    if not file.is_file():
        raise UsageError("an image recipe", seen="no such file", where=str(file))
    documents = load_documents(file)
    if len(documents) != 1:
        raise UsageError("one document in an image recipe", seen=f"{len(documents)}", where=str(file))
    recipe = replace(decode(Recipe, documents[0]), folder=file.parent)
    tag = recipe.image.rpartition(":")[2] if ":" in recipe.image.rpartition("/")[2] else ""
    if tag in ("", "latest"):
        raise UsageError(
            "an image reference with a tag other than latest (Kubernetes always pulls those)",
            seen=recipe.image, where=str(documents[0].at("image")),
        )  # fmt: skip
    for source in recipe.sources:
        if not source.is_file():
            raise UsageError(f"the file {source.name} of an image recipe", seen="no such file", where=str(source))
    return recipe


def build_recipe(recipe: Recipe, layout: Layout, debian: Debian, run: Runner) -> Path:
    """Return the archive of a recipe's image; build it when it is not there."""
    archive = layout.images / f"{recipe.name}-{recipe.key()}.tar"
    if not archive.exists():
        layer = debian.layer(recipe.tree(), lambda root: _finish(root, recipe, run))
        write_archive(archive, [recipe_image(recipe, layer)])
    return archive


def recipe_image(recipe: Recipe, layer: Layer) -> Image:
    """Return the image of a recipe whose tree is `layer`."""
    return Image(
        tags=(recipe.reference,), layers=(layer,), env=recipe.env, entrypoint=recipe.entrypoint,
        cmd=recipe.cmd, volumes=recipe.volumes, expose=recipe.expose, user=recipe.user, workdir=recipe.workdir,
    )  # fmt: skip


def full_reference(image: str) -> str:
    """Return a reference with its registry, as Kubernetes reads short ones: "mariadb:10.11" is docker.io/library/..."""
    first, _, rest = image.partition("/")
    if not rest:
        return f"docker.io/library/{image}"
    return image if "." in first or ":" in first or first == "localhost" else f"docker.io/{image}"


def _finish(root: Path, recipe: Recipe, run: Runner) -> None:
    for name, source in recipe.files.items():
        target = root / name.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(recipe.folder / source, target)
    for name, link in recipe.links.items():
        path = root / name.lstrip("/")
        path.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(link)
    for name, owner_mode in recipe.folders.items():
        owner, _, mode = owner_mode.partition(":")
        run(["chroot", root, "install", "-d", "-o", owner, "-g", owner, "-m", mode, name], timeout=_SCRIPT)
    if recipe.script:
        script = (recipe.folder / recipe.script).read_text(encoding="utf-8")
        run(["chroot", root, "/bin/sh", "-eu"], timeout=_SCRIPT, stdin=script)
