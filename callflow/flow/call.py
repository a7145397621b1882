"""The call as a flow sees it: what its handlers are given. Abstract here; ``callflow.call`` makes the live one.

A handler never sees a frame, a socket or a mark. It sees who rings, the flow's own data, and a line to speak to.
"""

from __future__ import annotations

import abc
import random
from collections.abc import Callable, Mapping
from typing import Generic

from callflow.flow.facts import D, Previous
from callflow.flow.listening import CallerAudio
from callflow.flow.playback import BargeIn, Playback, Speaker
from callflow.flow.prompts import Prompt
from callflow.flow.services import T
from callflow.session.playout import Heard
from callflow.wire.audio import AudioFormat


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
        """Have ``on_timer`` of the current state called every so many seconds (0.1 or more), until the call ends.

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
