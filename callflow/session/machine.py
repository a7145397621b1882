"""The session machine: looks rows up in the table and carries out their effects. Pure: no socket, no clock.

The driver (``callflow.call.driver``) feeds it everything that happens, and for each outcome must, in this order: write
``frames``, hand on ``told``, set the timers of ``arm``, and close the link if ``close`` says so. A ``refused`` outcome
is a bug of the driver's.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping

from callflow.session.inputs import (
    Audio,
    Close,
    Detached,
    EndCause,
    Hangup,
    Input,
    MarkDone,
    MarkFate,
    Outcome,
    Over,
    Pressed,
    Quiet,
    Reattach,
    Resumed,
    SendMark,
    SocketClosed,
    Started,
    StartOver,
    Timer,
    Told,
    Verdict,
)
from callflow.session.table import ENDS, MESSAGES, TABLE, Cell, Effect, In, Row, S, kind_of
from callflow.wire.messages import Dtmf, Mark, Media, Start

EARLY_BYTES = 240_000
"""Audio kept before ``start``: 5 s at the highest rate (ruling on tolerance, R15). The oldest goes first."""

EARLY_MESSAGES = 250
"""How many messages that may be: 5 s of 20 ms each, so that many tiny ones do not take more memory than large ones."""

MALFORMED_LIMIT = 50
"""Malformed messages in a row before the link is closed with 1003 (exotel.md §21, R31)."""

_LINK_TIMERS = (Timer.OPEN, Timer.STALL, Timer.IDLE, Timer.MARK, Timer.FLUSH)


class Session:
    """One call's protocol.

    Args:
        resumes: A lost link is waited for (``detached``) instead of ending the call.
        raw: The flow is a relay: payloads of any size may be sent (ruling on raw flows).
        malformed_limit: Malformed messages in a row that close the link.
        table: The table to obey; only tests give another.
    """

    def __init__(
        self,
        *,
        resumes: bool = False,
        raw: bool = False,
        malformed_limit: int = MALFORMED_LIMIT,
        table: Mapping[tuple[S, In], Cell] = TABLE,
    ) -> None:
        self.state = S.IDLE
        self.resumes = resumes
        self.raw = raw
        self.malformed_limit = malformed_limit
        self.announced = False
        self.stream_sid = ""
        self.epoch = 0
        """Links that this call has had; frames of an older one are never written."""
        self.malformed_in_row = 0
        self.stale: list[str] = []
        self.fresh: list[str] = []
        self.cause: EndCause | None = None
        """Why the call ended, or why its link was lost; the first wins."""
        self.counts: Counter[Verdict] = Counter()
        self._early: deque[Media] = deque(maxlen=EARLY_MESSAGES)
        self._table = table

    def feed(self, event: Input) -> Outcome:
        """Take one input; return what the driver must do now."""
        kind = kind_of(event)
        row = self._row(kind, event)
        self.counts[row.verdict] += 1
        if kind in MESSAGES:
            self.malformed_in_row = 0
        outcome = _EFFECTS[row.effect](self, row.verdict, event, kind)
        if row.target is not None:
            self.state = row.target
        return outcome

    def heard(self, media: Media) -> Outcome | None:
        """Take one ``Media`` in the state where nearly all of them come; None where ``feed`` has to judge it.

        The same cell as ``feed`` looks up, without the generality: this runs for every frame of every call.
        """
        cell = self._table[self.state, In.MEDIA]
        if cell[-1].effect is not Effect.TELL_AUDIO or media.stream_sid != self.stream_sid:
            return None
        self.counts[Verdict.KEPT] += 1
        self.malformed_in_row = 0
        return _HEARD

    def _row(self, kind: In, event: Input) -> Row:
        return next(row for row in self._table[self.state, kind] if row.guard(self, event))

    @property
    def early(self) -> tuple[Media, ...]:
        """Audio that came before ``start``, oldest first."""
        return tuple(self._early)

    # Effects. Each gives the outcome; none of them looks at the state.

    def _nothing(self, verdict: Verdict, event: Input, kind: In) -> Outcome:
        return Outcome(verdict=verdict)

    def _announce(self, verdict: Verdict, event: Input, kind: In) -> Outcome:
        self.announced = True
        return Outcome(verdict=verdict, arm={Timer.ATTACH: True} if verdict is Verdict.MOVED else {})

    def _open(self, verdict: Verdict, event: Input, kind: In) -> Outcome:
        self.malformed_in_row = 0
        return Outcome(verdict=verdict, arm={Timer.ATTACH: False, Timer.OPEN: True})

    def _return(self, verdict: Verdict, event: Input, kind: In) -> Outcome:
        self._early.clear()
        return Outcome(verdict=verdict, arm={Timer.OPEN: False, Timer.ATTACH: True})

    def _begin(self, verdict: Verdict, event: Input, kind: In) -> Outcome:
        assert isinstance(event, Start | Reattach)
        # A reattached call: what is kept here came on another link than its ``start``.
        start, early = (event.start, event.early) if isinstance(event, Reattach) else (event, self.early)
        return self._attached(verdict, start.stream_sid, (Started(start), *_of_stream(early, start)))

    def _resume(self, verdict: Verdict, event: Input, kind: In) -> Outcome:
        assert isinstance(event, Reattach)
        told: tuple[Told, ...] = (
            *self._lose_marks(),
            Resumed(event.start),
            *_of_stream(event.early, event.start),
        )
        self.cause = None
        return self._attached(verdict, event.start.stream_sid, told)

    def _attached(self, verdict: Verdict, stream_sid: str, told: tuple[Told, ...]) -> Outcome:
        self.epoch += 1
        self.stream_sid = stream_sid
        self.malformed_in_row = 0
        self._early.clear()
        arm = {Timer.ATTACH: False, Timer.OPEN: False, Timer.RESUME: False, Timer.MARK: False, Timer.FLUSH: False}
        return Outcome(verdict=verdict, told=told, arm={**arm, Timer.STALL: True, Timer.IDLE: True})

    def _keep_early(self, verdict: Verdict, event: Input, kind: In) -> Outcome:
        assert isinstance(event, Media)
        self._early.append(event)
        while sum(len(media.payload) for media in self._early) > EARLY_BYTES:
            self._early.popleft()
        return Outcome(verdict=verdict)

    def _count_malformed(self, verdict: Verdict, event: Input, kind: In) -> Outcome:
        self.malformed_in_row += 1
        return Outcome(verdict=verdict)

    def _tell_audio(self, verdict: Verdict, event: Input, kind: In) -> Outcome:
        assert isinstance(event, Media)
        return Outcome(verdict=verdict, told=(Audio(event),))

    def _tell_key(self, verdict: Verdict, event: Input, kind: In) -> Outcome:
        assert isinstance(event, Dtmf)
        return Outcome(verdict=verdict, told=(Pressed(event),))

    def _tell_start_over(self, verdict: Verdict, event: Input, kind: In) -> Outcome:
        return Outcome(verdict=verdict, told=(StartOver(),))

    def _tell_quiet(self, verdict: Verdict, event: Input, kind: In) -> Outcome:
        return Outcome(verdict=verdict, told=(Quiet(),), arm={Timer.STALL: True})

    def _echo(self, verdict: Verdict, event: Input, kind: In) -> Outcome:
        assert isinstance(event, Mark)
        if event.name in self.stale:
            done = self._drop_stale(self.stale.index(event.name))
            done.append(MarkDone(self.stale.pop(0), MarkFate.CLEARED))
        else:
            # A fresh echo before the stale ones: this peer does not echo what was cleared.
            done = self._drop_stale()
            skipped = self.fresh.index(event.name)
            done += [MarkDone(name, MarkFate.SKIPPED) for name in self.fresh[:skipped]]
            done.append(MarkDone(event.name, MarkFate.PLAYED))
            del self.fresh[: skipped + 1]
        return self._accounted(verdict, done)

    def _assume(self, verdict: Verdict, event: Input, kind: In) -> Outcome:
        done = self._drop_stale()
        done.append(MarkDone(self.fresh.pop(0), MarkFate.ASSUMED))
        return self._accounted(verdict, done)

    def _flush(self, verdict: Verdict, event: Input, kind: In) -> Outcome:
        return self._accounted(verdict, self._drop_stale())

    def _drop_stale(self, count: int | None = None) -> list[MarkDone]:
        """Account for the oldest *count* stale marks, or for all, that did not come back."""
        done = [MarkDone(name, MarkFate.DROPPED) for name in self.stale[:count]]
        del self.stale[:count]
        return done

    def _accounted(self, verdict: Verdict, done: list[MarkDone]) -> Outcome:
        arm = {Timer.MARK: bool(self.fresh)} | ({} if self.stale else {Timer.FLUSH: False})
        return Outcome(verdict=verdict, told=tuple(done), arm=arm)

    def _send(self, verdict: Verdict, event: Input, kind: In) -> Outcome:
        return Outcome(verdict=verdict, frames=(event,))  # type: ignore[arg-type]  # only sends have this effect

    def _queue_mark(self, verdict: Verdict, event: Input, kind: In) -> Outcome:
        assert isinstance(event, SendMark)
        self.fresh.append(event.name)
        return Outcome(verdict=verdict, frames=(event,), arm={Timer.MARK: True})

    def _overtake(self, verdict: Verdict, event: Input, kind: In) -> Outcome:
        self.stale += self.fresh
        self.fresh.clear()
        outcome = self._send(verdict, event, kind)
        return Outcome(verdict=verdict, frames=outcome.frames, arm={Timer.MARK: False, Timer.FLUSH: True})

    def _detach(self, verdict: Verdict, event: Input, kind: In) -> Outcome:
        close = self._settle(event, kind)
        arm = dict.fromkeys(_LINK_TIMERS, False) | {Timer.RESUME: True}
        return Outcome(verdict=verdict, told=(*self._lose_marks(), Detached()), arm=arm, close=close)

    def _end(self, verdict: Verdict, event: Input, kind: In) -> Outcome:
        close = self._settle(event, kind)
        assert self.cause is not None
        told: tuple[Told, ...] = (*self._lose_marks(), Over(self.cause))
        self._early.clear()
        return Outcome(verdict=verdict, told=told, arm=dict.fromkeys(Timer, False), close=close)

    def _settle(self, event: Input, kind: In) -> Close | None:
        """Note the cause, unless there is one; give the code that the link is closed with."""
        end = ENDS[kind]
        cause, code = end.cause, end.code
        if isinstance(event, Hangup):
            cause, code = event.cause, event.code
        elif isinstance(event, SocketClosed):
            cause = event.cause
        if self.cause is None:
            self.cause = cause or EndCause.PEER_GONE
        return None if code is None else Close(code)

    def _lose_marks(self) -> list[MarkDone]:
        done = self._drop_stale() + [MarkDone(name, MarkFate.LOST) for name in self.fresh]
        self.fresh.clear()
        return done


def _of_stream(early: Iterable[Media], start: Start) -> list[Audio]:
    """What of the early audio belongs to the stream that has started."""
    return [Audio(media) for media in early if media.stream_sid in ("", start.stream_sid)]


_HEARD = Outcome(verdict=Verdict.KEPT)

_EFFECTS: Mapping[Effect, Callable[[Session, Verdict, Input, In], Outcome]] = {
    Effect.NOTHING: Session._nothing,
    Effect.ANNOUNCE: Session._announce,
    Effect.OPEN: Session._open,
    Effect.RETURN: Session._return,
    Effect.BEGIN: Session._begin,
    Effect.RESUME: Session._resume,
    Effect.KEEP_EARLY: Session._keep_early,
    Effect.COUNT_MALFORMED: Session._count_malformed,
    Effect.TELL_AUDIO: Session._tell_audio,
    Effect.TELL_KEY: Session._tell_key,
    Effect.TELL_START_OVER: Session._tell_start_over,
    Effect.TELL_QUIET: Session._tell_quiet,
    Effect.ECHO: Session._echo,
    Effect.ASSUME: Session._assume,
    Effect.FLUSH: Session._flush,
    Effect.SEND: Session._send,
    Effect.QUEUE_MARK: Session._queue_mark,
    Effect.OVERTAKE: Session._overtake,
    Effect.DETACH: Session._detach,
    Effect.END: Session._end,
}
