"""What Go answered to the corpus, kept as text so that machines without Go test against it too.

Written anew by `python -m tests.gotmpl.golden` (needs Go); the differential test tells when it is stale.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.gotmpl import corpus
from tests.gotmpl.oracle import Oracle, Outcome, program

FILE = Path(__file__).parent / "templates" / "golden.jsonl"
MODES = {"actions": ("default", "zero", "error")}


@dataclass(frozen=True, slots=True)
class Case:
    """One template under one way of treating missing keys."""

    group: str
    functions: str
    missing_key: str
    text: str


def cases(*groups: str) -> Iterator[Case]:
    """Yield the cases of some groups of the corpus, or of all."""
    for group in groups or corpus.GROUPS:
        functions, texts = corpus.GROUPS[group]
        for missing_key in MODES.get(group, ("default", "error")):
            for text in texts:
                yield Case(group, functions, missing_key, text)


def stored() -> dict[Case, Outcome]:
    """Return Go's answers by case."""
    found = (json.loads(line) for line in FILE.read_text(encoding="ascii").splitlines())
    answers = {(group, missing, text): Outcome(output, error) for group, missing, text, output, error in found}
    known = ((case, (case.group, case.missing_key, case.text)) for case in cases())
    default = {case: answers.get(key) or answers[case.group, "default", case.text] for case, key in known}
    return dict(default)


def write() -> None:
    """Ask Go about every case and store what it says; an answer equal to the default mode's is left out."""
    lines: list[str] = []
    with Oracle(program()) as oracle:
        usual: dict[tuple[str, str], Outcome] = {}
        for case in cases():
            answer = oracle.render(case.text, corpus.DATA, functions=case.functions, missing_key=case.missing_key)
            if case.missing_key == "default":
                usual[case.group, case.text] = answer
            elif answer == usual[case.group, case.text]:
                continue
            lines.append(json.dumps([case.group, case.missing_key, case.text, answer.output, answer.error]))
    FILE.write_text("\n".join(lines) + "\n", encoding="ascii")
    sys.stdout.write(f"{len(lines)} answers\n")


if __name__ == "__main__":
    write()
