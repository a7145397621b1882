"""A call without a line stands still: nothing reaches its states, and their time does not pass, until one is back."""

from __future__ import annotations

from collections.abc import Sequence

import trio
from attrs import define, field

from callflow.call.driver import Driver
from callflow.call.handlers import Failed, ask
from callflow.call.journal import Kind
from callflow.call.level import Level, Next, Tell, with_hook
from callflow.call.mailbox import LineLost
from callflow.call.outage import Outage
from callflow.call.playback import Playbacks
from callflow.errors import FlowError
from callflow.flow.conduct import WAIT, Step
from callflow.flow.facts import Resumed


@define(eq=False)
class Standstill:
    """Stops and starts one call.

    Args:
        driver: Of the call.
        playbacks: Of the call; the line takes them with it.
        levels: Where the call is; the engine keeps them.
    """

    _driver: Driver
    _playbacks: Playbacks
    _levels: Sequence[Level]
    _outage: Outage | None = field(default=None, init=False)
    """Set from the loss of the line until the flow was told that it is back: nothing else happens meanwhile."""

    # Inside the reader's step.

    def lost(self) -> None:
        """The line is gone. Stand still, once what came before is handled."""
        self._begin().lost()

    def resumed(self, gap: Resumed) -> None:
        """There is a line again, maybe one that took over."""
        self._begin().ended(gap)

    def call_over(self) -> None:
        """No line will come."""
        if self._outage is not None:
            self._outage.call_over()

    def _begin(self) -> Outage:
        if self._outage is None:
            self._outage = Outage()
            self._driver.mailbox.put(LineLost())
        return self._outage

    # In the engine's turn.

    async def has_line(self) -> bool:
        """Wait, between two states, for a line; say whether there is one. Nobody is told: no state was cut off.

        Cancellation:
            Nothing changes.
        """
        while (outage := self._outage) is not None and not self._driver.is_over:
            if outage.gap is not None:
                self._outage = None
            else:
                await outage.wait_news()
        return not self._driver.is_over

    async def sit_out(self) -> Next:
        """Handle nothing until the line is back.

        Cancellation:
            The call is over: that is how it ends while it stands still.
        """
        outage = self._outage
        if outage is None:
            return WAIT  # it was over before this state was entered
        for level in with_hook(self._levels, "on_detached"):
            ask(Tell(level, "on_detached"))
        while (gap := outage.gap) is None:
            await outage.wait_news()
        if self._driver.is_over:
            await trio.lowlevel.checkpoint()  # cancelled: a line that comes back may end in the same segment (L9)
        self._outage = None
        for level in self._levels:
            level.stood_still(gap.seconds)
        return Tell(self._levels[-1], "on_resumed", (gap,))

    def not_moved_by(self, tell: Tell) -> Next:
        """A state has heard that the line is back, and stays: so hears the next around it, and then all goes on."""
        around = next(with_hook(self._levels[: tell.level.depth], "on_resumed"), None)
        return self._say_again() if around is None else Tell(around, "on_resumed", tell.args)

    def _say_again(self) -> Step:
        """Carry on with the state: what the old line took with it is said again, unless the state does without."""
        inner = self._levels[-1]
        self._driver.note(Kind.STATE, "resumed", state=inner.name)
        own, inner.own_prompt = inner.own_prompt, None
        was_cut_off = own is not None and own.is_waiting
        if inner.state.options.resume == "stay":
            self._playbacks.give_up_lost()
            self._play_waiting()
            return inner.conduct.prompt_ended(trio.current_time()) if was_cut_off else WAIT
        if own is not None:
            self._playbacks.give_up(own)
        return WAIT if self._play_waiting() else inner.conduct.resumed(trio.current_time())

    def _play_waiting(self) -> bool:
        try:
            return self._playbacks.play_waiting()
        except (ValueError, FlowError) as wrong:
            raise Failed(self._levels[-1], "prompt") from wrong
