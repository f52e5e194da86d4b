"""How long the Galera suite takes on a cluster that exists, and how much memory its pytest process needs.

    harness cluster up bench --images suites/galera/image
    python -m benchmarks.galera KUBECONFIG CONTEXT [smoke-rsync|smoke-mariabackup|whole ...]

Targets: smoke with rsync at most 60 s, with mariabackup at most 90 s; the whole suite at most 8 minutes; at most
150 MB of memory.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

BIN = Path(sys.executable).parent
ROOT = Path(__file__).parent.parent
RUNS: dict[str, tuple[float, str, list[str]]] = {
    "smoke-rsync": (60, "rsync", ["-m", "smoke"]),
    "smoke-mariabackup": (90, "mariabackup", ["-m", "smoke"]),
    "whole": (480, "", []),
}
MOST_MEMORY = 150.0  # MB


def measure(kubeconfig: str, context: str, name: str) -> bool:
    """Run the suite once, print the figures, and return whether it passed."""
    target, method, options = RUNS[name]
    environment = {**os.environ, **({"GALERA_SST_METHOD": method} if method else {})}
    argv: list[str | Path] = [
        BIN / "pytest",
        "suites/galera",
        "-q",
        "--kubeconfig",
        kubeconfig,
        "--harness-context",
        context,
        *options,
    ]
    begin = time.perf_counter()
    process = subprocess.Popen(argv, cwd=ROOT, env=environment)
    _pid, status, usage = os.wait4(process.pid, 0)  # the only way to the peak memory of just this child
    took, memory = time.perf_counter() - begin, usage.ru_maxrss / 1024
    passed = os.waitstatus_to_exitcode(status) == 0
    good = passed and took <= target and memory <= MOST_MEMORY
    print(
        f"{name:<20} {took:6.1f} s (target {target:.0f})   {memory:5.0f} MB (target {MOST_MEMORY:.0f})   "
        f"{'ok' if good else 'MISSED' if passed else 'FAILED'}   load average {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    return passed


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    failures = sum(not measure(sys.argv[1], sys.argv[2], name) for name in sys.argv[3:] or list(RUNS))
    sys.exit(min(failures, 1))
