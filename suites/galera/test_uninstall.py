"""Uninstalling: what must go is gone, what must stay stays, and what stayed is not overwritten."""

from __future__ import annotations

from suites.galera.galera import APPLIED_KINDS, PACKAGE, SMALL, Galera


def test_everything_goes_but_the_volumes(single: Galera) -> None:
    """Every object of the instance goes with it; the volume claims stay, bound, as declared; the operator stays."""
    claims = single.claims()
    assert claims
    single.remove(timeout=120)
    assert [kind for api_version, kind in APPLIED_KINDS if single.objects(api_version, kind)] == []
    for name in claims:
        assert single.get("v1", "PersistentVolumeClaim", name)["status"]["phase"] == "Bound"
    assert single.kube.list("kudo.dev/v1beta1", "OperatorVersion", single.namespace)


def test_old_volumes_are_not_overwritten(single: Galera) -> None:
    """A new installation of the same name does not wipe the old volumes: the node refuses, and says why."""
    single.remove(timeout=120)
    assert single.claims()
    single.kudo.install(
        PACKAGE, namespace=single.namespace, instance=single.instance, parameters={**SMALL, "NODE_COUNT": "1"}
    )
    log = single.until_refused(timeout=90)
    assert f"this volume holds data of cluster {single.uuid}" in log
    assert "Remove this volume claim, or install under another name" in log
    single.remove(timeout=120)
