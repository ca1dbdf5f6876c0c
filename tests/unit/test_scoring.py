"""From a revision id to its scores."""

import asyncio
import functools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from agents.scoring import RevisionScoring
from models.conformance import reversed_last_two
from models.pool import PoolLimits, ScoringPool
from models.priority import Priority
from models.store import PACKAGED_MODELS, ModelStore
from models.work import load_work
from schemas.catalogue import ModelInfo
from schemas.errors import ContentUnavailable, RevisionNotFound, SourceError
from schemas.prediction import Injected, Score, ScoredModel, ScoreFailure
from schemas.revision import Revision, RevisionRequest
from tests.artefacts import write_artefact
from tests.model_revisions import EDITOR
from tests.pool_work import lengths, running
from tests.revisions import ScriptedContent

READER = "enwiki-length"
REQUEST = RevisionRequest("mosswiki", 1205, 1204, "moss.example.org")
LIMIT_BYTES = 60


class Scoring:
    """A scoring over a real pool, the content it reads, and the models it may be asked for."""

    def __init__(self, folder: Path, pool: ScoringPool) -> None:
        write_artefact(folder, "tiny-revid")
        inline = ModelStore([folder]).load("tiny-revid")
        self.content = ScriptedContent()
        self.scoring = RevisionScoring(self.content, pool, {"tiny-revid": inline}, max_text_bytes=LIMIT_BYTES)
        reader = replace(inline.info, artefact=READER, reads_content=True)
        self.models: dict[str, ModelInfo] = {
            name: replace(info, id=replace(info.id, model_name=name))
            for name, info in (("length", reader), ("revid", inline.info), ("other", reader))
        }

    async def score(
        self, *names: str, with_features: bool = False, injected: Injected | None = None
    ) -> list[ScoredModel]:
        models: Mapping[str, ModelInfo] = {name: self.models[name] for name in names}
        return await self.scoring.score(
            REQUEST, models, priority=Priority.STREAM, with_features=with_features, injected=injected
        )


class SignedContent(ScriptedContent):
    """Content that tells who edited."""

    async def get(self, request: RevisionRequest) -> Revision:
        return replace(await super().get(request), user=EDITOR)


class OrphanedContent(ScriptedContent):
    """Content without parents."""

    def __init__(self, why: ScoreFailure) -> None:
        super().__init__()
        self._why = why

    async def get(self, request: RevisionRequest) -> Revision:
        assert request.may_lack_parent
        return replace(await super().get(request), parent_text=None, parent_failure=self._why)


class LongParentContent(ScriptedContent):
    """Content with parents over the limit."""

    async def get(self, request: RevisionRequest) -> Revision:
        return replace(await super().get(request), parent_text="x" * (LIMIT_BYTES + 1))


@asynccontextmanager
async def scoring(folder: Path) -> AsyncIterator[Scoring]:
    async with running(lengths) as pool:
        yield Scoring(folder, pool)


def probability(one: ScoredModel) -> float:
    assert isinstance(one.outcome, Score)
    return one.outcome.probability["true"]


async def test_models_answer_in_the_order_asked_under_the_names_of_the_wiki(tmp_path: Path) -> None:
    async with scoring(tmp_path) as given:
        given.content.texts[1205] = "seven."
        length, revid = await given.score("length", "revid")
        assert [length.model.model_name, revid.model.model_name] == ["length", "revid"]
        assert probability(length) == 6
        assert probability(revid) == reversed_last_two(1205) / 100
        revid, length = await given.score("revid", "length")
        assert [revid.model.model_name, length.model.model_name] == ["revid", "length"]
        assert probability(length) == 6


async def test_one_artefact_under_two_names_answers_under_both(tmp_path: Path) -> None:
    async with scoring(tmp_path) as given:
        scored = await given.score("length", "other")
        assert [one.model.model_name for one in scored] == ["length", "other"]


async def test_the_text_is_fetched_once_for_all_models_and_as_the_event_names_it(tmp_path: Path) -> None:
    async with scoring(tmp_path) as given:
        await given.score("length", "revid", "other")
        assert given.content.asked == [replace(REQUEST, may_lack_parent=True)]


async def test_what_a_parent_lacks_fails_only_the_models_that_read_more_than_the_text(tmp_path: Path) -> None:
    why = ScoreFailure("parent_not_found", "The parent is hidden.")
    async with running(lengths) as pool:
        given = Scoring(tmp_path, pool)
        content = OrphanedContent(why)
        content.texts[1205] = "seven."
        orphaned = RevisionScoring(content, pool, {}, max_text_bytes=LIMIT_BYTES)
        reads_more = given.models["other"]
        models = {"length": replace(given.models["length"], reads_text_alone=True), "other": reads_more}
        length, other = await orphaned.score(REQUEST, models, priority=Priority.STREAM)
        assert probability(length) == 6
        assert other == ScoredModel(reads_more.id, why)
        fetched = await orphaned.fetch(REQUEST)
        assert isinstance(fetched, Revision)
        [alone] = await orphaned.score_fetched(fetched, [reads_more], priority=Priority.STREAM)
        assert alone == other


async def test_a_parent_that_is_too_large_is_as_one_that_is_not_there(tmp_path: Path) -> None:
    async with running(lengths) as pool:
        given = Scoring(tmp_path, pool)
        content = LongParentContent()
        content.texts[1205] = "seven."
        scoring = RevisionScoring(content, pool, {}, max_text_bytes=LIMIT_BYTES)
        models = {
            "length": replace(given.models["length"], reads_text_alone=True),
            "other": given.models["other"],
        }
        length, other = await scoring.score(REQUEST, models, priority=Priority.STREAM)
        assert probability(length) == 6
        assert isinstance(other.outcome, ScoreFailure)
        assert other.outcome.code == "content_too_large"


async def test_a_model_that_reads_no_text_fetches_none(tmp_path: Path) -> None:
    async with scoring(tmp_path) as given:
        given.content.failures[1205] = [RevisionNotFound("gone")]
        (revid,) = await given.score("revid")
        assert probability(revid) == reversed_last_two(1205) / 100
        assert given.content.asked == []


async def test_a_revision_that_is_gone_fails_only_the_models_that_read_it(tmp_path: Path) -> None:
    async with scoring(tmp_path) as given:
        given.content.failures[1205] = [RevisionNotFound("The wiki has no revision 1205.")]
        length, revid, other = await given.score("length", "revid", "other")
        failure = ScoreFailure("revision_not_found", "The wiki has no revision 1205.")
        assert length.outcome == other.outcome == failure
        assert [length.model.model_name, other.model.model_name] == ["length", "other"]
        assert isinstance(revid.outcome, Score)


async def test_a_wiki_that_does_not_answer_is_raised_for_the_caller_to_try_again(tmp_path: Path) -> None:
    async with scoring(tmp_path) as given:
        given.content.failures[1205] = [ContentUnavailable("no answer")]
        with pytest.raises(ContentUnavailable):
            await given.score("length")
        assert probability((await given.score("length"))[0]) > 0


async def test_a_source_that_is_broken_is_no_failure_of_the_revision(tmp_path: Path) -> None:
    async with scoring(tmp_path) as given:
        given.content.failures[1205] = [SourceError("the dump is damaged")]
        with pytest.raises(SourceError):
            await given.score("length")


@pytest.mark.parametrize(
    ("text", "parent_text", "is_too_large"),
    [
        ("a" * LIMIT_BYTES, None, False),
        ("a" * (LIMIT_BYTES + 1), None, True),
        ("é" * (LIMIT_BYTES // 2), None, False),
        ("é" * (LIMIT_BYTES // 2 + 1), None, True),
        ("\U0001f33f" * (LIMIT_BYTES // 4 + 1), None, True),
        ("a", "a" * (LIMIT_BYTES + 1), True),
        ("a", "é" * (LIMIT_BYTES // 2), False),
    ],
    ids=["full", "over", "full_of_two", "over_of_two", "over_of_four", "parent_over", "parent_full"],
)
async def test_the_limit_is_in_bytes_and_holds_for_the_parent_too(
    text: str, parent_text: str | None, is_too_large: bool, tmp_path: Path
) -> None:
    async with scoring(tmp_path) as given:
        given.content.texts[1205] = text
        given.content.parent_text = parent_text
        (one,) = await given.score("length")
        if is_too_large:
            assert isinstance(one.outcome, ScoreFailure)
            assert one.outcome.code == "content_too_large"
            assert f"the limit is {LIMIT_BYTES}" in one.outcome.message
        else:
            assert isinstance(one.outcome, Score)


async def test_features_come_where_asked_for_every_kind_of_model(tmp_path: Path) -> None:
    async with scoring(tmp_path) as given:
        assert all(one.features is None for one in await given.score("length", "revid"))
        assert all(one.features for one in await given.score("length", "revid", with_features=True))


async def test_a_pool_that_stands_still_does_not_keep_inline_models_from_answering(tmp_path: Path) -> None:
    unstarted = ScoringPool(
        functools.partial(load_work, (), ()), processes=1, limits=PoolLimits(cpu_seconds=1, wall_seconds=1)
    )
    given = Scoring(tmp_path, unstarted)
    assert isinstance((await given.score("revid"))[0].outcome, Score)


async def test_what_is_injected_reaches_models_in_the_loop_and_in_the_pool(tmp_path: Path) -> None:
    write_artefact(tmp_path, "tiny-revid")
    store = ModelStore([tmp_path, PACKAGED_MODELS])
    reverted, inline = store.info("enwiki-reverted"), store.load("tiny-revid")
    injected = {"datasource.revision.text": "Oaks.", "feature.revision.reversed_last_two_in_rev_id": 7}
    async with running(functools.partial(load_work, (PACKAGED_MODELS,), ("enwiki-reverted",))) as pool:
        content = SignedContent()
        scoring = RevisionScoring(content, pool, {"tiny-revid": inline}, max_text_bytes=LIMIT_BYTES)
        models = {"reverted": reverted, "revid": inline.info}
        other = await scoring.score(REQUEST, models, priority=Priority.ON_DEMAND, injected=injected)
        usual = await scoring.score(REQUEST, models, priority=Priority.ON_DEMAND)
        content.texts[1205] = "Oaks."
        meant = await scoring.score(REQUEST, models, priority=Priority.ON_DEMAND)
    assert probability(other[1]) == 0.07
    assert probability(usual[1]) == 0.5
    assert probability(other[0]) == probability(meant[0]) != probability(usual[0])


async def test_a_delay_holds_nobody_else_up(tmp_path: Path) -> None:
    async with scoring(tmp_path) as given:
        slow = asyncio.create_task(given.score("revid", injected={"feature.delay": 0.3}))
        for _ in range(3):
            await given.score("revid", injected={"feature.delay": 0.01})
            await given.score("length")
        assert not slow.done()
        assert isinstance((await slow)[0].outcome, Score)


async def test_a_delay_that_is_too_long_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.scoring.WAIT_SECONDS", 0.05)
    async with scoring(tmp_path) as given:
        revid, length = await given.score("revid", "length", injected={"feature.delay": 1e300})
        assert isinstance(revid.outcome, ScoreFailure)
        assert revid.outcome.code == "cpu_limit_exceeded"
        assert isinstance(length.outcome, Score)
