"""From a case's files to its steps: read when it is asked for, with everything wrong about it told at once.

Imported by lint and the runner. Never raises for what stands in a case's files; reads files, and the addresses that a
TestStep lists. Listing cases (harness.suite.files) opens nothing, so that collecting a thousand of them costs little.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.kit.documents import DocumentError, read_text
from harness.kit.errors import UsageError
from harness.suite.files import Case, CaseFiles, Ignore, Role, StepEntry, StepFiles, list_files, role_hint
from harness.suite.model import Entry, Expressions, LoadedCase, Step
from harness.suite.placing import Placed, place
from harness.suite.problem import Mode, Problem
from harness.suite.spec import TestAssert, TestStep
from harness.suite.streams import Stream, fetch_text, parse_stream
from harness.suite.templates import render_template
from harness.suite.words import expand

__all__ = ["LoadOptions", "compile_expressions", "load_case", "read_stream"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """What decides how files are read.

    Attributes:
        mode: strict is bug for bug (quirks Q39, Q41, Q47).
        run_labels: labels of the run, matched by TestFiles.
        variables: `.Vars` of templates, see templates.parse_template_vars.
        missing_variables_fail: a missing variable is an error instead of `<no value>`.
        ignore: what is left out of cases without a word.
        environment: variables for the paths that a TestStep lists.
        fetch: reads an address.
    """

    mode: Mode = "default"
    run_labels: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, Any] = field(default_factory=dict, repr=False)
    missing_variables_fail: bool = False
    ignore: Ignore = field(default_factory=Ignore)
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)
    fetch: Callable[[str], str] = fetch_text


def load_case(
    case: Case, *, namespace: str, options: LoadOptions | None = None, files: CaseFiles | None = None
) -> LoadedCase:
    """Read a case.

    Args:
        case: the case.
        namespace: the test's namespace, for templates.
        options: how files are read.
        files: its files, when they have been listed already.
    """
    options = options or LoadOptions()
    files = files or list_files(case, options.ignore)
    problems = list(files.problems)
    steps: list[Step] = []
    for one in files.steps:
        loader = _StepLoader(case, one, namespace, options)
        steps.append(loader.load())
        problems += loader.problems
    problems += _ignored_problems(files, _mentioned(steps) if files.ignored else "")
    return LoadedCase(case=case, steps=tuple(steps), problems=tuple(problems))


def read_stream(path: Path, *, template: bool, namespace: str, options: LoadOptions) -> Stream:
    """Read a file of manifests, expanded when it is a template; what cannot be read is an error among the problems.

    Args:
        path: the file.
        template: whether to expand it; places are then those of the expanded text.
        namespace: `.Namespace` of the template.
        options: its variables.
    """
    try:
        text = read_text(path)
        if not template:
            return parse_stream(text, str(path))
        rendered, problems = render_template(
            text,
            str(path),
            namespace=namespace,
            variables=options.variables,
            mode=options.mode,
            missing_fails=options.missing_variables_fail,
        )
    except UsageError as error:
        wanted = f"wanted {error.wanted}, seen " if isinstance(error, DocumentError) else ""
        problem = Problem(severity="error", text=f"{wanted}{error.seen}", where=error.where or str(path))
        return Stream(problems=[problem])
    stream = parse_stream(rendered, f"{path} (expanded)")
    return Stream(stream.documents, problems + stream.problems)


def compile_expressions(read: TestAssert) -> tuple[Expressions | None, list[Problem]]:
    """Return the compiled expressions of a TestAssert, None when it has none and no references, and what is wrong."""
    if not (read.resource_refs or read.assert_any or read.assert_all):
        return None, []
    if not (read.assert_any or read.assert_all):  # references alone are still fetched in every round
        return Expressions(references=read.resource_refs), []
    from harness.checks.expressions import CelEnvironment, CelExpression, ExpressionError

    problems: list[Problem] = []
    compiled: dict[str, list[CelExpression]] = {"any": [], "all": []}
    try:
        environment = CelEnvironment(one.ref for one in read.resource_refs)
    except UsageError as error:
        text = f"{error.wanted}: {error.seen}"
        return None, [Problem(severity="error", text=text, where=str(read.mark), hint=error.run)]
    for kind, assertions in (("any", read.assert_any), ("all", read.assert_all)):
        for one in assertions:
            try:
                compiled[kind].append(environment.compile(one.cel_expr))
            except ExpressionError as error:
                hints = "; ".join(dict.fromkeys(fault.hint for fault in error.faults if fault.hint))
                text = f"failed to prepare expression evaluation: {error.compiler_text}"
                problems.append(Problem(severity="error", text=text, where=str(one.mark), hint=hints))
    found = Expressions(references=read.resource_refs, any_of=tuple(compiled["any"]), all_of=tuple(compiled["all"]))
    return found, problems


class _StepLoader:
    """Reads the files of one step, in order."""

    def __init__(self, case: Case, files: StepFiles, namespace: str, options: LoadOptions) -> None:
        self.problems: list[Problem] = []
        self._case = case
        self._files = files
        self._namespace = namespace
        self._options = options
        self._name = ""
        self._entries: dict[Role, list[Entry]] = {"apply": [], "assert": [], "errors": []}
        self._extensions: list[Entry] = []
        self._paths: list[Path] = []
        self._test_step: TestStep | None = None
        self._test_asserts: list[TestAssert] = []
        self._listed = False

    def load(self) -> Step:
        for entry in self._files.entries:
            self._file(entry)
            if self._test_step and (not self._listed or self._options.mode == "strict"):  # quirk Q47
                self._add_listed(self._test_step)
        counting = self._test_asserts[-1] if self._test_asserts else None
        if len(self._test_asserts) > 1 and counting:
            text = f"{len(self._test_asserts)} TestAsserts in step {self._files.index}: only this last one counts"
            self.problems.append(Problem(severity="warning", text=text, where=str(counting.mark), quirk=65))
        expressions, found = compile_expressions(counting) if counting else (None, [])
        self.problems += found
        return Step(
            index=self._files.index,
            name=self._name,
            directory=self._case.directory,
            applies=tuple(self._entries["apply"]),
            asserts=tuple(self._entries["assert"]),
            errors=tuple(self._entries["errors"]),
            extensions=tuple(self._extensions),
            test_step=self._test_step,
            test_assert=counting,
            expressions=expressions,
            files=tuple(self._paths),
        )

    def _file(self, entry: StepEntry) -> None:
        named = entry.named
        stream = read_stream(entry.path, template=named.template, namespace=self._namespace, options=self._options)
        self._paths.append(entry.path)
        self.problems += stream.problems
        placed = place(stream.documents, named.role)
        if placed.selector and not placed.selector.selects(self._options.run_labels):
            text = f'Skipping file "{entry.path}", label selector does not match test run labels.'
            hidden = [one for one in placed.problems if one.quirk == 37]  # noqa: PLR2004 - the quirk's number
            self.problems += [*hidden, Problem(severity="note", text=text, where=str(entry.path))]
            return
        if named.role == "apply" and not self._name:
            self._name = named.name
        hint = role_hint(entry.path, named) if placed.entries and not placed.steps else ""
        if hint:
            text = "the objects of this file are applied, not asserted"
            self.problems.append(Problem(severity="warning", text=text, where=str(entry.path), hint=hint, quirk=33))
        self._take(placed)

    def _take(self, placed: Placed) -> None:
        self.problems += placed.problems
        for entry in placed.entries:
            self._entries[entry.role].append(entry)
        self._extensions += placed.extensions
        self._test_asserts += placed.asserts
        for step in placed.steps:
            if self._test_step is not None:
                text = f'more than 1 TestStep not allowed in step "{self._name}"'
                hint = f"the first stands at {self._test_step.mark}"
                self.problems.append(Problem(severity="error", text=text, where=str(step.mark), hint=hint))
                continue
            self._test_step = step
            self._name = step.metadata.name or self._name

    def _add_listed(self, step: TestStep) -> None:
        first, self._listed = not self._listed, True
        lists: tuple[tuple[str, Role, tuple[str, ...]], ...] = (
            ("apply", "apply", step.apply),
            ("assert", "assert", step.assert_files),
            ("error", "errors", step.error),
        )
        for key, role, texts in lists:
            for text in texts:
                placed, problems = self._listed_files(key, role, text, str(step.mark))
                self.problems += problems if first else []
                placed.problems = placed.problems if first else []
                placed.asserts = placed.asserts if first else []
                self._take(placed)

    def _listed_files(self, key: str, role: Role, text: str, where: str) -> tuple[Placed, list[Problem]]:
        """Return what a path or address that a TestStep lists holds."""
        expanded = expand(text, self._options.environment)
        problems = [
            Problem(severity="warning", text=f"${name} is not set, {key}: {text}", where=where, quirk=58)
            for name in expanded.unset
        ]
        streams: list[Stream] = []
        try:
            streams = list(self._streams(expanded.text))
        except (UsageError, OSError) as error:
            reason = error.seen if isinstance(error, UsageError) else error.strerror or str(error)
            fault = f'step "{self._name}" {key} path {expanded.text}: failed to find YAML files in {expanded.text}'
            hint = f"paths are relative to {self._case.directory}"
            problems.append(Problem(severity="error", text=f"{fault}: {reason}", where=where, hint=hint))
        documents = [document for stream in streams for document in stream.documents]
        problems += [problem for stream in streams for problem in stream.problems]
        return place(documents, role, listed=True), problems

    def _streams(self, text: str) -> Iterator[Stream]:
        if text.startswith(("http://", "https://")):
            yield parse_stream(self._options.fetch(text), text)
            return
        path = self._case.directory / text
        for file in _yaml_files(path) if path.is_dir() else [path]:
            if not file.is_file():
                file.stat()  # raises what the system says of it
                raise UsageError("a file", seen=f"{file} is no regular file")
            self._paths.append(file)
            template = self._options.mode == "default" and file.name.endswith(".gotmpl.yaml")  # quirk Q41
            yield read_stream(file, template=template, namespace=self._namespace, options=self._options)


def _yaml_files(directory: Path) -> list[Path]:
    names = sorted((name for name in os.listdir(directory) if name.endswith(".yaml")), key=os.fsencode)  # noqa: PTH208 - names only
    return [directory / name for name in names]


def _mentioned(steps: list[Step]) -> str:
    """Return all texts of a case that may name one of its files."""
    texts: list[str] = []
    for step in steps:
        test, check = step.test_step, step.test_assert
        if test:
            texts += [*test.apply, *test.assert_files, *test.error, test.kubeconfig]
            texts += [one.command + one.script for one in test.commands]
        if check:
            texts += [one.command + one.script for one in check.commands]
            texts += [one.command for one in check.collectors]
    return "\n".join(texts)


def _ignored_problems(files: CaseFiles, mentioned: str) -> list[Problem]:
    found: list[Problem] = []
    for one in files.ignored:
        text = f'Ignoring "{one.path.name}": {one.refused.reason}'
        wanted = bool(one.refused.hint) and one.path.name not in mentioned
        if wanted:
            hint = one.refused.hint
            found.append(Problem(severity="warning", text=text, where=str(one.path), hint=hint, quirk=34))
        else:
            found.append(Problem(severity="note", text=text, where=str(one.path)))
    return found
