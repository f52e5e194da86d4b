"""kind clusters: the commands, re-use, failure and interrupt half-way, deletion, pytest-kind's view."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.clusters.config import ClusterOptions
from harness.clusters.kind import KindProvider, Parts, adopt, delete_recorded, delete_run
from harness.clusters.kind_program import KindProgram, find_kind, find_kubectl
from harness.clusters.records import Record
from harness.kit.documents import load_documents
from harness.kit.errors import DeadlineError, HarnessError, UsageError
from harness.kit.process import ProcessError
from harness.kit.stages import Stages

OPTIONS = ClusterOptions(run="7c1e")
DEAD_PID = 2**22 + 1  # above the kernel's largest pid


def ready(name: str, **fields: Any) -> Record:
    base = Record(name=name, run="aaaa", status="ready", keep=True, kind="/bin/kind", kubernetes_version="v1.36.3")
    return replace(base, **fields)


def test_a_cluster_is_created_with_image_config_and_its_own_kubeconfig(world: Any) -> None:
    """The command names image, configuration and kubeconfig, and runs against the private engine."""
    cluster = KindProvider(OPTIONS, world.parts).create()
    folder = world.parts.records.folder("harness-7c1e")
    create = next(command for command in world.kind.commands if command[:2] == ["create", "cluster"])
    assert create[2:] == [
        "--name", "harness-7c1e", "--config", str(folder / "config.yaml"), "--kubeconfig", str(folder / "kubeconfig"),
        "--retain", "--image", "harness/node:v1.36.3",
    ]  # fmt: skip
    assert all(env["DOCKER_HOST"] == "unix:///dev/null" for env in world.kind.envs)
    assert (folder / "kubeconfig").stat().st_mode & 0o077 == 0
    assert cluster.created
    assert (cluster.context, cluster.kubernetes_version) == ("kind-harness-7c1e", "v1.36.3")
    assert cluster.nodes == ("harness-7c1e-control-plane", "harness-7c1e-worker")
    assert cluster.env == {"DOCKER_HOST": "unix:///dev/null", "KUBECONFIG": str(cluster.kubeconfig)}


def test_the_configuration_labels_nodes_with_the_run(world: Any) -> None:
    """Nodes carry the run's label, and what the node image needs is in the file."""
    KindProvider(replace(OPTIONS, workers=1), world.parts).create()
    config = load_documents(world.parts.records.folder("harness-7c1e") / "config.yaml")[0].value
    assert config["networking"] == {"disableDefaultCNI": True}
    assert [(node["role"], node["labels"]) for node in config["nodes"]] == [
        ("control-plane", {"harness.dev/run": "7c1e"}),
        ("worker", {"harness.dev/run": "7c1e"}),
    ]


def test_ready_means_nodes_and_dns_after_the_network_is_finished(world: Any) -> None:
    """The air gap finishes the network first, then every node and CoreDNS are awaited on watches."""
    KindProvider(OPTIONS, world.parts).create()
    assert world.finished == ["harness-7c1e"]
    assert world.kube.asked == ["Node harness-7c1e-control-plane", "Node harness-7c1e-worker", "Deployment coredns"]
    assert world.kube.closed


def test_images_of_the_suite_are_loaded(world: Any) -> None:
    """Images that were asked for are copied to the nodes."""
    KindProvider(replace(OPTIONS, images=("db:1", "db:2")), world.parts).create()
    assert ["load", "docker-image", "--name", "harness-7c1e", "db:1", "db:2"] in world.kind.commands


def test_a_creation_that_fails_leaves_node_logs_and_no_cluster(world: Any, failure: ProcessError) -> None:
    """The nodes' logs are kept, the half-made cluster is not, and the first error is the one that is raised."""
    world.kind.fail["create cluster"] = failure
    with pytest.raises(ProcessError, match="exit code 0 of kind"):
        KindProvider(OPTIONS, world.parts).create()
    assert world.kind.clusters == {}
    assert world.parts.records.all() == []
    verbs = world.kind.verbs()
    assert verbs.index("export logs") < verbs.index("delete cluster")
    assert "node logs in" in world.said()


def test_a_node_that_never_turns_ready_fails_with_its_reason(world: Any) -> None:
    """The error says which node and why; the cluster is removed."""
    message = "container runtime network not ready"
    world.kube.objects["harness-7c1e-worker"] = {
        "status": {"conditions": [{"type": "Ready", "status": "False", "message": message}]}
    }
    with pytest.raises(DeadlineError) as caught:
        KindProvider(OPTIONS, world.parts).create()
    assert (caught.value.wanted, caught.value.seen) == ("node harness-7c1e-worker Ready", message)
    assert world.kind.clusters == {}


def test_ctrl_c_while_creating_removes_the_half_made_cluster(world: Any) -> None:
    """An interrupt ends in no cluster, and takes no time for logs."""
    world.kind.fail["create cluster"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        KindProvider(OPTIONS, world.parts).create()
    assert world.kind.clusters == {}
    assert "export logs" not in world.kind.verbs()
    assert "half-made cluster removed" in world.said()


def test_ctrl_c_after_the_last_step_of_a_creation_leaves_nothing(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the cluster is handed out nobody else can delete it."""

    def interrupted(*_arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("harness.clusters.kind._write_launchers", interrupted)
    with pytest.raises(KeyboardInterrupt):
        KindProvider(OPTIONS, world.parts).create()
    assert world.kind.clusters == {}
    assert world.parts.records.all() == []


def test_trouble_while_clearing_up_never_hides_the_first_error(world: Any, failure: ProcessError) -> None:
    """What could not be removed is named with the command, and the creation's error is raised."""
    world.kind.fail |= {"create cluster": failure, "export logs": failure, "delete cluster": failure}
    with pytest.raises(ProcessError, match="exit code 0 of kind"):
        KindProvider(OPTIONS, world.parts).create()
    assert "no node logs" in world.said()
    assert "remove it with: DOCKER_HOST=unix:///dev/null" in world.said()
    assert "kind delete cluster --name harness-7c1e" in world.said()


def test_the_processes_of_one_run_share_a_cluster(world: Any) -> None:
    """The second call of a run finds the first one's cluster and may delete it as well."""
    first = KindProvider(OPTIONS, world.parts).create()
    second = KindProvider(OPTIONS, world.parts).create()
    assert second == first
    assert world.kind.verbs().count("create cluster") == 1
    assert delete_run("7c1e", world.parts) == ["harness-7c1e"]
    assert world.kind.clusters == {}


def test_processes_that_start_together_make_one_cluster(world: Any) -> None:
    """The lock on the name lets one of them create; the others wait and take it."""
    found: list[Any] = []
    together = threading.Barrier(3)

    def create() -> None:
        together.wait(5)
        found.append(KindProvider(OPTIONS, world.parts).create())

    threads = [threading.Thread(target=create) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(found) == 3
    assert all(cluster == found[0] for cluster in found)
    assert world.kind.verbs().count("create cluster") == 1


def test_a_run_deletes_only_its_own_clusters(world: Any) -> None:
    """Clusters of other runs, and kept ones, stay."""
    for record in (ready("a", run="7c1e"), ready("b", run="ffff", keep=False), ready("c", run="7c1e", keep=False)):
        world.kind.clusters[record.name] = ["node"]
        world.parts.records.write(record)
    assert delete_run("7c1e", world.parts) == ["c"]
    assert sorted(world.kind.clusters) == ["a", "b"]


def test_a_kept_cluster_is_found_again_and_never_deleted(world: Any) -> None:
    """With keep, the second run of a project takes the first one's cluster; neither removes it."""
    first = KindProvider(replace(OPTIONS, keep=True), world.parts).create()
    provider = KindProvider(ClusterOptions(run="beef", keep=True), world.parts)
    again = provider.create()
    assert again.name == first.name
    assert not again.created
    assert again.remove == f"harness cluster down {first.name}"
    provider.delete(again)
    assert list(world.kind.clusters) == [first.name]
    verbs = world.kind.verbs()
    assert "export kubeconfig" in verbs, "pytest-kind crashes without a kubeconfig file"
    assert "re-used, Kubernetes v1.36.3" in world.said()


def test_a_cluster_of_somebody_else_is_used_and_stays(world: Any, kind_file: Path) -> None:
    """A named cluster that kind made without us is taken, never deleted, and removed with kind's own command."""
    world.kind.clusters["mine"] = ["mine-control-plane"]
    provider = KindProvider(replace(OPTIONS, name="mine"), world.parts)
    cluster = provider.create()
    assert not cluster.created
    assert cluster.remove == f"DOCKER_HOST=unix:///dev/null {kind_file} delete cluster --name mine"
    provider.delete(cluster)
    assert delete_run("7c1e", world.parts) == []
    assert "mine" in world.kind.clusters


def test_a_re_used_cluster_that_is_silent_is_an_error(world: Any) -> None:
    """A cluster that exists and does not answer is named, with the command that removes it."""
    world.kind.clusters["mine"] = ["mine-control-plane"]
    world.kube.error = OSError("connection refused")
    with pytest.raises(HarnessError, match="kind cluster mine to answer") as caught:
        KindProvider(replace(OPTIONS, name="mine"), world.parts).create()
    assert "connection refused" in caught.value.seen
    assert caught.value.run.endswith("kind delete cluster --name mine")
    assert world.kube.closed


def test_a_re_used_cluster_of_another_version_is_an_error(world: Any) -> None:
    """A version that was asked for is never met by a cluster of another one."""
    world.kind.clusters["mine"] = ["mine-control-plane"]
    with pytest.raises(UsageError) as caught:
        KindProvider(replace(OPTIONS, name="mine", kubernetes_version="1.35"), world.parts).create()
    assert caught.value.seen == "v1.36.3 in the cluster mine that exists"


def test_a_kept_cluster_of_another_node_image_is_told(world: Any) -> None:
    """A suite image that changed since is not in an old cluster: that is said, with the way to a new one."""
    KindProvider(replace(OPTIONS, name="mine", keep=True), world.parts).create()
    KindProvider(replace(OPTIONS, name="mine", run="beef", image="harness/node:new"), world.parts).create()
    assert "made from harness/node:v1.36.3, now there is harness/node:new" in world.said()


def test_a_cluster_whose_engine_is_gone_is_forgotten(world: Any) -> None:
    """When the private engine was taken down, its clusters went with it: only the record is removed."""
    world.parts.records.write(ready("old", env={"DOCKER_HOST": "unix:///nowhere/docker.sock"}))
    assert delete_recorded("old", world.parts)
    assert world.kind.commands == []
    assert world.parts.records.all() == []
    assert "kind old: gone with its engine" in world.said()


def test_node_logs_that_cannot_be_had_are_told(world: Any, failure: ProcessError, tmp_path: Path) -> None:
    """At the end of a run the logs are for information: trouble with them raises nothing."""
    provider = KindProvider(OPTIONS, world.parts)
    cluster = provider.create()
    world.kind.fail["export logs"] = failure
    provider.export_logs(cluster, tmp_path / "logs")
    assert "kind harness-7c1e: no node logs: ERROR: failed to create cluster: no space left" in world.said()


def test_a_node_image_of_another_version_is_an_error(world: Any) -> None:
    """A version and an image that contradict each other end in no cluster."""
    world.kube.version = "v1.34.1"
    with pytest.raises(UsageError, match=r"Kubernetes 1\.36") as caught:
        KindProvider(replace(OPTIONS, image="kindest/node:v1.34.1", kubernetes_version="1.36"), world.parts).create()
    assert caught.value.seen == "v1.34.1 in the node image kindest/node:v1.34.1"
    assert world.kind.clusters == {}


def test_a_half_made_cluster_of_a_killed_run_is_made_anew(world: Any) -> None:
    """A record that still says creating, with its lock free, is somebody's ruin: removed and created again."""
    world.kind.clusters["mine"] = ["mine-control-plane"]
    world.parts.records.write(ready("mine", status="creating", pid=DEAD_PID))
    cluster = KindProvider(replace(OPTIONS, name="mine"), world.parts).create()
    assert cluster.created
    assert world.kind.verbs().index("delete cluster") < world.kind.verbs().index("create cluster")


def test_what_killed_runs_left_is_named(world: Any) -> None:
    """A run begins by naming the clusters of killed runs, with the command that removes each."""
    world.parts.records.write(ready("harness-dead", keep=False, pid=DEAD_PID))
    world.parts.records.write(ready("harness-kept", keep=True, pid=DEAD_PID))
    KindProvider(OPTIONS, world.parts).create()
    assert "kind harness-dead: left by a killed run; remove it with: harness cluster down harness-dead" in world.said()
    assert "harness-kept" not in world.said()


def test_deletion_is_verified(world: Any) -> None:
    """Nodes that are still there after the deletion are an error, and the record stays."""
    KindProvider(OPTIONS, world.parts).create()
    world.kind.stubborn = True
    with pytest.raises(HarnessError, match="cluster harness-7c1e deleted") as caught:
        delete_recorded("harness-7c1e", world.parts)
    assert caught.value.seen == "nodes harness-7c1e-control-plane, harness-7c1e-worker"
    assert world.parts.records.find("harness-7c1e") is not None


def test_deleting_leaves_the_users_kubeconfig_alone(world: Any) -> None:
    """Left to itself, kind edits the user's own kubeconfig."""
    provider = KindProvider(OPTIONS, world.parts)
    provider.delete(provider.create())
    delete = next(command for command in world.kind.commands if command[:2] == ["delete", "cluster"])
    assert delete[-2:] == ["--kubeconfig", "/dev/null"]
    assert not world.parts.records.folder("harness-7c1e").exists()


def test_an_unknown_cluster_is_not_deleted(world: Any) -> None:
    """Without a record nothing is touched."""
    world.kind.clusters["yours"] = ["yours-control-plane"]
    assert not delete_recorded("yours", world.parts)
    assert list(world.kind.clusters) == ["yours"]


def test_node_logs_are_exported(world: Any, tmp_path: Path) -> None:
    """A cluster's node logs go to the folder that was asked for."""
    provider = KindProvider(OPTIONS, world.parts)
    provider.export_logs(provider.create(), tmp_path / "logs")
    assert ["export", "logs", str(tmp_path / "logs"), "--name", "harness-7c1e"] in world.kind.commands


def test_node_logs_count_as_far_as_they_could_be_written(world: Any, tmp_path: Path) -> None:
    """A node without crictl makes kind fail at the end, with the logs written; without any it is an error."""
    program = KindProgram(path=Path("/bin/kind"), run=world.kind)
    world.kind.returncode = 1
    with pytest.raises(ProcessError, match="the logs of cluster x"):
        program.export_logs("x", tmp_path / "logs")
    (tmp_path / "logs" / "node").mkdir()
    (tmp_path / "logs" / "node" / "kubelet.log").write_text("line\n")
    program.export_logs("x", tmp_path / "logs")


def test_raw_logs_of_workloads_are_not_kept(world: Any, tmp_path: Path) -> None:
    """Pods' own logs may hold secrets: of the nodes' export only the cluster's own pods stay."""
    node = tmp_path / "node"
    for name in ("pods/kube-system_etcd-x_u1/etcd/0.log", "pods/suite_db-0_u2/db/0.log"):
        (node / name).parent.mkdir(parents=True)
        (node / name).write_text("x")
    (node / "containers").mkdir()
    for name in ("etcd-x_kube-system_etcd-1.log", "db-0_suite_db-2.log", "kube-system-spy_suite_x-3.log"):
        (node / "containers" / name).write_text("x")
    (node / "kubelet.log").write_text("x")
    KindProgram(path=Path("/bin/kind"), run=world.kind).export_logs("x", tmp_path)
    left = {path.relative_to(node).as_posix() for path in node.rglob("*.log")}
    assert left == {"kubelet.log", "pods/kube-system_etcd-x_u1/etcd/0.log", "containers/etcd-x_kube-system_etcd-1.log"}


def test_an_old_kind_is_refused(world: Any) -> None:
    """A kind that cannot boot today's images is an error with the way to a newer one."""
    world.kind.version = "0.17.0"
    with pytest.raises(UsageError, match=r"kind 0\.30 or newer") as caught:
        KindProvider(OPTIONS, world.parts).create()
    assert caught.value.seen == "0.17.0"
    assert "go install sigs.k8s.io/kind@" in caught.value.run


def test_a_node_image_of_the_users_needs_nothing_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """With an engine that answers, a given image is taken as it is; without one the air gap provides the engine."""
    asked: list[Any] = []

    def ensure(**options: Any) -> str:
        asked.append(options)
        return "made"

    monkeypatch.setattr("harness.airgap.ensure", ensure)
    provision = Parts().provision
    options = replace(OPTIONS, image="kindest/node:v1.36.1", kubernetes_version="1.36", recipes=("images/db",))
    monkeypatch.setattr("harness.airgap.engine_available", lambda: True)
    plain = provision(options, Stages("cluster"))
    assert (plain.node_image, plain.env, plain.kind_config) == ("kindest/node:v1.36.1", {}, {})
    assert asked == []
    monkeypatch.setattr("harness.airgap.engine_available", lambda: False)
    provision(options, Stages("cluster"))
    provision(replace(options, image=None), Stages("cluster"))
    assert len(asked) == 2
    assert (asked[0]["kubernetes_version"], asked[0]["recipes"], asked[0]["mode"]) == ("1.36", ("images/db",), "auto")


def test_the_kind_program_is_found_in_order(kind_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The option comes before HARNESS_KIND, then what was built here, then PATH; none is an error."""
    other = tmp_path / "other"
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    assert find_kind(kind_file, other, {"HARNESS_KIND": str(other)}) == kind_file
    assert find_kind(None, kind_file, {"HARNESS_KIND": str(other)}) == other
    assert find_kind(None, kind_file, {}) == kind_file
    monkeypatch.setenv("PATH", str(kind_file.parent))
    assert find_kind(None, None, {}) == kind_file
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="the program kind on PATH"):
        find_kind(None, None, {})
    with pytest.raises(UsageError, match="a program that can be run"):
        find_kind(tmp_path / "nowhere", None, {})
    assert find_kubectl(None, None) is None
    assert find_kubectl(other, None) == other


def test_commands_are_shown_with_the_engines_variables() -> None:
    """A command line for the user's shell carries DOCKER_HOST."""
    program = KindProgram(path=Path("/opt/my kind"), env={"DOCKER_HOST": "unix:///a b"})
    assert program.command("get", "clusters") == "DOCKER_HOST='unix:///a b' '/opt/my kind' get clusters"


def test_pytest_kind_adopts_the_cluster_without_downloads(
    world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A KindCluster with absolute programs is handed out, and its folder for downloads is not left in the project."""
    cluster = KindProvider(OPTIONS, world.parts).create()
    folder = world.parts.records.folder(cluster.name)
    (folder / "kind").write_text(f"#!/bin/sh\necho {cluster.name}\n")
    (folder / "kubeconfig").write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{name: c, context: {cluster: c, user: u}}]\n"
        "clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]\nusers: [{name: u, user: {token: t}}]\n"
    )
    monkeypatch.chdir(tmp_path)
    adopted = adopt(cluster, records=world.parts.records)
    assert (adopted.name, adopted.kubeconfig_path) == (cluster.name, cluster.kubeconfig)
    assert adopted.kind_path == folder / "kind"
    assert adopted.kubectl_path.is_absolute()
    assert adopted.api.url == "https://127.0.0.1:1"
    assert not (tmp_path / ".pytest-kind").exists()


def test_pytest_kind_takes_no_cluster_of_another_provider(world: Any) -> None:
    """Its commands could reach a context that nobody named."""
    cluster = KindProvider(OPTIONS, world.parts).create()
    with pytest.raises(UsageError, match="for the fixture kind_cluster"):
        adopt(replace(cluster, provider="existing"))


def test_launchers_carry_the_engine(world: Any) -> None:
    """The programs that pytest-kind gets are bound to the private engine, and quote what they need to."""
    KindProvider(OPTIONS, world.parts).create()
    launcher = world.parts.records.folder("harness-7c1e") / "kind"
    assert "export DOCKER_HOST=unix:///dev/null\n" in launcher.read_text()
    assert launcher.stat().st_mode & 0o111
