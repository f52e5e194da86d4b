"""Runs the Go program of tests/oracle/gotmpl: the referee that the Python renderer is compared with."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from harness.gotmpl.values import Function, Slice, TypedMap
from harness.kit.paths import cache_dir, file_lock

SOURCE = Path(__file__).parents[1] / "oracle" / "gotmpl"
BUILD_TIMEOUT = 600.0
ANSWER_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a rendering gave: the output, and the error if there was one."""

    output: str
    error: str = ""


def program() -> Path:
    """Build the program, unless its sources are unchanged, and return it."""
    target = cache_dir() / "oracle" / "gotmpl"
    target.parent.mkdir(parents=True, exist_ok=True)
    with file_lock(target.with_suffix(".lock"), timeout=BUILD_TIMEOUT, wanted="the Go template oracle"):
        newest = max(path.stat().st_mtime for path in SOURCE.iterdir())
        if not target.exists() or target.stat().st_mtime < newest:
            go = shutil.which("go") or "/usr/local/go/bin/go"
            argv = [go, "build", "-mod=readonly", "-p", "1", "-o", str(target), "."]
            subprocess.run(argv, cwd=SOURCE, check=True, timeout=BUILD_TIMEOUT, capture_output=True)
            target.touch()
    return target


class Oracle:
    """One process of the program; asks it one case after the other."""

    def __init__(self, path: Path) -> None:
        self._process = subprocess.Popen(
            [str(path)],
            env={**os.environ, "TZ": "UTC"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate(timeout=ANSWER_TIMEOUT)

    def render(self, text: str, data: Any, *, functions: str, missing_key: str) -> Outcome:
        """Render a template with Go.

        Args:
            text: the template; its name is "f".
            data: dot; typed values are translated.
            functions: go, kudo, sprig2 or sprig3.
            missing_key: default, zero or error.
        """
        request = {
            "name": "f",
            "text": text,
            "data": _tagged(data),
            "functions": functions,
            "missingkey": missing_key,
        }
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps(request) + "\n")
        stdin.flush()
        answer = json.loads(stdout.readline())
        output = base64.b64decode(answer["output"]).decode("utf-8", "surrogateescape")
        return Outcome(output, answer.get("error", ""))


def _tagged(value: Any) -> Any:  # noqa: PLR0911 - one return a type
    """Write a value so that the program can give it its Go type."""
    if isinstance(value, Slice):
        return {"$": f"[]{value.element}", "v": list(value)}
    if isinstance(value, TypedMap):
        return {"$": f"map[{value.key}]{value.element}", "v": dict(value)}
    if isinstance(value, dict):
        return {key: _tagged(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_tagged(item) for item in value]
    if isinstance(value, Function):
        return {"$": "func", "v": ""}
    if isinstance(value, float):
        return {"$": "float64", "v": repr(value)}
    if isinstance(value, int) and not isinstance(value, bool) and type(value) is not int:
        return {"$": type(value).__name__.lower(), "v": str(int(value))}
    return value
