"""Word lists, stemmers and dictionaries: what revscoring's languages want from the machine.

Languages imported through ``language`` here get stand-ins that wait: a dictionary is opened when the
first word is looked up, a stemmer when the first word is stemmed, and the stop words are marks that only
an artefact's own list can take the place of. A process that predicts then needs neither the enchant
library nor NLTK's data, and takes about 60 MB instead of 150.
"""

import functools
import importlib
import importlib.util
import threading
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from models import stand_ins
from schemas.errors import ResourceMissing

NLTK_MARK = "\0nltk:"
_PACKAGES = {
    "ar": "aspell-ar",
    "bn": "aspell-bn",
    "bs": "hunspell-bs",
    "ca": "hunspell-ca",
    "cs": "hunspell-cs",
    "de": "hunspell-de-de",
    "de_AT": "hunspell-de-at",
    "de_CH": "hunspell-de-ch",
    "de_DE": "hunspell-de-de",
    "el": "hunspell-el",
    "en": "hunspell-en-us",
    "en_AU": "hunspell-en-au",
    "en_GB": "hunspell-en-gb",
    "en_US": "hunspell-en-us",
    "es": "hunspell-es",
    "et": "myspell-et",
    "eu": "hunspell-eu",
    "fa": "myspell-fa",
    "fr": "hunspell-fr",
    "gl": "hunspell-gl",
    "he": "myspell-he",
    "hi": "aspell-hi",
    "hr": "hunspell-hr",
    "hu": "hunspell-hu",
    "id": "hunspell-id",
    "is": "hunspell-is",
    "it": "hunspell-it",
    "lv": "hunspell-lv",
    "nb": "hunspell-no",
    "nl": "hunspell-nl",
    "pl": "hunspell-pl",
    "pt": "hunspell-pt-pt",
    "pt_BR": "hunspell-pt-br",
    "pt_PT": "hunspell-pt-pt",
    "ro": "hunspell-ro",
    "ru": "hunspell-ru",
    "sr": "hunspell-sr",
    "sv": "hunspell-sv",
    "ta": "aspell-ta",
    "uk": "hunspell-uk",
    "vi": "hunspell-vi",
}
_dictionaries_read: dict[str, str] = {}


@functools.cache
def module(name: str) -> Any:
    """Import a module of revscoring that needs nothing from the machine, ``features.wikitext``.

    Args:
        name: Below ``revscoring``.

    Returns:
        The module. Untyped, as revscoring is.
    """
    return stand_ins.imported(f"revscoring.{name}")


def language(name: str) -> Any:
    """Import a language of revscoring, ``english``, on a machine without dictionaries and corpora.

    Returns:
        The module; its dictionaries open, and its stemmers load, on first use. Its stop words are not
        usable: they hold a mark in place of NLTK's list (see ``NLTK_MARK``).

    Raises:
        ResourceMissing: A Python package that the language needs is not installed.
    """
    full_name = f"revscoring.languages.{name}"
    try:
        return stand_ins.imported_with(full_name, _attributes())
    except ImportError as error:
        raise ResourceMissing(
            f"revscoring's language {name!r} cannot be imported ({error}); "
            "install the Python package that it names",
            path=full_name,
        ) from error


def feature_list(package: str, name: str) -> Any:
    """Import a list of features of a package beside revscoring, ``articlequality``, ``enwiki``.

    Raises:
        ResourceMissing: The package, or one that the list needs, is not installed.
    """
    full_name = f"{package}.feature_lists.{name}"
    try:
        return stand_ins.imported_with(full_name, _attributes())
    except ImportError as error:
        raise ResourceMissing(
            f"the features of {full_name} cannot be imported ({error}); "
            "install the Python package that it names",
            path=full_name,
        ) from error


def feature_lists(package: str) -> frozenset[str]:
    """Return the names of a package's lists of features; empty where it is not installed."""
    if not stand_ins.is_installed(package):
        return frozenset()
    return _stems(stand_ins.folder(package) / "feature_lists")


@functools.cache
def languages() -> frozenset[str]:
    """Return the names of the languages that revscoring has."""
    return _stems(stand_ins.folder("revscoring") / "languages")


def dictionaries_read() -> dict[str, str]:
    """Return provider and version by language tag, of the dictionaries this process has opened."""
    return dict(_dictionaries_read)


def nltk_words(archive: Path, language_name: str) -> frozenset[str]:
    """Return the words of one language from a zip of NLTK's stop-word corpus.

    Args:
        archive: A zip with one file per language, ``stopwords/english``.
        language_name: As NLTK names it, ``english``.

    Raises:
        ResourceMissing: The archive or the language is not there.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            return frozenset(opened.read(f"stopwords/{language_name}").decode().split("\n")) - {""}
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise ResourceMissing(
            f"the stop words of {language_name} cannot be read from {archive} ({error}); name a zip of "
            "NLTK's stopwords corpus (stopwords.zip of nltk_data)",
            path=str(archive),
        ) from error


@functools.cache
def dictionary(tag: str) -> "LazyDictionary":
    """Return the dictionary of a tag, ``en_US``; one in a process."""
    return LazyDictionary(tag)


@contextmanager
def opening(tags: Iterable[str]) -> Iterator[None]:
    """Open dictionaries in a thread of its own while the block runs, and end with the thread.

    A dictionary takes a tenth of a second and more, all of it in C. What cannot be opened is left to whom
    the words are looked up for, who is told why.

    Args:
        tags: Language tags, in the order in which they will be wanted.
    """
    wanted = tuple(dict.fromkeys(tags))
    thread = threading.Thread(target=_open_all, args=(wanted,), daemon=True)
    if wanted:
        with suppress(ImportError):
            # Here, and not in the thread: while a language is imported, a stand-in has the library's name.
            _enchant()
            thread.start()
    try:
        yield
    finally:
        if thread.ident is not None:
            thread.join()


def _open_all(tags: Iterable[str]) -> None:
    for tag in tags:
        with suppress(ResourceMissing):
            dictionary(tag).open()


@functools.cache
def stemmer(language_name: str) -> "LazyStemmer":
    """Return the stemmer of a language, ``english``; one in a process."""
    return LazyStemmer(language_name)


class LazyDictionary:
    """A dictionary of enchant that is opened when its first word is looked up.

    Args:
        tag: Language tag, ``en_US``.
    """

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self._opening = threading.Lock()
        self._opened: Any = None

    def open(self) -> None:
        """Open the dictionary now. Idempotent.

        Raises:
            ResourceMissing: The enchant library or the dictionary is not installed.
        """
        with self._opening:
            if self._opened is None:
                self._opened = _open_dictionary(self.tag)

    def check(self, word: str) -> bool:
        """Tell whether the dictionary knows a word.

        Raises:
            ResourceMissing: The enchant library or the dictionary is not installed.
        """
        if self._opened is None:
            self.open()
        return bool(self._opened.check(word))


class LazyStemmer:
    """NLTK's Snowball stemmer of one language, loaded when its first word is stemmed."""

    def __init__(self, language_name: str) -> None:
        self.language_name = language_name
        self._loaded: Any = None

    def stem(self, word: str) -> str:
        """Return the stem of a word."""
        if self._loaded is None:
            self._loaded = stand_ins.of_nltk("stem.snowball").SnowballStemmer(self.language_name)
        return str(self._loaded.stem(word))


class _MarkedStopwords:
    """Answers for NLTK's stop-word corpus with one word that no text holds."""

    def words(self, language_name: str) -> list[str]:
        return [NLTK_MARK + language_name]


class _LazySentiWordNet:
    """Answers for NLTK's SentiWordNet, opened when its first word is looked up."""

    def __init__(self) -> None:
        self._opened: Any = None

    def senti_synsets(self, word: str) -> Any:
        """Return the senses of a word with their polarity.

        Raises:
            ResourceMissing: The corpora are not there.
        """
        if self._opened is None:
            self._opened = _open_sentiwordnet()
        return self._opened.senti_synsets(word)


class _DictionaryNotFound(Exception):
    """Stands in for enchant's own; never raised, since opening waits."""


@functools.cache
def _enchant() -> Any:
    return importlib.import_module("enchant")


def _open_dictionary(tag: str) -> Any:
    package = _PACKAGES.get(tag, f"hunspell-{tag.lower().replace('_', '-')}")
    cure = f"run `make dictionaries`, or install the system packages libenchant-2-2 and {package}"
    try:
        enchant = _enchant()
    except ImportError as error:
        raise ResourceMissing(
            f"a feature reads the dictionary {tag}, but the enchant C library is not installed; {cure}",
            path=tag,
        ) from error
    try:
        opened = enchant.Dict(tag)
    except enchant.errors.Error as error:
        raise ResourceMissing(
            f"a feature reads the dictionary {tag}, which is not installed; {cure}", path=tag
        ) from error
    version = enchant.get_enchant_version()
    _dictionaries_read[tag] = f"{opened.provider.name} (enchant {version})"
    return opened


def _open_sentiwordnet() -> Any:
    missing = ResourceMissing(
        "a feature reads NLTK's corpora sentiwordnet and wordnet, which are not installed; "
        "run: python -m nltk.downloader sentiwordnet wordnet",
        path="sentiwordnet",
    )
    folders = [Path(folder) / "corpora" for folder in stand_ins.of_nltk("data").path]
    # Looked for first, since reading a corpus takes the whole of NLTK.
    if not any(True for folder in folders for _ in folder.glob("sentiwordnet*")):
        raise missing
    corpora = importlib.import_module("nltk.corpus")
    try:
        corpora.sentiwordnet.ensure_loaded()
        corpora.wordnet.ensure_loaded()
    except (LookupError, OSError) as error:
        raise missing from error
    return corpora.sentiwordnet


def _stems(folder: Path) -> frozenset[str]:
    return frozenset(path.stem for path in folder.glob("*.py") if path.stem != "__init__")


def _attributes() -> dict[str, dict[str, object]]:
    errors = ModuleType("enchant.errors")
    errors.DictNotFoundError = _DictionaryNotFound  # type: ignore[attr-defined] # built here
    return {
        "enchant": {"Dict": dictionary, "errors": errors},
        "nltk.corpus": {"stopwords": _MarkedStopwords(), "sentiwordnet": _LazySentiWordNet()},
        "nltk.stem.snowball": {"SnowballStemmer": stemmer},
    }
