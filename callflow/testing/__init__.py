"""What tests are made with: the checkers that judge what happened, whoever made it happen."""

from callflow.testing.rules import check as check_wire

__all__ = ["check_wire"]
