from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any, NamedTuple, assert_never, get_args

import pytest
from hypothesis import example, find, given
from hypothesis import strategies as st

from callflow.flow.keys import (
    LATE_TERMINATOR,
    TYPE_AHEAD,
    Collector,
    Complete,
    Entry,
    Failed,
    FailedName,
    GiveUp,
    LateTerminator,
    Outcome,
    Reprompt,
    Tries,
    TypeAhead,
    TypeAheadPolicy,
)
from callflow.wire.messages import KEYS

PIN = Entry(least=4, most=4)
AMOUNT = Entry(least=2, most=6, finish="#")


def failed(name: FailedName, digits_seen: int = 0) -> Failed:
    return Failed(name=name, digits_seen=digits_seen)


def asked(entry: Entry, *, at: float = 0.0) -> Collector:
    """Make a collector whose prompt has just ended."""
    return Collector(entry, at=at, prompt_playing=False)


def prompting(entry: Entry) -> Collector:
    """Make a collector whose prompt began at 0."""
    return Collector(entry, at=0.0, prompt_playing=True)


def press(collector: Collector, keys: str, *, at: float) -> Outcome | None:
    """Press *keys* at one instant; return what the last one led to."""
    outcome = None
    for key in keys:
        assert outcome is None
        outcome = collector.press(key, at)
    return outcome


# --- when an entry completes


def test_a_menu_key_completes_at_once() -> None:
    assert asked(Entry()).press("3", 1.0) == Complete("3")


def test_an_entry_completes_the_instant_its_last_digit_comes() -> None:
    assert press(asked(PIN), "4711", at=1.0) == Complete("4711")


def test_an_entry_does_not_complete_before_its_last_digit() -> None:
    assert press(asked(PIN), "471", at=1.0) is None


def test_a_terminator_completes_an_entry_and_is_no_part_of_it() -> None:
    assert press(asked(AMOUNT), "250#", at=1.0) == Complete("250")


def test_a_terminator_after_exactly_the_least_digits_completes() -> None:
    assert press(asked(AMOUNT), "25#", at=1.0) == Complete("25")


def test_a_full_entry_does_not_wait_for_its_terminator() -> None:
    assert press(asked(AMOUNT), "123456", at=1.0) == Complete("123456")


def test_each_of_several_terminators_ends_the_entry() -> None:
    entry = Entry(least=1, most=6, finish="#*")

    assert [press(asked(entry), "7" + end, at=1.0) for end in "#*"] == [Complete("7"), Complete("7")]


def test_silence_after_enough_digits_completes() -> None:
    collector = asked(AMOUNT)
    press(collector, "25", at=1.0)

    assert collector.due(4.0) == Complete("25")


def test_a_terminator_alone_answers_a_question_that_takes_nothing() -> None:
    assert asked(Entry(least=0, most=4, finish="#")).press("#", 1.0) == Complete("")


# --- how an entry fails


def test_silence_is_no_input() -> None:
    assert asked(PIN).due(5.0) == failed("no input")


def test_silence_is_no_input_even_where_nothing_is_an_answer() -> None:
    assert asked(Entry(least=0, most=4, finish="#")).due(5.0) == failed("no input")


def test_silence_after_too_few_digits_is_too_short() -> None:
    collector = asked(PIN)
    press(collector, "471", at=1.0)

    assert collector.due(4.0) == failed("too short", 3)


def test_a_terminator_after_too_few_digits_is_too_short() -> None:
    assert press(asked(AMOUNT), "2#", at=1.0) == failed("too short", 1)


def test_a_terminator_as_the_first_key_is_too_short() -> None:
    assert asked(AMOUNT).press("#", 1.0) == failed("too short", 0)


def test_a_key_that_is_not_allowed_is_no_match_at_once() -> None:
    entry = Entry(least=4, most=4, allowed=frozenset("0123456789"))

    assert press(asked(entry), "47*", at=1.0) == failed("no match", 2)


def test_a_terminator_is_a_digit_where_it_ends_nothing() -> None:
    assert press(asked(PIN), "12*#", at=1.0) == Complete("12*#")


@pytest.mark.parametrize("strange", ["A", "", "12", "x"])
def test_what_is_no_key_is_no_match(strange: str) -> None:
    assert asked(AMOUNT).press(strange, 1.0) == failed("no match")


def test_an_entry_that_takes_longer_than_its_total_is_too_long_however_many_digits_it_has() -> None:
    collector = asked(Entry(least=1, most=9, first_digit=5, between_digits=3, total=7))
    for at in (2.0, 4.0, 6.0):
        collector.press("1", at)

    assert collector.due(7.0) == failed("too long", 3)


def test_silence_wins_over_the_total_at_one_instant() -> None:
    collector = asked(Entry(least=1, most=9, first_digit=5, between_digits=3, total=7))
    for at in (2.0, 4.0):
        collector.press("1", at)

    assert collector.due(7.0) == Complete("11")


# --- when the waits begin and end


def test_nothing_is_due_while_the_prompt_plays() -> None:
    collector = prompting(PIN)

    assert (collector.deadline, collector.due(1000.0)) == (None, None)


def test_the_wait_for_the_first_digit_begins_when_the_prompt_ended() -> None:
    collector = prompting(PIN)
    collector.prompt_ended(12.0)

    assert collector.deadline == 17.0


def test_without_a_prompt_the_wait_begins_at_once() -> None:
    assert asked(PIN, at=3.0).deadline == 8.0


def test_a_prompt_ends_once() -> None:
    collector = prompting(PIN)
    collector.prompt_ended(12.0)
    collector.prompt_ended(13.0)

    assert collector.deadline == 17.0


def test_a_key_during_the_prompt_starts_the_wait_between_digits() -> None:
    collector = prompting(PIN)
    collector.press("4", 2.0)

    assert collector.deadline == 5.0


def test_the_end_of_a_prompt_that_was_cut_changes_nothing() -> None:
    collector = prompting(PIN)
    collector.press("4", 2.0)
    collector.prompt_ended(4.0)

    assert (collector.deadline, collector.due(5.0)) == (5.0, failed("too short", 1))


def test_each_key_restarts_the_wait_between_digits() -> None:
    collector = asked(PIN)
    collector.press("4", 1.0)
    collector.press("7", 3.5)

    assert collector.deadline == 6.5


def test_the_total_counts_from_the_end_of_the_prompt() -> None:
    collector = prompting(Entry(least=1, most=9, total=6))
    collector.prompt_ended(10.0)
    collector.press("1", 14.5)

    assert collector.deadline == 16.0


def test_the_total_counts_from_a_key_that_cut_the_prompt() -> None:
    collector = prompting(Entry(least=1, most=9, between_digits=4, total=6))
    collector.press("1", 2.0)
    collector.prompt_ended(2.5)
    collector.press("1", 5.0)

    assert collector.deadline == 8.0


def test_nothing_is_due_before_the_deadline() -> None:
    collector = asked(PIN)

    assert (collector.due(4.99), collector.due(5.0)) == (None, failed("no input"))


def test_a_key_at_the_very_deadline_wins_over_the_timer() -> None:
    collector = asked(PIN)
    outcome = collector.press("4", 5.0)

    assert (outcome, collector.due(5.0), collector.deadline) == (None, None, 8.0)


def test_a_key_counts_after_the_deadline_as_long_as_nobody_asked() -> None:
    collector = asked(PIN)
    press(collector, "471", at=1.0)

    assert collector.press("1", 4.5) == Complete("4711")


@pytest.mark.parametrize(("last", "outcome"), [(1.0, Complete("11")), (4.5, failed("too long", 2))])
def test_the_deadline_that_came_first_decides_however_late_it_is_asked(last: float, outcome: Outcome) -> None:
    collector = asked(Entry(least=1, most=9, first_digit=5, between_digits=3, total=7))
    collector.press("1", 1.0)
    collector.press("1", last)

    assert collector.due(100.0) == outcome


def test_an_earlier_moment_counts_as_the_latest_one() -> None:
    collector = asked(PIN, at=10.0)
    collector.press("4", 12.0)
    collector.press("7", 11.0)

    assert collector.deadline == 15.0


# --- after the outcome


def test_nothing_is_due_after_the_outcome() -> None:
    collector = asked(Entry())
    collector.press("1", 1.0)
    collector.prompt_ended(1.0)

    assert (collector.deadline, collector.due(100.0)) == (None, None)


def test_a_key_after_the_outcome_is_refused_rather_than_lost() -> None:
    collector = asked(Entry())
    collector.due(5.0)

    with pytest.raises(RuntimeError, match="belongs to type-ahead"):
        collector.press("1", 5.0)


def test_digits_so_far_counts_what_was_taken() -> None:
    collector = asked(PIN)
    press(collector, "471", at=1.0)

    assert collector.digits_so_far == 3


@pytest.mark.parametrize("shown", [Complete("4711"), failed("no match", 2), asked(PIN), TypeAhead()])
def test_nothing_that_is_printed_shows_a_digit_that_was_keyed(shown: object) -> None:
    match shown:
        case Collector():
            press(shown, "471", at=1.0)
        case TypeAhead():
            shown.hold("4", "keep")

    assert "4" not in repr(shown).replace(hex(id(shown)), "")


# --- the entry itself


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"most": 0}, "most=0 leaves nothing to enter"),
        ({"least": 5, "most": 4}, "least=5 is not between 0 and most=4"),
        ({"least": -1}, "least=-1 is not between 0 and most=1"),
        ({"least": 0}, "least=0 needs a terminator"),
        ({"finish": "A"}, "'A': no key of a telephone"),
        ({"allowed": {"1", "12"}}, "'12': no key of a telephone"),
        ({"allowed": {""}}, "'': no key of a telephone"),
        ({"finish": "##"}, "finish='##' names a key twice"),
        ({"finish": KEYS}, "no key is left to enter"),
        ({"allowed": ()}, "no key is left to enter"),
        ({"finish": "#", "allowed": "12#"}, "# cannot be both in allowed and in finish"),
        ({"first_digit": 0}, "first_digit is a number of seconds greater than zero, not 0"),
        ({"between_digits": -1.0}, "between_digits is a number of seconds greater than zero, not -1.0"),
        ({"total": float("inf")}, "total is a number of seconds greater than zero, not inf"),
        ({"total": float("nan")}, "total is a number of seconds greater than zero, not nan"),
        ({"first_digit": 61.0}, "total=60.0 is shorter than a wait within it; make it 61.0 or more"),
        ({"between_digits": 61.0}, "total=60.0 is shorter than a wait within it; make it 61.0 or more"),
    ],
)
def test_an_entry_that_contradicts_itself_is_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        Entry(**wrong)


def test_every_key_that_is_no_terminator_is_a_digit_by_default() -> None:
    assert (Entry().digits, AMOUNT.digits) == (frozenset(KEYS), frozenset("0123456789*"))


def test_waits_are_five_three_and_sixty_seconds_by_default() -> None:
    assert (Entry().first_digit, Entry().between_digits, Entry().total) == (5.0, 3.0, 60.0)


def test_a_failure_has_one_of_the_known_names() -> None:
    with pytest.raises(ValueError, match="'timeout' is no name of a failure; the names are no input, no match"):
        Failed(name="timeout")  # type: ignore[arg-type]  # what a wrong caller would write


# --- the late terminator


def completed_by_silence(entry: Entry, digits: str) -> Collector:
    collector = asked(entry)
    press(collector, digits, at=0.0)
    collector.due(10.0)
    return collector


def completed(entry: Entry, keys: str) -> Collector:
    collector = asked(entry)
    press(collector, keys, at=10.0)
    return collector


@pytest.mark.parametrize(
    ("collector", "late"),
    [
        (completed(AMOUNT, "123456"), LateTerminator("#", 10.0)),
        (completed_by_silence(AMOUNT, "12"), LateTerminator("#", 10.0)),
        (completed(AMOUNT, "12#"), None),
        (completed(AMOUNT, "1#"), None),
        (completed(PIN, "4711"), None),
        (completed_by_silence(PIN, "47"), None),
        (asked(AMOUNT), None),
    ],
    ids=["full", "by silence", "terminated", "too short", "no terminator", "failed", "not over"],
)
def test_a_terminator_is_expected_late_where_the_entry_completed_without_it(
    collector: Collector, late: LateTerminator | None
) -> None:
    assert collector.late_terminator == late


@pytest.mark.parametrize(
    ("key", "at", "swallowed"),
    [("#", 10.0, True), ("#", 10.5, True), ("#", 10.52, False), ("*", 10.1, False), ("1", 10.1, False)],
)
def test_the_terminator_is_swallowed_within_half_a_second(key: str, at: float, swallowed: bool) -> None:
    assert LateTerminator("#", 10.0).swallows(key, at) is swallowed


def test_half_a_second_is_half_a_second() -> None:
    assert LATE_TERMINATOR == 0.5


@pytest.mark.parametrize("first", ["#", "1"])
def test_only_the_first_key_after_the_entry_can_be_swallowed(first: str) -> None:
    late = LateTerminator("#", 10.0)
    late.swallows(first, 10.1)

    assert late.swallows("#", 10.2) is False


# --- tries and reprompts


def say_what(step: Reprompt | GiveUp) -> tuple[object, ...]:
    match step:
        case Reprompt():
            return (step.prompt, step.attempt)
        case GiveUp():
            return (step.failed.name, step.failed.tries)
        case _:
            assert_never(step)


def play_tries(tries: Tries, *names: FailedName) -> list[tuple[object, ...]]:
    return [say_what(tries.failed(failed(name))) for name in names]


def test_each_attempt_has_its_own_reprompt() -> None:
    tries = Tries(allowed=3, reprompts=("again.wav", ("last.wav", "time")))

    assert play_tries(tries, "no match", "no match") == [("again.wav", 2), (("last.wav", "time"), 3)]


def test_the_last_reprompt_is_said_again_when_they_run_out() -> None:
    tries = Tries(allowed=4, reprompts=("again.wav",))

    said = play_tries(tries, "no match", "no match", "no match")

    assert said == [("again.wav", 2), ("again.wav", 3), ("again.wav", 4)]


def test_without_reprompts_the_question_is_asked_again_as_it_was() -> None:
    assert play_tries(Tries(allowed=2), "no input") == [(None, 2)]


def test_every_kind_of_failure_costs_a_try_and_the_last_one_gives_its_name() -> None:
    tries = Tries(allowed=3)

    assert play_tries(tries, "no input", "no match", "too short")[-1] == ("too short", 3)


def test_giving_up_keeps_how_many_digits_there_were() -> None:
    assert Tries(allowed=1).failed(failed("too short", 3)) == GiveUp(Failed(name="too short", digits_seen=3, tries=1))


def test_a_question_stays_given_up() -> None:
    tries = Tries(allowed=1)

    assert play_tries(tries, "no input", "no match") == [("no input", 1), ("no match", 2)]


def test_three_tries_are_allowed_by_default() -> None:
    assert (Tries().allowed, Tries().used) == (3, 0)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"allowed": 0}, "tries=0 allows no attempt"),
        ({"allowed": 2, "reprompts": ("a.wav", "b.wav")}, "2 reprompts, but tries=2 asks again 1 times"),
        ({"reprompts": "again.wav"}, "write ('again.wav',)"),
    ],
)
def test_tries_that_contradict_themselves_are_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        Tries(**wrong)


# --- type-ahead


def held(keys: str, policy: TypeAheadPolicy = "keep") -> TypeAhead:
    ahead = TypeAhead()
    for key in keys:
        ahead.hold(key, policy)
    return ahead


def take_all(ahead: TypeAhead) -> str:
    return "".join(iter(lambda: ahead.take() or "", ""))


def test_keys_typed_ahead_come_back_oldest_first() -> None:
    assert take_all(held("1234#")) == "1234#"


def test_there_is_nothing_to_take_from_an_empty_type_ahead() -> None:
    assert TypeAhead().take() is None


def test_thirty_two_keys_are_kept_and_the_newest_are_dropped() -> None:
    ahead = held("0123456789" * 4)

    assert (len(ahead), ahead.dropped, take_all(ahead)) == (TYPE_AHEAD, 8, ("0123456789" * 4)[:32])


def test_under_drop_no_key_is_kept_and_each_is_counted() -> None:
    ahead = held("123", "drop")

    assert (len(ahead), ahead.dropped) == (0, 3)


def test_holding_says_whether_the_key_was_kept() -> None:
    ahead = TypeAhead(most=1)

    assert [ahead.hold("1", "drop"), ahead.hold("1", "keep"), ahead.hold("2", "keep")] == [False, True, False]


def test_flushing_counts_what_it_drops() -> None:
    ahead = held("123")

    assert (ahead.flush(), ahead.flush(), ahead.dropped, len(ahead)) == (3, 0, 3, 0)


@pytest.mark.parametrize(
    ("keys", "swallowed", "left"), [("#5", True, "5"), ("5#", False, "5#"), ("", False, ""), ("##", True, "#")]
)
def test_a_terminator_typed_ahead_with_its_entry_is_swallowed(keys: str, swallowed: bool, left: str) -> None:
    ahead = held(keys)
    result = ahead.swallow_terminator(LateTerminator("#", 10.0), 10.0)

    assert (result, ahead.dropped, take_all(ahead)) == (swallowed, int(swallowed), left)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("hold"), st.sampled_from(KEYS), st.sampled_from(get_args(TypeAheadPolicy))),
            st.just(("take", "", "")),
            st.just(("flush", "", "")),
        )
    )
)
def test_every_key_typed_ahead_is_taken_counted_or_still_there(steps: list[tuple[str, str, TypeAheadPolicy]]) -> None:
    ahead, taken, pressed = TypeAhead(most=3), 0, 0
    for verb, key, policy in steps:
        match verb:
            case "hold":
                ahead.hold(key, policy)
                pressed += 1
            case "take":
                taken += ahead.take() is not None
            case _:
                ahead.flush()

    assert taken + ahead.dropped + len(ahead) == pressed


# --- the collector against a model that looks at the whole attempt after the fact


class Attempt(NamedTuple):
    """One attempt as it was lived through, in whole seconds."""

    entry: Entry
    prompt: int
    """When the prompt ends; 0 for none."""
    keys: tuple[tuple[int, str], ...]
    """Moments, in order, and the keys pressed at them."""


class Ending(NamedTuple):
    at: float
    rank: int
    """Which of two endings at one instant counts: 0 a key, 1 silence, 2 the total."""
    outcome: Outcome


def endings(attempt: Attempt) -> Iterator[Ending]:
    """Name every way in which the attempt could end, each seen by itself; the earliest is the right one."""
    entry, keys = attempt.entry, attempt.keys
    if not keys or keys[0][0] > attempt.prompt + entry.first_digit:
        yield Ending(attempt.prompt + entry.first_digit, 1, Failed(name="no input"))
        return
    text = "".join(key for _, key in keys)
    opened = min(attempt.prompt, keys[0][0])
    for n, (at, key) in enumerate(keys):
        if key in entry.finish:
            yield Ending(at, 0, Complete(text[:n]) if n >= entry.least else Failed(name="too short", digits_seen=n))
        elif entry.allowed is not None and key not in entry.allowed:
            yield Ending(at, 0, Failed(name="no match", digits_seen=n))
        elif n + 1 == entry.most:
            yield Ending(at, 0, Complete(text[: n + 1]))
    for n, ((at, _), (following, _)) in enumerate(itertools.pairwise([*keys, (10**6, "")]), start=1):
        if following > at + entry.between_digits:
            enough = n >= entry.least
            yield Ending(
                at + entry.between_digits, 1, Complete(text[:n]) if enough else Failed(name="too short", digits_seen=n)
            )
    in_time = sum(at <= opened + entry.total for at, _ in keys)
    yield Ending(opened + entry.total, 2, Failed(name="too long", digits_seen=in_time))


def judged_afterwards(attempt: Attempt) -> tuple[float, Outcome]:
    ending = min(endings(attempt), key=lambda e: (e.at, e.rank))
    return ending.at, ending.outcome


def lived_through(attempt: Attempt, *, lag: float = 0.0, prompt_first: bool = True) -> tuple[float, Outcome]:
    """Drive the collector as the engine does: at each instant first what came, then the timer (L4).

    *lag* is how late every timer is noticed, as on a busy server; less than the second that all moments are apart.
    """
    collector = Collector(attempt.entry, at=0.0, prompt_playing=attempt.prompt > 0)
    happenings = [*attempt.keys, *([(attempt.prompt, "prompt ended")] if attempt.prompt else []), (10**6, "the end")]
    happenings.sort(key=lambda h: (h[0], (h[1] == "prompt ended") is not prompt_first))
    for at, what in happenings:
        if (deadline := collector.deadline) is not None and deadline < at:
            expired = collector.due(deadline + lag)
            assert expired is not None
            return deadline, expired
        if what == "prompt ended":
            collector.prompt_ended(at)
        elif outcome := collector.press(what, at):
            return at, outcome
    raise AssertionError("the attempt never ended")


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    most = draw(st.integers(1, 4))
    finish = draw(st.sampled_from(["", "#", "*#"]))
    first_digit, between_digits = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    return Entry(
        least=draw(st.integers(0 if finish else 1, most)),
        most=most,
        finish=finish,
        allowed=draw(st.sampled_from([None, "12", "1234567890"])),
        first_digit=first_digit,
        between_digits=between_digits,
        total=draw(st.integers(max(first_digit, between_digits), 9)),
    )


@st.composite
def attempts(draw: st.DrawFn) -> Attempt:
    """Draw an attempt whose gaps are near the entry's own waits: one second less, the very instant, one more."""
    entry = draw(entries())
    prompt = draw(st.sampled_from([0, 0, 4]))
    waits = [int(entry.first_digit), int(entry.between_digits), int(entry.total), prompt]
    gaps = st.sampled_from(sorted({0, 1, *(max(0, wait + off) for wait in waits for off in (-1, 0, 1))}))
    moments = itertools.accumulate(draw(st.lists(gaps, max_size=6)))
    keys = st.sampled_from("1112220#*" if entry.finish else "11122209*")
    return Attempt(entry, prompt, tuple((at, draw(keys)) for at in moments))


FOUR = Entry(least=4, most=4, finish="#", first_digit=5, between_digits=3, total=9)


@given(attempt=attempts(), prompt_first=st.booleans())
@example(attempt=Attempt(FOUR, 4, ((2, "1"),)), prompt_first=True)  # a key in the prompt still arms the timers
@example(attempt=Attempt(FOUR, 4, ((4, "1"),)), prompt_first=False)  # a key as the prompt ends
@example(attempt=Attempt(FOUR, 0, ((5, "1"), (8, "1"), (9, "1"), (9, "1"))), prompt_first=True)  # all at the deadlines
def test_the_collector_says_what_the_whole_attempt_says(attempt: Attempt, prompt_first: bool) -> None:
    assert lived_through(attempt, prompt_first=prompt_first) == judged_afterwards(attempt)


@given(attempt=attempts(), lag=st.sampled_from([0.25, 0.5, 0.75]))
def test_a_busy_server_judges_an_attempt_as_an_idle_one_does(attempt: Attempt, lag: float) -> None:
    assert lived_through(attempt, lag=lag) == lived_through(attempt)


@pytest.mark.parametrize(
    "kind",
    ["full", "terminated", "by silence", "no input", "no match", "too short by silence", "too short", "too long"],
)
def test_the_attempts_that_are_tried_end_in_every_way(kind: str) -> None:
    def is_of_kind(attempt: Attempt) -> bool:
        at, outcome = judged_afterwards(attempt)
        by_key = any(pressed == at for pressed, _ in attempt.keys)
        match outcome:
            case Complete():
                full = len(outcome.digits) == attempt.entry.most
                return kind == ("full" if full else "terminated" if by_key else "by silence")
            case Failed(name="too short"):
                return kind == ("too short" if by_key else "too short by silence")
            case Failed():
                return kind == outcome.name
            case _:
                assert_never(outcome)

    assert is_of_kind(find(attempts(), is_of_kind))
