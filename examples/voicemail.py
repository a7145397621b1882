"""A voicemail: leave a message, hear it, keep it or say it again. Hanging up keeps it, too.

``callflow serve examples/voicemail.py`` writes WAV files into ``messages`` where it is started.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

import trio
from attrs import define

from callflow import Call, EndedCall, Failed, Flow, Hangup, Menu, Prompt, Record, Recording, Say, State, key


@define
class Message:
    """What one caller has said."""

    said: Recording | None = None
    is_kept: bool = False


C = Call[Message]


@runtime_checkable
class Mailbox(Protocol):
    """Where messages are kept."""

    async def keep(self, call_sid: str, said: Recording) -> None:
        """Keep a message; the last one of a call counts."""


class Folder:
    """Keeps messages as WAV files, by the name of their call."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def keep(self, call_sid: str, said: Recording) -> None:
        await trio.to_thread.run_sync(said.save, self._path / f"{call_sid}.wav")


class Leave(Record[Message], prompt="greeting.wav", max_seconds=180.0, silence=6.0):
    def on_recorded(self, call: C, recording: Recording) -> Hear:
        call.data.said = recording
        return Hear()

    def on_recorded_hangup(self, call: EndedCall[Message], recording: Recording) -> None:
        call.data.said = recording

    def on_failed(self, call: C, why: Failed) -> NothingHeard:
        return NothingHeard()


class NothingHeard(Hangup[Message], prompt=("nothing_heard.wav", "goodbye.wav")): ...


class Hear(Say[Message]):
    def prompt_for(self, call: C) -> Prompt:
        assert call.data.said is not None, "only a message leads here"
        return ("here_it_is.wav", call.data.said)

    def then(self, call: C) -> Choose:
        return Choose()


class Choose(Menu[Message], prompt="keep_or_redo.wav", no_match="no_match.wav"):
    @key("1")
    def keep(self, call: C) -> Keep:
        return Keep()

    @key("2")
    def redo(self, call: C) -> Leave:
        return Leave()

    @key("3")
    def hear(self, call: C) -> Hear:
        return Hear()

    def on_failed(self, call: C, why: Failed) -> Keep:
        return Keep()


class Keep(State[Message], timeout=10.0):
    async def run(self, call: C) -> Kept:
        await keep(call)
        return Kept()

    def on_error(self, call: C, error: Exception) -> Bye:
        return Bye()

    def on_timeout(self, call: C) -> Bye:
        return Bye()


class Kept(Hangup[Message], prompt="kept.wav"): ...


class Bye(Hangup[Message], prompt="goodbye.wav"): ...


async def keep(call: C | EndedCall[Message]) -> None:
    """Keep the message, unless that was done; also called when the call is over."""
    message = call.data
    if message.said is not None and not message.is_kept:
        await call.get(Mailbox).keep(call.call_sid, message.said)
        message.is_kept = True


voicemail = Flow(
    "voicemail", start=Leave, data=Message, prompts="prompts/voicemail", provide=[Folder(Path("messages"))], after=keep
)
