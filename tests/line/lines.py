"""A telephone without a wire, bots to talk to on it, and scripts played there; all in virtual time."""

from __future__ import annotations

import random
from array import array
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import trio

from callflow.errors import CallEnded, NotAnswered
from callflow.line.oddities import Oddity
from callflow.line.player import Surroundings, play_script
from callflow.line.playout import Playout
from callflow.line.recognise import Prompt, Recogniser
from callflow.line.script import parse
from callflow.line.transcript import Conversation, Entered, Result
from callflow.wire.audio import AudioFormat, chunks

PCM = AudioFormat(8000)


def sound(seed: int, seconds: float) -> bytes:
    draw = random.Random(seed)
    return array("h", (draw.randrange(-9000, 9000) for _ in range(round(seconds * 8000)))).tobytes()


WELCOME = Prompt(name="welcome", words="Welcome to the bank.", pcm=sound(1, 2.0))
MENU = Prompt(name="menu", words="Press 1, or 2.", pcm=sound(2, 3.0))
BALANCE = Prompt(name="balance_is", words="Your balance is", pcm=sound(3, 1.0))
TWELVE = Prompt(name="twelve", words="twelve", pcm=sound(4, 0.4))
THOUSAND = Prompt(name="thousand", words="thousand.", pcm=sound(5, 0.5))
PROMPTS = (WELCOME, MENU, BALANCE, TWELVE, THOUSAND)


class Line:
    """A telephone without a wire. Its other methods are the far end's: ``say``, ``key``, ``close``."""

    def __init__(self) -> None:
        self.form = PCM
        self.playout = Playout(PCM)
        self.ended = trio.Event()
        self.ended_by: str | None = None
        self.close_code: int | None = None
        self.lines: list[str] = []
        """What became of its lines."""
        self.said: list[bytes] = []
        self._answered = trio.current_time()
        self._facts = trio.lowlevel.ParkingLot()
        self._pressed, self._keys = trio.open_memory_channel[str](100)

    @property
    def now(self) -> float:
        return trio.current_time() - self._answered

    async def press(self, digits: str, *, gap: float, hold: float) -> None:
        start = trio.current_time()
        for at, digit in enumerate(digits):
            await trio.sleep_until(start + at * gap + min(gap, hold))
            self._check("press")
            self._pressed.send_nowait(digit)

    async def play(self, pcm16: bytes) -> None:
        self._check("play")
        self.said.append(pcm16)
        await trio.sleep(PCM.seconds(len(pcm16)))

    async def wait(self, seconds: float) -> None:
        await trio.sleep(seconds)

    async def changed(self) -> None:
        self._check("changed")
        await self._facts.park()

    async def hang_up(self) -> None:
        await trio.lowlevel.checkpoint()
        self._end("caller", 1006)

    def drop(self) -> None:
        self._end("network", 1006)

    def lose(self) -> None:
        self.lines.append("lost")

    def go_deaf(self) -> None:
        self.lines.append("deaf")

    def freeze(self, seconds: float) -> None:
        self.lines.append(f"frozen for {seconds:g} s")

    def half_close(self) -> None:
        self.lines.append("half closed")

    async def send_odd(self, oddity: Oddity) -> None:
        await trio.lowlevel.checkpoint()
        self._check("send_odd")
        self.lines.append(oddity.value)

    async def reconnect(self) -> None:
        await trio.lowlevel.checkpoint()
        self._check("reconnect")
        self.lines.append("back")

    async def take_over(self) -> None:
        await trio.lowlevel.checkpoint()
        self._check("take_over")
        self.lines.append("taken over")

    def _check(self, what: str) -> None:
        if self.ended.is_set():
            raise CallEnded(what, str(self.ended_by))

    def _end(self, by: str, code: int) -> None:
        if not self.ended.is_set():
            self.playout.advance(self.now)
            self.ended_by, self.close_code = by, code
            self.ended.set()
            self._facts.unpark_all()

    async def hear(self) -> None:
        """Let the line play, frame by frame."""
        while not self.ended.is_set():
            self.playout.advance(self.now)
            self._facts.unpark_all()
            await trio.sleep(0.02)

    async def say(self, *pcm: bytes, barge_in: bool = True) -> str:
        """Play audio; with *barge_in* a key stops it. Returns that key."""
        for chunk in chunks(b"".join(pcm), PCM):
            self.playout.media(chunk, self.now)
            with trio.move_on_after(PCM.seconds(len(chunk))):
                if not barge_in:
                    await trio.sleep_forever()
                key = await self.key()
                self.playout.clear(self.now)
                return key
        return ""

    async def key(self) -> str:
        return await self._keys.receive()

    def close(self, code: int = 1000) -> None:
        self._end("server", code)


Bot = Callable[[Line], Awaitable[None]]


class States:
    """An event feed of states with their moments."""

    def __init__(self, *entered: tuple[float, str], problem: str = "") -> None:
        self._all = [Entered(at, name) for at, name in entered]
        self._began = trio.current_time()
        self._problem = problem

    @property
    def entered(self) -> Sequence[Entered]:
        now = trio.current_time() - self._began
        return [entered for entered in self._all if entered.at <= now]

    @property
    def problem(self) -> str:
        return self._problem if len(self.entered) == len(self._all) else ""

    async def changed(self) -> None:
        known = len(self.entered)
        if known == len(self._all):
            await trio.sleep_forever()
        await trio.sleep_until(self._began + self._all[known].at)


async def silent_bot(line: Line) -> None:
    await trio.sleep_forever()


async def bank(line: Line) -> None:
    """Say welcome, then the menu; any key brings the balance, and after that the call ends."""
    await line.say(WELCOME.pcm) or await line.say(MENU.pcm) or await line.key()
    await trio.sleep(0.25)
    await line.say(BALANCE.pcm, TWELVE.pcm, THOUSAND.pcm, barge_in=False)
    line.close()


async def bank_without_menu(line: Line) -> None:
    await line.say(BALANCE.pcm, TWELVE.pcm, THOUSAND.pcm)
    line.close()


async def play(
    text: str,
    bot: Bot = bank,
    *,
    answers: dict[str, str] | None = None,
    states: Callable[[], States] | None = None,
    status: int | None = None,
    chosen: str | None = None,
    watch: Callable[[Conversation], None] = lambda conversation: None,
    path: Path | str = "bank.call",
) -> Result:
    """Play a script against a bot."""

    async def passthru(branch: str | None) -> int:
        await trio.lowlevel.checkpoint()
        if branch is not None and branch != chosen:
            return 200
        if not status:
            raise NotAnswered("the Passthru was not answered")
        return status

    line = Line()
    surroundings = Surroundings(
        feed=states() if states else None, passthru=None if status is None else passthru, watch=watch
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(line.hear)
        nursery.start_soon(bot, line)
        result = await play_script(
            parse(text, path),
            line,
            recogniser=Recogniser(PROMPTS, PCM),
            answers=answers or {},
            surroundings=surroundings,
        )
        assert line.ended.is_set()
        nursery.cancel_scope.cancel()
    return result


async def failure(text: str, bot: Bot = bank, **others: object) -> str:
    return (await play(text, bot, **others)).failure  # type: ignore[arg-type]  # play's own keywords
