"""``callflow call``: plays a script, prints the call, saves it, and says by its exit code what came of it."""

from __future__ import annotations

import contextlib
import random
import signal
import socket
import wave
from array import array
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import cyclopts
import msgspec
import pytest
import trio
from attrs import define, field
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_server_stream

from callflow.call.port import BytePort, PortStream
from callflow.cli.call import (
    FAILED,
    HOLDS,
    INTERRUPTED,
    WRONG,
    call,
    carry_out,
    dial_to,
    find_script,
    make_order,
    parse_url,
)
from callflow.errors import AudioError, ScriptError, SettingsError
from callflow.line import MemoryNetwork
from callflow.line.tones import digits_in
from callflow.wire.audio import AudioFormat, Coding, chunks
from callflow.wire.exotel import Outgoing, decode
from callflow.wire.messages import Dtmf, Start

URL = "ws://127.0.0.1:8080/stream"
PIN = "4929"


def sound(seed: int, seconds: float) -> bytes:
    """Make audio that nothing else resembles, and that no key's tone hides in."""
    draw = random.Random(seed)
    return array("h", (draw.randrange(-9000, 9000) for _ in range(round(seconds * 8000)))).tobytes()


WELCOME, BALANCE, THANKS = sound(1, 2.0), sound(2, 1.0), sound(3, 0.6)


@define
class Bank:
    """A bot: says welcome; a key stops that; after a full entry it says the balance and ends the call."""

    status: int = 200
    """What a Passthru is answered."""
    feed: Sequence[dict[str, object]] = ()
    """Entries of the journal; without any, there is no feed."""
    feed_asks_for: str = ""
    """What the head of a request for the feed has to hold."""
    length: int = 1
    """Keys of an entry."""
    form: AudioFormat = field(factory=AudioFormat)
    asked: list[str] = field(factory=list)
    """Request lines."""
    start: Start | None = None
    keys: str = ""

    async def serve(self, port: BytePort) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += await PortStream(port).receive_some()
        self.asked.append(head.partition(b"\r\n")[0].decode())
        stream = PortStream(port, head)
        async with stream:
            if head.startswith(b"GET /stream"):
                await self._answer(stream)
            elif head.startswith(b"GET /events") and self.feed and self.feed_asks_for.encode() in head:
                await self._tell(stream)
            else:
                status = self.status if b"passthru" in head else 404
                with contextlib.suppress(trio.BrokenResourceError):  # who asked for the feed may have hung up since
                    await stream.send_all(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode())

    async def _tell(self, stream: PortStream) -> None:
        await stream.send_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for entry in self.feed:
            line = msgspec.json.encode(entry) + b"\n"
            for piece in (line[:9], line[9:]):
                await stream.send_all(b"%x\r\n%b\r\n" % (len(piece), piece))
        await trio.sleep_forever()

    async def _answer(self, stream: PortStream) -> None:
        async with trio.open_nursery() as nursery:
            websocket = await (await wrap_server_stream(nursery, stream)).accept()
            with contextlib.suppress(ConnectionClosed):
                await self._converse(websocket, nursery)

    async def _converse(self, websocket: WebSocketConnection, nursery: trio.Nursery) -> None:
        saying = trio.CancelScope()
        say = Outgoing("", 1)
        while True:
            match decode(await websocket.get_message()):
                case Start() as start:
                    self.start = start
                    say = Outgoing(start.stream_sid, self.form.bytes_per_second)
                    nursery.start_soon(self._say, websocket, say, WELCOME, saying)
                case Dtmf(digit=digit):
                    saying.cancel()
                    await websocket.send_message(say.clear())
                    self.keys += digit
                    if len(self.keys) == self.length:
                        await trio.sleep(0.25)
                        await self._say(websocket, say, BALANCE, trio.CancelScope())
                        await websocket.aclose(1000)

    async def _say(self, websocket: WebSocketConnection, say: Outgoing, pcm: bytes, scope: trio.CancelScope) -> None:
        with scope, contextlib.suppress(ConnectionClosed):
            for chunk in chunks(self.form.from_pcm16(pcm), self.form):
                await websocket.send_message(say.media(chunk))
                await trio.sleep(self.form.seconds(len(chunk)))


STATES = [
    {"n": 1, "t": 0.0, "kind": "link", "what": "up"},
    {"n": 2, "t": 0.01, "kind": "state", "what": "entered", "state": "Welcome"},
    {"n": 3, "t": 0.02, "kind": "state", "what": "left", "state": "Welcome", "by": "x"},
    {"n": 4, "t": 0.03, "kind": "state", "what": "entered", "state": "Balance"},
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder to work in, with a bank's prompts and a caller's voice."""
    monkeypatch.chdir(tmp_path)
    for name, pcm in {"prompts/welcome": WELCOME, "prompts/balance": BALANCE, "thanks": THANKS}.items():
        path = tmp_path / f"{name}.wav"
        path.parent.mkdir(exist_ok=True)
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes(pcm)
    words = '[words]\nwelcome = "Welcome to the bank."\nbalance = "Your balance is twelve."\n'
    (tmp_path / "prompts" / "prompts.toml").write_text(words)
    return tmp_path


def write(text: str, name: str = "bank.call") -> Path:
    Path(name).write_text(text)
    return Path(name)


@contextlib.asynccontextmanager
async def answering(bank: Bank) -> AsyncIterator[MemoryNetwork]:
    network = MemoryNetwork()
    async with trio.open_nursery() as nursery:
        network.listen(bank.serve, nursery)
        yield network
        nursery.cancel_scope.cancel()


async def play(text: str, bank: Bank | None = None, **options: Any) -> int:
    order = make_order(write(text), url=URL, **options)
    async with answering(bank or Bank()) as network:
        return await carry_out(order, network.dial)


def recorded(path: Path) -> tuple[bytes, bytes]:
    """Read the caller's side and the bot's side of a recording."""
    with wave.open(str(path), "rb") as file:
        both = array("h", file.readframes(file.getnframes()))
    return both[0::2].tobytes(), both[1::2].tobytes()


async def test_a_call_that_goes_as_the_script_says_is_printed(
    folder: Path, autojump_clock: trio.testing.MockClock, capsys: pytest.CaptureFixture[str]
) -> None:
    text = 'hear welcome\nkeys 1\nquiet within 0.5s\nhear "balance is twelve"\nended by flow\n'

    code = await play(text, Bank(feed=STATES), wav=Path("a.wav"))

    assert (code, capsys.readouterr().out) == (
        HOLDS,
        "Calling ws://127.0.0.1:8080/stream as +910000000105\n"
        "  0.0  connected, start (voicebot, 8000 Hz, 16-bit)\n"
        "  0.0  ◀ Welc…                                                     cut off\n"
        "  0.0  = Welcome\n"
        "  0.0  = Balance\n"
        "  0.1  ▶ keys 1\n"
        "  0.5  ◀ Your balance is twelve.\n"
        "  1.4    ended by the server, code 1000\n"
        "Waited 0.25 s. Barge-in to silence 0.35 s.\n"
        "Saved a.wav (caller left, bot right)\n"
        "4 of 4 expectations hold.\n",
    )


async def test_a_line_that_does_not_hold_is_named_and_the_code_is_1(
    folder: Path, autojump_clock: trio.testing.MockClock, capsys: pytest.CaptureFixture[str]
) -> None:
    code = await play("hear welcome complete\nhear balance within 1s\n")

    told = 'bank.call:2: expected to hear "balance" within 1 s; heard nothing\n1 of 2 expectations hold.\n'
    assert (code, capsys.readouterr().out.endswith(told)) == (FAILED, True)


async def test_the_call_is_told_as_json_a_step_a_line(
    folder: Path, autojump_clock: trio.testing.MockClock, capsys: pytest.CaptureFixture[str]
) -> None:
    await play("hear welcome\nkeys 1\nended by caller\n", Bank(feed=STATES), json=True)

    *steps, whole = [msgspec.json.decode(line) for line in capsys.readouterr().out.splitlines()]
    assert (
        [(step["line"], step["step"], step["holds"]) for step in steps],
        [heard["prompt"] for heard in whole["heard"]],
        [state["state"] for state in whole["states"]],
        whole["holds"],
        whole["failure"].partition(";")[0],
    ) == (
        [(1, "hear welcome", True), (2, "keys 1", True), (3, "ended by caller", False)],
        ["welcome", "balance"],
        ["Welcome", "Balance"],
        False,
        "bank.call:3: expected the end of the call by the caller within 10 s",
    )


# The recording.


async def test_the_recording_has_both_sides_as_they_were_heard(
    folder: Path, autojump_clock: trio.testing.MockClock
) -> None:
    await play("hear welcome\nkeys 5\nplay thanks.wav\nended\n", wav=Path("a/b.wav"))

    caller, bot = recorded(Path("a/b.wav"))
    assert (digits_in(caller, 8000), THANKS in caller, BALANCE in bot, WELCOME in bot, WELCOME[:3200] in bot) == (
        "5",
        True,
        True,
        False,
        True,
    )


async def test_a_mu_law_line_is_recorded_and_recognised(folder: Path, autojump_clock: trio.testing.MockClock) -> None:
    form = AudioFormat(8000, Coding.MULAW)

    code = await play("coding mulaw\nhear welcome complete\n", Bank(form=form), wav=Path("a.wav"))

    assert (code, form.to_pcm16(form.from_pcm16(WELCOME)) in recorded(Path("a.wav"))[1]) == (HOLDS, True)


async def test_the_recording_is_named_after_the_call(
    folder: Path, autojump_clock: trio.testing.MockClock, capsys: pytest.CaptureFixture[str]
) -> None:
    bank = Bank()

    await play("wait 1s\n", bank)

    assert bank.start is not None
    path = Path("calls") / f"{bank.start.call_sid}.wav"
    assert (f"Saved {path} " in capsys.readouterr().out, WELCOME[:9600] in recorded(path)[1]) == (True, True)


# Secrets.


@pytest.mark.parametrize("json", [False, True], ids=["text", "json"])
async def test_a_pin_reaches_the_bot_and_nothing_else(
    folder: Path, autojump_clock: trio.testing.MockClock, capsys: pytest.CaptureFixture[str], json: bool
) -> None:
    bank = Bank(length=4)

    await play("hear welcome\ntype $pin\nended\n", bank, answers=[f"pin={PIN}"], wav=Path("a.wav"), json=json)

    printed = "".join(capsys.readouterr())
    caller, _ = recorded(Path("a.wav"))
    assert (bank.keys, PIN in printed, set(caller)) == (PIN, False, {0})


async def test_a_pin_is_printed_as_dots(
    folder: Path, autojump_clock: trio.testing.MockClock, capsys: pytest.CaptureFixture[str]
) -> None:
    await play("type $pin\n", Bank(length=9), answers=[f"pin={PIN}"])

    assert "▶ keys ••••\n" in capsys.readouterr().out


async def test_answers_stand_beside_the_script_and_the_command_line_wins(
    folder: Path, autojump_clock: trio.testing.MockClock
) -> None:
    write('account = "12"\npin = "0000"\n', "answers.toml")
    bank = Bank(length=6)

    await play("type $account\ntype $pin\nended\n", bank, answers=[f"pin={PIN}"])

    assert bank.keys == f"12{PIN}"


def test_an_order_does_not_show_its_answers(folder: Path) -> None:
    order = make_order(write("type $pin\n"), url=URL, answers=[f"pin={PIN}"])

    assert PIN not in repr(order)


# Round the stream.


async def test_the_line_is_what_the_header_asks_for(folder: Path, autojump_clock: trio.testing.MockClock) -> None:
    bank = Bank()

    await play("from +910000000106\nto 0319\nparam queue=gold\nhangup\n", bank)

    assert bank.start is not None
    assert (bank.start.caller, bank.start.called, dict(bank.start.parameters)) == (
        "+910000000106",
        "0319",
        {"queue": "gold"},
    )


async def test_a_script_that_rings_asks_the_passthru_before_and_after(
    folder: Path, autojump_clock: trio.testing.MockClock
) -> None:
    bank = Bank()

    code = await play("ring\nhangup\nbranch A\n", bank)

    asked = [line.partition("?")[0] for line in bank.asked if "events" not in line]
    stream_in_second = "Stream" in bank.asked[-1]
    assert (code, asked, stream_in_second) == (
        HOLDS,
        ["GET /passthru", "GET /stream HTTP/1.1", "GET /passthru"],
        True,
    )


async def test_a_branch_with_a_name_asks_the_passthru_of_that_name(
    folder: Path, autojump_clock: trio.testing.MockClock
) -> None:
    bank = Bank(status=302)

    code = await play("hangup\nbranch sales\n", bank)

    assert (code, [line.partition("&")[0] for line in bank.asked if "branch" in line]) == (
        HOLDS,
        ["GET /passthru?branch=sales"],
    )


async def test_a_passthru_that_refuses_ends_it(
    folder: Path, autojump_clock: trio.testing.MockClock, capsys: pytest.CaptureFixture[str]
) -> None:
    bank = Bank(status=302)

    code = await play("ring\nhangup\n", bank)

    told = "bank.call:1: expected the Passthru to be answered 200; it was answered 302\n"
    assert (code, capsys.readouterr().err, bank.start) == (FAILED, told, None)


async def test_states_are_told_by_the_feed(folder: Path, autojump_clock: trio.testing.MockClock) -> None:
    assert await play("state Welcome\nstate Balance within 1s\n", Bank(feed=STATES)) == HOLDS


async def test_the_feed_is_asked_for_with_the_credentials_of_the_address(
    folder: Path, autojump_clock: trio.testing.MockClock
) -> None:
    order = make_order(write("state Welcome\n"), url="ws://u:p@127.0.0.1:8080/stream")
    async with answering(Bank(feed=STATES, feed_asks_for="Authorization: Basic dTpw\r\n")) as network:
        assert await carry_out(order, network.dial) == HOLDS


async def test_a_server_without_a_feed_cannot_tell_states(
    folder: Path, autojump_clock: trio.testing.MockClock, capsys: pytest.CaptureFixture[str]
) -> None:
    code = await play("state Welcome\n")

    told = "its address was answered 404; if this is callflow, start it with --feed\n"
    assert (code, told in capsys.readouterr().out) == (FAILED, True)


async def test_a_server_elsewhere_is_not_asked_for_its_states(
    folder: Path, autojump_clock: trio.testing.MockClock, capsys: pytest.CaptureFixture[str]
) -> None:
    order = make_order(write("state Welcome\n"), url="ws://bot.example.com/stream")
    bank = Bank(feed=STATES)
    async with answering(bank) as network:
        code = await carry_out(order, network.dial)

    told = "only a server on this machine tells its states, and bot.example.com is another"
    assert (code, told in capsys.readouterr().out, len(bank.asked)) == (FAILED, True, 1)


async def test_ctrl_c_hangs_up_and_saves_what_was_heard(
    folder: Path, autojump_clock: trio.testing.MockClock, capsys: pytest.CaptureFixture[str]
) -> None:
    async def interrupt() -> None:
        await trio.sleep(1.0)
        signal.raise_signal(signal.SIGINT)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(interrupt)
        code = await play("keys 7\nwait 60s\n", Bank(length=2), wav=Path("a.wav"))

    *told, saved = capsys.readouterr().out.splitlines()
    caller, _ = recorded(Path("a.wav"))
    assert (code, "  0.0  ▶ keys 7" in told, saved, digits_in(caller, 8000)) == (
        INTERRUPTED,
        True,
        "Interrupted. Saved a.wav (caller left, bot right)",
        "7",
    )


async def test_ctrl_c_tells_what_was_being_said(
    folder: Path, autojump_clock: trio.testing.MockClock, capsys: pytest.CaptureFixture[str]
) -> None:
    async def interrupt() -> None:
        await trio.sleep(1.0)
        signal.raise_signal(signal.SIGINT)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(interrupt)
        await play("wait 60s\n")

    assert "  0.0  ◀ Welcome to…" in capsys.readouterr().out


# When nothing answers, or the order is wrong.


async def test_when_nothing_answers_it_says_where_and_what_to_do(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and never listening: nobody else can have it
        url = f"ws://127.0.0.1:{taken.getsockname()[1]}/stream"

        code = await call(write("hangup\n"), url=url)

    (line,) = capsys.readouterr().err.splitlines()
    assert (
        code,
        line.startswith(f"callflow call: {url} does not answer: "),
        line.endswith("its address with --url"),
    ) == (
        FAILED,
        True,
        True,
    )


async def test_a_server_that_wants_a_password_is_told_with_the_cure(
    folder: Path, autojump_clock: trio.testing.MockClock, capsys: pytest.CaptureFixture[str]
) -> None:
    async def refuse(port: BytePort) -> None:
        async with PortStream(port) as stream:
            await stream.receive_some()
            await stream.send_all(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")

    order = make_order(write("hangup\n"), url=URL)
    network = MemoryNetwork()
    async with trio.open_nursery() as nursery:
        network.listen(refuse, nursery)
        code = await carry_out(order, network.dial)

    assert (code, "give its key and token: --url ws://key:token@" in capsys.readouterr().err) == (FAILED, True)


async def test_a_server_that_refuses_the_stream_is_told_with_its_status(
    folder: Path, autojump_clock: trio.testing.MockClock, capsys: pytest.CaptureFixture[str]
) -> None:
    order = make_order(write("hangup\n"), url="ws://127.0.0.1:8080/elsewhere")
    async with answering(Bank()) as network:
        code = await carry_out(order, network.dial)

    assert (code, "answered 404" in capsys.readouterr().err) == (FAILED, True)


async def test_a_wrong_script_is_one_line_and_the_code_is_2(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = await call(write("hier\n"))

    assert (code, capsys.readouterr().err) == (
        WRONG,
        "callflow call: bank.call:1: no verb 'hier'; did you mean 'hear'?\n",
    )


@pytest.mark.parametrize(
    ("text", "options", "wrong", "words"),
    [
        ("type $pin\n", {}, ScriptError, "nobody knows \\$pin"),
        ("type $pin\n", {"answers": ["pin"]}, SettingsError, "--answer: an answer is written name=digits"),
        ("lag 1s\nhangup\n", {}, SettingsError, "lag: a real line has a lag of its own"),
        ("play nowhere.wav\n", {}, AudioError, "no such file"),
        ("rate 16000\nhear welcome\n", {}, AudioError, "16000 Hz"),
        ("hangup\n", {"prompts": Path("nowhere")}, SettingsError, "--prompts: there is no folder nowhere"),
    ],
)
def test_what_is_wrong_is_found_before_the_call(
    folder: Path, text: str, options: dict[str, Any], wrong: type[Exception], words: str
) -> None:
    with pytest.raises(wrong, match=words):
        make_order(write(text), url=URL, **options)


def test_a_script_that_hears_needs_prompts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(SettingsError, match="give the one with the bot's prompts"):
        make_order(write("hear welcome\n"), url=URL)


def test_a_script_that_hears_nothing_needs_no_prompts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert make_order(write("hangup\n"), url=URL).prompts == []


@pytest.mark.parametrize(
    ("text", "words"), [("pin = 4929\n", "pin is no text"), ("pin = 49 29\n", "that is no TOML"), ("[pin\n", "no TOML")]
)
def test_a_wrong_answers_file_is_refused_without_showing_it(folder: Path, text: str, words: str) -> None:
    Path("answers.toml").write_text(text)

    with pytest.raises(SettingsError, match=words) as refused:
        make_order(write("hangup\n"), url=URL)
    assert "29" not in str(refused.value)


def test_a_script_that_is_no_text_is_refused(folder: Path) -> None:
    Path("bank.call").write_bytes(b"\xff\xfe")

    with pytest.raises(SettingsError, match=r"bank\.call: it cannot be read"):
        make_order(Path("bank.call"), url=URL)


def test_a_script_is_found_by_its_name(folder: Path) -> None:
    write("hangup\n")

    assert find_script(Path("bank")) == Path("bank.call")


def test_a_script_that_is_not_there_is_told_with_the_nearest(folder: Path) -> None:
    write("hangup\n")

    with pytest.raises(SettingsError, match=r"there is no bnak and no bnak\.call; did you mean bank\?"):
        find_script(Path("bnak"))


def test_a_script_that_is_like_no_other_is_told_with_all_there_are(folder: Path) -> None:
    write("hangup\n")

    with pytest.raises(SettingsError, match=r"there is no zzz and no zzz\.call; there are .*bank"):
        find_script(Path("zzz"))


def test_prompts_are_found_beside_the_folder_of_the_script(folder: Path) -> None:
    Path("calls").mkdir()

    order = make_order(write("hear welcome\n", "calls/bank.call"), url=URL)

    assert {prompt.name for prompt in order.prompts} == {"welcome", "balance"}


# Addresses.


def test_an_address_has_its_parts() -> None:
    target = parse_url("ws://key:to%3Aken@bot.example.com:81/stream/bank/token?queue=a")

    assert (target.host, target.port, target.path, target.credentials, target.passthru_path) == (
        "bot.example.com",
        81,
        "/stream/bank/token?queue=a",
        "key:to:ken",
        "/passthru/bank",
    )


def test_an_address_is_shown_without_its_credentials() -> None:
    assert str(parse_url("ws://key:token@[::1]:81/stream")) == "ws://[::1]:81/stream"


def test_an_address_without_a_path_is_the_usual_one() -> None:
    target = parse_url("ws://localhost")

    assert (target.port, target.path, target.passthru_path, target.is_here) == (80, "/stream", "/passthru", True)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://bot.example.com/", "write it like ws://"),
        ("ws://bot.example.com:http/", "write it like ws://"),
        ("bot", "write it like ws://"),
    ],
)
def test_an_address_that_cannot_be_called_is_refused(url: str, words: str) -> None:
    with pytest.raises(SettingsError, match=f"--url: .*{words}"):
        parse_url(url)


@pytest.mark.parametrize(
    ("url", "port", "is_secure"),
    [("ws://localhost/", 80, False), ("wss://localhost/", 443, True), ("wss://localhost:8443/", 8443, True)],
)
def test_a_secure_address_speaks_tls_on_its_own_port(url: str, port: int, is_secure: bool) -> None:
    target = parse_url(url)

    assert (target.port, target.is_secure, str(target).startswith(url[:4])) == (port, is_secure, True)


def test_certificates_are_trusted_only_with_tls(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"--ca: nothing is trusted without TLS"):
        dial_to(parse_url("ws://localhost/"), tmp_path)


@pytest.mark.parametrize("text", [None, "", "no certificate"])
def test_a_file_that_holds_no_certificate_is_refused(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "ca.pem"
    if text is not None:
        file.write_text(text)

    with pytest.raises(SettingsError, match=r"--ca: .*ca\.pem holds no certificate"):
        dial_to(parse_url("wss://localhost/"), file)


def test_the_command_line_reads_as_documented(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []

    def note(*script: Path, **options: Any) -> None:
        given.append((*script, options))
        raise SettingsError("enough", "was seen")

    monkeypatch.setattr("callflow.cli.call.make_order", note)
    app = cyclopts.App(backend="trio")
    app.command(call)
    words = "call balance --url ws://x/ --prompts p --answer pin=1 --answer b=2 --wav a.wav --json"

    code = app(words.split(), result_action="return_value")

    options = {"url": "ws://x/", "prompts": Path("p"), "answers": ["pin=1", "b=2"], "wav": Path("a.wav"), "json": True}
    assert (code, given) == (WRONG, [(Path("balance"), options)])
