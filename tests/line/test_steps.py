"""What a script says of its line, and which answers it needs."""

from __future__ import annotations

from callflow.line.profile import Profile
from callflow.line.steps import Enter, HangUp, Header, Script
from callflow.wire.audio import Coding


def test_the_header_makes_a_profile_of_the_line() -> None:
    header = Header(echoes="late", rate=16000, coding=Coding.MULAW, breaks=frozenset({"R4"}))

    assert header.profile == Profile(
        echoes_cleared_marks="late",
        sample_rate=16000,
        coding=Coding.MULAW,
        encoding="audio/x-mulaw",
        breaks=frozenset({"R4"}),
    )


def test_a_header_that_says_nothing_asks_for_the_usual_line() -> None:
    assert Header().profile == Profile()


def test_a_script_knows_the_answers_that_it_types() -> None:
    steps = (Enter(answer="pin"), Enter(digits="12"), Enter(answer="account"), HangUp())

    assert Script(steps=steps).answers == {"pin", "account"}


def test_steps_are_equal_wherever_their_lines_stand() -> None:
    assert Enter(answer="pin", line=3) == Enter(answer="pin", line=7)
