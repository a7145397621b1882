"""A small line to call in tests of the kit: a menu, a secret entry, a service, and a state that breaks."""

from __future__ import annotations

from pathlib import Path

import trio
from attrs import define

from callflow import Call, CollectDigits, Dtmf, Failed, Flow, Hangup, Menu, Say, Secret, State, key
from tests.call.stage import write_prompts


@define
class Guest:
    """What is known of a caller."""

    pin: Secret | None = None
    verified: bool = False


class Vault:
    """A service: knows the PIN."""

    def fits(self, pin: Secret) -> bool:
        return pin.reveal() == "4711"


C = Call[Guest]


class Welcome(Say[Guest], prompt="welcome.wav", barge_in="any"):
    def then(self, call: C) -> Choice:
        return Choice()


class Choice(Menu[Guest], prompt="menu.wav"):
    @key("1")
    def enter(self, call: C) -> AskPin:
        return AskPin()

    @key("2")
    def break_it(self, call: C) -> Broken:
        return Broken()

    @key("3")
    def wait(self, call: C) -> Waiting:
        return Waiting()

    @key("4")
    def leave(self, call: C) -> Bye:
        return Bye()

    def on_failed(self, call: C, failed: Failed) -> Bye:
        return Bye()


class AskPin(CollectDigits[Guest], prompt="pin.wav", length=4):
    def on_digits(self, call: C, digits: Secret) -> Bye:
        call.data.pin = digits
        call.data.verified = call.get(Vault).fits(digits)
        return Bye()

    def on_failed(self, call: C, failed: Failed) -> Bye:
        return Bye()


class Broken(State[Guest], timeout=5.0):
    async def run(self, call: C) -> Bye:
        raise KeyError("no such account")

    def on_timeout(self, call: C) -> Bye:
        return Bye()


class Waiting(State[Guest], timeout=20.0):
    async def run(self, call: C) -> None:
        await trio.sleep_forever()

    def on_dtmf(self, call: C, key: Dtmf) -> Bye | None:
        return Bye() if key.digit == "#" else None

    def on_timeout(self, call: C) -> Bye:
        return Bye()


class Bye(Hangup[Guest], prompt="bye.wav"): ...


def make_line(folder: Path) -> Flow[Guest]:
    return Flow("line", start=Welcome, data=Guest, prompts=write_prompts(folder), provide=[Vault()])
