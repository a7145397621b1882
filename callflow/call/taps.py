"""Taps: plain functions that get the caller's audio, frame by frame, inside the reader's step."""

from __future__ import annotations

from collections.abc import Callable

from attrs import Factory, define, field

Tap = Callable[[bytes], None]

UNTAPPED = 1.0
"""Seconds of a call in which audio is kept for a tap: ``start`` and the first audio may come in one segment."""

UNTAPPED_BYTES = 48_000
"""As much as comes in that time at the highest rate."""


@define(eq=False)
class Taps:
    """All who get the caller's audio now: first those of the call, then those of the state."""

    all: tuple[Tap, ...] = field(default=(), init=False)
    _of_call: tuple[Tap, ...] = field(default=(), init=False)
    _untapped: list[bytes] | None = field(default=Factory(list), init=False)

    @property
    def want_audio(self) -> bool:
        """Whether audio goes anywhere: if not, whoever has it need not prepare it."""
        return bool(self.all) or self._untapped is not None

    def take(self, audio: bytes, at: float) -> None:
        """Give audio to all; *at* is when it came, in seconds since the call began."""
        if self._untapped is not None:
            self._keep(self._untapped, audio, at)
        for tap in self.all:
            tap(audio)

    def _keep(self, kept: list[bytes], audio: bytes, at: float) -> None:
        """Keep what comes before the first state can have a tap; a flow that has none soon gets none of it."""
        if at > UNTAPPED:
            self._untapped = None
        elif sum(map(len, kept)) + len(audio) <= UNTAPPED_BYTES:
            kept.append(audio)

    def add(self, tap: Tap) -> None:
        """Have *tap* called until the state is left; the first one of a call also gets what came before it."""
        self.all = (*self.all, tap)
        missed, self._untapped = self._untapped, None
        for audio in missed or ():
            tap(audio)

    def add_guarded(self, tap: Tap, failed: Callable[[BaseException], None]) -> None:
        """Have a user's function called as by ``add``; once it raises, the state has no taps any more."""

        def guarded(audio: bytes) -> None:
            try:
                tap(audio)
            except (Exception, SystemExit) as raised:  # noqa: BLE001  # user code; the engine goes on by it
                self.leave_state()
                failed(raised)

        self.add(guarded)

    def add_late(self, tap: Tap) -> None:
        """Have *tap* called from now on until the state is left; nobody gets what came before it any more."""
        self._untapped = None
        self.add(tap)

    def listen(self, tap: Tap) -> None:
        """Have *tap* called for as long as the call lives, before any tap of a state."""
        self.all = (*self._of_call, tap, *self.all[len(self._of_call) :])
        self._of_call = (*self._of_call, tap)

    def leave_state(self) -> None:
        """Take the taps of the state off."""
        self.all = self._of_call

    def close(self) -> None:
        """Take all off: the call is over."""
        self.all = self._of_call = ()
