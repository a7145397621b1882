"""The steps of a call script, and who calls whom: frozen values, as ``callflow.line.script`` reads and writes them."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import Factory, field, frozen

from callflow.line.oddities import Oddity
from callflow.line.profile import EchoesClearedMarks, Profile
from callflow.wire.audio import Coding

CALLER = "+910000000105"
"""Who rings where a script has no ``from``: a number that cannot exist."""

CALLED = "00000000319"
"""The number rung where a script has no ``to``."""


class Ending(enum.Enum):
    """How a prompt has to end for a ``hear`` line to hold."""

    COMPLETE = "complete"
    CUT = "cut"


class Act(enum.Enum):
    """What the caller did last, where a ``quiet`` line cares which."""

    KEYS = "keys"
    PLAY = "play"


class Ender(enum.Enum):
    """Who ended a call, as far as the line can tell."""

    FLOW = "flow"
    CALLER = "caller"


def _line() -> Any:
    """A step knows its line for messages; two scripts that say the same are equal wherever their lines stand."""
    return field(default=0, eq=False, kw_only=True)


@frozen
class Ring:
    """``ring``: Exotel asks the Passthru before the stream, then connects."""

    line: int = _line()


@frozen(kw_only=True)
class Hear:
    """``hear PROMPT``: the bot is heard to begin (or with an ending: to have finished) a prompt."""

    prompt: str
    """A prompt's file name without ``.wav``; or, with *spoken*, words that are said."""
    spoken: bool = False
    within: float | None = None
    """Seconds from the step's begin; the player's default if None."""
    at_least: float | None = None
    """Seconds of the prompt that have to be heard; of words that go over several prompts, of the last of them."""
    ending: Ending | None = None
    line: int = _line()


@frozen(kw_only=True)
class Press:
    """``keys 12#``: keys pressed as they are; their tones are recorded."""

    digits: str
    gap: float | None = None
    """Seconds from one key to the next."""
    line: int = _line()


@frozen(kw_only=True)
class Enter:
    """``type $pin`` or ``type 1234``: an entry. A named answer is a secret: never shown, never recorded."""

    answer: str = ""
    """Name of the answer; empty where the digits stand in the script."""
    digits: str = ""
    gap: float | None = None
    line: int = _line()


@frozen(kw_only=True)
class Play:
    """``play FILE.wav``: the caller says what is in a file, found beside the script."""

    file: str
    line: int = _line()


@frozen(kw_only=True)
class Wait:
    """``wait 2s``: the caller does nothing."""

    seconds: float
    line: int = _line()


@frozen(kw_only=True)
class Reach:
    """``state NAME``: the flow enters a state; needs callflow's own event feed."""

    name: str
    within: float | None = None
    line: int = _line()


@frozen(kw_only=True)
class Quiet:
    """``quiet within 0.3s``: what the bot was saying when the caller last did something stopped that soon."""

    within: float
    of: Act | None = None
    line: int = _line()


@frozen
class HangUp:
    """``hangup``: the caller hangs up."""

    line: int = _line()


@frozen
class Drop:
    """``drop``: the connection is reset, without a word."""

    line: int = _line()


@frozen
class Reconnect:
    """``reconnect``: Exotel comes back on another connection, with the same call and another stream."""

    line: int = _line()


@frozen
class TakeOver:
    """``takeover``: the same while the first connection is there and silent."""

    line: int = _line()


@frozen(kw_only=True)
class Ended:
    """``ended``: the call is over."""

    by: Ender | None = None
    within: float | None = None
    line: int = _line()


@frozen(kw_only=True)
class Branch:
    """``branch B``: the Passthru after the stream sends the call down this branch of Exotel's flow.

    Of another name than A and B, as in ``branch sales``, it is the Passthru whose URL asks for that branch.
    """

    name: str
    line: int = _line()


@frozen
class Deafen:
    """``deaf``: the connection goes half-open; from now on nothing is sent, read or answered on it."""

    line: int = _line()


@frozen(kw_only=True)
class Freeze:
    """``freeze 2s``: the connection stands still, both ways; then everything comes that was held up."""

    seconds: float
    line: int = _line()


@frozen
class HalfClose:
    """``halfclose``: Exotel's side of the connection ends without a word; what the server still sends is not taken."""

    line: int = _line()


@frozen(kw_only=True)
class SendOdd:
    """``odd KIND``: something is done that should not be, or that Exotel's pages disagree about."""

    oddity: Oddity
    line: int = _line()


class ServiceWay(enum.Enum):
    """How a service behind the flow behaves."""

    ANSWERS = "answers"
    FAILS = "fails"
    HANGS = "hangs"


@frozen(kw_only=True)
class Service:
    """``service NAME hangs``: from now on a service behind the flow behaves so. Only where its double is at hand."""

    name: str
    way: ServiceWay
    line: int = _line()


@frozen
class RingAgain:
    """``again``: another call of the same caller, when this one is over."""

    line: int = _line()


Step = (
    Ring | Hear | Press | Enter | Play | Wait | Reach | Quiet | HangUp | Drop | Reconnect | TakeOver
    | Deafen | Freeze | HalfClose | SendOdd | Service | RingAgain | Ended | Branch
)  # fmt: skip
"""Every kind of step."""

Expectation = Hear | Reach | Quiet | Ended | Branch
"""The steps that ask something of the bot; the others are what the caller does."""

ACTS: Mapping[type[Step], Act] = {Press: Act.KEYS, Enter: Act.KEYS, Play: Act.PLAY}
"""What a ``quiet`` line may be about."""

Trouble = Drop | HalfClose | Freeze | Deafen | Reconnect | TakeOver | SendOdd
"""The steps that are no doing of the caller's, but of the line and of Exotel."""


@frozen(kw_only=True)
class Fault:
    """``at 3s drop``: trouble that comes at a moment of the call, whatever the caller does then."""

    at: float
    """Seconds since the call was answered; of a caller who rings again, the first call."""
    step: Trouble | Service


@frozen(kw_only=True)
class Beside:
    """``beside 3s keys 1``: what another caller does at a moment of a call of their own, rung before the script's."""

    at: float
    """Seconds since that call was answered."""
    step: Press | HangUp


_ENCODINGS = {Coding.PCM16: "base64", Coding.MULAW: "audio/x-mulaw"}


class Network(enum.Enum):
    """How the network in memory hands bytes on."""

    SMOOTH = "smooth"
    SPLIT = "split"
    """Segments are cut at drawn places."""
    PARTIAL = "partial"
    """Sends are taken in drawn parts, and sometimes not at all."""
    ROUGH = "rough"
    """Both."""


@frozen(kw_only=True)
class Header:
    """Who calls whom, and over what kind of line."""

    caller: str = CALLER
    called: str = CALLED
    seed: int | None = None
    """Seed of every random choice of the line; None for another one each time."""
    lag: float = 0.0
    """Seconds that a message takes, each way."""
    echoes: EchoesClearedMarks = "at once"
    """When marks that a ``clear`` threw away come back; Exotel does not say (D25)."""
    rate: int = 8000
    """Hertz."""
    coding: Coding = Coding.PCM16
    one_way: bool = False
    """A Stream applet in place of a Voicebot."""
    breaks: frozenset[str] = frozenset()
    """Ordering rules that this Exotel breaks on purpose, such as ``R4``."""
    begins: Oddity | None = None
    """What is odd about how each stream of the call begins."""
    parameters: Mapping[str, str] = Factory(dict)
    flow: str | None = None
    """What was called, as on the command line: ``file.py:name``. For scripts that bring their flow along."""
    machine: str | None = None
    """The test machine that judges the call, and knows what stands behind the flow: ``test_file.py:Name``."""
    law: str | None = None
    """The law that this call once broke."""
    order: int | None = None
    """Seed of the order of tasks that are ready at once; only where the server runs along in virtual time."""
    network: Network = Network.SMOOTH
    faults: tuple[Fault, ...] = ()
    """What befalls the line, and the services behind the flow, by the clock."""
    beside: tuple[Beside, ...] = ()
    """What a second caller does, whose call has to be the same as without the script's; without any there is none."""

    @property
    def profile(self) -> Profile:
        """The line that these lines ask for."""
        return Profile(
            echoes_cleared_marks=self.echoes,
            sample_rate=self.rate,
            coding=self.coding,
            encoding=_ENCODINGS[self.coding],
            one_way=self.one_way,
            breaks=self.breaks,
            begins=self.begins,
        )


@frozen(kw_only=True)
class Script:
    """A parsed call script."""

    header: Header = Header()
    steps: tuple[Step, ...]
    path: Path | str = field(default="script.call", eq=False)
    """Where it was read from, for messages."""

    @property
    def before(self) -> tuple[Service, ...]:
        """The ``service`` lines that it begins with: they hold from before the call."""
        found: list[Service] = []
        for step in self.steps:
            if not isinstance(step, Service):
                break
            found.append(step)
        return tuple(found)

    @property
    def asks(self) -> bool:
        """Whether Exotel asks the Passthru before the stream."""
        return any(isinstance(step, Ring) for step in self.steps)

    @property
    def rest(self) -> tuple[Step, ...]:
        """The steps that are taken in the call."""
        return self.steps[len(self.before) + self.asks :]

    @property
    def answers(self) -> frozenset[str]:
        """Names of the answers that it types."""
        return frozenset(step.answer for step in self.steps if isinstance(step, Enter) and step.answer)
