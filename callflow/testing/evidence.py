"""The evidence: what is known of one example when it is over, for whoever judges it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from attrs import Factory, frozen

from callflow.flow.flow import Flow
from callflow.testing.compared import Compared
from callflow.testing.laws.law import Patience, Story
from callflow.testing.rules.rule import Limits
from callflow.testing.wirelog import WireLog


@frozen(kw_only=True)
class Papers:
    """What an example has left in writing, where entries that nobody may read would stand if somebody let them out."""

    entries: Mapping[str, str] = Factory(dict)
    """The secrets that were typed, by name."""
    texts: Mapping[str, Sequence[str]] = Factory(dict)
    """What was written, by what it is."""


@frozen(kw_only=True)
class Evidence:
    """What is known of one example when it is over."""

    flow: Flow[object]
    wire: WireLog = Factory(WireLog)
    """What passed on all connections, as the server saw it, with the facts of its inside."""
    recordings: Sequence[WireLog] = ()
    """What passed on those of each telephone, as Exotel's side saw it."""
    stories: Sequence[Story] = ()
    """One for each call that reached ``start``."""
    leftovers: Mapping[str, int] = Factory(dict)
    """What is there when nothing may be."""
    strangers: Sequence[tuple[str, str]] = ()
    """Who asked at the door for what nobody may have, and the first line of the answer."""
    failed: int = 0
    """Connections that callflow's own code failed on, and its firewall ended."""
    fullest: Mapping[str, tuple[float, float]] = Factory(dict)
    """The most that was in each kind of box, and what may be."""
    papers: Papers = Papers()
    beside: Compared | None = None
    """What became of a call beside one in trouble; None where there was no such call, or no trouble."""
    patience: Patience
    limits: Limits
    failures: Collection[str] = ()
    """Names of the exceptions that services raise which are told to fail."""
