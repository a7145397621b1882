"""Pictures of a flow: the same flow, the same picture; keys and handlers on its edges, boxes round its states."""

from __future__ import annotations

import re

import pytest

from callflow import Call, Dtmf, Failed, Flow, Hangup, Menu, Say, State, key
from callflow.flow.drawing import Form, draw
from examples.bank_ivr.ivr import bank_ivr

C = Call[None]


class Desk(State[None], timeout=9.0):
    """What all states at the desk can do."""

    def on_timeout(self, call: C) -> End:
        return End()


class Listening(Desk):
    """And those that take keys."""

    def on_dtmf(self, call: C, key: Dtmf) -> Main | None:
        return None


class Ask(Listening):
    async def run(self, call: C) -> Wait:
        return Wait()


class Wait(Listening):
    """Has nothing of its own."""


class Short(Desk, timeout=1.0):
    def on_timeout(self, call: C) -> Main:  # type: ignore[override]  # as who uses no type checker may write
        return Main()


class Main(Menu[None], prompt="menu.wav"):
    @key("1", "#")
    def ask(self, call: C) -> Ask | Short:
        return Ask()

    @key("*")
    def again(self, call: C) -> Main:
        return Main()

    @key("0")
    def done(self, call: C) -> End:
        return End()

    def on_failed(self, call: C, why: Failed) -> End:
        return End()


class End(Hangup[None]):
    """Has a name that Mermaid wants for itself."""


desk = Flow("desk", start=Main)

TEXT = """\
desk: 5 states, 11 moves

▶ Main  (Menu)
    1 # ask   → Ask | Short
    * again   → Main
    0 done    → End
    on_failed → End

■ End  (Hangup)

▢ Desk  (all of these)
    on_timeout → End

    ○ Short  (State)
        on_timeout → Main

    ▢ Listening  (all of these)
        on_dtmf → Main

        ○ Ask  (State)
            run → Wait

        ○ Wait  (State)
"""

MERMAID = """\
stateDiagram-v2
    Main
    state "End" as End_
    state Desk {
        Short
        state Listening {
            Ask
            Wait
        }
    }
    [*] --> Main
    Main --> Ask : 1 #35; ask
    Main --> Short : 1 #35; ask
    Main --> Main : #42; again
    Main --> End_ : 0 done, on_failed
    Desk --> End_ : on_timeout
    Listening --> Main : on_dtmf
    Ask --> Wait : run
    Short --> Main : on_timeout
    End_ --> [*]
"""

DOT = """\
digraph "desk" {
    compound=true; node [shape=box, style=rounded]; start [shape=point]
    "Main"
    "End" [peripheries=2]
    subgraph "cluster_Desk" {
        label="Desk"
        "Short"
        subgraph "cluster_Listening" {
            label="Listening"
            "Ask"
            "Wait"
        }
    }
    start -> "Main"
    "Main" -> "Ask" [label="1 # ask"]
    "Main" -> "Short" [label="1 # ask"]
    "Main" -> "Main" [label="* again"]
    "Main" -> "End" [label="0 done\\non_failed"]
    "Short" -> "End" [label="on_timeout", ltail="cluster_Desk"]
    "Ask" -> "Main" [label="on_dtmf", ltail="cluster_Listening"]
    "Ask" -> "Wait" [label="run"]
    "Short" -> "Main" [label="on_timeout"]
}
"""


def test_a_flow_as_text() -> None:
    assert draw(desk) == TEXT


def test_a_flow_as_mermaid() -> None:
    assert draw(desk, Form.MERMAID) == MERMAID


def test_a_flow_as_dot() -> None:
    assert draw(desk, Form.DOT) == DOT


@pytest.mark.parametrize("form", Form)
def test_the_same_flow_gives_the_same_picture(form: Form) -> None:
    assert draw(Flow("desk", start=Main), form) == draw(desk, form)


@pytest.mark.parametrize("form", Form)
def test_every_state_and_every_handler_is_drawn(form: Form) -> None:
    picture = draw(bank_ivr, form)

    named = [*(state.__name__ for state in bank_ivr.graph.states), *(edge.handler for edge in bank_ivr.graph.edges)]
    assert [name for name in named if not re.search(rf"\b{name}\b", picture)] == []


def test_two_states_of_one_name_are_told_apart() -> None:
    def other() -> type[Hangup[None]]:
        class End(Hangup[None]):
            """The end, too."""

        return End

    Other = other()  # a class

    class First(Say[None], prompt="a.wav"):
        def then(self, call: C) -> End | Other:  # type: ignore[valid-type]  # which class it is shows when it runs
            return End()

    assert "then → End | End_2" in draw(Flow("twins", start=First, scope=locals()))


def test_long_lists_of_targets_are_broken() -> None:
    names = [f"AnEndWithALongName{number}" for number in range(9)]
    scope = {name: type(name, (Hangup,), {}) for name in names}
    code = f"class First(Say[None], prompt='a.wav'):\n    def then(self, call) -> {' | '.join(names)}: ..."
    exec(code, {"Say": Say, "__name__": __name__, **scope}, scope)

    picture = draw(Flow("long", start=scope["First"], scope=scope))

    assert max(map(len, picture.splitlines())) <= 100
