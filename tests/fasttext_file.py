"""Train a tiny supervised fastText model with one sigmoid per label, and write it in fastText's format.

What serves models cannot train them, so the few lines of it that a test needs are here.
"""

import struct
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

Examples = Sequence[tuple[Sequence[str], Sequence[str]]]

_DIM = 8


def train_fasttext(examples: Examples, *, epochs: int = 300) -> bytes:
    """Train on (words, labels) and return the file."""
    words = Counter(word for words, _ in examples for word in words)
    labels = Counter(label for _, labels in examples for label in labels)
    word_rows = {word: row for row, word in enumerate(words)}
    label_rows = {label: row for row, label in enumerate(labels)}
    rng = np.random.default_rng(1)
    inputs = rng.normal(scale=0.1, size=(len(words), _DIM))
    outputs = np.zeros((len(labels), _DIM))
    for _ in range(epochs):
        for found, wanted in examples:
            rows = [word_rows[word] for word in found]
            target = np.zeros(len(labels))
            target[[label_rows[label] for label in wanted]] = 1
            hidden = inputs[rows].mean(axis=0)
            error = target - 1 / (1 + np.exp(-outputs @ hidden))
            step = outputs.T @ error
            outputs += 0.5 * np.outer(error, hidden)
            inputs[rows] += 0.5 * step / len(rows)
    return _write(words, labels, inputs, outputs)


def _write(words: Mapping[str, int], labels: Mapping[str, int], inputs: object, outputs: object) -> bytes:
    ova, supervised = 4, 3
    arguments = (_DIM, 5, 1, 1, 5, 1, ova, supervised, 0, 0, 0, 100)
    parts = [struct.pack("<ii12id", 793712314, 12, *arguments, 1e-4)]
    parts.append(
        struct.pack("<iiiqq", len(words) + len(labels), len(words), len(labels), sum(words.values()), -1)
    )
    for entries, kind, prefix in ((words, 0, ""), (labels, 1, "__label__")):
        parts += [
            f"{prefix}{name}".encode() + b"\0" + struct.pack("<qb", count, kind)
            for name, count in entries.items()
        ]
    for matrix in (inputs, outputs):
        array = np.asarray(matrix, dtype="<f4")
        parts.append(struct.pack("<?qq", False, *array.shape) + array.tobytes())
    return b"".join(parts)
