"""What a question about model information can get wrong."""

from schemas.errors import InfoPathUnknown


def unknown(key: str) -> InfoPathUnknown:
    """Return the error for a key that leads nowhere, in ORES's words, which its clients know."""
    return InfoPathUnknown(f"Model information could not be retrieved for {key[:200]!r}")
