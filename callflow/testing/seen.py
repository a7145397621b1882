"""What a property of one's own may look at: what the call did so far, and what its caller heard."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, Literal, TypeVar

import trio
from attrs import frozen

from callflow.call.call import CallTask
from callflow.call.journal import Entry, Kind
from callflow.flow.facts import D
from callflow.flow.state import State
from callflow.line.telephone import Telephone
from callflow.session.inputs import EndCause
from callflow.testing.visits import longest_visit
from callflow.wire.messages import Dtmf

_COMPLETE = frozenset({"heard", "assumed"})
_OVER = frozenset({*_COMPLETE, "cut", "lost", "ended"})

M = TypeVar("M")


@frozen(repr=False)
class Seen(Generic[D]):
    """One call, between two steps of its caller. Everything is as of now; nothing of it may be changed."""

    call: CallTask
    telephone: Telephone
    log: Sequence[str] = ()
    """What the code behind the flow has logged since the example began, at ``INFO`` or above: the messages alone."""

    @property
    def data(self) -> D:
        """The call's data, as the flow has it."""
        engine: Any = self.call.engine
        data: D = engine.data
        return data

    @property
    def state(self) -> type[State[D]]:
        """The state that the call is in, or ended in."""
        engine: Any = self.call.engine
        return type(engine.state)

    @property
    def path(self) -> tuple[str, ...]:
        """Names of the states that were entered, in order."""
        return tuple(str(entry.details["state"]) for entry in self._entries(Kind.STATE, "entered"))

    def entered(self, state: type[State[Any]] | str) -> bool:
        """Say whether a state was entered at least once."""
        return _name(state) in self.path

    def took(self, state: str, handler: str, to: str) -> bool:
        """Say whether the call went along an edge, which is named by its states and what led there."""
        ways = (entry.details for entry in self._entries(Kind.STATE, "left"))
        return any((way["state"], way["by"], way["to"]) == (state, handler, to) for way in ways)

    def left(self, state: type[State[Any]] | str) -> tuple[str, ...]:
        """Give the names of the states that a state was left for, in order."""
        moves = (entry.details for entry in self._entries(Kind.STATE, "left"))
        return tuple(str(move["to"]) for move in moves if move["state"] == _name(state))

    def played(self, prompt: str, *, complete: bool = False) -> bool:
        """Say whether a prompt was played: begun, or with *complete* heard to its end.

        Args:
            prompt: Its file's name, ``"balance.wav"``; or words that are said.
            complete: Whether the caller has to have heard all of it.
        """
        wanted = _COMPLETE if complete else {"queued"}
        return any(_is_about(entry, prompt) for entry in self._entries(Kind.PLAYBACK, *wanted))

    def cut(self, prompt: str) -> bool:
        """Say whether a prompt was cut off."""
        return any(_is_about(entry, prompt) for entry in self._entries(Kind.PLAYBACK, "cut"))

    @property
    def playing(self) -> str:
        """What plays now: names of its prompts, with a blank between; empty if nothing does."""
        playing = ""
        for entry in self._entries(Kind.PLAYBACK, "queued", "resumed", "paused", *_OVER):
            if entry.what in ("queued", "resumed"):
                playing = str(entry.details["prompt"])
            elif entry.details["prompt"] == playing:
                playing = ""
        return playing

    @property
    def keys(self) -> str:
        """The keys that the caller pressed and the line carried, in order."""
        return "".join(key.digit for key in self.messages(Dtmf, "in"))

    def messages(self, kind: type[M], side: Literal["in", "out"]) -> list[M]:
        """Give what passed on the line, in order: ``in`` is what the server was sent.

        Args:
            kind: Of message: a class of ``callflow.wire.messages``.
            side: Which way.
        """
        passed = (entry.message for entry in self.telephone.log if entry.side == side)
        return [message for message in passed if isinstance(message, kind)]

    def taken(self, state: type[State[Any]] | str) -> str:
        """Give the keys that a state took, in order; each is ``•`` where they are secret."""
        taken = (entry.details for entry in self._entries(Kind.KEY, "taken"))
        return "".join(str(key["key"]) for key in taken if key["state"] == _name(state))

    def longest_in(self, state: type[State[Any]] | str) -> float:
        """Give the seconds of the longest visit to a state so far; the time without a line does not count."""
        journal = self.call.driver.journal
        return longest_visit(journal.entries, _name(state), trio.current_time() - (journal.began or 0.0))

    @property
    def ended(self) -> EndCause | None:
        """What ended the call; None while it lives."""
        return self.call.driver.session.cause

    @property
    def seconds(self) -> float:
        """How long the call has lasted."""
        return self.call.driver.seconds

    def _entries(self, kind: Kind, *what: str) -> Iterator[Entry]:
        return (entry for entry in self.call.driver.journal.entries if entry.kind is kind and entry.what in what)


def _name(state: type[State[Any]] | str) -> str:
    return state if isinstance(state, str) else state.__name__


def _is_about(entry: Entry, prompt: str) -> bool:
    """A playback of several prompts counts for each of them."""
    said = str(entry.details["prompt"])
    return prompt in (said, *said.split())


Check = TypeVar("Check", bound=Callable[..., Any])

WHEN = "_callflow_when"
"""Where a method says when it is checked."""


def always(check: Check) -> Check:
    """Check a method of a machine after every step: it asserts, or returns False where it does not hold."""
    return _marked(check, "always")


def sometimes(check: Check) -> Check:
    """Fail the run in which no example makes this method return True: what never happens was never tested."""
    return _marked(check, "sometimes")


def in_the_end(check: Check) -> Check:
    """Check a method of a machine once for each call, when it is over and nothing of it is left."""
    return _marked(check, "in the end")


def _marked(check: Check, when: str) -> Check:
    setattr(check, WHEN, when)
    return check


@functools.cache  # asked after every step
def checks_of(machine: type, when: str) -> tuple[str, ...]:
    """List the methods of a class that are checked at a time, those of bases first."""
    members = {name: value for base in reversed(machine.__mro__) for name, value in vars(base).items()}
    return tuple(name for name, value in members.items() if getattr(value, WHEN, None) == when)
