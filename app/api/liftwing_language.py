"""Languages as Lift Wing's clients name them, and the wikis they mean."""

import re
from collections.abc import Mapping
from typing import Final

from schemas.errors import RequestInvalid

# Codes of languages whose Wikipedia has kept an older name.
_WIKIS: Final[Mapping[str, str]] = {
    "be-tarask": "be_x_oldwiki",
    "gsw": "alswiki",
    "lzh": "zh_classicalwiki",
    "nan": "zh_min_nanwiki",
    "nb": "nowiki",
    "rup": "roa_rupwiki",
    "sgs": "bat_smgwiki",
    "vro": "fiu_vrowiki",
    "yue": "zh_yuewiki",
}
_CODE: Final = re.compile(r"[a-z][a-z0-9_-]{0,30}", re.ASCII)


class NotWikipedia(RequestInvalid):
    """An event is of another project than Wikipedia."""


def wiki_of(lang: object) -> str:
    """Return the wiki that a client means by a language.

    Args:
        lang: ``en``, ``be-x-old``; also with underscores, as MediaWiki's extension cuts it from a wiki id.

    Returns:
        Database name, ``enwiki``; whether such a wiki exists is not looked up.

    Raises:
        RequestInvalid: It is missing, no text, or not formed as a language.
    """
    if lang is None:
        raise RequestInvalid("The parameter lang is required.")
    if not isinstance(lang, str):
        raise RequestInvalid('Expected "lang" to be a string.')
    if lang.endswith("wiki"):
        raise RequestInvalid(
            "Language field should not have a 'wiki' suffix, i.e. use 'en', not 'enwiki'", lang=lang[:80]
        )
    if not _CODE.fullmatch(lang):
        raise RequestInvalid(f"lang '{lang[:80]}' does not exist in the canonical Wikipedia language list.")
    hyphened = lang.replace("_", "-")
    return _WIKIS.get(hyphened, f"{hyphened.replace('-', '_')}wiki")


def require_wikipedia(domain: object) -> None:
    """Refuse an event of another project than Wikipedia.

    Args:
        domain: ``meta.domain`` of the event.

    Raises:
        NotWikipedia: It is of another, or says nothing.
    """
    if not isinstance(domain, str) or "wikipedia" not in domain:
        raise NotWikipedia(
            "This model is not recommended for use in projects outside of Wikipedia (e.g. Wiktionary, "
            "Wikinews, etc)"
        )
