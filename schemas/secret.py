"""Text that must not be shown."""

from hmac import compare_digest


class Secret:
    """A password or a token. It shows itself as stars wherever it is written or logged.

    Args:
        text: May be empty, which means that none is set.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str = "") -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text, for whoever has to send it."""
        return self._text

    def matches(self, other: bytes) -> bool:
        """Tell whether bytes are this secret, in a time that does not depend on where they differ.

        An empty secret matches nothing.
        """
        return bool(self._text) and compare_digest(self._text.encode(), other)

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash(self._text)

    def __str__(self) -> str:
        return "***" if self._text else ""

    def __repr__(self) -> str:
        return f"Secret({str(self)!r})"

    def __reduce__(self) -> str:
        # Whatever pickles an object that holds one would write it in plain text.
        raise TypeError("a secret is not pickled")
