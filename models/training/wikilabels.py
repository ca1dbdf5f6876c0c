"""Labels that people gave through Wikilabels, as its server and editquality's tools export them.

Two layouts are read, one object a line, or a whole campaign in one document:

* a task: ``{"data": {"rev_id": …}, "labels": [{"data": {"damaging": true, …}, "timestamp": …}, …]}``;
* a revision: ``{"rev_id": …, "damaging": true, "goodfaith": false, "autolabel": {"needs_review": …}, …}``.

Of several labels of a task one counts: a person's before an automatic one, a sure before an unsure one, the
earlier before the later. Where a label is missing it is filled as editquality fills it: damaging and good
faith exclude each other, and an edit that needed no review is not damaging and in good faith.
"""

from collections.abc import Iterator, Mapping
from typing import Any

_OPPOSITE = {"damaging": "goodfaith", "goodfaith": "damaging"}
_UNREVIEWED = {"damaging": False, "goodfaith": True}


def is_campaign(row: Mapping[str, Any]) -> bool:
    """Tell whether an object is a whole campaign."""
    return isinstance(row.get("tasks"), list)


def revisions_of(row: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the labelled revisions of a line, each as one flat object with ``rev_id``.

    Args:
        row: A campaign, a task, or a revision, which is given back as it is.
    """
    if is_campaign(row):
        for task in row["tasks"]:
            if isinstance(task, Mapping):
                yield from revisions_of(task)
    elif isinstance(row.get("labels"), list) and isinstance(row.get("data"), Mapping):
        yield {**row["data"], **_best(row["labels"])}
    else:
        yield row


def label_of(row: Mapping[str, Any], field: str) -> Any:
    """Return what a flat object says of a field; None where it says nothing."""
    if (value := row.get(field)) is not None:
        return value
    opposite = row.get(_OPPOSITE.get(field, ""))
    if opposite is not None:
        return str(opposite).lower() == "false"
    return _UNREVIEWED.get(field) if _needs_no_review(row) else None


def is_automatic(row: Mapping[str, Any], field: str) -> bool:
    """Tell whether nobody looked at the edit: such a label gives way to that of a person."""
    is_given = row.get(field) is not None or row.get(_OPPOSITE.get(field, "")) is not None
    return not is_given or row.get("auto_labeled") is True or row.get("automated") is True


def _needs_no_review(row: Mapping[str, Any]) -> bool:
    nested = row.get("autolabel")
    review = nested.get("needs_review") if isinstance(nested, Mapping) else row.get("needs_review")
    return review is not None and str(review).lower() == "false"


def _best(labels: list[Any]) -> Mapping[str, Any]:
    given = [
        label for label in labels if isinstance(label, Mapping) and isinstance(label.get("data"), Mapping)
    ]
    if not given:
        return {}
    best = min(
        given,
        key=lambda label: (
            "automated" in label["data"],
            bool(label["data"].get("unsure")),
            str(label.get("timestamp")),
        ),
    )
    return dict(best["data"])
