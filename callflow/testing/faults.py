"""``faults``: a strategy of what can go wrong on the line of a call, drawn by name and shrunk to what matters.

A plan is given to ``caller(flow, faults=plan)``, to a ``Stage`` or to a ``MemoryNetwork``, and prints as lines of a
call script's header. Only what is possible: connections drop, lag, freeze and end by halves; messages come twice or out
of order where the peer sends them so; marks come late or never where the peer plays so.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Mapping, Sequence

from attrs import evolve
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from callflow.line.oddities import Oddity
from callflow.line.steps import (
    Deafen,
    Drop,
    Fault,
    Freeze,
    HalfClose,
    Network,
    Reconnect,
    SendOdd,
    Service,
    ServiceWay,
    TakeOver,
    Trouble,
)
from callflow.testing.plan import Plan
from callflow.testing.reading import FRAME

__all__ = ["FaultKind", "Plan", "plans"]

AWAY = (0.2, 1.0, 3.0, 9.0)
"""Seconds that a lost line is away: within the ten that a call waits for it."""

BEGUN = 1.0
"""Seconds before which no line is lost: until its ``start`` has come, there is no call that could survive it."""

FROZEN = (0.5, 2.0, 6.0)
"""Seconds that a frozen line stands still: shorter than the stall time of a session, and longer."""

LAGS = (0.05, 0.4)
"""Seconds that everything takes where the line is slow."""


class FaultKind(enum.Enum):
    """The points at which a line can fail."""

    DELAY = "delay"
    SPLIT = "split"
    PARTIAL = "partial"
    DROP = "drop"
    HALF_CLOSE = "half-close"
    FREEZE = "freeze"
    DEAF = "deaf"
    TAKEOVER = "takeover"
    DUPLICATE = "duplicate"
    REORDER = "reorder"
    LATE_MARK = "late-mark"
    LOST_MARK = "lost-mark"
    SERVICE_FAILS = "service-fails"
    SERVICE_HANGS = "service-hangs"


def plans(
    kinds: Collection[FaultKind | str] | None = None,
    *,
    within: float = 20.0,
    most: int = 2,
    services: Sequence[str] = (),
) -> SearchStrategy[Plan]:
    """Give a strategy of plans; the simplest has nothing wrong.

    Args:
        kinds: Which faults to draw from, as members or by their words, such as ``"half-close"``; all if None.
        within: Seconds of the call in which they happen; none before the first second is over.
        most: Faults of one plan.
        services: Names of the services that may fail or hang: their classes', in small letters.

    Raises:
        ValueError: There is no kind of such a name, or a service is to fail and none is named.
    """
    chosen = tuple(FaultKind) if kinds is None else tuple(dict.fromkeys(map(FaultKind, kinds)))
    if kinds is not None and not services and not _OF_SERVICES.keys().isdisjoint(chosen):
        raise ValueError("which service is to fail or to hang? name it by services=")
    possible = [kind for kind in FaultKind if kind in chosen and (services or kind not in _OF_SERVICES)]
    moments = st.integers(round(BEGUN / FRAME), round(max(BEGUN, within) / FRAME)).map(
        lambda frame: round(frame * FRAME, 2)
    )
    each = st.sampled_from(possible).flatmap(lambda kind: _one(kind, moments, services))
    return st.lists(each, max_size=most).map(_together)


Part = Callable[[Plan], Plan]
"""What one fault makes of a plan."""


def _one(kind: FaultKind, moments: SearchStrategy[float], services: Sequence[str]) -> SearchStrategy[Part]:
    """Give a strategy of what one fault of a kind adds."""
    if kind is FaultKind.DELAY:
        return st.sampled_from(LAGS).map(_delay)
    if kind in _NETWORKS:
        return st.just(_on(_NETWORKS[kind]))
    if kind in _OF_SERVICES:
        steps = st.sampled_from(list(services)).map(lambda name: (Service(name=name, way=_OF_SERVICES[kind]),))
        return st.builds(_at, moments, steps, st.just(0.0))
    if kind in _BACK:
        away = st.sampled_from(AWAY)
        return st.builds(_at, moments, st.just((_TROUBLES[kind][0], _BACK[kind])), away)
    return st.builds(_at, moments, st.sampled_from(_TROUBLES[kind]).map(lambda step: (step,)), st.just(0.0))


_NETWORKS: Mapping[FaultKind, Network] = {FaultKind.SPLIT: Network.SPLIT, FaultKind.PARTIAL: Network.PARTIAL}

_OF_SERVICES: Mapping[FaultKind, ServiceWay] = {
    FaultKind.SERVICE_FAILS: ServiceWay.FAILS,
    FaultKind.SERVICE_HANGS: ServiceWay.HANGS,
}

_BACK: Mapping[FaultKind, Trouble] = {
    FaultKind.DROP: Reconnect(),
    FaultKind.HALF_CLOSE: Reconnect(),
    FaultKind.DEAF: TakeOver(),
}
"""How a line comes back that is gone: a call that only ends is no plan's affair."""

_TROUBLES: Mapping[FaultKind, Sequence[Trouble]] = {
    FaultKind.DROP: (Drop(),),
    FaultKind.HALF_CLOSE: (HalfClose(),),
    FaultKind.DEAF: (Deafen(),),
    FaultKind.FREEZE: tuple(Freeze(seconds=seconds) for seconds in FROZEN),
    FaultKind.TAKEOVER: (TakeOver(),),
    FaultKind.DUPLICATE: tuple(SendOdd(oddity=each) for each in (Oddity.MARK_AGAIN, Oddity.CONNECTED_AGAIN)),
    FaultKind.REORDER: (SendOdd(oddity=Oddity.MARKS_SWAPPED),),
    FaultKind.LATE_MARK: (SendOdd(oddity=Oddity.LATE_MARK),),
    FaultKind.LOST_MARK: (SendOdd(oddity=Oddity.LOST_MARK),),
}


def _delay(seconds: float) -> Part:
    return lambda plan: evolve(plan, lag=seconds)


def _on(network: Network) -> Part:
    def on(plan: Plan) -> Plan:
        both = Network.ROUGH if plan.network not in (Network.SMOOTH, network) else network
        return evolve(plan, network=both)

    return on


def _at(at: float, steps: Sequence[Trouble | Service], gap: float) -> Part:
    added = [Fault(at=round(at + gap * place, 2), step=step) for place, step in enumerate(steps)]

    def at_moments(plan: Plan) -> Plan:
        faults = sorted([*plan.faults, *added], key=lambda fault: fault.at)
        return evolve(plan, faults=tuple(faults))

    return at_moments


def _together(parts: Sequence[Part]) -> Plan:
    plan = Plan()
    for part in parts:
        plan = part(plan)
    return plan
