"""Extracted features as a table to train on again."""

from collections.abc import Sequence
from pathlib import Path

from models.features.bound import BoundFeature
from models.recipes import Recipe
from models.training.table import LabelledTable
from schemas.errors import SourceError


def write_features(
    path: Path,
    recipe: Recipe,
    table: LabelledTable,
    keys: Sequence[tuple[str, int]],
    bound: Sequence[BoundFeature],
) -> None:
    """Write a tab-separated table: ``wiki_id``, ``rev_id``, the features by column, and the label.

    Numbers are written so that reading them gives the same bits.

    Args:
        path: Replaced.
        recipe: Names the columns.
        table: The values.
        keys: Wiki and revision id of each row.
        bound: The features, for their types.

    Raises:
        SourceError: The file cannot be written.
    """
    readers = [
        bool if feature.returns == "bool" else int if feature.returns == "int" else float for feature in bound
    ]
    try:
        with path.open("w", encoding="utf-8") as file:
            file.write("\t".join(("wiki_id", "rev_id", *recipe.features, recipe.label_column)) + "\n")
            for (wiki_id, rev_id), row, label in zip(
                keys, table.features.tolist(), table.actual, strict=True
            ):
                cells = (str(read(value)) for read, value in zip(readers, row, strict=True))
                file.write("\t".join((wiki_id, str(rev_id), *cells, table.labels[label])) + "\n")
    except OSError as error:
        raise SourceError(
            f"cannot write {path}: {error.strerror}; check the folder and its permissions", path=str(path)
        ) from error
