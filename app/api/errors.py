"""The only map from errors to HTTP: one table of statuses, and the three envelopes that clients know."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from schemas.errors import AccessDenied, InfoPathMalformed, RequestInvalid, RevstreamError
from schemas.prediction import ScoreFailure

RETRY_AFTER_SECONDS = 2
_LATER = 503

_STATUSES: Mapping[str, int] = {
    "request_invalid": 400,
    "access_denied": 401,
    "event_undecodable": 400,
    "event_schema_unsupported": 400,
    "wiki_unknown": 404,
    "model_not_found": 404,
    "statistics_not_found": 404,
    "prediction_not_found": 404,
    "revision_not_found": 404,
    "revision_deleted": 404,
    "revision_suppressed": 404,
    "reload_refused": 409,
    "prediction_withdrawn": 410,
    "parent_not_found": 422,
    "content_model_unsupported": 422,
    "content_too_large": 422,
    "cpu_limit_exceeded": 422,
    "memory_limit_exceeded": 422,
    "feature_error": 422,
    "content_unavailable": 503,
    "not_ready": 503,
    "on_demand_bound": 503,
    "recovering": 503,
    "owner_unavailable": 503,
    "overloaded": 503,
    "too_many_requests": 429,
    "broker_unavailable": 503,
}

_ORES_CODES: Mapping[int, str] = {
    400: "bad request",
    404: "not found",
    429: "too_many_requests",
    405: "method not allowed",
    413: "bad request",
    500: "internal server error",
    503: "server overloaded",
}

# What ORES itself says of a whole request. Its clients show it, slips and all.
_ORES_MESSAGES: Mapping[str, str] = {
    "overloaded": "Cannot process your request because the server is overloaded.  Try again in afew minutes.",
    "too_many_requests": "A limited number of parallel connections per IP is allowed.",
}

# Our code to ORES's exception class and its text. ORES puts the class before the text, but for the timeout.
_ORES_ENTRIES: Mapping[str, tuple[str, str]] = {
    "revision_not_found": (
        "RevisionNotFound",
        "RevisionNotFound: Could not find revision ({{revision}}:{rev_id})",
    ),
    "revision_deleted": ("TextDeleted", "TextDeleted: Text deleted (datasource.revision.text)"),
    "revision_suppressed": ("TextDeleted", "TextDeleted: Text deleted (datasource.revision.text)"),
    "parent_not_found": ("MissingResource", "MissingResource: {message}"),
    "content_model_unsupported": ("UnexpectedContentType", "UnexpectedContentType: {message}"),
    "content_too_large": ("QueryNotSupported", "QueryNotSupported: {message}"),
    "content_unavailable": ("DependencyError", "DependencyError: {message}"),
    "recovering": ("DependencyError", "DependencyError: {message}"),
    "owner_unavailable": ("DependencyError", "DependencyError: {message}"),
    "overloaded": ("ScoreProcessorOverloaded", "ScoreProcessorOverloaded: {message}"),
    "too_many_requests": ("ScoreProcessorOverloaded", "ScoreProcessorOverloaded: {message}"),
    "resource_missing": ("MissingResource", "MissingResource: {message}"),
    "feature_error": ("CaughtDependencyError", "CaughtDependencyError: {message}"),
    "scorer_crashed": ("CaughtDependencyError", "CaughtDependencyError: {message}"),
    "cpu_limit_exceeded": ("TimeoutError", "Timed out after 15 seconds."),
    "memory_limit_exceeded": ("CaughtDependencyError", "CaughtDependencyError: {message}"),
    # No class of ORES's says this, since ORES always scored: clients see a type that they do not know.
    "prediction_not_found": ("ScoreNotCached", "ScoreNotCached: {message}"),
}

_LIFTWING_NO_REVISION = (
    "The MW API does not have any info related to the rev-id provided as input ({rev_id}), therefore it is "
    "not possible to extract features properly. One possible cause is the deletion of the page related to "
    "the revision id. Please contact the ML-Team if you need more info."
)
_LIFTWING_MISSING = "Missing resource for rev-id {rev_id}: {message}"
_LIFTWING_ENTRIES: Mapping[str, tuple[int, str]] = {
    "revision_not_found": (400, _LIFTWING_NO_REVISION),
    "revision_deleted": (400, _LIFTWING_NO_REVISION),
    "revision_suppressed": (400, _LIFTWING_NO_REVISION),
    "parent_not_found": (400, _LIFTWING_MISSING),
    "resource_missing": (400, _LIFTWING_MISSING),
    "content_model_unsupported": (400, "Unexpected content type for rev-id {rev_id}: {message}"),
    "content_unavailable": (
        500,
        "An error happened while fetching feature values from the MediaWiki API, {message}",
    ),
    "prediction_not_found": (503, "{message}"),
}
_LIFTWING_OTHER = (400, "Generic error while extracting features for rev-id {rev_id}: {message}")


class Failure(Struct, frozen=True):
    """An error as HTTP shows it."""

    status: int
    document: dict[str, Any]
    headers: dict[str, str] = {}


class RouteUnknown(RequestInvalid):
    """No route of the API has that path."""


class MethodNotAllowed(RequestInvalid):
    """The route does not answer to that method."""


class BodyTooLarge(RequestInvalid):
    """The body is larger than any request needs."""


class FromWebPage(AccessDenied):
    """A browser sends the request for a page that it shows."""


def defect() -> RevstreamError:
    """Return what is told of a failure that nobody foresaw."""
    return RevstreamError(
        "The server failed on this request by a defect of its own; its log has the details."
    )


def status_of(error: RevstreamError) -> int:
    """Return the HTTP status of an error; 500 for those that no request can cause."""
    if isinstance(error, InfoPathMalformed):
        return 500  # As ORES answers, and its clients expect.
    if isinstance(error, RouteUnknown):
        return 404
    if isinstance(error, MethodNotAllowed):
        return 405
    if isinstance(error, BodyTooLarge):
        return 413
    if isinstance(error, FromWebPage):
        return 403
    return _STATUSES.get(error.code, 500)


def ours(error: RevstreamError) -> Failure:
    """Return an error in our envelope: ``{"error": {"code", "message", …fields}}``."""
    details = {"code": error.code, "message": error.message, **error.fields}
    headers = _headers(error)
    if "retry-after" in headers:
        details["retry_after_seconds"] = int(headers["retry-after"])
    return Failure(status_of(error), {"error": details}, headers)


def ours_of_failure(failure: ScoreFailure) -> Failure:
    """Return one model's failure about one revision in our envelope, as the whole answer."""
    status = _STATUSES.get(failure.code, 500)
    details: dict[str, Any] = {"code": failure.code, "message": failure.message}
    if status != _LATER:
        return Failure(status, {"error": details})
    details["retry_after_seconds"] = RETRY_AFTER_SECONDS
    return Failure(status, {"error": details}, {"retry-after": str(RETRY_AFTER_SECONDS)})


def ores(error: RevstreamError) -> Failure:
    """Return an error of a whole request in ORES's envelope: ``{"error": {"code", "message"}}``."""
    status = status_of(error)
    message = _ORES_MESSAGES.get(error.code, error.message)
    document = {"error": {"code": _ORES_CODES.get(status, "bad request"), "message": message}}
    return Failure(status, document, _headers(error))


def liftwing(error: RevstreamError) -> Failure:
    """Return an error in KServe's envelope: ``{"error": text}``."""
    return Failure(status_of(error), {"error": error.message}, _headers(error))


def ores_entry(failure: ScoreFailure, rev_id: int) -> dict[str, str]:
    """Return one model's failure about one revision as ORES shows it, in place of a score."""
    kind, text = _ORES_ENTRIES.get(
        failure.code, ("CaughtDependencyError", "CaughtDependencyError: {message}")
    )
    return {"message": text.format(rev_id=rev_id, message=failure.message), "type": kind}


def liftwing_failure(failure: ScoreFailure, rev_id: int) -> Failure:
    """Return one model's failure about one revision as Lift Wing shows it: as the whole answer."""
    status, text = _LIFTWING_ENTRIES.get(failure.code, _LIFTWING_OTHER)
    headers = {"retry-after": str(RETRY_AFTER_SECONDS)} if status >= 500 else {}
    return Failure(status, {"error": text.format(rev_id=rev_id, message=failure.message)}, headers)


def _headers(error: RevstreamError) -> dict[str, str]:
    if isinstance(error, AccessDenied) and not isinstance(error, FromWebPage):
        return {"www-authenticate": "Bearer"}
    if not error.retryable:
        return {}
    return {"retry-after": str(error.fields.get("retry_after_seconds", RETRY_AFTER_SECONDS))}
