"""Which Exotel is at the other end: a profile chooses among its documented, observed and disputed behaviours.

The defaults are a conformant Exotel as seen on real calls. ``breaks`` names the ordering rules that this one breaks on
purpose; all of them are soft rules, so a server has to survive each (exotel.md §9).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

from attrs import field, frozen, validators

from callflow.line.oddities import Oddity, Place
from callflow.wire.audio import RATES, AudioFormat, Coding
from callflow.wire.messages import MediaFormat

BREAKABLE = frozenset(f"R{number}" for number in (*range(1, 12), 13, 14))
"""Rules of Exotel's side that a profile may break. R12 is none to break: ``Telephone.drop`` uses it."""

EchoesClearedMarks = Literal["at once", "late", "never"]
Counters = Literal["str", "int", "absent"]
Spelling = Literal["snake", "camel"]
CloseAfterStop = Literal["abrupt", "clean"]


def _names(names: Iterable[str]) -> frozenset[str]:
    return frozenset(names)


@frozen(kw_only=True)
class Profile:
    """The behaviour of one Exotel. Two telephones with equal profiles and random sources behave alike."""

    echoes_cleared_marks: EchoesClearedMarks = field(
        default="at once", validator=validators.in_(("at once", "late", "never"))
    )
    """When marks come back whose audio a ``clear`` threw away. Not documented: a server must live with all (D25)."""
    late_by: float = field(default=1.0, validator=validators.ge(0))
    """Seconds from the ``clear`` to such an echo where it is ``late``; the same for any single mark that is."""
    frame_seconds: float = field(default=0.020, validator=validators.gt(0))
    """Length of one inbound ``media``; real calls have 20 ms, some pages say 100 ms (D16)."""
    counters_as: Counters = field(default="str", validator=validators.in_(("str", "int", "absent")))
    """How ``sequence_number``, ``chunk`` and ``timestamp`` are written, if at all (D2, D3, D4)."""
    spelling: Spelling = field(default="snake", validator=validators.in_(("snake", "camel")))
    """Names of fields (D6)."""
    encoding: str = "base64"
    """``media_format.encoding``. It does not decide the coding (exotel.md §6.2)."""
    sample_rate: int = field(default=RATES[0], validator=validators.in_(RATES))
    """Hertz, both ways."""
    coding: Coding = Coding.PCM16
    """How the samples really are written, both ways."""
    stop_text: str = "canceled or call ended"
    """``stop.reason``; the default is what three independent logs of real calls show (D22)."""
    close_after_stop: CloseAfterStop = field(default="abrupt", validator=validators.in_(("abrupt", "clean")))
    """``abrupt`` is 1006, the usual end of a real call; ``clean`` a close frame with 1000 (D23)."""
    handshake_seconds: float = field(default=10.0, validator=validators.gt(0))
    """Time from dialling to 101, for each attempt."""
    retries: int = field(default=1, validator=validators.ge(0))
    """Further attempts after a failed handshake."""
    keeps_sending_silence: bool = True
    """Whether ``media`` keeps coming while the caller says nothing. Real calls do; gaps of 9 s were seen as well."""
    silence_every: float = field(default=math.inf, validator=validators.gt(0))
    """Seconds from one frame of silence to the next where it does not keep coming; not at all by default."""
    one_way: bool = False
    """Whether this is a Stream applet: the caller is heard, but neither keys nor marks come, and nothing is played."""
    breaks: frozenset[str] = field(
        default=frozenset(), converter=_names, validator=validators.deep_iterable(validators.in_(BREAKABLE))
    )
    """Names of the rules that are broken on purpose, at drawn moments."""

    begins: Oddity | None = field(default=None)
    """What is odd about how its streams begin."""

    @begins.validator
    def _check_begins(self, attribute: object, begins: Oddity | None) -> None:
        if begins is not None and begins.place is not Place.BEGINNING:
            raise ValueError(f"begins is how a stream begins, which {begins.value} is not")

    @property
    def form(self) -> AudioFormat:
        """The format of the audio on the wire."""
        return AudioFormat(self.sample_rate, self.coding)

    @property
    def media_format(self) -> MediaFormat:
        """What ``start`` says of the audio; the bit rate is the useless text of real calls (D11)."""
        return MediaFormat(encoding=self.encoding, sample_rate=self.sample_rate, bit_rate="128kbps")


CONFORMANT = Profile()
"""Exotel as real calls show it, without a rule broken."""
