"""The engine beside revscoring's own solver, over real revisions and every published list of features.

Real dumps in full take hours, since revscoring does: ``python -m tests.bench.identity`` goes over them all.
"""

from itertools import islice
from pathlib import Path

import pytest

from models import resources
from tests.contract.test_feature_lists import LISTS
from tests.feature_lists import differences, published
from tests.feature_revisions import is_in_dictionary, items
from tests.histories import dump_history

OF_TEXT = [name for name in LISTS if "wikidatawiki" not in name] + [
    f"articlequality.feature_lists.{wiki_id}.wp10"
    for wiki_id in ("fawiki", "glwiki", "ptwiki", "svwiki", "trwiki", "ukwiki")
]
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
    monkeypatch.setattr(resources.LazyDictionary, "check", lambda _self, word: is_in_dictionary(word))


@pytest.mark.parametrize("dump", DUMPS)
def test_real_histories_give_revscorings_values_of_every_list(shared: Path, dump: str) -> None:
    sets = [published(name) for name in OF_TEXT]
    revisions = islice(dump_history(shared / "data" / "dumps" / dump), DUMPS[dump])
    compared, different = differences(sets, revisions)
    assert different == []
    assert compared > 0


def test_real_items_give_revscorings_values_of_every_list(shared: Path) -> None:
    sets = [published(name) for name in OF_ITEMS]
    compared, different = differences(sets, items(shared))
    assert different == []
    assert compared > 0
