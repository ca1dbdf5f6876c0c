"""Whether the engine gives revscoring's own values, over every revision of dumps and every list of features.

``python -m tests.bench.identity`` goes over all real dumps with all published lists, and takes hours, since
revscoring does. Name dumps, ``--lists``, ``--models FOLDER`` (of published model files) or ``--sample N``
(every so many pages only) for less. Prints what was compared, and what differs with its revision; ends with
status 1 where anything does.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from models import resources, stand_ins
from models.engine.extractor import Extractor
from models.engine.fallbacks import FALLBACKS
from models.features.feature_set import FeatureSet
from models.scoring import FeatureCache
from models.trial import trial_revision
from schemas.errors import RevstreamError, SourceError
from schemas.revision import Revision
from tests.bench.engine_corpora import NoUnpacker, unpacked
from tests.bench.engine_imported import loaded
from tests.bench.engine_models import ask_dictionaries_directly, imported_models
from tests.bench.report import emit
from tests.conftest import shared_folder
from tests.feature_lists import differences, published
from tests.feature_revisions import items
from tests.histories import dump_history

_SHOWN = 20
# Where a list has several of these, they are the same.
_ATTRIBUTES = ("damaging", "reverted", "wp10", "item_quality", "draft_quality")
_ENDINGS = (".xml", ".xml.bz2", ".xml.gz", ".xml.7z")
_ITEMS = "wikidatawiki"


def real_dumps(shared: Path) -> list[Path]:
    """Return the dumps of the shared data that hold revisions."""
    return sorted(path for path in (shared / "data" / "dumps").iterdir() if path.name.endswith(_ENDINGS))


def published_lists() -> list[str]:
    """Return the names of the published lists of features that are installed here."""
    found = []
    for package in stand_ins.FEATURE_LISTS:
        for module in sorted(resources.feature_lists(package)):
            defined = _defined(package, module)
            found += [f"{package}.feature_lists.{module}.{attribute}" for attribute in defined]
    return found


def bound(lists: Iterable[str]) -> dict[str, FeatureSet]:
    """Bind the lists that can be computed here, and say on standard error which cannot."""
    found = {}
    for name in lists:
        trial = trial_revision("wikibase-item" if _ITEMS in name else "wikitext")
        try:
            features = published(name)
            features.compute(trial, FeatureCache())
            found[name] = features
        except (RevstreamError, AttributeError) as error:
            # The features of zhwiki are segments of revscoring's own, which cannot even be printed.
            sys.stderr.write(f"left out: {name}: {str(error)[:300]}\n")
    return found


def grouped(sets: Mapping[str, FeatureSet]) -> Mapping[str, list[FeatureSet]]:
    """Sort features into those that are computed together.

    Lists of one package never print the same name for different features; articlequality and draftquality of
    ptwiki do. Artefacts cannot, so all imported models are one group.
    """
    groups: dict[str, list[FeatureSet]] = {}
    for name, features in sets.items():
        package = name.partition(".")[0] if "." in name else "imported"
        groups.setdefault(f"{package}, {_ITEMS}" if _ITEMS in name else package, []).append(features)
    return groups


def sampled(revisions: Iterable[Revision], every: int) -> Iterator[Revision]:
    """Yield the revisions of every so manieth page, all of each: what follows the other is what is proved."""
    for number, (_, page) in enumerate(groupby(revisions, key=lambda revision: revision.page_id)):
        if number % every == 0:
            yield from page


def _defined(package: str, module: str) -> list[str]:
    try:
        found = vars(resources.feature_list(package, module))
    except (RevstreamError, OSError):
        # Lists of topic models open their vectors while they are imported.
        return []
    return [attribute for attribute in _ATTRIBUTES if attribute in found][:1]


def go_over(revisions: Iterable[Revision], sets: Sequence[FeatureSet], what: str) -> tuple[int, list[str]]:
    """Compare, and say on standard error how far it has come.

    Returns:
        Values compared; what differs, in words.
    """
    extractor = Extractor()
    compared, different, count = 0, [], 0
    told = time.monotonic()
    for count, revision in enumerate(_readable(revisions, what), start=1):
        more, found = differences(sets, [revision], extractor)
        compared += more
        different += found
        if time.monotonic() - told > 10:
            told = time.monotonic()
            sys.stderr.write(f"{what}: {count} revisions, {compared} values, {len(different)} different\n")
    sys.stderr.write(f"{what}: {count} revisions, {compared} values, {len(different)} different\n")
    sys.stderr.write("".join(f"  {line[:500]}\n" for line in different[:_SHOWN]))
    return compared, different


def _readable(revisions: Iterable[Revision], what: str) -> Iterator[Revision]:
    try:
        yield from revisions
    except SourceError as error:
        sys.stderr.write(f"{what} is left there: {error.message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Go over what the arguments name, print, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    shared = shared_folder()
    parser.add_argument("dumps", nargs="*", type=Path, metavar="DUMP")
    parser.add_argument(
        "--lists", nargs="*", metavar="LIST", help="editquality.feature_lists.enwiki.damaging"
    )
    parser.add_argument("--models", type=Path, metavar="FOLDER", help="of published model files, in addition")
    parser.add_argument("--sample", type=int, default=1, metavar="N", help="go over every Nth page")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        sets = bound(published_lists() if given.lists is None and given.models is None else given.lists or [])
        if given.models:
            names, refused = imported_models(given.models, Path(scratch), shared)
            sys.stderr.write("".join(f"left out: {line}\n" for line in refused))
            sets |= {name: loaded(Path(scratch), name) for name in names}
        ask_dictionaries_directly()
        found: dict[str, tuple[int, list[str]]] = {}
        for group, together in grouped(sets).items():
            if _ITEMS in group:
                found[group] = go_over(sampled(items(shared), given.sample), together, group)
                continue
            for dump in given.dumps or real_dumps(shared):
                what = f"{dump.name}, {group}"
                try:
                    found[what] = go_over(sampled(dump_history(unpacked(dump)), given.sample), together, what)
                except NoUnpacker as error:
                    sys.stderr.write(f"left out: {error}\n")
    figures = {
        name: {"values_compared": compared, "values_different": len(different), "first": different[:_SHOWN]}
        for name, (compared, different) in found.items()
    }
    emit("identity", {"lists": list(sets), "fallbacks": dict(FALLBACKS.counts), "dumps": figures})
    return 1 if any(different for _, different in found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
