"""``callflow call SCRIPT``: be a caller with a script, print the call, save it as a stereo WAV."""

from __future__ import annotations

import difflib
import ipaddress
import secrets
import signal
import ssl
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from random import Random
from urllib.parse import unquote, urlsplit

import trio
from attrs import Factory, define, field, frozen

from callflow.errors import AudioError, NotAnswered, ScriptError, SettingsError
from callflow.line.applets import passthru
from callflow.line.dialling import Dial, dial_socket, dial_tls
from callflow.line.feed import EventFeed
from callflow.line.placing import place_call
from callflow.line.player import Surroundings, check_answers, play_script, read_sounds
from callflow.line.recognise import Prompt, Recogniser, read_prompts
from callflow.line.recording import write_stereo
from callflow.line.script_files import read_answers, read_script
from callflow.line.steps import Hear, Ring, Script
from callflow.line.telephone import Telephone
from callflow.line.transcript import Conversation, Result, Teller, as_json, summary
from callflow.wire.audio import Coding

EXAMPLE_CALLS = Path(__file__).resolve().parents[2] / "examples" / "bank_ivr" / "calls"
"""Where a script's bare name is looked for after the current folder: the calls of the example line."""

HOLDS, FAILED, WRONG, INTERRUPTED = 0, 1, 2, 130
"""Exit codes: every line holds; one does not, or nothing answers; the order itself is wrong; Ctrl-C."""

_MULAW, _PCM = "8-bit µ-law", "16-bit"


async def call(
    script: Path,
    /,
    *,
    url: str = "ws://127.0.0.1:8080/stream",
    prompts: Path | None = None,
    answer: list[str] | None = None,
    ca: Path | None = None,
    wav: Path | None = None,
    json: bool = False,
) -> int:
    """Call a bot as a script says, print the call, and save it as a stereo WAV.

    The exit code is 0 if every line of the script holds, 1 if one does not or nothing answers, 2 if the script or an
    option is wrong.

    Args:
        script: A file, or the name of one without .call, here or among the example's calls.
        url: Where the bot answers: ws://[key:token@]host:port/path, or wss:// for TLS.
        prompts: Folder of the bot's prompts; the folder "prompts" beside the script or beside its folder unless given.
        answer: What "type $name" types, as name=digits; may be given several times.
        ca: PEM file of the certificates to trust with wss://; those of this machine unless given.
        wav: Where to save the recording; calls/CALL_SID.wav unless given.
        json: Print one JSON object a step and a last one for the call.
    """
    try:
        order = make_order(script, url=url, prompts=prompts, answers=answer or [], wav=wav, json=json)
        dial = dial_to(order.target, ca)
    except (ScriptError, AudioError, SettingsError) as wrong:
        print(f"callflow call: {wrong}", file=sys.stderr)
        return WRONG
    return await carry_out(order, dial)


def dial_to(target: Target, ca: Path | None) -> Dial:
    """Make what opens connections to a bot.

    Raises:
        SettingsError: *ca* holds no certificate, or the address does not ask for TLS.
    """
    if not target.is_secure:
        if ca is not None:
            raise SettingsError("--ca", "nothing is trusted without TLS; give an address with wss:// in --url")
        return partial(dial_socket, target.host, target.port)
    try:
        context = ssl.create_default_context(cafile=ca)
    except OSError as broken:  # ssl's own errors are such, too
        problem = f"{ca} holds no certificate that can be read ({broken.strerror or broken})"
        raise SettingsError("--ca", f"{problem}; name a PEM file") from broken
    return partial(dial_tls, target.host, target.port, context)


# The order: everything is read and checked before the first ring.


@frozen(kw_only=True)
class Target:
    """Where the bot answers."""

    host: str
    port: int
    path: str
    """With its query, if it has one."""
    is_secure: bool = False
    """Whether to speak TLS."""
    credentials: str | None = None
    """``key:token``, where the address has them."""

    @property
    def authority(self) -> str:
        """Host and port as a ``Host`` header has them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def passthru_path(self) -> str:
        """Where the Passthru of a stream at this path is: /passthru, with the flow's name if the stream has one."""
        _, stream, *name = self.path.partition("?")[0].split("/")
        return "/".join(["/passthru", *name[:1]]) if stream == "stream" else "/passthru"

    @property
    def is_here(self) -> bool:
        """Whether the bot runs on this machine."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def __str__(self) -> str:
        return f"{'wss' if self.is_secure else 'ws'}://{self.authority}{self.path}"


@frozen(kw_only=True)
class Order:
    """A call to be made."""

    script: Script
    target: Target
    prompts: Sequence[Prompt]
    answers: Mapping[str, str] = field(repr=False)
    wav: Path
    call_sid: str
    json: bool = False


def make_order(
    script: Path,
    *,
    url: str,
    prompts: Path | None = None,
    answers: Sequence[str] = (),
    wav: Path | None = None,
    json: bool = False,
) -> Order:
    """Read what a call needs.

    Raises:
        ScriptError: The script cannot be read, or an answer of its is missing.
        AudioError: A prompt, or what the caller is to say, is not what the line carries.
        SettingsError: An option is wrong. None of these messages holds an answer.
    """
    path = find_script(script)
    read = read_script(path)
    if read.header.lag:
        raise SettingsError("lag", "a real line has a lag of its own; leave that line out of the script")
    known = read_answers(path, answers)
    check_answers(read, known)
    read_sounds(read)
    call_sid = secrets.token_hex(16)
    return Order(
        script=read,
        target=parse_url(url),
        prompts=_read_prompts(read, path, prompts),
        answers=known,
        wav=wav or Path("calls") / f"{call_sid}.wav",
        call_sid=call_sid,
        json=json,
    )


def find_script(name: Path) -> Path:
    """Find a script by its path, or by its name without ``.call``, here or among the example's calls."""
    places = [name, Path(f"{name}.call"), EXAMPLE_CALLS / f"{name}.call"]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        known = sorted({path.stem for folder in (Path(), EXAMPLE_CALLS) for path in folder.glob("*.call")})
        near = difflib.get_close_matches(str(name), known, n=1)
        there = f"there are {', '.join(known)}" if known else "give the path of a .call file"
        cure = f"did you mean {near[0]}?" if near else there
        raise SettingsError("SCRIPT", f"there is no {name} and no {name}.call; {cure}")
    return found


_PORTS = {"ws": 80, "wss": 443}
"""What an address may begin with, and the port that it then means."""


def parse_url(url: str) -> Target:
    """Read the address of a bot."""
    parts = urlsplit(url)
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if parts.scheme not in _PORTS or not host:
        raise SettingsError("--url", "that is no address of a bot; write it like ws://127.0.0.1:8080/stream")
    names = [unquote(part) for part in (parts.username, parts.password) if part is not None]
    return Target(
        host=host,
        port=_PORTS[parts.scheme] if port is None else port,
        is_secure=parts.scheme == "wss",
        path=(parts.path or "/stream") + (f"?{parts.query}" if parts.query else ""),
        credentials=":".join(names) if names else None,
    )


def _read_prompts(script: Script, path: Path, given: Path | None) -> list[Prompt]:
    folders = [given] if given else [path.parent / "prompts", path.parent.parent / "prompts"]
    folder = next((folder for folder in folders if folder.is_dir()), None)
    if folder is not None:
        return read_prompts(folder, script.header.rate)
    if given or any(isinstance(step, Hear) for step in script.steps):
        raise SettingsError("--prompts", f"there is no folder {folders[0]}; give the one with the bot's prompts")
    return []


# Carrying it out.


async def carry_out(order: Order, dial: Dial) -> int:
    """Make the call; return the exit code.

    Args:
        order: What to do.
        dial: Opens a connection to the bot.

    Cancellation:
        In part. The connection is gone; what was heard is not saved.
    """
    header, target = order.script.header, order.target
    _say(order, f"Calling {target} as {header.caller}")
    try:
        if not await _ring(order, dial):
            return FAILED
        async with place_call(
            dial,
            target=target.path,
            caller=header.caller,
            called=header.called,
            call_sid=order.call_sid,
            parameters=header.parameters,
            profile=header.profile,
            credentials=target.credentials,
            host=target.authority,
            random=Random(secrets.randbits(64) if header.seed is None else header.seed),
        ) as phone:
            return await _Call(order, dial, phone).play()
    except NotAnswered as refused:
        print(f"callflow call: {target} does not answer: {refused}; {_cure(refused)}", file=sys.stderr)
        return FAILED


def _say(order: Order, text: str) -> None:
    if not order.json:
        print(text, flush=True)


def _cure(refused: NotAnswered) -> str:
    match refused.status:
        case None if isinstance(refused.__cause__, ConnectionAbortedError):
            return "have its certificate trusted (--ca FILE), or give an address with ws:// if it speaks no TLS"
        case None:
            return "start the bot (callflow serve FLOW), or give its address with --url"
        case 401 | 403:
            return "give its key and token: --url ws://key:token@host:port/path"
        case _:
            return "check the path of --url"


async def _ring(order: Order, dial: Dial) -> bool:
    """Send the Passthru before the stream, if the script rings; say whether the call goes on."""
    step = order.script.steps[0]
    if not isinstance(step, Ring):
        return True
    status = await _passthru(order, dial, None)
    if status != 200:
        place = f"{order.script.path}:{step.line}"
        print(f"{place}: expected the Passthru to be answered 200; it was answered {status}", file=sys.stderr)
    return status == 200


async def _passthru(order: Order, dial: Dial, phone: Telephone | None, branch: str | None = None) -> int:
    """Ask the Passthru, before the stream or, with its *phone*, after it; its URL may ask for a branch."""
    return await passthru(
        dial,
        call_sid=order.call_sid,
        caller=order.script.header.caller,
        called=order.script.header.called,
        before=phone is None,
        stream=None if phone is None else phone.record(),
        path=order.target.passthru_path + ("" if branch is None else f"?branch={branch}"),
        credentials=order.target.credentials,
        host=order.target.authority,
    )


@define
class _Call:
    """One call that was answered."""

    order: Order
    dial: Dial
    phone: Telephone
    feed: EventFeed = Factory(EventFeed)
    conversation: Conversation = Factory(Conversation)
    teller: Teller = Factory(Teller)

    async def play(self) -> int:
        """Play the script, then save and report; return the exit code."""
        form = self.phone.form
        coding = _PCM if form.coding is Coding.PCM16 else _MULAW
        _say(self.order, f"  0.0  connected, start (voicebot, {form.rate} Hz, {coding})")
        result = await self._play_or_give_up()
        self.order.wav.parent.mkdir(parents=True, exist_ok=True)
        heard, tones = self.phone.playout.heard, self.conversation.tones
        write_stereo(self.order.wav, form, caller=self.phone.spoken, bot=heard, tones=tones)
        if result is None:
            _say(self.order, f"Interrupted. Saved {self.order.wav} (caller left, bot right)")
            return INTERRUPTED
        wav = self.order.wav
        lines = as_json(result, self.order.call_sid, wav) if self.order.json else summary(result, wav)
        print("\n".join(lines), flush=True)
        return FAILED if result.failure else HOLDS

    async def _play_or_give_up(self) -> Result | None:
        """Play the script; None if Ctrl-C ended it, and then the caller has not hung up yet."""
        result = None
        recogniser = Recogniser(self.order.prompts, self.phone.form)
        around = Surroundings(feed=self.feed, passthru=self._passthru_after, announce=self._announce, watch=self._watch)
        async with trio.open_nursery() as nursery:
            await nursery.start(_cancel_on_interrupt, nursery.cancel_scope)
            nursery.start_soon(self._follow_states)
            result = await play_script(
                self.order.script,
                self.phone,
                recogniser=recogniser,
                answers=self.order.answers,
                surroundings=around,
            )
            nursery.cancel_scope.cancel()
        return result

    async def _follow_states(self) -> None:
        target = self.order.target
        if target.is_here:
            await self.feed.follow(self.dial, self.order.call_sid, target.authority, target.credentials)
        else:
            self.feed.close(f"only a server on this machine tells its states, and {target.host} is another")

    async def _passthru_after(self, branch: str | None) -> int:
        return await _passthru(self.order, self.dial, self.phone, branch)

    async def _announce(self) -> int:
        return await _passthru(self.order, self.dial, None)

    def _watch(self, conversation: Conversation) -> None:
        self.conversation = conversation
        for line in self.teller.lines(conversation):
            _say(self.order, line)


async def _cancel_on_interrupt(
    scope: trio.CancelScope, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    with trio.open_signal_receiver(signal.SIGINT) as interrupts:
        task_status.started()
        async for _ in interrupts:
            scope.cancel()
