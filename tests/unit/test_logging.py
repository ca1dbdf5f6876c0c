"""Log lines: where they go, how they look, and what they never hold."""

import json
import logging
import warnings
from collections.abc import Iterator

import pytest
import structlog

from app.logging import RepeatLimit, configure_logging
from tests.clean_logging import logging_restored


class Stderr:
    """What has been written to stderr so far in a test."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self._text = ""

    def text(self) -> str:
        self._text += self._capsys.readouterr().err
        return self._text

    def lines(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.text().splitlines()]


@pytest.fixture
def stderr(capsys: pytest.CaptureFixture[str]) -> Iterator[Stderr]:
    """Reads stderr; logging is as before afterwards."""
    with logging_restored():
        yield Stderr(capsys)


def test_a_line_of_ours_is_one_json_object_with_time_and_level(stderr: Stderr) -> None:
    configure_logging()
    structlog.get_logger("revstream").info("event", wiki_id="enwiki", rev_id=7)
    (line,) = stderr.lines()
    assert str(line.pop("timestamp")).endswith("Z")
    assert line == {"event": "event", "level": "info", "wiki_id": "enwiki", "rev_id": 7}


def test_libraries_log_through_the_same_renderer_from_warning_on(stderr: Stderr) -> None:
    configure_logging()
    logging.getLogger("faust.worker").info("routine")
    logging.getLogger("faust.worker").warning("broker %s is away", "a:1")
    (line,) = stderr.lines()
    assert (line["event"], line["logger"], line["level"]) == ("broker a:1 is away", "faust.worker", "warning")


def test_debug_shows_the_libraries_from_info_on(stderr: Stderr) -> None:
    configure_logging("debug")
    logging.getLogger("mode").debug("detail")
    logging.getLogger("mode").info("routine")
    structlog.get_logger().debug("ours")
    assert [line["event"] for line in stderr.lines()] == ["routine", "ours"]


def test_error_silences_warnings_of_ours_and_of_libraries(stderr: Stderr) -> None:
    configure_logging("error")
    structlog.get_logger().warning("ours")
    logging.getLogger("mode").warning("theirs")
    assert stderr.lines() == []


def test_the_request_id_of_the_context_is_on_every_line(stderr: Stderr) -> None:
    configure_logging()
    with structlog.contextvars.bound_contextvars(request_id="r-1"):
        structlog.get_logger().info("request")
        logging.getLogger("mode").warning("theirs")
    assert [line["request_id"] for line in stderr.lines()] == ["r-1", "r-1"]


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_texts_and_user_names_are_withheld_whoever_logs_them(stderr: Stderr, log_format: str) -> None:
    configure_logging("info", log_format)  # type: ignore[arg-type]  # parametrized with both formats
    structlog.get_logger().info("event", rev_id=7, user_text="Bob", text="secret", payload=b"secret")
    assert "Bob" not in stderr.text()
    assert "secret" not in stderr.text()
    assert stderr.text().count("[withheld]") == 3


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_traceback_shows_no_local_variables(stderr: Stderr, log_format: str) -> None:
    configure_logging("info", log_format)  # type: ignore[arg-type]  # parametrized with both formats
    text = "".join(["sup", "pressed"])
    try:
        int(len(text) * "x")
    except ValueError:
        structlog.get_logger().exception("boom")
    assert "ValueError: invalid literal" in stderr.text()
    assert "suppressed" not in stderr.text()


def test_warnings_become_lines(stderr: Stderr) -> None:
    configure_logging()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("old habit", UserWarning, stacklevel=1)
    (line,) = stderr.lines()
    assert line["logger"] == "py.warnings"
    assert "old habit" in str(line["event"])


def test_values_that_json_does_not_know_are_shown_as_text(stderr: Stderr) -> None:
    configure_logging()
    structlog.get_logger().info("event", reason=ValueError("x"), codes={1: {2}})
    assert stderr.lines()[0]["reason"] == "x"


def test_setting_up_twice_does_not_double_the_lines(stderr: Stderr) -> None:
    configure_logging()
    configure_logging()
    logging.getLogger("mode").warning("once")
    assert len(stderr.lines()) == 1


def test_a_library_that_repeats_itself_in_a_loop_is_heard_once_in_a_while() -> None:
    limit = RepeatLimit()
    record = logging.makeLogRecord({"name": "aiokafka", "msg": "no leader for %s"})
    assert limit.filter(record)
    assert not limit.filter(record)
    record.created += RepeatLimit.seconds
    assert limit.filter(record)
