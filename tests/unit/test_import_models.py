"""Published model files become artefacts: the facts of the 22 of `shared`, and how a file may fail."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from models.artefact import open_artefact
from models.features.definitions import KNOWN
from models.importer import import_model
from models.manifest import Manifest
from models.pickles import Global, Instance
from schemas.errors import ModelCorrupt, ModelIncompatible, ModelRefused, ResourceMissing
from schemas.prediction import ScoreKind
from tests import pickled_models
from tests.pickled_models import Whole, datasource, feature, inert, model, save

BOTH = ("false", "true")
GRADES = ("B", "C", "FA", "GA", "Start", "Stub")
LETTERS = ("A", "B", "C", "D", "E")


class Facts(NamedTuple):
    """Read from the files with other means: `pickletools`, and their hashes with `sha512sum`."""

    name: str
    version: str
    labels: tuple[str, ...]
    features: int
    kind: str
    scales: bool
    trained: str | None
    sha512: str


BOOSTING = "gradient_boosting"
FACTS = {
    "articlequality__enwiki.nettrom_wp10.gradient_boosting.model": Facts(
        "enwiki-articlequality", "0.6.1", GRADES, 32, BOOSTING, True, "2018-06-11T23:43:38Z", "f127e4fa"
    ),
    "articlequality__euwiki.wp10.gradient_boosting.model": Facts(
        "euwiki-articlequality", "0.6.0", GRADES, 20, BOOSTING, True, "2018-05-20T12:40:58Z", "70c51512"
    ),
    "articlequality__nlwiki.wp10.gradient_boosting.model": Facts(
        "nlwiki-articlequality", "0.8.0", LETTERS, 24, BOOSTING, True, "2021-02-26T15:08:49Z", "c77707b8"
    ),
    "articlequality__wikidatawiki.item_quality.rf.model": Facts(
        "wikidatawiki-itemquality", "0.2.0", LETTERS, 22, "forest", True, "2018-04-19T20:19:50Z", "c7a4c6b3"
    ),
    "draftquality__enwiki.draft_quality.gradient_boosting.model.bz2": Facts(
        "enwiki-draftquality",
        "0.2.0",
        ("OK", "attack", "spam", "vandalism"),
        92,
        BOOSTING,
        False,
        "2019-01-28T19:59:17Z",
        "94c9946d",
    ),
    "editquality__arwiki.damaging.gradient_boosting.model": Facts(
        "arwiki-damaging", "0.4.0", BOTH, 91, BOOSTING, True, "2018-08-06T17:10:37Z", "dd609aed"
    ),
    "editquality__arwiki.goodfaith.gradient_boosting.model": Facts(
        "arwiki-goodfaith", "0.4.0", BOTH, 91, BOOSTING, True, "2018-08-06T17:11:30Z", "710f6be0"
    ),
    "editquality__arwiki.reverted.rf.model": Facts(
        "arwiki-reverted", "0.0.1", BOTH, 89, "forest", True, "2016-03-09T21:28:16Z", "3dd967cd"
    ),
    "editquality__dewiki.damaging.gradient_boosting.model": Facts(
        "dewiki-damaging", "0.4.0", BOTH, 91, BOOSTING, True, "2018-12-16T19:53:12Z", "d576872c"
    ),
    "editquality__dewiki.goodfaith.gradient_boosting.model": Facts(
        "dewiki-goodfaith", "0.4.0", BOTH, 91, BOOSTING, True, "2018-12-16T20:26:34Z", "8a86ba6b"
    ),
    "editquality__dewiki.reverted.gradient_boosting.model": Facts(
        "dewiki-reverted", "0.4.0", BOTH, 91, BOOSTING, True, "2018-08-06T19:37:23Z", "65e875c9"
    ),
    "editquality__enwiki.damaging.linear_svc.model": Facts(
        "enwiki-damaging", "0.0.2", BOTH, 46, "support_vectors", True, "2015-10-04T18:31:09Z", "3e60b60c"
    ),
    "editquality__eswiki.damaging.gradient_boosting.model": Facts(
        "eswiki-damaging", "0.4.0", BOTH, 91, BOOSTING, True, "2018-08-06T21:49:09Z", "69c09ca7"
    ),
    "editquality__eswiki.goodfaith.gradient_boosting.model": Facts(
        "eswiki-goodfaith", "0.4.0", BOTH, 91, BOOSTING, True, "2018-08-06T21:50:04Z", "4ccd269b"
    ),
    "editquality__eswikiquote.reverted.gradient_boosting.model": Facts(
        "eswikiquote-reverted", "0.4.0", BOTH, 91, BOOSTING, True, "2018-08-06T22:46:29Z", "b73a1f2e"
    ),
    "editquality__fawiki.damaging.gradient_boosting.model": Facts(
        "fawiki-damaging", "0.4.0", BOTH, 91, BOOSTING, True, "2018-08-06T23:30:39Z", "a84ebc5c"
    ),
    "editquality__ruwiki.goodfaith.gradient_boosting.model": Facts(
        "ruwiki-goodfaith", "0.4.0", BOTH, 91, BOOSTING, True, "2018-08-07T10:08:51Z", "1869c9f6"
    ),
    "editquality__svwiki.damaging.gradient_boosting.model": Facts(
        "svwiki-damaging", "0.4.1", BOTH, 91, BOOSTING, True, "2018-08-07T18:17:21Z", "9a4445ce"
    ),
    "editquality__wikidatawiki.goodfaith.gradient_boosting.model": Facts(
        "wikidatawiki-goodfaith", "0.4.0", BOTH, 70, BOOSTING, True, "2018-04-24T18:55:27Z", "ef1c0e21"
    ),
    "ores__azwiki.reverted.RBF_svc.model": Facts(
        "azwiki-reverted", "0.0.0+a0a2a647", BOTH, 20, "support_vectors", True, None, "a0a2a647"
    ),
    "ores__azwiki.reverted.bernoulli_nb.model": Facts(
        "azwiki-reverted", "0.0.0+5b977649", BOTH, 20, "bernoulli_nb", False, None, "5b977649"
    ),
    "ores__azwiki.reverted.gaussian_nb.model": Facts(
        "azwiki-reverted", "0.0.0+0344e124", BOTH, 20, "gaussian_nb", False, None, "0344e124"
    ),
}
# Among the first, some features stand twice in one list.
NAMES = {"arwiki-reverted": 88, "enwiki-damaging": 43, "enwiki-draftquality": 90}


@pytest.fixture(scope="module")
def files(shared: Path) -> Path:
    return shared / "data" / "models" / "revscoring"


@pytest.fixture(scope="module")
def into(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("artefacts")


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha512(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_folder_holds_the_files_that_are_tested(files: Path) -> None:
    assert {path.name for path in files.iterdir() if ".model" in path.name} == set(FACTS)


@pytest.mark.parametrize("file", FACTS)
def test_a_published_model_is_imported_with_the_facts_of_its_file(file: str, files: Path, into: Path) -> None:
    facts = FACTS[file]
    manifest = import_model(files / file, into)
    assert (manifest.name, manifest.model_version) == (facts.name, facts.version)
    assert manifest.labels == facts.labels
    assert manifest.kind is (ScoreKind.BINARY if facts.labels == BOTH else ScoreKind.MULTICLASS)
    assert len(manifest.features) == facts.features
    assert len({spec.name for spec in manifest.features}) == NAMES.get(facts.name, facts.features)
    assert manifest.estimator["kind"] == facts.kind
    assert manifest.estimator["columns"] == facts.features
    assert (manifest.estimator["scaler"] is not None) == facts.scales
    imported = manifest.imported
    assert imported is not None
    assert imported.file == file
    assert imported.sha512.startswith(facts.sha512)
    assert imported.sha512 == hashlib.sha512((files / file).read_bytes()).hexdigest()
    assert imported.compression == ("bz2" if file.endswith(".bz2") else "none")
    assert imported.trained_dt == facts.trained
    assert (manifest.stage, manifest.licence, manifest.training) == ("experimental", "MIT", None)
    opened = open_artefact(into / facts.name / facts.version)
    assert opened.manifest == manifest
    parts = {name.partition(".")[0] for name in opened.arrays()}
    assert parts == ({"estimator", "scaler"} if facts.scales else {"estimator"})


@pytest.mark.parametrize("file", FACTS)
def test_features_are_named_as_they_print_today_and_each_has_its_definition(
    file: str, files: Path, into: Path
) -> None:
    manifest = import_model(files / file, into)
    for spec in manifest.features:
        assert spec.name.startswith("feature.")
        assert "AggregatorsScalar" not in spec.name
        assert spec.returns in {"bool", "int", "float"}
        assert spec.columns == 1
        assert spec.definition is not None
        definition = manifest.definitions[spec.definition]
        # What the installed revscoring defines alike may have another name there.
        assert definition.name == spec.name or definition.kind == KNOWN
    is_of_wikidata = manifest.name.startswith("wikidatawiki")
    assert manifest.content_models == (("wikibase-item",) if is_of_wikidata else ("wikitext",))


def test_a_model_of_2018_tells_its_environment_and_training(files: Path, into: Path) -> None:
    manifest = import_model(files / "editquality__eswiki.damaging.gradient_boosting.model", into)
    assert manifest.environment.packages == {
        "python": "3.5.3",
        "revscoring": "2.2.5",
        "scikit-learn": "0.19.1",
    }
    assert manifest.environment.dictionaries == {"es": "myspell"}
    assert manifest.imported is not None
    assert manifest.imported.parameters["label_weights"] == {"true": 10}
    assert manifest.imported.parameters["n_estimators"] == 300
    assert manifest.imported.environment["platform"] == "Linux-4.9.0-6-amd64-x86_64-with-debian-9.4"
    assert manifest.statistics
    by_name = {spec.name: spec.unknown_user_value for spec in manifest.features}
    assert by_name["feature.revision.user.is_bot"] is False
    since = "feature.log((temporal.revision.user.seconds_since_registration + 1))"
    assert by_name[since] == pytest.approx(17.547, abs=1e-3)
    assert by_name["feature.revision.user.is_anon"] is None
    assert by_name["feature.log((len(<datasource.wikitext.revision.parent.words>) + 1))"] is None


def test_the_vector_machines_before_1_scale_by_mean_and_deviation(files: Path, into: Path) -> None:
    manifest = import_model(files / "ores__azwiki.reverted.RBF_svc.model", into)
    arrays = open_artefact(into / manifest.name / manifest.model_version).arrays()
    assert arrays["scaler.center"][1] == 1.0624425978259482
    assert arrays["scaler.scale"][1] == 0.6935114098709122
    assert arrays["scaler.scale"][0] == 0.01
    assert manifest.imported is not None
    assert manifest.imported.language == "revscoring.languages.azerbaijani"


@pytest.mark.parametrize(
    "file", ["ores__azwiki.reverted.gaussian_nb.model", "editquality__arwiki.reverted.rf.model"]
)
def test_the_same_file_gives_the_same_bytes_in_another_process(
    file: str, files: Path, tmp_path: Path
) -> None:
    script = "import sys; from pathlib import Path; from models.importer import import_model; "
    script += "import_model(Path(sys.argv[1]), Path(sys.argv[2]))"
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", script, str(files / file), str(tmp_path / seed)]
        subprocess.run(command, check=True, env=environment)
    assert contents(tmp_path / "1") == contents(tmp_path / "2")
    assert contents(tmp_path / "1")


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.999])
def test_a_file_that_is_cut_short_leaves_nothing_behind(share: float, files: Path, tmp_path: Path) -> None:
    data = (files / "ores__azwiki.reverted.gaussian_nb.model").read_bytes()
    path = tmp_path / "azwiki.reverted.gaussian_nb.model"
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ModelCorrupt) as caught:
        import_model(path, tmp_path / "into")
    assert caught.value.fields["path"] == str(path)
    assert not (tmp_path / "into").exists()


def test_a_file_that_asks_for_more_than_data_is_refused_by_name(tmp_path: Path) -> None:
    hostile = model(population_rates=Instance(Global("os", "system"), ("true",)))
    with pytest.raises(ModelRefused, match=r"os\.system"):
        import_model(save(tmp_path, hostile), tmp_path / "into")
    assert not (tmp_path / "into").exists()


def test_a_model_made_by_hand_is_imported(tmp_path: Path) -> None:
    manifest = import_model(save(tmp_path, model()), tmp_path / "into")
    assert (manifest.name, manifest.model_name, manifest.model_version) == (
        "enwiki-damaging",
        "damaging",
        "1.2.3",
    )
    assert [(spec.name, spec.returns) for spec in manifest.features] == [
        ("feature.revision.a", "float"),
        ("feature.revision.b", "bool"),
    ]
    assert manifest.imported is not None
    assert manifest.imported.population_rates == {"true": 0.25, "false": 0.75}
    assert manifest.imported.parameters == {"scale": True, "label_weights": {"true": 10}, "cost": None}
    assert manifest.imported.kind == "revscoring.scoring.models.naive_bayes.GaussianNB"


def test_the_caller_may_name_what_the_file_does_not(tmp_path: Path) -> None:
    path = save(tmp_path, model(version=None), "model.bin")
    with pytest.raises(ModelIncompatible, match="give --name"):
        import_model(path, tmp_path / "into")
    manifest = import_model(path, tmp_path / "into", name="xwiki-wp10", owner="me", licence="CC0-1.0")
    assert (manifest.name, manifest.model_name) == ("xwiki-wp10", "articlequality")
    assert manifest.model_version == "0.0.0+" + hashlib.sha512(path.read_bytes()).hexdigest()[:8]
    assert (manifest.owner, manifest.licence) == ("me", "CC0-1.0")
    manifest = import_model(path, tmp_path / "into", name="x", model_name="Item_Quality", version="7")
    assert (manifest.name, manifest.model_name, manifest.model_version) == ("x", "itemquality", "7")


@pytest.mark.parametrize("odd", ["../up", "a/b", "", " ", ".hidden", "x" * 5 + "\n"])
def test_no_name_leads_out_of_the_folder(odd: str, tmp_path: Path) -> None:
    path = save(tmp_path, model(version=odd or "/"))
    with pytest.raises(ModelIncompatible, match="cannot name a model"):
        import_model(path, tmp_path / "into")
    if odd:
        with pytest.raises(ModelIncompatible, match="cannot name a model"):
            import_model(save(tmp_path, model()), tmp_path / "into", name=odd)
    assert not (tmp_path / "into").exists()


def test_another_model_of_the_same_name_and_version_is_not_overwritten(tmp_path: Path) -> None:
    into = tmp_path / "into"
    first = import_model(save(tmp_path, model()), into)
    before = contents(into)
    assert import_model(save(tmp_path, model()), into) == first
    assert contents(into) == before
    with pytest.raises(ModelIncompatible, match="holds another model of that name and version"):
        import_model(save(tmp_path, model(trained=None)), into)
    assert contents(into) == before


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"features": []}, "holds a dict, not a model"),
        (pickled_models.naive_bayes([False, True], 2), "NaiveBayes|GaussianNB without features"),
        (model([]), "without features"),
        (model(estimator=None), "without an estimator"),
        (model(estimator=inert("sklearn.naive_bayes", "GaussianNB", priors=None)), "never trained"),
        (model(estimator=pickled_models.naive_bayes([True], 2)), "tell nothing apart"),
        (
            model(estimator=pickled_models.naive_bayes([False, True], 3)),
            "fill 2 columns, but its estimator reads 3",
        ),
        (model([feature("a", returns="str"), feature("b")]), "gives str and no number"),
        (model(multilabel=True), "one estimator for all its labels"),
        (model(multilabel=True, estimators=[("a", 1)]), "a label and an estimator in each place"),
    ],
)
def test_what_is_no_trained_model_is_refused_in_words(value: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises((ModelIncompatible, ModelCorrupt), match=message):
        import_model(save(tmp_path, value), tmp_path / "into")
    assert not (tmp_path / "into").exists()


def test_labels_are_text_in_the_order_of_the_probabilities(tmp_path: Path) -> None:
    classes = pickled_models.naive_bayes([0, 1, 2], 2)
    manifest = import_model(save(tmp_path, model(estimator=classes, labels=[2, 1, 0])), tmp_path / "into")
    assert (manifest.kind, manifest.labels) == (ScoreKind.MULTICLASS, ("0", "1", "2"))


def test_a_multi_label_model_over_a_vector_keeps_one_estimator_a_label(tmp_path: Path) -> None:
    vectors = datasource("revision.text.vectors", datasource("revision.text"))
    vector = feature(
        "revision.text.vectors_mean",
        vectors,
        kind="AggregatorsVector",
        module="revscoring.features.meta.aggregators",
        func=Global("builtins", "sum"),
    )
    value = model(
        [feature("revision.a"), vector],
        multilabel=True,
        labels=["Culture.Arts", "STEM.Physics"],
        estimators=[
            ("Culture.Arts", pickled_models.logistic(51, 0.1)),
            ("STEM.Physics", pickled_models.logistic(51, -0.2)),
        ],
    )
    manifest = import_model(save(tmp_path, value, "enwiki.drafttopic.logistic.model"), tmp_path / "into")
    assert (manifest.kind, manifest.labels) == (ScoreKind.MULTILABEL, ("Culture.Arts", "STEM.Physics"))
    assert manifest.estimator["kind"] == "one_vs_rest"
    assert [(spec.name, spec.columns) for spec in manifest.features] == [
        ("feature.revision.a", 1),
        ("feature_vector.revision.text.vectors_mean", 50),
    ]
    assert manifest.estimator["columns"] == 51


def test_two_vectors_of_unknown_length_are_not_guessed_at(tmp_path: Path) -> None:
    both = [
        feature(name, kind="AggregatorsVector", module="revscoring.features.meta.aggregators")
        for name in "ab"
    ]
    with pytest.raises(ModelIncompatible, match="2 vectors of unknown length"):
        import_model(
            save(tmp_path, model(both, estimator=pickled_models.naive_bayes([False, True], 9))),
            tmp_path / "into",
        )


def test_a_vector_of_keys_is_as_long_as_they_are(tmp_path: Path) -> None:
    module = "revscoring.features.meta.vectorizers"
    both = [feature(name, kind="vectorize", module=module, keys=list(name * 3)) for name in "ab"]
    value = model(both, estimator=pickled_models.naive_bayes([False, True], 6))
    manifest = import_model(save(tmp_path, value), tmp_path / "into")
    assert [spec.columns for spec in manifest.features] == [3, 3]


def stop_words(include: Any) -> Instance:
    words = datasource("wikitext.revision.words", datasource("revision.text"))
    kept = inert(
        "revscoring.datasources.meta.filters",
        "filter",
        name="english.stopwords.revision.stopwords",
        dependencies=[words],
        include=include,
        inverse=False,
    )
    count = feature(
        "english.stopwords.revision.stopwords",
        kept,
        kind="AggregatorsScalar",
        module="revscoring.features.meta.aggregators",
        func=Global("builtins", "len"),
    )
    return model([count, feature("revision.b")])


def test_stop_words_that_the_file_holds_are_part_of_the_definition(tmp_path: Path) -> None:
    value = stop_words(inert(pickled_models.STOPWORDS, "WordIsInStopwordSet", stopword_set={"the", "of"}))
    manifest = import_model(save(tmp_path, value), tmp_path / "into")
    assert manifest.word_lists == {}
    first = manifest.features[0]
    assert first.definition is not None
    printed = str(manifest.definitions)
    assert "'the'" in printed
    assert "'of'" in printed


def test_stop_words_that_the_file_lacks_are_asked_for_by_the_name_of_the_option(
    tmp_path: Path, shared: Path
) -> None:
    path = save(tmp_path, stop_words(Global("builtins", "len")))
    with pytest.raises(ResourceMissing, match=r"english\.stopwords.*--stopwords"):
        import_model(path, tmp_path / "into")
    assert not (tmp_path / "into").exists()
    corpus = shared / "data" / "nltk" / "stopwords.zip"
    manifest = import_model(path, tmp_path / "into", nltk_stopwords=corpus)
    assert manifest.word_lists["english.stopwords"].source == "stopwords.zip"
    assert [spec.definition is None for spec in manifest.features] == [True, False]
    opened = open_artefact(tmp_path / "into" / manifest.name / manifest.model_version)
    assert {"the", "of", "yourselves"} <= opened.words("english.stopwords")


def test_wikibase_features_read_items(tmp_path: Path) -> None:
    item = datasource("wikibase.revision.entity", datasource("revision.text"))
    value = model([feature("wikibase.revision.x", item), feature("revision.b")])
    manifest = import_model(save(tmp_path, value), tmp_path / "into")
    assert manifest.content_models == ("wikibase-item",)


def test_a_column_that_varies_little_is_not_blown_up(tmp_path: Path) -> None:
    value = model(feature_stats=((1.0, 0.001), (2.0, 4.0)))
    manifest = import_model(save(tmp_path, value), tmp_path / "into")
    arrays = open_artefact(tmp_path / "into" / manifest.name / manifest.model_version).arrays()
    assert arrays["scaler.center"].tolist() == [1.0, 2.0]
    assert arrays["scaler.scale"].tolist() == [0.01, 4.0]


@pytest.mark.parametrize("stats", [[(1.0,)], [("a", "b")], 3, [1, 2]])
def test_means_and_deviations_that_cannot_be_read_are_refused(stats: Any, tmp_path: Path) -> None:
    with pytest.raises((ModelIncompatible, ModelCorrupt)):
        import_model(save(tmp_path, model(feature_stats=stats)), tmp_path / "into")
    assert not (tmp_path / "into").exists()


@pytest.mark.parametrize("key", ["classifier_model", "svc"])
def test_the_estimator_is_found_under_the_names_of_the_first_releases(key: str, tmp_path: Path) -> None:
    state = {
        "features": (feature("a"), feature("b")),
        "language": inert("revscoring.languages.language", "Language", name="revscoring.languages.english"),
        key: pickled_models.naive_bayes([False, True], 2),
    }
    manifest = import_model(
        save(tmp_path, inert("revscoring.scorers.nb", "GaussianNBModel", **state)), tmp_path
    )
    assert manifest.labels == BOTH
    assert manifest.imported is not None
    assert manifest.imported.language == "revscoring.languages.english"
    assert (manifest.imported.stated_version, manifest.imported.trained_dt) == (None, None)


def test_what_a_file_says_of_its_training_is_kept_as_plain_json(tmp_path: Path) -> None:
    odd = {
        "numbers": np.array([1.0, np.inf]),
        "class": Global("sklearn.naive_bayes", "GaussianNB"),
        "set": {2, 1},
        True: (1, b"x"),
    }
    manifest = import_model(save(tmp_path, model(params=odd)), tmp_path)
    assert isinstance(manifest, Manifest)
    assert manifest.imported is not None
    assert manifest.imported.parameters == {
        "numbers": [1.0, None],
        "class": "sklearn.naive_bayes.GaussianNB",
        "set": [1, 2],
        "true": [1, "x"],
    }


@pytest.mark.parametrize("seconds", [1e300, float("inf"), float("nan"), -5, "long ago"])
def test_a_time_of_training_that_is_none_is_left_out_or_refused(seconds: Any, tmp_path: Path) -> None:
    path = save(tmp_path, model(trained=seconds))
    if seconds in {1e300, float("inf")}:
        with pytest.raises(ModelCorrupt, match="after 1970"):
            import_model(path, tmp_path / "into")
    else:
        manifest = import_model(path, tmp_path / "into")
        assert manifest.imported is not None
        assert manifest.imported.trained_dt is None


@pytest.mark.parametrize(
    "place", ["params", "version", "labels", "population_rates", "feature_stats", "info", "features"]
)
def test_a_list_that_holds_itself_a_billion_times_is_answered_at_once(place: str, tmp_path: Path) -> None:
    bomb: list[Any] = [1]
    for _ in range(30):
        bomb = [bomb] * 10
    within: dict[str, Any] = {
        "params": {"a": Whole(bomb)},
        "population_rates": {"a": Whole(bomb)},
        "info": {"environment": {"a": Whole(bomb)}, "statistics": {"counts": Whole(bomb)}},
        "features": (feature("a", kind="sets_intersect", items=Whole(bomb)), feature("b")),
    }
    value = model()
    value.state[place] = within.get(place, Whole(bomb))
    path = save(tmp_path, value)
    script = "import resource, sys; from pathlib import Path; from models.importer import import_model\n"
    script += "from schemas.errors import RevstreamError\n"
    script += "resource.setrlimit(resource.RLIMIT_CPU, (10, 10))\n"
    script += "resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))\n"
    script += "try: import_model(Path(sys.argv[1]), Path(sys.argv[1]).parent)\n"
    script += "except RevstreamError as error: print(error.code)\n"
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() in {"", "model_corrupt", "model_incompatible"}
