"""Measure how much a suite costs beyond its API calls: many small cases beside a plain HTTP client doing the same.

Run it with `python -m benchmarks.churn [--kubeconfig FILE] [--cases 30] [--parallel 1 4 8]`. Without a kubeconfig an
API server is started ($KUBEBUILDER_ASSETS), where namespaces never go away. Target: at most 1.3 times the floor.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import urllib3

from harness.clusters.control_plane import ControlPlane
from harness.kit.documents import load_documents
from harness.kube import Kube
from harness.suite.environment import Environment
from harness.suite.janitor import Janitor
from harness.suite.recorder import Recorder
from harness.suite.results import RunResult
from harness.suite.run import run_suite
from harness.suite.sites import Site
from harness.suite.spec import TestSuite

TARGET = 1.3
MAPS = 5
STEPS = 3
MERGE = "application/merge-patch+json"


def config_map(number: int, step: int) -> dict[str, Any]:
    """Return one of the case's ConfigMaps as a step writes it."""
    metadata = {"name": f"map-{number}", "labels": {"app": "churn"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"step": str(step)}}


def write_case(folder: Path) -> None:
    """Write a case: three steps that create or patch and assert, one that deletes by label and asserts absence."""
    folder.mkdir(parents=True)
    for step in range(STEPS):
        maps = [json.dumps(config_map(number, step)) for number in range(MAPS)]
        (folder / f"{step:02}-write.yaml").write_text("\n---\n".join(maps))
        (folder / f"{step:02}-assert.yaml").write_text("\n---\n".join(maps))
    labels = {"app": "churn"}
    delete = {"apiVersion": "kuttl.dev/v1beta1", "kind": "TestStep"}
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "labels": labels}
    (folder / f"{STEPS:02}-delete.yaml").write_text(json.dumps({**delete, "delete": [reference]}))
    absent = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"labels": labels}}
    (folder / f"{STEPS:02}-errors.yaml").write_text(json.dumps(absent))


class Plain:
    """The floor: urllib3, threads, and the calls that kuttl makes."""

    def __init__(self, kubeconfig: Path, folder: Path) -> None:
        value = load_documents(kubeconfig)[0].value
        cluster, user = value["clusters"][0]["cluster"], value["users"][0]["user"]
        self._server = cluster["server"]
        self._headers = {"Accept": "application/json"}
        if "token" in user:
            self._headers["Authorization"] = f"Bearer {user['token']}"
        tls: dict[str, Any] = {
            "ca_certs": _file(cluster, "certificate-authority", folder),
            "cert_file": _file(user, "client-certificate", folder),
            "key_file": _file(user, "client-key", folder),
        }
        self._pool = urllib3.PoolManager(maxsize=32, **tls)
        self.calls = 0
        self._lock = threading.Lock()

    def call(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> tuple[int, Any]:
        """Carry out one request."""
        headers = {**self._headers, **({"Content-Type": content_type} if body is not None else {})}
        data = json.dumps(body).encode() if body is not None else None
        answer = self._pool.request(method, self._server + path, body=data, headers=headers, retries=False)
        with self._lock:
            self.calls += 1
        return answer.status, json.loads(answer.data)

    def case(self, number: int, *, delete: bool) -> None:
        """Do what one case does."""
        name = f"floor-{number}-{secrets.token_hex(3)}"
        self.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        maps = f"/api/v1/namespaces/{name}/configmaps"
        for step in range(STEPS):
            for index in range(MAPS):
                self._write(maps, config_map(index, step))
            for index in range(MAPS):
                _, found = self.call("GET", f"{maps}/map-{index}")
                assert found["data"] == {"step": str(step)}
        _, listed = self.call("GET", f"{maps}?labelSelector=app%3Dchurn")
        names = [one["metadata"]["name"] for one in listed["items"]]
        for one in names:
            self.call("DELETE", f"{maps}/{one}")
        for one in names:
            assert self.call("GET", f"{maps}/{one}")[0] == 404
        _, listed = self.call("GET", f"{maps}?labelSelector=app%3Dchurn")
        assert not listed["items"]
        if delete:
            self.call("DELETE", f"/api/v1/namespaces/{name}")

    def _write(self, maps: str, manifest: dict[str, Any]) -> None:
        path = f"{maps}/{manifest['metadata']['name']}"
        status, found = self.call("GET", path)
        if status == 404:
            assert self.call("POST", maps, manifest)[0] == 201
            return
        version = {"resourceVersion": found["metadata"]["resourceVersion"]}
        body = {**manifest, "metadata": {**manifest["metadata"], **version}}
        assert self.call("PATCH", path, body, MERGE)[0] == 200


def _file(part: dict[str, Any], key: str, folder: Path) -> str | None:
    """Return a file with what a kubeconfig names or holds."""
    if key in part:
        return str(part[key])
    if f"{key}-data" not in part:
        return None
    import base64

    path = folder / key
    path.touch(0o600)
    path.write_bytes(base64.b64decode(part[f"{key}-data"]))
    return str(path)


def floor(plain: Plain, cases: int, parallel: int, *, delete: bool) -> float:
    """Return the seconds that the plain client takes."""
    begun = time.monotonic()
    with ThreadPoolExecutor(parallel) as pool:
        list(pool.map(lambda number: plain.case(number, delete=delete), range(cases)))
    return time.monotonic() - begun


def ours(kubeconfig: Path, suite: Path, parallel: int, *, delete: bool) -> tuple[float, float, RunResult]:
    """Return the seconds to the last verdict, those of the whole run with its clean-up, and the result."""
    with Kube.connect(kubeconfig) as kube:
        recorder = Recorder(kube)
        environment = Environment(
            site=Site(kube=kube, recorder=recorder, kubeconfig=kubeconfig),
            suite=TestSuite(parallel=parallel, skip_delete=not delete, timeout=60),
            janitor=Janitor(timeout=300),
        )
        result = run_suite(environment, [str(suite)], controllers=False)
        recorder.close()
    cases = list(result.cases)
    verdicts = max(one.started + one.seconds for one in cases) - min(one.started for one in cases)
    return verdicts, result.seconds, result


@contextmanager
def server(kubeconfig: Path | None) -> Iterator[Path]:
    """Yield the kubeconfig of the server to measure on."""
    if kubeconfig is not None:
        yield kubeconfig
        return
    with ControlPlane() as plane:
        yield plane.kubeconfig


def requests_of(work: Callable[[], Any]) -> tuple[Any, int]:
    """Return what some work gives, and the number of requests that it sent."""
    from harness.kube import transport

    count = [0]
    begin = transport._Urllib3Transport._begin  # noqa: SLF001 - a counter at the only door

    def counted(self: Any, request: Any, *, preload: bool) -> Any:
        count[0] += 1
        return begin(self, request, preload=preload)

    transport._Urllib3Transport._begin = counted  # type: ignore[method-assign]  # noqa: SLF001 - the same
    try:
        return work(), count[0]
    finally:
        transport._Urllib3Transport._begin = begin  # type: ignore[method-assign]  # noqa: SLF001 - the same


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, help="a kind cluster's; else an API server is started")
    parser.add_argument("--cases", type=int, default=30)
    parser.add_argument("--parallel", type=int, nargs="+", default=[1, 4, 8])
    parser.add_argument("--rounds", type=int, default=2, help="the best of so many counts, for both sides")
    options = parser.parse_args()
    delete = options.kubeconfig is not None
    with tempfile.TemporaryDirectory() as folder, server(options.kubeconfig) as kubeconfig:
        suite = Path(folder) / "suite"
        for number in range(options.cases):
            write_case(suite / f"case-{number:03}")
        plain = Plain(kubeconfig, Path(folder))
        floor(plain, 1, 1, delete=delete)
        print(f"{options.cases} cases, load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        for parallel in options.parallel:
            floors, verdicts, totals, requests, calls = [], [], [], 0, 0
            for _ in range(options.rounds):
                before = plain.calls
                floors.append(floor(plain, options.cases, parallel, delete=delete))
                calls = plain.calls - before
                (seconds, total, result), requests = requests_of(
                    lambda at=parallel: ours(kubeconfig, suite, at, delete=delete)  # type: ignore[misc]
                )
                assert all(case.passed for case in result.cases), [
                    str(case) for case in result.cases if not case.passed
                ]
                verdicts.append(seconds)
                totals.append(total)
            ratio = min(verdicts) / min(floors)
            print(
                f"churn, {parallel} at once: floor {min(floors):5.2f} s ({calls} requests)  ours {min(verdicts):5.2f} s"
                f" ({requests} requests), with clean-up {min(totals):6.2f} s   ratio {ratio:.2f}"
                f"   target {TARGET}   {'ok' if ratio <= TARGET else 'MISSED'}"
            )


if __name__ == "__main__":
    main()
