"""The commands: `harness`, and the plugins of kubectl: `kubectl-kudo` and `kubectl-kuttl`.

Nobody imports it. Each area brings its own sub-parser; what a command needs is imported when it runs, so that --help
and offline commands are quick. Exit codes: 0 good, 1 a check or an operation failed, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Sequence

from harness import __version__
from harness.kit.errors import HarnessError

__all__ = ["kubectl_kudo", "kubectl_kuttl", "main"]

_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command `harness` and return its exit code."""
    arguments = _parser().parse_args(argv)
    return _guarded(lambda: int(arguments.handler(arguments)))


def kubectl_kudo(argv: Sequence[str] | None = None) -> int:
    """Run `kubectl kudo` and return its exit code."""
    from harness.kudo import cli

    return _guarded(lambda: cli.main(argv))


def kubectl_kuttl(argv: Sequence[str] | None = None) -> int:
    """Run `kubectl kuttl` and return its exit code."""
    from harness.suite import cli

    return _guarded(lambda: cli.main(argv))


def _guarded(command: Callable[[], int]) -> int:
    """Run a command; a user's mistake is printed without a traceback, a bug keeps its own.

    SIGTERM counts as Ctrl-C, so that what was started is stopped when a pipeline is cancelled, too.
    """
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        return command()
    except HarnessError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return _INTERRUPTED
    except BrokenPipeError:  # the reader of a pipe went away, e.g. `| head`
        sys.stderr.close()
        return 0
    finally:
        signal.signal(signal.SIGTERM, previous)


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="harness", description="End-to-end tests for Kubernetes operators.")
    parser.add_argument("--version", action="version", version=f"harness {__version__}")
    verbs = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_airgap(verbs)
    _add_clusters(verbs)
    _add_kudo(verbs)
    return parser


def _add_airgap(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from harness.airgap import cli

    cli.add_parser(verbs)


def _add_clusters(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from harness.clusters import cli

    cli.add_parser(verbs)
    cli.add_clean(verbs)


def _add_kudo(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from harness.clusters.cli import add_target

    kudo = verbs.add_parser("kudo", help="the engine for KUDO packages")
    actions = kudo.add_subparsers(required=True, metavar="ACTION")
    run = actions.add_parser("run", help="run the engine in the foreground against a cluster, until Ctrl-C")
    add_target(run)
    run.add_argument("-n", "--namespace", action="append", default=[], help="only this namespace (repeatable)")
    run.set_defaults(handler=_run_engine)


def _run_engine(arguments: argparse.Namespace) -> int:
    from harness.kube import Kube
    from harness.kudo.engine import run_foreground

    kube = Kube.connect(arguments.kubeconfig, arguments.context)
    try:
        return run_foreground(kube, arguments.namespace or None)
    finally:
        kube.close()
