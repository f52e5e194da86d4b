"""Shared fakes of the air gap's tests: a runner of programs that answers from a table, and a silent reporter."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from harness.airgap.layout import Layout
from harness.airgap.machine import Machine
from harness.kit.process import Completed, ProcessError
from harness.kit.stages import Stages

Answer = str | ProcessError | int | tuple[int, str]


class FakeRun:
    """Records commands and answers the first rule whose words start the command."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []
        self.envs: list[Mapping[str, str]] = []
        self.inputs: list[str | None] = []
        self.rules: list[tuple[tuple[str, ...], Answer | Callable[[list[str]], Answer]]] = []

    def on(self, *words: str, gives: Answer | Callable[[list[str]], Answer]) -> None:
        """Answer commands that start with these words: a text, an exit code (and standard error), or an exception."""
        self.rules.insert(0, (words, gives))

    def __call__(
        self,
        argv: Sequence[str | Path],
        *,
        timeout: float,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: str | None = None,
        check: bool = True,
    ) -> Completed:
        command = [str(word) for word in argv]
        self.commands.append(command)
        self.envs.append(env or {})
        self.inputs.append(stdin)
        answer: Answer = ""
        for words, gives in self.rules:
            if command[: len(words)] == list(words):
                answer = gives(command) if callable(gives) else gives
                break
        if isinstance(answer, ProcessError):
            raise answer
        code, why = answer if isinstance(answer, tuple) else (answer if isinstance(answer, int) else 0, "refused")
        if code and check:
            raise ProcessError(f"exit code 0 of {command[0]}", seen=f"exit code {code}")
        text = answer if isinstance(answer, str) else ""
        return Completed(argv=tuple(command), returncode=code, stdout=text, stderr=why if code else "", seconds=0.0)

    def starting(self, *words: str) -> list[list[str]]:
        """Return the recorded commands that start with these words."""
        return [command for command in self.commands if command[: len(words)] == list(words)]


@pytest.fixture
def fake() -> FakeRun:
    return FakeRun()


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(cache=tmp_path / "cache", state=tmp_path / "state")


@pytest.fixture
def machine(layout: Layout, fake: FakeRun, tmp_path: Path) -> Machine:
    """A machine whose own files lie in a folder of the test."""
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/os-release").write_text('ID=debian\nPRETTY_NAME="Debian 12"\n', encoding="utf-8")
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/status").write_text("CapBnd:\t000001ffffffffff\n", encoding="utf-8")
    return Machine(layout=layout, run=fake, root=root)


@pytest.fixture
def told() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def stages(told: io.StringIO) -> Stages:
    return Stages("airgap", told)
