"""Words and dictionaries that the features of a pickled model read."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from models.features.patterns import words_of_nltk
from models.importer.graph import FeatureGraph
from models.pickles import Instance
from models.resources import nltk_words
from schemas.errors import ResourceMissing

_STOPWORDS = re.compile(r"(\w+\.stopwords)\.")
_ACCOUNT = "revision.user.info."
_MOST_INSTANCES = 100


def missing_stop_words(
    graph: FeatureGraph, nltk_stopwords: Path | None
) -> Mapping[str, tuple[frozenset[str], str]]:
    """Find the stop words that features read and the file does not hold, in NLTK's corpus.

    Args:
        graph: Of the model.
        nltk_stopwords: Zip of NLTK's corpus; asked for only where the file lacks words.

    Returns:
        Words and their source, by collection, ``english.stopwords``.

    Raises:
        ResourceMissing: The file lacks them and no corpus is given, or the corpus lacks the language.
    """
    wanted, held = set(), set()
    for dependent in graph:
        if collection := _STOPWORDS.match(dependent.name):
            wanted.add(collection[1])
            if any(_word_sets(dependent.state.values())):
                held.add(collection[1])
    missing = sorted(wanted - held)
    if missing and nltk_stopwords is None:
        raise ResourceMissing(
            f"the model reads {', '.join(missing)}, and the file does not hold the words; give a zip of "
            "NLTK's stopwords corpus (stopwords.zip of nltk_data) with --stopwords",
            path=missing[0],
        )
    return {name: _from_corpus(name, nltk_stopwords) for name in missing if nltk_stopwords is not None}


def reading_words(graph: FeatureGraph, collections: Collection[str]) -> frozenset[int]:
    """Return the positions of the features that rest on any of these collections, ``english.stopwords``."""
    return graph.resting_on(lambda one: any(one.name.startswith(f"{name}.") for name in collections))


def reading_account(graph: FeatureGraph) -> frozenset[int]:
    """Return the positions of the features that read what only an account has: groups, registration."""
    return graph.resting_on(lambda one: one.name.startswith(_ACCOUNT))


def dictionaries(graph: FeatureGraph) -> Mapping[str, str]:
    """Return the spelling dictionaries that features read: provider where it was trained, by language tag."""
    found: dict[str, str] = {}
    for dependent in graph:
        for instance in _instances(dependent.state.values()):
            if str(instance.kind) == "enchant.Dict" and isinstance(instance.state, dict):
                tag, provider = instance.state.get("tag"), instance.state.get("provider")
                named = provider.state if isinstance(provider, Instance) else None
                if isinstance(tag, str):
                    found[tag] = str(named.get("name")) if isinstance(named, dict) else "unknown"
    return dict(sorted(found.items()))


def _from_corpus(collection: str, nltk_stopwords: Path) -> tuple[frozenset[str], str]:
    words = words_of_nltk(collection, lambda language: nltk_words(nltk_stopwords, language))
    return words, nltk_stopwords.name


def _word_sets(values: Iterable[Any]) -> Iterator[object]:
    for instance in _instances(values):
        if isinstance(instance.state, dict):
            yield instance.state.get("stopword_set")


def _instances(values: Iterable[Any]) -> Iterator[Instance]:
    """Give the objects among some values and within them; no features, and none twice."""
    waiting, seen = list(values), set[int]()
    while waiting and len(seen) < _MOST_INSTANCES:
        value = waiting.pop()
        if not isinstance(value, Instance) or id(value) in seen:
            continue
        seen.add(id(value))
        state = value.state if isinstance(value.state, dict) else {}
        if "dependencies" not in state:
            yield value
            waiting += [*value.args, *state.values()][:_MOST_INSTANCES]
