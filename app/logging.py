"""Logging: one line per event and per request, JSON unless on a terminal, on stderr.

Our own code logs through structlog. The standard library's logging, which Faust, mode and aiokafka use, and
warnings go through the same renderer. Payloads and user names are withheld by key, whoever logs them.
"""

import logging
import logging.config
import sys
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any, Final, Literal

import orjson
import structlog

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "json", "console"]

_MOST_LINES = 1000
# What may be suppressed later, or is too large for a line.
WITHHELD_KEYS: Final = frozenset(
    {"body", "comment", "page_title", "parent_text", "payload", "text", "user", "user_text", "value"}
)


def configure_logging(level: Level = "info", log_format: Format = "auto") -> None:
    """Set up structlog and the standard library's logging for this process. Idempotent.

    Args:
        level: Least level of our own lines.
        log_format: ``auto`` is ``console`` where stderr is a terminal, else ``json``.
    """
    logging.config.dictConfig(stdlib_config(level, log_format))
    logging.captureWarnings(capture=True)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            *_shared(_is_console(log_format)),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def event_logger(level: Level = "info", log_format: Format = "auto") -> Any:
    """Return a logger for the lines of events, of which there are thousands a second.

    As JSON they look like any other line, at a third of the cost: the caller withholds what is to be
    withheld, and there is no context to merge.
    """
    if _is_console(log_format):
        return structlog.get_logger().bind()
    return structlog.wrap_logger(
        structlog.BytesLogger(sys.stderr.buffer),
        processors=[_event_line],
        wrapper_class=structlog.make_filtering_bound_logger(level),
    ).bind()


def _event_line(_: Any, method: str, event: MutableMapping[str, Any]) -> bytes:
    event["level"] = method
    event["timestamp"] = datetime.now(UTC)
    return orjson.dumps(event, option=orjson.OPT_UTC_Z)


def stdlib_config(level: Level, log_format: Format) -> dict[str, Any]:
    """Return the ``dictConfig`` that sends the standard library's records through our renderer.

    Faust takes it as ``logging_config``, since its worker sets logging up anew.

    Args:
        level: Least level of our own lines; libraries log from ``warning`` on, at ``debug`` from ``info`` on.
        log_format: As in ``configure_logging``.
    """
    library_level = {"debug": "INFO", "error": "ERROR"}.get(level, "WARNING")
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"repeats": {"()": RepeatLimit}},
        "formatters": {
            "revstream": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    *_shared(_is_console(log_format)),
                ],
                "foreign_pre_chain": [
                    structlog.contextvars.merge_contextvars,
                    structlog.stdlib.add_log_level,
                    structlog.stdlib.add_logger_name,
                    structlog.stdlib.PositionalArgumentsFormatter(),
                ],
            }
        },
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "filters": ["repeats"],
                "stream": "ext://sys.stderr",
                "formatter": "revstream",
            }
        },
        "root": {"level": library_level, "handlers": ["stderr"]},
    }


class RepeatLimit(logging.Filter):
    """Passes a line of a library again only after a while: some say the same in a tight loop."""

    seconds = 5.0

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether the line may pass."""
        line = (record.name, str(record.msg))
        if record.created - self._said.get(line, 0.0) < self.seconds:
            return False
        if len(self._said) > _MOST_LINES:
            self._said.clear()
        self._said[line] = record.created
        return True


def withhold(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace the values of keys that could carry payloads or user names. A structlog processor."""
    for key in WITHHELD_KEYS & event.keys():
        event[key] = "[withheld]"
    return event


def _is_console(log_format: Format) -> bool:
    return sys.stderr.isatty() if log_format == "auto" else log_format == "console"


def _shared(is_console: bool) -> list[Any]:
    if is_console:
        # Plain tracebacks: the rich ones print local variables, which hold texts and users.
        return [
            structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
            withhold,
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ]
    return [
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
        withhold,
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(serializer=_json),
    ]


def _json(event: Mapping[str, Any], **_: Any) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_UTC_Z).decode()
