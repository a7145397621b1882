"""Handlers that could not be called are refused when their class is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from attrs import define

from callflow import Call, CollectDigits, Failed, Flow, FlowDefinitionError, Hangup, Menu, Say, State, key

C = Call[Any]


@define
class Visit:
    """Data of a call."""

    number: str = ""


class Bye(Hangup[Any]):
    """The end."""


def test_a_key_handler_with_a_third_parameter_is_refused() -> None:
    with pytest.raises(FlowDefinitionError, match=r"visit.*visit\(self, call\) or visit\(self, call, key\)"):

        class Ask(Menu[Any], prompt="a.wav"):
            @key("1")
            def visit(self, call: C, pressed: str, more: str) -> Bye:
                return Bye()


def test_a_hook_without_its_parameter_is_refused() -> None:
    with pytest.raises(FlowDefinitionError, match=r"Ask\.on_failed.*on_failed\(self, call, why\)"):

        class Ask(Menu[Any], prompt="a.wav"):
            def on_failed(self, call: C) -> Bye:  # type: ignore[override]  # the mistake
                return Bye()


def test_on_digits_without_the_digits_is_refused() -> None:
    with pytest.raises(FlowDefinitionError, match=r"on_digits\(self, call, digits\)"):

        class Ask(CollectDigits[Any], prompt="a.wav"):
            def on_digits(self, call: C) -> Bye:  # type: ignore[override]  # the mistake
                return Bye()


def test_run_without_the_call_is_refused() -> None:
    with pytest.raises(FlowDefinitionError, match=r"run\(self, call\)"):

        class Ask(State[Any], timeout=1.0):
            async def run(self) -> Bye:  # type: ignore[override]  # the mistake
                return Bye()


def test_handlers_may_have_defaults_of_their_own() -> None:
    class Ask(Menu[Any], prompt="a.wav"):
        @key("1")
        def visit(self, call: C, pressed: str = "", *rest: str) -> Bye:
            return Bye()

        def on_failed(self, call: C, why: Failed, more: int = 0) -> Bye:
            return Bye()

    assert Ask.choices() == {"1": "visit"}


def test_data_that_is_no_factory_is_refused_with_the_cure() -> None:
    made: Any = Visit("x")
    with pytest.raises(FlowDefinitionError, match=r"write data=Visit, not data=Visit\(…\)"):
        Flow("shop", start=Bye, data=made)


@pytest.mark.parametrize("annotation", [None, "None", "Bye | None"])
def test_an_announcement_that_may_lead_nowhere_is_refused(annotation: str | None, tmp_path: Path) -> None:
    def then(self: Any, call: C) -> Any:
        return None

    then.__annotations__["return"] = annotation
    hello: Any = type("Hello", (Say,), {"then": then}, prompt="hello.wav")

    with pytest.raises(FlowDefinitionError, match="then may return None"):
        Flow("shop", start=hello, prompts=tmp_path, scope={"Bye": Bye})
