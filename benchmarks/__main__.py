"""Run the benchmarks that need no cluster, one after the other: python -m benchmarks.

Those that need one are run by name, see benchmarks/galera.py.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

OFFLINE = ("collect", "gotmpl", "checks", "loading", "engine", "react", "churn")


def main() -> int:
    """Run each and return 1 when one of them failed."""
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
    failed = []
    for name in OFFLINE:
        print(f"\n== {name}", flush=True)
        if subprocess.call([sys.executable, "-m", f"benchmarks.{name}"], cwd=Path(__file__).parent.parent):
            failed.append(name)
    if failed:
        print(f"\nfailed: {', '.join(failed)}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
