"""The steps of a plan as they are run: what is read off one value is read at once, the rest in turn."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

Known = Mapping[Hashable, Any]


class Step(NamedTuple):
    """One node of the graph.

    Attributes:
        place: Of its value.
        process: Makes the value.
        below: Places of what it is made of.
        returns: What the value is to be one of; any ``object`` for what is no feature.
        check: Makes any other value one of these, or raises.
        key: The same for steps that make the same of a text; None where it takes more than one text.
        side: 0 where it follows from the parent's text alone, 1 from the revision's own, 2 otherwise.
        twin: Place of the step that does the same to the parent's text; None without one.
        takes_before: Whether it is made quicker from its own value for a text like this one.
        frees: Places that nothing reads after this step.
    """

    place: int
    process: Callable[..., Any]
    below: tuple[int, ...]
    returns: type | tuple[type, ...]
    check: Callable[[Any], Any]
    key: int | None
    side: int
    twin: int | None
    takes_before: bool
    frees: tuple[int, ...]


@runtime_checkable
class ReadsTogether(Protocol):
    """A process of one value that costs less where others of its kind read the same value."""

    def together(self, processes: Sequence[Any], /) -> Callable[[Any], Sequence[Any]]:
        """Return what gives the values of several such processes, each of the type that its feature has."""
        ...


class Program:
    """Runs the steps of a plan.

    Args:
        steps: In an order that works, those of both texts first.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        # Named tuples take three times as long to take apart, which a hundred steps and more of each
        # revision would feel.
        self._of_texts: list[tuple[Any, ...]] = [
            (*step[:2], step.below[0], *step[2:]) for step in steps if step.key is not None
        ]
        self._others = list(_grouped([step for step in steps if step.key is None]))

    def run(self, values: list[Any], known: Sequence[Known], of_page: Known) -> None:
        """Fill in the values of all steps.

        Args:
            values: By place; the roots are there.
            known: What is known already by key, of the parent's text and of the revision's own.
            of_page: What was kept of any text like these.

        Raises:
            Exception: What a process raised.
        """
        self._run_of_texts(values, known, of_page)
        for place, process, first, second, below, returns, check, frees in self._others:
            if second is not None:
                value = process(values[first], values[second])
            elif first is not None:
                value = process(values[first])
            else:
                value = process(*[values[each] for each in below])
            if place is not None:
                values[place] = value if isinstance(value, returns) else check(value)
            else:
                for at, each in zip(below, value, strict=True):
                    values[at] = each
            for each in frees:
                values[each] = None

    def _run_of_texts(self, values: list[Any], known: Sequence[Known], of_page: Known) -> None:
        for (
            place,
            process,
            first,
            below,
            returns,
            check,
            key,
            side,
            twin,
            takes_before,
            frees,
        ) in self._of_texts:
            if key in known[side]:
                values[place] = known[side][key]
                continue
            if takes_before:
                before = None if twin is None else values[twin]
                value = process(values[first], of_page.get(key) if before is None else before)
            elif len(below) == 1:
                value = process(values[first])
            else:
                value = process(*[values[each] for each in below])
            values[place] = value if isinstance(value, returns) else check(value)
            for each in frees:
                values[each] = None


def _grouped(steps: Sequence[Step]) -> Iterator[tuple[Any, ...]]:
    """Yield what is run for steps, in their order; those that are read together where the first of them is.

    Yields:
        Place; process; its first and second argument, both None where there is none or more of them; places
        of all arguments; what it returns, and else checks; places to free. The place is None for several
        steps: then the places are those of their values.
    """
    together: defaultdict[Hashable, list[Step]] = defaultdict(list)
    for step in steps:
        process: Any = step.process
        if isinstance(process, ReadsTogether):
            together[type(process), step.below].append(step)
    for step in steps:
        process = step.process
        group = together.get((type(process), step.below), [step])
        if step is not group[0]:
            continue
        if len(group) == 1:
            few = len(step.below) in {1, 2}
            first, second = (*step.below, None)[:2] if few else (None, None)
            yield step.place, process, first, second, step.below, step.returns, step.check, step.frees
        else:
            process = process.together([each.process for each in group])
            places = tuple(each.place for each in group)
            frees = tuple(place for each in group for place in each.frees)
            yield None, process, step.below[0], None, places, None, None, frees
