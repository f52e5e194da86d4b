"""How long `pytest --collect-only suites/galera` takes, and how long the commands take to start.

    python -m benchmarks.collect [ROUNDS]

Targets: collecting at most 0.6 s; the offline commands of kubectl kudo at most 0.25 s.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

BIN = Path(sys.executable).parent
SUITE = "suites/galera"
OPERATOR = "suites/galera/operator"
COMMANDS: dict[str, tuple[float, list[str | Path]]] = {
    "pytest --collect-only suites/galera": (0.6, [BIN / "pytest", "--collect-only", "-q", SUITE]),
    "kubectl kudo package list plans": (0.25, [BIN / "kubectl-kudo", "package", "list", "plans", OPERATOR]),
    "harness --help": (0.25, [BIN / "harness", "--help"]),
}


def seconds(argv: list[str | Path]) -> float:
    """Return how long a command takes."""
    begin = time.perf_counter()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    root = Path(__file__).parent.parent
    subprocess.run(argv, check=True, capture_output=True, cwd=root, env=environment, timeout=60)
    return time.perf_counter() - begin


def main(rounds: int) -> None:
    """Print each command's median and worst, after one run that is not counted."""
    for name, (target, argv) in COMMANDS.items():
        seconds(argv)
        found = sorted(seconds(argv) for _round in range(rounds))
        median = statistics.median(found)
        verdict = "ok" if median <= target else "MISSED"
        print(f"{name:<40} median {median:5.2f} s   worst {found[-1]:5.2f} s   target {target:4.2f} s   {verdict}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
