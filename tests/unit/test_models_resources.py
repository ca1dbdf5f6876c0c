"""Languages of revscoring on machines without the enchant library and without NLTK's data."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from models import resources
from models.resources import LazyDictionary
from schemas.errors import ResourceMissing

HIDE_ENCHANT = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "enchant":
            raise ImportError("The 'enchant' C library was not found")
sys.meta_path.insert(0, Hidden())
"""


def run(program: str) -> list[str]:
    """Run a program without enchant and without any NLTK data, and return its lines."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", HIDE_ENCHANT + program],
        capture_output=True,
        text=True,
        check=False,
        env={"NLTK_DATA": "/nonexistent", "HOME": "/nonexistent", "PATH": ""},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_every_language_imports_on_a_bare_machine() -> None:
    [count] = run(
        "from models import resources\n"
        "print(len([resources.language(name) for name in sorted(resources.languages())]))\n"
    )
    assert int(count) == len(resources.languages()) >= 39


def test_a_model_without_dictionaries_never_notices_that_they_are_missing() -> None:
    lines = run(
        "from models.store import *; from models.scoring import score_revision\n"
        "from tests.model_revisions import EDIT\n"
        "scorer = ModelStore([PACKAGED_MODELS]).load('enwiki-reverted')\n"
        "print(score_revision([scorer], EDIT)[0].outcome.prediction_value())\n"
        "print([m for m in ('enchant', 'nltk', 'sklearn', 'scipy', 'pkg_resources') if m in sys.modules])\n"
    )
    assert lines == ["False", "[]"]


def test_a_feature_that_reads_a_dictionary_names_the_package_and_the_target() -> None:
    lines = run(
        "from models import resources\n"
        "from models.features.binder import FeatureBinder\n"
        "name = 'feature.english.dictionary.revision.diff.dict_word_delta_sum'\n"
        "bound = FeatureBinder(lambda _: frozenset()).bind(name)\n"
        "source = resources.module('datasources').Datasource\n"
        "cache = {source('revision.text'): 'an oak', source('revision.parent.text'): ''}\n"
        "try:\n    resources.module('dependencies').solve(bound.feature, cache=cache)\n"
        "except Exception as error:\n"
        "    print(type(error.exception).__name__); print(error.exception.message)\n"
    )
    assert lines[0] == "ResourceMissing"
    assert "hunspell-en-us" in lines[1]
    assert "make dictionaries" in lines[1]
    assert "C library is not installed" in lines[1]


def test_a_model_that_reads_a_dictionary_is_refused_when_it_is_loaded() -> None:
    lines = run(
        "import msgspec\n"
        "from models.artefact import Artefact; from models.revscoring_scorer import RevscoringScorer\n"
        "from models.store import *\n"
        "opened = ModelStore([PACKAGED_MODELS]).open('enwiki-reverted')\n"
        "specs = list(opened.manifest.features)\n"
        "name = 'feature.english.dictionary.revision.diff.dict_word_prop_delta_sum'\n"
        "specs[3] = msgspec.structs.replace(specs[3], name=name)\n"
        "manifest = msgspec.structs.replace(opened.manifest, features=tuple(specs))\n"
        "try:\n    RevscoringScorer(Artefact(manifest, opened.contents))\n"
        "except Exception as error:\n    print(type(error).__name__, error.fields)\n"
    )
    assert lines == ["ResourceMissing {'path': 'en_US'}"]


def test_a_stemmer_stems_once_it_is_asked() -> None:
    english = resources.language("english")
    assert english.stemmer.stem("running") == "run"


def test_the_stand_ins_are_gone_after_the_import() -> None:
    resources.language("english")
    for name in ("enchant", "nltk", "nltk.corpus", "pkg_resources"):
        found = sys.modules.get(name)
        assert found is None or found.__spec__ is not None


def test_the_front_page_of_revscoring_can_still_be_read() -> None:
    lines = run(
        "import warnings\nfrom models import resources\nresources.language('english')\n"
        "print('sklearn' in sys.modules)\n"
        "warnings.simplefilter('ignore')\n"
        "from revscoring import Model\nprint(Model.__name__, 'sklearn' in sys.modules)\n"
        "import revscoring\nprint(hasattr(revscoring, 'no_such_name'))\n"
    )
    assert lines == ["False", "Model True", "False"]


def test_a_dictionary_that_is_not_installed_is_told_from_a_missing_library() -> None:
    pytest.importorskip("enchant", exc_type=ImportError)
    with pytest.raises(ResourceMissing, match=r"xx_YY, which is not installed.*hunspell-xx-yy"):
        LazyDictionary("xx_YY").check("word")


@pytest.mark.parametrize("kind", ["absent", "no archive", "no language"])
def test_stop_words_that_cannot_be_read_are_named_with_the_archive(tmp_path: Path, kind: str) -> None:
    archive = tmp_path / "stopwords.zip"
    if kind == "no archive":
        archive.write_text("words")
    if kind == "no language":
        with zipfile.ZipFile(archive, "w") as opened:
            opened.writestr("stopwords/dutch", "de\n")
    with pytest.raises(ResourceMissing, match=r"english .*stopwords\.zip"):
        resources.nltk_words(archive, "english")


def test_dictionaries_are_open_once_the_block_beside_which_they_open_has_ended() -> None:
    pytest.importorskip("enchant", exc_type=ImportError)
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "error",
            "-c",
            "import threading\n"
            "from models import resources\n"
            "with resources.opening(['en_US', 'xx_YY', 'en_US']):\n"
            "    resources.language('english')\n"
            "print(*resources.dictionaries_read(), threading.active_count())\n",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["en_US", "1"]


def test_a_machine_without_dictionaries_is_told_of_by_the_feature_that_reads_one() -> None:
    lines = run(
        "from models import resources\n"
        "with resources.opening(['en_US']):\n    print('loaded')\n"
        "try:\n    resources.dictionary('en_US').check('oak')\n"
        "except Exception as error:\n    print(type(error).__name__)\n"
    )
    assert lines == ["loaded", "ResourceMissing"]


def test_stop_words_are_read_line_by_line(tmp_path: Path) -> None:
    archive = tmp_path / "stopwords.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("stopwords/dutch", "de\nhet\n")
    assert resources.nltk_words(archive, "dutch") == {"de", "het"}
