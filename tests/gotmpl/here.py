"""Renders with harness.gotmpl in the terms of the Go oracle."""

from __future__ import annotations

import copy
import random
from dataclasses import dataclass
from typing import Any, cast

from harness.gotmpl import (
    KUDO_REMOVED,
    FunctionSet,
    MissingKey,
    Template,
    TemplateError,
    World,
    sprig_v2_22,
    sprig_v3,
)
from tests.gotmpl import corpus
from tests.gotmpl.oracle import Outcome

WORLD = World(clock=lambda: 1_800_000_000.5, random=random.Random(7))  # noqa: S311 - a test's chance
SETS = {
    "go": FunctionSet(),
    "kudo": sprig_v2_22(world=WORLD, exclude=KUDO_REMOVED),
    "sprig2": sprig_v2_22(world=WORLD),
    "sprig3": sprig_v3(world=WORLD),
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What this renderer gave; no output when it failed, since nothing is handed out then."""

    output: str | None
    error: str = ""

    def agrees(self, go: Outcome) -> bool:
        """Tell whether Go gave the same: the same error, or the same output."""
        return self.error == go.error and (self.output is None or self.output == go.output)


def render_here(text: str, data: Any = None, *, functions: str = "go", missing_key: str = "default") -> Seen:
    """Render a template named f; without data it gets the corpus's."""
    given = copy.deepcopy(corpus.DATA if data is None else data)
    try:
        template = Template.parse(text, "f", functions=SETS[functions], missing_key=cast("MissingKey", missing_key))
        return Seen(template.render(given))
    except TemplateError as error:
        return Seen(None, error.go_text)
