"""The keys of a call on their way to the state that asked for them: typed ahead, late terminators, masks.

A key that comes before it was asked for is held; one that belongs to an entry that is over is swallowed; one that may
be a piece of a secret is masked in the journal, also when it is held and taken much later.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field

from callflow.flow.keys import LateTerminator, TypeAhead, TypeAheadPolicy

SECRET_AFTERGLOW = 2.0
"""Seconds after a secret state in which keys stay masked: digits of a PIN that came too late (ruling on secrets)."""


@define(eq=False)
class TypedKeys:
    """The keys of one call that no state has taken yet. Moments are seconds of Trio's clock.

    Args:
        note: Writes down what became of a key, and of how many where that can be several.
    """

    _note: Callable[[str, int | None], None]
    _ahead: TypeAhead = field(factory=TypeAhead, init=False)
    _late: LateTerminator | None = field(default=None, init=False)
    _masked_until: float = field(default=0.0, init=False)
    _masked_ahead: bool = field(default=False, init=False)
    """Whether keys that are held belong to a secret."""

    def __len__(self) -> int:
        """How many keys are held."""
        return len(self._ahead)

    @property
    def first(self) -> str | None:
        """The oldest key that is held, or None."""
        return self._ahead.first

    def take(self) -> tuple[str, bool] | None:
        """Give the oldest key that is held, and whether it is masked; None if there is none."""
        digit = self._ahead.take()
        return None if digit is None else (digit, self._masked_ahead)

    def hold(self, digit: str, at: float, policy: TypeAheadPolicy) -> None:
        """Keep a key that came before it was asked for, unless an entry that is over swallows it."""
        if self.swallows(digit, at):
            return
        self._masked_ahead = self.is_masked(at) or (self._masked_ahead and len(self._ahead) > 0)
        held = self._ahead.hold(digit, policy)
        self._note("held" if held else "dropped", None)

    def drop(self, others: int = 0) -> None:
        """Drop what is held; *others* were dropped with it."""
        dropped = self._ahead.flush() + others
        if dropped:
            self._note("dropped", dropped)

    def swallows(self, digit: str, at: float) -> bool:
        """Whether this is the terminator that a caller pressed by habit behind a full entry (L8)."""
        late, self._late = self._late, None
        swallowed = late is not None and late.swallows(digit, at)
        if swallowed:
            self._note("late terminator", None)
        return swallowed

    def expect_late(self, late: LateTerminator | None, now: float) -> None:
        """Have the next key pass *late*; it may be held already."""
        self._late = late
        if late is not None and self._ahead.swallow_terminator(late, now):
            self._note("late terminator", None)

    def mask(self, now: float) -> None:
        """A secret state is left: mask what is held and what comes soon."""
        self._masked_until = now + SECRET_AFTERGLOW
        self._masked_ahead = True

    def is_masked(self, at: float) -> bool:
        """Say whether a key that came at this moment may belong to a secret that was just left."""
        return at < self._masked_until
