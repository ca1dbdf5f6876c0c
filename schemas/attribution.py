"""What moved a score: how much each feature added to it, in whatever the model adds up."""

from enum import StrEnum

from msgspec import Struct

AttributedValue = bool | int | float | str


class AttributionMethod(StrEnum):
    """How contributions are computed."""

    TREE_SHAP = "tree_shap"
    """Shapley values of the trees, exact, by Lundberg and others, "From local explanations to global
    understanding with explainable AI for trees" (2020): path-dependent."""
    LINEAR = "linear"
    """Coefficient times the distance of the value from the reference."""


class AttributionScale(StrEnum):
    """What the contributions are a part of."""

    LOG_ODDS = "log_odds"
    """The logarithm of the odds of the label."""
    RAW_SCORE = "raw_score"
    """A score that becomes a probability beside those of the other labels, or by a link of its own."""
    PROBABILITY = "probability"
    """The probability itself."""


class AttributionReference(StrEnum):
    """What stands for a feature that is not told, hence what the base is the score of."""

    TRAINING = "training"
    """The revisions that the model was trained with, as they went through its trees."""
    LEAVES = "leaves"
    """All leaves of its trees alike, since the artefact does not say how many revisions ended in each."""
    MEAN = "mean"
    """The mean of the feature in training."""
    ZERO = "zero"
    """Zero, since the artefact knows no mean."""


class LabelAttribution(Struct, frozen=True):
    """What moved the score of one label.

    Attributes:
        label: Of the model.
        base: Score of the reference.
        score: Of the revision: base and contributions together, but for rounding.
        contributions: One for each feature, positive where it speaks for the label.
    """

    label: str
    base: float
    score: float
    contributions: tuple[float, ...]


class Attribution(Struct, frozen=True):
    """What moved the scores of one model of one revision.

    Attributes:
        method: How it was computed.
        scale: What is added up.
        reference: What stands for features that are not told.
        features: Printed names, or sums and shares of these, in the order of the model's input. A vector is
            one feature, whose contribution is the sum of those of its numbers.
        values: One for each; for a vector, how many numbers it has, as text.
        labels: One for each label; ``true`` alone where false is its opposite.
    """

    method: AttributionMethod
    scale: AttributionScale
    reference: AttributionReference
    features: tuple[str, ...]
    values: tuple[AttributedValue, ...]
    labels: tuple[LabelAttribution, ...]
