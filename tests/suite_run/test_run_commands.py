"""Commands without a cluster: their arguments, environment, limits and output; one test for each rule."""

from __future__ import annotations

import os
import signal
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.kit.documents import dump_yaml, load_documents
from harness.kit.process import alive
from harness.kit.waiting import Pending, until
from harness.suite import commands
from harness.suite.commands import CommandError, Finished, Processes, Surroundings, failure_of, prepare, run_command
from harness.suite.log import Line, Log
from harness.suite.sites import write_kubeconfig
from harness.suite.spec import AssertCommand, Command
from harness.suite.waits import Interrupted


@dataclass
class Shell:
    """Runs commands in a folder and keeps what they told."""

    around: Surroundings
    processes: Processes
    lines: list[Line] = field(default_factory=list)

    def run(self, *, limit: float | None = 10, quiet: bool = False, **fields: object) -> Finished:
        """Prepare and run a command."""
        command = Command(**fields)  # type: ignore[arg-type]  # the fields of a command
        prepared = prepare(command, self.around)
        log = Log(self.lines.append, "case/0-x")
        return run_command(prepared, self.around, limit=limit, log=log, quiet=quiet, processes=self.processes)

    @property
    def texts(self) -> list[str]:
        """The messages."""
        return [line.text for line in self.lines]


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """Return a shell in a new folder."""
    home = tmp_path / "home"
    (home / "bin").mkdir(parents=True)
    case = tmp_path / "case"
    case.mkdir()
    around = Surroundings(directory=case, namespace="ns-1", kubeconfig=tmp_path / "kubeconfig", home=home)
    processes = Processes()
    yield Shell(around, processes)
    processes.stop()


def argv(shell: Shell, text: str, *, mode: str = "default", **fields: object) -> tuple[str, ...]:
    """Return the arguments that a command gives."""
    from dataclasses import replace

    around = replace(shell.around, mode=mode)  # type: ignore[arg-type]  # one of two words
    return prepare(Command(command=text, **fields), around).argv  # type: ignore[arg-type]  # the fields of a command


def program(path: Path, text: str) -> Path:
    """Write a script that can be run."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def gone(pid: int) -> None:
    """Wait until a process has ended."""
    until(lambda: True if not alive(pid) else Pending("it runs"), timeout=5, wanted=f"process {pid} ended")


def test_a_command_runs_in_the_case_s_folder(shell: Shell) -> None:
    """Environment: the working folder is the test directory; a relative program is found there."""
    program(shell.around.directory / "check.sh", "pwd")
    done = shell.run(command="./check.sh")
    assert done.output == str(shell.around.directory)


def test_the_environment_has_namespace_kubeconfig_and_path(shell: Shell) -> None:
    """Environment: the runner's, with NAMESPACE, KUBECONFIG, and <cwd>/bin before PATH."""
    done = shell.run(script="echo $NAMESPACE; echo $KUBECONFIG; echo $PATH; echo $HOME")
    assert done.output.splitlines() == [
        "ns-1",
        str(shell.around.kubeconfig),
        f"{shell.around.home}/bin/:{os.environ['PATH']}",
        os.environ["HOME"],
    ]


def test_standard_input_is_empty(shell: Shell) -> None:
    """Environment: a command that reads its input meets its end."""
    assert shell.run(command="cat").output == ""


def test_variables_and_words_of_a_command(shell: Shell) -> None:
    """Expansion: variables everywhere, then words; no shell is involved."""
    assert argv(shell, "echo '$NAMESPACE' ${NAMESPACE}x $$HOME $(pwd)") == ("echo", "ns-1", "ns-1x", "$HOME", "$(pwd)")


def test_an_unset_variable_is_named(shell: Shell) -> None:
    """Quirk Q58: an unset name gives nothing, and a warning that names it."""
    prepared = prepare(Command(command="echo a${NOT_SET}b"), shell.around)
    assert prepared.argv == ("echo", "ab")
    assert ["NOT_SET" in problem.text and problem.quirk for problem in prepared.problems] == [58]


def test_a_dropped_comment_is_told(shell: Shell) -> None:
    """Quirk Q59: # begins a comment, and a warning says what was dropped."""
    prepared = prepare(Command(command="echo a # b"), shell.around)
    assert prepared.argv == ("echo", "a")
    assert [problem.quirk for problem in prepared.problems] == [59]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"command": "a", "script": "b"}, "command and script can not be set in the same configuration"),
        ({}, "command or script must be set"),
        ({"script": "b", "namespaced": True}, "script can not used 'namespaced', use the $NAMESPACE"),
        ({"command": "echo 'a"}, "EOF found when expecting closing quote"),
        ({"command": "$NOT_SET"}, "the command is empty after expansion"),
        ({"command": "$NOT_SET", "namespaced": True}, "the command is empty after expansion"),
    ],
)
def test_a_command_that_cannot_run(shell: Shell, fields: dict[str, object], text: str) -> None:
    """Fields, quirk Q60: what is wrong with a command itself is its error, in kuttl's words."""
    with pytest.raises(CommandError) as raised:
        prepare(Command(**fields), shell.around)  # type: ignore[arg-type]  # the fields of a command
    assert raised.value.text.startswith("processing command ")
    assert text in raised.value.text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("kubectl get pods", "kubectl get pods --namespace ns-1"),
        ("kubectl get pods -n x", "kubectl get pods -n x"),
        ("kubectl get pods -nx", "kubectl get pods -nx"),
        ("kubectl get pods --namespace=x", "kubectl get pods --namespace=x"),
        ("kubectl --namespace x get pods", "kubectl --namespace x get pods"),
        ("kubectl get pods -n", "kubectl get pods -n --namespace ns-1"),
        ("kubectl get pods --help", "kubectl get pods --help --namespace ns-1"),
        ("kubectl exec p -- ls -n", "kubectl exec p --namespace ns-1 -- ls -n"),
    ],
)
def test_namespaced(shell: Shell, text: str, expected: str) -> None:
    """Fields, quirks Q77 and Q78: --namespace is added unless one is named; before a bare --, beside --help."""
    assert " ".join(argv(shell, text, namespaced=True)) == expected


def test_namespaced_in_strict_mode(shell: Shell) -> None:
    """Quirk Q77: kuttl appends it at the very end, behind a bare -- too."""
    assert argv(shell, "x p -- ls", namespaced=True, mode="strict") == ("x", "p", "--", "ls", "--namespace", "ns-1")


def test_the_program_is_looked_up_in_the_runner_s_path_first(shell: Shell) -> None:
    """Quirk Q61: the runner's PATH, then <cwd>/bin."""
    program(shell.around.home / "bin" / "only-here", "echo ours")
    program(shell.around.home / "bin" / "true", "echo ours")
    assert shell.run(command="only-here").output == "ours"
    assert shell.run(command="true").output == ""
    assert shell.run(script="true; only-here").output == "ours"


def test_a_program_that_does_not_exist(shell: Shell) -> None:
    """Errors: a program that cannot be started gives the bare system text."""
    with pytest.raises(CommandError) as raised:
        shell.run(command="no-such-program x")
    assert raised.value.text == 'exec: "no-such-program": executable file not found in $PATH'
    with pytest.raises(CommandError) as raised:
        shell.run(command="./no-such-file")
    assert raised.value.text == "fork/exec ./no-such-file: no such file or directory"


def test_every_line_of_output_is_logged(shell: Shell) -> None:
    """Running: the command line, then both streams line by line, an unfinished last line too."""
    shell.run(script="echo one; echo two >&2; printf three")
    assert shell.texts == ["running command: [sh -c echo one; echo two >&2; printf three]", "one", "two", "three"]


def test_output_can_be_left_out_of_the_log(shell: Shell) -> None:
    """Fields: skipLogOutput discards the output, the command line is logged all the same."""
    shell.run(command="echo one", quiet=True)
    assert shell.texts == ["running command: [echo one]"]


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("exit 3", 'command "exit 3" failed, exit status 3'),
        ("kill -9 $$", 'command "kill -9 $$" failed, signal: killed'),
        ("set -e\n# comment\necho a\nexit 1", r'command "echo a\\n exit 1" failed, exit status 1'),
    ],
)
def test_failures_in_kuttl_s_words(shell: Shell, script: str, text: str) -> None:
    """Errors: exit codes, signals, and how a command is summed up."""
    assert failure_of(Command(script=script), shell.run(script=script), 10) == text


def test_a_limit_kills_the_whole_group(shell: Shell) -> None:
    """Quirk Q62: at the limit everything that a script started is killed, and nothing waits for it."""
    begun = time.monotonic()
    done = shell.run(script="sleep 60 & echo $!; sleep 60", limit=0.3)
    assert time.monotonic() - begun < 2
    assert done.timed_out
    text = failure_of(Command(script="sleep 60"), done, 1)
    assert text == 'command "sleep 60" exceeded 1 sec timeout, context deadline exceeded'
    gone(int(done.output))


def test_a_command_that_ignores_term_is_killed(shell: Shell) -> None:
    """Bad input: a command that ignores TERM ends at its limit all the same."""
    done = shell.run(script="trap '' TERM; while true; do sleep 0.1; done", limit=0.3)
    assert done.timed_out
    assert done.code == -signal.SIGKILL


def test_a_command_that_left_its_group_does_not_hold_us(shell: Shell) -> None:
    """Quirk Q62: a process in a session of its own that holds the output is waited for 2 s, not for ever."""
    begun = time.monotonic()
    done = shell.run(script="setsid sleep 5 & sleep 60", limit=0.2)
    assert done.timed_out
    assert time.monotonic() - begun < 4


def test_what_a_script_leaves_behind_ends_with_the_case(shell: Shell) -> None:
    """Running: a process that a script put in the background lives on until the case ends, then its group is ended."""
    done = shell.run(script="sleep 60 >/dev/null 2>&1 & echo $!")
    pid = int(done.output)
    assert alive(pid)
    shell.processes.stop()
    gone(pid)


def test_background_commands_are_ended_with_their_children(shell: Shell) -> None:
    """Suite commands, quirk Q29: a background command's output is logged; at the end its whole group is ended."""
    log = Log(shell.lines.append)
    script = "echo $$; sleep 60 & echo $!; wait"
    shell.processes.start(prepare(Command(script=script), shell.around), shell.around, log=log, quiet=False)
    until(lambda: True if len(shell.texts) > 2 else Pending("no output"), timeout=5, wanted="output")
    pids = [int(text) for text in shell.texts[1:3]]
    shell.processes.stop()
    for pid in pids:
        gone(pid)
    assert shell.texts[-1].endswith("ended with exit code -15")


def test_an_interrupted_run_ends_its_command(shell: Shell) -> None:
    """Quirk Q22: when the run is interrupted, a command that runs is killed at once."""
    from dataclasses import replace

    around = replace(shell.around, cancelled=lambda: True)
    begun = time.monotonic()
    with pytest.raises(Interrupted):
        run_command(
            prepare(AssertCommand(command="sleep 60"), around), around,
            limit=60, log=Log(), quiet=True, processes=shell.processes,
        )  # fmt: skip
    assert time.monotonic() - begun < 2


def test_much_output_is_read_and_only_its_end_kept(shell: Shell) -> None:
    """Running: megabytes of output do not block a command; the last lines are kept for the failure."""
    done = shell.run(script="seq 1 200000; exit 1", quiet=True)
    assert done.code == 1
    assert done.output.splitlines()[-1] == "200000"
    assert len(done.output.splitlines()) == 20


def test_output_that_is_no_text_is_shown_all_the_same(shell: Shell) -> None:
    """Bad input: bytes that are no UTF-8, and a line without end, do no harm."""
    done = shell.run(script=r"printf '\377\376abc'; head -c 3000000 /dev/zero | tr '\0' x")
    assert done.code == 0
    assert "abc" in shell.texts[1]


def test_a_long_command_without_a_limit_is_told(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Quirk Q28: what may run for ever says every 30 s that it still does."""
    monkeypatch.setattr(commands, "_REMIND", 0.1)
    shell.run(command="sleep 0.6", limit=None)
    assert any(text.startswith("still running after") for text in shell.texts)


def test_the_kubeconfig_of_commands(tmp_path: Path) -> None:
    """Quirks Q30 and Q31: a private file with the one context, whole, but without its namespace."""
    source = tmp_path / "user.yaml"
    cluster = {"server": "https://x", "tls-server-name": "y", "proxy-url": "http://z"}
    context = {"cluster": "c", "user": "u", "namespace": "mine"}
    value = {
        "apiVersion": "v1", "kind": "Config", "current-context": "a",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "a", "context": context}, {"name": "b", "context": context}],
    }  # fmt: skip
    source.write_text(dump_yaml(value))
    path = write_kubeconfig(tmp_path / "run" / "kubeconfig", source=source, context="a")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    written = load_documents(path)[0].value
    assert written["clusters"][0]["cluster"] == cluster
    assert written["contexts"] == [{"name": "a", "context": {"cluster": "c", "user": "u"}}]
    assert written["current-context"] == "a"
