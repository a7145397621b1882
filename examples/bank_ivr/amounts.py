"""Amounts of money as an Indian bank says them, in the words that prompts/ holds.

One style throughout: "one lakh twenty three thousand four hundred and fifty rupees and seventy five paise". Numbers go
by crore, lakh, thousand and hundred; how many crore is itself said so ("one lakh twenty thousand crore"). "And" stands
before a part below a hundred that closes a longer number, and between rupees and paise.
"""

from __future__ import annotations

SMALL = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    *("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
SCALES = ((10_000_000, "crore"), (100_000, "lakh"), (1_000, "thousand"), (100, "hundred"))

LIMIT = 10_000_000 * 10_000_000 * 100
"""Paise in a crore crore of rupees: from there on "crore" would have to be said twice."""


def rupees(paise: int) -> tuple[str, ...]:
    """Name the prompts that say an amount, in the order of playing.

    Args:
        paise: The amount, a hundredth of a rupee each; from 0 to below ``LIMIT``. What it means to owe is for the
            caller to say ("You are overdrawn by").

    Raises:
        ValueError: The amount is negative, or a crore crore of rupees or more.
    """
    return tuple(f"{word}.wav" for word in _spoken(paise))


def words(paise: int) -> str:
    """Write the amount as ``rupees`` says it; the same limits hold."""
    return " ".join(_spoken(paise))


def _spoken(paise: int) -> list[str]:
    if not 0 <= paise < LIMIT:
        # An account's balance is private, so the message does not show it.
        raise ValueError("an amount is spoken from 0 to below a crore crore of rupees; say the sign in a prompt")
    whole, rest = divmod(paise, 100)
    money = [*_number(whole), "rupee" if whole == 1 else "rupees"]
    change = [*_number(rest), "paisa" if rest == 1 else "paise"]
    if not rest:
        return money
    return [*money, "and", *change] if whole else change


def _number(number: int) -> list[str]:
    if number < 20:
        return [SMALL[number]]
    if number < 100:
        return [TENS[number // 10 - 2], *_rest(number % 10)]
    scale, name = next((scale, name) for scale, name in SCALES if scale <= number)
    many, rest = divmod(number, scale)
    return [*_number(many), name, *(["and"] if 0 < rest < 100 else []), *_rest(rest)]


def _rest(number: int) -> list[str]:
    return _number(number) if number else []
