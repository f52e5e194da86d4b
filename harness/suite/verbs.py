"""What the verbs of `kubectl kuttl` do.

Imported by cli when a verb runs.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.kit.errors import UsageError
from harness.suite.configuration import Configured, configure, load_options
from harness.suite.excerpt import explain_case
from harness.suite.files import Case, list_cases
from harness.suite.loading import load_case
from harness.suite.model import LoadedCase, Step
from harness.suite.output import Stream, render_tail, write_report
from harness.suite.problem import Problem, errors_of, judged
from harness.suite.results import CaseResult, RunResult

if TYPE_CHECKING:
    from harness.suite.environment import Environment

__all__ = ["check", "lint", "test", "update"]

_TERMINATED, _INTERRUPTED, _KUTTL_USAGE = 143, 130, 255


def test(arguments: argparse.Namespace) -> int:
    """Run tests, print kuttl's stream, write the report; return the exit code."""
    configured = configure(arguments)
    _tell(configured.notes)
    _tell(judged(configured.problems, mode=configured.options.mode))
    if arguments.dry_run:
        with _folders(configured) as folders:
            return _dry_run(configured, folders)
    from harness.suite.place_of_run import place_of_run

    stream = Stream(sys.stdout)
    stream.begin()
    with _signals() as caught:
        with place_of_run(arguments, configured.suite) as place:
            result = _run(configured, place.environment(configured, stream), controllers=place.controllers)
        sys.stdout.write(_told(result))
        written = write_report(result, configured.suite, Path.cwd(), mode=configured.options.mode)
    if written:
        sys.stderr.write(f"report   {written}\n")
    if result.interrupted:
        return _KUTTL_USAGE if configured.options.mode == "strict" else caught[0] if caught else _INTERRUPTED
    if arguments.fail_if_none and not list(result.cases):
        sys.stderr.write("Error: no test was selected\n")
        return 1
    return 0 if result.passed else 1


def check(arguments: argparse.Namespace) -> int:
    """Check objects against files, as asserts or as errors; return the exit code."""
    from harness.suite.checking import check_objects
    from harness.suite.objects import load_objects
    from harness.suite.place_of_run import place_of_run
    from harness.suite.spec import TestSuite

    options = load_options(arguments)
    loaded = load_objects(arguments.files, arguments.role, namespace=arguments.namespace, options=options)
    problems = judged(loaded.problems, mode=options.mode, warnings_fail=arguments.strict)
    _tell(problems)
    if errors_of(problems):
        raise UsageError("files that can be checked", seen=errors_of(problems)[0].text)
    with place_of_run(arguments, TestSuite()) as place:
        failures = check_objects(
            loaded.entries, place.site(), namespace=arguments.namespace, timeout=arguments.timeout, mode=options.mode
        )
    if not failures:
        sys.stdout.write(f"{arguments.valid}\n")
        return 0
    strict = options.mode == "strict"
    for failure in failures:
        texts = failure.kuttl_errors if strict else [*failure.kuttl_errors[:-1], str(failure)]
        sys.stdout.write("\n".join(texts) + "\n")
    sys.stderr.write(f"Error: {'asserts' if arguments.role == 'assert' else 'error asserts'} not valid\n")
    return _KUTTL_USAGE if strict else 1


def lint(arguments: argparse.Namespace) -> int:
    """Say what is wrong or odd about suites; return 1 when something is wrong."""
    from harness.suite.lint import lint_directory, lint_suite

    configured = configure(arguments)
    counts = {"error": 0, "warning": 0, "note": 0}
    cases = 0
    found = list(lint_suite(configured.loaded))
    with _cluster_knowledge(arguments) as look, _folders(configured) as folders:
        for folder in folders:
            for case, problems in lint_directory(folder, configured.suite, configured.options):
                found += problems
                if case is not None:
                    cases += 1
                    found += look(load_case(case, namespace="kuttl-lint", options=configured.options))
    for one in judged(found, mode=configured.options.mode, warnings_fail=arguments.strict):
        counts[one.severity] += 1
        if one.severity != "note":
            sys.stdout.write(f"{one}\n")
    sys.stdout.write(f"{cases} cases: {counts['error']} errors, {counts['warning']} warnings\n")
    return int(counts["error"] > 0)


def update(arguments: argparse.Namespace) -> int:
    """Write assert files from the live state; return the exit code."""
    from harness.suite.place_of_run import place_of_run
    from harness.suite.spec import TestSuite
    from harness.suite.update import update_file

    with place_of_run(arguments, TestSuite()) as place:
        for path in arguments.files:
            updated = update_file(path, place.kube, arguments.namespace, objects=arguments.objects)
            if arguments.dry_run:
                sys.stdout.write(updated.diff)
            elif updated.changed:
                path.write_text(updated.text, encoding="utf-8")
            sys.stdout.write(f"{path}: {updated.summary}\n")
    return 0


def _run(configured: Configured, environment: Environment, *, controllers: bool) -> RunResult:
    from harness.suite.run import run_suite

    refused = _refused(configured) if configured.strict else []
    names = {(one.suite, one.name) for one in refused}
    result = run_suite(
        environment,
        configured.directories,
        select=lambda case: configured.select(case) and (str(case.suite), case.name) not in names,
        controllers=controllers,
    )
    if not list(result.cases) and not refused and not result.failure:
        sys.stderr.write("testing: warning: no tests to run\n")
    return _with(result, refused)


def _refused(configured: Configured) -> list[CaseResult]:
    """Return the cases that --strict fails for their warnings, without running them."""
    found = []
    for directory in configured.directories:
        for case in filter(configured.select, list_cases(Path(directory)).cases):
            loaded = load_case(case, namespace="kuttl-strict", options=configured.options)
            errors = errors_of(judged(loaded.problems, mode=configured.options.mode, warnings_fail=True))
            if errors:
                result = CaseResult(
                    name=case.name, directory=case.directory, suite=str(case.suite), namespace="", outcome="failed",
                    started=0.0, seconds=0.0, load=tuple(errors),
                )  # fmt: skip
                found.append(result)
    return found


def _with(result: RunResult, refused: list[CaseResult]) -> RunResult:
    if not refused:
        return result
    suites = []
    for suite in result.suites:
        more = [replace(one, started=suite.started) for one in refused if one.suite == str(Path(suite.name))]
        suites.append(replace(suite, cases=tuple(sorted([*suite.cases, *more], key=lambda one: one.name))))
    return replace(result, suites=tuple(suites))


def _told(result: RunResult) -> str:
    """Return what is said at the end: each failed case explained, warnings, what is left, kuttl's tail."""
    parts = [explain_case(case, relative_to=Path.cwd()) for case in result.cases if not case.passed]
    warnings = dict.fromkeys(str(one) for case in result.cases for one in case.problems)
    parts += [*warnings, *(f"left     {line}" for line in result.cleanup)]
    return "\n\n".join([*filter(None, parts), render_tail(result)]) + "\n"


@contextmanager
def _folders(configured: Configured) -> Iterator[list[Path]]:
    """Give the test directories, those behind addresses downloaded for the while."""
    from harness.suite.downloads import Downloads, is_url

    downloads = Downloads()
    try:
        yield [downloads.fetch(name) if is_url(name) else Path(name) for name in configured.directories]
    finally:
        downloads.remove()


def _dry_run(configured: Configured, folders: Iterable[Path]) -> int:
    """Print what would be done; return 1 when something could not be."""
    wrong = 0
    for folder in folders:
        for case in filter(configured.select, list_cases(folder).cases):
            loaded = load_case(case, namespace="kuttl-dry-run", options=configured.options)
            problems = judged(loaded.problems, mode=configured.options.mode, warnings_fail=configured.strict)
            wrong += len(errors_of(problems))
            sys.stdout.write("\n".join([case.name, *_plan(case, loaded.steps, problems)]) + "\n")
    return int(wrong > 0)


def _plan(case: Case, steps: Iterable[Step], problems: Iterable[Problem]) -> Iterator[str]:
    for step in steps:
        yield f"  {step.full_name}"
        test_step, check = step.test_step, step.test_assert
        for one in test_step.delete if test_step else ():
            labels = ",".join(f"{key}={value}" for key, value in one.labels.items())
            yield f"    delete  {one.kind} {one.name or labels or '(all)'}"
        for command in test_step.commands if test_step else ():
            yield f"    run     {command.summary}"
        for verb, entries in (("apply", step.applies), ("assert", step.asserts), ("deny", step.errors)):
            for entry in entries:
                where = str(entry.mark).replace(f"{case.directory}/", "")
                yield f"    {verb:<7} {entry.kind} {entry.name or '(any)'}  {where}"
        for again in check.commands if check else ():
            yield f"    check   {again.summary}"
        for expression in (*(check.assert_any if check else ()), *(check.assert_all if check else ())):
            yield f"    expect  {expression.cel_expr}"
    yield from (f"  {one}" for one in problems if one.severity != "note")


@contextmanager
def _cluster_knowledge(arguments: argparse.Namespace) -> Iterator[Callable[[LoadedCase], list[Problem]]]:
    """Give what checks a case against a cluster, or says nothing when no cluster was named."""
    if not (arguments.cluster or arguments.context or arguments.kubeconfig):
        yield lambda _loaded: []
        return
    from harness.suite.cluster_lint import ClusterLint
    from harness.suite.place_of_run import place_of_run
    from harness.suite.spec import TestSuite

    with place_of_run(arguments, TestSuite()) as place:
        yield ClusterLint(place.kube).check


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Treat SIGTERM as Ctrl-C while a run has things to remove; give the exit code that it asks for."""
    caught: list[int] = []

    def interrupt(_number: int, _frame: object) -> None:
        caught.append(_TERMINATED)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield caught
    finally:
        signal.signal(signal.SIGTERM, before)


def _tell(lines: Iterable[object]) -> None:
    for line in lines:
        sys.stderr.write(f"{line}\n")
