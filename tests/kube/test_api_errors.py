"""The texts and types of what a server refuses."""

from __future__ import annotations

import json

import pytest

from harness.kit.errors import HarnessError
from harness.kube import (
    AlreadyExists,
    ApiError,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    TooManyRequests,
    Unauthorized,
)
from harness.kube.errors import error_from
from tests.kube.fakes import SERVER, refusal


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        (404, "NotFound", NotFound),
        (409, "AlreadyExists", AlreadyExists),
        (409, "Conflict", Conflict),
        (409, "", Conflict),
        (410, "Expired", Gone),
        (410, "Gone", Gone),
        (422, "Invalid", Invalid),
        (403, "Forbidden", Forbidden),
        (401, "Unauthorized", Unauthorized),
        (429, "TooManyRequests", TooManyRequests),
        (500, "InternalError", ApiError),
    ],
)
def test_the_reason_and_else_the_status_choose_the_type(status: int, reason: str, kind: type[ApiError]) -> None:
    """Both kinds of 409 are told apart by the reason; an answer without one goes by its status."""
    error = error_from("get x", status, refusal(status, reason))
    assert type(error) is kind
    assert isinstance(error, HarnessError)
    assert (error.status, error.message) == (status, "no")


def test_an_error_is_a_small_report() -> None:
    """The text has the verb and object, status, reason, message, each field's cause, and the server."""
    causes = [
        {"field": "spec.replicas", "message": "Invalid value: -1: must be greater than or equal to 0"},
        {"field": "spec.selector", "message": "Required value"},
    ]
    message = 'StatefulSet "x" is invalid: [spec.replicas: Invalid value: -1, spec.selector: Required value]'
    body = refusal(422, "Invalid", message, causes=causes)
    assert str(error_from("create apps/v1/StatefulSet ns/x", 422, body, server=SERVER)) == (
        "wanted  create apps/v1/StatefulSet ns/x\n"
        'seen    422 Invalid: StatefulSet "x" is invalid\n'
        "        spec.replicas: Invalid value: -1: must be greater than or equal to 0\n"
        "        spec.selector: Required value\n"
        f"where   {SERVER}"
    )


def test_a_single_cause_that_the_message_tells_is_not_repeated() -> None:
    """One cause whose words are in the message adds no line."""
    body = refusal(
        422, "Invalid", 'X "x" is invalid: a: Required value', causes=[{"field": "a", "message": "Required value"}]
    )
    assert error_from("create", 422, body).seen == '422 Invalid: X "x" is invalid: a: Required value'


def test_many_causes_are_counted() -> None:
    """Of many causes the first eight are shown and the rest is counted."""
    causes = [{"field": f"f{number}", "message": "bad"} for number in range(11)]
    lines = error_from("create", 422, refusal(422, "Invalid", "no", causes=causes)).seen.split("\n")
    assert lines[-2:] == ["f7: bad", "and 3 more"]


def test_an_answer_that_is_no_status_is_shown_as_it_is() -> None:
    """A proxy's page in place of a Status is cut and shown."""
    error = error_from("get x", 502, b"<html>" + b"x" * 5000)
    assert error.seen.startswith("502 Bad Gateway: <html>xxx")
    assert len(error.seen) < 700
    assert error_from("get x", 500, b'"text"').message == "text"


def test_a_secrets_value_does_not_get_into_the_text() -> None:
    """A server quotes the value that it rejects; of a Secret the quote is left out, in message, causes and body."""
    value = 'Invalid value: "hunter2": must be shorter'
    body = refusal(422, "Invalid", f'Secret "s" is invalid: data[p]: {value}', kind="Secret",
                   causes=[{"field": "data[p]", "message": value}, {"field": "b", "message": "x"}])  # fmt: skip
    error = error_from("create v1/Secret ns/s", 422, json.dumps(body).encode())
    assert "hunter2" not in str(error)
    assert "hunter2" not in json.dumps(error.body)
    assert "data[p]: Invalid value: (hidden): must be shorter" in str(error)


def test_other_kinds_keep_the_rejected_value() -> None:
    """What helps to mend an ordinary object is shown."""
    body = refusal(422, "Invalid", 'Invalid value: "A_b": bad', kind="Service")
    assert '"A_b"' in str(error_from("create v1/Service ns/s", 422, body))


@pytest.mark.parametrize(
    ("status", "reason", "command"), [(401, "Unauthorized", "whoami"), (403, "Forbidden", "can-i")]
)
def test_a_refused_user_is_told_what_to_run(status: int, reason: str, command: str) -> None:
    """Errors about credentials and rights name the command that shows them."""
    assert command in error_from("get x", status, refusal(status, reason)).run
