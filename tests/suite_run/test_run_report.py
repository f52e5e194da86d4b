"""Reports as text: kuttl's form to the letter, and what it leaves out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

from harness.suite.problem import Problem
from harness.suite.report import render_json, render_xml
from harness.suite.results import CaseResult, Failure, RunResult, StepResult, SuiteResult

START = 1893553445.125  # 2030-01-02T03:04:05.125Z
FAILURE = Failure(
    text="resource StatefulSet:ns-1/db: .status.readyReplicas: value mismatch, expected: 5 != actual: 3",
    where="01-assert.yaml:7:3",
    diff="--- a\n+++ b\n",
)


def step(name: str, *failures: Failure, assertions: int = 1, at: float = START) -> StepResult:
    """Return a step."""
    return StepResult(
        name=name, outcome="failed" if failures else "passed", started=at, seconds=2.5,
        assertions=assertions, failures=failures,
    )  # fmt: skip


def case(name: str = "scale-up", *steps: StepResult, **fields: object) -> CaseResult:
    """Return a case."""
    failed = any(one.outcome == "failed" for one in steps) or bool(fields.get("setup") or fields.get("load"))
    values: dict[str, object] = {
        "name": name, "directory": Path(name), "suite": "suites/galera", "namespace": "ns-1",
        "outcome": "failed" if failed else "passed", "started": START, "seconds": 38.42, "steps": steps, **fields,
    }  # fmt: skip
    return CaseResult(**values)  # type: ignore[arg-type]  # fields of a case


def run(*cases: CaseResult, **fields: object) -> RunResult:
    """Return a run of one suite."""
    suite = SuiteResult(name="suites/galera", started=START, seconds=38.5, cases=cases)
    result = RunResult(name="nightly", started=START, seconds=41.2071, suites=(suite,))
    return replace(result, **fields)  # type: ignore[arg-type]  # fields of a run


def test_xml_by_step_is_kuttl_s_to_the_letter() -> None:
    """Reports, strict: indentation, attributes and their order, counters, times, the last error only."""
    extra = Failure(text='command "x" failed, exit status 1')
    result = run(case("scale-up", step("0-install", assertions=2), step("1-scale", extra, FAILURE)))
    assert render_xml(result, mode="strict") == dedent(
        """\
         <testsuites name="nightly" tests="3" failures="1" time="41.207">
           <testsuite tests="3" failures="1" timestamp="2030-01-02T03:04:05.125000000Z" time="38.500" name="suites/galera">
             <testsuite tests="3" failures="1" timestamp="2030-01-02T03:04:05.125000000Z" time="38.420" name="scale-up">
               <testcase classname="scale-up" name="setup" timestamp="2030-01-02T03:04:43.545000000Z" time="0.000" assertions="0"></testcase>
               <testcase classname="scale-up" name="step 0-install" timestamp="2030-01-02T03:04:43.545000000Z" time="0.000" assertions="2"></testcase>
               <testcase classname="scale-up" name="step 1-scale" timestamp="2030-01-02T03:04:43.545000000Z" time="0.000" assertions="1">
                 <failure message="failed in step 1-scale" type="">resource StatefulSet:ns-1/db: .status.readyReplicas: value mismatch, expected: 5 != actual: 3</failure>
               </testcase>
             </testsuite>
           </testsuite>
         </testsuites>"""  # noqa: E501 - as it is in the file
    ).replace("\n", "\n ").replace("<testsuites name", " <testsuites name")


def test_json_by_test() -> None:
    """Reports: the same names as keys in the same order; empty text, type and assertions are left out."""
    text = render_json(run(case("scale-up", step("1-scale", FAILURE))), granularity="test", mode="strict")
    assert text.splitlines()[0] == "{"
    assert text.splitlines()[1] == '   "name": "nightly",'
    assert text.splitlines()[-1] == " }"
    value = json.loads(text)
    assert list(value) == ["name", "tests", "failures", "time", "testsuite"]
    (suite,) = value["testsuite"]
    assert list(suite) == ["tests", "failures", "timestamp", "time", "name", "testcase"]
    assert suite["testcase"] == [
        {
            "classname": "galera",
            "name": "scale-up",
            "timestamp": "2030-01-02T03:04:05.125Z",
            "time": "38.420",
            "assertions": 1,
            "failure": {"text": FAILURE.text, "message": "failed in step 1-scale"},
        }
    ]
    passed = json.loads(render_json(run(case("ok", step("0-x", assertions=0))), granularity="test"))
    assert list(passed["testsuite"][0]["testcase"][0]) == ["classname", "name", "timestamp", "time"]


def test_all_errors_are_there_the_last_one_first() -> None:
    """Quirk Q73: by default every error is in the report, with what explains it and its diff."""
    extra = Failure(text="an earlier error")
    xml = render_xml(run(case("c", step("1-scale", extra, FAILURE))))
    assert xml.index("value mismatch") < xml.index("--- a") < xml.index("an earlier error")
    assert "01-assert.yaml:7:3" in xml


def test_true_times_and_the_order_of_steps() -> None:
    """Quirk Q74: by default steps stand in their order with their own start and duration."""
    result = run(case("c", step("2-x", at=START + 1), step("10-y", at=START + 3)))
    names = [one["name"] for one in json.loads(render_json(result))["testsuite"][0]["testsuite"][0]["testcase"]]
    assert names == ["setup", "step 2-x", "step 10-y"]
    xml = render_xml(result)
    assert 'name="step 10-y" timestamp="2030-01-02T03:04:08.125000000Z" time="2.500"' in xml
    strict = json.loads(render_json(result, mode="strict"))["testsuite"][0]["testsuite"][0]["testcase"]
    assert [one["name"] for one in strict] == ["setup", "step 10-y", "step 2-x"]


def test_load_and_clean_up_failures_are_there() -> None:
    """Quirk Q72: what could not be loaded or removed is a case of its own; kuttl says nothing of it."""
    problem = Problem(severity="error", text="a key is missing", where="00-x.yaml:1:1")
    result = run(
        case("broken", load=(problem,)), case("dirty", step("0-x"), cleanup=("ClusterRole:/x is still there",))
    )
    xml = render_xml(result)
    assert '<testcase classname="broken" name="load"' in xml
    assert '<testcase classname="dirty" name="cleanup"' in xml
    assert 'failures="2"' in xml
    strict = render_xml(result, mode="strict")
    assert "broken" not in strict
    assert "cleanup" not in strict


def test_a_failed_setup_of_a_case() -> None:
    """Reports: a namespace that could not be made is the failure of the case `setup`, without a text."""
    xml = render_xml(run(case("c", setup='failed to create test namespace "x"')))
    assert '<failure message="failed to create test namespace &#34;x&#34;" type=""></failure>' in xml


def test_a_failed_setup_of_the_run() -> None:
    """Reports: a fatal error has no suites, and a failure below the root."""
    result = replace(run(), suites=(), failure="fatal error installing crds: x")
    assert render_xml(result) == (
        ' <testsuites name="nightly" tests="0" failures="1" time="41.207">\n'
        '   <failure message="fatal error installing crds: x" type=""></failure>\n'
        " </testsuites>"
    )
    assert json.loads(render_json(result))["failure"] == {"message": "fatal error installing crds: x"}


def test_a_suite_of_which_nothing_ran_is_there() -> None:
    """Reports: a test directory appears even if no test of it ran."""
    assert 'tests="0" failures="0"' in render_xml(run())
    assert 'name="suites/galera"' in render_xml(run())


def test_special_characters() -> None:
    """Reports: markup, quotes, line breaks and forbidden characters are written as Go writes them."""
    failure = Failure(text="a <b> & \"c\" 'd'\n\x00\x1b[31m")
    xml = render_xml(run(case("c", step("0-x", failure))), mode="strict")
    assert "a &lt;b&gt; &amp; &#34;c&#34; &#39;d&#39;&#xA;\ufffd\ufffd[31m" in xml
    assert "\\u003cb\\u003e \\u0026" in render_json(run(case("c", step("0-x", failure))), mode="strict")
