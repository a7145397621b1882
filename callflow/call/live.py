"""The live call: what handlers hold in their hands while the line is up."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import partial
from typing import Any, TypeVar

import trio

from callflow.call.driver import Driver
from callflow.call.hearing import Hearing
from callflow.call.journal import Kind
from callflow.call.mailbox import MOST_POSTED, Posted, TapFailed
from callflow.call.playback import LivePlayback, Playbacks
from callflow.call.ring import Ring
from callflow.call.speaker import LiveSpeaker
from callflow.call.timer import MOST_TIMERS, SHORTEST_BEAT, NamedTimers
from callflow.errors import AudioError, CallEnded, FlowError
from callflow.flow.call import Call
from callflow.flow.facts import D, Previous, Started
from callflow.flow.flow import Flow
from callflow.flow.listening import CallerAudio
from callflow.flow.playback import BARGE_INS, CUT_BY_SPEECH, BargeIn, Playback, Speaker
from callflow.flow.prompts import Clip, Prompt
from callflow.flow.services import find_service
from callflow.session.inputs import EndCause, EndedBy
from callflow.session.playout import Entry, Fate
from callflow.wire.audio import BLOCK, AudioFormat, chunks, looped

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


ACTIVITY: ContextVar[str] = ContextVar("callflow activity", default="")
"""Which activity of which state the current task, or the one that started it, is; empty for all others."""


def ended_by(cause: EndCause) -> EndedBy:
    """Say whose doing an end was, as far as the cause tells."""
    return _ENDED_BY.get(cause, EndedBy.SERVER)


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
        self.playbacks = Playbacks(driver)
        self._rings: list[Ring] = []
        """Listeners of the current state."""
        self.hearing = Hearing(driver, flow.speech, partial(self.playbacks.barge_in, CUT_BY_SPEECH, "speech"))
        self.timers = NamedTimers()
        self._flow = flow
        self._driver = driver
        self._call_id = call_id
        self._started = started
        self._random = chance
        self._low_latency = low_latency

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
    def previous(self) -> Previous[D] | None:
        return self._started.previous

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

    def start(self, prompt: Prompt, *, barge_in: BargeIn = None, loop: bool = False) -> Playback:
        return self.begin(prompt, barge_in, loop=loop)

    def begin(self, prompt: Prompt, barge_in: BargeIn, *, loop: bool = False) -> LivePlayback:
        """Start a playback; see ``start``."""
        self._check_playable("call.play", repr(prompt), barge_in)
        clip = self._clip(prompt)

        def send(playback: LivePlayback) -> None:
            self._send(playback, clip, loop=loop)

        playback = LivePlayback(_lost(clip), barge_in, self.playbacks, send)
        self.playbacks.add(playback)
        if not self._driver.is_detached:
            send(playback)
        return playback

    def _send(self, playback: LivePlayback, clip: Clip, *, loop: bool) -> None:
        """Play a clip from its beginning, on the line that there is now."""
        self._check_rate(clip)
        audio = self.form.from_pcm16(clip.pcm)
        seconds = self.form.seconds(len(audio))
        entry = self._driver.ledger.open(clip.names, math.inf if loop else seconds)
        barge_in = playback.barge_in or ""
        self._note_queued(entry, words=clip.words, seconds=round(seconds, 3), barge_in=barge_in, loop=loop)
        self.playbacks.renew(playback, entry)
        cut = looped(audio, self.form, self._chunk) if loop else iter(chunks(audio, self.form, self._chunk))
        self._driver.writer.play(entry, cut, marks_inside=loop)

    def speaker(self, *, barge_in: BargeIn = None, words: str = "") -> Speaker:
        self._check_playable("call.speaker", "a speaker", barge_in)
        entry = self._driver.ledger.open(("speaker",), 0.0)
        size = self.form.chunk_bytes if self._chunk is None else self._chunk
        speaker = LiveSpeaker(entry, barge_in, self.playbacks, self._driver, size)
        self._note_queued(entry, words=words, barge_in=barge_in or "", live=True)
        self.playbacks.add(speaker)
        self._driver.writer.play(entry, speaker.chunks(), marks_inside=True)
        return speaker

    def _check_playable(self, what: str, sound: str, barge_in: BargeIn) -> None:
        self._check_up(what)
        self._check_no_activity(what)
        self._check_two_way(what)
        if barge_in not in BARGE_INS:
            raise FlowError(f"barge_in={barge_in!r}; write {' or '.join(map(repr, BARGE_INS))}")
        self.playbacks.check_free(sound)
        if barge_in in CUT_BY_SPEECH:
            self.hearing.begin()

    def _note_queued(self, entry: Entry, **details: str | float) -> None:
        """Write down what begins; a False is left out. An activity that began it was not refused (L15)."""
        told = {name: value for name, value in details.items() if not isinstance(value, bool) or value}
        told |= {"activity": activity} if (activity := ACTIVITY.get()) else {}
        self._driver.note(Kind.PLAYBACK, "queued", prompt=" ".join(entry.names), **told)

    @property
    def _chunk(self) -> int | None:
        """Bytes of a chunk under the low-latency profile; None for the usual ones."""
        return -(-self.form.frame_bytes // BLOCK) * BLOCK if self._low_latency else None

    def _clip(self, prompt: Prompt) -> Clip:
        clip = self._flow.library.clip(prompt, self.language)
        self._check_rate(clip)
        return clip

    def _check_rate(self, clip: Clip) -> None:
        if clip.rate != self.form.rate:
            raise AudioError(
                " ".join(clip.names),
                f"{self.form.rate} Hz, the rate of this line",
                f"{clip.rate} Hz",
                f"set sample-rate={clip.rate} in the stream URL at Exotel, or record prompts at {self.form.rate} Hz",
            )

    def post(self, event: object) -> None:
        self._check_up("call.post")
        if self._driver.mailbox.posted >= MOST_POSTED:
            name = type(event).__name__
            raise FlowError(f"call.post({name}): {MOST_POSTED} events wait already; post fewer, or only what is new")
        self._driver.mailbox.put(Posted(event))

    def every(self, name: str, seconds: float) -> None:
        self._set_timer("call.every", name, seconds, every=seconds)

    def after(self, name: str, seconds: float) -> None:
        self._set_timer("call.after", name, seconds, every=None)

    def cancel_timer(self, name: str) -> None:
        self.timers.stop(name)

    def _set_timer(self, what: str, name: str, seconds: float, *, every: float | None) -> None:
        self._check_up(what)
        if not 0 < seconds < math.inf:
            raise ValueError(f"{what}({name!r}, {seconds!r}): write a number of seconds greater than zero")
        if every is not None and every < SHORTEST_BEAT:
            raise ValueError(
                f"{what}({name!r}, {seconds!r}): write {SHORTEST_BEAT:g} seconds or more between two beats"
            )
        if not self.timers.set(name, trio.current_time() + seconds, every):
            raise FlowError(f"{what}({name!r}, …): {MOST_TIMERS} timers run already; cancel some, or use one for all")
        self._driver.mailbox.wake()

    def tap(self, listen: Callable[[bytes], None]) -> None:
        self._check_up("call.tap")
        self._driver.taps.add_guarded(listen, lambda raised: self._driver.mailbox.put(TapFailed(raised)))

    def audio(self) -> CallerAudio:
        self._check_up("call.audio")
        ring = Ring(self.form)
        self._rings.append(ring)
        self._driver.taps.add(ring.feed)
        return ring

    def close_audio(self) -> None:
        """End the listeners of the state that is left, and write down what they lost."""
        for ring in self._rings:
            ring.close()
            if ring.dropped:
                lost = round(ring.dropped, 3)
                self._driver.note(Kind.ODD, "audio dropped", seconds=lost)
        self._rings.clear()

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

    def _check_no_activity(self, what: str) -> None:
        if activity := ACTIVITY.get():
            raise FlowError(
                f"{what} in the activity {activity}: an activity only posts; call.post(event) to an @on handler, and "
                "let the state that this leads to speak"
            )

    def _check_two_way(self, what: str) -> None:
        if self._flow.one_way:
            raise FlowError(f"{what}: the flow is one-way; Exotel plays nothing that is sent on a Stream applet")

    def _check_raw(self, what: str) -> None:
        self._check_no_activity(what)
        if not self._flow.raw:
            raise FlowError(f"{what} is for raw flows; make the flow with raw=True, or play prompts with call.play")
        self._check_two_way(what)


def _lost(clip: Clip) -> Entry:
    """Make the entry of a playback that has no line yet."""
    entry = Entry(clip.names, 0, queued=clip.seconds)
    entry.settle(Fate.LOST, 0.0, 0.0)
    return entry


class InnerCall(LiveCall[D]):
    """The call as the states of a sub-flow see it that has data of its own: the same call in all else.

    Args:
        outer: The call.
        data: What ``data`` is here.
    """

    def __init__(self, outer: LiveCall[Any], data: D) -> None:
        vars(self).update(_outer=outer, data=data)

    def __getattr__(self, name: str) -> Any:
        return getattr(vars(self)["_outer"], name)

    def __setattr__(self, name: str, value: object) -> None:
        if name == "data":
            vars(self)["data"] = value
        else:
            setattr(vars(self)["_outer"], name, value)
