"""The grammar of call scripts: one row a verb, read and written by the same slots.

A slot is what can stand behind a verb: read into attributes of a step, and written from them. The grammar's page is
``docs/reference/call-scripts.md``; the tests hold that page against these tables and parse its examples.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

from attrs import frozen

from callflow.line.oddities import BEGINNINGS, STEPS, Oddity, Place
from callflow.line.profile import BREAKABLE
from callflow.line.steps import (
    CALLED,
    CALLER,
    Act,
    Beside,
    Branch,
    Deafen,
    Drop,
    Ended,
    Ender,
    Ending,
    Enter,
    Fault,
    Freeze,
    HalfClose,
    HangUp,
    Header,
    Hear,
    Network,
    Play,
    Press,
    Quiet,
    Reach,
    Reconnect,
    Ring,
    RingAgain,
    SendOdd,
    Service,
    ServiceWay,
    Step,
    TakeOver,
    Wait,
)
from callflow.line.words import Words, duration
from callflow.wire.audio import RATES, Coding
from callflow.wire.messages import KEYS

E = TypeVar("E", bound=enum.Enum)


class Slot(Protocol):
    """One place of a line."""

    @property
    def form(self) -> str:
        """How it looks on the grammar's page."""

    def read(self, words: Words) -> Mapping[str, Any]:
        """Take its words; return the attributes that they set, none for an option that is not there."""

    def write(self, step: Step | Header) -> Sequence[str]:
        """Give the words back."""


@frozen
class _Time:
    attribute: str
    word: str = ""
    needed: bool = False

    @property
    def form(self) -> str:
        time = f"{self.word} TIME".strip()
        return time if self.needed else f"[{time}]"

    def read(self, words: Words) -> Mapping[str, Any]:
        if not self.word or words.accept(self.word):
            return {self.attribute: words.duration()}
        if self.needed:
            raise words.error(f"{self.word!r} is missing; write: {words.form}")
        return {}

    def write(self, step: Step | Header) -> Sequence[str]:
        seconds = getattr(step, self.attribute)
        return [] if seconds is None else [*self.word.split(), duration(seconds)]


@frozen
class _Choice:
    attribute: str
    choices: Mapping[str, Any]
    word: str = ""
    needed: bool = False

    @property
    def form(self) -> str:
        choices = " | ".join(f"{self.word} {choice}".strip() for choice in self.choices)
        return f"({choices})" if self.needed else f"[{choices}]"

    def read(self, words: Words) -> Mapping[str, Any]:
        if self.word and not words.accept(self.word):
            return {}
        chosen = next((choice for choice in self.choices if words.accept(choice)), None)
        if chosen is not None:
            return {self.attribute: self.choices[chosen]}
        if self.needed or self.word:
            raise words.error(f"{' or '.join(self.choices)} has to stand here; write: {words.form}")
        return {}

    def write(self, step: Step | Header) -> Sequence[str]:
        value = getattr(step, self.attribute)
        return [*self.word.split(), next(c for c, v in self.choices.items() if v == value)] if value is not None else []


def _members(kind: type[E]) -> Mapping[str, E]:
    return {str(member.value): member for member in kind}


@frozen
class _Text:
    attribute: str
    form: str
    pattern: str
    example: str
    convert: type[str] | type[int] = str

    def read(self, words: Words) -> Mapping[str, Any]:
        text = words.take(self.form)
        if not re.fullmatch(self.pattern, text):
            raise words.error(f"{text!r} is no {self.form}; write it like {self.example}")
        return {self.attribute: self.convert(text)}

    def write(self, step: Step | Header) -> Sequence[str]:
        value = getattr(step, self.attribute)
        return [] if value is None else [_word(str(value))]


@frozen
class _Kind:
    attribute: str
    form: str
    kinds: Mapping[str, enum.Enum]

    def read(self, words: Words) -> Mapping[str, Any]:
        text = words.take(self.form)
        if text not in self.kinds:
            raise words.error(f"{text!r} is no {self.form}; there are {', '.join(self.kinds)}")
        return {self.attribute: self.kinds[text]}

    def write(self, step: Step | Header) -> Sequence[str]:
        value = getattr(step, self.attribute)
        return [] if value is None else [value.value]


@frozen
class _Prompt:
    form: str = '(PROMPT | "WORDS")'

    def read(self, words: Words) -> Mapping[str, Any]:
        prompt = words.take_word("a prompt")
        if prompt.quoted and not prompt.text.strip():
            raise words.error('no words stand between the quotation marks; write them like "PIN"')
        if not prompt.quoted and not re.fullmatch(r"[\w./-]+", prompt.text):
            raise words.error(f'{prompt.text!r} is no file name; write words in quotation marks: "{prompt.text}"')
        return {"prompt": prompt.text if prompt.quoted else prompt.text.removesuffix(".wav"), "spoken": prompt.quoted}

    def write(self, step: Step | Header) -> Sequence[str]:
        assert isinstance(step, Hear)
        return [_quoted(step.prompt) if step.spoken else step.prompt]


@frozen
class _Keys:
    form: str = "KEYS"

    def read(self, words: Words) -> Mapping[str, Any]:
        keys = words.take(self.form)
        if keys.startswith("$"):
            raise words.error(f"keys are shown and recorded; write: type {keys}")
        if not keys or set(keys) - set(KEYS):
            raise words.error(f"{keys!r} has to hold keys 0-9 * # and nothing else; leave the rest out")
        return {"digits": keys}

    def write(self, step: Step | Header) -> Sequence[str]:
        assert isinstance(step, Press | Enter)
        return [_quoted(step.digits) if step.digits == "#" else step.digits]  # a lone "#" may look like a comment


@frozen
class _Entry:
    form: str = "($ANSWER | KEYS)"

    def read(self, words: Words) -> Mapping[str, Any]:
        if not words.next_begins("$"):
            return _Keys().read(words)
        answer = words.take("an answer")
        if not re.fullmatch(r"\$[A-Za-z_][A-Za-z0-9_]*", answer):
            raise words.error(f"{answer!r} is no name of an answer; write it like $pin")
        return {"answer": answer[1:]}

    def write(self, step: Step | Header) -> Sequence[str]:
        assert isinstance(step, Enter)
        return [f"${step.answer}"] if step.answer else _Keys().write(step)


@frozen
class _Parameter:
    form: str = "NAME=VALUE"

    def read(self, words: Words) -> Mapping[str, Any]:
        name, equals, value = words.take(self.form).partition("=")
        if not equals or not re.fullmatch(r"[\w.-]+", name):
            raise words.error("a parameter is written name=value, without blanks round the '='")
        return {name: value}

    def write(self, step: Step | Header) -> Sequence[str]:
        assert isinstance(step, Header)
        return [_word(f"{name}={value}") for name, value in step.parameters.items()]


@frozen
class _Rules:
    form: str = "RULE {RULE}"

    def read(self, words: Words) -> Mapping[str, Any]:
        rules = frozenset(words.take_all("a rule"))
        if rules - BREAKABLE:
            raise words.error(f"{min(rules - BREAKABLE)!r} is no rule that Exotel's side may break; write it like R4")
        return {"breaks": rules}

    def write(self, step: Step | Header) -> Sequence[str]:
        assert isinstance(step, Header)
        return [" ".join(sorted(step.breaks))]


def _word(text: str) -> str:
    """Write a word, in quotation marks where it would be read as something else."""
    return text if re.fullmatch(r'[^\s"#]\S*', text) else _quoted(text)


def _quoted(text: str) -> str:
    if '"' in text:
        raise ValueError(f"a script cannot write a quotation mark: {text!r}")
    return f'"{text}"'


TROUBLES = ("drop", "reconnect", "takeover", "deaf", "freeze", "halfclose", "odd", "service")
"""The verbs of what can befall a line at a moment."""


@frozen
class _Faults:
    form: str = "TIME STEP"

    def read(self, words: Words) -> Mapping[str, Any]:
        at = words.duration()
        verb = words.take("STEP")
        if verb not in TROUBLES:
            raise words.error(f"{verb!r} is nothing that befalls a line; there are {', '.join(TROUBLES)}")
        kind, slots = GRAMMAR[verb]
        words.form = f"at TIME {form(verb)}"
        values: dict[str, Any] = {}
        for slot in slots:
            values.update(slot.read(words))
        if isinstance(values.get("oddity"), Oddity) and values["oddity"].place is Place.APPLET:
            raise words.error("what Exotel asks over HTTP befalls no line; write it as a step")
        return {"faults": [Fault(at=at, step=kind(**values))]}  # type: ignore[arg-type]  # one of TROUBLES

    def write(self, step: Step | Header) -> Sequence[str]:
        assert isinstance(step, Header)
        return [f"{duration(fault.at)} {render_step(fault.step)}" for fault in step.faults]


@frozen
class _Beside:
    form: str = "TIME (keys KEYS | hangup)"

    def read(self, words: Words) -> Mapping[str, Any]:
        at = words.duration()
        if words.accept("hangup"):
            return {"beside": [Beside(at=at, step=HangUp())]}
        if not words.accept("keys"):
            raise words.error(f"keys or hangup has to stand here; write: {words.form}")
        return {"beside": [Beside(at=at, step=Press(**_Keys().read(words)))]}

    def write(self, step: Step | Header) -> Sequence[str]:
        assert isinstance(step, Header)
        return [f"{duration(each.at)} {render_step(each.step)}" for each in step.beside]


_NUMBER, _WITHIN, _GAP = r"\+?[0-9]{2,15}", _Time("within", "within"), _Time("gap", "gap")
_FOR = _Time("at_least", "for")

HEADER: Mapping[str, Slot] = {
    "from": _Text("caller", "NUMBER", _NUMBER, CALLER),
    "to": _Text("called", "NUMBER", _NUMBER, CALLED),
    "seed": _Text("seed", "INTEGER", r"[0-9]{1,18}", "7", int),
    "lag": _Time("lag", needed=True),
    "echoes": _Choice("echoes", {"yes": "at once", "late": "late", "no": "never"}, needed=True),
    "rate": _Choice("rate", {str(rate): rate for rate in RATES}, needed=True),
    "coding": _Choice("coding", _members(Coding), needed=True),
    "oneway": _Choice("one_way", {"yes": True, "no": False}, needed=True),
    "breaks": _Rules(),
    "begins": _Kind("begins", "BEGINNING", BEGINNINGS),
    "param": _Parameter(),
    "flow": _Text("flow", "FLOW", r".+", "ivr.py:bank_ivr"),
    "machine": _Text("machine", "MACHINE", r".+", "test_ivr.py:BankLine"),
    "law": _Text("law", "LAW", r"[\w-]+", "clear-flushes"),
    "order": _Text("order", "INTEGER", r"[0-9]{1,18}", "7", int),
    "network": _Choice("network", _members(Network), needed=True),
    "at": _Faults(),
    "beside": _Beside(),
}
"""The header lines, with what stands behind each. ``param``, ``at`` and ``beside`` may come several times."""

GRAMMAR: Mapping[str, tuple[type[Step], Sequence[Slot]]] = {
    "ring": (Ring, ()),
    "hear": (Hear, (_Prompt(), _FOR, _WITHIN, _Choice("ending", _members(Ending)))),
    "keys": (Press, (_Keys(), _GAP)),
    "type": (Enter, (_Entry(), _GAP)),
    "play": (Play, (_Text("file", "FILE.wav", r".+\.wav", "hello.wav"),)),
    "wait": (Wait, (_Time("seconds", needed=True),)),
    "state": (Reach, (_Text("name", "STATE", r"[^\W\d]\w*", "Menu"), _WITHIN)),
    "quiet": (Quiet, (_Time("within", "within", needed=True), _Choice("of", _members(Act), "of"))),
    "hangup": (HangUp, ()),
    "drop": (Drop, ()),
    "reconnect": (Reconnect, ()),
    "takeover": (TakeOver, ()),
    "deaf": (Deafen, ()),
    "freeze": (Freeze, (_Time("seconds", needed=True),)),
    "halfclose": (HalfClose, ()),
    "odd": (SendOdd, (_Kind("oddity", "ODDITY", STEPS),)),
    "service": (
        Service,
        (_Text("name", "SERVICE", r"[^\W\d]\w*", "Bank"), _Choice("way", _members(ServiceWay), needed=True)),
    ),
    "again": (RingAgain, ()),
    "ended": (Ended, (_Choice("by", _members(Ender), "by"), _WITHIN)),
    "branch": (Branch, (_Text("name", "BRANCH", r"[A-Za-z0-9][\w-]{0,31}", "B, or sales"),)),
}
"""The verbs: the step that each makes, and what stands behind it, in order."""


def form(verb: str) -> str:
    """Write how a line of *verb* looks, as on the grammar's page."""
    return " ".join([verb, *(slot.form for slot in GRAMMAR[verb][1])])


def render_step(step: Step) -> str:
    """Write one step as its line. Of a secret entry that is its name, so the line may be shown."""
    verb, slots = next((verb, slots) for verb, (kind, slots) in GRAMMAR.items() if isinstance(step, kind))
    return " ".join([verb, *(word for slot in slots for word in slot.write(step))])
