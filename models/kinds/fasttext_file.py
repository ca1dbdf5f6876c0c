"""Classifiers of words in fastText's binary format, run by fasttext-predict."""

import tempfile
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from models.kinds.estimator import corrupt
from models.kinds.fasttext_layout import PREFIX, read_labels
from models.kinds.packages import FASTTEXT_CURE, require
from schemas.errors import FeatureError

_ALL: Final = 1_000_000


class LabelProbability(Struct, frozen=True):
    """A label that fastText gives, and how sure it is.

    Attributes:
        label: Without fastText's prefix.
        probability: May pass 1 by some 1e-5.
    """

    label: str
    probability: float


class FastTextModel:
    """A supervised fastText model.

    Attributes:
        labels: All labels, sorted.

    Args:
        path: Of the model file.

    Raises:
        ModelCorrupt: It is no fastText file, or promises more than it holds.
        ModelIncompatible: It holds word vectors and no classifier.
        ResourceMissing: fasttext-predict is not installed.
    """

    def __init__(self, path: Path) -> None:
        fasttext = require("fasttext", "fasttext-predict", FASTTEXT_CURE)
        self.labels = read_labels(path.name, path.read_bytes())
        try:
            self._model: Any = fasttext.load_model(str(path))
        except (ValueError, RuntimeError, MemoryError) as error:
            raise corrupt(path.name, f"fastText says: {error}") from error

    @classmethod
    def of_bytes(cls, file: str, data: bytes) -> "FastTextModel":
        """Load a model that is in memory, as it was hashed.

        Args:
            file: Its path in the artefact, for messages.
            data: Of the file.
        """
        # fastText reads from paths alone.
        with tempfile.TemporaryDirectory(prefix="revstream-") as folder:
            path = Path(folder) / Path(file).name
            path.write_bytes(data)
            return cls(path)

    def predict(
        self, text: str, *, most: int = _ALL, least_probability: float = -1.0
    ) -> list[LabelProbability]:
        """Return labels of a text, likeliest first.

        Args:
            text: Line breaks count as blanks.
            most: How many labels at most.
            least_probability: Below which a label is left out; the likeliest is given nevertheless.

        Returns:
            Labels; none where the model knows no word of the text.

        Raises:
            FeatureError: The text holds half a surrogate pair, so it is no Unicode text.
        """
        line = " ".join(text.split())
        try:
            labels, probabilities = self._model.predict(line, k=most, threshold=least_probability)
            if not labels:
                labels, probabilities = self._model.predict(line, k=1)
        except (TypeError, UnicodeError) as error:
            raise FeatureError(
                "the text cannot be encoded as UTF-8, so fastText cannot read it; it holds half a "
                "surrogate pair"
            ) from error
        return [
            LabelProbability(label.removeprefix(PREFIX), float(probability))
            for label, probability in zip(labels, probabilities, strict=True)
        ]
