"""revscoring's extractors of strings by regular expressions, and texts that their expressions match."""

import random
from collections.abc import Iterable
from typing import Any

from models import resources
from models.engine import patterns_syntax

# Each stands for its letter where case is ignored, and some of them surprisingly.
_TWINS = {"k": "K\u212a", "s": "S\u017f", "i": "Iİ\u0131", "\u03b9": "\u0399\u0345", "å": "\u212b", "ß": "ẞ"}


def extractor(expressions: list[str], **options: Any) -> Any:
    """Return an extractor of a list of expressions."""
    return resources.module("datasources.meta.extractors").regex(expressions, **options)


def extractors_of(language: str) -> list[Any]:
    """Return the extractors of all lists of a language."""
    collections = vars(resources.language(language)).values()
    regex = resources.module("languages.features").RegexMatches
    return [
        collection.revision.datasources.matches.process.__self__
        for collection in collections
        if isinstance(collection, regex)
    ]


def tree_of(each: Any) -> Any:
    """Return the syntax tree of an extractor's expression."""
    return patterns_syntax.parsed(each.group_re)


def matched_text(tree: Any, chance: random.Random) -> str:
    """Return a text that follows the tree of an expression; assertions aside, the expression matches it."""
    text = "".join(_taken(tree, chance))
    return "".join(
        chance.choice(_TWINS.get(letter, letter)) if chance.random() < 0.1 else letter for letter in text
    )


def _taken(items: Any, chance: random.Random) -> Iterable[str]:
    for code, operand in items:
        name = str(code)
        if name == "LITERAL":
            yield chance.choice([chr(operand), chr(operand).upper()])[:1]
        elif name == "IN":
            yield _one_of(operand, chance)
        elif name in {"ANY", "NOT_LITERAL"}:
            yield chance.choice("x \n")
        elif name == "BRANCH":
            yield from _taken(chance.choice(operand[1]), chance)
        elif name == "SUBPATTERN":
            yield from _taken(operand[3], chance)
        elif name in {"MAX_REPEAT", "MIN_REPEAT"}:
            for _ in range(chance.randint(operand[0], min(operand[0] + 2, operand[1]))):
                yield from _taken(operand[2], chance)


def _one_of(listed: list[Any], chance: random.Random) -> str:
    code, operand = chance.choice(listed)
    if str(code) == "LITERAL":
        return chr(operand)
    if str(code) == "RANGE":
        return chr(chance.randint(*operand))
    return chance.choice(" \u00a0aé7_")
