"""Addresses by which workers are reached, with the token that they want to be shown.

A worker makes a token when it starts, and puts it into the address that it tells its group or its log. So who
may read these may ask it what peers ask, and nobody else; there is nothing to set up.
"""

from base64 import b64encode
from collections.abc import Iterable
from hashlib import blake2b
from secrets import token_urlsafe
from typing import Final

from yarl import URL

_USER: Final = "peer"
_TOKEN_BYTES: Final = 16


def with_token(address: str) -> str:
    """Return an address with a new token in it."""
    return str(URL(address).with_user(_USER).with_password(token_urlsafe(_TOKEN_BYTES)))


def without_token(address: str) -> str:
    """Return an address as it may be shown."""
    return str(URL(address).with_user(None)).rstrip("/")


def authorization_of(address: str) -> str:
    """Return the header that HTTP clients make of the token in an address."""
    return "Basic " + b64encode(f"{_USER}:{URL(address).password or ''}".encode()).decode()


def by_rendezvous(addresses: Iterable[str], wiki_id: str, rev_id: int) -> list[str]:
    """Return addresses in the order in which they are responsible for a revision.

    All who know the same addresses come to the same order, and where one comes or goes only the revisions
    that it was, or will be, the first for have another first (rendezvous hashing).
    """
    key = blake2b(f"{wiki_id}\0{rev_id}".encode(), digest_size=16).digest()
    return sorted(addresses, key=lambda one: blake2b(one.encode(), key=key, digest_size=8).digest())
