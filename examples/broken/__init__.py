"""Ten small flows with a bug in each, and beside them, in ``fixed``, the same ten without.

Every one of them passes ``callflow check`` and a first call by hand. ``diff examples/broken/NAME.py
examples/broken/fixed/NAME.py`` shows what was wrong; ``docs/tutorial/break-it.md`` shows how callflow finds it.
"""

from pathlib import Path

_EXAMPLES = Path(__file__).parent.parent

BANK = _EXAMPLES / "bank_ivr" / "prompts"
"""Prompts of the bank's line."""

QUEUE = _EXAMPLES / "prompts" / "queue"
"""Prompts of a waiting queue."""
