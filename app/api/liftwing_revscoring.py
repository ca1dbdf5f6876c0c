"""Lift Wing's contract of the models of one wiki, which were revscoring's: what a request asks."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.api.liftwing_event import event_fields
from schemas.errors import RequestInvalid

MOST_INSTANCES: Final = 50
"""As many revisions as ORES took in one request."""


def extended_output(body: Mapping[str, Any]) -> bool:
    """Return whether a request wants the features as well.

    Raises:
        RequestInvalid: It does not say so in a way that any of Lift Wing's servers takes.
    """
    value = body.get("extended_output")
    if value is None:
        return False
    # One of Lift Wing's servers wants the word as text, so its clients send that.
    is_wanted = {"true": True, "false": False}.get(value.lower(), value) if isinstance(value, str) else value
    if is_wanted not in (True, False):
        raise RequestInvalid('Expected "extended_output" to be a boolean.')
    return bool(is_wanted)


def instances(body: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the revisions of a batch, each as a request of its own would have it.

    Raises:
        RequestInvalid: They are none, too many, or no objects.
    """
    found = body["instances"]
    if not isinstance(found, list) or not found:
        raise RequestInvalid('Expected "instances" to be a list of revisions.')
    if len(found) > MOST_INSTANCES:
        raise RequestInvalid(f"Only accept a maximum of {MOST_INSTANCES} rev_ids in the request.")
    if not all(isinstance(one, Mapping) for one in found):
        raise RequestInvalid('Expected each of "instances" to be an object.')
    return found


def revision_asked(body: Mapping[str, Any], wiki_id: str) -> int:
    """Return the revision that a request names itself, or by an event.

    Args:
        body: ``{"rev_id"}`` or ``{"event"}``; an empty event counts as none.
        wiki_id: Of the model that is asked.

    Raises:
        RequestInvalid: With the texts of Lift Wing, where clients know them.
    """
    rev_id = body.get("rev_id")
    if event := body.get("event"):
        fields = event_fields(event, "rev_id")
        rev_id = fields.rev_id
        if fields.domain == "canary":
            raise RequestInvalid("A canary event names no revision; send a page change.")
        if isinstance(fields.wiki_id, str) and fields.wiki_id != wiki_id:
            raise RequestInvalid(
                f"The event is of {fields.wiki_id[:100]}, and this model scores revisions of {wiki_id}. Send "
                f"it to a model of {fields.wiki_id[:100]}."
            )
    # Lift Wing tests for truth, so that 0 and "" are missing rather than wrong.
    if not rev_id:
        raise RequestInvalid('Expected "rev_id" in input data.')
    if not isinstance(rev_id, int) or isinstance(rev_id, bool):
        raise RequestInvalid('Expected "rev_id" to be an integer.')
    return rev_id
