"""``traffic``: whole sessions as Exotel would send them, for anybody's codec or handler, also one that is not callflow.

``conformant()`` draws sessions that keep Exotel's rules R1 to R14, in the spellings that real peers use; ``near()`` the
same with mistakes in it that real peers have made, and says which and where. A session is a value: texts with their
moments, and the message that each is. Nothing is sent before ``send`` is asked to.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import trio
from attrs import define, field, frozen
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from callflow.errors import MalformedMessage, NotAnswered
from callflow.flow.flow import Flow
from callflow.line.applets import PassthruRequest, StreamRecord, passthru
from callflow.line.dialling import Dial
from callflow.line.oddities import Oddity, Place, write
from callflow.line.profile import Counters, Profile, Spelling
from callflow.line.sender import Sender
from callflow.testing.reading import FRAME, read_flow
from callflow.testing.sending import Delivery, deliver
from callflow.testing.wirelog import Closed, OneWay, Opened, WireLog
from callflow.wire.audio import RATES, SMALLEST_CHUNK, AudioFormat, Coding
from callflow.wire.exotel import decode
from callflow.wire.messages import KEYS, Mark, Media, Message, Start

T = TypeVar("T")

MISTAKES = tuple(oddity for oddity in Oddity if oddity.place is not Place.BESIDE)
"""Those that a session can have in it."""

Mistake = Oddity
"""What a near-miss session may have in it. Scripts and the hunt have the same vocabulary."""

LATE = 3.0
"""Seconds that a late mark comes late; one of a real call did (exotel.md §6.5)."""

_NO_CLOSE_FRAME = 1006


class Layout(enum.Enum):
    """How JSON is laid out: all of it means the same."""

    COMPACT = "compact"
    BLANKS = "blanks"
    """With a blank behind each colon and comma."""
    SLASHES = "slashes"
    """With each slash escaped, as some writers of JSON do; base64 is full of them."""


# What is drawn.


@frozen(kw_only=True)
class Sent:
    """One frame of a session."""

    at: float
    """Seconds since the handshake."""
    content: str | bytes
    """Text; bytes where it is a binary frame."""
    message: Message | None
    """What it says; None if it is no message."""
    mistake: Oddity | None = None
    """The mistake that it is, or the first frame of."""


@frozen(kw_only=True)
class Asked:
    """One Passthru round a session."""

    at: float
    """Seconds since the handshake; negative before it."""
    request: PassthruRequest
    mistake: Oddity | None = None


@frozen(kw_only=True, repr=False)
class Session:
    """What Exotel does on one stream, from the handshake to the end of the connection."""

    frames: tuple[Sent, ...]
    closes_at: float
    """Seconds since the handshake to the end of the connection."""
    close_code: int
    """1000 for a close frame; 1006 for none, as most real calls end."""
    form: AudioFormat
    """Of the audio."""
    start: Start
    """Who calls whom."""
    one_way: bool = False
    """Whether it is a Stream applet's: no keys, no marks."""
    replies: tuple[tuple[float, Media | Mark], ...] = ()
    """What the server is taken to have sent, with its moments: the marks that are echoed, and audio before each."""
    requests: tuple[Asked, ...] = ()
    """The Passthrus before and after the stream, if there are any."""
    absent: tuple[Oddity, ...] = ()
    """Mistakes that are something which does not come, so that no frame has them."""

    def __repr__(self) -> str:
        """Write it as it was sent, a line a frame, with audio by its length."""
        asked = [f"{each.at:7.2f}  Passthru{_told(each.mistake)}" for each in self.requests]
        sent = [f"{each.at:7.2f}  {each.message or each.content!r}{_told(each.mistake)}" for each in self.frames]
        end = f"{self.closes_at:7.2f}  closed {self.close_code}" + "".join(map(_told, self.absent))
        return "\n".join([f"Session of {self.start.stream_sid}, {self.form.rate} Hz", *asked, *sent, end])

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Have Hypothesis print it so, too, and not all of its bytes."""
        for number, line in enumerate(repr(self).splitlines()):
            if number:
                printer.break_()
            printer.text(line)

    @property
    def texts(self) -> list[str | bytes]:
        """The frames' content, in order: what to feed to a codec."""
        return [frame.content for frame in self.frames]

    @property
    def messages(self) -> list[Message | None]:
        """What each of ``texts`` says; None where it is no message."""
        return [frame.message for frame in self.frames]

    @property
    def mistakes(self) -> list[tuple[Oddity, float]]:
        """Which mistakes it holds, with their moments. Of what does not come that is the end of the session."""
        held: list[Asked | Sent] = [*self.requests, *self.frames]
        found = [(each.mistake, each.at) for each in held if each.mistake is not None]
        return [*found, *((oddity, self.closes_at) for oddity in self.absent)]

    def conversation(self) -> list[tuple[float, Sent | Media | Mark]]:
        """Give the frames and what the server is taken to have sent between them, in order."""
        frames: list[tuple[float, Sent | Media | Mark]] = [(frame.at, frame) for frame in self.frames]
        return sorted([*frames, *self.replies], key=lambda each: each[0])  # at one moment Exotel is first

    def wire_log(self) -> WireLog:
        """Give it as a log that ``check_wire`` can judge."""
        log = WireLog(form=self.form)
        log.sent(0.0, Opened())
        if self.one_way:
            log.noted(0.0, OneWay())
        for at, what in self.conversation():
            put = log.arrived if isinstance(what, Sent) else log.sent
            put(at, what.content if isinstance(what, Sent) else what)
        log.arrived(self.closes_at, Closed(code=self.close_code, clean=self.close_code != _NO_CLOSE_FRAME))
        return log


def _told(mistake: Oddity | None) -> str:
    return "" if mistake is None else f"  <- {mistake.value}"


async def send(session: Session, dial: Dial) -> Delivery:
    """Send a session to a server, each frame at its moment, with its Passthrus; read all that the server sends.

    Args:
        session: What to send.
        dial: Opens a connection to the server.

    Returns:
        What the server sent, and how it closed the connection, if it did.

    Raises:
        NotAnswered: The handshake failed.

    Cancellation:
        The connection is gone; what was sent is unknown.
    """
    async with trio.open_nursery() as nursery:
        began = trio.current_time() + max((-asked.at for asked in session.requests), default=0.0)
        for asked in session.requests:
            nursery.start_soon(_ask, asked, began, dial)
        await trio.sleep_until(began)
        frames = [(frame.at, frame.content) for frame in session.frames]
        return await deliver(frames, dial, closes_at=session.closes_at, close_code=session.close_code)


async def _ask(asked: Asked, began: float, dial: Dial) -> None:
    await trio.sleep_until(began + asked.at)
    about = asked.request
    try:
        await passthru(
            dial,
            call_sid=about.call_sid,
            caller=about.caller,
            called=about.called,
            before=about.before,
            stream=about.stream,
        )
    except NotAnswered:
        return  # a server without a Passthru is none of this session's affair


# The strategies.


def conformant(flow: Flow[Any] | None = None, *, echoes: bool = True) -> SearchStrategy[Session]:
    """Give a strategy of sessions that keep Exotel's rules R1 to R14.

    Args:
        flow: What is called: its keys are pressed, its rate is the line's. Without one, any keys at any rate.
        echoes: Whether marks come back, which the server is taken to have sent (``Session.replies``). False for a
            server that sends marks of its own: nobody here could echo those.
    """
    return _sessions(flow, st.just(()), echoes=echoes)


def near(
    flow: Flow[Any] | None = None,
    mistakes: Collection[Oddity | str] | None = None,
    *,
    echoes: bool = True,
    most: int = 3,
) -> SearchStrategy[Session]:
    """Give a strategy of sessions that have mistakes in them: at least one, at most *most*.

    Args:
        flow: As for ``conformant``.
        mistakes: Which to draw from, as members or by their words, such as ``"bad-base64"``; all if None.
        echoes: As for ``conformant``. Mistakes about echoes come in any case.
        most: Mistakes of one session.

    Raises:
        ValueError: There is none of such a name, none at all, one that is beside a session, or *most* is none.
    """
    chosen = MISTAKES if mistakes is None else tuple(dict.fromkeys(map(Oddity, mistakes)))
    if beside := set(chosen) - set(MISTAKES):
        raise ValueError(f"{min(each.value for each in beside)} is beside a session, and no mistake in it")
    if not chosen or most < 1:
        raise ValueError("a near miss has a mistake in it; give at least one to choose from, and most=1 or more")
    drawn = st.lists(st.sampled_from(chosen), min_size=1, max_size=most, unique_by=_cannot_be_two)
    return _sessions(flow, drawn.map(tuple), echoes=echoes)


def _cannot_be_two(oddity: Oddity) -> object:
    """A stream begins in one way, ends in one, and is announced in one; the others may come together."""
    return oddity if oddity.place in (Place.STREAM, Place.ECHO) else oddity.place


class Draw(Protocol):
    """What Hypothesis hands to a composite strategy."""

    def __call__(self, strategy: SearchStrategy[T]) -> T: ...


def _sessions(
    flow: Flow[Any] | None, mistakes: SearchStrategy[tuple[Oddity, ...]], *, echoes: bool
) -> SearchStrategy[Session]:
    acts = _acts(flow, echoes=echoes)

    @st.composite
    def drawn(draw: Draw) -> Session:
        wrong = draw(mistakes)
        does: list[_Act | Oddity] = list(draw(st.lists(acts, max_size=6)))
        for oddity in wrong:
            if oddity.place in (Place.STREAM, Place.ECHO):
                does.insert(draw(st.integers(0, len(does))), oddity)
        begins = next((each for each in wrong if each.place is Place.BEGINNING), None)
        draft = _Draft(draw(_profiles(flow, begins)), draw(_starts), draw(st.sampled_from(Layout)))
        draft.begin()
        for act in does:
            draft.do(act)
        draft.end(next((each for each in wrong if each.place is Place.END), None), draw(_PAUSES))
        applets = next((each for each in wrong if each.place is Place.APPLET), None)
        return draft.session(announced=draw(st.booleans()), oddity=applets)

    return drawn()


# What a caller and Exotel do, drawn small: what is left out of it is the shortest session.


@frozen
class _Speak:
    """So many frames of audio."""

    frames: int
    loud: bool


@frozen
class _Pause:
    """Nothing comes for so many frames: up to 9 s were seen."""

    frames: int


@frozen
class _Press:
    keys: str
    held: int
    """Frames of each."""


@frozen
class _Echo:
    """The server is taken to have said something, and its mark comes back."""


_Act = _Speak | _Pause | _Press | _Echo

_PAUSES = st.integers(0, 20).map(lambda frames: frames * FRAME)


def _acts(flow: Flow[Any] | None, *, echoes: bool) -> SearchStrategy[_Act]:
    speak = st.builds(_Speak, st.integers(1, 10), st.booleans())
    pause = st.builds(_Pause, st.integers(1, 50) | st.integers(1, 450))
    if flow is not None and flow.one_way:
        return speak | pause
    press = st.builds(_Press, _keys(flow), st.integers(0, 10))
    return st.one_of(speak, press, pause, *([st.just(_Echo())] if echoes else []))


def _keys(flow: Flow[Any] | None) -> SearchStrategy[str]:
    """Keys that mean something to a flow, whole entries among them; and any others."""
    anything = st.text(KEYS, min_size=1, max_size=4)
    if flow is None:
        return anything
    states = read_flow(flow).states.values()
    meant = [keys for state in states for keys in (*state.keys, *(entry.digits for entry in state.entries)) if keys]
    return st.sampled_from(sorted(set(meant), key=lambda keys: (len(keys), keys))) | anything if meant else anything


# Who calls, and how it is written.

_SIDS = st.integers(36**31, 36**32 - 1).map(lambda number: _in_letters(number))  # noqa: PLW0108 - defined below


def _in_letters(number: int) -> str:
    """Write a number as 32 letters and digits, which is how real ids look (exotel.md §5)."""
    signs = []
    for _ in range(32):
        number, sign = divmod(number, 36)
        signs.append("0123456789abcdefghijklmnopqrstuvwxyz"[sign])
    return "".join(reversed(signs))


_starts = st.builds(
    Start,
    stream_sid=_SIDS,
    call_sid=_SIDS,
    account_sid=st.sampled_from(["acme1", "acme-2", "ACME_3"]),
    caller=st.sampled_from(["+910000000105", "00000000105"]),
    called=st.sampled_from(["00000000319", "+910000000319"]),
    parameters=st.dictionaries(st.sampled_from(["queuename", "lang", "Ref No"]), st.text(max_size=8), max_size=3),
)

_COUNTERS: tuple[Counters, ...] = ("str", "int", "absent")
_SPELLINGS: tuple[Spelling, ...] = ("snake", "camel")
_ENCODINGS: Mapping[Coding, Sequence[str]] = {
    Coding.PCM16: ("base64", "raw", "raw/slin", "audio/x-raw", "linear16", "audio/x-l16"),
    Coding.MULAW: ("audio/x-mulaw", "audio/x-mulaw;rate=8000"),
}
_STOP_TEXTS = ("canceled or call ended", "stopped", "callended", "caller_hangup", "")
_FRAME_SECONDS = (0.020, 0.100)


def _profiles(flow: Flow[Any] | None, begins: Oddity | None) -> SearchStrategy[Profile]:
    """Strategy of Exotels that keep every rule, in the spellings and formats that were seen (exotel.md §20)."""
    rates = st.sampled_from(RATES) if flow is None else st.just(flow.rate)
    codings = st.just(Coding.PCM16) if flow is not None else st.sampled_from([*[Coding.PCM16] * 4, Coding.MULAW])
    return codings.flatmap(
        lambda coding: st.builds(
            Profile,
            counters_as=st.sampled_from(_COUNTERS),
            spelling=st.sampled_from(_SPELLINGS),
            encoding=st.sampled_from(_ENCODINGS[coding]),
            sample_rate=rates,
            coding=st.just(coding),
            stop_text=st.sampled_from(_STOP_TEXTS),
            close_after_stop=st.sampled_from(("abrupt", "clean")),
            frame_seconds=st.sampled_from(_FRAME_SECONDS),
            one_way=st.just(flow is not None and flow.one_way),
            begins=st.just(begins),
        )
    )


# How it is put together.


class _Noting(Sender):
    """A sender that also keeps what it wrote: the text, and the message that it was made of."""

    def __init__(self, start: Start, profile: Profile) -> None:
        super().__init__(start, profile)
        self.wrote: dict[str, Message] = {}

    def write(self, message: Message) -> str:
        text = super().write(message)
        self.wrote[text] = message
        return text


@define
class _Draft:
    """A session while it is made."""

    profile: Profile
    start: Start
    layout: Layout
    now: float = 0.0
    frames: list[Sent] = field(factory=list)
    replies: list[tuple[float, Media | Mark]] = field(factory=list)
    absent: list[Oddity] = field(factory=list)
    _plays_until: float = 0.0
    _sender: _Noting = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._sender = _Noting(self.start, self.profile)

    def begin(self) -> None:
        oddity = self.profile.begins
        texts = self._sender.connected()
        if oddity is Oddity.NO_CONNECTED:
            self.absent.append(oddity)
        self._put(texts)
        texts = self._sender.start()
        place = -1 if oddity is Oddity.START_TWICE else 0
        for number, text in enumerate(texts):
            self._put([text], oddity if oddity not in self.absent and number == place % len(texts) else None)

    def do(self, act: _Act | Oddity) -> None:
        match act:
            case _Speak(frames=frames, loud=loud):
                for _ in range(frames):
                    self._speak(loud=loud)
            case _Pause(frames=frames):
                self._pass(frames * FRAME)
            case _Press(keys=keys, held=held):
                for key in keys:
                    self._pass(held * FRAME)
                    self._put(self._sender.dtmf(key, round(held * FRAME, 3)))
            case _Echo():
                self._put(self._sender.mark(self._answer()))
            case Oddity():
                self._err(act)

    def _speak(self, *, loud: bool) -> None:
        form = self.profile.form
        self._pass(self.profile.frame_seconds)
        size = form.size(self.profile.frame_seconds)
        audio = bytes(sample * 37 % 256 for sample in range(size)) if loud else form.silence(size)
        self._put(self._sender.media(audio, self.now))

    def _answer(self) -> str:
        """Have the server say something with a mark behind it; let it be played, and give the mark's name."""
        form = self.profile.form
        name = f"reply-{len(self.replies) // 2 + 1}"
        payload = form.silence(SMALLEST_CHUNK)
        self.replies += [(self.now, Media(payload=payload)), (self.now, Mark(name=name))]
        self._pass(math.ceil(form.seconds(len(payload)) / FRAME) * FRAME)
        return name

    def _err(self, oddity: Oddity) -> None:
        match oddity:
            case Oddity.LOST_MARK:
                self._answer()
                self.absent.append(oddity)
            case Oddity.LATE_MARK:
                name = self._answer()
                self._pass(LATE)
                self._put(self._sender.mark(name), oddity)
            case Oddity.MARK_AGAIN:
                self._sender.next_echo = oddity
                once, again = self._sender.mark(self._answer())
                self._put([once])
                self._put([again], oddity)
            case Oddity.MARKS_SWAPPED:
                self._sender.next_echo = oddity
                self._sender.mark(self._answer())
                later, earlier = self._sender.mark(self._answer())
                self._put([later])
                self._put([earlier], oddity)
            case _:
                self._put([write(oddity, self.start.stream_sid)], oddity)

    def end(self, oddity: Oddity | None, pause: float) -> None:
        if oddity is Oddity.NO_STOP:
            self.absent.append(oddity)
        else:
            for number, text in enumerate(self._sender.stop(again=oddity is Oddity.STOP_AGAIN)):
                self._put([text], oddity if number else None)
        self._pass(pause)

    def _pass(self, seconds: float) -> None:
        self.now = round(self.now + seconds, 3)

    def _put(self, texts: Sequence[str | bytes], mistake: Oddity | None = None) -> None:
        for text in texts:
            message = self._sender.wrote.get(text) if isinstance(text, str) else None
            self.frames.append(
                Sent(at=self.now, content=self._laid_out(text), message=message or _said(text), mistake=mistake)
            )

    def _laid_out(self, text: str | bytes) -> str | bytes:
        if isinstance(text, bytes) or self.layout is Layout.COMPACT:
            return text
        return text.replace("/", "\\/") if self.layout is Layout.SLASHES else _with_blanks(text)

    def session(self, *, announced: bool, oddity: Oddity | None) -> Session:
        return Session(
            frames=tuple(self.frames),
            closes_at=self.now,
            close_code=1000 if self.profile.close_after_stop == "clean" else _NO_CLOSE_FRAME,
            form=self.profile.form,
            start=self.start,
            one_way=self.profile.one_way,
            replies=tuple(self.replies),
            requests=tuple(self._requests(oddity)) if announced or oddity is not None else (),
            absent=(*self.absent, *([oddity] if oddity is Oddity.PASSTHRU_NEVER else [])),
        )

    def _requests(self, oddity: Oddity | None) -> list[Asked]:
        before = [Asked(at=-0.2, request=self._request(None))]
        match oddity:
            case Oddity.PASSTHRU_LATE:
                before = [Asked(at=round(self.now / 2, 3), request=self._request(None), mistake=oddity)]
            case Oddity.PASSTHRU_AGAIN:
                before.append(Asked(at=-0.1, request=self._request(None), mistake=oddity))
            case Oddity.PASSTHRU_NEVER:
                before = []
        record = StreamRecord(stream_sid=self.start.stream_sid, ended_by="caller", duration=self.now)
        return [*before, Asked(at=round(self.now + 0.2, 3), request=self._request(record))]

    def _request(self, stream: StreamRecord | None) -> PassthruRequest:
        return PassthruRequest(
            call_sid=self.start.call_sid,
            caller=self.start.caller,
            called=self.start.called,
            before=stream is None,
            stream=stream,
        )


def _said(text: str | bytes) -> Message | None:
    """Read a mistake as callflow does; what the page on the wire has of it is held against that by tests."""
    try:
        return decode(text)
    except MalformedMessage:
        return None


def _with_blanks(text: str) -> str:
    """Put a blank behind each colon and comma that stands outside of a string."""
    inside, written = False, []
    for place, sign in enumerate(text):
        if sign == '"' and not _is_escaped(text, place):
            inside = not inside
        written.append(sign + " " if sign in ":," and not inside else sign)
    return "".join(written)


def _is_escaped(text: str, place: int) -> bool:
    before = text[:place]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 1
