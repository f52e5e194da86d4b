"""An OCI runtime in front of runc, for hosts whose root lacks CAP_SYS_RESOURCE.

Such a host cannot start a privileged container: runc may not grant what it does not have, may not lower an oom score
and may not raise a limit above the host's own. This program takes those three wishes out of the container's
specification and then becomes runc. It is installed as a program of its own: only the standard library here.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

__all__ = ["main", "mend_config", "mend_process", "split", "targets"]

RUNC = "/usr/sbin/runc"  # replaced when the program is installed
_MISSING = "CAP_SYS_RESOURCE"
_SETS = ("bounding", "effective", "inheritable", "permitted", "ambient")
_GLOBAL_WITH_VALUE = {"--root", "--log", "--log-format", "--criu", "--rootless"}

Edit = Callable[[dict[str, Any]], None]


def main(argv: Sequence[str]) -> None:
    """Mend the specification that the arguments name, then become runc."""
    for path, edit in targets(argv[1:]):
        _rewrite(path, edit)
    os.execv(RUNC, [RUNC, *argv[1:]])  # noqa: S606 - the same arguments, to the program that this one stands for


def targets(arguments: Sequence[str]) -> list[tuple[Path, Edit]]:
    """Return (file, edit) pairs: the bundle's config.json for create and run, the process file for exec."""
    command, rest = split(arguments)
    if command in ("create", "run"):
        return [(Path(_value(rest, "--bundle", "-b") or ".") / "config.json", mend_config)]
    process = _value(rest, "--process", "-p") if command == "exec" else None
    return [(Path(process), mend_process)] if process else []


def split(arguments: Sequence[str]) -> tuple[str, list[str]]:
    """Return runc's command and the arguments after it; runc's own options come first."""
    is_value = False
    for index, word in enumerate(arguments):
        if is_value:
            is_value = False
        elif word in _GLOBAL_WITH_VALUE:
            is_value = True
        elif not word.startswith("-"):
            return word, list(arguments[index + 1 :])
    return "", []


def mend_config(config: dict[str, Any]) -> None:
    """Mend a whole container specification in place."""
    mend_process(config.get("process") or {})


def mend_process(process: dict[str, Any]) -> None:
    """Take out of a process specification what this host's root may not grant."""
    for name in _SETS:
        held = (process.get("capabilities") or {}).get(name)
        if held and _MISSING in held:
            held.remove(_MISSING)
    process.pop("oomScoreAdj", None)
    if limits := process.get("rlimits"):
        process["rlimits"] = [limit for limit in limits if _allowed(limit)]


def _allowed(limit: dict[str, Any]) -> bool:
    """Tell whether root may set a limit here: it is unknown, or at or below the host's hard limit."""
    number = getattr(resource, limit["type"], None)
    hard = resource.RLIM_INFINITY if number is None else resource.getrlimit(number)[1]
    return hard == resource.RLIM_INFINITY or bool(limit["hard"] <= hard)


def _value(arguments: Sequence[str], *names: str) -> str | None:
    """Return the value of an option, written as two words or with an equals sign; None when absent."""
    following = [*arguments[1:], None]
    for word, after in zip(arguments, following, strict=True):
        name, separator, text = word.partition("=")
        if name in names:
            return text if separator else after
    return None


def _rewrite(path: Path, edit: Edit) -> None:
    """Apply an edit to a JSON file; a reader sees the old text or the new one."""
    document = json.loads(path.read_text(encoding="utf-8"))
    edit(document)
    new = path.with_name(f"{path.name}.mended")
    new.write_text(json.dumps(document), encoding="utf-8")
    new.replace(path)


if __name__ == "__main__":
    main(sys.argv)
