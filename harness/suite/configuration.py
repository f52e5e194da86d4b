"""A run's configuration: the suite file with the flags of the command line put in.

Imported by verbs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.kit.errors import UsageError
from harness.suite.files import Case, Ignore
from harness.suite.loading import LoadOptions
from harness.suite.model import LoadedSuite
from harness.suite.objects import SUITE_FILE, load_suite
from harness.suite.problem import Problem, raise_errors
from harness.suite.selection import by_name, parse_run_labels
from harness.suite.spec import TestSuite
from harness.suite.templates import parse_template_vars

__all__ = ["Configured", "configure", "load_options"]

_KEPT_AS_GIVEN = (
    "crd_dir", "kind_context", "artifacts_dir", "report_name", "timeout", "parallel", "skip_delete",
    "skip_cluster_delete", "start_control_plane", "start_kind",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """What a verb works with.

    Attributes:
        loaded: the suite file as it was read.
        suite: it, with the flags put in.
        directories: the test directories, as they are named in reports.
        options: how files are read.
        select: which cases are meant.
        strict: warnings are errors.
        notes: lines that kuttl logs about it.
    """

    loaded: LoadedSuite
    suite: TestSuite
    directories: tuple[str, ...]
    options: LoadOptions
    select: Callable[[Case], bool]
    strict: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is odd about the suite file."""
        return self.loaded.problems


def configure(arguments: argparse.Namespace) -> Configured:
    """Return the configuration of a verb.

    Raises:
        UsageError: the suite file or a flag is wrong, or there is no test directory.
    """
    notes: list[str] = []
    path = arguments.config
    if path is None and Path(SUITE_FILE).is_file():
        path = Path(SUITE_FILE)
    if path is None:
        notes.append(f"running without a '{SUITE_FILE}' configuration")
    loaded = load_suite(path)
    raise_errors(loaded.problems, "a suite's configuration")
    if arguments.directories:
        notes.append(f"kutt-test config testdirs is overridden with args: [ {', '.join(arguments.directories)} ]")
    suite = _merged(loaded.suite, arguments)
    directories = tuple(arguments.directories) or suite.test_dirs
    if not directories:
        seen = "no test directories provided, please provide either --config or test directories on the command line"
        raise UsageError("test directories", seen=seen)
    options = load_options(arguments, suite)
    select = by_name(getattr(arguments, "test", ""), getattr(arguments, "case", ()), mode=options.mode)
    stamp = time.strftime("%Y/%m/%d %H:%M:%S")
    return Configured(
        loaded=loaded, suite=suite, directories=directories, options=options, select=select, strict=arguments.strict,
        notes=[f"{stamp} {note}" for note in notes],
    )  # fmt: skip


def load_options(arguments: argparse.Namespace, suite: TestSuite | None = None) -> LoadOptions:
    """Return how files are read.

    Raises:
        UsageError: a label, variable or pattern is wrong.
    """
    return LoadOptions(
        mode="strict" if arguments.bug_for_bug else "default",
        run_labels=parse_run_labels(getattr(arguments, "test_run_labels", "")),
        variables=parse_template_vars(arguments.template_var),
        missing_variables_fail=arguments.missing_variables_fail,
        ignore=Ignore((suite or TestSuite()).effective_ignore_files),
    )


def _merged(suite: TestSuite, arguments: argparse.Namespace) -> TestSuite:
    """Return a suite with the flags put in: one that was given replaces the whole field."""
    given = vars(arguments)
    changes: dict[str, Any] = {name: given[name] for name in _KEPT_AS_GIVEN if given.get(name) is not None}
    if given.get("namespace") is not None:
        changes["namespace"] = _namespace(given["namespace"])
    if given.get("manifest_dir"):
        changes["manifest_dirs"] = tuple(_split(given["manifest_dir"]))
    if given.get("suppress_log"):
        changes["suppress"] = (*suite.suppress, *_split(given["suppress_log"]))
    if given.get("kind_config") is not None:
        changes |= {"kind_config": given["kind_config"], "start_kind": True}
    if given.get("report") is not None:
        report = given["report"].lower()
        changes["report_format"] = report if report in {"xml", "json"} else ""
    if given.get("report_granularity") is not None:
        changes["report_granularity"] = _granularity(given["report_granularity"])
    merged = replace(suite, **changes)
    _check(merged, arguments)
    return (
        merged
        if merged.skip_delete is not None or not merged.start_control_plane
        else replace(merged, skip_delete=True)
    )


def _check(suite: TestSuite, arguments: argparse.Namespace) -> None:
    if suite.start_control_plane and suite.start_kind:
        seen = "only one of --start-control-plane and --start-kind can be set"
        raise UsageError("one kind of cluster", seen=seen)
    attach = getattr(arguments, "attach_control_plane_output", None) or suite.attach_control_plane_output
    if attach and not suite.start_control_plane:
        seen = "only use --attach-control-plane-output with --start-control-plane"
        raise UsageError("flags that fit each other", seen=seen)
    for name, value in (("parallel", suite.parallel),):
        if value is not None and value < 0:
            raise UsageError(f"a number above 0 for {name}", seen=f"{value} (Q7)")


def _namespace(name: str) -> str:
    if not name.strip():
        seen = 'setting namespace explicitly to "" or empty string is not supported'
        raise UsageError("a namespace behind --namespace", seen=seen)
    return name


def _granularity(text: str) -> str:
    if text not in {"step", "test"}:
        raise UsageError("step or test", seen=f'unrecognized report granularity "{text}"')
    return text


def _split(values: list[str]) -> list[str]:
    return [part for value in values for part in value.split(",") if part]
