"""The private engine for the time of one run: who starts it stops it.

Imported by the fixtures and the command line.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from harness.airgap.provision import Airgap
from harness.kit.stages import Stages

__all__ = ["engine_lease"]


@contextmanager
def engine_lease(stages: Stages) -> Iterator[None]:
    """Stop the private engine after the block if it did not run before it.

    An engine that somebody else has begun to use meanwhile, or that holds a cluster that stays, is left running, and it
    is said how to stop it.

    Args:
        stages: where it is told.
    """
    engine = Airgap(stages=stages).private
    ran_before = engine.pid() is not None
    try:
        yield
    finally:
        if not ran_before and engine.pid() is not None:
            if inside := engine.containers():
                stages.note(f"engine kept, since it holds {', '.join(inside)}; stop it with: harness airgap down")
            else:
                with stages.stage("engine stopping", "engine stopped"):
                    engine.down()
