"""The commands of `kubectl kudo` about packages: they need no cluster and load no Kubernetes client.

Imported by harness.kudo.cli; what a command needs is imported when it runs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.kudo.console import output_format, say, single, warn
from harness.kudo.errors import KudoError

if TYPE_CHECKING:
    from harness.kudo.package import Package
    from harness.kudo.verify import Report

__all__ = ["create", "list_parameters", "list_plans", "list_tasks", "render", "verify"]


def _listed(arguments: argparse.Namespace) -> Package:
    """Return the package of a list command; without argument the one in the current folder, or the only one below."""
    from harness.kudo.packages import find_source

    words = arguments.package
    if not words:
        here = [Path("operator.yaml")] if Path("operator.yaml").exists() else sorted(Path().glob("*/operator.yaml"))
        words = [f"./{path.parent}" for path in here] if len(here) == 1 else []
    return find_source(single(words, "name of the package or path to list")).load()


def list_plans(arguments: argparse.Namespace) -> None:
    """Print the plans of a package as a tree."""
    from harness.kudo.printers import plan_tree

    package = _listed(arguments)
    sys.stdout.write(plan_tree(package, with_tasks=arguments.with_tasks) if package.plans else "no plans found\n")


def list_tasks(arguments: argparse.Namespace) -> None:
    """Print the tasks of a package as a table."""
    from harness.kudo.printers import task_table

    package = _listed(arguments)
    say(task_table(package.tasks) if package.tasks else "no tasks  found")


def list_parameters(arguments: argparse.Namespace) -> None:
    """Print the parameters of a package as a table."""
    from harness.kudo.printers import parameter_table, table

    if arguments.required + arguments.names + arguments.descriptions > 1:
        text = "only one of the flags 'required', 'names', 'descriptions' can be set"
        raise KudoError(text, usage=True)
    parameters = _listed(arguments).parameters
    if arguments.required:
        parameters = tuple(each for each in parameters if each.required and each.default is None)
    if arguments.required and not parameters:
        say("no required parameters without default values found")
    elif arguments.required or arguments.names:
        say(table([("Name",), *sorted((each.name,) for each in parameters)]))
    else:
        say(parameter_table(parameters, descriptions=arguments.descriptions))


def verify(arguments: argparse.Namespace) -> None:
    """Check a package and print what was found."""
    from harness.kudo.printers import formatted

    output = output_format(arguments)
    folder = single(arguments.package, "directory of the operator to verify")
    report = _verified(folder, [each for each in arguments.param_checks.split(",") if each])
    if output:
        errors, warnings = [each.text for each in report.errors], [each.text for each in report.warnings]
        sys.stdout.write(formatted({"errors": errors, "warnings": warnings, "valid": not errors}, output))
    _refuse_invalid(report, quiet=bool(output))
    if not output:
        say("package is valid")


def _verified(folder: str, checks: Sequence[str]) -> Report:
    from harness.kudo import verify as rules
    from harness.kudo.packages import load_package

    if not Path(folder).is_dir():
        raise KudoError(
            "expecting exactly one argument - directory of the operator to verify",
            usage=True,
            seen=f"no folder {folder}",
        )
    package = load_package(folder)
    for line in package.warnings:
        warn(line)
    return rules.verify(package, checks)


def _refuse_invalid(report: Report, *, quiet: bool) -> None:
    """Print what was found, and fail if there are errors; places and hints go to stderr, beside the tables."""
    from harness.kudo.printers import table

    for title, findings in (("Warnings", report.warnings), ("Errors", report.errors)):
        if findings and not quiet:
            say(table([(title,), *((each.text,) for each in findings)]))
    if report.errors:
        places = [": ".join(filter(None, (each.where, each.hint or each.text))) for each in report.errors]
        count = len(report.errors)
        raise KudoError(f"found {count} package verification errors", seen="\n".join(places))


def create(arguments: argparse.Namespace) -> None:
    """Check a folder and pack it."""
    from harness.kudo.packages import write_archive

    folder = single(arguments.package, "directory of the operator to package")
    output = output_format(arguments)
    _refuse_invalid(_verified(folder, []), quiet=bool(output))
    target = write_archive(Path(folder), arguments.destination, overwrite=arguments.overwrite)
    if not output:
        say(f"Package created: {target}")


def render(arguments: argparse.Namespace) -> None:
    """Print the objects that the steps of a plan would apply."""
    from harness.kudo.package import package_objects
    from harness.kudo.packages import find_source
    from harness.kudo.parameters import load_values
    from harness.kudo.preview import check_given, rendered_stream, rendered_tasks

    package = find_source(single(arguments.package, "name of the package or path to render")).load()
    given = load_values(arguments.parameter, arguments.parameter_file)
    version = package_objects(package).parsed()
    check_given(version, given)
    tasks = rendered_tasks(
        version,
        plan=arguments.plan,
        phase=arguments.phase,
        step=arguments.step,
        instance=arguments.instance or f"{package.name}-instance",
        namespace=arguments.namespace or "default",
        given=given,
    )
    sys.stdout.write(rendered_stream(list(tasks)))
