"""What can be said about a suite without running it and without a cluster.

Everything that loading finds, some of it judged harder, and what the runner would only meet later: duplicates,
contradictions, shell syntax without a shell, timeouts that cannot fit. Imported by the command line; reads
files through loading.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.checks.paths import path_text
from harness.checks.subset import matches
from harness.kit.errors import UsageError
from harness.suite.files import Case, list_cases
from harness.suite.loading import LoadOptions, load_case
from harness.suite.model import Entry, LoadedCase, LoadedSuite, Step
from harness.suite.problem import Problem
from harness.suite.spec import AssertCommand, Command, TestSuite
from harness.suite.words import expand, split_words

__all__ = ["lint_case", "lint_directory", "lint_suite"]

_HARDER = frozenset({2, 6, 38})  # quirks whose warnings are errors here
_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SLEEP = re.compile(r"(?:^|[\s;&|(])sleep\s+([0-9.]+)([smhd]?)(?=$|[\s;&|)])")
_WAIT = re.compile(r"--timeout[= ]((?:[0-9.]+(?:ms|s|m|h))+)")
_SHELL = re.compile(r"^(?:\||\|\||&&|;|>|>>|<|2>|2>&1|&)$|^[^=]*;$|^\$\(|^`")
_DEFAULTED = re.compile(r"\$\{[A-Za-z_]\w*[^}\w][^}]*\}|\$[0-9?@*#]")


def lint_suite(loaded: LoadedSuite) -> list[Problem]:
    """Return what is wrong or odd about a suite's configuration."""
    found = [_judged(one) for one in loaded.problems]
    limit = loaded.suite.timeout or 0
    for command in loaded.suite.commands:
        found += _command_problems(command, limit if limit > 0 and not command.timeout else command.timeout)
    return found


def lint_directory(
    directory: Path, suite: TestSuite, options: LoadOptions | None = None
) -> Iterator[tuple[Case | None, list[Problem]]]:
    """Read the cases of a test directory one after the other, and return each with what is wrong or odd about it.

    Args:
        directory: the test directory.
        suite: the configuration that they would run with.
        options: how files are read.

    Yields:
        None with the directory's own problems first, then each case with its own.

    Raises:
        UsageError: the directory is missing.
    """
    listed = list_cases(directory)
    yield None, [_judged(one) for one in listed.problems]
    for case in listed.cases:
        yield case, lint_case(load_case(case, namespace="kuttl-lint", options=options), suite)


def lint_case(loaded: LoadedCase, suite: TestSuite) -> list[Problem]:
    """Return what is wrong or odd about a case.

    Args:
        loaded: the case as it was read.
        suite: the configuration that it would run with.
    """
    found = [_judged(one) for one in loaded.problems]
    for step in loaded.steps:
        found += _duplicates(step)
        found += _contradictions(step)
        for entry in (*step.applies, *step.asserts, *step.errors):
            found += _entry_problems(entry)
        found += _step_commands(step, suite)
    if loaded.steps and not any(map(_checks_something, loaded.steps)):
        text = "no step asserts anything: the case passes when its commands and applies do"
        found.append(Problem(severity="warning", text=text, where=str(loaded.case.directory)))
    return found


def _judged(problem: Problem) -> Problem:
    hard = problem.severity == "warning" and (problem.quirk in _HARDER or problem.text.startswith("processing command"))
    return replace(problem, severity="error") if hard else problem


def _duplicates(step: Step) -> Iterable[Problem]:
    for entries, verb in ((step.applies, "applied"), (step.asserts, "asserted"), (step.errors, "denied")):
        seen: dict[tuple[str, ...], Entry] = {}
        for entry in entries:
            key = _identity(entry)
            first = seen.setdefault(key, entry)
            if entry.name and first is not entry and (verb == "applied" or first.manifest == entry.manifest):
                text = f"{entry.kind} {entry.name} is {verb} twice in step {step.full_name}, first at {first.mark}"
                yield Problem(severity="warning", text=text, where=str(entry.mark))


def _contradictions(step: Step) -> Iterable[Problem]:
    """Return errors entries that are matched by what the same step asserts: they never hold together."""
    for denied in step.errors:
        for wanted in step.asserts:
            if denied.name and _identity(denied) == _identity(wanted) and matches(denied.manifest, wanted.manifest):
                text = f"{denied.kind} {denied.name} must not match what {wanted.mark} asserts: the step cannot pass"
                yield Problem(severity="error", text=text, where=str(denied.mark))


def _entry_problems(entry: Entry) -> Iterable[Problem]:
    if entry.kind[:1].islower():
        text = f'the kind "{entry.kind}" begins with a small letter: it can be checked by name, not created'
        where, hint = str(entry.at("kind")), f'did you mean "{entry.kind[:1].upper()}{entry.kind[1:]}"?'
        yield Problem(severity="warning", text=text, where=where, hint=hint, quirk=54)
    if entry.role == "assert":
        for path in _nulls(entry.manifest, ()):
            text = f"{path_text(path)} is asserted to be null: only a null that is there matches, never a missing field"
            yield Problem(severity="warning", text=text, where=str(entry.at(*path)))


def _nulls(value: Any, path: tuple[str | int, ...]) -> Iterable[tuple[str | int, ...]]:
    if value is None:
        yield path
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _nulls(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _nulls(item, (*path, index))


def _step_commands(step: Step, suite: TestSuite) -> Iterable[Problem]:
    for command in step.test_step.commands if step.test_step else ():
        limit = command.timeout or suite.effective_timeout
        yield from _command_problems(command, limit)
    for check in step.test_assert.commands if step.test_assert else ():
        yield from _command_problems(check, step.timeout(suite))


def _command_problems(command: Command | AssertCommand, limit: int) -> Iterable[Problem]:
    """Return what is wrong with a command; a limit of 0 or less is none."""
    longest = max(_durations(command.command + command.script), default=0.0)
    if 0 < limit < longest:
        text = f"command {command.summary} waits up to {longest:g} s, but is stopped after {limit} s"
        yield Problem(
            severity="warning", text=text, where=str(command.mark), hint="give it, or the suite, a larger timeout"
        )
    if command.command:
        yield from _word_problems(command)


def _word_problems(command: Command | AssertCommand) -> Iterable[Problem]:
    where = str(command.mark)
    for found in dict.fromkeys(_DEFAULTED.findall(command.command)):
        text = f"{found} gives nothing in a command: only $NAME and ${{NAME}} are replaced"
        yield Problem(severity="warning", text=text, where=where, hint="use `script`", quirk=58)
    try:
        split = split_words(expand(command.command, _Anything()).text)
    except UsageError as error:
        yield Problem(severity="error", text=f"command {command.summary}: {error.seen}", where=where)
        return
    if split.comment:
        text = f"the comment {split.comment!r} is dropped from command {command.summary}"
        yield Problem(severity="warning", text=text, where=where, hint="quote the #", quirk=59)
    shell = next((word for word in split.words if _SHELL.search(word)), "")
    if shell and split.words[0] not in {"sh", "bash", "/bin/sh", "/bin/bash"}:
        text = f"command {command.summary} has no shell: {shell!r} is passed on as it is"
        yield Problem(severity="warning", text=text, where=where, hint="use `script`")
    if command.namespaced and "--" in split.words:
        text = f"--namespace is put before the bare -- of command {command.summary}; kuttl appends it behind"
        yield Problem(severity="warning", text=text, where=where, quirk=77)


def _durations(text: str) -> Iterable[float]:
    for number, unit in _SLEEP.findall(text):
        yield _seconds(number, unit)
    for duration in _WAIT.findall(text):
        yield sum(_seconds(number, unit) for number, unit in re.findall(r"([0-9.]+)(ms|s|m|h)", duration))


def _seconds(number: str, unit: str) -> float:
    try:
        return float(number) * _UNITS[unit]
    except ValueError:
        return 0.0


def _identity(entry: Entry) -> tuple[str, ...]:
    return entry.api_version, entry.kind.lower(), entry.namespace, entry.name


def _checks_something(step: Step) -> bool:
    check = step.test_assert
    commands = bool(step.test_step and step.test_step.commands)
    checks = bool(check and (check.commands or check.assert_any or check.assert_all or check.resource_refs))
    return bool(step.asserts or step.errors or step.extensions or commands or checks)


class _Anything(dict[str, str]):
    """An environment in which every name is set."""

    def __contains__(self, _name: object) -> bool:
        return True

    def get(self, _name: str, _default: Any = None) -> Any:
        return "x"
