"""Restarts: a node that was lost comes back with its data, and nothing ever starts a second cluster."""

from __future__ import annotations

from suites.galera.checks import check_lineage, state_transfer
from suites.galera.conftest import Writers
from suites.galera.galera import Galera, restarts


def test_deleted_pod_comes_back_with_its_data(whole: Galera, writers: Writers) -> None:
    """A deleted pod returns on its old volume, fetches only what it missed (IST), and nothing acknowledged is lost."""
    name = f"{whole.stateful_set}-2"
    before = whole.get("v1", "Pod", name)
    claim = whole.get("v1", "PersistentVolumeClaim", f"{whole.instance}-datadir-{name}")
    with writers(whole, rate=30) as ledger:
        whole.kube.delete("v1", "Pod", name, whole.namespace)
        whole.until_replaced(before, timeout=60)
        whole.until_synced(3, timeout=120)
    ledger.verify(whole.members())
    assert state_transfer(whole.members()[2].log()) == "IST"
    assert check_lineage(whole.statuses(), whole.uuid) == []
    after = whole.get("v1", "PersistentVolumeClaim", f"{whole.instance}-datadir-{name}")
    assert after["spec"]["volumeName"] == claim["spec"]["volumeName"]


def test_killed_server_comes_back(whole: Galera, writers: Writers) -> None:
    """A server that dies without a goodbye is started again in its pod, joins, and nothing acknowledged is lost."""
    victim = whole.members()[1]
    before = restarts(victim.pod())
    with writers(whole, rate=30) as ledger:
        whole.crash(victim)
        whole.until_restarted(victim, before + 1, timeout=60)
        whole.until_synced(3, timeout=120)
    ledger.verify(whole.members())
    assert check_lineage(whole.statuses(), whole.uuid) == []


def test_server_outside_of_the_group_is_restarted(whole: Galera) -> None:
    """A server that runs but has left the group is taken out of the client Service at once, and is started again."""
    outsider = whole.members()[2]
    before = restarts(outsider.pod())
    outsider.execute("SET GLOBAL wsrep_cluster_address = ''")
    whole.until_unready(outsider, timeout=15)
    whole.until_restarted(outsider, before + 1, timeout=90)
    whole.until_synced(3, timeout=90)
    assert check_lineage(whole.statuses(), whole.uuid) == []


def test_lost_volume_is_copied_anew(whole: Galera) -> None:
    """A node whose volume is lost gets a whole copy (SST) from the others, also the first node."""
    name = f"{whole.stateful_set}-0"
    before = whole.get("v1", "Pod", name)
    whole.kube.delete("v1", "PersistentVolumeClaim", f"{whole.instance}-datadir-{name}", whole.namespace)
    whole.kube.delete("v1", "Pod", name, whole.namespace)
    whole.until_replaced(before, timeout=60)
    whole.until_synced(3, timeout=120)
    assert state_transfer(whole.members()[0].log()) == "SST"
    assert check_lineage(whole.statuses(), whole.uuid) == []


def test_deploy_again_makes_no_second_cluster(whole: Galera) -> None:
    """Running `deploy` again by hand beside a living cluster changes nothing: same UUID, same servers, nothing left."""
    before = {pod["metadata"]["uid"]: restarts(pod) for pod in whole.pods()}
    whole.kudo.trigger(whole.instance, namespace=whole.namespace, plan="deploy")
    whole.until_plan("deploy", timeout=120)
    whole.until_synced(3, timeout=60)
    assert check_lineage(whole.statuses(), whole.uuid) == []
    assert {pod["metadata"]["uid"]: restarts(pod) for pod in whole.pods()} == before
    assert whole.kube.find("apps/v1", "Deployment", f"{whole.instance}-bootstrap", whole.namespace) is None
