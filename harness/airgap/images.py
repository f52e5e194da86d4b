"""Container images without an engine: layers as tar files, images as archives that `docker load` and `ctr` read.

The format is Docker's image archive (manifest.json, a configuration per image, layers named by their digest), so images
that share a layer carry it once. Imported by the rest of harness.airgap.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.airgap.layout import whole_file
from harness.kit.process import Runner

__all__ = ["Image", "Layer", "Link", "digest", "files_layer", "tree_layer", "write_archive"]

_TAR = 600.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A symbolic link in a layer."""

    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A layer: an uncompressed tar file and the sha256 of its bytes in hex."""

    path: Path
    digest: str

    @classmethod
    def of(cls, path: Path) -> Layer:
        """Return the layer of a tar file that exists."""
        return cls(path=path, digest=digest(path))


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image: its tags, its layers from the bottom up, and what its containers start with."""

    tags: tuple[str, ...]
    layers: tuple[Layer, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    expose: tuple[str, ...] = ()
    user: str = ""
    workdir: str = ""
    stop_signal: str = ""

    def configuration(self) -> bytes:
        """Return the image configuration as JSON; the same image gives the same bytes."""
        env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", **self.env}
        config = {
            "Env": [f"{name}={text}" for name, text in env.items()],
            "Entrypoint": list(self.entrypoint),
            "Cmd": list(self.cmd),
            "Volumes": {path: {} for path in self.volumes},
            "ExposedPorts": {port if "/" in port else f"{port}/tcp": {} for port in self.expose},
            "User": self.user,
            "WorkingDir": self.workdir,
            "StopSignal": self.stop_signal,
        }
        document = {
            "architecture": "amd64",
            "os": "linux",
            "config": {name: value for name, value in config.items() if value},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer.digest}" for layer in self.layers]},
            "history": [{"created_by": "harness airgap"} for _ in self.layers],
        }
        return json.dumps(document, sort_keys=True).encode()


def write_archive(path: Path, images: Sequence[Image]) -> None:
    """Write images as one archive; the file appears under its name only when it is whole.

    Args:
        path: the archive.
        images: at least one; shared layers are written once.
    """
    with whole_file(path) as unfinished, tarfile.open(unfinished, "w") as archive:
        manifest = []
        for image in images:
            configuration = image.configuration()
            name = f"{hashlib.sha256(configuration).hexdigest()}.json"
            _add_bytes(archive, name, configuration)
            layers = [f"{layer.digest}.tar" for layer in image.layers]
            manifest.append({"Config": name, "RepoTags": list(image.tags), "Layers": layers})
        for layer in {layer.digest: layer for image in images for layer in image.layers}.values():
            with layer.path.open("rb") as content:
                entry = _entry(f"{layer.digest}.tar")
                entry.size = layer.path.stat().st_size
                archive.addfile(entry, content)
        _add_bytes(archive, "manifest.json", json.dumps(manifest).encode())


def files_layer(path: Path, content: Mapping[str, Path | bytes | Link | None], *, mode: int = 0o755) -> Layer:
    """Write a layer of single files; the same content gives the same bytes.

    Args:
        path: the tar file to write.
        content: name in the image to a file, its bytes, a link, or None for a folder.
        mode: permissions of files and folders.
    """
    with whole_file(path) as unfinished, tarfile.open(unfinished, "w") as archive:
        for name, value in _with_parents(content).items():
            entry = _entry(name, mode)
            if value is None:
                entry.type = tarfile.DIRTYPE
                archive.addfile(entry)
            elif isinstance(value, Link):
                entry.type, entry.linkname = tarfile.SYMTYPE, value.target
                archive.addfile(entry)
            elif isinstance(value, bytes):
                entry.size = len(value)
                archive.addfile(entry, io.BytesIO(value))
            else:
                entry.size = value.stat().st_size
                with value.open("rb") as handle:
                    archive.addfile(entry, handle)
    return Layer.of(path)


def tree_layer(path: Path, tree: Path, run: Runner) -> Layer:
    """Write a whole file tree, owners and device nodes included, as a layer.

    Args:
        path: the tar file to write.
        tree: the root of the tree.
        run: how programs are run.
    """
    options = ["--sort=name", "--numeric-owner", "--one-file-system", "--exclude=./proc/*", "--exclude=./sys/*"]
    with whole_file(path) as unfinished:
        run(["tar", "--create", "--file", unfinished, "--directory", tree, *options, "."], timeout=_TAR)
    return Layer.of(path)


def digest(path: Path) -> str:
    """Return the sha256 of a file in hex."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _with_parents(content: Mapping[str, Path | bytes | Link | None]) -> dict[str, Path | bytes | Link | None]:
    whole: dict[str, Path | bytes | Link | None] = {}
    for name in sorted(content):
        relative = name.strip("/")
        for parent in reversed(Path(relative).parents[:-1]):
            whole.setdefault(parent.as_posix(), None)
        whole[relative] = content[name]
    return whole


def _entry(name: str, mode: int = 0o644) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.mode = mode
    return entry


def _add_bytes(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = _entry(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))
