"""Who gets what happens: the innermost level that wants it.

A sub-flow takes what the states inside of it leave, so the levels are asked from the innermost outwards.
"""

from __future__ import annotations

from collections.abc import Sequence

from callflow.call.driver import Driver
from callflow.call.journal import Kind
from callflow.call.level import Level, Next, Tell, with_hook
from callflow.call.mailbox import SpeechCame
from callflow.flow.conduct import WAIT, Wait
from callflow.flow.facts import LimitNear
from callflow.flow.marks import handler_of
from callflow.flow.state import choose
from callflow.wire.messages import Dtmf


def wants_key(levels: Sequence[Level], digit: str) -> Level | Tell | None:
    """Find who takes a key: a level for its conduct, a handler, or nobody.

    The innermost state is asked first. A question takes what fits it, and what does not fit only if no sub-flow around
    has a method for that key. ``on_dtmf`` gets what is left.
    """
    inner = levels[-1]
    if inner.conduct.takes_keys and inner.conduct.fits(digit):
        return inner
    for level in reversed(levels):
        if digit in level.state.choices():
            return _chosen(level, digit)
    if inner.conduct.takes_keys:
        return inner
    return next((Tell(level, "on_dtmf", (Dtmf(digit=digit),)) for level in with_hook(levels, "on_dtmf")), None)


def _chosen(level: Level, digit: str) -> Tell:
    chosen = choose(level.state, digit)
    return Tell(level, chosen.handler, chosen.args)


def wants_event(levels: Sequence[Level], event: object) -> Tell | None:
    """Find who takes a posted event: the innermost state with a method for its class."""
    for level in reversed(levels):
        if (handler := handler_of(type(level.state), event)) is not None:
            return Tell(level, handler, (event,))
    return None


def wants_timer(levels: Sequence[Level], name: str) -> Tell | None:
    """Find who takes the beat of a call's timer: the innermost state with ``on_timer``."""
    return next((Tell(level, "on_timer", (name,)) for level in with_hook(levels, "on_timer")), None)


def wants_speech(levels: Sequence[Level], event: SpeechCame) -> Next:
    """Find who takes the caller's voice: the state's conduct, and where that waits, a hook for it."""
    conduct, hook = levels[-1].conduct, "on_speech_ended" if event.ended else "on_speech"
    step = conduct.speech_ended(event.speech) if event.ended else conduct.speech_began(event.speech)
    level = next(with_hook(levels, hook), None)
    return step if level is None or not isinstance(step, Wait) else Tell(level, hook, (event.speech,))


def offer_event(levels: Sequence[Level], event: object, driver: Driver) -> Next:
    """Offer a posted event to whoever wants it, and write down who does."""
    tell = wants_event(levels, event)
    if tell is None and not isinstance(event, LimitNear):  # that one nobody posted
        driver.unwanted += 1
    return _noted("event", type(event).__name__, tell, driver)


def offer_beat(levels: Sequence[Level], name: str, driver: Driver) -> Next:
    """Offer the beat of a call's timer to whoever wants it, and write down who does."""
    tell = wants_timer(levels, name)
    driver.unwanted += tell is None
    return _noted("timer", name, tell, driver)


def _noted(what: str, name: str, tell: Tell | None, driver: Driver) -> Next:
    if tell is None:
        driver.note(Kind.EVENT, f"unwanted {what}", name=name)
        return WAIT
    driver.note(Kind.EVENT, what, name=name, state=tell.level.name)
    return tell
