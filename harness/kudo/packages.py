"""Packages on disk: folders and archives, found by path as the original finds them, read, and packed.

The only module of harness.kudo that reads packages from disk; operations and the command line import it.
"""

from __future__ import annotations

import io
import os
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.kudo.errors import KudoError
from harness.kudo.package import OPERATOR_FILE, PARAMETERS_FILE, Package, parse_package
from harness.kudo.reading import PackageError

__all__ = ["Source", "archive_name", "find_path", "find_source", "load_package", "pack", "write_archive"]

_LARGEST = 64 * 1024 * 1024  # bytes of all files of an archive together: etcd takes 1.5 MiB an object


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a package is: a folder, or a folder inside an archive.

    Attributes:
        path: the folder or the archive.
        inside: the package's folder inside the archive, empty for its root and for folders.
        members: the archive's files by path, None for a folder.
    """

    path: Path
    inside: str = ""
    members: Mapping[str, bytes] | None = None

    @property
    def where(self) -> str:
        """How messages name the place."""
        return f"{self.path}/{self.inside}" if self.inside else str(self.path)

    def load(self) -> Package:
        """Read the package.

        Raises:
            PackageError: files are missing, are not UTF-8, or are not what they should be.
        """
        return parse_package(dict(self._texts()), self.where)

    def child(self, name: str) -> Source | None:
        """Return the source that a dependency's path means, relative to this package; None when there is none.

        Args:
            name: the path as the task has it; only ones that start with ./ or ../ or / are paths.
        """
        if self.members is None:
            return find_path(self.path / name)
        inside = posixpath.normpath(posixpath.join(self.inside, name))
        if inside == ".":
            return Source(path=self.path, members=self.members)
        if inside.startswith(("..", "/")) or not any(path.startswith(f"{inside}/") for path in self.members):
            return None
        return Source(path=self.path, inside=inside, members=self.members)

    def _candidates(self) -> Iterator[Path]:
        """Yield the files of a folder that may count, without walking what lies beside the package."""
        for entry in sorted(self.path.iterdir()):
            if entry.is_file():
                yield entry
            elif entry.name.startswith("templates"):
                yield from _files(entry)

    def _texts(self) -> Iterator[tuple[str, str]]:
        for name, content in self._contents():
            try:
                yield name, content.decode("utf-8")
            except UnicodeDecodeError as error:
                where = f"{self.where}/{name}"
                raise PackageError("UTF-8 text", seen=f"byte {error.start}: {error.reason}", where=where) from None

    def _contents(self) -> Iterator[tuple[str, bytes]]:
        """Yield the files that make the package, not the ones that merely lie beside them."""
        if self.members is None:
            for path in self._candidates():
                name = path.relative_to(self.path).as_posix()
                if _counts(name):
                    yield name, _read(path)
            return
        prefix = f"{self.inside}/" if self.inside else ""
        for name, content in self.members.items():
            if name.startswith(prefix) and _counts(name.removeprefix(prefix)):
                yield name.removeprefix(prefix), content


def load_package(path: Path | str) -> Package:
    """Read the package of a folder or .tgz archive.

    Raises:
        PackageError: there is none, or it cannot be read.
    """
    source = find_path(Path(path))
    if source is None:
        raise PackageError("a folder or a .tgz archive with a KUDO package", seen="neither", where=str(path))
    return source.load()


def find_source(name: str, folder: Path | None = None) -> Source:
    """Return the package that a command line names.

    Args:
        name: a path with a slash in it, to a folder or an archive, or `.` or `..`; bare names are names of operators
            in a repository, as in the original, and never taken from the current folder.
        folder: what relative paths start from, the current folder when None.

    Raises:
        KudoError: there is no such package.
    """
    path = (folder or Path()) / name
    is_path = "/" in name or name in (".", "..")
    source = find_path(path) if is_path else None
    if source is not None:
        return source
    message = f"failed to resolve operator package for: {name}"
    if is_path:
        raise KudoError(message, usage=True, seen="no folder and no .tgz archive of that name")
    raise KudoError(
        message,
        usage=True,
        seen="a bare name means an operator in a repository, and repositories are not supported; name a path",
        run=f"the same with ./{name}" if path.exists() else "",
    )


def find_path(path: Path) -> Source | None:
    """Return the source of a folder or archive, None when it is neither.

    Raises:
        PackageError: a file named .tgz that is no archive.
    """
    if path.is_dir():
        return Source(path=path)
    if path.is_file() and path.name.endswith(".tgz"):
        return Source(path=path, members=_members(path))
    return None


def _members(path: Path) -> dict[str, bytes]:
    """Return an archive's regular files; leading slashes and dots are taken off, links are ignored."""
    import tarfile
    import zlib

    found: dict[str, bytes] = {}
    total = 0
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                total += member.size
                if total > _LARGEST:
                    raise PackageError(f"at most {_LARGEST >> 20} MiB of files in a package", where=str(path))
                content = archive.extractfile(member) if member.isreg() else None
                if content is not None:
                    found[posixpath.normpath(f"/{member.name}").lstrip("/")] = content.read()
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise PackageError("a gzip'd tar archive", seen=str(error), where=str(path)) from None
    return found


def _counts(name: str) -> bool:
    folder, _, base = name.rpartition("/")
    return name in (OPERATOR_FILE, PARAMETERS_FILE) or (folder.startswith("templates") and ".yaml" in base)


def _files(root: Path) -> Iterator[Path]:
    """Yield all files below a folder in lexical order; links to folders are not followed."""
    for folder, folders, names in os.walk(root):
        folders.sort()
        yield from (Path(folder, name) for name in sorted(names))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PackageError("a readable file", seen=error.strerror or str(error), where=str(path)) from None


def archive_name(package: Package) -> str:
    """Return the file name of a package's archive: galera-0.1.0.tgz, or galera-10.5_0.1.0.tgz with an app version."""
    version = "_".join(part for part in (package.app_version, package.operator_version) if part)
    return f"{package.name}-{version}.tgz"


def pack(folder: Path) -> bytes:
    """Return the archive of a folder: the same bytes for the same files.

    Members are regular files only, named relative to the folder, in lexical order of their paths, without times and
    owners. (The original garbles the names for some spellings of the folder; this does not.)
    """
    import gzip
    import tarfile

    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", filename="", mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        regular = (path for path in _files(folder) if path.is_file() and not path.is_symlink())
        for path in sorted(regular, key=lambda each: each.relative_to(folder).parts):
            content = _read(path)
            member = tarfile.TarInfo(path.relative_to(folder).as_posix())
            member.size, member.mode = len(content), path.stat().st_mode & 0o777
            member.uname = member.gname = "root"
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def write_archive(folder: Path, destination: Path, *, overwrite: bool) -> Path:
    """Write a folder's package as an archive and return the archive's absolute path.

    Raises:
        KudoError: the destination is no folder, or the archive exists and may not be overwritten.
    """
    if not destination.is_dir():
        raise KudoError(f'destination "{destination}" is not a proper directory', usage=True)
    target = destination / archive_name(load_package(folder))
    if target.exists() and not overwrite:
        raise KudoError(f'target file "{target}" already exists', usage=True, run="the same with --overwrite")
    partial = target.with_name(f".{target.name}.part")
    try:
        partial.write_bytes(pack(folder))
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return target.resolve()
