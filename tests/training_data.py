"""Recipes and labelled tables for tests of training."""

import zipfile
from pathlib import Path

import msgspec
import numpy as np
import pytest

from models.columns import Column
from models.recipes import ENWIKI_REVERTED, Recipe

SMALL: Recipe = msgspec.structs.replace(
    ENWIKI_REVERTED,
    name="small",
    parameters={"n_estimators": 20, "max_depth": 3, "subsample": 0.7, "random_state": 3},
    folds=2,
    repeats=1,
)
"""The recipe of the packaged model, with fewer trees."""

CLASSES: Recipe = msgspec.structs.replace(
    SMALL,
    name="classes",
    model_name="quality",
    features={
        "chars": "feature.wikitext.revision.chars",
        "headings": "feature.wikitext.revision.headings",
    },
    label_column="quality",
    labels=("Stub", "C", "FA"),
    columns=(Column("feature", 0), Column("feature", 1)),
    parameters={"n_estimators": 10},
)
"""A recipe of three classes, without stop words."""

HEADER = ["rev_id", *reversed(list(ENWIKI_REVERTED.features)), "reverted"]


def small_table(rows: int = 300) -> str:
    """Return a table where anonymous editors who add informal words are reverted; columns reversed."""
    random = np.random.default_rng(4)
    lines = ["\t".join(HEADER)]
    for rev_id in range(rows):
        is_anon = random.random() < 0.4
        informals = float(random.integers(0, 4))
        is_reverted = bool(is_anon and informals > 1) ^ bool(random.random() < 0.05)
        seconds = 300_000_000 + rev_id if is_anon else int(random.integers(100, 200))
        values = [3, 5, 1, 0.0, informals, 2.5, is_anon, False, seconds]
        lines.append("\t".join(str(x) for x in (rev_id, *reversed(values), is_reverted)))
    return "\n".join(lines) + "\n"


def classes_table(rows: int = 240) -> str:
    """Return a table where longer pages with more headings are better, with some chance."""
    random = np.random.default_rng(5)
    lines = ["chars\theadings\tquality"]
    for row in range(rows):
        quality = row % 3
        chars = int(random.integers(1, 4_000)) + 3_000 * quality
        headings = int(random.integers(0, 6)) + quality
        lines.append(f"{chars}\t{headings}\t{CLASSES.labels[quality]}")
    return "\n".join(lines) + "\n"


@pytest.fixture
def words(tmp_path: Path) -> Path:
    """A zip of stop words as NLTK packs them."""
    path = tmp_path / "stopwords.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("stopwords/english", "the\nof\nare\n")
    return path
