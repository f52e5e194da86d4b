"""What a case runs in: the cluster, the configuration, and who is told.

Imported by case and run, and by whoever runs single cases (pytest).
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.clusters.config import new_run_id
from harness.suite.janitor import Janitor
from harness.suite.loading import LoadOptions
from harness.suite.log import Sink, silent
from harness.suite.sites import Connect, Site, connect_kubeconfig
from harness.suite.spec import TestSuite
from harness.suite.state import Extensions

__all__ = ["Environment", "new_namespace"]

_FIRST = ("amber", "brave", "calm", "daring", "eager", "fair", "gentle", "humble", "keen", "lucid", "merry", "noble")
_SECOND = ("badger", "crane", "dingo", "egret", "falcon", "gecko", "heron", "ibis", "jackal", "koala", "lynx", "marten")
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Environment:
    """What the cases of a run share.

    Attributes:
        site: the run's cluster.
        suite: the configuration.
        options: how files are read; its mode is the run's.
        janitor: removes what cases leave.
        sink: gets the lines of the log.
        variables: the environment of commands.
        home: the runner's folder.
        run: id of the run, the label of its namespaces.
        connect: gives clients for the kubeconfigs of steps.
        extensions: runs the documents of group harness.dev; without it they fail their step.
        cleanup_timeout: seconds that a case waits for its objects outside of its own namespace to go.
    """

    site: Site
    suite: TestSuite = field(default_factory=TestSuite)
    options: LoadOptions = field(default_factory=LoadOptions)
    janitor: Janitor = field(default_factory=Janitor)
    sink: Sink = silent
    variables: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    home: Path = field(default_factory=Path.cwd)
    run: str = field(default_factory=new_run_id)
    connect: Connect = connect_kubeconfig
    extensions: Extensions | None = None
    cleanup_timeout: float = 60.0


def new_namespace() -> str:
    """Return a new name for a test's namespace, as kuttl forms it: kuttl-<word>-<word>-<4 characters>."""
    end = "".join(secrets.choice(_LETTERS) for _ in range(4))
    return f"kuttl-{secrets.choice(_FIRST)}-{secrets.choice(_SECOND)}-{end}"
