"""What an assert or an errors entry says about live objects: the selection, the comparison, and kuttl's texts.

Pure: the runner hands in the objects, from a GET, a LIST or a watch. Sections 15 and 16 of kuttl's semantics.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.checks.format import mask_differences, unified_diff
from harness.checks.nearest import Candidate, nearest
from harness.checks.subset import Difference, compare, kuttl_text, matches
from harness.kit.documents import Manifest
from harness.suite.problem import Mode

__all__ = ["AssertVerdict", "assert_verdict", "errors_text", "gvk_text", "resource_text", "selects"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AssertVerdict:
    """What one assert object says of the live objects that it selects.

    Attributes:
        holds: whether at least one of them matches.
        texts: kuttl's errors, in order; empty when it holds.
        nearest: the candidate that came closest, with all its differences; None when nothing was selected.
    """

    holds: bool
    texts: tuple[str, ...] = ()
    nearest: Candidate | None = None

    @property
    def differences(self) -> tuple[Difference, ...]:
        """What keeps the nearest candidate from matching, sorted by path."""
        return self.nearest.differences if self.nearest else ()


def selects(expected: Manifest, live: Manifest) -> bool:
    """Tell whether a check is about a live object of its kind and namespace: by name, else by equal labels."""
    wanted, seen = expected.get("metadata") or {}, live.get("metadata") or {}
    if wanted.get("name"):
        return bool(wanted["name"] == seen.get("name"))
    labels = seen.get("labels") or {}
    return all(labels.get(key) == value for key, value in (wanted.get("labels") or {}).items())


def assert_verdict(
    expected: Manifest, selected: Sequence[Manifest], *, mode: Mode = "default", not_found: str = ""
) -> AssertVerdict:
    """Return what an assert says of the objects that it selects.

    Args:
        expected: the object after its namespace was put in.
        selected: the live objects of its kind and namespace that it selects; of a named one at most one.
        mode: in strict mode only the first mismatch is told, without list positions, and diffs hold managedFields.
        not_found: the server's text for a named object that does not exist, such as: deployments.apps "x" not found.
    """
    if any(matches(expected, one) for one in selected):
        return AssertVerdict(holds=True)
    if not selected:
        return AssertVerdict(holds=False, texts=(_nothing_text(expected, not_found),))
    texts: list[str] = []
    for one in selected:
        texts.append(unified_diff(expected, one, resource_text(expected), managed=mode == "strict"))
        texts.append(_mismatch_text(expected, compare(expected, one), mode))
    return AssertVerdict(holds=False, texts=tuple(texts), nearest=nearest(expected, selected))


def errors_text(expected: Manifest, selected: Sequence[Manifest]) -> str:
    """Return the error of an errors entry that some selected objects match; an empty text when none does.

    Args:
        expected: the object that must not match, after its namespace was put in.
        selected: the live objects that it selects; none is fine.
    """
    found = [one for one in selected if matches(expected, one)]
    if not found:
        return ""
    first = f"resource {_gvk_of(expected)} {_metadata(found[0], 'name')}"
    others = f" (and {len(found) - 1} other resources)" if len(found) > 1 else ""
    return f"{first}{others} matched error assertion"


def gvk_text(api_version: str, kind: str) -> str:
    """Return a kind as kuttl prints it: apps/v1, Kind=Deployment; the core group as /v1, Kind=Pod."""
    return f"{api_version if '/' in api_version else f'/{api_version}'}, Kind={kind}"


def _gvk_of(manifest: Manifest) -> str:
    return gvk_text(str(manifest.get("apiVersion") or ""), str(manifest.get("kind")))


def resource_text(manifest: Manifest) -> str:
    """Return how messages name an object: <Kind>:<namespace>/<name>; the name is empty for checks without one."""
    return f"{manifest.get('kind')}:{_metadata(manifest, 'namespace')}/{_metadata(manifest, 'name')}"


def _nothing_text(expected: Manifest, not_found: str) -> str:
    name = _metadata(expected, "name")
    if name:
        return not_found or f'{expected.get("kind")} "{name}" not found'
    return f"no resources matched of kind: {_gvk_of(expected)}"


def _mismatch_text(expected: Manifest, differences: Sequence[Difference], mode: Mode) -> str:
    """Return the first mismatch in kuttl's wording, and in default mode the others below it (quirk Q51)."""
    masked = mask_differences(differences, str(expected.get("kind")))
    shown = [kuttl_text(one, positions=mode == "default") for one in masked]
    rest = shown[1:] if mode == "default" else []
    return "\n".join([f"resource {resource_text(expected)}: {shown[0]}", *(f"  and {one}" for one in rest)])


def _metadata(manifest: Manifest, key: str) -> Any:
    return (manifest.get("metadata") or {}).get(key) or ""
