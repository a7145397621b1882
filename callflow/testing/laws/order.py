"""One thing after another: events, moves, results, and keys before deadlines."""

from __future__ import annotations

from collections.abc import Iterator

from callflow.call.journal import Entry, Kind
from callflow.testing.laws.keys import KeyBook
from callflow.testing.laws.law import Patience, Story, case, is_due, is_over, is_state, law, text
from callflow.testing.laws.levels import READ, Levels
from callflow.testing.rules.rule import Case

_DECIDE_NOTHING = ("on_hangup", "on_recorded_hangup")


@law("L1", reads="asked, stayed, left, error, and what stands between")
def one_event_at_a_time(story: Story, patience: Patience) -> Iterator[Case]:
    """A handler decides before anything else is handled, read or due."""
    deciding: Entry | None = None
    for entry in story.entries:
        if deciding is not None and _is_event(entry):
            yield case(entry, f"{entry.kind.value} {entry.what} while {text(deciding, 'handler')} decided")
        match entry.kind, entry.what:
            case (Kind.STATE, "stayed" | "left") | (Kind.ERROR | Kind.END, _):
                deciding = None
            case Kind.STATE, "asked" if text(entry, "handler") not in _DECIDE_NOTHING:
                deciding = entry
                yield case(entry)


def _is_event(entry: Entry) -> bool:
    if entry.kind is Kind.MESSAGE:
        return text(entry, "side") == "in"
    return entry.kind in (Kind.KEY, Kind.TIMER, Kind.LINK) or is_state(entry, "entered", "asked")


@law("L2", reads="entered, left, stayed, asked")
def none_stays_and_a_state_moves(story: Story, patience: Patience) -> Iterator[Case]:
    """None stays; a state that is returned is entered, always, and the one before it left."""
    levels, left_at, is_lost = Levels(), 0.0, False
    for entry in story.about(*READ, Kind.LINK):
        if entry.kind is Kind.LINK and entry.what in ("detached", "resumed"):
            is_lost, left_at = entry.what == "detached", entry.at  # what waited for a line begins anew when it is back
        if is_over(entry):
            # A line that is lost between leaving and entering holds the flow still for as long as it is waited for.
            wait = patience.end + (patience.resume if is_lost else 0.0)
            late = bool(levels.expected) and entry.at - left_at > wait
            yield from [case(entry, f"{levels.expected} was never entered")] if late else []
            return
        left_at = entry.at if is_state(entry, "left") else left_at
        words = levels.read(entry)
        if is_state(entry, "entered", "left", "stayed") or words:
            yield case(entry, words)


@law("L3", reads="run returned, left by run")
def late_results_are_dropped(story: Story, patience: Patience) -> Iterator[Case]:
    """What run returns moves the call only while its own state lasts."""
    levels, returned = Levels(), dict[object, str]()
    for entry in story.about(*READ):
        if is_state(entry, "run returned"):
            yield case(entry)
            returned[entry.details.get("visit")] = text(entry, "to")
        elif is_state(entry, "left") and text(entry, "by") == "run":
            state = text(entry, "state")
            visits = [level.details.get("visit") for level in levels.stack if text(level, "state") == state]
            own = text(entry, "to") in [returned.get(visit) for visit in visits]
            yield case(entry, "" if own else f"{state} was left by a result that is not its own")
        levels.read(entry)


@law("L4", reads="timer due; keys pressed and what became of them, run returned")
def the_mailbox_before_deadlines(story: Story, patience: Patience) -> Iterator[Case]:
    """What came before a deadline is handled before it, at the same instant too."""
    if not any(map(is_due, story.about(Kind.TIMER))):
        return
    book, result = KeyBook(story), ""
    for entry in story.about(Kind.KEY, Kind.TIMER, Kind.STATE):
        if is_state(entry, "entered", "left", "stayed"):
            result = ""
        elif is_state(entry, "run returned"):
            result = text(entry, "to")
        elif is_due(entry):
            waits = f"{len(book.came)} keys waited" if book.came else f"a move to {result} waited" if result else ""
            yield case(entry, waits)
        book.read(entry)
