"""Nothing that stands in a file breaks the reading: any text, any document of any shape."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.suite.decode import decode_assert, decode_file, decode_step, decode_suite
from harness.suite.files import Role
from harness.suite.placing import place
from harness.suite.streams import parse_stream

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | st.integers() | FLOATS | st.text(max_size=4)
NAMES = (
    "apiVersion kind metadata items name labels timeout commands delete apply assert resourceRefs assertAny collectors "
    "testRunSelector matchLabels matchExpressions key values operator type command script namespaced testDirs suppress "
    "reportFormat ignoreFiles x"
)
FIELDS = st.sampled_from(NAMES.split())
WORDS = st.sampled_from(["kuttl.dev/v1beta1", "v1", "List", "TestStep", "TestAssert", "TestFile", "TestSuite", "Pod"])
VALUES = st.recursive(
    SCALARS | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=5),
    max_leaves=15,
)
ROLES: st.SearchStrategy[Role] = st.sampled_from(["apply", "assert", "errors"])


@given(st.text(max_size=40) | st.text(alphabet="-{}[]:&*!|> \n\tab\"'#%", max_size=40))
def test_any_text_is_read_or_told(text: str) -> None:
    """A text gives documents, or problems with a place."""
    for problem in parse_stream(text, "x.yaml").problems:
        assert problem.where.startswith("x.yaml")


@given(st.dictionaries(FIELDS, VALUES, max_size=6), ROLES, st.booleans())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_any_document_is_placed_or_told(value: dict[str, Any], role: Role, listed: bool) -> None:
    """A document of any shape is placed, or its problems have a place."""
    stream = parse_stream(json.dumps(value), "x.yaml")
    placed = place(stream.documents, role, listed=listed)
    for problem in placed.problems:
        assert problem.where.startswith("x.yaml:")
        assert str(problem)


@given(st.dictionaries(FIELDS, VALUES, max_size=6))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_any_document_is_decoded_or_told(value: dict[str, Any]) -> None:
    """Each of kuttl's kinds takes fields of any shape without failing."""
    for document in parse_stream(json.dumps({"kind": "X", **value}), "x.yaml").documents:
        for decode in (decode_suite, decode_step, decode_assert, decode_file):
            _, problems = decode(document)
            assert all(problem.where.startswith("x.yaml:") for problem in problems)
