"""The commands of `kubectl kudo` that talk to a cluster.

Imported by harness.kudo.cli; the client and the operations are imported when a command runs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.kudo.console import output_format, say, single, warn
from harness.kudo.errors import KudoError

if TYPE_CHECKING:
    from harness.kube import Kube

__all__ = [
    "get",
    "init",
    "install",
    "plan_history",
    "plan_status",
    "plan_trigger",
    "uninstall",
    "update",
    "upgrade",
    "version",
]

_VERSION = "0.19.0"  # the release of KUDO whose behaviour this has
_CLEAR = "\x1b[2J\x1b[H"


@dataclass(frozen=True, slots=True)
class _Connection:
    kube: Kube
    namespace: str


@contextmanager
def _connected(arguments: argparse.Namespace, *, validate: bool = True) -> Iterator[_Connection]:
    """Connect to the cluster, check that it knows KUDO's kinds, and let go of it at the end."""
    from harness.kube import Kube
    from harness.kudo.api import check_crds

    timeout = arguments.request_timeout or 3600.0  # 0 means no limit to the original; here a request always ends
    kube = Kube.connect(arguments.kubeconfig, arguments.context, request_timeout=timeout)
    try:
        if validate and arguments.validate_install:
            _validate(lambda: check_crds(kube))
        yield _Connection(kube, arguments.namespace or kube.default_namespace)
    finally:
        kube.close()


def _validate(check: Callable[[], None]) -> None:
    try:
        check()
    except KudoError:
        say("KUDO CRDs are not served in the expected version.")
        raise


def _parameters(arguments: argparse.Namespace) -> dict[str, str]:
    from harness.kudo.parameters import load_values

    return load_values(arguments.parameter, arguments.parameter_file)


def _wait(arguments: argparse.Namespace) -> float | None:
    return float(arguments.wait_time) if arguments.wait else None


def install(arguments: argparse.Namespace) -> None:
    """Install a package and an instance of it."""
    from harness.kudo import operations
    from harness.kudo.packages import find_source

    name = single(arguments.words, "name of the package or path to install")
    options = operations.Options(
        instance=arguments.instance,
        parameters=_parameters(arguments),
        skip_instance=arguments.skip_instance,
        create_namespace=arguments.create_namespace,
        wait=_wait(arguments),
    )
    source = find_source(name)
    with _connected(arguments) as to:
        operations.install(to.kube, source, namespace=to.namespace, options=options, say=say, warn=warn)


def upgrade(arguments: argparse.Namespace) -> None:
    """Move an instance to a newer version of its operator."""
    from harness.kudo import operations
    from harness.kudo.packages import find_source

    name = single(arguments.words, "name of the package or path to upgrade")
    if not arguments.instance:
        raise KudoError("please use --instance and specify instance name. It cannot be empty", usage=True)
    parameters, source = _parameters(arguments), find_source(name)
    with _connected(arguments) as to:
        operations.upgrade(
            to.kube,
            source,
            namespace=to.namespace,
            instance=arguments.instance,
            parameters=parameters,
            say=say,
            warn=warn,
        )


def update(arguments: argparse.Namespace) -> None:
    """Change parameters of an instance."""
    from harness.kudo import operations

    if arguments.words:
        raise KudoError("expecting no arguments provided for update. Only named flags are accepted", usage=True)
    if not arguments.instance:
        text = "--instance flag has to be provided to indicate which instance you want to update"
        raise KudoError(text, usage=True)
    parameters = _parameters(arguments)
    operations.check_changes(parameters)
    with _connected(arguments) as to:
        operations.update(
            to.kube,
            namespace=to.namespace,
            instance=arguments.instance,
            parameters=parameters,
            wait=_wait(arguments),
            say=say,
        )


def uninstall(arguments: argparse.Namespace) -> None:
    """Delete an instance."""
    from harness.kudo import operations

    if arguments.words:
        raise KudoError("expecting no arguments provided for uninstall. Only named flags are accepted", usage=True)
    if not arguments.instance:
        raise KudoError('required flag(s) "instance" not set', usage=True)
    with _connected(arguments) as to:
        operations.uninstall(
            to.kube, namespace=to.namespace, instance=arguments.instance, wait=_wait(arguments), say=say
        )


def _instance(arguments: argparse.Namespace) -> str:
    if not arguments.instance:
        raise KudoError("please choose the instance with '--instance=<instanceName>'", usage=True)
    return str(arguments.instance)


def plan_status(arguments: argparse.Namespace) -> None:
    """Print how far the plans of an instance are."""
    from harness.kudo import inspection

    instance, output = _instance(arguments), output_format(arguments)
    with _connected(arguments) as to:
        if arguments.wait and not output:
            timeout = arguments.wait_time
            inspection.watch_plan(to.kube, namespace=to.namespace, instance=instance, timeout=timeout, show=_redraw)
        else:
            text = inspection.plan_status(to.kube, namespace=to.namespace, instance=instance, output=output)
            sys.stdout.write(text)


def _redraw(text: str) -> None:
    """Show a text in place of the last one on a terminal, below it everywhere else."""
    sys.stdout.write(f"{_CLEAR}{text}" if sys.stdout.isatty() else text)
    sys.stdout.flush()


def plan_history(arguments: argparse.Namespace) -> None:
    """Print when the plans of an instance ran."""
    from harness.kudo import inspection

    instance = _instance(arguments)
    with _connected(arguments) as to:
        sys.stdout.write(inspection.plan_history(to.kube, namespace=to.namespace, instance=instance))


def plan_trigger(arguments: argparse.Namespace) -> None:
    """Run a plan of an instance."""
    from harness.kudo import operations

    instance = _instance(arguments)
    if not arguments.name:
        raise KudoError("please choose the plan name with '--name=<planName>'", usage=True)
    with _connected(arguments) as to:
        operations.trigger(
            to.kube,
            namespace=to.namespace,
            instance=instance,
            plan=arguments.name,
            wait=_wait(arguments),
            say=say,
        )


def get(arguments: argparse.Namespace) -> None:
    """Print what is installed."""
    from harness.kudo import inspection

    what = single(arguments.what, '"instances, operators, operatorversions or all"')
    inspection.check_gettable(what)
    output = output_format(arguments)
    with _connected(arguments) as to:
        sys.stdout.write(inspection.get(to.kube, what, namespace=to.namespace, output=output))


def init(arguments: argparse.Namespace) -> None:
    """Install the definitions of KUDO's kinds."""
    from harness.kudo.crds import install_crds

    if not arguments.crd_only:
        raise KudoError(
            "only the CRDs can be installed: the engine runs outside of the cluster",
            usage=True,
            run="kubectl kudo init --crd-only, then harness kudo run",
        )
    with _connected(arguments, validate=False) as to:
        install_crds(to.kube)
        say("✅ installed crds")


def version(arguments: argparse.Namespace) -> None:
    """Print the version."""
    import platform

    from harness import __version__
    from harness.kudo.printers import formatted

    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    fields = {
        "GitVersion": _VERSION,
        "GitCommit": f"operator-harness-{__version__}",
        "BuildDate": "",
        "GoVersion": "",
        "Compiler": platform.python_implementation().lower(),
        "Platform": f"{platform.system().lower()}/{machine}",
        "KubernetesClientVersion": "",
    }
    if output := output_format(arguments) if "output" in arguments else "":
        client = {name[0].lower() + name[1:]: value for name, value in fields.items()}
        sys.stdout.write(formatted({"clientVersion": client}, output))
    else:
        shown = ", ".join(f'{name}:"{value}"' for name, value in fields.items())
        say(f"KUDO Version: version.Info{{{shown}}}")
