"""Writes a call script as a test function that uses ``caller``. Pure: a script to Python source."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, assert_never

from callflow.line.grammar import render_step
from callflow.line.script import header_lines
from callflow.line.steps import (
    Branch,
    Deafen,
    Drop,
    Ended,
    Ending,
    Enter,
    Freeze,
    HalfClose,
    HangUp,
    Header,
    Hear,
    Network,
    Play,
    Press,
    Quiet,
    Reach,
    Reconnect,
    Ring,
    RingAgain,
    Script,
    SendOdd,
    Service,
    Step,
    TakeOver,
    Wait,
)

_WIDTH = 88
"""Signs of a line: what most formatters keep to."""


def as_test(script: Script, *, name: str, module: str, flow: str) -> str:
    """Write a test module with one function.

    Args:
        script: What the caller does. Answers stand in it by name, and so they do in the test.
        name: Of the call; becomes the function's.
        module: Where the flow is imported from.
        flow: Its name there.
    """
    answers = sorted(script.answers)
    lines = ["from callflow.testing import caller"]
    lines += ["from callflow.line.steps import Network"] if script.header.network is not Network.SMOOTH else []
    lines += [f"from {module} import {flow}", ""]
    if answers:
        lines += ["ANSWERS = {" + ", ".join(f'"{answer}": ""' for answer in answers) + "}  # what each types", ""]
    lines += ["", f"async def test_{_identifier(name)}() -> None:"]
    lines += _opening([flow, *_options(script)])
    lines += [f"        {line}" for line in _statements(script.steps)]
    return "\n".join(lines) + "\n"


def _opening(options: Sequence[str]) -> list[str]:
    line = f"    async with caller({', '.join(options)}) as c:"
    if len(line) <= _WIDTH:
        return [line]
    return ["    async with caller(", *(f"        {option}," for option in options), "    ) as c:"]


def _identifier(name: str) -> str:
    return re.sub(r"\W+", "_", name).strip("_").lower() or "call"


def _options(script: Script) -> Iterator[str]:
    header, usual = script.header, Header()
    named = {"number": "caller", "called": "called", "seed": "seed", "lag": "lag", "echoes": "echoes"}
    for option, attribute in named.items():
        value = getattr(header, attribute)
        if value != getattr(usual, attribute):
            yield f"{option}={_literal(value)}"
    if header.parameters:
        pairs = ", ".join(f"{_literal(name)}: {_literal(value)}" for name, value in header.parameters.items())
        yield f"parameters={{{pairs}}}"
    if header.network is not usual.network:
        yield f"network=Network.{header.network.name}"
    if header.begins is not None:
        yield f"begins={_literal(header.begins.value)}"
    if header.faults:
        lines = ", ".join(_literal(line) for line in header_lines(Header(faults=header.faults)))
        yield f"faults=[{lines}]"
    if script.asks:
        yield "announced=True"
    if script.answers:
        yield "answers=ANSWERS"


def _statements(steps: Sequence[Step]) -> Iterator[str]:
    rest = list(steps)
    while rest:
        match rest:
            case [Drop(), Wait(seconds=seconds), Reconnect(), *after]:
                yield f"await c.drops(for_={seconds!r})"
                rest = after
            case [step, *after]:
                yield _statement(step)
                rest = after
    if not isinstance(steps[-1], HangUp | Ended | Branch):
        yield "await c.hangs_up()"


def _statement(step: Step) -> str:  # noqa: PLR0911, PLR0912 - one row a verb
    match step:
        case Ring():
            return "# the Passthru was asked before: announced=True"
        case Hear():
            prompt = step.prompt if step.spoken else f"{step.prompt}.wav"
            endings = {Ending.COMPLETE: {"complete": True}, Ending.CUT: {"cut": True}, None: {}}
            return _call("hears", prompt, at_least=step.at_least, **endings[step.ending], within=step.within)
        case Press():
            return _call("press", step.digits, gap=step.gap)
        case Enter():
            return _call("type", f"${step.answer}" if step.answer else step.digits, gap=step.gap)
        case Play():
            return _call("speaks", step.file)
        case Wait():
            return _call("silent", step.seconds)
        case Reach():
            return _call("reaches", step.name, within=step.within)
        case Quiet():
            return _call("quiet", within=step.within)
        case HangUp():
            return _call("hangs_up")
        case Drop():
            return _call("drops")
        case Reconnect():
            return _call("reconnects")
        case TakeOver():
            return _call("takes_over")
        case Deafen():
            return _call("goes_deaf")
        case Freeze():
            return _call("freezes", step.seconds)
        case HalfClose():
            return _call("half_closes")
        case SendOdd():
            return _call("sends_odd", step.oddity.value)
        case RingAgain():
            return _call("rings_again")
        case Ended():
            return _call("ended", by=None if step.by is None else step.by.value, within=step.within)
        case Branch():
            return _call("branch", step.name)
        case Service():
            return f"# {render_step(step)}: have the double that is given by services= do so"
        case _:
            assert_never(step)


def _call(method: str, *args: Any, **options: Any) -> str:
    given = [
        *map(_literal, args),
        *(f"{name}={_literal(value)}" for name, value in options.items() if value is not None),
    ]
    return f"await c.{method}({', '.join(given)})"


def _literal(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) and not set(value) & {'"', "\\"} else repr(value)
