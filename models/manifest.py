"""What an artefact says of itself."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field

from models.features.definitions import Definition
from models.features.text_alone import reads_text_alone
from models.statistics.info import describe_model
from schemas.catalogue import ModelInfo
from schemas.prediction import FeatureValue, ModelId, ScoreKind

FORMAT_VERSION = 1


class FeatureSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """A feature that the model reads.

    Attributes:
        name: As revscoring prints it, with sets in sorted order.
        returns: ``bool``, ``int`` or ``float``; of each value where it is a vector.
        unknown_user_value: Stands in where the source of a revision does not know groups and registration
            of an account (dumps); None for features that do not read them.
        definition: Position among the definitions of the artefact; None for one that is found by its name.
        columns: How many columns of the model's input it fills; as many as values where it is a vector.
    """

    name: str
    returns: str
    unknown_user_value: FeatureValue | None = None
    definition: int | None = None
    columns: int = 1


class WordList(Struct, frozen=True, forbid_unknown_fields=True):
    """Words that features read, carried in the artefact.

    Attributes:
        file: Path in the artefact.
        source: Where the words were taken from when the model was trained.
    """

    file: str
    source: str


class Environment(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the model was made.

    Attributes:
        packages: Version by package name, ``python`` included.
        dictionaries: Provider and version by language tag, of the dictionaries that features read.
    """

    packages: Mapping[str, str]
    dictionaries: Mapping[str, str] = field(default_factory=dict)


class TrainingData(Struct, frozen=True, forbid_unknown_fields=True):
    """What the model learnt from.

    Attributes:
        file: Name of the data file.
        sha512: Of the data file as read.
        description: What the rows are and who made them.
        rows: Number of rows.
        columns: Column of the file by feature.
        label_column: Column that holds the label.
    """

    file: str
    sha512: str
    description: str
    rows: int
    columns: Mapping[str, str]
    label_column: str


class ImportedFrom(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which model file an artefact was made from, and what the file says of itself.

    Attributes:
        file: Name of the file.
        sha512: Of the file as it was read, packed or not.
        compression: ``bz2``, ``gzip``, ``xz`` or ``none``.
        kind: Class that was pickled.
        release: Releases of revscoring that save models in this shape.
        wiki_id: By the name of the file; None where it does not say.
        stated_model_name: What the file calls the model, ``wp10`` where that is ``articlequality`` now.
        stated_version: None where the file states none.
        trained_dt: UTC, ISO 8601; None where the file does not say.
        parameters: Of the training, class weights included.
        population_rates: How frequent each label is in the world; None where not stated.
        environment: Platform and versions at the training, as recorded.
        language: Language module of the first releases, whose feature names do not tell it.
    """

    file: str
    sha512: str
    compression: str
    kind: str
    release: str
    wiki_id: str | None = None
    stated_model_name: str | None = None
    stated_version: str | None = None
    trained_dt: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    population_rates: Mapping[str, float] | None = None
    environment: Mapping[str, Any] = field(default_factory=dict)
    language: str | None = None


class PackageFile(Struct, frozen=True, forbid_unknown_fields=True):
    """A file that an installed Python package carries and the model reads.

    Attributes:
        package: Import name of the package.
        path: Path inside it.
        sha512: Of the file.
        cure: What installs it.
    """

    package: str
    path: str
    sha512: str
    cure: str


class Manifest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything about a model but its numbers.

    Attributes:
        format_version: Of this layout.
        name: Of the artefact, ``enwiki-reverted``.
        model_name: As clients ask for it, ``reverted``.
        model_version: Text.
        kind: How it answers.
        labels: In the order of its probabilities.
        scorer: Which code runs it, see ``models.store``.
        estimator: Algorithm, parameters and columns, for the scorer.
        features: In the order of the model's input.
        definitions: What those of an imported model compute, see ``models.features.definitions``.
        word_lists: By collection, ``english.stopwords``.
        pattern_lists: sha512 of the regular expressions that features read, by collection,
            ``english.badwords``. They live in the revscoring package.
        content_models: Those it reads.
        reads_content: False for a model that scores the revision id alone.
        is_inline: True where scoring costs microseconds.
        environment: Where it was made.
        training: What it learnt from; None for a model that did not learn, or learnt elsewhere.
        imported: The model file it was made from; None for a model trained here.
        package_files: Read from installed packages.
        statistics: In the shape of ORES's model_info, thresholds included.
        card: By heading.
        licence: SPDX expression.
        owner: Whom to ask.
        stage: ``experimental``, ``staging`` or ``production``.
        files: sha512 by path of every other file of the artefact.
        sha512: Of the whole.
    """

    format_version: int = FORMAT_VERSION
    name: str
    model_name: str
    model_version: str
    kind: ScoreKind
    labels: tuple[str, ...]
    scorer: str
    estimator: Mapping[str, Any] = field(default_factory=dict)
    features: tuple[FeatureSpec, ...] = ()
    definitions: tuple[Definition, ...] = ()
    word_lists: Mapping[str, WordList] = field(default_factory=dict)
    pattern_lists: Mapping[str, str] = field(default_factory=dict)
    content_models: tuple[str, ...] = ("wikitext",)
    reads_content: bool = True
    is_inline: bool = False
    environment: Environment = field(default_factory=lambda: Environment({}))
    training: TrainingData | None = None
    imported: ImportedFrom | None = None
    package_files: tuple[PackageFile, ...] = ()
    statistics: Mapping[str, Any] = field(default_factory=dict)
    card: Mapping[str, str] = field(default_factory=dict)
    licence: str
    owner: str
    stage: str = "experimental"
    files: Mapping[str, str] = field(default_factory=dict)
    sha512: str = ""

    def info(self) -> ModelInfo:
        """Return what the rest of the system needs to know of the model."""
        return ModelInfo(
            artefact=self.name,
            id=ModelId(self.model_name, self.model_version, self.sha512),
            kind=self.kind,
            labels=self.labels,
            document=describe_model(self),
            card=self.card,
            reads_content=self.reads_content,
            is_inline=self.is_inline,
            reads_text_alone=self.reads_content and reads_text_alone(self.features, self.definitions),
            content_models=self.content_models if self.reads_content else (),
        )
