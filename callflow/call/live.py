"""The live call: what handlers hold in their hands while the line is up."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import TypeVar

import trio
from attrs import define, field

from callflow.call.driver import Driver
from callflow.call.journal import Kind
from callflow.errors import AudioError, CallEnded, FlowError
from callflow.flow.call import BARGE_INS, CUT_BY_SPEECH, BargeIn, Call, D, Playback, Started, find_service
from callflow.flow.flow import Flow
from callflow.flow.prompts import Clip, Prompt
from callflow.session.inputs import EndCause, EndedBy
from callflow.session.playout import Entry, Heard
from callflow.wire.audio import BLOCK, AudioFormat, chunks

T = TypeVar("T")

_ENDED_BY: Mapping[EndCause, EndedBy] = {
    EndCause.STOP: EndedBy.UNKNOWN,
    EndCause.FLOW: EndedBy.FLOW,
    EndCause.PEER_GONE: EndedBy.NETWORK,
    EndCause.LOST: EndedBy.NETWORK,
    EndCause.IDLE: EndedBy.NETWORK,
    EndCause.PROTOCOL: EndedBy.NETWORK,
    EndCause.TOO_BIG: EndedBy.NETWORK,
}


def ended_by(cause: EndCause) -> EndedBy:
    """Say whose doing an end was, as far as the cause tells."""
    return _ENDED_BY.get(cause, EndedBy.SERVER)


@define(eq=False)
class LivePlayback(Playback):
    """A playback of the call's ledger."""

    entry: Entry
    barge_in: BargeIn
    _cut: Callable[[], None]
    _settled: trio.Event = field(factory=trio.Event, init=False)

    @property
    def result(self) -> Heard | None:
        return self.entry.result

    async def heard(self) -> Heard:
        await self._settled.wait()
        assert self.entry.result is not None
        return self.entry.result

    def stop(self) -> None:
        if self.entry.result is None:
            self._cut()

    def gives_way(self, cuts: tuple[BargeIn, ...]) -> bool:
        """Say whether it is over, or is one that may be cut: then whoever speaks or presses is answered now."""
        return self.entry.result is not None or self.barge_in in cuts

    def settled(self) -> None:
        """Wake whoever waits; the ledger has the fate."""
        self._settled.set()


class LiveCall(Call[D]):
    """The call of one engine.

    Args:
        flow: Whose call it is.
        driver: The call's session, ledger and writer.
        call_id: Our name of the call.
        started: What ``start`` and the Passthru said.
        chance: The call's source of chance.
    """

    def __init__(
        self, flow: Flow[D], driver: Driver, call_id: str, started: Started, chance: random.Random, *, low_latency: bool
    ) -> None:
        self.language = ""
        self.playing: LivePlayback | None = None
        """The playback that was started last; one runs at a time."""
        self.add_tap: Callable[[Callable[[bytes], None]], None] = _no_taps
        """Set by the engine, which owns the taps of a state."""
        self.listen_for_speech: Callable[[], None] = _nobody_listens
        """Set by the engine, which is told of speech."""
        self._flow = flow
        self._driver = driver
        self._call_id = call_id
        self._started = started
        self._random = chance
        self._low_latency = low_latency
        self._unsettled: dict[Entry, LivePlayback] = {}
        """Playbacks whose waiters were not woken yet."""

    def make_data(self) -> None:
        """Make the flow's data; user code, so the engine calls it where it may raise."""
        self.data = self._flow.make_data(self._started)

    @property
    def call_id(self) -> str:
        return self._call_id

    @property
    def call_sid(self) -> str:
        return self._started.call_sid

    @property
    def stream_sid(self) -> str:
        return self._driver.session.stream_sid

    @property
    def caller(self) -> str:
        return self._started.caller

    @property
    def called(self) -> str:
        return self._started.called

    @property
    def parameters(self) -> Mapping[str, str]:
        return self._started.parameters

    @property
    def passthru(self) -> Mapping[str, str]:
        return self._started.passthru

    @property
    def form(self) -> AudioFormat:
        return self._driver.form

    @property
    def random(self) -> random.Random:
        return self._random

    def now(self) -> float:
        return self._driver.seconds

    def get(self, service: Callable[..., T]) -> T:
        return find_service(self._flow.services, service)

    def start(self, prompt: Prompt, *, barge_in: BargeIn = None) -> Playback:
        return self.begin(prompt, barge_in)

    def begin(self, prompt: Prompt, barge_in: BargeIn) -> LivePlayback:
        """Start a playback; see ``start``."""
        self._check_up("call.play")
        self._check_two_way("call.play")
        if barge_in not in BARGE_INS:
            raise FlowError(f"barge_in={barge_in!r}; write {' or '.join(map(repr, BARGE_INS))}")
        if barge_in in CUT_BY_SPEECH:
            self.listen_for_speech()
        if self.playing is not None and self.playing.result is None:
            raise FlowError(f"{prompt!r} was started while another playback runs; await its heard(), or stop() it")
        clip = self._clip(prompt)
        audio = self.form.from_pcm16(clip.pcm)
        entry = self._driver.ledger.open(clip.names, self.form.seconds(len(audio)))
        self.playing = self._unsettled[entry] = LivePlayback(entry, barge_in, self._driver.cut)
        self._driver.journal.add(
            trio.current_time(),
            Kind.PLAYBACK,
            "queued",
            prompt=" ".join(clip.names),
            words=clip.words,
            seconds=round(entry.queued, 3),
            barge_in=barge_in or "",
        )
        size = -(-self.form.frame_bytes // BLOCK) * BLOCK if self._low_latency else None
        self._driver.writer.play(entry, iter(chunks(audio, self.form, size)))
        return self.playing

    def settled(self, entry: Entry) -> LivePlayback | None:
        """Wake whoever waits for a playback that has its fate; return it, or None if that was done already."""
        playback = self._unsettled.pop(entry, None)
        if playback is not None:
            playback.settled()
        return playback

    def release(self) -> None:
        """Wake whoever still waits for a playback: all have their fate, and nobody handles the events that say so."""
        for entry in list(self._unsettled):
            self.settled(entry)

    def _clip(self, prompt: Prompt) -> Clip:
        clip = self._flow.library.clip(prompt, self.language)
        if clip.rate != self.form.rate:
            raise AudioError(
                " ".join(clip.names),
                f"{self.form.rate} Hz, the rate of this line",
                f"{clip.rate} Hz",
                f"set sample-rate={clip.rate} in the stream URL at Exotel, or record prompts at {self.form.rate} Hz",
            )
        return clip

    def tap(self, listen: Callable[[bytes], None]) -> None:
        self._check_up("call.tap")
        self.add_tap(listen)

    def relay(self, payload: bytes) -> None:
        self._check_raw("call.relay")
        if payload:
            self._driver.writer.relay(payload)

    def clear(self) -> None:
        self._check_raw("call.clear")
        self._driver.writer.clear()

    def _check_up(self, what: str) -> None:
        cause = self._driver.session.cause
        if self._driver.ended_at is not None and cause is not None:
            raise CallEnded(what, ended_by(cause).value)

    def _check_two_way(self, what: str) -> None:
        if self._flow.one_way:
            raise FlowError(f"{what}: the flow is one-way; Exotel plays nothing that is sent on a Stream applet")

    def _check_raw(self, what: str) -> None:
        if not self._flow.raw:
            raise FlowError(f"{what} is for raw flows; make the flow with raw=True, or play prompts with call.play")
        self._check_two_way(what)


def _no_taps(listen: Callable[[bytes], None]) -> None:
    """Stand in until the engine runs."""


def _nobody_listens() -> None:
    """Stand in until the engine runs."""
