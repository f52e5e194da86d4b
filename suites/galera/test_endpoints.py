"""The way to the database: Services lead to the ready nodes, and names inside the cluster to the right ones."""

from __future__ import annotations

import pytest

from harness.probes.ports import open_from, resolve_from
from suites.galera.checks import check_endpoints
from suites.galera.galera import PORTS, Galera


@pytest.mark.smoke
def test_headless_service_leads_to_every_node(whole: Galera) -> None:
    """The headless Service has one endpoint for each pod, with the four ports, and no address of its own."""
    service = whole.get("v1", "Service", whole.headless_service)["spec"]
    assert service["clusterIP"] == "None"
    assert {port["name"]: port["port"] for port in service["ports"]} == PORTS
    assert check_endpoints(whole.slices(whole.headless_service), whole.pods(), PORTS, ready_only=False) == []


@pytest.mark.smoke
def test_client_service_leads_to_ready_nodes(whole: Galera) -> None:
    """The client Service has an address, the one port for clients, and one endpoint for each ready pod."""
    service = whole.get("v1", "Service", whole.client_service)["spec"]
    assert service["clusterIP"] not in ("", "None")
    assert {port["name"]: port["port"] for port in service["ports"]} == {"mysql": 3306}
    slices = whole.slices(whole.client_service)
    assert check_endpoints(slices, whole.pods(), {"mysql": 3306}, ready_only=True) == []


def test_names_resolve_inside_the_cluster(whole: Galera) -> None:
    """From a node, the headless name has all addresses, each node's name its own, the client name the Service's."""
    run = whole.members()[0].run
    addresses = {pod["metadata"]["name"]: pod["status"]["podIP"] for pod in whole.pods()}
    assert resolve_from(run, whole.headless_service) == set(addresses.values())
    for name, address in addresses.items():
        assert resolve_from(run, f"{name}.{whole.headless_service}") == {address}
    service = whole.get("v1", "Service", whole.client_service)["spec"]["clusterIP"]
    assert resolve_from(run, whole.client_service) == {service}


def test_bootstrap_name_is_gone(whole: Galera) -> None:
    """The bootstrap node's name leads nowhere once the cluster is made."""
    domain = f"{whole.namespace}.svc.cluster.local."
    assert resolve_from(whole.members()[0].run, f"{whole.instance}-bootstrap-svc.{domain}") == frozenset()


def test_ports_are_open_between_nodes(whole: Galera) -> None:
    """From one node the clients' and the group's ports of the others are open; a copy's port only during a copy."""
    first, *others = whole.members()
    for member in others:
        host = f"{member.name}.{whole.headless_service}"
        states = {name: open_from(first.run, host, PORTS[name]) for name in ("mysql", "replication", "sst")}
        assert states == {"mysql": True, "replication": True, "sst": False}, member.name


def test_service_answers_inside_the_cluster(whole: Galera) -> None:
    """The Service's own address, through the cluster's proxy, leads to a server."""
    assert open_from(whole.members()[0].run, whole.client_service, PORTS["mysql"])
