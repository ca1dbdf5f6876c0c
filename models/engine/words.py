"""What a function says of single words, remembered up to a bound."""

from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")

LONGEST = 64
"""Characters of the longest word that is remembered. Longer ones are rare, and would make a bound on the
number of words no bound on memory."""


class WordMemo(dict[str, Value], Generic[Value]):
    """A mapping from words to what a function of a word returns, computed when a word is first asked for.

    Ask by ``memo[word]``, or over many words by ``map(memo.__getitem__, words)``, which stays inside the
    interpreter's own loop for the words that are known.

    Args:
        function: Of the word alone, and always the same for the same word.
        bound: Words; when so many are remembered, all are forgotten before the next is added.
    """

    def __init__(self, function: Callable[[str], Value], bound: int) -> None:
        super().__init__()
        self._function = function
        self._bound = bound

    def __missing__(self, word: str) -> Value:
        value = self._function(word)
        if len(word) <= LONGEST:
            if len(self) >= self._bound:
                self.clear()
            self[word] = value
        return value
