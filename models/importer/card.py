"""The card of an imported model: what its file says, and what that leaves open."""

from collections.abc import Mapping, Sequence

from models.manifest import ImportedFrom

_SHOWN_LABELS = 12


def describe(
    imported: ImportedFrom, kind: str, labels: Sequence[str], features_count: int, *, has_statistics: bool
) -> Mapping[str, str]:
    """Write the card of an imported model, by heading.

    Args:
        imported: What the file says.
        kind: Of the estimator.
        labels: In the order of the probabilities.
        features_count: How many features it reads.
        has_statistics: Whether the file holds any.
    """
    more = f" and {len(labels) - _SHOWN_LABELS} more" if len(labels) > _SHOWN_LABELS else ""
    return {
        "Model": f"{kind.replace('_', ' ').capitalize()} over {features_count} features of revscoring, "
        f"answering {', '.join(labels[:_SHOWN_LABELS])}{more}.",
        "Source": f"Imported from {imported.file} (sha512 {imported.sha512[:16]}…), "
        f"a {imported.kind.rpartition('.')[2]} in the shape of {imported.release}.",
        "Training": f"Trained {imported.trained_dt}, elsewhere; the file does not hold the data."
        if imported.trained_dt
        else "The file says neither when it was trained nor on what.",
        "Statistics": "Those that the file holds, of the tests made when it was trained."
        if has_statistics
        else "The file holds none.",
    }
