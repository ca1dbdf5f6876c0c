"""Ids that follow from what they name, so that doing a thing twice names it once."""

from hashlib import sha1
from uuid import UUID

from msgspec.json import Encoder

_encoder = Encoder()


def derived_id(namespace: UUID, *parts: object) -> str:
    """Return the version 5 UUID of some parts.

    Args:
        namespace: One per kind of thing named.
        parts: Anything that msgspec writes as JSON: the name is their JSON array, so that no two lists of
            parts share a name.

    Returns:
        What ``str(uuid.uuid5(namespace, name))`` gives, at a quarter of its cost.
    """
    digest = sha1(namespace.bytes + _encoder.encode(parts), usedforsecurity=False).hexdigest()
    variant = "89ab"[int(digest[16], 16) & 3]
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"
