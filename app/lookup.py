"""Ask a running server over HTTP."""

import http.client
import json
from typing import Final
from urllib.parse import quote

from schemas.errors import (
    NotReady,
    PredictionNotFound,
    PredictionWithdrawn,
    RequestInvalid,
    RevstreamError,
    WikiUnknown,
)

TIMEOUT_SECONDS: Final = 10.0

_ERRORS: Final = {
    kind.code: kind
    for kind in (NotReady, PredictionNotFound, PredictionWithdrawn, RequestInvalid, WikiUnknown)
}


def look_up(host: str, port: int, wiki_id: str, *, rev_id: int | None, page_id: int | None) -> str:
    """Return the server's answer about one revision, or about the latest of one page.

    Args:
        host: Of the server; the wildcard addresses mean this machine.
        port: Of the server.
        wiki_id: Database name.
        rev_id: The revision; None asks by page.
        page_id: The page.

    Returns:
        The JSON document as sent, without a line end.

    Raises:
        NotReady: No server answers there, or it is starting.
        RevstreamError: The server refused; with its code and message.
    """
    what = f"/scores/{quote(wiki_id, safe='')}/{rev_id}"
    if rev_id is None:
        what = f"/pages/{quote(wiki_id, safe='')}/{page_id}"
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    if port == 0:
        raise NotReady(
            "http_port is 0, which tells no port to ask. Name the one that the server printed: "
            "--http-port PORT."
        )
    target = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    connection = http.client.HTTPConnection(target, port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", what, headers={"Accept": "application/json"})
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise NotReady(
            f"No revstream answers at {address} ({error}). Start one with `revstream run`, or name its "
            "address with --http-host and --http-port."
        ) from error
    finally:
        connection.close()
    if response.status == http.client.OK:
        return body.decode().rstrip("\n")
    raise _refusal(response.status, body, f"{address}{what}")


def _refusal(status: int, body: bytes, url: str) -> RevstreamError:
    try:
        error = json.loads(body)["error"]
        code, message = str(error["code"]), str(error["message"])
    except (ValueError, KeyError, TypeError):
        return RevstreamError(f"{url} answered {status}, and not as revstream does. Is it another server?")
    return _ERRORS.get(code, RevstreamError)(message)
