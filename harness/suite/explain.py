"""Why a condition does not hold: every difference with its place in the file, and how it changed during the wait.

Imported by steps. Reads the recorder's history once, when a wait has failed; nothing of it is computed per event.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.checks.format import difference_rows, mask_differences, unified_diff, value_text
from harness.checks.nearest import nearest_name, ranked
from harness.checks.paths import Path, find, path_text
from harness.checks.subset import Difference, kuttl_text
from harness.kube import Manifest, Ref, name_of, namespace_of
from harness.suite.conditions import Condition, ExpressionCondition, GoneCondition, MatchCondition, ReachedCondition
from harness.suite.model import Entry
from harness.suite.place import id_of, missing_text
from harness.suite.problem import Mode
from harness.suite.recorder import State
from harness.suite.results import Failure
from harness.suite.verdicts import errors_text, gvk_text, resource_text

__all__ = ["explain"]

_MOST_CANDIDATES = 3  # of a name-less assert; the rest is only counted
_MOST_CHANGES = 12
_MOST_VALUES = 8


def explain(condition: Condition, *, since: float, mode: Mode = "default") -> list[Failure]:
    """Return why a condition does not hold, in kuttl's words and in more; with the recorder's lock held.

    Args:
        condition: one that does not hold now.
        since: when the wait began, on the recorder's clock.
        mode: in strict mode only what kuttl says: the first difference, without positions in lists.
    """
    if isinstance(condition, MatchCondition):
        return _assert(condition, since, mode) if condition.wanted else _errors(condition, mode)
    if isinstance(condition, ExpressionCondition):
        return [Failure(text=text, where=_reference_place(condition)) for text in condition.texts()]
    if isinstance(condition, GoneCondition):
        return [_still_there(condition)]
    if isinstance(condition, ReachedCondition):
        return [_not_reached(condition)]
    raise TypeError(type(condition))  # pragma: no cover - all kinds are above


def _assert(condition: MatchCondition, since: float, mode: Mode) -> list[Failure]:
    entry, track = condition.entry, condition.track
    resource = track.resource
    if resource is None or not track.knows(condition.name):
        return [_unknown(condition)]
    candidates = condition.candidates()
    if not candidates and condition.name is not None:
        return [_absent(condition, missing_text(resource, condition.name), since)]
    if not candidates:
        text = f"no resources matched of kind: {gvk_text(entry.api_version, entry.kind)}"
        return [_absent(condition, text, since)]
    order = ranked(condition.expected, candidates)
    shown = order if mode == "strict" else order[:_MOST_CANDIDATES]
    found = [_mismatch(condition, one.value, one.differences, since, mode) for one in shown]
    if len(order) > len(shown):
        more = f"and {len(order) - len(shown)} more {entry.kind} objects that do not match"
        found.append(Failure(text=more, where=str(entry.mark)))
    return found


def _mismatch(
    condition: MatchCondition, actual: Manifest, differences: Sequence[Difference], since: float, mode: Mode
) -> Failure:
    entry = condition.entry
    clean = mask_differences(differences, entry.kind)
    reason = kuttl_text(clean[0], positions=mode == "default") if clean else "it matches now, but did not with the rest"
    label = id_of(actual) if mode == "default" else resource_text(condition.expected)
    history = [one for one in condition.track.history(name_of(actual)) if one.object is not None]
    secret = entry.kind == "Secret"
    return Failure(
        text=f"resource {resource_text(condition.expected)}: {reason}",
        where=_place_of(entry, clean[0].path if clean else ()),
        subject=_ref(actual),
        rows=tuple(_rows(entry, clean)),
        changes=() if secret else tuple(_changes(history, clean, since)),
        closest=_closest(condition.expected, history, since),
        diff=unified_diff(condition.expected, actual, label, managed=mode == "strict"),
    )


def _rows(entry: Entry, differences: Sequence[Difference]) -> list[str]:
    rows = difference_rows(differences)
    places = [f"line {entry.at(*_keys(one.path)).line}" for one in differences[: len(rows)]]
    wide = max(map(len, places), default=0)
    places += [""] * (len(rows) - len(places))
    return [f"{place:<{wide}}  {row}" for place, row in zip(places, rows, strict=True)]


def _changes(history: Sequence[State], differences: Sequence[Difference], since: float) -> list[str]:
    """Return how the differing fields changed: `.status.readyReplicas  +0.1 s 1   +2.4 s 2`."""
    rows = []
    for one in differences[:_MOST_CHANGES]:
        values: list[tuple[float, Any]] = []
        for state in history:
            value = find(state.object, one.path)
            if not values or value != values[-1][1]:
                values.append((state.at, value))
        if len(values) > 1:
            texts = [f"{_moment(at, since)} {value_text(value, widest=40)}" for at, value in values[-_MOST_VALUES:]]
            before = "... " if len(values) > _MOST_VALUES else ""
            rows.append(f"{path_text(one.path)}  {before}{'   '.join(texts)}")
    return rows


def _closest(expected: Manifest, history: Sequence[State], since: float) -> str:
    if len(history) < 2:  # noqa: PLR2004 - one state is the one that is shown
        return ""
    best = ranked(expected, [one.object for one in history])[0]
    return f"{best.closeness} at {_moment(history[best.index].at, since)}"


def _moment(at: float, since: float) -> str:
    return f"{at - since:+.1f} s"


def _absent(condition: MatchCondition, text: str, since: float) -> Failure:
    entry, track = condition.entry, condition.track
    hints = []
    names = sorted(name_of(one) for one in track.objects())
    if condition.name is not None:
        states = track.history(condition.name)
        if states and states[-1].object is None:
            hints.append(f"it was there until {_moment(states[-1].at, since)}, then it was deleted")
        elif close := nearest_name(condition.name, names):
            hints.append(f'there is "{close}"')
    where = f"in namespace {track.home}" if track.home else "in the cluster"
    if names:
        shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")  # noqa: PLR2004
        labels = ",".join(f"{key}={value}" for key, value in entry.labels.items())
        which = f", none with the labels {labels}" if condition.name is None and labels else ""
        hints.append(f"{len(names)} {entry.kind} objects {where}: {shown}{which}")
    else:
        hints.append(f"there is no {entry.kind} {where}")
    hints += [f"the watch is interrupted: {track.trouble}"] if track.trouble else []
    return Failure(text=text, where=str(entry.mark), hints=tuple(hints))


def _unknown(condition: MatchCondition) -> Failure:
    entry, track = condition.entry, condition.track
    gvk = gvk_text(entry.api_version, entry.kind)
    if track.resource is not None:
        why = track.trouble or "no answer yet"
        return Failure(text=f"listing {gvk} failed: {why}", where=str(entry.mark))
    if condition.place.explicit:
        text = f'no matches for kind "{entry.kind}" in version "{entry.api_version}"'
    else:
        text = f"retrieving API resource for {gvk} failed: the server could not find the requested resource"
    hints = [track.trouble] if track.trouble else []
    hints.append("the kind is not served: is its CustomResourceDefinition installed? kubectl api-resources")
    return Failure(text=text, where=str(entry.mark), hints=tuple(hints))


def _errors(condition: MatchCondition, mode: Mode) -> list[Failure]:
    entry, track = condition.entry, condition.track
    if track.resource is None or not track.knows(condition.name):
        return [_unknown(condition)]
    found = [one for one in condition.candidates() if name_of(one) in condition.matching]
    if not found:
        text = f"resource {gvk_text(entry.api_version, entry.kind)} {entry.name} matched error assertion"
        return [Failure(text=text, where=str(entry.mark), hints=("it does not now",))]
    text = errors_text(condition.expected, found)
    hints = () if mode == "strict" else (f"matched: {', '.join(id_of(one) for one in found[:8])}",)
    return [Failure(text=text, where=str(entry.mark), subject=_ref(found[0]), hints=hints)]


def _still_there(condition: GoneCondition) -> Failure:
    found = condition.track.get(condition.name)
    kind = condition.track.place
    text = f'"{gvk_text(kind.api_version, kind.kind)} {condition.name} still exists"'
    metadata = (found or {}).get("metadata") or {}
    held = ", ".join(metadata.get("finalizers") or [])
    hints = (f"held by the finalizers {held}",) if held else ()
    sentence = f"timed out waiting for resource deletion (result of last check was: {text}): context deadline exceeded"
    return Failure(text=sentence, subject=_ref(found) if found else None, hints=hints)


def _not_reached(condition: ReachedCondition) -> Failure:
    track = condition.track
    why = track.trouble or "the server has not told of it"
    return Failure(text=f"watching {gvk_text(track.place.api_version, track.place.kind)} failed: {why}")


def _reference_place(condition: ExpressionCondition) -> str:
    return str(condition.references[0].spec.mark) if condition.references else ""


def _place_of(entry: Entry, path: Path) -> str:
    return str(entry.at(*_keys(path)))


def _keys(path: Path) -> tuple[str | int, ...]:
    return tuple(part for part in path if isinstance(part, str | int))


def _ref(manifest: Manifest) -> Ref:
    return Ref(str(manifest.get("apiVersion")), str(manifest.get("kind")), name_of(manifest), namespace_of(manifest))
