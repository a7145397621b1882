"""``./run``: the example line, served to a terminal, or called once and shown."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field

from callflow import CallflowError, Flow
from callflow.cli import example as command
from callflow.cli.example import EXAMPLE, app, example, main
from callflow.line import dial_socket, passthru
from callflow.server.settings import Settings

Announce = Callable[[list[Flow[Any]], Settings, int], None]


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Leave the library's logger as it was."""
    library = logging.getLogger("callflow")
    handlers, level = [*library.handlers], library.level
    yield
    library.handlers[:] = handlers
    library.setLevel(level)


@define
class Seat:
    """Who sits in front of the command: what would be served and called, in place of doing it."""

    at_terminal: bool = True
    served: list[tuple[str, Settings]] = field(factory=list)
    called: list[tuple[str, str, int]] = field(factory=list)
    announced: list[Announce] = field(factory=list)
    code: int = 0

    def isatty(self) -> bool:
        return self.at_terminal

    async def answer(self, flows: list[Flow[Any]], settings: Settings, announced: Announce) -> int:
        [flow] = flows
        self.served.append((flow.name, settings))
        self.announced.append(announced)
        return 0

    async def call(self, script: Path, *, url: str) -> int:
        """Ask the server that is there something short, and hang up."""
        host, _, port = url.removeprefix("ws://").removesuffix("/stream").partition(":")
        status = await passthru(lambda: dial_socket(host, int(port)), call_sid="c1", before=True)
        self.called.append((script.stem, host, status))
        return self.code


@pytest.fixture
def seat(monkeypatch: pytest.MonkeyPatch) -> Seat:
    sits = Seat()
    monkeypatch.setattr(sys, "stdin", sits)
    monkeypatch.setattr(command, "answer", sits.answer)
    monkeypatch.setattr(command, "call", sits.call)
    return sits


async def test_at_a_terminal_the_line_is_served_with_its_feed(seat: Seat) -> None:
    code = await example(host="0.0.0.0", port=81)

    assert (code, seat.served) == (0, [("bank-ivr", Settings(host="0.0.0.0", port=81, feed=True))])


async def test_variables_set_what_no_flag_sets(seat: Seat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLFLOW_PORT", "82")
    await example()

    assert seat.served[0][1].port == 82


@pytest.mark.parametrize("code", [0, 1])
async def test_once_makes_one_call_to_a_port_of_its_own_and_ends_as_it_ended(seat: Seat, code: int) -> None:
    seat.code = code

    assert (await example(once=True), seat.called, seat.served) == (code, [("balance", "127.0.0.1", 200)], [])


async def test_without_a_terminal_one_call_is_made_as_well(seat: Seat) -> None:
    seat.at_terminal = False
    await example()

    assert (len(seat.called), seat.served) == (1, [])


async def test_where_there_is_no_checkout_it_is_said(seat: Seat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "EXAMPLE", Path("/nowhere/bank_ivr"))

    with pytest.raises(CallflowError) as refused:
        await example()

    assert str(refused.value) == (
        "/nowhere/bank_ivr is not there; it comes with a checkout of the project, not with the package"
    )


@pytest.mark.parametrize(
    ("port", "settings", "told"),
    [
        (8080, Settings(), ["./run call balance      in", "wss://YOUR.HOST/stream", "https://YOUR.HOST/passthru"]),
        (81, Settings(), ["./run call balance --url ws://127.0.0.1:81/stream"]),
        (
            8080,
            Settings(public_url="https://calls.example.com"),
            ["wss://calls.example.com/stream", "https://calls.example.com/passthru"],
        ),
    ],
)
async def test_who_serves_it_is_told_how_to_call_and_what_to_enter(
    port: int, settings: Settings, told: list[str], seat: Seat, capsys: pytest.CaptureFixture[str]
) -> None:
    await example()
    announced = seat.announced[0]
    flow: Any = type("Line", (), {"graph": type("Graph", (), {"states": (1, 2)})})
    announced([flow], settings, port)

    printed = capsys.readouterr().out
    assert [words for words in (*told, "2 states") if words not in printed] == []


def test_scripts_that_are_named_are_there(seat: Seat, capsys: pytest.CaptureFixture[str]) -> None:
    named = {"balance", "transfer", "person", "locked", "silent", "stranger", "lost"}

    assert {path.stem for path in (EXAMPLE / "calls").glob("*.call")} == named


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--help"], 0, "Usage: ./run"),
        (["--prot", "81"], 2, "callflow: Unknown option: --prot. Did you mean --port?"),
        (["--port", "99999"], 1, "callflow: port: expected int <= 65535"),
        (["--once"], 0, ""),
    ],
)
def test_the_process_ends_with_the_commands_code(
    words: list[str],
    code: int,
    told: str,
    seat: Seat,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["./run", *words])

    with pytest.raises(SystemExit) as ended:
        main()

    printed = capsys.readouterr()
    assert (ended.value.code, told in printed.out + printed.err, app.name) == (code, True, ("./run",))


async def test_without_a_terminal_a_named_place_is_served(seat: Seat) -> None:
    seat.at_terminal = False

    await example(port=83)

    assert (seat.served[0][1].port, seat.called) == (83, [])
