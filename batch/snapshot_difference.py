"""What differs between two snapshots, as reports, pages and plots show it."""

from collections.abc import Mapping

from msgspec import Struct

SCORED = "scored"
ABSENT = "absent"
"""Words for what became of a revision that has no error code: it has a score, or no row at all."""


class SideModel(Struct, frozen=True, order=True):
    """The model behind the rows of one snapshot.

    Attributes:
        model_version: Text, never a number.
        model_sha512s: Hashes of the artefacts, more than one where the version was built anew between rows.
    """

    model_version: str
    model_sha512s: tuple[str, ...]


class OutcomeChange(Struct, frozen=True):
    """Revisions that came to one end in the first snapshot, and to one in the second.

    Attributes:
        first: ``scored``, ``absent`` or the code of the error.
        second: The same.
        rows: How many.
    """

    first: str
    second: str
    rows: int


class Flip(Struct, frozen=True):
    """Revisions with one prediction in the first snapshot, and one in the second.

    Attributes:
        first: Labels predicted, sorted; exactly one unless the model is multilabel.
        second: The same.
        rows: How many.
        share: Of all revisions that are scored in both, in [0, 1].
        share_of_first: Of those that had the first prediction, in [0, 1].
    """

    first: tuple[str, ...]
    second: tuple[str, ...]
    rows: int
    share: float
    share_of_first: float


class Distribution(Struct, frozen=True):
    """How the probabilities of one label lie in one snapshot.

    Attributes:
        rows: How many there are.
        mean: In [0, 1].
        deviation: Standard deviation, of the rows as the whole population.
        least: The smallest.
        most: The greatest.
        quantiles: By rank, ``0.5`` is the median: the smallest probability with at least that share of the
            rows at or below it.
        above: By threshold, the share of rows above it.
        histogram: Rows by probability, in equal bins that hold their lower border, the last both.
        shares: Share of rows in each bin of `snapshot_shift.BORDERS`.
    """

    rows: int
    mean: float
    deviation: float
    least: float
    most: float
    quantiles: Mapping[float, float]
    above: Mapping[float, float]
    histogram: tuple[int, ...]
    shares: tuple[float, ...]


class LabelShift(Struct, frozen=True):
    """What became of the probabilities of one label.

    Attributes:
        label: Of the model.
        first: Of all rows of the first snapshot; None where none has the label.
        second: Of all rows of the second.
        stability_index: Population stability index over `snapshot_shift.BORDERS`; None without both sides.
        distance: Of Kolmogorov and Smirnov, the greatest difference between the two cumulative
            distributions, in [0, 1]; None without both sides.
        gained: Revisions scored in both for which only the second predicts the label.
        lost: Those for which only the first does.
        mean_change: Mean of second minus first over revisions scored in both; None where there are none.
        mean_size: Mean of the absolute changes.
        most_size: The greatest absolute change.
    """

    label: str
    first: Distribution | None
    second: Distribution | None
    stability_index: float | None
    distance: float | None
    gained: int
    lost: int
    mean_change: float | None
    mean_size: float | None
    most_size: float | None

    @property
    def mean_shift(self) -> float | None:
        """The mean of the second snapshot minus that of the first, over all rows of each."""
        if self.first is None or self.second is None:
            return None
        return self.second.mean - self.first.mean


class ScoreChange(Struct, frozen=True):
    """A revision whose score changed.

    Attributes:
        page_id: In the second snapshot.
        rev_id: Of the revision.
        label: The one whose probability changed most.
        first: Its probability in the first snapshot.
        second: And in the second.
        first_prediction: Labels predicted, sorted.
        second_prediction: Labels predicted, sorted.
    """

    page_id: int
    rev_id: int
    label: str
    first: float
    second: float
    first_prediction: tuple[str, ...]
    second_prediction: tuple[str, ...]


class ModelDifference(Struct, frozen=True):
    """What differs for one model of one wiki.

    Attributes:
        wiki_id: Database name.
        model_name: As the snapshots name it.
        first: The model behind the first snapshot's rows.
        second: And behind the second's.
        rows_both: Revisions with a row, score or failure, in both.
        rows_first: Revisions with a row in the first alone.
        rows_second: Revisions with a row in the second alone.
        scored_both: Revisions with a score in both.
        same_prediction: Those of them whose predictions are equal.
        same_score: Those of them whose probabilities are equal to the last bit as well.
        outcomes: All combinations there are, `absent` included, the commonest first.
        flips: Combinations of predictions of revisions scored in both, equal ones included, the commonest
            first; at most `snapshot_diff.MOST_FLIPS`.
        flips_left_out: How many combinations are not in `flips`.
        labels: In the order of the model's labels; of a model of two labels ``true`` alone.
        largest: Revisions whose probabilities changed most, the greatest change first.
    """

    wiki_id: str
    model_name: str
    first: SideModel
    second: SideModel
    rows_both: int
    rows_first: int
    rows_second: int
    scored_both: int
    same_prediction: int
    same_score: int
    outcomes: tuple[OutcomeChange, ...]
    flips: tuple[Flip, ...]
    flips_left_out: int
    labels: tuple[LabelShift, ...]
    largest: tuple[ScoreChange, ...]

    @property
    def is_empty(self) -> bool:
        """Whether both snapshots say the same of the same revisions."""
        return (
            not self.rows_first
            and not self.rows_second
            and self.same_score == self.scored_both
            and all(one.first == one.second for one in self.outcomes)
        )


class ModelPlace(Struct, frozen=True, order=True):
    """A model of a wiki.

    Attributes:
        wiki_id: Database name.
        model_name: As the snapshot names it.
    """

    wiki_id: str
    model_name: str


class Difference(Struct, frozen=True):
    """What differs between two snapshots.

    Attributes:
        first: Name of the first snapshot.
        second: Name of the second.
        models: One for each model of each wiki that both hold, sorted.
        only_first: Models that the first alone holds.
        only_second: Models that the second alone holds.
    """

    first: str
    second: str
    models: tuple[ModelDifference, ...]
    only_first: tuple[ModelPlace, ...]
    only_second: tuple[ModelPlace, ...]

    @property
    def is_empty(self) -> bool:
        """Whether both snapshots hold the same."""
        return not self.only_first and not self.only_second and all(one.is_empty for one in self.models)
