"""The feature of topic models, as their files hold it."""

from typing import Any

from models.pickles import Global, Instance


def mean_of_vectors(words: Any) -> Instance:
    """Return the mean of the vectors of some words, ``drafttopic``'s of the English Wikipedia."""
    looked_up = Instance(Global("revscoring.datasources.meta.vectorizers", "word2vec"))
    looked_up.state = {
        "name": "revision.text.en_vectors",
        "process": Global("drafttopic.feature_lists.enwiki", "vectorize_words"),
        "dependencies": [words],
        "calls": 0,
    }
    mean = Instance(Global("revscoring.features.meta.aggregators", "AggregatorsVector"))
    mean.state = {
        "name": "revision.text.en_vectors_mean",
        "process": Instance(Global("builtins", "getattr"), (mean, "process")),
        "dependencies": [looked_up],
        "returns": Global("builtins", "float"),
        "func": Global("statistics", "mean"),
        "calls": 0,
    }
    return mean
