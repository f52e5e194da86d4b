"""Namespaces of a run: names, labels, removal, and what is said of those that stay or hang."""

from __future__ import annotations

import os
from typing import Any

import pytest

from harness.clusters.leftovers import OWNER_ANNOTATION
from harness.clusters.namespaces import Namespaces
from harness.kit.documents import Manifest
from harness.kit.errors import DeadlineError, HarnessError
from harness.kit.waiting import Pending


class Fake:
    """A server that keeps namespaces; those in `stuck` never go."""

    def __init__(self) -> None:
        self.objects: dict[str, Manifest] = {}
        self.accounts = {"default"}
        self.stuck: set[str] = set()

    def create(self, manifest: Manifest, namespace: str | None = None) -> Manifest:
        self.objects[manifest["metadata"]["name"]] = manifest
        return manifest

    def delete(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Any:
        if name in self.stuck:
            self.objects[name]["status"] = {
                "phase": "Terminating",
                "conditions": [
                    {"status": "True", "message": "Some content has finalizers remaining: kudo.dev.instance.cleanup"}
                ],
            }
        else:
            self.objects.pop(name, None)

    def find(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Manifest | None:
        if kind == "ServiceAccount":
            return {"kind": kind} if namespace in self.accounts else None
        return self.objects.get(name)

    def until(
        self,
        api_version: str,
        kind: str,
        name: str,
        namespace: str | None,
        condition: Any,
        *,
        timeout: Any,
        wanted: str,
    ) -> Any:
        if kind == "ServiceAccount" and self.accounts and "slow" not in str(namespace):
            self.accounts.add(str(namespace))
        answer = condition(self.find(api_version, kind, name, namespace))
        if isinstance(answer, Pending):
            raise DeadlineError(wanted, seen=answer.reason)
        return answer


@pytest.fixture
def fake() -> Fake:
    return Fake()


@pytest.mark.parametrize(
    ("prefix", "start"),
    [("test_scale[3-5]", "test-scale-3-5-"), ("3 nodes", "t-3-nodes-"), ("x" * 99, "x" * 58 + "-")],
)
def test_a_name_is_a_dns_label_made_of_the_prefix(fake: Fake, prefix: str, start: str) -> None:
    """Signs that a namespace may not have become dashes; the end is random, so that runs do not meet."""
    name = Namespaces(fake, run="ab12").make(prefix)
    assert name.startswith(start)
    assert len(name) <= 63


def test_a_namespace_carries_the_run_and_its_owner(fake: Fake) -> None:
    """Label and annotation let `harness clean` find what a killed run left, and leave a living run alone."""
    metadata = fake.objects[Namespaces(fake, run="ab12").make("x")]["metadata"]
    assert metadata["labels"]["harness.dev/run"] == "ab12"
    assert metadata["annotations"][OWNER_ANNOTATION].endswith(f"/{os.getpid()}")


def test_a_namespace_is_ready_for_pods(fake: Fake) -> None:
    """Its service account is awaited, without which the API server refuses every pod."""
    name = Namespaces(fake, run="ab12").make("x")
    assert name in fake.accounts
    with pytest.raises(DeadlineError, match="service account default in namespace slow"):
        Namespaces(fake, run="ab12").make("slow")


def test_an_api_server_alone_makes_no_service_accounts(fake: Fake) -> None:
    """Without controllers nothing is awaited: neither the account nor the end of a namespace."""
    fake.accounts = set()
    namespaces = Namespaces(fake, run="ab12")
    fake.stuck.add(namespaces.make("x"))
    assert namespaces.close(timeout=1) == []


def test_closing_removes_all_but_the_kept_ones(fake: Fake) -> None:
    """What stays is named with the command that removes it."""
    namespaces = Namespaces(fake, run="ab12")
    first, second = namespaces.make("a"), namespaces.make("b")
    lines = namespaces.close(keep={second}, timeout=1)
    assert list(fake.objects) == [second]
    assert lines == [f"namespace {second}; remove it with: kubectl delete namespace {second}"]
    assert first not in fake.objects


def test_a_namespace_that_hangs_is_an_error_with_its_holder(fake: Fake) -> None:
    """The message repeats what the namespace controller says of the finalizers."""
    namespaces = Namespaces(fake, run="ab12")
    fake.stuck.add(namespaces.make("a"))
    with pytest.raises(HarnessError) as caught:
        namespaces.close(timeout=0.05)
    assert "kudo.dev.instance.cleanup" in caught.value.seen
    assert "kubectl get namespace" in caught.value.run
