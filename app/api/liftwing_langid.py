"""Lift Wing's contract of langid: request and answer, without a server."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from models.langid import PLAIN_TEXT
from schemas.errors import RequestInvalid
from schemas.prediction import Score
from schemas.revision import Revision

_NAMES: Final = (
    "af Afrikaans; als Alemannic; am Amharic; an Aragonese; ar Arabic; arz Egyptian Arabic; as Assamese; "
    "ast Asturian; av Avar; az Azerbaijani; azb South Azerbaijani; ba Bashkir; bar Bavarian; bcl Central "
    "Bikol; be Belarusian; bg Bulgarian; bh Bihari; bn Bengali; bo Tibetan; bpy Bishnupriya Manipuri; br "
    "Breton; bs Bosnian; bxr Buryat; ca Catalan; cbk Chavacano; ce Chechen; ceb Cebuano; ckb Central "
    "Kurdish; co Corsican; cs Czech; cv Chuvash; cy Welsh; da Danish; de German; diq Zazaki; dsb Lower "
    "Sorbian; dty Doteli; dv Divehi; el Greek; eml Emilian-Romagnol; en English; eo Esperanto; es "
    "Spanish; et Estonian; eu Basque; fa Persian; fi Finnish; fr French; frr North Frisian; fy West "
    "Frisian; ga Irish; gd Scottish Gaelic; gl Galician; gn Guarani; gom Goan Konkani; gu Gujarati; gv "
    "Manx; he Hebrew; hi Hindi; hif Fiji Hindi; hr Croatian; hsb Upper Sorbian; ht Haitian Creole; hu "
    "Hungarian; hy Armenian; ia Interlingua; id Indonesian; ie Interlingue; ilo Ilocano; io Ido; is "
    "Icelandic; it Italian; ja Japanese; jbo Lojban; jv Javanese; ka Georgian; kk Kazakh; km Khmer; kn "
    "Kannada; ko Korean; krc Karachay-Balkar; ku Kurdish; kv Komi; kw Cornish; ky Kyrgyz; la Latin; lb "
    "Luxembourgish; lez Lezgian; li Limburgish; lmo Lombard; lo Lao; lrc Northern Luri; lt Lithuanian; lv "
    "Latvian; mai Maithili; mg Malagasy; mhr Meadow Mari; min Minangkabau; mk Macedonian; ml Malayalam; "
    "mn Mongolian; mr Marathi; mrj Hill Mari; ms Malay; mt Maltese; mwl Mirandese; my Burmese; myv Erzya; "
    "mzn Mazanderani; nah Nahuatl; nap Neapolitan; nds Low German; ne Nepali; new Newar; nl Dutch; nn "
    "Norwegian Nynorsk; no Norwegian; oc Occitan; or Odia; os Ossetian; pa Punjabi; pam Kapampangan; pfl "
    "Palatine German; pl Polish; pms Piedmontese; pnb Western Punjabi; ps Pashto; pt Portuguese; qu "
    "Quechua; rm Romansh; ro Romanian; ru Russian; rue Rusyn; sa Sanskrit; sah Yakut; sc Sardinian; scn "
    "Sicilian; sco Scots; sd Sindhi; sh Serbo-Croatian; si Sinhala; sk Slovak; sl Slovenian; so Somali; "
    "sq Albanian; sr Serbian; su Sundanese; sv Swedish; sw Swahili; ta Tamil; te Telugu; tg Tajik; th "
    "Thai; tk Turkmen; tl Tagalog; tr Turkish; tt Tatar; tyv Tuvan; ug Uyghur; uk Ukrainian; ur Urdu; uz "
    "Uzbek; vec Venetian; vep Veps; vi Vietnamese; vls West Flemish; vo Volapük; wa Walloon; war Waray; "
    "wuu Wu Chinese; xal Kalmyk; xmf Mingrelian; yi Yiddish; yo Yoruba; yue Cantonese; zh Chinese"
)
LANGUAGE_NAMES: Final[Mapping[str, str]] = dict(entry.split(" ", 1) for entry in _NAMES.split("; "))
"""English name by label of lid.176."""

# Two labels that are not the code of their Wikipedia.
_WIKI_CODES: Final = {"cbk": "cbk-zam", "yue": "zh-yue"}


MOST_CHARACTERS: Final = 100
"""As many of a text are read."""


def parse_langid(body: Mapping[str, Any]) -> str:
    """Return the text whose language a request asks for.

    Raises:
        RequestInvalid: It has none.
    """
    text = body.get("text")
    if text is None:
        raise RequestInvalid("The parameter text is required.")
    if not isinstance(text, str):
        raise RequestInvalid('Expected "text" to be a string.')
    return text


def text_revision(text: str) -> Revision:
    """Return a text as a page of plain text, of which a model reads as much as Lift Wing's does."""
    return Revision(
        wiki_id="",
        page_id=0,
        page_title="",
        namespace_id=0,
        rev_id=0,
        rev_parent_id=None,
        rev_dt=datetime.fromtimestamp(0, UTC),
        content_model=PLAIN_TEXT,
        text=text[:MOST_CHARACTERS],
        parent_text=None,
        comment="",
        user=None,
    )


def langid_answer(score: Score) -> dict[str, Any]:
    """Return the answer.

    Args:
        score: Of ``models.langid.LanguageScorer.identify``.

    Returns:
        ``language``: the label, which Lift Wing's own model writes with its script (``eng_Latn``) and lid.176
        without (``en``); ``wikicode``; ``languagename`` in English; ``score`` in [0, 1].
    """
    label = score.prediction[0]
    return {
        "language": label,
        "wikicode": _WIKI_CODES.get(label, label),
        "languagename": LANGUAGE_NAMES.get(label, label),
        "score": score.probability[label],
    }
