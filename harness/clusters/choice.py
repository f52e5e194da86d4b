"""Which provider serves a set of options. Imported by the fixtures and the command line."""

from __future__ import annotations

from harness.clusters.config import ClusterOptions
from harness.clusters.existing import ExistingProvider
from harness.clusters.kind import KindProvider, Parts
from harness.clusters.provider import Provider
from harness.kit.errors import UsageError

__all__ = ["choose_provider"]


def choose_provider(options: ClusterOptions, parts: Parts | None = None) -> Provider:
    """Return the provider: `existing` when a kubeconfig or a context was named, kind otherwise.

    Args:
        options: what the user asked for.
        parts: kind's outside world; its stages tell of an existing cluster too.

    Raises:
        UsageError: options that exclude each other.
    """
    if options.kubeconfig is None and options.context is None:
        return KindProvider(options, parts)
    clashing = {
        "--keep-cluster": options.keep,
        "--kind-image": options.image is not None,
        "workers": options.workers > 0,
        "a kind configuration": options.config is not None,
    }
    if seen := [name for name, given in clashing.items() if given]:
        raise UsageError(
            "either an existing cluster or one to create",
            seen=f"a kubeconfig or context was named, and also {', '.join(seen)}",
            run="the same command without one of them",
        )
    return ExistingProvider(options, stages=parts.stages if parts else None)
