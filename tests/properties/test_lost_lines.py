"""Whatever becomes of its lines, a call is one: what it does is done once, what it knows is kept, nothing is left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from attrs import define, field, frozen
from hypothesis import given
from hypothesis import strategies as st

from callflow import Call, CollectDigits, Failed, Flow, Hangup, Menu, Resumed, Say, Secret, State, key
from callflow.call.journal import Kind
from callflow.wire.exotel import encode
from callflow.wire.messages import Dtmf, Stop
from tests.call.far_end import Peer, dialled, opening, text
from tests.call.stage import Stage, in_virtual_time, left_over, serving, write_prompts

PIN = "1234"


@define
class Account:
    """The data of one call."""

    right: int = 0
    wrong: int = 0
    begun: list[int] = field(factory=list)
    """Number of each transfer that was begun."""
    done: list[int] = field(factory=list)
    failed: list[Failed] = field(factory=list)
    away: int = 0
    back: int = 0


C = Call[Account]


class Told(State[Account], timeout=600.0):
    """Base of the states here: counts what it is told of the line."""

    def on_detached(self, call: C) -> None:
        call.data.away += 1

    def on_resumed(self, call: C, gap: Resumed) -> None:
        call.data.back += 1

    def on_timeout(self, call: C) -> Bye:
        return Bye()


class Welcome(Say[Account], prompt="welcome.wav"):
    def then(self, call: C) -> Choose:
        return Choose()


class Choose(Menu[Account], prompt="menu.wav", reprompts=("sorry.wav",)):
    @key("1")
    def pay(self, call: C) -> AskPin:
        return AskPin()

    def on_failed(self, call: C, why: Failed) -> Bye:
        call.data.failed.append(why)
        return Bye()


class AskPin(CollectDigits[Account], prompt="pin.wav", length=4):
    def on_digits(self, call: C, digits: Secret) -> Transfer | AskPin | Bye:
        if digits.reveal() == PIN:
            call.data.right += 1
            return Transfer(number=call.data.right)
        call.data.wrong += 1
        return AskPin() if call.data.wrong < 3 else Bye()

    def on_failed(self, call: C, why: Failed) -> Bye:
        call.data.failed.append(why)
        return Bye()


class Transfer(Told):
    number: int

    async def run(self, call: C) -> Choose:
        call.data.begun.append(self.number)
        await trio.sleep(1.5)
        call.data.done.append(self.number)
        await call.play("sorry.wav")
        return Choose()


class Bye(Hangup[Account], prompt="bye.wav"):
    """The end."""


# What callers and lines do.


@frozen
class Deed:
    """Something that happens, and how long nothing does before it."""

    after: float
    what: str
    """Keys; or ``drop``, ``back`` and ``takeover`` of the line, or a ``stranger`` who names this call."""


waits = st.sampled_from([0.0, 0.01, 0.2, 0.9, 1.0, 1.5, 2.5, 4.9])
keys = st.sampled_from(["1", "12", "34", PIN, "9999", "#", "1" + PIN])
lines = st.sampled_from(["drop", "back", "takeover", "stranger"])
deeds = st.lists(st.builds(Deed, waits, keys | lines), min_size=1, max_size=12)


@define
class Caller:
    """The far end of one call, over all its lines."""

    stage: Stage
    line: Peer | None = None
    links: int = 0

    async def connect(self) -> None:
        self.links += 1
        self.line = await dialled(self.stage.network, opening(stream_sid=f"stream{self.links}"))
        self.stage.nursery.start_soon(self.line.read)

    def drop(self) -> None:
        if self.line is not None:
            self.line.port.close(reset=True)
            self.line = None

    async def do(self, what: str) -> None:
        match what:
            case "drop":
                self.drop()
            case "back":
                if self.line is None:
                    await self.connect()
            case "takeover":
                await self.connect()  # nobody answers on the one before
                await trio.sleep(1.1)
            case "stranger":
                other = await dialled(self.stage.network, opening(account_sid="another"))
                await other.send(text(encode(Stop())))
                other.port.close()
            case _:
                if self.line is not None:
                    await self.line.send(*(text(encode(Dtmf(digit=digit))) for digit in what))


@frozen(kw_only=True)
class Ended:
    """What is to be judged when all is over."""

    stage: Stage
    account: Account
    links: int


async def lived(prompts: Path, script: list[Deed], seed: int) -> Ended:
    """Live through a script; what the stranger has is its own."""
    accounts: list[Account] = []

    def account() -> Account:
        accounts.append(Account())
        return accounts[-1]

    flow = Flow("lost", start=Welcome, prompts=prompts, data=account)
    async with serving(flow, seed=seed) as stage:
        caller = Caller(stage)
        await caller.connect()
        for deed in script:
            await trio.sleep(deed.after)
            if stage.server.calls[0].driver.ended_at is not None:
                break
            await caller.do(deed.what)
        caller.drop()
    return Ended(stage=stage, account=accounts[0], links=caller.links)


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_prompts(tmp_path_factory.mktemp("prompts"))


def fates(stage: Stage) -> Iterator[tuple[int, int]]:
    """Of each call, how many playbacks began and how many have a fate."""
    for call in stage.server.calls:
        told = [entry.what for entry in call.driver.journal.entries if entry.kind is Kind.PLAYBACK]
        yield told.count("queued"), len([what for what in told if what not in ("queued", "barge-in")])


@given(deeds, st.integers(0, 10_000))
def test_a_call_is_one_whatever_becomes_of_its_lines(prompts: Path, script: list[Deed], seed: int) -> None:
    ended = in_virtual_time(lived, prompts, script, seed)
    account, first = ended.account, ended.stage.server.calls[0]
    entered = [entry.details["state"] for entry in first.driver.journal.entries if entry.what == "entered"]

    assert max(Counter(account.begun).values(), default=0) <= 1, "run was run twice"
    assert len(account.begun) == entered.count("Transfer")
    assert account.done == account.begun[: len(account.done)]
    assert account.right == len(account.begun) or account.right == len(account.begun) + 1  # it may end in between
    assert [why.tries for why in account.failed] in ([], [3]), "a try was charged that was none"
    assert account.back <= account.away
    assert all(queued == told for queued, told in fates(ended.stage))
    assert left_over(ended.stage) == {}


@given(st.lists(st.sampled_from([("drop", 3.0), ("drop", 9.0), ("takeover", 0.0)]), min_size=1, max_size=4))
def test_a_call_that_comes_back_in_time_is_never_another(prompts: Path, losses: list[tuple[str, float]]) -> None:
    deeds = [Deed(1.0, "1"), Deed(0.5, PIN)]  # nothing the caller does ends it: the transfer leads back to the menu
    for how, seconds in losses:
        deeds += [Deed(0.7, how)] + ([Deed(seconds, "back")] if how == "drop" else [])
    ended = in_virtual_time(lived, prompts, deeds, 0)

    [record] = ended.stage.server.records
    assert (record.links, ended.account.begun, left_over(ended.stage)) == (1 + len(losses), [1], {})
