"""Test directories that are addresses, from a server on this machine."""

from __future__ import annotations

import functools
import http.server
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.kit.errors import UsageError
from harness.suite.downloads import Downloads, is_url


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files without a word."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """Yield a folder and its address."""
    folder = tmp_path / "served"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def downloads() -> Iterator[Downloads]:
    """Yield downloads that are removed again."""
    made = Downloads()
    yield made
    made.remove()


def pack(path: Path, top: str) -> None:
    """Write an archive with one case."""
    case = path.parent.parent / "tree" / top / "case"
    case.mkdir(parents=True, exist_ok=True)
    (case / "00-x.yaml").write_text("")
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as archive:
        archive.add(case.parent, top)


@pytest.mark.parametrize("extension", [".tar", ".tgz", ".tar.gz"])
def test_an_archive_is_unpacked(served: tuple[Path, str], downloads: Downloads, extension: str) -> None:
    """Discovery, quirk Q25: .tar, .tgz and .tar.gz; the tests are in the folder named like the file; all is removed."""
    folder, url = served
    pack(folder / f"suite{extension}", "suite")
    tests = downloads.fetch(f"{url}/suite{extension}")
    assert (tests / "case" / "00-x.yaml").is_file()
    downloads.remove()
    assert not tests.exists()


def test_what_is_wrong_with_an_archive_is_told(served: tuple[Path, str], downloads: Downloads) -> None:
    """Discovery, quirk Q25: the status is checked, and what was no archive or has another folder is told."""
    folder, url = served
    with pytest.raises(UsageError, match="archive") as raised:
        downloads.fetch(f"{url}/absent.tgz")
    assert "404" in raised.value.seen
    (folder / "text.tar").write_text("no archive")
    with pytest.raises(UsageError, match="a tar archive"):
        downloads.fetch(f"{url}/text.tar")
    pack(folder / "other.tgz", "suite")
    with pytest.raises(UsageError, match="a folder other in the archive") as raised:
        downloads.fetch(f"{url}/other.tgz")
    assert raised.value.exists == ("suite",)
    with pytest.raises(UsageError, match="an archive"):
        downloads.fetch(f"{url}/suite.zip")


def test_what_is_an_address() -> None:
    """Discovery: only http and https are addresses, everything else is a folder."""
    assert is_url("https://x/suite.tgz")
    assert not is_url("suites/https")
