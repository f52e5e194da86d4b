"""The nearest candidate of several that do not match."""

from __future__ import annotations

from harness.checks.nearest import nearest, nearest_name, ranked


def pod(name: str, **status: object) -> dict[str, object]:
    return {"kind": "Pod", "metadata": {"name": name}, "status": status}


def test_the_one_that_lacks_least_is_nearest() -> None:
    """Leaves of the expected value are counted, not differences: a missing map counts with all its leaves."""
    wanted = pod("a", phase="Running", ready=True)
    found = nearest(wanted, [{"kind": "Pod"}, pod("b", phase="Running", ready=False), pod("c", phase="Failed")])
    assert found is not None
    assert (found.index, found.missing, found.leaves) == (1, 2, 4)
    assert found.closeness == "2 of 4 fields agree"
    assert [str(one).split(":")[0] for one in found.differences] == [".metadata.name", ".status.ready"]


def test_between_equals_the_likest_name_wins() -> None:
    """One digit off is nearer than another word."""
    found = nearest(pod("galera-1"), [pod("operator"), pod("galera-2"), pod("webhook")])
    assert found is not None
    assert found.index == 1


def test_a_match_comes_first_and_has_no_differences() -> None:
    """Ranking puts what matches before all else."""
    order = ranked(pod("a"), [pod("b"), pod("a", phase="Running")])
    assert [one.index for one in order] == [1, 0]
    assert order[0].differences == ()


def test_nothing_is_nearest_to_nothing() -> None:
    """Without candidates there is none."""
    assert nearest({}, []) is None


def test_names() -> None:
    """The likest name, or none."""
    assert nearest_name("galera-cs", ["galera", "galera-hs", "x"]) == "galera-hs"
    assert nearest_name("galera", ["zzz"]) == ""
