"""What a flow under test may not do: go outside of the test, or keep real time waiting.

There is no network in virtual time, and what is really out there must not be called hundreds of times. So while the
world moves every attempt to open a socket, to look up a name or to start a program is refused, by Python's audit hooks:
they see those of every library that is written in Python. What a library in C does on its own is not seen.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, SupportsIndex

from attrs import define, field

from callflow.errors import CallflowError
from callflow.testing import stepper
from callflow.testing.judging import shown
from callflow.testing.lawbook import Lawful
from callflow.testing.raised import is_users

PATIENCE = 5.0
"""Seconds of the processor that one step may take. An ordinary one takes a few thousandths."""

_DOUBLE = "give the flow a double of that service, by services= of a CallMachine"


class Refused(CallflowError, OSError):
    """What the flow's code gets that tries to go outside; its text says what, from where, and the cure."""


class TooBusy(BaseException):
    """What stops code that does not end. Not for the flow to catch."""


@define
class Watch:
    """What was tried while somebody watched."""

    state: Callable[[], str]
    """Tells which state the call is in."""
    words: str = ""
    """What was refused first; empty if nothing was."""
    law: str = ""
    """Name of what it is against."""
    busy: bool = False
    """Whether a step has taken too much of the processor."""
    _thread: int = field(factory=threading.get_ident, init=False)

    def refuse(self, law: str, what: str, cure: str) -> Refused:
        """Note an attempt, and make what its code gets."""
        words = f"{self.state() or 'the flow'} {what}{_place_now()}, {cure}"
        if not self.words:
            self.words, self.law = words, law
        return Refused(words)


INSIDE, VIRTUAL, TURN = "stays-inside", "waits-in-virtual-time", "ends-its-turn"

SENTENCES: Mapping[str, str] = {
    INSIDE: "Nothing of a flow under test goes outside: no socket, no look-up of a name, no other program.",
    VIRTUAL: "Whatever waits, waits as Trio does: nothing sleeps for real or works in a thread.",
    TURN: "Code that runs comes to an end or waits: nothing keeps the processor for itself.",
}
"""What is held against a flow here, by name. None of it can be switched off: nothing works without it."""


def unsettled(name: str) -> Lawful:
    """Give one of these as a law: nobody judges by it, since a call ends as soon as it is broken."""
    return Lawful(name=name, sentence=SENTENCES[name], rule="own", judge=lambda evidence: iter(()))


_watch: Watch | None = None
"""Who watches now. The hook of a process stays once it is there, and asks this."""
_is_hooked = False


@contextmanager
def watched(watch: Watch) -> Iterator[None]:
    """Refuse what goes outside, and stop what does not end, while the block runs; note it in *watch*."""
    global _watch, _is_hooked  # noqa: PLW0603  # a process has one audit hook, for ever
    if not _is_hooked:
        sys.addaudithook(_audit)
        _is_hooked = True
    before, _watch = _watch, watch
    sleep, time.sleep = time.sleep, _refuse_to_sleep
    try:
        with _alarm(watch):
            yield
    finally:
        _watch, time.sleep = before, sleep


# Outside.


def _address(where: object) -> str:
    match where:
        case (str(host) | bytes(host), int(port), *_):
            return f"{host if isinstance(host, str) else host.decode()}:{port}"
        case _:
            return str(where)


_ATTEMPTS: Mapping[str, Callable[[tuple[Any, ...]], str]] = {
    "socket.connect": lambda args: f"connects to {_address(args[1])}",
    "socket.sendto": lambda args: f"sends to {_address(args[1])}",
    "socket.getaddrinfo": lambda args: f"looks up {args[0]}:{args[1]}",
    "socket.gethostbyname": lambda args: f"looks up {args[0]}",
    "subprocess.Popen": lambda args: f"starts the program {_program(args)}",
    "os.posix_spawn": lambda args: f"starts the program {args[0]}",
    "os.system": lambda args: "runs a shell",
}
"""How what Python tells of an attempt is said, by its event."""


def _program(args: tuple[Any, ...]) -> str:
    words = args[1]
    return str(args[0] or (words if isinstance(words, str) else words[0]))


def _audit(event: str, args: tuple[Any, ...]) -> None:
    watch = _watch
    if watch is None or event not in _ATTEMPTS:
        return
    raise watch.refuse(INSIDE, _ATTEMPTS[event](args), f"which is refused: {_DOUBLE}")


# Time.


def _refuse_to_sleep(seconds: SupportsIndex | float) -> None:
    watch = _watch
    assert watch is not None
    cure = "and every call of a server waits with it: await trio.sleep(…) in run(), or name a state's timeout="
    raise watch.refuse(VIRTUAL, f"sleeps {float(seconds):g} s by time.sleep", cure)


@contextmanager
def _alarm(watch: Watch) -> Iterator[None]:
    """Stop what takes ``PATIENCE`` of the processor: where signals are had, and nobody else uses this one."""
    has_signal = hasattr(signal, "SIGPROF") and threading.current_thread() is threading.main_thread()
    if not has_signal or signal.getsignal(signal.SIGPROF) is not signal.SIG_DFL:
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        watch.busy = True
        if _users_frame(frame):  # never in the middle of Trio, which would not survive it
            cure = "and every call of a server waits: await something in the loop, or end it"
            watch.refuse(TURN, f"has kept the processor for {PATIENCE:g} s", cure)
            raise TooBusy

    before = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, PATIENCE, PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)


# Whose code it is.


def _users_frame(frame: FrameType | None) -> FrameType | None:
    """Find the innermost frame of the user's own above the one that turns the loop; who began all is not meant."""
    found = None
    while frame is not None:
        if frame.f_globals.get("__name__") == stepper.__name__:
            return found
        if found is None and is_users(frame.f_code.co_filename):
            found = frame
        frame = frame.f_back
    return None


def _place_now() -> str:
    frame = _users_frame(sys._getframe())
    return "" if frame is None else f" at {shown(Path(frame.f_code.co_filename))}:{frame.f_lineno}"
