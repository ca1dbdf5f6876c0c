"""Our own revert-risk model, and Lift Wing's contract that it is served by."""

import gzip
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.api.liftwing_langid import LANGUAGE_NAMES, langid_answer, parse_langid
from app.api.liftwing_language import wiki_of
from app.api.liftwing_revertrisk import (
    UNSAVED,
    RevertRiskRequest,
    RevisionAsked,
    parse_revertrisk,
    revertrisk_answers,
)
from models.artefact import Artefact, open_artefact
from models.kinds.edit_features import FEATURES
from models.kinds.tabular import TabularScorer, load
from models.revertrisk_table import read_edits
from models.revertrisk_training import MODEL_NAME, NAME, train_revertrisk
from models.scoring import FeatureCache, score_revision
from models.store import PACKAGED_MODELS
from schemas.errors import RequestInvalid, SourceError
from schemas.prediction import ModelId, Score, ScoredModel, ScoreFailure, ScoreKind
from tests.model_revisions import edit, old_dump_edits

SAMPLE = "data/labelled/revertrisk/KI_multilingual_data_sample.csv.gz"
FOLDER = PACKAGED_MODELS / NAME / "0.1.0"
MODEL = ModelId(MODEL_NAME, "0.1.0", "ab" * 64)
EVENT = {
    "$schema": "/mediawiki/page/change/1.12.0",
    "wiki_id": "be_x_oldwiki",
    "meta": {"domain": "be-tarask.wikipedia.org"},
    "revision": {"rev_id": 99},
}
OLD_EVENT = {
    "$schema": "/mediawiki/revision/create/2.0.0",
    "database": "dewiki",
    "meta": {"domain": "de.wikipedia.org"},
    "rev_id": 98,
}
UNSAVED_EDIT: dict[str, Any] = {
    "id": -1,
    "lang": "en",
    "text": "Oaks are STUPID",
    "timestamp": "2026-11-21T10:00:00Z",
    "bytes": 15,
    "comment": "",
    "page": {"id": 7, "title": "Oak", "first_edit_timestamp": "2001-01-15T00:00:00Z"},
    "parent": {
        "id": 5,
        "lang": "en",
        "text": "Oaks are trees",
        "timestamp": "2026-11-20T00:00:00Z",
        "bytes": 14,
    },
    "user": {"id": 0},
}


@pytest.fixture(scope="module")
def artefact() -> Artefact:
    return open_artefact(FOLDER)


@pytest.fixture(scope="module")
def scorer(artefact: Artefact) -> TabularScorer:
    return load(artefact)


@pytest.fixture(scope="module")
def trained(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Artefact:
    models = tmp_path_factory.mktemp("models")
    train_revertrisk(shared / SAMPLE, models)
    return open_artefact(models / NAME / "0.1.0")


def test_the_sample_is_read_as_its_makers_describe_it(shared: Path) -> None:
    table = read_edits(shared / SAMPLE)
    assert table.features.shape == (1_000, len(FEATURES))
    assert (int(table.is_reverted.sum()), table.wikis) == (77, 46)
    assert len(set(table.editors.tolist())) == 927
    assert np.isfinite(table.features).all()
    anonymous = table.features[:, list(FEATURES).index("edit.user.is_anonymous")]
    assert anonymous.sum() == 214


def test_words_counted_from_the_pieces_agree_with_those_that_the_makers_counted(shared: Path) -> None:
    import ast
    import csv
    import io

    rows = csv.DictReader(io.StringIO(gzip.decompress((shared / SAMPLE).read_bytes()).decode()))
    # Their words are of scripts with blanks; theirs also count what a change of one word keeps.
    pairs = []
    names = list(FEATURES)
    table = read_edits(shared / SAMPLE)
    for row, features in zip(rows, table.features, strict=True):
        if row["wiki_db"] not in {"jawiki", "zhwiki", "thwiki", "kowiki"} and ast.literal_eval(
            row["texts_change"]
        ):
            theirs = int(row["insert_Word"]) + int(row["change_Word"])
            pairs.append((theirs, features[names.index("edit.words_added")]))
    found = np.log1p(np.array(pairs))
    assert len(found) > 250
    assert np.corrcoef(found.T)[0, 1] > 0.9


def test_training_again_gives_the_packaged_model(artefact: Artefact, trained: Artefact) -> None:
    assert trained.manifest.training == artefact.manifest.training
    assert trained.manifest.features == artefact.manifest.features
    ours, theirs = trained.arrays(), artefact.arrays()
    assert set(ours) == set(theirs)
    for name, array in ours.items():
        assert array == pytest.approx(theirs[name], rel=1e-6, abs=1e-9), name
    again, packaged = (one.manifest.statistics["cross_validation"] for one in (trained, artefact))
    assert again["roc_auc"]["mean"] == pytest.approx(packaged["roc_auc"]["mean"], abs=1e-4)


def test_the_card_states_how_little_the_data_are_and_what_the_tests_found(artefact: Artefact) -> None:
    manifest = artefact.manifest
    tests = manifest.statistics["cross_validation"]
    assert 0.7 < tests["roc_auc"]["mean"] < 0.85
    assert tests["roc_auc"]["std"] > 0.02
    assert tests["average_precision"]["mean"] > tests["average_precision_of_editor_alone"]["mean"]
    for figure in (tests["roc_auc"]["mean"], tests["roc_auc"]["std"], tests["average_precision"]["mean"]):
        assert f"{figure:.2f}" in manifest.card["Tests"]
    assert "77 reverted edits of 1000" in manifest.card["Limits"]
    assert "not that model" in manifest.card["What"]
    assert manifest.stage == "experimental"


def test_the_artefact_is_small_and_needs_no_package(artefact: Artefact) -> None:
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 300_000
    assert artefact.manifest.package_files == ()
    assert artefact.manifest.estimator["kind"] == "linear"


def test_shouting_without_an_account_is_riskier_than_a_referenced_addition(scorer: TabularScorer) -> None:
    from schemas.revision import RevisionUser

    vandal = edit(text="An oak is a tree. OAKS ARE STUPID HAHAHAHAHAHA", user=RevisionUser(None, "192.0.2.1"))
    patroller = edit(
        text="An oak is a tree. They grow in [[forest]]s of the north.<ref>Flora</ref>",
        user=RevisionUser(7, "Ann", ("autopatrolled",)),
        comment="/* Habitat */ source",
    )
    risks = [scorer.score(one, FeatureCache())[0].probability["true"] for one in (vandal, patroller)]
    assert risks[0] > 3 * risks[1]


def test_real_edits_of_a_dump_are_scored_quickly(shared: Path, scorer: TabularScorer) -> None:
    edits = list(old_dump_edits(shared / "data/dumps/wikitrust_wiki_00023.xml"))
    began = time.process_time()
    answers = [score_revision([scorer], one)[0].outcome for one in edits]
    seconds = time.process_time() - began
    assert [isinstance(answer, Score) for answer in answers] == [False] + [True] * (len(edits) - 1)
    # Some 10 ms each; this leaves room for a slow machine.
    assert seconds / len(edits) < 0.2


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"no gzip", "gz"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0), "row 2"),
    ],
)
def test_a_table_that_is_not_the_sample_is_refused(content: bytes, told: str, tmp_path: Path) -> None:
    path = tmp_path / "sample.csv.gz"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=told):
        read_edits(path)


@pytest.mark.parametrize(
    ("lang", "wiki_id"),
    [
        ("en", "enwiki"),
        ("be-x-old", "be_x_oldwiki"),
        ("be_x_old", "be_x_oldwiki"),
        ("be-tarask", "be_x_oldwiki"),
        ("yue", "zh_yuewiki"),
        ("simple", "simplewiki"),
        ("test", "testwiki"),
    ],
)
def test_a_language_means_a_wiki(lang: str, wiki_id: str) -> None:
    assert wiki_of(lang) == wiki_id


@pytest.mark.parametrize(
    ("body", "request_"),
    [
        ({"rev_id": 5, "lang": "de"}, RevertRiskRequest((RevisionAsked("dewiki", 5, "de"),))),
        (
            {"instances": [{"rev_id": 5, "lang": "de"}, {"rev_id": 6, "lang": "de"}]},
            RevertRiskRequest(
                (RevisionAsked("dewiki", 5, "de"), RevisionAsked("dewiki", 6, "de")), is_batch=True
            ),
        ),
        ({"event": EVENT}, RevertRiskRequest((RevisionAsked("be_x_oldwiki", 99, "be_x_old"),))),
        ({"event": OLD_EVENT}, RevertRiskRequest((RevisionAsked("dewiki", 98, "de"),))),
    ],
)
def test_a_request_is_read(body: dict[str, Any], request_: RevertRiskRequest) -> None:
    assert parse_revertrisk(body, allows_batch=True) == request_


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"rev_id": 5}, "The parameter lang is required."),
        ({"lang": "en"}, "The parameter rev_id is required."),
        ({"lang": "en", "rev_id": 0}, "The parameter rev_id is required."),
        ({"lang": "en", "rev_id": "5"}, 'Expected "rev_id" to be a int.'),
        ({"lang": "en", "rev_id": True}, 'Expected "rev_id" to be a int.'),
        ({"lang": "en", "rev_id": 1 << 63}, 'Expected "rev_id" to be a int.'),
        ({"lang": "enwiki", "rev_id": 5}, "i.e. use 'en', not 'enwiki'"),
        ({"lang": "../x", "rev_id": 5}, "does not exist in the canonical Wikipedia language list."),
        ({"instances": []}, '"instances"'),
        ({"instances": [3]}, '"instances"'),
        (
            {"instances": [{"rev_id": 1, "lang": "en"}] * 21},
            "Only accept a maximum of 20 rev_ids in the request.",
        ),
        (
            {"instances": [{"rev_id": 1, "lang": "en"}, {"rev_id": 1, "lang": "de"}]},
            "Requesting multiple revisions should have the same language.",
        ),
        ({"event": {**EVENT, "meta": {"domain": "www.wikidata.org"}}}, "outside of Wikipedia"),
        (
            {"event": {**EVENT, "$schema": "/x/1"}},
            "schema /x/1, the lang value cannot be determined.",
        ),
        ({"event": {**EVENT, "wiki_id": "enwiktionary"}}, 'Missing "lang" in input data.'),
        ({"event": {**EVENT, "revision": None}}, 'Missing "rev_id" in input data.'),
        ({"event": []}, '"event"'),
        ({"revision_data": {"lang": "en"}}, "parent.text"),
        ({"revision_data": {**UNSAVED_EDIT, "parent": None}}, "parent"),
        ({"revision_data": {**UNSAVED_EDIT, "lang": "enwiki"}}, "i.e. use 'en', not 'enwiki'"),
    ],
)
def test_a_wrong_request_is_told_what_is_wrong(body: dict[str, Any], told: str) -> None:
    with pytest.raises(RequestInvalid) as caught:
        parse_revertrisk(body, allows_batch=True)
    assert told in caught.value.message


def test_twenty_revisions_pass() -> None:
    body = {"instances": [{"rev_id": number, "lang": "en"} for number in range(1, 21)]}
    assert len(parse_revertrisk(body, allows_batch=True).asked) == 20


def test_an_edit_that_is_not_saved_is_scored_from_what_the_client_sends(scorer: TabularScorer) -> None:
    request = parse_revertrisk({"revision_data": UNSAVED_EDIT}, allows_batch=True)
    unsaved = request.unsaved
    assert unsaved is not None
    assert (unsaved.rev_id, unsaved.wiki_id, unsaved.page_title) == (UNSAVED, "enwiki", "Oak")
    assert unsaved.rev_dt == datetime(2026, 11, 21, 10, tzinfo=UTC)
    [scored] = score_revision([scorer], unsaved, with_features=True)
    assert scored.features is not None
    assert scored.features["edit.user.is_anonymous"] is True
    status, answer = revertrisk_answers(request, [scored], allows_batch=True)
    assert status == 200
    assert (answer["wiki_db"], answer["revision_id"], answer["model_name"]) == ("enwiki", -1, MODEL_NAME)


@pytest.mark.parametrize(
    ("user", "is_known"), [({"id": 7}, False), ({"id": 7, "groups": ["sysop"]}, True), ({"id": None}, True)]
)
def test_groups_of_an_unsaved_edit_are_known_only_where_they_are_sent(
    user: dict[str, Any], is_known: bool
) -> None:
    request = parse_revertrisk({"revision_data": {**UNSAVED_EDIT, "user": user}}, allows_batch=True)
    assert request.unsaved is not None
    assert request.unsaved.user is not None
    assert request.unsaved.user.is_known is is_known


def _scored(true: float) -> ScoredModel:
    chosen = "true" if true >= 0.5 else "false"
    return ScoredModel(MODEL, Score(ScoreKind.BINARY, (chosen,), {"false": 1 - true, "true": true}))


FAILED = ScoredModel(MODEL, ScoreFailure("parent_not_found", "it is the first"))
MISSING = ScoredModel(MODEL, ScoreFailure("revision_not_found", "no such revision"))


def _answer(rev_id: int, true: float) -> dict[str, Any]:
    return {
        "model_name": MODEL_NAME,
        "model_version": "0.1.0",
        "wiki_db": "enwiki",
        "revision_id": rev_id,
        "output": {"prediction": true >= 0.5, "probabilities": {"true": true, "false": 1 - true}},
    }


def _batch(*rev_ids: int) -> RevertRiskRequest:
    return parse_revertrisk(
        {"instances": [{"rev_id": rev_id, "lang": "en"} for rev_id in rev_ids]}, allows_batch=True
    )


def test_one_revision_is_answered_alone() -> None:
    request = parse_revertrisk({"rev_id": 5, "lang": "en"}, allows_batch=True)
    assert revertrisk_answers(request, [_scored(0.75)], allows_batch=True) == (200, _answer(5, 0.75))


def test_a_batch_is_answered_with_what_succeeded_and_why_the_rest_did_not() -> None:
    assert revertrisk_answers(_batch(5, 6), [_scored(0.25), _scored(0.75)], allows_batch=True) == (
        200,
        {"predictions": [_answer(5, 0.25), _answer(6, 0.75)]},
    )
    assert revertrisk_answers(_batch(5, 6), [FAILED, _scored(0.75)], allows_batch=True) == (
        200,
        {
            "predictions": [_answer(6, 0.75)],
            "errors": ["Could not make prediction for revision 5 (en). Reason: parent_revision_missing"],
        },
    )


def test_where_nothing_succeeded_the_status_is_422_and_every_reason_is_told() -> None:
    status, document = revertrisk_answers(_batch(5, 6), [FAILED, MISSING], allows_batch=True)
    assert status == 422
    assert document == {
        "detail": "Could not make prediction for revisions dict_keys([(5, 'en'), (6, 'en')]). "
        "Reason: ['parent_revision_missing', 'revision_missing']"
    }


def test_langid_answers_the_language_with_its_wiki_and_its_name() -> None:
    score = Score(ScoreKind.MULTICLASS, ("yue",), {"yue": 0.75, "other": 0.25})
    assert langid_answer(score) == {
        "language": "yue",
        "wikicode": "zh-yue",
        "languagename": "Cantonese",
        "score": 0.75,
    }
    assert parse_langid({"text": "x"}) == "x"
    for body in ({}, {"text": None}, {"text": 3}):
        with pytest.raises(RequestInvalid):
            parse_langid(body)


def test_every_label_of_the_language_identifier_has_a_name() -> None:
    labels = open_artefact(PACKAGED_MODELS / "langid" / "lid.176").manifest.labels
    assert set(labels) - {"other"} == set(LANGUAGE_NAMES)
    assert all(name[0].isupper() for name in LANGUAGE_NAMES.values())
