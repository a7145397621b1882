"""Ends: what pre-empts, what is told once, and that every call has one."""

from __future__ import annotations

from collections.abc import Iterator

from callflow.call.journal import Entry, Kind
from callflow.flow.definition import overrides
from callflow.testing.laws.law import Patience, Story, case, is_due, is_key, is_over, is_state, law, text
from callflow.testing.rules.rule import Case

STUCK = "does not end"
"""What the journal calls a state whose ``run`` outlives its cancelling."""


@law("L9", reads="over, and all that follows; asked on_hangup")
def hangup_preempts(story: Story, patience: Patience) -> Iterator[Case]:
    """When the call is over nothing of the flow goes on; on_hangup is called once, for the last state."""
    over, told = None, 0
    for entry in story.entries:
        if is_state(entry, "asked") and text(entry, "handler") == "on_hangup":
            told += 1
            words = "on_hangup was called again" if told > 1 else "" if over else "on_hangup came before the end"
            yield case(entry, words)
        elif is_over(entry):
            yield case(entry, "the call was over already" if over is not None else "")
            over = over or entry
        elif over is not None and _goes_on(entry):
            yield case(entry, f"{entry.kind.value} {entry.what} after the end")
    if over is not None and not told and _wants_to_know(story):
        yield case(over, "on_hangup was never called")


def _goes_on(entry: Entry) -> bool:
    began = entry.kind is Kind.PLAYBACK and entry.what == "queued"
    return began or is_state(entry, "entered", "left", "stayed", "asked") or is_key(entry, "taken") or is_due(entry)


def _wants_to_know(story: Story) -> bool:
    """Whether the last state has an ``on_hangup`` and could be told: one that does not end is not."""
    visits, ended = story.visits, any(entry.kind is Kind.END and entry.what == "ended" for entry in story.entries)
    stuck = any(entry.what == STUCK for entry in story.entries)
    state = story.states.get(visits[-1].state) if visits else None
    return state is not None and ended and not stuck and overrides(state, "on_hangup")


@law("L10", reads="errors, over")
def errors_end_the_call(story: Story, patience: Patience) -> Iterator[Case]:
    """An exception of user code ends this call, with cause app_error, and nothing else is delivered."""
    failed: Entry | None = None
    for entry in story.entries:
        if entry.kind is Kind.ERROR and entry.what != STUCK:
            failed = failed or entry
            yield case(entry)
        elif failed is not None and is_over(entry):
            cause = text(entry, "cause")
            yield case(entry, "" if cause == "app_error" else f"the call ended by {cause} after an error")
            return
        elif failed is not None and (is_state(entry, "entered", "asked", "left") or is_key(entry, "taken")):
            yield case(entry, f"{entry.kind.value} {entry.what} after {failed.what}")
            return


@law("L16", reads="the journal's begin, over, detached, ended")
def every_call_ends(story: Story, patience: Patience) -> Iterator[Case]:
    """A call is over within its limit and ended within the grace after that; a line that stays away ends it too."""
    over, detached = None, None
    for entry in story.entries:
        if is_over(entry):
            over = entry
            yield case(entry, _too_long(entry, detached, patience))
        elif entry.kind is Kind.LINK and entry.what in ("detached", "resumed"):
            detached = entry if entry.what == "detached" else None
        elif entry.kind is Kind.END and entry.what == "ended":
            yield case(entry, _too_late(entry, over, patience))
            return
    if story.entries and (over is None or story.visits):  # a link that never had a start has no record
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
