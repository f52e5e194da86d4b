"""Measure how soon a step completes after the event that it waits for, and what an event costs with many cases waiting.

Run it with `python -m benchmarks.react [--kubeconfig FILE] [--steps 100]`; without a kubeconfig an API server is
started. The floor is a plain client's watch that sees the same events. Targets: median 10 ms, 99th percentile 50 ms.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import secrets
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks.churn import MERGE, Plain, server
from harness.kube import Kube, Resource
from harness.kube.watch import Event
from harness.suite.case import run_case
from harness.suite.conditions import MatchCondition
from harness.suite.environment import Environment
from harness.suite.files import Case
from harness.suite.log import Line
from harness.suite.model import Entry
from harness.suite.place import Place
from harness.suite.recorder import Recorder, Track
from harness.suite.sites import Site
from harness.suite.spec import TestSuite
from harness.suite.streams import parse_stream
from harness.suite.waits import Wait

MEDIAN, WORST = 10.0, 50.0  # milliseconds
PATH = "/api/v1/namespaces/{}/configmaps"


def write_case(folder: Path, steps: int) -> Case:
    """Write a case whose every step asserts one more change of a ConfigMap."""
    folder.mkdir(parents=True)
    for step in range(steps):
        wanted = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}, "data": {"step": str(step)}}
        (folder / f"{step:04}-assert.yaml").write_text(json.dumps(wanted))
    return Case(name=folder.name, directory=folder, suite=folder.parent)


class Changer:
    """Makes the change that a step waits for, a moment after the step has begun, and sees the event by itself."""

    def __init__(self, plain: Plain, namespace: str) -> None:
        self._plain = plain
        self._path = PATH.format(namespace)
        self.answered: dict[str, float] = {}
        self.seen: dict[str, float] = {}
        self.completed: dict[str, float] = {}
        self._threads: list[threading.Thread] = []

    def sink(self, line: Line) -> None:
        """Take a line of the run's log."""
        step = line.source.rpartition("/")[2].partition("-")[0]
        if line.text.startswith("starting test step"):
            thread = threading.Thread(target=self._change, args=(step,))
            self._threads.append(thread)
            thread.start()
        elif line.text.startswith("test step completed"):
            self.completed[step] = time.monotonic()

    def watch(self, ready: threading.Event) -> None:
        """Follow the same object as plainly as can be."""
        answer = self._plain._pool.request(  # noqa: SLF001 - its other half
            "GET", f"{self._plain._server}{self._path}?watch=1&timeoutSeconds=600",  # noqa: SLF001
            headers=self._plain._headers, preload_content=False,  # noqa: SLF001
        )  # fmt: skip
        ready.set()
        rest = b""
        for chunk in answer.stream(1 << 16):
            *lines, rest = (rest + chunk).split(b"\n")
            now = time.monotonic()
            for line in lines:
                step = (json.loads(line)["object"].get("data") or {}).get("step", "")
                if step == "end":
                    answer.close()
                    return
                self.seen.setdefault(step, now)

    def end(self) -> None:
        """Let the plain watch end."""
        self._plain.call("PATCH", f"{self._path}/one", {"data": {"step": "end"}}, MERGE)
        for thread in self._threads:
            thread.join()

    def _change(self, step: str) -> None:
        time.sleep(random.uniform(0.02, 0.04))  # noqa: S311 - the step is waiting by then
        self._plain.call("PATCH", f"{self._path}/one", {"data": {"step": step}}, MERGE)
        self.answered[step] = time.monotonic()


def react(kubeconfig: Path, folder: Path, steps: int) -> None:
    """Print how soon steps complete."""
    plain, namespace = Plain(kubeconfig, folder), f"react-{secrets.token_hex(3)}"
    plain.call("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    plain.call("POST", PATH.format(namespace), {"metadata": {"name": "one"}, "data": {"step": ""}})
    changer, ready = Changer(plain, namespace), threading.Event()
    watcher = threading.Thread(target=changer.watch, args=(ready,))
    watcher.start()
    ready.wait(10)
    with Kube.connect(kubeconfig) as kube:
        recorder = Recorder(kube)
        site = Site(kube=kube, recorder=recorder, kubeconfig=kubeconfig)
        environment = Environment(site=site, suite=TestSuite(suppress=("events",), skip_delete=True), sink=changer.sink)
        result = run_case(write_case(folder / "react", steps), environment, namespace=namespace)
        assert result.passed
        changer.end()
        watcher.join()
        environment.janitor.finish(5)
        recorder.close()
    plain.call("DELETE", f"/api/v1/namespaces/{namespace}")
    done = changer.completed
    report("react, from the event at a plain watch", {step: done[step] - changer.seen[step] for step in done})
    report("react, from the answer to the write", {step: done[step] - changer.answered[step] for step in done})
    report("floor: plain watch, from the answer", {s: changer.seen[s] - changer.answered[s] for s in done}, floor=True)


def report(what: str, spans: dict[str, float], *, floor: bool = False) -> None:
    """Print median and 99th percentile in milliseconds; below zero: earlier than what it is measured from."""
    found = sorted(span * 1000 for span in spans.values())
    middle, high = statistics.median(found), found[min(len(found) - 1, round(len(found) * 0.99))]
    verdict = "" if floor else f"   {'ok' if middle <= MEDIAN and high <= WORST else 'MISSED'}"
    print(f"{what:<42} median {middle:6.2f} ms   p99 {high:6.2f} ms   worst {found[-1]:6.2f} ms{verdict}")


def event_cost(waiting: int, events: int = 20_000) -> float:
    """Return the microseconds of CPU that an event costs while so many cases wait, each for an object of its own."""
    resource = Resource(group="", version="v1", kind="ConfigMap", plural="configmaps", namespaced=True)
    place = Place(api_version="v1", kind="ConfigMap", namespace="shared", resource=resource)
    recorder = Recorder(None)  # type: ignore[arg-type]  # no server is asked here
    track = Track(recorder.kube, place, recorder.lock, recorder.clock)
    track._begin()  # noqa: SLF001 - its list is in
    waits = []
    for number in range(waiting):
        text = json.dumps({**_object(number), "data": {"n": "never"}})
        (document,) = parse_stream(text, "assert.yaml").documents
        entry = Entry(manifest=document.value, document=document, role="assert")
        wait = Wait(recorder, [MatchCondition(entry, track, place, wanted=True)])
        waits.append(wait.__enter__())
    changed = [Event("MODIFIED", _object(number % waiting, number), 0.0) for number in range(events)]
    begun = time.process_time()  # other programs do not count
    for event in changed:
        track._event(event)  # noqa: SLF001 - as its watch does
    return (time.process_time() - begun) / events * 1e6


def _object(number: int, version: int = 0) -> dict[str, Any]:
    name = f"map-{number}"
    metadata = {"name": name, "namespace": "shared"}
    if version:
        metadata |= {"uid": name, "resourceVersion": str(version)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"n": str(version)}}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, help="a kind cluster's; else an API server is started")
    parser.add_argument("--steps", type=int, default=100)
    options = parser.parse_args()
    print(f"{options.steps} steps, load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder, server(options.kubeconfig) as kubeconfig:
        react(kubeconfig, Path(folder), options.steps)
    for waiting in (10, 100, 1000):
        print(f"an event while {waiting:5} cases wait: {event_cost(waiting):6.1f} us")


if __name__ == "__main__":
    main()
