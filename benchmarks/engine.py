"""Measure the KUDO engine on a real API server: a plan of ten ConfigMaps, and the reaction to a healthy workload.

Run it with `python benchmarks/engine.py [ROUNDS]`; $KUBEBUILDER_ASSETS names the folder of etcd and kube-apiserver.
Targets: COMPLETE at most 300 ms after the Instance was created, and at most 50 ms after the workload turned healthy.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from harness.clusters.control_plane import ControlPlane
from harness.kit.documents import Manifest
from harness.kit.waiting import Pending
from harness.kube import Kube, Watch, dig
from harness.kudo.crds import install_crds
from harness.kudo.engine import Engine

API = "kudo.dev/v1beta1"
NAMESPACE = "default"
TIMEOUT = 30.0

CONFIG_MAP = """
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Name }}-%d
data:
  size: "{{ .Params.SIZE }}"
"""
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Name }}
spec:
  replicas: 1
  selector:
    matchLabels: {app: {{ .Name }}}
  template:
    metadata:
      labels: {app: {{ .Name }}}
    spec:
      containers:
      - name: main
        image: none
"""
HEALTHY = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1, "readyReplicas": 1}


def version(name: str, templates: dict[str, str]) -> Manifest:
    """Return an operator version whose deploy plan applies one template a step."""
    names = [file.removesuffix(".yaml") for file in templates]
    steps = [{"name": task, "tasks": [task]} for task in names]
    plan = {"strategy": "serial", "phases": [{"name": "main", "strategy": "serial", "steps": steps}]}
    tasks = [{"name": task, "kind": "Apply", "spec": {"resources": [f"{task}.yaml"]}} for task in names]
    return {
        "apiVersion": API,
        "kind": "OperatorVersion",
        "metadata": {"name": name},
        "spec": {
            "operator": {"name": "bench", "kind": "Operator"},
            "version": "0.1.0",
            "templates": templates,
            "tasks": tasks,
            "parameters": [{"name": "SIZE", "default": "3"}],
            "plans": {"deploy": plan},
        },
    }


def instance(name: str, version_name: str) -> Manifest:
    """Return an Instance as `install` creates it."""
    spec = {"operatorVersion": {"name": version_name}}
    return {"apiVersion": API, "kind": "Instance", "metadata": {"name": name}, "spec": spec}


def until_complete(watch: Watch, name: str) -> float:
    """Wait until a deploy plan is COMPLETE; return the moment at which that was seen."""

    def complete(objects: list[Manifest]) -> float | Pending:
        found: Any = next((item for item in objects if item["metadata"]["name"] == name), {})
        state = dig(found, "status.planStatus.deploy.status")
        return time.monotonic() if state == "COMPLETE" else Pending(f"deploy is {state}")

    return watch.until(complete, timeout=TIMEOUT, wanted=f"plan deploy of {name} COMPLETE")


def ten_steps(kube: Kube, watch: Watch, number: int) -> float:
    """Return the seconds from the Instance's creation to COMPLETE."""
    name = f"ten-{number}"
    kube.create(instance(name, "ten-0.1.0"), NAMESPACE)
    begin = time.monotonic()
    return until_complete(watch, name) - begin


def one_workload(kube: Kube, watch: Watch, number: int) -> float:
    """Return the seconds from the answer to the write that made a Deployment healthy to COMPLETE."""
    name = f"one-{number}"
    kube.create(instance(name, "one-0.1.0"), NAMESPACE)
    kube.until(
        "apps/v1", "Deployment", name, NAMESPACE,
        lambda found: found or Pending("no Deployment yet"), timeout=TIMEOUT, wanted=f"Deployment {name}",
    )  # fmt: skip
    time.sleep(0.3)  # the engine is at rest, and waits for an event
    kube.patch("apps/v1", "Deployment", name, {"status": HEALTHY}, NAMESPACE, subresource="status")
    begin = time.monotonic()
    return until_complete(watch, name) - begin


def report(what: str, target: float, measure: Callable[[int], float], rounds: int) -> None:
    """Print the median, the worst and the target, in milliseconds."""
    found = sorted(measure(number) * 1000 for number in range(rounds))
    print(
        f"{what:<44} median {statistics.median(found):6.1f} ms   worst {found[-1]:6.1f} ms   target {target:5.0f} ms"
        f"   {'ok' if found[-1] <= target else 'MISSED'}"
    )


def main(rounds: int) -> None:
    """Start an API server and print all figures."""
    ten = {f"step-{number}.yaml": CONFIG_MAP % number for number in range(10)}
    with ControlPlane() as plane, Kube.connect(plane.kubeconfig) as kube:
        install_crds(kube)
        kube.create(version("ten-0.1.0", ten), NAMESPACE)
        kube.create(version("one-0.1.0", {"deployment.yaml": DEPLOYMENT}), NAMESPACE)
        begin = time.monotonic()
        with Engine(kube, namespaces=[NAMESPACE]) as engine, kube.watch(API, "Instance", NAMESPACE) as watch:
            print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
            print(f"engine started in {(time.monotonic() - begin) * 1000:.0f} ms")
            report("ten steps of one ConfigMap: COMPLETE", 300, lambda number: ten_steps(kube, watch, number), rounds)
            report("Deployment healthy: COMPLETE", 50, lambda number: one_workload(kube, watch, number), rounds)
            begin = time.monotonic()
            engine.stop()
            print(f"engine stopped in {(time.monotonic() - begin) * 1000:.0f} ms")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
