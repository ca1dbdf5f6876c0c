"""Which models are loaded, and on which wiki each answers under which name."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from schemas.prediction import ModelId, ScoreKind


class ModelInfo(Struct, frozen=True):
    """What there is to know about a loaded model without its arrays.

    Attributes:
        artefact: Name of the artefact, ``enwiki-reverted``.
        id: Name, version and hash, as rows and events carry them.
        kind: How it answers.
        labels: All labels, in the order of its probabilities.
        statistics: Test statistics, as the artefact's manifest holds them; empty where there are none.
        card: What, data, licence, limits, owner; by heading.
        reads_content: False for a model that scores the revision id alone: nothing is fetched for it.
        is_inline: True where scoring costs microseconds, so that it runs on the event loop and not in
            the pool.
    """

    artefact: str
    id: ModelId
    kind: ScoreKind
    labels: tuple[str, ...]
    statistics: Mapping[str, Any]
    card: Mapping[str, str]
    reads_content: bool = True
    is_inline: bool = False


class Catalogue(Struct, frozen=True):
    """The models of each wiki, by the name under which clients ask.

    Attributes:
        wikis: wiki id to model name to model. The same artefact may serve several wikis.
    """

    wikis: Mapping[str, Mapping[str, ModelInfo]]

    def models(self, wiki_id: str) -> Mapping[str, ModelInfo]:
        """Return the models of a wiki by name; empty for an unknown wiki."""
        return self.wikis.get(wiki_id, {})
