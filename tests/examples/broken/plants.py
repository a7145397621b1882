"""The same ten bugs for the bank's line: what is changed of its source, from outside, and what the line promises."""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import examples.bank_ivr.ivr
from callflow import EndCause, Flow
from callflow.testing.doubles import Double
from callflow.testing.machine import CallMachine
from callflow.testing.seen import Seen, always, in_the_end
from examples.bank_ivr.bank import BankDown, FakeBank
from examples.bank_ivr.ivr import bank_ivr

IVR = Path(examples.bank_ivr.ivr.__file__)

SEEN = Seen[Any]


class BankPromises(
    CallMachine,
    flow=bank_ivr,
    services={"bank": Double(FakeBank, fails=BankDown)},
    answers={"pin": "4129"},
):
    """What the bank's line promises, beside every law."""

    @in_the_end
    def the_goodbye_is_heard(self, seen: SEEN) -> None:
        """Whoever is let go with a goodbye has heard it to its end."""
        if seen.ended is EndCause.FLOW and seen.entered("Goodbye"):
            assert seen.played("goodbye.wav", complete=True)

    @always
    def the_third_wrong_pin_locks(self, seen: SEEN) -> None:
        """Nobody is asked again after a third wrong PIN."""
        assert seen.path.count("AskAgain") < 3

    @always
    def everybody_is_asked_twice(self, seen: SEEN) -> None:
        """Whoever is let go at the menu has said nothing, or pressed something, at least twice."""
        silences = [entry for entry in seen.call.driver.journal.entries if entry.what == "due"]
        assert "Goodbye" not in seen.left("MainMenu") or len(silences) + len(seen.taken("MainMenu")) >= 2

    @in_the_end
    def every_nine_is_answered(self, seen: SEEN) -> None:
        """Each 9 brings the menu once more."""
        assert seen.left("MainMenu").count("MainMenu") >= seen.taken("MainMenu").count("9")

    @always
    def nobody_waits_long(self, seen: SEEN) -> None:
        """Ten seconds after the bank was asked there is an answer or an apology."""
        assert all(seen.longest_in(state) <= 10.0 for state in ("FindAccount", "CheckPin", "LookUp"))

    @in_the_end
    def only_the_bank_verifies(self, seen: SEEN) -> None:
        """Nobody is verified of whom the bank never said so."""
        said = [entry.details["to"] for entry in seen.call.driver.journal.entries if entry.what == "run returned"]
        assert "LookUp" in said or not seen.data.verified

    @in_the_end
    def the_log_holds_no_pin(self, seen: SEEN) -> None:
        """No line of the log has four digits in a row."""
        assert not any(re.search(r"\d{4}", line) for line in seen.log)

    @always
    def nothing_is_told_before_the_bank_agrees(self, seen: SEEN) -> None:
        """The menu leads to an answer only after a PIN did."""
        assert "LookUp" not in seen.left("MainMenu") or "LookUp" in seen.left("CheckPin") + seen.left("AskPin")

    @always
    def nothing_hums_after_the_bad_news(self, seen: SEEN) -> None:
        """Whoever has heard that the bank is slow hears nothing more."""
        assert seen.playing in ("", "slow.wav") or not seen.played("slow.wav", complete=True)


MENU_FAILED = """
    def on_failed(self, call: C, why: Failed) -> Goodbye:
        return Goodbye()


class AnythingElse"""

COUNTED_BY_THE_BANK = """
    def on_failed(self, call: C, why: Failed) -> MainMenu | Goodbye:
        bank = call.get(Bank)
        bank.misses = getattr(bank, "misses", 0) + 1
        return Goodbye() if bank.misses >= 2 else MainMenu()


class AnythingElse"""

CHECKS = """
    async def run(self, call: C) -> LookUp | AskAgain | Locked | Slow:
        try:
            answer = await call.get(Bank).check_pin(call.data.account, self.pin)
        except BankDown:
            return Slow()
"""

PLANTS: Mapping[str, Mapping[str, str]] = {
    "a goodbye that nobody waits for": {
        'class Goodbye(Hangup[Caller], prompt="goodbye.wav"):': "class Goodbye(Hangup[Caller]):",
        "        return Goodbye()": '        call.start("goodbye.wav")\n        return Goodbye()',
    },
    "one try too many": {},
    "a count that the bank keeps": {
        MENU_FAILED: COUNTED_BY_THE_BANK,
        'reprompts=("menu_again.wav",),\n': "tries=1,\n",
        '    """The menu after an answer: silence is a polite no."""\n': """
    def on_failed(self, call: C, why: Failed) -> Goodbye:
        return Goodbye()
""",
    },
    "a count that a lost line forgets": {
        "\n\nclass AskAgain": """
    def on_resumed(self, call: C, gap: Resumed) -> AskPin:
        call.get(Bank).accounts[call.data.account].wrong = 0
        return AskPin(self.wish)


class AskAgain""",
    },
    "a key that leads nowhere": {
        "-> MainMenu:\n        return MainMenu()": "-> None:\n        return None",
    },
    "a bank that may take ten minutes": {
        "class FindAccount(State[Caller], timeout=5.0)": "class FindAccount(State[Caller], timeout=600.0)",
    },
    "a caller who is verified by hanging up": {
        CHECKS: """
    async def run(self, call: C) -> LookUp | AskAgain | Locked | Slow:
        answer = None
        try:
            answer = await call.get(Bank).check_pin(call.data.account, self.pin)
        except BankDown:
            return Slow()
        finally:
            call.data.verified = answer is None
""",
    },
    "a PIN in the log": {
        "import enum": "import enum\nimport logging",
        "        match answer": '        logging.getLogger("bank").info(self.pin.reveal())\n        match answer',
    },
    "a key that overtakes the answer": {
        CHECKS: """
    @key("*")
    def back(self, call: C) -> MainMenu:
        return MainMenu()
"""
        + CHECKS.replace("        try:", "        call.data.verified = True\n        try:"),
        "            case PinCheck.WRONG:\n": "            case PinCheck.WRONG:\n"
        "                call.data.verified = False\n",
    },
    "a hum that goes on": {
        """-> MainMenu | Stranger | Slow:
        try:
            account = await call.get(Bank).account_of(call.caller)
        except BankDown:
            return Slow()
""": """-> MainMenu | Stranger | None:
        hum = call.start("one_moment.wav", loop=True)
        try:
            account = await call.get(Bank).account_of(call.caller)
        except BankDown:
            hum.pause()
            await call.play("slow.wav")
            hum.resume()
            return None
""",
        "class FindAccount(State[Caller], timeout=5.0)": "class FindAccount(State[Caller], timeout=9.0)",
    },
}
"""By the bug: what stands in ``ivr.py``, and what is put there."""


TRIES: Mapping[str, int] = {"one try too many": 4}
"""Wrong PINs that lock an account, where the bug is in the bank itself; elsewhere three."""


def planted(changes: Mapping[str, str]) -> Flow[Any]:
    """Make the bank's flow from its source, with some of it changed."""
    source = IVR.read_text("utf-8").replace("Say, Secret", "Resumed, Say, Secret")
    for old, new in changes.items():
        assert old in source, old
        source = source.replace(old, new)
    module = types.ModuleType("examples.bank_ivr.planted")
    module.__file__ = str(IVR)
    exec(compile(source, "planted.py", "exec"), vars(module))
    flow: Flow[Any] = module.bank_ivr
    return flow
