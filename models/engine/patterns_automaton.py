"""How far a word can lead into one of a list's expressions."""

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence

from models.engine import patterns_syntax as syntax
from models.engine.patterns_syntax import Alternatives, Element, Items, Unprovable
from models.engine.words import WordMemo

_CHARACTERS = 20_000
_TRANSITIONS = 100_000
_FARTHEST = 64


class State(dict[str, "State"]):
    """Where the characters so far have led; ``state[character]`` is where the next one leads.

    Attributes:
        leads: Places where it leads, by the number of the element that takes the next character.
        accepts: Whether an expression may end here.
        continues: The characters outside words that can come next; None where they are too many to list.
    """

    def __init__(
        self,
        automaton: "Automaton",
        leads: Mapping[int, Sequence[int]],
        accepts: bool,
        continues: frozenset[str] | None,
    ) -> None:
        super().__init__()
        self.leads = leads
        self.accepts = accepts
        self.continues = continues
        self._automaton = automaton

    def __missing__(self, character: str) -> "State":
        return self._automaton.step(self, character)


class Automaton:
    """Follows all expressions of a list at once, and never loses a match.

    What it accepts holds all that the expressions match and more: repeats are taken to have no upper limit,
    and assertions to hold. So where it comes to ``dead``, no expression can match.

    Its states are made when a text first needs them; all are forgotten after ``_TRANSITIONS``.

    Attributes:
        start: The state before the first character.
        dead: The state from which nothing leads on.
    """

    def __init__(self, listed: Alternatives) -> None:
        self._elements: list[Element] = []
        self._numbers: dict[Element, int] = {}
        self._free: list[list[int]] = []
        self._taking: list[tuple[int, int] | None] = []
        start = self._place()
        self._end = self._add(listed.items, listed.flags, start)
        self._tests = [syntax.takes(element) for element in self._elements]
        self._is_taken = _test_of_any(self._elements)
        self._outside = [syntax.takes_outside_words(element) for element in self._elements]
        self._takers = WordMemo(self._taken_by, _CHARACTERS)
        self._states: dict[tuple[frozenset[int], bool], State] = {}
        self._steps = 0
        self.dead = self._state([])
        self.start = self._state([start])

    def step(self, state: State, character: str) -> State:
        """Compute, and remember, where a character leads."""
        leads = state.leads
        targets = [target for number in leads.keys() & self._takers[character] for target in leads[number]]
        self._steps += 1
        if self._steps > _TRANSITIONS:
            self._forget()
        following = state[character] = self._state(targets) if targets else self.dead
        return following

    def may_match(self, text: str, start: int) -> bool:
        """Tell whether a match may begin at a place of a text. False is certain.

        At most ``_FARTHEST`` characters are looked at.
        """
        state = self.start
        dead = self.dead
        for character in text[start : start + _FARTHEST]:
            state = state[character]
            if state is dead:
                return False
            if state.accepts:
                return True
        return start + _FARTHEST < len(text)

    def first_elements(self) -> list[Element]:
        """Return the steps of the tree that can take the first character of a match."""
        return self._elements_of(self.start)

    def second_elements(self) -> list[Element]:
        """Return the steps that can take the second character; none where a match may have one character."""
        state = self._state([target for targets in self.start.leads.values() for target in targets])
        return [] if state.accepts else self._elements_of(state)

    def _elements_of(self, state: State) -> list[Element]:
        return [self._elements[number] for number in sorted(state.leads)]

    def _taken_by(self, character: str) -> frozenset[int]:
        if self._is_taken is not None and self._is_taken(character) is None:
            return frozenset()
        return frozenset(number for number, test in enumerate(self._tests) if test(character))

    def _forget(self) -> None:
        self._steps = 0
        self._states.clear()
        self.start.clear()

    def _state(self, reached: Iterable[int]) -> State:
        seen = set(reached)
        waiting = list(seen)
        while waiting:
            for place in self._free[waiting.pop()]:
                if place not in seen:
                    seen.add(place)
                    waiting.append(place)
        places = frozenset(place for place in seen if self._taking[place] is not None)
        accepts = self._end in seen
        state = self._states.get((places, accepts))
        if state is None:
            leads: dict[int, list[int]] = {}
            for taking in filter(None, map(self._taking.__getitem__, places)):
                leads.setdefault(taking[0], []).append(taking[1])
            state = self._states[places, accepts] = State(self, leads, accepts, self._continues(leads))
        return state

    def _continues(self, numbers: Iterable[int]) -> frozenset[str] | None:
        characters: set[str] = set()
        for number in numbers:
            outside = self._outside[number]
            if outside is None:
                return None
            characters |= outside
        return frozenset(characters)

    def _place(self) -> int:
        self._free.append([])
        self._taking.append(None)
        return len(self._free) - 1

    def _add(self, items: Items, flags: int, start: int) -> int:
        """Add what leads from a place through a sequence, and return the place where it ends."""
        for code, operand in items:
            start = self._add_one(syntax.element(code, operand, flags), start)
        return start

    def _add_one(self, element: Element, start: int) -> int:
        end = self._place()
        code, operand, flags = element
        inside = syntax.parts(code, operand, flags)
        if element.consumes:
            self._taking[start] = (self._number(element), end)
        elif code in syntax.LOOKAROUNDS or not inside:
            if not element.fails:
                self._free[start].append(end)
        else:
            for items, its_flags in inside:
                entry = self._place()
                self._free[start].append(entry)
                leaving = self._add(items, its_flags, entry)
                self._free[leaving].append(end)
                if code in syntax.REPEATS and operand[1] > 1:
                    self._free[leaving].append(entry)
            if code in syntax.REPEATS and operand[0] == 0:
                self._free[start].append(end)
        return end

    def _number(self, element: Element) -> int:
        number = self._numbers.setdefault(element, len(self._elements))
        if number == len(self._elements):
            self._elements.append(element)
        return number


def _test_of_any(elements: Sequence[Element]) -> Callable[[str], object] | None:
    """Return a test of whether any of some elements takes a character; None where they are too different."""
    with contextlib.suppress(Unprovable):
        return syntax.any_of(elements).match
    return None
