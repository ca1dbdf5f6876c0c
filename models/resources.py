"""Word lists, stemmers and dictionaries: what revscoring's languages want from the machine.

The language modules of revscoring read NLTK's corpora and enchant's dictionaries while they are imported,
whether a model asks for them or not, and revscoring's own front page imports scikit-learn. Imported through
``language`` here, they get stand-ins that wait: a dictionary is opened when the first word is looked up, a
stemmer when the first word is stemmed, and the stop words are marks that only an artefact's own list can
take the place of. A process that predicts then needs neither the enchant library nor NLTK's data, and takes
about 60 MB instead of 150.
"""

import contextlib
import importlib
import importlib.util
import sys
import threading
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from schemas.errors import ResourceMissing

NLTK_MARK = "\0nltk:"
_STAND_INS = ("enchant", "nltk", "nltk.corpus", "nltk.stem", "nltk.stem.snowball", "pkg_resources")
_PACKAGES = {
    "ar": "aspell-ar",
    "bn": "aspell-bn",
    "bs": "hunspell-bs",
    "ca": "hunspell-ca",
    "cs": "hunspell-cs",
    "de_AT": "hunspell-de-at",
    "de_CH": "hunspell-de-ch",
    "de_DE": "hunspell-de-de",
    "el": "hunspell-el",
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
_lock = threading.RLock()
_dictionaries_read: dict[str, str] = {}


def module(name: str) -> Any:
    """Import a module of revscoring that needs nothing from the machine, ``features.wikitext``.

    Args:
        name: Below ``revscoring``.

    Returns:
        The module. Untyped, as revscoring is.
    """
    with _lock:
        _register_revscoring()
        return importlib.import_module(f"revscoring.{name}")


def language(name: str) -> Any:
    """Import a language of revscoring, ``english``, on a machine without dictionaries and corpora.

    Returns:
        The module; its dictionaries open, and its stemmers load, on first use. Its stop words are not
        usable: they hold a mark in place of NLTK's list (see ``nltk_mark``).

    Raises:
        ResourceMissing: A Python package that the language needs is not installed.
    """
    full_name = f"revscoring.languages.{name}"
    with _lock:
        if full_name in sys.modules:
            return sys.modules[full_name]
        _register_revscoring()
        try:
            with _stand_ins():
                return importlib.import_module(full_name)
        except ImportError as error:
            raise ResourceMissing(
                f"revscoring's language {name!r} cannot be imported ({error}); "
                "install the Python package that it names",
                path=full_name,
            ) from error


def languages() -> frozenset[str]:
    """Return the names of the languages that revscoring has."""
    package = importlib.util.find_spec("revscoring.languages") if _register_revscoring() else None
    folders = (package.submodule_search_locations or []) if package else []
    return frozenset(
        path.stem for folder in folders for path in Path(folder).glob("*.py") if path.stem != "__init__"
    )


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


class LazyDictionary:
    """A dictionary of enchant that is opened when its first word is looked up.

    Args:
        tag: Language tag, ``en_US``.
    """

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self._opened: Any = None

    def check(self, word: str) -> bool:
        """Tell whether the dictionary knows a word.

        Raises:
            ResourceMissing: The enchant library or the dictionary is not installed.
        """
        if self._opened is None:
            self._opened = _open_dictionary(self.tag)
        return bool(self._opened.check(word))


class LazyStemmer:
    """NLTK's Snowball stemmer of one language, loaded when its first word is stemmed."""

    def __init__(self, language_name: str) -> None:
        self.language_name = language_name
        self._loaded: Any = None

    def stem(self, word: str) -> str:
        """Return the stem of a word."""
        if self._loaded is None:
            snowball = importlib.import_module("nltk.stem.snowball")
            self._loaded = snowball.SnowballStemmer(self.language_name)
        return str(self._loaded.stem(word))


class _MarkedStopwords:
    """Answers for NLTK's stop-word corpus with one word that no text holds."""

    def words(self, language_name: str) -> list[str]:
        return [NLTK_MARK + language_name]


class _RevscoringPackage(ModuleType):
    """The package ``revscoring`` with its front page unread: that imports scikit-learn, scipy and joblib.

    The first name asked of it reads it, so that ``from revscoring import Model`` still works.
    """

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or self.__dict__.get("_is_read"):
            raise AttributeError(f"module 'revscoring' has no attribute {name!r}")
        self.__dict__["_is_read"] = True
        if self.__spec__ is not None and self.__spec__.loader is not None:
            self.__spec__.loader.exec_module(self)
        return getattr(self, name)


def _register_revscoring() -> bool:
    with _lock:
        if "revscoring" not in sys.modules:
            spec = importlib.util.find_spec("revscoring")
            if spec is None:
                raise ResourceMissing(
                    "the Python package revscoring is not installed; run: make", path="revscoring"
                )
            package = _RevscoringPackage("revscoring")
            package.__spec__, package.__file__, package.__loader__ = spec, spec.origin, spec.loader
            package.__path__ = list(spec.submodule_search_locations or ())
            package.__package__ = "revscoring"
            sys.modules["revscoring"] = package
    return True


@contextlib.contextmanager
def _stand_ins() -> Iterator[None]:
    before = {name: sys.modules.get(name) for name in _STAND_INS}
    stand_ins = {name: ModuleType(name) for name in _STAND_INS}
    errors = ModuleType("enchant.errors")
    errors.DictNotFoundError = _DictionaryNotFound  # type: ignore[attr-defined] # built here
    folder = Path(sys.modules["revscoring"].__path__[0])
    attributes: dict[str, dict[str, object]] = {
        "enchant": {"Dict": LazyDictionary, "errors": errors},
        "nltk.corpus": {"stopwords": _MarkedStopwords()},
        "nltk.stem.snowball": {"SnowballStemmer": LazyStemmer},
        "pkg_resources": {"resource_filename": lambda _package, path: str(folder / path)},
    }
    for name, values in attributes.items():
        vars(stand_ins[name]).update(values)
    sys.modules.update(stand_ins)
    try:
        with warnings.catch_warnings():
            # Regular expressions of some languages hold escapes that Python deprecates.
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    finally:
        for name, previous in before.items():
            if previous is None:
                del sys.modules[name]
            else:
                sys.modules[name] = previous


class _DictionaryNotFound(Exception):
    """Stands in for enchant's own; never raised, since opening waits."""


def _open_dictionary(tag: str) -> Any:
    package = _PACKAGES.get(tag, f"hunspell-{tag.lower().replace('_', '-')}")
    cure = f"run `make dictionaries`, or install the system packages libenchant-2-2 and {package}"
    try:
        enchant = importlib.import_module("enchant")
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
