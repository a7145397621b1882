"""Plans of faults: what is drawn, how it prints, and that a call survives what may befall its line."""

from __future__ import annotations

from collections import Counter

import pytest
import trio
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from callflow import Call, Dtmf, Flow, Hangup, State
from callflow.errors import ScriptError
from callflow.line.memory import Conditions
from callflow.line.steps import Drop, Fault, Header, Network, Reconnect
from callflow.testing import caller, faults, replay, run
from callflow.testing.faults import FaultKind, Plan
from callflow.testing.performance import SETTLES
from callflow.testing.replaying import Verdict
from callflow.testing.stage import Stage
from examples.bank_ivr.bank import FakeBank
from examples.bank_ivr.ivr import Caller as Customer
from examples.bank_ivr.ivr import bank_ivr

C = Call[None]


class Wait(State[None], timeout=25.0):
    def on_dtmf(self, call: C, key: Dtmf) -> Bye | None:
        return Bye() if key.digit == "#" else None

    def on_timeout(self, call: C) -> Bye:
        return Bye()


class Bye(Hangup[None]): ...


waiting = Flow("waiting", start=Wait)

few = settings(
    max_examples=300,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def drawn(strategy: st.SearchStrategy[Plan]) -> list[Plan]:
    found: list[Plan] = []

    @few
    @given(strategy)
    def draw(plan: Plan) -> None:
        found.append(plan)

    draw()
    return found


# What is drawn.


def named(plan: Plan) -> set[str]:
    """Give the verbs of a plan's lines, and the kinds of its oddities and services."""
    words = [line.split() for line in plan.lines]
    return {word for line in words for word in line[2 if line[0] == "at" else 0 :]}


POINTS = {
    FaultKind.DELAY: {"lag"},
    FaultKind.SPLIT: {"split"},
    FaultKind.PARTIAL: {"partial"},
    FaultKind.DROP: {"drop", "reconnect"},
    FaultKind.HALF_CLOSE: {"halfclose", "reconnect"},
    FaultKind.FREEZE: {"freeze"},
    FaultKind.DEAF: {"deaf", "takeover"},
    FaultKind.TAKEOVER: {"takeover"},
    FaultKind.DUPLICATE: {"odd"},
    FaultKind.REORDER: {"odd", "marks-swapped"},
    FaultKind.LATE_MARK: {"odd", "late-mark"},
    FaultKind.LOST_MARK: {"odd", "lost-mark"},
    FaultKind.SERVICE_FAILS: {"service", "bank", "fails"},
    FaultKind.SERVICE_HANGS: {"service", "bank", "hangs"},
}


@pytest.mark.parametrize("kind", FaultKind)
def test_a_kind_that_is_asked_for_is_what_is_drawn(kind: FaultKind) -> None:
    plans = drawn(faults.plans({kind.value}, services=["bank"]))

    assert [plan for plan in plans if plan != Plan() and not POINTS[kind] <= named(plan)] == []
    assert any(plan != Plan() for plan in plans)


def test_every_kind_is_drawn_without_being_asked_for() -> None:
    words = Counter(word for plan in drawn(faults.plans(services=["bank"])) for word in named(plan))

    assert {word for points in POINTS.values() for word in points} - set(words) == set()


def test_the_simplest_plan_has_nothing_wrong() -> None:
    assert find(faults.plans(), lambda plan: True, settings=settings(database=None)) == Plan()


def test_what_matters_is_what_a_plan_is_shrunk_to() -> None:
    shortest = find(
        faults.plans(most=4), lambda plan: "freeze" in named(plan), settings=settings(database=None, max_examples=2000)
    )

    assert shortest.lines == ["at 1s freeze 0.5s"]


@pytest.mark.parametrize("wrong", [{"kinds": {"rain"}}, {"kinds": {"service-hangs"}}])
def test_what_cannot_be_drawn_is_refused(wrong: dict[str, set[str]]) -> None:
    with pytest.raises(ValueError, match=r"rain|name it by services="):
        faults.plans(**wrong)  # type: ignore[arg-type]  # wrong on purpose


# A plan as a value.


@given(faults.plans(services=["bank"], most=4))
def test_a_plan_is_read_back_from_its_lines(plan: Plan) -> None:
    assert Plan.read(plan.lines) == plan


def test_a_plan_leaves_alone_what_it_says_nothing_of() -> None:
    plan = Plan(faults=(Fault(at=3.0, step=Drop()),))

    assert plan.of(Header(lag=0.4)) == Header(lag=0.4, faults=plan.faults)


def test_a_plan_is_conditions_of_a_network() -> None:
    assert Plan(lag=0.05, network=Network.SPLIT).conditions == Conditions(lag=0.05, split=True, cuts=0.25)


def test_a_line_that_is_no_fault_is_refused() -> None:
    with pytest.raises(ScriptError, match="'keys' is nothing that befalls a line"):
        Plan.read(["at 3s keys 1"])


# A call with a plan.


async def patient(plan: Plan) -> str:
    """Call and do nothing until the flow has enough; the record says where it ended."""
    async with caller(waiting, faults=plan) as c:
        record = await c.ended(within=25.0 + SETTLES + 3 * 9.0)
    return f"{record.cause.value} in {record.last_state}"


@settings(max_examples=60)
@given(faults.plans())
def test_a_call_goes_on_to_its_end_whatever_befalls_its_line(plan: Plan) -> None:
    assert run(patient, plan) in ("flow in Bye", "idle in Wait")


async def drop_at(lines: list[str]) -> tuple[int, list[float]]:
    async with caller(waiting, faults=lines) as c:
        await c.silent(6.0)
        record = await c.hangs_up()
    return record.links, list(c._performance.leg.phone.lost_at.values())


def test_a_line_is_lost_and_comes_back_at_the_moments_of_the_plan() -> None:
    assert run(drop_at, ["at 2s drop", "at 4s reconnect"]) == (2, [2.0])


async def hear_the_balance(plan: Plan | tuple[str, ...]) -> Customer:
    async with caller(bank_ivr, services=[FakeBank()], answers={"pin": "4129"}, faults=plan, may_fail=True) as c:
        await c.reaches("MainMenu", within=30.0)
        await c.press("1")
        await c.type("$pin")
        await c.silent(20.0)
        await c.hangs_up()
        return c.data


@pytest.mark.parametrize("way", ["fails", "hangs"])
def test_a_service_behind_the_flow_does_as_the_plan_says(way: str) -> None:
    well = run(hear_the_balance, ())
    ill = run(hear_the_balance, (f"at 2s service fakebank {way}",))

    assert (well.verified, ill.verified) == (True, False)


async def greeted(*lost: str) -> float:
    """Lose the echo behind the greeting; give the seconds until the flow has gone on."""
    async with caller(bank_ivr, services=[FakeBank()], faults=lost) as c:
        await c.reaches("FindAccount", within=60.0)
        seconds = c.now
        await c.hangs_up()
    return seconds


@pytest.mark.parametrize(("fault", "least", "most"), [("late-mark", 0.9, 1.1), ("lost-mark", 1.9, 2.1)])
def test_a_mark_that_is_late_or_lost_is_waited_for_and_not_for_ever(fault: str, least: float, most: float) -> None:
    later = run(greeted, f"at 0s odd {fault}") - run(greeted)

    assert least < later < most


# As a script.


def test_a_call_with_faults_is_the_same_when_it_is_played_again(tmp_path: object) -> None:
    async def saved() -> tuple[object, list[tuple[float, str, str | bytes]]]:
        async with caller(waiting, faults=["network split", "at 2s freeze 1s", "at 5s drop", "at 6s reconnect"]) as c:
            await c.silent(8.0)
            await c.press("#")
            await c.ended(by="flow")
            return c.script(), c._performance.trace()

    script, trace = run(saved)
    played = replay(script, flow=waiting)  # type: ignore[arg-type]  # a Script

    assert (played.verdict, list(played.trace)) == (Verdict.PASSED, trace)


# Beside the flow.


async def befallen() -> int:
    stage = Stage(waiting, Plan(faults=(Fault(at=1.0, step=Drop()), Fault(at=2.0, step=Reconnect()))).circumstances)
    async with trio.open_nursery() as nursery:
        await stage.open(nursery)
        phone = await stage.ring()
        await trio.sleep(3.0)
        await phone.hang_up()
        nursery.cancel_scope.cancel()
    return phone.links


def test_a_stage_has_the_faults_of_its_circumstances() -> None:
    assert run(befallen) == 2
