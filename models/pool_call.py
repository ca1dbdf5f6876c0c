"""One revision on its way through the pool, and what its caller is told."""

import asyncio
import time
from collections.abc import Sequence

from models.pool_worker import Done, Failed, Job
from schemas import errors
from schemas.catalogue import ModelInfo
from schemas.errors import (
    CpuLimitExceeded,
    EngineError,
    FeatureError,
    RevstreamError,
    ScorerCrashed,
    ScoringError,
)
from schemas.prediction import ScoredModel, ScoreFailure
from schemas.revision import Revision


class PoolCall:
    """One ``score`` that waits for its answers.

    Construct it on the event loop. Answers that come after its caller went away are dropped.

    Args:
        revision: What to score.
        models: With which.
        with_features: Whether answers carry their features.
    """

    __slots__ = ("_models", "_since", "future", "job", "seconds_queued", "timer", "tries")

    def __init__(self, revision: Revision, models: Sequence[ModelInfo], *, with_features: bool) -> None:
        self.job = Job(revision, tuple(model.artefact for model in models), with_features)
        self.future: asyncio.Future[list[ScoredModel]] = asyncio.get_running_loop().create_future()
        self.seconds_queued = 0.0
        self.tries = 0
        self.timer: asyncio.TimerHandle | None = None
        self._models = models
        self._since = time.monotonic()

    def begin(self, timer: asyncio.TimerHandle) -> None:
        """Count a try, which the timer ends when it takes too long."""
        if self.tries == 0:
            self.seconds_queued = time.monotonic() - self._since
        self.tries += 1
        self.timer = timer

    def end(self) -> None:
        """Let the try go untimed: it has ended."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def answer(self, answer: Done | Failed) -> None:
        """Pass on what a process answered.

        An error that concerns the revision fails each of its models. Any other (a model that the process
        does not know) concerns the set-up, and is raised in the caller.
        """
        if self.future.done():
            return
        if isinstance(answer, Done):
            self.future.set_result(answer.scored)
            return
        error = typed_error(answer) if answer.kind else FeatureError(answer.message)
        if isinstance(error, ScoringError):
            self.fail(error)
        else:
            self.future.set_exception(error)

    def fail_cpu(self, limit_seconds: float) -> None:
        """Answer that the CPU budget was spent."""
        self.fail(
            CpuLimitExceeded(
                f"scoring {self._subject} took more than {limit_seconds:g} s of CPU time and was ended; its "
                "text is likely made to be slow to parse: leave it unscored, or raise the CPU limit per "
                "revision and score it again"
            )
        )

    def fail_crashed(self, death: str) -> None:
        """Answer that every try ended with a dead process.

        Args:
            death: How the last one died, as ``was ended by SIGKILL``.
        """
        self.fail(
            ScorerCrashed(
                f"the process that scored {self._subject} {death}, and so in each of {self.tries} tries; "
                "memory likely ran out, or a C library failed (then its stack is in the worker's log): give "
                "the machine more memory or fewer scoring processes, and score it again"
            )
        )

    def fail_encoding(self) -> None:
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
            failure = ScoreFailure(error.code, error.message)
            self.future.set_result([ScoredModel(model.id, failure) for model in self._models])

    def refuse(self, reason: str, cause: BaseException | None) -> None:
        """Raise EngineError in the caller: the revision was not scored, and is still to be."""
        if not self.future.done():
            error = EngineError(reason)
            error.__cause__ = cause
            self.future.set_exception(error)

    @property
    def _subject(self) -> str:
        return f"{self.job.revision.wiki_id} revision {self.job.revision.rev_id}"


def typed_error(failed: Failed) -> RevstreamError:
    """Return the error that a process told of, with its type and fields."""
    kind = getattr(errors, failed.kind, None)
    if isinstance(kind, type) and issubclass(kind, RevstreamError):
        return kind(failed.message, **failed.fields)
    return EngineError(failed.message)
