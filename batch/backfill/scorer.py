"""What a scoring process of a backfill does: score chunk after chunk, and write the rows of each."""

import os
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import msgspec

from batch.arrow_start import start_without_pandas
from batch.backfill.chunk import Chunk, ChunkDone, ChunkTask
from batch.backfill.place import Place
from batch.backfill.plan import PlannedModel
from batch.backfill.scorer_setup import ScorerSetup
from batch.backfill.subjects import Subject, UserLookup, is_bot, subject_of
from batch.refusals import Refusals
from batch.snapshot_rows import write_chunk
from models.batched import Promise
from models.engine.fallbacks import FALLBACKS
from models.pool_messages import Told, Work
from models.pool_worker import (
    Connection,
    LoadsInChild,
    allow,
    collect_if_much,
    cpu_seconds,
    failed,
    miscount,
)
from models.process_memory import OwnMemory, keep_freed_memory
from models.store import ModelStore
from models.trial import trial_revision
from models.work import ArtefactBatch, ArtefactWork
from schemas.errors import ContentModelUnsupported, FeatureError, RevstreamError, ScoringError
from schemas.prediction import Score, ScoredModel, ScoreFailure, ScoreKind
from schemas.revision import Revision
from schemas.snapshot_row import SnapshotRow


def chunk_work(setup: ScorerSetup) -> "ChunkWork":
    """Do what `batch.backfill.scorer_setup.load_chunk_work` says."""
    keep_freed_memory()
    hashes = {model.artefact: model.id.model_sha512 for model in setup.models}
    _warm_writer(setup)
    return ChunkWork(ArtefactWork(ModelStore(setup.folders), tuple(hashes), hashes), setup)


def _warm_writer(setup: ScorerSetup) -> None:
    """Write a row that nobody reads: what that imports is shared by all processes that are forked."""
    start_without_pandas()
    trial, model = trial_revision("wikitext"), setup.models[0]
    row = SnapshotRow(
        wiki_id=trial.wiki_id,
        page_id=trial.page_id,
        rev_id=trial.rev_id,
        rev_parent_id=trial.rev_parent_id,
        rev_dt=trial.rev_dt,
        namespace_id=trial.namespace_id,
        is_bot=None,
        model=model.id,
        outcome=Score(ScoreKind.BINARY, ("true",), {"false": 0.0, "true": 1.0}),
        features_missing=(),
        features=None,
        scored_dt=setup.scored_dt,
    )
    with tempfile.TemporaryDirectory() as folder:
        write_chunk(Path(folder) / "trial", [row])


class RevisionWork(Work, Protocol):
    """Scores a revision, and says what it had to do without."""

    def missing(self, artefact: str, revision: Revision) -> tuple[str, ...]:
        """Return the features of a model that take a declared default, as nothing is known of the editor."""
        ...


@runtime_checkable
class Batches(Protocol):
    """A work that scores many revisions together, to the last bit as each by itself."""

    def batch(self, *, with_features: bool) -> ArtefactBatch:
        """Return what does so."""
        ...


class ChunkWork:
    """Scores chunks, see ``models.pool_worker.Serves``.

    Args:
        work: Scores a revision.
        setup: As above.
    """

    def __init__(self, work: RevisionWork, setup: ScorerSetup) -> None:
        self._work = work
        self._setup = setup

    def __call__(
        self, revision: Revision, artefacts: tuple[str, ...], with_features: bool, /
    ) -> list[ScoredModel]:
        """Score one revision, see ``models.pool_messages.Work``."""
        return self._work(revision, artefacts, with_features)

    def load_in_child(self) -> None:
        """Load what cannot be shared between processes, see ``models.pool_worker.LoadsInChild``."""
        if isinstance(self._work, LoadsInChild):
            self._work.load_in_child()

    def serve(self, parent: Connection, cpu_limit_seconds: float) -> None:
        """Score the chunks that come, and tell of each what came of it."""
        tasks = msgspec.msgpack.Decoder(ChunkTask)
        chunks = msgspec.msgpack.Decoder(Chunk)
        memory = OwnMemory()
        place = Place(self._setup.places, os.getpid())
        users = self._setup.open_users()
        while True:
            message = parent.receive()
            began = cpu_seconds()
            subject = "a chunk"
            try:
                task = tasks.decode(message)
                chunk = chunks.decode(task.chunk)
                subject = f"chunk {chunk.number} of part {chunk.part}"
                scoring = _Scoring(self._work, self._setup, chunk, task.settled, users)
                phases = {"receive": cpu_seconds() - began}
                for at in range(len(chunk.revisions)):
                    place.write(at, memory.read())
                    allow(cpu_limit_seconds)
                    scoring.add(at)
                    allow(0)
                    collect_if_much()
                place.write(-1, memory.read())
                computed = cpu_seconds()
                phases["features"] = computed - began - phases["receive"]
                scoring.settle()
                predicted = cpu_seconds()
                phases["predict"] = predicted - computed
                rows = scoring.rows()
                write_chunk(Path(task.path), rows)
                phases["write"] = cpu_seconds() - predicted
                done = ChunkDone(len(chunk.revisions), len(rows), _failures(rows), phases, FALLBACKS.take())
                answer = Told(msgspec.msgpack.encode(done), cpu_seconds() - began, memory.read())
                parent.send(answer)
            except (RevstreamError, OSError, ValueError) as error:
                allow(0)
                parent.send(failed(error, f"scoring {subject}", cpu_seconds() - began, memory.read()))


class _Scoring:
    """Scores the revisions of one chunk."""

    def __init__(
        self,
        work: RevisionWork,
        setup: ScorerSetup,
        chunk: Chunk,
        settled: Mapping[int, ScoreFailure],
        users: UserLookup,
    ) -> None:
        self._work = work
        self._setup = setup
        self._chunk = chunk
        self._settled = settled
        self._users = users
        self._refusals = Refusals(chunk.source, setup.max_text_bytes)
        self._models = [model for model in setup.models if model.wiki_id == chunk.wiki_id]
        self._batch = work.batch(with_features=setup.with_features) if isinstance(work, Batches) else None
        self._begun: list[tuple[Revision, dict[str, Promise]]] = []

    def add(self, place: int) -> None:
        """Score a revision, up to what is predicted for all together."""
        subject = subject_of(self._chunk, place, users=self._users, refusals=self._refusals)
        self._begun.append((subject.revision, self._told(subject, self._settled.get(place))))

    def settle(self) -> None:
        """Predict what is left."""
        if self._batch is not None:
            self._batch.settle()

    def rows(self) -> list[SnapshotRow]:
        """Return a row of each revision for each model."""
        return [
            self._row(revision, model, told[model.artefact])
            for revision, told in self._begun
            for model in self._models
        ]

    def _row(self, revision: Revision, model: PlannedModel, told: Promise) -> SnapshotRow:
        outcome = told.outcome
        if outcome is None:
            raise RuntimeError("a revision was to be written before it was scored")
        is_scored = not isinstance(outcome, ScoreFailure)
        return SnapshotRow(
            wiki_id=revision.wiki_id,
            page_id=revision.page_id,
            rev_id=revision.rev_id,
            rev_parent_id=revision.rev_parent_id,
            rev_dt=revision.rev_dt,
            namespace_id=revision.namespace_id,
            is_bot=is_bot(revision.user),
            model=model.id,
            outcome=outcome,
            features_missing=self._work.missing(model.artefact, revision) if is_scored else None,
            features=told.features,
            scored_dt=self._setup.scored_dt,
        )

    def _told(self, subject: Subject, settled: ScoreFailure | None) -> dict[str, Promise]:
        """Return by artefact what its model says."""
        told: dict[str, Promise] = {}
        asked: list[str] = []
        for model in self._models:
            failure = _failure(model, subject, settled)
            if failure is None:
                asked.append(model.artefact)
            else:
                told[model.artefact] = Promise(failure)
        names = tuple(dict.fromkeys(asked))
        if names:
            told |= zip(names, self._asked(subject.revision, names), strict=True)
        return told

    def _asked(self, revision: Revision, names: tuple[str, ...]) -> Sequence[Promise]:
        """Return what the models say, or what the live pool records of an error that it meets."""
        action = f"scoring {revision.wiki_id} revision {revision.rev_id}"
        try:
            if self._batch is not None:
                return self._batch.add(revision, names)
            scored = self._work(revision, names, self._setup.with_features)
            if len(scored) == len(names):
                return [Promise(one.outcome, one.features) for one in scored]
            failure = ScoreFailure(FeatureError.code, miscount(action, len(scored), len(names)))
        except ScoringError as error:
            failure = ScoreFailure(error.code, error.message)
        except RevstreamError:
            raise
        except Exception as error:
            failure = ScoreFailure(FeatureError.code, failed(error, action).message)
        return [Promise(failure)] * len(names)


def _failure(model: PlannedModel, subject: Subject, settled: ScoreFailure | None) -> ScoreFailure | None:
    """Return why a model is not asked; None where it is.

    As a worker has it, a model that does not read such content says so first, whatever else is wrong.
    """
    revision = subject.revision
    if model.content_models and revision.content_model not in model.content_models:
        return ScoreFailure(
            ContentModelUnsupported.code,
            f"revision {revision.rev_id} of {revision.wiki_id} holds {revision.content_model!r}, but the "
            f"model reads {', '.join(model.content_models)} only; it cannot score this page",
        )
    if model.reads_content:
        refusal = subject.refusal or (None if model.reads_text_alone else subject.parent_refusal)
        if refusal is not None:
            return ScoreFailure(refusal.code, refusal.message)
    return settled


def _failures(rows: Sequence[SnapshotRow]) -> dict[str, int]:
    return Counter(row.outcome.code for row in rows if isinstance(row.outcome, ScoreFailure))
