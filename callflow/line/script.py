"""Call scripts: what a caller does and expects, one thing a line. Pure: text to steps and back.

The grammar is the table ``GRAMMAR``: one row a verb, read and written by the same slots. Its page is
``docs/reference/call-scripts.md``; the tests hold that page against the table and parse its examples. What a step
*does* stands in ``callflow.line.player``.
"""

from __future__ import annotations

import difflib
import enum
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol, TypeVar

from attrs import Factory, field, frozen

from callflow.errors import ScriptError
from callflow.line.profile import BREAKABLE, EchoesClearedMarks, Profile
from callflow.wire.audio import RATES, Coding
from callflow.wire.messages import KEYS

E = TypeVar("E", bound=enum.Enum)

LONGEST_WAIT = 3600.0
"""Seconds. Exotel ends a stream after 60 minutes (exotel.md §10), so nothing later can come."""

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


class Way(enum.Enum):
    """Where Exotel's own flow goes on after the stream."""

    A = "A"
    """The Passthru was answered 200."""
    B = "B"
    """It was answered 302."""


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


@frozen(kw_only=True)
class Ended:
    """``ended``: the call is over."""

    by: Ender | None = None
    within: float | None = None
    line: int = _line()


@frozen(kw_only=True)
class Branch:
    """``branch B``: the Passthru after the stream sends the call down this branch of Exotel's flow."""

    way: Way
    line: int = _line()


Step = Ring | Hear | Press | Enter | Play | Wait | Reach | Quiet | HangUp | Drop | Ended | Branch
"""Every kind of step."""

Expectation = Hear | Reach | Quiet | Ended | Branch
"""The steps that ask something of the bot; the others are what the caller does."""


_ENCODINGS = {Coding.PCM16: "base64", Coding.MULAW: "audio/x-mulaw"}


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
    breaks: frozenset[str] = frozenset()
    """Ordering rules that this Exotel breaks on purpose, such as ``R4``."""
    parameters: Mapping[str, str] = Factory(dict)

    @property
    def profile(self) -> Profile:
        """The line that these lines ask for."""
        return Profile(
            echoes_cleared_marks=self.echoes,
            sample_rate=self.rate,
            coding=self.coding,
            encoding=_ENCODINGS[self.coding],
            breaks=self.breaks,
        )


@frozen(kw_only=True)
class Script:
    """A parsed call script."""

    header: Header = Header()
    steps: tuple[Step, ...]
    path: Path | str = field(default="script.call", eq=False)
    """Where it was read from, for messages."""

    @property
    def answers(self) -> frozenset[str]:
        """Names of the answers that it types."""
        return frozenset(step.answer for step in self.steps if isinstance(step, Enter) and step.answer)


def parse(text: str, path: Path | str = "script.call") -> Script:
    """Read a script.

    Args:
        text: What the file holds.
        path: Where it stands, for messages.

    Raises:
        ScriptError: A line cannot be read; the message names it and ends with the cure.
    """
    draft = _Draft(path)
    for number, line in enumerate(re.split(r"\r?\n", text), 1):
        words = _Words(path, number, line)
        if words.more:
            draft.take(words)
    return draft.finish()


def render(script: Script) -> str:
    """Write a script so that ``parse`` reads the same again. Comments, and header lines that say the usual, go.

    Raises:
        ValueError: Words hold a quotation mark, which the grammar cannot write.
    """
    return "\n".join([*_header_lines(script.header), *map(render_step, script.steps)]) + "\n"


def render_step(step: Step) -> str:
    """Write one step as its line. Of a secret entry that is its name, so the line may be shown."""
    verb, slots = next((verb, slots) for verb, (kind, slots) in GRAMMAR.items() if isinstance(step, kind))
    return " ".join([verb, *(word for slot in slots for word in slot.write(step))])


class _Draft:
    """A script while it is read."""

    def __init__(self, path: Path | str) -> None:
        self._path = path
        self._header: dict[str, Any] = {}
        self._parameters: dict[str, str] = {}
        self._steps: list[Step] = []

    def take(self, words: _Words) -> None:
        verb = words.take("a verb")
        if verb in HEADER:
            self._set(verb, words)
        elif verb in GRAMMAR:
            self._add(verb, words)
        else:
            raise words.error(_unknown(verb))
        words.end()

    def _set(self, name: str, words: _Words) -> None:
        if self._steps:
            raise words.error(f"{name!r} is a header line; write it above the first step")
        slot = HEADER[name]
        words.form = f"{name} {slot.form}"
        for attribute, value in slot.read(words).items():
            known = self._parameters if name == "param" else self._header
            if attribute in known:
                raise words.error(f"{name!r} says this a second time; keep one of the two lines")
            known[attribute] = value

    def _add(self, verb: str, words: _Words) -> None:
        kind, slots = GRAMMAR[verb]
        words.form = form(verb)
        step = kind(**_read_slots(slots, words), line=words.number)
        problem = _misplaced(step, self._steps)
        if problem:
            raise words.error(problem)
        self._steps.append(step)

    def finish(self) -> Script:
        if not self._steps:
            raise ScriptError(self._path, 1, "no step stands here; the shortest script is one line: hangup")
        header = Header(parameters=self._parameters, **self._header)
        return Script(header=header, steps=tuple(self._steps), path=self._path)


def _read_slots(slots: Sequence[Slot], words: _Words) -> dict[str, Any]:
    """Read what has to stand there, in its order; then the options, in any."""
    options = [slot for slot in slots if slot.form.startswith("[")]
    values: dict[str, Any] = {}
    for slot in [*(slot for slot in slots if slot not in options), *options * len(options)]:
        found = slot.read(words)
        if found.keys() & values.keys():
            raise words.error(f"an option stands here twice; write: {words.form}")
        values.update(found)
    return values


ACTS: Mapping[type[Step], Act] = {Press: Act.KEYS, Enter: Act.KEYS, Play: Act.PLAY}
"""What a ``quiet`` line may be about."""


def _misplaced(step: Step, before: list[Step]) -> str:
    """Say why a step cannot stand after these and what to do about it, or nothing."""
    gone = next((earlier.line for earlier in before if isinstance(earlier, HangUp | Drop)), 0)
    acts = {ACTS[type(earlier)] for earlier in before if type(earlier) in ACTS}
    match step:
        case Ring() if before:
            return "'ring' begins a call; make it the first step"
        case Press() | Enter() | Play() | HangUp() | Drop() if gone:
            return f"the caller has gone in line {gone}; move that line below this one"
        case Quiet(of=act) if not acts or (act and act not in acts):
            done = "keys, type or play" if act is None else "keys or type" if act is Act.KEYS else "play"
            return f"the caller has done nothing that silences the bot; write {done} above it"
        case Branch() if not any(isinstance(earlier, HangUp | Drop | Ended) for earlier in before):
            return "a branch is chosen after the call; write hangup or ended above it"
    return ""


_NOT_YET = ("reconnect", "takeover")


def _unknown(verb: str) -> str:
    if verb in _NOT_YET:
        return f"{verb!r} is not yet there: resuming a call comes with reconnect support; leave the line out"
    if verb == "say":
        return "a script has no voice of its own; record the words and write: play FILE.wav"
    near = difflib.get_close_matches(verb, [*GRAMMAR, *HEADER], n=1)
    return f"no verb {verb!r}; " + (f"did you mean {near[0]!r}?" if near else f"the verbs are {', '.join(GRAMMAR)}")


# One line and its words.


@frozen
class _Word:
    text: str
    quoted: bool = False


_TOKEN = re.compile(r'"([^"]*)"|([^\s"]\S*)')
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s)?\Z")


class _Words:
    """The words of one line, taken from left to right."""

    def __init__(self, path: Path | str, number: int, line: str) -> None:
        self._path = path
        self.number = number
        self.form = ""
        """How the whole line has to look; told where something is missing or too much."""
        self._words = self._split(line)

    def _split(self, line: str) -> list[_Word]:
        rest, words = line.strip(), list[_Word]()
        while rest:
            # "#" is also a key: a comment has the line to itself, or a blank on both sides of its "#".
            if rest[0] == "#" and (not words or rest[1:2].isspace()):
                break
            found = _TOKEN.match(rest)
            if found is None:
                raise self.error('a quotation mark is left open; end the words with "')
            words.append(_Word(found[2]) if found[2] else _Word(found[1], quoted=True))
            rest = rest[found.end() :].lstrip()
        return words

    def error(self, problem: str) -> ScriptError:
        return ScriptError(self._path, self.number, problem)

    @property
    def more(self) -> bool:
        return bool(self._words)

    def take_word(self, what: str) -> _Word:
        """Take the next word, which has to be *what*."""
        if not self._words:
            raise self.error(f"{what} is missing; write: {self.form}")
        return self._words.pop(0)

    def take(self, what: str) -> str:
        return self.take_word(what).text

    def accept(self, text: str) -> bool:
        """Take the next word if it is this one."""
        found = self._words[:1] == [_Word(text)]
        del self._words[: int(found)]
        return found

    def take_all(self, what: str) -> list[str]:
        """Take every word that is left; at least one."""
        texts = [self.take(what)]
        while self._words:
            texts.append(self.take(what))
        return texts

    def next_begins(self, start: str) -> bool:
        return bool(self._words) and self._words[0].text.startswith(start)

    def end(self) -> None:
        if self._words:
            raise self.error(f"{self._words[0].text!r} is too much; write: {self.form}  # and a comment like this")

    def duration(self) -> float:
        text = self.take("a time")
        found = _DURATION.match(text)
        unit = found and (found[2] or next((u for u in ("s", "ms") if self.accept(u)), None))
        if not found or not unit:
            raise self.error(f"{text!r} is no time; write it like 2s, 0.3s or 300ms")
        seconds = float(Decimal(found[1]) / (1000 if unit == "ms" else 1))
        if seconds > LONGEST_WAIT:
            raise self.error(f"{text} is longer than a call can be; write at most {LONGEST_WAIT:g}s")
        return seconds


def duration(seconds: float) -> str:
    """Write a time as scripts and messages do: ``2s``, ``0.35s``."""
    return f"{Decimal(repr(float(seconds))):f}".removesuffix(".0") + "s"


# Slots: what can stand behind a verb, read into attributes and written from them.


class Slot(Protocol):
    """One place of a line."""

    @property
    def form(self) -> str:
        """How it looks on the grammar's page."""

    def read(self, words: _Words) -> Mapping[str, Any]:
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

    def read(self, words: _Words) -> Mapping[str, Any]:
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

    def read(self, words: _Words) -> Mapping[str, Any]:
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

    def read(self, words: _Words) -> Mapping[str, Any]:
        text = words.take(self.form)
        if not re.fullmatch(self.pattern, text):
            raise words.error(f"{text!r} is no {self.form}; write it like {self.example}")
        return {self.attribute: self.convert(text)}

    def write(self, step: Step | Header) -> Sequence[str]:
        value = getattr(step, self.attribute)
        return [] if value is None else [_word(str(value))]


@frozen
class _Prompt:
    form: str = '(PROMPT | "WORDS")'

    def read(self, words: _Words) -> Mapping[str, Any]:
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

    def read(self, words: _Words) -> Mapping[str, Any]:
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

    def read(self, words: _Words) -> Mapping[str, Any]:
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

    def read(self, words: _Words) -> Mapping[str, Any]:
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

    def read(self, words: _Words) -> Mapping[str, Any]:
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


_NUMBER, _WITHIN, _GAP = r"\+?[0-9]{2,15}", _Time("within", "within"), _Time("gap", "gap")

HEADER: Mapping[str, Slot] = {
    "from": _Text("caller", "NUMBER", _NUMBER, CALLER),
    "to": _Text("called", "NUMBER", _NUMBER, CALLED),
    "seed": _Text("seed", "INTEGER", r"[0-9]{1,18}", "7", int),
    "lag": _Time("lag", needed=True),
    "echoes": _Choice("echoes", {"yes": "at once", "late": "late", "no": "never"}, needed=True),
    "rate": _Choice("rate", {str(rate): rate for rate in RATES}, needed=True),
    "coding": _Choice("coding", _members(Coding), needed=True),
    "breaks": _Rules(),
    "param": _Parameter(),
}
"""The header lines: name of each, and what stands behind it. ``param`` may come several times."""

GRAMMAR: Mapping[str, tuple[type[Step], Sequence[Slot]]] = {
    "ring": (Ring, ()),
    "hear": (Hear, (_Prompt(), _WITHIN, _Choice("ending", _members(Ending)))),
    "keys": (Press, (_Keys(), _GAP)),
    "type": (Enter, (_Entry(), _GAP)),
    "play": (Play, (_Text("file", "FILE.wav", r".+\.wav", "hello.wav"),)),
    "wait": (Wait, (_Time("seconds", needed=True),)),
    "state": (Reach, (_Text("name", "STATE", r"[^\W\d]\w*", "Menu"), _WITHIN)),
    "quiet": (Quiet, (_Time("within", "within", needed=True), _Choice("of", _members(Act), "of"))),
    "hangup": (HangUp, ()),
    "drop": (Drop, ()),
    "ended": (Ended, (_Choice("by", _members(Ender), "by"), _WITHIN)),
    "branch": (Branch, (_Choice("way", _members(Way), needed=True),)),
}
"""The verbs: the step that each makes, and what stands behind it, in order."""


def form(verb: str) -> str:
    """Write how a line of *verb* looks, as on the grammar's page."""
    return " ".join([verb, *(slot.form for slot in GRAMMAR[verb][1])])


def _header_lines(header: Header) -> list[str]:
    usual = Header()
    unusual = {name: slot for name, slot in HEADER.items() if slot.write(header) != slot.write(usual)}
    return [f"{name} {text}" for name, slot in unusual.items() for text in slot.write(header)]
