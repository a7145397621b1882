"""Asha Bank's phone line: a menu, a PIN, a spoken balance, and a way to a person.

``./run`` serves it; ``./run call balance`` calls it. In Exotel's flow builder a Passthru applet behind the Voicebot
applet sends callers who asked for a person to its branch B.
"""

from __future__ import annotations

import enum

from attrs import define

from callflow import Call, CollectDigits, Failed, Flow, Hangup, Menu, Say, Secret, State, key
from examples.bank_ivr.amounts import rupees
from examples.bank_ivr.bank import Bank, BankDown, FakeBank, PinCheck, Transfer


@define
class Caller:
    """What is known of a caller during one call."""

    account: str = ""
    verified: bool = False


class Wish(enum.Enum):
    """What a caller can hear about the account."""

    BALANCE = "balance"
    TRANSFER = "last transfer"


C = Call[Caller]


class Welcome(Say[Caller], prompt="welcome.wav"):
    def then(self, call: C) -> FindAccount:
        return FindAccount()


class FindAccount(State[Caller], timeout=5.0):
    async def run(self, call: C) -> MainMenu | Stranger | Slow:
        try:
            account = await call.get(Bank).account_of(call.caller)
        except BankDown:
            return Slow()
        if account is None:
            return Stranger()
        call.data.account = account
        return MainMenu()

    def on_timeout(self, call: C) -> Slow:
        return Slow()


class MainMenu(
    Menu[Caller],
    prompt="menu.wav",
    reprompts=("menu_again.wav",),
    no_input="no_input.wav",
    no_match="no_match.wav",
):
    @key("1")
    def balance(self, call: C) -> AskPin | LookUp:
        return LookUp(Wish.BALANCE) if call.data.verified else AskPin(Wish.BALANCE)

    @key("2")
    def last_transfer(self, call: C) -> AskPin | LookUp:
        return LookUp(Wish.TRANSFER) if call.data.verified else AskPin(Wish.TRANSFER)

    @key("0")
    def person(self, call: C) -> Person:
        return Person()

    @key("9")
    def repeat(self, call: C) -> MainMenu:
        return MainMenu()

    def on_failed(self, call: C, why: Failed) -> Goodbye:
        return Goodbye()


class AnythingElse(MainMenu, prompt=("anything_else.wav", "menu_again.wav"), reprompts=(), tries=1, first_digit=4.0):
    """The menu after an answer: silence is a polite no."""


class AskPin(CollectDigits[Caller], prompt="pin.wav", length=4, no_input="no_input.wav", too_short="pin_short.wav"):
    wish: Wish

    def on_digits(self, call: C, digits: Secret) -> CheckPin:
        return CheckPin(self.wish, digits)

    def on_failed(self, call: C, why: Failed) -> Goodbye:
        return Goodbye()


class AskAgain(AskPin, prompt="pin_wrong.wav"):
    """The PIN was wrong, and there are tries left."""


class CheckPin(State[Caller], timeout=5.0):
    wish: Wish
    pin: Secret

    async def run(self, call: C) -> LookUp | AskAgain | Locked | Slow:
        try:
            answer = await call.get(Bank).check_pin(call.data.account, self.pin)
        except BankDown:
            return Slow()
        match answer:
            case PinCheck.RIGHT:
                call.data.verified = True
                return LookUp(self.wish)
            case PinCheck.WRONG:
                return AskAgain(self.wish)
            case PinCheck.LOCKED:
                return Locked()

    def on_timeout(self, call: C) -> Slow:
        return Slow()


class LookUp(State[Caller], timeout=5.0):
    wish: Wish

    async def run(self, call: C) -> Answer | Slow:
        bank = call.get(Bank)
        try:
            if self.wish is Wish.BALANCE:
                return Answer(say_balance(await bank.balance(call.data.account)))
            return Answer(say_transfer(await bank.last_transfer(call.data.account)))
        except BankDown:
            return Slow()

    def on_timeout(self, call: C) -> Slow:
        return Slow()


class Answer(State[Caller], timeout=60.0):
    words: tuple[str, ...]

    async def run(self, call: C) -> AnythingElse:
        await call.play(self.words, barge_in="dtmf")
        return AnythingElse()

    def on_timeout(self, call: C) -> Goodbye:
        return Goodbye()


class Person(Hangup[Caller], prompt="person.wav", branch="B"):
    """Exotel's next Passthru takes branch B: a Connect applet that rings a person."""


class Stranger(Hangup[Caller], prompt=("unknown_number.wav", "person.wav"), branch="B"):
    """No account has the caller's number."""


class Locked(Hangup[Caller], prompt="locked.wav"):
    """Too many wrong PINs, in this call or in others."""


class Slow(Hangup[Caller], prompt="slow.wav"):
    """The bank is slow or down."""


class Goodbye(Hangup[Caller], prompt="goodbye.wav"):
    """Heard to its end, then the line is closed."""


def say_balance(paise: int) -> tuple[str, ...]:
    """Give the prompts that say a balance."""
    return ("overdrawn.wav" if paise < 0 else "balance_is.wav", *rupees(abs(paise)))


def say_transfer(transfer: Transfer | None) -> tuple[str, ...]:
    """Give the prompts that say a transfer."""
    if transfer is None:
        return ("no_transfer.wav",)
    way = "sent_to.wav" if transfer.paise < 0 else "received_from.wav"
    digits = (f"{_DIGITS[int(digit)]}.wav" for digit in transfer.ending)
    return ("transfer_is.wav", *rupees(abs(transfer.paise)), way, "account_ending.wav", *digits)


_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

bank_ivr = Flow("bank-ivr", start=Welcome, data=Caller, provide=[FakeBank()])
