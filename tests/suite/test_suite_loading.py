"""Cases from files: sections 7, 8, 10, 19, 20 of kuttl's semantics, the acceptance cases of section 26, bad input."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.checks import expressions
from harness.checks.expressions import check_cel
from harness.kit.errors import UsageError
from harness.suite.files import Case, list_cases
from harness.suite.loading import LoadOptions, load_case
from harness.suite.model import LoadedCase
from harness.suite.spec import TestSuite

Load = Callable[..., LoadedCase]
Write = Callable[..., Case]

STEP = "apiVersion: kuttl.dev/v1beta1\nkind: TestStep\n"
ASSERT = "apiVersion: kuttl.dev/v1beta1\nkind: TestAssert\n"
FILE = "apiVersion: kuttl.dev/v1beta1\nkind: TestFile\n"
SEPARATOR = "---\n"


def config(name: str, more: str = "") -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n{more}"


def names(entries: Any) -> list[str]:
    return [one.name for one in entries]


def odd(loaded: LoadedCase) -> list[tuple[str, int]]:
    return [(one.severity, one.quirk) for one in loaded.problems if one.severity != "note"]


def from_data(data: Path, suite: str, case: str, **options: Any) -> LoadedCase:
    directory = data / "kuttl" / suite
    (found,) = [one for one in list_cases(directory).cases if one.name == case]
    return load_case(found, namespace="test-ns", options=LoadOptions(**options))


def test_a_step_is_put_together(load: Load) -> None:
    """Section 7: objects to apply, to assert, to deny, one TestStep, one TestAssert, under one number."""
    loaded = load(
        {
            "01-install.yaml": config("a") + SEPARATOR + STEP + "commands: [{command: x}]\n",
            "01-more.yaml": config("b"),
            "01-assert.yaml": ASSERT + "timeout: 7\n---\n" + config("a"),
            "01-errors.yaml": config("c"),
        }
    )
    assert loaded.problems == ()
    (step,) = loaded.steps
    assert (step.index, step.full_name) == (1, "1-install")
    assert (names(step.applies), names(step.asserts), names(step.errors)) == (["a", "b"], ["a"], ["c"])
    assert step.test_step is not None
    assert step.test_step.commands[0].command == "x"
    assert (step.timeout(TestSuite()), step.directory) == (7, loaded.case.directory)
    assert [path.name for path in step.files] == ["01-assert.yaml", "01-errors.yaml", "01-install.yaml", "01-more.yaml"]


def test_objects_know_their_place(load: Load) -> None:
    """Each object and each of its fields has file, line and column."""
    (step,) = load({"00-x.yaml": config("a") + SEPARATOR + config("b", "data: {x: '1'}\n")}).steps
    entry = step.applies[1]
    assert str(entry.mark).endswith("00-x.yaml:6:1")
    assert str(entry.at("data", "x")).endswith("00-x.yaml:10:8")
    assert (entry.api_version, entry.kind, entry.namespace, entry.labels) == ("v1", "ConfigMap", "", {})
    assert repr(entry).startswith("Entry(apply ConfigMap b at ")


def test_steps_are_named_by_their_first_apply_file(load: Load) -> None:
    """Section 7: in load order; a TestStep's name replaces it; with neither it is empty."""
    loaded = load(
        {
            "00-assert.yaml": config("x"),
            "01-one.yaml": config("a"),
            "01-two.yaml": config("b"),
            "02-file.yaml": STEP + "metadata: {name: renamed}\n",
        }
    )
    assert [step.full_name for step in loaded.steps] == ["0-", "1-one", "2-renamed"]


def test_a_step_folder_does_not_name_its_step(load: Load) -> None:
    """Q36: the first apply file does, with its number when it matched no index."""
    loaded = load({"00-folder/00--q.yaml": config("a"), "01-folder/01-x.yaml": config("b")})
    assert [step.full_name for step in loaded.steps] == ["0-00--q", "1-x"]


def test_two_test_steps_in_one_step_are_an_error(load: Load) -> None:
    """Section 10: by two documents or by two files."""
    by_documents = load({"00-a.yaml": STEP + SEPARATOR + STEP})
    by_files = load({"00-a.yaml": STEP, "00-b.yaml": STEP})
    for loaded, line in ((by_documents, "00-a.yaml:4:1"), (by_files, "00-b.yaml:1:1")):
        assert loaded.errors[0].text == 'more than 1 TestStep not allowed in step "a"'
        assert loaded.errors[0].where.endswith(line)


@pytest.mark.parametrize(("kind", "file"), [("TestStep", "00-x.yaml"), ("TestAssert", "00-assert.yaml")])
@pytest.mark.parametrize("version", ["v1", "example.com/v1"])
def test_kinds_of_another_group_that_are_named_like_kuttls_are_errors(
    load: Load, kind: str, file: str, version: str
) -> None:
    """Section 10: failed to load TestStep object from <file>: such custom resources cannot be used."""
    (error,) = load({file: f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: x}}\n"}).errors
    assert f"failed to load {kind} object from" in error.text
    assert "kuttl.dev/v1beta1" in error.hint


def test_other_kinds_of_the_group_are_ordinary(load: Load) -> None:
    """Section 2.5: a CRD of the user in group kuttl.dev is an object like any other."""
    loaded = load({"00-x.yaml": "apiVersion: kuttl.dev/v1\nkind: Mine\nmetadata: {name: a}\n"})
    assert loaded.problems == ()
    assert loaded.steps[0].applies[0].kind == "Mine"


@pytest.mark.parametrize(
    ("file", "text", "quirk"),
    [
        ("00-assert.yaml", STEP, 45),
        ("00-errors.yaml", STEP, 45),
        ("00-install.yaml", ASSERT, 20),
        ("00-install.yaml", "apiVersion: kuttl.dev/v1beta1\nkind: TestSuite\n", 0),
    ],
)
def test_misplaced_kinds_are_errors_that_name_the_right_place(load: Load, file: str, text: str, quirk: int) -> None:
    """Q45, Q20: never a slow failure while looking for them in the cluster."""
    (error,) = load({file: text}).errors
    assert error.quirk == quirk
    assert "belongs to" in error.hint


def test_a_test_assert_is_honoured_in_errors_files(load: Load) -> None:
    """Q20: in errors files and in listed assert files too."""
    (step,) = load({"00-errors.yaml": ASSERT + "timeout: 3\n---\n" + config("a")}).steps
    assert step.timeout(TestSuite(timeout=60)) == 3


def test_the_last_test_assert_counts(load: Load) -> None:
    """Q65: whole, and it is told which one."""
    second = ASSERT + "commands: [{script: x}]\n"
    loaded = load({"00-assert-a.yaml": ASSERT + "timeout: 3\n", "00-assert-b.yaml": second})
    assert loaded.steps[0].timeout(TestSuite()) == 30
    assert odd(loaded) == [("warning", 65)]
    assert "00-assert-b.yaml:1:1" in loaded.problems[0].where


def test_lists_are_expanded(load: Load) -> None:
    """Q4: the items stand for themselves, with their own places; a List without items is an error."""
    items = "".join(f"- {{apiVersion: v1, kind: Pod, metadata: {{name: {name}}}}}\n" for name in "ab")
    text = f"apiVersion: v1\nkind: List\nitems:\n{items}"
    (step,) = load({"00-x.yaml": text}).steps
    assert names(step.applies) == ["a", "b"]
    assert str(step.applies[1].mark).endswith(":5:3")
    assert load({"00-x.yaml": "apiVersion: v1\nkind: List\n"}).errors[0].quirk == 4


@pytest.mark.parametrize(
    ("text", "part", "where"),
    [
        ("a: b\n", "Object 'Kind' is missing in '{\"a\": \"b\"}'", ":1:1"),
        ("- a\n", "must be a mapping, this is a list", ":1:1"),
        ("text\n", 'must be a mapping, this is the value "text"', ":1:1"),
        ("apiVersion: v1\nkind: 3\n", "kind must be a text, not 3", ":2:1"),
        ("apiVersion: 1\nkind: A\n", "apiVersion must be a text, not 1", ":1:1"),
        ("apiVersion: v1\nkind: A\nmetadata: x\n", "metadata must be a mapping", ":3:1"),
        ("apiVersion: v1\nkind: A\nmetadata: {name: a, labels: [x]}\n", "metadata.labels must be a mapping", ":3:21"),
        ("kind: A\nmetadata: {name: a}\n", "without apiVersion", ":1:1"),
        ("apiVersion: v1\nkind: A\n", "resource name may not be empty", ":1:1"),
    ],
)
def test_what_is_no_object_is_an_error(load: Load, text: str, part: str, where: str) -> None:
    """Section 2.2 and 12.1: with file, line and column; the other files are read all the same."""
    loaded = load({"00-x.yaml": text, "01-y.yaml": config("ok")})
    assert part in loaded.errors[0].text
    assert loaded.errors[0].where.endswith(f"00-x.yaml{where}")
    assert names(loaded.steps[1].applies) == ["ok"]


def test_generated_names_are_a_clear_error(load: Load) -> None:
    """Q48: generateName is not supported, and the message says so."""
    (error,) = load({"00-x.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {generateName: a-}\n"}).errors
    assert (error.quirk, error.hint) == (48, "generateName is not supported")


def test_asserts_need_no_name(load: Load) -> None:
    """Section 15: without a name they are about any object of the kind."""
    loaded = load({"00-assert.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {labels: {a: b}}\n"})
    assert loaded.problems == ()
    assert loaded.steps[0].asserts[0].labels == {"a": "b"}


def test_a_label_that_is_no_text_is_told(load: Load) -> None:
    """Section 2.7: an unquoted y is true, and no label."""
    loaded = load({"00-assert.yaml": config("a", "  labels: {ready: y}\n")})
    assert odd(loaded) == [("warning", 0)]
    assert loaded.problems[0].hint == "put it in quotes"


@pytest.mark.parametrize(("name", "quirk"), [("00-error.yaml", 33), ("00-foo-assert.yaml", 33)])
def test_objects_applied_by_mistake_are_told(load: Load, name: str, quirk: int) -> None:
    """Q33: the same outcome as kuttl, with the right name."""
    loaded = load({name: config("a")})
    assert names(loaded.steps[0].applies) == ["a"]
    assert odd(loaded) == [("warning", quirk)]


def test_a_step_of_commands_may_be_named_as_it_likes(load: Load) -> None:
    """Q33: a file with a TestStep was meant to be applied."""
    assert odd(load({"05-check-errors.yaml": STEP + "commands: [{command: x}]\n"})) == []


def test_misnamed_files_are_told_unless_the_case_uses_them(load: Load) -> None:
    """Q34: a near miss is a warning; what a TestStep lists or a command mentions is none."""
    loaded = load(
        {
            "00-install.yaml": STEP + "apply: [extra.yaml]\ncommands: [{command: helm install -f values.yaml}]\n",
            "01-assert.yml": config("a"),
            "extra.yaml": config("b"),
            "chart/x.yaml": "",
            "values.yaml": "a: b\n",
            "run.sh": "",
        }
    )
    assert odd(loaded) == [("warning", 34)]
    assert 'Ignoring "01-assert.yml"' in next(one for one in loaded.problems if one.quirk).text
    assert {Path(one.where).name for one in loaded.problems if one.severity == "note"} == {
        "extra.yaml",
        "values.yaml",
        "run.sh",
        "chart",
    }


# Section 8: TestFile


@pytest.mark.parametrize(
    ("labels", "found"),
    [({}, ["all"]), ({"flavor": "a"}, ["a", "all"]), ({"flavor": "b"}, ["all", "b"]), ({"flavor": "c"}, ["all"])],
)
def test_files_belong_to_runs_by_labels(data: Path, labels: dict[str, str], found: list[str]) -> None:
    """Section 26: files with selectors, run with no labels, a, b; one without selector never loads (Q37)."""
    loaded = from_data(data, "labels", "flavors", run_labels=labels)
    assert names(loaded.steps[0].applies) == found
    assert odd(loaded) == [("warning", 37)]
    assert all("label selector does not match" in one.text for one in loaded.problems if one.severity == "note")


def test_a_step_whose_files_are_all_left_out_still_runs(load: Load) -> None:
    """Section 8: empty, under the name N-."""
    loaded = load({"03-x.yaml": config("a") + SEPARATOR + FILE + "testRunSelector: {matchLabels: {a: b}}\n"})
    (step,) = loaded.steps
    assert (step.full_name, step.applies) == ("3-", ())


def test_two_test_files_in_one_file_are_an_error(load: Load) -> None:
    """Section 8: more than one TestFile object encountered in file."""
    (error,) = load({"00-x.yaml": FILE + "testRunSelector: {}\n---\n" + FILE + "testRunSelector: {}\n"}).errors
    assert error.text.startswith("more than one TestFile object encountered in file")


def test_what_is_misplaced_in_a_file_that_is_left_out_does_not_matter(load: Load) -> None:
    """Section 8: the whole file is left out."""
    loaded = load({"00-x.yaml": FILE + "testRunSelector: {matchLabels: {a: b}}\n---\n" + ASSERT})
    assert loaded.errors == []


# Sections 7 and 26: step folders


def test_a_step_folder_with_a_name_and_a_readme(data: Path) -> None:
    """Section 26: step as folder, name override, README present, unnumbered folder present."""
    loaded = from_data(data, "folders", "dir")
    assert loaded.errors == []
    (step,) = loaded.steps
    assert step.full_name == "0-renamed"
    assert (names(step.applies), names(step.asserts)) == (["two", "one"], ["two"])


# Section 10: listed files


def test_listed_files_are_added_once(data: Path) -> None:
    """Section 26 and Q47: files and folders relative to the case, any file name, variables; once by default."""
    loaded = from_data(data, "listed", "listed", environment={"FOLDER": "more"})
    assert loaded.errors == []
    (step,) = loaded.steps
    assert names(step.applies) == ["own", "listed", "first", "second", "later"]
    assert (names(step.asserts), names(step.errors)) == (["listed"], ["absent"])
    assert [one.listed for one in step.applies] == [False, True, True, True, False]
    assert step.timeout(TestSuite()) == 7


def test_strict_mode_adds_listed_files_for_each_later_file(data: Path) -> None:
    """Q47: the three lists are added again for each file behind the one with the TestStep."""
    (step,) = from_data(data, "listed", "listed", environment={"FOLDER": "more"}, mode="strict").steps
    assert names(step.applies) == ["own", "listed", "first", "second", "later", "listed", "first", "second"]
    assert names(step.asserts) == ["listed", "listed"]


def test_a_listed_file_that_is_missing_is_an_error(load: Load) -> None:
    """Section 10: step "<name>" apply path <p>: failed to find YAML files in <p>."""
    (error,) = load({"00-a.yaml": STEP + "apply: [none.yaml]\n"}).errors
    assert error.text.startswith('step "a" apply path none.yaml: failed to find YAML files in none.yaml: No such file')
    assert error.where.endswith("00-a.yaml:1:1")


def test_an_unset_variable_in_a_listed_path_is_named(load: Load) -> None:
    """Q58: it becomes nothing, which is told."""
    loaded = load({"00-a.yaml": STEP + "apply: ['${UNSET}x.yaml']\n", "x.yaml": config("x")}, environment={})
    assert names(loaded.steps[0].applies) == ["x"]
    assert odd(loaded) == [("warning", 58)]


def test_listed_addresses_are_fetched(load: Load) -> None:
    """Section 10: a URL is read; what cannot be fetched is an error of the case."""
    seen: list[str] = []

    def fetch(url: str) -> str:
        seen.append(url)
        if url.endswith("bad"):
            raise UsageError("status 200", seen="status 404", where=url)
        return config("remote")

    loaded = load({"00-a.yaml": STEP + "apply: [http://x/ok]\nassert: [https://x/bad]\n"}, fetch=fetch)
    assert seen == ["http://x/ok", "https://x/bad"]
    assert names(loaded.steps[0].applies) == ["remote"]
    assert "status 404" in loaded.errors[0].text


@pytest.mark.parametrize(
    ("kind", "key"), [("TestFile", "apply"), ("TestStep", "apply"), ("TestAssert", "apply"), ("TestStep", "assert")]
)
def test_kuttls_kinds_in_listed_files_are_errors(load: Load, kind: str, key: str) -> None:
    """Sections 8 and 10: a TestFile or TestStep in a listed file would be looked up in the cluster."""
    text = f"apiVersion: kuttl.dev/v1beta1\nkind: {kind}\n"
    (error,) = load({"00-a.yaml": STEP + f"{key}: [x/listed.yaml]\n", "x/listed.yaml": text}).errors
    assert f"a {kind} does not belong here" in error.text


# Section 8: templates


def test_templates_see_namespace_and_variables(data: Path) -> None:
    """Section 26: namespace, two variables and a sprig function in names; marks say that the text was expanded."""
    loaded = from_data(data, "templates", "names", variables={"name": "db", "count": 1234567})
    (step,) = loaded.steps
    assert names(step.applies) == names(step.asserts) == ["db-1234567"]
    assert step.applies[0].labels == {"ns": "test-ns"}
    assert "(expanded)" in str(step.applies[0].mark)


def test_whole_numbers_are_floats_in_strict_mode(data: Path) -> None:
    """Q39: 1234567 prints as 1.234567e+06."""
    loaded = from_data(data, "templates", "names", variables={"name": "db", "count": 1234567}, mode="strict")
    assert names(loaded.steps[0].applies) == ["db-1.234567e+06"]


def test_listed_templates_are_expanded_by_default_only(load: Load) -> None:
    """Q41: files named .gotmpl.yaml, when a TestStep lists them; in strict mode they are read as they stand."""
    files = {"00-a.yaml": STEP + "apply: [x/l.gotmpl.yaml]\n", "x/l.gotmpl.yaml": config('"{{ .Namespace }}"')}
    assert names(load(files).steps[0].applies) == ["ns"]
    assert names(load(files, mode="strict").steps[0].applies) == ["{{ .Namespace }}"]


def test_a_template_that_does_not_render_is_an_error_of_the_case(load: Load) -> None:
    """Section 8: syntax errors, unknown fields; the other steps are read."""
    loaded = load({"00-a.gotmpl.yaml": "{{ .Foo }}", "01-b.gotmpl.yaml": "{{ nope }}", "02-c.yaml": config("c")})
    assert "failed to render text/template from file" in loaded.errors[0].text
    assert "failed to parse text/template file" in loaded.errors[1].text
    assert names(loaded.steps[2].applies) == ["c"]


# Section 20: expressions


def test_expressions_are_compiled(data: Path) -> None:
    """Section 26: one ref, several assertAll, several assertAny with one true."""
    loaded = from_data(data, "cel", "passes")
    assert loaded.problems == ()
    found = loaded.steps[0].expressions
    assert found is not None
    values = {"config": {"data": {"mode": "fast", "size": "3"}}}
    assert check_cel(found.any_of, found.all_of, values) == []
    values = {"config": {"data": {"mode": "none", "size": "2"}}}
    assert len(check_cel(found.any_of, found.all_of, values)) == 2


def test_an_undeclared_name_is_a_load_error(data: Path) -> None:
    """Section 20: failed to prepare expression evaluation, with the compiler's text and the place of the assertion."""
    (error,) = from_data(data, "cel", "undeclared").errors
    assert (
        "failed to prepare expression evaluation: ERROR: <input>:1:1: undeclared reference to 'confg' (in" in error.text
    )
    assert error.where.endswith("00-assert.yaml:6:3")
    assert error.hint == 'did you mean "config"?'


def test_references_alone_are_kept(load: Load) -> None:
    """Section 20: they are fetched in each round, even without any expression."""
    text = ASSERT + "resourceRefs: [{apiVersion: v1, kind: Pod, name: p, ref: p}]\n"
    found = load({"00-assert.yaml": text}).steps[0].expressions
    assert found is not None
    assert (len(found.references), found.any_of, found.all_of) == (1, (), ())


# Extensions


def test_documents_of_our_own_group_are_kept_apart(load: Load) -> None:
    """harness.dev documents are neither applied nor asserted; the runner decodes them."""
    text = "apiVersion: harness.dev/v1alpha1\nkind: Step\ntry: []\n"
    loaded = load({"00-x.yaml": text + SEPARATOR + config("a"), "00-assert.yaml": text})
    (step,) = loaded.steps
    assert loaded.problems == ()
    assert [one.role for one in step.extensions] == ["assert", "apply"]
    assert (names(step.applies), step.asserts) == (["a"], ())


# Bad input


def test_everything_wrong_with_a_case_is_told_at_once(write: Write) -> None:
    """A bomb, a loop of links, a binary file, a huge file, a pipe: one clear line each, and the good step is read."""
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9)
    )
    case = write({"00-bomb.yaml": bomb, "05-good.yaml": config("good")})
    directory = case.directory
    (directory / "01-loop.yaml").symlink_to(directory / "01-loop.yaml")
    (directory / "02-binary.yaml").write_bytes(bytes(range(256)))
    with (directory / "03-huge.yaml").open("wb") as file:
        file.truncate(50 * 1024 * 1024)
    os.mkfifo(directory / "04-pipe.yaml")
    loaded = load_case(case, namespace="ns")
    places = {Path(one.where.split(":")[0]).name for one in loaded.errors}
    assert places == {"00-bomb.yaml", "01-loop.yaml", "02-binary.yaml", "03-huge.yaml", "04-pipe.yaml"}
    assert all("\n" not in str(one) for one in loaded.errors)
    assert names(loaded.steps[-1].applies) == ["good"]


def test_without_the_engine_expressions_are_an_error_of_the_case(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra to install is named; cases without expressions do not need it."""
    expressions._environment.cache_clear()
    monkeypatch.setitem(sys.modules, "cel_expr_python", None)
    (error,) = from_data(data, "cel", "passes").errors
    expressions._environment.cache_clear()
    assert error.hint == "pip install 'operator-harness[cel]'"
    assert from_data(data, "folders", "dir").errors == []


def test_a_listed_pipe_is_an_error_and_never_opened(write: Write) -> None:
    """What is no regular file cannot hang the run."""
    case = write({"00-a.yaml": STEP + "apply: [pipe]\n"})
    os.mkfifo(case.directory / "pipe")
    (error,) = load_case(case, namespace="ns").errors
    assert "no regular file" in error.text


def test_windows_line_ends_and_byte_order_marks(write: Write) -> None:
    """Files from other systems read the same."""
    case = write({})
    text = "\ufeff" + config("a") + SEPARATOR + config("b")
    (case.directory / "00-x.yaml").write_bytes(text.replace("\n", "\r\n").encode())
    loaded = load_case(case, namespace="ns")
    assert loaded.problems == ()
    assert names(loaded.steps[0].applies) == ["a", "b"]


def test_nothing_secret_is_printed_by_accident(load: Load) -> None:
    """Neither an object's values nor variables and environment stand in a repr."""
    text = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {p: aHVudGVyMg==}\n"
    loaded = load({"00-x.yaml": text})
    options = LoadOptions(variables={"p": "hunter2"}, environment={"P": "hunter2"})
    assert "aHVudGVyMg" not in repr(loaded)
    assert "hunter2" not in repr(options)
