"""Fakes for the outside world of the cluster providers: a kind program, a client, an air gap."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from harness.clusters.kind import Parts
from harness.clusters.records import Records
from harness.kit.errors import DeadlineError
from harness.kit.process import Completed, ProcessError
from harness.kit.stages import Stages
from harness.kit.waiting import Pending

ENGINE = "unix:///dev/null"  # a private engine whose socket is there
READY_NODE = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
READY_DNS = {"status": {"availableReplicas": 2}}


class FakeKind:
    """The kind program as a runner: it keeps clusters and their nodes in memory and remembers its commands."""

    def __init__(self) -> None:
        self.clusters: dict[str, list[str]] = {}
        self.commands: list[list[str]] = []
        self.envs: list[dict[str, str]] = []
        self.fail: dict[str, BaseException] = {}
        self.version = "0.33.0"
        self.stubborn = False
        self.returncode = 0

    def __call__(self, argv: Sequence[str | Path], **options: Any) -> Completed:
        words = [str(word) for word in argv]
        self.commands.append(words[1:])
        self.envs.append(dict(options["env"]))
        assert options["timeout"] > 0, "every command has a deadline"
        verb = " ".join(words[1:3])
        out = self._answer(verb, words)
        if verb in self.fail:
            raise self.fail[verb]
        return Completed(argv=tuple(words), returncode=self.returncode, stdout=out, stderr="", seconds=0.0)

    def _answer(self, verb: str, words: list[str]) -> str:
        name = words[words.index("--name") + 1] if "--name" in words else ""
        if verb == "version -q":
            return self.version
        if verb == "get clusters":
            return "\n".join(self.clusters)
        if verb == "get nodes":
            return "\n".join(self.clusters.get(name, []))
        if verb == "create cluster":
            self.clusters[name] = [f"{name}-worker", f"{name}-control-plane"]
            Path(words[words.index("--kubeconfig") + 1]).write_text("apiVersion: v1\nkind: Config\n")
        if verb == "export kubeconfig":
            Path(words[words.index("--kubeconfig") + 1]).write_text("apiVersion: v1\nkind: Config\n")
        if verb == "delete cluster" and not self.stubborn:
            self.clusters.pop(name, None)
        return ""

    def verbs(self) -> list[str]:
        """Return the first two words of each command."""
        return [" ".join(command[:2]) for command in self.commands]


@dataclass
class FakeKube:
    """A client whose objects are ready or not."""

    version: str = "v1.36.3"
    error: Exception | None = None
    objects: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    closed: bool = False

    def server_version(self) -> str:
        if self.error:
            raise self.error
        return self.version

    def until(
        self,
        api_version: str,
        kind: str,
        name: str,
        namespace: str | None,
        condition: Callable[[Any], Any],
        *,
        timeout: float,
        wanted: str,
    ) -> Any:
        self.asked.append(f"{kind} {name}")
        default = READY_DNS if kind == "Deployment" else READY_NODE
        answer = condition(self.objects.get(name, default))
        if isinstance(answer, Pending):
            raise DeadlineError(wanted, seen=answer.reason)
        return answer

    def close(self) -> None:
        self.closed = True


@dataclass(frozen=True, kw_only=True)
class FakeProvision:
    node_image: str = "harness/node:v1.36.3"
    kind: Path | None = None
    kubectl: Path | None = None
    env: dict[str, str] = field(default_factory=lambda: {"DOCKER_HOST": ENGINE})
    kind_config: dict[str, Any] = field(default_factory=lambda: {"networking": {"disableDefaultCNI": True}})


@dataclass
class World:
    """Everything a provider touches, faked, with what happened to it."""

    parts: Parts
    kind: FakeKind
    kube: FakeKube
    out: io.StringIO
    finished: list[str]

    def said(self) -> str:
        return self.out.getvalue()

    def replace(self, **parts: Any) -> Parts:
        return replace(self.parts, **parts)


@pytest.fixture
def kind_file(tmp_path: Path) -> Path:
    """Return a file that can be run and stands for the kind program."""
    path = tmp_path / "bin" / "kind"
    path.parent.mkdir()
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def world(tmp_path: Path, kind_file: Path) -> World:
    """Return a fresh outside world."""
    kind, kube, out = FakeKind(), FakeKube(), io.StringIO()
    finished: list[str] = []
    parts = Parts(
        run=kind,
        provision=lambda _options, _stages: FakeProvision(kind=kind_file),
        after_create=lambda name, _provisioned, _stages: finished.append(name),
        connect=lambda _kubeconfig, _context: kube,
        records=Records(tmp_path / "state"),
        stages=Stages("cluster", out, clock=lambda: 0.0),
        artifacts=tmp_path / "artifacts",
    )
    return World(parts, kind, kube, out, finished)


@pytest.fixture
def failure() -> ProcessError:
    """Return the error of a program that ended badly."""
    return ProcessError("exit code 0 of kind", seen="exit code 1\nERROR: failed to create cluster: no space left")
