"""Applying, asserting, denying and deleting objects on a real API server; one test for each rule."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable

import pytest

from harness.kube import Kube
from tests.suite_run.conftest import Runner

pytestmark = pytest.mark.contract

Later = Callable[[float, Callable[[], object]], None]


def config_map(name: str = "one", more: str = "", **data: str) -> str:
    """Return a ConfigMap as a document."""
    lines = "".join(f"  '{key}': '{value}'\n" for key, value in data.items())
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n{more}" + (f"data:\n{lines}" if lines else "")


def labelled(name: str, app: str, **data: str) -> str:
    """Return a ConfigMap with a label."""
    return config_map(name, f"  labels: {{app: {app}}}\n", **data)


def by_label(app: str, **data: str) -> str:
    """Return an assert of a ConfigMap without a name."""
    lines = "".join(f"  '{key}': '{value}'\n" for key, value in data.items())
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  labels: {{app: {app}}}\n" + (
        f"data:\n{lines}" if lines else ""
    )


def step(text: str) -> str:
    """Return a TestStep."""
    return f"apiVersion: kuttl.dev/v1beta1\nkind: TestStep\n{text}"


def test_an_existing_object_is_merge_patched(runner: Runner, kube: Kube) -> None:
    """Apply, rule 3: maps merge, lists are replaced, null removes; fields that the file does not name survive."""
    service = """
        apiVersion: v1
        kind: Service
        metadata: {{name: db, labels: {labels}}}
        spec:
          ports: {ports}
        """
    result = runner.run(
        {
            "00-install.yaml": service.format(
                labels="{a: '1', b: '2'}", ports="[{name: u, port: 1}, {name: v, port: 2}]"
            ),
            "01-patch.yaml": service.format(labels="{a: null, c: '3'}", ports="[{name: w, port: 3}]"),
            "01-assert.yaml": "apiVersion: v1\nkind: Service\nspec: {ports: [{name: w, port: 3}]}\n",
        }
    )
    assert result.passed, runner.told
    assert kube.get("v1", "Service", "db", result.namespace)["metadata"]["labels"] == {"b": "2", "c": "3"}
    assert f"Service:{result.namespace}/db created" in runner.told
    assert f"Service:{result.namespace}/db updated" in runner.told


def test_an_object_that_nobody_follows_is_asked_for(runner: Runner, kube: Kube) -> None:
    """Apply, rule 1: whether an object exists is asked of the server where no watch knows it."""
    namespace = f"n-{uuid.uuid4().hex[:8]}"
    kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    kube.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}, "data": {"a": "1"}}, namespace)
    result = runner.run({"00-x.yaml": config_map("one", b="2")}, namespace=namespace)
    assert result.passed
    assert kube.get("v1", "ConfigMap", "one", namespace)["data"] == {"a": "1", "b": "2"}


def test_all_objects_are_tried_and_a_failed_apply_ends_the_step(runner: Runner, kube: Kube) -> None:
    """Apply: every object is tried though one fails; the step then asserts nothing, and says no `failed` line."""
    bad = "apiVersion: v1\nkind: Service\nmetadata: {name: bad}\nspec: {ports: [{port: 0}]}\n"
    result = runner.run({"00-x.yaml": f"{bad}---\n{config_map('good')}", "00-assert.yaml": config_map("never")})
    assert result.outcome == "failed"
    (failure,) = result.steps[0].failures
    assert failure.text.startswith("applying /v1, Kind=Service bad failed: failed to create object: Service")
    assert failure.where.endswith("00-x.yaml:1:1")
    assert kube.find("v1", "ConfigMap", "good", result.namespace) is not None
    assert result.seconds < 3
    assert "test step failed" not in runner.told


def test_a_fragment_cannot_be_created(runner: Runner) -> None:
    """Apply: a fragment is enough for an update and fails as a creation, with the server's reason."""
    fragment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: db}\nspec: {replicas: 2}\n"
    result = runner.run({"00-x.yaml": fragment, "00-assert.yaml": fragment})
    assert "failed to create object: Deployment.apps" in result.steps[0].failures[0].text


def test_an_unknown_kind_is_told_with_what_exists(runner: Runner) -> None:
    """Namespace of an object: an unknown kind fails in kuttl's words, at once when applying."""
    thing = "apiVersion: nowhere.io/v1\nkind: Thing\nmetadata: {name: x}\n"
    result = runner.run({"00-x.yaml": thing})
    text = "retrieving API resource for nowhere.io/v1, Kind=Thing failed: "
    assert result.steps[0].failures[0].text == text + "the server could not find the requested resource"
    explicit = thing.replace("{name: x}", "{name: x, namespace: default}")
    result = runner.run({"00-x.yaml": explicit}, "explicit")
    assert 'no matches for kind "Thing" in version "nowhere.io/v1"' in result.steps[0].failures[0].text


def test_an_assert_waits_for_an_event(runner: Runner, kube: Kube, later: Later) -> None:
    """Asserts: the step completes when the object comes to match, in far less than kuttl's second."""
    namespace = f"n-{uuid.uuid4().hex[:8]}"
    changed: list[float] = []

    def change() -> None:
        kube.patch("v1", "ConfigMap", "one", {"data": {"size": "5"}}, namespace)
        changed.append(time.time())

    later(0.5, change)
    result = runner.run(
        {"00-x.yaml": config_map(size="3"), "00-assert.yaml": config_map(size="5")}, namespace=namespace
    )
    assert result.passed
    assert result.started + result.seconds - changed[0] < 0.3


def test_a_short_state_is_seen(runner: Runner, kube: Kube, later: Later) -> None:
    """Asserts: a state that lasted for a moment only completes the step; a loop with pauses would miss it."""
    namespace = f"n-{uuid.uuid4().hex[:8]}"

    def flicker() -> None:
        kube.patch("v1", "ConfigMap", "one", {"data": {"phase": "b"}}, namespace)
        kube.patch("v1", "ConfigMap", "one", {"data": {"phase": "c"}}, namespace)

    later(0.4, flicker)
    files = {"00-x.yaml": config_map(phase="a"), "00-assert.yaml": config_map(phase="b")}
    assert runner.run(files, namespace=namespace).passed


def test_a_missing_object_is_told_with_its_neighbours(runner: Runner) -> None:
    """Asserts: an object that is not there fails with the server's text; the nearest name is told."""
    runner.suite["timeout"] = 1
    result = runner.run({"00-x.yaml": config_map("galera"), "00-assert.yaml": config_map("galeira")})
    failure = result.steps[0].failures[0]
    assert failure.text == 'configmaps "galeira" not found'
    assert 'there is "galera"' in failure.hints


def test_an_assert_without_a_name_takes_any_that_matches(runner: Runner) -> None:
    """Asserts without a name: among those with the labels, one that matches is enough, first or last."""
    objects = "---\n".join([labelled("a", "db", n="1"), labelled("b", "db", n="2"), labelled("c", "web", n="3")])
    for number in ("1", "2"):
        result = runner.run({"00-x.yaml": objects, "00-assert.yaml": by_label("db", n=number)}, f"m{number}")
        assert result.passed


def test_an_assert_without_a_name_fails_with_each_candidate(runner: Runner) -> None:
    """Asserts without a name: when none matches, each is told with its difference, the nearest first."""
    runner.suite["timeout"] = 1
    objects = "---\n".join([labelled("a", "db", n="1"), labelled("b", "db", n="2", m="x")])
    result = runner.run({"00-x.yaml": objects, "00-assert.yaml": by_label("db", m="x", n="9")})
    texts = [failure.text for failure in result.steps[0].failures]
    home = result.namespace
    assert texts == [
        f"resource ConfigMap:{home}/: .data.n: value mismatch, expected: 9 != actual: 2",
        f"resource ConfigMap:{home}/: .data.m: key is missing from map",
    ]
    assert result.steps[0].failures[0].subject is not None
    assert len(result.steps[0].errors) == 4, "a diff and a text for each"


def test_an_assert_without_a_name_and_without_candidates_fails(runner: Runner) -> None:
    """Asserts without a name: nothing with the labels is told in kuttl's words."""
    runner.suite["timeout"] = 1
    result = runner.run({"00-x.yaml": labelled("a", "db"), "00-assert.yaml": by_label("web")})
    assert result.steps[0].failures[0].text == "no resources matched of kind: /v1, Kind=ConfigMap"


def test_all_asserts_must_hold_at_one_moment(runner: Runner, kube: Kube, later: Later) -> None:
    """The loop: asserts that hold one after the other, never together, fail the step."""
    namespace = f"n-{uuid.uuid4().hex[:8]}"
    runner.suite["timeout"] = 2

    def swap() -> None:
        kube.patch("v1", "ConfigMap", "a", {"data": {"on": "no"}}, namespace)
        kube.patch("v1", "ConfigMap", "b", {"data": {"on": "yes"}}, namespace)

    later(0.5, swap)
    result = runner.run(
        {
            "00-x.yaml": f"{config_map('a', on='yes')}---\n{config_map('b', on='no')}",
            "00-assert.yaml": f"{config_map('a', on='yes')}---\n{config_map('b', on='yes')}",
        },
        namespace=namespace,
    )
    assert result.outcome == "failed"
    failure = result.steps[0].failures[0]
    assert ".data.on" in failure.text
    assert failure.changes
    assert '"yes"' in failure.changes[0]
    assert '"no"' in failure.changes[0]
    assert "5 of 5 fields agree" in failure.closest


def test_a_type_mismatch_uses_gos_names(runner: Runner) -> None:
    """Comparison, rule 1: types must be the same, nothing is converted."""
    runner.suite["timeout"] = 1
    expected = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\ndata: {size: 3}\n"
    result = runner.run({"00-x.yaml": config_map(size="3"), "00-assert.yaml": expected})
    assert "type mismatch: int64 != string" in result.steps[0].failures[0].text


def test_an_errors_entry_passes_when_nothing_matches(runner: Runner) -> None:
    """Errors: what does not exist, or does not match, is fine."""
    files = {
        "00-x.yaml": labelled("one", "db", size="3"),
        "00-errors.yaml": "---\n".join([config_map("two"), config_map(size="4"), by_label("web")]),
    }
    assert runner.run(files).passed


def test_an_errors_entry_fails_when_something_matches(runner: Runner) -> None:
    """Errors: a match fails the step, a list of them tells how many more there are."""
    runner.suite["timeout"] = 1
    objects = "---\n".join(labelled(name, "db") for name in "abc")
    result = runner.run({"00-x.yaml": objects, "00-errors.yaml": by_label("db")})
    (failure,) = result.steps[0].failures
    assert "(and 2 other resources) matched error assertion" in failure.text
    result = runner.run({"00-x.yaml": config_map(), "00-errors.yaml": config_map()}, "named")
    assert result.steps[0].failures[0].text == "resource /v1, Kind=ConfigMap one matched error assertion"


def test_an_errors_entry_sees_what_the_step_has_just_written(runner: Runner) -> None:
    """Errors: an object that this very step made is seen, however quick the check is."""
    runner.suite["timeout"] = 1
    for number in range(2):
        files = {"00-x.yaml": config_map("a"), "01-x.yaml": config_map("b"), "01-errors.yaml": config_map("b")}
        assert runner.run(files, f"c{number}").outcome == "failed"


def test_an_errors_entry_sees_what_a_command_has_just_written(runner: Runner, kube: Kube) -> None:
    """Errors: what a command wrote before is seen, though nobody told the runner."""
    runner.suite["timeout"] = 1
    namespace = f"n-{uuid.uuid4().hex[:8]}"
    body = f'{{"metadata":{{"name":"b","namespace":"{namespace}"}}}}'
    script = (
        "server=$(sed -n 's/.*server: //p' $KUBECONFIG); token=$(sed -n 's/.*token: //p' $KUBECONFIG)\n"
        "python3 - $server $token <<'END'\n"
        "import ssl, sys, urllib.request\n"
        f"url = sys.argv[1] + '/api/v1/namespaces/{namespace}/configmaps'\n"
        "head = {'Authorization': 'Bearer ' + sys.argv[2], 'Content-Type': 'application/json'}\n"
        f"request = urllib.request.Request(url, data=b'{body}', headers=head)\n"
        "urllib.request.urlopen(request, context=ssl._create_unverified_context())\n"
        "END\n"
    )
    indented = "".join(f"    {line}\n" for line in script.splitlines())
    files = {
        "00-x.yaml": config_map("a"),
        "00-assert.yaml": config_map("a"),
        "01-x.yaml": step(f"commands:\n- script: |\n{indented}"),
        "01-errors.yaml": config_map("b"),
    }
    result = runner.run(files, namespace=namespace)
    assert kube.find("v1", "ConfigMap", "b", namespace) is not None, runner.told
    assert result.outcome == "failed"
    assert "matched error assertion" in result.steps[1].failures[0].text


def test_an_errors_entry_of_an_unknown_kind_fails(runner: Runner) -> None:
    """Errors, quirk Q55: a kind that is not served is not absent; the hint says what may be missing."""
    runner.suite["timeout"] = 1
    result = runner.run({"00-errors.yaml": "apiVersion: nowhere.io/v1\nkind: Thing\nmetadata: {name: x}\n"})
    failure = result.steps[0].failures[0]
    assert failure.text.startswith("retrieving API resource for nowhere.io/v1, Kind=Thing failed")
    assert any("CustomResourceDefinition" in hint for hint in failure.hints)


def test_a_kind_in_lower_case_is_asserted(runner: Runner) -> None:
    """Comparison, rule 9 and quirk Q54: `kind` in lower case is accepted for checks, not for creation."""
    lower = config_map().replace("ConfigMap", "configmap")
    assert runner.run({"00-x.yaml": config_map(), "00-assert.yaml": lower}).passed
    assert runner.run({"00-x.yaml": lower}, "created").outcome == "failed"


def test_a_namespace_on_a_cluster_scoped_object_is_left_out(runner: Runner) -> None:
    """Comparison, rule 8 and quirk Q53: asserted all the same, with a warning; strict mode fails as kuttl does."""
    namespaced = "apiVersion: v1\nkind: Namespace\nmetadata: {name: default, namespace: x}\n"
    result = runner.run({"00-assert.yaml": namespaced})
    assert result.passed
    assert [problem.quirk for problem in result.problems] == [53]
    assert runner.run({"00-errors.yaml": namespaced}, "errors").passed, "such an entry passes always"


def test_an_object_in_another_namespace_is_found(runner: Runner) -> None:
    """Namespace of an object: the one that is written counts, whichever it is."""
    there = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: kube-root-ca, namespace: kube-system}\n"
    result = runner.run({"00-x.yaml": there, "00-assert.yaml": there})
    assert result.passed, runner.told


def test_delete_by_name_labels_and_kind(runner: Runner, kube: Kube) -> None:
    """Delete: one by name, several by labels, all of a kind without both; absent ones are fine; all are waited for."""
    objects = "---\n".join([labelled("a", "db"), labelled("b", "db"), labelled("c", "web"), config_map("d")])
    delete = "delete:\n- {apiVersion: v1, kind: ConfigMap, "
    result = runner.run(
        {
            "00-x.yaml": objects,
            "01-x.yaml": step(delete + "name: c}\n- {apiVersion: v1, kind: ConfigMap, name: absent}\n"),
            "01-errors.yaml": config_map("c"),
            "02-x.yaml": step(delete + "labels: {app: db}}\n"),
            "02-errors.yaml": by_label("db"),
            "02-assert.yaml": config_map("d"),
            "03-x.yaml": step(delete.rstrip(", ") + "}\n"),
        }
    )
    assert result.passed, runner.told
    assert kube.list("v1", "ConfigMap", result.namespace) == []
    assert f"ConfigMap:{result.namespace}/c deleted" in runner.told
    assert f"ConfigMap:{result.namespace}/absent already gone" in runner.told


def test_delete_then_create_anew_with_other_immutable_fields(runner: Runner) -> None:
    """Delete: the objects are gone when the step applies, so that the same names can be made anew."""
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\ntype: {}\n"
    files = {
        "00-x.yaml": secret.format("example.com/one"),
        "01-x.yaml": step("delete:\n- {apiVersion: v1, kind: Secret}\n---\n" + secret.format("example.com/two")),
        "01-assert.yaml": secret.format("example.com/two"),
    }
    assert runner.run(files).passed, runner.told


def test_delete_waits_until_the_step_s_timeout(runner: Runner, kube: Kube) -> None:
    """Delete: an object that a finalizer holds fails the step in kuttl's words, with the finalizer named."""
    runner.suite["timeout"] = 1
    held = config_map("held", "  finalizers: [example.com/held]\n")
    files = {"00-x.yaml": held, "01-x.yaml": step("delete:\n- {apiVersion: v1, kind: ConfigMap, name: held}\n")}
    result = runner.run(files)
    (failure,) = result.steps[1].failures
    assert failure.text == (
        "timed out waiting for resource deletion (result of last check was: "
        '"/v1, Kind=ConfigMap held still exists"): context deadline exceeded'
    )
    assert failure.hints == ("held by the finalizers example.com/held",)
    kube.patch("v1", "ConfigMap", "held", {"metadata": {"finalizers": None}}, result.namespace)


def test_delete_of_an_unknown_kind_ends_the_step(runner: Runner) -> None:
    """Delete: a kind that is not served is an error before anything else happens."""
    files = {
        "00-x.yaml": step("delete:\n- {apiVersion: nowhere.io/v1, kind: Thing}\ncommands:\n- script: echo never\n")
    }
    result = runner.run(files)
    assert "retrieving API resource for nowhere.io/v1, Kind=Thing failed" in result.steps[0].failures[0].text
    assert "never" not in [line.text for line in runner.lines]


def test_a_crd_of_an_earlier_step_is_known(runner: Runner, kube: Kube) -> None:
    """Apply: kinds that a step defines can be used by the next one, and asserted by their own step."""
    group = f"g{uuid.uuid4().hex[:8]}.example.com"
    crd = f"""
        apiVersion: apiextensions.k8s.io/v1
        kind: CustomResourceDefinition
        metadata: {{name: things.{group}}}
        spec:
          group: {group}
          names: {{kind: Thing, plural: things}}
          scope: Namespaced
          versions:
          - name: v1
            served: true
            storage: true
            schema: {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}
        """
    established = "status: {acceptedNames: {kind: Thing, listKind: ThingList, plural: things, singular: thing}}\n"
    head = f"apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: things.{group}}}\n"
    thing = f"apiVersion: {group}/v1\nkind: Thing\nmetadata: {{name: x}}\nspec: {{a: 1}}\n"
    files = {
        "00-crd.yaml": crd,
        "00-assert.yaml": head + established,
        "01-x.yaml": thing,
        "01-assert.yaml": thing,
        "02-x.yaml": thing.replace("a: 1", "b: 2"),
        "02-assert.yaml": thing.replace("a: 1", "a: 1, b: 2"),
    }
    assert runner.run(files).passed, runner.told
    kube.delete("apiextensions.k8s.io/v1", "CustomResourceDefinition", f"things.{group}")


def test_an_assert_of_a_kind_that_is_defined_meanwhile(runner: Runner, kube: Kube, later: Later) -> None:
    """Asserts: a kind that does not exist when the wait begins is followed as soon as it is served."""
    group = f"g{uuid.uuid4().hex[:8]}.example.com"
    namespace = f"n-{uuid.uuid4().hex[:8]}"
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"things.{group}"},
        "spec": {
            "group": group,
            "names": {"kind": "Thing", "plural": "things"},
            "scope": "Namespaced",
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }

    def define() -> None:
        kube.create(crd)
        kube.until_served(f"{group}/v1", "Thing")
        kube.create({"apiVersion": f"{group}/v1", "kind": "Thing", "metadata": {"name": "x"}}, namespace)

    later(0.3, define)
    thing = f"apiVersion: {group}/v1\nkind: Thing\nmetadata: {{name: x}}\n"
    runner.suite["timeout"] = 15
    result = runner.run({"00-assert.yaml": thing}, namespace=namespace)
    assert result.passed, [str(failure) for failure in result.steps[0].failures]
    kube.delete("apiextensions.k8s.io/v1", "CustomResourceDefinition", f"things.{group}")


def test_a_negative_timeout_passes_unchecked_with_a_warning(runner: Runner) -> None:
    """The loop, quirk Q38: the step passes; what it would have said is a warning."""
    test_assert = "apiVersion: kuttl.dev/v1beta1\nkind: TestAssert\ntimeout: -1\n"
    result = runner.run({"00-x.yaml": config_map(), "00-assert.yaml": f"{test_assert}---\n{config_map('absent')}"})
    assert result.passed
    (problem,) = [one for one in result.steps[0].problems if one.quirk == 38]
    assert 'configmaps "absent" not found' in problem.text


def test_the_timeout_of_the_test_assert_counts(runner: Runner) -> None:
    """TestAssert: its timeout replaces the suite's for the loop."""
    runner.suite["timeout"] = 60
    test_assert = "apiVersion: kuttl.dev/v1beta1\nkind: TestAssert\ntimeout: 1\n"
    result = runner.run({"00-assert.yaml": f"{test_assert}---\n{config_map('absent')}"})
    assert result.outcome == "failed"
    assert 0.9 < result.steps[0].seconds < 3
