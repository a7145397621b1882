"""Whatever goes wrong in one call, or is sent by a stranger: twenty echo calls beside it lose and change nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

import pytest
import trio
from attrs import frozen

from callflow import Call, Dtmf, EndCause, Flow, Say, State
from callflow.line.placing import place_call
from callflow.line.profile import Profile
from callflow.line.telephone import LineEntry
from callflow.wire.exotel import LARGEST_MESSAGE
from callflow.wire.messages import Clear, Media
from examples.echo import Done, Echo
from tests.call.far_end import BINARY, OPENING, PING, TEXT, UPGRADE, Peer, dialled, frame, opening, text
from tests.call.stage import Stage, in_virtual_time, left_over, serving, write_prompts

C = Call[None]

NEIGHBOURS = 20

# The line: the echo of the examples, and keys that break a call.


class Fragile(Echo, timeout=3600.0):
    """Sends back what it hears, until a key is pressed that it cannot bear."""

    def on_dtmf(self, call: C, key: Dtmf) -> Talk | Stuck | None:  # type: ignore[override]  # breaks on purpose
        match key.digit:
            case "5":
                return Talk()
            case "7":
                raise LookupError("nothing there")
            case "8":
                return Stuck()
            case _:
                return super().on_dtmf(call, key)


class Talk(Say[None], prompt="menu.wav"):
    def then(self, call: C) -> Done:
        return Done()


class Stuck(State[None], timeout=1.0):
    """Never returns, and does not let itself be cancelled soon."""

    async def run(self, call: C) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(5.0)
        await trio.sleep_forever()

    def on_timeout(self, call: C) -> Done:
        return Done()


# What goes wrong.

Fault = Callable[[Stage], Awaitable[None]]


async def nothing(stage: Stage) -> None:
    """Disturb nobody."""


async def handler_that_raises(stage: Stage) -> None:
    async with place_call(stage.network.dial) as phone:
        await phone.press("7")
        await phone.ended.wait()


async def run_that_never_returns(stage: Stage) -> None:
    async with place_call(stage.network.dial) as phone:
        await phone.press("8")
        await phone.ended.wait()


async def reset_in_mid_prompt(stage: Stage) -> None:
    async with place_call(stage.network.dial) as phone:
        await phone.press("5")
        await phone.wait(0.3)
        phone.drop()


async def get_then_reset(stage: Stage) -> None:
    for path in (b"/live", b"/stream", b"/"):
        peer = Peer(await stage.network.dial())
        await peer.send(b"GET " + path + b" HTTP/1.1\r\nHost: example\r\n\r\n")
        peer.port.close(reset=True)


async def upgrade_then_reset(stage: Stage) -> None:
    for _ in range(10):
        peer = Peer(await stage.network.dial())
        peer.port.try_send(UPGRADE)
        peer.port.close(reset=True)


async def headers_that_are_not_ascii(stage: Stage) -> None:
    for name in (b"Host", b"Connection", b"Sec-WebSocket-Protocol", b"Sec-WebSocket-Extensions", b"X-Any"):
        peer = Peer(await stage.network.dial())
        await peer.send(UPGRADE[:-2] + name + b": \xff\xfe\x80\r\n\r\n")
        await peer.read()


async def oversize_then_ping(stage: Stage) -> None:
    peer = await dialled(stage.network, OPENING)
    stage.nursery.start_soon(peer.read)
    await peer.send(frame(TEXT, b"x" * (LARGEST_MESSAGE + 1)) + frame(PING, b"there?"))


GARBAGE = [
    "",
    "null",
    "[" * 100_000,
    '{"event":' * 10_000,
    "9" * 5_000,
    '{"event":"media","media":{"payload":"!"}}',
    '{"event":"dtmf","dtmf":{"digit":1e999}}',
    '{"event":"mark","mark":{"name":"\\ud800"}}',
    '{"event":"start","start":null}',
    "\x00\x1b[31m\r\n",
]


async def garbage(stage: Stage) -> None:
    peer = await dialled(stage.network, OPENING)
    stage.nursery.start_soon(peer.read)
    await peer.send(b"".join(map(text, GARBAGE)) + frame(BINARY, bytes(range(256))) * 50)


async def twenty_resets_at_once(stage: Stage) -> None:
    peers = [await dialled(stage.network, opening(call_sid=f"call{number}")) for number in range(20)]
    for peer in peers:
        peer.port.close(reset=True)


FAULTS: list[tuple[Fault, list[EndCause]]] = [
    (handler_that_raises, [EndCause.APP_ERROR]),
    (run_that_never_returns, [EndCause.APP_TIMEOUT]),
    (reset_in_mid_prompt, [EndCause.PEER_GONE]),
    (get_then_reset, []),
    (upgrade_then_reset, []),
    (headers_that_are_not_ascii, []),
    (oversize_then_ping, [EndCause.TOO_BIG]),
    (garbage, [EndCause.PROTOCOL]),
    (twenty_resets_at_once, [EndCause.PEER_GONE] * 20),
]


# The neighbours.


@frozen
class Outcome:
    """What twenty neighbours saw of a fault, and what the server had of all calls."""

    logs: list[list[LineEntry]]
    causes: list[EndCause]
    """How the calls ended, those of the neighbours left out."""
    left: dict[str, object]


async def neighbour(stage: Stage, number: int, log: list[LineEntry]) -> None:
    """Talk, press a key in between, and talk on; no two neighbours say the same. Keep what went over the line."""
    random = Random(number)
    async with place_call(stage.network.dial, random=random, profile=Profile()) as phone:
        await phone.play(random.randbytes(8_000))
        await phone.wait(0.003)  # between two frames
        await phone.press("1", hold=0.0)
        await phone.play(random.randbytes(8_000))
        await phone.wait(0.003)
        await phone.hang_up()
        log.extend(phone.log)


async def beside(fault: Fault, prompts: Path) -> Outcome:
    """Have twenty neighbours talk for a second, and let something go wrong in the middle of it."""
    logs: list[list[LineEntry]] = [[] for _ in range(NEIGHBOURS)]
    async with serving(Flow("echo", start=Fragile, raw=True, prompts=prompts)) as stage:
        for number in range(NEIGHBOURS):
            stage.nursery.start_soon(neighbour, stage, number, logs[number])
        await trio.sleep(0.5)
        await fault(stage)
    causes = [record.cause for record in stage.server.records]
    for _ in range(NEIGHBOURS):
        causes.remove(EndCause.STOP)
    return Outcome(logs, causes, left_over(stage))


KINDS = (Media, Dtmf, Clear)


def echoed(log: list[LineEntry], side: str) -> list[bytes]:
    """What went over a line in one direction: audio as its bytes, and keys and clears as nothing."""
    sent = [entry.message for entry in log if entry.side == side]
    return [message.payload if isinstance(message, Media) else b"" for message in sent if isinstance(message, KINDS)]


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_prompts(tmp_path_factory.mktemp("prompts"))


@pytest.fixture(scope="module")
def undisturbed(prompts: Path) -> Outcome:
    return in_virtual_time(beside, nothing, prompts)


def test_undisturbed_every_frame_comes_back_as_it_went_and_each_key_as_a_clear(undisturbed: Outcome) -> None:
    sent = [echoed(log, "in") for log in undisturbed.logs]

    assert ([echoed(log, "out") for log in undisturbed.logs], {len(frames) > 50 for frames in sent}) == (sent, {True})


@pytest.mark.parametrize(("fault", "causes"), FAULTS)
def test_neighbours_of_a_fault_lose_and_change_nothing(
    prompts: Path, undisturbed: Outcome, fault: Fault, causes: list[EndCause]
) -> None:
    assert in_virtual_time(beside, fault, prompts) == Outcome(undisturbed.logs, causes, {})
