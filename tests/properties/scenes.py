"""Generated calls: one scene is one caller, and what goes on beside the call. Played in virtual time and judged."""

from __future__ import annotations

import math
import random
import struct
from contextlib import suppress
from typing import Any

import trio
import trio.testing
from attrs import evolve, frozen
from hypothesis import strategies as st

from callflow import CallEnded, Flow
from callflow.errors import NotAnswered
from callflow.line.applets import passthru
from callflow.line.memory import Conditions, MemoryNetwork
from callflow.line.placing import place_call
from callflow.line.profile import Profile
from callflow.line.telephone import Telephone
from callflow.server.serve import Server
from callflow.server.settings import Settings
from callflow.testing import check_call, check_wire
from callflow.testing.recorded import recorded
from callflow.testing.rules import EXOTEL, LOW_LATENCY, Breach, Verdict
from callflow.testing.wirelog import WireLog
from callflow.testing.witness import Witness, witnessed

CALL_SID = "14b5bb2f0564e97f72b36a8e28151a73"


VOICE = b"".join(struct.pack("<h", round(8000 * math.sin(2 * math.pi * 300 * n / 8000))) for n in range(8000))
"""A second of what is taken for speech."""

Steps = tuple[tuple[float, str], ...]


@frozen(kw_only=True)
class Scene:
    """One generated call."""

    flow: str
    steps: Steps
    """Pauses in seconds, and what the caller does after each: keys (with a ``+`` all at once), ``rest``, ``speak``,
    ``ping``, a ``second line`` of the same call, ``lost for`` so many seconds, or ``hang up`` or ``drop`` to end."""
    conditions: Conditions
    profile: Profile
    low_latency: bool = False
    announced: tuple[str, ...] = ()
    """Passthrus before the stream, by how the flow's function takes each: ``well``, ``slowly``, ``badly``."""
    seed: int = 0


pauses = st.integers(0, 150).map(lambda frames: frames / 50)
deeds = st.one_of(
    st.sampled_from(["1", "2", "3", "4", "4", "5", "6", "7", "8", "8", "9", "0", "#", "123", "12#", "4+9", "1+2"]),
    st.sampled_from(["rest", "speak", "ping", "second line", "lost for 0.2", "lost for 3", "lost for 12"]),
)
ends = st.sampled_from(["hang up", "hang up", "drop", "wait"])
conditions = st.builds(
    Conditions,
    lag=st.sampled_from([0.0, 0.05, 0.4]),
    split=st.booleans(),
    partial_sends=st.booleans(),
    would_block=st.sampled_from([0.0, 0.3]),
)
profiles = st.builds(
    Profile,
    echoes_cleared_marks=st.sampled_from(["at once", "late", "never"]),
    keeps_sending_silence=st.sampled_from([False, False, False, True]),
)


@st.composite
def lines(draw: st.DrawFn, flow: str, breaks: tuple[str, ...]) -> Profile:
    """Draw a line that breaks these rules; one that breaks its audio has some."""
    drawn = evolve(draw(profiles), breaks=frozenset(breaks), one_way=flow == "listens")
    return evolve(drawn, keeps_sending_silence=True) if "R7" in breaks else drawn


@st.composite
def scenes(draw: st.DrawFn, flow: str, breaks: tuple[str, ...]) -> Scene:
    """Draw a call to a flow, over a line that breaks these rules."""
    steps = draw(st.lists(st.tuples(pauses, deeds), max_size=6))
    return Scene(
        flow=flow,
        steps=(*steps, (draw(pauses), draw(ends))),
        conditions=draw(conditions),
        profile=draw(lines(flow, breaks)),
        low_latency=draw(st.sampled_from([False, False, True])),
        announced=draw(st.sampled_from([(), ("well",), ("well", "well"), ("slowly",), ("badly", "badly")])),
        seed=draw(st.integers(0, 2**16)),
    )


class Play:
    """Plays one scene; ``recordings`` is what each telephone saw."""

    def __init__(self, scene: Scene, flow: Flow[Any]) -> None:
        self.scene = scene
        self.recordings: list[WireLog] = []
        self._chance = random.Random(scene.seed)
        self._server = Server(flow, Settings(low_latency=scene.low_latency), chance=self._chance)
        self._network = MemoryNetwork(scene.conditions, self._chance)

    async def run(self) -> None:
        self._server.load()
        async with trio.open_nursery() as nursery:
            self._network.listen(self._server.connect, nursery)
            await self._announce()
            async with trio.open_nursery() as lines:
                await self._calls(lines)
            with trio.fail_after(60):
                await self._server.registry.wait_no_calls()
            await trio.sleep(10)  # virtual: the grace in which nothing may be left
            nursery.cancel_scope.cancel()

    async def _announce(self) -> None:
        async with trio.open_nursery() as nursery:
            for how in self.scene.announced:
                nursery.start_soon(self._ask, f"{CALL_SID}-{how}" if how != "well" else CALL_SID)

    async def _ask(self, call_sid: str) -> None:
        await passthru(self._network.dial, call_sid=call_sid, before=True)

    async def _calls(self, lines: trio.Nursery) -> None:
        """Make the call, over as many lines as it takes."""
        steps: Steps | None = self.scene.steps
        while steps is not None:
            async with self._line() as telephone:
                steps = await self._call(telephone, lines, steps)
            self.recordings.append(self._recorded(telephone))
            if steps is None:
                await self._report(telephone)

    async def _report(self, telephone: Telephone) -> None:
        """Tell how it ended, as Exotel does: a Passthru, and a status callback that comes twice."""
        told: dict[str, Any] = {"call_sid": CALL_SID, "before": False, "stream": telephone.record()}
        await passthru(self._network.dial, **told)
        for _ in range(2):
            await passthru(self._network.dial, **told, path="/status", method="POST form")

    def _line(self) -> Any:
        return place_call(self._network.dial, call_sid=CALL_SID, profile=self.scene.profile, random=self._chance)

    def _recorded(self, telephone: Telephone) -> WireLog:
        lag = 2 * self.scene.conditions.lag
        return recorded(telephone, crossing=lag, one_way=self.scene.profile.one_way)

    async def _call(self, telephone: Telephone, lines: trio.Nursery, steps: Steps) -> Steps | None:
        """Do the steps on one line; give those that are left for the next, if this one was lost."""
        for done, (pause, deed) in enumerate(steps, 1):
            with trio.move_on_after(pause):
                await telephone.ended.wait()
            if telephone.ended.is_set():
                break
            if deed.startswith("lost for"):
                telephone.drop()
                await trio.sleep(float(deed.split()[-1]))
                return steps[done:]
            await self._do(deed, telephone, lines)
        return None

    async def _do(self, deed: str, telephone: Telephone, lines: trio.Nursery) -> None:
        match deed:
            case "rest":
                pass
            case "ping":
                with trio.move_on_after(1.0), suppress(CallEnded):
                    await telephone.ping(b"are you there?")
            case "speak":
                with suppress(CallEnded):
                    await telephone.play(VOICE)
            case "second line":
                lines.start_soon(self._second_line)
            case "hang up":
                await telephone.hang_up()
            case "drop":
                telephone.drop()
            case "wait":
                with trio.move_on_after(20):
                    await telephone.ended.wait()
            case keys:
                gap = 0.0 if "+" in keys else 0.1
                with suppress(CallEnded):  # the call may end between two keys
                    await telephone.press(keys.replace("+", ""), gap=gap)

    async def _second_line(self) -> None:
        """Let the same call come on another connection, and speak to it for a while."""
        with suppress(NotAnswered):
            async with self._line() as telephone:
                with trio.move_on_after(1.0):
                    await telephone.ended.wait()
            self.recordings.append(self._recorded(telephone))


def play(scene: Scene, flow: Flow[Any]) -> tuple[Witness, list[WireLog]]:
    """Play a scene; give what the witness and what the telephones saw."""
    played = Play(scene, flow)
    with witnessed() as witness:
        trio.run(played.run, clock=trio.testing.MockClock(autojump_threshold=0))
    return witness, played.recordings


def judge(scene: Scene, flow: Flow[Any]) -> Verdict:
    """Play a scene and judge it by all rules and laws; a rule that the line breaks on purpose is not judged."""
    witness, recordings = play(scene, flow)
    exempt, lead = (LOW_LATENCY, 0.16) if scene.low_latency else ((), 0.4)
    verdicts = [check_wire(witness.log, exempt=exempt, lead=lead, notice=0.0)]
    verdicts += [check_wire(log, rules=EXOTEL, exempt=scene.profile.breaks) for log in recordings]
    verdicts += [check_call(story, late=0.002) for story in witness.stories]
    return sum(verdicts, Verdict())


def broken(breaches: tuple[Breach, ...]) -> set[str]:
    """Name the rules and laws that were broken."""
    return {breach.rule for breach in breaches}
