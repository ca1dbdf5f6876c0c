"""What the pool's processes tell each other, and the frames that carry it.

Three kinds of process speak over Unix sockets: the worker, the template that holds the loaded models, and
the scoring processes that the template is forked into. A frame is four bytes of length, big-endian, then a
MessagePack struct of this module.

* Worker to template: Load once, then Fork (with the socket of the new process beside it) and End.
* Template to worker: Ready or Failed once, then Died for each process that ended.
* Worker to scoring process: Jobs, several ahead where they are small.
* Scoring process to worker: Ready or Failed once, then Done or Failed for each Job, in their order.
"""

from typing import Any, Protocol

from msgspec import DecodeError, Struct
from msgspec.msgpack import Encoder

from schemas.prediction import ScoredModel
from schemas.revision import Revision

HEADER_BYTES = 4


class Work(Protocol):
    """Scores one revision with models that are loaded.

    One that knows tells by ``features_seconds`` how much of its last call, by the clock, went into what the
    models share.
    """

    def __call__(
        self, revision: Revision, artefacts: tuple[str, ...], with_features: bool, /
    ) -> list[ScoredModel]:
        """Return one answer per artefact, in their order."""
        ...


class Load(Struct, frozen=True, tag=True):
    """First message to the template.

    Attributes:
        make_work: Pickle of a callable that loads the models and returns the Work. It comes from the
            worker alone; model files are never unpickled.
        cpu_seconds: Budget of each revision.
    """

    make_work: bytes
    cpu_seconds: float


class Fork(Struct, frozen=True, tag=True):
    """Fork a scoring process onto the socket that comes with this message."""

    number: int


class End(Struct, frozen=True, tag=True):
    """End a process at once; one that has ended is left alone."""

    number: int


class Died(Struct, frozen=True, tag=True):
    """A process ended, with its exit code or the negative number of the signal that ended it."""

    number: int
    status: int


class Job(Struct, frozen=True, tag=True):
    """One revision to score with the named artefacts; or only to read for them, which gives no scores.

    Attributes:
        revision: Which.
        artefacts: With which.
        with_features: Whether answers carry their features.
        is_preparation: Whether it is only read.
        with_attribution: Whether answers carry features and what moved the scores.
    """

    revision: Revision
    artefacts: tuple[str, ...]
    with_features: bool
    is_preparation: bool = False
    with_attribution: bool = False


class Ready(Struct, frozen=True, tag=True):
    """The models are loaded. A scoring process tells the memory that it holds, shared pages included."""

    pid: int
    memory_bytes: int


class Done(Struct, frozen=True, tag=True):
    """The models' answers about one revision.

    Attributes:
        scored: One per artefact, in order; none of a preparation.
        cpu_seconds: What they took.
        memory_bytes: Held after them.
        fallbacks: How often the engine took revscoring's own way, by what it had a quick one for.
        features_seconds: How long what the models share took, by the clock.
        predict_seconds: How long the models took then.
    """

    scored: list[ScoredModel]
    cpu_seconds: float
    memory_bytes: int
    fallbacks: dict[str, int] = {}
    features_seconds: float = 0.0
    predict_seconds: float = 0.0


class Told(Struct, frozen=True, tag=True):
    """What a work that serves by itself answers, see ``models.pool_worker.Serves``.

    Attributes:
        body: In words of its own.
        cpu_seconds: What it took.
        memory_bytes: Held after it.
    """

    body: bytes
    cpu_seconds: float
    memory_bytes: int


class Failed(Struct, frozen=True, tag=True):
    """Loading or scoring raised.

    Attributes:
        kind: Name of the class in ``schemas.errors``; empty where nobody named the error.
        message: Of the error.
        fields: Of the error.
        cpu_seconds: What it took.
        memory_bytes: Held after scoring.
    """

    kind: str
    message: str
    fields: dict[str, str | int | float]
    cpu_seconds: float = 0.0
    memory_bytes: int = 0


Order = Load | Fork | End
Answer = Ready | Done | Told | Failed


def _plain(value: object) -> Any:
    """Return a NumPy scalar, which features and probabilities often are, as a Python one."""
    item = getattr(value, "item", None)
    if item is None:
        raise TypeError(f"an answer holds a {type(value).__name__}, which is not a value of a feature")
    return item()


_encoder = Encoder(enc_hook=_plain)


def framed(message: Order | Died | Job | Answer) -> bytearray:
    """Return a message as a frame.

    Raises:
        UnicodeEncodeError: A text holds a lone surrogate.
        TypeError: An answer holds what is no value.
    """
    frame = bytearray(HEADER_BYTES)
    _encoder.encode_into(message, frame, HEADER_BYTES)
    frame[:HEADER_BYTES] = (len(frame) - HEADER_BYTES).to_bytes(HEADER_BYTES, "big")
    return frame


class FrameBuffer:
    """Cuts the bytes of a stream into messages, none of which is empty.

    Args:
        limit_bytes: Of one message; more is a sender gone wrong, which must not fill our memory.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._bytes = bytearray()

    def feed(self, data: bytes) -> None:
        """Take what came."""
        self._bytes += data

    def take(self) -> bytes | None:
        """Return the next message without its header; None until it is whole.

        Raises:
            DecodeError: It is said to be longer than the limit.
        """
        size = int.from_bytes(self._bytes[:HEADER_BYTES], "big")
        if size > self._limit_bytes:
            raise DecodeError(f"a message of {size} bytes")
        end = HEADER_BYTES + size
        if len(self._bytes) < max(end, HEADER_BYTES + 1):
            return None
        message = bytes(memoryview(self._bytes)[HEADER_BYTES:end])
        del self._bytes[:end]
        return message
