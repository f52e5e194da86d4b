"""`kubectl kudo`: the commands of the original that have a meaning here, with its texts, and `package render`.

The entry point of the plugin `kubectl-kudo`. Nothing heavy is imported before a command needs it: commands about
packages load no Kubernetes client. Exit codes: 0, 1 for what failed, 2 for wrong input, 130 when interrupted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from harness.kit.errors import HarnessError
from harness.kudo import offline, online
from harness.kudo.errors import KudoError

__all__ = ["build_parser", "main"]

Command = Callable[[argparse.Namespace], None]

_INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    """argparse with the original's way of telling errors."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"Error: {message}\nRun '{self.prog} --help' for usage.\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        argv: the words behind the program's name, those of the process when None.
    """
    arguments = build_parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except HarnessError as error:
        _complain(error)
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("\nError: interrupted\n")
        return _INTERRUPTED
    return 0


def _complain(error: HarnessError) -> None:
    text = str(error) if isinstance(error, KudoError) else f"wanted {str(error).removeprefix('wanted').lstrip()}"
    first, *rest = text.split("\n")
    sys.stderr.write("\n".join([f"Error: {first}", *(f"  {line}" for line in rest)]) + "\n")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; the chosen command's function is in `run`."""
    parser = _Parser(prog="kubectl-kudo", allow_abbrev=False, description="KUDO operators on today's Kubernetes.")
    _add_globals(parser, suppress=False)
    parser.add_argument("--version", action="store_true", help="print the version")
    parser.set_defaults(run=lambda arguments: online.version(arguments) if arguments.version else parser.print_help())
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=_Parser)
    _add_package(commands)
    _add_plan(commands)
    _add_instance_commands(commands)
    get = _add(commands, "get", online.get, "show installed objects")
    get.add_argument("what", nargs="*", metavar="instances|operators|operatorversions|all")
    _add_output(get)
    init = _add(commands, "init", online.init, "prepare a cluster: install the definitions of KUDO's kinds")
    init.add_argument("--crd-only", action="store_true", help="install nothing else; the only mode there is")
    _add_output(_add(commands, "version", online.version, "print the version"))
    return parser


def _add_globals(parser: argparse.ArgumentParser, *, suppress: bool) -> None:
    """Add the flags that every command takes, before or behind its name."""

    def add(*names: str, default: object = None, **options: object) -> None:
        value = argparse.SUPPRESS if suppress else default
        group.add_argument(*names, default=value, **options)  # type: ignore[arg-type]

    group = parser.add_argument_group("global flags")
    add("--kubeconfig", metavar="FILE", type=Path, help="default $KUBECONFIG or ~/.kube/config")
    add("--context", metavar="NAME", help="the kubeconfig's context; default its current one")
    add("-n", "--namespace", metavar="NAME", help="default the context's")
    add("--request-timeout", metavar="SECONDS", type=float, default=30.0, help="of one request (30)")
    add("--validate-install", type=_boolean, nargs="?", const=True, default=True, help="check the CRDs first (true)")
    add("-v", "--v", dest="verbosity", type=int, default=0, help="accepted and ignored")


def _boolean(text: str) -> bool:
    from harness.kudo.model import boolean

    value = boolean(text)
    if value is None:
        raise argparse.ArgumentTypeError(f'invalid boolean value "{text}"')
    return value


def _add(
    commands: argparse._SubParsersAction[_Parser], name: str, run: Command, text: str, *, aliases: Sequence[str] = ()
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text, allow_abbrev=False, aliases=aliases)
    _add_globals(parser, suppress=True)
    parser.set_defaults(run=run)
    return parser


def _group(commands: argparse._SubParsersAction[_Parser], name: str, text: str) -> argparse._SubParsersAction[_Parser]:
    parser = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
    parser.set_defaults(run=lambda _arguments: parser.print_help())
    return parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=_Parser)


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", default="", metavar="yaml|json", help="print objects in this format")


def _add_parameters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-p", "--parameter", action="append", default=[], metavar="NAME=VALUE", help="repeatable")
    parser.add_argument("-P", "--parameter-file", action="append", default=[], metavar="FILE", help="repeatable")


def _add_wait(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--wait", action="store_true", help="return when the plan has ended")
    parser.add_argument("--wait-time", type=float, default=300.0, metavar="SECONDS", help="how long at most (300)")


def _add_package(commands: argparse._SubParsersAction[_Parser]) -> None:
    package = _group(commands, "package", "look at packages, check, render and pack them; needs no cluster")
    lists = _group(package, "list", "list what a package has")
    for name, run in (
        ("plans", offline.list_plans),
        ("tasks", offline.list_tasks),
        ("parameters", offline.list_parameters),
    ):
        each = _add(lists, name, run, f"list the {name} of a package")
        each.add_argument("package", nargs="*", help="a folder or .tgz archive")
        if name == "plans":
            each.add_argument("-t", "--with-tasks", action="store_true", help="show the tasks' resources")
        if name == "parameters":
            each.add_argument("-d", "--descriptions", action="store_true", help="show the descriptions")
            each.add_argument("-r", "--required", action="store_true", help="only those that need a value")
            each.add_argument("--names", action="store_true", help="only the names")
    verify = _add(package, "verify", offline.verify, "check a package")
    verify.add_argument("package", nargs="*", help="a folder")
    verify.add_argument("--param-checks", default="", metavar="NAMES", help="how parameters are described, or all")
    _add_output(verify)
    create = _add(package, "create", offline.create, "pack a folder into an archive")
    create.add_argument("package", nargs="*", help="a folder")
    create.add_argument("-d", "--destination", type=Path, default=Path(), help="the archive's folder (.)")
    create.add_argument("-w", "--overwrite", action="store_true", help="replace an archive that exists")
    _add_output(create)
    render = _add(package, "render", offline.render, "print the objects that the steps of a plan would apply")
    render.add_argument("package", nargs="*", help="a folder or .tgz archive")
    render.add_argument("--plan", default="deploy", help="the plan (deploy)")
    render.add_argument("--phase", default="", help="only this phase")
    render.add_argument("--step", default="", help="only this step")
    render.add_argument("--instance", default="", help="the instance's name (OPERATOR-instance)")
    _add_parameters(render)


def _add_plan(commands: argparse._SubParsersAction[_Parser]) -> None:
    plan = _group(commands, "plan", "see and start the plans of an instance")
    status = _add(plan, "status", online.plan_status, "show how far the plans of an instance are")
    history = _add(plan, "history", online.plan_history, "show when the plans of an instance ran")
    trigger = _add(plan, "trigger", online.plan_trigger, "run a plan of an instance")
    for each in (status, history, trigger):
        each.add_argument("--instance", default="", help="the instance's name")
    _add_output(status)
    trigger.add_argument("--name", default="", help="the plan's name")
    for each in (status, trigger):
        _add_wait(each)


def _add_instance_commands(commands: argparse._SubParsersAction[_Parser]) -> None:
    install = _add(commands, "install", online.install, "install a package and an instance of it")
    install.add_argument("--skip-instance", action="store_true", help="install the operator only")
    install.add_argument("--create-namespace", action="store_true", help="create the namespace first")
    upgrade = _add(commands, "upgrade", online.upgrade, "move an instance to a newer version of its operator")
    update = _add(commands, "update", online.update, "change parameters of an instance")
    uninstall = _add(commands, "uninstall", online.uninstall, "delete an instance")
    for each in (install, upgrade, update, uninstall):
        each.add_argument("--instance", default="", help="the instance's name")
        each.add_argument("words", nargs="*", metavar="package" if each in (install, upgrade) else "")
    for each in (install, upgrade, update):
        _add_parameters(each)
    for each in (install, update, uninstall):
        _add_wait(each)
