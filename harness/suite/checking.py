"""Objects checked without a case: what `kuttl assert` and `kuttl errors` do.

Imported by the command line.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.suite.asserting import StepAssertions
from harness.suite.commands import Processes, Surroundings
from harness.suite.log import Log
from harness.suite.model import Entry, Step
from harness.suite.problem import Mode
from harness.suite.results import Failure
from harness.suite.sites import Site
from harness.suite.spec import TestSuite
from harness.suite.state import CaseState

__all__ = ["check_objects"]


def check_objects(
    entries: Sequence[Entry], site: Site, *, namespace: str = "default", timeout: int = 5, mode: Mode = "default"
) -> list[Failure]:
    """Return why objects are not as wanted, nothing when all are at one moment within the timeout.

    Args:
        entries: objects of role assert, which must match, or errors, which must not; see objects.load_objects.
        site: the cluster.
        namespace: of objects that name none.
        timeout: seconds; 0 looks once (quirk Q19: in strict mode it looks not at all).
        mode: strict is bug for bug.
    """
    if timeout <= 0 and mode == "strict":
        return []
    here = Path.cwd()
    step = Step(
        index=0,
        name="",
        directory=here,
        asserts=tuple(one for one in entries if one.role == "assert"),
        errors=tuple(one for one in entries if one.role == "errors"),
    )
    around = Surroundings(directory=here, namespace=namespace, kubeconfig=site.kubeconfig, mode=mode)
    state = CaseState(suite=TestSuite(), namespace=namespace, mode=mode, surroundings=around, processes=Processes())
    try:
        return StepAssertions(step, state, site, around, Log()).check(max(0.0, float(timeout)))
    finally:
        state.let_go()
