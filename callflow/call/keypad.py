"""The caller's keys: what they cut, and who gets them.

A key goes to the innermost state that wants it (``wants_key``), at once or, where nobody asked for it yet, later. What
it cuts is cut before that, inside the reader's own step.
"""

from __future__ import annotations

from collections.abc import Sequence

import trio
from attrs import define, field

from callflow.call.driver import Driver
from callflow.call.journal import Kind
from callflow.call.level import Level, Next, Tell
from callflow.call.mailbox import Event, KeyCame
from callflow.call.playback import Playbacks
from callflow.call.typed import TypedKeys
from callflow.call.wants import wants_key
from callflow.flow.conduct import WAIT, Speak
from callflow.flow.playback import CUT_BY_KEY
from callflow.flow.secret import DOT
from callflow.wire.messages import Dtmf


@define(eq=False)
class Keypad:
    """Brings the keys of one call to its states.

    Args:
        driver: Of the call.
        playbacks: Of the call; they say what can be cut.
        levels: Where the call is; the engine keeps them.
    """

    _driver: Driver
    _playbacks: Playbacks
    _levels: Sequence[Level]
    typed: TypedKeys = field(init=False)
    _skipped: set[type] = field(factory=set, init=False)
    """States that were not spoken because of the keys that are held."""

    def __attrs_post_init__(self) -> None:
        self.typed = TypedKeys(self._note)

    def read(self, key: Dtmf, at: float) -> bool:
        """Cut what the key may cut; called inside the reader's step. Say whether the flow gets it."""
        if not len(self._driver.mailbox) and self.typed.swallows(key.digit, at):
            return False
        self._playbacks.barge_in(CUT_BY_KEY, "key")
        return True

    # In the engine's turn.

    def ahead(self) -> Next | None:
        """Take the oldest key that is held, if somebody wants it now."""
        digit = self.typed.first
        taker = None if digit is None else self._taker(digit)
        typed = None if taker is None else self.typed.take()
        if taker is None or typed is None:
            return None
        return self._press(taker, Dtmf(digit=typed[0]), masked=typed[1])

    def came(self, event: KeyCame) -> Next:
        """Take a key out of the mailbox to whoever wants it, or keep it."""
        taker = self._taker(event.key.digit)
        if taker is None:
            self._hold(event)
            return WAIT
        if self.typed.swallows(event.key.digit, event.at):
            return WAIT
        return self._press(taker, event.key, masked=self.typed.is_masked(event.at))

    def came_before(self, settled: Event) -> KeyCame | None:
        """Find the key that cut an announcement and has a handler of its own: it comes before what follows the cut.

        Args:
            settled: The end of the announcement, taken from the mailbox; it is put back there.
        """
        key = self._driver.mailbox.next_key
        if key is None or self._levels[-1].conduct.takes_keys or not isinstance(self._taker(key.key.digit), Tell):
            return None
        self._driver.mailbox.swap(settled)
        return key

    def is_answered(self, level: Level, step: Speak) -> bool:
        """Say whether the answer to what is to be spoken is there already. Keys that failed an attempt are none.

        Once for each state: an announcement that leads back to itself would go round for ever.
        """
        if step.again:
            self.typed.drop()
        for event in self._driver.mailbox.take_keys():
            self._hold(event)
        kind = type(level.state)
        answered = step.barge_in in CUT_BY_KEY and len(self.typed) > 0 and kind not in self._skipped
        if answered:
            self._skipped.add(kind)
        return answered

    def drop(self) -> None:
        """Drop all keys that wait."""
        self.typed.drop(len(self._driver.mailbox.take_keys()))

    def leave(self, level: Level) -> None:
        """A state is left: what it leaves behind of a secret is masked, its late terminator swallowed."""
        now = trio.current_time()
        if level.conduct.secret:
            self.typed.mask(now)
        self.typed.expect_late(level.conduct.late_terminator, now)

    def _hold(self, event: KeyCame) -> None:
        self.typed.hold(event.key.digit, event.at, self._levels[-1].state.options.typeahead)

    def _taker(self, digit: str) -> Level | Tell | None:
        """Find who takes a key now: nobody while a prompt protects itself."""
        playing = self._playbacks.playing
        yields = playing is None or playing.gives_way(CUT_BY_KEY)
        return wants_key(self._levels, digit) if yields else None

    def _press(self, taker: Level | Tell, key: Dtmf, *, masked: bool) -> Next:
        self._skipped.clear()
        level = taker.level if isinstance(taker, Tell) else taker
        shown = DOT if masked or self._levels[-1].conduct.secret else key.digit
        self._driver.note(Kind.KEY, "taken", key=shown, state=level.name)
        if not isinstance(taker, Tell):
            return level.conduct.press(key, trio.current_time())
        return Tell(level, "on_dtmf", (key,)) if taker.handler == "on_dtmf" else taker

    def _note(self, what: str, count: int | None) -> None:
        details = {} if count is None else {"count": count}
        self._driver.note(Kind.KEY, what, **details)
