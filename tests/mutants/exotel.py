"""Mutants of Exotel's side: the line simulator with one wrong line, for R1 to R14."""

from __future__ import annotations

from callflow.line.playout import Playout
from callflow.line.sender import Sender
from callflow.line.telephone import Telephone
from tests.mutants.mutant import Mutant

SPEAKS = "wait 1s / play voice.wav / wait 1s / hangup"

MUTANTS = (
    Mutant(
        law="connected-first",
        words="says connected twice",
        of=Sender.connected,
        old='return self._random.choice(([], [text, text])) if self._breaks("R1") else [text]',
        new="return [text, text]",
    ),
    Mutant(
        law="start-once-and-early",
        words="says start twice",
        of=Sender.start,
        old="return [*before, *(self._write_start() for _ in range(1 + twice))]",
        new="return [*before, self._write_start(), self._write_start()]",
    ),
    Mutant(
        law="one-stream-sid",
        words="gives sound the name of another stream",
        of=Sender._media,
        old="stream_sid=self._sid(),",
        new='stream_sid="another",',
        call=SPEAKS,
    ),
    Mutant(
        law="numbered-from-start",
        words="counts from 2",
        of=Sender._number,
        old='return None if self._profile.counters_as == "absent" else self._sequence',
        new="return self._sequence + 1",
    ),
    Mutant(
        law="chunks-counted",
        words="counts every other chunk",
        of=Sender._media,
        old='self._chunk = self._counted(self._chunk, "R5")',
        new="self._chunk += 2",
        call=SPEAKS,
    ),
    Mutant(
        law="timestamps-grow",
        words="is ahead of its time",
        of=Sender._media,
        old='moment = max(0.0, at - self._random.uniform(0.1, 2.0)) if self._errs("R6") else at',
        new="moment = at + 2.0",
        call=SPEAKS,
    ),
    Mutant(
        law="whole-samples",
        words="sends half a sample",
        of=Sender.media,
        old="return [self.write(self._media(payload, at))]",
        new="return [self.write(self._media(payload[:-1], at))]",
        call=SPEAKS,
    ),
    Mutant(
        law="echoes-of-what-was-sent",
        words="echoes a mark that nobody sent",
        of=Sender.mark,
        old='if self._breaks("R8"):',
        new="if True:",
        call="wait 4s / hangup",
    ),
    Mutant(
        law="echoes-in-order",
        words="echoes each mark twice",
        of=Sender.mark,
        old="names = [name, *self._marks_kept]",
        new="names = [name, name]",
        call="wait 4s / hangup",
    ),
    Mutant(
        law="echoes-after-the-audio",
        words="echoes a mark when it comes",
        of=Playout.mark,
        old='due = "R10" in self._profile.breaks or self._arrived == self._finished',
        new="due = True",
        call="wait 4s / hangup",
    ),
    Mutant(
        law="silent-after-stop",
        words="goes on after stop",
        of=Sender.stop,
        old='if self._breaks("R11"):',
        new="if True:",
    ),
    Mutant(
        law="an-end-is-an-end",
        words="takes its leave of a line that is lost when it comes back on another",
        of=Telephone.reconnect,
        old="link = await self._another()",
        new="link = await self._another(); self._note('in', self._sender.stop()[0])",
        call="wait 1s / drop / wait 1s / reconnect / wait 1s / hangup",
    ),
    Mutant(
        law="nothing-to-answer-one-way",
        words="tells a tap of keys",
        of=Sender.dtmf,
        old='if self._profile.one_way and not self._breaks("R13"):',
        new="if False:",
        flow="listens",
        call="oneway yes / wait 1s / keys 1 / wait 1s / hangup",
    ),
    Mutant(
        law="gone-after-stop",
        words="keeps the line for three seconds after stop",
        of=Telephone._end,
        old="self._ended_at = self.now",
        new="self._ended_at = self.now + 3.0 * self._leaving",
    ),
)
