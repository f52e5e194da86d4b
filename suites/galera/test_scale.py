"""Scaling: the size follows NODE_COUNT up and down while clients write, and nothing acknowledged is lost."""

from __future__ import annotations

from suites.galera.checks import check_endpoints, check_lineage, state_transfer
from suites.galera.conftest import Writers
from suites.galera.galera import Galera, restarts


def test_size_follows_node_count(whole: Galera, writers: Writers, sst_method: str) -> None:
    """From 3 to 5 and back to 3 under load: every member agrees on the size, and no acknowledged write is lost.

    New nodes get a whole copy; old ones are not restarted; the volumes of the nodes that left stay, as declared; the
    cluster's UUID never changes; the client Service follows.
    """
    old = {pod["metadata"]["uid"]: restarts(pod) for pod in whole.pods()}
    with writers(whole, rate=30) as ledger:
        whole.scale(5)
        whole.until_plan("node_update", timeout=180)
        whole.until_synced(5, timeout=30)
        assert check_lineage(whole.statuses(), whole.uuid) == []
        transfers = [state_transfer(member.log()) for member in whole.members()[3:]]
        slices = whole.slices(whole.client_service)
        assert check_endpoints(slices, whole.pods(), {"mysql": 3306}, ready_only=True) == []
        whole.scale(3)
        whole.until_plan("node_update", timeout=60)
        whole.until_synced(3, timeout=90)
    ledger.verify(whole.members())
    assert set(transfers) <= {"SST", "IST"}, sst_method
    assert check_lineage(whole.statuses(), whole.uuid) == []
    assert {pod["metadata"]["uid"]: restarts(pod) for pod in whole.pods()} == old
    assert len(whole.claims()) == 5


def test_old_members_do_not_restart(whole: Galera) -> None:
    """NODE_COUNT set to what it is is a change to KUDO, runs `node_update`, and touches no server."""
    old = {pod["metadata"]["uid"]: restarts(pod) for pod in whole.pods()}
    revisions = whole.get("apps/v1", "StatefulSet", whole.stateful_set)["status"]["updateRevision"]
    whole.kudo.trigger(whole.instance, namespace=whole.namespace, plan="node_update")
    whole.until_plan("node_update", timeout=30)
    assert {pod["metadata"]["uid"]: restarts(pod) for pod in whole.pods()} == old
    assert whole.get("apps/v1", "StatefulSet", whole.stateful_set)["status"]["updateRevision"] == revisions


def test_one_node_grows_to_three(single: Galera, writers: Writers) -> None:
    """From 1 to 3 with rsync: a single node becomes a cluster without losing what was written meanwhile."""
    with writers(single, rate=20) as ledger:
        single.scale(3)
        single.until_plan("node_update", timeout=120)
        single.until_synced(3, timeout=30)
    ledger.verify(single.members())
    assert [state_transfer(member.log()) for member in single.members()[1:]] == ["SST", "SST"]
    assert check_lineage(single.statuses(), single.uuid) == []
