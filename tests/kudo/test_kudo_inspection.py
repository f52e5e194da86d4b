"""plan status, plan history and get, as the original prints them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from harness.kit.errors import DeadlineError
from harness.kudo.errors import KudoError
from harness.kudo.inspection import get, plan_history, plan_status, watch_plan
from harness.kudo.operations import Options, install
from harness.kudo.packages import find_source
from tests.kudo.conftest import MakePackage
from tests.kudo.fakes import FakeCluster


@pytest.fixture
def kube(make_package: MakePackage) -> FakeCluster:
    """Return a cluster with an instance whose plan has not started."""
    cluster = FakeCluster()
    source = find_source(str(make_package()))
    install(cluster, source, namespace="shop", options=Options(instance="db"), say=lambda _: None, warn=lambda _: None)
    return cluster


@pytest.fixture
def vienna(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let local time be an hour ahead of UTC."""
    monkeypatch.setenv("TZ", "CET-1")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def status(kube: FakeCluster, **options: Any) -> str:
    """Return the status of the instance's plans."""
    return plan_status(kube, namespace="shop", instance="db", **options)


def test_no_plan_has_run_yet(kube: FakeCluster) -> None:
    """One line says so."""
    assert status(kube) == "No plan ever run for instance - nothing to show for instance db\n"


def test_the_status_of_the_plan_that_ran_last(kube: FakeCluster, vienna: None) -> None:
    """The time is local."""
    kube.set_plan("db", "deploy", "FATAL_ERROR", "it broke")
    assert status(kube) == (
        'Plan(s) for "db" in namespace "shop":\n.\n'
        '└── db (Operator-Version: "shop-0.1.0" Active-Plan: "deploy")\n'
        "    └── Plan deploy (serial strategy) [FATAL_ERROR], last updated 2024-03-02 11:20:30\n"
        "        └── Phase main (serial strategy) [FATAL_ERROR]\n"
        "            └── Step everything [FATAL_ERROR] (it broke)\n\n"
    )


def test_the_status_as_an_object(kube: FakeCluster) -> None:
    """Only the instance's status."""
    assert status(kube, output="json") == "{}\n"
    kube.set_plan("db", "deploy", "COMPLETE")
    assert status(kube, output="yaml").startswith("planStatus:\n  deploy:\n")


def test_objects_that_are_missing(kube: FakeCluster) -> None:
    """Each with the original's text."""
    with pytest.raises(KudoError) as caught:
        plan_status(kube, namespace="shop", instance="nope")
    assert (caught.value.message, caught.value.exists) == ("instance shop/nope does not exist", ("db",))
    del kube.objects["OperatorVersion", "shop", "shop-0.1.0"]
    with pytest.raises(KudoError, match="from instance shop/db does not exist"):
        status(kube)


def watched(kube: FakeCluster) -> list[str]:
    """Return what is shown while the plan is watched."""
    shown: list[str] = []
    watch_plan(kube, namespace="shop", instance="db", timeout=5, show=shown.append)
    return shown


def test_watching_shows_each_change_until_the_plan_is_complete(kube: FakeCluster) -> None:
    """The same picture is not shown twice."""
    kube.later = [
        lambda: kube.set_plan("db", "deploy", "IN_PROGRESS"),
        lambda: kube.set_plan("db", "deploy", "IN_PROGRESS"),
        lambda: kube.set_plan("db", "deploy", "COMPLETE"),
    ]
    shown = watched(kube)
    assert [text.count("IN_PROGRESS") for text in shown] == [0, 3, 0]
    assert "[COMPLETE]" in shown[-1]


def test_watching_ends_with_a_failed_plan(kube: FakeCluster) -> None:
    """And with a deadline, and when the instance goes."""
    kube.later = [lambda: kube.set_plan("db", "deploy", "FATAL_ERROR", "it broke")]
    with pytest.raises(KudoError, match="plan deploy ended in FATAL_ERROR: phase main, step everything"):
        watched(kube)
    kube.later = [lambda: kube.set_plan("db", "deploy", "IN_PROGRESS")]
    kube.instance("db")["status"] = {}
    with pytest.raises(DeadlineError, match="plan deploy is IN_PROGRESS"):
        watched(kube)
    kube.later = [lambda: kube.objects.pop(("Instance", "shop", "db"))]
    with pytest.raises(KudoError, match="instance shop/db does not exist"):
        watched(kube)


def test_the_history_of_plans(kube: FakeCluster) -> None:
    """One line for each plan that has a status."""
    kube.set_plan("db", "deploy", "COMPLETE")
    kube.instance("db")["status"]["planStatus"]["backup"] = {"name": "backup", "status": "NEVER_RUN"}
    assert plan_history(kube, namespace="shop", instance="db") == (
        ".\n├── backup (NEVER_RUN)\n└── deploy (last finished run at 2024-03-02T10:20:30 (COMPLETE))\n\n"
    )


def test_the_history_of_an_instance_that_is_missing(kube: FakeCluster) -> None:
    """The original has a prefix here."""
    with pytest.raises(KudoError, match="client Error: instance shop/nope does not exist"):
        plan_history(kube, namespace="shop", instance="nope")


def test_what_is_installed(kube: FakeCluster) -> None:
    """Lists of one kind, or all nested."""
    assert get(kube, "instances", namespace="shop") == (
        'List of current installed instances in namespace "shop":\n.\n└── db\n\n'
    )
    assert get(kube, "all", namespace="shop") == (
        'List of current installed operators including versions and instances in namespace "shop":\n'
        ".\n└── shop\n    └── shop-0.1.0\n        └── db\n\n"
    )
    assert (
        get(kube, "operators", namespace="empty") == 'List of current installed operators in namespace "empty":\n.\n\n'
    )


def test_what_is_installed_as_objects(kube: FakeCluster) -> None:
    """Operators, then versions, then instances."""
    text = get(kube, "all", namespace="shop", output="yaml")
    assert [line for line in text.split("\n") if line.startswith("kind:")] == [
        "kind: Operator",
        "kind: OperatorVersion",
        "kind: Instance",
    ]
    assert text.startswith("---\n")
    assert text.endswith("\n\n...\n")


def test_only_known_words_can_be_got(kube: FakeCluster) -> None:
    """The error lists them."""
    with pytest.raises(KudoError) as caught:
        get(kube, "pods", namespace="shop")
    assert caught.value.message == 'expecting one of "instances, operators, operatorversions or all" and not "pods"'
