"""Digits that nobody may read by accident: a PIN, a card number.

A ``Secret`` shows one dot for each digit wherever Python would print it: in f-strings, logs, tracebacks and the repr of
what holds it. How long an entry was is no secret (a call script carries it as well). The mask is a dot, not a star,
because a star is a key.
"""

from __future__ import annotations

import hmac
from typing import NoReturn, final

from callflow.wire.messages import KEYS

DOT = "•"
"""Stands for one digit that is not shown."""


def mask(digits: str) -> str:
    """Write a dot for each of *digits*."""
    return DOT * len(digits)


@final
class Secret:
    """The digits of a secret entry. ``reveal()`` is the only way to them.

    Two secrets are compared in constant time, and a secret never equals a string. It cannot be pickled, and JSON
    encoders refuse it: what has to be stored is revealed first, in a line that a reviewer can see.

    Raises:
        ValueError: There is a character that is no key; the message holds only how many characters there are.
    """

    # No attrs class: attrs.asdict, msgspec and rich look into those, and each would show the digits.
    __slots__ = ("_digits",)

    _digits: str

    def __init__(self, digits: str) -> None:
        if not set(digits) <= set(KEYS):
            raise ValueError(f"a secret holds keys ({KEYS}) and nothing else; {len(digits)} characters were given")
        object.__setattr__(self, "_digits", digits)

    def reveal(self) -> str:
        """Give the digits, for checking them and for nothing else."""
        return self._digits

    def __repr__(self) -> str:
        return mask(self._digits)

    def __format__(self, spec: str) -> str:
        return format(mask(self._digits), spec)

    def __len__(self) -> int:
        return len(self._digits)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._digits, other._digits)

    def __hash__(self) -> int:
        return hash((Secret, self._digits))

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a secret cannot be changed; make a new one")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a secret cannot be changed; make a new one")

    def __getstate__(self) -> NoReturn:  # every protocol of pickle asks for the state
        raise TypeError("a secret cannot be pickled; keep what its reveal() gives, if you must keep it")
