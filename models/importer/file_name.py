"""What the name of a model file says of the model."""

import re
from pathlib import Path

from msgspec import Struct

# What ORES called some models, and what they are called since.
ALIASES = {
    "wp10": "articlequality",
    "nettrom_wp10": "articlequality",
    "article_quality": "articlequality",
    "item_quality": "itemquality",
    "draft_quality": "draftquality",
    "draft_topic": "drafttopic",
    "article_topic": "articletopic",
    "good_faith": "goodfaith",
}
_PACKED = re.compile(r"\.(?:bz2|bzip2|gz|xz)$", re.IGNORECASE)
_ENDING = re.compile(r"\.(?:model|pickle|pkl|bin)$", re.IGNORECASE)
_WIKI = re.compile(
    r"[a-z][a-z0-9_]*?(?:wik(?:i|ibooks|inews|iquote|isource|iversity|ivoyage|timania)|wiktionary)"
)
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_STAMP = re.compile(r"\d{8,14}")


class FileName(Struct, frozen=True):
    """What was understood of a file name.

    Attributes:
        wiki_id: ``enwiki``; None where the name does not say.
        stated_model_name: As the name says, ``wp10``; None where it does not say.
    """

    wiki_id: str | None
    stated_model_name: str | None

    @property
    def model_name(self) -> str | None:
        """The name that the model has today, ``articlequality``."""
        if self.stated_model_name is None:
            return None
        return current_model_name(self.stated_model_name)


def current_model_name(name: str) -> str:
    """Return what a model is called today, for any name that ORES ever gave it."""
    return ALIASES.get(name.lower(), name.lower())


def parse_file_name(path: Path) -> FileName:
    """Read wiki and model from a file name.

    Args:
        path: ``enwiki.damaging.gradient_boosting.model``, also with the repository in front
            (``editquality__enwiki…``) and packed (``….model.bz2``); or Lift Wing's
            ``damaging/enwiki/20220214192144/model.bin``.
    """
    stem = _ENDING.sub("", _PACKED.sub("", path.name))
    words = stem.rpartition("__")[2].split(".")
    if len(words) > 1 and _WIKI.fullmatch(words[0]) and _WORD.fullmatch(words[1]):
        return FileName(words[0], words[1])
    folders = [part for part in path.parts[:-1] if not _STAMP.fullmatch(part)]
    if stem == "model" and len(folders) >= 2 and _WIKI.fullmatch(folders[-1]):
        if _WORD.fullmatch(folders[-2]):
            return FileName(folders[-1], folders[-2])
        return FileName(folders[-1], None)
    dashed = re.fullmatch(rf"({_WIKI.pattern})[-_]({_WORD.pattern})", stem)
    return FileName(dashed[1], dashed[2]) if dashed else FileName(None, None)
