"""How far a word can lead into one of a list's expressions."""

from collections.abc import Iterable

from models.engine import patterns_syntax as syntax
from models.engine.patterns_syntax import Alternatives, Element, Items
from models.engine.words import WordMemo

_CHARACTERS = 20_000
_TRANSITIONS = 100_000
_FARTHEST = 64


class State(dict[str, "State"]):
    """Where the characters so far have led; ``state[character]`` is where the next one leads.

    Attributes:
        places: Of the automaton: from each, one character can be taken.
        accepts: Whether an expression may end here.
        continues: The characters outside words that can come next; None where they are too many to list.
    """

    def __init__(
        self, automaton: "Automaton", places: frozenset[int], accepts: bool, continues: frozenset[str] | None
    ) -> None:
        super().__init__()
        self.places = places
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
        self._outside = [syntax.takes_outside_words(element) for element in self._elements]
        self._takers = WordMemo(self._taken_by, _CHARACTERS)
        self._states: dict[tuple[frozenset[int], bool], State] = {}
        self._steps = 0
        self.dead = self._state([])
        self.start = self._state([start])

    def step(self, state: State, character: str) -> State:
        """Compute, and remember, where a character leads."""
        takers = self._takers[character]
        targets = []
        if takers:
            for place in state.places:
                taking = self._taking[place]
                if taking is not None and taking[0] in takers:
                    targets.append(taking[1])
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
        first = (self._taking[place] for place in self.start.places)
        state = self._state([taking[1] for taking in first if taking])
        return [] if state.accepts else self._elements_of(state)

    def _elements_of(self, state: State) -> list[Element]:
        numbers = {taking[0] for taking in map(self._taking.__getitem__, state.places) if taking}
        return [self._elements[number] for number in sorted(numbers)]

    def _taken_by(self, character: str) -> frozenset[int]:
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
            state = self._states[places, accepts] = State(self, places, accepts, self._continues(places))
        return state

    def _continues(self, places: frozenset[int]) -> frozenset[str] | None:
        characters: set[str] = set()
        for place in places:
            taking = self._taking[place]
            outside = self._outside[taking[0]] if taking else frozenset()
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
