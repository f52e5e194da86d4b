"""The suite's checks on made-up answers: one that passes, and a near miss for everything that a check looks at."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from suites.galera.checks import (
    check_endpoints,
    check_groups,
    check_in_effect,
    check_lineage,
    check_members,
    check_no_secrets,
    check_ownership,
    check_plan,
    is_ready,
    options_of,
    state_transfer,
)

UUID = "eff94218-e607-11f1-962c-a640ea89f844"


def status(number: int) -> dict[str, str]:
    return {
        "wsrep_cluster_size": "3",
        "wsrep_cluster_status": "Primary",
        "wsrep_local_state_comment": "Synced",
        "wsrep_ready": "ON",
        "wsrep_connected": "ON",
        "wsrep_cluster_state_uuid": UUID,
        "wsrep_local_state_uuid": UUID,
        "wsrep_cluster_conf_id": "5",
        "wsrep_protocol_version": "11",
        "wsrep_provider_version": "4.23",
        "wsrep_gcomm_uuid": f"gcomm-{number}",
        "wsrep_local_index": str(number),
        "wsrep_incoming_addresses": "10.0.0.1:3306,10.0.0.2:3306,10.0.0.3:3306",
    }


def statuses(**second: str) -> dict[str, dict[str, str]]:
    return {"m0": status(0), "m1": {**status(1), **second}, "m2": status(2)}


def test_a_whole_cluster_has_no_difference() -> None:
    """Three members that agree are a cluster of three."""
    assert check_members(statuses(), 3) == []
    assert check_lineage(statuses(), UUID) == []


@pytest.mark.parametrize(
    ("name", "value", "difference"),
    [
        ("wsrep_cluster_size", "2", "m1: wsrep_cluster_size is 2, not 3"),
        ("wsrep_cluster_status", "non-Primary", "m1: wsrep_cluster_status is non-Primary, not Primary"),
        ("wsrep_local_state_comment", "Joined", "m1: wsrep_local_state_comment is Joined, not Synced"),
        ("wsrep_ready", "OFF", "m1: wsrep_ready is OFF, not ON"),
        ("wsrep_connected", "OFF", "m1: wsrep_connected is OFF, not ON"),
        ("wsrep_cluster_state_uuid", "other", f"wsrep_cluster_state_uuid differs: m0 {UUID}, m1 other, m2 {UUID}"),
        ("wsrep_cluster_conf_id", "6", "wsrep_cluster_conf_id differs: m0 5, m1 6, m2 5"),
        ("wsrep_protocol_version", "10", "wsrep_protocol_version differs: m0 11, m1 10, m2 11"),
        ("wsrep_provider_version", "4.9", "wsrep_provider_version differs: m0 4.23, m1 4.9, m2 4.23"),
        ("wsrep_gcomm_uuid", "gcomm-0", "wsrep_gcomm_uuid is not unique: m0 gcomm-0, m1 gcomm-0, m2 gcomm-2"),
        ("wsrep_local_index", "2", "wsrep_local_index is not unique: m0 0, m1 2, m2 2"),
        (
            "wsrep_incoming_addresses",
            "10.0.0.1:3306,AUTO,10.0.0.3:3306",
            "m1: wsrep_incoming_addresses is ['10.0.0.1:3306', 'AUTO', '10.0.0.3:3306'], not 3 addresses with ports",
        ),
    ],
)
def test_a_member_that_differs_is_named(name: str, value: str, difference: str) -> None:
    """A single value that is wrong, or not the same everywhere, is told with the member."""
    assert check_members(statuses(**{name: value}), 3) == [difference]


def test_a_missing_member_is_a_difference() -> None:
    """Two members that think they are three are not a cluster of three."""
    found = statuses()
    del found["m2"]
    assert check_members(found, 3) == ["2 members answer, not 3"]


@pytest.mark.parametrize("name", ["wsrep_cluster_state_uuid", "wsrep_local_state_uuid"])
def test_another_uuid_is_another_cluster(name: str) -> None:
    """A member that is part of a cluster that was made later is found."""
    assert check_lineage(statuses(**{name: "fork"}), UUID) == [f"m1: {name} is fork, not {UUID}"]


FILES = {
    "galera.cnf": "# text\n[galera]\nwsrep_on = ON\nwsrep_cluster_address = gcomm://a\n"
    'wsrep_provider_options = "base_port=4567;gcache.size=32M"\n',
    "innodb.cnf": "[mariadb]\ninnodb-buffer-pool-size = 32M\nskip_name_resolve = ON\n",
}
VARIABLES = {
    "wsrep_on": "ON",
    "wsrep_cluster_address": "gcomm://boot,a",
    "wsrep_provider_options": "base_host = 10.0.0.1; base_port = 4567; gcache.size = 32M; pc.weight = 1; ",
    "innodb_buffer_pool_size": "33554432",
    "skip_name_resolve": "1",
}


def test_option_files_are_read_by_group() -> None:
    """Comments and empty lines are left out, dashes are underscores, quotes are taken off."""
    assert options_of(FILES["innodb.cnf"]) == {"mariadb": {"innodb_buffer_pool_size": "32M", "skip_name_resolve": "ON"}}
    assert options_of(FILES["galera.cnf"])["galera"]["wsrep_provider_options"] == "base_port=4567;gcache.size=32M"


def test_options_in_effect_have_no_difference() -> None:
    """Sizes and switches are compared by meaning; the address list is only read at the start."""
    assert check_in_effect(FILES, VARIABLES) == []


@pytest.mark.parametrize(
    ("changed", "difference"),
    [
        ({"wsrep_on": "OFF"}, "galera.cnf: wsrep_on is OFF, not ON"),
        ({"innodb_buffer_pool_size": "134217728"}, "innodb.cnf: innodb_buffer_pool_size is 134217728, not 32M"),
        (
            {"wsrep_provider_options": "base_port = 4567; gcache.size = 128M; "},
            "galera.cnf: wsrep_provider_options: gcache.size is 128M, not 32M",
        ),
        (
            {"wsrep_provider_options": "gcache.size = 32M"},
            "galera.cnf: wsrep_provider_options: base_port is None, not 4567",
        ),
    ],
)
def test_an_option_without_effect_is_found(changed: dict[str, str], difference: str) -> None:
    """A server that runs with something else than its ConfigMap is found, inside the provider's options too."""
    assert check_in_effect(FILES, {**VARIABLES, **changed}) == [difference]


def test_an_option_that_the_server_does_not_know_is_found() -> None:
    """A name that is no variable of the server is a difference of its own."""
    files = {"x.cnf": "[mariadb]\ninnodb_pool = 1M\n"}
    assert check_in_effect(files, VARIABLES) == ["x.cnf: innodb_pool is no variable of this server"]


@pytest.mark.parametrize(
    ("group", "read"), [("mariadb-10.11", True), ("mysqld", True), ("innodb", False), ("client", False)]
)
def test_groups_that_the_server_reads(group: str, read: bool) -> None:
    """Options in a group that mariadbd does not read do nothing, and are told."""
    differences = check_groups({"x.cnf": f"[{group}]\na = 1\nb = 2\n"})
    wanted = f"x.cnf: the server does not read group [{group}], 2 options in it do nothing"
    assert differences == ([] if read else [wanted])


def joined(lacks: int, copied: int | None, *, until: int) -> str:
    lines = ["Start replication", f"Prepared IST receiver for {lacks}-{until}, listening at: tcp://10.0.0.1:4568"]
    if copied is not None:
        lines += ["SST received", f"SST received: {UUID}:{copied}"]
    return "".join(f"WSREP: {line}\n" for line in [*lines, f"IST received: {UUID}:{until}"])


@pytest.mark.parametrize(
    ("log", "transfer"),
    [
        (joined(0, 3, until=3), "SST"),
        (joined(82, 150, until=150), "SST"),
        (joined(82, 81, until=201), "IST"),
        (joined(82, None, until=201), "IST"),
        (joined(0, 3, until=3) + joined(82, 81, until=201), "IST"),
        (joined(82, 81, until=201) + joined(0, 300, until=300), "SST"),
        ("WSREP: Start replication\nWSREP: Member 2.0 synced with group\n", "none"),
        ("WSREP: Prepared IST receiver for 0-3\n", "none"),
    ],
)
def test_the_kind_of_state_transfer(log: str, transfer: str) -> None:
    """A copy that brought no more than what was there was none, and only the last start counts."""
    assert state_transfer(log) == transfer


PLAN = {"phases": [{"name": "deploy", "steps": [{"name": "a"}, {"name": "b"}]}]}


def entry(phase: str = "COMPLETE", steps: tuple[tuple[str, str], ...] = (("a", "COMPLETE"), ("b", "COMPLETE"))) -> Any:
    done = [{"name": name, "status": state} for name, state in steps]
    return {"status": "COMPLETE", "phases": [{"name": "deploy", "status": phase, "steps": done}]}


def test_a_complete_plan() -> None:
    """All phases and steps in order, each once, all complete."""
    assert check_plan(entry(), PLAN) == []


@pytest.mark.parametrize(
    ("seen", "difference"),
    [
        ({"status": "FATAL_ERROR"}, "the plan is FATAL_ERROR"),
        (entry(phase="IN_PROGRESS"), "deploy is IN_PROGRESS"),
        (entry(steps=(("a", "COMPLETE"), ("b", "PENDING"))), "b is PENDING"),
        (entry(steps=(("b", "COMPLETE"), ("a", "COMPLETE"))), "steps of deploy are ['b', 'a'], not ['a', 'b']"),
        (entry(steps=(("a", "COMPLETE"),)), "steps of deploy are ['a'], not ['a', 'b']"),
        ({"status": "COMPLETE", "phases": []}, "phases are [], not ['deploy']"),
    ],
)
def test_an_incomplete_plan(seen: Any, difference: str) -> None:
    """A plan, phase or step that is not complete, is missing or out of order is told."""
    assert check_plan(seen, PLAN) == [difference]


OWNED: dict[str, Any] = {
    "kind": "Service",
    "metadata": {
        "name": "db-hs",
        "labels": {"heritage": "kudo", "kudo.dev/operator": "galera", "kudo.dev/instance": "db"},
        "annotations": {
            f"kudo.dev/{name}": "x"
            for name in ("plan", "phase", "step", "last-plan-execution-uid", "last-applied-configuration")
        },
        "ownerReferences": [{"kind": "Instance", "name": "db", "uid": "u1", "controller": True}],
    },
}


def ownership(manifest: dict[str, Any]) -> list[str]:
    return check_ownership(manifest, instance="db", uid="u1", operator="galera")


def test_an_owned_object() -> None:
    """Labels, annotations and the controller are KUDO's."""
    assert ownership(OWNED) == []


@pytest.mark.parametrize(
    ("place", "key", "difference"),
    [
        ("labels", "heritage", "Service db-hs: label heritage is None"),
        ("annotations", "kudo.dev/step", "Service db-hs: no annotation kudo.dev/step"),
    ],
)
def test_a_missing_label_or_annotation(place: str, key: str, difference: str) -> None:
    """One that is missing is named."""
    manifest = copy.deepcopy(OWNED)
    del manifest["metadata"][place][key]
    assert ownership(manifest) == [difference]


def test_another_owner() -> None:
    """An object of an earlier instance of the same name is not ours."""
    manifest = copy.deepcopy(OWNED)
    manifest["metadata"]["ownerReferences"][0]["uid"] = "u0"
    (difference,) = ownership(manifest)
    assert "not Instance db" in difference


def pod(number: int, *, ready: bool = True, leaving: bool = False) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": f"db-{number}", "uid": f"u{number}"}
    if leaving:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    return {"metadata": metadata, "status": {"podIP": f"10.0.0.{number}", "conditions": conditions}}


def endpoint(number: int, *, ready: bool = True, address: str = "") -> dict[str, Any]:
    return {
        "addresses": [address or f"10.0.0.{number}"],
        "conditions": {"ready": ready},
        "targetRef": {"kind": "Pod", "name": f"db-{number}", "uid": f"u{number}"},
    }


def slices(*endpoints: dict[str, Any], port: int = 3306) -> list[dict[str, Any]]:
    return [{"ports": [{"name": "mysql", "port": port}], "endpoints": list(endpoints)}]


def differences(found: list[dict[str, Any]], *pods: dict[str, Any], ready_only: bool = True) -> list[str]:
    return check_endpoints(found, pods, {"mysql": 3306}, ready_only=ready_only)


def test_one_endpoint_for_each_ready_pod() -> None:
    """An unready pod is not among the ready endpoints; a Service that publishes all has it."""
    assert differences(slices(endpoint(1), endpoint(2, ready=False)), pod(1), pod(2, ready=False)) == []
    assert differences(slices(endpoint(1), endpoint(2)), pod(1), pod(2, ready=False), ready_only=False) == []


@pytest.mark.parametrize(
    ("found", "difference"),
    [
        (slices(endpoint(1)), "db-2 (10.0.0.2) is missing"),
        (slices(endpoint(1), endpoint(2), endpoint(3)), "db-3 (10.0.0.3) should not be there"),
        (slices(endpoint(1), endpoint(2, address="10.0.0.9")), "db-2 has address 10.0.0.9, not 10.0.0.2"),
        (slices(endpoint(1), endpoint(2), endpoint(2)), "db-2 is there twice"),
        (slices(endpoint(1), endpoint(2), port=3307), "ports are {'mysql': 3307}, not {'mysql': 3306}"),
    ],
)
def test_wrong_endpoints_are_named(found: list[dict[str, Any]], difference: str) -> None:
    """A missing, foreign, doubled or misplaced endpoint, and a wrong port, are told."""
    assert differences(found, pod(1), pod(2)) == [difference]


def test_a_pod_that_leaves_is_not_ready() -> None:
    """A pod on its way out does not count, though its condition still says ready."""
    assert is_ready(pod(1))
    assert not is_ready(pod(1, ready=False))
    assert not is_ready(pod(1, leaving=True))


def test_a_password_in_a_text_is_found_and_not_repeated() -> None:
    """The difference says where, never what."""
    assert check_no_secrets("x s3cret y", ("s3cret", ""), "Pod db-0") == ["Pod db-0 holds a password"]
    assert check_no_secrets("x y", ("s3cret",), "Pod db-0") == []
