"""Test directories that are addresses of archives: downloaded, unpacked, removed at the end.

Imported by run. The tests are in a folder of the archive that is named like the file without its extension.
"""

from __future__ import annotations

import shutil
import tarfile
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from harness.kit.errors import UsageError

__all__ = ["Downloads", "is_url"]

_EXTENSIONS = (".tar.gz", ".tgz", ".tar")  # the first one is an addition (quirk Q25)
_TIMEOUT = 60.0  # seconds of silence
_LARGEST = 256 << 20  # bytes


def is_url(name: str) -> bool:
    """Tell whether an entry of testDirs is an address."""
    return name.startswith(("http://", "https://"))


class Downloads:
    """The archives of one run."""

    def __init__(self) -> None:
        self._folders: list[Path] = []

    def fetch(self, url: str) -> Path:
        """Download and unpack an archive; return the folder of its tests.

        Raises:
            UsageError: another extension, no answer, another status than 200, no archive, or no such folder in it.
        """
        name = urlsplit(url).path.rpartition("/")[2]
        extension = next((one for one in _EXTENSIONS if name.endswith(one)), None)
        if extension is None:
            raise UsageError(f"an archive ({', '.join(_EXTENSIONS)})", seen=f"the name {name}", where=url)
        folder = Path(tempfile.mkdtemp(prefix="kuttl-download-"))
        self._folders.append(folder)
        _download(url, folder / name)
        _unpack(url, folder / name, folder)
        tests = folder / name.removesuffix(extension)
        if not tests.is_dir():
            exists = sorted(one.name for one in folder.iterdir() if one.is_dir())
            raise UsageError(f"a folder {tests.name} in the archive", seen="not there", where=url, exists=exists)
        return tests

    def remove(self) -> None:
        """Remove everything again."""
        while self._folders:
            shutil.rmtree(self._folders.pop(), ignore_errors=True)


def _download(url: str, path: Path) -> None:
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer, path.open("wb") as file:  # noqa: S310 - http(s) only
            while data := answer.read(1 << 20):
                file.write(data)
                if file.tell() > _LARGEST:
                    raise UsageError(f"an archive of at most {_LARGEST >> 20} MiB", seen="more", where=url)
    except (urllib.error.URLError, OSError) as error:
        raise UsageError("an archive of tests", seen=str(error), where=url) from None


def _unpack(url: str, path: Path, folder: Path) -> None:
    try:
        with tarfile.open(path) as archive:
            archive.extractall(folder, filter="data")  # nothing lands outside of the folder
    except (tarfile.TarError, OSError, EOFError) as error:
        raise UsageError("a tar archive", seen=str(error), where=url) from None
