"""The pinned versions: Kubernetes, and what is built beside it.

Pure. One place to raise a version; `harness airgap build` takes any of the minors listed here.
"""

from __future__ import annotations

from harness.kit.errors import UsageError, did_you_mean

__all__ = ["BUSYBOX_TAGS", "COMPANIONS", "DEFAULT", "PROVISIONER_TAG", "RELEASES", "SUITE", "resolve_version"]

# The newest patch known of each of the four newest minors.
RELEASES = {"1.36": "v1.36.3", "1.35": "v1.35.4", "1.34": "v1.34.4", "1.33": "v1.33.13"}
DEFAULT = RELEASES["1.36"]

# Modules beside Kubernetes; they resolve and compile with DEFAULT in one module, and serve every version.
COMPANIONS = {
    "github.com/coredns/coredns": "v1.14.7",
    "github.com/rancher/local-path-provisioner": "v0.0.30",
    "go.etcd.io/etcd/server/v3": "v3.7.3",
    "sigs.k8s.io/kind": "v0.33.0",
}

SUITE = "bookworm"  # the Debian release of node and image trees
BUSYBOX_TAGS = ("docker.io/library/busybox:1.28", "docker.io/library/busybox:1.35")
PROVISIONER_TAG = f"harness.local/local-path-provisioner:{COMPANIONS['github.com/rancher/local-path-provisioner']}"


def resolve_version(wanted: str | None) -> str:
    """Return the full version for "1.36", "v1.36", "1.36.3" or "v1.36.3"; the default for None.

    Raises:
        UsageError: no release is pinned for it.
    """
    if not wanted:
        return DEFAULT
    bare = wanted.removeprefix("v")
    known = {**RELEASES, **{release.removeprefix("v"): release for release in RELEASES.values()}}
    if bare in known:
        return known[bare]
    raise UsageError(
        f"a known Kubernetes version, not {wanted}",
        seen=did_you_mean(bare, known),
        exists=tuple(RELEASES.values()),
        run="harness airgap build --kubernetes-version " + DEFAULT,
    )
