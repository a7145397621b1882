"""The conduct of a recording, step by step: moments are only numbers here."""

from __future__ import annotations

import pytest
from attrs import evolve

from callflow import FlowDefinitionError, Record
from callflow.flow.conduct import WAIT, Capture, Deliver, Speak
from callflow.flow.record import BEEP, RecordOptions, _Recording
from callflow.wire.audio import AudioFormat
from callflow.wire.messages import Dtmf
from callflow.wire.speech import Sensitivity

OPTIONS = RecordOptions(prompt="greeting.wav", silence=None, least_seconds=0.0)
HASH = Dtmf(digit="#")


def recording() -> _Recording:
    """A conduct that records since 10."""
    conduct = _Recording(OPTIONS)
    conduct.enter(8.0)
    conduct.prompt_ended(9.0)
    step = conduct.prompt_ended(10.0)
    assert isinstance(step, Capture)
    step.recorder.begin(AudioFormat(), Sensitivity(), None, 10.0)
    return conduct


def test_prompt_beep_and_recording_come_in_this_order() -> None:
    conduct = _Recording(OPTIONS)
    steps = [conduct.enter(0.0), conduct.prompt_ended(1.0), conduct.prompt_ended(2.0)]

    assert steps[:2] == [Speak("greeting.wav", "dtmf"), Speak(BEEP, None, again=True)]
    assert isinstance(steps[2], Capture)


def test_without_prompt_and_beep_it_records_at_once() -> None:
    conduct = _Recording(evolve(OPTIONS, prompt=None, beep=False))

    assert isinstance(conduct.enter(0.0), Capture)


def test_keys_before_it_records_do_nothing() -> None:
    conduct = _Recording(OPTIONS)
    conduct.enter(0.0)

    assert conduct.press(HASH, 0.5) == WAIT


def test_the_limit_is_due_and_not_before() -> None:
    conduct = recording()

    assert (conduct.deadline, conduct.due(129.0)) == (130.0, WAIT)


def test_a_line_that_was_away_is_not_part_of_the_limit() -> None:
    conduct = recording()
    conduct.stood_still(4.0)

    assert conduct.deadline == 134.0


def test_a_line_that_is_back_goes_on_with_the_recording() -> None:
    assert recording().resumed(20.0) == WAIT


def test_a_line_that_is_back_says_the_greeting_again() -> None:
    conduct = _Recording(OPTIONS)
    conduct.enter(0.0)

    assert conduct.resumed(5.0) == Speak("greeting.wav", "dtmf")


def test_a_line_that_is_back_beeps_again() -> None:
    conduct = _Recording(OPTIONS)
    conduct.enter(0.0)
    conduct.prompt_ended(1.0)

    assert conduct.resumed(5.0) == Speak(BEEP, None, again=True)


def test_what_is_over_is_over_when_the_line_is_back() -> None:
    conduct = recording()
    done = conduct.press(HASH, 12.0)

    assert isinstance(done, Deliver)
    assert (done.handler, conduct.resumed(20.0), conduct.hung_up()) == ("on_recorded", WAIT, None)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"max_seconds": 0.0}, "max_seconds=0.0 is no number of seconds up to 3600"),
        ({"max_seconds": 4_000.0}, "max_seconds=4000.0 is no number"),
        ({"silence": 0.0}, "silence=0.0 is no number of seconds above zero; None is for no such end"),
        ({"least_seconds": 120.0}, "least_seconds=120.0 is no number of seconds below max_seconds"),
        ({"finish": "A"}, "finish='A'; the keys of a telephone"),
        ({"barge_in": "voice"}, "barge_in='voice'; write 'dtmf'"),
    ],
)
def test_options_without_sense_are_refused(wrong: dict[str, object], told: str) -> None:
    with pytest.raises(FlowDefinitionError) as refused:
        type("Lost", (Record,), {}, **wrong)

    assert str(refused.value).startswith(f"Lost: {told}")
