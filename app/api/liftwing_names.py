"""The names under which Lift Wing's clients know models, and what stands behind them."""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from app.api.answers import Resources
from schemas.catalogue import ModelInfo
from schemas.errors import ModelNotFound, NotReady

LANGID: Final = "langid"
OUTLINKS: Final = "outlink-topic-model"
REVERT_RISK: Final = "revertrisk-language-agnostic"
MULTILINGUAL_REVERT_RISK: Final = "revertrisk-multilingual"

_DIRECT: Final = frozenset({LANGID, OUTLINKS})
SHARED: Final = (LANGID, OUTLINKS, REVERT_RISK, MULTILINGUAL_REVERT_RISK)
"""Models that Lift Wing names without a wiki: the request tells it, or the language, or needs none."""


class WikiModel(Struct, frozen=True):
    """A model of one wiki.

    Attributes:
        wiki_id: Database name.
        model_name: As the client named it: an alias and ``NAME@VERSION`` stay what they are.
        info: What answers.
    """

    wiki_id: str
    model_name: str
    info: ModelInfo


class ModelNames:
    """All names that answer.

    Args:
        resources: Catalogue, and what can score.
    """

    def __init__(self, resources: Resources) -> None:
        self._catalogue = resources.catalogue
        self._can_score = resources.direct is not None
        self._models = {
            f"{wiki_id}-{name}": WikiModel(wiki_id, name, info)
            for wiki_id, models in sorted(resources.catalogue.wikis.items())
            for name, info in sorted(models.items())
        }
        served = {name for models in resources.catalogue.wikis.values() for name in models}
        self._shared = [name for name in SHARED if name in served]

    def __iter__(self) -> Iterator[str]:
        yield from self._models
        yield from self._shared

    def is_shared(self, name: str) -> bool:
        """Return whether a model is named without a wiki, and served."""
        return name in self._shared

    def wiki_model(self, name: str) -> WikiModel:
        """Return what ``{wiki}-{model}`` names; the model may be an alias, or ``NAME@VERSION``.

        Raises:
            ModelNotFound: No such model answers.
        """
        found = self._models.get(name)
        if found is None:
            # No database name has a hyphen.
            wiki_id, _, asked = name.partition("-")
            info = self._catalogue.find(wiki_id, asked)
            if info is None:
                raise ModelNotFound(f"Model with name {name[:200]} does not exist.")
            found = WikiModel(wiki_id, asked, info)
        return found

    def infos(self, name: str) -> list[ModelInfo]:
        """Return what answers under a name: one model, or several of as many wikis.

        Raises:
            ModelNotFound: Nothing does.
        """
        if not self.is_shared(name):
            return [self.wiki_model(name).info]
        found = {
            models[name].artefact: models[name]
            for _, models in sorted(self._catalogue.wikis.items())
            if name in models
        }
        return list(found.values())

    def require_ready(self, name: str) -> None:
        """Refuse a model that is known and cannot answer here.

        Raises:
            ModelNotFound: It is not known.
            NotReady: This process answers from storage alone, and nothing stored says what it would.
        """
        self.infos(name)
        if name in _DIRECT and self.is_shared(name) and not self._can_score:
            raise NotReady(f"Model with name {name} is not ready.")
