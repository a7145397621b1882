"""The table says what the matrix says; the matrix is written by hand, here, and not derived from the table."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import get_args

from callflow.session import table as words
from callflow.session.inputs import EndCause, Timer, TimerDue, Verdict
from callflow.session.table import ENDS, MESSAGES, TABLE, Cell, Effect, End, Guard, In, Row, S, kind_of
from callflow.wire.messages import Clear, Connected, Dtmf, Mark, Media, Message, Start, Stop, Unknown

# →x  on to x                              ⇒x  on to x, and the flow is told
# =   stays; is handed on, or is sent      ·   ignored by design
# ?   odd, and survived                    !   the far end went too far: on to stopped
# ✗   refused: our own side asked for what is not allowed
#
# Where a cell has several signs, its letter leads to their conditions, in that order; the last has none.

WITHOUT_A_STREAM = """
                idle          passthru    accepted             connected            detached      stopped

Passthru        ?/→passthruᵃ  ?           =                    =                    ⇒stopped/?ᵇ   =
socket opened   →accepted     →accepted   ?                    ?                    ?             ·
socket closed   ·             ·           →passthru/⇒stoppedᶜ  →passthru/⇒stoppedᶜ  ·             ·
reattach        ✗             ⇒streaming  ⇒streaming           ⇒streaming           ⇒streaming    ·

connected       ?             ?           →connected           ?                    ?             ·
start           ?             ?           ⇒streaming           ⇒streaming           ?             ·
media           ?             ?           ?                    ?                    ?             ·
dtmf            ?             ?           ?                    ?                    ?             ·
mark            ?             ?           ?                    ?                    ?             ·
clear           ?             ?           ?                    ?                    ?             ·
stop            ?             ?           ⇒stopped             ⇒stopped             ?             ·
undecodable     ?             ?           !/?ᵈ                 !/?ᵈ                 ?             ·
unknown event   ·             ·           ·                    ·                    ·             ·

send media      ✗             ✗           ✗                    ✗                    ✗             ✗
send mark       ✗             ✗           ✗                    ✗                    ✗             ✗
send clear      ✗             ✗           ✗                    ✗                    ✗             ✗
hang up         ⇒stopped      ⇒stopped    ⇒stopped             ⇒stopped             ⇒stopped      ·

attach timer    ·             ⇒stopped    ·                    ·                    ·             ·
open timer      ·             ·           !                    !                    ·             ·
stall timer     ·             ·           ·                    ·                    ·             ·
idle timer      ·             ·           ·                    ·                    ·             ·
mark timer      ·             ·           ·                    ·                    ·             ·
flush timer     ·             ·           ·                    ·                    ·             ·
resume timer    ·             ·           ·                    ·                    ⇒stopped      ·
"""

ON_A_STREAM = """
                streaming             marked                cleared

Passthru        ?                     ?                     ?
socket opened   ?                     ?                     ?
socket closed   ⇒detached/⇒stoppedᵉ   ⇒detached/⇒stoppedᵉ   ⇒detached/⇒stoppedᵉ
reattach        ⇒streaming            ⇒streaming            ⇒streaming

connected       ?                     ?                     ?
start           ?                     ?                     ?
media           ?/=ᶠ                  ?/=ᶠ                  ?/=ᶠ
dtmf            ?/=ᶠ                  ?/=ᶠ                  ?/=ᶠ
mark            ?                     ⇒streaming/=/?ᵍ       ⇒streaming/⇒marked/⇒marked/=/?ʰ
clear           =                     =                     =
stop            ⇒stopped              ⇒stopped              ⇒stopped
undecodable     !/?ᵈ                  !/?ᵈ                  !/?ᵈ
unknown event   ·                     ·                     ·

send media      =/✗ⁱ                  =/✗ⁱ                  =/✗ⁱ
send mark       →marked               =/✗ʲ                  =/✗ʲ
send clear      =                     →cleared              =
hang up         ⇒stopped              ⇒stopped              ⇒stopped

attach timer    ·                     ·                     ·
open timer      ·                     ·                     ·
stall timer     =                     =                     =
idle timer      ⇒detached/⇒stoppedᵉ   ⇒detached/⇒stoppedᵉ   ⇒detached/⇒stoppedᵉ
mark timer      ·                     ⇒streaming/=ᵏ         ⇒streaming/⇒marked/·ˡ
flush timer     ·                     ·                     ⇒marked/⇒streamingᵐ
resume timer    ·                     ·                     ·
"""

CONDITIONS: Mapping[str, tuple[Guard, ...]] = {
    "ᵃ": (words.reports_a_stream,),
    "ᵇ": (words.reports_our_stream,),
    "ᶜ": (words.is_announced,),
    "ᵈ": (words.budget_is_spent,),
    "ᵉ": (words.may_resume,),
    "ᶠ": (words.is_foreign,),
    "ᵍ": (words.ends_the_queues, words.is_fresh),
    "ʰ": (words.ends_the_queues, words.is_fresh, words.ends_the_stale, words.is_stale),
    "ⁱ": (words.is_legal_payload,),
    "ʲ": (words.is_new_name,),
    "ᵏ": (words.one_fresh,),
    "ˡ": (words.one_fresh, words.some_fresh),
    "ᵐ": (words.some_fresh,),
}

SHORT = {"passthru": S.PASSTHRU.value, "clear": In.CLEAR.value}
"""Names that the matrix shortens."""

UNTOLD = {Effect.NOTHING, Effect.ANNOUNCE, Effect.OPEN, Effect.RETURN, Effect.QUEUE_MARK, Effect.OVERTAKE}
"""Of these the flow hears nothing."""

SIGNS = {
    Verdict.KEPT: "=",
    Verdict.IGNORED: "·",
    Verdict.ODD: "?",
    Verdict.FAULT: "!",
    Verdict.REFUSED: "✗",
}


def by_hand() -> Iterator[tuple[S, In, str]]:
    """Read the matrix: the text of each of its cells."""
    for part in (WITHOUT_A_STREAM, ON_A_STREAM):
        head, *lines = (re.split(r"\s{2,}", line.strip()) for line in part.splitlines() if line.strip())
        for name, *cells in lines:
            for state, cell in zip(head, cells, strict=True):
                yield S(SHORT.get(state, state)), In(SHORT.get(name, name)), cell


def spelled(cell: Cell) -> str:
    """Write a cell of the table as the matrix does."""
    guards = tuple(row.guard for row in cell[:-1])
    letters = [letter for letter, known in CONDITIONS.items() if known == guards]
    return "/".join(map(sign, cell)) + ("".join(letters) or "*" if guards else "")


def sign(row: Row) -> str:
    if row.verdict is Verdict.MOVED and row.target is not None:
        short = {long: name for name, long in SHORT.items()}
        return f"{'→' if row.effect in UNTOLD else '⇒'}{short.get(row.target.value, row.target.value)}"
    leads = S.STOPPED if row.verdict is Verdict.FAULT else None
    return SIGNS.get(row.verdict, "*") if row.target is leads else "*"


def differences(table: Mapping[tuple[S, In], Cell]) -> list[str]:
    """List the cells in which a table says something else than the matrix."""
    return [
        f"{kind.value} in {state.value}: {spelled(table[state, kind])} instead of {cell}"
        for state, kind, cell in MATRIX
        if spelled(table[state, kind]) != cell or table[state, kind][-1].guard is not words.otherwise
    ]


MATRIX = list(by_hand())


def test_every_cell_says_what_the_matrix_says() -> None:
    assert differences(TABLE) == []


def test_the_matrix_and_the_table_have_a_cell_for_every_state_and_every_input() -> None:
    every = [(state, kind) for state in S for kind in In]

    assert (len(every), sorted(map(str, every))) == (216, sorted(str((state, kind)) for state, kind, _ in MATRIX))
    assert set(TABLE) == set(every)


def test_the_last_row_of_a_cell_has_no_condition_and_all_others_have() -> None:
    conditions = [[row.guard is not words.otherwise for row in cell] for cell in TABLE.values()]

    assert all(cell == [True] * (len(cell) - 1) + [False] for cell in conditions)


def test_conditions_can_be_told_apart_in_the_documents() -> None:
    guards = {guard for guards in CONDITIONS.values() for guard in guards}

    assert len({guard.__doc__ for guard in guards} - {None, ""}) == len(guards)


def test_every_message_ends_a_row_of_malformed_ones() -> None:
    start = Start(stream_sid="one", call_sid="call")
    media, key, unknown = Media(payload=b""), Dtmf(digit="1"), Unknown(event="silence")
    messages: list[Message] = [Connected(), start, media, key, Mark(name="m"), Clear(), Stop(), unknown]

    assert {kind_of(message) for message in messages} == MESSAGES
    assert {type(message) for message in messages} == set(get_args(Message))


def test_every_timer_is_an_input_of_its_own() -> None:
    assert len({kind_of(TimerDue(timer)) for timer in Timer}) == len(Timer)


def test_each_input_that_can_end_a_call_says_how() -> None:
    effects = {(kind, row.effect) for (_, kind), cell in TABLE.items() for row in cell}

    assert {kind for kind, effect in effects if effect in (Effect.END, Effect.DETACH)} == set(ENDS)


def test_ends_have_the_cause_and_the_code_of_what_ended() -> None:
    by_hand = {
        In.STOP: End(EndCause.STOP, 1000),
        In.PASSTHRU: End(),
        In.SOCKET_CLOSED: End(),
        In.UNDECODABLE: End(EndCause.PROTOCOL, 1003),
        In.OPEN_TIMER: End(EndCause.POLICY, 1008),
        In.IDLE_TIMER: End(EndCause.IDLE, 1001),
        In.ATTACH_TIMER: End(EndCause.PEER_GONE),
        In.RESUME_TIMER: End(),
        In.HANGUP: End(),
    }

    assert by_hand == ENDS
