"""The Avro binary form of a PredictionRow under the current schema, written out by hand for speed.

fastavro reads any schema into dicts, which costs about twice as much as this. What is here does one schema,
``schemas/avro/prediction_row.avsc``, and says which by its fingerprint; the tests hold it equal to fastavro,
byte for byte. When the schema changes, this module changes with it.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from struct import Struct as Layout

import numpy as np
from numpy.typing import NDArray

from schemas.prediction import (
    ModelId,
    PredictionRow,
    Provenance,
    Score,
    ScoreFailure,
    ScoreKind,
    StoredScore,
    Withdrawal,
)

FINGERPRINT = bytes.fromhex("0254f36dfa1d472c")
"""CRC-64-AVRO of the schema that this module writes and reads, little-endian."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_KINDS = (ScoreKind.BINARY, ScoreKind.MULTICLASS, ScoreKind.MULTILABEL)
_SHA512_BYTES = 64
_DOUBLE = Layout("<d")
_SMALL = tuple(bytes((number << 1,)) for number in range(64))
END = b"\0"
"""Of an array or map, where it is not all of it."""

_HIGH_BITS = sum(128 << 7 * byte for byte in range(7))
NEVER_WITHDRAWN = _NULL = _SMALL[0]
_PRESENT = _SMALL[1]
LONG_EXPRESSION = rb"(?:[\x80-\xff]{0,8}[\x00-\x7f]|[\x80-\xff]{9}[\x00\x01])"
"""Of a number of at most 64 bits."""

EIGHT_EXPRESSION = rb"[\x80-\xff]{7}[\x00-\x7f]"
"""Of a number of eight bytes, as usual times are."""

ORIGIN_END_EXPRESSION = rb"(?:\x00|\x02%b)(?:\x00|\x02[\x00\x01])" % LONG_EXPRESSION
"""Of what follows the times in where a score came from."""

_TAIL_BYTES = 23
_never_withdrawn = re.compile(EIGHT_EXPRESSION + ORIGIN_END_EXPRESSION + rb"\x00\x00\Z").search
_SCORE = _SMALL[0]
_FAILURE = _SMALL[1]
_FLAGS = {None: _NULL, False: _PRESENT + b"\0", True: _PRESENT + b"\x01"}
_KIND_BYTES = {kind: _SMALL[index] for index, kind in enumerate(_KINDS)}


def encode(row: PredictionRow) -> bytes:
    """Return a row in Avro binary, probabilities sorted by label: equal rows give equal bytes.

    Raises:
        ValueError: A number does not fit its Avro type, a time is naive, or a hash is not 128 lower-case
            hexadecimal digits.
    """
    parts = [
        _text(row.wiki_id),
        _long(row.page_id),
        _long(row.rev_id),
        _time(row.rev_dt),
    ]
    if row.scores:
        parts.append(_long(len(row.scores)))
        for each in row.scores:
            outcome, origin = each.outcome, each.provenance
            parts.append(_model(each.model))
            if isinstance(outcome, Score):
                parts += (_SCORE, _KIND_BYTES[outcome.kind])
                if outcome.prediction:
                    parts.append(_long(len(outcome.prediction)))
                    parts += map(_text, outcome.prediction)
                parts.append(END)
                if outcome.probability:
                    parts.append(_long(len(outcome.probability)))
                    for label, probability in sorted(outcome.probability.items()):
                        parts += (_text(label), _DOUBLE.pack(probability))
                parts.append(END)
            else:
                parts += (_FAILURE, _text(outcome.code), _text(outcome.message))
            parts += (
                _text(origin.event_id),
                _text(origin.source_topic),
                _long(origin.source_partition),
                _long(origin.source_offset),
                _time(origin.event_dt),
                _time(origin.scored_dt),
                _NULL if origin.namespace_id is None else _PRESENT + _long(origin.namespace_id),
                _FLAGS[origin.is_bot],
            )
    parts.append(END)
    parts.append(_NULL if row.withdrawal is None else _withdrawal(row.withdrawal))
    return b"".join(parts)


def decode(data: bytes, start: int) -> PredictionRow:
    """Read what `encode` wrote, from a place in some bytes to their end.

    Raises:
        ValueError: These bytes are nothing that `encode` writes; another Avro writer may still have written
            them under the same schema (arrays in several blocks).
        IndexError: They end too early.
        OverflowError: They hold a time outside the years 1 to 9999.
    """
    wiki_id, at = _read_text(data, start)
    page_id, at = _read_long(data, at)
    rev_id, at = _read_long(data, at)
    rev_dt, at = _read_time(data, at)
    count, at = _read_count(data, at)
    scores = []
    for _ in range(count):
        score, at = _read_score(data, at)
        scores.append(score)
    if count:
        at = _read_end(data, at)
    withdrawal = None
    if data[at] != 0:
        withdrawal, at = _read_withdrawal(data, at)
    else:
        at += 1
    if at != len(data):
        raise ValueError("bytes are left over")
    return PredictionRow(wiki_id, page_id, rev_id, rev_dt, tuple(scores), withdrawal)


def head_of(data: bytes, start: int) -> tuple[int, int, bool]:
    """Read only the page, the time of saving in microseconds, and whether there is any score.

    Raises:
        ValueError: As `decode`.
        IndexError: As `decode`.
    """
    size = data[start]
    at = _read_text(data, start)[1] if size & 0x81 else start + 1 + (size >> 1)
    page_id, at = _read_long(data, at)
    while data[at] > 127:
        at += 1
    rev_dt_us, at = _read_microseconds(data, at + 1)
    return page_id, rev_dt_us, data[at] != 0


def text_bytes(text: str) -> bytes:
    """Return a text with its length before it."""
    return _text(text)


def is_never_withdrawn(data: bytes) -> bool:
    """Tell whether a row's last bytes prove that nothing was withdrawn; False proves nothing.

    Such a row ends in a time, usually of eight bytes, what is known of namespace and bot, the end of its
    scores, and a zero. A withdrawn row ends in two zeros only where its event had the offset 0 and nothing is
    erased; then the time of the act is before them, and is nothing like namespace and bot after another time.
    """
    return _never_withdrawn(data, max(0, len(data) - _TAIL_BYTES)) is not None


def long_bytes(number: int) -> bytes:
    """Return a whole number, or the count of an array or map."""
    return _long(number)


def score_head(model: ModelId, kind: ScoreKind) -> bytes:
    """Return what stands before the prediction of a stored score."""
    return _model(model) + _SCORE + _KIND_BYTES[kind]


def outcome_bytes(prediction: Sequence[str]) -> bytes:
    """Return what stands between `score_head` and the probabilities."""
    return _long(len(prediction)) + b"".join(map(_text, prediction)) + END if prediction else END


def origin_end(namespace_id: int | None, is_bot: bool | None) -> bytes:
    """Return what follows the times in where a score came from."""
    return (_NULL if namespace_id is None else _PRESENT + _long(namespace_id)) + _FLAGS[is_bot]


def longs_of(parts: Sequence[bytes]) -> NDArray[np.int64]:
    """Read the whole numbers that some bytes are, each up to ten; int64[parts]."""
    if max(map(len, parts), default=0) > 8:
        return np.array([_read_long(part, 0)[0] for part in parts], np.int64)
    numbers = np.frombuffer(b"".join([part.ljust(8, b"\0") for part in parts]), "<i8")
    # Seven bits of each of eight bytes are brought together: what `_time` does, the other way round.
    numbers = (numbers & 0x7F007F007F007F) | ((numbers & 0x7F007F007F007F00) >> 1)
    numbers = (numbers & 0x3FFF00003FFF) | ((numbers & 0x3FFF00003FFF0000) >> 2)
    numbers = (numbers & 0xFFFFFFF) | ((numbers & 0xFFFFFFF00000000) >> 4)
    return (numbers >> 1) ^ -(numbers & 1)


def texts_of(data: bytes) -> tuple[str, ...]:
    """Read an array of texts at the start of some bytes."""
    count, at = _read_count(data, 0)
    texts = []
    for _ in range(count):
        text, at = _read_text(data, at)
        texts.append(text)
    return tuple(texts)


def _withdrawal(withdrawal: Withdrawal) -> bytes:
    erased_dt = withdrawal.erased_dt
    return b"".join(
        (
            _PRESENT,
            b"\x01" if withdrawal.is_hidden else b"\0",
            _time(withdrawal.acted_dt),
            _long(withdrawal.source_offset),
            _NULL if erased_dt is None else _PRESENT + _time(erased_dt),
        )
    )


def _read_withdrawal(data: bytes, at: int) -> tuple[Withdrawal, int]:
    branch, hidden = data[at : at + 1], data[at + 1]
    if branch != _PRESENT or hidden > 1:
        raise ValueError("a withdrawal is neither absent nor there")
    acted_dt, at = _read_time(data, at + 2)
    source_offset, at = _read_long(data, at)
    branch = data[at : at + 1]
    erased_dt, at = (None, at + 1) if branch != _PRESENT else _read_time(data, at + 1)
    if branch not in (_NULL, _PRESENT):
        raise ValueError("the time of an erasure is neither absent nor there")
    return Withdrawal(bool(hidden), acted_dt, source_offset, erased_dt), at


def _read_score(data: bytes, at: int) -> tuple[StoredScore, int]:
    begin = at
    size, at = _read_count(data, at)
    size, at = _read_count(data, at + size)
    at += size + _SHA512_BYTES
    model = _read_model(data[begin:at])
    branch = data[at : at + 1]
    at += 1
    outcome: Score | ScoreFailure
    if branch == _SCORE:
        kind, at = _read_count(data, at)
        count, at = _read_count(data, at)
        prediction = []
        for _ in range(count):
            label, at = _read_text(data, at)
            prediction.append(label)
        if count:
            at = _read_end(data, at)
        count, at = _read_count(data, at)
        probability = {}
        for _ in range(count):
            label, at = _read_text(data, at)
            end = at + 8
            if end > len(data):
                raise IndexError("the bytes end inside a number")
            (probability[label],) = _DOUBLE.unpack_from(data, at)
            at = end
        if count:
            at = _read_end(data, at)
        outcome = Score(_KINDS[kind], tuple(prediction), probability)
    elif branch == _FAILURE:
        code, at = _read_text(data, at)
        message, at = _read_text(data, at)
        outcome = ScoreFailure(code, message)
    else:
        raise ValueError(f"no branch of the outcome begins with {branch!r}")
    event_id, at = _read_text(data, at)
    source_topic, at = _read_text(data, at)
    source_partition, at = _read_long(data, at)
    source_offset, at = _read_long(data, at)
    event_dt, at = _read_time(data, at)
    scored_dt, at = _read_time(data, at)
    namespace_id, at = _read_optional_long(data, at)
    is_bot, at = _read_flag(data, at)
    origin = Provenance(
        event_id, source_topic, source_partition, source_offset, event_dt, scored_dt, namespace_id, is_bot
    )
    return StoredScore(model, outcome, origin), at


def _read_optional_long(data: bytes, at: int) -> tuple[int | None, int]:
    branch = data[at]
    if branch == 0:
        return None, at + 1
    if branch != _PRESENT[0]:
        raise ValueError("a number is neither absent nor there")
    return _read_long(data, at + 1)


def _read_flag(data: bytes, at: int) -> tuple[bool | None, int]:
    if data[at] == 0:
        return None, at + 1
    flag = data[at : at + 2]
    if flag not in _FLAGS.values():
        raise ValueError("a flag is neither absent nor there")
    return flag == _FLAGS[True], at + 2


# The models are few, and the same in every row.
@lru_cache(maxsize=1024)
def _read_model(data: bytes) -> ModelId:
    model_name, at = _read_text(data, 0)
    model_version, at = _read_text(data, at)
    if len(data) != at + _SHA512_BYTES:
        raise IndexError("the bytes end inside a hash")
    return ModelId(model_name, model_version, data[at:].hex())


@lru_cache(maxsize=1024)
def _model(model: ModelId) -> bytes:
    digest = bytes.fromhex(model.model_sha512)
    if len(digest) != _SHA512_BYTES or digest.hex() != model.model_sha512:
        raise ValueError(
            f"model_sha512 of {model.model_name} {model.model_version} is not 128 lower-case hexadecimal "
            "digits; build it with hashlib.sha512(...).hexdigest()"
        )
    return _text(model.model_name) + _text(model.model_version) + digest


def _text(text: str) -> bytes:
    encoded = text.encode()
    size = len(encoded)
    return (_SMALL[size] if size < 64 else _long(size)) + encoded


def _long(number: int) -> bytes:
    if 0 <= number < 64:
        return _SMALL[number]
    if not -(1 << 63) <= number < 1 << 63:
        raise ValueError(f"{number} does not fit 64 bits")
    number = (number << 1) ^ (number >> 63)
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def _time(dt: datetime) -> bytes:
    if dt.tzinfo is None:
        raise ValueError(f"the time {dt} has no zone; rows keep aware times")
    return time_bytes((dt - _EPOCH) // _MICROSECOND)


def time_bytes(microseconds: int) -> bytes:
    """Return a time, given as microseconds since 1970."""
    number = microseconds << 1
    if not 1 << 49 <= number < 1 << 56:
        return _long(number >> 1)
    # Times from 1978 to 3111 take eight bytes; spreading seven bits to each halves the cost of the loop.
    number = (number & 0xFFFFFFF) | ((number & 0xFFFFFFF0000000) << 4)
    number = (number & 0x3FFF00003FFF) | ((number & 0xFFFC0000FFFC000) << 2)
    number = (number & 0x7F007F007F007F) | ((number & 0x3F803F803F803F80) << 1)
    return (number | 0x80808080808080).to_bytes(8, "little")


def _read_text(data: bytes, at: int) -> tuple[str, int]:
    size = data[at]
    if size & 0x81:
        size, at = _read_count(data, at)
        end = at + size
    else:
        at += 1
        end = at + (size >> 1)
    # A slice past the end is short without a word; something follows every text, whose reading then fails.
    return str(data[at:end], "utf-8"), end


def _read_long(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return (number >> 1) ^ -(number & 1), at
        shift += 7
        # Of the tenth byte one bit is left.
        if shift == 63 and data[at] > 1:
            raise ValueError("a number has more than 64 bits")


def _read_count(data: bytes, at: int) -> tuple[int, int]:
    count = data[at]
    if not count & 0x81:
        return count >> 1, at + 1
    count, at = _read_long(data, at)
    if not 0 <= count <= len(data):
        raise ValueError("a count is negative, or larger than all bytes together")
    return count, at


def _read_end(data: bytes, at: int) -> int:
    if data[at]:
        raise ValueError("an array or map has a second block")
    return at + 1


def _read_time(data: bytes, at: int) -> tuple[datetime, int]:
    microseconds, at = _read_microseconds(data, at)
    return _EPOCH + microseconds * _MICROSECOND, at


def _read_microseconds(data: bytes, at: int) -> tuple[int, int]:
    eight = data[at : at + 8]
    if len(eight) == 8:
        # Unrolled for the times that take eight bytes, as `_time` is.
        b0, b1, b2, b3, b4, b5, b6, b7 = eight
        if b7 < 128 <= b0 & b1 & b2 & b3 & b4 & b5 & b6:
            number = b0 + (b1 << 7) + (b2 << 14) + (b3 << 21) + (b4 << 28) + (b5 << 35) + (b6 << 42)
            number += (b7 << 49) - _HIGH_BITS
            return (number >> 1) ^ -(number & 1), at + 8
    return _read_long(data, at)
