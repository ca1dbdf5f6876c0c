"""Dictionaries that a model was made with, beside those it reads here.

A dictionary is a part of a model that no artefact carries: of another provider or version it knows other
words, and features that count them come out otherwise.
"""

import re
from collections.abc import Mapping

from models import resources

# enchant's name of Hunspell's provider until 2.0.
_FORMER = {"myspell": "hunspell"}
_RECORD = re.compile(r"(?P<provider>\S+)(?: \((?P<version>.+)\))?")


def other_dictionaries(artefact_name: str, recorded: Mapping[str, str]) -> list[str]:
    """Say of which dictionaries this process has opened others than a model was made with.

    Args:
        artefact_name: For the sentences.
        recorded: Provider by language tag, with a version where one is known: ``hunspell (enchant 2.3.3)``.

    Returns:
        A sentence for each; files of published models tell no versions, so only providers are compared.
    """
    here = resources.dictionaries_read()
    return [
        f"model {artefact_name!r} was made with the dictionary {tag} of {record}, and {here[tag]} is "
        "installed: words that only one of them knows give it other features"
        for tag, record in sorted(recorded.items())
        if tag in here and not _is_same(record, here[tag])
    ]


def _is_same(recorded: str, here: str) -> bool:
    one, other = _RECORD.fullmatch(recorded), _RECORD.fullmatch(here)
    if one is None or other is None:
        return recorded == here
    provider = _FORMER.get(one["provider"], one["provider"])
    return provider == other["provider"] and one["version"] in {None, other["version"]}
