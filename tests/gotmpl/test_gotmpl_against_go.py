"""The renderer against Go itself: the corpus, and random templates, data and calls."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.gotmpl import NOT_SUPPORTED
from tests.gotmpl import cases, corpus, golden
from tests.gotmpl.here import SETS, render_here
from tests.gotmpl.oracle import Oracle, Outcome, program

RANDOM = settings(
    max_examples=int(os.environ.get("GOTMPL_EXAMPLES", "250")),
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)
MODES = st.sampled_from(["default", "zero", "error"])
UNORDERED = frozenset({"keys", "values"})  # Go's order is random
OF_THE_WORLD = frozenset({
    "ago", "date", "dateInZone", "date_in_zone", "dateModify", "date_modify", "durationRound", "env", "expandenv",
    "getHostByName", "htmlDate", "htmlDateInZone", "mustDateModify", "must_date_modify", "mustToDate", "now",
    "randAlpha", "randAlphaNum", "randAscii", "randBytes", "randInt", "randNumeric", "shuffle", "toDate", "unixEpoch",
    "uuidv4",
})  # fmt: skip
SLOW = frozenset({"derivePassword"})
UNLIKE = frozenset({"semver", "mustFromJson"})  # %#v of a struct's private fields; words for broken JSON


@pytest.fixture(scope="session")
def oracle() -> Iterator[Oracle]:
    """Build and start the Go program; without Go this fails in CI and skips elsewhere."""
    if shutil.which("go") is None and not os.access("/usr/local/go/bin/go", os.X_OK):
        _without_oracle("Go is not installed: install it to compare with Go's own templates")
    try:
        path = program()
    except subprocess.CalledProcessError as error:
        _without_oracle(f"the Go program does not build: {error.stderr.decode(errors='replace')[-800:]}")
    with Oracle(path) as running:
        yield running


def _without_oracle(reason: str) -> NoReturn:
    if os.environ.get("CI", "").lower() in ("1", "true", "yes"):
        pytest.fail(reason)
    pytest.skip(reason)


def _address(answer: Outcome) -> bool:
    """Tell whether an answer shows a memory address, which differs from run to run."""
    return "0xc0" in answer.output or "0xc0" in answer.error


def _compare(oracle: Oracle, text: str, data: Any, functions: str, missing_key: str) -> None:
    answer = oracle.render(text, data, functions=functions, missing_key=missing_key)
    seen = render_here(text, data, functions=functions, missing_key=missing_key)
    assert _address(answer) or seen.agrees(answer), f"{text!r}\n{data!r}\n  Go   {answer}\n  here {seen}"


def test_stored_answers_are_gos(oracle: Oracle) -> None:
    """The stored answers that machines without Go test against are what Go says today."""
    answers = golden.stored()
    stale = []
    for case in golden.cases():
        answer = oracle.render(case.text, corpus.DATA, functions=case.functions, missing_key=case.missing_key)
        if answer != answers[case]:
            stale.append(f"{case.text}\n  stored {answers[case]}\n  Go     {answer}")
    assert not stale, "run python -m tests.gotmpl.golden\n" + "\n".join(stale[:3])


@RANDOM
@given(cases.templates(cases.BUILTINS), cases.datasets, MODES)
def test_random_templates_of_the_language(oracle: Oracle, text: str, data: dict[str, Any], missing_key: str) -> None:
    """Templates of all actions and built-in functions over random data give what Go gives."""
    _compare(oracle, text, data, "go", missing_key)


@RANDOM
@given(cases.templates(cases.BUILTINS + cases.SPRIG), cases.datasets, MODES)
def test_random_templates_with_sprig(oracle: Oracle, text: str, data: dict[str, Any], missing_key: str) -> None:
    """Templates that call sprig with arguments of any type, most of them wrong, give what Go gives."""
    _compare(oracle, text, data, "kudo", missing_key)


@RANDOM
@given(cases.heaps, cases.datasets, MODES)
def test_random_heaps_of_tokens(oracle: Oracle, text: str, data: dict[str, Any], missing_key: str) -> None:
    """Heaps of tokens, most of them no templates, are refused with Go's words and line."""
    _compare(oracle, text, data, "go", missing_key)


@pytest.mark.parametrize("functions", ["sprig2", "sprig3"])
def test_random_calls_of_sprig(oracle: Oracle, functions: str) -> None:
    """Calls of every pure sprig function with arguments of the right types give what Go gives."""
    left_out = NOT_SUPPORTED | UNORDERED | OF_THE_WORLD | SLOW
    names = sorted(set(SETS[functions]) - left_out)
    tails = st.sampled_from(["", "| toJson", '| printf "%#v"', "| typeOf"])

    @settings(RANDOM, max_examples=4 * RANDOM.max_examples)
    @given(cases.calls(SETS[functions], names), tails)
    def run(call: tuple[str, dict[str, Any]], tail: str) -> None:
        text, data = call
        if not (tail and text.split()[1] in UNLIKE):
            _compare(oracle, text.replace(" }}", f"{tail} }}}}"), data, functions, "default")

    run()
