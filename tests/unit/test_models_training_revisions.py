"""Training on labelled revisions, with features out of the bundled sample's dump."""

import gzip
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from agents.mediawiki import MediaWikiSettings, MediaWikiSource
from batch.label_events import event_labels
from batch.local_source import DumpRevisionSource
from batch.sample_wiki import BUNDLED
from models.columns import Column
from models.recipes import Recipe
from models.reverts import RevertRules
from models.scoring import FeatureCache
from models.store import PACKAGED_MODELS, ModelStore
from models.training import (
    LabelledSource,
    Prepared,
    evaluate,
    evaluate_revisions,
    prepare_revisions,
    prepare_table,
    train,
)
from schemas.errors import ContentUnavailable, ModelIncompatible, SourceError
from schemas.revision import Revision, RevisionRequest
from tests.mediawiki_api import USER_AGENT, MediaWikiApi, WikiRevision
from tests.training_data import CLASSES

REVERTED: Recipe = replace(
    CLASSES,
    name="samplewiki-reverted",
    model_name="reverted",
    features={
        "chars_added": "feature.wikitext.revision.diff.chars_added",
        "repeated": "feature.wikitext.revision.diff.longest_repeated_char_added",
        "is_anon": "feature.revision.user.is_anon",
        "seconds": "feature.temporal.revision.user.seconds_since_registration",
    },
    label_column="reverted",
    labels=("false", "true"),
    columns=(*(Column("feature", position) for position in range(3)), Column("unless", of=3, by=2)),
    parameters={"n_estimators": 10},
    wiki_id="samplewiki",
)


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some reverted edits of the sample and some that were not, and two ids that are no revisions."""
    path = tmp_path_factory.mktemp("labels") / "labels.tsv"
    found = list(event_labels(BUNDLED.events, RevertRules()))
    undone = [label for label in found if label.is_reverted][:24]
    kept = [label for label in found if not label.is_reverted][:: len(found) // 36]
    rows = [f"{label.rev_id}\t{label.is_reverted}" for label in (*undone, *kept)]
    path.write_text("\n".join(["rev_id\treverted", *rows, "8000001\tTrue", "8000002\tFalse"]) + "\n")
    return path


@pytest.fixture
async def source(tmp_path: Path) -> AsyncIterator[DumpRevisionSource]:
    opened = DumpRevisionSource(BUNDLED.dump, cache_dir=tmp_path / "index")
    yield opened
    await opened.close()


async def prepared(labels: Path, source: DumpRevisionSource, features_file: Path | None = None) -> Prepared:
    return await prepare_revisions(REVERTED, LabelledSource(labels, source, "the sample", features_file))


async def test_features_of_labelled_revisions_are_those_that_the_scorer_computes(
    tmp_path: Path, labels: Path, source: DumpRevisionSource
) -> None:
    features_file = tmp_path / "features.tsv"
    found = await prepared(labels, source, features_file)
    assert found.table.features.shape[1] == 4
    assert "2 revision_not_found" in found.note
    manifest = train(REVERTED, found, tmp_path)
    assert manifest.training is not None
    assert manifest.training.rows == len(found.table.actual)
    assert manifest.training.description.endswith(found.note)
    scorer = ModelStore([tmp_path]).load("samplewiki-reverted")
    for line in features_file.read_text().splitlines()[1::12]:
        _, rev_id, *values, _ = line.split("\t")
        revision = await source.get(RevisionRequest("samplewiki", int(rev_id)))
        computed = scorer.feature_values(revision, FeatureCache())  # type: ignore[attr-defined] # of this kind
        assert [str(value) for value in computed.values()] == values


async def test_the_table_of_extracted_features_trains_the_same_model(
    tmp_path: Path, labels: Path, source: DumpRevisionSource
) -> None:
    features_file = tmp_path / "features.tsv"
    first = train(REVERTED, await prepared(labels, source, features_file), tmp_path / "first")
    again = train(REVERTED, prepare_table(REVERTED, features_file), tmp_path / "again")
    assert first.files == again.files
    assert first.statistics == again.statistics
    assert first.features == again.features


async def test_a_model_is_tested_on_revisions_as_on_their_features(
    tmp_path: Path, labels: Path, source: DumpRevisionSource
) -> None:
    features_file = tmp_path / "features.tsv"
    train(REVERTED, await prepared(labels, source, features_file), tmp_path)
    store = ModelStore([tmp_path])
    of_revisions = await evaluate_revisions(
        store, "samplewiki-reverted", labels, source, wiki_id="samplewiki"
    )
    of_features = evaluate(store, "samplewiki-reverted", features_file)
    assert of_revisions.statistics == of_features.statistics
    assert of_revisions.left_out["revision_not_found"] == 2
    assert of_revisions.statistics["roc_auc"]["labels"]["true"] > 0.8


async def test_a_model_that_reads_no_features_is_tested_on_revisions(
    labels: Path, source: DumpRevisionSource
) -> None:
    evaluation = await evaluate_revisions(
        ModelStore([PACKAGED_MODELS]),
        "testwiki-revid",
        labels,
        source,
        label_column="reverted",
        wiki_id="samplewiki",
    )
    assert evaluation.statistics["counts"]["n"] > 50


async def test_wikilabels_of_another_wiki_leave_nothing_and_say_so(
    tmp_path: Path, source: DumpRevisionSource
) -> None:
    path = tmp_path / "wikilabels.jsonl"
    path.write_text("\n".join(json.dumps({"rev_id": n, "reverted": n % 2 == 0}) for n in range(1, 9)))
    recipe = replace(REVERTED, wiki_id="ruwiki")
    with pytest.raises(SourceError, match=r"none of the revisions .* \(8 revision_not_found\)"):
        await prepare_revisions(recipe, LabelledSource(path, source, "the sample"))


async def test_accounts_that_a_dump_does_not_know_take_the_median_of_those_known(
    tmp_path: Path, labels: Path
) -> None:
    users = tmp_path / "users.jsonl"
    dump = shutil.copy(BUNDLED.dump, tmp_path / "bare.xml.bz2")
    known = BUNDLED.users
    source = DumpRevisionSource(Path(dump), cache_dir=tmp_path / "index", users_path=users)
    rows = gzip.decompress(known.read_bytes()).splitlines()
    users.write_bytes(b"\n".join(rows[::2]) + b"\n")
    try:
        found = await prepared(labels, source)
    finally:
        await source.close()
    seconds = found.specs[3].unknown_user_value
    assert isinstance(seconds, int)
    assert seconds > 0
    of_unknown = found.table.features[found.table.features[:, 3] == seconds]
    assert len(of_unknown) > 2
    assert not np.isnan(found.table.features).any()


async def test_a_dump_that_knows_no_account_cannot_train_features_that_read_them(
    tmp_path: Path, labels: Path
) -> None:
    users = tmp_path / "users.jsonl"
    users.write_text("")
    source = DumpRevisionSource(BUNDLED.dump, cache_dir=tmp_path / "index", users_path=users)
    try:
        with pytest.raises(SourceError, match=r"knows no account.*seconds_since_registration.*users file"):
            await prepared(labels, source)
    finally:
        await source.close()


async def test_revisions_of_a_wiki_are_asked_for_together(tmp_path: Path) -> None:
    texts = {number: "An oak is a tree. " * (1 + number % 2 * 5) for number in range(1, 41)}
    wiki = MediaWikiApi([WikiRevision(number, text, page_id=number) for number, text in texts.items()])
    path = tmp_path / "wikilabels.jsonl"
    path.write_text("\n".join(json.dumps({"rev_id": n, "reverted": n % 2 == 1}) for n in range(1, 42)))
    async with wiki.serving() as api:
        domains = {"enwiki": "en.example.org"}
        settings = MediaWikiSettings(user_agent=USER_AGENT, url_template=api.url, domains=domains)
        source = MediaWikiSource(settings)
        try:
            recipe = replace(REVERTED, wiki_id="enwiki")
            found = await prepare_revisions(recipe, LabelledSource(path, source, "the wiki's API"))
        finally:
            await source.close()
    assert len(found.table.actual) == 40
    assert "1 revision_not_found" in found.note
    assert len(wiki.requests) < 10
    chars_added = found.table.features[:, 0]
    assert set(chars_added[found.table.actual == 1]) == {len(texts[1])}


class _Silent:
    """A wiki that does not answer."""

    async def get(self, request: RevisionRequest) -> Revision:
        raise ContentUnavailable(f"no answer about {request.rev_id}")


async def test_a_source_that_does_not_answer_ends_the_work(labels: Path) -> None:
    with pytest.raises(ContentUnavailable):
        await prepare_revisions(REVERTED, LabelledSource(labels, _Silent(), "a wiki"))


async def test_features_of_several_values_are_refused_before_any_text_is_read(labels: Path) -> None:
    name = "feature_vector.revision.wikibase.property_vector"
    with pytest.raises(ModelIncompatible):
        await prepare_revisions(
            replace(REVERTED, features={"v": name}), LabelledSource(labels, _Silent(), "a wiki")
        )
