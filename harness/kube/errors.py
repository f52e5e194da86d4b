"""What an API server refuses, and an API server that does not answer, as small reports.

Raised by everything in harness.kube; everybody above may catch them. No text of an error carries a credential or a
Secret's value: a server quotes rejected values in its messages, so for Secrets the quotes are left out.
"""

# The names are those of the server's own reasons, which is what one looks for.
# ruff: noqa: N818

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from harness.kit.errors import HarnessError

__all__ = [
    "AlreadyExists",
    "ApiError",
    "Conflict",
    "Forbidden",
    "Gone",
    "Invalid",
    "NotFound",
    "TooManyRequests",
    "Unauthorized",
    "UnknownKind",
    "Unreachable",
    "error_from",
]

_MOST_CAUSES = 8
_LONGEST = 600  # characters of a message that is not JSON: an HTML page of a proxy
_QUOTED = re.compile(r'(Invalid value|Duplicate value|Unsupported value): ("(?:[^"\\]|\\.)*"|\{.*?\}(?=:|$)|[^:]*)')


class ApiError(HarnessError):
    """A request that the API server did not carry out.

    Args:
        wanted: verb and object: "create apps/v1/StatefulSet ns/name".
        status: the HTTP status; 0 when there was no answer.
        reason: the machine-readable reason of the answer's Status ("Conflict"), or HTTP's own words.
        message: the server's sentence.
        body: the whole Status object, empty when the answer was none.
        server: the server's address.
        run: what to run next.
    """

    def __init__(
        self,
        wanted: str,
        *,
        status: int = 0,
        reason: str = "",
        message: str = "",
        body: Mapping[str, Any] | None = None,
        server: str = "",
        run: str = "",
    ) -> None:
        head = f"{status} {reason}".strip() if status else reason
        causes = _causes(body or {}, message)
        short = message.split(": [", 1)[0] if causes else message  # the causes say the rest, one line each
        lines = [f"{head}: {short}" if short else head, *causes]
        super().__init__(wanted, seen="\n".join(lines), where=server, run=run)
        self.status = status
        self.reason = reason
        self.message = message
        self.body = dict(body or {})


class NotFound(ApiError):
    """There is no such object, or its kind is not served."""


class AlreadyExists(ApiError):
    """An object of that name is there already."""


class Conflict(ApiError):
    """The object changed in between, or another field manager owns a field."""


class Invalid(ApiError):
    """The object is not valid; the causes name the fields."""


class Forbidden(ApiError):
    """The user may not do that, or an admission webhook or quota said no."""


class Unauthorized(ApiError):
    """The server does not know the user."""


class TooManyRequests(ApiError):
    """The server asks to come back later, or a disruption budget forbids an eviction."""


class Gone(ApiError):
    """The resource version is older than what the server remembers."""


class Unreachable(ApiError):
    """No answer came from the server; `message` is the connection's error."""


class UnknownKind(HarnessError):
    """The server serves no such apiVersion and kind."""


_BY_REASON: dict[str, type[ApiError]] = {
    "NotFound": NotFound,
    "AlreadyExists": AlreadyExists,
    "Conflict": Conflict,
    "Invalid": Invalid,
    "Forbidden": Forbidden,
    "Unauthorized": Unauthorized,
    "TooManyRequests": TooManyRequests,
    "Gone": Gone,
    "Expired": Gone,
}
_BY_STATUS: dict[int, type[ApiError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    422: Invalid,
    429: TooManyRequests,
}
_WORDS = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    409: "Conflict",
    410: "Gone",
    415: "UnsupportedMediaType",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    502: "Bad Gateway",
    503: "ServiceUnavailable",
    504: "Timeout",
}


def error_from(wanted: str, status: int, body: bytes | Mapping[str, Any], *, server: str = "") -> ApiError:
    """Return the error for an answer.

    Args:
        wanted: verb and object of the request.
        status: the HTTP status, or the code of a Status object met in a stream.
        body: the answer: a Status as JSON, or whatever a proxy sent in its place.
        server: the server's address, without credentials.
    """
    details = _status_of(body)
    reason = str(details.get("reason") or _WORDS.get(status, ""))
    message = str(details.get("message") or "")
    if _about_secret(wanted, details):
        message = _unquoted(message)
        details = _without_values(details)
    family = _BY_REASON.get(reason) or _BY_STATUS.get(status, ApiError)
    return family(
        wanted, status=status, reason=reason, message=message, body=details, server=server, run=_advice(family, reason)
    )


def _advice(family: type[ApiError], reason: str) -> str:
    if family is Unauthorized:
        return "kubectl auth whoami (with the same kubeconfig and context)"
    if family is Forbidden and reason == "Forbidden":
        return "kubectl auth can-i --list (with the same kubeconfig and context)"
    return ""


def _status_of(body: bytes | Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(body, Mapping):
        return dict(body)
    try:
        parsed = json.loads(body)
    except ValueError:
        return {"message": body[:_LONGEST].decode("utf-8", "replace").strip()}
    return parsed if isinstance(parsed, dict) else {"message": str(parsed)[:_LONGEST]}


def _causes(body: Mapping[str, Any], message: str) -> list[str]:
    """Return one line per field cause that the message does not say already."""
    causes: Sequence[Mapping[str, Any]] = (body.get("details") or {}).get("causes") or []
    if len(causes) == 1 and str(causes[0].get("message", "")) in message:
        return []
    lines = [f"{cause.get('field') or cause.get('reason')}: {cause.get('message')}" for cause in causes]
    more = [f"and {len(lines) - _MOST_CAUSES} more"] if len(lines) > _MOST_CAUSES else []
    return lines[:_MOST_CAUSES] + more


def _about_secret(wanted: str, details: Mapping[str, Any]) -> bool:
    kind = str((details.get("details") or {}).get("kind", "")).lower()
    return kind in {"secret", "secrets"} or "v1/Secret " in f"{wanted} "


def _unquoted(message: str) -> str:
    return _QUOTED.sub(r"\1: (hidden)", message)


def _without_values(details: dict[str, Any]) -> dict[str, Any]:
    inner = dict(details.get("details") or {})
    inner["causes"] = [
        {**cause, "message": _unquoted(str(cause.get("message", "")))} for cause in inner.get("causes") or []
    ]
    return {**details, "message": _unquoted(str(details.get("message") or "")), "details": inner}
