"""Edits of many wikis with their outcome, as the sample of the multilingual revert-risk training holds them.

The sample has no texts of revisions. It has the pieces of prose that changed, from which words are counted
here by the very code that counts them when serving; and counts of changed elements (links, templates,
references) that its makers took with mwedittypes, whose insertions and changes together are what
``models.kinds.edit_features`` calls added.
"""

import ast
import csv
import gzip
import hashlib
import io
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from models.kinds.edit_features import FEATURES, TRUSTED_GROUPS, Edit, words_changed
from schemas.errors import SourceError
from schemas.revision import RevisionUser

LABEL_COLUMN: Final = "revision_is_identity_reverted"
_ELEMENTS: Final[Mapping[str, tuple[str, ...]]] = {
    # Categories are links to whoever does not know a wiki's namespaces.
    "link": ("Wikilink", "Category"),
    "reference": ("Reference",),
    "external_link": ("ExternalLink",),
    "template": ("Template",),
    "media": ("Media",),
    "heading": ("Heading",),
    "table": ("Table",),
}
_LONGEST_CELL: Final = 10_000_000


class EditTable(Struct, frozen=True):
    """Edits whose outcome is known.

    Attributes:
        features: float64[rows, features], in the order of ``FEATURES``.
        is_reverted: bool[rows].
        editors: int[rows]; rows of one editor share a number.
        wikis: How many wikis they are of.
        sha512: Of the file.
    """

    features: NDArray[np.float64]
    is_reverted: NDArray[np.bool_]
    editors: NDArray[np.intp]
    wikis: int
    sha512: str


def read_edits(path: Path) -> EditTable:
    """Read the sample.

    Args:
        path: Comma-separated with a header row, packed with gzip.

    Raises:
        SourceError: It cannot be read, or holds a row that is no edit.
    """
    try:
        data = path.read_bytes()
        text = gzip.decompress(data).decode()
    except (OSError, EOFError, ValueError) as error:
        raise SourceError(
            f"the table {path} cannot be read ({error}); name a .csv.gz file", path=str(path)
        ) from error
    before = csv.field_size_limit(_LONGEST_CELL)
    try:
        rows = list(csv.DictReader(io.StringIO(text)))
    finally:
        csv.field_size_limit(before)
    features, is_reverted = [], []
    for number, row in enumerate(rows, start=2):
        try:
            edit = _edit(row)
            is_reverted.append({"0": False, "1": True}[row[LABEL_COLUMN]])
        except (KeyError, ValueError, TypeError, SyntaxError) as error:
            raise SourceError(
                f"row {number} of {path} is no labelled edit ({type(error).__name__}: {error}); name the "
                "sample of the multilingual revert-risk training",
                path=str(path),
                line=number,
            ) from error
        features.append([float(feature.compute(edit)) for feature in FEATURES.values()])
    if len(set(is_reverted)) < 2:
        raise SourceError(
            f"{path} holds {len(rows)} edits of one outcome only; both are needed", path=str(path)
        )
    editors = [row["event_user_text_historical"] for row in rows]
    return EditTable(
        features=np.array(features),
        is_reverted=np.array(is_reverted),
        editors=np.unique(editors, return_inverse=True)[1],
        wikis=len({row["wiki_db"] for row in rows}),
        sha512=hashlib.sha512(data).hexdigest(),
    )


def _edit(row: Mapping[str, str]) -> Edit:
    changed = ast.literal_eval(row["texts_change"])
    removed = [*ast.literal_eval(row["texts_removed"]), *(old for old, _ in changed)]
    inserted = [*ast.literal_eval(row["texts_insert"]), *(new for _, new in changed)]
    words_added, words_removed = words_changed("\n".join(removed), "\n".join(inserted))
    groups = tuple(sorted(group for group in TRUSTED_GROUPS if row[f"is_{group}"] == "True"))
    is_anonymous = {"True": True, "False": False}[row["is_anonymous"]]
    return Edit(
        user=RevisionUser(None if is_anonymous else 1, row["event_user_text_historical"], groups),
        comment=row["event_comment"],
        bytes_difference=int(row["revision_text_bytes_diff"]),
        words_added=words_added,
        words_removed=words_removed,
        elements_added=_elements(row, "insert"),
        elements_removed=_elements(row, "remove"),
    )


def _elements(row: Mapping[str, str], action: str) -> Counter[str]:
    return Counter(
        {
            kind: sum(int(row[f"{action}_{name}"]) + int(row[f"change_{name}"]) for name in names)
            for kind, names in _ELEMENTS.items()
        }
    )
