"""`kubectl kuttl`: kuttl's verbs with kuttl's flags, and `lint`, `update`, `test --dry-run`.

The entry point of the plugin `kubectl-kuttl`. Nothing heavy is imported before a verb needs it. Exit codes: 0, 1 for
what failed, 2 for wrong usage or configuration, 130 and 143 for signals; kuttl's own 255 with --bug-for-bug.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from harness import __version__
from harness.kit.errors import HarnessError, UsageError

__all__ = ["build_parser", "main"]

_INTERRUPTED = 130
_KUTTL_USAGE = 255
_TRUE, _FALSE = (
    frozenset({"1", "t", "T", "true", "TRUE", "True"}),
    frozenset({"0", "f", "F", "false", "FALSE", "False"}),
)
_SWITCHES = (
    ("--skip-delete", "keep namespaces and objects"),
    ("--skip-cluster-delete", "keep the cluster that the run started"),
    ("--start-control-plane", "run on an etcd and an API server of the run's own"),
    ("--attach-control-plane-output", "accepted; the logs of the control plane stay in its folder"),
    ("--start-kind", "run on a kind cluster of the run's own"),
)
_OURS = (
    ("--strict", "warnings about a case's files are errors of that case"),
    ("--bug-for-bug", "do exactly what kuttl does, its defects too, to compare the two"),
)


class _Parser(argparse.ArgumentParser):
    """argparse with one line for a mistake."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"Error: {message}\nRun '{self.prog} --help' for usage.\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return its exit code.

    Args:
        argv: the words behind the program's name, those of the process when None.
    """
    words = [*(sys.argv[1:] if argv is None else argv)]
    exact = "--bug-for-bug" in words
    try:
        arguments = build_parser().parse_args(_explicit(words))
        return int(arguments.run(arguments))
    except UsageError as error:
        sys.stderr.write(f"Error: {_told(error)}\n")
        return _KUTTL_USAGE if exact else 2
    except HarnessError as error:
        sys.stderr.write(f"Error: {_told(error)}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("Error: interrupted\n")
        return _KUTTL_USAGE if exact else _INTERRUPTED


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all verbs; the chosen one's function is in `run`."""
    parser = _Parser(prog="kubectl-kuttl", allow_abbrev=False, description="Declarative tests of Kubernetes operators.")
    parser.add_argument("--version", action="version", version=f"kubectl-kuttl version {__version__}")
    parser.add_argument("--as", dest="impersonate", default="", help=argparse.SUPPRESS)
    parser.set_defaults(run=lambda _arguments: _help(parser))
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", parser_class=_Parser)
    _add_test(verbs)
    _add_check(verbs, "assert", "assert is valid", "check that objects match files")
    _add_check(verbs, "errors", "error assert is valid", "check that objects match no file")
    _add_lint(verbs)
    _add_update(verbs)
    version = verbs.add_parser("version", help="print the version")
    version.set_defaults(run=_version)
    return parser


def _add_test(verbs: argparse._SubParsersAction[_Parser]) -> None:
    parser = verbs.add_parser("test", help="run tests", allow_abbrev=False)
    parser.add_argument("directories", nargs="*", metavar="DIRECTORY", help="test directories, instead of testDirs")
    _add_configuration(parser)
    _add_cluster(parser)
    for name, text in _SWITCHES:
        parser.add_argument(name, type=_boolean, metavar="BOOL", help=text)
    for name, text in (
        ("--crd-dir", "definitions to install first"),
        ("--kind-config", "configuration of the kind cluster; implies --start-kind"),
        ("--kind-context", "name of the kind cluster"),
        ("--artifacts-dir", "where reports and logs go"),
        ("--report", "xml or json"),
        ("--report-name", "file name of the report without extension"),
        ("--report-granularity", "step or test"),
        ("--control-plane-config", "without effect"),
    ):
        parser.add_argument(name, metavar="TEXT", help=text)
    for name, text in (("--manifest-dir", "manifests to install first"), ("--suppress-log", "events")):
        parser.add_argument(name, action="append", metavar="TEXT,...", help=text)
    parser.add_argument("-n", "--namespace", metavar="NAME", help="one namespace for all tests")
    parser.add_argument("--timeout", type=int, metavar="SECONDS", help="of each step (30)")
    parser.add_argument("--parallel", type=int, metavar="N", help="tests at once (8)")
    parser.add_argument("-v", "--v", dest="verbosity", type=int, default=0, metavar="N", help="verbosity of kind")
    parser.add_argument("--test", default="", metavar="REGEXP", help="only tests whose name it matches")
    parser.add_argument("--case", action="append", default=[], metavar="NAME", help="only this test (repeatable)")
    parser.add_argument("--fail-if-none", action="store_true", help="no test selected is a failure")
    parser.add_argument("--dry-run", action="store_true", help="read everything, print what would be done, do nothing")
    parser.set_defaults(run=_run_test)


def _add_check(verbs: argparse._SubParsersAction[_Parser], name: str, valid: str, text: str) -> None:
    parser = verbs.add_parser(name, help=text, allow_abbrev=False)
    parser.add_argument("files", nargs="*", metavar="FILE", help="files, folders of *.yaml, addresses")
    parser.add_argument("-n", "--namespace", default="default", metavar="NAME", help="of objects that name none")
    parser.add_argument("--timeout", type=int, default=5, metavar="SECONDS", help="how long they may take (5)")
    _add_cluster(parser)
    _add_reading(parser)
    parser.set_defaults(run=_run_check, role=name, valid=valid)


def _add_lint(verbs: argparse._SubParsersAction[_Parser]) -> None:
    parser = verbs.add_parser("lint", help="say what is wrong or odd about suites", allow_abbrev=False)
    parser.add_argument("directories", nargs="*", metavar="DIRECTORY", help="test directories, instead of testDirs")
    parser.add_argument(
        "--cluster", action="store_true", help="check objects against the current context's OpenAPI schema too"
    )
    _add_configuration(parser)
    _add_cluster(parser)
    parser.set_defaults(run=_run_lint)


def _add_update(verbs: argparse._SubParsersAction[_Parser]) -> None:
    parser = verbs.add_parser("update", help="write assert files from the live state", allow_abbrev=False)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="assert files, also new ones")
    parser.add_argument("-n", "--namespace", required=True, metavar="NAME", help="the namespace to look at")
    parser.add_argument(
        "--object", action="append", default=[], metavar="APIVERSION/KIND/NAME", dest="objects",
        help="add this object, without what changes from run to run (repeatable)",
    )  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="print what would change")
    _add_cluster(parser)
    parser.set_defaults(run=_run_update)


def _add_configuration(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="default ./kuttl-test.yaml")
    parser.add_argument("--test-run-labels", default="", metavar="K=V,...", help="labels for TestFiles")
    _add_reading(parser)


def _add_reading(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--template-var", action="append", default=[], metavar="K=V,...", help="for .gotmpl.yaml files")
    parser.add_argument("--missing-variables-fail", action="store_true", help="instead of printing <no value>")
    for name, text in _OURS:
        parser.add_argument(name, action="store_true", help=text)


def _add_cluster(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kubeconfig", type=Path, metavar="FILE", help="default $KUBECONFIG or ~/.kube/config")
    parser.add_argument("--context", metavar="NAME", help="default the kubeconfig's current one")
    parser.add_argument(
        "--as", dest="impersonate", default=argparse.SUPPRESS, metavar="USER", help="impersonate a user"
    )


def _help(parser: argparse.ArgumentParser) -> int:
    parser.print_help()
    return 0


def _boolean(text: str) -> bool:
    if text not in _TRUE | _FALSE:
        raise argparse.ArgumentTypeError(f'invalid boolean value "{text}"')
    return text in _TRUE


def _explicit(words: Sequence[str]) -> list[str]:
    """Return words with `=true` behind bare switches, so that what follows is not taken for their value."""
    names = {name for name, _ in _SWITCHES}
    return [f"{word}=true" if word in names else word for word in words]


def _told(error: HarnessError) -> str:
    text = str(error)
    return text if "\n" in text else f"{error.wanted}{f': {error.seen}' if error.seen else ''}"


def _version(_arguments: argparse.Namespace) -> int:
    import platform

    parts = f"version {__version__}, Python {platform.python_version()}, {sys.platform}/{platform.machine()}"
    sys.stdout.write(f"KUTTL Version: {parts}\n")
    return 0


def _run_test(arguments: argparse.Namespace) -> int:
    from harness.suite import verbs

    return verbs.test(arguments)


def _run_check(arguments: argparse.Namespace) -> int:
    from harness.suite import verbs

    return verbs.check(arguments)


def _run_lint(arguments: argparse.Namespace) -> int:
    from harness.suite import verbs

    return verbs.lint(arguments)


def _run_update(arguments: argparse.Namespace) -> int:
    from harness.suite import verbs

    return verbs.update(arguments)


if __name__ == "__main__":
    sys.exit(main())
