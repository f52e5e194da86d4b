"""Options, names and kind's configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.clusters.config import ClusterOptions, cluster_name, kind_config, new_run_id, run_labels, same_version
from harness.kit.errors import UsageError

HEAD = "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\n"


def options(tmp_path: Path, text: str = "", workers: int = 0) -> ClusterOptions:
    file = tmp_path / "kind.yaml"
    file.write_text(text)
    return ClusterOptions(run="7c1e", config=file if text else None, workers=workers)


def test_names_differ_between_runs_and_repeat_for_kept_clusters(tmp_path: Path) -> None:
    """A run has a name of its own, a project that keeps its cluster finds it again, a given name is taken."""
    assert cluster_name(ClusterOptions(run="7c1e")) == "harness-7c1e"
    assert cluster_name(ClusterOptions(run="7c1e", name="mine", keep=True)) == "mine"
    kept = [cluster_name(ClusterOptions(run=run, keep=True, project=tmp_path)) for run in ("0001", "0002")]
    assert kept[0] == kept[1]
    assert kept[0] != cluster_name(ClusterOptions(run="0001", keep=True, project=tmp_path.parent))


def test_run_ids_are_short_and_labels_carry_them() -> None:
    """A run id is four hexadecimal digits."""
    assert len(new_run_id()) == 4
    assert int(new_run_id(), 16) >= 0
    assert run_labels("7c1e") == {"harness.dev/run": "7c1e"}


@pytest.mark.parametrize("name", ["", "Up", "../x", "a/b", "-a", "a" * 51])
def test_a_bad_name_is_refused(name: str) -> None:
    """Names that kind or a path would stumble over are refused at once."""
    with pytest.raises(UsageError, match="a cluster name"):
        ClusterOptions(run="7c1e", name=name)


def test_a_silly_number_of_workers_is_refused() -> None:
    """Workers are between none and twenty."""
    with pytest.raises(UsageError, match="worker nodes"):
        ClusterOptions(run="7c1e", workers=-1)


@pytest.mark.parametrize(
    ("wanted", "seen", "same"),
    [
        (None, "v1.36.3", True),
        ("1.36", "v1.36.3", True),
        ("v1.36.3", "v1.36.3", True),
        ("v1.36.3", "v1.36.3+k3s1", True),
        ("1.3", "v1.36.3", False),
        ("v1.36.2", "v1.36.3", False),
        ("1.35", "v1.36.3", False),
    ],
)
def test_versions_are_compared_part_by_part(wanted: str | None, seen: str, same: bool) -> None:
    """A minor version is met by any of its patches, a patch only by itself."""
    assert same_version(wanted, seen) is same


def test_the_users_ports_and_the_images_needs_are_joined(tmp_path: Path) -> None:
    """Mappings are merged, lists joined, and nodes keep their own labels."""
    text = HEAD + (
        "networking: {podSubnet: 10.9.0.0/16}\nkubeadmConfigPatches: [a]\n"
        "nodes:\n- role: control-plane\n  labels: {tier: front}\n"
        "  extraPortMappings: [{containerPort: 80, hostPort: 8080}]\n"
    )
    needed = {"networking": {"disableDefaultCNI": True}, "kubeadmConfigPatches": ["b"]}
    config = kind_config(options(tmp_path, text), needed)
    assert config["networking"] == {"podSubnet": "10.9.0.0/16", "disableDefaultCNI": True}
    assert config["kubeadmConfigPatches"] == ["a", "b"]
    assert config["nodes"][0]["labels"] == {"tier": "front", "harness.dev/run": "7c1e"}
    assert config["nodes"][0]["extraPortMappings"] == [{"containerPort": 80, "hostPort": 8080}]


def test_the_opposite_of_what_the_image_needs_is_refused(tmp_path: Path) -> None:
    """A plain value that contradicts the node image is the user's to solve."""
    text = HEAD + "networking: {disableDefaultCNI: false}\n"
    with pytest.raises(UsageError, match=r"networking\.disableDefaultCNI: True"):
        kind_config(options(tmp_path, text), {"networking": {"disableDefaultCNI": True}})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind: Pod\napiVersion: v1\n", "one kind configuration"),
        (HEAD + "---\n" + HEAD, "one kind configuration"),
        (HEAD + "name: mine\n", "the cluster's name from --cluster-name"),
        ("- 1\n", "one kind configuration"),
    ],
)
def test_a_file_that_is_no_kind_configuration_is_refused(tmp_path: Path, text: str, message: str) -> None:
    """Wrong kinds, several documents, and a name in the file are errors with the place."""
    with pytest.raises(UsageError, match=message) as caught:
        kind_config(options(tmp_path, text), {})
    assert "kind.yaml" in caught.value.where


def test_workers_come_from_one_place(tmp_path: Path) -> None:
    """Nodes in the file and the option for workers exclude each other."""
    with pytest.raises(UsageError, match="not from both"):
        kind_config(options(tmp_path, HEAD + "nodes: [{role: control-plane}]\n", workers=2), {})
