"""The pinned versions: Kubernetes, and what is built beside it.

Pure. One place to raise a version; `harness airgap build` takes any of the minors listed here.
"""

from __future__ import annotations

import re

from harness.kit.errors import UsageError, did_you_mean

__all__ = [
    "BUSYBOX_TAGS", "COMPANIONS", "DEFAULT", "KIND_DEFAULT_IMAGE", "PROVISIONER_TAG", "RELEASES", "SUITE", "candidates",
    "is_known", "resolve_version",
]  # fmt: skip

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
# What kind v0.33.0 takes when no image is named; asked for to see whether a registry answers.
KIND_DEFAULT_IMAGE = "kindest/node:v1.37.0"

_PATCH = re.compile(r"v?(\d+\.\d+)(?:\.(\d+))?")


def candidates(wanted: str | None) -> tuple[str, ...]:
    """Return the published node images that satisfy a version, best first; none for no wish.

    kind publishes node images for some patch releases only: for a minor, the newest known patch and those below it.
    """
    match = _PATCH.fullmatch(wanted) if wanted else None
    if match is None:
        return ()
    minor, patch = match[1], match[2]
    if patch is not None:
        return (f"kindest/node:v{minor}.{patch}",)
    newest = int(RELEASES.get(minor, "v0.0.0").rpartition(".")[2])
    return tuple(f"kindest/node:v{minor}.{number}" for number in range(newest, -1, -1))


def is_known(wanted: str) -> bool:
    """Tell whether a version is one that can be built here."""
    bare = wanted.removeprefix("v")
    return bare in RELEASES or f"v{bare}" in RELEASES.values()


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
