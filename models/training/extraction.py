"""From labelled revision ids to labelled feature values, by the path that scorers take."""

import asyncio
import math
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np
from msgspec import Struct, structs
from numpy.typing import NDArray

from models import inputs
from models.engine.extractor import Extractor
from models.features.binder import FeatureBinder
from models.features.feature_set import FeatureSet
from models.manifest import FeatureSpec
from models.scoring import FeatureCache
from models.training.labelled_revisions import LabelledRevisions
from schemas.errors import ContentError, RevstreamError, ScoringError, SourceError
from schemas.prediction import FeatureValue
from schemas.revision import Revision, RevisionRequest

Floats = NDArray[np.float64]
Tell = Callable[[str], None]

_AT_ONCE = 50
_TELL_EVERY = 1_000
_STAND_INS: Mapping[str, FeatureValue] = {"bool": False, "int": 0, "float": 0.0}


class RevisionSource(Protocol):
    """Gives revisions with their parents and editors."""

    async def get(self, request: RevisionRequest) -> Revision:
        """Return one revision.

        Raises:
            ContentError: ``retryable`` tells a wiki that does not answer from a revision that is not there.
        """
        ...


class Extracted(Struct, frozen=True):
    """Feature values of labelled revisions.

    Attributes:
        features: float64[revisions, features]; NaN where a feature reads an account that the source does not
            know.
        actual: Position of the label of each.
        has_account: Which are by an account.
        keys: Wiki and revision id of each.
        failures: Revisions left out, by code of the error.
    """

    features: Floats
    actual: NDArray[np.intp]
    has_account: NDArray[np.bool_]
    keys: tuple[tuple[str, int], ...]
    failures: Mapping[str, int]


async def fetched(
    keys: Sequence[tuple[str, int]], source: RevisionSource, failures: Counter[str]
) -> AsyncIterator[tuple[int, Revision]]:
    """Yield position and revision of those that can be had, in order, some at a time.

    Args:
        keys: Wiki and revision id of each.
        source: Where they come from; answers many calls together.
        failures: Counts those that cannot be had, by code.

    Raises:
        ContentError: The source does not answer at all; to be tried again later.
    """
    numbered = iter(enumerate(keys))
    while batch := list(islice(numbered, _AT_ONCE)):
        requests = (source.get(RevisionRequest(wiki_id, rev_id)) for _, (wiki_id, rev_id) in batch)
        answers = await asyncio.gather(*requests, return_exceptions=True)
        for (position, _), answer in zip(batch, answers, strict=True):
            if isinstance(answer, ContentError) and not answer.retryable:
                failures[answer.code] += 1
            elif isinstance(answer, BaseException):
                raise answer
            else:
                yield position, answer


async def extract(
    revisions: LabelledRevisions,
    specs: Sequence[FeatureSpec],
    binder: FeatureBinder,
    source: RevisionSource,
    *,
    path: Path,
    content_models: Sequence[str],
    tell: Tell,
) -> Extracted:
    """Compute the features of labelled revisions.

    Texts are held for a few revisions at a time only. A revision that is gone, hidden, of another content
    model, or of which a feature cannot be computed is left out and counted.

    Args:
        revisions: Labelled.
        specs: The features, in the order of the model's input.
        binder: Finds them.
        source: Where texts come from.
        path: Of the labels, for messages.
        content_models: Those that the model reads.
        tell: Takes a line of progress.

    Raises:
        ContentError: The source does not answer.
        SourceError: No revision is left.
        ModelError: A feature cannot be bound, or reads a dictionary that is not installed.
    """
    # Where the source does not know an account, the features that read it are not computed.
    stand_ins = [
        structs.replace(spec, unknown_user_value=_STAND_INS[spec.returns])
        if inputs.reads_account(binder.bind(spec.name).roots)
        else spec
        for spec in specs
    ]
    features = FeatureSet("in training", stand_ins, binder)
    extractor = Extractor()
    reads_account = np.array([spec.unknown_user_value is not None for spec in stand_ins])
    failures: Counter[str] = Counter()
    rows: list[Floats] = []
    kept: list[int] = []
    of_accounts: list[bool] = []
    async for position, revision in fetched(revisions.keys, source, failures):
        if revision.content_model not in content_models:
            failures["content_model_unsupported"] += 1
            continue
        try:
            cache = FeatureCache(extractor.extract([features], revision))
            row = features.row(features.compute(revision, cache))[0]
        except (ScoringError, ContentError) as error:
            failures[error.code] += 1
            continue
        user = revision.user
        is_account = user is not None and inputs.has_account(user)
        if inputs.account_gaps(revision):
            row[reads_account] = math.nan
        of_accounts.append(is_account)
        rows.append(row)
        kept.append(position)
        if len(rows) % _TELL_EVERY == 0:
            tell(f"features of {len(rows)} revisions, {failures.total()} left out")
    if not rows:
        raise nothing_left(path, failures)
    return Extracted(
        np.stack(rows),
        revisions.actual[kept],
        np.array(of_accounts),
        tuple(revisions.keys[position] for position in kept),
        dict(sorted(failures.items())),
    )


def nothing_left(path: Path, failures: Mapping[str, int]) -> RevstreamError:
    """Return the error for labels none of whose revisions can be had."""
    reasons = ", ".join(f"{count} {code}" for code, count in sorted(failures.items()))
    return SourceError(
        f"none of the revisions in {path} can be read from that source ({reasons}); name the dump or the "
        "wiki that they belong to",
        path=str(path),
    )
