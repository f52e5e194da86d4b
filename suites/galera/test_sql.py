"""The database itself, asked through PyMySQL on every node and through the client Service."""

from __future__ import annotations

import secrets

from suites.galera.checks import check_in_effect, check_lineage, check_members, check_no_secrets, options_of
from suites.galera.galera import DATABASE, ROOT_PASSWORD, SST_PASSWORD, Galera


def test_members_agree(whole: Galera) -> None:
    """Size, status, state, UUID, view, protocol and provider are the same on all; identity and address are not."""
    assert check_members(whole.statuses(), 3) == []


def test_lineage(whole: Galera) -> None:
    """The cluster is the one that was first made: its UUID has not changed."""
    assert check_lineage(whole.statuses(), whole.uuid) == []


def test_client_service_reaches_the_cluster(whole: Galera) -> None:
    """Connections through the client Service reach every node in turn, and all tell the same size."""
    with whole.door() as door:
        names = set()
        for _ in range(3):
            sql = door.sql()
            names.add(sql.value("SELECT @@wsrep_node_name"))
            assert sql.pairs("SHOW GLOBAL STATUS LIKE 'wsrep_cluster_size'") == {"wsrep_cluster_size": "3"}
            sql.close()
    assert names == {member.name for member in whole.members()}


def test_config_in_effect(whole: Galera) -> None:
    """Every option of the ConfigMap is what the running server uses, on every node."""
    files = whole.files()
    differences = {member.name: check_in_effect(files, member.variables()) for member in whole.members()}
    assert {name: lines for name, lines in differences.items() if lines} == {}


def test_address_list_is_read_at_start(whole: Galera) -> None:
    """A running server knows every node, with the bootstrap node in front if it has run since the first deployment."""
    wanted = options_of(whole.files()["galera.cnf"])["galera"]["wsrep_cluster_address"].removeprefix("gcomm://")
    for member in whole.members():
        seen = member.variables()["wsrep_cluster_address"].removeprefix("gcomm://")
        assert seen.removeprefix(f"{whole.instance}-bootstrap-svc,") == wanted, member.name


def test_nodes_know_themselves(whole: Galera) -> None:
    """Each server has its pod's name and address, and takes its copies there."""
    addresses = {pod["metadata"]["name"]: pod["status"]["podIP"] for pod in whole.pods()}
    for member in whole.members():
        variables = member.variables()
        assert variables["wsrep_node_name"] == member.name
        assert variables["wsrep_node_address"] == addresses[member.name]
        assert variables["wsrep_sst_receive_address"] == f"{addresses[member.name]}:4444"


def test_rows_written_on_one_node_are_read_on_all(whole: Galera) -> None:
    """A row that is acknowledged on one node is at once there for a causal read on every other."""
    members = whole.members()
    members[0].execute(f"CREATE DATABASE IF NOT EXISTS {DATABASE}")
    table = f"{DATABASE}.rows_{secrets.token_hex(4)}"
    members[0].execute(f"CREATE TABLE {table} (writer VARCHAR(64) PRIMARY KEY, text VARCHAR(64) CHARACTER SET utf8mb4)")
    for writer in members:
        writer.execute(f"INSERT INTO {table} VALUES (%s, %s)", (writer.name, "Grüße, 日本"))  # noqa: S608 - a name of ours
        for reader in members:
            rows = reader.rows(f"SELECT text FROM {table} WHERE writer = %s", (writer.name,))  # noqa: S608 - the same
            assert rows == [("Grüße, 日本",)], f"written on {writer.name}, read on {reader.name}"
    members[0].execute(f"DROP TABLE {table}")


def test_automatic_keys_do_not_collide(whole: Galera) -> None:
    """Each node hands out automatic keys of its own: the step is the size, the offsets differ."""
    variables = [member.variables() for member in whole.members()]
    assert {each["auto_increment_increment"] for each in variables} == {"3"}
    assert sorted(each["auto_increment_offset"] for each in variables) == ["1", "2", "3"]


def test_no_password_in_arguments_or_logs(whole: Galera) -> None:
    """No process on a node has a password among its arguments or in its environment, and no log shows one."""
    script = "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'; true"
    for member in whole.members():
        _code, processes = member.run(["bash", "-c", script])
        assert "mariadbd" in processes
        assert check_no_secrets(processes, (ROOT_PASSWORD, SST_PASSWORD), f"{member.name}, processes") == []
        assert check_no_secrets(member.log(), (ROOT_PASSWORD, SST_PASSWORD), f"{member.name}, log") == []
