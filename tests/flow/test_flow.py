"""A flow as one thing: its data, its prompts, its services, and what is refused before the first call."""

from __future__ import annotations

import math
import wave
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import attrs
import pytest

from callflow import (
    AudioError,
    Call,
    CollectDigits,
    EndCause,
    EndedBy,
    EndedCall,
    Failed,
    Flow,
    FlowDefinitionError,
    Hangup,
    Menu,
    Say,
    Secret,
    ServiceMissing,
    Started,
    State,
    key,
)
from callflow.flow.services import find_service

C = Call[Any]
STARTED = Started(call_sid="c1", caller="+910000000105", called="00000000319", parameters={"queue": "gold"})


class Bye(Hangup[Any]):
    """Says nothing."""


class Listen(State[Any], timeout=9.0):
    """Says nothing either."""

    def on_timeout(self, call: C) -> Bye:
        return Bye()


class Welcome(Say[Any], prompt="welcome.wav"):
    def then(self, call: C) -> Ask:
        return Ask()


class Ask(
    Menu[Any], prompt=("ask.wav", "now.wav"), reprompts=("again.wav",), no_input="quiet.wav", no_match="wrong.wav"
):
    @key("1")
    def pin(self, call: C) -> Pin:
        return Pin()

    def on_failed(self, call: C, why: Failed) -> Thanks:
        return Thanks()


class Pin(CollectDigits[Any], prompt="pin.wav", too_short="short.wav"):
    def on_digits(self, call: C, digits: Secret) -> Thanks:
        return Thanks()

    def on_failed(self, call: C, why: Failed) -> Thanks:
        return Thanks()


class Thanks(Hangup[Any], prompt="thanks.wav"):
    """The end."""


NAMED = ("welcome", "ask", "now", "again", "quiet", "wrong", "pin", "short", "thanks")
"""Every prompt that a class line above names."""


def record(folder: Path, *names: str, rate: int = 8000) -> Path:
    """Make a folder with a whistle for each name."""
    folder.mkdir(exist_ok=True)
    whistle = array("h", (round(9000 * math.sin(n / 3)) for n in range(800))).tobytes()
    for name in names:
        with wave.open(str(folder / f"{name}.wav"), "wb") as file:
            file.setparams((1, 2, rate, 0, "NONE", ""))
            file.writeframes(whistle)
    return folder


# Names and numbers.


@pytest.mark.parametrize("name", ["bank", "bank-2", "bank_ivr", "büro24"])
def test_a_name_can_stand_in_a_path(name: str) -> None:
    assert Flow(name, start=Listen).name == name


@pytest.mark.parametrize("name", ["", "two words", "a/b", "a?b", "a.b"])
def test_a_name_that_cannot_is_refused(name: str) -> None:
    with pytest.raises(FlowDefinitionError) as refused:
        Flow(name, start=Listen)

    assert str(refused.value) == f"Flow({name!r}) has no such name; use letters, digits, - and _"


def test_a_rate_that_exotel_does_not_know_is_refused() -> None:
    with pytest.raises(FlowDefinitionError) as refused:
        Flow("bank", start=Listen, rate=11_025)

    assert str(refused.value) == "Flow('bank'): rate=11025; Exotel knows 8000, 16000, 24000"


def test_a_flow_is_shown_by_name_and_size() -> None:
    assert repr(Flow("bank", start=Welcome)) == "Flow('bank', 4 states)"


def test_a_one_way_flow_that_speaks_is_refused() -> None:
    with pytest.raises(FlowDefinitionError) as refused:
        Flow("bank", start=Welcome, one_way=True)

    assert str(refused.value) == (
        "Welcome says 'welcome.wav', but Flow('bank') is one-way: Exotel plays nothing that is sent on a Stream "
        "applet; take the prompt out, or use the Voicebot applet and leave one_way out"
    )


def test_a_one_way_flow_that_listens_is_fine() -> None:
    flow = Flow("bank", start=Listen, one_way=True)

    assert (flow.one_way, flow.raw) == (True, False)


# Data.


@attrs.define
class Caller:
    number: str = ""
    verified: bool = False


@attrs.define
class Told:
    started: Started


@attrs.define
class Strict:
    number: str


def of_started(started: Started) -> str:
    return f"{started.caller} in {started.parameters['queue']}"


def of_nothing() -> str:
    return "nothing"


def of_nothing_much(*rest: object, queue: str = "silver", **more: object) -> str:
    return queue


FACTORIES: dict[str, tuple[Callable[..., object] | None, object]] = {
    "no factory": (None, None),
    "a class without required fields": (Caller, Caller()),
    "a class of Started": (Told, Told(STARTED)),
    "a function of Started": (of_started, "+910000000105 in gold"),
    "a function of nothing": (of_nothing, "nothing"),
    "a function that needs nothing": (of_nothing_much, "silver"),
    "a function without a name": (lambda started: started.call_sid, "c1"),
    "a built-in class": (dict, {}),
}


@pytest.mark.parametrize(("factory", "data"), FACTORIES.values(), ids=FACTORIES)
def test_data_is_made_for_each_call(factory: Callable[..., object] | None, data: object) -> None:
    assert Flow("bank", start=Listen, data=factory).make_data(STARTED) == data


def test_two_calls_share_no_data() -> None:
    flow = Flow("bank", start=Listen, data=Caller)

    assert flow.make_data(STARTED) is not flow.make_data(STARTED)


def of_two(started: Started, bank: object) -> None: ...


def by_keyword(*, started: Started) -> None: ...


@pytest.mark.parametrize(
    ("factory", "needed"), [(of_two, "started, bank"), (by_keyword, "started"), (Strict, "number")]
)
def test_data_that_cannot_be_made_is_refused(factory: Callable[..., object], needed: str) -> None:
    with pytest.raises(FlowDefinitionError) as refused:
        Flow("bank", start=Listen, data=factory)

    assert str(refused.value) == (
        f"Flow('bank'): data={factory!r} needs {needed}; give its fields defaults, or make it a function of Started"
    )


# Prompts.


def test_prompts_are_beside_the_module_that_makes_the_flow() -> None:
    here = Path(__file__).parent

    folders = [Flow("bank", start=Listen, prompts=prompts).folder for prompts in (None, "voices", Path("/srv/voices"))]

    assert folders == [here / "prompts", here / "voices", Path("/srv/voices")]


def test_all_prompts_are_loaded_once(tmp_path: Path) -> None:
    flow = Flow("bank", start=Welcome, prompts=record(tmp_path, *NAMED))

    assert (flow.library.clip("thanks.wav").names, flow.library is flow.library) == (("thanks.wav",), True)


@pytest.mark.parametrize("missing", NAMED)
def test_a_prompt_that_a_class_line_names_has_to_be_there(missing: str, tmp_path: Path) -> None:
    flow = Flow("bank", start=Welcome, prompts=record(tmp_path, *(name for name in NAMED if name != missing)))

    with pytest.raises(AudioError) as refused:
        _ = flow.library

    assert refused.value.path == tmp_path / f"{missing}.wav"


def test_a_flow_that_says_something_needs_its_folder(tmp_path: Path) -> None:
    flow = Flow("bank", start=Welcome, prompts=tmp_path / "none")

    with pytest.raises(AudioError) as refused:
        _ = flow.library

    assert str(refused.value) == (
        f"{tmp_path / 'none'}: expected a folder with the flow's prompts, found no folder; "
        "Welcome says 'welcome.wav'; make it"
    )


def test_a_flow_that_says_nothing_needs_none(tmp_path: Path) -> None:
    flow = Flow("bank", start=Listen, prompts=tmp_path / "none")

    with pytest.raises(AudioError, match=r"welcome\.wav"):
        flow.library.clip("welcome.wav")


def test_prompts_have_the_rate_of_the_flow(tmp_path: Path) -> None:
    flow = Flow("bank", start=Listen, prompts=record(tmp_path, "welcome", rate=16_000), rate=16_000)

    assert flow.library.rate == 16_000


def test_prompts_of_another_rate_are_refused(tmp_path: Path) -> None:
    flow = Flow("bank", start=Listen, prompts=record(tmp_path, "welcome", rate=16_000))

    with pytest.raises(AudioError, match="found 16-bit mono PCM at 16000 Hz"):
        _ = flow.library


# Services.


class Bank(Protocol):
    def balance(self) -> int: ...


@runtime_checkable
class Ledger(Protocol):
    def entries(self) -> list[int]: ...


class HttpBank:
    def balance(self) -> int:
        return 100


class FakeBank(HttpBank):
    def balance(self) -> int:
        return 7


class PaperLedger:
    def entries(self) -> list[int]:
        return [1, 2]


def ended(*services: object) -> EndedCall[None]:
    return EndedCall(
        data=None,
        call_id="id",
        call_sid="c1",
        caller="+910000000105",
        called="00000000319",
        cause=EndCause.STOP,
        ended_by=EndedBy.UNKNOWN,
        seconds=3.0,
        services=services,
    )


def test_a_service_is_found_by_its_class() -> None:
    bank = HttpBank()

    assert find_service((PaperLedger(), bank), HttpBank) is bank


def test_a_service_is_found_by_what_it_can() -> None:
    paper = PaperLedger()

    assert find_service((HttpBank(), paper), Ledger) is paper


def test_the_first_that_fits_is_taken() -> None:
    assert find_service((FakeBank(), HttpBank()), HttpBank).balance() == 7


@pytest.mark.parametrize(
    ("services", "have"), [((), "nothing"), ((PaperLedger(), FakeBank()), "PaperLedger, FakeBank")]
)
def test_a_service_that_is_missing_is_told_with_those_that_are_there(services: tuple[object, ...], have: str) -> None:
    with pytest.raises(ServiceMissing) as missing:
        find_service(services, Caller)

    assert str(missing.value) == (
        f"no Caller is provided (provided: {have}); make the flow with provide=[…, Caller(…)]"
    )


def test_an_ended_call_still_has_its_services() -> None:
    assert ended(FakeBank()).get(HttpBank).balance() == 7


def test_an_ended_call_says_its_cause_in_one_word() -> None:
    assert ended().reason == "stop"


def test_a_flow_keeps_its_services_in_order() -> None:
    bank, paper = HttpBank(), PaperLedger()

    assert Flow("bank", start=Listen, provide=[bank, paper]).services == (bank, paper)


def test_doubles_stand_before_a_flows_own_services() -> None:
    flow = Flow("bank", start=Listen, provide=[HttpBank()])

    twin = flow.providing(FakeBank())

    assert (find_service(twin.services, HttpBank).balance(), find_service(flow.services, HttpBank).balance()) == (
        7,
        100,
    )


def test_a_flow_with_doubles_is_else_the_same(tmp_path: Path) -> None:
    flow = Flow("bank", start=Listen, data=Caller, prompts=record(tmp_path, "welcome"), raw=True)

    twin = flow.providing(FakeBank())

    assert (twin.name, twin.graph, twin.folder, twin.raw, twin.make_data(STARTED)) == (
        flow.name,
        flow.graph,
        flow.folder,
        True,
        Caller(),
    )
