"""The server keeps the rules of the wire and the laws in generated calls: lag, split segments, odd traffic.

Every rule must have had its chance: the counts of how often each could have been broken are printed and asserted.
"""

from __future__ import annotations

import pytest
from hypothesis import Phase, given, settings

from callflow import Flow
from callflow.line.memory import Conditions
from callflow.line.profile import Profile
from callflow.testing.rules import Verdict
from tests.properties.scenes import Scene, judge, scenes

BATCHES = (
    ("talks", (), 60),
    ("talks", ("R2", "R4"), 50),
    ("talks", ("R7",), 25),
    ("talks", ("R3", "R5", "R6", "R8", "R9", "R11"), 25),
    ("errands", (), 40),
    ("listens", ("R2",), 20),
    ("listens", (), 10),
)
"""Flow, rules that this Exotel breaks, examples. Apart, since no draw may take a rule's chance away."""

EVENTFUL = (
    (0.1, "ping"),
    (0.1, "second line"),
    (0.5, "lost for 0.2"),
    (5.0, "4"),
    (0.3, "1"),
    (6.0, "12#"),
    (4.0, "5"),
    (1.0, "rest"),
)
"""A call in which much happens."""

FAILING = ((4.0, "4"), (2.5, "5"), (1.0, "rest"))
"""A call in which ``run`` returns, and later one raises. Both are played under several seeds, so that no rule's chance
hangs on what is drawn."""

ERRANDS = (
    (3.0, "1"),
    (1.0, "123"),
    (1.2, "1"),
    (1.0, "lost for 0.2"),
    (3.0, "2"),
    (1.0, "lost for 0.2"),
    (3.0, "1"),
    (9.0, "wait"),
)
"""A call that is twice inside of two sub-flows, once done and once given up, and in a state with activities, and loses
its line in both."""

ENOUGH = 20
"""Times that each rule's premise must have held."""


@pytest.mark.timeout(3000)  # seconds; 230 calls, each with all its frames, and ten times as many in the long profile
def test_generated_calls_keep_every_rule_and_law_and_each_had_its_chance(flows: dict[str, Flow[None]]) -> None:
    total, wide = Verdict(), min(10, max(1, settings().max_examples // 100))  # ten times as many in the long profile

    def batch(flow: str, breaks: tuple[str, ...], examples: int) -> None:
        # Without the phase that explains: it traces every line of every call.
        @settings(max_examples=examples * wide, phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink])
        @given(scenes(flow, breaks))
        def every_call(scene: Scene) -> None:
            nonlocal total
            verdict = judge(scene, flows[scene.flow])
            total += verdict
            assert verdict.breaches == ()

        every_call()

    for seed in range(ENOUGH):
        profile = Profile(keeps_sending_silence=False, breaks={"R7"} if seed % 4 == 0 else set())
        for flow, steps in (("talks", EVENTFUL), ("talks", FAILING), ("errands", ERRANDS)):
            scene = Scene(flow=flow, steps=steps, conditions=Conditions(), profile=profile, seed=seed)
            total += judge(scene, flows[flow])
    assert total.breaches == ()

    for flow, breaks, examples in BATCHES:
        batch(flow, breaks, examples)
    print(total.table())

    seldom = {rule.id for rule in total.rules if total.premises[rule.id] < ENOUGH}
    assert seldom == set()
