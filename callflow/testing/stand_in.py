"""``call_double``: a call for testing one handler alone. It records what the handler does, and does nothing.

There is no line, no time and no engine behind it: what a handler plays is heard the moment it is awaited, unless the
test says otherwise. How a flow behaves on a line is tested by ``caller``.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from random import Random
from typing import Any, TypedDict, TypeVar, Unpack, overload

import trio
from attrs import Factory, define, field, frozen

from callflow.errors import FlowError
from callflow.flow.call import Call
from callflow.flow.facts import D, EndedCall, Previous
from callflow.flow.listening import CallerAudio
from callflow.flow.playback import BargeIn, Playback, Speaker
from callflow.flow.prompts import Prompt
from callflow.flow.services import find_service
from callflow.line.steps import CALLED, CALLER
from callflow.session.inputs import EndCause, EndedBy
from callflow.session.playout import Fate, Heard
from callflow.wire.audio import AudioFormat

T = TypeVar("T")

WHOLE = Heard(fate=Fate.HEARD, seconds=1.0, sent=1.0, at_least=1.0, at_most=1.0)
"""What becomes of a playback of which the test says nothing: a second of sound, heard to its end."""


class CallFacts(TypedDict, total=False):
    """What a test may say of a call."""

    caller: str
    """Who rings."""
    called: str
    """The number rung."""
    parameters: Mapping[str, str]
    """Custom parameters of the stream URL."""
    passthru: Mapping[str, str]
    """What the Passthru before the stream said."""
    previous: Previous[Any] | None
    """What is left of a call before this one."""
    services: Iterable[object]
    """For ``call.get``."""
    hears: Iterable[Heard]
    """What becomes of the playbacks, one after another; then each is heard to its end."""
    says: Iterable[bytes]
    """The caller's audio, piece by piece, for ``call.audio()``."""
    seed: int
    """Of ``call.random``."""
    form: AudioFormat
    """The line's; 16-bit PCM at 8 kHz unless given."""


@overload
def call_double(data: D, **facts: Unpack[CallFacts]) -> CallDouble[D]: ...
@overload
def call_double(**facts: Unpack[CallFacts]) -> CallDouble[None]: ...
def call_double(data: Any = None, **facts: Unpack[CallFacts]) -> CallDouble[Any]:
    """Make a call that records what handlers do with it.

    Args:
        data: The flow's data.
        facts: What else the test says of the call; see ``CallFacts``.
    """
    given: dict[str, Any] = dict(facts)
    return CallDouble(data=data, **given)


@frozen(kw_only=True)
class TimerSet:
    """A timer that a handler set."""

    seconds: float
    repeats: bool


@define(eq=False)
class PlaybackDouble(Playback):
    """Something that a handler began to play."""

    prompt: Prompt | None
    """None for live audio."""
    barge_in: BargeIn
    loop: bool = False
    outcome: Heard = WHOLE
    """What becomes of it when it is waited for."""
    paused: bool = False
    result: Heard | None = field(default=None, init=False)

    async def heard(self) -> Heard:
        await trio.lowlevel.checkpoint()
        if self.result is None:
            self.result = self.outcome
        return self.result

    def stop(self) -> None:
        if self.result is None:
            self.result = Heard(fate=Fate.CUT, seconds=self.outcome.seconds)

    def pause(self) -> None:
        self.paused = self.result is None

    def resume(self) -> None:
        self.paused = False


@define(eq=False)
class SpeakerDouble(PlaybackDouble, Speaker):
    """Live audio that a handler made."""

    words: str = ""
    written: bytearray = Factory(bytearray)
    """16-bit PCM."""
    finished: bool = False
    gaps: int = 0

    async def write(self, pcm: bytes) -> bool:
        await trio.lowlevel.checkpoint()
        if self.finished:
            raise FlowError("this speaker has finished; make another one for what comes now")
        self.written += pcm
        return self.outcome.complete

    def flush(self) -> None:
        """Nothing is kept here."""

    def finish(self) -> None:
        self.finished = True

    async def __aenter__(self) -> SpeakerDouble:
        return self

    async def __aexit__(self, *raised: object) -> None:
        self.finish()
        if raised[0] is None:
            await self.heard()
        else:
            self.stop()


@define(eq=False)
class AudioDouble(CallerAudio):
    """The caller's audio, as far as the test said it."""

    pieces: deque[bytes]
    dropped: float = 0.0

    async def __anext__(self) -> bytes:
        await trio.lowlevel.checkpoint()
        if not self.pieces:
            raise StopAsyncIteration
        return self.pieces.popleft()


def _queue(given: Iterable[T]) -> deque[T]:
    return deque(given)


def _tuple(given: Iterable[object]) -> tuple[object, ...]:
    return tuple(given)


@define(eq=False, kw_only=True)
class CallDouble(Call[D]):
    """A call that records. Made by ``call_double``."""

    data: D
    caller: str = CALLER
    called: str = CALLED
    parameters: Mapping[str, str] = Factory(dict)
    passthru: Mapping[str, str] = Factory(dict)
    previous: Previous[D] | None = None
    services: tuple[object, ...] = field(default=(), converter=_tuple)
    hears: deque[Heard] = field(factory=deque, converter=_queue)
    says: deque[bytes] = field(factory=deque, converter=_queue)
    seed: int = 0
    random: Random = field(init=False)
    form: AudioFormat = Factory(AudioFormat)
    call_id: str = "double"
    call_sid: str = "double00double00double00double00"
    stream_sid: str = "stream00stream00stream00stream00"
    language: str = ""
    seconds: float = 0.0
    """What ``now()`` says; a test may set it."""

    # What handlers did.

    playbacks: list[PlaybackDouble] = Factory(list)
    """Everything that was begun to be played, live audio as well, in order."""
    posted: list[object] = Factory(list)
    """The events that were posted."""
    timers: dict[str, TimerSet] = Factory(dict)
    """The timers that run, by name."""
    taps: list[Callable[[bytes], None]] = Factory(list)
    relayed: list[bytes] = Factory(list)
    clears: int = 0

    def __attrs_post_init__(self) -> None:
        self.random = Random(self.seed)

    @property
    def played(self) -> list[Prompt]:
        """The prompts that were played, in order."""
        return [playback.prompt for playback in self.playbacks if playback.prompt is not None]

    def say(self, audio: bytes) -> None:
        """Let the taps hear the caller's audio."""
        for listen in self.taps:
            listen(audio)

    def over(self, cause: EndCause = EndCause.STOP, ended_by: EndedBy = EndedBy.CALLER) -> EndedCall[D]:
        """Make what ``on_hangup`` is given when this call is over."""
        return EndedCall(
            data=self.data,
            call_id=self.call_id,
            call_sid=self.call_sid,
            caller=self.caller,
            called=self.called,
            cause=cause,
            ended_by=ended_by,
            seconds=self.seconds,
            services=self.services,
        )

    # What handlers do.

    def now(self) -> float:
        return self.seconds

    def get(self, service: Callable[..., T]) -> T:
        return find_service(self.services, service)

    def post(self, event: object) -> None:
        self.posted.append(event)

    def every(self, name: str, seconds: float) -> None:
        self._set(name, seconds, repeats=True)

    def after(self, name: str, seconds: float) -> None:
        self._set(name, seconds, repeats=False)

    def _set(self, name: str, seconds: float, *, repeats: bool) -> None:
        if not 0 < seconds < math.inf:
            raise ValueError(f"a timer of {seconds!r} seconds; write a number above zero")
        self.timers[name] = TimerSet(seconds=seconds, repeats=repeats)

    def cancel_timer(self, name: str) -> None:
        self.timers.pop(name, None)

    def tap(self, listen: Callable[[bytes], None]) -> None:
        self.taps.append(listen)

    def audio(self) -> CallerAudio:
        return AudioDouble(deque(self.says))

    def start(self, prompt: Prompt, *, barge_in: BargeIn = None, loop: bool = False) -> PlaybackDouble:
        self._check_silent("start")
        playback = PlaybackDouble(prompt, barge_in, loop, self._next())
        self.playbacks.append(playback)
        return playback

    def speaker(self, *, barge_in: BargeIn = None, words: str = "") -> SpeakerDouble:
        self._check_silent("speaker")
        speaker = SpeakerDouble(None, barge_in, outcome=self._next(), words=words)
        self.playbacks.append(speaker)
        return speaker

    def relay(self, payload: bytes) -> None:
        self.relayed.append(payload)

    def clear(self) -> None:
        self.clears += 1

    def _next(self) -> Heard:
        return self.hears.popleft() if self.hears else WHOLE

    def _check_silent(self, what: str) -> None:
        running = [playback for playback in self.playbacks if playback.result is None and not playback.paused]
        if running:
            raise FlowError(f"{what}: {running[-1].prompt!r} still plays; await, pause or stop it first")
