"""`harness airgap up | build | run | status | down | clean`. Imported by harness.cli; handlers load what they need."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["add_parser"]

_CLEAN_UP = 120.0  # seconds for an interrupted command: deleting a cluster takes a few


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `airgap` to the verbs of `harness`; each action sets a `handler` that returns an exit code."""
    parser = verbs.add_parser("airgap", help="engine, node image and programs without a registry")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    up = actions.add_parser("up", help="start the private engine, unless the machine's own answers")
    up.set_defaults(handler=_up)
    build = actions.add_parser("build", help="build what a cluster needs: programs, images, node image")
    build.add_argument("--kubernetes-version", metavar="V", help="1.36 or v1.36.3 (default: the newest known)")
    build.add_argument(
        "--images", type=Path, nargs="*", default=[], metavar="DIR", help="recipes of images that nodes shall hold"
    )
    build.add_argument("--control-plane", action="store_true", help="only etcd, kube-apiserver and kubectl; no engine")
    build.set_defaults(handler=_build)
    run = actions.add_parser(
        "run", help="run a command with an engine: start one if none answers, and stop it afterwards"
    )
    run.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND", help="the command and its arguments")
    run.set_defaults(handler=_run)
    actions.add_parser("status", help="what is there and what runs").set_defaults(handler=_status)
    down = actions.add_parser("down", help="stop the private engine and all clusters in it")
    down.set_defaults(handler=_down)
    clean = actions.add_parser("clean", help="remove everything that was built; the engine must be down")
    clean.set_defaults(handler=_clean)


def _up(_arguments: argparse.Namespace) -> int:
    from harness.airgap.provision import Airgap

    engine = Airgap().engine()
    if engine.private:
        sys.stdout.write(f"export DOCKER_HOST={engine.docker.host}\n")
    else:
        sys.stdout.write("the machine's own Docker engine answers: nothing to start\n")
    return 0


def _build(arguments: argparse.Namespace) -> int:
    from harness.airgap.provision import Airgap
    from harness.airgap.recipe import load_recipe
    from harness.airgap.versions import resolve_version

    airgap = Airgap()
    version = resolve_version(arguments.kubernetes_version)
    if arguments.control_plane:
        sys.stdout.write(f"export KUBEBUILDER_ASSETS={airgap.control_plane(version)}\n")
        return 0
    recipes = [load_recipe(path) for path in arguments.images]
    made = airgap.build(version, recipes, airgap.engine())
    rows = [("node image", made.node_image), ("kind", made.kind), ("kubectl", made.kubectl)]
    rows += [("DOCKER_HOST", made.docker_host)] if made.docker_host else []
    sys.stdout.writelines(f"{name:<12}{value}\n" for name, value in rows)
    return 0


def _run(arguments: argparse.Namespace) -> int:
    from harness.airgap.lease import engine_lease
    from harness.airgap.provision import Airgap
    from harness.kit.errors import UsageError
    from harness.kit.stages import Stages

    command = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
    if not command:
        raise UsageError("a command to run", seen="none", run="harness airgap run -- pytest suites/galera")
    stages = Stages("airgap")
    with engine_lease(stages):
        engine = Airgap(stages=stages).engine()
        return _foreground(command, engine.docker.env)


def _foreground(command: list[str], env: Mapping[str, str]) -> int:
    """Run a command with our terminal and return its exit code; an interrupt reaches it and us, and it ends first."""
    from harness.kit.errors import UsageError

    try:
        child = subprocess.Popen(command, env=env)
    except OSError as error:
        raise UsageError(f"{command[0]} to start", seen=error.strerror or str(error)) from None
    try:
        return _code(child.wait())
    except KeyboardInterrupt:
        return _code(_await(child))


def _await(child: subprocess.Popen[bytes]) -> int:
    """Give an interrupted command the time to clean up after itself, then end it."""
    try:
        return child.wait(_CLEAN_UP)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        child.kill()
        return child.wait()


def _code(returncode: int) -> int:
    """Return an exit code as a shell gives it: 128 and the signal for a command that a signal ended."""
    return returncode if returncode >= 0 else 128 - returncode


def _status(_arguments: argparse.Namespace) -> int:
    from harness.airgap.provision import Airgap
    from harness.airgap.status import gather
    from harness.kit.process import run

    sys.stdout.writelines(f"{line}\n" for line in gather(Airgap(), run).lines())
    return 0


def _down(_arguments: argparse.Namespace) -> int:
    from harness.airgap.provision import Airgap

    stopped = Airgap().private.down()
    sys.stdout.writelines(f"stopped {what}\n" for what in stopped or ["nothing: the private engine does not run"])
    return 0


def _clean(_arguments: argparse.Namespace) -> int:
    from harness.airgap.provision import Airgap
    from harness.airgap.status import tree_size

    airgap = Airgap()
    size = tree_size(airgap.layout.cache)
    airgap.remove_all()
    sys.stdout.write(f"removed {airgap.layout.cache} ({size / 1e6:.0f} MB)\n")
    return 0
