"""Every error that revstream raises on purpose.

The tree, with the code that API, events and tables carry::

    RevstreamError
    ├── SettingsError              settings_invalid
    ├── EventError
    │   ├── EventUndecodable       event_undecodable
    │   └── EventSchemaUnsupported event_schema_unsupported
    ├── ContentError
    │   ├── RevisionNotFound       revision_not_found
    │   ├── RevisionDeleted        revision_deleted
    │   ├── RevisionSuppressed     revision_suppressed
    │   ├── ParentNotFound         parent_not_found
    │   ├── ContentModelUnsupported content_model_unsupported
    │   ├── ContentTooLarge        content_too_large
    │   └── ContentUnavailable     content_unavailable      (retryable)
    ├── ModelError
    │   ├── ModelNotFound          model_not_found
    │   ├── ModelFileMissing       model_file_missing
    │   ├── ModelCorrupt           model_corrupt
    │   ├── ModelRefused           model_refused
    │   ├── ModelIncompatible      model_incompatible
    │   ├── ModelUnavailable       model_unavailable        (retryable)
    │   └── ResourceMissing        resource_missing
    ├── ScoringError
    │   ├── CpuLimitExceeded       cpu_limit_exceeded
    │   ├── MemoryLimitExceeded    memory_limit_exceeded
    │   ├── ScorerCrashed          scorer_crashed
    │   └── FeatureError           feature_error
    ├── StoreError                 store_unusable
    │   ├── StoreLocked            store_locked
    │   ├── StoreFull              store_full
    │   ├── StoreFormatUnsupported store_format_unsupported
    │   ├── CheckpointUnusable     checkpoint_unusable
    │   └── SnapshotUnusable       snapshot_unusable
    ├── EngineError                engine_failed
    │   ├── LogLocked              log_locked
    │   ├── PortInUse              port_in_use
    │   └── BrokerUnavailable      broker_unavailable       (retryable)
    ├── SourceError                source_invalid
    ├── BackfillRefused            backfill_refused
    ├── ReloadRefused              reload_refused
    ├── OutputInvalid              output_invalid
    └── RequestError
        ├── RequestInvalid         request_invalid
        ├── AccessDenied           access_denied
        ├── WikiUnknown            wiki_unknown
        ├── StatisticsNotFound     statistics_not_found
        ├── PredictionNotFound     prediction_not_found
        ├── PredictionWithdrawn    prediction_withdrawn
        └── NotReady               not_ready                (retryable)
            ├── OnDemandBound      on_demand_bound          (retryable)
            ├── Recovering         recovering               (retryable)
            ├── OwnerUnavailable   owner_unavailable        (retryable)
            ├── Overloaded         overloaded               (retryable)
            └── TooManyRequests    too_many_requests        (retryable)

A message says what happened to which thing, the likely cause, and what to do. ``code`` is stable and
documented in README.md; ``retryable`` says whether the same call may succeed later without a change.
"""

from typing import ClassVar


class RevstreamError(Exception):
    """Any failure that revstream names.

    Args:
        message: What happened to which thing, the likely cause, and what to do.
        fields: The things concerned, by name (``wiki_id``, ``rev_id``, ``model_name``, ``path`` …).
    """

    code: ClassVar[str] = "internal_error"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, **fields: str | int | float | None) -> None:
        super().__init__(message)
        self.message = message
        self.fields = {name: value for name, value in fields.items() if value is not None}

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle with the fields, so that an error crosses a process border whole."""
        return _rebuild, (type(self), self.message, self.fields)


def _rebuild(
    kind: type[RevstreamError], message: str, fields: dict[str, str | int | float | None]
) -> RevstreamError:
    return kind(message, **fields)


class SettingsError(RevstreamError):
    """A setting is unknown, malformed or contradictory."""

    code = "settings_invalid"


class EventError(RevstreamError):
    """An input event cannot be used."""


class EventUndecodable(EventError):
    """The bytes are not an event of a schema that we read."""

    code = "event_undecodable"


class EventSchemaUnsupported(EventError):
    """The event names a schema or a major version that we do not read."""

    code = "event_schema_unsupported"


class ContentError(RevstreamError):
    """The content of a revision cannot be had."""


class RevisionNotFound(ContentError):
    """The wiki has no such revision, or its page is deleted."""

    code = "revision_not_found"


class RevisionDeleted(ContentError):
    """The text, the editor or the comment of the revision is hidden from readers."""

    code = "revision_deleted"


class RevisionSuppressed(ContentError):
    """The revision is hidden from administrators as well."""

    code = "revision_suppressed"


class ParentNotFound(ContentError):
    """The parent revision, which the models need, cannot be had for good."""

    code = "parent_not_found"


class ContentModelUnsupported(ContentError):
    """No model reads content of this kind."""

    code = "content_model_unsupported"


class ContentTooLarge(ContentError):
    """The text is larger than the limit."""

    code = "content_too_large"


class ContentUnavailable(ContentError):
    """The wiki did not answer, or refused for now."""

    code = "content_unavailable"
    retryable = True


class ModelError(RevstreamError):
    """A model cannot be used."""


class ModelNotFound(ModelError):
    """No model of that name is loaded."""

    code = "model_not_found"


class ModelFileMissing(ModelError):
    """A file of the artefact is not there."""

    code = "model_file_missing"


class ModelCorrupt(ModelError):
    """A file of the artefact differs from its sha512, or cannot be read."""

    code = "model_corrupt"


class ModelRefused(ModelError):
    """A model file asks for something that an import never gives: a name outside the closed list."""

    code = "model_refused"


class ModelIncompatible(ModelError):
    """The artefact asks for a feature, a format or a library version that is not here."""

    code = "model_incompatible"


class ModelUnavailable(ModelError):
    """The place that models are pulled from or pushed to does not answer, or refuses for now."""

    code = "model_unavailable"
    retryable = True


class ResourceMissing(ModelError):
    """A dictionary, library or file that the model reads is not installed."""

    code = "resource_missing"


class ScoringError(RevstreamError):
    """A revision could not be scored, and will not be on another try."""


class CpuLimitExceeded(ScoringError):
    """Scoring took more CPU time than the limit, and was killed."""

    code = "cpu_limit_exceeded"


class MemoryLimitExceeded(ScoringError):
    """Scoring took more memory than the limit, and was killed."""

    code = "memory_limit_exceeded"


class ScorerCrashed(ScoringError):
    """The process that scored the revision died, twice."""

    code = "scorer_crashed"


class FeatureError(ScoringError):
    """A feature could not be computed from the revision."""

    code = "feature_error"


class StoreError(RevstreamError):
    """The tables on disk cannot be used."""

    code = "store_unusable"


class StoreLocked(StoreError):
    """Another process holds the data directory."""

    code = "store_locked"


class StoreFull(StoreError):
    """The disk that holds the data directory is full."""

    code = "store_full"


class StoreFormatUnsupported(StoreError):
    """Rows or files of a format that this version does not read."""

    code = "store_format_unsupported"


class CheckpointUnusable(StoreError):
    """A checkpoint is damaged, of other tables, or older than what their log keeps."""

    code = "checkpoint_unusable"


class SnapshotUnusable(StoreError):
    """A snapshot is damaged, unfinished, of another format, or its name is taken."""

    code = "snapshot_unusable"


class EngineError(RevstreamError):
    """The engine beneath the stream fails."""

    code = "engine_failed"


class LogLocked(EngineError):
    """Another worker runs on this embedded log."""

    code = "log_locked"


class PortInUse(EngineError):
    """The address to listen on is taken."""

    code = "port_in_use"


class BrokerUnavailable(EngineError):
    """The Kafka broker does not answer."""

    code = "broker_unavailable"
    retryable = True


class SourceError(RevstreamError):
    """The event source named by ``--source`` cannot be read."""

    code = "source_invalid"


class BackfillRefused(RevstreamError):
    """A backfill is not begun or gone on with: its plan does not fit."""

    code = "backfill_refused"


class ReloadRefused(RevstreamError):
    """What rules and models say by now cannot be put in force; what was in force before still is."""

    code = "reload_refused"


class OutputInvalid(RevstreamError):
    """An output event does not meet its schema; a defect of ours, never sent."""

    code = "output_invalid"


class RequestError(RevstreamError):
    """A request to the read API cannot be answered as asked."""


class RequestInvalid(RequestError):
    """A parameter or body is malformed."""

    code = "request_invalid"


class AccessDenied(RequestError):
    """The request has no token or another one, or comes from a web page."""

    code = "access_denied"


class InfoPathUnknown(RequestInvalid):
    """A path of model information names something that the model does not have."""


class InfoPathMalformed(RequestInvalid):
    """A path of model information, or a threshold formula in it, cannot be read."""


class WikiUnknown(RequestError):
    """No model is configured for that wiki."""

    code = "wiki_unknown"


class StatisticsNotFound(RequestError):
    """The model was imported or trained without test statistics."""

    code = "statistics_not_found"


class PredictionNotFound(RequestError):
    """No prediction is stored for that revision or page."""

    code = "prediction_not_found"


class PredictionWithdrawn(RequestError):
    """The page or the revision was deleted, hidden or suppressed, and its predictions with it."""

    code = "prediction_withdrawn"


class NotReady(RequestError):
    """The service is starting, recovering or stopping."""

    code = "not_ready"
    retryable = True


class OnDemandBound(NotReady):
    """The batch had more to score than one request may; what was scored is stored, so ask again."""

    code = "on_demand_bound"


class Recovering(NotReady):
    """The worker that the row belongs to fills its tables; nobody else holds a copy."""

    code = "recovering"


class OwnerUnavailable(NotReady):
    """The worker that the row belongs to does not answer, and nobody else holds a copy."""

    code = "owner_unavailable"


class Overloaded(NotReady):
    """So much waits to be scored that it would take too long; what is stored is answered all the same."""

    code = "overloaded"


class TooManyRequests(NotReady):
    """The client has as much scored at a time, or a minute, as its class may."""

    code = "too_many_requests"
