"""What tests are made with: the checkers that judge what happened, whoever made it happen."""

from callflow.testing.laws import Story
from callflow.testing.laws import check as check_call
from callflow.testing.rules import check as check_wire

__all__ = ["Story", "check_call", "check_wire"]
