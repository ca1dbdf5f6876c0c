"""Imports of revscoring and of the feature lists beside it, without what they read while they are imported.

The language modules of revscoring read NLTK's corpora and enchant's dictionaries at import, whether a
model asks for them or not; the front pages of revscoring and of the packages with feature lists import
scikit-learn and readers of dumps. Imported through ``imported`` here, they get stand-ins that wait, and
front pages stay unread.
"""

import contextlib
import importlib
import importlib.util
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from schemas.errors import ResourceMissing

FEATURE_LISTS = ("editquality", "articlequality", "draftquality", "drafttopic")
_PACKAGES = ("revscoring", *FEATURE_LISTS)
_STAND_INS = ("enchant", "nltk", "nltk.corpus", "nltk.stem", "nltk.stem.snowball", "pkg_resources")
_lock = threading.RLock()


class _UnreadPackage(ModuleType):
    """A package with its front page unread.

    The first name asked of it reads it, so that ``from revscoring import Model`` still works; while
    stand-ins are in place only the names of ``light`` are given, from the modules that define them.
    """

    light: Mapping[str, str]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or self.__dict__.get("_is_read"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        if name in self.light:
            return getattr(importlib.import_module(self.light[name]), name)
        self.__dict__["_is_read"] = True
        if self.__spec__ is not None and self.__spec__.loader is not None:
            self.__spec__.loader.exec_module(self)
        return getattr(self, name)


_LIGHT = {
    "Feature": "revscoring.features.feature",
    "FeatureVector": "revscoring.features.feature_vector",
    "Datasource": "revscoring.datasources.datasource",
    "Dependent": "revscoring.dependencies",
    "DependentSet": "revscoring.dependencies",
}


def is_installed(package: str) -> bool:
    """Tell whether a package can be imported."""
    return package in sys.modules or importlib.util.find_spec(package) is not None


def folder(package: str) -> Path:
    """Return where a registered package lies.

    Raises:
        ResourceMissing: It is not installed.
    """
    _register(package)
    return Path(sys.modules[package].__path__[0])


def imported(name: str) -> Any:
    """Import a module of revscoring or of a package with feature lists, without its front page.

    Args:
        name: ``revscoring.features.wikitext``, ``editquality.feature_lists.enwiki``. Only modules that need
            nothing from the machine; see ``imported_with`` for the others.

    Returns:
        The module. Untyped, as revscoring is.

    Raises:
        ResourceMissing: The package is not installed.
    """
    with _lock:
        _register("revscoring")
        _register(name.partition(".")[0])
        return importlib.import_module(name)


def imported_with(name: str, attributes: Mapping[str, Mapping[str, object]]) -> Any:
    """Import a module while stand-ins take the places of enchant, NLTK and pkg_resources.

    Args:
        name: As for ``imported``.
        attributes: What the stand-ins hold, by module.

    Raises:
        ResourceMissing: The package is not installed.
        ImportError: It imports something else that is not installed.
    """
    with _lock:
        if name in sys.modules:
            return sys.modules[name]
        _register("revscoring")
        _register(name.partition(".")[0])
        with _in_place(attributes):
            return importlib.import_module(name)


def of_nltk(name: str) -> Any:
    """Import a module of NLTK without the rest of NLTK, which takes a second and SciPy.

    Args:
        name: ``stem.snowball`` or ``data``.

    Returns:
        The module, of the caller's own: a later import of NLTK makes another.
    """
    spec = importlib.util.find_spec("nltk")
    where = Path(spec.origin).parent if spec is not None and spec.origin else Path()
    with _lock:
        before = {known: module for known, module in sys.modules.items() if _is_of_nltk(known)}
        for known in before:
            del sys.modules[known]
        try:
            for package, path in (("nltk", where), ("nltk.stem", where / "stem"), ("nltk.corpus", None)):
                stand_in = sys.modules[package] = ModuleType(package)
                stand_in.__path__ = [] if path is None else [str(path)]
            # Asked for stop words to leave unstemmed only, which revscoring never does.
            vars(sys.modules["nltk.corpus"])["stopwords"] = None
            return importlib.import_module(f"nltk.{name}")
        finally:
            for known in [known for known in sys.modules if _is_of_nltk(known)]:
                del sys.modules[known]
            sys.modules.update(before)


def _is_of_nltk(name: str) -> bool:
    return name == "nltk" or name.startswith("nltk.")


def find_resource(package: str, path: str) -> str:
    """Return the path of a file in a package, as ``pkg_resources.resource_filename`` does."""
    return str(folder(package) / path)


def _register(name: str) -> None:
    if name not in _PACKAGES:
        raise ResourceMissing(f"{name!r} is no package that defines features", path=name)
    with _lock:
        if name in sys.modules:
            return
        spec = importlib.util.find_spec(name)
        if spec is None:
            cure = "run: make" if name == "revscoring" else f"run: pip install {name}"
            raise ResourceMissing(f"the Python package {name} is not installed; {cure}", path=name)
        package = _UnreadPackage(name)
        package.light = _LIGHT if name == "revscoring" else {}
        package.__spec__, package.__file__, package.__loader__ = spec, spec.origin, spec.loader
        package.__path__ = list(spec.submodule_search_locations or ())
        package.__package__ = name
        sys.modules[name] = package


@contextlib.contextmanager
def _in_place(attributes: Mapping[str, Mapping[str, object]]) -> Iterator[None]:
    before = {name: sys.modules.get(name) for name in _STAND_INS}
    stand_ins = {name: ModuleType(name) for name in _STAND_INS}
    for name, values in attributes.items():
        vars(stand_ins[name]).update(values)
    resource_filename: Callable[[str, str], str] = find_resource
    vars(stand_ins["pkg_resources"])["resource_filename"] = resource_filename
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
