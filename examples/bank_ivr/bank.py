"""The bank behind the phone line: what the flow asks of it, and a stand-in that can be slow or down.

The flow knows ``Bank`` alone. In production it is a client of the bank's own service; here it is ``FakeBank``, which
holds its accounts in memory. Numbers and PINs are invented: +91 0… cannot be anybody's.
"""

from __future__ import annotations

import enum
from typing import Protocol, runtime_checkable

import trio
from attrs import Factory, define, frozen

from callflow import Secret

WRONG_PINS = 3
"""Wrong PINs in a row that lock an account, counted across calls."""


class BankDown(Exception):
    """The bank's service does not answer, or answers with an error."""


class PinCheck(enum.Enum):
    """What the bank says of a PIN."""

    RIGHT = "right"
    WRONG = "wrong"
    LOCKED = "locked"


@frozen
class Transfer:
    """A transfer; ``paise`` is below zero when money left the account."""

    paise: int
    ending: str
    """Last four digits of the other account."""


@runtime_checkable
class Bank(Protocol):
    """What the flow needs to know. Every method may raise ``BankDown`` and may take its time."""

    async def account_of(self, number: str) -> str | None:
        """Find the account that belongs to a caller's number."""

    async def check_pin(self, account: str, pin: Secret) -> PinCheck:
        """Check a PIN; the bank counts wrong ones and locks the account itself, so that a new call is no new chance."""
        ...

    async def balance(self, account: str) -> int:
        """Give the balance in paise; below zero is an overdraft."""
        ...

    async def last_transfer(self, account: str) -> Transfer | None:
        """Give the last transfer, or None if there was none."""


@define
class Account:
    """One account of the stand-in."""

    pin: str
    paise: int
    transfer: Transfer | None = None
    wrong: int = 0


def example_accounts() -> dict[str, Account]:
    """Make the accounts that the example calls use, by caller's number."""
    return {
        "+910000000105": Account(pin="4129", paise=12_340_50, transfer=Transfer(-2_500_00, "4210")),
        "+910000000106": Account(pin="7702", paise=1_23_45_678_00),
        "+910000000107": Account(pin="0000", paise=-75_00, transfer=Transfer(40_000_00, "0091")),
    }


@define
class FakeBank:
    """A bank in memory.

    ``delay`` seconds pass before each answer; ``down`` makes every question fail.
    """

    accounts: dict[str, Account] = Factory(example_accounts)
    delay: float = 0.2
    down: bool = False

    async def account_of(self, number: str) -> str | None:
        await self._answer()
        return number if number in self.accounts else None

    async def check_pin(self, account: str, pin: Secret) -> PinCheck:
        await self._answer()
        held = self.accounts[account]
        if held.wrong >= WRONG_PINS:
            return PinCheck.LOCKED
        if pin == Secret(held.pin):
            held.wrong = 0
            return PinCheck.RIGHT
        held.wrong += 1
        return PinCheck.LOCKED if held.wrong >= WRONG_PINS else PinCheck.WRONG

    async def balance(self, account: str) -> int:
        await self._answer()
        return self.accounts[account].paise

    async def last_transfer(self, account: str) -> Transfer | None:
        await self._answer()
        return self.accounts[account].transfer

    async def _answer(self) -> None:
        await trio.sleep(self.delay)
        if self.down:
            raise BankDown
