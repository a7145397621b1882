"""Logs of a server that keeps every rule, and of the same server with one fault."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve, frozen
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from callflow.session.inputs import EndCause, MarkDone, Over, Pressed, Started
from callflow.testing.rules import Verdict, check
from callflow.testing.wirelog import (
    Arrival,
    Asked,
    Closed,
    Dropped,
    Entry,
    Exchange,
    Fact,
    Interrupted,
    Malformed,
    OneWay,
    Opened,
    Pong,
    Ran,
    Reached,
    Side,
    TasksLeft,
    WireLog,
)
from callflow.wire.messages import Clear, Mark, Media
from tests.testing.logs import APP, IN, OTHER, OUT, mark, media
from tests.testing.model_server import LINE, conformant_logs, numbered, one_way_logs, spoken_logs


@given(conformant_logs, st.booleans())
def test_a_server_that_keeps_every_rule_is_found_to(drawn: WireLog, counters: bool) -> None:
    verdict = check(numbered(drawn) if counters else drawn, notice=0.0, grace=1.0)

    assert verdict.breaches == ()


def test_generated_logs_try_every_rule_many_times() -> None:
    total = Verdict()

    @settings(max_examples=150, derandomize=True, database=None, phases=[Phase.generate])
    @given(conformant_logs | one_way_logs() | spoken_logs(always=EVERYTHING))
    def collect(drawn: WireLog) -> None:
        nonlocal total
        total += check(numbered(drawn), notice=0.0)

    collect()
    print(total.table())
    assert min(total.premises.values()) >= 20
    assert total.breaches == ()


Where = Callable[[list[Entry], int], bool]
Does = Callable[[list[Entry], int], list[Entry]]


@frozen
class Fault:
    """A way in which a server breaks a rule: where in a log it can, and what it does there."""

    rule: str
    words: str
    where: Where
    does: Does
    after_numbering: bool = False

    def commit(self, good: list[Entry], place: int) -> WireLog:
        """Give the log of the same stream, with the fault in it."""
        if self.after_numbering:
            return WireLog(self.does(numbered(WireLog(good)).entries, place))
        return numbered(WireLog(self.does(good, place)))


def is_out(entry: Entry, *kinds: type) -> bool:
    return entry.side is OUT and isinstance(entry.what, kinds)


def sends(*kinds: type) -> Where:
    return lambda entries, n: is_out(entries[n], *kinds)


def holds(*kinds: type) -> Where:
    return lambda entries, n: isinstance(entries[n].what, kinds)


def following(entries: list[Entry], n: int) -> object:
    """Give what the server sends or takes back next."""
    rest = (e.what for e in entries[n + 1 :] if e.side is OUT or isinstance(e.what, Interrupted))
    return next(rest, None)


def both(first: type, then: type) -> Where:
    return lambda entries, n: is_out(entries[n], first) and isinstance(following(entries, n), then)


def next_media(entries: list[Entry], n: int) -> int:
    return next(k for k in range(n + 1, len(entries)) if is_out(entries[k], Media))


def lose(entries: list[Entry], n: int) -> list[Entry]:
    return entries[:n] + entries[n + 1 :]


def double(entries: list[Entry], n: int) -> list[Entry]:
    return [*entries[: n + 1], entries[n], *entries[n + 1 :]]


def change(**fields: object) -> Does:
    def changed(entries: list[Entry], n: int) -> list[Entry]:
        what: Any = entries[n].what
        return [*entries[:n], evolve(entries[n], what=evolve(what, **fields)), *entries[n + 1 :]]

    return changed


def put(side: Side, what: Arrival | Fact) -> Does:
    """Put an entry behind the place."""
    return lambda entries, n: [*entries[: n + 1], Entry(entries[n].at, side, what, entries[n].conn), *entries[n + 1 :]]


def tear(entries: list[Entry], n: int) -> list[Entry]:
    return [*entries[:n], evolve(entries[n], what=Malformed("not JSON")), *entries[n + 1 :]]


def exchange(entries: list[Entry], n: int) -> list[Entry]:
    k = next_media(entries, n)
    one, other = entries[n], entries[k]
    exchanged = list(entries)
    exchanged[n], exchanged[k] = evolve(one, what=other.what), evolve(other, what=one.what)
    return exchanged


def behind_the_clear(entries: list[Entry], n: int) -> list[Entry]:
    k = next(k for k in range(n + 1, len(entries)) if is_out(entries[k], Clear))
    return [*entries[:n], *entries[n + 1 : k + 1], evolve(entries[n], at=entries[k].at), *entries[k + 1 :]]


def at_once(entries: list[Entry], n: int) -> list[Entry]:
    return [evolve(entry, at=min(entry.at, entries[n].at)) for entry in entries]


def long_speech(entries: list[Entry], n: int) -> bool:
    """Say whether 1.2 s of audio go out from here without a clear."""
    sizes = []
    for entry in entries[n:]:
        if is_out(entry, Clear):
            break
        sizes += [len(entry.what.payload)] if is_out(entry, Media) and isinstance(entry.what, Media) else []
    return is_out(entries[n], Media) and LINE.seconds(sum(sizes)) > 1.2


def late(entries: list[Entry], n: int) -> list[Entry]:
    return [*entries[:n], *(evolve(entry, at=entry.at + 1.0) for entry in entries[n:])]


def second_start_wins(entries: list[Entry], n: int) -> list[Entry]:
    swapped = change(stream_sid="other")(entries, n)
    return [*swapped[:n], Entry(entries[n].at, IN, OTHER), *swapped[n:]]


def ended_by_exotel(entries: list[Entry], n: int) -> bool:
    what = entries[n].what
    return isinstance(what, Over) and what.cause is not EndCause.FLOW


def said_before(entries: list[Entry], n: int) -> bool:
    return is_out(entries[n], Mark) and any(is_out(entry, Mark) for entry in entries[:n])


def repeat_name(entries: list[Entry], n: int) -> list[Entry]:
    earlier = next(entry.what for entry in entries if is_out(entry, Mark))
    return change(name=earlier.name)(entries, n) if isinstance(earlier, Mark) else entries


def comes_second(entries: list[Entry], n: int) -> bool:
    return isinstance(entries[n].what, Started) and entries[n].conn > 1


def disturb(entries: list[Entry], n: int) -> list[Entry]:
    """Close the first connection when another of its call comes."""
    closed = Entry(entries[n].at, OUT, Closed(code=1012, clean=True))
    return [*entries[: n + 1], closed, *[entry for entry in entries[n + 1 :] if entry.conn != 1]]


def reach_again(entries: list[Entry], n: int) -> list[Entry]:
    what = entries[n].what
    assert isinstance(what, Exchange)
    return [*entries[: n + 1], Entry(entries[n].at, APP, Reached(request=what.request), 0), *entries[n + 1 :]]


def lose_for_long(entries: list[Entry], n: int) -> list[Entry]:
    """Send no pong; and let a while pass, since what is cut off by the end is no breach."""
    return lose([*entries[: n + 1], *(evolve(entry, at=entry.at + 1.0) for entry in entries[n + 1 :])], n)


FAULTS = [
    Fault("R15", "sends before start", holds(Opened), put(OUT, media())),
    Fault("R16", "another call's stream_sid", sends(Media, Mark, Clear), change(stream_sid="foreign")),
    Fault("R17", "an odd size", sends(Media), change(payload=b"\1" * 333)),
    Fault("R17", "nothing in it", sends(Media), change(payload=b"")),
    Fault("R18", "small chunks", both(Media, Media), change(payload=b"\1" * 320)),
    Fault("R19", "a chunk doubled", sends(Media), double),
    Fault("R19", "a chunk lost", both(Media, Media), lose),
    Fault("R19", "two chunks exchanged", both(Media, Media), exchange),
    Fault("R20", "runs ahead", long_speech, at_once),
    Fault("R21", "a mark lost", both(Mark, Media), lose),
    Fault("R21", "a mark too early", both(Media, Media), put(OUT, mark("early"))),
    Fault("R22", "a name again", said_before, repeat_name),
    Fault("R23", "a second clear", sends(Clear), double),
    Fault("R23", "no clear", both(Clear, Media), lose),
    Fault("R23", "old audio behind the clear", both(Media, Interrupted), behind_the_clear),
    Fault("R24", "a wait that ends twice", holds(MarkDone), double),
    Fault("R24", "a wait that never ends", holds(MarkDone), lose),
    Fault("R25", "sends after the end", holds(Over), put(OUT, media())),
    Fault("R26", "half a message", sends(Media, Mark, Clear), tear),
    Fault("R26", "out of order", both(Media, Media), exchange),
    Fault("R27", "speaks to a tap", holds(OneWay), put(OUT, media())),
    Fault("R28", "notices late", ended_by_exotel, late),
    Fault("R29", "reports twice", holds(Over), double),
    Fault("R29", "never reports", holds(Over), lose),
    Fault("R29", "reports another cause", ended_by_exotel, change(cause=EndCause.LIMIT)),
    Fault("R30", "leaves a task", holds(TasksLeft), change(count=1)),
    Fault("R31", "closes for one malformed message", holds(Malformed), put(OUT, Closed(code=1003))),
    Fault("R32", "takes a second start", sends(Media, Mark, Clear), second_start_wins),
    Fault("R33", "drops a key", holds(Pressed), lose),
    Fault("R35", "closes a call for another", comes_second, disturb),
    Fault("R36", "closes with another code", sends(Closed), change(code=1002)),
    Fault("R36", "keeps the transport", sends(Dropped), lose),
    Fault("R37", "works before it answers", holds(Asked), put(APP, Ran("data"))),
    Fault("R38", "answers 500", holds(Exchange), change(answer=500)),
    Fault("R39", "takes a repetition for news", holds(Exchange), reach_again),
    Fault("R40", "answers no ping", sends(Pong), lose_for_long),
    Fault("R34", "skips a number", sends(Media, Mark, Clear), change(sequence_number=10_000), after_numbering=True),
]


EVERYTHING = [
    ("say", 20_000),
    ("barge in", "1", True),
    ("say", 20_000),
    ("wait", 300),
    ("barge in", "2", False),
    ("say", 20_000),
    ("say", 3_000),
    ("press", "3", 7),
    ("rubbish", Malformed("not JSON")),
    ("ping", b"x"),
    ("meet", None),
    ("status", "completed"),
    ("status", "completed"),
    ("start", "other"),
]
"""Steps that give every fault a place."""


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.rule}: {fault.words}")
@settings(max_examples=settings().max_examples // 4)  # for each of the faults
@given(st.data())
def test_a_fault_is_caught_by_its_rule(fault: Fault, data: st.DataObject) -> None:
    good = data.draw(one_way_logs() if fault.rule == "R27" else spoken_logs(always=EVERYTHING)).entries
    places = [n for n in range(len(good)) if fault.where(good, n)]
    assume(places)  # every log but for those that need one of three ends
    bad = fault.commit(good, data.draw(st.sampled_from(places)))

    broken = {breach.rule for breach in check(bad, notice=0.0).breaches}

    assert fault.rule in broken
