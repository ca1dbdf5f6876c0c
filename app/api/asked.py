"""Models as clients of our own face name them, and what a row says of each."""

from collections.abc import Container, Iterable, Sequence
from datetime import datetime

from msgspec import Struct

from app.api import errors
from app.api.documents import Document, row_head, stored_document, stored_versions, with_provenance
from schemas.catalogue import Catalogue, ModelInfo
from schemas.errors import ModelNotFound, NotReady, PredictionNotFound, RevstreamError, WikiUnknown
from schemas.prediction import PredictionRow, StoredScore
from tables.reader import Freshness

MODELS_MOST = 100
"""How many models one request may name of a wiki."""


class AskedModel(Struct, frozen=True):
    """A model as a client named it.

    Attributes:
        name: As it was written; the answer bears it.
        model_name: Under which rows hold its scores.
        model_version: The only one that will do; None leaves the choice to us.
        info: What scores it here; None for nothing.
    """

    name: str
    model_name: str
    model_version: str | None
    info: ModelInfo | None

    def of_row(self, row: PredictionRow) -> StoredScore | None:
        """Return what a row says: of the version that was pinned, else of the one served, else the latest."""
        found = [score for score in row.scores if score.model.model_name == self.model_name]
        if self.model_version is not None:
            found = [score for score in found if score.model.model_version == self.model_version]
        return max(found, key=self._rank, default=None)

    def is_settled_by(self, stored: StoredScore) -> bool:
        """Tell whether a stored score is of the version that was pinned, else of the one that is served."""
        version = self.model_version or (self.info and self.info.id.model_version)
        return stored.model.model_version == version

    def _rank(self, stored: StoredScore) -> tuple[bool, datetime]:
        return self.is_settled_by(stored), stored.provenance.scored_dt


def asked_models(catalogue: Catalogue, wiki_id: str, names: Iterable[str]) -> tuple[AskedModel, ...]:
    """Return the models that a client named as ``name`` or ``name@version``, each once."""
    return tuple(_asked_model(catalogue, wiki_id, name) for name in dict.fromkeys(names))


def _asked_model(catalogue: Catalogue, wiki_id: str, asked: str) -> AskedModel:
    name, _, version = asked.partition("@")
    models = catalogue.models(wiki_id)
    if name not in models:
        name = catalogue.aliases.get(name, name)
    return AskedModel(asked, name, version or None, catalogue.find(wiki_id, asked))


def require_wiki(wikis: Container[str], wiki_id: str) -> None:
    """Raise if nothing is served of a wiki.

    Args:
        wikis: Of which something is.
        wiki_id: As the client named it.

    Raises:
        WikiUnknown: It is none of them.
    """
    if wiki_id not in wikis:
        raise WikiUnknown(
            f"No model is configured for the wiki {wiki_id[:100]!r}. GET /models lists the others.",
            wiki_id=wiki_id[:100],
        )


def served_model(catalogue: Catalogue, wiki_id: str, name: str) -> ModelInfo:
    """Return the model that a client means by a name, see `Catalogue.find`.

    Raises:
        WikiUnknown: Nothing is served of the wiki.
        ModelNotFound: No such model is.
    """
    require_wiki(catalogue.wikis, wiki_id)
    info = catalogue.find(wiki_id, name)
    if info is None:
        raise ModelNotFound(
            f"No model {name[:100]!r} is served on {wiki_id}. GET /models/{wiki_id} lists others.",
            wiki_id=wiki_id,
            model_name=name[:100],
        )
    return info


def lacking(asked: Iterable[AskedModel], row: PredictionRow | None) -> dict[str, ModelInfo]:
    """Return the models, by the name that was asked for, that scoring now would say more of than the row."""
    found: dict[str, ModelInfo] = {}
    for one in asked:
        stored = None if row is None else one.of_row(row)
        if one.info is not None and (stored is None or not one.is_settled_by(stored)):
            found[one.name] = one.info
    return found


def asked_document(
    row: PredictionRow,
    asked: Sequence[AskedModel],
    *,
    made: Document | None = None,
    has_provenance: bool = False,
) -> Document:
    """Return a row in our shape, with an answer or a typed failure for each model that was named.

    Args:
        row: What is stored.
        asked: The models, in the order of the answer.
        made: Answers by the name that was asked for, which come before what is stored.
        has_provenance: Tell where stored scores came from as well.
    """
    scores: Document = {}
    for one in asked:
        stored = one.of_row(row)
        if made and one.name in made:
            scores[one.name] = made[one.name]
        elif stored is None:
            scores[one.name] = errors.ours(not_stored(one, row.wiki_id, row.rev_id)).document
        else:
            scores[one.name] = with_provenance(stored) if has_provenance else stored_document(stored)
    document = {**row_head(row), "scores": scores}
    return {**document, "versions": stored_versions(row)} if has_provenance else document


def why_absent(
    catalogue: Catalogue, freshness: Freshness, wiki_id: str, what: str, **fields: int
) -> RevstreamError:
    """Return why there is no row.

    Args:
        catalogue: Of the process.
        freshness: Of where the row was looked for.
        wiki_id: As the client named it.
        what: Was looked for: ``revision 5``.
        fields: The same as a field.
    """
    wiki = wiki_id[:100]
    if wiki_id not in catalogue.wikis:
        return WikiUnknown(
            f"No model is configured for the wiki {wiki!r}. GET /models lists those that have one.",
            wiki_id=wiki,
        )
    if not freshness.is_ready:
        return NotReady(
            f"The tables are not complete yet ({', '.join(freshness.reasons)}), so {what} of {wiki} may "
            "still come. Ask again in a few seconds.",
            wiki_id=wiki,
            **fields,
        )
    return PredictionNotFound(
        f"No score is stored for {what} of {wiki}: it was not edited since scoring began, or does not exist.",
        wiki_id=wiki,
        **fields,
    )


def not_stored(asked: AskedModel, wiki_id: str, rev_id: int) -> RevstreamError:
    """Return why there is no answer of a model about a revision of which others are stored."""
    if asked.info is None and asked.model_version is None:
        return ModelNotFound(
            f"No model {asked.name[:100]!r} is served on {wiki_id}, nor stored for revision {rev_id}. "
            "GET /models lists what is served.",
            wiki_id=wiki_id,
            model_name=asked.name[:100],
        )
    return PredictionNotFound(
        f"No score of {asked.name[:100]} is stored for revision {rev_id} of {wiki_id}: it was scored before "
        "that model was there, or with another version. A batch with on_demand scores it now.",
        wiki_id=wiki_id,
        rev_id=rev_id,
        model_name=asked.name[:100],
    )
