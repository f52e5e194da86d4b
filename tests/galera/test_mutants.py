"""Faults seeded into the Galera operator: each of them is found, by the check that is meant to find it.

The faults are those of the operator that the package descends from, and a few more; suites/galera/operator/README.md
lists them. A check that finds nothing here would find nothing in a real package either.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from harness.kudo.package import Package, parse_package
from suites.galera.package_checks import CHECKS, view_of

ROOT = Path(__file__).parents[2] / "suites" / "galera" / "operator"
Change = Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A fault: which file, what is changed in it, and the checks that must find it."""

    file: str
    change: Change
    found_by: tuple[str, ...]


def swap(old: str, new: str) -> Change:
    """Return a change of every occurrence of a text."""
    return lambda text: text.replace(old, new)


def drop(pattern: str) -> Change:
    """Return a change that removes the lines in which a pattern is found."""
    return lambda text: "".join(line for line in text.splitlines(keepends=True) if not re.search(pattern, line))


def without(first: str, last: str) -> Change:
    """Return a change that removes a block of lines, from one that matches to just before one that matches."""
    return lambda text: re.sub(rf"(?ms)^[^\n]*{first}.*?(?=^[^\n]*{last})", "", text, count=1)


STATEFULSET, CONFIG, SCRIPTS = (f"templates/{one}.yaml" for one in ("statefulset", "galera_config", "node_scripts"))
BOOTSTRAP, DEPLOYMENT = "templates/bootstrap_config.yaml", "templates/bootstrap_deploy.yaml"

MUTANTS: Mapping[str, Mutant] = {
    "option_group": Mutant(file=CONFIG, change=swap("[mariadb]", "[innodb]"), found_by=("option_groups",)),
    "bootstrap_option_group": Mutant(file=BOOTSTRAP, change=swap("[galera]", "[wsrep]"), found_by=("option_groups",)),
    "no_update_plan": Mutant(
        file="operator.yaml",
        change=lambda text: text[: text.index("  # Every other change")],
        found_by=("only_creation_bootstraps",),
    ),
    "parameter_triggers_deploy": Mutant(
        file="params.yaml",
        change=swap("    trigger: node_update", "    trigger: deploy"),
        found_by=("only_creation_bootstraps",),
    ),
    "blind_bootstrap": Mutant(
        file=DEPLOYMENT,
        change=drop(r"command: \[\"bash\", \"/scripts/bootstrap.sh\"\]"),
        found_by=("bootstrap_looks_first",),
    ),
    "blind_node": Mutant(
        file=SCRIPTS, change=swap("wsrep_cluster_state_uuid", "wsrep_x"), found_by=("bootstrap_looks_first",)
    ),
    "no_init": Mutant(
        file=STATEFULSET, change=swap("/scripts/init.sh", "/scripts/none"), found_by=("bootstrap_looks_first",)
    ),
    "shared_group_name": Mutant(file=CONFIG, change=drop("wsrep_cluster_name"), found_by=("group_name",)),
    "constant_group_name": Mutant(
        file=CONFIG,
        change=swap("wsrep_cluster_name = {{ $group }}", "wsrep_cluster_name = my_wsrep_cluster"),
        found_by=("group_name",),
    ),
    "long_group_name": Mutant(
        file=CONFIG,
        change=swap('{{- $group := printf "%s/%s" .Namespace .Name }}', "{{- $group := repeat 9 .Namespace }}"),
        found_by=("group_name",),
    ),
    "bootstrap_in_final_list": Mutant(
        file=CONFIG, change=swap('{{ if eq .StepName "firstboot_config" }}', "{{ if true }}"), found_by=("addresses",)
    ),
    "one_address_short": Mutant(
        file=CONFIG,
        change=swap("untilStep 1 (int .Params.NODE_COUNT) 1", "untilStep 2 (int .Params.NODE_COUNT) 1"),
        found_by=("addresses",),
    ),
    "restart_on_scaling": Mutant(
        file=CONFIG, change=drop("skip-hash-calculation"), found_by=("scaling_restarts_nobody",)
    ),
    "template_knows_size": Mutant(
        file=STATEFULSET,
        change=swap("list .Params.SST_METHOD", "list .Params.NODE_COUNT .Params.SST_METHOD"),
        found_by=("scaling_restarts_nobody",),
    ),
    "settings_restart_nobody": Mutant(
        file=STATEFULSET, change=drop("galera.harness.dev/settings"), found_by=("scaling_restarts_nobody",)
    ),
    "no_prestop": Mutant(file=STATEFULSET, change=without("lifecycle:", "# During"), found_by=("stop",)),
    "empty_scripts": Mutant(
        file=SCRIPTS,
        change=lambda text: text[: text.index("\ndata:") + 1],
        found_by=("stop", "readiness", "zombies_die"),
    ),
    "short_grace": Mutant(file=STATEFULSET, change=drop("terminationGracePeriodSeconds"), found_by=("stop",)),
    "sst_accounts_differ": Mutant(
        file=CONFIG,
        change=swap("    binlog_format = ROW", "    wsrep_sst_auth = root:root\n    binlog_format = ROW"),
        found_by=("sst_account",),
    ),
    "no_sst_account": Mutant(
        file=DEPLOYMENT, change=swap("subPath: sst-user.sql", "subPath: client.cnf"), found_by=("sst_account",)
    ),
    "node_without_sst_account": Mutant(
        file=STATEFULSET, change=swap("subPath: sst-auth.cnf", "subPath: client.cnf"), found_by=("sst_account",)
    ),
    "password_in_probe": Mutant(
        file=STATEFULSET,
        change=swap(
            '"--defaults-extra-file=/etc/galera-credentials/client.cnf"', '"-p{{ .Params.MYSQL_ROOT_PASSWORD }}"'
        ),
        found_by=("secrets",),
    ),
    "password_in_environment": Mutant(
        file=DEPLOYMENT,
        change=swap("value: /etc/galera-credentials/root-password", "value: {{ .Params.MYSQL_ROOT_PASSWORD }}"),
        found_by=("secrets",),
    ),
    "password_in_config": Mutant(
        file=CONFIG,
        change=swap("    binlog_format = ROW", "    # {{ .Params.SST_PASSWORD }}\n    binlog_format = ROW"),
        found_by=("secrets",),
    ),
    "hidden_until_ready": Mutant(
        file="templates/hs-service.yaml", change=drop("publishNotReadyAddresses"), found_by=("names_before_ready",)
    ),
    "clients_to_unready": Mutant(
        file="templates/cs-service.yaml",
        change=swap("spec:\n", "spec:\n  publishNotReadyAddresses: true\n"),
        found_by=("names_before_ready",),
    ),
    "ready_without_sync": Mutant(
        file=STATEFULSET,
        change=swap('["bash", "/scripts/node-readiness-probe.sh"]', '["mariadb", "-e", "SELECT 1"]'),
        found_by=("readiness",),
    ),
    "liveness_kills_joiners": Mutant(
        file=STATEFULSET, change=without("startupProbe:", "# Would"), found_by=("joiners_live",)
    ),
    "liveness_spares_zombies": Mutant(
        file=STATEFULSET,
        change=swap('["bash", "/scripts/node-liveness-probe.sh"]', '["mariadb-admin", "ping"]'),
        found_by=("zombies_die",),
    ),
    "liveness_kills_minority": Mutant(
        file=SCRIPTS,
        change=swap('[ "$status" != Disconnected ]', '[ "$status" = Primary ] # Disconnected'),
        found_by=("zombies_die",),
    ),
    "old_pdb": Mutant(
        file="templates/pdb.yaml", change=swap("policy/v1", "policy/v1beta1"), found_by=("disruption_budget",)
    ),
    "budget_of_others": Mutant(
        file="templates/pdb.yaml", change=swap("app: galera", "app: other"), found_by=("disruption_budget",)
    ),
    "no_pdb": Mutant(
        file="operator.yaml", change=swap("- pdb.yaml", "- hs-service.yaml"), found_by=("disruption_budget",)
    ),
    "port_only_in_service": Mutant(file=CONFIG, change=drop("port = "), found_by=("ports",)),
    "group_port_only_in_service": Mutant(file=CONFIG, change=drop("base_port"), found_by=("ports",)),
    "old_client_names": Mutant(file=STATEFULSET, change=swap("mariadb-admin", "mysqladmin"), found_by=("programs",)),
    "old_client_in_script": Mutant(file=SCRIPTS, change=swap("$(mariadb --", "$(mysql --"), found_by=("programs",)),
    "always_pull": Mutant(
        file="params.yaml", change=swap("default: IfNotPresent", "default: Always"), found_by=("images",)
    ),
    "latest_image": Mutant(file="params.yaml", change=swap("mariadb:10.11", "mariadb:latest"), found_by=("images",)),
    "no_node_address": Mutant(file=STATEFULSET, change=drop("--wsrep-node-address"), found_by=("node_identity",)),
    "bootstrap_left_over": Mutant(
        file="operator.yaml",
        change=swap(
            "        - bootstrap_deploy.yaml\n        - bootstrap_service.yaml\n", "        - bootstrap_deploy.yaml\n"
        ),
        found_by=("bootstrap_goes",),
    ),
    "no_cleanup": Mutant(file="operator.yaml", change=drop("^ +- bootstrap_cleanup$"), found_by=("bootstrap_goes",)),
}


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    """Return the package's files by path."""
    return {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in ROOT.rglob("*.yaml")}


def findings(package: Package) -> dict[str, list[str]]:
    view = view_of(package)
    found = {name: check(view) for name, check in CHECKS.items()}
    return {name: lines for name, lines in found.items() if lines}


def test_the_package_itself_is_clean(files: dict[str, str]) -> None:
    """No check finds anything in the package as it is."""
    assert findings(parse_package(files, "operator")) == {}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_seeded_fault_is_found(files: dict[str, str], name: str) -> None:
    """The fault changes the package, and the check that is meant for it is among those that go red."""
    mutant = MUTANTS[name]
    changed = mutant.change(files[mutant.file])
    assert changed != files[mutant.file], "the fault no longer fits the file"
    found = findings(parse_package({**files, mutant.file: changed}, "operator"))
    assert set(mutant.found_by) <= set(found), found


def test_every_check_finds_some_fault() -> None:
    """There is no check that never goes red."""
    assert {check for mutant in MUTANTS.values() for check in mutant.found_by} == set(CHECKS)


def test_every_fault_in_the_readme_exists() -> None:
    """The README names mutants that are here, so that its table cannot promise too much."""
    table = [line for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    cells = [line.rsplit("|", 2)[1] for line in table]
    named = {
        name
        for cell in cells
        for part in re.findall(r"mutants? ((?:`\w+`(?:, )?)+)", cell)
        for name in re.findall(r"`(\w+)`", part)
    }
    assert named
    assert named <= set(MUTANTS)


def test_every_test_in_the_readme_exists() -> None:
    """The README names tests that the suite has."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    defined = {
        name
        for path in ROOT.parent.glob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    named = set(re.findall(r"`(test_\w+)`", text))
    assert named
    assert named <= defined


def test_a_mutant_is_one_change() -> None:
    """Mutants are made by replacing, so that a fault stays what its name says."""
    mutant = MUTANTS["old_pdb"]
    assert replace(mutant, found_by=()).change("policy/v1") == "policy/v1beta1"
