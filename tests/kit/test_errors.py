"""Errors read as small reports."""

from __future__ import annotations

from harness.kit.errors import CheckError, HarnessError, UsageError, did_you_mean


def test_an_error_prints_its_parts_in_order() -> None:
    """Each part has its own row, further lines are indented, empty parts are left out."""
    error = HarnessError("a pod", seen="none\nat all", where="default", exists=["a", "b"], run="kubectl get pods")
    assert str(error) == (
        "wanted  a pod\nseen    none\n        at all\nwhere   default\nexists  a, b\nnext    kubectl get pods"
    )
    assert str(HarnessError("a pod")) == "wanted  a pod"


def test_long_lists_of_names_are_cut_with_their_number() -> None:
    """Only the first names are shown, the rest is counted."""
    assert str(HarnessError("x", exists=[str(i) for i in range(20)])).endswith("11 and 8 more")


def test_exit_codes_tell_usage_from_checks() -> None:
    """Wrong input ends with 2, a failed check with 1."""
    assert (UsageError.exit_code, CheckError.exit_code) == (2, 1)


def test_did_you_mean_finds_the_nearest_name_or_nothing() -> None:
    """Case does not matter, and far words give no suggestion."""
    assert did_you_mean("Statefulst", ["StatefulSet", "Service"]) == 'did you mean "StatefulSet"?'
    assert did_you_mean("zzz", ["StatefulSet"]) == ""
