"""The call as a flow sees it: what its handlers are given. Abstract here; ``callflow.call`` makes the live one.

A handler never sees a frame, a socket or a mark. It sees who rings, the flow's own data, and a line to speak to.
"""

from __future__ import annotations

import abc
import random
from collections.abc import Callable, Mapping
from typing import Any, Generic, Literal, TypeVar

from attrs import Factory, frozen

from callflow.errors import ServiceMissing
from callflow.flow.prompts import Prompt
from callflow.session.inputs import EndCause, EndedBy
from callflow.session.playout import Heard
from callflow.wire.audio import AudioFormat

D = TypeVar("D")
"""The type of a flow's data."""
T = TypeVar("T")

BargeIn = Literal["dtmf", "speech", "any"] | None
"""What cuts a prompt: a key, the caller's voice, either of them, or nothing."""

BARGE_INS: tuple[BargeIn, ...] = ("dtmf", "speech", "any", None)
CUT_BY_KEY: tuple[BargeIn, ...] = ("dtmf", "any")
CUT_BY_SPEECH: tuple[BargeIn, ...] = ("speech", "any")


@frozen(kw_only=True)
class Resumed:
    """How a line came back. A state's ``on_resumed`` gets it."""

    seconds: float
    """How long the call had no line. Zero where the new one came before anybody saw that the old one was dead."""
    silent: float
    """Seconds since anything had come on the old line: the caller may have heard nothing for as long."""
    stream_sid: str
    """Exotel's name of the new stream."""
    links: int
    """How many lines the call has had, this one included; at least 2."""


@frozen(kw_only=True)
class Previous(Generic[D]):
    """What is left of a call of the same ``CallSid`` that ended a short time ago.

    Exotel's flow may lead a caller to the bot, to something else, and to the bot again: those are two calls, and the
    second may go on where the first one was.
    """

    data: D
    """The flow's data of that call, the very object."""
    cause: EndCause
    """Why it ended."""
    last_state: str
    """Name of the state that it ended in."""
    seconds: float
    """How long it lasted."""
    ago: float
    """Seconds since its end."""


@frozen(kw_only=True)
class Started:
    """What is known when a call begins. A flow's ``data=`` factory may take it."""

    call_sid: str
    caller: str
    """The number that rings; national or E.164, as Exotel sends it."""
    called: str
    parameters: Mapping[str, str] = Factory(dict)
    """Custom parameters of the stream URL."""
    passthru: Mapping[str, str] = Factory(dict)
    """What the Passthru before the stream said, and what the flow's ``passthru=`` function added."""
    previous: Previous[Any] | None = None
    """What is left of a call of the same ``CallSid``, numbers and account that ended a short time ago."""


@frozen(kw_only=True)
class Speech:
    """The caller's voice, as the detector hears it."""

    at: float
    """When it began: seconds since the stream began, as ``call.now()``."""
    seconds: float
    """How long it has lasted; at its end without the silence that ended it."""
    level: float
    """Of its loudest 20 ms so far, in dB of full scale (dBFS): -20 is loud, -45 is hardly heard."""


@frozen
class LimitNear:
    """The call reaches its longest time in a minute: an event for ``@on(LimitNear)``."""

    seconds_left: float
    """From now to the end."""


class Playback(abc.ABC):
    """A prompt that was started and may still be playing.

    When the line is lost, it has no result yet: if the call's line comes back it is played again, from its beginning
    (not in a state with ``resume="stay"``: its fate is ``LOST`` there), and ``heard`` goes on waiting.
    """

    @property
    @abc.abstractmethod
    def result(self) -> Heard | None:
        """What became of it, or None while it plays."""

    @abc.abstractmethod
    async def heard(self) -> Heard:
        """Wait until its fate is known.

        Returns:
            ``Heard``: its fate and the seconds heard. Returns within the audio's length and a margin, whatever Exotel
            echoes; at once if the call is over.

        Cancellation:
            The playback goes on; ``stop`` ends it.
        """

    @abc.abstractmethod
    def stop(self) -> None:
        """Cut it: what Exotel has not picked up is thrown away. Without effect once its fate is known."""

    @abc.abstractmethod
    def pause(self) -> None:
        """Send nothing more of it until ``resume``; meanwhile something else may be played.

        What was sent is still heard, 0.6 seconds at most, so that nothing is lost and what comes next follows without a
        gap. While it pauses neither the caller nor a cut of anything else ends it. Without effect when all was sent.
        """

    @abc.abstractmethod
    def resume(self) -> None:
        """Go on where it was paused. Without effect when it does not pause, or its fate is known.

        Raises:
            FlowError: Something else plays now.
        """


class Speaker(Playback):
    """Audio that is made while it is played, such as that of a speech synthesis. Use it in ``async with``.

    The block's end waits until all was heard, or cut; an exception or a cancellation in the block cuts it.
    """

    @property
    @abc.abstractmethod
    def gaps(self) -> int:
        """How often the line fell silent because nothing was written in time."""

    @abc.abstractmethod
    async def write(self, pcm: bytes) -> bool:
        """Say more. Waits while more than the lead (0.4 seconds) is not sent yet.

        Args:
            pcm: 16-bit PCM, mono, at the line's rate (``call.form.rate``), in pieces of any size: an odd byte is kept
                for the next.

        Returns:
            Whether it is still wanted: False once the caller has cut it, or the call is over. Then stop making more.

        Raises:
            FlowError: ``finish`` was called.

        Cancellation:
            All of *pcm* is said nevertheless, unless the block is left by that.
        """

    @abc.abstractmethod
    def flush(self) -> None:
        """Send what is kept because it does not fill a chunk, padded with silence: at the end of a sentence."""

    @abc.abstractmethod
    def finish(self) -> None:
        """Say that no more comes; ``heard`` then returns when all of it was played. The block's end does it as well."""

    @abc.abstractmethod
    async def __aenter__(self) -> Speaker:
        """Give the speaker itself."""

    @abc.abstractmethod
    async def __aexit__(self, *raised: object) -> None:
        """Finish and wait until it was heard; cut it if the block raised."""


class CallerAudio(abc.ABC):
    """The caller's audio, piece by piece: 16-bit PCM, mono, at the line's rate (``call.form.rate``).

    What was not taken is kept for 5 seconds; then the oldest goes.
    """

    @property
    @abc.abstractmethod
    def dropped(self) -> float:
        """Seconds that were lost because they were not taken in time."""

    def __aiter__(self) -> CallerAudio:
        return self

    @abc.abstractmethod
    async def __anext__(self) -> bytes:
        """Wait for the next piece, mostly 20 milliseconds.

        Raises:
            StopAsyncIteration: The state was left, or the call is over, and all was taken.

        Cancellation:
            Nothing is lost.
        """


class TapCall(abc.ABC, Generic[D]):
    """A live call that can only be listened to: what the handlers of a ``Tap`` are given.

    It has nothing that could send, since Exotel plays nothing on a one-way stream.
    """

    data: D
    """The flow's own data of this call, made by ``Flow(data=…)``."""
    language: str
    """Subfolder of ``prompts/`` to take prompts from; what is not there comes from the folder itself."""

    @property
    @abc.abstractmethod
    def call_id(self) -> str:
        """callflow's own name of this call, unique in the process and its logs."""

    @property
    @abc.abstractmethod
    def call_sid(self) -> str:
        """Exotel's name of the call."""

    @property
    @abc.abstractmethod
    def stream_sid(self) -> str:
        """Exotel's name of the stream that the call has now."""

    @property
    @abc.abstractmethod
    def caller(self) -> str:
        """The number that rings."""

    @property
    @abc.abstractmethod
    def called(self) -> str:
        """The number that was rung."""

    @property
    @abc.abstractmethod
    def parameters(self) -> Mapping[str, str]:
        """Custom parameters of the stream URL."""

    @property
    @abc.abstractmethod
    def passthru(self) -> Mapping[str, str]:
        """What the Passthru before the stream said; empty if there was none."""

    @property
    @abc.abstractmethod
    def previous(self) -> Previous[D] | None:
        """The call before this one: same ``CallSid``, numbers and account, ended a short time ago. Offered once."""

    @property
    @abc.abstractmethod
    def form(self) -> AudioFormat:
        """Rate and coding of the line."""

    @property
    @abc.abstractmethod
    def random(self) -> random.Random:
        """A source of chance that tests can seed. Take it instead of the ``random`` module."""

    @abc.abstractmethod
    def now(self) -> float:
        """Seconds since the stream began. Take it instead of the ``time`` module: it stands still in no test."""

    @abc.abstractmethod
    def get(self, service: Callable[..., T]) -> T:
        """Get the service of this type from ``Flow(provide=[…])``.

        Args:
            service: A class; the first provided object that is an instance of it is returned.

        Raises:
            ServiceMissing: The flow provides none.
        """

    @abc.abstractmethod
    def post(self, event: object) -> None:
        """Give the call an event: it goes to the ``@on`` method of the current state for its class, in its turn.

        Callable from anywhere on the call's thread while the call lives: an activity, a service, another call. An
        event that no state wants is counted and written into the journal.

        Raises:
            FlowError: 128 events wait already.
            CallEnded: The call is over.
        """

    @abc.abstractmethod
    def every(self, name: str, seconds: float) -> None:
        """Have ``on_timer`` of the current state called every so many seconds, until the call ends.

        The timer outlives the state. One of that name begins anew.

        Raises:
            ValueError: *seconds* is no number above zero.
            FlowError: 64 timers run already.
            CallEnded: The call is over.
        """

    @abc.abstractmethod
    def after(self, name: str, seconds: float) -> None:
        """Have ``on_timer`` of whatever state is the current one then called once; see ``every``."""

    @abc.abstractmethod
    def cancel_timer(self, name: str) -> None:
        """Stop a timer of ``every`` or ``after``; without effect when there is none of that name."""

    @abc.abstractmethod
    def tap(self, listen: Callable[[bytes], None]) -> None:
        """Have a plain function called with the caller's audio for as long as the current state lives.

        It gets whole samples in the line's coding (a raw flow: each payload as it came), runs inside the call's reader
        and must neither wait nor raise; an exception counts as one of the state's own.
        """

    @abc.abstractmethod
    def audio(self) -> CallerAudio:
        """Listen at one's own pace: ``async for pcm in call.audio()``, from now until the current state is left.

        Each call of it is a listener of its own. One that is slower than the caller loses the oldest, and nobody else
        notices.
        """


class Call(TapCall[D]):
    """A live call, given to every handler and to ``run``."""

    @abc.abstractmethod
    def start(self, prompt: Prompt, *, barge_in: BargeIn = None, loop: bool = False) -> Playback:
        """Begin to play a prompt and return at once.

        Args:
            prompt: As in ``play``.
            barge_in: As in ``play``.
            loop: Play it again and again, without a gap, until it is stopped or cut.

        Raises:
            AudioError: A file is absent or not of the line's rate.
            FlowError: Another playback of this state still runs; await, pause or stop it first.
            CallEnded: The call is over.
        """

    async def play(self, prompt: Prompt, *, barge_in: BargeIn = None) -> Heard:
        """Play a prompt and wait until it was heard, cut or lost.

        Args:
            prompt: A file in ``prompts/``, words that ``prompts.toml`` gives to a file, or a tuple of these.
            barge_in: ``"dtmf"``: any key cuts it. ``"speech"``: the caller's voice does. ``"any"``: both. None: it
                cannot be cut by the caller.

        Raises:
            AudioError: A file is absent or not of the line's rate.
            FlowError: Another playback of this state still runs.
            CallEnded: The call is over.

        Cancellation:
            The playback is cut.
        """
        playback = self.start(prompt, barge_in=barge_in)
        try:
            return await playback.heard()
        finally:
            playback.stop()

    @abc.abstractmethod
    def speaker(self, *, barge_in: BargeIn = None, words: str = "") -> Speaker:
        """Begin to speak live: ``async with call.speaker() as speaker: await speaker.write(pcm)``.

        Args:
            barge_in: As in ``play``.
            words: What is said, for transcripts, if that is known.

        It is not played again when a lost line is back: then its fate is ``LOST``, also if it began meanwhile.

        Raises:
            FlowError: Another playback of this state still runs.
            CallEnded: The call is over.
        """

    @abc.abstractmethod
    def relay(self, payload: bytes) -> None:
        """Send audio as it is, at once: no chunks, no pacing, no padding. For flows made with ``raw=True``.

        Raises:
            FlowError: The flow is not raw.
        """

    @abc.abstractmethod
    def clear(self) -> None:
        """Have Exotel throw away what was relayed and not picked up. For flows made with ``raw=True``.

        Raises:
            FlowError: The flow is not raw.
        """


@frozen(kw_only=True)
class EndedCall(Generic[D]):
    """A call that is over. It has nothing that could send: audio after hang-up does not type-check."""

    data: D
    call_id: str
    call_sid: str
    caller: str
    called: str
    cause: EndCause
    """Why it ended."""
    ended_by: EndedBy
    """Whose doing it was, as far as is known."""
    seconds: float
    """How long the stream lasted."""
    services: tuple[Any, ...] = ()

    @property
    def reason(self) -> str:
        """The cause in one word, for logs."""
        return self.cause.value

    def get(self, service: Callable[..., T]) -> T:
        """Get the service of this type from ``Flow(provide=[…])``; see ``Call.get``."""
        return find_service(self.services, service)


def find_service(services: tuple[Any, ...], service: Callable[..., T]) -> T:
    """Find the first object that is an instance of *service*, a class.

    Raises:
        ServiceMissing: There is none; the message names those that are there.
    """
    wanted: Any = service
    for provided in services:
        if isinstance(provided, wanted):
            found: T = provided
            return found
    have = ", ".join(type(provided).__name__ for provided in services) or "nothing"
    raise ServiceMissing(
        f"no {wanted.__name__} is provided (provided: {have}); make the flow with provide=[…, {wanted.__name__}(…)]"
    )
