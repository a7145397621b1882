"""What holds for every call that the table allows, shown by walking all of them; the model's own opinion among it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from attrs import Factory, define, frozen

from callflow.session.inputs import (
    Audio,
    Close,
    Detached,
    EndCause,
    Hangup,
    Input,
    MarkDone,
    Outcome,
    Over,
    Pressed,
    Resumed,
    SendMark,
    Started,
    Timer,
    TimerDue,
    Verdict,
)
from callflow.session.machine import Session
from callflow.session.table import LIVE, OPENING, TABLE, S, kind_of
from tests.session.search import CALLERS_AUDIO, LINK, MESSAGES, OURS, UNCHANGING, Findings, Twin, facts, search

ROWS = {(state, kind, number) for (state, kind), cell in TABLE.items() for number in range(len(cell))}
ALLOWED_TO_CHANGE = {"counts", "malformed_in_row", "_early"}
CODES = {"stop": 1000, "undecodable": 1003, "open timer": 1008, "idle timer": 1001}


@frozen
class Step:
    """One input, with what was before it and what is after it."""

    was: Twin
    event: Input
    now: Twin
    outcome: Outcome

    @property
    def before(self) -> Session:
        return self.was.session

    @property
    def after(self) -> Session:
        return self.now.session

    def tells(self, *kinds: type) -> bool:
        return any(isinstance(told, kinds) for told in self.outcome.told)


Law = Callable[[Step], bool | None]
"""Whether a step keeps it; None where it says nothing about that step."""

LAWS: dict[str, Law] = {}


def law(check: Law) -> Law:
    LAWS[check.__name__.replace("_", " ")] = check
    return check


@law
def frames_go_out_on_a_live_link_only_and_are_what_was_asked_for(step: Step) -> bool | None:
    if not step.outcome.frames:
        return None
    return step.before.state in LIVE and step.outcome.frames == (step.event,)


@law
def stopped_is_never_left_and_tells_nothing(step: Step) -> bool | None:
    if step.before.state is not S.STOPPED:
        return None
    said = step.outcome.told, step.outcome.frames, step.outcome.close, dict(step.outcome.arm)
    return step.after.state is S.STOPPED and said == ((), (), None, {})


@law
def live_states_are_names_for_the_queues(step: Step) -> bool | None:
    if step.after.state not in LIVE:
        return None
    named = S.CLEARED if step.after.stale else S.MARKED if step.after.fresh else S.STREAMING
    return step.after.state is named


@law
def marks_are_out_only_while_a_link_is_live(step: Step) -> bool | None:
    return not step.after.stale + step.after.fresh if step.after.state not in LIVE else None


@law
def each_mark_gets_one_fate_in_sending_order(step: Step) -> bool | None:
    fates = [told.name for told in step.outcome.told if isinstance(told, MarkDone)]
    out = step.before.stale + step.before.fresh
    if not out and not fates:
        return None
    new = [step.event.name] if isinstance(step.event, SendMark) and step.outcome.frames else []
    return fates + step.after.stale + step.after.fresh == out + new


@law
def refused_ignored_and_odd_inputs_change_nothing(step: Step) -> bool | None:
    if step.outcome.verdict not in UNCHANGING:
        return None
    before, after = facts(step.before), facts(step.after)
    changed = {name for name in after if before[name] != after[name]}
    said = step.outcome.told, step.outcome.frames, step.outcome.close, dict(step.outcome.arm)
    return changed <= ALLOWED_TO_CHANGE and said == ((), (), None, {})


@law
def over_is_told_once_and_last(step: Step) -> bool | None:
    ends = step.after.state is S.STOPPED and step.before.state is not S.STOPPED
    if not ends and not step.tells(Over):
        return None
    return ends and [type(told) for told in step.outcome.told].index(Over) == len(step.outcome.told) - 1


@law
def started_is_told_once(step: Step) -> bool | None:
    return not step.was.model.started if step.tells(Started) else None


@law
def nothing_is_told_of_a_stream_before_started(step: Step) -> bool | None:
    if not step.tells(Audio, Pressed, Resumed, Detached, MarkDone):
        return None
    return step.was.model.started or isinstance(step.outcome.told[0], Started)


@law
def timers_run_where_they_have_a_meaning(step: Step) -> bool | None:
    state, runs = step.after.state, step.now.running
    return runs == {
        *([Timer.ATTACH] if state is S.PASSTHRU else []),
        *([Timer.OPEN] if state in OPENING else []),
        *([Timer.STALL, Timer.IDLE] if state in LIVE else []),
        *([Timer.MARK] if step.after.fresh else []),
        *([Timer.FLUSH] if step.after.stale else []),
        *([Timer.RESUME] if state is S.DETACHED else []),
    }


@law
def a_timer_that_does_not_run_changes_nothing(step: Step) -> bool | None:
    if not isinstance(step.event, TimerDue) or step.event.timer in step.was.running:
        return None
    return step.outcome.verdict is Verdict.IGNORED


@law
def links_are_closed_with_the_code_of_what_ended_them(step: Step) -> bool | None:
    if step.outcome.close is None:
        return None
    own = step.event.code if isinstance(step.event, Hangup) else None
    return step.outcome.close == Close(CODES.get(kind_of(step.event).value, own or 0))


@law
def the_first_cause_wins(step: Step) -> bool | None:
    if step.before.cause is None or step.tells(Resumed):
        return None
    return step.after.cause is step.before.cause


@law
def the_end_is_told_with_its_cause(step: Step) -> bool | None:
    return step.outcome.told[-1] == Over(step.after.cause or EndCause.LOST) if step.tells(Over) else None


@law
def every_input_is_counted_once(step: Step) -> bool | None:
    return step.after.counts == step.before.counts + Counter([step.outcome.verdict])


@define
class Walk:
    """A finished search, with what the laws said of its steps."""

    found: Findings
    held: Counter[str] = Factory(Counter)
    broken: dict[str, str] = Factory(dict)
    """The first input that broke each law that was broken."""

    def judge(self, was: Twin, event: Input, now: Twin) -> None:
        assert now.outcome is not None
        step = Step(was, event, now, now.outcome)
        for name, check in LAWS.items():
            verdict = check(step)
            self.held[name] += verdict is True
            if verdict is False:
                self.broken.setdefault(name, f"{was.session.state}: {event}")


@pytest.fixture(scope="module")
def walk() -> Walk:
    walk = Walk(Findings())
    walk.found = search(watch=walk.judge)
    found = walk.found
    print(f"{len(TABLE)} cells, {len(ROWS)} rows, {len(found.configurations)} configurations, {found.steps} steps")
    return walk


def test_the_session_and_the_model_never_disagree(walk: Walk) -> None:
    assert walk.found.breach == ""


def test_every_cell_and_every_row_is_taken(walk: Walk) -> None:
    assert walk.found.ways.keys() == ROWS


def test_the_table_has_a_cell_for_every_state_and_every_kind_of_input() -> None:
    assert len(TABLE) == 9 * 24


def test_every_kind_of_input_is_among_those_that_are_fed() -> None:
    fed = {kind_of(event) for event in (*LINK, *MESSAGES, *OURS, *CALLERS_AUDIO, SendMark("a"))}

    assert fed == {kind for _, kind in TABLE}


def test_the_search_is_as_wide_as_three_marks_make_it(walk: Walk) -> None:
    # Of four kinds of session: with or without waiting for lost links, raw or not.
    assert (len(walk.found.configurations) >= 1_600, walk.found.steps >= 66_000) == (True, True)


@pytest.mark.parametrize("name", LAWS)
def test_a_law_holds_at_every_step(walk: Walk, name: str) -> None:
    assert (walk.broken.get(name, ""), walk.held[name] >= 20) == ("", True)
