"""How long it takes to collect and to read a large suite, and how much memory that needs.

Targets: 700 cases in 6,000 files collected in at most 3 s and 150 MB. Run: python -m benchmarks.loading
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import tempfile
import time
from pathlib import Path

CASES, FILES = 700, 6_000
SECONDS, MEGABYTES = 3.0, 150

_APPLY = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: db-{index}
  labels: {{app: db, tier: backend}}
spec:
  replicas: 3
  selector: {{matchLabels: {{app: db}}}}
  template:
    metadata: {{labels: {{app: db}}}}
    spec:
      containers:
      - name: db
        image: registry.example/db:1.2.3
        ports: [{{containerPort: 3306}}]
        env:
        - {{name: A, value: "1"}}
        - {{name: B, value: "2"}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: config-{index}}}
data: {{key: value}}
"""
_ASSERT = """apiVersion: kuttl.dev/v1beta1
kind: TestAssert
timeout: 120
commands:
- command: kubectl get pods
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: db-{index}}}
status: {{readyReplicas: 3}}
"""


def main() -> int:
    """Measure and print; return 1 when a target is missed."""
    with tempfile.TemporaryDirectory() as folder:
        suite = Path(folder)
        files = _write(suite)
        collect = _in_child(_collect, suite)
        read = _in_child(_read, suite)
    target = f"target {SECONDS:g} s, {MEGABYTES} MB"
    print(f"collect  {CASES} cases in {files} files: {collect[0]:.2f} s, {collect[1]:.0f} MB ({target})")
    print(f"read     all of them, one after the other: {read[0]:.2f} s, {read[1]:.0f} MB")
    return int(collect[0] > SECONDS or collect[1] > MEGABYTES)


def _write(suite: Path) -> int:
    """Write the suite; return the number of files."""
    written = 0
    for case in range(CASES):
        directory = suite / f"case-{case:03}"
        directory.mkdir()
        for index in range(FILES // CASES + (case < FILES % CASES)):
            step, is_assert = divmod(index, 2)
            name = f"{step:02}-assert.yaml" if is_assert else f"{step:02}-install.yaml"
            (directory / name).write_text((_ASSERT if is_assert else _APPLY).format(index=step))
            written += 1
    return written


def _in_child(target: object, suite: Path) -> tuple[float, float]:
    """Run a measurement in a fresh interpreter, so that its memory is its own; return seconds and megabytes."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        result: tuple[float, float] = pool.apply(target, (suite,))  # type: ignore[arg-type]
    return result


def _collect(suite: Path) -> tuple[float, float]:
    begun = time.perf_counter()
    from harness.suite.files import list_cases, list_files

    listed = [list_files(case) for case in list_cases(suite).cases]
    seconds = time.perf_counter() - begun
    assert sum(len(step.entries) for case in listed for step in case.steps) == FILES
    return seconds, _megabytes()


def _read(suite: Path) -> tuple[float, float]:
    begun = time.perf_counter()
    from harness.suite.files import list_cases
    from harness.suite.loading import load_case

    for case in list_cases(suite).cases:
        assert not load_case(case, namespace="ns").errors
    return time.perf_counter() - begun, _megabytes()


def _megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
