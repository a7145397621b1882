"""What a flow answers when a call is announced: ``Verdict`` to a Passthru, ``StreamTo`` to who asks for a URL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from attrs import Factory, field, frozen

from callflow.flow.branch import BranchStatus
from callflow.wire.audio import RATES
from callflow.wire.parameters import DEFAULT_RATE, RATE_NAMES, TOKEN_PARAMETER, write_parameters


@frozen
class Verdict:
    """Go on with branch A or B of Exotel's flow, and what to remember of the call until its stream comes."""

    status: BranchStatus = field(default=200)
    """200 takes branch A, 302 branch B."""
    data: Mapping[str, str] = Factory(dict)
    """Given to the call as ``call.passthru``, together with what Exotel sent."""

    @status.validator
    def _check_status(self, _: object, status: int) -> None:
        if status not in get_args(BranchStatus):
            raise ValueError(f"Verdict({status!r}); a Passthru has the branches 200 (A) and 302 (B)")


_RESERVED = (*RATE_NAMES, TOKEN_PARAMETER)


@frozen(kw_only=True)
class StreamTo:
    """Where Exotel connects the stream of a call to: what a flow answers for the applet's dynamic URL.

    Raises:
        ValueError: The parameters are more than a stream URL takes, or have a name that is not theirs.
    """

    flow: str | None = None
    """Another flow of the same server to answer the call; None for the one that was asked."""
    parameters: Mapping[str, str] = field(factory=dict)
    """Put into the URL, and given to the call as ``call.parameters``. Plain text to everyone on the path; at most three
    with ``sample-rate``, and 256 characters as written."""
    rate: int | None = field(default=None)
    """Sample rate to ask for, in hertz; the flow's own if None."""
    data: Mapping[str, str] = Factory(dict)
    """Given to the call as ``call.passthru``, together with what Exotel sent. It goes over no line."""

    def __attrs_post_init__(self) -> None:
        odd = [name for name in self.parameters if not name or name in _RESERVED]
        if odd:
            raise ValueError(f"StreamTo(parameters=…): {odd[0]!r} is no name for a parameter; say rate= for the rate")
        if self.rate is not None and self.rate not in RATES:
            raise ValueError(f"StreamTo(rate={self.rate!r}); Exotel knows {', '.join(map(str, RATES))}")
        write_parameters(self.parameters, self.rate or DEFAULT_RATE)
