"""Borrowed clusters: only what was named is reached, and nothing of it is created or deleted."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import pytest

from harness.clusters.config import ClusterOptions
from harness.clusters.existing import ExistingProvider
from harness.clusters.kubeconfig import choose_context, pinned
from harness.kit.documents import dump_yaml, load_documents
from harness.kit.errors import HarnessError, UsageError
from harness.kit.stages import Stages


def kubeconfig(path: Path, *names: str, current: str = "") -> Path:
    value = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": current,
        "contexts": [{"name": name, "context": {"cluster": f"c-{name}", "user": f"u-{name}"}} for name in names],
        "clusters": [
            {"name": f"c-{name}", "cluster": {"server": "https://h", "certificate-authority": "ca.crt"}}
            for name in names
        ],
        "users": [
            {"name": f"u-{name}", "user": {"exec": {"command": "./login"}, "client-key": "/abs/key"}} for name in names
        ],
    }
    path.write_text(dump_yaml(value))
    return path


def provider(tmp_path: Path, kube: Any, **options: Any) -> ExistingProvider:
    return ExistingProvider(
        ClusterOptions(run="7c1e", **options),
        connect=lambda _path, _context: kube,
        environ={},
        state=tmp_path / "state",
        stages=Stages("cluster", io.StringIO()),
    )


def test_a_named_context_is_borrowed(tmp_path: Path, world: Any) -> None:
    """The cluster is reached through a file of its own that holds this context only, and is not ours."""
    file = kubeconfig(tmp_path / "config", "dev", "prod", current="prod")
    cluster = provider(tmp_path, world.kube, kubeconfig=file, context="dev").create()
    assert (cluster.context, cluster.provider, cluster.created, cluster.remove) == ("dev", "existing", False, "")
    own = load_documents(cluster.kubeconfig)[0].value
    assert own["current-context"] == "dev"
    assert [entry["name"] for entry in own["contexts"] + own["clusters"] + own["users"]] == ["dev", "c-dev", "u-dev"]
    assert cluster.kubeconfig.stat().st_mode & 0o077 == 0
    assert cluster.env == {"KUBECONFIG": str(cluster.kubeconfig)}
    assert world.kind.commands == []


def test_deleting_only_forgets_our_copy(tmp_path: Path, world: Any) -> None:
    """The user's kubeconfig is as it was, and our copy of it is gone."""
    file = kubeconfig(tmp_path / "config", "dev")
    before = file.read_bytes()
    borrowed = provider(tmp_path, world.kube, kubeconfig=file)
    cluster = borrowed.create()
    borrowed.export_logs(cluster, tmp_path / "logs")
    borrowed.delete(cluster)
    assert file.read_bytes() == before
    assert not cluster.kubeconfig.exists()
    assert not (tmp_path / "logs").exists()


def test_copies_that_killed_processes_left_are_removed(tmp_path: Path, world: Any) -> None:
    """A copy of a kubeconfig may hold a key: the next process removes those of dead ones, and no others."""
    folder = tmp_path / "state" / "existing"
    folder.mkdir(parents=True)
    for name in (f"aaaa-{2**22 + 1}", f"bbbb-{os.getpid()}", "notes"):
        (folder / f"{name}.kubeconfig").write_text("x")
    provider(tmp_path, world.kube, kubeconfig=kubeconfig(tmp_path / "config", "dev")).create()
    names = {path.stem for path in folder.iterdir()}
    assert names == {f"bbbb-{os.getpid()}", "notes", f"7c1e-{os.getpid()}"}


def test_files_beside_the_kubeconfig_are_still_found(tmp_path: Path) -> None:
    """Relative names of certificates and login programs are made absolute, absolute ones stay."""
    value = pinned(choose_context(kubeconfig(tmp_path / "config", "dev"), None, {}))
    assert value["clusters"][0]["cluster"]["certificate-authority"] == str(tmp_path / "ca.crt")
    assert value["users"][0]["user"] == {"exec": {"command": str(tmp_path / "login")}, "client-key": "/abs/key"}


def test_several_contexts_need_the_name_said(tmp_path: Path) -> None:
    """The current context alone is not consent; the error shows it, all others, and the option."""
    file = kubeconfig(tmp_path / "config", "dev", "prod", current="prod")
    with pytest.raises(UsageError, match="said explicitly") as caught:
        choose_context(file, None, {})
    assert caught.value.seen == "2 contexts, the current one is prod"
    assert caught.value.exists == ("dev", "prod")
    assert caught.value.run.endswith("--harness-context prod")


def test_nothing_named_is_refused() -> None:
    """Neither a kubeconfig nor a context: there is no cluster that the user meant."""
    with pytest.raises(UsageError, match="a cluster that was named"):
        choose_context(None, None, {})


def test_a_context_alone_is_looked_up_in_the_usual_files(tmp_path: Path) -> None:
    """A context that was named is searched in all files of KUBECONFIG."""
    first, second = kubeconfig(tmp_path / "a", "one"), kubeconfig(tmp_path / "b", "two")
    assert choose_context(None, "two", {"KUBECONFIG": f"{first}:{second}:{tmp_path / 'missing'}"}).path == second


def test_an_unknown_context_names_the_ones_that_exist(tmp_path: Path) -> None:
    """A misspelt context is answered with the nearest and with all."""
    file = kubeconfig(tmp_path / "config", "staging", "prod")
    with pytest.raises(UsageError, match="context stagin") as caught:
        choose_context(file, "stagin", {})
    assert caught.value.seen == 'did you mean "staging"?'
    assert caught.value.exists == ("staging", "prod")


def test_a_file_that_is_no_kubeconfig_is_refused(tmp_path: Path) -> None:
    """Another kind of file, or none, is an error that names it."""
    file = tmp_path / "config"
    file.write_text("kind: Pod\n")
    with pytest.raises(UsageError, match="a kubeconfig"):
        choose_context(file, None, {})
    with pytest.raises(UsageError, match="a readable file"):
        choose_context(tmp_path / "nowhere", None, {})


def test_a_context_whose_user_stands_elsewhere_is_refused(tmp_path: Path) -> None:
    """A context that is spread over files is answered with the command that makes one file of it."""
    file = tmp_path / "config"
    file.write_text("kind: Config\ncontexts: [{name: dev, context: {cluster: gone}}]\n")
    with pytest.raises(UsageError, match="gone among the clusters") as caught:
        pinned(choose_context(file, None, {}))
    assert "--flatten --minify --context dev" in caught.value.run


def test_a_silent_cluster_is_an_error_with_its_reason(tmp_path: Path, world: Any) -> None:
    """A named cluster that does not answer is told at once, and no copy of the kubeconfig stays."""
    world.kube.error = OSError("connection refused")
    borrowed = provider(tmp_path, world.kube, kubeconfig=kubeconfig(tmp_path / "config", "dev"))
    with pytest.raises(HarnessError, match="the named cluster to answer") as caught:
        borrowed.create()
    assert "connection refused" in caught.value.seen
    assert list((tmp_path / "state" / "existing").iterdir()) == []
    assert world.kube.closed


def test_another_version_than_the_wanted_one_is_refused(tmp_path: Path, world: Any) -> None:
    """A borrowed cluster of the wrong version is not used."""
    file = kubeconfig(tmp_path / "config", "dev")
    with pytest.raises(UsageError, match=r"Kubernetes 1\.35") as caught:
        provider(tmp_path, world.kube, kubeconfig=file, kubernetes_version="1.35").create()
    assert caught.value.seen == "v1.36.3"
