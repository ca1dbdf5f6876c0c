"""The features of one model: from a revision to a row of its input."""

import functools
import math
import struct
from collections.abc import Hashable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import inputs, resources
from models.artefact import Artefact
from models.features.base import Pair, base_features
from models.features.binder import FeatureBinder
from models.features.bound import BoundFeature
from models.features.definitions import canonical
from models.features.expressions import AmbiguousFeature
from models.features.injection import Injectable
from models.features.numbers import is_number
from models.features.patterns import pattern_list_sha512
from models.manifest import FeatureSpec
from models.scoring import FeatureCache
from schemas.errors import FeatureError, ModelIncompatible, RevstreamError
from schemas.prediction import FeatureValue
from schemas.revision import Revision

_TYPES: dict[str, type[bool] | type[int] | type[float]] = {"bool": bool, "int": int, "float": float}
# A client's own value may stand in it.
_CAUSE_CHARACTERS = 1000
_ALL_GAPS = tuple(map(inputs.Gaps, range(inputs.Gaps.ALL + 1)))
Values = list[FeatureValue | list[float]]
Outcome = Values | RevstreamError
"""What came of computing the features of one model."""


class FeatureSet:
    """The features of a model, bound and in the order of its input.

    Args:
        artefact_name: For messages.
        specs: Of the manifest.
        binder: Of the artefact.

    Raises:
        ModelIncompatible: A feature cannot be bound, or is of another type than the manifest says.
        ResourceMissing: A package that a language needs is not installed.
    """

    def __init__(self, artefact_name: str, specs: Sequence[FeatureSpec], binder: FeatureBinder) -> None:
        self._hold(tuple(specs), _bind_all(artefact_name, specs, binder))

    def _hold(self, specs: tuple[FeatureSpec, ...], bound: tuple[BoundFeature, ...]) -> None:
        self.specs = specs
        self.bound = bound
        datasource = resources.module("datasources").Datasource
        names = {name for bound in self.bound for name in bound.roots}
        self._roots = {name: datasource(name.removeprefix("datasource.")) for name in names}
        # No value is just an `object`: of a set with vectors, every value is looked at.
        self._types = tuple(map(_type_of, self.bound))
        self._names = tuple(spec.name for spec in self.specs)
        self._has_vectors = object in self._types
        # Where something is not known of an editor's account, the manifest may give a feature's value itself.
        self._is_given = tuple(
            tuple(_is_given(spec, bound, gaps) for spec, bound in self._pairs()) for gaps in _ALL_GAPS
        )
        self._asked = tuple(
            tuple(bound for bound, given in zip(self.bound, is_given, strict=True) if not given)
            for is_given in self._is_given
        )
        self._types_asked = tuple(tuple(map(_type_of, asked)) for asked in self._asked)
        self._given = tuple(tuple(self._given_values(is_given)) for is_given in self._is_given)
        self._missing = tuple(map(self._missing_of, _ALL_GAPS))
        self._packed = struct.Struct(f"{len(self.specs)}d").pack
        self._roots_asked = tuple(
            frozenset[str]().union(*(bound.roots for bound in asked)) for asked in self._asked
        )

    @property
    def key(self) -> Hashable:
        """Equal for sets that compute the same: models of one wiki often share their features."""
        return self.specs, tuple(str(bound.feature) for bound in self.bound)

    @property
    def is_planned(self) -> bool:
        """True: the engine may compute them for several models at once."""
        return True

    @functools.cached_property
    def base(self) -> "FeatureSet":
        """The features that ORES shows for these, see ``models.features.base``; these where none differ."""
        pairs = base_features(list(self._pairs()))
        if pairs is None:
            return self
        made = FeatureSet.__new__(FeatureSet)
        made._hold(tuple(spec for spec, _ in pairs), tuple(bound for _, bound in pairs))
        return made

    @functools.cached_property
    def _injectable(self) -> Injectable:
        return Injectable(bound.feature for bound in self.bound)

    @property
    def columns(self) -> int:
        """Number of values in a row; a vector fills several."""
        return sum(spec.columns for spec in self.specs)

    @functools.cached_property
    def places(self) -> NDArray[np.intp]:
        """Which feature each column of a row is of, int[columns]."""
        return np.repeat(np.arange(len(self.specs)), [spec.columns for spec in self.specs])

    def compute(self, revision: Revision, cache: FeatureCache) -> Values:
        """Compute the features of one revision, in the order of the model's input.

        Two features may print one name; each has its place here.

        Args:
            revision: What to compute them of.
            cache: Of this revision. What is there under this set is the answer, see
                ``models.engine.extractor``; else revscoring's own solver computes it.

        Raises:
            FeatureError: One cannot be computed, is not of its declared type or length, or is not finite.
            ContentError: The revision lacks what a feature reads.
            ResourceMissing: A dictionary, a corpus or word vectors are not there.
        """
        known: Outcome | None = cache.values.get(self)
        if isinstance(known, RevstreamError):
            raise known
        if known is not None:
            return known
        injected = self._injectable.known(revision.injected) if revision.injected else {}
        cache.values |= injected
        read = self.roots_of(revision).difference(map(str, injected))
        for root, value in inputs.values(revision, read).items():
            cache.values[self._roots[root]] = value
        raw = [_solved(bound, revision, cache) for bound in self.computed_of(revision)]
        return self._filled(raw, revision)

    def computed_of(self, revision: Revision) -> tuple[BoundFeature, ...]:
        """Return the features that are computed of a revision; the manifest gives the others."""
        return self.asked(inputs.account_gaps(revision))

    def asked(self, gaps: inputs.Gaps) -> tuple[BoundFeature, ...]:
        """Return the features that are computed where this is not known of the editor's account."""
        return self._asked[gaps]

    def missing(self, revision: Revision) -> tuple[str, ...]:
        """Return the printed names of the features that read what is not known of the editor's account.

        Their values are the manifest's, or follow from an account without groups or registration: they are
        not what a source that knows would have given.
        """
        return self._missing[inputs.account_gaps(revision)]

    def _missing_of(self, gaps: inputs.Gaps) -> tuple[str, ...]:
        pairs = zip(self.bound, self._names, self._is_given[gaps], strict=True)
        return tuple(
            name for bound, name, given in pairs if given or inputs.read_of_account(bound.roots) & gaps
        )

    def roots_of(self, revision: Revision) -> frozenset[str]:
        """Return the printed names of the datasources that these read."""
        return self._roots_asked[inputs.account_gaps(revision)]

    def solve(self, revision: Revision) -> Outcome:
        """Compute the features by revscoring's own solver."""
        try:
            return self.compute(revision, FeatureCache())
        except RevstreamError as error:
            return error

    def asked_key(self, gaps: inputs.Gaps) -> Hashable:
        """Return what is equal for sets that compute the same where this is not known of an account."""
        return self._types_asked[gaps], tuple(str(bound.feature) for bound in self._asked[gaps])

    def checked(self, raw: Sequence[Any], revision: Revision, *, is_plain: bool | None = None) -> Outcome:
        """Check what was computed of ``computed_of``, in that order, and fill in the rest.

        Args:
            raw: What was computed.
            revision: Of which.
            is_plain: What `is_plain` says of it, where that is known.
        """
        try:
            return self._filled(raw, revision, is_plain=is_plain)
        except RevstreamError as error:
            return error

    def _given_values(self, is_given: Sequence[bool]) -> Iterator[tuple[int, FeatureValue]]:
        for place, (spec, given) in enumerate(zip(self.specs, is_given, strict=True)):
            if given and spec.unknown_user_value is not None:
                yield place, spec.unknown_user_value

    def _pairs(self) -> Iterator[Pair]:
        return zip(self.specs, self.bound, strict=True)

    def is_plain(self, raw: Sequence[Any], gaps: inputs.Gaps) -> bool:
        """Tell whether every value is a finite one of just the type that its feature has: nearly always.

        Sets of one ``asked_key`` say the same of the same values.
        """
        if tuple(map(type, raw)) != self._types_asked[gaps]:
            return False
        try:
            # A sum that is finite has no other terms.
            if math.isfinite(sum(raw)):
                return True
        except OverflowError:
            # Of a whole number that no float can hold, though each is finite.
            pass
        return all(math.isfinite(value) for value in raw if type(value) is float)

    def _filled(self, raw: Sequence[Any], revision: Revision, *, is_plain: bool | None = None) -> Values:
        gaps = inputs.account_gaps(revision)
        values: Values
        if self.is_plain(raw, gaps) if is_plain is None else is_plain:
            values = list(raw)
            for place, value in self._given[gaps]:
                values.insert(place, value)
            return values
        given = frozenset(map(canonical, revision.injected or ()))
        computed = iter(raw)
        values = []
        for spec, bound, is_given in zip(self.specs, self.bound, self._is_given[gaps], strict=True):
            if is_given and spec.unknown_user_value is not None:
                values.append(spec.unknown_user_value)
                continue
            value = next(computed)
            # A client's number is taken for what it is, and shown so: an int where 2.5 stands is none.
            is_as_given = bound.name in given and is_number(value)
            values.append(value if is_as_given else _checked(bound, spec, revision, value))
        return values

    def row(self, values: Values) -> NDArray[np.float64]:
        """Return values as a row of the model's input.

        Returns:
            float64[1, columns]; booleans are 0 and 1.
        """
        if not self._has_vectors:
            # Whatever reads the row may write on it.
            return np.frombuffer(bytearray(self._packed(*values)), np.float64).reshape(1, -1)
        flat: list[float] = []
        for value in values:
            flat += value if isinstance(value, list) else [float(value)]
        return np.array([flat], dtype=np.float64)

    def by_name(self, values: Values) -> dict[str, FeatureValue]:
        """Return values by printed name; those of a vector as ``name[0]``, ``name[1]`` and so on."""
        if not self._has_vectors:
            plain: Any = values
            return dict(zip(self._names, plain, strict=True))
        named: dict[str, FeatureValue] = {}
        for name, value in zip(self._names, values, strict=True):
            if isinstance(value, list):
                named |= {f"{name}[{index}]": item for index, item in enumerate(value)}
            else:
                named[name] = value
        return named


def features_of(artefact: Artefact) -> FeatureSet:
    """Bind the features of an artefact.

    Raises:
        ModelIncompatible: A feature cannot be bound, or revscoring's patterns differ from those that the
            model was trained with.
        ResourceMissing: A package that a language needs is not installed.
    """
    manifest = artefact.manifest
    for collection, sha512 in manifest.pattern_lists.items():
        if pattern_list_sha512(collection) != sha512:
            raise ModelIncompatible(
                f"artefact {manifest.name!r} was trained with other patterns of {collection} than the "
                "installed revscoring has, so its numbers would differ; install the revscoring that its "
                "environment names, or train it anew",
                feature=collection,
            )
    return FeatureSet(manifest.name, manifest.features, FeatureBinder(artefact.words, manifest.definitions))


def _bind_all(
    artefact_name: str, specs: Sequence[FeatureSpec], binder: FeatureBinder
) -> tuple[BoundFeature, ...]:
    bound: dict[int, BoundFeature] = {}
    for postpones in (True, False):
        for position, spec in enumerate(specs):
            if position not in bound:
                try:
                    bound[position] = _bind(artefact_name, spec, binder)
                except AmbiguousFeature:
                    if not postpones:
                        raise
    return tuple(bound[position] for position in range(len(specs)))


def _bind(artefact_name: str, spec: FeatureSpec, binder: FeatureBinder) -> BoundFeature:
    bound = binder.bind(spec.name, spec.definition)
    if bound.returns != spec.returns:
        raise ModelIncompatible(
            f"artefact {artefact_name!r} takes {spec.name!r} for {spec.returns}, but the installed "
            f"revscoring gives {bound.returns}; install the version that the artefact's environment names",
            feature=spec.name,
        )
    if spec.columns > 1 and not bound.is_vector:
        raise ModelIncompatible(
            f"artefact {artefact_name!r} takes {spec.name!r} for {spec.columns} values, but it gives one; "
            "import the model anew",
            feature=spec.name,
        )
    return bound


def _type_of(bound: BoundFeature) -> type:
    return object if bound.is_vector else _TYPES[bound.returns]


def _is_given(spec: FeatureSpec, bound: BoundFeature, gaps: inputs.Gaps) -> bool:
    """Tell whether the manifest gives the value where this is not known of an account."""
    # What reads neither by name reads the account by an older one.
    read = inputs.read_of_account(bound.roots) or inputs.Gaps.ALL
    return spec.unknown_user_value is not None and bool(read & gaps)


def _solved(bound: BoundFeature, revision: Revision, cache: FeatureCache) -> Any:
    dependencies = resources.module("dependencies")
    errors = resources.module("errors")
    try:
        return dependencies.solve(bound.feature, cache=cache.values)
    except errors.CaughtDependencyError as error:
        if isinstance(error.exception, RevstreamError):
            raise error.exception from error
        raise _feature_error(
            bound, revision, f"{type(error.exception).__name__}: {error.exception}"
        ) from error
    except errors.DependencyError as error:
        raise _feature_error(bound, revision, f"{type(error).__name__}: {error}") from error


def _checked(
    bound: BoundFeature, spec: FeatureSpec, revision: Revision, value: Any
) -> FeatureValue | list[float]:
    if bound.is_vector:
        return _vector(bound, spec, revision, value)
    expected = _TYPES[bound.returns]
    if not isinstance(value, expected) or not (isinstance(value, int) or math.isfinite(value)):
        raise _feature_error(bound, revision, f"it gave {value!r}, which is no finite {bound.returns}")
    return expected(value)


def _vector(bound: BoundFeature, spec: FeatureSpec, revision: Revision, value: Any) -> list[float]:
    try:
        numbers = [float(item) for item in value]
    except (TypeError, ValueError) as error:
        raise _feature_error(
            bound, revision, f"it gave {type(value).__name__}, which is no vector"
        ) from error
    if len(numbers) != spec.columns or not all(math.isfinite(number) for number in numbers):
        raise _feature_error(
            bound,
            revision,
            f"it gave {len(numbers)} numbers, where the model reads {spec.columns} finite ones",
        )
    return numbers


def _feature_error(bound: BoundFeature, revision: Revision, cause: str) -> FeatureError:
    return FeatureError(
        f"feature {bound.name!r} could not be computed from revision {revision.rev_id} of "
        f"{revision.wiki_id}: {cause[:_CAUSE_CHARACTERS]}",
        wiki_id=revision.wiki_id,
        rev_id=revision.rev_id,
        feature=bound.name,
    )
