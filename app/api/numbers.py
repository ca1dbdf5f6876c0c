"""Revision and page ids as clients write them."""

_DIGITS_MOST = 19
_ID_END = 1 << 63


def parse_id(text: str) -> int | None:
    """Return the id that a text of plain digits names; None where it is no number in [0, 2**63).

    Signs, blanks, underscores and digits of other scripts are refused, and so are texts of more digits
    than an id can have, before any arithmetic.
    """
    if not (len(text) <= _DIGITS_MOST and text.isascii() and text.isdigit()):
        return None
    number = int(text)
    return number if number < _ID_END else None
