"""What each of the ten flows promises, and the hunt for the call in which it does not keep it.

``pytest examples/broken/properties.py`` finds a call for each; ``-k Goodbye`` does for one of them.
"""

from __future__ import annotations

from callflow import EndCause
from callflow.testing.machine import CallMachine
from callflow.testing.seen import Seen, always, in_the_end
from examples.broken import (
    four_choices,
    goodbye,
    on_hold,
    order,
    payment,
    quiet_log,
    slow_bank,
    three_tries,
    two_misses,
    two_pins,
)


class Goodbye(CallMachine, flow=goodbye.line):
    @in_the_end
    def nobody_is_let_go_without_a_goodbye(self, seen: Seen[None]) -> None:
        """Whoever is let go, and not put through to a person, has heard the goodbye to its end."""
        if seen.ended is EndCause.FLOW and not seen.entered(goodbye.Person):
            assert seen.played("goodbye.wav", complete=True)


class ThreeTries(CallMachine, flow=three_tries.line):
    @always
    def the_third_wrong_pin_locks(self, seen: Seen[three_tries.Caller]) -> None:
        """Nobody has a fourth try."""
        assert seen.data.wrong < three_tries.TRIES or seen.entered(three_tries.Locked) or seen.ended


class TwoMisses(CallMachine, flow=two_misses.line, services={"desk": two_misses.Desk}):
    @always
    def everybody_is_asked_twice(self, seen: Seen[two_misses.Caller]) -> None:
        """Whoever is let go has been asked twice."""
        assert seen.data.misses == two_misses.MOST or not seen.entered(two_misses.Goodbye)


class TwoPins(CallMachine, flow=two_pins.line):
    @always
    def the_second_wrong_pin_locks(self, seen: Seen[None]) -> None:
        """Nobody is told a second time that the PIN was wrong, and asked again."""
        assert seen.path.count("AskAgain") < two_pins.TRIES


class FourChoices(CallMachine, flow=four_choices.line):
    @in_the_end
    def every_nine_is_answered(self, seen: Seen[None]) -> None:
        """Each 9 brings the menu once more, or a person."""
        answers = seen.left(four_choices.Main)
        assert answers.count("Main") + answers.count("Person") >= seen.taken(four_choices.Main).count("9")


class SlowBank(CallMachine, flow=slow_bank.line, services={"bank": slow_bank.Bank}):
    @always
    def nobody_waits_long(self, seen: Seen[None]) -> None:
        """Ten seconds after the bank was asked, whoever waits has heard a balance or an apology."""
        assert seen.longest_in(slow_bank.LookUp) <= 10.0


class Order(CallMachine, flow=order.line):
    @in_the_end
    def nothing_is_ordered_behind_a_callers_back(self, seen: Seen[order.Basket]) -> None:
        """An order is placed only for a caller who has heard that it is."""
        assert seen.played("one_moment.wav", complete=True) or not seen.data.ordered


class QuietLog(CallMachine, flow=quiet_log.line, answers={"pin": "4129"}):
    @in_the_end
    def the_log_holds_no_pin(self, seen: Seen[None]) -> None:
        """No line of the log has a PIN in it."""
        assert not any("4129" in line for line in seen.log)


class Payment(CallMachine, flow=payment.line, services={"till": payment.Till}):
    @in_the_end
    def whoever_stops_it_has_not_paid(self, seen: Seen[payment.Order]) -> None:
        """Whoever is told that nothing was paid has not paid."""
        assert not (seen.entered(payment.Bye) and seen.data.paid)


class OnHold(CallMachine, flow=on_hold.line, services={"agents": on_hold.Agents}):
    @always
    def no_music_after_the_bad_news(self, seen: Seen[None]) -> None:
        """Whoever has heard that nobody is free is not left with the music."""
        assert seen.playing != "music.wav" or not seen.played("nobody_free.wav", complete=True)


TestGoodbye = Goodbye.TestCase
TestThreeTries = ThreeTries.TestCase
TestTwoMisses = TwoMisses.TestCase
TestTwoPins = TwoPins.TestCase
TestFourChoices = FourChoices.TestCase
TestSlowBank = SlowBank.TestCase
TestOrder = Order.TestCase
TestQuietLog = QuietLog.TestCase
TestPayment = Payment.TestCase
TestOnHold = OnHold.TestCase
