"""What the tests of suites share: a writer of cases, and short ways to load them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from harness.suite.files import Case
from harness.suite.loading import LoadOptions, load_case
from harness.suite.model import LoadedCase

Write = Callable[[Mapping[str, str]], Case]
Load = Callable[..., LoadedCase]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a writer: relative file names and their text make a case."""

    def make(files: Mapping[str, str]) -> Case:
        made = len(list(tmp_path.iterdir()))
        directory = tmp_path / f"suite-{made}" / "case"
        directory.mkdir(parents=True)
        for name, text in files.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text))
        return Case(name="case", directory=directory, suite=directory.parent)

    return make


@pytest.fixture
def load(write: Write) -> Load:
    """Return a loader of a case that is written on the spot."""

    def loaded(files: Mapping[str, str], **options: object) -> LoadedCase:
        return load_case(write(files), namespace="ns", options=LoadOptions(**options))  # type: ignore[arg-type]

    return loaded
