"""The people, programs and addresses that edit the sample wiki."""

import random
from collections.abc import Iterator

from msgspec import Struct

from batch.sample_text import Composer

DAY_SECONDS = 86_400
_AUTOCONFIRMED_DAYS = 4
_AUTOCONFIRMED_EDITS = 10
# Addresses that RFC 5737 and RFC 3849 keep for documentation.
_ADDRESS_BLOCKS = ("192.0.2", "198.51.100", "203.0.113")


class Account(Struct):
    """Who edits. The count of edits grows; nothing else changes.

    Attributes:
        user_text: Name or address.
        user_id: None for an address.
        rights: Groups given by someone.
        registered_seconds: When the account was made, Unix time; None for an address.
        edit_count: Edits so far.
    """

    user_text: str
    user_id: int | None = None
    rights: tuple[str, ...] = ()
    registered_seconds: int | None = None
    edit_count: int = 0

    @property
    def is_bot(self) -> bool:
        """Whether a program edits here."""
        return "bot" in self.rights

    def groups(self, now_seconds: int) -> list[str]:
        """Return all groups at a time, those that come by themselves last."""
        if self.user_id is None or self.registered_seconds is None:
            return ["*"]
        age_seconds = now_seconds - self.registered_seconds
        is_confirmed = (
            age_seconds >= _AUTOCONFIRMED_DAYS * DAY_SECONDS and self.edit_count >= _AUTOCONFIRMED_EDITS
        )
        return [*self.rights, "*", "user", *(["autoconfirmed"] if is_confirmed else [])]


class Population:
    """Chooses who makes an edit.

    Args:
        rng: Where all chance comes from.
        composer: Gives the names.
        size: Accounts at the start; as many again may join.
        start_seconds: When the history begins, Unix time.
    """

    def __init__(self, rng: random.Random, composer: Composer, size: int, start_seconds: int) -> None:
        self._rng = rng
        self._composer = composer
        self._names: set[str] = set()
        self._next_id = 1
        self._limit = 2 * size
        self._newcomers: list[Account] = []
        self._address = ""

        def made(rights: tuple[str, ...], years: float, name: str = "") -> Account:
            age_seconds = int((0.2 + rng.random()) * years * 365 * DAY_SECONDS)
            account = self._registered(name or self._name(), rights, start_seconds - age_seconds)
            account.edit_count = int(age_seconds / DAY_SECONDS * (0.1 + 2 * rng.random()))
            return account

        self._admins = [made(("sysop",), 9) for _ in range(3)]
        self._patrollers = [made(("rollbacker",), 6) for _ in range(5)]
        self._bots = [made(("bot",), 7, name) for name in ("CiteBot", "TidyBot", "CategoryBot")]
        self._guard = made(("bot",), 5, "GuardBot")
        self._regulars = [
            made(("autopatrolled",) if rng.random() < 0.2 else (), 5) for _ in range(max(size - 12, 8))
        ]

    def __iter__(self) -> Iterator[Account]:
        """Give all accounts, by their ids."""
        groups = (self._admins, self._patrollers, self._bots, [self._guard], self._regulars, self._newcomers)
        accounts = [account for group in groups for account in group]
        return iter(sorted(accounts, key=lambda account: account.user_id or 0))

    def admin(self) -> Account:
        """Return someone who may delete and hide."""
        return self._one(self._admins)

    def patroller(self) -> Account:
        """Return who reverts: mostly people with the right to roll back, else a program."""
        chance = self._rng.random()
        if chance < 0.3:
            return self._guard
        return self._one(self._patrollers if chance < 0.8 else self._admins)

    def bot(self) -> Account:
        """Return a program."""
        return self._one(self._bots)

    def regular(self) -> Account:
        """Return someone who has been here for a while."""
        # A few write most.
        return self._regulars[int(len(self._regulars) * self._rng.random() ** 2)]

    def address(self) -> Account:
        """Return someone without an account, sometimes the same as last time."""
        if not self._address or self._rng.random() < 0.75:
            number = self._composer.number
            self._address = (
                f"{self._composer.one(_ADDRESS_BLOCKS)}.{number(1, 255)}"
                if self._rng.random() < 0.7
                else f"2001:DB8:{number(1, 65536):X}:{number(1, 65536):X}:0:0:0:{number(1, 65536):X}"
            )
        return Account(self._address)

    def newcomer(self, now_seconds: int) -> Account:
        """Return someone who joined within the last days, mostly within the last hours."""
        if self._newcomers and (self._rng.random() < 0.4 or len(self._names) >= self._limit):
            recent = self._newcomers[-5:]
            return self._one(recent)
        age_seconds = int(self._rng.expovariate(1 / (DAY_SECONDS / 4))) + 60
        account = self._registered(self._name(), (), now_seconds - age_seconds)
        self._newcomers.append(account)
        return account

    def _one(self, accounts: list[Account]) -> Account:
        return accounts[int(self._rng.random() * len(accounts))]

    def _registered(self, name: str, rights: tuple[str, ...], seconds: int) -> Account:
        self._names.add(name)
        account = Account(name, self._next_id, rights, seconds)
        self._next_id += 1
        return account

    def _name(self) -> str:
        name = self._composer.person()
        if self._rng.random() < 0.4:
            name = f"{name.split()[1]}{self._composer.number(10, 2020)}"
        while name in self._names:
            name += str(self._composer.number(0, 10))
        return name
