"""Namespaces of a run: names, labels, removal, and what is said of those that stay or hang."""

from __future__ import annotations

from typing import Any

import pytest

from harness.clusters import namespaces as module
from harness.clusters.namespaces import Namespaces, leftovers
from harness.kit.documents import Manifest
from harness.kit.errors import HarnessError
from harness.kit.waiting import until


class Fake:
    """A server that keeps namespaces; those in `stuck` never go."""

    def __init__(self) -> None:
        self.objects: dict[str, Manifest] = {}
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
        return self.objects.get(name)

    def list(
        self, api_version: str, kind: str, namespace: str | None = None, *, labels: str = "", fields: str = ""
    ) -> list[Manifest]:
        key, _, value = labels.partition("=")
        found = (o for o in self.objects.values() if key in o["metadata"]["labels"])
        return [o for o in found if not value or o["metadata"]["labels"][key] == value]


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


def test_a_namespace_carries_the_run(fake: Fake) -> None:
    """The label lets `harness clean` find what a killed run left."""
    name = Namespaces(fake, run="ab12").make("x")
    Namespaces(fake, run="cd34").make("y")
    assert [n["metadata"]["name"] for n in leftovers(fake, run="ab12")] == [name]
    assert len(leftovers(fake)) == 2


def test_closing_removes_all_but_the_kept_ones(fake: Fake) -> None:
    """What stays is named with the command that removes it."""
    namespaces = Namespaces(fake, run="ab12")
    first, second = namespaces.make("a"), namespaces.make("b")
    lines = namespaces.close(keep={second}, timeout=1)
    assert list(fake.objects) == [second]
    assert lines == [f"namespace {second}; remove it with: kubectl delete namespace {second}"]
    assert first not in fake.objects


def test_a_namespace_that_hangs_is_an_error_with_its_holder(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message repeats what the namespace controller says of the finalizers."""
    monkeypatch.setattr(module, "until", lambda *a, **k: until(*a, **k, interval=0.001, longest=0.001))
    namespaces = Namespaces(fake, run="ab12")
    fake.stuck.add(namespaces.make("a"))
    with pytest.raises(HarnessError) as caught:
        namespaces.close(timeout=0.05)
    assert "kudo.dev.instance.cleanup" in caught.value.seen
    assert "kubectl get namespace" in caught.value.run
