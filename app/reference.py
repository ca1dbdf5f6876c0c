"""The parts of README.md that follow from the code: settings, commands, endpoints, metrics, error codes.

``python -m app.reference`` writes them between their markers; a test fails where README.md is behind.
"""

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import click

from agents.known_texts import KnownTexts
from app.api.openapi import document
from app.backfill_metrics import BackfillMetrics
from app.cli import main
from app.cluster.metrics import ClusterMetrics, ClusterStatus
from app.feed import FeedStatus
from app.feed_metrics import FeedMetrics
from app.flight_watch import FlightWatch
from app.load_metrics import LoadMetrics
from app.metrics import Metrics
from app.model_monitor import ModelMonitor
from app.observer import StreamObserver
from app.on_demand_metrics import OnDemandMetrics, OnDemandStatus
from app.pool_metrics import PoolMetrics
from app.processes.board import Board
from app.processes.metrics import ProcessesMetrics
from app.reload_metrics import ReloadMetrics
from app.settings import SETTINGS
from app.stream_metrics import StreamMetrics, StreamStatus
from app.table_metrics import TableMetrics
from app.text_metrics import TextMetrics
from app.wiki_metrics import WikiMetrics
from models.pool import PoolLimits, ScoringPool
from models.work import load_work
from schemas.catalogue import Catalogue
from schemas.errors import RevstreamError
from schemas.snapshot_columns import ERROR_COLUMNS, PARTITION_COLUMNS, SCORE_COLUMNS, Column
from tables.reader import Freshness

README: Final = Path(__file__).resolve().parent.parent / "README.md"


def settings() -> str:
    """Return the settings as a Markdown table."""
    rows = (
        (
            f"`{row.name}`",
            f"`{row.default}`" if row.default else "",
            ", ".join(row.choices) or row.kind,
            row.help,
        )
        for row in SETTINGS
    )
    return _table(("setting", "default", "type", "meaning"), rows)


def commands() -> str:
    """Return the verbs of the command line, with their own arguments and options, as a Markdown table."""
    return _table(("command", "does"), _verbs(main, "revstream"))


def endpoints() -> str:
    """Return method, path and summary of each route as a Markdown table."""
    rows = (
        (f"`{method.upper()} {path}`", operation["summary"])
        for path, operations in document()["paths"].items()
        for method, operation in operations.items()
    )
    return _table(("request", "answer"), rows)


def metrics() -> str:
    """Return name, type and meaning of our own metrics as a Markdown table."""
    ours = Metrics()
    ours.watch_reader(lambda: Freshness(is_ready=True, reasons=(), age_seconds=0.0))
    StreamObserver(ours.registry)
    ours.registry.register(FeedMetrics(FeedStatus))
    ours.registry.register(FlightWatch())
    ours.registry.register(TableMetrics(dict))
    ours.registry.register(ModelMonitor(Catalogue({}, {})))
    ours.registry.register(TextMetrics(KnownTexts(0).status))
    ours.registry.register(LoadMetrics(dict))
    ours.registry.register(OnDemandMetrics(OnDemandStatus))
    ours.registry.register(ClusterMetrics(ClusterStatus))
    ours.registry.register(
        PoolMetrics(ScoringPool(partial(load_work, (), ()), processes=1, limits=PoolLimits()).status)
    )
    ours.registry.register(ProcessesMetrics(Board(1)))
    ours.registry.register(ReloadMetrics(Board(1).reloads))
    ours.registry.register(StreamMetrics(lambda: StreamStatus({"source": 0}, 0, 0)))
    ours.registry.register(BackfillMetrics(Path()))
    ours.registry.register(WikiMetrics())
    rows = sorted(
        (
            f"`{family.name}{'_total' if family.type == 'counter' else ''}`",
            family.type,
            family.documentation,
        )
        for family in ours.registry.collect()
        if family.name.startswith("revstream_")
    )
    return _table(("metric", "type", "meaning"), rows)


def error_codes() -> str:
    """Return code, meaning and retryability of each error as a Markdown table."""
    rows = (
        (f"`{kind.code}`", _meaning(kind), "yes" if kind.retryable else "")
        for kind in _kinds(RevstreamError)
        if "code" in vars(kind) and kind.__module__ == RevstreamError.__module__
    )
    return _table(("code", "meaning", "worth a retry"), rows)


def columns() -> str:
    """Return the columns of a snapshot, of scores and of errors, as a Markdown table."""
    both = dict.fromkeys((*PARTITION_COLUMNS, *SCORE_COLUMNS, *ERROR_COLUMNS))
    rows = (
        (
            f"`{column.name}`",
            f"{column.type.value}{', nullable' if column.is_nullable else ''}",
            _datasets(column),
            column.meaning,
        )
        for column in both
    )
    return _table(("column", "type", "of", "meaning"), rows)


def _datasets(column: Column) -> str:
    if column in PARTITION_COLUMNS:
        return "folders"
    of = [name for name, ones in (("scores", SCORE_COLUMNS), ("errors", ERROR_COLUMNS)) if column in ones]
    return ", ".join(of)


BLOCKS: Final[Mapping[str, Callable[[], str]]] = {
    "commands": commands,
    "settings": settings,
    "endpoints": endpoints,
    "metrics": metrics,
    "error codes": error_codes,
    "columns": columns,
}


def current(text: str) -> str:
    """Return the text of README.md with every generated block brought up to date.

    Args:
        text: With a pair of markers for each block: ``<!-- settings -->`` and ``<!-- end of settings -->``.

    Raises:
        ValueError: A pair of markers is missing.
    """
    for name, render in BLOCKS.items():
        pattern = rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)"
        block = render()

        def between(match: re.Match[str], block: str = block) -> str:
            return match[1] + block + match[2]

        text, count = re.subn(pattern, between, text, flags=re.DOTALL)
        if count != 1:
            raise ValueError(f"README.md has {count} blocks of {name}, and must have one")
    return text


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [
        head,
        tuple("---" for _ in head),
        *(tuple(cell.replace("|", "\\|") for cell in row) for row in rows),
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _verbs(group: click.Group, prefix: str) -> Iterator[tuple[str, str]]:
    names = {f"--{row.name}".replace("_", "-") for row in SETTINGS} | {"--config", "--help"}
    for name, verb in group.commands.items():
        if isinstance(verb, click.Group):
            yield from _verbs(verb, f"{prefix} {name}")
            continue
        words = [f"{prefix} {name}"]
        for parameter in verb.params:
            shown = parameter.make_metavar(click.Context(verb))
            if isinstance(parameter, click.Argument):
                words.append(shown)
            elif not names & set(parameter.opts):
                flag = isinstance(parameter, click.Option) and parameter.is_flag
                words.append(f"[{parameter.opts[0]}{'' if flag else ' ' + shown}]")
        yield f"`{' '.join(words)}`", (verb.help or "").partition("\n\n")[0].replace("\n", " ")


def _meaning(kind: type[RevstreamError]) -> str:
    if kind is RevstreamError:
        return "A failure without a name of its own, hence a defect; the log has its traceback."
    return (inspect.getdoc(kind) or "").partition("\n")[0].replace("``", "`")


def _kinds(kind: type[RevstreamError]) -> Iterator[type[RevstreamError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _kinds(child)


if __name__ == "__main__":
    README.write_text(current(README.read_text(encoding="utf-8")), encoding="utf-8")
