"""Packages on disk: how a command line's words find them, folders, archives, and packing."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.kudo.errors import KudoError
from harness.kudo.package import Package
from harness.kudo.packages import archive_name, find_source, load_package, pack, write_archive
from harness.kudo.reading import PackageError
from tests.kudo.conftest import OPERATOR, PARAMETERS, TEMPLATE, MakePackage


def archive(path: Path, files: Mapping[str, str | None]) -> Path:
    """Write an archive; members without content are folders."""
    with tarfile.open(path, "w:gz") as stream:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            data = (content or "").encode()
            member.size = len(data)
            member.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
            stream.addfile(member, io.BytesIO(data))
    return path


FILES = {"operator.yaml": OPERATOR, "params.yaml": PARAMETERS, "templates/config.yaml": TEMPLATE}


def test_paths_find_folders_and_archives(make_package: MakePackage, tmp_path: Path) -> None:
    """With a slash, relative to the folder that commands run in, or absolute."""
    folder = make_package()
    archive(tmp_path / "shop.tgz", FILES)
    for name in ("./package", "package/", str(folder), "./shop.tgz", "./package/../package"):
        assert find_source(name, tmp_path).load().name == "shop"


def test_a_dot_is_a_path(make_package: MakePackage) -> None:
    """As in old releases and in the texts written for them."""
    folder = make_package()
    assert find_source(".", folder).load().name == "shop"
    assert find_source("..", folder / "templates").load().name == "shop"


def test_a_bare_name_is_no_path(make_package: MakePackage, tmp_path: Path) -> None:
    """It would name an operator in a repository; the error says what to write instead."""
    make_package()
    with pytest.raises(KudoError) as caught:
        find_source("package", tmp_path)
    assert caught.value.message == "failed to resolve operator package for: package"
    assert caught.value.run == "the same with ./package"
    with pytest.raises(KudoError) as caught:
        find_source("galera", tmp_path)
    assert (caught.value.run, caught.value.exit_code) == ("", 2)


@pytest.mark.parametrize("name", ["./nope", "/nope/at/all", "https://example.org/x.tgz"])
def test_paths_that_lead_nowhere(name: str, tmp_path: Path) -> None:
    """Missing folders, and URLs, which are not supported."""
    with pytest.raises(KudoError, match="failed to resolve operator package for"):
        find_source(name, tmp_path)


def test_an_archive_may_root_its_members(tmp_path: Path) -> None:
    """Leading ./ and / are taken off, folders are passed over."""
    files = {
        "./operator.yaml": OPERATOR,
        "/params.yaml": PARAMETERS,
        "templates": None,
        "./templates/config.yaml": TEMPLATE,
    }
    path = archive(tmp_path / "shop.tgz", files)
    assert list(load_package(path).templates) == ["config.yaml"]


def test_members_that_climb_out_stay_inside(tmp_path: Path) -> None:
    """Nothing is written anywhere; such a name is rooted in the archive."""
    path = archive(tmp_path / "shop.tgz", {**FILES, "../../templates/evil.yaml": "x"})
    assert sorted(load_package(path).templates) == ["config.yaml", "evil.yaml"]
    assert list(tmp_path.iterdir()) == [path]


def test_an_archive_without_the_files(tmp_path: Path) -> None:
    """The error names the archive."""
    with pytest.raises(KudoError, match=r"operator package missing operator\.yaml in .*shop\.tgz"):
        load_package(archive(tmp_path / "shop.tgz", {"README": "x"}))


@pytest.mark.parametrize(
    "content",
    [b"", b"no gzip", gzip.compress(b"no tar" * 100), gzip.compress(b"x" * 3000)[:40]],
    ids=["empty", "no gzip", "no tar", "cut short"],  # a gzip header has the time in it: useless as a name
)
def test_a_broken_archive_is_a_users_mistake(content: bytes, tmp_path: Path) -> None:
    """One message with the path, no traceback."""
    path = tmp_path / "shop.tgz"
    path.write_bytes(content)
    with pytest.raises((PackageError, KudoError)) as caught:
        load_package(path)
    assert str(path) in str(caught.value)


def test_neither_folder_nor_archive(tmp_path: Path) -> None:
    """A file of another kind is no package."""
    (tmp_path / "x.zip").write_text("")
    with pytest.raises(PackageError, match="a folder or a"):
        load_package(tmp_path / "x.zip")


def test_texts_are_utf_8(make_package: MakePackage) -> None:
    """Anything else is refused with file and byte."""
    folder = make_package()
    (folder / "templates" / "config.yaml").write_bytes(b"a: \xff")
    with pytest.raises(PackageError) as caught:
        load_package(folder)
    assert caught.value.where.endswith("package/templates/config.yaml")
    assert "byte 3" in caught.value.seen


def test_files_beside_the_package_are_not_read(make_package: MakePackage) -> None:
    """Neither binaries at the root nor folders with other operators."""
    folder = make_package()
    (folder / "logo.png").write_bytes(b"\xff")
    (folder / "child").mkdir()
    (folder / "child" / "operator.yaml").write_text("a: [")
    assert load_package(folder).name == "shop"


@pytest.mark.parametrize(("app", "name"), [("", "galera-0.1.0.tgz"), ("10.5", "galera-10.5_0.1.0.tgz")])
def test_the_name_of_an_archive(app: str, name: str) -> None:
    """An underscore separates the two versions."""
    assert archive_name(Package(where="", name="galera", operator_version="0.1.0", app_version=app)) == name


def test_packing_gives_the_same_bytes_for_the_same_files(make_package: MakePackage) -> None:
    """No times, no owners, names relative to the folder, in lexical order, regular files only."""
    one, two = make_package(name="one"), make_package(name="two")
    (one / "link.yaml").symlink_to(one / "operator.yaml")
    assert pack(one) == pack(two)
    with tarfile.open(fileobj=io.BytesIO(pack(one))) as packed:
        members = packed.getmembers()
    assert [member.name for member in members] == ["operator.yaml", "params.yaml", "templates/config.yaml"]
    assert {(member.mtime, member.uid, member.gid, member.uname) for member in members} == {(0, 0, 0, "root")}


def test_a_packed_package_reads_back(make_package: MakePackage, tmp_path: Path) -> None:
    """Folder and archive give the same package."""
    folder = make_package()
    target = write_archive(folder, tmp_path, overwrite=False)
    assert target == tmp_path / "shop-0.1.0.tgz"
    again = load_package(target)
    assert (again.templates, again.tasks, again.plans) == (
        load_package(folder).templates,
        load_package(folder).tasks,
        load_package(folder).plans,
    )


def test_an_archive_is_not_overwritten_by_chance(make_package: MakePackage, tmp_path: Path) -> None:
    """Only when asked for; and the destination must be a folder."""
    folder = make_package()
    write_archive(folder, tmp_path, overwrite=False)
    with pytest.raises(KudoError, match=r'target file ".*shop-0\.1\.0\.tgz" already exists'):
        write_archive(folder, tmp_path, overwrite=False)
    write_archive(folder, tmp_path, overwrite=True)
    with pytest.raises(KudoError, match="is not a proper directory"):
        write_archive(folder, tmp_path / "none", overwrite=False)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_dependencies_are_found_relative_to_their_parent(make_package: MakePackage, tmp_path: Path) -> None:
    """In folders beside it, and inside of the same archive but never outside of it."""
    parent = make_package(name="parent")
    make_package(name="child")
    child = find_source("./parent", tmp_path).child("../child")
    assert child is not None
    assert child.load().name == "shop"
    packed = archive(tmp_path / "all.tgz", FILES | {f"deps/child/{name}": text for name, text in FILES.items()})
    source = find_source(str(packed))
    inside = source.child("./deps/child")
    assert inside is not None
    assert inside.where == f"{packed}/deps/child"
    assert list(inside.load().templates) == ["config.yaml"]
    assert source.child("../parent") is None
    assert source.child("./nothing") is None
    back = inside.child("../..")
    assert back is not None
    assert back.load().where == str(packed)
    assert parent.is_dir()
