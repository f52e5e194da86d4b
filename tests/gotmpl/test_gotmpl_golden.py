"""The renderer against Go's stored answers to the hand-made corpus; needs no Go."""

from __future__ import annotations

import pytest

from tests.gotmpl import golden
from tests.gotmpl.here import render_here


@pytest.mark.parametrize("group", ["actions", "builtins", "kudo", "sprig2", "sprig3"])
def test_corpus_renders_as_in_go(group: str) -> None:
    """Every template of the corpus gives Go's output, or Go's error text, in every missingkey mode."""
    answers = golden.stored()
    wrong = []
    for case in golden.cases(group):
        seen = render_here(case.text, functions=case.functions, missing_key=case.missing_key)
        if not seen.agrees(answers[case]):
            wrong.append(f"{case.missing_key}: {case.text}\n  Go   {answers[case]}\n  here {seen}")
    assert not wrong, f"{len(wrong)} differ\n" + "\n".join(wrong[:5])


def test_corpus_is_large() -> None:
    """The corpus did not shrink unnoticed: hundreds of templates, many of them failing on purpose."""
    answers = golden.stored()
    assert len(answers) > 1800
    assert sum(bool(answer.error) for answer in answers.values()) > 500
