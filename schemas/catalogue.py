"""Which models are loaded, and on which wiki each answers under which name."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from schemas.prediction import ModelId, ScoreKind


class ModelInfoDocument(Struct, frozen=True, kw_only=True):
    """What is told of a model, in the sections of ORES's ``model_info``; plain JSON each.

    Attributes:
        type: Algorithm, in revscoring's words: ``GradientBoosting``.
        version: Of the model.
        params: Parameters of the algorithm and of training.
        environment: Where the model was made.
        statistics: Test statistics, as the artefact's manifest holds them; empty where there are none.
        score_schema: JSON schema of a score.
        further: Sections that the model's makers added.
    """

    type: str
    version: str | None
    params: Mapping[str, Any] = {}
    environment: Mapping[str, Any] = {}
    statistics: Mapping[str, Any] = {}
    score_schema: Mapping[str, Any] = {}
    further: Mapping[str, Any] = {}

    def sections(self) -> dict[str, Any]:
        """Return the sections by name, in ORES's order; statistics only where there are some."""
        return {
            "type": self.type,
            "version": self.version,
            "params": self.params,
            "environment": self.environment,
            **({"statistics": self.statistics} if self.statistics else {}),
            "score_schema": self.score_schema,
            **self.further,
        }


class ModelInfo(Struct, frozen=True):
    """What there is to know about a loaded model without its arrays.

    Attributes:
        artefact: Name of the artefact, ``enwiki-reverted``.
        id: Name, version and hash, as rows and events carry them.
        kind: How it answers.
        labels: All labels, in the order of its probabilities.
        document: What its makers say of it, for ORES's ``model_info``.
        card: What, data, licence, limits, owner; by heading.
        reads_content: False for a model that scores the revision id alone: nothing is fetched for it.
        is_inline: True where scoring costs microseconds, so that it runs on the event loop and not in
            the pool.
        reads_text_alone: True where the revision's own text settles the score: neither its parent, nor who
            saved it, nor when. Such a score is carried to a revision with the same text.
        content_models: Those it reads; empty where nobody says.
        stage: ``experimental``, ``staging`` or ``production``; empty where nobody says.
    """

    artefact: str
    id: ModelId
    kind: ScoreKind
    labels: tuple[str, ...]
    document: ModelInfoDocument
    card: Mapping[str, str]
    reads_content: bool = True
    is_inline: bool = False
    reads_text_alone: bool = False
    content_models: tuple[str, ...] = ()
    stage: str = ""


class Catalogue(Struct, frozen=True):
    """The models of each wiki, by the name under which clients ask.

    Attributes:
        wikis: wiki id to model name to model, one version each: these score every change. The same artefact
            may serve several wikis.
        aliases: Other name to model name, ``wp10`` to ``articlequality``; on wikis where that model answers.
        versions: wiki id to ``name@version`` to model: more versions that are live. They answer when asked
            for, and score no change by themselves.
    """

    wikis: Mapping[str, Mapping[str, ModelInfo]]
    aliases: Mapping[str, str] = {}
    versions: Mapping[str, Mapping[str, ModelInfo]] = {}

    def models(self, wiki_id: str) -> Mapping[str, ModelInfo]:
        """Return the models of a wiki by name; empty for an unknown wiki."""
        return self.wikis.get(wiki_id, {})

    def find(self, wiki_id: str, asked: str) -> ModelInfo | None:
        """Return the model that a client means by ``name``, ``name@version`` or an alias; None for none.

        Its ``id.model_name`` is the name under which rows hold its scores.
        """
        models = self.models(wiki_id)
        if asked in models:
            return models[asked]
        name, _, version = asked.partition("@")
        name = name if name in models else self.aliases.get(name, name)
        info = models.get(name)
        if not version or (info is not None and info.id.model_version == version):
            return info
        return self.versions.get(wiki_id, {}).get(f"{name}@{version}")

    def artefacts(self) -> dict[str, ModelInfo]:
        """Return every model that answers, by artefact: what a process that scores has to load."""
        places = (*self.wikis.values(), *self.versions.values())
        return {info.artefact: info for models in places for info in models.values()}
