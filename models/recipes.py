"""What models of our own are made of: features, columns, parameters and words about them."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

from models.columns import Column

BINARY = ("false", "true")
Balanced = Literal["balanced"]
Metric = Literal["roc_auc", "average_precision", "accuracy", "balanced_accuracy", "log_loss"]


class Tuning(Struct, frozen=True, forbid_unknown_fields=True):
    """How parameters are chosen: each combination is cross-validated, and the best mean wins.

    Attributes:
        grid: Values to try by parameter.
        metric: What to compare by; the greatest wins, of ``log_loss`` the least.
        folds: Of stratified cross-validation, at least 2.
    """

    grid: Mapping[str, Sequence[Any]]
    metric: Metric = "roc_auc"
    folds: int = 3


class Recipe(Struct, frozen=True):
    """How a model is trained from labelled feature values.

    Attributes:
        name: Of the artefact.
        model_name: As clients ask for it.
        model_version: Text.
        features: Feature by column of the table, in the order of the model's input.
        label_column: Column that holds the label.
        columns: What the estimator is asked, by position of features.
        parameters: Of scikit-learn's estimator.
        data: What the rows are and who made them.
        card: By heading; training adds the figures.
        licence: SPDX expression.
        owner: Whom to ask.
        labels: In the order of the probabilities.
        estimator: Class of scikit-learn.
        scaler: Class of scikit-learn that scales the columns before; None for none.
        class_weights: Weight of the rows of each label; ``balanced`` for the inverse of their frequency.
        population_rates: Share of each label in the world, to which the statistics are scaled; None takes the
            labelled rows for the world.
        tuning: Chooses among parameters; None takes them as given.
        folds: Of stratified cross-validation, at least 2.
        repeats: Of cross-validation, at least 1.
        held_out: Share of the rows that the model never sees and is tested on at the end; 0 for none.
        wiki_id: Wiki of revision ids that name none.
        content_models: Those that the model reads.
        stage: That the artefact begins at.
    """

    name: str
    model_name: str
    model_version: str
    features: Mapping[str, str]
    label_column: str
    columns: tuple[Column, ...]
    parameters: Mapping[str, Any]
    data: str
    card: Mapping[str, str]
    licence: str
    owner: str
    labels: tuple[str, ...] = BINARY
    estimator: str = "GradientBoostingClassifier"
    scaler: str | None = None
    class_weights: Balanced | Mapping[str, float] | None = None
    population_rates: Mapping[str, float] | None = None
    tuning: Tuning | None = None
    folds: int = 5
    repeats: int = 2
    held_out: float = 0.0
    wiki_id: str | None = None
    content_models: tuple[str, ...] = ("wikitext",)
    stage: str = "experimental"


ENWIKI_REVERTED = Recipe(
    name="enwiki-reverted",
    model_name="reverted",
    model_version="0.1.0",
    features={
        "longest_repeated_char_added": "feature.wikitext.revision.diff.longest_repeated_char_added",
        "words_added": "feature.wikitext.revision.diff.words_added",
        "words_removed": "feature.wikitext.revision.diff.words_removed",
        "badwords_match_prop_delta_sum": "feature.english.badwords.revision.diff.match_prop_delta_sum",
        "informals_match_prop_delta_sum": "feature.english.informals.revision.diff.match_prop_delta_sum",
        "non_stopword_prop_delta_sum": "feature.english.stopwords.revision.diff.non_stopword_prop_delta_sum",
        "user_is_anon": "feature.revision.user.is_anon",
        "user_in_group_bot_sysop": "feature.revision.user.in_group({'bot', 'sysop'})",
        "user_seconds_since_registration": "feature.temporal.revision.user.seconds_since_registration",
    },
    label_column="reverted",
    columns=(
        *(Column("feature", position) for position in range(8)),
        # The table counts editors without an account as registered on 2006-01-01, revscoring today as 0
        # seconds old. Trees that saw either would misread the other, so they see 0 for both.
        Column("unless", of=8, by=6),
        Column("difference", of=1, by=2),
        Column("share", of=2, by=1),
        Column("rate", of=3, by=1),
        Column("rate", of=4, by=1),
        Column("rate", of=5, by=1),
    ),
    parameters={
        "n_estimators": 400,
        "learning_rate": 0.015,
        "max_depth": 4,
        "max_features": 4,
        "min_samples_leaf": 20,
        "subsample": 0.5,
        "random_state": 20_261_121,
    },
    data="Edits of the English Wikipedia from February 2015 to January 2016, sampled at random, with nine "
    "feature values each, and whether somebody else reverted the edit within 48 hours. Made by the "
    "editquality project of the Wikimedia Foundation (MIT licence).",
    card={
        "What": "Probability that somebody else will revert this edit of the English Wikipedia within 48 "
        "hours. Gradient boosting over nine features of the change and of its editor.",
        "Use": "To sort edits for people who look at them. The prediction is true from a probability of "
        "0.5 on, which few edits reach; choose a threshold from the statistics instead. Do not let it "
        "revert by itself.",
        "Limits": "Reverted is not the same as harmful: good edits are reverted too, and new and "
        "unregistered editors more often than others, which the model repeats. It knows English wikitext "
        "of 2015. Temporary accounts did not exist then; they count as accounts of their true age. Where "
        "groups and registration of an account are unknown (dumps), the values that the features declare "
        "stand in: in no group, and as old as the median account of the training data.",
        "Corrections": "The table counts editors without an account as registered on 2006-01-01, and "
        "revscoring as 0 seconds old; the model takes both for 0.",
        "Words": "The English stop words of NLTK's corpus, carried in the artefact; badwords and informals "
        "are revscoring's, held by their sha512.",
    },
    licence="Apache-2.0",
    owner="revstream",
    stage="production",
)

RECIPES: Mapping[str, Recipe] = {ENWIKI_REVERTED.name: ENWIKI_REVERTED}
"""Recipe by name of the artefact."""
