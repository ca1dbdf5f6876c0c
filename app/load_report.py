"""What a load test found, and whether that is worse than what another one found."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from schemas.errors import SettingsError

_COMPARED_MOST_MS: Final = ("p50_ms", "p95_ms")
# Fewer tell more of chance than of the server.
_COMPARED_REQUESTS: Final = 100
_FAILED_FROM: Final = 500


class RouteReport(Struct, frozen=True):
    """What was found of one route.

    Attributes:
        requests: How many were answered, or given up.
        requests_per_second: Of these.
        statuses: HTTP status to count; 0 is no answer at all.
        failures: Answers of 500 and above, and missing ones.
        p50_ms: Latency from when the request was due, in milliseconds; the other quantiles likewise.
        p95_ms: As above.
        p99_ms: As above.
        max_ms: As above.
    """

    requests: int
    requests_per_second: float
    statuses: dict[str, int]
    failures: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float


class LoadReport(Struct, frozen=True):
    """What a load test found.

    Attributes:
        address: Of the server.
        began_dt: When.
        seconds: How long requests were sent.
        rate: Requests a second that were due.
        sent_late: Requests that this machine sent more than 10 ms late; many of them mean that the test says
            more of the machine that runs it than of the server.
        routes: By name.
    """

    address: str
    began_dt: datetime
    seconds: float
    rate: float
    sent_late: int
    routes: dict[str, RouteReport]


class Regression(Struct, frozen=True):
    """A figure that is worse than before."""

    route: str
    figure: str
    before: float
    now: float


def route_report(answers: Sequence[tuple[float, int]], seconds: float) -> RouteReport:
    """Return the figures of a route.

    Args:
        answers: Latency in seconds, and status; at least one.
        seconds: In which they were due.
    """
    ordered = sorted(latency * 1000 for latency, _ in answers)
    statuses = Counter(status for _, status in answers)

    def quantile(share: float) -> float:
        return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 3)

    return RouteReport(
        requests=len(answers),
        requests_per_second=round(len(answers) / seconds, 2),
        statuses={str(status): number for status, number in sorted(statuses.items())},
        failures=sum(number for status, number in statuses.items() if status == 0 or status >= _FAILED_FROM),
        p50_ms=quantile(0.5),
        p95_ms=quantile(0.95),
        p99_ms=quantile(0.99),
        max_ms=round(ordered[-1], 3),
    )


def read_report(path: Path) -> LoadReport:
    """Return a report that was saved.

    Raises:
        SettingsError: It is none.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=LoadReport)
    except msgspec.DecodeError as error:
        raise SettingsError(
            f"{path} is no report of `revstream loadtest` ({error}). Save one with --save FILE."
        ) from error


def regressions(before: LoadReport, now: LoadReport, tolerance: float) -> list[Regression]:
    """Return what is worse than before by more than a share.

    Latencies are compared at p50 and p95, of routes that both asked at least 100 times. Failures count from
    one in a thousand requests on.

    Args:
        before: What was found then.
        now: What is found now.
        tolerance: 0.1 is ten per cent.

    Raises:
        SettingsError: The tests were not of the same rate.
    """
    if before.rate != now.rate:
        raise SettingsError(
            f"The saved report is of {before.rate} requests a second, this test of {now.rate}: what is not "
            "asked alike is not compared. Give --rate as then, or save anew."
        )
    found = []
    for name, route in now.routes.items():
        former = before.routes.get(name)
        if former is None or min(former.requests, route.requests) < _COMPARED_REQUESTS:
            continue
        for figure in _COMPARED_MOST_MS:
            then, today = getattr(former, figure), getattr(route, figure)
            if today > then * (1 + tolerance):
                found.append(Regression(name, figure, then, today))
        then, today = former.failures / former.requests, route.failures / route.requests
        if today > max(0.001, then * (1 + tolerance)):
            found.append(Regression(name, "failures", round(then, 4), round(today, 4)))
    return found


def as_lines(report: LoadReport) -> list[str]:
    """Return a report as a table to be read."""
    heads = ("route", "requests", "a second", "p50 ms", "p95 ms", "p99 ms", "max ms", "failures", "statuses")
    rows = [
        (
            name,
            str(one.requests),
            f"{one.requests_per_second:.1f}",
            *(f"{value:.1f}" for value in (one.p50_ms, one.p95_ms, one.p99_ms, one.max_ms)),
            str(one.failures),
            " ".join(f"{status}:{number}" for status, number in one.statuses.items()),
        )
        for name, one in sorted(report.routes.items())
    ]
    widths = [max(len(row[place]) for row in (heads, *rows)) for place in range(len(heads))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (heads, *rows)
    ]
