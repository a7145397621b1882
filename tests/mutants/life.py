"""Mutants of a call's life inside callflow, for L1 to L16."""

from __future__ import annotations

import trio

import callflow.call.afterwards
import callflow.call.level
import callflow.call.tasks
from callflow.call.call import CallTask
from callflow.call.delivery import Delivery
from callflow.call.due import first_due
from callflow.call.engine import Engine
from callflow.call.level import Next
from callflow.call.live import LiveCall
from callflow.call.mishaps import Mishaps
from callflow.call.moves import Moves
from callflow.call.playback import LivePlayback
from callflow.call.standstill import Standstill
from callflow.call.steps import Steps
from callflow.flow.graph import Graph
from callflow.flow.keys import TypeAhead
from callflow.flow.menu import Menu
from callflow.session.inputs import Timer, TimerDue
from callflow.session.playout import Ledger
from tests.mutants.mutant import Mutant

LONG = "wait 9s / hangup"


def due_in_a_moment(delivery: Delivery) -> Next | None:
    """Say what follows of what is due now or in a moment, if something else waits."""
    due = first_due(delivery._levels, delivery._call.timers, delivery._driver)
    is_first = due is not None and due.at <= trio.current_time() + 0.0015 and len(delivery._driver.mailbox) > 0
    return due.come() if is_first and due is not None else None


MUTANTS = (
    Mutant(
        law="one-event-at-a-time",
        words="asks whether the line is quiet while a handler decides",
        of=Moves.ask,
        old="return ask(tell)",
        new="self._driver.feed(TimerDue(Timer.STALL)); return ask(tell)",
        brings=(Timer, TimerDue),
        call="wait 4s / keys 4 / hangup",
    ),
    Mutant(
        law="none-stays-and-a-state-moves",
        words="stays where a state leads to itself",
        of=Steps.carry_out,
        old="return then",
        new="return None if type(then.to) is type(level.state) else then",
        call=f"wait 4s / keys 9 / {LONG}",
    ),
    Mutant(
        law="late-results-are-dropped",
        words="takes the result of a state that was left",
        of=Delivery._run_ended,
        old="level = next((level for level in self._levels if level.state is event.state), None)",
        new="level = self._levels[-1]",
        call=f"wait 4s / keys 4 / wait 0.3s / keys 1 / {LONG}",
    ),
    Mutant(
        law="the-mailbox-before-deadlines",
        words="takes what is due in a moment before what is in the mailbox",
        of=Delivery.next,
        old="if (step := self._keypad.ahead()) is not None:",
        new="if (step := due_in_a_moment(self) or self._keypad.ahead()) is not None:",
        brings=(due_in_a_moment,),
        call=f"wait 4s / keys 2 / wait 3.899s / keys 1 / {LONG}",
    ),
    Mutant(
        law="timers-at-their-moment",
        words="waits a second too long",
        of=callflow.call.level.enter,
        old="return Level(state, call, depth, None if timeout is None else now + timeout, state.conduct(now))",
        new="return Level(state, call, depth, None if timeout is None else now + timeout + 1, state.conduct(now))",
        call=f"wait 4s / keys 2 / {LONG}",
    ),
    Mutant(
        law="frozen-while-detached",
        words="goes on without a line",
        of=Standstill.sit_out,
        old="outage = self._outage",
        new="outage = None",
        call="wait 4s / keys 2 / wait 1s / drop / wait 8s / reconnect / hangup",
    ),
    Mutant(
        law="playback-belongs-to-its-state",
        words="says of what a key has cut that it was heard",
        of=Ledger.clear,
        old="cut = self._settle_all(Fate.CUT, at)",
        new="cut = self._settle_all(Fate.HEARD, at)",
        call=f"wait 2s / keys 4 / {LONG}",
    ),
    Mutant(
        law="playback-belongs-to-its-state",
        words="leaves a state and not its sound",
        of=LivePlayback.stop,
        old="self._playbacks.cut(self)",
        new="pass",
        call=f"wait 4s / keys 2 / {LONG}",
        also={"no-errors": "what speaks next is refused, since the sound before it still plays"},
    ),
    Mutant(
        law="every-key-once-and-in-order",
        words="gives the newest key first",
        of=TypeAhead.take,
        old="return self._keys.popleft() if self._keys else None",
        new="return self._keys.pop() if self._keys else None",
        call=f"wait 4s / keys 2 / wait 3s / keys 12 / {LONG}",
    ),
    Mutant(
        law="hangup-preempts",
        words="tells a state twice that the call is over",
        of=callflow.call.afterwards.tell_hangup,
        old='told.append(("on_hangup", ()))',
        new='told += [("on_hangup", ())] * 2',
        call="wait 4s / keys 4 / hangup",
    ),
    Mutant(
        law="errors-once",
        words="says that a call was too long that ended by an error",
        of=Mishaps.end_by,
        old="self._driver.hang_up(EndCause.APP_ERROR, 1011)",
        new="self._driver.hang_up(EndCause.LIMIT)",
        call=f"wait 4s / keys 5 / {LONG}",
        also={"no-errors": "the flow's own code raises"},
    ),
    Mutant(
        law="declared-moves",
        words="allows every move",
        of=Graph.allows,
        old="return target in self._moves.get((source, handler), frozenset())",
        new="return True",
        call="wait 4s / keys 7 / hangup",
    ),
    Mutant(
        law="superstates",
        words="takes each key for the first",
        of=Menu._chosen,
        old='return choose(self, digit) if target is None else Go("keys", target)',
        new="return choose(self, next(iter(self.choices())))",
        call="wait 4s / keys 9 / hangup",
    ),
    Mutant(
        law="defaults-are-edges",
        words="begins a state anew that wants to stay",
        of=Standstill._say_again,
        old='if inner.state.options.resume == "stay":',
        new="if False:",
        flow="errands",
        call=f"wait 4s / keys 8 / wait 1s / drop / wait 0.2s / reconnect / {LONG}",
    ),
    Mutant(
        law="subflows",
        words="tells a sub-flow that gave up that it is done",
        of=Engine._serve_inside,
        old='handler, brings = ("on_failed", to.why) if isinstance(to, GaveUp) else ("on_done", to.result)',
        new='handler, brings = "on_done", getattr(to, "result", 0)',
        flow="errands",
        call=f"wait 3s / keys 1 / {LONG}",
    ),
    Mutant(
        law="activities-only-post",
        words="lets an activity speak",
        of=LiveCall._check_no_activity,
        old="if activity := ACTIVITY.get():",
        new="if False:",
        flow="errands",
        call="wait 4s / keys 4 / wait 1s / hangup",
    ),
    Mutant(
        law="every-call-ends",
        words="writes no record",
        of=CallTask._write_record,
        old='self.driver.note(Kind.END, "ended", cause=self.record.cause.value, by=by)',
        new="pass",
    ),
)
