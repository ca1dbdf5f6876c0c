"""Which topics of a cluster are read."""

import re
from collections.abc import Callable, Collection, Sequence
from typing import Final

from agents.rules.rule import Rule
from schemas.keys import PAGE_CHANGE_TOPIC

DATACENTRES: Final = ("eqiad", "codfw")
_PREFIX: Final = re.compile(rf"\A(?:{'|'.join(DATACENTRES)})\.")


def stream_of(topic: str) -> str:
    """Return the name that a topic has without the prefix of a data centre."""
    return _PREFIX.sub("", topic)


def source_topics(
    rules: Sequence[Rule] | None, existing: Collection[str], is_ours: Callable[[str], bool]
) -> tuple[str, ...]:
    """Return the topics that rules ask for.

    A name stands for the topics of that name with and without the prefix of a data centre; where there is
    none, for the plain one, which is still to be made. An expression stands for the topics that it fits.

    Args:
        rules: The rules; None without, where `PAGE_CHANGE_TOPIC` is read.
        existing: The topics of the cluster.
        is_ours: Tells the topics that we write ourselves: no expression takes them.

    Returns:
        Names, sorted, one at least.
    """
    names = {PAGE_CHANGE_TOPIC}
    if rules is not None:
        names = {one for rule in rules for one in rule.topics if isinstance(one, str)}
    found = set()
    for name in names:
        physical = (name, *(f"{datacentre}.{name}" for datacentre in DATACENTRES))
        found |= {topic for topic in physical if topic in existing} or {name}
    for topic in existing:
        if not is_ours(topic) and not topic.startswith("__"):
            found |= {topic for rule in rules or () if rule.reads(stream_of(topic))}
    return tuple(sorted(found))
