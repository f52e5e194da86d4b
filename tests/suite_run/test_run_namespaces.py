"""Namespaces and clean-up without a server: each answer of the API has its effect; nothing hides another's result."""

from __future__ import annotations

from typing import Any

import pytest

from harness.kube import AlreadyExists, ApiError, Forbidden, Manifest, Unreachable
from harness.suite.janitor import Janitor
from harness.suite.log import Line, Log
from harness.suite.namespaces import NamespaceError, create_namespace


class FakeKube:
    """Answers the creation and the look-up of a namespace as it is told."""

    def __init__(self, created: ApiError | None, found: Manifest | ApiError | None = None) -> None:
        self._created = created
        self._found = found
        self.sent: list[Manifest] = []

    def create(self, manifest: Manifest) -> Manifest:
        """Create, or refuse."""
        self.sent.append(manifest)
        if self._created is not None:
            raise self._created
        return manifest

    def find(self, *_: str) -> Manifest | None:
        """Find, or refuse."""
        if isinstance(self._found, ApiError):
            raise self._found
        return self._found


FORBIDDEN = Forbidden("create v1/Namespace x", status=403, reason="Forbidden", message="you may not")
EXISTS = AlreadyExists("create v1/Namespace x", status=409, reason="AlreadyExists", message="it is there")
DOWN = Unreachable("create v1/Namespace x", reason="no answer", message="connection refused")


def create(kube: Any) -> tuple[bool, list[str]]:
    """Create a namespace; return whether it is ours, and what was told."""
    lines: list[Line] = []
    ours = create_namespace(kube, "x", run="r1", log=Log(lines.append))
    return ours, [line.text for line in lines]


def test_a_created_namespace_is_ours() -> None:
    """Namespaces: created: deletion at the end; it carries the run and its owner."""
    kube = FakeKube(None)
    assert create(kube) == (True, ['Creating namespace "x"'])
    assert kube.sent[0]["metadata"]["labels"] == {"harness.dev/run": "r1"}
    assert "harness.dev/owner" in kube.sent[0]["metadata"]["annotations"]


@pytest.mark.parametrize(
    ("created", "found", "text"),
    [
        (EXISTS, None, 'Namespace "x" already exists'),
        (FORBIDDEN, {"metadata": {"name": "x"}}, 'Namespace "x" already exists'),
        (FORBIDDEN, FORBIDDEN, 'namespace "x" can neither be created nor looked up: 403 Forbidden: you may not'),
    ],
)
def test_a_namespace_that_is_not_ours_stays(created: ApiError, found: Any, text: str) -> None:
    """Namespaces, quirk Q42: what was there, or could not be created, is used and never deleted."""
    assert create(FakeKube(created, found)) == (False, ['Creating namespace "x"', text])


@pytest.mark.parametrize(("created", "cause"), [(FORBIDDEN, "you may not"), (DOWN, "connection refused")])
def test_a_namespace_that_cannot_be_made(created: ApiError, cause: str) -> None:
    """Namespaces: forbidden and not there, or any other error: the setup fails in kuttl's words."""
    with pytest.raises(NamespaceError) as raised:
        create(FakeKube(created, None))
    assert raised.value.text == f'failed to create test namespace "x": cannot create namespace "x": {cause}'


def test_a_failed_job_does_not_hide_the_others() -> None:
    """Clean-up: a job that fails is told, the jobs behind it are done."""
    janitor, done = Janitor(timeout=1), []

    def broken() -> None:
        raise ValueError("a bug")

    janitor.later(broken)
    janitor.later(lambda: done.append(1))
    janitor.at_the_end(lambda: done.append(2))
    assert janitor.finish() == ["clean-up failed: a bug"]
    assert done == [1, 2]
