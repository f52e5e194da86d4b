"""Which items a kuttl suite becomes; nothing here has a cluster."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from tests.suite_front.conftest import SUITE, config_map, write

CASES = {
    "cases/deploy/00-install.yaml": config_map("one"),
    "cases/scale/00-install.yaml": config_map("two"),
    "cases/scale/broken.yaml": "}{",
}


def test_a_folder_with_a_suite_file_is_collected(inner: pytest.Pytester) -> None:
    """Each folder of a test directory is one item below the suite file; nothing else in it is collected."""
    write(inner.path, {"kuttl-test.yaml": f"{SUITE}testDirs: [cases]\n", **CASES})
    write(
        inner.path, {"cases/scale/test_hidden.py": "def test_hidden(): pass\n", "test_own.py": "def test_own(): pass"}
    )
    result = inner.runpytest("--collect-only", "-q")
    result.stdout.fnmatch_lines(["kuttl-test.yaml::deploy", "kuttl-test.yaml::scale", "test_own.py::test_own"])
    result.stdout.no_fnmatch_line("*test_hidden*")


@pytest.mark.parametrize(
    ("path", "items"),
    [
        ("cases", ["cases::deploy", "cases::scale"]),
        ("cases/scale", ["cases/scale::scale"]),
        ("suite.yaml", ["suite.yaml::deploy", "suite.yaml::scale"]),
        (".", ["kuttl-test.yaml::deploy", "kuttl-test.yaml::scale"]),
    ],
)
def test_a_path_is_collected(inner: pytest.Pytester, path: str, items: list[str]) -> None:
    """--kuttl takes a test directory, a case, a suite file of any name, a folder with one; and only that runs."""
    suite = f"{SUITE}testDirs: [./cases/]\n"
    write(inner.path, {"kuttl-test.yaml": suite, "suite.yaml": suite, "test_own.py": "def test_own(): pass", **CASES})
    result = inner.runpytest("--collect-only", "-q", "--kuttl", path)
    assert [line for line in result.outlines if "::" in line] == items


def test_a_path_joins_the_others(inner: pytest.Pytester) -> None:
    """Python tests and cases run together when both were named; naming a case of the same suite does not add all."""
    write(
        inner.path, {"test_own.py": "def test_own(): pass", "cases/kuttl-test.yaml": f"{SUITE}testDirs: [.]\n", **CASES}
    )
    both = inner.runpytest("--collect-only", "-q", "--kuttl", "cases", "test_own.py")
    assert both.parseoutcomes() == {"tests": 3} or "3 tests" in both.stdout.str()
    one = inner.runpytest("--collect-only", "-q", "--kuttl", "cases", "cases/kuttl-test.yaml::deploy")
    assert [line for line in one.outlines if "::" in line] == ["cases/kuttl-test.yaml::deploy"]


def test_cases_are_selected_by_name_and_mark(inner: pytest.Pytester) -> None:
    """-k takes names; -m takes the marks of the suite file's header."""
    header = """
        ---
        apiVersion: harness.dev/v1alpha1
        kind: Suite
        cases:
        - {name: sc*, marks: [smoke]}
        """
    write(inner.path, {"kuttl-test.yaml": f"{SUITE}testDirs: [cases]\n", **CASES})
    with (inner.path / "kuttl-test.yaml").open("a") as file:
        file.write("\n".join(line.strip() if "-" in line[:9] else line[8:] for line in header.splitlines()))
    inner.makeini("[pytest]\nmarkers = smoke: short")
    assert _items(inner, "-k", "deploy") == ["kuttl-test.yaml::deploy"]
    assert _items(inner, "-m", "smoke") == ["kuttl-test.yaml::scale"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{SUITE}testDirs: [none]\n", "*test directory*"),
        (f"{SUITE}testDirs: 3\n", "*kuttl-test.yaml:3:*"),
        (SUITE, "*testDirs*"),
        (f"{SUITE}testDirs: ['https://example.com/a.tgz']\n", "*kubectl kuttl test --config*"),
        (f"{SUITE}testDirs: [cases]\n---\napiVersion: harness.dev/v1alpha1\nkind: Suit\n", '*did you mean "Suite"?*'),
        (
            f"{SUITE}testDirs: [cases]\n---\napiVersion: harness.dev/v1alpha1\nkind: Suite\nfixture: [a]\n",
            '*did you mean "fixtures"?*',
        ),
        (
            f"{SUITE}testDirs: [cases]\n---\napiVersion: harness.dev/v1alpha1\nkind: Suite\nmarks: [a-b]\n",
            "*name of a mark*",
        ),
    ],
)
def test_a_wrong_suite_file_is_an_error(inner: pytest.Pytester, text: str, said: str) -> None:
    """Wrong configuration ends the collection with place and hint, without a traceback."""
    write(inner.path, {"suite/kuttl-test.yaml": text, "suite/cases/one/00-a.yaml": config_map("one")})
    result = inner.runpytest("suite/kuttl-test.yaml")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines([said])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_a_large_suite_is_collected_quickly(inner: pytest.Pytester) -> None:
    """700 cases in 6,000 files are items within 3 s, in a process of their own."""
    suite = inner.path / "cases"
    for case in range(700):
        folder = suite / f"case-{case:03}"
        folder.mkdir(parents=True)
        for step in range(8):
            (folder / f"{step:02}-install.yaml").write_text("kind: X\n")
    write(inner.path, {"kuttl-test.yaml": f"{SUITE}testDirs: [cases]\n"})
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "harness.suite.collect"],
        cwd=inner.path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    seconds = time.perf_counter() - begun
    assert "700 tests collected" in done.stdout, done.stdout[-2000:] + done.stderr
    assert seconds < 3


def _items(inner: pytest.Pytester, *options: str) -> list[str]:
    result = inner.runpytest("--collect-only", "-q", *options)
    return [line for line in result.outlines if "::" in line]
