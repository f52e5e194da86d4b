"""The report as a whole: its text, its files, its limits, and that it never raises."""

from __future__ import annotations

import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from harness.kit.documents import load_documents
from harness.kit.errors import HarnessError
from harness.report.artifacts import Artifacts, safe_name
from harness.report.collect import collect
from harness.report.diagnostics import Story, diagnose, render_report
from harness.report.events import event_lines, shown_first
from harness.report.facts import find_facts
from harness.report.plans import plan_line, plan_tree
from harness.report.redact import MASK, Redactor
from harness.report.snapshot import LogKey

STORY = Story(
    test="suites/galera/test_scale.py::test_size",
    wanted="wsrep_cluster_size 5 on every member, state Synced, within 180 s",
    seen="galera-0 4, galera-1 4; galera-2 not reachable",
    where="test_scale.py:14",
    when="+0.0 s NODE_COUNT 3 to 5   +44.2 s first restart",
    plan="node_update (serial) [IN_PROGRESS] > phase deploy > step statefulset [IN_PROGRESS]",
    kept=True,
    sections=(("plan status", "galera\n└── node_update [IN_PROGRESS]"),),
)

GOLDEN = """\
wanted  wsrep_cluster_size 5 on every member, state Synced, within 180 s      test_scale.py:14
seen    galera-0 4, galera-1 4; galera-2 not reachable
why     Pod galera-2, container mariadb: CrashLoopBackOff, 4 restarts, last exit code 1 (Error)
        last log line: [ERROR] WSREP: failed to open gcomm backend connection: 110
        Instance galera > StatefulSet galera > Pod galera-2
plan    node_update (serial) [IN_PROGRESS] > phase deploy > step statefulset [IN_PROGRESS]
when    +0.0 s NODE_COUNT 3 to 5   +44.2 s first restart
kept    namespace ns; artifacts .harness/runs/x/test/
next    kubectl -n ns logs galera-2 -c mariadb --previous

plan status
  galera
  └── node_update [IN_PROGRESS]

what is wrong (1 of 3 pods ready)
  Pod galera-2, container mariadb: CrashLoopBackOff, 4 restarts, last exit code 1 (Error)
  Pod galera-1, container mariadb: running for 41 s, not ready
    Readiness probe failed: not synced (x25)

events (3 of 3, warnings first)
  10:14:00 Warning BackOff Pod/galera-2: Back-off restarting failed container mariadb in pod galera-2
  10:14:40 Warning Unhealthy Pod/galera-1: Readiness probe failed: not synced (x25)
  10:14:00 Normal  Scheduled Pod/galera-2: assigned

log of pod galera-2, container mariadb, before its last restart (last 2 lines)
  starting
  [ERROR] WSREP: failed to open gcomm backend connection: 110

log of pod galera-1, container mariadb (its only line)
  joining

not read
  Job list: forbidden"""


def troubled(make: Any) -> list[Any]:
    """Return a cluster of three: one ready, one that is not synced, one that crashes."""
    last = {"exitCode": 1, "reason": "Error", "finishedAt": "2026-01-01T10:14:44Z"}
    crashing = make.container("mariadb", waiting={"reason": "CrashLoopBackOff"}, restarts=4, last=last)
    joining = make.container("mariadb", running={"startedAt": "2026-01-01T10:14:19Z"})
    pods = [
        make.pod("galera-0", make.container("mariadb", ready=True, running={}), ready=True),
        make.pod("galera-1", joining),
        make.pod("galera-2", crashing),
    ]
    uid = "55176489-d04a-4783-ba86-f2bc7768ab4e"
    return [
        *(make.owned(pod, "StatefulSet", "galera") for pod in pods),
        make.owned(make.object("StatefulSet", "galera"), "Instance", "galera"),
        make.object("Namespace", "ns"),
        make.event(
            "Pod/galera-2", "BackOff", f"Back-off restarting failed container mariadb in pod galera-2_ns({uid})"
        ),
        make.event("Pod/galera-2", "Scheduled", "assigned", normal=True),
        make.event(
            "Pod/galera-1", "Unhealthy", "Readiness probe failed: not synced", at="2026-01-01T10:14:40Z", count=25
        ),
    ]


LOGS = {
    ("galera-2", "mariadb", True): "starting\n[ERROR] WSREP: failed to open gcomm backend connection: 110\n",
    ("galera-2", "mariadb", False): "",
    ("galera-1", "mariadb", False): "joining\n",
    ("galera-0", "mariadb", False): "fine\n",
}


def test_the_report_reads_top_line_first(make: Any) -> None:
    """The whole text of a failed scale-up, as a person gets to see it."""
    logs = {LogKey(*key): text for key, text in LOGS.items()}
    snapshot = make.snapshot(*troubled(make), logs=logs, errors=["Job list: forbidden"])
    text = render_report(snapshot, find_facts(snapshot), STORY, Path(".harness/runs/x/test"))
    assert text == GOLDEN


def test_a_namespace_without_trouble_says_so(make: Any) -> None:
    """A test may fail though all pods are ready; the report says that it has looked."""
    snapshot = make.snapshot(make.pod("a", make.container(ready=True, running={}), ready=True))
    text = render_report(snapshot, [], Story(test="t", wanted="x"), None)
    assert text == "wanted  x\nwhy     nothing wrong is to be seen in namespace ns: 1 of 1 pods ready"


def test_files_hold_everything(make: Any, fake_kube: Any, tmp_path: Path) -> None:
    """Report, events, objects, logs, previous logs and sections are written below the test's folder."""
    fake_kube.objects, fake_kube.texts = troubled(make), LOGS
    done = diagnose(fake_kube, "ns", STORY, artifacts=Artifacts.of_run(tmp_path, datetime(2026, 1, 1, 10, 15, 0)))  # noqa: DTZ001
    folder = tmp_path / "runs" / "20260101-101500" / "suites.galera.test_scale.test_size"
    assert done.folder == folder
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert files == {
        "report.txt",
        "events.txt",
        "plan-status-" + safe_name("plan status").rpartition("-")[2] + ".txt",
        *(f"objects/Pod.galera-{n}.yaml" for n in range(3)),
        "objects/StatefulSet.galera.yaml",
        "objects/Namespace.ns.yaml",
        *(f"logs/galera-{n}.mariadb.log" for n in range(3)),
        "logs/galera-2.mariadb.previous.log",
    }
    assert (folder / "report.txt").read_text().startswith("suites/galera/test_scale.py::test_size\nwanted  ")
    assert load_documents(folder / "objects/Pod.galera-2.yaml")[0].value["apiVersion"] == "v1"
    assert (tmp_path / ".gitignore").read_text() == "*\n"
    assert done.cause == "Pod galera-2, container mariadb: CrashLoopBackOff, 4 restarts, last exit code 1 (Error)"


def test_no_secret_passes_anywhere(make: Any, fake_kube: Any, tmp_path: Path) -> None:
    """A password is in no file and no text, whether it stood in a log, an event, an object or the story."""
    password = "Tr0ub4dor&3"
    fake_kube.objects = [
        *troubled(make),
        make.object("Secret", "db", data={"password": "VHIwdWI0ZG9yJjM="}, metadata_note=""),
        make.object("ConfigMap", "conf", data={"my.cnf": f"[mysqld]\nwsrep_sst_auth=root:{password}\nport=3306\n"}),
        make.event("Pod/galera-2", "Failed", f"said {password}"),
    ]
    fake_kube.texts = {**LOGS, ("galera-2", "mariadb", True): f"connecting with {password}\n"}
    story = Story(test="t", wanted=f"login with {password}", sections=[("x", f"VHIwdWI0ZG9yJjM= {password}")])
    done = diagnose(fake_kube, "ns", story, artifacts=Artifacts(root=tmp_path))
    texts = [done.text, *(path.read_text() for path in tmp_path.rglob("*") if path.is_file())]
    assert len(texts) > 10
    for text in texts:
        assert password not in text
        assert "VHIwdWI0ZG9yJjM=" not in text
    assert f"connecting with {MASK}" in done.text
    assert "port=3306" in (tmp_path / "t" / "objects" / "ConfigMap.conf.yaml").read_text()
    assert done.redactor.text(f"later {password}") == f"later {MASK}"


def test_names_that_look_like_keys_stay_readable(make: Any, fake_kube: Any) -> None:
    """A pod called token-0 is no assignment: what is said about it is not masked."""
    waiting = {"reason": "CreateContainerError", "message": "no such file"}
    fake_kube.objects = [
        make.pod("token-0", make.container("secret", waiting=waiting)),
        make.event("Pod/token-0", "Failed", "first second"),
    ]
    text = diagnose(fake_kube, "ns", Story(test="t")).text
    assert "Pod token-0, container secret: CreateContainerError" in text
    assert "Failed Pod/token-0: first second" in text


def test_an_api_server_that_is_gone_is_the_reason(fake_kube: Any) -> None:
    """A cluster that died is told at once, with no further question."""
    fake_kube.fail["version"] = HarnessError("an answer", seen="connection refused\nmore")
    done = diagnose(fake_kube, "ns", Story(test="t", wanted="x"))
    assert done.cause == "Cluster: the API server does not answer: connection refused"
    assert fake_kube.asked == ["version"]


def test_an_api_server_that_hangs_costs_the_deadline_and_no_more(fake_kube: Any) -> None:
    """The reading is left alone at the deadline; what was read until then is used."""
    release = threading.Event()
    fake_kube.fail["version"] = lambda: release.wait(10) and None
    begun = time.monotonic()
    done = diagnose(fake_kube, "ns", Story(test="t"), timeout=0.1)
    assert time.monotonic() - begun < 2
    release.set()
    assert "asking the API server for its version: stopped after 0.1 s" in done.cause


def test_a_question_that_hangs_keeps_what_was_read_before(make: Any, fake_kube: Any) -> None:
    """Facts that are known are told, and what was being read is named."""
    release = threading.Event()
    fake_kube.objects, fake_kube.texts = troubled(make), LOGS
    fake_kube.fail["Node"] = lambda: release.wait(10) and None
    done = diagnose(fake_kube, "ns", Story(test="t"), timeout=0.3)
    release.set()
    assert "CrashLoopBackOff" in done.cause
    assert "reading Node list: stopped after 0.3 s" in done.text


def test_what_cannot_be_read_becomes_a_line(make: Any, fake_kube: Any) -> None:
    """Forbidden kinds and missing logs are named; kinds of KUDO that are not served are not missed."""
    fake_kube.objects, fake_kube.texts = troubled(make), {}
    fake_kube.fail |= {
        "Secret": HarnessError("list", seen="forbidden"),
        "Instance": HarnessError("kind", seen="not served"),
    }
    fake_kube.fail["Job"] = ValueError("broken")
    snapshot = collect(fake_kube, "ns", redactor=Redactor(), timeout=5)
    assert "Secret list: forbidden" in snapshot.errors
    assert "Job list: broken" in snapshot.errors
    assert any(line.startswith("log of galera-2 mariadb: previous terminated") for line in snapshot.errors)
    assert not any("Instance" in line for line in snapshot.errors)


def test_a_namespace_that_is_not_there_is_told(fake_kube: Any) -> None:
    """A namespace that was removed too early is a line of the report."""
    assert "Namespace ns: it is not there" in diagnose(fake_kube, "ns", Story(test="t")).text


def test_logs_are_bounded_and_the_worst_come_first(make: Any, fake_kube: Any) -> None:
    """Two hundred lines of at most two thousand characters; pods in trouble are read before the others."""
    fake_kube.objects = troubled(make)
    fake_kube.texts = {**LOGS, ("galera-1", "mariadb", False): "x" * 5000 + "\n" + "line\n" * 500}
    snapshot = collect(fake_kube, "ns", redactor=Redactor(), timeout=5)
    lines = snapshot.logs[LogKey("galera-1", "mariadb")].splitlines()
    assert len(lines) == 200
    assert max(map(len, lines)) <= 2000
    asked = [what for what in fake_kube.asked if what.startswith("log")]
    assert asked == ["log galera-1", "log galera-2", "log galera-2", "log galera-0"]


def test_a_report_that_breaks_does_not_hide_the_failure(fake_kube: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug in the report is one line under the test's own failure."""

    def broken(_snapshot: object) -> list[object]:
        raise KeyError("status")

    monkeypatch.setattr("harness.report.diagnostics.find_facts", broken)
    done = diagnose(fake_kube, "ns", Story(test="t", wanted="x", seen="y"))
    assert done.text == "wanted  x\nseen    y\nreport  failed: KeyError: 'status'"


def test_a_disk_that_is_full_is_a_line(make: Any, fake_kube: Any, tmp_path: Path) -> None:
    """The text is shown though nothing can be written."""
    (tmp_path / "file").write_text("")
    fake_kube.objects, fake_kube.texts = troubled(make), LOGS
    done = diagnose(fake_kube, "ns", Story(test="t"), artifacts=Artifacts(root=tmp_path / "file"))
    assert "CrashLoopBackOff" in done.text
    assert "artifacts not written:" in done.text


def test_long_messages_keep_their_ends(make: Any) -> None:
    """Of a long message the middle is left out: what is meant stands at its start, the cause at its end."""
    waiting = {"reason": "CreateContainerError", "message": "start " + "x" * 1000 + " the cause"}
    snapshot = make.snapshot(make.pod("p", make.container(waiting=waiting)))
    line = render_report(snapshot, find_facts(snapshot), Story(test="t"), None).splitlines()[1]
    assert line.strip().startswith("start xxx")
    assert line.endswith("xxx the cause")
    assert len(line) < 330


def test_events_are_sorted_and_warnings_have_precedence(make: Any) -> None:
    """Events of both API versions are lines in order of time; few places go to warnings first."""
    normal = [make.event("Pod/a", f"N{n}", "x", normal=True, at=f"2026-01-01T10:0{n}:00Z") for n in range(4)]
    modern = {
        "type": "Warning",
        "reason": "W1",
        "note": "new",
        "regarding": {"kind": "Pod", "name": "b"},
        "eventTime": "2026-01-01T10:01:30.123456Z",
        "series": {"count": 3, "lastObservedTime": "2026-01-01T10:05:00.5Z"},
    }
    undated = {"reason": "W0", "type": "Warning"}
    lines = event_lines([*normal, modern, undated])
    assert [line.reason for line in lines] == ["W0", "N0", "N1", "N2", "N3", "W1"]
    assert str(lines[-1]) == "10:05:00 Warning W1 Pod/b: new (x3)"
    assert [line.reason for line in shown_first(lines, 3)] == ["W0", "W1", "N3"]
    assert [line.reason for line in shown_first(lines, 1)] == ["W1"]


INSTANCE = {
    "spec": {"planExecution": {"planName": "deploy"}},
    "status": {
        "planStatus": {
            "update": {"name": "update", "status": "NEVER_RUN"},
            "deploy": {
                "status": "IN_PROGRESS",
                "phases": [
                    {"name": "config", "status": "COMPLETE", "steps": [{"name": "a", "status": "COMPLETE"}]},
                    {
                        "name": "nodes",
                        "status": "IN_PROGRESS",
                        "steps": [{"name": "statefulset", "status": "ERROR", "message": "2 of 3 ready"}],
                    },
                ],
            },
        }
    },
}


def test_a_plan_is_told_down_to_its_step() -> None:
    """The running plan, its unfinished phase and step, and the nearest message."""
    assert plan_line(INSTANCE) == (
        "deploy [IN_PROGRESS] > phase nodes [IN_PROGRESS] > step statefulset [ERROR]\n2 of 3 ready"
    )
    assert plan_tree(INSTANCE).splitlines() == [
        "deploy [IN_PROGRESS]",
        "  phase config [COMPLETE]",
        "    step a [COMPLETE]",
        "  phase nodes [IN_PROGRESS]",
        "    step statefulset [ERROR] (2 of 3 ready)",
        "update [NEVER_RUN]",
    ]


def test_without_a_running_plan_the_latest_failed_one_is_told() -> None:
    """Nothing is told of an instance whose plans are all well, or that is not there."""
    plans = {
        "deploy": {"status": "ERROR", "lastUpdatedTimestamp": "2026-01-01T10:00:00Z"},
        "update": {"status": "FATAL_ERROR", "lastUpdatedTimestamp": "2026-01-01T10:01:00Z"},
        "backup": {"status": "COMPLETE", "lastUpdatedTimestamp": "2026-01-01T10:02:00Z"},
    }
    assert plan_line({"status": {"planStatus": plans}}) == "update [FATAL_ERROR]"
    assert plan_line({"status": {"planStatus": {"deploy": {"status": "COMPLETE"}}}}) == ""
    assert plan_line(None) == ""
    assert plan_tree({}) == "no plan has run"


def test_the_instance_gives_the_plan_when_the_test_does_not(make: Any, fake_kube: Any) -> None:
    """Line and tree come from the instance that was named."""
    fake_kube.objects = [make.object("Instance", "galera", **INSTANCE)]
    text = diagnose(fake_kube, "ns", Story(test="t", instance="galera")).text
    assert "plan    deploy [IN_PROGRESS] > phase nodes" in text
    assert "plans of instance galera\n  deploy [IN_PROGRESS]" in text


def test_folders_are_named_after_tests_and_stay_below_the_root(tmp_path: Path) -> None:
    """Plain names are kept, others get a hash; no name leaves the folder; long files lose their beginning."""
    assert safe_name("suites/galera/test_a.py::test_b") == "suites.galera.test_a.test_b"
    assert safe_name("test_a.py::test_b[3]") != safe_name("test_a.py::test_b(3)")
    assert "/" not in safe_name("../../etc/passwd")
    assert safe_name("..").strip(".")
    assert len(safe_name("x" * 500)) < 120
    artifacts = Artifacts(root=tmp_path / "run")
    with pytest.raises(ValueError, match="is not below"):
        artifacts.write(Path("../out.txt"), "x")
    written = artifacts.write(Path("a/b.txt"), "start" + "x" * (5 * 1024 * 1024) + "end")
    assert written.stat().st_size < 4.1 * 1024 * 1024
    assert written.read_text().endswith("end")
