"""Words to write the story of a call with, and a small flow for it to be about."""

from __future__ import annotations

from typing import Any

import trio

from callflow import Call, CollectDigits, EndedCall, Failed, Flow, Hangup, Menu, Say, Secret, State, key
from callflow.call.journal import Entry, Kind
from callflow.flow.secret import DOT
from callflow.testing.laws import Story
from callflow.testing.wirelog import Side, WireLog
from callflow.wire.messages import Dtmf

C = Call[None]
Line = tuple[float, Kind, str, dict[str, Any]]


class Welcome(Say[None], prompt="hello.wav"):
    def then(self, call: C) -> Choose:
        return Choose()


class Superstate(Menu[None], prompt="menu.wav", first_digit=2.0):
    def on_failed(self, call: C, why: Failed) -> Bye:
        return Bye()

    @key("0")
    def help(self, call: C) -> Bye:
        return Bye()


class Choose(Superstate, prompt="menu.wav", first_digit=2.0):
    @key("1")
    def pin(self, call: C) -> Pin:
        return Pin()

    @key("2")
    def think(self, call: C) -> Think:
        return Think()

    @key("3")
    def wait(self, call: C) -> None:
        return None


class Pin(
    CollectDigits[None], prompt="pin.wav", length=2, first_digit=3.0, between_digits=1.0, total=10.0, resume="stay"
):
    def on_digits(self, call: C, digits: Secret) -> Think:
        return Think()

    def on_failed(self, call: C, why: Failed) -> Bye:
        return Bye()


class Think(State[None], timeout=5.0):
    async def run(self, call: C) -> Choose:
        await trio.sleep(1)
        return Choose()

    @key("*")
    def stop(self, call: C) -> Bye:
        return Bye()

    def on_timeout(self, call: C) -> Bye:
        return Bye()

    def on_hangup(self, call: EndedCall[None]) -> None:
        return None


class Bye(Hangup[None]):
    """The end."""


class Sorry(Hangup[None], prompt="sorry.wav"):
    """Where errors lead."""


FLOW = Flow("story", start=Welcome, error=Sorry)


# One line each.


def entered(at: float, state: str, visit: int) -> Line:
    return at, Kind.STATE, "entered", {"state": state, "visit": visit}


def inside(at: float, state: str, visit: int, within: str) -> Line:
    return at, Kind.STATE, "entered", {"state": state, "visit": visit, "within": within}


def left(at: float, state: str, by: str, to: str) -> Line:
    return at, Kind.STATE, "left", {"state": state, "by": by, "to": to}


def asked(at: float, state: str, handler: str) -> Line:
    return at, Kind.STATE, "asked", {"state": state, "handler": handler}


def stayed(at: float, state: str, by: str) -> Line:
    return at, Kind.STATE, "stayed", {"state": state, "by": by}


def returned(at: float, state: str, visit: int, to: str) -> Line:
    return at, Kind.STATE, "run returned", {"state": state, "visit": visit, "to": to}


def active(at: float, what: str, state: str, visit: int) -> Line:
    return at, Kind.STATE, f"activity {what}", {"state": state, "visit": visit, "activity": "watch"}


def queued(at: float, prompt: str, barge_in: str = "dtmf") -> Line:
    return at, Kind.PLAYBACK, "queued", {"prompt": prompt, "barge_in": barge_in}


def fate(at: float, prompt: str, what: str = "heard") -> Line:
    return at, Kind.PLAYBACK, what, {"prompt": prompt}


def pause(at: float, prompt: str, what: str = "paused") -> Line:
    return at, Kind.PLAYBACK, what, {"prompt": prompt}


def pressed(at: float) -> Line:
    return at, Kind.KEY, "pressed", {}


def taken(at: float, digit: str = DOT, state: str = "Choose") -> Line:
    return at, Kind.KEY, "taken", {"key": digit, "state": state}


def typed(at: float, what: str, **details: int) -> Line:
    return at, Kind.KEY, what, details


def due(at: float, state: str) -> Line:
    return at, Kind.TIMER, "due", {"state": state}


def link(at: float, what: str) -> Line:
    return at, Kind.LINK, what, {}


def over(at: float, cause: str = "stop") -> Line:
    return at, Kind.END, "over", {"cause": cause}


def ended(at: float) -> Line:
    return at, Kind.END, "ended", {"cause": "stop", "by": "unknown"}


def error(at: float, what: str = "ValueError", where: str = "Think.run", goes_to: str = "") -> Line:
    return at, Kind.ERROR, what, {"where": where, **({"next": goes_to} if goes_to else {})}


def moved(at: float, state: str, handler: str, to: str, visit: int) -> list[Line]:
    """A handler decides, and the call moves."""
    return [asked(at, state, handler), left(at, state, handler, to), entered(at, to, visit)]


def resumed(state: str, prompt: str) -> list[Line]:
    """The line is lost and comes back, and a state says its prompt."""
    lost, back = [link(2.2, "detached"), fate(2.2, prompt, "lost")], [link(2.4, "resumed")]
    heard = [asked(2.4, state, "on_resumed"), stayed(2.4, state, "on_resumed")]
    return [*lost, *back, *heard, (2.4, Kind.STATE, "resumed", {"state": state}), queued(2.4, prompt)]


WELCOME: list[Line] = [link(0.0, "accepted"), entered(0.0, "Welcome", 1)]
CHOOSE: list[Line] = [*WELCOME, *moved(1.0, "Welcome", "then", "Choose", 2)]
THINK: list[Line] = [*CHOOSE, pressed(2.0), taken(2.0, "2"), *moved(2.0, "Choose", "think", "Think", 3)]
END: list[Line] = [over(9.0), ended(9.0)]
TOLD: list[Line] = [over(2.5), asked(2.5, "Think", "on_hangup"), ended(2.5)]


def story(*lines: Line, keys: str = "") -> Story:
    """Tell a story; *keys* are those that came on the wire."""
    entries = [Entry(n, at, kind, what, details) for n, (at, kind, what, details) in enumerate(lines, 1)]
    wire = WireLog()
    for digit in keys:
        wire.arrived(0.0, Dtmf(digit=digit))
    assert not keys or list(wire.each(Side.IN, Dtmf))
    return Story(entries=entries, flow=FLOW, wire=[wire])
