"""Deploying: the plan ran as it stands, and left what it should and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from harness.kit.waiting import Pending
from harness.kudo.errors import KudoError
from suites.galera.checks import check_no_secrets, check_ownership, check_plan, is_ready, options_of
from suites.galera.galera import OPERATOR, PACKAGE, ROOT_PASSWORD, SST_PASSWORD, Galera, restarts

APPLIED = (
    ("v1", "Secret", "credentials"),
    ("v1", "ConfigMap", "nodeconfig"),
    ("v1", "ConfigMap", "node-scripts"),
    ("v1", "Service", "hs"),
    ("v1", "Service", "cs"),
    ("policy/v1", "PodDisruptionBudget", "pdb"),
    ("apps/v1", "StatefulSet", "galera"),
)


@pytest.fixture(scope="module")
def plans() -> dict[str, Any]:
    """Return the plans as operator.yaml has them."""
    from harness.kit.documents import load_documents

    (document,) = load_documents(PACKAGE / "operator.yaml")
    return dict(document.value["plans"])


@pytest.mark.smoke
def test_plan_is_complete(galera: Galera, plans: dict[str, Any]) -> None:
    """Plan `deploy` is COMPLETE: every phase and step, in the order of operator.yaml, each once."""
    entry = galera.kudo.plan_status(galera.instance, namespace=galera.namespace)["deploy"]
    assert check_plan(entry, plans["deploy"]) == []


@pytest.mark.smoke
def test_size_is_node_count(galera: Galera) -> None:
    """Every member counts NODE_COUNT members, is Primary, Synced and ready, and all are the same cluster."""
    galera.until_synced(3, timeout=30)


def test_steps_ran_in_order(galera: Galera, plans: dict[str, Any]) -> None:
    """What a later step applied was created later: nothing ran ahead of its step."""
    steps = [step["name"] for step in plans["deploy"]["phases"][0]["steps"]]
    created = []
    for api_version, kind, suffix in APPLIED:
        metadata = galera.get(api_version, kind, f"{galera.instance}-{suffix}")["metadata"]
        step = metadata["annotations"]["kudo.dev/step"]
        # The configuration was rewritten by the last step; it was created by the first that needs it.
        first = "firstboot_config" if suffix == "nodeconfig" else step
        created.append((steps.index(first), metadata["creationTimestamp"]))
    assert [moment for _, moment in sorted(created)] == sorted(moment for _, moment in created)


@pytest.mark.parametrize(("api_version", "kind", "suffix"), APPLIED, ids=[one[2] for one in APPLIED])
def test_objects_belong_to_the_instance(galera: Galera, api_version: str, kind: str, suffix: str) -> None:
    """Every object has KUDO's labels and annotations, and the Instance as its controller."""
    found = galera.get(api_version, kind, f"{galera.instance}-{suffix}")
    uid = galera.kudo.instance(galera.instance, namespace=galera.namespace)["metadata"]["uid"]
    assert check_ownership(found, instance=galera.instance, uid=uid, operator=OPERATOR) == []


def test_final_configuration(galera: Galera) -> None:
    """After the last step the address list names the three nodes and no bootstrap node."""
    files = galera.files()
    assert sorted(files) == ["galera.cnf", "innodb.cnf"]
    nodes = [f"{galera.stateful_set}-{number}.{galera.headless_service}" for number in range(3)]
    assert options_of(files["galera.cnf"])["galera"]["wsrep_cluster_address"] == f"gcomm://{','.join(nodes)}"
    step = galera.get("v1", "ConfigMap", f"{galera.instance}-nodeconfig")["metadata"]["annotations"]["kudo.dev/step"]
    assert step == "cleanup"


@pytest.mark.smoke
def test_bootstrap_is_gone(galera: Galera) -> None:
    """Nothing of the bootstrap node is left: no Deployment, ReplicaSet, pod, Service or ConfigMap."""
    kinds = (
        ("apps/v1", "Deployment"),
        ("apps/v1", "ReplicaSet"),
        ("v1", "Pod"),
        ("v1", "Service"),
        ("v1", "ConfigMap"),
    )
    left = [
        f"{kind} {found['metadata']['name']}"
        for api_version, kind in kinds
        for found in galera.kube.list(api_version, kind, galera.namespace)
        if "bootstrap" in found["metadata"]["name"]
    ]
    assert left == []


def test_pods_are_ready_and_never_restarted(galera: Galera) -> None:
    """Three pods with the expected names are ready, and none needed a second start."""
    pods = galera.pods()
    assert [pod["metadata"]["name"] for pod in pods] == [f"{galera.stateful_set}-{number}" for number in range(3)]
    assert [is_ready(pod) for pod in pods] == [True] * 3
    assert [restarts(pod) for pod in pods] == [0] * 3


def test_claims_are_bound(galera: Galera) -> None:
    """Each node has a volume claim of its own, bound, of the declared size, for one reader and writer."""
    names = [f"{galera.instance}-datadir-{galera.stateful_set}-{number}" for number in range(3)]
    assert galera.claims() == names
    for name in names:
        claim = galera.get("v1", "PersistentVolumeClaim", name)
        assert claim["status"]["phase"] == "Bound"
        assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
        assert claim["spec"]["resources"]["requests"]["storage"] == "1Gi"


def test_disruption_budget_allows_one(galera: Galera) -> None:
    """The budget counts the three nodes and lets one go."""

    def allows_one(found: Any) -> Any:
        status = (found or {}).get("status") or {}
        return status if status.get("disruptionsAllowed") == 1 else Pending(str(status))

    name = f"{galera.instance}-pdb"
    status = galera.kube.until(
        "policy/v1",
        "PodDisruptionBudget",
        name,
        galera.namespace,
        allows_one,
        timeout=20,
        wanted="a disruption allowed",
    )
    assert (status["currentHealthy"], status["desiredHealthy"], status["expectedPods"]) == (3, 2, 3)


def test_no_password_outside_of_secrets(galera: Galera) -> None:
    """No ConfigMap, workload, pod or event shows a password; the Instance does, for want of another place."""
    kinds = (("v1", "ConfigMap"), ("apps/v1", "StatefulSet"), ("v1", "Pod"), ("v1", "Event"))
    differences = [
        line
        for api_version, kind in kinds
        for found in galera.kube.list(api_version, kind, galera.namespace)
        for line in check_no_secrets(repr(found), (ROOT_PASSWORD, SST_PASSWORD), f"{kind} {found['metadata']['name']}")
    ]
    assert differences == []


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("NODE_COUNT", "0", "only allowed values are [1 2 3 4 5 6 7 8 9]"),
        ("NODE_COUNT", "many", 'format of "many" is invalid'),
        ("VOLUME_SIZE", "2Gi", "is immutable but was changed from"),
        ("MYSQL_ROOT_PASSWORD", "other", "is immutable but was changed from"),
        ("MYSQL_PORT", "3307", "is immutable but was changed from"),
    ],
)
def test_refused_changes_touch_nothing(galera: Galera, name: str, value: str, reason: str) -> None:
    """A change that is not allowed is refused with the reason, and the Instance stays as it was."""
    before = galera.kudo.instance(galera.instance, namespace=galera.namespace)["spec"]
    with pytest.raises(KudoError) as caught:
        galera.update(**{name: value})
    assert reason in str(caught.value)
    assert galera.kudo.instance(galera.instance, namespace=galera.namespace)["spec"] == before
