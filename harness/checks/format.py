"""Differences as text: aligned rows, long values shortened, Secrets masked; and kuttl's unified diff.

Suites and fixtures import it to write failures. Knows no cluster: identities are given as text.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from harness.checks.paths import MISSING, path_text
from harness.checks.subset import Difference
from harness.kit.documents import dump_yaml
from harness.kit.errors import CheckError

__all__ = ["MASK", "difference_rows", "mask_differences", "mask_secret", "mismatch_error", "unified_diff", "value_text"]

MASK = "[redacted]"
_ELIDED = "[... elided field over 10 lines long ...]"
_LONG_FIELD = 10  # lines of YAML from which on kuttl leaves an unexpected field out
_SHOWN = 20  # rows of a report; beyond them only the number is told
_WIDEST = 80  # characters of one value
_SERVER_FIELDS = ("resourceVersion", "creationTimestamp", "selfLink", "uid", "generation")
_REVISION = "deployment.kubernetes.io/revision"
_SECRET_FIELDS = ("data", "stringData")


def difference_rows(differences: Sequence[Difference], *, most: int = _SHOWN) -> list[str]:
    """Return one line per difference: path, wanted, seen, with aligned columns.

    Args:
        differences: sorted, masked where they are of a Secret.
        most: lines before the rest is only counted.
    """
    shown = differences[:most]
    paths = [path_text(one.path) or "." for one in shown]
    wanted = [value_text(one.wanted) for one in shown]
    wide, wider = max(map(len, paths), default=0), min(_WIDEST, max(map(len, wanted), default=0))
    rows = [
        f"{path:<{wide}}  wanted {want:<{wider}}  seen {value_text(one.seen)}{_note(one)}"
        for path, want, one in zip(paths, wanted, shown, strict=True)
    ]
    if len(differences) > most:
        rows.append(f"and {len(differences) - most} more differences")
    return rows


def mismatch_error(
    wanted: str, differences: Sequence[Difference], *, kind: str = "", where: str = "", closest: str = "", run: str = ""
) -> CheckError:
    """Return the error of a check that did not hold: what was wanted, then one row per difference.

    Args:
        wanted: the promise in one line: StatefulSet ns/db as 02-assert.yaml has it, within 30 s.
        differences: of the nearest candidate, sorted; of a Secret they are masked here.
        kind: the object's kind.
        where: the check's place, file:line.
        closest: how near it ever came: 4 of 5 fields agree.
        run: what to run next.
    """
    rows = difference_rows(mask_differences(differences, kind))
    head = [f"{len(differences)} differences" + (f" (closest: {closest})" if closest else "")] if len(rows) > 1 else []
    return CheckError(wanted, seen="\n".join([*head, *rows]) or "nothing", where=where, run=run)


def value_text(value: Any, *, widest: int = _WIDEST) -> str:
    """Return a value on one line as JSON, shortened; words for what is missing, texts of checks as they are."""
    if value is MISSING:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    if len(text) <= widest:
        return text
    count = f"{len(value)} {_unit(value)}" if isinstance(value, str | list | dict) else f"{len(text)} characters"
    return f"{text[: widest - len(count) - 6]}... ({count})"


def mask_differences(differences: Sequence[Difference], kind: str) -> list[Difference]:
    """Return the differences of an object of a kind, without the values of a Secret."""
    if kind != "Secret":
        return list(differences)
    return [_masked(one) if one.path[:1] and one.path[0] in _SECRET_FIELDS else one for one in differences]


def mask_secret(manifest: Mapping[str, Any], expected: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return an object with the values of a Secret masked; objects of other kinds as they are.

    Args:
        manifest: the object.
        expected: another one; where its values differ, the mask says so.
    """
    clean = dict(manifest)
    if manifest.get("kind") == "Secret":
        for field in _SECRET_FIELDS:
            if field in manifest:
                clean[field] = _mask_part(manifest[field], (expected or {}).get(field, MISSING))
    return clean


def unified_diff(expected: Mapping[str, Any], actual: Mapping[str, Any], label: str, *, managed: bool = False) -> str:
    """Return kuttl's diff of an asserted and a live object.

    Args:
        expected: the old side.
        actual: the new side; keys that the old side lacks are left out when their YAML is long.
        label: both sides' header, <Kind>:<namespace>/<name>.
        managed: keep metadata.managedFields though they were not asserted, as kuttl does (quirk Q76).
    """
    expected, actual = mask_secret(expected), mask_secret(actual, expected)
    asserted = "managedFields" in (expected.get("metadata") or {})
    old = _without_server_fields(expected, managed=True)
    new = _elided(old, _without_server_fields(actual, managed=managed or asserted))
    lines = difflib.unified_diff(_lines(old), _lines(new), fromfile=label, tofile=label, n=3)
    return "".join(lines)


def _note(difference: Difference) -> str:
    """Return what the columns do not say by themselves."""
    if difference.reason.startswith(("value mismatch", "key is missing")):
        return ""
    return f"  ({difference.reason})"


def _unit(value: Any) -> str:
    return "characters" if isinstance(value, str) else "items" if isinstance(value, list) else "keys"


def _masked(difference: Difference) -> Difference:
    reason = difference.reason
    if reason.startswith("value mismatch"):
        reason = "value mismatch"
    return Difference(
        path=difference.path, wanted=_mask_part(difference.wanted), seen=_mask_part(difference.seen), reason=reason
    )


def _mask_part(value: Any, expected: Any = MISSING) -> Any:
    if isinstance(value, Mapping):
        other = expected if isinstance(expected, Mapping) else {}
        return {key: _mask_part(item, other.get(key, MISSING)) for key, item in value.items()}
    if value is None or value is MISSING:
        return value
    return MASK if expected in (MISSING, value) else f"{MASK} (another value)"


def _without_server_fields(manifest: Mapping[str, Any], *, managed: bool) -> dict[str, Any]:
    clean = dict(manifest)
    if not isinstance(clean.get("metadata"), Mapping):
        return clean
    metadata = {key: value for key, value in clean["metadata"].items() if key not in _SERVER_FIELDS}
    if not managed:
        metadata.pop("managedFields", None)
    if isinstance(metadata.get("annotations"), Mapping):
        metadata["annotations"] = {key: one for key, one in metadata["annotations"].items() if key != _REVISION}
        if not metadata["annotations"]:
            del metadata["annotations"]
    return {**clean, "metadata": metadata}


def _elided(expected: Mapping[str, Any], actual: Mapping[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in actual.items():
        if key in expected:
            both = isinstance(value, Mapping) and isinstance(expected[key], Mapping)
            result[key] = _elided(expected[key], value) if both else value
        else:
            long = isinstance(value, Mapping | list | str) and dump_yaml(value).count("\n") >= _LONG_FIELD
            result[key] = _ELIDED if long else value
    return result


def _lines(manifest: Mapping[str, Any]) -> list[str]:
    """Return the YAML's lines, with the empty one behind the last newline that kuttl's diff counts too."""
    return [f"{line}\n" for line in dump_yaml(dict(manifest)).split("\n")]
