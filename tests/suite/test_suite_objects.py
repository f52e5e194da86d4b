"""Files outside of cases: the suite's file (section 3), manifests (5.2), the files of assert and errors (4.2)."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from harness.kit.errors import UsageError
from harness.suite.loading import LoadOptions
from harness.suite.objects import find_suite_file, load_manifests, load_objects, load_suite
from harness.suite.problem import judged, raise_errors

SUITE = "apiVersion: kuttl.dev/v1beta1\nkind: TestSuite\n"


def config(name: str) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: '{name}'}}\n"


def suite_file(folder: Path, text: str) -> Path:
    path = folder / "kuttl-test.yaml"
    path.write_text(text)
    return path


def test_a_suite_is_found_and_read(tmp_path: Path) -> None:
    """Section 3: kuttl-test.yaml of the folder."""
    assert find_suite_file(tmp_path) is None
    path = suite_file(tmp_path, SUITE + "timeout: 7\n")
    assert find_suite_file(tmp_path) == path
    assert load_suite(path).suite.timeout == 7


def test_without_a_file_there_are_defaults(tmp_path: Path) -> None:
    """Sections 3 and 4.1: no file, or the null device; a file that is named must exist."""
    assert load_suite(None).suite.effective_timeout == 30
    assert load_suite(Path(os.devnull)).path is None
    with pytest.raises(UsageError, match="no such file"):
        load_suite(tmp_path / "none.yaml")


def test_the_last_suite_counts(tmp_path: Path) -> None:
    """Q5: it replaces the earlier ones entirely."""
    loaded = load_suite(suite_file(tmp_path, SUITE + "timeout: 7\n---\n" + SUITE + "parallel: 2\n"))
    assert (loaded.suite.timeout, loaded.suite.parallel) == (None, 2)
    assert [one.quirk for one in loaded.problems] == [5]


def test_a_suite_of_another_group_is_told(tmp_path: Path) -> None:
    """Q6: bad configuration in file, and the run goes on without."""
    loaded = load_suite(suite_file(tmp_path, "apiVersion: kudo.dev/v1\nkind: TestSuite\ntimeout: 7\n"))
    assert loaded.suite.timeout is None
    assert [one.quirk for one in loaded.problems] == [6]
    assert "bad configuration in file" in loaded.problems[0].text


def test_other_kinds_in_the_suites_file_are_told(tmp_path: Path) -> None:
    """Section 3: unknown object type: <kind>; documents of our own group are kept."""
    text = SUITE + "---\n" + config("x") + "---\napiVersion: harness.dev/v1alpha1\nkind: Options\n"
    loaded = load_suite(suite_file(tmp_path, text))
    assert [one.text for one in loaded.problems] == ["unknown object type: ConfigMap"]
    assert [one.value["kind"] for one in loaded.extensions] == ["Options"]


def test_the_suites_file_is_no_template(tmp_path: Path) -> None:
    """Section 3: braces stay as they are."""
    assert load_suite(suite_file(tmp_path, SUITE + "crdDir: '{{ x }}'\n")).suite.crd_dir == "{{ x }}"


def test_a_broken_suite_is_an_error(tmp_path: Path) -> None:
    """Text that is no YAML, wrong types: told with their places, all at once when raised."""
    loaded = load_suite(suite_file(tmp_path, SUITE + "timeout: x\nparallel: -1\n---\n[a\n"))
    with pytest.raises(UsageError) as caught:
        raise_errors(loaded.problems, "a suite's configuration")
    for part in (
        "kuttl-test.yaml:3:1: timeout must be",
        "kuttl-test.yaml:4:1: parallel must not",
        "kuttl-test.yaml:7:1",
    ):
        assert part in caught.value.seen


def test_manifests_are_walked_in_lexical_order(tmp_path: Path) -> None:
    """Section 5.2: recursively; .yaml, .yml and .json count, other files do not; a single file works."""
    for name in ("b.yaml", "a/z.yml", "a.json", "c.txt", "a/y/x.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}))
    found = load_manifests(tmp_path)
    assert [one.name for one in found.entries] == ["a/y/x.yaml", "a/z.yml", "a.json", "b.yaml"]
    assert [one.name for one in load_manifests(tmp_path / "b.yaml").entries] == ["b.yaml"]
    with pytest.raises(UsageError):
        load_manifests(tmp_path / "none")


def test_a_loop_of_linked_folders_ends(tmp_path: Path) -> None:
    """Links to folders are not entered, so a loop of them is none."""
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "loop").symlink_to(tmp_path / "m")
    (tmp_path / "m" / "a.yaml").write_text(config("a"))
    assert [one.name for one in load_manifests(tmp_path / "m").entries] == ["a"]


def test_templates_outside_of_cases(tmp_path: Path) -> None:
    """Q41: files named .gotmpl.yaml are expanded by default, not in strict mode."""
    path = tmp_path / "x.gotmpl.yaml"
    path.write_text(config("{{ .Namespace }}"))
    assert load_manifests(path).entries[0].name == "default"
    assert load_objects([str(path)], "assert", namespace="ns").entries[0].name == "ns"
    assert load_manifests(path, options=LoadOptions(mode="strict")).entries[0].name == "{{ .Namespace }}"


def test_files_of_assert_and_errors(tmp_path: Path) -> None:
    """Section 4.2: manifests, folders (their *.yaml files, not recursive), addresses."""
    (tmp_path / "d" / "deep").mkdir(parents=True)
    for name in ("d/b.yaml", "d/a.yaml", "d/c.yml", "d/deep/e.yaml", "single.txt"):
        (tmp_path / name).write_text(config(name))
    sources = [str(tmp_path / "d"), str(tmp_path / "single.txt"), "http://x/y"]
    found = load_objects(sources, "errors", options=LoadOptions(fetch=config))
    assert [one.name for one in found.entries] == ["d/a.yaml", "d/b.yaml", "single.txt", "http://x/y"]
    assert {one.role for one in found.entries} == {"errors"}


def test_assert_needs_a_file_that_exists(tmp_path: Path) -> None:
    """Section 4.2: one file argument is required."""
    with pytest.raises(UsageError, match="one file argument is required"):
        load_objects([], "assert")
    with pytest.raises(UsageError, match="does not exist"):
        load_objects([str(tmp_path / "none")], "assert")


def test_a_test_assert_among_the_files_of_assert_is_an_error(tmp_path: Path) -> None:
    """Q20: never a slow failure."""
    (tmp_path / "x.yaml").write_text("apiVersion: kuttl.dev/v1beta1\nkind: TestAssert\n---\n" + config("a"))
    found = load_objects([str(tmp_path / "x.yaml")], "assert")
    assert [(one.severity, one.quirk) for one in found.problems] == [("error", 20)]


def test_problems_as_a_run_sees_them(tmp_path: Path) -> None:
    """Strict mode is silent about quirks, as kuttl is; --strict makes errors of warnings."""
    loaded = load_suite(suite_file(tmp_path, SUITE + "kindConfig: x\nnonsense: 1\n"))
    assert [one.quirk for one in judged(loaded.problems)] == [3, 10]
    assert judged(loaded.problems, mode="strict") == []
    assert {one.severity for one in judged(loaded.problems, warnings_fail=True)} == {"error"}
    assert str(loaded.problems[1]).endswith(
        "kuttl-test.yaml:3:1: warning: kindConfig has no effect without startKIND; set startKIND: true [Q10]"
    )
