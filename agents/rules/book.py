"""The rules that a worker runs by: plans for events, and places for those scored at once."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec

from agents.rules.decide import Plan, Telling, every_output, plan, source_topic, when_restored
from agents.rules.rule import Rule
from schemas.catalogue import Catalogue


class RuleBook:
    """Rules over a catalogue.

    Args:
        rules: In the order of their file.
        catalogue: The models of each wiki.
    """

    def __init__(self, rules: Sequence[Rule], catalogue: Catalogue) -> None:
        self.rules = tuple(rules)
        self.catalogue = catalogue
        self._places = {
            rule.name: asyncio.Semaphore(rule.concurrency) for rule in rules if rule.concurrency is not None
        }

    def plan(self, value: bytes, read_from: str, wiki_id: str | None = None) -> Plan:
        """Decide what the rules make of an event that was decoded before.

        Args:
            value: Its bytes.
            read_from: The topic that it was read from.
            wiki_id: Of the event; the one that it names if None.
        """
        event = read_event(value)
        return plan(event, source_topic(read_from, event), self.rules, self.catalogue, wiki_id=wiki_id)

    def when_restored(self, decided: Plan) -> Telling:
        """Return what is told of a page where an event shows its predictions again."""
        return when_restored(decided, self.rules, self.catalogue)

    def when_withdrawn(self, wiki_id: str) -> Telling:
        """Return what is told of a page where its predictions are withdrawn.

        All that may ever have been told of it is taken back, whichever rules take the event: of a suppression
        too little is known to ask them.
        """
        return every_output(self.rules, self.catalogue, wiki_id).of_pages()

    @contextlib.asynccontextmanager
    async def places(self, decided: Plan) -> AsyncIterator[None]:
        """Hold a place of each rule that takes the event, and wait for those that are taken."""
        async with contextlib.AsyncExitStack() as held:
            # Always in the order of the file, so that no two events wait for each other.
            for rule in decided.taken_by:
                if rule.name in self._places:
                    await held.enter_async_context(self._places[rule.name])
            yield


def read_event(value: bytes) -> Any:
    """Return the JSON of an event.

    Raises:
        ValueError: It is not JSON.
    """
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError:
        # Halves of a character, which JSON can name, and numbers of any size.
        return json.loads(value)
