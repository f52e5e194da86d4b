"""What may be written to an Instance and which plan it schedules, sections 7.8 and 7.9 of the reference."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from harness.kit.documents import Manifest
from harness.kudo.admission import (
    ADMITTED,
    FINALIZER,
    Denied,
    admit_create,
    admit_update,
    admitted_spec,
    intent_of,
    mark_admitted,
)
from harness.kudo.model import OperatorVersion, parse_operator_version
from tests.kudo_engine.fakes import instance_manifest, version_manifest

UPDATE = "failed to update Instance shop/orders:"
IMMUTABLE = "failed to check immutable parameters for Instance shop/orders:"
UPGRADE = "upgrade to new OperatorVersion {  db-0.2.0    }"
NEWER = "operator version db-0.2.0"
PLAN: Manifest = {"phases": []}


def version(*parameters: Manifest, plans: str = "deploy", name: str = "db-0.1.0") -> OperatorVersion:
    manifest = version_manifest(name=name, plans=dict.fromkeys(plans.split(), PLAN), parameters=parameters)
    return parse_operator_version(manifest)


def admit(
    old: Manifest, new: Manifest, before: OperatorVersion, after: OperatorVersion | None = None, uid: str = "fresh"
) -> Manifest:
    return admit_update(old, new, before, after or before, new_uid=lambda: uid)


def denial(*args: Any) -> str:
    with pytest.raises(Denied) as caught:
        admit(*args)
    return caught.value.message


def running(plan: str, status: str = "IN_PROGRESS", uid: str = "u1", **others: Any) -> Manifest:
    return instance_manifest(planExecution={"planName": plan, "uid": uid, "status": status}, **others)


NO_INTEGER = 'type is "integer" but format of "x" is invalid: strconv.ParseInt: parsing "x": invalid syntax'
SIZE = {"name": "SIZE", "default": "3"}
FIXED = {"name": "FIXED", "default": "a", "immutable": True}
TRIGGER = {"name": "NODES", "default": "3", "trigger": "node_update"}
OTHER = {"name": "BACKUP", "default": "x", "trigger": "backup"}


def test_create_schedules_deploy() -> None:
    """A new Instance gets deploy under a fresh uid, whatever the client sent."""
    sent = instance_manifest(planExecution={"planName": "backup", "uid": "mine"})
    result = admit_create(sent, version(SIZE), new_uid=lambda: "fresh")
    assert result["spec"]["planExecution"] == {"planName": "deploy", "uid": "fresh"}
    assert "finalizers" not in result["metadata"]
    assert sent["spec"]["planExecution"]["planName"] == "backup"


def test_create_adds_the_finalizer_for_cleanup() -> None:
    """An operator version with a cleanup plan adds the finalizer, once."""
    both = version(plans="deploy cleanup")
    first = admit_create(instance_manifest(), both)
    assert first["metadata"]["finalizers"] == [FINALIZER]
    assert admit_create(first, both)["metadata"]["finalizers"] == [FINALIZER]


def test_create_needs_deploy() -> None:
    """Without deploy plan there is no Instance."""
    with pytest.raises(Denied) as caught:
        admit_create(instance_manifest(), version(plans="update"))
    expected = "failed to create an Instance shop/orders: couldn't find 'deploy' plan in the operatorVersion"
    assert caught.value.message == expected


def test_create_copies_immutable_defaults() -> None:
    """Defaults of immutable parameters are copied, given values and other defaults are not touched."""
    result = admit_create(instance_manifest(), version(SIZE, FIXED, {"name": "BARE", "immutable": True}))
    assert result["spec"]["parameters"] == {"FIXED": "a"}
    given = admit_create(instance_manifest(parameters={"FIXED": "b"}), version(FIXED))
    assert given["spec"]["parameters"] == {"FIXED": "b"}


@pytest.mark.parametrize(
    ("definition", "given", "problem"),
    [
        ({"name": "P", "required": True}, {}, 'parameter "P" is required but has no value set'),
        (
            {"name": "P", "value-type": "integer", "default": "1"},
            {"P": "x"},
            f'parameter "P" has an invalid value "x": {NO_INTEGER}',
        ),
        (
            {"name": "P", "enum": ["a", "b"]},
            {"P": "c"},
            'parameter "P" has an invalid value "c": value is "c", but only allowed values are [a b]',
        ),
    ],
)
def test_create_validates_values(definition: Manifest, given: dict[str, str], problem: str) -> None:
    """Missing, wrongly typed and unlisted values are refused with the reason; so at updates."""
    with pytest.raises(Denied) as caught:
        admit_create(instance_manifest(parameters=given), version(definition))
    assert caught.value.message == f"failed to create an Instance shop/orders: parameters are not valid: {problem}"
    old = instance_manifest(parameters={"P": "1" if "value-type" in definition else "a"})
    text = denial(old, instance_manifest(parameters=given), version(definition))
    assert text == f"failed to validate parameters for Instance shop/orders: {problem}"


def test_create_takes_unknown_parameters() -> None:
    """Parameters that the operator version does not declare are no reason to refuse a new Instance."""
    assert admit_create(instance_manifest(parameters={"X": "1"}), version(SIZE))["spec"]["parameters"] == {"X": "1"}


def test_metadata_is_free() -> None:
    """A change of labels, annotations or finalizers only is returned as it is."""
    old = running("deploy", "COMPLETE")
    new = copy.deepcopy(old)
    new["metadata"]["labels"] = {"a": "b"}
    assert admit(old, new, version()) is new


@pytest.mark.parametrize(
    ("plans", "old", "new", "expected"),
    [
        ("deploy", {}, {"SIZE": "5"}, "deploy"),
        ("deploy update", {}, {"SIZE": "5"}, "update"),
        ("deploy update node_update", {}, {"NODES": "5"}, "node_update"),
        ("deploy update node_update", {}, {"NODES": "5", "SIZE": "5"}, "node_update"),
        ("deploy update node_update", {"NODES": "5"}, {}, "node_update"),
        ("deploy update node_update", {"NODES": "5", "GONE": "1"}, {}, ""),
        ("deploy update node_update", {"NODES": "5"}, {"NODES": "5"}, ""),
    ],
)
def test_parameters_choose_the_plan(plans: str, old: dict[str, str], new: dict[str, str], expected: str) -> None:
    """A changed parameter starts its trigger, else update, else deploy; one undeclared removal mutes all removals."""
    before, after = instance_manifest(parameters=old), instance_manifest(parameters=new)
    result = admit(before, after, version(SIZE, TRIGGER, plans=plans))
    execution = result["spec"].get("planExecution") or {}
    assert execution.get("planName", "") == expected
    if expected:
        assert execution == {"planName": expected, "uid": "fresh", "status": "NEVER_RUN"}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({}, {"planName": "backup", "uid": "mine"}, {"planName": "backup", "uid": "fresh", "status": "NEVER_RUN"}),
        ({}, {"planName": "deploy"}, {"planName": "deploy", "uid": "fresh", "status": "NEVER_RUN"}),
        (
            {"planName": "deploy", "uid": "u1", "status": "IN_PROGRESS"},
            {"planName": "deploy", "uid": "u2", "status": "IN_PROGRESS"},
            {"planName": "deploy", "uid": "fresh", "status": "NEVER_RUN"},
        ),
        (
            {"planName": "deploy", "uid": "u1", "status": "IN_PROGRESS"},
            {"planName": "deploy", "uid": "u1", "status": "COMPLETE"},
            {},
        ),
        (
            {"planName": "deploy", "uid": "u1", "status": "IN_PROGRESS"},
            {"planName": "deploy", "uid": "u1", "status": "FATAL_ERROR"},
            {},
        ),
        (
            {"planName": "deploy", "uid": "u1", "status": "PENDING"},
            {"planName": "deploy", "uid": "u1", "status": "IN_PROGRESS"},
            {"planName": "deploy", "uid": "u1", "status": "IN_PROGRESS"},
        ),
    ],
)
def test_plan_set_directly(old: Manifest, new: Manifest, expected: Manifest) -> None:
    """A plan set by hand starts under a uid of ours, a new uid restarts, a terminal status clears all fields."""
    versions = version(plans="deploy backup")
    result = admit(instance_manifest(planExecution=old), instance_manifest(planExecution=new), versions)
    assert result["spec"]["planExecution"] == expected


def test_same_plan_is_restarted_by_its_parameter() -> None:
    """A parameter change whose trigger is the running plan restarts it."""
    old = running("node_update", parameters={"NODES": "3"})
    result = admit(old, running("node_update", parameters={"NODES": "5"}), version(TRIGGER, plans="deploy node_update"))
    assert result["spec"]["planExecution"] == {"planName": "node_update", "uid": "fresh", "status": "NEVER_RUN"}


ALL = "deploy update node_update backup"
DENIED: list[tuple[str, Manifest, Manifest, str]] = [
    ("unknown plan", instance_manifest(), running("nope"), "plan nope does not exist"),
    (
        "undeclared parameter",
        instance_manifest(),
        instance_manifest(parameters={"X": "1"}),
        'failed to update Instance shop/orders: failed to find parameter "X" in the OperatorVersion',
    ),
    (
        "immutable changed",
        instance_manifest(parameters={"FIXED": "a"}),
        instance_manifest(parameters={"FIXED": "b"}),
        f"{IMMUTABLE} parameter 'FIXED' is immutable but was changed from 'a' to 'b'",
    ),
    (
        "immutable added",
        instance_manifest(),
        instance_manifest(parameters={"FIXED": "b"}),
        f"{IMMUTABLE} parameter 'FIXED' is immutable but was changed from '' to 'b'",
    ),
    (
        "two triggers",
        instance_manifest(),
        instance_manifest(parameters={"NODES": "5", "BACKUP": "y"}),
        f"{UPDATE} triggering multiple plans: [[backup node_update]] at once is not allowed",
    ),
    (
        "another plan by parameter",
        running("deploy"),
        running("deploy", parameters={"NODES": "5"}),
        f"{UPDATE} plan 'deploy' is scheduled (or running) and an update would trigger a different plan 'node_update'",
    ),
    (
        "overridden",
        running("deploy"),
        running("backup", uid="u2"),
        f"{UPDATE} overriding currently scheduled (or running) plan 'deploy' with 'backup' is not supported",
    ),
    (
        "cancelled",
        running("deploy"),
        instance_manifest(),
        f"{UPDATE} cancelling currently scheduled (or running) plan 'deploy' is not supported",
    ),
    (
        "parameters and plan",
        instance_manifest(),
        running("backup", parameters={"NODES": "5"}),
        f"{UPDATE} triggering one plan '' directly and through parameter update 'backup' is not allowed",
    ),
    (
        "cleanup by hand",
        instance_manifest(),
        running("cleanup"),
        f"{UPDATE} only the controller schedules the 'cleanup' plan when the instance is deleted",
    ),
]


@pytest.mark.parametrize(("old", "new", "message"), [case[1:] for case in DENIED], ids=[case[0] for case in DENIED])
def test_denied_updates(old: Manifest, new: Manifest, message: str) -> None:
    """Each change that does not fit is denied with KUDO's text."""
    assert denial(old, new, version(SIZE, FIXED, TRIGGER, OTHER, plans=f"{ALL} cleanup")) == message


def test_trigger_without_plan() -> None:
    """A parameter whose trigger plan does not exist cannot be changed."""
    text = denial(instance_manifest(), instance_manifest(parameters={"NODES": "5"}), version(TRIGGER))
    assert text == (f"{UPDATE} param NODES defined trigger plan node_update, but plan not defined in operatorversion")


def test_no_plan_for_an_update() -> None:
    """Without trigger, update and deploy there is nothing that a change could start."""
    text = denial(instance_manifest(), instance_manifest(parameters={"SIZE": "5"}), version(SIZE, plans="backup"))
    assert text == f"{UPDATE} couldn't find any plans that would be triggered by the update"


def newer(*parameters: Manifest, plans: str = "deploy") -> OperatorVersion:
    return version(*parameters, plans=plans, name="db-0.2.0")


def upgraded(**spec: Any) -> Manifest:
    return instance_manifest(version="db-0.2.0", **spec)


@pytest.mark.parametrize(
    ("plans", "expected"), [("deploy update upgrade", "upgrade"), ("deploy update", "update"), ("deploy", "deploy")]
)
def test_upgrade_chooses_the_plan(plans: str, expected: str) -> None:
    """A new operator version starts upgrade, else update, else deploy."""
    result = admit(instance_manifest(), upgraded(), version(), newer(plans=plans))
    assert result["spec"]["planExecution"] == {"planName": expected, "uid": "fresh", "status": "NEVER_RUN"}


def test_any_change_of_the_reference_is_an_upgrade() -> None:
    """Adding a kind or namespace to the reference counts as an upgrade."""
    new = instance_manifest()
    new["spec"]["operatorVersion"]["kind"] = "OperatorVersion"
    assert admit(instance_manifest(), new, version())["spec"]["planExecution"]["planName"] == "deploy"


@pytest.mark.parametrize(
    ("old", "new", "after", "message"),
    [
        (
            running("deploy"),
            upgraded(planExecution={"planName": "deploy", "uid": "u1", "status": "IN_PROGRESS"}),
            newer(SIZE),
            f"{UPDATE} {UPGRADE} while a plan 'deploy' is scheduled (or running) is not allowed",
        ),
        (
            instance_manifest(),
            upgraded(planExecution={"planName": "deploy", "uid": "u1"}),
            newer(SIZE),
            f"{UPDATE} {UPGRADE} and triggering new plan 'deploy' is not allowed",
        ),
        (
            instance_manifest(),
            upgraded(parameters={"SIZE": "5"}),
            newer(SIZE, plans="deploy update"),
            f"{UPDATE} {UPGRADE} together with a parameter update triggering 'update' is not allowed",
        ),
        (
            instance_manifest(),
            upgraded(),
            newer(plans="backup"),
            f"{UPDATE} couldn't find any suitable plan that would be triggered by an OperatorVersion upgrade",
        ),
        (
            instance_manifest(),
            upgraded(),
            newer({"name": "SIZE", "default": "3", "immutable": True}),
            f"{IMMUTABLE} parameter 'SIZE' was changed to immutable in {NEWER} but no value was provided",
        ),
        (
            instance_manifest(),
            upgraded(),
            newer(FIXED),
            f"{IMMUTABLE} parameter 'FIXED' was added in {NEWER}, but no value was provided (default would be a)",
        ),
        (
            instance_manifest(),
            upgraded(),
            newer({"name": "FIXED", "immutable": True}),
            f"{IMMUTABLE} parameter 'FIXED' was added in {NEWER}, but no value was provided",
        ),
    ],
)
def test_denied_upgrades(old: Manifest, new: Manifest, after: OperatorVersion, message: str) -> None:
    """Each upgrade that does not fit is denied with KUDO's text."""
    assert denial(old, new, version(SIZE), after) == message


def test_upgrade_with_parameters_that_mean_deploy() -> None:
    """Parameters may change together with the version when they would start deploy, and new ones always may."""
    new = upgraded(parameters={"SIZE": "5", "FIXED": "b"})
    result = admit(instance_manifest(), new, version(SIZE), newer(SIZE, FIXED, plans="deploy upgrade"))
    assert result["spec"]["planExecution"]["planName"] == "upgrade"


def test_upgrade_may_change_immutable_values() -> None:
    """During an upgrade an immutable parameter's value may change."""
    old = instance_manifest(parameters={"FIXED": "a"})
    result = admit(old, upgraded(parameters={"FIXED": "b"}), version(FIXED), newer(FIXED))
    assert result["spec"]["parameters"] == {"FIXED": "b"}


def test_upgrade_strips_parameters_that_are_gone() -> None:
    """Parameters that the new version no longer declares are removed from the Instance."""
    old = instance_manifest(parameters={"SIZE": "5", "FIXED": "a"})
    result = admit(old, upgraded(parameters={"SIZE": "5", "FIXED": "a"}), version(SIZE, FIXED), newer(FIXED))
    assert result["spec"]["parameters"] == {"FIXED": "a"}


def deleting(manifest: Manifest) -> Manifest:
    result = copy.deepcopy(manifest)
    result["metadata"]["deletionTimestamp"] = "2026-01-02T03:04:05Z"
    return result


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            running("cleanup"),
            instance_manifest(),
            "'cleanup' plan can not be cancelled or overridden by another plan since the instance is being deleted",
        ),
        (
            instance_manifest(),
            instance_manifest(parameters={"SIZE": "5"}),
            "parameter update and/or upgrade is not allowed when an instance is being deleted",
        ),
        (
            instance_manifest(),
            upgraded(),
            "parameter update and/or upgrade is not allowed when an instance is being deleted",
        ),
        (
            instance_manifest(),
            running("deploy"),
            "only 'cleanup' plan can be scheduled when an instance is being deleted",
        ),
    ],
)
def test_denied_while_deleting(old: Manifest, new: Manifest, message: str) -> None:
    """An Instance that is being deleted runs its cleanup and nothing else."""
    assert denial(deleting(old), deleting(new), version(SIZE, plans="deploy cleanup")) == message


def test_deleting_keeps_a_terminal_cleanup() -> None:
    """While an Instance is being deleted its plan execution is stored as written, terminal or not."""
    new = deleting(running("cleanup", "COMPLETE"))
    result = admit(deleting(running("cleanup")), new, version(plans="deploy cleanup"))
    assert result["spec"] == new["spec"]
    scheduled = deleting(running("cleanup", "NEVER_RUN"))
    assert admit(deleting(running("deploy")), scheduled, version(plans="deploy cleanup"))["spec"] == scheduled["spec"]


def test_marked_instance_tells_its_intent() -> None:
    """The annotation holds the spec without empty fields and without the status of the execution."""
    marked = mark_admitted(running("deploy", parameters={"SIZE": "5"}))
    assert admitted_spec(marked) == intent_of(marked) == {
        "operatorVersion": {"name": "db-0.1.0"},
        "parameters": {"SIZE": "5"},
        "planExecution": {"planName": "deploy", "uid": "u1"},
    }  # fmt: skip


@pytest.mark.parametrize("text", [None, "no json", "[]", "1"])
def test_unreadable_annotation_counts_as_missing(text: str | None) -> None:
    """Whatever is not an object in JSON is no admitted spec."""
    manifest = instance_manifest()
    manifest["metadata"]["annotations"] = {ADMITTED: text}
    assert admitted_spec(manifest) is None
