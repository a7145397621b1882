"""A script as a test function: it says the same, and it runs."""

from __future__ import annotations

import pytest

from callflow.line.grammar import GRAMMAR
from callflow.line.oddities import STEPS, Oddity
from callflow.line.script import parse
from callflow.testing.as_test import as_test

EVERY = """\
from +910000000107
seed 7
lag 0.05s
echoes late
param who=me
network rough
begins early-media
at 3s drop
at 4s reconnect
ring
hear menu for 0.4s within 3s
hear "your balance" complete
hear menu cut
keys 1 gap 0.2s
type $pin
type 12#
play hello.wav
wait 2s
state Menu within 3s
quiet within 0.4s of keys
deaf
freeze 2s
halfclose
reconnect
odd start-again
service Bank hangs
takeover
drop
wait 3s
reconnect
drop
reconnect
hangup
again
ended by flow within 2s
branch B
"""

WRITTEN = """\
from callflow.testing import caller
from callflow.line.steps import Network
from bank.ivr import line

ANSWERS = {"pin": ""}  # what each types


async def test_three_wrong_pins() -> None:
    async with caller(
        line,
        number="+910000000107",
        seed=7,
        lag=0.05,
        echoes="late",
        parameters={"who": "me"},
        network=Network.ROUGH,
        begins="early-media",
        faults=["at 3s drop", "at 4s reconnect"],
        announced=True,
        answers=ANSWERS,
    ) as c:
        # the Passthru was asked before: announced=True
        await c.hears("menu.wav", at_least=0.4, within=3.0)
        await c.hears("your balance", complete=True)
        await c.hears("menu.wav", cut=True)
        await c.press("1", gap=0.2)
        await c.type("$pin")
        await c.type("12#")
        await c.speaks("hello.wav")
        await c.silent(2.0)
        await c.reaches("Menu", within=3.0)
        await c.quiet(within=0.4)
        await c.goes_deaf()
        await c.freezes(2.0)
        await c.half_closes()
        await c.reconnects()
        await c.sends_odd("start-again")
        # service Bank hangs: have the double that is given by services= do so
        await c.takes_over()
        await c.drops(for_=3.0)
        await c.drops()
        await c.reconnects()
        await c.hangs_up()
        await c.rings_again()
        await c.ended(by="flow", within=2.0)
        await c.branch("B")
"""


def test_every_verb_has_its_line() -> None:
    assert as_test(parse(EVERY), name="three-wrong PINs", module="bank.ivr", flow="line") == WRITTEN


def test_no_verb_is_missing_here() -> None:
    assert {line.split()[0] for line in EVERY.splitlines()} >= set(GRAMMAR)


def test_what_is_written_compiles_and_has_an_end() -> None:
    text = as_test(parse("hear menu\n"), name="7", module="ivr", flow="line")

    compile(text, "test_call.py", "exec")
    assert text.endswith('await c.hears("menu.wav")\n        await c.hangs_up()\n')


@pytest.mark.parametrize("oddity", STEPS.values())
def test_odd_messages_are_named(oddity: Oddity) -> None:
    text = as_test(parse(f"odd {oddity.value}\nhangup\n"), name="odd", module="ivr", flow="line")

    assert f'c.sends_odd("{oddity.value}")' in text
