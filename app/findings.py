"""What a check found, and how a list of findings is shown."""

import os
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Final

import msgspec
from msgspec import Struct


class Status(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    BROKEN = "broken"


_MARKS: Final = {Status.OK: ("✓", "32"), Status.WARNING: ("!", "33"), Status.BROKEN: ("✗", "31")}


class Finding(Struct, frozen=True):
    """One fact about this machine.

    Attributes:
        check: What was looked at: ``interpreter``, ``model enwiki-reverted`` …
        status: ``broken`` keeps a worker from starting; ``warning`` does not.
        message: What was found.
        cure: What to do about it; empty where nothing is to be done.
    """

    check: str
    status: Status
    message: str
    cure: str = ""


def ok(check: str, message: str) -> Finding:
    """Return a finding that all is well."""
    return Finding(check, Status.OK, message)


def warning(check: str, message: str, cure: str) -> Finding:
    """Return a finding that does not keep a worker from starting."""
    return Finding(check, Status.WARNING, message, cure)


def broken(check: str, message: str, cure: str) -> Finding:
    """Return a finding that keeps a worker from starting."""
    return Finding(check, Status.BROKEN, message, cure)


def is_broken(findings: Iterable[Finding]) -> bool:
    """Tell whether any finding keeps a worker from starting."""
    return any(finding.status is Status.BROKEN for finding in findings)


def as_table(findings: Sequence[Finding], *, fancy: bool) -> str:
    """Return the findings as lines of text: status, check, message, and the cure below it.

    Args:
        findings: In the order shown.
        fancy: Marks and colours, for a terminal; words otherwise.
    """
    width = max((len(finding.check) for finding in findings), default=0)
    lines = []
    for finding in findings:
        mark, colour = _MARKS[finding.status]
        # NO_COLOR is a convention of terminals (no-color.org), not a setting of ours.
        if not fancy:
            status = f"{finding.status.value:<7}"
        elif "NO_COLOR" in os.environ:
            status = mark
        else:
            status = f"\x1b[{colour}m{mark}\x1b[0m"
        lines.append(f"{status} {finding.check:<{width}}  {finding.message}")
        if finding.cure:
            lines.append(f"{'':<{1 if fancy else 7}} {'':<{width}}  → {finding.cure}")
    return "\n".join(lines)


def to_json(findings: Sequence[Finding]) -> str:
    """Return the findings as a JSON list of objects with check, status, message and cure."""
    return msgspec.json.format(msgspec.json.encode(findings), indent=2).decode()
