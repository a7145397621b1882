"""The ledger knows what the caller heard: examples of every fate, and any history against a far end that plays."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from callflow.session.inputs import MarkFate
from callflow.session.playout import Entry, Fate, Heard, Ledger
from callflow.session.timing import Timing
from tests.session.far_end import BLOCK, LEAD, STEP, Line, Manner

PROMPT = ("welcome",)


def sent(ledger: Ledger, seconds: float, *, at: float = 0.0, name: str = "m") -> Entry:
    """Enter a playback, send all of it at one instant, and its mark."""
    entry = ledger.open(PROMPT, seconds)
    ledger.send(entry, seconds, at)
    ledger.marked(entry, name, at)
    return entry


def known(delay: float = 0.0) -> Ledger:
    """Make a ledger that knows how long echoes take: a first playback of one second was heard, at 1 and *delay*."""
    ledger = Ledger()
    sent(ledger, 1.0, name="first")
    ledger.mark_done("first", MarkFate.PLAYED, 1.0 + delay)
    return ledger


def result(entry: Entry) -> Heard:
    assert entry.result is not None
    return entry.result


# --- the five fates


def test_a_playback_whose_mark_came_back_was_heard() -> None:
    ledger = Ledger()
    entry = sent(ledger, 3.0)
    settled = ledger.mark_done("m", MarkFate.PLAYED, 3.1)

    assert settled == [entry]
    assert entry.result == Heard(fate=Fate.HEARD, seconds=3.0, sent=3.0, at_least=3.0, at_most=3.0)


def test_a_playback_whose_mark_did_not_come_back_is_assumed_to_be_heard() -> None:
    ledger = Ledger()
    entry = sent(ledger, 3.0)
    ledger.mark_done("m", MarkFate.ASSUMED, 5.0)

    assert entry.result == Heard(fate=Fate.ASSUMED, seconds=3.0, sent=3.0, at_least=0.0, at_most=3.0)


def test_a_playback_whose_mark_was_passed_over_was_played() -> None:
    ledger = Ledger()
    entry = sent(ledger, 3.0)
    ledger.mark_done("m", MarkFate.SKIPPED, 5.0)

    assert entry.result == Heard(fate=Fate.ASSUMED, seconds=3.0, sent=3.0, at_least=3.0, at_most=3.0)


def test_a_clear_cuts_what_plays_and_what_waits() -> None:
    ledger = known(0.125)
    plays, waits = ledger.open(PROMPT, 2.0), ledger.open(PROMPT, 1.0)
    ledger.send(plays, 1.0, 10.0)

    assert ledger.clear(10.5) == [plays, waits]
    assert plays.result == Heard(fate=Fate.CUT, seconds=2.0, sent=1.0, at_least=0.375, at_most=1.0)
    assert waits.result == Heard(fate=Fate.CUT, seconds=1.0)


def test_a_lost_link_loses_what_plays() -> None:
    ledger = Ledger()
    entry = sent(ledger, 3.0)

    assert ledger.link_lost(1.0) == [entry]
    assert entry.result == Heard(fate=Fate.LOST, seconds=3.0, sent=3.0, at_most=3.0)


def test_the_end_of_the_call_ends_what_plays() -> None:
    ledger = known(0.0)
    entry = sent(ledger, 3.0, at=10.0)

    assert ledger.end(11.0) == [entry]
    assert entry.result == Heard(fate=Fate.ENDED, seconds=3.0, sent=3.0, at_least=1.0, at_most=3.0)


@pytest.mark.parametrize("fate", Fate)
def test_heard_and_assumed_playbacks_are_complete(fate: Fate) -> None:
    assert Heard(fate=fate, seconds=1.0).complete is (fate in (Fate.HEARD, Fate.ASSUMED))


# --- when a fate is fixed


@pytest.mark.parametrize("fate", [MarkFate.CLEARED, MarkFate.DROPPED, MarkFate.LOST])
def test_a_mark_that_is_lost_leaves_its_playback_to_what_lost_it(fate: MarkFate) -> None:
    ledger = Ledger()
    entry = sent(ledger, 3.0)

    assert (ledger.mark_done("m", fate, 1.0), entry.result) == ([], None)


@pytest.mark.parametrize(
    ("fate", "counted"),
    [(MarkFate.PLAYED, 1), (MarkFate.CLEARED, 1), (MarkFate.DROPPED, 0), (MarkFate.LOST, 0), (MarkFate.ASSUMED, 0)],
)
def test_an_echo_after_a_clear_is_counted_and_changes_nothing(fate: MarkFate, counted: int) -> None:
    ledger = Ledger()
    entry = sent(ledger, 3.0)
    ledger.clear(1.0)
    before = entry.result

    assert (ledger.mark_done("m", fate, 1.2), entry.result, ledger.late_echoes) == ([], before, counted)


def test_names_of_marks_tell_the_link_and_the_generation_and_never_come_again() -> None:
    ledger = Ledger()
    names = [ledger.next_mark(1), ledger.next_mark(1)]
    ledger.clear(1.0)

    assert [*names, ledger.next_mark(2)] == ["1.0.1", "1.0.2", "2.1.3"]


def test_a_clear_and_a_lost_link_begin_a_new_generation() -> None:
    ledger = Ledger()
    ledger.clear(1.0)
    ledger.link_lost(2.0)

    assert ledger.open(PROMPT, 1.0).generation == 2


# --- deadlines and the lead


def test_a_mark_is_assumed_when_its_audio_must_have_been_played_and_some_time_after() -> None:
    ledger = Ledger()
    sent(ledger, 3.0, at=10.0)

    assert ledger.deadline == 15.0


def test_the_mark_of_an_empty_playback_is_waited_for_as_well() -> None:
    ledger = Ledger(mark_slack=1.0)
    ledger.marked(ledger.open(PROMPT, 0.0), "m", 10.0)

    assert ledger.deadline == 11.0


def test_without_a_mark_there_is_no_deadline() -> None:
    ledger = Ledger()
    ledger.open(PROMPT, 1.0)

    assert ledger.deadline is None


def test_what_was_sent_is_ahead_until_it_must_have_been_played() -> None:
    ledger = Ledger()
    sent(ledger, 0.5, at=10.0)

    assert [ledger.ahead(at) for at in (10.0, 10.25, 11.0)] == [0.5, 0.25, 0.0]


@pytest.mark.parametrize("thrown_away", [Ledger.clear, Ledger.link_lost])
def test_after_a_clear_and_on_a_new_link_nothing_is_ahead(thrown_away: Callable[[Ledger, float], object]) -> None:
    ledger = Ledger()
    sent(ledger, 0.5, at=10.0)
    thrown_away(ledger, 10.0)

    assert ledger.ahead(10.0) == 0.0


@pytest.mark.parametrize(("at", "dry"), [(10.4, False), (10.5, False), (10.6, True)])
def test_the_far_end_runs_dry_when_it_must_have_played_everything(at: float, dry: bool) -> None:
    ledger = Ledger()
    sent(ledger, 0.5, at=10.0)

    assert ledger.has_run_dry(at) is dry


def test_padding_is_no_part_of_a_playback() -> None:
    ledger = Ledger()
    entry = ledger.open(PROMPT, 0.21)
    ledger.send(entry, 0.2, 0.0)
    ledger.send(entry, 0.02, 0.0)

    assert (entry.sent, ledger.ahead(0.0)) == pytest.approx((0.21, 0.22))


def test_chunks_of_a_playback_add_up_to_it() -> None:
    ledger = Ledger()
    entry = ledger.open(PROMPT, 2.0)
    for _ in range(10):
        ledger.send(entry, 0.2, 0.0)  # as a plain sum 1.9999999999999998

    assert entry.sent == 2.0


def test_live_audio_can_be_lengthened_while_it_plays() -> None:
    ledger = Ledger()
    entry = ledger.open(PROMPT, 0.2)
    ledger.send(entry, 0.2, 0.0)
    entry.queued += 0.3
    ledger.send(entry, 0.3, 0.2)
    ledger.clear(0.3)

    assert (result(entry).seconds, result(entry).sent) == (0.5, 0.5)


# --- how sure it is


def test_nothing_is_sure_before_the_first_echo() -> None:
    ledger = Ledger()
    entry = sent(ledger, 3.0)
    ledger.clear(2.0)

    assert (result(entry).at_least, result(entry).at_most) == (0.0, 3.0)


def test_what_must_have_been_played_is_sure_when_echoes_came_at_once() -> None:
    ledger = known(0.0)
    entry = sent(ledger, 3.0, at=10.0)
    ledger.clear(12.0)

    assert result(entry).at_least == 2.0


def test_the_slowest_echo_is_what_counts() -> None:
    ledger = known(0.8)
    sent(ledger, 1.0, at=10.0, name="quick")
    ledger.mark_done("quick", MarkFate.PLAYED, 11.1)
    entry = sent(ledger, 3.0, at=20.0)
    ledger.clear(22.0)

    assert result(entry).at_least == pytest.approx(1.2)


def test_an_empty_playback_tells_how_long_echoes_take() -> None:
    ledger = Ledger()
    ledger.marked(ledger.open(PROMPT, 0.0), "empty", 10.0)
    ledger.mark_done("empty", MarkFate.PLAYED, 10.3)
    entry = sent(ledger, 3.0, at=20.0)
    ledger.clear(22.0)

    assert result(entry).at_least == pytest.approx(1.7)


def test_the_next_link_has_to_prove_itself_again() -> None:
    ledger = known(0.0)
    ledger.link_lost(5.0)
    entry = sent(ledger, 3.0, at=10.0)
    ledger.clear(12.0)

    assert result(entry).at_least == 0.0


def test_the_next_link_plays_nothing_of_what_the_last_one_had() -> None:
    ledger = Ledger()
    sent(ledger, 9.0)
    ledger.link_lost(1.0)
    sent(ledger, 1.0, at=2.0, name="first")
    ledger.mark_done("first", MarkFate.PLAYED, 3.0)
    entry = sent(ledger, 3.0, at=10.0)
    ledger.clear(12.0)

    assert result(entry).at_least == 2.0


def test_time_in_which_nothing_was_sent_is_not_time_heard() -> None:
    ledger = known(0.0)
    entry = ledger.open(PROMPT, 3.0)
    ledger.send(entry, 0.2, 10.0)
    ledger.send(entry, 0.2, 20.0)
    ledger.clear(20.1)

    assert result(entry).at_least == pytest.approx(0.3)


def test_a_message_that_a_clear_spared_plays_before_the_next_prompt() -> None:
    ledger = known(0.0)
    ledger.send(ledger.open(PROMPT, 3.0), 0.2, 10.0)
    ledger.clear(10.05)
    entry = sent(ledger, 3.0, at=10.05)
    ledger.clear(11.0)

    assert result(entry).at_least == pytest.approx(0.8)


def test_a_clear_spares_no_more_than_one_message() -> None:
    ledger = known(0.0)
    cut = ledger.open(PROMPT, 9.0)
    for _ in range(5):
        ledger.send(cut, 1.0, 10.0)
    ledger.clear(10.25)
    entry = sent(ledger, 9.0, at=10.25)
    ledger.clear(14.25)

    assert result(entry).at_least == 3.0


def test_an_echo_behind_a_spared_message_does_not_tell_how_long_echoes_take() -> None:
    ledger = Ledger()
    ledger.send(ledger.open(PROMPT, 3.0), 0.2, 10.0)
    ledger.clear(10.05)
    sent(ledger, 1.0, at=10.05)
    ledger.mark_done("m", MarkFate.PLAYED, 11.1)
    entry = sent(ledger, 3.0, at=20.0)
    ledger.clear(22.0)

    assert result(entry).at_least == 0.0


def test_of_a_link_that_was_dead_before_anybody_noticed_only_the_time_before_is_sure() -> None:
    ledger = known(0.0)
    entry = sent(ledger, 30.0, at=10.0)
    ledger.alive_at = 12.0
    ledger.link_lost(40.0)

    assert result(entry).at_least == pytest.approx(2.0)


def test_without_a_word_of_life_the_clock_is_trusted() -> None:
    assert Ledger().alive_at == inf


def test_the_defaults_agree_with_the_waits_of_a_call() -> None:
    assert (Ledger().mark_slack, LEAD) == (Timing().mark_slack, Timing().lead)


# --- playbacks whose end is not known when they begin


def endless(ledger: Ledger, *, sent: float, at: float = 0.0) -> Entry:
    entry = ledger.open(PROMPT, inf)
    ledger.send(entry, sent, at)
    return entry


def test_an_endless_playback_is_as_long_as_what_was_sent_of_it() -> None:
    ledger = Ledger()
    entry = endless(ledger, sent=3.0)
    ledger.clear(2.0)

    assert entry.result == Heard(fate=Fate.CUT, seconds=3.0, sent=3.0, at_most=3.0)


def test_a_mark_inside_that_came_back_proves_what_stands_before_it() -> None:
    ledger = Ledger()
    entry = endless(ledger, sent=5.0)
    ledger.passed(entry, "inside", 0.0)
    ledger.send(entry, 2.0, 4.5)
    settled = ledger.mark_done("inside", MarkFate.PLAYED, 5.5)
    ledger.link_lost(5.5)

    assert (settled, result(entry).at_least) == ([], 5.0)


def test_a_mark_inside_tells_how_long_echoes_take() -> None:
    ledger = Ledger()
    entry = endless(ledger, sent=5.0)
    ledger.passed(entry, "inside", 0.0)
    ledger.send(entry, 5.0, 4.5)
    ledger.mark_done("inside", MarkFate.PLAYED, 5.25)
    ledger.clear(7.0)

    assert result(entry).at_least == 6.75


@pytest.mark.parametrize(
    ("fate", "proven"),
    [(MarkFate.SKIPPED, 5.0), (MarkFate.ASSUMED, 0.0), (MarkFate.CLEARED, 0.0), (MarkFate.LOST, 0.0)],
)
def test_a_mark_inside_that_did_not_come_back_settles_nothing(fate: MarkFate, proven: float) -> None:
    ledger = Ledger()
    entry = endless(ledger, sent=5.0)
    ledger.passed(entry, "inside", 0.0)

    assert (ledger.mark_done("inside", fate, 7.0), entry.proven, ledger.late_echoes, ledger.deadline) == (
        [],
        proven,
        0,
        None,
    )


def test_the_deadline_is_that_of_the_oldest_mark_wherever_it_stands() -> None:
    ledger = Ledger()
    paused = endless(ledger, sent=5.0)
    ledger.passed(paused, "inside", 0.0)
    sent(ledger, 1.0, at=0.0)

    assert [ledger.deadline, ledger.mark_done("inside", MarkFate.PLAYED, 5.0) or ledger.deadline] == [7.0, 8.0]


def test_a_clear_is_not_meant_for_what_pauses() -> None:
    ledger = known(0.0)
    paused = endless(ledger, sent=1.0, at=10.0)
    paused.paused = True
    voice = sent(ledger, 2.0, at=10.0, name="voice")

    assert (ledger.clear(12.0), paused.result, paused.proven) == ([voice], None, 1.0)


def test_of_what_paused_too_late_the_cleared_part_stays_doubtful() -> None:
    ledger = known(0.0)
    paused = endless(ledger, sent=1.0, at=10.0)
    paused.paused = True
    ledger.clear(10.25)
    ledger.send(paused, 1.0, 20.0)
    ledger.passed(paused, "inside", 20.0)
    ledger.mark_done("inside", MarkFate.PLAYED, 21.0)
    ledger.drop(paused, 21.0)

    assert (result(paused).at_least, result(paused).at_most) == (1.25, 2.0)


# --- any history, against a far end that plays as Exotel does


seconds = st.integers(0, 300).map(lambda steps: steps * STEP)
lengths = st.one_of(
    st.integers(0, 150).map(lambda blocks: blocks * BLOCK),
    st.integers(1, 150).map(lambda blocks: blocks * BLOCK - 0.005),  # its last message is padded
)
History = list[tuple[str, float]]
"""What is done on a line, one after the other: a deed, and its seconds."""

Ending = Callable[[Line], None]

deeds: st.SearchStrategy[tuple[str, float]] = st.one_of(
    st.tuples(st.just("hear"), lengths),
    st.tuples(st.just("hear"), lengths),
    st.tuples(st.just("play"), lengths),
    st.tuples(st.just("play"), lengths),
    st.tuples(st.just("wait"), seconds),
    st.tuples(st.just("cut"), seconds),
    st.tuples(st.just("cut"), seconds),
    st.tuples(st.just("starve"), seconds),
    st.tuples(st.just("lose"), seconds),
)
manners = st.builds(
    Manner,
    there=st.sampled_from([0.0, 0.05, 0.4]),
    back=st.sampled_from([0.0, 0.05, 0.4]),
    echoes=st.sampled_from([True, True, True, False]),
    slow_by=st.sampled_from([0.0, 0.0, 0.0, 0.5, 3.0]),
    cleared=st.sampled_from(["at once", "late", "never"]),
    clear_wins=st.booleans(),
    talks=st.sampled_from([True, True, True, False]),
)
endings: st.SearchStrategy[Ending] = st.sampled_from([Line.hang_up, Line.caller_hangs_up])


def live(manner: Manner, history: History, ending: Ending) -> Line:
    """Live a call through to its end."""
    line = Line(manner)
    line.play(1.0)
    line.wait(2.0)
    for deed, amount in history:
        match deed:
            case "play":
                line.play(amount)
            case "hear":
                line.play(amount)
                line.wait(amount + 1.0)
            case "wait":
                line.wait(amount)
            case "cut":
                line.wait(amount)
                line.cut()
            case "starve":
                line.starve(amount)
            case "lose":
                line.lose(amount)
    ending(line)
    line.wait(1.0)
    return line


histories = st.lists(deeds, max_size=12)
lines = st.builds(live, manners, histories, endings)


@given(manners, histories, endings)
@example(Manner(), [("play", 3.0), ("cut", 0.05), ("play", 3.0), ("cut", 0.5)], Line.hang_up)  # a message is spared
@example(Manner(), [("play", 3.0), ("starve", 2.0), ("wait", 2.0), ("cut", 0.05)], Line.hang_up)  # it runs dry
@example(Manner(), [("play", 3.0), ("lose", 2.0)], Line.hang_up)  # nobody notices that the link is dead
def test_what_the_caller_heard_is_within_the_range(manner: Manner, history: History, ending: Ending) -> None:
    line = live(manner, history, ending)

    wrong = [
        (entry.result, line.heard(entry))
        for entry in line.opened
        if not result(entry).at_least - 1e-5 <= line.heard(entry) <= result(entry).at_most + 1e-5
    ]

    assert wrong == []


@given(lines)
def test_each_playback_gets_one_fate_in_the_order_of_playing(line: Line) -> None:
    assert list(map(id, line.settled)) == list(map(id, line.opened))


@given(lines)
def test_ranges_lie_within_what_was_sent_and_that_within_what_was_queued(line: Line) -> None:
    results = [result(entry) for entry in line.opened]

    assert all(0.0 <= it.at_least <= it.at_most <= it.sent + 1e-6 <= it.seconds + 2e-6 for it in results)


@given(lines)
def test_complete_playbacks_were_sent_to_their_end(line: Line) -> None:
    results = [result(entry) for entry in line.opened]

    assert [it.sent for it in results if it.complete] == pytest.approx([it.seconds for it in results if it.complete])


@given(lines)
def test_no_name_of_a_mark_comes_again(line: Line) -> None:
    assert len(line.marks) == sum(entry.mark is not None for entry in line.opened)


@given(lines)
def test_late_echoes_are_counted_here_or_mean_nothing_to_the_session(line: Line) -> None:
    assert line.ledger.late_echoes + line.unknown == line.late


@pytest.mark.parametrize(
    ("manner", "fate"),
    [
        (Manner(cleared="at once"), Fate.HEARD),
        (Manner(cleared="late"), Fate.HEARD),
        (Manner(cleared="never"), Fate.HEARD),
        (Manner(echoes=False), Fate.ASSUMED),
    ],
)
def test_a_playback_after_a_clear_gets_its_own_fate(manner: Manner, fate: Fate) -> None:
    line = Line(manner)
    line.play(0.5)
    line.wait(0.1)
    line.cut()
    line.play(1.0)
    line.wait(4.0)

    assert [result(entry).fate for entry in line.settled] == [Fate.CUT, fate]


def test_a_cut_prompt_was_heard_as_long_as_the_range_says_which_is_narrow() -> None:
    line = Line(Manner(there=0.05, back=0.05))
    line.play(1.0)
    line.wait(2.0)
    entry = line.play(3.0)
    line.wait(1.5)
    line.cut()
    line.wait(1.0)

    assert (result(entry).at_least, line.heard(entry), result(entry).at_most) == pytest.approx((1.4, 1.6, 2.0))
