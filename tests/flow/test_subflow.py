"""Sub-flows as the graph sees them: what is inside, and what cannot be."""

from __future__ import annotations

from typing import Any

import pytest

import callflow
from callflow import Call, Done, Failed, Flow, FlowDefinitionError, GaveUp, Hangup, Say, SubFlow
from callflow.flow.ends import fits
from callflow.flow.graph import Edge, read_graph
from callflow.flow.subflow import argument_of

C = Call[None]


class Bye(Hangup[None]):
    """The end."""


class Hello(Say[None], prompt="hello.wav"):
    def then(self, call: C) -> Done[str] | GaveUp | Bye:
        return Done("")


class Ask(SubFlow[None, str], start=Hello):
    def on_done(self, call: C, result: str) -> Bye:
        return Bye()

    def on_failed(self, call: C, why: Failed) -> Bye:
        return Bye()


class Around(SubFlow[None, str]):
    def begin(self, call: C) -> Ask2:
        return Ask2()

    def on_done(self, call: C, result: str) -> Bye:
        return Bye()


class Ask2(SubFlow[None, str], start=Hello):
    def on_done(self, call: C, result: str) -> Done[str]:
        return Done(result)

    def on_failed(self, call: C, why: Failed) -> Done[str]:
        return Done("")


def test_a_sub_flow_is_one_state_of_the_graph_around_it() -> None:
    graph = read_graph(Ask, {})

    assert (graph.states, graph.edges) == ((Ask, Bye), (Edge(Ask, "on_done", Bye), Edge(Ask, "on_failed", Bye)))


def test_what_is_inside_has_a_graph_of_its_own() -> None:
    inside = read_graph(Ask, {}).inside[Ask]

    assert (inside.states, inside.edges) == (
        (Hello, Done, GaveUp, Bye),
        (Edge(Hello, "then", Done), Edge(Hello, "then", GaveUp), Edge(Hello, "then", Bye)),
    )


def test_all_states_of_all_depths_are_known_once() -> None:
    assert read_graph(Around, {}).all_states == (Around, Bye, Ask2, Done, Hello, GaveUp)


def test_moves_inside_are_held_to_their_annotations() -> None:
    graph = read_graph(Around, {})

    assert (
        graph.allows(Hello, "then", Done),
        graph.allows(Hello, "then", Hello),
        graph.allows(Ask2, "then", Done),
    ) == (
        True,
        False,
        False,
    )


@pytest.mark.parametrize(
    ("given", "wanted", "fit"),
    [
        (str, str, True),
        (bool, int, True),
        (int, bool, False),
        (None, str | None, True),
        (str | None, str, False),
        (list[int], list[int], True),
        (list[int], list[str], False),
        (list[int], list, True),
        (Any, str, True),
        (str, Any, True),
    ],
)
def test_a_result_fits_where_a_value_of_it_does(given: Any, wanted: Any, fit: bool) -> None:
    assert fits(given, wanted) is fit


def test_the_type_of_a_result_is_found_through_bases() -> None:
    class Found(Done[int]):
        """An end of its own."""

    class Sub(Ask):
        """One more class."""

    found = argument_of(Found, Done, 0), argument_of(Done[str], Done, 0), argument_of(Done, Done, 0)
    assert (*found, argument_of(Sub, SubFlow, 1)) == (int, str, Any, str)


# Mistakes.

BYE = "class Bye(Hangup[None]): ...\n"
HELLO = BYE + "class Hello(Say[None], prompt='a.wav'):\n    def then(self, call) -> {}: ...\n"
ASK = "class Lost(SubFlow[None, str], start=Hello):\n    def on_done(self, call, result) -> Bye: ...\n"

MISTAKES = {
    "a sub-flow without an end": (
        HELLO.format("Bye") + ASK,
        "Lost: no state inside leads to Done; let a handler return Done(…), which goes to on_done",
    ),
    "a sub-flow that nothing follows": (
        HELLO.format("Done[str]") + "class Lost(SubFlow[None, str], start=Hello): ...\n",
        "Lost has no on_done; say in it where the call goes then",
    ),
    "a sub-flow that nothing may follow": (
        HELLO.format("Done[str]") + ASK.replace("Bye:", "Bye | None:"),
        "Lost.on_done may return None, and then nothing would ever follow the sub-flow; let it always name a state",
    ),
    "a failure that nothing follows": (
        HELLO.format("Done[str] | GaveUp") + ASK,
        "Lost has no on_failed, but a state inside leads to GaveUp; say in it where to go",
    ),
    "a result of another type": (
        HELLO.format("Done[int]") + ASK,
        "Hello.then: it leads to Done[int], and the result of Lost is str; make them agree",
    ),
    "results that disagree": (
        BYE + "class Hello(Say[None], prompt='a.wav'):\n    def then(self, call) -> Done[int] | Done[str]: ...\n"
        "class Lost(SubFlow, start=Hello):\n    def on_done(self, call, result) -> Bye: ...\n",
        "Hello.then: it leads to Done[str], and the result of Lost is int; make them agree",
    ),
    "an end of a sub-flow outside of one": (
        HELLO.format("Done[str]") + "Flow('f', start=Hello)",
        "Hello.then: it leads to Done, an end of a sub-flow, and this state is in none; lead to a Hangup, or put the "
        "state into a SubFlow",
    ),
    "a sub-flow that begins with nothing": (
        BYE + "class Lost(SubFlow[None, str]):\n    def on_done(self, call, result) -> Bye: ...\n",
        "Lost has no start; add start=… to its class line",
    ),
    "a sub-flow that does not say what it begins with": (
        HELLO.format("Done[str]") + "class Lost(SubFlow[None, str]):\n    def begin(self, call): ...\n"
        "    def on_done(self, call, result) -> Bye: ...\n",
        "Lost.begin does not say what it makes; annotate its return with the first state",
    ),
    "a sub-flow inside itself": (
        BYE + "class Hello(Say[None], prompt='a.wav'):\n    def then(self, call) -> 'Done[str] | Lost': ...\n" + ASK,
        "Lost is inside itself: Lost in Lost; lead out by Done and enter it anew",
    ),
    "a time-out that leads nowhere": (
        HELLO.format("Done[str]") + ASK.replace("start=Hello", "start=Hello, timeout=5.0"),
        "Lost has no on_timeout; say in it where the call goes then",
    ),
    "data that the states inside do not have": (
        BYE + "class Hello(Say[dict], prompt='a.wav'):\n    def then(self, call) -> Done[str]: ...\n" + ASK,
        "Lost: Hello inside has dict, and is given no data; write data=dict in the class line of Lost",
    ),
    "a state inside that is not whole": (
        BYE + "class Hello(Say[None]):\n    def then(self, call) -> Done[str]: ...\n" + ASK,
        "Hello has no prompt; add prompt=… to its class line",
    ),
    "an answer again where nothing was asked": (
        BYE + "class Lost(Say[None], prompt='a.wav'):\n    def then(self, call) -> Again | Bye: ...\n",
        "Lost.then: its annotation names Again, which asks a question once more; only what answers a question may do "
        "so: its keys, on_digits, on_yes and on_no",
    ),
    "an answer again behind the last one": (
        BYE + "class Lost(Confirm[None], prompt='a.wav'):\n    def on_yes(self, call) -> Bye: ...\n"
        "    def on_no(self, call) -> Bye: ...\n    def on_failed(self, call, why) -> Again | Bye: ...\n",
        "Lost.on_failed: its annotation names Again, which asks a question once more; only what answers a question may "
        "do so: its keys, on_digits, on_yes and on_no",
    ),
    "an error that may lead nowhere": (
        BYE + "class Lost(Say[None], prompt='a.wav'):\n    def then(self, call) -> Bye: ...\n"
        "    def on_error(self, call, error) -> Bye | None: ...\n",
        "Lost.on_error may return None, and then nothing would ever follow an error; let it always name a state",
    ),
    "an error state that needs something": (
        BYE + "class Sorry(Hangup[None]):\n    why: str\nFlow('f', start=Bye, error=Sorry)",
        "Sorry is the error, but needs why; give why a default",
    ),
    "an error state that is none": (
        BYE + "Flow('f', start=Bye, error=Bye())",
        "error=Bye() is no state class; write error=Welcome, not error=Welcome()",
    ),
}


def define(code: str) -> None:
    """Run a module of a user's that makes a flow."""
    whole = code if "Flow(" in code else f"{code}\nFlow('f', start=Lost)"
    exec(whole, {**vars(callflow), "__name__": "users"})


@pytest.mark.parametrize(("code", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_refused_with_state_mistake_and_cure(code: str, message: str) -> None:
    with pytest.raises(FlowDefinitionError) as refused:
        define(code)

    assert str(refused.value).replace("users.", "") == message


def nested(count: int) -> str:
    """Write a module with so many sub-flows inside each other."""
    subs = "".join(
        f"class Sub{n}(SubFlow[None, str], start={'Hello' if n == 1 else f'Sub{n - 1}'}):\n"
        f"    def on_done(self, call, result) -> {'Done[str]' if n < count else 'Bye'}: ...\n"
        for n in range(1, count + 1)
    )
    return HELLO.format("Done[str]") + subs + f"Flow('f', start=Sub{count})"


def test_eight_sub_flows_may_be_inside_each_other() -> None:
    define(nested(8))


def test_nine_sub_flows_may_not_be_inside_each_other() -> None:
    with pytest.raises(
        FlowDefinitionError, match=r"^Sub1: 9 sub-flows are inside each other \(Sub1 in Sub2 in .*, and 8 may"
    ):
        define(nested(9))


def test_states_behind_the_error_state_are_part_of_the_flow() -> None:
    class Sorry(Say[None], prompt="sorry.wav"):
        def then(self, call: C) -> Bye:
            return Bye()

    class Only(Hangup[None]):
        """The start."""

    flow = Flow("f", start=Only, error=Sorry)

    assert (flow.graph.states, flow.graph.error) == ((Only, Sorry, Bye), Sorry)
