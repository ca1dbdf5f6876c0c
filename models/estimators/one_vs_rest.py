"""One classifier per label: scikit-learn's ``OneVsRestClassifier``, revscoring's multilabel models.

Parts are estimators of two labels, of which the second is "this label is given".
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.estimators.checks import corrupt
from models.estimators.estimator import Answers, Estimator, Floats, one_hot


class OneVsRest:
    """Several classifiers side by side.

    Args:
        parts: One per label; one in all for two labels that exclude each other.
        is_multilabel: Whether labels do not exclude each other. Where they do, probabilities are divided by
            their sum.

    Raises:
        ModelCorrupt: A part does not have two labels, or their number fits no labels.
    """

    def __init__(self, parts: Sequence[Estimator], *, is_multilabel: bool) -> None:
        if any(part.labels_count != 2 for part in parts):
            raise corrupt("a part of one-versus-rest has other than two labels")
        if not is_multilabel and len(parts) == 2:
            raise corrupt("one-versus-rest has two parts, where two labels need one")
        self._parts = tuple(parts)
        self.is_multilabel = is_multilabel
        self.labels_count = len(parts) if is_multilabel else max(2, len(parts))

    def probabilities(self, rows: Floats) -> Floats:
        """Return the probability of each label, see ``models.estimators.estimator.Estimator``."""
        return self._joined([part.probabilities(rows)[:, 1] for part in self._parts])

    def answers(self, rows: Floats) -> Answers:
        """Return probabilities, and every label that its part gives, or the label whose part is surest."""
        answers = [part.answers(rows) for part in self._parts]
        return Answers(
            self._joined([answer.probabilities[:, 1] for answer in answers]), self._chosen(rows, answers)
        )

    def decisions(self, rows: Floats) -> Floats | None:
        """Return the decisions of the parts, where each has one."""
        found = [part.decisions(rows) for part in self._parts]
        columns = [decision[:, 0] for decision in found if decision is not None]
        return np.stack(columns, axis=1) if len(columns) == len(found) else None

    def _chosen(self, rows: Floats, answers: list[Answers]) -> NDArray[np.bool_]:
        if self.is_multilabel:
            return np.stack([answer.chosen[:, 1] for answer in answers], axis=1)
        if len(answers) == 1:
            return answers[0].chosen
        sureness = self.decisions(rows)
        if sureness is None:
            sureness = np.stack([answer.probabilities[:, 1] for answer in answers], axis=1)
        return one_hot(sureness.argmax(axis=1), self.labels_count)

    def _joined(self, columns: list[Floats]) -> Floats:
        each = np.stack(columns, axis=1)
        if self.is_multilabel:
            return each
        if len(columns) == 1:
            each = np.hstack([1 - each, each])
        sums = each.sum(axis=1)[:, None]
        # A row that no part takes for its label is shared out evenly.
        even = np.full_like(each, 1 / each.shape[1])
        return np.divide(each, sums, out=even, where=sums != 0)
