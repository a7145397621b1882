"""Each law is kept by a good story and broken, alone, by a bad one."""

from __future__ import annotations

import pytest

from callflow.call.journal import Entry, Kind
from callflow.testing import check_call
from callflow.testing.laws import ALL, Story
from tests.testing.stories import (
    CHOOSE,
    END,
    THINK,
    TOLD,
    WELCOME,
    Line,
    active,
    asked,
    due,
    ended,
    entered,
    error,
    fate,
    inside,
    left,
    link,
    moved,
    over,
    pause,
    pressed,
    queued,
    resumed,
    returned,
    stayed,
    story,
    taken,
    typed,
)

HELD_7: list[Line] = [pressed(2.1), typed(2.1, "held")]
CUT: list[Line] = [
    pressed(1.2),
    (1.2, Kind.PLAYBACK, "barge-in", {"prompt": "menu.wav", "by": "key"}),
    fate(1.2, "menu.wav", "cut"),
]
ASKING: list[Line] = [*CHOOSE, queued(1.0, "menu.wav")]
PROTECTED: list[Line] = [*CHOOSE, queued(1.0, "menu.wav", "")]
PIN: list[Line] = [*CHOOSE, pressed(2.0), taken(2.0, "1"), *moved(2.0, "Choose", "pin", "Pin", 3)]
VOICE_OVER: list[Line] = [pause(1.5, "menu.wav"), queued(1.5, "again.wav"), fate(2.5, "again.wav")]
BACK: list[Line] = [returned(2.4, "Think", 3, "Choose"), left(2.4, "Think", "run", "Choose"), entered(2.4, "Choose", 4)]
STAYED: list[Line] = [
    *CHOOSE,
    pressed(1.5),
    taken(1.5, "3"),
    asked(1.5, "Choose", "wait"),
    stayed(1.5, "Choose", "wait"),
]
WITHIN: list[Line] = [link(0.0, "accepted"), entered(0.0, "Outer", 1), inside(0.0, "Inner", 2, "Outer")]
BACK_OUT: list[Line] = [
    left(4, "Deeper", "then", "Done"),
    asked(4, "Outer", "on_done"),
    left(4, "Outer", "on_done", "Other"),
    entered(4, "Other", 5),
]
TWICE: list[Line] = [error(2, goes_to="Sorry"), entered(2, "Sorry", 3), error(3)]
WATCHED: list[Line] = [*THINK, active(2.0, "began", "Think", 3)]
AWAY: Line = link(1.2, "detached")

GOOD: dict[str, list[tuple[int, Story]]] = {
    "L1": [(1, story(*CHOOSE, *END)), (2, story(*STAYED, *END))],
    "L2": [
        (3, story(*CHOOSE, *END)),
        (4, story(*STAYED, *END)),
        (4, story(*CHOOSE, left(1.5, "Choose", "help", "Bye"), AWAY, link(9, "resumed"), *END)),
    ],
    "L3": [(2, story(*THINK, *BACK, *END)), (1, story(*THINK, returned(2.4, "Think", 3, ""), *TOLD))],
    "L4": [
        (1, story(*CHOOSE, due(3.0, "Choose"), *END)),
        (1, story(*CHOOSE, pressed(1.5), typed(1.5, "held"), due(3.0, "Choose"), *END)),
    ],
    "L5": [
        (1, story(*ASKING, fate(2.5, "menu.wav"), due(4.5, "Choose"), *END)),
        (1, story(*PIN, pressed(2.5), taken(2.5, state="Pin"), due(3.5, "Pin"), *END)),
        (1, story(*THINK, due(7.0, "Think"), *TOLD[:0], over(8), asked(8, "Think", "on_hangup"), ended(8))),
        (
            1,
            story(
                *THINK,
                link(3, "detached"),
                link(5, "resumed"),
                due(9, "Think"),
                over(9),
                asked(9, "Think", "on_hangup"),
                ended(9),
            ),
        ),
    ],
    "L6": [(1, story(*CHOOSE, AWAY, pressed(1.3), link(1.4, "resumed"), pressed(1.5), taken(1.5, "3"), *END))],
    "L7": [
        (2, story(*ASKING, fate(2.0, "menu.wav"), *END)),
        (
            5,
            story(
                *ASKING,
                *CUT,
                taken(1.2, "3"),
                queued(1.3, "again.wav"),
                over(9),
                fate(9, "again.wav", "ended"),
                ended(9),
            ),
        ),
        (6, story(*ASKING, *VOICE_OVER, pause(2.5, "menu.wav", "resumed"), fate(4, "menu.wav"), *END)),
        (5, story(*ASKING, *VOICE_OVER, fate(2.5, "menu.wav", "cut"), *END)),
    ],
    "L8": [
        (2, story(*CHOOSE, pressed(1.1), pressed(1.2), taken(1.1, "1"), taken(1.2, "2"), *END, keys="12")),
        (2, story(*PROTECTED, pressed(1.1), typed(1.1, "held"), fate(2, "menu.wav"), taken(2, "3"), *END, keys="3")),
        (3, story(*CHOOSE, *[pressed(1.1)] * 2, *[typed(1.1, "held")] * 2, typed(1.2, "dropped", count=2), *END)),
        (1, story(*CHOOSE, pressed(1.1), typed(1.1, "late terminator"), *END)),
        (3, story(*THINK, *HELD_7, pressed(2.2), taken(2.2, "*", "Think"), *TOLD, keys="27*")),
    ],
    "L9": [(2, story(*THINK, *TOLD)), (1, story(*CHOOSE, *END))],
    "L10": [(2, story(*CHOOSE, error(2, where="Choose.wait"), over(2, "app_error"), ended(2)))],
    "L11": [(1, story(*CHOOSE, *END))],
    "L12": [
        (1, story(*CHOOSE, *END)),
        (2, story(*CHOOSE, pressed(2), taken(2, "0"), *moved(2, "Choose", "help", "Bye", 3), *END)),
    ],
    "L13": [
        (0, story(*CHOOSE, *END)),
        (1, story(*ASKING, *resumed("Choose", "menu.wav"), fate(2, "menu.wav"), *END)),
        (0, story(*PIN, queued(2.0, "pin.wav"), *resumed("Pin", "pin.wav")[:-1], *END)),
        (1, story(*CHOOSE, error(2, goes_to="Sorry"), entered(2, "Sorry", 3), *END)),
    ],
    "L14": [
        (3, story(*WITHIN, left(3, "Inner", "then", "Deeper"), inside(3, "Deeper", 4, "Outer"), *BACK_OUT, *END)),
        (1, story(*WITHIN, left(3, "Outer", "on_timer", "Other"), entered(3, "Other", 4), *END)),
    ],
    "L15": [
        (2, story(*WATCHED, *BACK[:2], active(2.4, "ended", "Think", 3), BACK[2], *END)),
        (2, story(*WATCHED, *TOLD[:1], active(2.5, "ended", "Think", 3), *TOLD[1:])),
        (
            2,
            story(*THINK, *BACK[:2], active(2.4, "began", "Think", 3), active(2.4, "ended", "Think", 3), BACK[2], *END),
        ),
        (1, story(*WATCHED, over(2.5), error(7.5, "does not end"), TOLD[2])),
        (
            2,
            story(
                *WITHIN,
                active(0, "began", "Outer", 1),
                left(3, "Inner", "then", "Deeper"),
                inside(3, "Deeper", 4, "Outer"),
                over(9),
                active(9, "ended", "Outer", 1),
                ended(9),
            ),
        ),
    ],
    "L16": [(2, story(*CHOOSE, *END)), (2, story(*CHOOSE, AWAY, over(11.0), ended(15.0)))],
}

BAD: list[tuple[str, str, Story]] = [
    (
        "L1",
        "key pressed while then decided",
        story(
            *WELCOME,
            asked(1, "Welcome", "then"),
            pressed(1),
            left(1, "Welcome", "then", "Choose"),
            entered(1, "Choose", 2),
            typed(1, "held"),
            *END,
        ),
    ),
    (
        "L1",
        "state asked while wait decided",
        story(*STAYED[:-1], asked(1.5, "Choose", "help"), stayed(1.5, "Choose", "help"), *END),
    ),
    (
        "L2",
        "Pin was entered in place of Choose",
        story(*WELCOME, asked(1, "Welcome", "then"), left(1, "Welcome", "then", "Choose"), entered(1, "Pin", 2), *END),
    ),
    ("L2", "Choose was never entered", story(*WELCOME, left(1, "Welcome", "then", "Choose"), *END)),
    (
        "L2",
        "left Welcome, which was left",
        story(*WELCOME, *[left(1, "Welcome", "then", "Choose")] * 2, entered(1, "Choose", 2), *END),
    ),
    (
        "L2",
        "Choose was never entered",
        story(
            *WELCOME,
            left(1, "Welcome", "then", "Choose"),
            stayed(1, "Welcome", "then"),
            entered(1, "Choose", 2),
            *END,
        ),
    ),
    ("L2", "Choose was entered, and Choose was not left", story(*STAYED, entered(1.6, "Choose", 3), *END)),
    (
        "L3",
        "Think was left by a result that is not its own",
        story(*THINK, left(2.4, "Think", "run", "Choose"), entered(2.4, "Choose", 4), *END),
    ),
    ("L4", "1 keys waited", story(*CHOOSE, pressed(3.0), due(3.0, "Choose"), *END)),
    (
        "L4",
        "a move to Choose waited",
        story(
            *THINK,
            returned(7.0, "Think", 3, "Choose"),
            due(7.0, "Think"),
            over(8),
            asked(8, "Think", "on_hangup"),
            ended(8),
        ),
    ),
    (
        "L5",
        "a wait was over at 4.000 s; first_digit at 4.500 s was due",
        story(*ASKING, fate(2.5, "menu.wav"), due(4.0, "Choose"), *END),
    ),
    ("L5", "a wait of Think was over in Choose", story(*THINK, *BACK, due(4.4, "Think"), *END)),
    (
        "L5",
        "timeout was due at 7.000 s, and nothing happened",
        story(
            *THINK, returned(8, "Think", 3, "Choose"), left(8, "Think", "run", "Choose"), entered(8, "Choose", 4), *END
        ),
    ),
    ("L6", "key taken while the line was away", story(*CHOOSE, pressed(1.1), AWAY, taken(1.3, "3"), *END)),
    ("L6", "timer due while the line was away", story(*CHOOSE, AWAY, due(3.0, "Choose"), *END)),
    (
        "L7",
        "menu.wav still plays in Bye",
        story(*ASKING, pressed(2), taken(2, "0"), *moved(2, "Choose", "help", "Bye", 3), *END),
    ),
    (
        "L7",
        "again.wav began while menu.wav played",
        story(*ASKING, queued(1.1, "again.wav"), fate(1.5, "again.wav"), *END),
    ),
    ("L7", "menu.wav has a fate again", story(*ASKING, fate(1.5, "menu.wav"), fate(1.5, "menu.wav"), *END)),
    (
        "L7",
        "menu.wav was cut by a key, and is said to be heard",
        story(*ASKING, *CUT[:2], fate(1.2, "menu.wav"), taken(1.2, "3"), *END),
    ),
    (
        "L7",
        "the key that cuts menu.wav was delivered before it was cut",
        story(*ASKING, *CUT[:2], taken(1.2, "3"), CUT[2], *END),
    ),
    (
        "L7",
        "a key was taken while menu.wav protects itself",
        story(*PROTECTED, pressed(1.2), taken(1.2, "3"), fate(2, "menu.wav"), *END),
    ),
    ("L7", "menu.wav never had a fate", story(*ASKING, *END)),
    ("L7", "menu.wav never had a fate", story(*ASKING, *VOICE_OVER, *END)),
    (
        "L7",
        "menu.wav began while again.wav played",
        story(*ASKING, *VOICE_OVER[:2], pause(2, "menu.wav", "resumed"), fate(3, "menu.wav"), *END),
    ),
    ("L7", "again.wav pauses, and did not play", story(*ASKING, pause(2, "again.wav"), fate(3, "menu.wav"), *END)),
    (
        "L7",
        "again.wav goes on, and did not pause",
        story(*ASKING, pause(2, "again.wav", "resumed"), fate(3, "menu.wav"), *END),
    ),
    (
        "L8",
        "key 2 was taken, and the oldest was 1",
        story(*CHOOSE, pressed(1.1), pressed(1.2), taken(1.2, "2"), *END, keys="12"),
    ),
    (
        "L8",
        "key 2 was taken, and the oldest was 3",
        story(*CHOOSE, pressed(1.1), typed(1.1, "held"), pressed(1.2), taken(1.2, "2"), *END, keys="32"),
    ),
    ("L8", "a key was taken that nobody pressed", story(*CHOOSE, pressed(1.1), taken(1.1, "3"), taken(1.1, "3"), *END)),
    ("L8", "2 keys were dropped, and there were 1", story(*CHOOSE, pressed(1.1), typed(1.1, "dropped", count=2), *END)),
    ("L8", "33 keys are kept", story(*CHOOSE, *[pressed(1.1)] * 33, *[typed(1.1, "held")] * 33, *END)),
    ("L9", "on_hangup was called again", story(*THINK, *TOLD[:2], TOLD[1], TOLD[2])),
    ("L9", "on_hangup of Think was never called", story(*THINK, over(2.5), ended(2.5))),
    (
        "L9",
        "playback queued after the end",
        story(*CHOOSE, over(9), queued(9, "menu.wav"), fate(9, "menu.wav", "ended"), ended(9)),
    ),
    ("L9", "the call was over already", story(*CHOOSE, over(9), over(9, "flow"), ended(9))),
    (
        "L10",
        "state asked after an error that ends the call",
        story(
            *CHOOSE,
            pressed(2),
            taken(2, "3"),
            error(2, where="Choose.wait"),
            asked(2, "Choose", "wait"),
            stayed(2, "Choose", "wait"),
            over(2, "app_error"),
            ended(2),
        ),
    ),
    (
        "L10",
        "the call ended by flow after an error",
        story(*CHOOSE, error(2, where="Choose.wait"), over(2, "flow"), ended(2)),
    ),
    (
        "L10",
        "a second error did not end the call",
        story(*CHOOSE, *TWICE[:2], error(3, goes_to="Sorry"), entered(3, "Sorry", 4), *END),
    ),
    ("L11", "Welcome.then does not declare Bye", story(*WELCOME, *moved(1, "Welcome", "then", "Bye", 2), *END)),
    (
        "L12",
        "Choose has no pin for this",
        story(*CHOOSE, pressed(2), taken(2, "0"), *moved(2, "Choose", "pin", "Pin", 3), *END),
    ),
    (
        "L12",
        "Welcome has no on_dtmf for this",
        story(
            *WELCOME,
            pressed(1),
            taken(1, "3", "Welcome"),
            asked(1, "Welcome", "on_dtmf"),
            stayed(1, "Welcome", "on_dtmf"),
            *END,
        ),
    ),
    (
        "L13",
        "Pin begins anew, and no edge says so",
        story(*PIN, queued(2.0, "pin.wav"), *resumed("Pin", "pin.wav"), fate(3, "pin.wav"), *END),
    ),
    (
        "L13",
        "Choose moves by default to Pin, and no edge says so",
        story(*CHOOSE, left(3, "Choose", "failed", "Pin"), entered(3, "Pin", 3), *END),
    ),
    (
        "L13",
        "an error leads to Bye by default, and no edge says so",
        story(*CHOOSE, error(2, goes_to="Bye"), entered(2, "Bye", 3), *END),
    ),
    (
        "L14",
        "asked in place of what takes the result of a sub-flow",
        story(*WITHIN, left(4, "Inner", "then", "GaveUp"), *BACK_OUT[1:], *END),
    ),
    (
        "L14",
        "entered in place of what takes the result of a sub-flow",
        story(*WITHIN, left(3, "Inner", "then", "Done"), inside(3, "Inner", 4, "Outer"), *END),
    ),
    (
        "L14",
        "10 levels",
        story(
            entered(0, "S0", 1), *[inside(0, f"S{depth}", depth + 1, f"S{depth - 1}") for depth in range(1, 10)], *END
        ),
    ),
    ("L15", "Think.watch still runs in Choose", story(*WATCHED, *BACK, *END)),
    ("L15", "Think.watch still runs after the end", story(*WATCHED, *TOLD)),
    (
        "L15",
        "Think.watch began, and its state was left",
        story(*CHOOSE, active(2, "began", "Think", 7), active(2, "ended", "Think", 7), *END),
    ),
    ("L15", "Think.watch began again", story(*WATCHED, WATCHED[-1], active(2.2, "ended", "Think", 3), *TOLD)),
    ("L15", "Think.watch ended, and did not run", story(*THINK, active(2.2, "ended", "Think", 3), *TOLD)),
    (
        "L15",
        "Think.watch plays hello.wav",
        story(
            *WATCHED,
            (2.1, Kind.PLAYBACK, "queued", {"prompt": "hello.wav", "barge_in": "", "activity": "Think.watch"}),
            fate(2.3, "hello.wav"),
            active(2.4, "ended", "Think", 3),
            *TOLD,
        ),
    ),
    ("L16", "the call never ended", story(*CHOOSE)),
    ("L16", "the line was away for 12.000 s", story(*CHOOSE, AWAY, over(13.2), ended(13.2))),
    ("L16", "the record came 8.000 s after the end", story(*CHOOSE, over(9), ended(17))),
    ("L16", "the call lasted 3500.000 s", story(*CHOOSE, over(3500), ended(3500))),
]


@pytest.mark.parametrize(("law", "number"), [(law, n) for law, stories in GOOD.items() for n in range(len(stories))])
def test_a_good_story_keeps_every_law_and_tries_its_own(law: str, number: int) -> None:
    cases, good = GOOD[law][number]
    verdict = check_call(good)

    assert (verdict.breaches, verdict.premises[law]) == ((), cases)


@pytest.mark.parametrize("number", range(len(BAD)), ids=[f"{law}: {words}" for law, words, _ in BAD])
def test_a_bad_story_breaks_its_law_and_no_other(number: int) -> None:
    law, words, bad = BAD[number]

    assert [(breach.rule, breach.words) for breach in check_call(bad).breaches] == [(law, words)]


def test_every_law_has_a_good_story_and_a_bad_one() -> None:
    laws, broken = [law.id for law in ALL], dict.fromkeys(law for law, _, _ in BAD)

    assert (list(GOOD), list(broken)) == (laws, laws)


def test_a_flow_may_go_on_after_its_first_error() -> None:
    verdict = check_call(story(*CHOOSE, *TWICE, over(3, "app_error"), ended(3)))

    assert (verdict.breaches, verdict.premises["L10"]) == ((), 3)


def test_every_level_hears_of_the_end() -> None:
    told = [asked(9, name, "on_hangup") for name in ("Inner", "Outer")]

    assert check_call(story(*WITHIN, END[0], *told, END[1])).breaches == ()


def test_a_recording_that_the_end_cuts_off_is_told_after_it() -> None:
    told = story(*CHOOSE, END[0], asked(9, "Choose", "on_recorded_hangup"), END[1])

    assert check_call(Story(entries=told.entries)).breaches == ()


def test_a_state_may_be_called_as_a_result_of_a_sub_flow_is() -> None:
    moves = (*CHOOSE, left(2, "Choose", "on_timeout", "Done"), entered(2, "Done", 3))

    assert check_call(Story(entries=story(*moves, *END).entries)).breaches == ()


def test_a_state_inside_of_another_is_no_move() -> None:
    words = [breach.words for breach in check_call(story(*WITHIN, inside(3, "Lost", 3, "Outer"), *END)).breaches]

    assert words == ["Lost was entered, and Inner was not left"]


def test_a_breach_names_the_entry() -> None:
    (breach,) = check_call(story(*CHOOSE)).breaches

    assert (breach.rule, breach.n, breach.at) == ("L16", 5, 1.0)


def test_a_story_without_its_beginning_is_refused() -> None:
    with pytest.raises(ValueError, match="the story begins at entry 2"):
        Story(entries=[Entry(2, 0.0, Kind.LINK, "accepted", {})])


def test_without_a_flow_no_edge_is_judged() -> None:
    told = story(*WELCOME, *moved(1, "Welcome", "then", "Bye", 2), *END)

    assert check_call(Story(entries=told.entries)).premises["L11"] == 0


def test_laws_have_names_and_sentences_of_one_line() -> None:
    assert all(law.name and law.sentence.endswith(".") and "\n" not in law.sentence for law in ALL)
