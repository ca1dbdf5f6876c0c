"""Scores one revision now, for the command line, by the path that a worker takes."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from agents.scoring import RevisionScoring
from app.catalogue import build_catalogue, model_folders, open_store
from app.content import open_content
from app.pool_limits import pool_limits
from app.settings import Settings
from app.settings_fields import MEDIAWIKI, SAMPLE, SAMPLE_WIKI
from models.pool import ScoringPool
from models.priority import Priority
from models.work import load_work
from schemas.errors import ContentError, WikiUnknown
from schemas.prediction import ScoredModel, ScoreFailure
from schemas.revision import RevisionRequest


async def score_once(
    settings: Settings, wiki_id: str, rev_id: int, *, with_features: bool = False
) -> dict[str, Any]:
    """Fetch one revision and score it with every model of its wiki; nothing is stored.

    Args:
        settings: With ``content`` ``auto``, texts of the sample's wiki come from its dump and all others
            from the wiki.
        wiki_id: Database name.
        rev_id: Positive.
        with_features: Whether the feature values are wanted as well.

    Returns:
        ``wiki_id``, ``rev_id`` and ``scores``: model name to version with prediction and probability, or
        with an error of code and message; with features where asked.

    Raises:
        WikiUnknown: No model is configured for the wiki.
        SettingsError: The wiki's API is to be asked and no contact is set.
        ModelError: A model cannot be loaded.
    """
    store = open_store(settings)
    models = build_catalogue(settings, store).models(wiki_id)
    if not models:
        raise WikiUnknown(
            f"No model is configured for the wiki {wiki_id!r}; there are models for "
            f"{', '.join(sorted(settings.wikis))}. Add it to the setting wikis.",
            wiki_id=wiki_id,
        )
    kind = settings.content
    if kind == "auto":
        kind = SAMPLE if wiki_id == SAMPLE_WIKI else MEDIAWIKI
    reading = tuple({info.artefact for info in models.values() if info.reads_content})
    inline = {info.artefact: store.load(info.artefact) for info in models.values() if not info.reads_content}
    content = open_content(settings, kind=kind if reading else SAMPLE)
    pool = ScoringPool(
        partial(load_work, model_folders(settings), reading),
        processes=1,
        limits=pool_limits(settings),
    )
    try:
        if reading:
            await pool.start()
        scoring = RevisionScoring(content, pool, inline, max_text_bytes=settings.max_text_bytes)
        request = RevisionRequest(wiki_id, rev_id)
        try:
            answers: Sequence[ScoredModel] = await scoring.score(
                request, models, priority=Priority.ON_DEMAND, with_features=with_features
            )
        except ContentError as error:
            failure = ScoreFailure(error.code, error.message)
            answers = [ScoredModel(info.id, failure) for info in models.values()]
    finally:
        await pool.stop(drain_seconds=0)
        await content.close()
    return {
        "wiki_id": wiki_id,
        "rev_id": rev_id,
        "scores": {answer.model.model_name: _document(answer) for answer in answers},
    }


def _document(answer: ScoredModel) -> dict[str, Any]:
    outcome = answer.outcome
    document: dict[str, Any] = {"model_version": answer.model.model_version}
    if isinstance(outcome, ScoreFailure):
        document["error"] = {"code": outcome.code, "message": outcome.message}
    else:
        document["prediction"] = outcome.prediction_value()
        document["probability"] = outcome.probability
    if answer.features is not None:
        document["features"] = answer.features
    return document
