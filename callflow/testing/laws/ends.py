"""Ends: what pre-empts, what is told once, and that every call has one."""

from __future__ import annotations

from collections.abc import Iterator

from callflow.call.journal import Entry, Kind
from callflow.flow.definition import overrides
from callflow.testing.laws.law import Patience, Story, case, is_due, is_key, is_over, is_state, law, text
from callflow.testing.laws.levels import READ, Levels
from callflow.testing.rules.rule import Case

STUCK = "does not end"
"""What the journal calls a state whose ``run`` outlives its cancelling."""


@law("L9", reads="over, and all that follows; asked on_hangup")
def hangup_preempts(story: Story, patience: Patience) -> Iterator[Case]:
    """When the call is over nothing of the flow goes on; on_hangup is called once, for the state that it was in."""
    levels, over, told = Levels(), None, list[str]()
    for entry in story.about(*READ, Kind.PLAYBACK, Kind.KEY, Kind.TIMER):
        if is_state(entry, "asked") and text(entry, "handler") == "on_hangup":
            again = told.count(text(entry, "state")) >= max(1, levels.names.count(text(entry, "state")))
            told.append(text(entry, "state"))
            words = "on_hangup was called again" if again else "" if over else "on_hangup came before the end"
            yield case(entry, words)
        elif is_over(entry):
            yield case(entry, "the call was over already" if over is not None else "")
            over = over or entry
        elif over is not None and _goes_on(entry):
            yield case(entry, f"{entry.kind.value} {entry.what} after the end")
        elif over is None:
            levels.read(entry)
    if over is not None:
        for name in _untold(story, levels, told):
            yield case(over, f"on_hangup of {name} was never called")


def _goes_on(entry: Entry) -> bool:
    if is_state(entry, "asked") and text(entry, "handler") == "on_recorded_hangup":
        return False  # what a recording that the end cuts off is told by
    began = entry.kind is Kind.PLAYBACK and entry.what == "queued"
    return began or is_state(entry, "entered", "left", "stayed", "asked") or is_key(entry, "taken") or is_due(entry)


def _untold(story: Story, levels: Levels, told: list[str]) -> Iterator[str]:
    """Give the states that have an ``on_hangup`` and did not hear: one that does not end cannot."""
    ended = any(entry.what == "ended" for entry in story.about(Kind.END))
    stuck = any(entry.what == STUCK for entry in story.entries)
    for name in levels.names if ended and not stuck and not levels.expected else []:
        state = story.states.get(name)
        if state is not None and overrides(state, "on_hangup") and name not in told:
            yield name


@law("L10", reads="errors, over")
def errors_once(story: Story, patience: Patience) -> Iterator[Case]:
    """A call's first exception goes where the flow wants it; without such a place, or again, it ends this call."""
    if not story.about(Kind.ERROR):
        return
    recovered, failed, is_lost = False, False, False
    for entry in story.entries:
        if entry.kind is Kind.LINK and entry.what in ("detached", "resumed"):
            is_lost = entry.what == "detached"
        if is_over(entry):
            cause = text(entry, "cause")
            kept = cause == ("peer_gone" if is_lost else "app_error")  # without a line there was nothing left to end
            if failed:
                yield case(entry, "" if kept else f"the call ended by {cause} after an error")
            return
        if entry.kind is Kind.ERROR and entry.what != STUCK:
            following = text(entry, "next")
            yield case(entry, "a second error did not end the call" if following and (recovered or failed) else "")
            recovered, failed = recovered or bool(following), failed or not following
        elif failed and (is_state(entry, "entered", "asked", "left") or is_key(entry, "taken")):
            yield case(entry, f"{entry.kind.value} {entry.what} after an error that ends the call")


@law("L16", reads="the journal's begin, over, detached, ended")
def every_call_ends(story: Story, patience: Patience) -> Iterator[Case]:
    """A call is over within its limit and ended within the grace after that; a line that stays away ends it too."""
    over, detached = None, None
    for entry in story.about(Kind.END, Kind.LINK):
        if is_over(entry):
            over = entry
            yield case(entry, _too_long(entry, detached, patience))
        elif entry.kind is Kind.LINK and entry.what in ("detached", "resumed"):
            detached = entry if entry.what == "detached" else None
        elif entry.kind is Kind.END and entry.what == "ended":
            yield case(entry, _too_late(entry, over, patience))
            return
    began = any(is_state(entry, "entered") for entry in story.entries)  # a link without a start has no record
    if story.entries and (over is None or began):
        yield case(story.entries[-1], "the call never ended")


def _too_long(entry: Entry, detached: Entry | None, patience: Patience) -> str:
    if entry.at > patience.limit + patience.late:
        return f"the call lasted {entry.at:.3f} s"
    away = 0.0 if detached is None else entry.at - detached.at
    return f"the line was away for {away:.3f} s" if away > patience.resume + patience.late else ""


def _too_late(entry: Entry, over: Entry | None, patience: Patience) -> str:
    if over is None:
        return "the call ended and was never over"
    late = entry.at - over.at
    return f"the record came {late:.3f} s after the end" if late > patience.end + patience.late else ""
