"""Lint with a cluster's knowledge: kinds that are not served, fields and values that its OpenAPI schema does not have.

Imported by verbs. Only reads; each group's schema is fetched once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Protocol

from harness.checks.paths import MISSING, Path, path_text
from harness.checks.schema import check_schema, find_schema
from harness.kube import ApiError, Resource, UnknownKind
from harness.suite.model import Entry, LoadedCase
from harness.suite.place import find_resource
from harness.suite.problem import Problem

__all__ = ["ClusterLint"]

_VERBS = {"apply": "applied", "assert": "asserted", "errors": "denied"}


class Schemas(Protocol):
    """What is needed of harness.kube.Kube."""

    def resource(self, api_version: str, kind: str) -> Resource:
        """Return how a kind is served."""
        ...

    def resources(self) -> list[Resource]:
        """Return all kinds."""
        ...

    def raw(self, method: str, path: str) -> Any:
        """Carry out a request."""
        ...


class ClusterLint:
    """Checks cases against what a cluster serves.

    Args:
        kube: a client.
    """

    def __init__(self, kube: Schemas) -> None:
        self._kube = kube
        self._documents: dict[str, dict[str, Any]] = {}

    def check(self, loaded: LoadedCase) -> list[Problem]:
        """Return what the cluster's schema says against a case.

        A kind that the case itself defines with a CustomResourceDefinition is not expected to be served.
        """
        own = {_defined(entry) for step in loaded.steps for entry in step.applies if entry.kind.endswith("Definition")}
        found: list[Problem] = []
        for step in loaded.steps:
            for entry in (*step.applies, *step.asserts, *step.errors):
                found += self._entry(entry, own)
        return found

    def _entry(self, entry: Entry, own: set[tuple[str, str]]) -> Iterator[Problem]:
        group = entry.api_version.rpartition("/")[0]
        try:
            resource = find_resource(self._kube, entry.api_version, entry.kind)  # type: ignore[arg-type]  # the part of it that is needed
        except UnknownKind as error:
            if (group, entry.kind) not in own:
                yield _unknown(entry, error)
            return
        if entry.namespace and not resource.namespaced:
            text = f"{entry.kind} is of cluster scope, its namespace has no effect, or keeps it from matching"
            yield Problem(severity="warning", text=text, where=str(entry.at("metadata", "namespace")), quirk=53)
        document = self._document(entry.api_version)
        schema = find_schema(document, entry.api_version, resource.kind)
        if schema is None:
            return
        for one in check_schema(entry.manifest, schema, document):
            yield _mismatch(entry, one.path, one.reason, unknown=one.wanted is MISSING)

    def _document(self, api_version: str) -> dict[str, Any]:
        if api_version not in self._documents:
            root = f"apis/{api_version}" if "/" in api_version else f"api/{api_version}"
            try:
                answer = self._kube.raw("GET", f"/openapi/v3/{root}")
            except ApiError:  # an aggregated server without schemas: nothing can be said
                answer = {}
            self._documents[api_version] = answer
        return self._documents[api_version]


def _unknown(entry: Entry, error: UnknownKind) -> Problem:
    text = f"the cluster does not serve {entry.api_version} {entry.kind}"
    hint = error.seen.replace("\n", "; ")
    problem = Problem(severity="warning", text=text, where=str(entry.at("kind")), hint=hint)
    if entry.role == "errors":
        return replace(problem, text=f"{text}: an errors entry of an unknown kind fails", quirk=55)
    return problem


def _mismatch(entry: Entry, path: Path, reason: str, *, unknown: bool) -> Problem:
    """Return a mismatch: an assert on it can never hold, an apply is refused or pruned, an errors entry never fails."""
    effect = {"assert": "it can never match", "errors": "it can never fail"}.get(entry.role, "")
    if not effect:
        effect = "the server drops it" if unknown else "the server refuses it"
    text = f"{path_text(path)} is {_VERBS[entry.role]}, but {reason}: {effect}"
    plain = [part for part in path if isinstance(part, str | int)]
    severe = entry.role != "apply" or not unknown
    return Problem(severity="error" if severe else "warning", text=text, where=str(entry.at(*plain)))


def _defined(entry: Entry) -> tuple[str, str]:
    spec = entry.manifest.get("spec") or {}
    return str(spec.get("group") or ""), str((spec.get("names") or {}).get("kind") or "")
