"""The plan state machine, section 8 of the reference in worked cases."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.kit.documents import Manifest
from harness.kudo.model import Phase, Plan, Step
from harness.kudo.plan import (
    Done,
    Fatal,
    Outcome,
    Pass,
    Place,
    Transient,
    Waiting,
    advance,
    begin_plan,
    complete_tree,
    find_entry,
    last_executed,
)

NOW = "2026-01-02T03:04:05Z"
FATAL = Fatal(message="it is over", event="DummyTaskError")
OUTCOMES: Mapping[str, Outcome] = {"ok": Done(), "wait": Waiting(), "err": Transient(error="no luck"), "fatal": FATAL}


def make_plan(plan_strategy: str, phase_strategy: str, phases: list[list[list[str]]]) -> Plan:
    """Return a plan whose tasks are named by their outcome, as phases of steps of outcomes."""
    return Plan(
        name="deploy",
        strategy=plan_strategy,
        phases=tuple(
            Phase(
                name=f"p{number}",
                strategy=phase_strategy,
                steps=tuple(Step(name=f"s{index}", tasks=tuple(tasks)) for index, tasks in enumerate(steps)),
            )
            for number, steps in enumerate(phases)
        ),
    )


def fresh(plan: Plan) -> Manifest:
    return begin_plan(complete_tree({plan.name: plan}, {})[plan.name], uid="u1", now=NOW)


def by_name(seen: list[str] | None = None) -> Callable[[Place], Outcome]:
    def execute(place: Place) -> Outcome:
        if seen is not None:
            seen.append(f"{place.phase}.{place.step}.{place.task}")
        return OUTCOMES[place.task]

    return execute


def run(plan: Plan, entry: Manifest | None = None) -> Pass:
    return advance(plan, entry or fresh(plan), by_name(), instance="shop/orders")


def states(entry: Manifest) -> tuple[str, list[str], list[str]]:
    phases = entry["phases"]
    return entry["status"], [phase["status"] for phase in phases], [s["status"] for p in phases for s in p["steps"]]


@pytest.mark.parametrize(
    ("plan_strategy", "phase_strategy", "phases", "expected"),
    [
        ("serial", "serial", [], ("COMPLETE", [], [])),
        ("serial", "serial", [[]], ("COMPLETE", ["COMPLETE"], [])),
        ("serial", "serial", [[[]]], ("COMPLETE", ["COMPLETE"], ["COMPLETE"])),
        ("serial", "serial", [[["ok"], ["ok"]]], ("COMPLETE", ["COMPLETE"], ["COMPLETE", "COMPLETE"])),
        ("serial", "serial", [[["err"], ["ok"]]], ("IN_PROGRESS", ["IN_PROGRESS"], ["ERROR", "PENDING"])),
        ("serial", "parallel", [[["err"], ["ok"]]], ("IN_PROGRESS", ["IN_PROGRESS"], ["ERROR", "COMPLETE"])),
        ("serial", "", [[["wait"], ["ok"]]], ("IN_PROGRESS", ["IN_PROGRESS"], ["IN_PROGRESS", "COMPLETE"])),
        ("serial", "Serial", [[["wait"], ["ok"]]], ("IN_PROGRESS", ["IN_PROGRESS"], ["IN_PROGRESS", "COMPLETE"])),
        (
            "serial",
            "serial",
            [[["err"]], [["ok"]]],
            ("IN_PROGRESS", ["IN_PROGRESS", "PENDING"], ["ERROR", "PENDING"]),
        ),
        (
            "parallel",
            "serial",
            [[["err"]], [["ok"]]],
            ("IN_PROGRESS", ["IN_PROGRESS", "COMPLETE"], ["ERROR", "COMPLETE"]),
        ),
        (
            "parallel",
            "parallel",
            [[["fatal"], ["ok"]], [["ok"]]],
            ("FATAL_ERROR", ["FATAL_ERROR", "PENDING"], ["FATAL_ERROR", "PENDING", "PENDING"]),
        ),
        (
            "parallel",
            "parallel",
            [[["wait"], ["fatal"]]],
            ("FATAL_ERROR", ["FATAL_ERROR"], ["IN_PROGRESS", "FATAL_ERROR"]),
        ),
        ("serial", "serial", [[["ok", "wait"]]], ("IN_PROGRESS", ["IN_PROGRESS"], ["IN_PROGRESS"])),
    ],
)
def test_one_pass(
    plan_strategy: str, phase_strategy: str, phases: list[list[list[str]]], expected: tuple[str, list[str], list[str]]
) -> None:
    """One pass leaves plan, phases and steps in the states of the reference's table."""
    assert states(run(make_plan(plan_strategy, phase_strategy, phases)).status) == expected


def test_all_tasks_of_a_step_run() -> None:
    """In a step every task runs in every pass, whatever the earlier ones said; a fatal one ends it at once."""
    seen: list[str] = []
    plan = make_plan("serial", "serial", [[["err", "wait", "ok", "fatal", "ok"]]])
    advance(plan, fresh(plan), by_name(seen), instance="shop/orders")
    assert [path.rsplit(".", 1)[1] for path in seen] == ["err", "wait", "ok", "fatal"]


def test_complete_steps_are_not_run_again() -> None:
    """A COMPLETE step or phase is skipped within one execution."""
    plan = make_plan("serial", "serial", [[["ok"]], [["ok"], ["wait"]]])
    first = run(plan).status
    seen: list[str] = []
    advance(plan, first, by_name(seen), instance="shop/orders")
    assert seen == ["p1.s1.wait"]


def test_terminal_plan_is_returned_unchanged() -> None:
    """A plan that has ended is not touched."""
    plan = make_plan("serial", "serial", [[["ok"]]])
    done = run(plan).status
    assert advance(plan, done, by_name(), instance="shop/orders").status is done


def test_transient_message_and_its_end() -> None:
    """The last transient error's text stands in the step; success in a later pass removes it."""
    plan = make_plan("serial", "serial", [[["err"]]])
    failed = run(plan)
    message = "A transient error when executing task deploy.p0.s0.err. Will retry. no luck"
    assert failed.status["phases"][0]["steps"][0]["message"] == message
    assert failed.pending == (Transient(error="no luck"),)
    healed = advance(plan, failed.status, lambda _place: Done(), instance="shop/orders").status
    assert healed["phases"][0]["steps"][0] == {"name": "s0", "status": "COMPLETE"}


def test_later_success_does_not_clear_a_siblings_error() -> None:
    """A step keeps ERROR of one task although a later task of it is done."""
    assert states(run(make_plan("serial", "serial", [[["err", "ok"]]])).status)[2] == ["ERROR"]


def test_fatal_message_stands_in_the_step_only() -> None:
    """A fatal task error is told in the step; phase and plan carry no message."""
    result = run(make_plan("serial", "serial", [[["fatal"]]]))
    step = result.status["phases"][0]["steps"][0]
    assert step["message"] == "it is over"
    assert "message" not in result.status
    assert "message" not in result.status["phases"][0]
    assert result.fatal == FATAL


def test_missing_phase_status() -> None:
    """A phase without status is fatal; the text stands in the plan."""
    plan = make_plan("serial", "serial", [[["ok"]]])
    result = run(plan, {**fresh(plan), "phases": []})
    assert result.status["message"] == "shop/orders fatal error:  missing phase status: deploy.p0"
    assert result.fatal is not None
    assert result.fatal.event == "MissingPhaseStatus"


def test_missing_step_status() -> None:
    """A step without status is fatal; the text stands in the phase."""
    plan = make_plan("serial", "serial", [[["ok"]]])
    entry = fresh(plan)
    entry["phases"][0]["steps"] = []
    result = run(plan, entry)
    assert result.status["phases"][0]["message"] == "shop/orders fatal error:  missing step status: deploy.p0.s0"
    assert (result.status["status"], result.fatal and result.fatal.event) == ("FATAL_ERROR", "MissingStepStatus")


def test_phase_that_joined_later_runs_unmarked() -> None:
    """A NEVER_RUN phase is executed but not marked IN_PROGRESS while it waits."""
    plan = make_plan("serial", "serial", [[["wait"]]])
    entry = fresh(plan)
    entry["phases"][0]["status"] = "NEVER_RUN"
    assert states(run(plan, entry).status) == ("IN_PROGRESS", ["NEVER_RUN"], ["IN_PROGRESS"])


def test_the_given_status_is_not_changed() -> None:
    """A pass returns a new status and leaves the given one alone."""
    plan = make_plan("serial", "serial", [[["ok"]]])
    entry = fresh(plan)
    run(plan, entry)
    assert states(entry) == ("PENDING", ["PENDING"], ["PENDING"])


def test_complete_tree_keeps_what_is_known() -> None:
    """Known phases and steps keep their state, new ones are NEVER_RUN, dropped ones go, foreign plans stay."""
    known: dict[str, Manifest] = {
        "deploy": {
            "name": "deploy",
            "status": "COMPLETE",
            "uid": "u",
            "phases": [
                {"name": "p0", "status": "COMPLETE", "steps": [{"name": "old", "status": "COMPLETE"}]},
                {"name": "gone", "status": "COMPLETE", "steps": []},
            ],
        },
        "former": {"name": "former", "status": "COMPLETE"},
    }
    tree = complete_tree({"deploy": make_plan("serial", "serial", [[["ok"]], [["ok"]]])}, known)
    assert states(tree["deploy"]) == ("COMPLETE", ["COMPLETE", "NEVER_RUN"], ["NEVER_RUN", "NEVER_RUN"])
    assert tree["deploy"]["uid"] == "u"
    assert tree["former"] == known["former"]


def test_complete_tree_mends_what_lacks_a_status() -> None:
    """A phase or step that somebody left without status counts as never run."""
    known: dict[str, Manifest] = {"deploy": {"name": "deploy", "phases": [{"name": "p0", "steps": [{"name": "s0"}]}]}}
    tree = complete_tree({"deploy": make_plan("serial", "serial", [[["ok"]]])}, known)
    assert states(tree["deploy"]) == ("NEVER_RUN", ["NEVER_RUN"], ["NEVER_RUN"])


STRATEGIES = st.sampled_from(["serial", "parallel", ""])
STEPS = st.lists(st.lists(st.lists(st.sampled_from(["ok", "wait", "err"]), max_size=2), max_size=3), max_size=3)


@settings(deadline=None)  # what counts is the answer, not how busy the machine is
@given(STRATEGIES, STRATEGIES, STEPS, st.randoms(use_true_random=False))
def test_passes_keep_their_promises(outer: str, inner: str, phases: list[list[list[str]]], random: Random) -> None:
    """Over many passes no COMPLETE step runs again, serial elements wait for each other, and luck ends in COMPLETE."""
    plan = make_plan(outer, inner, phases)
    entry = fresh(plan)
    complete: set[str] = set()

    def execute(place: Place) -> Outcome:
        assert f"{place.phase}.{place.step}" not in complete
        return Done() if random.random() < 0.5 else OUTCOMES[place.task]

    for _turn in range(40):
        entry = advance(plan, entry, execute, instance="shop/orders").status
        for phase in entry["phases"]:
            done = [step["status"] == "COMPLETE" for step in phase["steps"]]
            assert inner != "serial" or done == sorted(done, reverse=True)
            complete |= {f"{phase['name']}.{step['name']}" for step in phase["steps"] if step["status"] == "COMPLETE"}
        finished = [phase["status"] == "COMPLETE" for phase in entry["phases"]]
        assert outer != "serial" or finished == sorted(finished, reverse=True)
        assert (entry["status"] == "COMPLETE") == all(finished)
    final = advance(plan, entry, lambda _place: Done(), instance="shop/orders").status
    assert final["status"] == "COMPLETE"


def test_begin_plan_resets_everything() -> None:
    """A new execution sets all to PENDING and drops all messages."""
    plan = make_plan("serial", "serial", [[["err"]]])
    entry = begin_plan(run(plan).status, uid="u2", now=NOW)
    assert states(entry) == ("PENDING", ["PENDING"], ["PENDING"])
    assert (entry["uid"], entry["lastUpdatedTimestamp"]) == ("u2", NOW)
    assert "message" not in entry["phases"][0]["steps"][0]


def test_find_entry_goes_by_the_name_inside() -> None:
    """The name inside of an entry decides, not its key."""
    status = {"a": {"name": "deploy"}, "deploy": {"name": "other"}}
    assert find_entry(status, "deploy") is status["a"]
    assert find_entry(status, "a") is None


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([], None),
        ([("a", "NEVER_RUN", None)], None),
        ([("a", "COMPLETE", "2026-01-01T00:00:00Z"), ("b", "FATAL_ERROR", "2026-01-01T00:00:01Z")], "b"),
        ([("a", "COMPLETE", "2026-01-03T00:00:00Z"), ("b", "IN_PROGRESS", "2026-01-01T00:00:00Z")], "b"),
        ([("a", "COMPLETE", "2026-01-03T00:00:00Z"), ("b", "ERROR", None)], "b"),
    ],
)
def test_last_executed(entries: list[tuple[str, str, str | None]], expected: str | None) -> None:
    """The running plan, else the one that was updated last, else none."""
    status = {name: {"name": name, "status": state, "lastUpdatedTimestamp": time} for name, state, time in entries}
    found = last_executed(status)
    assert (found["name"] if found else None) == expected
