"""Keys through a whole call: the actor does what the pure collector says, and no secret gets out on the way."""

from __future__ import annotations

import contextlib
import gc
import logging
import re
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from callflow import Call, CallEnded, CollectDigits, Failed, Flow, Hangup, Menu, Say, Secret, State, key
from callflow.call.journal import Kind
from callflow.flow.keys import Collector, Complete, Entry, GiveUp, Tries
from callflow.line.memory import Conditions
from callflow.wire.exotel import encode
from callflow.wire.messages import Dtmf
from tests.call.far_end import OPENING, dialled, text
from tests.call.stage import Stage, in_virtual_time, played, ringing, serving

Notes = list[str]
C = Call[Notes]


class Done(Hangup[Notes]):
    """The end, at once."""


def flow_of(start: type[State[Notes]], prompts: Path, **options: Any) -> tuple[Flow[Notes], Notes]:
    """Make a flow whose calls write into one list."""
    notes: Notes = []
    return Flow("bank", start=start, prompts=prompts, data=lambda: notes, **options), notes


def spoken(stage: Stage) -> list[object]:
    return [entry.details["prompt"] for entry in stage.journal(Kind.PLAYBACK) if entry.what == "queued"]


def keys_of(stage: Stage) -> list[str]:
    """What became of each key after it was read, and which it was where that is shown."""
    return [f"{e.what} {e.details.get('key', '')}".strip() for e in stage.journal(Kind.KEY) if e.what != "pressed"]


# The collector is the specification.

# No sum of these is a whole number of milliseconds, and keys come at whole ones: no key comes at a deadline's instant.
WAITS = {"first_digit": 2.00013, "between_digits": 1.00037, "total": 4.00071}


def entry_of(least: int, most: int, finish: str = "") -> Entry:
    waits: Any = WAITS
    return Entry(least=least, most=most, finish=finish, allowed=set("0123456789"), **waits)


def asking(entry: Entry, tries: int, prompts: Path) -> tuple[Flow[Notes], list[tuple[float, object]]]:
    """Make a flow that asks for one entry and keeps what came of it, and when."""
    came: list[tuple[float, object]] = []

    class Ask(
        CollectDigits[Notes],
        prompt="sorry.wav",
        least=entry.least,
        most=entry.most,
        finish=entry.finish,
        tries=tries,
        secret=False,
        **WAITS,
    ):
        def on_digits(self, call: C, digits: str) -> Done:
            came.append((call.now(), digits))
            return Done()

        def on_failed(self, call: C, why: Failed) -> Done:
            came.append((call.now(), why))
            return Done()

    return Flow("ask", start=Ask, prompts=prompts, data=list), came


def collected(
    entry: Entry, tries: Tries, keys: deque[tuple[float, str]], prompt_ends: Iterator[float]
) -> tuple[float, object]:
    """Say what comes of keys pressed at these moments, where each attempt's prompt ended at that one."""
    at = 0.0
    while True:
        collector = Collector(entry, at=at, prompt_playing=True)
        prompt_end, outcome = next(prompt_ends), None
        while outcome is None:
            pressed = keys[0][0] if keys else float("inf")
            at = min(prompt_end, pressed, collector.deadline or float("inf"))
            if prompt_end == at:
                collector.prompt_ended(at)
                prompt_end = float("inf")
            elif pressed == at:
                outcome = collector.press(keys.popleft()[1], at)
            else:
                outcome = collector.due(at)
        if isinstance(outcome, Complete):
            return at, outcome.digits
        if isinstance(end := tries.failed(outcome), GiveUp):
            return at, end.failed


entries = st.integers(1, 4).flatmap(
    lambda most: st.builds(
        entry_of,
        st.integers(1, most),
        st.just(most),
        st.sampled_from(["", "#", "*#"]),
    )
)
presses = st.lists(st.tuples(st.integers(1, 2_500), st.sampled_from("1234*#")), max_size=10)


@given(entry=entries, tries=st.integers(1, 2), presses=presses, lag=st.sampled_from([0.0, 0.05]))
def test_what_comes_of_keys_and_when_is_what_the_collector_says(
    prompts: Path, entry: Entry, tries: int, presses: list[tuple[int, str]], lag: float
) -> None:
    flow, came = asking(entry, tries, prompts)

    async def main() -> Stage:
        async with ringing(flow, conditions=Conditions(lag=lag)) as (phone, stage):
            with contextlib.suppress(CallEnded):  # what is pressed when the call is over is nobody's
                for pause, digit in presses:
                    await phone.wait(pause / 1000)
                    await phone.press(digit, hold=0.0)
            await phone.ended.wait()
        return stage

    stage = in_virtual_time(main)
    journal = stage.call.driver.journal
    began = (stage.call.driver.started_at or 0.0) - (journal.began or 0.0)
    read_at = [entry.at for entry in stage.journal(Kind.KEY) if entry.what == "pressed"]
    keys = deque(zip(read_at, (digit for _, digit in presses), strict=False))
    ends = (entry.at for entry in stage.journal(Kind.PLAYBACK) if entry.what in ("heard", "cut"))
    at, outcome = collected(entry, Tries(allowed=tries), keys, ends)

    assert [(round(when, 9), what) for when, what in came] == [(round(at - began, 9), outcome)]


async def test_an_entry_is_whole_the_instant_its_last_digit_comes(autojump_clock: MockClock, prompts: Path) -> None:
    flow, came = asking(entry_of(4, 4, "#"), 1, prompts)
    await played(flow, (1.0, "1"), (1.5, "2"), (2.0, "3"), (2.75, "4"))

    assert came == [(2.75, "1234")]


# Asking again.


class Pin(
    CollectDigits[Notes],
    prompt="pin.wav",
    reprompts=("menu.wav",),
    no_input="sorry.wav",
    no_match=("sorry.wav", "sorry.wav"),
    too_short="bye.wav",
    length=4,
    tries=4,
    first_digit=2.0,
    between_digits=1.0,
):
    """A question with something to say for each kind of failure."""

    def on_digits(self, call: C, digits: Secret) -> Main:
        call.data.append(f"{digits} {digits.reveal() == '8372'}")
        return Main()

    def on_failed(self, call: C, why: Failed) -> Done:
        call.data.append(f"{why.name} after {why.tries}")
        return Done()


class Main(Menu[Notes], prompt="menu.wav", first_digit=5.0):
    """A question of one key."""

    @key("1", "2")
    def chosen(self, call: C, key: str) -> Done:
        call.data.append(f"chose {key}")
        return Done()

    @key("9")
    def stay(self, call: C) -> None:
        call.data.append("stayed")

    def on_failed(self, call: C, why: Failed) -> Done:
        call.data.append(f"{why.name} after {why.tries}")
        return Done()


async def test_each_failure_says_what_went_wrong_and_asks_again(autojump_clock: MockClock, prompts: Path) -> None:
    flow, notes = flow_of(Pin, prompts)
    _, stage = await played(flow, (4.0, "*"), (5.0, "12#"), (6.0, "1"), stays=40.0)

    assert (spoken(stage), notes) == (
        [
            "pin.wav",
            "sorry.wav menu.wav",
            "sorry.wav sorry.wav menu.wav",
            "bye.wav menu.wav",
        ],
        ["too short after 4"],
    )


async def test_a_handler_that_stays_is_followed_by_the_wait_for_another_key(
    autojump_clock: MockClock, prompts: Path
) -> None:
    flow, notes = flow_of(Main, prompts)
    _, stage = await played(flow, (4.0, "9"), (5.0, "2"))

    assert (notes, stage.record.seconds) == (["stayed", "chose 2"], 5.0)


async def test_a_handler_that_stays_begins_the_wait_anew(autojump_clock: MockClock, prompts: Path) -> None:
    flow, _ = flow_of(Main, prompts)
    _, stage = await played(flow, (4.0, "9"))

    assert stage.journal(Kind.TIMER)[0].at == 9.0


# Keys that nobody asked for yet.


class Caution(Say[Notes], prompt="welcome.wav", barge_in=None):
    def then(self, call: C) -> Pin:
        return Pin()


async def test_keys_typed_ahead_answer_without_the_questions_being_asked(
    autojump_clock: MockClock, prompts: Path
) -> None:
    flow, notes = flow_of(Caution, prompts)
    _, stage = await played(flow, (0.5, "83721"))

    assert (notes, spoken(stage), stage.record.seconds) == (["•••• True", "chose 1"], ["welcome.wav"], 2.0)


async def test_a_terminator_typed_ahead_behind_a_full_entry_is_no_answer(
    autojump_clock: MockClock, prompts: Path
) -> None:
    flow, notes = flow_of(Caution, prompts)
    _, stage = await played(flow, (0.5, "8372#2"))

    assert (notes, keys_of(stage)[-2:]) == (["•••• True", "chose 2"], ["late terminator", "taken •"])


async def test_keys_that_came_in_the_segment_of_an_entrys_last_digit_are_the_next_questions(
    autojump_clock: MockClock, prompts: Path
) -> None:
    flow, notes = flow_of(Pin, prompts)
    async with serving(flow) as stage:
        peer = await dialled(stage.network, OPENING)
        await peer.send(b"".join(text(encode(Dtmf(digit=digit))) for digit in "8372#1"))
        peer.port.close()

    assert (notes, spoken(stage)) == (["•••• True", "chose 1"], ["pin.wav"])


@pytest.mark.parametrize(("pause", "became"), [(0.4, "late terminator"), (0.6, "taken •")])
async def test_a_terminator_is_late_for_half_a_second(
    autojump_clock: MockClock, prompts: Path, pause: float, became: str
) -> None:
    flow, _ = flow_of(Pin, prompts)
    _, stage = await played(flow, (1.0, "8372"), (1.0 + pause, "#"), stays=4.0)

    assert keys_of(stage)[4] == became


class Twice(CollectDigits[Notes], prompt="pin.wav", length=4, tries=1):
    """Wants its entry twice."""

    entries: int = 0

    def on_digits(self, call: C, digits: Secret) -> Done | None:
        self.entries += 1
        call.data.append(f"entry {self.entries}")
        return Done() if self.entries == 2 else None

    def on_failed(self, call: C, why: Failed) -> Done:
        call.data.append(why.name)
        return Done()


async def test_a_terminator_is_late_also_where_the_handler_stays(autojump_clock: MockClock, prompts: Path) -> None:
    flow, notes = flow_of(Twice, prompts)
    await played(flow, (1.0, "8372"), (1.3, "#"), (2.0, "8372"))

    assert notes == ["entry 1", "entry 2"]


class Deaf(Say[Notes], prompt="welcome.wav", barge_in=None, typeahead="drop"):
    """Keeps no key for anybody."""

    def then(self, call: C) -> Main:
        return Main()


async def test_a_state_may_drop_what_is_typed_ahead(autojump_clock: MockClock, prompts: Path) -> None:
    flow, notes = flow_of(Deaf, prompts)
    _, stage = await played(flow, (0.5, "1"), (4.0, "2"))

    assert (notes, keys_of(stage)) == (["chose 2"], ["dropped", "taken 2"])


class Forgetful(Menu[Notes], prompt="menu.wav", typeahead="drop"):
    """Wants no answer that came before its question."""

    @key("1", "2")
    def chosen(self, call: C, key: str) -> Done:
        call.data.append(f"chose {key}")
        return Done()

    def on_failed(self, call: C, why: Failed) -> Done:
        return Done()


class Loud(Say[Notes], prompt="welcome.wav", barge_in=None):
    def then(self, call: C) -> Forgetful:
        return Forgetful()


async def test_a_state_may_drop_what_was_typed_before_it(autojump_clock: MockClock, prompts: Path) -> None:
    flow, notes = flow_of(Loud, prompts)
    _, stage = await played(flow, (0.5, "1"), (3.0, "2"))

    assert (notes, spoken(stage)) == (["chose 2"], ["welcome.wav", "menu.wav"])


class Notice(Say[Notes], prompt="welcome.wav", barge_in=None):
    def then(self, call: C) -> Greeting:
        return Greeting()


class Greeting(Say[Notes], prompt="sorry.wav"):
    def then(self, call: C) -> Round:
        return Round()


class Round(Menu[Notes], prompt="menu.wav"):
    @key("4")
    def again(self, call: C) -> Greeting:
        return Greeting()

    @key("1")
    def done(self, call: C) -> Done:
        return Done()

    def on_failed(self, call: C, why: Failed) -> Done:
        return Done()


async def test_an_announcement_is_left_out_each_time_that_an_answer_is_there_already(
    autojump_clock: MockClock, prompts: Path
) -> None:
    flow, _ = flow_of(Notice, prompts)
    _, stage = await played(flow, (0.5, "441"))

    assert spoken(stage) == ["welcome.wav"]


class Fresh(State[Notes], timeout=5.0, typeahead="drop"):
    """Wants no key that came before it, and asks nothing."""

    def on_dtmf(self, call: C, key: Dtmf) -> Done:
        call.data.append(f"pressed {key.digit}")
        return Done()

    def on_timeout(self, call: C) -> Done:
        return Done()


class Gate(Menu[Notes], prompt="menu.wav"):
    @key("1")
    def go(self, call: C) -> Fresh:
        return Fresh()

    def on_failed(self, call: C, why: Failed) -> Done:
        return Done()


async def test_a_state_may_drop_what_came_in_the_segment_that_led_to_it(
    autojump_clock: MockClock, prompts: Path
) -> None:
    flow, notes = flow_of(Gate, prompts)
    async with serving(flow) as stage:
        peer = await dialled(stage.network, OPENING)
        await peer.send(text(encode(Dtmf(digit="1"))) + text(encode(Dtmf(digit="2"))))
        await peer.send(text(encode(Dtmf(digit="3"))))
        peer.port.close()

    assert (notes, keys_of(stage)) == (["pressed 3"], ["taken 1", "dropped", "taken 3"])


async def test_keys_typed_ahead_for_an_attempt_that_failed_are_dropped(
    autojump_clock: MockClock, prompts: Path
) -> None:
    class Hello(Say[Notes], prompt="welcome.wav", barge_in=None):
        def then(self, call: C) -> Main:
            return Main()

    flow, notes = flow_of(Hello, prompts)
    _, stage = await played(flow, (0.5, "*1"), (4.0, "2"))

    assert (notes, keys_of(stage)) == (["chose 2"], ["held", "held", "taken *", "dropped", "taken 2"])


async def test_more_keys_than_are_kept_are_dropped(autojump_clock: MockClock, prompts: Path) -> None:
    class Patient(Say[Notes], prompt="welcome.wav", barge_in=None):
        def then(self, call: C) -> Pin:
            return Pin()

    flow, _ = flow_of(Patient, prompts)
    _, stage = await played(flow, (0.5, "1" * 40), stays=1.0)

    assert (keys_of(stage).count("held"), keys_of(stage).count("dropped")) == (32, 8)


# Secrets.

PIN = "8372"


def shown(stage: Stage) -> str:
    """Every digit that the journal shows, in order."""
    return "".join(str(entry.details.get("key", "")) for entry in stage.journal(Kind.KEY))


async def test_the_keys_of_a_secret_are_masked(autojump_clock: MockClock, prompts: Path) -> None:
    flow, _ = flow_of(Pin, prompts)
    _, stage = await played(flow, (1.0, PIN), (4.0, "1"))

    assert shown(stage) == "••••1"


async def test_keys_that_come_just_behind_a_secret_are_masked(autojump_clock: MockClock, prompts: Path) -> None:
    flow, _ = flow_of(Pin, prompts)
    _, stage = await played(flow, (1.0, PIN), (2.9, "9"), (3.1, "9"), stays=4.0)

    assert shown(stage) == "•••••9"


class Slow(CollectDigits[Notes], prompt="pin.wav", length=4):
    """Is followed by something that no key cuts, and that lasts longer than the masking."""

    def on_digits(self, call: C, digits: Secret) -> Hint:
        return Hint()

    def on_failed(self, call: C, why: Failed) -> Done:
        return Done()


class Hint(Say[Notes], prompt=("menu.wav", "menu.wav"), barge_in=None):
    def then(self, call: C) -> Main:
        return Main()


async def test_keys_held_from_just_behind_a_secret_stay_masked(autojump_clock: MockClock, prompts: Path) -> None:
    flow, _ = flow_of(Slow, prompts)
    _, stage = await played(flow, (1.0, PIN), (1.5, "9"), (5.0, "1"))

    assert (shown(stage), keys_of(stage)[-4:-2]) == ("••••••", ["held", "held"])


async def test_keys_held_when_all_of_a_secrets_were_taken_are_shown_again(
    autojump_clock: MockClock, prompts: Path
) -> None:
    flow, _ = flow_of(Slow, prompts)
    _, stage = await played(flow, (1.0, PIN), (5.0, "9"), (5.1, "1"))

    assert shown(stage) == "••••91"


async def test_keys_typed_ahead_of_a_secret_and_too_many_for_it_stay_masked(
    autojump_clock: MockClock, prompts: Path
) -> None:
    flow, _ = flow_of(Caution, prompts)
    _, stage = await played(flow, (0.5, PIN + "1"))

    assert shown(stage) == "•••••"


async def test_an_entry_that_is_no_secret_is_shown(autojump_clock: MockClock, prompts: Path) -> None:
    flow, _ = asking(entry_of(2, 2), 1, prompts)
    _, stage = await played(flow, (1.0, "42"))

    assert shown(stage) == "42"


class Vault(CollectDigits[list[object]], prompt="pin.wav", length=4):
    """Keeps the secret, and then fails with it in its hands."""

    kept: Secret = Secret("")

    def on_digits(self, call: Call[list[object]], digits: Secret) -> Opened:
        self.kept = digits
        call.data.append(digits)
        call.data.append(self)
        return Opened(digits)

    def on_failed(self, call: Call[list[object]], why: Failed) -> Shut:
        return Shut()


class Opened(State[list[object]], timeout=2.0):
    """Fails with the secret in the message."""

    pin: Secret

    def on_timeout(self, call: Call[list[object]]) -> Shut:
        raise LookupError(f"no account with {self.pin!r} of {call.data}")


class Shut(Hangup[list[object]]):
    """The end."""


def reachable(root: object) -> Iterator[object]:
    """Every object of ours, every state and every container that can be reached from one through such objects."""
    pending, seen = [root], {id(root)}
    while pending:
        yield (one := pending.pop())
        for child in gc.get_referents(one):
            if id(child) not in seen and _is_looked_at(child):
                seen.add(id(child))
                pending.append(child)


def _is_looked_at(one: object) -> bool:
    ours = type(one).__module__.split(".")[0] in ("callflow", "tests")
    return ours or isinstance(one, list | tuple | set | dict | deque)


def extra(record: logging.LogRecord) -> dict[str, object]:
    """What a log record holds beside the standard fields, in whose clocks and numbers any digits may stand."""
    return {name: value for name, value in vars(record).items() if name not in vars(logging.makeLogRecord({}))}


async def test_a_secret_is_in_no_journal_line_no_log_record_and_no_repr(
    autojump_clock: MockClock, prompts: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    flow = Flow("vault", start=Vault, prompts=prompts, data=list[object])
    async with ringing(flow) as (phone, stage):
        await phone.press(PIN, gap=0.1)
        await phone.wait(0.5)
        reprs = [re.sub("0x[0-9a-f]+", "", repr(one)) for one in reachable(stage.call)]
        await phone.ended.wait()
    lines = [entry.line() for entry in stage.call.driver.journal.entries]
    logged = [logging.Formatter().format(record) + repr(extra(record)) for record in caplog.records]
    leaks = [text for text in (*reprs, *lines, *logged, shown(stage)) if PIN in text]

    assert (leaks, len(reprs) > 100, len(logged) > 3, any("••••" in text for text in logged)) == ([], True, True, True)
