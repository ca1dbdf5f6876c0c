"""The figures of the engine's bench as a table for people."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

REACH: Mapping[str, str] = {
    "backfill_aawiki": "60 x N1, 30 x N2",
    "backfill_wikitrust": "60 x N1, 30 x N2",
    "backfill_36_kb": "70 x N1",
    "never_seen": "20 x N1 (10-100 kB)",
    "parent_held": "75 x N1, 20 ms at 100 kB",
    "editquality": "5 x stateless, 10 x in dump order",
    "articlequality": "4 x",
    "wikidata": "3 x",
    "topics": "8 x",
    "prediction": "0.10 ms",
    "memory": "350 MB",
    "processes": "1.8 x",
}
"""What issue 4 asks of each row."""

_HEAD = ("work", "revscoring ms", "shared cache ms", "ours ms", "times", "reach", "compared", "different")


def table(figures: Mapping[str, Any]) -> str:
    """Write figures as a table."""
    rows = [_HEAD, *_rows(figures)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(_HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "".join(f"{line.rstrip()}\n" for line in [*lines, *_left_out(figures)])


def _left_out(figures: Mapping[str, Any]) -> Iterator[str]:
    for name, row in figures.items():
        told = row.get("left_out", ()) if isinstance(row, Mapping) else ()
        for reason in [told] if isinstance(told, str) else told:
            yield f"left out of {name}: {reason}"


def _rows(figures: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for name, row in figures.items():
        if isinstance(row, Mapping):
            yield from _SPECIAL.get(name, _one_row)(name, row)


def _one_row(name: str, row: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    if "left_out" not in row:
        yield _row(name, row, name, row)


def _online(name: str, row: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for size, of_size in row.items():
        for kind in ("never_seen", "parent_held"):
            yield _row(f"{name} {size} {kind}", of_size[kind], kind, of_size)


def _imported(_name: str, row: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for model, found in row.items():
        if isinstance(found, Mapping):
            yield _row(model, found, _family(model), found)


def _memory(name: str, row: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    yield (
        f"memory, {row['revisions']} revisions",
        "",
        "",
        f"{row['peak_rss_mb']} MB",
        "",
        REACH[name],
        "",
        "",
    )


def _processes(name: str, row: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    times = f"{row['two_beside_one']} x (of {row['two_copies_beside_one']} x without a pool)"
    yield ("two processes", "", "", "", times, REACH[name], "", "")


def _phases(_name: str, row: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for phase, milliseconds in row["cpu_ms_per_revision"].items():
        yield (f"phase {phase}", "", "", f"{milliseconds:g}", "", "", "", "")


def _row(name: str, row: Mapping[str, Any], reach: str, counts: Mapping[str, Any]) -> tuple[str, ...]:
    times = (
        f"{value:g} {way.removeprefix('times_').replace('_', ' ')}"
        for way, value in row.items()
        if way.startswith("times_")
    )
    ours = (
        f"{value:g}"
        for key, value in row.items()
        if key in {"ours_cpu_ms", "stateless_cpu_ms", "dump_order_cpu_ms"}
    )
    naive = next((row[key] for key in _NAIVE if key in row), "")
    compared = [counts.get(f"{what}_compared", 0) for what in ("values", "probabilities")]
    different = [counts.get(f"{what}_different", 0) for what in ("values", "probabilities")]
    return (
        name,
        f"{naive:g}" if naive else "",
        f"{row['n2_cpu_ms']:g}" if "n2_cpu_ms" in row else "",
        " / ".join(ours),
        ", ".join(times),
        REACH.get(reach, ""),
        "+".join(map(str, compared)),
        "+".join(map(str, different)),
    )


_NAIVE = ("n1_cpu_ms", "naive_cpu_ms", "model_score_cpu_ms", "per_request_cpu_ms")


def _family(model: str) -> str:
    wiki, _, kind = model.partition("-")
    if wiki == "wikidatawiki":
        return "wikidata"
    return "articlequality" if kind == "articlequality" else "editquality"


_SPECIAL: Mapping[str, Callable[[str, Mapping[str, Any]], Iterator[tuple[str, ...]]]] = {
    "online": _online,
    "imported": _imported,
    "memory": _memory,
    "processes": _processes,
    "phases": _phases,
}
