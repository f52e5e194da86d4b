"""The commands: exit codes, messages without tracebacks, quick starts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from harness import __version__, cli
from harness.kit.errors import CheckError, HarnessError, UsageError


def raising(error: BaseException) -> Callable[[], int]:
    """Return a command that fails."""

    def command() -> int:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code"),
    [(UsageError("x"), 2), (CheckError("x"), 1), (HarnessError("x"), 1), (KeyboardInterrupt(), 130)],
)
def test_a_mistake_ends_with_its_code_and_no_traceback(
    error: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Usage ends with 2, failed checks with 1, Ctrl-C with 130; the report goes to standard error."""
    assert cli._guarded(raising(error)) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err
    assert captured.err.strip()


def test_sigterm_ends_a_command_like_ctrl_c() -> None:
    """A cancelled pipeline gives the command the chance to stop what it started."""

    def command() -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()
        return 0

    before = signal.getsignal(signal.SIGTERM)
    assert cli._guarded(command) == 130
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_bug_keeps_its_traceback() -> None:
    """An error that is not a user's mistake is not hidden."""
    with pytest.raises(ZeroDivisionError):
        cli._guarded(raising(ZeroDivisionError()))


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """--version prints the program and its version."""
    with pytest.raises(SystemExit) as caught:
        cli.main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"harness {__version__}\n"


@pytest.mark.parametrize("argv", [[], ["no-such-verb"], ["cluster"], ["cluster", "down"]])
def test_wrong_usage_ends_with_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Argparse says what is missing."""
    with pytest.raises(SystemExit) as caught:
        cli.main(argv)
    assert caught.value.code == 2
    assert "usage: harness" in capsys.readouterr().err


def test_removing_a_cluster_that_was_not_made_here_names_those_that_were(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unknown name is a usage error; nothing is deleted."""
    monkeypatch.setenv("HARNESS_STATE", str(tmp_path))
    assert cli.main(["cluster", "down", "nobody"]) == 2
    assert "nobody" in capsys.readouterr().err


def test_help_loads_no_client() -> None:
    """`harness --help` starts without the API client, SQL or YAML."""
    code = (
        "import sys; from harness import cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'kubernetes', 'pymysql', 'pytest', 'pykube'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.rstrip().endswith("[]")
