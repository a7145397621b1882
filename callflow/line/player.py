"""Plays a call script on a telephone: does what the caller does, and holds the bot to what the script expects.

``play_script`` plays one from its first step to its last; ``open_player`` gives the player itself, for whoever thinks
of the next step when the last one is done. Nothing here sleeps for luck: every step waits for its own condition, up to
its own time. The first step of a script that does not hold ends the call, and its outcome says which line it was, what
was expected and what came.

Which prompt a ``hear`` line is about says ``callflow.line.matching``. ``state`` lines follow the flow's path in order;
states between them may be left out.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import TypeVar, assert_never

import trio
from attrs import define, field, frozen

from callflow.errors import CallEnded, NotAnswered, ScriptError
from callflow.line.dialling import alone
from callflow.line.ear import LINE_DELAY, Ear, Feed, Phone
from callflow.line.heard import JOINT, HeardPrompt, utterances
from callflow.line.matching import Matcher
from callflow.line.oddities import Oddity, Place
from callflow.line.playout import SAME
from callflow.line.recognise import PAUSE, Recogniser
from callflow.line.recording import KeyTone, read_wav
from callflow.line.steps import (
    ACTS,
    Act,
    Branch,
    Deafen,
    Drop,
    Ended,
    Ender,
    Enter,
    Freeze,
    HalfClose,
    HangUp,
    Hear,
    Play,
    Press,
    Quiet,
    Reach,
    Reconnect,
    Ring,
    RingAgain,
    Script,
    SendOdd,
    Service,
    Step,
    TakeOver,
    Wait,
)
from callflow.line.transcript import HEAR_WITHIN, STATE_WITHIN, Conversation, Deed, Outcome, Result
from callflow.wire.messages import KEYS

T = TypeVar("T")

KEY_GAP = 0.3
"""Seconds from one key to the next where a line has no ``gap``."""

KEY_HOLD = 0.1
"""Seconds that a key is held; Exotel reports it when it is let go."""

_PLAIN = {"A": 200, "B": 302}
"""Branches that a Passthru tells whose URL asks for none (exotel.md §12.2)."""

_ENDERS = {Ender.FLOW: "server", Ender.CALLER: "caller"}
_CLOSED_IN_ORDER = 1000
_NO_PASSTHRU = "there is no Passthru on this line"


@frozen(kw_only=True)
class Surroundings:
    """What stands round a call, for the steps that need more than a telephone."""

    feed: Feed | None = None
    """Without one a ``state`` line does not hold."""
    passthru: Callable[[str | None], Awaitable[int]] | None = None
    """Sends the Passthru after the stream and gives the status of its answer; without it ``branch`` does not hold.

    It is given the branch that the URL asks for, or None, and raises ``NotAnswered`` where there is no answer.
    """
    announce: Callable[[], Awaitable[int]] | None = None
    """Sends the Passthru that comes before a stream; without it ``odd passthru-late`` does not hold."""
    watch: Callable[[Conversation], None] = lambda conversation: None
    """Called with the conversation when it may have grown, and once at the end. Must not wait or raise."""


def check_answers(script: Script, answers: Mapping[str, str]) -> None:
    """Check that every answer that a script types is known and can be typed.

    Raises:
        ScriptError: One is missing, or holds what is no key. The message holds nothing of it.
    """
    for step in script.steps:
        if isinstance(step, Enter) and step.answer:
            answer = answers.get(step.answer)
            if answer is None:
                cure = f"give --answer {step.answer}=…, or write it in answers.toml beside the script"
                raise ScriptError(script.path, step.line, f"nobody knows ${step.answer}; {cure}")
            if not answer or set(answer) - set(KEYS):
                raise ScriptError(script.path, step.line, f"${step.answer} has to hold keys 0-9 * # and nothing else")


def read_sounds(script: Script, known: Collection[str] = ()) -> dict[str, bytes]:
    """Read what the caller will say: 16-bit PCM by the file's name in the script, which stands beside the script.

    Args:
        script: The script.
        known: Names of what somebody has already.

    Raises:
        AudioError: A file is absent, or not what the line of this script can carry.
    """
    folder = Path(script.path).parent
    names = {step.file for step in script.steps if isinstance(step, Play)}.difference(known)
    return {name: read_wav(folder / name, script.header.rate) for name in sorted(names)}


async def play_script(
    script: Script,
    phone: Phone,
    *,
    recogniser: Recogniser,
    answers: Mapping[str, str],
    surroundings: Surroundings = Surroundings(),
) -> Result:
    """Play a script on a telephone that was answered; hang up at its end, or at the first step that does not hold.

    Args:
        script: What to do and to expect. Its ``ring`` was carried out by whoever placed the call.
        phone: The telephone.
        recogniser: Knows the prompts, in the format of the line.
        answers: What ``type $name`` types.
        surroundings: The event feed, the Passthru, and who watches.

    Raises:
        ScriptError: An answer is missing. Nothing was done yet.
        AudioError: A file that the caller is to say cannot be played. Nothing was done yet.

    Cancellation:
        In part. The telephone is left as it is; whoever placed the call hangs up.
    """
    check_answers(script, answers)
    sounds = read_sounds(script)
    async with open_player(
        phone, recogniser=recogniser, answers=answers, sounds=sounds, surroundings=surroundings
    ) as player:
        outcomes = await _take_steps(player, script)
    return Result(script=script, outcomes=tuple(outcomes), conversation=player.conversation)


async def _take_steps(player: Player, script: Script) -> list[Outcome]:
    """Take the steps up to the first that does not hold, then hang up."""
    outcomes: list[Outcome] = []
    for place, step in enumerate(script.steps):
        comes_back = any(isinstance(later, Reconnect) for later in script.steps[place:])
        outcomes.append(await player.take(step, comes_back=comes_back))
        if not outcomes[-1].held:
            break
    if not player.phone.ended.is_set():
        await player.take(HangUp())
    return outcomes


@contextlib.asynccontextmanager
async def open_player(
    phone: Phone,
    *,
    recogniser: Recogniser,
    answers: Mapping[str, str],
    sounds: Mapping[str, bytes],
    surroundings: Surroundings = Surroundings(),
) -> AsyncIterator[Player]:
    """Listen on a telephone for the length of the block, and give the player that takes steps there.

    Args:
        phone: A telephone that was answered. It is left as it is at the end of the block.
        recogniser: Knows the prompts, in the format of the line.
        answers: What ``type $name`` types.
        sounds: 16-bit PCM of what the caller may say, by the name that the step gives.
        surroundings: As for ``play_script``.
    """
    ear = Ear(phone, recogniser, feed=surroundings.feed, watch=surroundings.watch)
    player = Player(phone=phone, answers=answers, sounds=sounds, ear=ear, surroundings=surroundings)
    try:
        with alone():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ear.listen)
                if surroundings.feed is not None:
                    nursery.start_soon(ear.read_along, surroundings.feed)
                yield player
                nursery.cancel_scope.cancel()
    finally:
        ear.finish()


@define(kw_only=True, eq=False)
class Player:
    """A caller who takes steps, one after another. Made by ``open_player``."""

    phone: Phone
    answers: Mapping[str, str]
    sounds: Mapping[str, bytes]
    ear: Ear
    surroundings: Surroundings
    matcher: Matcher = field(init=False)
    reached: int = field(init=False, default=0)
    """How many states ``state`` lines have passed."""

    def __attrs_post_init__(self) -> None:
        self.matcher = Matcher(self.ear.conversation)

    @property
    def conversation(self) -> Conversation:
        """The call as far as it has come."""
        return self.ear.conversation

    async def take(self, step: Step, *, comes_back: bool = False) -> Outcome:
        """Take one step.

        Args:
            step: What to do or to expect. Of a ``ring`` nothing is left to do.
            comes_back: Of a ``drop``: whether a ``reconnect`` will follow, so that the caller stays on the telephone.

        Returns:
            What became of it, which also tells what came instead of what was expected.

        Cancellation:
            In part.
        """
        start = self.phone.now
        came = await self._take(step, comes_back=comes_back)
        return Outcome(step=step, start=start, end=self.phone.now, came=came)

    async def _take(self, step: Step, *, comes_back: bool) -> str:  # noqa: PLR0911, PLR0912 - one row a verb
        match step:
            case Ring():
                return ""
            case Hear():
                return await self._hear(step)
            case Press():
                return await self._press(step, step.digits, step.gap, shown=True)
            case Enter():
                keys = self.answers[step.answer] if step.answer else step.digits
                return await self._press(step, keys, step.gap, shown=not step.answer)
            case Play():
                return await self._play(step)
            case Wait():
                await self.phone.wait(step.seconds)
                return ""
            case Reach():
                return await self._reach(step)
            case Quiet():
                return await self._quiet(step)
            case HangUp():
                return await self._leave(step)
            case Drop():
                return await self._leave(step, comes_back=comes_back)
            case Reconnect() | TakeOver():
                return await self._come_back(step)
            case Deafen() | Freeze() | HalfClose() | SendOdd():
                return await self._trouble(step)
            case Service() | RingAgain():
                return "that is for a script that brings its flow along; play it by callflow replay"
            case Ended():
                return await self._end(step)
            case Branch():
                return await self._branch(step)
            case _:
                assert_never(step)

    # What the caller does.

    async def _press(self, step: Press | Enter, keys: str, gap: float | None, *, shown: bool) -> str:
        between = KEY_GAP if gap is None else gap
        with self._doing(Deed(step, self.phone.now, keys=len(keys))) as deed:
            came = await self._do(self.phone.press(keys, gap=between, hold=KEY_HOLD))
        if shown:
            tones = [KeyTone(deed.start + at * between, key) for at, key in enumerate(keys)]
            pressed_until = min(self.phone.now, self.ear.conversation.ended_at)
            self.ear.conversation.tones += [each for each in tones if each.start < pressed_until]
        return came

    async def _play(self, step: Play) -> str:
        with self._doing(Deed(step, self.phone.now)):
            return await self._do(self.phone.play(self.sounds[step.file]))

    async def _leave(self, step: HangUp | Drop, *, comes_back: bool = False) -> str:
        if self.phone.ended.is_set():  # the bot was first, and that is as good
            return ""
        with self._doing(Deed(step, self.phone.now)):
            if isinstance(step, HangUp):
                await self.phone.hang_up()
            elif comes_back:
                self.phone.lose()
            else:
                self.phone.drop()
        return ""

    async def _come_back(self, step: Reconnect | TakeOver) -> str:
        with self._doing(Deed(step, self.phone.now)):
            try:
                if isinstance(step, TakeOver):
                    return await self._do(self.phone.take_over())
                return await self._do(self.phone.reconnect())
            except NotAnswered as silent:
                return str(silent)

    async def _trouble(self, step: Deafen | Freeze | HalfClose | SendOdd) -> str:
        with self._doing(Deed(step, self.phone.now)):
            match step:
                case Deafen():
                    self.phone.go_deaf()
                case Freeze(seconds=seconds):
                    self.phone.freeze(seconds)
                case HalfClose():
                    self.phone.half_close()
                case SendOdd():
                    return await self._be_odd(step)
        return ""

    async def _be_odd(self, step: SendOdd) -> str:
        if step.oddity.place is Place.APPLET:
            return await self._announce(step.oddity)
        return await self._do(self.phone.send_odd(step.oddity))

    async def _announce(self, oddity: Oddity) -> str:
        """Have Exotel ask the Passthru that comes before a stream, though the stream is on."""
        if self.surroundings.announce is None:
            return _NO_PASSTHRU
        try:
            for _ in range(2 if oddity is Oddity.PASSTHRU_AGAIN else 1):
                await self.surroundings.announce()
        except NotAnswered as silent:
            return str(silent)
        return ""

    @contextlib.contextmanager
    def _doing(self, deed: Deed) -> Iterator[Deed]:
        self.ear.conversation.deeds.append(deed)
        yield deed
        deed.end = self.phone.now

    async def _do(self, deed: Awaitable[None]) -> str:
        try:
            await deed
        except CallEnded:
            await self.phone.ended.wait()
            return self._how_it_ended()
        return ""

    def _how_it_ended(self) -> str:
        code = f", code {self.phone.close_code}" if self.phone.close_code else ""
        return f"the call was ended by the {self.phone.ended_by}{code}"

    # What the bot is expected to say.

    async def _hear(self, step: Hear) -> str:
        def found() -> str | None:
            if self.matcher.find(step):
                return ""
            return self._what_came(step) if self.ear.nothing_more else None

        came = await self._by(found, step.within, HEAR_WITHIN)
        return self._what_came(step) if came is None else came

    async def _by(self, condition: Callable[[], T | None], within: float | None, usual: float) -> T | None:
        return await self.ear.until(condition, self.phone.now + (usual if within is None else within))

    def _what_came(self, step: Hear) -> str:
        """Say what was heard instead, from the place on at which *step* could look."""
        heard = self.matcher.instead(step)
        told = ["heard " + ", ".join(map(_told, heard))] if heard else []
        if self.phone.ended.is_set():
            return ", then ".join([*told, self._how_it_ended()])
        if heard and not heard[-1].over:
            return ", ".join([*told, "and it goes on"])
        return ", then ".join([*told, "nothing"]) if heard else "heard nothing"

    # The other expectations.

    async def _reach(self, step: Reach) -> str:
        feed = self.surroundings.feed
        if feed is None:
            return "no event feed tells the states of this server"

        def reached() -> str | None:
            names = [entered.name for entered in feed.entered]
            if step.name in names[self.reached :]:
                self.reached += names[self.reached :].index(step.name) + 1
                return ""
            return feed.problem or None

        came = await self._by(reached, step.within, STATE_WITHIN)
        if came is not None:
            return came
        others = [entered.name for entered in feed.entered[self.reached :]]
        return f"the flow entered {', then '.join(others)}" if others else "the flow entered no other state"

    async def _quiet(self, step: Quiet) -> str:
        acts = {step.of} if step.of else set(Act)
        began = [deed.start for deed in self.ear.conversation.deeds if ACTS.get(type(deed.step)) in acts][-1]

        def went_on() -> float | None:
            said = next((u for u in utterances(self.ear.conversation.heard) if u.end > began), None)
            if said is None or said.start > began:
                return 0.0 if self._known(began) else None
            if said.end - began > step.within + SAME or said.cut or self._known(said.end):
                return said.end - began
            return None

        deadline = began + step.within + PAUSE + 2 * LINE_DELAY
        seconds = await self.ear.until(went_on, deadline)
        if seconds is None or seconds > step.within + SAME:
            return f"the bot was still heard after {max(seconds or 0.0, step.within):.2f} s"
        return ""

    def _known(self, moment: float) -> bool:
        """Whether everything is told that was heard up to a little after *moment*."""
        over = self.phone.ended.is_set() or self.phone.now > moment + LINE_DELAY
        return over and self.ear.recogniser.open_since > moment + JOINT

    async def _end(self, step: Ended) -> str:
        def over() -> bool | None:
            return self.phone.ended.is_set() or None

        if not await self._by(over, step.within, HEAR_WITHIN):
            return "the call goes on"
        if step.by is None:
            return ""
        in_order = step.by is Ender.CALLER or self.phone.close_code == _CLOSED_IN_ORDER
        return "" if self.phone.ended_by == _ENDERS[step.by] and in_order else self._how_it_ended()

    async def _branch(self, step: Branch) -> str:
        if self.surroundings.passthru is None:
            return _NO_PASSTHRU
        try:
            status = await self.surroundings.passthru(None if step.name in _PLAIN else step.name)
        except NotAnswered as silent:
            return str(silent)
        return "" if status == _PLAIN.get(step.name, 302) else f"the Passthru was answered {status}"


def _told(heard: HeardPrompt) -> str:
    if heard.cut:
        return f"{heard} at {heard.start:.1f} s (cut off after {heard.seconds:.1f} of {heard.of_seconds:.1f} s)"
    return f"{heard} at {heard.start:.1f} s"
