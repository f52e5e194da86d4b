"""Cases on a real API server, one test for each rule of kuttl's steps."""

from __future__ import annotations

import pytest

from harness.kube import Kube
from tests.suite_run.conftest import Runner

pytestmark = pytest.mark.contract

MAP = """
apiVersion: v1
kind: ConfigMap
metadata:
  name: {name}
  labels: {{app: {app}}}
data:
  size: "{size}"
"""


def config_map(name: str = "one", size: str = "3", app: str = "db") -> str:
    """Return a ConfigMap as a document."""
    return MAP.format(name=name, size=size, app=app)


def test_a_case_installs_asserts_and_deletes(runner: Runner, kube: Kube) -> None:
    """Objects are applied, asserted, denied and deleted; every step tells its name and its assertions."""
    result = runner.run(
        {
            "00-install.yaml": config_map(),
            "00-assert.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\ndata: {size: '3'}\n",
            "00-errors.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: two}\n",
            "01-delete.yaml": """
                apiVersion: kuttl.dev/v1beta1
                kind: TestStep
                delete:
                - {apiVersion: v1, kind: ConfigMap, name: one}
                """,
            "01-errors.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\n",
        }
    )
    assert result.outcome == "passed", runner.told
    assert [(step.name, step.assertions) for step in result.steps] == [("0-install", 2), ("1-delete", 1)]
    assert kube.find("v1", "ConfigMap", "one", result.namespace) is None


def test_a_failed_assert_tells_every_difference(runner: Runner) -> None:
    """A step fails at its timeout with all mismatches, their lines, and what the field was."""
    runner.suite["timeout"] = 1
    result = runner.run(
        {
            "00-install.yaml": config_map(),
            "00-assert.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\ndata:\n  more: x\n  size: '5'\n",
            "01-never.yaml": config_map("never"),
        }
    )
    assert result.outcome == "failed"
    assert [step.name for step in result.steps] == ["0-install"]
    failure = result.steps[0].failures[0]
    assert failure.text == f"resource ConfigMap:{result.namespace}/one: .data.more: key is missing from map"
    assert failure.where.endswith("00-assert.yaml:5:3")
    assert [row.split() for row in failure.rows] == [
        ["line", "5", ".data.more", "wanted", '"x"', "seen", "nothing"],
        ["line", "6", ".data.size", "wanted", '"5"', "seen", '"3"'],
    ]
