"""What a Galera cluster and its operator promise, as functions of plain data that return what is wrong.

Pure: the tests of this suite ask a live cluster and hand the answers in; tests/galera hands in rendered objects with
seeded faults. An empty list means that the promise holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Manifest = Mapping[str, Any]

# Groups of an option file that mariadbd reads (besides those with a version number).
SERVER_GROUPS = frozenset({"mysqld", "server", "mariadb", "mariadbd", "client-server", "galera"})
PORT_NAMES = ("mysql", "sst", "replication", "ist")
# The running server keeps the address list that it was started with; only a restart reads a new one.
READ_AT_START = frozenset({"wsrep_cluster_address"})

_SIZES = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_SWITCHES = {"1": "ON", "0": "OFF", "TRUE": "ON", "FALSE": "OFF"}


# --- the database -----------------------------------------------------------------------------------------------------


def check_members(statuses: Mapping[str, Mapping[str, str]], size: int) -> list[str]:
    """Compare the status of all members with a whole, healthy cluster.

    Args:
        statuses: by member, its wsrep status variables.
        size: how many members there should be.
    """
    wanted = {
        "wsrep_cluster_size": str(size),
        "wsrep_cluster_status": "Primary",
        "wsrep_local_state_comment": "Synced",
        "wsrep_ready": "ON",
        "wsrep_connected": "ON",
    }
    differences = [] if len(statuses) == size else [f"{len(statuses)} members answer, not {size}"]
    for member, status in statuses.items():
        wrong = {name: status.get(name, "nothing") for name, value in wanted.items() if status.get(name) != value}
        differences += [f"{member}: {name} is {seen}, not {wanted[name]}" for name, seen in wrong.items()]
    return differences + _check_agreement(statuses, size)


def _check_agreement(statuses: Mapping[str, Mapping[str, str]], size: int) -> list[str]:
    same = ("wsrep_cluster_state_uuid", "wsrep_cluster_conf_id", "wsrep_protocol_version", "wsrep_provider_version")
    own = ("wsrep_gcomm_uuid", "wsrep_local_index")
    differences = []
    for name in same:
        values = {member: status.get(name, "") for member, status in statuses.items()}
        if len(set(values.values())) > 1:
            differences.append(f"{name} differs: {_pairs(values)}")
    for name in own:
        values = {member: status.get(name, "") for member, status in statuses.items()}
        if len(set(values.values())) < len(values):
            differences.append(f"{name} is not unique: {_pairs(values)}")
    for member, status in statuses.items():
        addresses = [one for one in status.get("wsrep_incoming_addresses", "").split(",") if one]
        if len(set(addresses)) != size or any(not re.fullmatch(r".+:\d+", one) for one in addresses):
            differences.append(f"{member}: wsrep_incoming_addresses is {addresses}, not {size} addresses with ports")
    return differences


def check_lineage(statuses: Mapping[str, Mapping[str, str]], uuid: str) -> list[str]:
    """Compare the cluster's UUID with the one of its first start: another one means another, empty, cluster.

    Args:
        statuses: by member, its wsrep status variables.
        uuid: wsrep_cluster_state_uuid as it was first seen.
    """
    names = ("wsrep_cluster_state_uuid", "wsrep_local_state_uuid")
    return [
        f"{member}: {name} is {status.get(name)}, not {uuid}"
        for member, status in statuses.items()
        for name in names
        if status.get(name) != uuid
    ]


def options_of(text: str) -> dict[str, dict[str, str]]:
    """Return the options of an option file by group."""
    groups: dict[str, dict[str, str]] = {}
    current: dict[str, str] = {}
    for line in (raw.strip() for raw in text.splitlines()):
        if not line or line.startswith(("#", ";")):
            continue
        if line.startswith("["):
            current = groups.setdefault(line.strip("[]"), {})
            continue
        name, _, value = line.partition("=")
        current[name.strip().replace("-", "_")] = value.strip().strip('"')
    return groups


def check_groups(files: Mapping[str, str]) -> list[str]:
    """Find options that stand in a group which the server does not read."""
    return [
        f"{name}: the server does not read group [{group}], {len(options)} options in it do nothing"
        for name, text in files.items()
        for group, options in options_of(text).items()
        if group not in SERVER_GROUPS and not re.fullmatch(r"(mysqld|mariadbd?)-\d+\.\d+", group)
    ]


def check_in_effect(files: Mapping[str, str], variables: Mapping[str, str]) -> list[str]:
    """Compare option files with the variables of a running server.

    Args:
        files: option files by name, as in the ConfigMap.
        variables: the server's global variables.
    """
    differences = check_groups(files)
    for name, text in files.items():
        for options in options_of(text).values():
            for option, value in options.items():
                differences += _check_option(f"{name}: {option}", option, value, variables)
    return differences


def _check_option(where: str, option: str, value: str, variables: Mapping[str, str]) -> list[str]:
    if option in READ_AT_START:
        return []
    seen = variables.get(option)
    if seen is None:
        return [f"{where} is no variable of this server"]
    if option == "wsrep_provider_options":
        return _check_provider_options(where, value, seen)
    return [] if _normal(value) == _normal(seen) else [f"{where} is {seen}, not {value}"]


def _check_provider_options(where: str, value: str, seen: str) -> list[str]:
    wanted, running = (dict(_split(one) for one in text.split(";") if one.strip()) for text in (value, seen))
    return [
        f"{where}: {name} is {running.get(name)}, not {option}"
        for name, option in wanted.items()
        if _normal(running.get(name, "")) != _normal(option)
    ]


def _split(option: str) -> tuple[str, str]:
    name, _, value = option.partition("=")
    return name.strip(), value.strip()


def _normal(value: str) -> str:
    """Return a value in one spelling: sizes in bytes, switches as ON and OFF."""
    text = value.strip().upper()
    if match := re.fullmatch(r"(\d+)([KMG])", text):
        return str(int(match[1]) * _SIZES[match[2]])
    return _SWITCHES.get(text, text)


def state_transfer(log: str) -> str:
    """Tell from a server's log how it got its state the last time it started: "SST", "IST" or "none".

    A joiner prepares for both, and its log says "SST received" in both cases. What tells them apart are the numbers:
    the first change that it lacks (0 when it has nothing), and the position that the copy brought. A position just
    before that change is its own: nothing was copied, and the increment did it.
    """
    last = log.rpartition("WSREP: Start replication")[2]
    lacks = re.findall(r"Prepared IST receiver for (\d+)-", last)
    copied = re.findall(r"SST received: [0-9a-f-]+:(\d+)", last)
    if copied and lacks and (int(lacks[-1]) == 0 or int(copied[-1]) >= int(lacks[-1])):
        return "SST"
    return "IST" if re.search(r"IST received: [0-9a-f-]+:\d+", last) else "none"


# --- the plan ---------------------------------------------------------------------------------------------------------


def check_plan(entry: Manifest, plan: Manifest) -> list[str]:
    """Compare a plan's status with the plan: all complete, the same phases and steps in the same order, each once.

    Args:
        entry: `status.planStatus.<plan>` of the Instance.
        plan: the plan as operator.yaml has it.
    """
    if entry.get("status") != "COMPLETE":
        return [f"the plan is {entry.get('status')}"]
    differences = _check_names("phases", entry.get("phases") or [], plan["phases"])
    for phase, wanted in zip(entry.get("phases") or [], plan["phases"], strict=False):
        differences += _check_names(f"steps of {wanted['name']}", phase.get("steps") or [], wanted["steps"])
        parts = [phase, *(phase.get("steps") or [])]
        differences += [f"{one['name']} is {one.get('status')}" for one in parts if one.get("status") != "COMPLETE"]
    return differences


def _check_names(what: str, seen: Sequence[Manifest], wanted: Sequence[Manifest]) -> list[str]:
    names, expected = [one["name"] for one in seen], [one["name"] for one in wanted]
    return [] if names == expected else [f"{what} are {names}, not {expected}"]


# --- the objects ------------------------------------------------------------------------------------------------------


def check_ownership(manifest: Manifest, *, instance: str, uid: str, operator: str) -> list[str]:
    """Check KUDO's labels, annotations and owner reference on an object that a plan applied."""
    metadata = manifest["metadata"]
    labels = {"heritage": "kudo", "kudo.dev/operator": operator, "kudo.dev/instance": instance}
    found = metadata.get("labels") or {}
    where = f"{manifest['kind']} {metadata['name']}"
    wrong = [key for key, value in labels.items() if found.get(key) != value]
    differences = [f"{where}: label {key} is {found.get(key)}" for key in wrong]
    annotations = metadata.get("annotations") or {}
    needed = ("plan", "phase", "step", "last-plan-execution-uid", "last-applied-configuration")
    differences += [f"{where}: no annotation kudo.dev/{key}" for key in needed if f"kudo.dev/{key}" not in annotations]
    owners = [one for one in metadata.get("ownerReferences") or [] if one.get("controller")]
    if [(one["kind"], one["name"], one["uid"]) for one in owners] != [("Instance", instance, uid)]:
        differences.append(f"{where}: its controller is {owners}, not Instance {instance}")
    return differences


def check_endpoints(
    slices: Iterable[Manifest], pods: Iterable[Manifest], ports: Mapping[str, int], *, ready_only: bool
) -> list[str]:
    """Compare a Service's EndpointSlices with the pods that it should lead to.

    Args:
        slices: discovery.k8s.io/v1 EndpointSlices of the Service.
        pods: the members' pods.
        ports: the Service's ports by name.
        ready_only: whether the Service leads to ready pods only; else unready ones are in it too.
    """
    wanted = {
        pod["metadata"]["uid"]: (pod["status"].get("podIP"), pod["metadata"]["name"])
        for pod in pods
        if is_ready(pod) or not ready_only
    }
    seen: dict[str, tuple[str, str]] = {}
    differences: list[str] = []
    for one in slices:
        found = {port.get("name") or "": port["port"] for port in one.get("ports") or []}
        if one.get("endpoints") and found != dict(ports):
            differences.append(f"ports are {found}, not {dict(ports)}")
        for endpoint in one.get("endpoints") or []:
            target = endpoint.get("targetRef") or {}
            if (endpoint.get("conditions") or {}).get("ready", True):
                if target.get("uid") in seen:
                    differences.append(f"{target.get('name')} is there twice")
                seen[target.get("uid", "")] = (endpoint["addresses"][0], target.get("name", ""))
    differences += [f"{name} ({ip}) is missing" for uid, (ip, name) in wanted.items() if uid not in seen]
    differences += [f"{name} ({ip}) should not be there" for uid, (ip, name) in seen.items() if uid not in wanted]
    differences += [
        f"{name} has address {seen[uid][0]}, not {ip}"
        for uid, (ip, name) in wanted.items()
        if uid in seen and seen[uid][0] != ip
    ]
    return differences


def is_ready(pod: Manifest) -> bool:
    """Tell whether a pod is ready and not on its way out."""
    conditions = pod.get("status", {}).get("conditions") or []
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return ready and not pod["metadata"].get("deletionTimestamp")


def check_no_secrets(text: str, secrets: Iterable[str], where: str) -> list[str]:
    """Find passwords in a text that everybody may read."""
    return [f"{where} holds a password" for secret in secrets if secret and secret in text]


def _pairs(values: Mapping[str, str]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items())
