"""Mutants of the server's side of the wire, for R15 to R40."""

from __future__ import annotations

import trio

import callflow.call.reader
import callflow.server.http
import callflow.wire.audio
from callflow.call.call import CallTask
from callflow.call.driver import Driver
from callflow.call.engine import Engine
from callflow.call.link import Link
from callflow.call.writer import Writer
from callflow.server.reports import Reports
from callflow.server.serve import Server
from callflow.session.inputs import Frame, SendClear, SendMedia
from callflow.session.machine import Session
from callflow.session.playout import Ledger
from callflow.wire.exotel import Outgoing
from callflow.wire.messages import Start
from tests.mutants.mutant import Mutant

HEARS = "wait 4s / hangup"
CUTS = "wait 2s / keys 4 / wait 3s / hangup"


def a_sample_longer(frame: Frame) -> Frame:
    """Add a sample to what is sent last of an utterance."""
    is_last = isinstance(frame, SendMedia) and len(frame.payload) < 3200
    return SendMedia(frame.payload + bytes(2)) if is_last else frame  # type: ignore[union-attr]  # looked at above


def take_name(driver: Driver, message: object) -> None:
    """Send under the name of a start from now on."""
    if isinstance(message, Start):
        driver.writer._outgoing = Outgoing(message.stream_sid, 16_000, counters=False)


MUTANTS = (
    Mutant(
        law="nothing-before-start",
        words="greets the line before it says who calls",
        of=Link.accept,
        old="self._take(rest)",
        new="""self._take(rest); self.send('{"event": "connected"}')""",
    ),
    Mutant(
        law="own-stream-sid",
        words="stamps messages with the name of the call",
        of=Driver.adopt,
        old="outgoing = Outgoing(start.stream_sid, form.bytes_per_second, counters=counters)",
        new="outgoing = Outgoing(start.call_sid, form.bytes_per_second, counters=counters)",
        call=HEARS,
    ),
    Mutant(
        law="whole-blocks",
        words="adds a sample to the last chunk",
        of=Driver.feed,
        old="self.writer.write(frame)",
        new="self.writer.write(a_sample_longer(frame))",
        brings=(a_sample_longer,),
        call=HEARS,
    ),
    Mutant(
        law="large-enough",
        words="sends chunks of half the size",
        of=callflow.wire.audio.chunks,
        old="step = form.chunk_bytes if size is None else size",
        new="step = form.chunk_bytes // 2 if size is None else size",
        call=HEARS,
    ),
    Mutant(
        law="every-byte-in-order",
        words="leaves a chunk out",
        of=Writer._send_chunk,
        old="self._submit(SendMedia(chunk))",
        new="1.9 < entry.sent < 2.1 or self._submit(SendMedia(chunk))",
        flow="bank",
        call=HEARS,
    ),
    Mutant(
        law="within-the-lead",
        words="sends three times as far ahead",
        of=Writer.pump,
        old="early = self._ledger.ahead(now) - self.lead",
        new="early = self._ledger.ahead(now) - 3 * self.lead",
        call=HEARS,
    ),
    Mutant(
        law="mark-behind-its-audio",
        words="sends the mark before the last chunk",
        of=Writer._send_chunk,
        old="self._submit(SendMedia(chunk))",
        new="running.after is None and self._send_mark(running, now); self._submit(SendMedia(chunk))",
        call="wait 1s / hangup",
    ),
    Mutant(
        law="unique-marks",
        words="gives every mark one name",
        of=Ledger.next_mark,
        old="self._last_mark += 1",
        new="self._last_mark = 1",
        call=HEARS,
    ),
    Mutant(
        law="one-clear-and-nothing-old",
        words="sends no clear",
        of=Writer.clear,
        old="self._submit(SendClear())",
        new="pass",
        call=CUTS,
    ),
    Mutant(
        law="one-clear-and-nothing-old",
        words="goes on with what was cut",
        of=Writer.clear,
        old="self._running = None",
        new="pass",
        call=CUTS,
    ),
    Mutant(
        law="one-end-of-each-wait",
        words="forgets the marks of a call that is over",
        of=Session._lose_marks,
        old="done = self._drop_stale() + [MarkDone(name, MarkFate.LOST) for name in self.fresh]",
        new="done = self._drop_stale()",
        call="wait 1.24s / hangup",
    ),
    Mutant(
        law="silent-after-the-end",
        words="sends a clear when the call is over",
        of=Driver._over,
        old="self.writer.shut()",
        new="self.writer.write(SendClear()); self.writer.shut()",
        brings=(SendClear,),
    ),
    Mutant(
        law="whole-and-in-order",
        words="sends half a message behind a clear",
        of=Writer.write,
        old="self._link.send(self._outgoing.clear())",
        new="self._link.send(self._outgoing.clear()); self._link.send('{')",
        call=CUTS,
    ),
    Mutant(
        law="silent-one-way",
        words="sends a clear to a tap",
        of=Driver.adopt,
        old="self.writer.adopt(link, outgoing, form, self.session.epoch)",
        new="self.writer.adopt(link, outgoing, form, self.session.epoch); self.writer.write(SendClear())",
        brings=(SendClear,),
        flow="listens",
        call="oneway yes / wait 1s / hangup",
    ),
    Mutant(
        law="end-is-noticed",
        words="is slow to read",
        of=callflow.call.reader.read,
        old="driver.came()",
        new="driver.came(); await sleep(0.3)",
        brings=(trio.sleep,),
        call=HEARS,
    ),
    Mutant(
        law="one-report-of-the-end",
        words="says that the line was lost, whatever ended it",
        of=Session._settle,
        old="cause, code = end.cause, end.code",
        new="cause, code = EndCause.PEER_GONE, end.code",
    ),
    Mutant(
        law="nothing-left",
        words="leaves the writer alone with nobody",
        of=CallTask.run,
        old='actors.start_soon(driver.writer.run, name=f"writer {self.call_id}")',
        new='trio.lowlevel.spawn_system_task(driver.writer.run, name=f"writer {self.call_id}")',
    ),
    Mutant(
        law="rubbish-is-survived",
        words="ends a call by one message that is none",
        of=Session._count_malformed,
        old="self.malformed_in_row += 1",
        new="self.malformed_in_row += 50",
        call="wait 1s / odd no-json / odd no-json / wait 1s / hangup",
    ),
    Mutant(
        law="first-start-counts",
        words="takes the name of a second start",
        of=callflow.call.reader.take,
        old="driver.feed(message)",
        new="driver.feed(message); take_name(driver, message)",
        brings=(take_name,),
        call="wait 1s / odd start-of-another-call / wait 1s / hangup",
    ),
    Mutant(
        law="numbers-change-nothing",
        words="drops what has a number that it does not like",
        of=Session._tell_key,
        old="return Outcome(verdict=verdict, told=(Pressed(event),))",
        new="return Outcome(verdict=verdict, told=(Pressed(event),) if event.sequence_number != 2 else ())",
        call="wait 1s / keys 12 / wait 1s / hangup",
    ),
    Mutant(
        law="numbered-without-gaps",
        words="counts its messages twice",
        of=Outgoing.media,
        old="self._sequence += 1",
        new="self._sequence += 2",
        call=HEARS,
    ),
    Mutant(
        law="calls-told-apart",
        words="takes a call over without asking for a sign of life",
        of=Link.falls_silent,
        old="with trio.move_on_after(seconds) as patience:",
        new="with trio.move_on_after(0) as patience:",
        call="wait 1s / takeover / wait 2s / hangup",
    ),
    Mutant(
        law="closed-in-order",
        words="closes with the code of an error when the flow is over",
        of=Engine._close,
        old="self._driver.hang_up(EndCause.FLOW)",
        new="self._driver.hang_up(EndCause.FLOW, 1011)",
        call="wait 20s",
    ),
    Mutant(
        law="answered-first",
        words="makes the call's data before it answers",
        of=Server._answer,
        old="link = Link(port, Budget(rate=self.settings.message_rate))",
        new="flow.make_data(None); link = Link(port, Budget(rate=self.settings.message_rate))",
    ),
    Mutant(
        law="applets-are-answered",
        words="lets Exotel wait as long as the flow likes",
        of=callflow.server.http._in_time,
        old="with trio.move_on_after(ANSWER_WITHIN) as waiting:",
        new="with trio.move_on_after(9.0) as waiting:",
        flow="guards",
        call="from +910000000109 / ring / wait 1s / hangup",
    ),
    Mutant(
        law="repeats-once",
        words="takes a repeated status callback for news",
        of=Reports.add,
        old="return False",
        new="return True",
        flow="guards",
    ),
    Mutant(
        law="pings-are-answered",
        words="answers pings with nothing in it",
        of=Link._answer,
        old="self._write(self._protocol.send(ping.response()))",
        new="pass",
        call="wait 1s / odd ping / wait 1s / hangup",
    ),
)
