"""Trees and tables, byte for byte."""

from __future__ import annotations

from typing import Any

import pytest

from harness.kudo.model import Phase, Plan, Step, Task
from harness.kudo.package import Package, PackageParameter
from harness.kudo.printers import (
    Branch,
    formatted,
    formatted_list,
    history_tree,
    object_tree,
    parameter_table,
    plan_tree,
    status_tree,
    table,
    task_table,
    tree,
)

BAR = "│\u00a0\u00a0 "


def test_a_tree_has_no_break_spaces_behind_its_bars() -> None:
    """Two of them and a space; levels that have ended are four spaces; a blank line follows."""
    below = (Branch("x", (Branch("y"),)),)
    assert tree([Branch("a", below), Branch("b", below)]) == (
        f".\n├── a\n{BAR}└── x\n{BAR}    └── y\n└── b\n    └── x\n        └── y\n\n"
    )
    assert tree([], "plans") == "plans\n\n"


def test_a_table_pads_every_cell() -> None:
    """Columns are separated by a tab; the last column is padded too."""
    assert table([("Name", "Kind"), ("a", "Apply"), ("longer", "x")]) == ("Name  \tKind \na     \tApply\nlonger\tx    ")
    assert table([]) == ""


def test_wide_cells_are_wrapped_between_words() -> None:
    """Words that are wider than the column are cut; the other cells of the row are blank."""
    rows = [("N", "Text"), ("a", "one two three"), ("b", "abcdefghijkl")]
    assert table(rows, 8) == "N\tText    \na\tone two \n \tthree   \nb\tabcde..."


def test_cells_may_have_several_lines() -> None:
    """Each is padded to the widest of them."""
    assert table([("P", "D"), ("x", "- 80\n- 443\n")]) == "P\tD    \nx\t- 80 \n \t- 443\n \t     "


def test_parameters_are_sorted_and_tell_their_defaults() -> None:
    """Descriptions only when asked for."""
    parameters = [
        PackageParameter(name="NODE_COUNT", default="3", description="How many."),
        PackageParameter(name="A", required=False, immutable=True),
    ]
    assert parameter_table(parameters) == (
        "Name      \tDefault\tRequired\tImmutable\n"
        "A         \t       \tfalse   \ttrue     \n"
        "NODE_COUNT\t3      \ttrue    \tfalse    "
    )
    assert parameter_table(parameters, descriptions=True).split("\n")[2].endswith("\tfalse    \tHow many.   ")


def test_long_descriptions_are_wrapped_at_35() -> None:
    """The widest column of the table of parameters."""
    text = parameter_table([PackageParameter(name="A", description="word " * 10)], descriptions=True)
    assert [len(line.split("\t")[4]) for line in text.split("\n")] == [35, 35, 35]


def test_tasks_show_their_resources() -> None:
    """A pipe shows its pod, a dummy nothing."""
    tasks = [
        Task(name="a", kind="Apply", spec={"resources": ["x.yaml", "y.yaml"]}),
        Task(name="p", kind="Pipe", spec={"pod": "pod.yaml"}),
        Task(name="d", kind="Dummy"),
    ]
    assert task_table(tasks) == (
        "Name\tKind \tResources      \n"
        "a   \tApply\t[x.yaml y.yaml]\n"
        "p   \tPipe \t[pod.yaml]     \n"
        "d   \tDummy\t[]             "
    )


def plan(name: str, *tasks: str, strategy: str = "serial") -> Plan:
    """Return a plan with one phase and one step."""
    return Plan(
        name=name,
        strategy=strategy,
        phases=(Phase(name="main", strategy=strategy, steps=(Step(name="all", tasks=tasks),)),),
    )


def test_plans_are_sorted_and_show_tasks() -> None:
    """With kinds and resources when asked for; what is no known task is unknown."""
    package = Package(
        where="",
        name="x",
        operator_version="1",
        tasks=(
            Task(name="a", kind="Apply", spec={"resources": ["x.yaml"]}),
            Task(name="t", kind="Toggle", spec={"resources": ["y.yaml"], "parameter": "ON"}),
            Task(name="k", kind="KudoOperator"),
        ),
        plans={"update": plan("update", "gone", "k"), "deploy": plan("deploy", "a", "t")},
    )
    assert plan_tree(package) == (
        f"plans\n├── deploy (serial)\n{BAR}└── [phase]  main (serial)\n{BAR}    └── [step]  all\n{BAR}        ├── a\n"
        f"{BAR}        └── t\n└── update (serial)\n    └── [phase]  main (serial)\n        └── [step]  all\n"
        "            ├── gone\n            └── k\n\n"
    )
    assert plan_tree(package, with_tasks=True) == (
        f"plans\n├── deploy (serial)\n{BAR}└── [phase]  main (serial)\n{BAR}    └── [step]  all\n"
        f"{BAR}        ├── [apply]  a\n{BAR}        {BAR}└── x.yaml\n{BAR}        └── [toggle]  t\n"
        f"{BAR}            ├── [parameter]  ON\n{BAR}            └── y.yaml\n"
        "└── update (serial)\n    └── [phase]  main (serial)\n        └── [step]  all\n"
        "            ├── [unknown]  gone\n            └── [unknown]  k\n\n"
    )


def test_the_status_of_plans() -> None:
    """The plan that ran last shows its state and messages, the others are not active."""
    status: dict[str, Any] = {
        "name": "deploy",
        "status": "FATAL_ERROR",
        "phases": [
            {
                "name": "main",
                "status": "FATAL_ERROR",
                "steps": [{"name": "all", "status": "FATAL_ERROR", "message": "it broke"}],
            }
        ],
    }
    plans = {"resize": plan("resize", strategy=""), "deploy": plan("deploy")}
    assert status_tree("orders-db", "galera-10.5.3-0.1.0", plans, status, "2024-03-02 10:20:30") == (
        '.\n└── orders-db (Operator-Version: "galera-10.5.3-0.1.0" Active-Plan: "deploy")\n'
        "    ├── Plan deploy (serial strategy) [FATAL_ERROR], last updated 2024-03-02 10:20:30\n"
        f"    {BAR}└── Phase main (serial strategy) [FATAL_ERROR]\n"
        f"    {BAR}    └── Step all [FATAL_ERROR] (it broke)\n"
        "    └── Plan resize ( strategy) [NOT ACTIVE]\n"
        "        └── Phase main ( strategy) [NOT ACTIVE]\n"
        "            └── Step all [NOT ACTIVE]\n\n"
    )


def test_a_plans_own_message_stands_before_its_time() -> None:
    """As the original appends it."""
    status = {"name": "deploy", "status": "FATAL_ERROR", "message": "circle"}
    text = status_tree("i", "v", {"deploy": plan("deploy")}, status, "T")
    assert "Plan deploy (serial strategy) [FATAL_ERROR] (circle), last updated T\n" in text


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        (
            {"status": "COMPLETE", "lastUpdatedTimestamp": "2024-03-02T10:20:30Z"},
            "last finished run at 2024-03-02T10:20:30 (COMPLETE)",
        ),
        ({"status": "IN_PROGRESS"}, "is running"),
        ({"status": "NEVER_RUN"}, "NEVER_RUN"),
        ({}, "never run"),
    ],
)
def test_the_history_of_a_plan(entry: dict[str, Any], text: str) -> None:
    """One line for each entry."""
    assert history_tree({"deploy": entry}) == (Branch(f"deploy ({text})"),)


def test_objects_hang_below_what_they_refer_to() -> None:
    """Instances of unknown versions are not shown."""

    def manifest(name: str, **spec: Any) -> dict[str, Any]:
        return {"metadata": {"name": name}, "spec": spec}

    found = object_tree(
        [manifest("galera"), manifest("other")],
        [manifest("galera-1", operator={"name": "galera"})],
        [manifest("db", operatorVersion={"name": "galera-1"}), manifest("lost", operatorVersion={"name": "gone"})],
    )
    assert found == (Branch("galera", (Branch("galera-1", (Branch("db"),)),)), Branch("other"))


def test_objects_as_yaml_and_json() -> None:
    """A single one with an empty line behind it, several between dashes and dots; JSON escapes what Go escapes."""
    assert formatted({"b": 1, "a": "x"}, "yaml") == "a: x\nb: 1\n\n"
    assert formatted({"a": "<&>"}, "json") == '{\n  "a": "\\u003c\\u0026\\u003e"\n}\n'
    assert formatted_list([{"a": 1}, {"b": 2}], "yaml") == "---\na: 1\n\n---\nb: 2\n\n...\n"
    assert formatted_list([{"a": 1}], "json") == '[\n  {\n    "a": 1\n  }\n]\n'
    assert formatted_list([], "json") == "[]\n"
