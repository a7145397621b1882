"""Superstates: what states of any kind take over from a base class of the user's."""

from __future__ import annotations

from callflow import Call, CollectDigits, Dtmf, Failed, Hangup, Menu, Say, State, key
from callflow.flow.collect import CollectOptions
from callflow.flow.graph import Edge, read_graph
from callflow.flow.menu import MenuOptions
from callflow.flow.say import SayOptions

C = Call[None]


class Bye(Hangup[None]):
    """The end."""


class Person(Hangup[None]):
    """Another end."""


class InBank(State[None], timeout=60.0, typeahead="drop"):
    teller: int = 3

    @key("0")
    def person(self, call: C) -> Person:
        return Person()

    def on_dtmf(self, call: C, key: Dtmf) -> Bye | None:
        return None

    def on_error(self, call: C, error: Exception) -> Person:
        return Person()

    def on_timeout(self, call: C) -> Bye | Person:
        return Bye()


class Hello(InBank, Say[None], prompt="hello.wav"):
    def then(self, call: C) -> Main:
        return Main()


class Main(InBank, Menu[None], prompt="menu.wav", keys={"1": Bye}, failed=Bye, timeout=6.0):
    def on_timeout(self, call: C) -> Bye | Person:
        return super().on_timeout(call)


class AskPin(CollectDigits[None], InBank, prompt="pin.wav", length=4):
    """Names its superstate behind its kind, and gives its key away."""

    @key("*")
    def person(self, call: C) -> Person:
        return Person()

    def on_digits(self, call: C, digits: object) -> Bye:
        return Bye()

    def on_failed(self, call: C, why: Failed) -> Bye:
        return Bye()


class Ending(InBank, Hangup[None], prompt="bye.wav"):
    """An end has no use for a time-out."""


def test_a_state_has_the_options_of_its_kind_and_of_its_superstate() -> None:
    assert (Hello.options, Main.options, AskPin.options) == (
        SayOptions(prompt="hello.wav", timeout=60.0, typeahead="drop"),
        MenuOptions(prompt="menu.wav", keys={"1": Bye}, failed=Bye, timeout=6.0, typeahead="drop"),
        CollectOptions(prompt="pin.wav", length=4, timeout=60.0, typeahead="drop"),
    )


def test_a_state_has_the_fields_of_its_superstate() -> None:
    assert (Hello().teller, Main(teller=5).teller) == (3, 5)


def test_a_state_is_of_its_kind() -> None:
    assert [state.kind for state in (Hello, Main, AskPin, Ending)] == ["Say", "Menu", "CollectDigits", "Hangup"]


def test_keys_of_a_superstate_are_choices_beside_the_states_own() -> None:
    assert [dict(state.choices()) for state in (Hello, Main, AskPin)] == [
        {"0": "person"},
        {"0": "person", "1": "keys"},
        {"*": "person"},
    ]


def test_super_goes_on_to_the_superstate() -> None:
    nothing: object = None

    assert Main().on_timeout(nothing) == Bye()  # type: ignore[arg-type]  # it is not looked at


def test_every_edge_knows_the_class_that_draws_it() -> None:
    edges = read_graph(Hello, {}).edges

    assert {(e.handler, e.box.__name__) for e in edges if e.box and e.source is Main} == {
        ("person", "InBank"),
        ("on_dtmf", "InBank"),
        ("on_error", "InBank"),
        ("on_timeout", "Main"),
        ("keys", "Main"),
        ("failed", "Main"),
    }


def test_edges_of_a_class_line_have_their_keys() -> None:
    edges = [edge for edge in read_graph(Hello, {}).edges if edge.handler in ("keys", "failed")]

    assert edges == [Edge(Main, "keys", Bye, ("1",)), Edge(Main, "failed", Bye)]
