"""Features bound by name, against the feature lists' own objects in a process that knows nothing of ours."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from models import resources, stand_ins
from models.features.binder import FeatureBinder
from models.features.feature_set import FeatureSet
from models.features.patterns import words_of_nltk
from models.manifest import FeatureSpec
from models.scoring import FeatureCache
from schemas.revision import Revision
from tests.dictionaries import make_up_dictionaries
from tests.feature_revisions import edits, inputs_of, items

LISTS = [
    "editquality.feature_lists.arwiki.damaging",
    "editquality.feature_lists.dewiki.damaging",
    "editquality.feature_lists.enwiki.damaging",
    "editquality.feature_lists.eswiki.damaging",
    "editquality.feature_lists.fawiki.damaging",
    "editquality.feature_lists.frwiki.damaging",
    "editquality.feature_lists.ptwiki.damaging",
    "editquality.feature_lists.ruwiki.damaging",
    "editquality.feature_lists.svwiki.damaging",
    "editquality.feature_lists.wikidatawiki.damaging",
    "articlequality.feature_lists.enwiki.wp10",
    "articlequality.feature_lists.euwiki.wp10",
    "articlequality.feature_lists.frwiki.wp10",
    "articlequality.feature_lists.nlwiki.wp10",
    "articlequality.feature_lists.ruwiki.wp10",
    "articlequality.feature_lists.wikidatawiki.item_quality",
]
PLAIN = """
import importlib, json, sys, types, warnings, zlib
warnings.simplefilter("ignore")
class Dictionary:
    def __init__(self, tag): pass
    def check(self, word): return zlib.crc32(word.encode("utf-8", "surrogatepass")) % 3 > 0
enchant = types.ModuleType("enchant")
enchant.Dict = Dictionary
enchant.errors = types.SimpleNamespace(DictNotFoundError=KeyError)
sys.modules["enchant"] = enchant
import mwtypes
from revscoring.datasources import Datasource
from revscoring.dependencies import solve
given = json.load(sys.stdin)
for name in given["lists"]:
    module, _, attribute = name.rpartition(".")
    features = getattr(importlib.import_module(module), attribute)
    rows = []
    for inputs in given["items" if "wikidatawiki" in name else "edits"]:
        cache = {}
        for key, value in inputs.items():
            is_date = isinstance(value, dict)
            cache[Datasource(key.partition(".")[2])] = mwtypes.Timestamp(value["date"]) if is_date else value
        rows.append(list(solve(features, cache=cache)))
    kinds = [feature.returns.__name__ for feature in features]
    print(json.dumps([[str(feature) for feature in features], kinds, rows]))
"""

pytestmark = pytest.mark.skipif(
    not all(map(stand_ins.is_installed, ("editquality", "articlequality"))),
    reason="the packages with the feature lists of published models are not installed",
)


@pytest.fixture
def _made_up_dictionaries(monkeypatch: pytest.MonkeyPatch) -> None:
    make_up_dictionaries(monkeypatch)


@pytest.fixture(scope="module")
def revisions(shared: Path) -> dict[str, list[Revision]]:
    return {"edits": edits(shared, of_each=2), "items": items(shared)[:10]}


@pytest.fixture(scope="module")
def theirs(
    shared: Path, revisions: dict[str, list[Revision]], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    data = tmp_path_factory.mktemp("nltk")
    with zipfile.ZipFile(shared / "data" / "nltk" / "stopwords.zip") as archive:
        archive.extractall(data / "corpora")
    for path in data.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    given = {kind: [inputs_of(revision) for revision in held] for kind, held in revisions.items()}
    done = subprocess.run(
        [sys.executable, "-c", PLAIN],
        input=json.dumps({"lists": LISTS, **given}),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NLTK_DATA": str(data)},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(zip(LISTS, map(json.loads, done.stdout.splitlines()), strict=True))


@pytest.mark.usefixtures("_made_up_dictionaries")
@pytest.mark.parametrize("name", LISTS)
def test_every_feature_of_a_list_binds_by_its_name_and_gives_the_lists_value(
    shared: Path, revisions: dict[str, list[Revision]], theirs: dict[str, Any], name: str
) -> None:
    names, kinds, rows = theirs[name]
    archive = shared / "data" / "nltk" / "stopwords.zip"
    binder = FeatureBinder(
        lambda collection: words_of_nltk(collection, lambda of: resources.nltk_words(archive, of)),
        lists=[name.rpartition(".")[0], *COMMON],
    )
    specs = [FeatureSpec(printed, kind) for printed, kind in zip(names, kinds, strict=True)]
    features = FeatureSet(name, specs, binder)
    held = revisions["items" if "wikidatawiki" in name else "edits"]
    for revision, row in zip(held, rows, strict=True):
        values = features.compute(revision, FeatureCache())
        assert values == row
        assert [type(value).__name__ for value in values] == kinds


COMMON = [
    f"{package}.feature_lists.{list_}"
    for package, lists in {
        "editquality": ("wikitext", "mediawiki", "wikipedia", "wikibase", "enwiki"),
        "articlequality": ("wikipedia", "wikibase"),
    }.items()
    for list_ in lists
]
