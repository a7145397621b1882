"""What tests of a flow are made with: a simulated caller, doubles, and the checkers that judge what happened."""

from callflow.testing.caller import Caller, NeedsVirtualTime, caller, run
from callflow.testing.failure import CallFailed
from callflow.testing.laws import Story
from callflow.testing.laws import check as check_call
from callflow.testing.rules import check as check_wire

__all__ = ["CallFailed", "Caller", "NeedsVirtualTime", "Story", "caller", "check_call", "check_wire", "run"]
