"""Files named .gotmpl.yaml: Go templates over the test's namespace and the variables of --template-var.

Pure. Imported by loading and by the command line; the template engine loads with the first template.
"""

from __future__ import annotations

import copy
import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from harness.kit.documents import DocumentError, parse_first
from harness.kit.errors import UsageError
from harness.suite.problem import Mode, Problem

__all__ = ["parse_template_vars", "render_template"]

_NO_VALUE = "<no value>"


def parse_template_vars(arguments: Sequence[str]) -> dict[str, Any]:
    """Return the variables that --template-var gives.

    Args:
        arguments: each a line of CSV with key=value pairs; a value with a comma needs quotes around the whole pair.
            Each value is YAML: 3 is a number, [1, 2] a list, yes a text.

    Raises:
        UsageError: a pair without =, CSV or YAML that cannot be read.
    """
    found: dict[str, Any] = {}
    for argument in arguments:
        try:
            pairs = [pair for row in csv.reader(io.StringIO(argument), strict=True) for pair in row]
        except csv.Error as error:
            raise UsageError("--template-var as CSV of key=value", seen=f"{argument}: {error}") from None
        for pair in pairs:
            key, equals, value = pair.partition("=")
            if not equals:
                raise UsageError("--template-var as key=value", seen=f"{pair} must be formatted as key=value")
            found[key] = _value(key, value)
    return found


def render_template(
    text: str,
    file: str,
    *,
    namespace: str,
    variables: Mapping[str, Any],
    mode: Mode = "default",
    missing_fails: bool = False,
) -> tuple[str, list[Problem]]:
    """Return what a template gives, and what is odd about it.

    Args:
        text: the template.
        file: its name in errors.
        namespace: `.Namespace`.
        variables: `.Vars`; each file gets a copy of its own.
        mode: in strict mode whole numbers are floats, so that 1234567 prints as 1.234567e+06 (quirk Q39).
        missing_fails: a missing variable is an error instead of `<no value>` (quirk Q40).

    Raises:
        UsageError: it does not parse, or fails when executed; with Go's text.
    """
    from harness.gotmpl import Template, TemplateError, sprig_v3
    from harness.gotmpl.values import Struct

    own = copy.deepcopy(dict(variables))
    given = {"Namespace": namespace, "Vars": _floats(own) if mode == "strict" else own}

    class Data(Struct):
        """What the dot is: other fields than these are errors, not missing keys."""

        go_type = "template.Env"

        def fields(self) -> Mapping[str, Any]:
            return given

    try:
        template = Template.parse(text, file, functions=sprig_v3(), missing_key="error" if missing_fails else "default")
    except TemplateError as error:
        seen = f"failed to parse text/template file {file}: {error}"
        raise UsageError("a Go template", seen=seen, where=file) from None
    try:
        rendered = template.render(Data())
    except TemplateError as error:
        seen = f"failed to render text/template from file {file}: {error}"
        raise UsageError("a Go template that renders", seen=seen, where=file) from None
    problems = []
    if _NO_VALUE in rendered and _NO_VALUE not in text:
        line = rendered.count("\n", 0, rendered.index(_NO_VALUE)) + 1
        hint = f"variables are {', '.join(variables)}" if variables else "give it with --template-var"
        seen = f"a missing variable printed {_NO_VALUE}, in line {line} of the expanded text"
        problems.append(Problem(severity="warning", text=seen, where=file, hint=hint, quirk=40))
    return rendered, problems


def _value(key: str, text: str) -> Any:
    try:
        document = parse_first(text, f"--template-var {key}", scalars="1.2")
    except DocumentError as error:
        seen = f'invalid --template-var: failed to parse value of "{key}" as YAML: {error.seen}'
        raise UsageError("a YAML value", seen=seen) from None
    return None if document is None else document.value


def _floats(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _floats(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_floats(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
