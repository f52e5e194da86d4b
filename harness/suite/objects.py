"""Files outside of cases: the suite's configuration, crdDir and manifestDirs, the files of `assert` and `errors`.

Imported by the runner, the command line, lint and the collector of cases.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from harness.kit.documents import Document
from harness.kit.errors import UsageError
from harness.suite.decode import decode_suite
from harness.suite.files import Role
from harness.suite.loading import LoadOptions, read_stream
from harness.suite.model import LoadedObjects, LoadedSuite
from harness.suite.placing import EXTENSION_GROUP, Placed, group_of, place
from harness.suite.problem import Problem
from harness.suite.spec import GROUP, TestSuite
from harness.suite.streams import Stream, parse_stream, read_stream_file

__all__ = ["SUITE_FILE", "find_suite_file", "load_manifests", "load_objects", "load_suite"]

SUITE_FILE = "kuttl-test.yaml"
_MANIFEST_SUFFIXES = (".yaml", ".yml", ".json")


def find_suite_file(directory: Path) -> Path | None:
    """Return the suite file of a folder, None when it has none."""
    path = directory / SUITE_FILE
    return path if path.is_file() else None


def load_suite(path: Path | None) -> LoadedSuite:
    """Read a suite's configuration; the defaults when there is no file, or when it is the null device.

    Of several TestSuites the last one counts, whole; other kinds are told and left out. The file is never a template.

    Raises:
        UsageError: the file does not exist.
    """
    if path is None or str(path) == os.devnull:
        return LoadedSuite()
    if not path.is_file():
        raise UsageError("a suite's configuration", seen="no such file", where=str(path))
    stream = read_stream_file(path)
    problems = list(stream.problems)
    suite, count = TestSuite(), 0
    extensions: list[Document] = []
    for document in stream.documents:
        group, kind = _group_and_kind(document)
        if (group, kind) == (GROUP, "TestSuite"):
            suite, found = decode_suite(document)
            problems += found
            count += 1
            if count > 1:
                text = f"{count} TestSuites: only the last one counts"
                problems.append(Problem(severity="warning", text=text, where=str(document.mark), quirk=5))
        elif group == EXTENSION_GROUP:
            extensions.append(document)
        else:
            problems.append(_foreign(document, kind, path))
    return LoadedSuite(suite=suite, path=path, extensions=tuple(extensions), problems=tuple(problems))


def load_manifests(path: Path, *, options: LoadOptions | None = None) -> LoadedObjects:
    """Read the objects of crdDir or of an entry of manifestDirs, to be applied in this order.

    Args:
        path: a file, or a folder that is walked in the order of its names; files .yaml, .yml and .json count.
        options: how files are read; templates see the namespace `default`.

    Raises:
        UsageError: the path does not exist.
    """
    options = options or LoadOptions()
    if not path.exists():
        raise UsageError("a file or folder of manifests", seen="it does not exist", where=str(path))
    files = list(_walk(path)) if path.is_dir() else [path]
    return _objects([(file, _read(file, "default", options)) for file in files], "apply")


def load_objects(
    sources: Sequence[str], role: Role, *, namespace: str = "default", options: LoadOptions | None = None
) -> LoadedObjects:
    """Read the files of `kuttl assert` and `kuttl errors`.

    Args:
        sources: files, folders (their *.yaml files), or addresses.
        role: assert or errors.
        namespace: `.Namespace` of templates.
        options: how files are read.

    Raises:
        UsageError: nothing given, a file that does not exist, an address that cannot be read.
    """
    options = options or LoadOptions()
    if not sources:
        raise UsageError("at least one file", seen="one file argument is required")
    streams: list[tuple[Path, Stream]] = []
    for source in sources:
        if source.startswith(("http://", "https://")):
            streams.append((Path(source), parse_stream(options.fetch(source), source)))
            continue
        path = Path(source)
        if not path.exists():
            raise UsageError("a file, a folder or an address", seen="it does not exist", where=source)
        files = sorted(path.glob("*.yaml"), key=lambda one: os.fsencode(one.name)) if path.is_dir() else [path]
        streams += [(file, _read(file, namespace, options)) for file in files]
    return _objects(streams, role, typed=False)


def _objects(streams: Iterable[tuple[Path, Stream]], role: Role, *, typed: bool = True) -> LoadedObjects:
    entries, problems = [], []
    for _path, stream in streams:
        placed = place(stream.documents, role, listed=True)
        entries += placed.entries
        problems += [*stream.problems, *placed.problems]
        problems += [] if typed else _asserts_refused(placed)
    return LoadedObjects(entries=tuple(entries), problems=tuple(problems))


def _asserts_refused(placed: Placed) -> list[Problem]:
    text = "a TestAssert cannot be honoured outside of a case"
    hint = "run the case with `kubectl kuttl test`"
    return [Problem(severity="error", text=text, where=str(one.mark), hint=hint, quirk=20) for one in placed.asserts]


def _read(path: Path, namespace: str, options: LoadOptions) -> Stream:
    template = options.mode == "default" and path.name.endswith(".gotmpl.yaml")  # quirk Q41
    return read_stream(path, template=template, namespace=namespace, options=options)


def _walk(directory: Path) -> Iterator[Path]:
    """Return the manifests below a folder in lexical order; links to folders are not entered."""
    with os.scandir(directory) as entries:
        ordered = sorted(entries, key=lambda entry: os.fsencode(entry.name))
    for entry in ordered:
        path = directory / entry.name
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(path)
        elif entry.name.endswith(_MANIFEST_SUFFIXES) and path.is_file():
            yield path


def _group_and_kind(document: Document) -> tuple[str, str]:
    value = document.value if isinstance(document.value, dict) else {}
    return group_of(value.get("apiVersion")), str(value.get("kind") or "")


def _foreign(document: Document, kind: str, path: Path) -> Problem:
    where = str(document.mark)
    if kind == "TestSuite":
        hint = f"its apiVersion must be {GROUP}/v1beta1; the run goes on without configuration"
        return Problem(severity="warning", text=f'bad configuration in file "{path}"', where=where, hint=hint, quirk=6)
    return Problem(severity="warning", text=f"unknown object type: {kind or 'none'}", where=where, hint="it is ignored")
