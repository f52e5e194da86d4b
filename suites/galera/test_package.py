"""The package, before any cluster: it verifies, it renders to what is on file, and it refuses bad values."""

from __future__ import annotations

import base64
import difflib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.kit.errors import UsageError
from suites.galera.galera import PACKAGE, ROOT_PASSWORD, SST_PASSWORD
from suites.galera.package_checks import CHECKS, load_view

if TYPE_CHECKING:  # the template engine is loaded by the tests that render, not when the tests are collected
    from harness.kit.documents import Manifest
    from harness.kudo.model import OperatorVersion
    from harness.kudo.package import Package

GOLDEN = Path(__file__).parent / "golden"
RENDER = "kubectl kudo package render suites/galera/operator --instance galera --namespace golden"


@pytest.fixture(scope="module")
def package() -> Package:
    """Return the package."""
    from harness.kudo.packages import load_package

    return load_package(PACKAGE)


@pytest.fixture(scope="module")
def version(package: Package) -> OperatorVersion:
    """Return what the package becomes in a cluster."""
    from harness.kudo.package import package_objects

    return package_objects(package, namespace="golden", instance="galera").parsed()


def rendered(version: OperatorVersion, plan: str, step: str = "", **given: str) -> str:
    """Return what a plan does, as the command in RENDER prints it."""
    from harness.kudo.preview import rendered_stream, rendered_tasks

    tasks = rendered_tasks(version, plan=plan, step=step, instance="galera", namespace="golden", given=given)
    return rendered_stream(tasks)


def objects(version: OperatorVersion, plan: str, step: str = "", **given: str) -> dict[str, Manifest]:
    """Return what a plan applies, by kind."""
    from harness.kudo.preview import rendered_tasks

    tasks = rendered_tasks(version, plan=plan, step=step, instance="galera", namespace="golden", given=given)
    return {one["kind"]: one for task in tasks for one in task.manifests}


def test_package_verifies(package: Package) -> None:
    """The package has no error and no warning, the descriptions of its parameters included."""
    from harness.kudo.verify import verify

    report = verify(package, ["display", "desc", "type", "hasgroup", "groups"])
    assert [str(finding) for finding in report.findings] == []
    assert package.warnings == ()


@pytest.mark.parametrize("check", CHECKS)
def test_package_keeps_its_promises(check: str) -> None:
    """Each promise of the operator's README that can be seen before a cluster holds."""
    assert CHECKS[check](load_view(PACKAGE)) == []


@pytest.mark.parametrize("nodes", [1, 3, 5])
def test_configuration_renders_as_on_file(version: OperatorVersion, nodes: int) -> None:
    """The first-boot and the final configuration name every node, the first one the bootstrap node as well."""
    first = rendered(version, "deploy", "firstboot_config", NODE_COUNT=str(nodes))
    final = rendered(version, "node_update", "config", NODE_COUNT=str(nodes))
    same_as_file(f"config-{nodes}.yaml", f"{first}---\n{final}")


def test_deployment_renders_as_on_file(version: OperatorVersion) -> None:
    """Everything that `deploy` applies and deletes, step by step, for three nodes."""
    same_as_file("deploy-3.yaml", rendered(version, "deploy"))


def same_as_file(name: str, text: str) -> None:
    """Compare with a golden file; a difference is shown as a diff, with how to take the new text over."""
    path = GOLDEN / name
    expected = path.read_text(encoding="utf-8") if path.exists() else ""
    if text != expected:
        lines = difflib.unified_diff(
            expected.splitlines(), text.splitlines(), f"golden/{name}", "rendered", lineterm=""
        )
        pytest.fail(
            "\n".join([*lines, f"next     read it; if it is meant: {RENDER} ... > suites/galera/golden/{name}"])
        )


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("NODE_COUNT", "0", "only allowed values are [1 2 3 4 5 6 7 8 9]"),
        ("NODE_COUNT", "-1", "only allowed values are"),
        ("NODE_COUNT", "10", "only allowed values are"),
        ("NODE_COUNT", "2147483648", "only allowed values are"),
        ("NODE_COUNT", "three", 'format of "three" is invalid'),
        ("MYSQL_PORT", "http", 'format of "http" is invalid'),
        ("ANTI_AFFINITY", "yes", 'format of "yes" is invalid'),
        ("SST_METHOD", "mysqldump", "only allowed values are [mariabackup rsync]"),
        ("IMAGE_PULL_POLICY", "Sometimes", "only allowed values are [IfNotPresent Always Never]"),
        ("VOLUME_RETENTION", "keep", "only allowed values are [Retain Delete]"),
        ("NODE_COUNTS", "3", 'did you mean "NODE_COUNT"?'),
    ],
)
def test_bad_parameters_are_refused(version: OperatorVersion, name: str, value: str, reason: str) -> None:
    """A value of the wrong type or outside of what is allowed is refused by name, before anything is touched."""
    from harness.kudo.preview import check_given

    with pytest.raises(UsageError) as caught:
        check_given(version, {"MYSQL_ROOT_PASSWORD": "x", name: value})
    assert f'parameter "{name}"' in caught.value.seen
    assert reason in caught.value.seen


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"MYSQL_ROOT_PASSWORD": "two\nlines"}, "must not contain control characters"),
        ({"SST_PASSWORD": "bell\a"}, "must not contain control characters"),
        ({"SST_USER": "root"}, "SST_USER must be an account of its own"),
        ({"SST_USER": "o'brien"}, "SST_USER must be a letter followed by"),
        ({"VOLUME_SIZE": "big"}, "VOLUME_SIZE must be a quantity such as 500M or 1Gi"),
        ({"VOLUME_SIZE": "0"}, "VOLUME_SIZE must be a quantity"),
        ({"IST_PORT": "4600"}, "IST_PORT must be REPLICATION_PORT + 1"),
        ({"GCACHE_SIZE": "a lot"}, '"a lot" is not a size such as 64M'),
        ({"INNODB_BUFFER_POOL_SIZE": "64MB"}, '"64MB" is not a size such as 64M'),
        ({"NODE_COUNT": ""}, "NODE_COUNT must be at least 1"),
    ],
)
def test_values_that_no_type_excludes_are_refused(version: OperatorVersion, given: dict[str, str], reason: str) -> None:
    """What types and enums cannot say, the templates of the first step that needs it say."""
    with pytest.raises(UsageError) as caught:
        rendered(version, "deploy", **given)
    assert reason in caught.value.seen


@pytest.mark.parametrize("spelling", ["true", "True", "TRUE", "t", "T", "1"])
def test_anti_affinity_spellings(version: OperatorVersion, spelling: str) -> None:
    """Every spelling that counts as true spreads the nodes over machines."""
    pod = objects(version, "deploy", "statefulset", ANTI_AFFINITY=spelling)["StatefulSet"]["spec"]["template"]["spec"]
    assert pod["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]


@pytest.mark.parametrize("spelling", ["false", "False", "f", "0"])
def test_no_anti_affinity_spellings(version: OperatorVersion, spelling: str) -> None:
    """Every spelling that counts as false does not."""
    assert (
        "affinity"
        not in objects(version, "deploy", "statefulset", ANTI_AFFINITY=spelling)["StatefulSet"]["spec"]["template"][
            "spec"
        ]
    )


@pytest.mark.parametrize("password", [ROOT_PASSWORD, SST_PASSWORD, "12345", "true", "0x1", "1e3", "~", "a: b", "ünï"])
def test_awkward_passwords_survive(version: OperatorVersion, password: str) -> None:
    """A password comes out of YAML, Secret, option file and SQL as it was given, whatever it looks like."""
    given = {"MYSQL_ROOT_PASSWORD": password, "SST_PASSWORD": password}
    secret = objects(version, "deploy", "bootstrap_config", **given)["Secret"]
    data = {name: base64.b64decode(text).decode() for name, text in secret["data"].items()}
    quoted = password.replace("\\", "\\\\").replace('"', '\\"')
    assert data["root-password"] == password
    assert f'password = "{quoted}"\n' in data["client.cnf"]
    assert f'wsrep_sst_auth = "sst:{quoted}"\n' in data["sst-auth.cnf"]
    literal = password.replace("\\", "\\\\").replace("'", "''")
    assert f"IDENTIFIED BY '{literal}';" in data["sst-user.sql"]


def test_long_names_keep_the_group_name_short(version: OperatorVersion) -> None:
    """Galera cuts off at 32 characters; a longer namespace and name become a hash, different for each."""
    from harness.kudo.preview import rendered_tasks

    names = set()
    for instance in ("orders", "invoices"):
        tasks = rendered_tasks(
            version,
            plan="node_update",
            step="config",
            instance=instance,
            namespace="a-namespace-of-31-characters-x",
            given={},
        )
        text = next(one["data"]["galera.cnf"] for task in tasks for one in task.manifests)
        names.add(next(line.split(" = ")[1] for line in text.splitlines() if line.startswith("wsrep_cluster_name")))
    assert len(names) == 2
    assert all(len(name) <= 32 for name in names)
