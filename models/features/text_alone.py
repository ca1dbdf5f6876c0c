"""Whether features read nothing of a revision but its own text, told from an artefact's manifest."""

import re
from collections.abc import Sequence
from typing import Protocol

from models.features.definitions import KNOWN, REFUSED, ROOT, Definition

_ROOT = "datasource.revision.text"
_PREFIX = re.compile(r"\b(?:feature|datasource)\.")
_WORD = re.compile(r"[A-Za-z_][\w.]*")
# Collections of revscoring that read the text where the name says no more than ``revision``. Times, users,
# comments, parents and differences have names of their own, or more parts.
_OF_TEXT = re.compile(
    r"revision\.text|(?:wikitext|wikibase|"
    r"[a-z_]+\.(?:badwords|dictionary|informals|stemmed|stopwords|words_to_watch))"
    r"\.revision\.(?!(?:parent|diff)\b)[a-z_0-9]+"
)
# What printed expressions are made of besides names.
_NEUTRAL = frozenset(("built", "in", "function", "len", "log", "map", "max", "min", "sum", "tokenized"))


class Named(Protocol):
    """A feature as a manifest lists it."""

    @property
    def name(self) -> str:
        """As revscoring prints it."""
        ...

    @property
    def definition(self) -> int | None:
        """Position among the definitions; None for one that is found by its name."""
        ...


def reads_text_alone(features: Sequence[Named], definitions: Sequence[Definition]) -> bool:
    """Tell whether equal texts give equal features. False wherever that is not certain.

    Args:
        features: Of a model; none of them is no certainty.
        definitions: Of the same artefact.
    """
    return bool(features) and all(
        _names_text_alone(feature.name)
        if feature.definition is None
        else _is_of_text(feature.definition, definitions)
        for feature in features
    )


def _names_text_alone(printed: str) -> bool:
    """Tell whether an expression names something of the text, and nothing else that is known."""
    words = [word for word in _WORD.findall(_PREFIX.sub("", printed)) if word not in _NEUTRAL]
    return bool(words) and all(_OF_TEXT.fullmatch(word) for word in words)


def _is_of_text(position: int, definitions: Sequence[Definition]) -> bool:
    """Tell whether all beneath a definition ends at the text."""
    waiting, seen = [position], set[int]()
    while waiting:
        at = waiting.pop()
        if at in seen:
            continue
        seen.add(at)
        definition = definitions[at]
        if definition.kind == REFUSED:
            return False
        if definition.kind == ROOT:
            if definition.name != _ROOT:
                return False
        elif definition.kind == KNOWN:
            if not _names_text_alone(definition.name):
                return False
        elif not definition.on and not definition.arguments:
            return False
        waiting.extend(definition.on)
    return True
