"""A flow as a whole: what cannot be reached, left or ended is refused when the flow is made."""

from __future__ import annotations

from typing import Any, Generic, Protocol, TypeVar

import pytest

import callflow
from callflow import Call, Dtmf, Flow, FlowDefinitionError, Hangup, Menu, Say, State, key, on
from callflow.flow.soundness import asks, closed_groups, data_of, forgotten, names_loaded, serves

D = TypeVar("D")
E = TypeVar("E")

HEAD = """
from __future__ import annotations

class Caller: ...
class Vip(Caller): ...
class Patient: ...
class Bye(Hangup[None]): ...
"""

MISTAKES = {
    "other-data": (
        "class Elsewhere(Hangup[Patient]): ...\n"
        "class Lost(Say[Caller], prompt='a.wav'):\n    def then(self, call) -> Elsewhere: ...\n"
        "flow = Flow('f', start=Lost, data=Caller)",
        "Lost.then: it leads to Elsewhere, a state of Patient, and the calls of this flow have Caller; "
        "name a state of Caller",
    ),
    "other-data: of no data": (
        "class Lost(Say[Caller], prompt='a.wav'):\n    def then(self, call) -> Bye: ...\n"
        "flow = Flow('f', start=Lost, data=Caller)",
        "Lost.then: it leads to Bye, a state of no data, and the calls of this flow have Caller; "
        "name a state of Caller",
    ),
    "other-data: none is made": (
        "class Lost(Hangup[Caller]): ...\nflow = Flow('f', start=Lost)",
        "Lost: its calls have Caller, but the flow makes none; write Flow(…, data=Caller)",
    ),
    "other-data: another is made": (
        "class Lost(Hangup[Caller]): ...\nflow = Flow('f', start=Lost, data=Patient)",
        "Lost: its calls have Caller, but the flow makes Patient; write Flow(…, data=Caller)",
    ),
    "no-way-out": (
        "class Lost(State[None], timeout=5.0):\n    def on_timeout(self, call) -> None: ...\n"
        "flow = Flow('f', start=Lost)",
        "Lost: it has no way out, since none of its handlers names a state; let a handler lead to a Hangup, or to a "
        "state from which there is a way to one",
    ),
    "no-end": (
        "class Lost(State[None], timeout=5.0):\n    def on_dtmf(self, call, key) -> Again: ...\n"
        "    def on_timeout(self, call) -> Again: ...\n"
        "class Again(Say[None], prompt='a.wav'):\n    def then(self, call) -> Lost: ...\n"
        "flow = Flow('f', start=Lost)",
        "Lost: no way leads from here to an end of the flow, nor from Again; let a handler lead to a Hangup, or to "
        "a state from which there is a way to one",
    ),
    "endless-loop": (
        "class Hi(Say[None], prompt='a.wav'):\n    def then(self, call) -> One | Bye: ...\n"
        "class One(Say[None], prompt='a.wav'):\n    def then(self, call) -> Two: ...\n"
        "class Two(State[None], timeout=5.0):\n    async def run(self, call) -> One: ...\n"
        "    def on_timeout(self, call) -> One: ...\n"
        "flow = Flow('f', start=Hi)",
        "One: it goes round with Two for ever, and nothing waits for the caller; let a handler lead to a Hangup, or to "
        "a state from which there is a way to one",
    ),
    "dead-state": (
        "class Hi(Say[None], prompt='a.wav'):\n    def then(self, call) -> Bye: ...\n"
        "class Lost(Say[None], prompt='a.wav'):\n    def then(self, call) -> Bye: ...\n"
        "flow = Flow('f', start=Hi)",
        "Lost: nothing leads to it from Hi; name it in the return annotation of a handler, take it out, or say that it "
        "is meant: Flow(…, spare=[Lost])",
    ),
}

SOUND = {
    "data of a subclass": (
        "class Lost(Say[Vip], prompt='a.wav'):\n    def then(self, call) -> Gone: ...\n"
        "class Gone(Hangup[Caller]): ...\n"
        "flow = Flow('f', start=Lost, data=Vip, spare=[Bye])"
    ),
    "a factory that may make anything": (
        "class Lost(Hangup[Caller]): ...\nflow = Flow('f', start=Lost, data=lambda: Caller(), spare=[Bye])"
    ),
    "states without brackets": (
        "class Lost(Say, prompt='a.wav'):\n    def then(self, call) -> Bye: ...\nflow = Flow('f', start=Lost)"
    ),
    "a loop with a way out": (
        "class Lost(Say[None], prompt='a.wav'):\n    def then(self, call) -> Lost | Bye: ...\n"
        "flow = Flow('f', start=Lost)"
    ),
    "a base of a state that is reached": (
        "class Base(Say[None], prompt='a.wav'):\n    def then(self, call) -> Bye: ...\nclass Hi(Base): ...\n"
        "flow = Flow('f', start=Hi)"
    ),
    "a draft": "class Draft(Menu[None]): ...\nflow = Flow('f', start=Bye)",
    "a spare state": "class Spare(Hangup[None]): ...\nflow = Flow('f', start=Bye, spare=[Spare])",
    "a state of a flow further down": (
        "class Other(Hangup[None]): ...\nflow = Flow('f', start=Bye)\nother = Flow('g', start=Other)"
    ),
    "a state of a flow further up": (
        "flow = Flow('f', start=Bye)\nclass Other(Hangup[None]): ...\nother = Flow('g', start=Other)"
    ),
    "a flow that a function makes": (
        "class Lost(Hangup[None]): ...\ndef make(): return Flow('f', start=Bye)\nflow = make()"
    ),
}


def made(code: str) -> dict[str, Any]:
    """Run a module of a user's."""
    module = {**vars(callflow), "__name__": "users"}
    exec(HEAD + code, module)
    return module


@pytest.mark.parametrize(("check", "case"), MISTAKES.items(), ids=MISTAKES)
def test_what_cannot_work_is_refused_with_state_mistake_and_cure(check: str, case: tuple[str, str]) -> None:
    code, message = case

    with pytest.raises(FlowDefinitionError) as refused:
        made(f"{code}\nBye")  # names Bye, which not every case leads to

    assert (refused.value.check, str(refused.value)) == (check.partition(":")[0], message)


@pytest.mark.parametrize("code", SOUND.values(), ids=SOUND)
def test_what_works_is_not_refused(code: str) -> None:
    assert isinstance(made(code)["flow"], Flow)


def test_all_mistakes_of_a_flow_are_told_at_once() -> None:
    with pytest.raises(FlowDefinitionError) as refused:
        made(
            "class Hi(Say[None]):\n    def then(self, call) -> Bye | Byee: ...\n"
            "class Lost(Hangup[None]): ...\nflow = Flow('f', start=Hi)"
        )

    assert (str(refused.value), [str(other) for other in refused.value.others], refused.value.__notes__) == (
        "Hi has no prompt; add prompt=… to its class line",
        ["Hi.then: its annotation names Byee, which does not exist when the flow is made; did you mean Bye?"],
        ["and Hi.then: its annotation names Byee, which does not exist when the flow is made; did you mean Bye?"],
    )


def test_a_mistake_knows_the_class_or_method_that_has_to_change() -> None:
    with pytest.raises(FlowDefinitionError) as refused:
        made(
            "class Hi(Say[None], prompt='a.wav'):\n    def then(self, call) -> Nobody: ...\nflow = Flow('f', start=Hi)"
        )

    at: Any = refused.value.at
    assert at.__qualname__ == "Hi.then"


# The type of a state's data.


class Open(Say[D]):
    """Leaves its data open."""


class Swapped(State[E], Generic[D, E]):
    """Has two variables; the second one is that of its data."""


class Settled(Swapped[int, str]):
    """Says both."""


class Named(Open[dict[str, int]]):
    """Says its data."""


class Bare(Say):  # type: ignore[type-arg]  # as somebody writes who has no type checker
    """Says nothing."""


@pytest.mark.parametrize(
    ("state", "data"),
    [(Open, D), (Named, dict[str, int]), (Bare, Any), (Settled, str), (type("Below", (Named,), {}), dict[str, int])],
)
def test_the_type_in_the_brackets_is_found(state: type[State[Any]], data: object) -> None:
    assert data_of(state) == data


class Sized(Protocol):
    size: int


@pytest.mark.parametrize(
    ("offered", "wanted", "expected"),
    [
        (int, int, True),
        (bool, int, True),
        (int, bool, False),
        (int, str, False),
        (int, type(None), False),
        (None, int, False),
        (type(None), type(None), True),
        (int, Any, True),
        (Any, int, True),
        (int, D, True),
        (int, Sized, True),
        (dict[str, int], dict[str, int], True),
        (dict[str, int], dict[str, str], False),
        (dict, dict[str, str], True),
        (int, int | str, True),
    ],
)
def test_data_serves_a_state_that_wants_it_or_less(offered: object, wanted: object, expected: bool) -> None:
    assert serves(offered, wanted) is expected


# Groups.


class One(Say[None], prompt="a.wav"):
    def then(self, call: Call[None]) -> Hangup[None]:
        raise NotImplementedError


class Two(State[None], timeout=1.0):
    def on_dtmf(self, call: Call[None], key: Dtmf) -> None:
        """Listens."""


class Three(State[None], timeout=1.0):
    """Does not listen."""


class Four(Menu[None]):
    """Asks."""


class Keyed(Say[None], prompt="a.wav"):
    """Says something that a key leaves."""

    @key("*")
    def back(self, call: Call[None]) -> Four:
        raise NotImplementedError


class Told(State[None], timeout=1.0):
    """Waits for what others tell."""

    @on(int)
    def told(self, call: Call[None], event: int) -> None:
        """Stays."""


A, B, X = One, Two, Three


@pytest.mark.parametrize(
    ("moves", "groups"),
    [
        ([], [(A,), (B,), (X,)]),
        ([(A, B), (B, X)], [(X,)]),
        ([(A, B), (B, A), (X, A)], [(A, B)]),
        ([(A, B), (B, A), (B, X)], [(X,)]),
        ([(A, B), (B, X), (X, A)], [(A, B, X)]),
        ([(A, A), (B, A), (X, X)], [(A,), (X,)]),
    ],
)
def test_a_closed_group_leads_nowhere_else(
    moves: list[tuple[type[State[Any]], type[State[Any]]]], groups: list[tuple[type[State[Any]], ...]]
) -> None:
    assert list(closed_groups((A, B, X), moves)) == groups


def test_announcements_and_states_without_keys_do_not_wait_for_the_caller() -> None:
    assert [asks(state) for state in (One, Two, Three, Four, Keyed, Told)] == [False, True, False, True, True, True]


def test_states_of_other_modules_are_nobodys_business() -> None:
    module = {"__name__": "elsewhere", "One": One, "Two": Two}

    assert forgotten(module, ()) == []


def test_a_state_with_two_names_is_forgotten_once() -> None:
    assert forgotten({"__name__": __name__, "One": One, "Other": One, "Two": Two}, {Two}) == [One]


def test_only_what_a_module_names_by_itself_counts_as_used() -> None:
    code = compile("def f(): return Inside\nclass A(Base): x = Body\nFlow(start=Start)", "", "exec")

    assert names_loaded(code) & {"Inside", "Base", "Body", "Start"} == {"Base", "Start"}
