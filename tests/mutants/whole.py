"""Mutants for the laws of whole examples, K1 and on."""

from __future__ import annotations

import logging

from callflow.call.driver import Driver
from callflow.call.engine import Engine
from callflow.call.live import LiveCall
from callflow.call.mailbox import Mailbox
from callflow.call.playback import Playbacks
from callflow.call.steps import Steps
from callflow.call.writer import Writer
from callflow.flow.collect import CollectDigits
from callflow.flow.conduct import Finish
from callflow.server.calls import Calls
from callflow.server.door import Door
from callflow.session.inputs import EndCause
from callflow.session.machine import Session
from tests.mutants.mutant import Mutant

PIN = "wait 8s / keys 1 / wait 3s / type $pin / wait 2s / hangup"


def log_entry(digits: str) -> None:
    """Write into the library's log what nobody may read."""
    logging.getLogger("callflow.flow").debug("entered", extra={"digits": digits})


MUTANTS = (
    Mutant(
        law="no-errors",
        words="forgets the services behind a flow",
        of=LiveCall.get,
        old="return find_service(self._flow.services, service)",
        new="return find_service((), service)",
        flow="bank",
        call="wait 20s / hangup",
    ),
    Mutant(
        law="no-orphans",
        words="keeps a call that is over among the live ones",
        of=Calls.over,
        old="if self._live.pop(task.call_id, None) is None or task.start is None:",
        new="if self._live.get(task.call_id) is None or task.start is None:",
    ),
    Mutant(
        law="strangers-stay-out",
        words="sends strangers away without a word",
        of=Door._refuse,
        old="if not is_told:",
        new="if True:",
        call="wait 1s / odd handshake-elsewhere / wait 1s / hangup",
    ),
    Mutant(
        law="strangers-stay-out",
        words="opens a stream for whoever asks, however wrongly",
        of=Door._refusal_of_upgrade,
        old="malformed = check_upgrade(head)",
        new="malformed = None",
        call="wait 1s / odd handshake-without-key / wait 1s / hangup",
        also={"nothing-fails-inside": "what should have been refused fails where it is let in"},
    ),
    Mutant(
        law="nothing-fails-inside",
        words="does not shut the writer when the call is over",
        of=Driver._over,
        old="self.writer.shut()",
        new="pass",
        flow="guards",
        call=f"lag 400ms / wait 5s / keys 1 / wait 1s / {50 * 'odd no-json / '}wait 1s / hangup",
    ),
    Mutant(
        law="one-line-each",
        words="goes on on a new line where it was on the old",
        of=Writer.detach,
        old="self._link = self._running = None",
        new="self._link = None",
        flow="guards",
        call="order 1 / wait 4s / keys 1 / wait 1s / drop / wait 1s / reconnect / wait 1s / hangup",
        also={"mark-behind-its-audio": "what goes on there is cut off by what is said anew, and has no mark"},
    ),
    Mutant(
        law="no-gaps",
        words="wakes a second late for the next chunk",
        of=Writer.pump,
        old="return now + early",
        new="return now + early + 1.0",
        call="wait 4s / hangup",
    ),
    Mutant(
        law="cleared-is-not-heard",
        words="takes the echo of a mark that was cleared for one that was heard",
        of=Session._echo,
        old="done.append(MarkDone(self.stale.pop(0), MarkFate.CLEARED))",
        new="done.append(MarkDone(self.stale.pop(0), MarkFate.PLAYED))",
        call="wait 0.9s / keys 4 / wait 1s / hangup",
    ),
    Mutant(
        law="marks-in-order",
        words="gives marks up in the wrong order",
        of=Session._drop_stale,
        old="done = [MarkDone(name, MarkFate.DROPPED) for name in self.stale[:count]]",
        new="done = [MarkDone(name, MarkFate.DROPPED) for name in reversed(self.stale[:count])]",
        call="echoes no / wait 0.8s / keys 1 / wait 0.4s / keys 5 / wait 4s / hangup",
    ),
    Mutant(
        law="goodbye-is-heard",
        words="closes when the goodbye begins",
        of=Steps._speak,
        old="return WAIT",
        new="return Finish() if level.state.final else WAIT",
        brings=(Finish,),
        flow="guards",
        call="wait 4s / keys 1 / wait 1s / keys 1 / wait 5s",
    ),
    Mutant(
        law="protected-prompts",
        words="lets noise cut what protects itself",
        of=Playbacks.barge_in,
        old="if playing is not None and playing.is_sounding and not playing.is_waiting and playing.barge_in in cuts:",
        new="if playing is not None and playing.is_sounding and not playing.is_waiting:",
        flow="guards",
        call="wait 0.1s / play voice.wav / wait 3s / hangup",
    ),
    Mutant(
        law="resume-keeps-data",
        words="makes new data when a line is back",
        of=Engine.resumed,
        old="self._standstill.resumed(gap)",
        new="self._call.make_data(); self._standstill.resumed(gap)",
        flow="bank",
        call="wait 8s / drop / wait 1s / reconnect / wait 2s / hangup",
    ),
    Mutant(
        law="mailbox-bounded",
        words="keeps any number of events",
        of=Mailbox.put,
        old="if len(self._events) >= MOST_EVENTS:",
        new="if False:",
        call=f"wait 4s / keys 4 / keys 1{300 * '3'} gap 0s / wait 2s / hangup",
    ),
    Mutant(
        law="no-secrets",
        words="logs what was typed",
        of=CollectDigits._entered,
        old='return Deliver("on_digits", (Secret(digits) if self.options.secret else digits,))',
        new='log_entry(digits); return Deliver("on_digits", (Secret(digits),))',
        brings=(log_entry,),
        flow="bank",
        call=PIN,
    ),
    Mutant(
        law="neighbours",
        words="ends every call when one is over",
        of=Calls.over,
        old="self._changed()",
        new="[other.hang_up(EndCause.DRAIN, 1012) for other in self.live]; self._changed()",
        brings=(EndCause,),
        flow="bank",
        call="beside 2.003s keys 1 / beside 9.003s hangup / wait 1s / drop / wait 1s / reconnect / wait 1s / hangup",
    ),
)
