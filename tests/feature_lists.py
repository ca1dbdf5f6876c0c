"""Published lists of features, bound as an artefact binds them."""

from collections.abc import Iterable, Sequence

from models import resources
from models.engine.extractor import Extractor
from models.features.binder import FeatureBinder
from models.features.feature_set import FeatureSet
from models.manifest import FeatureSpec
from schemas.errors import RevstreamError
from schemas.revision import Revision

COMMON = tuple(
    f"{package}.feature_lists.{list_}"
    for package, lists in {
        "editquality": ("wikitext", "mediawiki", "wikipedia", "wikibase", "enwiki"),
        "articlequality": ("wikipedia", "wikibase"),
    }.items()
    for list_ in lists
)
WORDS = frozenset({"the", "of", "and", "in", "de", "la", "der", "die", "und", "het", "en", "i", "och"})


def published(name: str) -> FeatureSet:
    """Bind a list by its printed names, ``editquality.feature_lists.enwiki.damaging``; stop words made up."""
    module, _, attribute = name.rpartition(".")
    package, _, list_ = module.partition(".feature_lists.")
    listed = getattr(resources.feature_list(package, list_), attribute)
    specs = [FeatureSpec(str(feature), feature.returns.__name__) for feature in listed]
    return FeatureSet(name, specs, FeatureBinder(lambda _: WORDS, lists=[module, *COMMON]))


def differences(
    sets: Sequence[FeatureSet], revisions: Iterable[Revision], extractor: Extractor | None = None
) -> tuple[int, list[str]]:
    """Compute features by the engine, in the order given, and by revscoring's own solver.

    Returns:
        How many values were compared; what differs, in words.
    """
    extractor = extractor or Extractor()
    compared, different = 0, []
    for revision in revisions:
        outcomes = extractor.extract(sets, revision)
        for features in sets:
            ours, theirs = outcomes[features], features.solve(revision)
            if isinstance(ours, RevstreamError) or isinstance(theirs, RevstreamError):
                if repr(ours) != repr(theirs):
                    different.append(f"revision {revision.rev_id}: {ours!r} for {theirs!r}")
                continue
            for spec, our, their in zip(features.specs, ours, theirs, strict=True):
                compared += 1
                if _bits(our) != _bits(their):
                    different.append(f"revision {revision.rev_id}: {spec.name} is {our!r} for {their!r}")
    return compared, different


def _bits(value: object) -> tuple[type, object]:
    """Tell apart what compares equal: 0.0 and -0.0, 1 and True."""
    if isinstance(value, list):
        return list, [_bits(item) for item in value]
    return type(value), value.hex() if isinstance(value, float) else value
