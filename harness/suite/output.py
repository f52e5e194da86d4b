"""What a run leaves on disk and on the screen in kuttl's form: report files, the stream of `go test -v`, its tail.

Imported by the command line and collect.
"""

from __future__ import annotations

from pathlib import Path
from typing import IO

from harness.kit.errors import UsageError
from harness.suite.log import Line
from harness.suite.problem import Mode
from harness.suite.results import CaseResult, RunResult
from harness.suite.spec import TestSuite

__all__ = ["Stream", "render_tail", "write_report"]

_ROOT = "kuttl/harness"


def write_report(result: RunResult, suite: TestSuite, home: Path, *, mode: Mode = "default") -> Path | None:
    """Write the report file that a suite asks for; return its path, None when it asks for none.

    Args:
        result: the run.
        suite: its configuration: reportFormat, reportName, reportGranularity, artifactsDir.
        home: the runner's folder.
        mode: strict has kuttl's gaps, and writes JSON for anything but `xml` (quirk Q11).

    Raises:
        UsageError: the file cannot be written.
    """
    from harness.suite.report import render_json, render_xml

    wanted = suite.report_format if mode == "strict" else suite.report_format.lower()
    if not wanted:
        return None
    form = "xml" if wanted == "xml" else "json"
    path = home / suite.artifacts_dir / f"{suite.report_name or 'kuttl-report'}.{form}"
    render = render_xml if form == "xml" else render_json
    text = render(result, granularity="test" if suite.report_granularity == "test" else "step", mode=mode)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError("a report file", seen=error.strerror or str(error), where=str(path)) from None
    return path


class Stream:
    """Writes the lines of a run as `go test -v` does; several threads may tell it lines."""

    def __init__(self, out: IO[str]) -> None:
        import threading

        self._out = out
        self._lock = threading.Lock()
        self._source = ""

    def begin(self) -> None:
        """Write the run's first lines."""
        self._write("=== RUN   kuttl")

    def __call__(self, line: Line) -> None:
        """Write a line, with the test's name above it whenever that changes."""
        test = line.source.partition("/")[0]
        name = f"{_ROOT}/{test}" if test else "kuttl"
        first, *rest = str(line).split("\n")
        with self._lock:
            lines = [] if name == self._source else [f"=== NAME  {name}"]
            self._source = name
            lines += [f"    {first}", *(f"        {one}" for one in rest)]
            self._out.write("\n".join(lines) + "\n")
            self._out.flush()

    def _write(self, text: str) -> None:
        with self._lock:
            self._out.write(text + "\n")
            self._out.flush()


def render_tail(result: RunResult) -> str:
    """Return the tree of verdicts and the last line, as `go test -v` ends."""
    cases = [case for suite in result.suites for case in suite.cases]
    failed = not all(case.passed for case in cases) or bool(result.failure)
    lines = [f"--- {_verdict(failed=failed)}: kuttl ({result.seconds:.2f}s)"]
    if cases:
        lines.append(f"    --- {_verdict(failed=not all(case.passed for case in cases))}: {_ROOT} (0.00s)")
    names = _unique(cases)
    lines += [
        f"        --- {_verdict(failed=not case.passed)}: {_ROOT}/{name} ({case.seconds:.2f}s)"
        for name, case in zip(names, cases, strict=True)
    ]
    return "\n".join([*lines, _verdict(failed=not result.passed)])


def _verdict(*, failed: bool) -> str:
    return "FAIL" if failed else "PASS"


def _unique(cases: list[CaseResult]) -> list[str]:
    """Return the cases' names; equal ones get #01, #02 behind them."""
    seen: dict[str, int] = {}
    names = []
    for case in cases:
        count = seen[case.name] = seen.get(case.name, -1) + 1
        names.append(f"{case.name}#{count:02}" if count else case.name)
    return names
