"""Pictures of sub-flows: a box with the states inside, its own start and its own ends."""

from __future__ import annotations

from callflow import Again, Call, CollectDigits, Done, Failed, Flow, GaveUp, Hangup, Secret, SubFlow
from callflow.flow.drawing import Form, draw

C = Call[None]


class Enter(CollectDigits[None], prompt="enter.wav", length=4):
    def on_digits(self, call: C, digits: Secret) -> Done[str] | Again:
        return Done(digits.reveal())

    def on_failed(self, call: C, why: Failed) -> GaveUp:
        return GaveUp(why)


class OldPin(SubFlow[None, str], start=Enter):
    def on_done(self, call: C, result: str) -> NewPin:
        return NewPin()

    def on_failed(self, call: C, why: Failed) -> Bye:
        return Bye()


class NewPin(SubFlow[None, str], start=Enter):
    def on_done(self, call: C, result: str) -> Bye:
        return Bye()

    def on_failed(self, call: C, why: Failed) -> Bye:
        return Bye()


class Bye(Hangup[None]):
    """The end."""


class Sorry(Hangup[None]):
    """Something broke."""


pin = Flow("pin", start=OldPin, error=Sorry)

TEXT = """\
pin: 10 states, 10 moves

  any state
    error → Sorry

▶ OldPin  (SubFlow)
    on_done   → NewPin
    on_failed → Bye

    ▶ Enter  (CollectDigits)
        on_digits         → Done
        on_digits (again) → Enter
        on_failed         → GaveUp

    ■ Done  (Done)

    ■ GaveUp  (GaveUp)

■ Sorry  (Hangup)

▢ NewPin  (SubFlow)
    on_done   → Bye
    on_failed → Bye

    ▶ Enter_2  (CollectDigits)
        on_digits         → Done_2
        on_digits (again) → Enter_2
        on_failed         → GaveUp_2

    ■ Done_2  (Done)

    ■ GaveUp_2  (GaveUp)

■ Bye  (Hangup)
"""

MERMAID = """\
stateDiagram-v2
    state OldPin {
        Enter
        Done
        GaveUp
        [*] --> Enter
        Enter --> Done : on_digits
        Enter --> Enter : on_digits (again)
        Enter --> GaveUp : on_failed
        Done --> [*]
        GaveUp --> [*]
    }
    Sorry
    state NewPin {
        state "Enter" as Enter_2
        state "Done" as Done_2
        state "GaveUp" as GaveUp_2
        [*] --> Enter_2
        Enter_2 --> Done_2 : on_digits
        Enter_2 --> Enter_2 : on_digits (again)
        Enter_2 --> GaveUp_2 : on_failed
        Done_2 --> [*]
        GaveUp_2 --> [*]
    }
    Bye
    state "any state" as any_
    any_ --> Sorry : error
    [*] --> OldPin
    OldPin --> NewPin : on_done
    OldPin --> Bye : on_failed
    NewPin --> Bye : on_done, on_failed
    Sorry --> [*]
    Bye --> [*]
"""


def test_a_sub_flow_is_a_box_as_text() -> None:
    assert draw(pin) == TEXT


def test_a_sub_flow_is_a_box_in_mermaid() -> None:
    assert draw(pin, Form.MERMAID) == MERMAID


def test_edges_of_a_sub_flow_end_at_its_box_in_dot() -> None:
    drawn = draw(pin, Form.DOT).splitlines()

    assert [line for line in drawn if "on_done" in line or "error" in line] == [
        '    "any state" -> "Sorry" [label=error]',
        '    "Enter" -> "Enter_2" [label="on_done", ltail="cluster_OldPin", lhead="cluster_NewPin"]',
        '    "Enter_2" -> "Bye" [label="on_done\\non_failed", ltail="cluster_NewPin"]',
    ]


def test_a_state_that_is_in_two_boxes_is_told_apart_and_keeps_its_name() -> None:
    assert '        "Enter_2" [label="Enter"]' in draw(pin, Form.DOT).splitlines()
