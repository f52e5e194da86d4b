"""Uninstalling: what must go is gone, what must stay stays, and what stayed is not overwritten."""

from __future__ import annotations

from suites.galera.galera import PACKAGE, SMALL, Galera, until_gone

KINDS = (
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "Deployment"),
    ("v1", "Service"),
    ("v1", "ConfigMap"),
    ("v1", "Secret"),
    ("policy/v1", "PodDisruptionBudget"),
    ("v1", "Pod"),
)


def test_everything_goes_but_the_volumes(single: Galera) -> None:
    """Every object of the instance goes with it; the volume claims stay, bound, as declared; the operator stays."""
    claims = single.claims()
    assert claims
    remove(single)
    for name in claims:
        assert single.get("v1", "PersistentVolumeClaim", name)["status"]["phase"] == "Bound"
    assert single.kube.list("kudo.dev/v1beta1", "OperatorVersion", single.namespace)


def test_old_volumes_are_not_overwritten(single: Galera) -> None:
    """A new installation of the same name does not wipe the old volumes: the node refuses, and says why."""
    if single.kube.find("kudo.dev/v1beta1", "Instance", single.instance, single.namespace):
        remove(single)
    assert single.claims()
    single.kudo.install(
        PACKAGE, namespace=single.namespace, instance=single.instance, parameters={**SMALL, "NODE_COUNT": "1"}
    )
    log = single.until_refused(timeout=90)
    assert f"this volume holds data of cluster {single.uuid}" in log
    assert "Remove this volume claim, or install under another name" in log
    remove(single)


def remove(galera: Galera) -> None:
    """Uninstall, and wait until nothing but the volumes is left."""
    galera.close()
    galera.kudo.uninstall(galera.instance, namespace=galera.namespace, wait=60)
    for api_version, kind in KINDS:
        until_gone(
            galera.kube, api_version, kind, galera.namespace, f"kudo.dev/instance={galera.instance}", timeout=120
        )
