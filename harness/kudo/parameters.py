"""Parameter values of a command line: `-p NAME=VALUE` and `-P FILE`, read as the original reads them.

Pure but for load_values, which reads files; operations, the command line and tasks with a parameter file import it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from harness.kit.documents import DocumentError, dump_yaml, parse_documents
from harness.kudo.errors import KudoError
from harness.kudo.model import go_text, json_numbers

__all__ = ["ParameterError", "load_values", "parse_assignments", "parse_file"]


class ParameterError(KudoError):
    """Values that cannot be read.

    Attributes:
        problems: one text for each, in the original's words.
    """

    def __init__(self, problems: Sequence[str], *, where: str = "") -> None:
        super().__init__(f"could not parse parameters: {', '.join(problems)}", usage=True, where=where)
        self.problems = tuple(problems)


def load_values(assignments: Iterable[str], files: Iterable[str | Path]) -> dict[str, str]:
    """Return the values of a command line: later files win over earlier ones, assignments over files.

    Args:
        assignments: texts like `NAME=VALUE`, split at the first equals sign.
        files: paths of YAML mappings.

    Raises:
        ParameterError: with every problem.
    """
    values: dict[str, str] = {}
    problems: list[str] = []
    for file in files:
        try:
            values |= parse_file(_content(Path(file)), str(file))
        except ParameterError as error:
            problems += error.problems
    try:
        values |= parse_assignments(assignments)
    except ParameterError as error:
        problems += error.problems
    if problems:
        raise ParameterError(problems)
    return values


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise ParameterError([f"error reading from parameter file {path}: {reason}"]) from None


def parse_assignments(assignments: Iterable[str]) -> dict[str, str]:
    """Return the values of texts like `NAME=VALUE`.

    Raises:
        ParameterError: a text without equals sign, name or value.
    """
    values: dict[str, str] = {}
    problems: list[str] = []
    for assignment in assignments:
        name, sign, value = assignment.partition("=")
        if not sign:
            problems.append(f"parameter not set: {assignment}")
        elif not name:
            problems.append(f"parameter name can not be empty: {assignment}")
        elif not value:
            problems.append(f"parameter value can not be empty: {assignment}")
        else:
            values[name] = value
    if problems:
        raise ParameterError(problems)
    return values


def parse_file(text: str, name: str) -> dict[str, str]:
    """Return the values of a parameter file: texts as they are, lists and mappings as YAML, the rest as Go prints it.

    Args:
        text: the file's content.
        name: the file's name, for errors.

    Raises:
        ParameterError: not a YAML mapping, or a key without value.
    """
    wrong = f"error unmarshalling content of parameter file {name}"
    try:
        documents = parse_documents(text, name, duplicates="last")
    except DocumentError as error:
        raise ParameterError([f"{wrong}: {error.where}: {error.seen}"]) from None
    value = documents[0].value if documents else {}
    if not isinstance(value, dict):
        raise ParameterError([f"{wrong}: a mapping was expected"], where=str(documents[0].mark))
    empty = [
        f"{key} has a null value (https://yaml.org/spec/1.2/spec.html#id2803362) which is currently not supported"
        for key in sorted(value)
        if value[key] is None
    ]
    if empty:
        keys = ", ".join(empty)
        raise ParameterError([f"errors while unmarshaling following keys of the parameter file {name}: {keys}"])
    return {key: _value_text(item) for key, item in value.items()}


def _value_text(value: Any) -> str:
    return dump_yaml(json_numbers(value)) if isinstance(value, (dict, list)) else go_text(value)
