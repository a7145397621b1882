"""Where mutants are played: the flows, and a call judged by the whole lawbook."""

from __future__ import annotations

from pathlib import Path

from callflow.line.script import parse
from callflow.line.steps import Ring, Script
from callflow.testing.doubles import Double
from callflow.testing.lawbook import LawBroken, laws_for
from callflow.testing.rehearsal import Cast, Rehearsal
from callflow.testing.sounds import sayings
from examples.bank_ivr.bank import BankDown, FakeBank
from examples.bank_ivr.ivr import bank_ivr
from examples.echo import echo
from tests.mutants.flows import make_small_flows
from tests.properties.flows import make_flows, write_prompts
from tests.properties.scenes import VOICE


def make_casts(prompts: Path) -> dict[str, Cast]:
    """Make what can be called, by name."""
    write_prompts(prompts)
    sounds = {"voice.wav": VOICE, **sayings(8000)}
    flows = {**make_flows(prompts), **make_small_flows(prompts)}
    casts = {name: Cast(flow=flow, sounds=sounds) for name, flow in flows.items()}
    bank = Cast(
        flow=bank_ivr, services={"bank": Double(FakeBank, fails=BankDown)}, answers={"pin": "4129"}, sounds=sounds
    )
    return {**casts, "bank": bank, "echo": Cast(flow=echo, sounds=sounds)}


def script_of(call: str) -> Script:
    """Read the short form of a script."""
    return parse("\n".join(call.split(" / ")) + "\n")


def judge(cast: Cast, script: Script, premises: dict[str, int] | None = None) -> list[LawBroken]:
    """Play a call and judge it by every law that binds its flow."""
    rehearsal = Rehearsal(cast, script.header)
    try:
        rehearsal.ring(asks=isinstance(script.steps[0], Ring))
        for step in script.steps:
            if not isinstance(step, Ring):
                rehearsal.take(step)
        evidence = rehearsal.finish()
        compared = rehearsal.compare()
    finally:
        rehearsal.close()
    laws, premises = laws_for(cast.flow), {} if premises is None else premises
    both = laws.judge(evidence, premises)
    return both if compared is None else [*both, *laws.judge_neighbours(compared, premises)]
