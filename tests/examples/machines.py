"""The machines of the examples: who calls them, what they must never do, and what has to happen at least once."""

from __future__ import annotations

from collections.abc import Mapping

import trio

from callflow import Recording
from callflow.testing.doubles import Double
from callflow.testing.machine import CallMachine
from callflow.testing.seen import Seen, always, in_the_end, sometimes
from callflow.wire.messages import Media
from examples.bank_ivr.bank import BankDown, FakeBank
from examples.bank_ivr.ivr import Answer, Caller, bank_ivr
from examples.echo import echo
from examples.queue import Desk, Waiting, queue
from examples.survey import QUESTIONS, Answers, survey
from examples.tap import Talk, tap
from examples.voicemail import Message, voicemail


class BankLine(
    CallMachine,
    flow=bank_ivr,
    services={"bank": Double(FakeBank, fails=BankDown)},
    answers={"pin": "4129"},
    callers=("+910000000105", "+910000000109"),
    require_edges=0.9,
):
    @always
    def nothing_is_told_to_a_stranger(self, seen: Seen[Caller]) -> None:
        assert not seen.entered(Answer) or seen.data.verified

    @sometimes
    def somebody_hears_the_balance(self, seen: Seen[Caller]) -> bool:
        return seen.played("balance_is.wav", complete=True)


class EchoLine(CallMachine, flow=echo, require_edges=0.9):
    @in_the_end
    def what_comes_back_was_said_and_in_this_order(self, seen: Seen[None]) -> None:
        said = (media.payload for media in seen.messages(Media, "in"))
        assert all(media.payload in said for media in seen.messages(Media, "out"))

    @sometimes
    def somebody_is_echoed(self, seen: Seen[None]) -> bool:
        return len(seen.messages(Media, "out")) > 10


class Next(Desk):
    """A desk where everybody who waits is the next."""

    def place(self, call_id: str) -> int:
        return 1


class QueueLine(CallMachine, flow=queue, services={"desk": Next}, require_edges=0.9):
    @always
    def music_is_for_those_who_wait(self, seen: Seen[None]) -> None:
        assert not seen.played("music.wav") or seen.entered(Waiting)

    @sometimes
    def somebody_gets_to_an_agent(self, seen: Seen[None]) -> bool:
        return seen.played("connecting.wav", complete=True)


class Results:
    """Results in memory."""

    async def add(self, call_sid: str, given: Mapping[str, int]) -> None:
        await trio.lowlevel.checkpoint()


class SurveyLine(CallMachine, flow=survey, services={"results": Results}, require_edges=0.9):
    @always
    def questions_are_answered_in_their_order(self, seen: Seen[Answers]) -> None:
        assert tuple(seen.data.given) == QUESTIONS[: len(seen.data.given)]

    @sometimes
    def somebody_answers_all(self, seen: Seen[Answers]) -> bool:
        return len(seen.data.given) == len(QUESTIONS)


class TapLine(CallMachine, flow=tap, require_edges=0.9):
    @in_the_end
    def nobody_talks_longer_than_the_call(self, seen: Seen[Talk]) -> None:
        assert seen.data.seconds <= seen.seconds

    @sometimes
    def somebody_talks(self, seen: Seen[Talk]) -> bool:
        return seen.data.turns > 1


class Mailbox:
    """A mailbox that forgets."""

    async def keep(self, call_sid: str, said: Recording) -> None:
        await trio.lowlevel.checkpoint()


class VoicemailLine(CallMachine, flow=voicemail, services={"mailbox": Mailbox}, require_edges=0.9):
    @always
    def what_is_said_to_be_kept_is(self, seen: Seen[Message]) -> None:
        assert not seen.played("kept.wav") or seen.data.is_kept

    @sometimes
    def somebody_says_it_again(self, seen: Seen[Message]) -> bool:
        return seen.path.count("Leave") > 1
