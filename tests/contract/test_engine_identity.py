"""The engine beside revscoring's own solver, over real revisions and every published list of features.

Real dumps in full take hours, since revscoring does: ``python -m tests.bench.identity`` goes over them all.
"""

from datetime import timedelta
from itertools import islice
from pathlib import Path

import pytest
from msgspec.structs import replace

from models.engine.fallbacks import FALLBACKS
from models.importer import import_model
from models.revscoring_scorer import RevscoringScorer
from models.store import ModelStore
from tests.contract.test_feature_lists import LISTS
from tests.dictionaries import make_up_dictionaries
from tests.feature_lists import differences, published
from tests.feature_revisions import items
from tests.histories import dump_history

OF_TEXT = [name for name in LISTS if "wikidatawiki" not in name] + [
    f"articlequality.feature_lists.{wiki_id}.wp10"
    for wiki_id in ("fawiki", "glwiki", "ptwiki", "svwiki", "trwiki", "ukwiki")
]
# Their features are those of revscoring before 0.8.
FIRST_MODELS = ("editquality__enwiki.damaging.linear_svc.model", "ores__azwiki.reverted.gaussian_nb.model")
OF_ITEMS = [name for name in LISTS if "wikidatawiki" in name]
DUMPS = {
    "wikitrust_wiki_00023.xml": 25,
    "wikitrust_amen.xml.gz": 49,
    "enwiki-20140102.tiny.xml.gz": 25,
    "tinywiki-pages-articles.xml.bz2": 8,
    "macbre_dump.xml.bz2": 2,
    "refinery_Simplewiki.Sample.xml": 20,
}


@pytest.fixture(autouse=True)
def _made_up_dictionaries(monkeypatch: pytest.MonkeyPatch) -> None:
    make_up_dictionaries(monkeypatch)


@pytest.mark.parametrize("dump", DUMPS)
def test_real_histories_give_revscorings_values_of_every_list(shared: Path, dump: str) -> None:
    sets = [published(name) for name in OF_TEXT]
    revisions = islice(dump_history(shared / "data" / "dumps" / dump), DUMPS[dump])
    compared, different = differences(sets, revisions)
    assert different == []
    assert compared > 0


@pytest.mark.parametrize("file", FIRST_MODELS)
def test_real_histories_give_the_values_of_2015_for_its_models(
    shared: Path, tmp_path: Path, file: str
) -> None:
    name = import_model(shared / "data" / "models" / "revscoring" / file, tmp_path).name
    scorer = ModelStore([tmp_path]).load(name)
    assert isinstance(scorer, RevscoringScorer)
    FALLBACKS.counts.clear()
    for dump, count in DUMPS.items():
        revisions = islice(dump_history(shared / "data" / "dumps" / dump), count)
        # To these models the account of an edit of before 2005 was younger than nothing, which they fail at.
        later = [replace(each, rev_dt=each.rev_dt + timedelta(days=10_000)) for each in revisions]
        compared, different = differences([scorer._features], later)
        assert different == []
        assert compared > 0
    assert not FALLBACKS.counts


def test_real_items_give_revscorings_values_of_every_list(shared: Path) -> None:
    sets = [published(name) for name in OF_ITEMS]
    compared, different = differences(sets, items(shared))
    assert different == []
    assert compared > 0
