"""The server keeps the rules of the wire and the laws in generated calls: lag, split segments, odd traffic.

Every rule must have had its chance: the counts of how often each could have been broken are printed and asserted.
"""

from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from attrs import evolve, frozen
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from callflow import CallEnded, Flow
from callflow.line.memory import Conditions, MemoryNetwork
from callflow.line.profile import Profile
from callflow.line.telephone import Telephone, place_call
from callflow.server.serve import Server
from callflow.server.settings import Settings
from callflow.testing import check_call
from callflow.testing.rules import LOW_LATENCY, Verdict, check
from tests.properties.flows import make_flows, write_prompts
from tests.properties.witness import witnessed

BATCHES = (
    ("talks", (), 60),
    ("talks", ("R2", "R4"), 70),
    ("talks", ("R7",), 40),
    ("talks", ("R3", "R5", "R6", "R8", "R9", "R11"), 30),
    ("listens", ("R2",), 30),
)
"""Flow, rules that this Exotel breaks, examples. Apart, since no draw may take a rule's chance away."""

ENOUGH = 20
"""Times that each rule's premise must have held."""

TO_COME = {"L6", "L13"}
"""Laws of lines that come back: no call is resumed yet."""


@frozen(kw_only=True)
class Scene:
    """One generated call."""

    flow: str
    steps: tuple[tuple[float, str], ...]
    """Pauses in seconds, and what the caller does after each: keys, or ``hang up`` or ``drop`` to end."""
    conditions: Conditions
    profile: Profile
    low_latency: bool
    seed: int


pauses = st.integers(0, 150).map(lambda frames: frames / 50)
deeds = st.one_of(st.sampled_from(["1", "2", "3", "4", "4", "5", "6", "9", "0", "#", "123", "12#"]), st.just("rest"))
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
    keeps_sending_silence=st.sampled_from([False, False, True]),
)


@st.composite
def scenes(draw: st.DrawFn, flow: str, breaks: tuple[str, ...]) -> Scene:
    steps = draw(st.lists(st.tuples(pauses, deeds), max_size=6))
    return Scene(
        flow=flow,
        steps=(*steps, (draw(pauses), draw(ends))),
        conditions=draw(conditions),
        profile=evolve(draw(profiles), breaks=frozenset(breaks)),
        low_latency=draw(st.sampled_from([False, False, True])),
        seed=draw(st.integers(0, 2**16)),
    )


async def play(scene: Scene, telephone: Telephone) -> None:
    for pause, deed in scene.steps:
        with trio.move_on_after(pause):
            await telephone.ended.wait()
        if telephone.ended.is_set():
            return
        match deed:
            case "rest":
                pass
            case "hang up":
                await telephone.hang_up()
            case "drop":
                telephone.drop()
            case "wait":
                with trio.move_on_after(20):
                    await telephone.ended.wait()
            case keys:
                with suppress(CallEnded):  # the call may end between two keys
                    await telephone.press(keys, gap=0.1)


async def call(scene: Scene, flow: Flow[Any]) -> None:
    chance = random.Random(scene.seed)
    server = Server(flow, Settings(low_latency=scene.low_latency), chance=chance)
    server.load()
    async with trio.open_nursery() as nursery:
        network = MemoryNetwork(scene.conditions, chance)
        network.listen(server.connect, nursery)
        async with place_call(network.dial, profile=scene.profile, random=chance) as telephone:
            await play(scene, telephone)
        with trio.fail_after(60):
            await server.registry.wait_no_calls()
        await trio.sleep(10)  # virtual: the grace in which nothing may be left
        nursery.cancel_scope.cancel()


def judge(scene: Scene, flow: Flow[Any]) -> tuple[Verdict, Verdict]:
    with witnessed() as witness:
        trio.run(lambda: call(scene, flow), clock=trio.testing.MockClock(autojump_threshold=0))
    exempt, lead = (LOW_LATENCY, 0.16) if scene.low_latency else ((), 0.4)
    verdicts = [check(log, exempt=exempt, lead=lead, notice=0.0) for log in witness.logs]
    told = [check_call(story, late=0.002) for story in witness.stories]
    return sum(verdicts, Verdict()), sum(told, Verdict())


@pytest.fixture(scope="module")
def flows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Flow[None]]:
    folder: Path = tmp_path_factory.mktemp("prompts")
    write_prompts(folder)
    return make_flows(folder)


@pytest.mark.timeout(400)  # seconds; 230 calls, each with all its frames, traced for coverage on a busy machine
def test_generated_calls_keep_every_rule_and_law_and_each_had_its_chance(flows: dict[str, Flow[None]]) -> None:
    wire, life = Verdict(), Verdict()

    def batch(flow: str, breaks: tuple[str, ...], examples: int) -> None:
        # Without the phase that explains: it traces every line of every call.
        @settings(max_examples=examples, phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink])
        @given(scenes(flow, breaks))
        def every_call(scene: Scene) -> None:
            nonlocal wire, life
            of_wire, of_life = judge(scene, flows[scene.flow])
            wire, life = wire + of_wire, life + of_life
            assert (of_wire.breaches, of_life.breaches) == ((), ())

        every_call()

    for flow, breaks, examples in BATCHES:
        batch(flow, breaks, examples)
    total = wire + life
    print(total.table())

    seldom = {rule.id for rule in total.rules if total.premises[rule.id] < ENOUGH}
    assert seldom - TO_COME == set()
