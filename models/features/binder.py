"""Features by their printed names, bound to revscoring's definitions and to the word lists of one artefact.

A name is looked up among everything that revscoring, its languages and the feature lists beside it
define; names of composites are taken apart and made by revscoring's own operators. An imported model
carries the definitions of its features instead, see ``models.features.definitions``. Sets print in random
order in Python, so names here hold them sorted.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from models import inputs, resources
from models.features import catalogue
from models.features.bound import BoundFeature, name_of_type
from models.features.definitions import Definition, canonical
from models.features.expressions import Bound, Expressions
from models.features.rebuild import Rebuilder
from schemas.errors import ModelIncompatible

WordsOf = Callable[[str], frozenset[str]]


class FeatureBinder:
    """Finds the features of one artefact.

    Args:
        words_of: Gives the words of a collection, ``english.stopwords``; those of the artefact. Two
            binders with different words share no values, even in one cache.
        definitions: Those that the artefact carries.
        lists: Feature lists beside revscoring to look names up in,
            ``articlequality.feature_lists.enwiki``; None for all, which refuses what two of them define
            differently.
    """

    def __init__(
        self,
        words_of: WordsOf,
        definitions: Sequence[Definition] = (),
        *,
        lists: Iterable[str] | None = None,
    ) -> None:
        self._words_of = words_of
        self._stopwords: dict[str, Mapping[str, Any]] = {}
        # By id, which is safe as long as the object is held.
        self._roots: dict[int, tuple[Any, frozenset[str]]] = {}
        self._expressions = Expressions(self._of_stopwords, lists)
        self._rebuilder = Rebuilder(definitions, catalogue.installed) if definitions else None

    def bind(self, name: str, definition: int | None = None) -> BoundFeature:
        """Find a feature.

        Args:
            name: As revscoring prints it; sets in any order.
            definition: Position among the definitions of the artefact; None to look the name up.

        Raises:
            ModelIncompatible: There is no such feature here, or it reads what a revision does not hold.
            ResourceMissing: A Python package that its language needs is not installed.
        """
        name = canonical(name)
        if definition is not None:
            found: Bound | None = self._rebuilt(name, definition)
        else:
            found = self._expressions.bind(name)
        bound = None if found is None else self._bound(name, found)
        if bound is None:
            raise ModelIncompatible(
                f"the model reads {name!r}, which the installed revscoring does not define; install the "
                "version that the artefact's environment names, or train the model anew",
                feature=name,
            )
        unknown = bound.roots - inputs.injectable()
        if unknown:
            raise ModelIncompatible(
                f"the model reads {name!r}, which rests on {', '.join(sorted(unknown))}; revisions here do "
                "not carry that. Train the model without the feature",
                feature=name,
            )
        return bound

    def _rebuilt(self, name: str, definition: int) -> Bound:
        if self._rebuilder is None:
            raise ModelIncompatible(
                f"the artefact says that it defines {name!r}, but carries no definitions; import it anew",
                feature=name,
            )
        try:
            return Bound(self._rebuilder.feature(definition))
        except ModelIncompatible as error:
            raise ModelIncompatible(
                f"the model reads {name!r}, which cannot be computed here: {error.message}", feature=name
            ) from error

    def _of_stopwords(self, collection: str) -> Mapping[str, Any]:
        if collection not in self._stopwords:
            self._stopwords[collection] = _index_stopwords(collection, self._words_of(collection))
        return self._stopwords[collection]

    def _bound(self, name: str, found: Bound) -> BoundFeature | None:
        returns = name_of_type(getattr(found.dependent, "returns", None))
        if returns is None:
            return None
        return BoundFeature(
            name,
            found.dependent,
            returns,
            self._roots_of(found.dependent),
            found.patterns,
            found.words,
            isinstance(found.dependent, resources.module("features.feature_vector").FeatureVector),
        )

    def _roots_of(self, dependent: Any) -> frozenset[str]:
        """Return the names of what a dependent rests on in the end, constants aside.

        revscoring's own ``dig`` walks all beneath each feature anew; features of a model share most of it.
        """
        if id(dependent) not in self._roots:
            roots = frozenset[str]().union(*(self._roots_of(need) for need in dependent.dependencies))
            constant = resources.module("features.feature").Constant
            if not dependent.dependencies and not isinstance(dependent, constant):
                roots = frozenset({str(dependent)})
            self._roots[id(dependent)] = dependent, roots
        return self._roots[id(dependent)][1]


def _index_stopwords(name: str, words: frozenset[str]) -> Mapping[str, Any]:
    # revscoring's caches know a value by the name of what computes it; a name of its own for each list
    # keeps the values of two artefacts apart, and lets equal lists share them.
    mark = "@" + hashlib.sha512("\n".join(sorted(words)).encode()).hexdigest()[:16]
    collection = resources.module("languages.features.stopwords").Stopwords(name + mark, words)
    return {str(found).replace(mark, ""): found for found in catalogue.walk(collection.revision)}
