"""How far the probabilities of one label lie apart in two snapshots."""

# ruff: noqa: S608 - what is put into statements are names of our columns.
from collections.abc import Mapping, Sequence
from math import ceil
from typing import Final

from batch.snapshot_difference import Distribution, LabelShift
from batch.snapshot_pairs import BOTH_SCORED, UNIT, Pairs
from models.statistics.stability import stability_index

BORDERS: Final = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 1.0)
"""Borders of the bins of the stability index. Each bin holds its upper border, the first its lower as well.

They are narrow at both ends, where most models have most of their scores, and the same for all models, months
and sides: indexes can be compared, and swapping the snapshots does not change one.
"""

HISTOGRAM_BINS: Final = 50
QUANTILES: Final = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_HISTOGRAM: Final = [(number + 1) / HISTOGRAM_BINS for number in range(HISTOGRAM_BINS)]
_DIGITS: Final = 12
_FINE_BINS: Final = 1 << 16


def label_shift(pairs: Pairs, label: str, thresholds: Sequence[float]) -> LabelShift:
    """Return what became of the probabilities of one label.

    Args:
        pairs: Rows of both snapshots.
        label: One of the model's.
        thresholds: Of which to tell the share above, in [0, 1].

    Raises:
        StoreFull: The scratch folder is full.
    """
    number = pairs.labels.index(label)
    columns = first, second = f"first_{number}", f"second_{number}"
    rows = pairs.one(f"SELECT count({first}), count({second}) FROM pairs")
    distance, quantiles = _cumulated(pairs, columns, rows)
    before, after = (
        _distribution(pairs, column, thresholds, values) if count else None
        for column, count, values in zip(columns, rows, quantiles, strict=True)
    )
    has = "list_contains(string_split({}_prediction, $unit), $label)"
    mean_change, mean_size, most_size, gained, lost = pairs.one(
        f"""
        SELECT avg({second} - {first}), avg(abs({second} - {first})), max(abs({second} - {first})),
            count(*) FILTER ({has.format("second")} AND NOT {has.format("first")}),
            count(*) FILTER ({has.format("first")} AND NOT {has.format("second")})
        FROM pairs WHERE {BOTH_SCORED}
        """,
        {"unit": UNIT, "label": label},
    )
    is_whole = before is not None and after is not None
    return LabelShift(
        label=label,
        first=before,
        second=after,
        stability_index=stability_index(before.shares, after.shares) if before and after else None,
        distance=distance if is_whole else None,
        gained=gained,
        lost=lost,
        mean_change=None if mean_change is None else _rounded(mean_change),
        mean_size=None if mean_size is None else _rounded(mean_size),
        most_size=most_size,
    )


def _distribution(
    pairs: Pairs, column: str, thresholds: Sequence[float], quantiles: Sequence[float]
) -> Distribution:
    above = "".join(f", count(*) FILTER ({column} > $above_{place})" for place in range(len(thresholds)))
    rows, mean, deviation, least, most, histogram, bins, *over = pairs.one(
        f"""
        SELECT count(*), avg({column}), stddev_pop({column}), min({column}), max({column}),
            histogram({column}, $histogram), histogram({column}, $borders){above}
        FROM pairs WHERE {column} IS NOT NULL
        """,
        {
            "histogram": _HISTOGRAM,
            "borders": list(BORDERS[1:]),
            **{f"above_{place}": float(value) for place, value in enumerate(thresholds)},
        },
    )
    return Distribution(
        rows=rows,
        mean=_rounded(mean),
        deviation=_rounded(deviation),
        least=least,
        most=most,
        quantiles=dict(zip(QUANTILES, quantiles, strict=True)),
        above={value: count / rows for value, count in zip(thresholds, over, strict=True)},
        histogram=tuple(histogram.get(border, 0) for border in _HISTOGRAM),
        shares=tuple(bins.get(border, 0) / rows for border in BORDERS[1:]),
    )


def _cumulated(
    pairs: Pairs, columns: tuple[str, str], rows: Sequence[int]
) -> tuple[float, tuple[Sequence[float], Sequence[float]]]:
    """Return the distance of Kolmogorov and Smirnov, and the quantiles of each side.

    Both follow from how many rows of each side lie at or below each value that there is. These are counted in
    fine bins first. Single values are looked at in bins that hold a quantile, or where the distributions may
    lie further apart than at any border: the figures are exact, and rarely cost a sort of all rows.
    """
    first, second = columns
    bins = [f"floor({column} * {_FINE_BINS})::INTEGER AS bin" for column in columns]
    quantiles = "".join(
        f", min(value) FILTER (until_{side} >= $ranks_{side}[{place}])"
        for side in ("first", "second")
        for place in range(1, len(QUANTILES) + 1)
    )
    holds = "len(list_filter($ranks_{0}, lambda rank: before_{0} < rank AND rank <= until_{0})) > 0"
    values: Mapping[str, object] = {
        "rows_first": float(max(1, rows[0])),
        "rows_second": float(max(1, rows[1])),
        "ranks_first": _ranks(rows[0]),
        "ranks_second": _ranks(rows[1]),
    }
    distance, *found = pairs.one(
        f"""
        WITH counted AS (
            SELECT bin, sum(first) AS first, sum(second) AS second FROM (
                SELECT {bins[0]}, count(*) AS first, 0 AS second FROM pairs GROUP BY bin
                UNION ALL SELECT {bins[1]}, 0, count(*) FROM pairs GROUP BY bin
            ) WHERE bin IS NOT NULL GROUP BY bin
        ), bins AS MATERIALIZED (
            SELECT bin, sum(first) OVER upwards AS until_first, sum(second) OVER upwards AS until_second,
                until_first - first AS before_first, until_second - second AS before_second
            FROM counted WINDOW upwards AS (ORDER BY bin ROWS UNBOUNDED PRECEDING)
        ), borders AS MATERIALIZED (
            SELECT max(abs(until_first / $rows_first - until_second / $rows_second)) AS distance FROM bins
        ), wanted AS MATERIALIZED (
            SELECT bin, before_first, before_second FROM bins, borders
            WHERE until_first / $rows_first - before_second / $rows_second > distance
                OR until_second / $rows_second - before_first / $rows_first > distance
                OR {holds.format("first")} OR {holds.format("second")}
        ), valued AS (
            SELECT bin, value, sum(is_first) AS first, sum(1 - is_first) AS second FROM (
                SELECT {bins[0]}, {first} AS value, 1 AS is_first FROM pairs
                UNION ALL SELECT {bins[1]}, {second}, 0 FROM pairs
            ) SEMI JOIN wanted USING (bin) GROUP BY bin, value
        ), cumulated AS (
            SELECT value, before_first + sum(first) OVER upwards AS until_first,
                before_second + sum(second) OVER upwards AS until_second
            FROM valued JOIN wanted USING (bin)
            WINDOW upwards AS (PARTITION BY bin ORDER BY value ROWS UNBOUNDED PRECEDING)
        )
        SELECT greatest(max(distance), max(abs(until_first / $rows_first - until_second / $rows_second)))
            {quantiles}
        FROM cumulated, borders
        """,
        values,
    )
    return distance, (found[: len(QUANTILES)], found[len(QUANTILES) :])


def _rounded(mean: float) -> float:
    # The last digits follow from the order in which threads add rows up, and are no fact.
    return round(mean, _DIGITS)


def _ranks(rows: int) -> list[int]:
    # Rounded, since the float of a share like 0.05 may lift a product above the whole number that it is.
    return [max(1, ceil(round(share * rows, 6))) for share in QUANTILES]
