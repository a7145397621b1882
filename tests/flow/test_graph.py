"""The graph of a flow: read from annotations, with nothing run, and refused where it cannot be what it says."""

from __future__ import annotations

from typing import Optional, TypeVar, Union

import pytest

import callflow
from callflow import Call, Dtmf, EndedCall, Failed, Flow, FlowDefinitionError, Hangup, Menu, Say, State, key
from callflow.flow.graph import Edge, handlers_of, read_graph

D = TypeVar("D")
C = Call[None]


class Bye(Hangup[None]):
    def on_hangup(self, call: EndedCall[None]) -> None:
        """Moves nowhere."""


class Welcome(Say[None], prompt="welcome.wav"):
    def then(self, call: C) -> Main:
        return Main()


class Main(Menu[None], prompt="menu.wav"):
    @key("1", "2")
    def work(self, call: C, pressed: str) -> Work | Bye | None:
        return None

    @key("9")
    def again(self, call: C) -> Main:
        return Main()

    def on_failed(self, call: C, why: Failed) -> Bye:
        return Bye()


class Work(State[None], timeout=1.0):
    async def run(self, call: C) -> Optional[Main]:  # noqa: UP045  # one spelling of "or None"
        return None

    def on_dtmf(self, call: C, key: Dtmf) -> Union[Main, Bye, None]:  # noqa: UP007  # one spelling of a union
        return None

    def on_timeout(self, call: C) -> "Bye":  # noqa: UP037  # a text within a text
        return Bye()


class Shorter(Main):
    """Gives both keys of ``work`` to a method of its own."""

    @key("1", "2")
    def leave(self, call: C) -> Bye:
        return Bye()


class Replaced(Main):
    """Answers the keys of ``work`` in another way."""

    def work(self, call: C, pressed: str) -> Bye:
        return Bye()


class Waits(State[D], timeout=1.0):
    """For flows with any data."""

    def on_timeout(self, call: Call[D]) -> Gone[D]:
        return Gone()


class Gone(Hangup[D]):
    """The end of any flow."""


class Begins(State[None], timeout=1.0):
    def on_timeout(self, call: C) -> Waits[None]:
        return Waits()


def edges_of(start: type[State[None]]) -> set[Edge]:
    return set(read_graph(start, globals()).edges)


# What is read.


def test_states_stand_in_the_order_of_reaching() -> None:
    assert read_graph(Welcome, {}).states == (Welcome, Main, Work, Bye)


def test_every_move_is_an_edge_with_its_handler_and_its_keys() -> None:
    assert edges_of(Main) == {
        Edge(Main, "work", Work, ("1", "2")),
        Edge(Main, "work", Bye, ("1", "2")),
        Edge(Main, "again", Main, ("9",)),
        Edge(Main, "on_failed", Bye),
        Edge(Work, "run", Main),
        Edge(Work, "on_dtmf", Main),
        Edge(Work, "on_dtmf", Bye),
        Edge(Work, "on_timeout", Bye),
    }


def test_a_method_that_lost_its_keys_moves_nowhere() -> None:
    assert read_graph(Shorter, {}).edges == (
        Edge(Shorter, "again", Main, ("9",)),
        Edge(Shorter, "on_failed", Bye),
        Edge(Shorter, "leave", Bye, ("1", "2")),
        *read_graph(Main, {}).edges,
    )


def test_a_method_in_the_place_of_another_says_where_it_goes() -> None:
    edges = [edge for edge in read_graph(Replaced, {}).edges if edge.source is Replaced]

    assert [(edge.handler, edge.target, edge.keys) for edge in edges] == [
        ("work", Bye, ("1", "2")),
        ("again", Main, ("9",)),
        ("on_failed", Bye, ()),
    ]


def test_what_is_said_again_on_a_line_that_is_back_is_an_edge_of_its_own() -> None:
    class Stays(Main, resume="stay"):
        """Does not ask again."""

    graphs = [read_graph(start, {}) for start in (Main, Stays)]

    assert [graph.reentries for graph in graphs] == [(Edge(Main, "on_resumed", Main),)] * 2  # both lead to Main


def test_handlers_are_the_users_own() -> None:
    assert [set(handlers_of(state)) for state in (Main, Work, Bye)] == [
        {"work", "again", "on_failed"},
        {"run", "on_dtmf", "on_timeout"},
        {"on_hangup"},
    ]


def test_an_edge_is_allowed_for_its_own_handler_alone() -> None:
    graph = read_graph(Main, {})

    assert [graph.allows(Main, handler, Work) for handler in ("work", "again")] == [True, False]


def test_targets_are_named_for_messages() -> None:
    graph = read_graph(Main, {})

    assert (graph.declared(Main, "work"), graph.declared(Bye, "on_hangup")) == ("Work | Bye", "None")


def test_a_state_that_is_open_in_its_data_is_told_by_its_class() -> None:
    assert read_graph(Begins, {}).edges == (Edge(Begins, "on_timeout", Waits), Edge(Waits, "on_timeout", Gone))


# Names that are not where the module is.


def test_states_inside_a_function_are_found_in_the_scope_that_is_given() -> None:
    class Inner(Say[None], prompt="a.wav"):
        def then(self, call: C) -> Outer:
            return Outer()

    class Outer(Hangup[None]):
        """Defined in here as well."""

    flow = Flow("inner", start=Inner, scope=locals())

    assert flow.graph.states == (Inner, Outer)


def test_states_inside_a_function_are_not_found_without() -> None:
    class Inner(Say[None], prompt="a.wav"):
        def then(self, call: C) -> Hidden:
            return Hidden()

    class Hidden(Hangup[None]):
        """Defined in here as well."""

    with pytest.raises(FlowDefinitionError) as refused:
        Flow("inner", start=Inner)

    assert str(refused.value).rpartition("<locals>.")[2] == (
        "Inner.then: its annotation names Hidden, which does not exist when the flow is made; import it outside of "
        "TYPE_CHECKING; for states defined inside a function give Flow(…, scope=locals())"
    )


# Mistakes.

BYE = "class Bye(Hangup[None]): ...\n"
START = "Flow('f', start=Lost)"

MISTAKES = {
    "an annotation that nearly names a state": (
        BYE + "class Lost(Say[None], prompt='a.wav'):\n    def then(self, call) -> Byee: ...",
        "Lost.then: its annotation names Byee, which does not exist when the flow is made; did you mean Bye?",
    ),
    "an annotation that names nothing": (
        "class Lost(Say[None], prompt='a.wav'):\n    def then(self, call) -> Xyz: ...",
        "Lost.then: its annotation names Xyz, which does not exist when the flow is made; import it outside of "
        "TYPE_CHECKING; for states defined inside a function give Flow(…, scope=locals())",
    ),
    "an annotation that names no state": (
        "class Lost(Say[None], prompt='a.wav'):\n    def then(self, call) -> int: ...",
        "Lost.then: its annotation names <class 'int'>, which is no state; name state classes, or None for staying",
    ),
    "an annotation that says anything": (
        "from typing import Any\nclass Lost(Say[None], prompt='a.wav'):\n    def then(self, call) -> Any: ...",
        "Lost.then: its annotation names typing.Any, which is no state; name state classes, or None for staying",
    ),
    "an annotation of a class in place of an instance": (
        BYE + "class Lost(Say[None], prompt='a.wav'):\n    def then(self, call) -> type[Bye]: ...",
        "Lost.then: its annotation names type[Bye], which is no state; name state classes, or None for staying",
    ),
    "an annotation that is no expression": (
        "class Lost(Say[None], prompt='a.wav'):\n    def then(self, call) -> 'Bye |': ...",
        "Lost.then: its annotation cannot be read (Forward reference must be an expression -- got 'Bye |'); "
        "name state classes, joined by |",
    ),
    "an annotation that joins what cannot be joined": (
        BYE + "class Lost(Say[None], prompt='a.wav'):\n    def then(self, call) -> Bye | 3: ...",
        "Lost.then: its annotation cannot be read (unsupported operand type(s) for |: 'type' and 'int'); "
        "name state classes, joined by |",
    ),
    "an annotation of a module's missing name": (
        "import json\nclass Lost(Say[None], prompt='a.wav'):\n    def then(self, call) -> json.Bye: ...",
        "Lost.then: its annotation cannot be read (module 'json' has no attribute 'Bye'); "
        "name state classes, joined by |",
    ),
    "an announcement that may lead nowhere": (
        BYE + "class Lost(Say[None], prompt='a.wav'):\n    def then(self, call) -> Bye | None: ...",
        "Lost.then may return None, and then nothing would ever follow what was said; let it always name a state",
    ),
    "a kind in place of a state": (
        "class Lost(Say[None], prompt='a.wav'):\n    def then(self, call) -> Hangup[None]: ...",
        "Hangup itself is no state of a flow; make a subclass of it",
    ),
    "an announcement without words": (
        BYE + "class Lost(Say[None]):\n    def then(self, call) -> Bye: ...",
        "Lost has no prompt; add prompt=… to its class line",
    ),
    "an announcement that leads nowhere": (
        "class Lost(Say[None], prompt='a.wav'): ...",
        "Lost has no then; say in it where the call goes then",
    ),
    "a menu without a question": (
        BYE + "class Lost(Menu[None]):\n    @key('1')\n    def one(self, call) -> Bye: ...\n"
        "    def on_failed(self, call, why) -> Bye: ...",
        "Lost has no prompt; add prompt=… to its class line",
    ),
    "a menu that cannot fail": (
        BYE + "class Lost(Menu[None], prompt='a.wav'):\n    @key('1')\n    def one(self, call) -> Bye: ...",
        "Lost has no on_failed; say in it where the call goes then",
    ),
    "a menu without a key": (
        BYE + "class Lost(Menu[None], prompt='a.wav'):\n    def on_failed(self, call, why) -> Bye: ...",
        'Lost has no key; give a method @key("1")',
    ),
    "digits that nobody takes": (
        BYE + "class Lost(CollectDigits[None], prompt='a.wav'):\n    def on_failed(self, call, why) -> Bye: ...",
        "Lost has no on_digits; say in it where the call goes then",
    ),
    "digits that cannot fail": (
        BYE + "class Lost(CollectDigits[None], prompt='a.wav'):\n    def on_digits(self, call, digits) -> Bye: ...",
        "Lost has no on_failed; say in it where the call goes then",
    ),
    "a state that may wait for ever": (
        BYE + "class Lost(State[None]):\n    def on_timeout(self, call) -> Bye: ...",
        "Lost has no timeout; add timeout=… to its class line",
    ),
    "a state whose time leads nowhere": (
        "class Lost(State[None], timeout=3.0): ...",
        "Lost has no on_timeout; say in it where the call goes then",
    ),
    "a start that is an instance": (
        "class Lost(State[None], timeout=3.0):\n    def on_timeout(self, call) -> None: ...\nFlow('f', start=Lost())",
        "start=Lost() is no state class; write start=Welcome, not start=Welcome()",
    ),
    "a start that is no state": (
        "Flow('f', start=dict)",
        "start=<class 'dict'> is no state class; write start=Welcome, not start=Welcome()",
    ),
    "a start that is a kind": (
        "Flow('f', start=Menu)",
        "Menu itself is no state of a flow; make a subclass of it",
    ),
    "a start that needs fields": (
        "class Lost(State[None], timeout=3.0):\n    pin: str\n    left: int\n    tries: int = 3\n"
        "    def on_timeout(self, call) -> None: ...",
        "Lost is the start, but needs pin, left; give pin a default",
    ),
}


def define(code: str) -> None:
    """Run a module of a user's that makes a flow."""
    exec(code if "Flow(" in code else f"{code}\n{START}", {**vars(callflow), "__name__": "users"})


@pytest.mark.parametrize(("code", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_refused_with_state_mistake_and_cure(code: str, message: str) -> None:
    with pytest.raises(FlowDefinitionError) as refused:
        define(code)

    assert str(refused.value).replace("users.", "") == message


def test_only_states_that_can_be_reached_have_to_be_whole() -> None:
    class Draft(Menu[None]):
        """Has neither a question nor a key yet."""

    assert Draft not in read_graph(Welcome, {}).states


def test_a_start_may_have_fields_that_need_not_be_given() -> None:
    define(f"{BYE}class Lost(Say[None], prompt='a.wav'):\n    n: int = 3\n    def then(self, call) -> Bye: ...")
