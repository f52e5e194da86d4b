"""One thing that is wrong, and how near it is to the cause. Imported by the rest of harness.report."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from harness.report.snapshot import LogKey

__all__ = ["Fact", "Rank"]


class Rank(IntEnum):
    """How near to the cause: what keeps a pod from being made comes before what goes wrong inside of it."""

    CLUSTER = 0
    NAMESPACE = 1
    NODE = 2
    CREATE = 3
    CLAIM = 4
    SCHEDULE = 5
    CONFIG = 6
    IMAGE = 7
    CRASH = 8
    FAILED = 9
    PROBE = 10
    STARTING = 11
    RESTARTED = 12
    WAITING = 13


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One trouble.

    Args:
        subject: "Pod galera-galera-4, container mariadb".
        reason: "CrashLoopBackOff, 4 restarts, last exit code 1 (Error)".
        detail: what the cluster says about it, a line each.
        rank: how near to the cause it is.
        since: when it began, as the API server wrote it.
        chain: the owners down to the object.
        run: the command to run next.
        log: the log that tells more.
    """

    subject: str
    reason: str
    detail: tuple[str, ...] = ()
    rank: Rank
    since: str = ""
    chain: str = ""
    run: str = ""
    log: LogKey | None = None
