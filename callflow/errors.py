"""Every exception that callflow raises. Imports nothing of ours, so that every floor may use it.

What a caller does is never an exception: hanging up, silence and wrong keys are events. The tree answers one
question, "who has to change something": Exotel (``RemoteProtocolError``), callflow itself (``LocalProtocolError``),
or the author of the flow (``FlowError``, ``AudioError``, ``SettingsError``).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class CallflowError(Exception):
    """The root of every exception of callflow's own."""


class ProtocolError(CallflowError):
    """One side broke the AgentStream protocol. Never raised itself: a subclass says which side."""


class RemoteProtocolError(ProtocolError):
    """The far end broke the protocol."""


class MalformedMessage(RemoteProtocolError):
    """What came is no AgentStream message. Holds the reason and the size, never the text (it may be personal)."""

    def __init__(self, reason: str, size: int) -> None:
        super().__init__(f"{reason} ({size} characters)")
        self.reason = reason
        """What is wrong, in words that hold nothing of the message itself."""
        self.size = size
        """Length of the message, in characters (bytes for a binary frame)."""


class LocalProtocolError(ProtocolError):
    """We asked the session for something that its state does not allow: a bug of callflow's."""

    def __init__(self, what: str, state: str) -> None:
        super().__init__(f"{what} is not allowed while the session is {state!r}")
        self.state = state
        """Name of the session state that refused."""


class CallEnded(CallflowError):
    """User code asked something of a call that is over."""

    def __init__(self, what: str, ended_by: str) -> None:
        super().__init__(f"{what}: the call is over (ended by {ended_by})")
        self.ended_by = ended_by
        """``caller``, ``flow``, ``network``, ``server`` or ``unknown``."""


class NotAnswered(CallflowError):
    """The server did not take the call, or did not answer a Passthru."""

    def __init__(self, what: str, status: int | None = None) -> None:
        super().__init__(what)
        self.status = status
        """HTTP status of the refusal, if there was one."""


class FlowError(CallflowError):
    """A flow is wrong; the author of its states has to change it."""


class FlowDefinitionError(FlowError, TypeError):
    """A state class or a ``Flow`` cannot be what it says. Raised when it is made, not when the first caller comes.

    The message has the class or method, what is wrong with it, and behind the first semicolon the cure.
    """

    def __init__(self, message: str, *, check: str = "definition", at: object = None) -> None:
        super().__init__(message)
        self.check = check
        """Name of the check that failed, such as ``unknown-target``; the page of checks has them all."""
        self.at = at
        """The class or function that has to change, where it is known."""
        self.others: tuple[FlowDefinitionError, ...] = ()
        """What else is wrong with the same flow: notes of this error, too, so that a traceback shows them."""

    def beside(self, others: Sequence[FlowDefinitionError]) -> FlowDefinitionError:
        """Take in what else was found; return itself."""
        self.others = tuple(others)
        for other in others:
            self.add_note(f"and {other}")
        return self


class UndeclaredMove(FlowError):
    """A handler returned a state that its return annotation does not name."""

    def __init__(self, handler: str, target: str, declared: str) -> None:
        super().__init__(
            f"{handler} returned {target}, but its annotation allows only {declared}; "
            f"add {target} to the return annotation of {handler}"
        )
        self.handler = handler
        """Qualified name of the handler, such as ``Welcome.balance``."""
        self.target = target
        """Name of the state class that it returned."""


class ServiceMissing(FlowError):
    """``call.get(T)`` was asked for a service that the flow does not provide."""


class AudioError(CallflowError, ValueError):
    """A prompt cannot be played: absent, unreadable, or not in the format of the line."""

    def __init__(self, path: Path | str, expected: str, found: str, cure: str) -> None:
        super().__init__(f"{path}: expected {expected}, found {found}; {cure}")
        self.path = path
        """The file, or the words that no file says."""
        self.expected = expected
        """What the line or the flow needs."""
        self.found = found
        """What is there."""
        self.cure = cure
        """What to do about it."""


class SettingsError(CallflowError, ValueError):
    """A setting is wrong. The message names the key, the value's fault and the cure."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{key}: {problem}")
        self.key = key
        """The setting's name, as in ``callflow.toml``."""


class ListenError(CallflowError, OSError):
    """A port cannot be had: taken, not allowed, or on no address of this machine."""

    def __init__(self, where: str, problem: str, cure: str) -> None:
        super().__init__(f"cannot listen on {where}: {problem}; {cure}")
        self.where = where
        """Address and port, or the descriptor that was handed down."""


class ScriptError(CallflowError, ValueError):
    """A line of a ``.call`` script cannot be read."""

    def __init__(self, path: Path | str, line: int, problem: str) -> None:
        super().__init__(f"{path}:{line}: {problem}")
        self.path = path
        """The script."""
        self.line = line
        """Line number, from 1."""
