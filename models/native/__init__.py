"""Functions in C, for what Python is too slow at; without a compiler, the same in Python.

``native`` is the compiled module, or None where it was not built: no C compiler, no headers of Python, or
an install of older sources. Whoever calls it keeps a twin in Python that gives the same to the last bit, and
a test that holds the two equal. This is the only place that decides; nothing else imports ``_compiled``.

To add a function:

1. Write it in a C file here, one noun a file, with a comment that names its twin. ``functions.h`` declares
   what checks arguments: the type and length of every buffer, on every call, before it is read.
2. Declare it in ``functions.h``, list it in ``module.c``, and add its file to ``sources`` in
   ``pyproject.toml``.
3. Describe it in ``Native`` below, and repeat its signature in ``_compiled.pyi``.
4. Raise ``INTERFACE`` here and in ``module.c``: a module that was built before is not used then.
5. Build it by ``make``, and test in ``tests/unit/test_native.py`` that it equals its twin, for any arguments.

A function keeps nothing between calls, raises what Python would raise, and lets other threads run where it
may take more than some ten microseconds. It compiles without a warning under ``-Wall -Wextra``, and without
options that round otherwise than Python does.
"""

from collections.abc import Callable
from re import Match
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Nodes, roots, values, width and columns, see ``Native.add_leaves``.
Trees = tuple[bytes, bytes, bytes, int, int]

# Raised by one whenever a function comes, goes or changes its meaning; module.c has the same number.
INTERFACE = 10


class Native(Protocol):
    """The functions in C. Arguments go by position."""

    def add_leaves(self, trees: Trees, rows: Floats, sums: Floats, /) -> None:
        """Add the leaves that rows end in to the sums of each row, tree after tree.

        Trees are five things:

        1. Their nodes; of each float32 threshold, uint32 feature, uint32 child and uint32 leaf. A row whose
           feature is not above the threshold, or not a number, goes to the child, any other to the node
           behind the child. A leaf has an infinite threshold and is its own child.
        2. uint32 position of each tree's root.
        3. float64[leaves, width], what each leaf adds.
        4. Width, above 0.
        5. Number of columns, above 0.

        What nodes and roots point at is not checked on every call: none may point outside, and no walk may
        go in circles. ``models.estimators.tree_walk.check_trees`` refuses such.

        Args:
            trees: As above.
            rows: float64[rows, columns] in C order. Rounded to float32; what lies beyond becomes infinite.
            sums: float64[rows, outputs] in C order, changed in place; outputs are a multiple of the width.
                The first tree adds to the first sums, the next to those behind, and so on in turn.

        Raises:
            TypeError: An argument is of another type.
            ValueError: An argument is of another item type, length or order.
            BufferError: Sums cannot be written.
        """
        ...

    def matching_blocks(self, first: bytes, other: bytes, items: int, /) -> list[tuple[int, int, int]]:
        """Find what two sequences share, as ``difflib.SequenceMatcher`` without a test for junk does.

        Args:
            first: int32 numbers of its items, one at least; equal items have equal numbers.
            other: Likewise.
            items: All numbers are from 0 to below this.

        Returns:
            ``get_matching_blocks()`` without the empty block at its end: start in either, and length.

        Raises:
            TypeError: An argument is of another type.
            ValueError: A sequence is empty or holds another number.
        """
        ...

    def change_counts(
        self, new: list[list[dict[str, int]]], gone: list[list[dict[str, int]]], places: int, /
    ) -> list[dict[str, int]]:
        """Do what ``models.engine.changes.change_counts`` says.

        Raises:
            TypeError: An argument is of another type.
            IndexError: A block has fewer tables.
            KeyError: What went was not there.
        """
        ...

    def change_figures(
        self,
        counts: list[dict[str, int]],
        before: list[dict[str, int]],
        blocks: list[list[dict[str, int]]],
        /,
    ) -> list[tuple[float, float, float, float, float, float]]:
        """Do what ``models.engine.changes.change_figures`` says.

        Raises:
            TypeError: An argument is of another type.
            IndexError: There is less in one list than in another.
            ZeroDivisionError: There is less of something that was not there.
        """
        ...

    def dump_revision(self, xml: bytes, start: int, /) -> tuple[dict[str, Any], int, int] | None:
        """Read a revision of a dump that is written as MediaWiki writes it.

        Args:
            xml: In UTF-8.
            start: Of a line that opens the element, blanks aside.

        Returns:
            What its elements hold, as ``batch.dump_parser.DumpParser`` gathers it, where the line behind it
            begins, and how many lines it takes. None where it is not whole, or written otherwise, well or
            badly.

        Raises:
            TypeError: An argument is of another type.
            ValueError: There is no such place.
            OverflowError: Nor could there be one.
        """
        ...

    def expand_bz2_runs(
        self, block: bytes, start: int, limit: int, checksum: int, /
    ) -> tuple[bytes, int, int]:
        """Expand the runs in what `unpack_bz2_block` returned, piece by piece.

        Args:
            block: What it returned.
            start: 0, or where the piece before ended.
            limit: From so many bytes on the piece ends, in the midst of no run. At most 1 << 30.
            checksum: Of the pieces before; 0xFFFFFFFF for none.

        Returns:
            The piece, where the next one begins, and the checksum, whose bits are turned round at the end.

        Raises:
            TypeError: An argument is of another type.
            ValueError: The block ends within a run, or there is no such place or limit.
            OverflowError: A number does not fit its type.
        """
        ...

    def in_order(self, tables: list[dict[str, int]], items: dict[str, int], /) -> dict[str, int]:
        """Do what ``models.engine.changes.in_order`` says.

        Raises:
            TypeError: An argument is of another type.
        """
        ...

    def longest_run(self, lowered: str, /) -> int:
        """Return the length of the longest run of one character; 0 for no text."""
        ...

    def move_sums(self, sums: list[int], new: list[list[int]], gone: list[list[int]], /) -> list[int]:
        """Do what ``models.engine.changes.move_sums`` says.

        Raises:
            TypeError: An argument is of another type.
            ValueError: A block has more or fewer sums.
            OverflowError: A sum does not fit 64 bits.
        """
        ...

    def scan_nodes(
        self, text: str, classes: bytes, /
    ) -> tuple[tuple[int, ...], list[int], list[str], bool] | None:
        """Do what ``models.engine.node_scan_of.scan_nodes_of`` says.

        Args:
            text: Any.
            classes: See ``models.engine.characters.known_classes``.

        Raises:
            TypeError: An argument is of another type.
        """
        ...

    def split_blocks(self, text: str, classes: bytes, /) -> list[str]:
        """Do what ``models.engine.blocks.split_blocks_of`` says.

        Args:
            text: Any.
            classes: See ``models.engine.characters.known_classes``.

        Raises:
            TypeError: An argument is of another type.
        """
        ...

    def split_tokens(
        self, text: str, classes: bytes, match: Callable[[str, int], Match[str] | None], /
    ) -> list[str]:
        """Split wikitext into the tokens of deltas' lexicon.

        Args:
            text: Any.
            classes: What each of the first characters is to the lexicon, see ``models.engine.tokens``.
            match: Of the lexicon as one expression; is asked for tokens that cannot be told without it.

        Raises:
            TypeError: An argument is of another type.
            ValueError: The expression matched nothing, or beyond the text.
            Exception: What ``match`` raised.
        """
        ...

    def tally(
        self,
        items: list[str],
        verdicts: dict[str, Any],
        tables: list[dict[Any, int]],
        sums: list[int],
        maxima: list[int],
        /,
    ) -> None:
        """Add up what items count for.

        Args:
            items: With repetitions.
            verdicts: Of an item, a tuple of three: pairs of tables that count it and the key there; sums
                and what it adds, and maxima and the value to compare, both as
                ``models.engine.analysis.Verdict`` packs them. An item that is not there is asked for as
                ``verdicts[item]``.
            tables: Changed in place. Keys come in the order in which their verdicts came first; an empty
                table is not filled, but another put in its place.
            sums: Changed in place.
            maxima: Changed in place.

        Raises:
            TypeError: An argument, or a verdict, is of another type.
            IndexError: A verdict names a place that is not there.
            ValueError: The numbers of a verdict are no pairs.
            OverflowError: A number does not fit 64 bits.
            Exception: What ``verdicts[item]`` raised.
        """
        ...

    def token_codes(self, tokens: list[Any], code_of: dict[type, int], /) -> bytes:
        """Do what ``models.engine.node_codes.token_codes`` says.

        Raises:
            KeyError: The type of a token has no code.
            TypeError: An argument is of another type.
            ValueError: A code is no byte.
        """
        ...

    def tokens_are_sound(self, tokens: list[Any], codes: bytes, /) -> bool:
        """Do what ``models.engine.node_codes.are_sound_tokens`` says.

        Raises:
            KeyError: A token lacks a value that its kind has.
            TypeError: An argument, or a token, is of another type.
        """
        ...

    def unpack_bz2_block(self, packed: bytes, bit: int, most: int, /) -> tuple[bytes, int] | None:
        """Unpack a block of bzip2, but for the runs in it.

        Args:
            packed: Any bytes.
            bit: Where the block begins, behind its checksum; from the highest bit of the first byte on.
            most: Size of a block, at most 900,000.

        Returns:
            What was packed, and the bit behind the block. None where the bytes end before it does.

        Raises:
            TypeError: An argument is of another type.
            ValueError: There is no block, or no such place or size.
            OverflowError: A number does not fit its type.
        """
        ...

    def word_runs(self, text: str, classes: bytes, /) -> list[str]:
        r"""Return ``re.findall(r"\w+", text)``.

        Args:
            text: Any.
            classes: See ``models.engine.characters.known_classes``; what is not there is asked for.

        Raises:
            TypeError: An argument is of another type.
        """
        ...


def _load() -> Native | None:
    try:
        from models.native import _compiled  # noqa: PLC0415 (absent where there was no compiler)
    except ImportError:
        return None
    return _compiled if _compiled.INTERFACE == INTERFACE else None


native = _load()
