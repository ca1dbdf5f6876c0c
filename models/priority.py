"""Who waits for whom before the scoring processes."""

from enum import IntEnum


class Priority(IntEnum):
    """Class of a revision that is to be scored; the lowest number goes first.

    A class starts only while none above it waits. It may so wait without end, which harms nobody: no limit
    counts the time that a revision waits, and what waits holds a place in a window that then takes no more
    of its kind. What a process was given before is finished first.
    """

    ON_DEMAND = 0
    """A client waits for it."""
    STREAM = 1
    """Of an event as it comes."""
    RETRY = 2
    """Of an event that was put off."""
    BACKFILL = 3
    """Of the past."""
