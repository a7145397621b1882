"""The driver: the one way to a call's session. It feeds it, writes the journal, and carries its outcomes out.

Everybody else on this floor goes through here: the reader with what came, the writer with what it is about to send, the
timer with what is due, the engine with the end. Nothing in it waits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import assert_never

import trio

from callflow.call.delays import Delays
from callflow.call.entries import UNWRITTEN, describe
from callflow.call.journal import Journal, Kind
from callflow.call.link import Link
from callflow.call.mailbox import KeyCame, Mailbox, PlaybackSettled
from callflow.call.taps import Taps
from callflow.call.timer import Deadlines
from callflow.call.writer import Writer
from callflow.errors import LocalProtocolError
from callflow.session.inputs import (
    Audio,
    Detached,
    EndCause,
    Frame,
    Hangup,
    Input,
    MarkDone,
    MarkFate,
    Outcome,
    Over,
    Pressed,
    Quiet,
    Resumed,
    SendMedia,
    Started,
    StartOver,
    Timer,
    TimerDue,
    Told,
    Verdict,
)
from callflow.session.machine import Session
from callflow.session.playout import Entry, Ledger
from callflow.session.table import kind_of
from callflow.session.timing import Timing
from callflow.wire.audio import AudioFormat, WholeSamples
from callflow.wire.exotel import Outgoing
from callflow.wire.messages import Connected, Dtmf, Media, Start


class Driver:
    """Holds the pure parts of one call together.

    Args:
        timing: The lengths of all waits.
        raw: The flow is a relay (ruling 16).
        low_latency: Send with the shorter lead.
        one_way: Send nothing at all (R27).
    """

    def __init__(self, timing: Timing, *, raw: bool = False, low_latency: bool = False, one_way: bool = False) -> None:
        self.timing = timing
        self.raw = raw
        self.one_way = one_way
        self.session = Session(resumes=timing.resume > 0, raw=raw)
        self.ledger = Ledger(timing.mark_slack)
        self.journal = Journal()
        self.deadlines = Deadlines()
        self.mailbox = Mailbox()
        self.writer = Writer(self.ledger, self._submit, timing, low_latency=low_latency)
        self.form = AudioFormat()
        self.started_at: float | None = None
        """When ``start`` was taken in, on Trio's clock; None before."""
        self.ended_at: float | None = None
        self.on_started: Callable[[Start], None] = _nobody_starts
        """Called once, inside the step that read ``start``: the link is adopted before anything else is told."""
        self.on_detached: Callable[[], None] = _nobody_waits
        """Called when the link of a call that may come back is gone; it is not written to any more."""
        self.on_resumed: Callable[[Start, float, float], None] = _nobody_returns
        """Called inside the step that read the ``start`` of another link: the link is adopted before anything else is
        told. With the seconds without a link, and those without a message."""
        self.on_over: Callable[[EndCause], None] = _nobody_cares
        """Called once, when the call is over and nothing more can be sent."""
        self.on_odd: Callable[[str, Verdict], None] = _nobody_minds
        """Called with the first input of each kind that is odd or ignored, while the call lives."""
        self.before_key: Callable[[Dtmf, float], bool] = _takes_every_key
        """Called inside the reader's step for each key before it is posted: cuts what the key may cut, and says whether
        the key is for the flow at all."""
        self._oddities: set[str] = set()
        self.taps = Taps()
        self.connected: Mapping[str, str] = {}
        """Custom parameters that came with ``connected`` (D12)."""
        self.messages_in = 0
        self.unwanted = 0
        """Posted events and beats of timers that no state wanted; the engine counts them."""
        self.media_in = 0
        self.media_out = 0
        self.mark_delays = Delays()
        """From the moment at which a mark must have been reached to its echo."""
        self.clear_delays = Delays()
        """From reading a key that cuts to the clear on its way."""
        self._link: Link | None = None
        self._detached_at: float | None = None
        self._whole = WholeSamples(self.form)
        self._last_message_at = trio.current_time()
        self._waits = _waits(timing)

    @property
    def seconds(self) -> float:
        """How long the call has lasted, or lasted in all without what it was waited for in vain; 0 before ``start``."""
        if self.started_at is None:
            return 0.0
        if self.ended_at is None:
            return trio.current_time() - self.started_at
        return (self.ended_at if self._detached_at is None else self._detached_at) - self.started_at

    @property
    def is_over(self) -> bool:
        """Whether the call is over and nothing more can be sent."""
        return self.ended_at is not None

    @property
    def is_detached(self) -> bool:
        """Whether the call has no link and waits for one."""
        return self._detached_at is not None and not self.is_over

    # What comes in.

    def feed(self, event: Input) -> Outcome:
        """Feed the session, write the journal, and do what the outcome says.

        Raises:
            LocalProtocolError: The session refused: our own side asked for what is not allowed now.
        """
        outcome = self.session.feed(event)
        if outcome.verdict is Verdict.REFUSED:
            raise LocalProtocolError(kind_of(event).value, self.session.state.value)
        self._note_input(event, outcome.verdict)
        if isinstance(event, Connected) and outcome.verdict is Verdict.MOVED:
            self.connected = event.parameters
        for frame in outcome.frames:
            self.writer.write(frame)
        for told in outcome.told:
            self._tell(told)
        for timer, starts in outcome.arm.items():
            self._arm(timer, starts=starts)
        if outcome.close is not None and self._link is not None:
            self._link.begin_close(outcome.close.code)
        if self._detached_at is not None:
            self._link = None  # nothing that happens from now on is about it
        return outcome

    def came(self) -> None:
        """Note that the far end is there: any message will do. Moves the stall and idle deadlines."""
        self.messages_in += 1
        self._last_message_at = self.ledger.alive_at = trio.current_time()

    def heard(self, media: Media) -> None:
        """Take the caller's audio to the taps. This runs for every frame of every call."""
        if self.session.heard(media) is None:
            self.feed(media)
            return
        self._take_audio(media.payload)

    def _take_audio(self, payload: bytes) -> None:
        self.media_in += 1
        if self.taps.want_audio:
            self.taps.take(payload if self.raw else self._whole.feed(payload), self.seconds)

    # The link.

    def use(self, link: Link) -> None:
        """Know the link that was accepted: what closes before ``start`` is closed here."""
        self._link = link

    def adopt(self, link: Link, form: AudioFormat, start: Start, *, counters: bool = True) -> None:
        """Use this link from now on; the session has just taken its ``start`` in."""
        self._link, self.form, self._whole = link, form, WholeSamples(form)
        self._detached_at = None
        outgoing = Outgoing(start.stream_sid, form.bytes_per_second, counters=counters)
        self.writer.adopt(link, outgoing, form, self.session.epoch)

    # The end.

    def hang_up(self, cause: EndCause, code: int = 1000) -> None:
        """End the call from our side; without effect when it is over."""
        if not self.is_over:
            self.feed(Hangup(cause, code))

    # What the outcome says.

    def _submit(self, frame: Frame) -> None:
        if self.one_way:
            raise LocalProtocolError(kind_of(frame).value, "one-way")
        self.feed(frame)

    def _tell(self, told: Told) -> None:
        now = trio.current_time()
        match told:
            case Started():
                self.started_at = now
                self.on_started(told.start)
            case Audio():
                self._take_audio(told.media.payload)
            case Pressed():
                self._pressed(told.key, now)
            case MarkDone():
                self._mark_done(told, now)
            case Over():
                self._over(told.cause, now)
            case Detached():
                self._detached(now)
            case Resumed():
                self._resumed(told.start, now)
            case Quiet() | StartOver():
                self.note(Kind.LINK, type(told).__name__.lower())
            case _:
                assert_never(told)

    def _pressed(self, key: Dtmf, now: float) -> None:
        self.note(Kind.KEY, "pressed")
        generation = self.ledger.generation
        is_for_flow = self.before_key(key, now)
        if self.ledger.generation != generation:
            self.clear_delays.note(trio.current_time() - now)
        if is_for_flow:
            self.mailbox.put(KeyCame(key, now))
        if self.mailbox.overflowed:
            self.hang_up(EndCause.POLICY, 1008)

    def _mark_done(self, told: MarkDone, now: float) -> None:
        settled = self.ledger.mark_done(told.name, told.fate, now)
        for entry in settled:
            if told.fate is MarkFate.PLAYED and entry.due_at is not None:
                self.mark_delays.note(now - entry.due_at)
        self.settle(settled)

    def _detached(self, now: float) -> None:
        self.note(Kind.LINK, "detached")
        self._detached_at = now
        self.writer.detach()
        lost = self.ledger.link_lost(now)
        self.on_detached()
        self.settle(lost)  # behind it: nobody is told before there is a line again

    def _resumed(self, start: Start, now: float) -> None:
        away = 0.0 if self._detached_at is None else now - self._detached_at
        silent = now - self._last_message_at
        self.came()
        lost = self.ledger.link_lost(now)  # a link that was taken over was not seen to be lost
        self.note(Kind.LINK, "resumed", away=round(away, 3), silent=round(silent, 3))
        self.on_resumed(start, away, silent)
        self.settle(lost)

    def _over(self, cause: EndCause, now: float) -> None:
        self.ended_at = now
        self.note(Kind.END, "over", cause=cause.value)
        self.writer.shut()
        self.taps.close()
        self.deadlines.stop_all()
        self.settle(self.ledger.end(now))
        self.on_over(cause)

    def settle(self, entries: list[Entry]) -> None:
        """Write down what became of playbacks and tell the flow."""
        for entry in entries:
            assert entry.result is not None
            heard = entry.result
            self.note(
                Kind.PLAYBACK,
                heard.fate.value,
                prompt=" ".join(entry.names),
                seconds=round(heard.seconds, 3),
                sent=round(heard.sent, 3),
                at_least=round(heard.at_least, 3),
                at_most=round(heard.at_most, 3),
            )
            self.mailbox.put(PlaybackSettled(entry))

    def cut(self) -> None:
        """Barge-in, or leaving a state: raise the generation, empty the queue, send ``clear`` (R23). Never waits."""
        cut = self.ledger.clear(trio.current_time())
        self.writer.clear()
        self.settle(cut)

    # Timers.

    def _arm(self, timer: Timer, *, starts: bool) -> None:
        if not starts:
            self.deadlines.stop(timer.value)
            return
        at = self.ledger.deadline if timer is Timer.MARK else trio.current_time() + self._waits[timer]
        if at is not None:
            self.deadlines.set(timer.value, at, lambda: self._due(timer))

    def _due(self, timer: Timer) -> None:
        if timer in (Timer.STALL, Timer.IDLE):
            # Not moved with every frame: whoever is due looks when something last came.
            at = self._last_message_at + self._waits[timer]
            if at > trio.current_time():
                self.deadlines.set(timer.value, at, lambda: self._due(timer))
                return
        self.feed(TimerDue(timer))

    # The journal.

    def note(self, kind: Kind, what: str, **details: str | int | float) -> None:
        """Write into the journal what happens now."""
        self.journal.add(trio.current_time(), kind, what, **details)

    def _note_input(self, event: Input, verdict: Verdict) -> None:
        self.media_out += isinstance(event, SendMedia)
        if verdict is Verdict.KEPT and isinstance(event, UNWRITTEN):
            return
        if self.journal.closed:  # the socket may go in the very instant in which the record is made
            return
        kind, details = describe(event, verdict)
        what = kind_of(event).value
        self.note(kind, what, verdict=verdict.value, **details)
        if verdict in (Verdict.ODD, Verdict.IGNORED) and what not in self._oddities and not self.is_over:
            self._oddities.add(what)
            self.on_odd(what, verdict)


def _waits(timing: Timing) -> Mapping[Timer, float]:
    return {
        Timer.ATTACH: timing.attach,
        Timer.OPEN: timing.open,
        Timer.STALL: timing.stall,
        Timer.IDLE: timing.idle,
        Timer.FLUSH: timing.flush,
        Timer.RESUME: timing.resume,
    }


def _nobody_starts(start: Start) -> None:
    """Stand in until the call is there."""


def _nobody_waits() -> None:
    """Stand in until the call is there."""


def _nobody_returns(start: Start, away: float, silent: float) -> None:
    """Stand in until the call is there."""


def _nobody_cares(cause: EndCause) -> None:
    """Stand in until the engine runs."""


def _nobody_minds(what: str, verdict: Verdict) -> None:
    """Stand in until somebody logs."""


def _takes_every_key(key: Dtmf, at: float) -> bool:
    """Stand in until the engine runs."""
    return True
