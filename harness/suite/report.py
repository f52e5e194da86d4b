"""A run as kuttl's report files: JUnit-like XML and the same as JSON.

Pure: results in, text out. Imported by the command line and pytest's collection. In strict mode the text is kuttl's
with its gaps; else all errors, true times, and what could not be loaded or removed is there too (quirks Q72 to Q74).
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from harness.suite.problem import Mode
from harness.suite.results import CaseResult, RunResult, StepResult, SuiteResult

__all__ = ["Granularity", "render_json", "render_xml"]

Granularity = Literal["step", "test"]

_FORBIDDEN = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ESCAPES = {
    "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;", "\t": "&#x9;", "\n": "&#xA;", "\r": "&#xD;",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failure:
    message: str
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    classname: str
    name: str
    at: float
    seconds: float
    assertions: int = 0
    failure: _Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Suite:
    name: str
    at: float
    seconds: float
    cases: tuple[_Case, ...] = ()
    suites: tuple[_Suite, ...] = field(default=())

    @property
    def tests(self) -> int:
        return len(self.cases) + sum(one.tests for one in self.suites)

    @property
    def failures(self) -> int:
        return sum(one.failure is not None for one in self.cases) + sum(one.failures for one in self.suites)


def render_xml(result: RunResult, *, granularity: Granularity = "step", mode: Mode = "default") -> str:
    """Return the report as XML, without declaration and final newline.

    Args:
        result: the run.
        granularity: one test case per step, or per test.
        mode: strict leaves out what kuttl leaves out.
    """
    suites = _suites(result, granularity, mode)
    failure = _root_failure(result, mode)
    head = {"name": result.name, **_counters(suites, failure), "time": _seconds(result.seconds)}
    lines = [f"<testsuites{_attributes(head)}>"]
    lines += [f"  {_failure_xml(failure)}"] if failure else []
    lines += [f"  {line}" for one in suites for line in _suite_xml(one)]
    return "\n".join(f" {line}" for line in [*lines, "</testsuites>"])


def render_json(result: RunResult, *, granularity: Granularity = "step", mode: Mode = "default") -> str:
    """Return the report as JSON, without final newline. Arguments as for render_xml."""
    suites = _suites(result, granularity, mode)
    failure = _root_failure(result, mode)
    value: dict[str, Any] = {"name": result.name, **_counters(suites, failure), "time": _seconds(result.seconds)}
    if failure:
        value["failure"] = _failure_json(failure)
    if suites:
        value["testsuite"] = [_suite_json(one) for one in suites]
    text = json.dumps(value, indent=2, ensure_ascii=False)
    for char in "<>&":  # as Go writes them
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text.replace("\n", "\n ")


def _suites(result: RunResult, granularity: Granularity, mode: Mode) -> list[_Suite]:
    make = _by_step if granularity == "step" else _by_test
    return sorted((make(one, mode) for one in result.suites), key=lambda one: one.name)


def _by_step(suite: SuiteResult, mode: Mode) -> _Suite:
    nested = [
        _Suite(name=case.name, at=case.started, seconds=case.seconds, cases=tuple(_cases(case, mode)))
        for case in _told(suite, mode)
    ]
    ordered = tuple(sorted(nested, key=lambda one: one.name))
    return _Suite(name=suite.name, at=suite.started, seconds=suite.seconds, suites=ordered)


def _by_test(suite: SuiteResult, mode: Mode) -> _Suite:
    classname = suite.name.rstrip("/").rpartition("/")[2]
    cases = [
        _Case(
            classname=classname, name=case.name, at=case.started, seconds=case.seconds, assertions=case.assertions,
            failure=_case_failure(case, mode),
        )
        for case in _told(suite, mode)
    ]  # fmt: skip
    ordered = tuple(sorted(cases, key=lambda one: one.name))
    return _Suite(name=suite.name, at=suite.started, seconds=suite.seconds, cases=ordered)


def _told(suite: SuiteResult, mode: Mode) -> Iterable[CaseResult]:
    """Return the cases of the report; kuttl leaves out what could not be loaded, or was interrupted (quirk Q72)."""
    return [one for one in suite.cases if mode == "default" or not (one.load or one.outcome == "interrupted")]


def _cases(case: CaseResult, mode: Mode) -> list[_Case]:
    end = case.started + case.seconds
    if case.load:
        return [_Case(classname=case.name, name="load", at=case.started, seconds=0.0, failure=_load_failure(case))]
    setup = _Failure(message=case.setup) if case.setup else None
    first = case.steps[0].started if case.steps else end
    spent = max(0.0, first - case.started)
    steps = [_Case(classname=case.name, name="setup", at=case.started, seconds=spent, failure=setup)]
    steps += [_step(case, one, mode) for one in case.steps]
    if mode == "strict":  # quirk Q74
        return sorted((_late(one, end) for one in steps), key=lambda one: one.name)
    if case.cleanup:
        failure = _Failure(message="clean-up left something", text="\n".join(case.cleanup))
        steps.append(_Case(classname=case.name, name="cleanup", at=end, seconds=0.0, failure=failure))
    return steps


def _late(case: _Case, end: float) -> _Case:
    return _Case(
        classname=case.classname, name=case.name, at=end, seconds=0.0, assertions=case.assertions, failure=case.failure
    )


def _step(case: CaseResult, step: StepResult, mode: Mode) -> _Case:
    return _Case(
        classname=case.name, name=f"step {step.name}", at=step.started, seconds=step.seconds,
        assertions=step.assertions, failure=_step_failure(step, mode),
    )  # fmt: skip


def _step_failure(step: StepResult, mode: Mode) -> _Failure | None:
    if step.outcome == "passed":
        return None
    errors = step.errors
    text = (errors[-1] if errors else "") if mode == "strict" else _full_text(step)  # quirk Q73
    return _Failure(message=f"failed in step {step.name}", text=text)


def _full_text(step: StepResult) -> str:
    """Return all errors, the last one first, as kuttl would have shown only that; each with what explains it."""
    parts = [part for failure in reversed(step.failures) for part in (str(failure), failure.diff) if part]
    return "\n".join(parts)


def _case_failure(case: CaseResult, mode: Mode) -> _Failure | None:
    if case.load:
        return _load_failure(case)
    if case.setup:
        return _Failure(message=case.setup)
    step = case.failed_step
    if step is not None:
        return _step_failure(step, mode)
    if case.cleanup and mode == "default":
        return _Failure(message="clean-up left something", text="\n".join(case.cleanup))
    return _Failure(message="the run was interrupted") if case.outcome == "interrupted" else None


def _load_failure(case: CaseResult) -> _Failure:
    lines = [str(one) for one in case.load]
    return _Failure(message=f"failed to load: {case.load[0].text}", text="\n".join(lines))


def _root_failure(result: RunResult, mode: Mode) -> _Failure | None:
    if result.failure:
        return _Failure(message=result.failure)
    if mode == "strict" or not (result.cleanup or result.interrupted):
        return None
    message = "the run was interrupted" if result.interrupted else "clean-up left something"
    return _Failure(message=message, text="\n".join(result.cleanup))


def _counters(suites: Sequence[_Suite], failure: _Failure | None) -> dict[str, int]:
    failures = sum(one.failures for one in suites) + (failure is not None)
    return {"tests": sum(one.tests for one in suites), "failures": failures}


def _suite_xml(suite: _Suite) -> list[str]:
    head = {
        "tests": suite.tests, "failures": suite.failures, "timestamp": _time(suite.at), "time": _seconds(suite.seconds),
        "name": suite.name,
    }  # fmt: skip
    inner = [f"  {line}" for case in suite.cases for line in _case_xml(case)]
    inner += [f"  {line}" for one in suite.suites for line in _suite_xml(one)]
    if not inner:
        return [f"<testsuite{_attributes(head)}></testsuite>"]
    return [f"<testsuite{_attributes(head)}>", *inner, "</testsuite>"]


def _case_xml(case: _Case) -> list[str]:
    head = _attributes(
        {
            "classname": case.classname, "name": case.name, "timestamp": _time(case.at), "time": _seconds(case.seconds),
            "assertions": case.assertions,
        }
    )  # fmt: skip
    if case.failure is None:
        return [f"<testcase{head}></testcase>"]
    return [f"<testcase{head}>", f"  {_failure_xml(case.failure)}", "</testcase>"]


def _failure_xml(failure: _Failure) -> str:
    return f"<failure{_attributes({'message': failure.message, 'type': ''})}>{_escaped(failure.text)}</failure>"


def _attributes(values: dict[str, Any]) -> str:
    return "".join(f' {key}="{_escaped(str(value))}"' for key, value in values.items())


def _escaped(text: str) -> str:
    clean = _FORBIDDEN.sub("\ufffd", text)
    return "".join(_ESCAPES.get(char, char) for char in clean)


def _suite_json(suite: _Suite) -> dict[str, Any]:
    value: dict[str, Any] = {
        "tests": suite.tests, "failures": suite.failures, "timestamp": _short_time(suite.at),
        "time": _seconds(suite.seconds), "name": suite.name,
    }  # fmt: skip
    if suite.cases:
        value["testcase"] = [_case_json(one) for one in suite.cases]
    if suite.suites:
        value["testsuite"] = [_suite_json(one) for one in suite.suites]
    return value


def _case_json(case: _Case) -> dict[str, Any]:
    value: dict[str, Any] = {
        "classname": case.classname, "name": case.name, "timestamp": _short_time(case.at),
        "time": _seconds(case.seconds),
    }  # fmt: skip
    if case.assertions:
        value["assertions"] = case.assertions
    if case.failure is not None:
        value["failure"] = _failure_json(case.failure)
    return value


def _failure_json(failure: _Failure) -> dict[str, str]:
    return {**({"text": failure.text} if failure.text else {}), "message": failure.message}


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f}"


def _time(at: float) -> str:
    """Return RFC 3339 with nanoseconds."""
    nanoseconds = round(at * 1e6) * 1000  # a float of our time knows no more
    moment = dt.datetime.fromtimestamp(nanoseconds // 10**9, tz=dt.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{nanoseconds % 10**9:09d}Z"


def _short_time(at: float) -> str:
    return re.sub(r"\.?0*Z$", "Z", _time(at))
