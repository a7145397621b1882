"""Plays a call script on a telephone: does what the caller does, and holds the bot to what the script expects.

Nothing here sleeps for luck: every step waits for its own condition, up to its own time. The first step that does not
hold ends the call, and its outcome says which line it was, what was expected and what came.

What a ``hear`` line looks at: the prompts after the one that the last ``hear`` line was about, without those that were
over before the caller last did something. ``complete`` and ``cut`` may be about the same prompt again. ``state`` lines
follow the flow's path in order; states between them may be left out.
"""

from __future__ import annotations

import contextlib
import math
import unicodedata
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeVar, assert_never

import trio
from attrs import define, field, frozen

from callflow.errors import CallEnded, ScriptError
from callflow.line.exchange import Playout
from callflow.line.recognise import JOINT, PAUSE, HeardPrompt, Recogniser, utterances
from callflow.line.recording import KeyTone, read_wav
from callflow.line.script import (
    ACTS,
    Act,
    Branch,
    Drop,
    Ended,
    Ender,
    Ending,
    Enter,
    HangUp,
    Hear,
    Play,
    Press,
    Quiet,
    Reach,
    Ring,
    Script,
    Step,
    Wait,
    Way,
)
from callflow.line.telephone import NotAnswered
from callflow.line.transcript import HEAR_WITHIN, STATE_WITHIN, Conversation, Deed, Entered, Outcome, Result
from callflow.wire.audio import AudioFormat
from callflow.wire.messages import KEYS

T = TypeVar("T")

KEY_GAP = 0.3
"""Seconds from one key to the next where a line has no ``gap``."""

KEY_HOLD = 0.1
"""Seconds that a key is held; Exotel reports it when it is let go."""

LINE_DELAY = 0.2
"""Seconds. What the line heard is known here after a frame or two; older than this it is known for certain."""

_SAME = 1e-6
_BRANCHES = {200: Way.A, 302: Way.B}
_ENDERS = {Ender.FLOW: "server", Ender.CALLER: "caller"}
_CLOSED_IN_ORDER = 1000


class Phone(Protocol):
    """What the player needs of a telephone; ``callflow.line.telephone.Telephone`` is one."""

    @property
    def form(self) -> AudioFormat: ...
    @property
    def playout(self) -> Playout: ...
    @property
    def ended(self) -> trio.Event: ...
    @property
    def ended_by(self) -> str | None: ...
    @property
    def close_code(self) -> int | None: ...
    @property
    def now(self) -> float: ...
    async def press(self, digits: str, *, gap: float, hold: float) -> None: ...
    async def play(self, pcm16: bytes) -> None: ...
    async def wait(self, seconds: float) -> None: ...
    async def changed(self) -> None: ...
    async def hang_up(self) -> None: ...
    def drop(self) -> None: ...


class Feed(Protocol):
    """Tells the states that the flow enters."""

    @property
    def entered(self) -> Sequence[Entered]:
        """The states so far, in order."""

    @property
    def problem(self) -> str:
        """Why it can tell no more; empty while it can."""

    async def changed(self) -> None:
        """Wait for the next state, or for a problem."""


@frozen(kw_only=True)
class Surroundings:
    """What stands round a call, for the steps that need more than a telephone."""

    feed: Feed | None = None
    """Without one a ``state`` line does not hold."""
    passthru: Callable[[], Awaitable[int]] | None = None
    """Sends the Passthru after the stream and gives the status of its answer; without it ``branch`` does not hold.

    It raises ``NotAnswered`` where there is none.
    """
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


def read_sounds(script: Script) -> dict[str, bytes]:
    """Read what the caller will say: 16-bit PCM by the file's name in the script, which stands beside the script.

    Raises:
        AudioError: A file is absent, or not what the line of this script can carry.
    """
    folder = Path(script.path).parent
    names = {step.file for step in script.steps if isinstance(step, Play)}
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
    ear = _Ear(phone, recogniser, surroundings)
    caller = _Caller(
        script=script, phone=phone, answers=answers, sounds=read_sounds(script), ear=ear, surroundings=surroundings
    )
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ear.listen)
            if surroundings.feed is not None:
                nursery.start_soon(ear.read_along, surroundings.feed)
            outcomes = await caller.take_steps()
            nursery.cancel_scope.cancel()
    finally:
        ear.finish()
    return Result(script=script, outcomes=tuple(outcomes), conversation=ear.conversation)


class _Ear:
    """Takes in what the line hears, as it comes, for the steps that wait for something."""

    def __init__(self, phone: Phone, recogniser: Recogniser, surroundings: Surroundings) -> None:
        self.conversation = Conversation(heard=recogniser.heard)
        self.recogniser = recogniser
        self._phone = phone
        self._feed = surroundings.feed
        self._watch = surroundings.watch
        self._segment = 0  # the first segment of the line that was not taken in to its end
        self._taken = 0  # bytes of it that were
        self._news = trio.Event()

    async def listen(self) -> None:
        """Take in whatever comes, until cancelled."""
        while True:
            self.take_in()
            settles_in = self.recogniser.settles_at - self._phone.now
            with trio.move_on_at(trio.current_time() + settles_in):
                await self._line_changed()

    async def _line_changed(self) -> None:
        if self._phone.ended.is_set():
            await trio.sleep_forever()
        try:
            await self._phone.changed()
        except CallEnded:  # while the caller is hanging up
            await self._phone.ended.wait()

    async def read_along(self, feed: Feed) -> None:
        """Take in what the feed tells, until cancelled."""
        while True:
            self.take_in()
            await feed.changed()

    def take_in(self) -> None:
        """Take in what there is now, and wake whoever waits for news."""
        heard, form = self._phone.playout.heard, self._phone.form
        while self._segment < len(heard):
            segment = heard[self._segment]
            self.recogniser.feed(segment.start + form.seconds(self._taken), segment.audio[self._taken :])
            if self._segment == len(heard) - 1:
                self._taken = len(segment.audio)  # it may still grow
                break
            self._segment, self._taken = self._segment + 1, 0
        self.recogniser.settle(self._phone.now)
        self._tell(min(self.recogniser.open_since, self._phone.now - LINE_DELAY))
        self._news.set()
        self._news = trio.Event()

    def _tell(self, settled: float) -> None:
        conversation = self.conversation
        conversation.settled = settled
        if self._feed is not None:
            conversation.entered = self._feed.entered
        if self._phone.ended.is_set() and conversation.ended_at == math.inf:
            conversation.ended_at = self._phone.now
            conversation.ended = f"ended by the {self._phone.ended_by}, code {self._phone.close_code}"
        self._watch(conversation)

    def finish(self) -> None:
        """Take in the rest; nothing more will come."""
        self.take_in()
        self.recogniser.settle(math.inf)
        self._tell(math.inf)

    async def until(self, condition: Callable[[], T | None], deadline: float) -> T | None:
        """Wait until *condition* has an answer; None if it has none by *deadline*, in seconds since the answer."""
        while (found := condition()) is None and self._phone.now < deadline - _SAME:
            with trio.move_on_at(trio.current_time() + deadline - self._phone.now):
                await self._news.wait()
        return found

    @property
    def nothing_more(self) -> bool:
        """Whether nothing more can be heard."""
        return self._phone.ended.is_set() and self.recogniser.open_since == math.inf


@frozen
class _Place:
    """Where in what was heard the last ``hear`` line stands."""

    at: int = -1
    settled: bool = False
    """Whether its ending was asked for; then another line about it would be about the next time."""


@define(kw_only=True)
class _Caller:
    """Takes the steps of a script, one after another. A step's method says what came instead, or nothing."""

    script: Script
    phone: Phone
    answers: Mapping[str, str]
    sounds: Mapping[str, bytes]
    ear: _Ear
    surroundings: Surroundings
    heard: _Place = field(init=False, factory=_Place)
    reached: int = field(init=False, default=0)
    """How many states ``state`` lines have passed."""

    async def take_steps(self) -> list[Outcome]:
        """Take the steps up to the first that does not hold, then hang up."""
        outcomes: list[Outcome] = []
        for step in self.script.steps:
            start = self.phone.now
            came = await self._take(step)
            outcomes.append(Outcome(step=step, start=start, end=self.phone.now, came=came))
            if came:
                break
        if not self.phone.ended.is_set():
            await self._hang_up(HangUp())
        return outcomes

    async def _take(self, step: Step) -> str:  # noqa: PLR0911 - one row a verb
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
            case HangUp() | Drop():
                return await self._hang_up(step)
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

    async def _hang_up(self, step: HangUp | Drop) -> str:
        if self.phone.ended.is_set():  # the bot was first, and that is as good
            return ""
        with self._doing(Deed(step, self.phone.now)):
            if isinstance(step, HangUp):
                await self.phone.hang_up()
            else:
                self.phone.drop()
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
            places = self._places(step)
            place = next((place for place in places if self._fits(step, place)), None)
            if place is not None:
                self.heard = _Place(place, settled=step.ending is not None)
                return ""
            return self._what_came(step) if self.ear.nothing_more else None

        came = await self._by(found, step.within, HEAR_WITHIN)
        return self._what_came(step) if came is None else came

    async def _by(self, condition: Callable[[], T | None], within: float | None, usual: float) -> T | None:
        return await self.ear.until(condition, self.phone.now + (usual if within is None else within))

    def _places(self, step: Hear) -> Iterator[int]:
        """Give the places, among what was heard, at which *step* may have come true; endings are not looked at."""
        said = _Said()
        for at in self._open_places(step):
            heard = self.ear.recogniser.heard[at]
            names = {heard.name, heard.name.rpartition("/")[2]}
            if said.ends_with_new(step.prompt, heard.words) if step.spoken else step.prompt in names:
                yield at

    def _open_places(self, step: Hear) -> Iterator[int]:
        """Give the places at which *step* may look: after the last one, and not over before the last deed."""
        first = self.heard.at + (step.ending is None or self.heard.settled)
        acted = self.ear.conversation.deeds[-1].start if self.ear.conversation.deeds else -math.inf
        for at, heard in enumerate(self.ear.recogniser.heard):
            if at >= first and not (heard.over and heard.end <= acted):
                yield at

    def _fits(self, step: Hear, place: int) -> bool:
        heard = self.ear.recogniser.heard[place]
        match step.ending:
            case None:
                return True
            case Ending.COMPLETE:
                return heard.complete
            case Ending.CUT:
                return heard.cut
            case _:
                assert_never(step.ending)

    def _what_came(self, step: Hear) -> str:
        """Say what was heard instead, from the place on at which *step* could look."""
        heard = [self.ear.recogniser.heard[at] for at in self._open_places(step)]
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
            said = next((u for u in utterances(self.ear.recogniser.heard) if u.end > began), None)
            if said is None or said.start > began:
                return 0.0 if self._known(began) else None
            if said.end - began > step.within + _SAME or said.cut or self._known(said.end):
                return said.end - began
            return None

        deadline = began + step.within + PAUSE + 2 * LINE_DELAY
        seconds = await self.ear.until(went_on, deadline)
        if seconds is None or seconds > step.within + _SAME:
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
            return "there is no Passthru on this line"
        try:
            status = await self.surroundings.passthru()
        except NotAnswered as silent:
            return str(silent)
        way = _BRANCHES.get(status)
        return "" if way is step.way else f"the Passthru was answered {status}"


@define
class _Said:
    """Words heard so far, for finding an expression that goes over several prompts."""

    _words: str = ""

    def ends_with_new(self, text: str, words: str) -> bool:
        """Add a prompt's words; say whether *text* is now there and was not before."""
        before = self._words
        self._words = f"{before} {_sound(words) or '|'}"
        return f" {_sound(text)} " in f"{self._words} " and f" {_sound(text)} " not in f"{before} "


def _sound(text: str) -> str:
    """Reduce text to what is said: no case, no punctuation, single blanks."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join("".join(" " if unicodedata.category(sign)[0] == "P" else sign for sign in folded).split())


def _told(heard: HeardPrompt) -> str:
    if heard.cut:
        return f"{heard} at {heard.start:.1f} s (cut off after {heard.seconds:.1f} of {heard.of_seconds:.1f} s)"
    return f"{heard} at {heard.start:.1f} s"
