"""One revision on its way through the pool, and what its caller is told."""

import asyncio
import time
from collections.abc import Sequence

from models.pool_messages import Done, Failed, Job, framed
from models.priority import Priority
from models.trail import Trail
from schemas import errors
from schemas.catalogue import ModelInfo
from schemas.errors import (
    CpuLimitExceeded,
    EngineError,
    FeatureError,
    MemoryLimitExceeded,
    RevstreamError,
    ScorerCrashed,
    ScoringError,
)
from schemas.prediction import ScoredModel, ScoreFailure
from schemas.revision import Revision


class PoolCall:
    """One ``score`` that waits for its answers.

    Construct it on the event loop. Answers that come after its caller went away are dropped.

    Attributes:
        deaths: Of processes while they scored it.
        future: Its answers.
        cpu_seconds: That scoring took, of an answer that came.
        is_alone: Whether it is to be handed over by itself.
        job: What a process is sent.
        priority: Its class.
        prepared: The preparation that came before; None without any.
        is_preparation: Whether nobody needs the answers, only what a process makes of the text for them.
        seconds_queued: How long it waited.
        times_overtaken: How often a later one of its class went first.
        seconds_scored: How long the try that ended last took, with its preparation; 0 before.

    Args:
        revision: What to score.
        models: With which.
        with_features: Whether answers carry their features.
        with_attribution: Whether they carry what moved the scores as well.
        priority: As above.
        prepared: As above.
        is_preparation: As above.
    """

    __slots__ = (
        "_begun",
        "_ended",
        "_features_seconds",
        "_first_begun",
        "_models",
        "_predict_seconds",
        "_since",
        "cpu_seconds",
        "deaths",
        "future",
        "is_alone",
        "is_preparation",
        "job",
        "prepared",
        "priority",
        "seconds_queued",
        "seconds_scored",
        "times_overtaken",
    )

    def __init__(
        self,
        revision: Revision,
        models: Sequence[ModelInfo],
        *,
        with_features: bool,
        with_attribution: bool = False,
        priority: Priority = Priority.STREAM,
        prepared: "PoolCall | None" = None,
        is_preparation: bool = False,
    ) -> None:
        artefacts = tuple(model.artefact for model in models)
        self.job = Job(revision, artefacts, with_features, is_preparation, with_attribution)
        self.future: asyncio.Future[list[ScoredModel]] = asyncio.get_running_loop().create_future()
        self.seconds_queued = 0.0
        self.seconds_scored = 0.0
        self.cpu_seconds = 0.0
        self.deaths = 0
        self.times_overtaken = 0
        self.is_alone = False
        self.prepared = prepared
        self.is_preparation = is_preparation
        self.priority = priority
        self._models = models
        self._since = self._begun = self._ended = time.monotonic()
        self._first_begun: float | None = None
        self._features_seconds = self._predict_seconds = 0.0

    @property
    def page(self) -> tuple[str, int]:
        """The page that the revision is of."""
        return self.job.revision.wiki_id, self.job.revision.page_id

    @property
    def characters(self) -> int:
        """Length of all that is to be read."""
        return len(self.job.revision.text) + len(self.job.revision.parent_text or "")

    def frame(self) -> bytearray:
        """Return the job as it is sent; empty, and answered, where it cannot be."""
        if self.future.done():
            return bytearray()
        try:
            return framed(self.job)
        except UnicodeEncodeError:
            self._fail_encoding()
            return bytearray()

    def begin(self) -> None:
        """Hear that scoring begins; only the first time ends the wait that is told."""
        self._begun = time.monotonic()
        if self._first_begun is None:
            self._first_begun = self._begun
            self.seconds_queued = self._begun - self._since

    def answer(self, answer: Done | Failed) -> None:
        """Pass on what a process answered; only the first answer counts.

        An error that concerns the revision fails each of its models. Any other (a model that the process
        does not know) concerns the set-up, and is raised in the caller.
        """
        if self.future.done():
            return
        self._end()
        self.cpu_seconds = answer.cpu_seconds
        if self.prepared is not None:
            self.cpu_seconds += self.prepared.cpu_seconds
        if isinstance(answer, Done):
            self._features_seconds, self._predict_seconds = answer.features_seconds, answer.predict_seconds
            self.future.set_result(answer.scored)
            return
        error = typed_error(answer) if answer.kind else FeatureError(answer.message)
        if isinstance(error, ScoringError):
            self.fail(error)
        else:
            self.future.set_exception(error)

    def fail_cpu(self, limit_seconds: float) -> None:
        """Answer that the CPU budget was spent."""
        self.fail(cpu_limit_exceeded(self._subject, limit_seconds))

    def fail_memory(self, limit_bytes: int) -> None:
        """Answer that the memory was spent."""
        self.fail(memory_limit_exceeded(self._subject, limit_bytes))

    def fail_crashed(self, death: str) -> None:
        """Answer that every try ended with a dead process.

        Args:
            death: How the last one died, as ``was ended by SIGKILL``.
        """
        self.fail(scorer_crashed(self._subject, death, self.deaths))

    def _fail_encoding(self) -> None:
        """Answer that the revision cannot be sent to a process."""
        self.fail(
            FeatureError(
                f"{self._subject} holds a lone surrogate, which is no character and has no UTF-8 form; the "
                "source that it was read from is likely damaged: fetch it from the wiki again"
            )
        )

    def fail(self, error: ScoringError) -> None:
        """Answer each model with this error."""
        if not self.future.done():
            self._end()
            failure = ScoreFailure(error.code, error.message)
            self.future.set_result([ScoredModel(model.id, failure) for model in self._models])

    def refuse(self, reason: str, cause: BaseException | None) -> None:
        """Raise EngineError in the caller: the revision was not scored, and is still to be."""
        if not self.future.done():
            error = EngineError(reason)
            error.__cause__ = cause
            self.future.set_exception(error)

    def tell(self, trail: Trail) -> None:
        """Note the phases that an answered call went through.

        A process tells how long its part took, not when: it ended as the answer came.
        """
        phases = trail.phases
        prepared = self.prepared
        if prepared is not None and prepared.seconds_scored:
            phases.append(("features", prepared._begun, prepared._ended))
        if self._first_begun is None:
            return
        phases.append(("wait", self._since, self._first_begun))
        featured = self._ended - self._predict_seconds
        phases.append(("features", featured - self._features_seconds, featured))
        phases.append(("predict", featured, self._ended))

    def _end(self) -> None:
        self._ended = time.monotonic()
        self.seconds_scored = self._ended - self._begun
        if self.prepared is not None:
            self.seconds_scored += self.prepared.seconds_scored

    @property
    def _subject(self) -> str:
        return f"{self.job.revision.wiki_id} revision {self.job.revision.rev_id}"


def cpu_limit_exceeded(subject: str, limit_seconds: float) -> CpuLimitExceeded:
    """Return what is recorded of a revision that spent its CPU budget.

    Args:
        subject: ``enwiki revision 1``.
        limit_seconds: The budget.
    """
    return CpuLimitExceeded(
        f"scoring {subject} took more than {limit_seconds:g} s of CPU time and was ended; its text is likely "
        "made to be slow to parse: leave it unscored, or raise the CPU limit per revision and score it again"
    )


def memory_limit_exceeded(subject: str, limit_bytes: int) -> MemoryLimitExceeded:
    """Return what is recorded of a revision that took too much memory, see `cpu_limit_exceeded`."""
    return MemoryLimitExceeded(
        f"scoring {subject} took more than {limit_bytes / (1 << 20):g} MiB of memory and was ended; its text "
        "is likely made to fill it: leave it unscored, or raise the memory limit per revision and score it "
        "again"
    )


def scorer_crashed(subject: str, death: str, deaths: int) -> ScorerCrashed:
    """Return what is recorded of a revision each try of which ended with a dead process.

    Args:
        subject: As for `cpu_limit_exceeded`.
        death: How the last one died, as ``was ended by SIGKILL``.
        deaths: How many tries there were.
    """
    return ScorerCrashed(
        f"the process that scored {subject} {death}, and so in each of {deaths} tries; memory likely ran "
        "out, or a C library failed (then its stack is in the worker's log): give the machine more memory or "
        "fewer scoring processes, and score it again"
    )


def typed_error(failed: Failed) -> RevstreamError:
    """Return the error that a process told of, with its type and fields."""
    kind = getattr(errors, failed.kind, None)
    if isinstance(kind, type) and issubclass(kind, RevstreamError):
        return kind(failed.message, **failed.fields)
    return EngineError(failed.message)
