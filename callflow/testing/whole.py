"""The laws of whole examples (K): that calls end and leave nothing, and what no wire and no journal tells by itself."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from attrs import frozen

from callflow.call.journal import Entry, Kind
from callflow.flow.definition import overrides
from callflow.flow.marks import ACTIVITY_ATTRIBUTE, marked
from callflow.flow.playback import CUT_BY_KEY, CUT_BY_SPEECH
from callflow.flow.state import State
from callflow.session.inputs import MarkDone, MarkFate
from callflow.testing.evidence import Evidence
from callflow.testing.laws.law import Story, case, is_fate, is_key, is_over, is_state, text
from callflow.testing.rules.rule import ROUNDING, Case
from callflow.testing.wirelog import LIVE, Blocked, Held, Interrupted, Queued, Side, WireLog
from callflow.testing.wirelog import Entry as Passed
from callflow.wire.messages import Clear, Mark, Media

Judge = Callable[[Evidence], Iterable[Case]]


def no_errors(evidence: Evidence) -> Iterator[Case]:
    """No handler and no run of the flow raises."""
    # But for what a service raises that was told to fail, where on_error knows a way for it.
    for story in evidence.stories:
        errors = story.about(Kind.ERROR)
        wrong = [entry for entry in errors if not ("next" in entry.details and entry.what in evidence.failures)]
        for entry in wrong:
            where = entry.details.get("where") or entry.details.get("state") or "the flow"
            yield Case(entry.at, f"{where}: {entry.what}", entry.n)
        if not wrong:
            yield Case(0.0)


def no_orphans(evidence: Evidence) -> Iterator[Case]:
    """When every call is over, no task, timer, registry entry, playback or stream of any is left."""
    left = ", ".join(f"{count} {kind}" for kind, count in evidence.leftovers.items())
    yield Case(0.0, f"{left} left" if left else "")


def strangers_stay_out(evidence: Evidence) -> Iterator[Case]:
    """Who asks for a stream wrongly is told so and gets none."""
    for kind, answer in evidence.strangers:
        is_told = re.match(r"HTTP/1\.1 4\d\d ", answer) is not None
        yield Case(0.0, "" if is_told else f"{kind} was answered {answer!r}")


def nothing_fails_inside(evidence: Evidence) -> Iterator[Case]:
    """No connection ends by a mistake of callflow's own."""
    yield Case(0.0, f"{evidence.failed} connections failed" if evidence.failed else "")


# The wire.


def one_line_each(evidence: Evidence) -> Iterator[Case]:
    """What is said on one line goes on on no other: it is said anew there, or not at all."""
    on: dict[str, int] = {}
    for entry in evidence.wire.of(Queued):
        if isinstance(entry.what, Queued):
            first = on.setdefault(entry.what.utterance, entry.conn)
            is_moved = entry.conn != first
            wrong = f"audio of {entry.what.utterance!r} went out on another line than it began on" if is_moved else ""
            yield Case(entry.at, wrong)


def no_gaps(evidence: Evidence) -> Iterator[Case]:
    """Nothing that is there to be played falls silent in the middle."""
    for log in evidence.wire.connections():
        yield from _gaps(log)


def _gaps(log: WireLog) -> Iterator[Case]:
    line, plays_until = log.line, -math.inf
    coming = before = ""
    for entry in log.of(Queued, Interrupted, Blocked, Clear, Media):
        match entry:
            case Passed(what=Queued(utterance=utterance)):
                coming = utterance
            case Passed(what=Interrupted() | Blocked()) | Passed(side=Side.OUT, what=Clear()):
                before = ""
            case Passed(at=at, side=Side.OUT, what=Media(payload=payload)) if coming:
                if coming == before and not coming.endswith(LIVE):
                    late = at - plays_until
                    yield Case(at, f"{late:.3f} s of silence in {coming!r}" if late > ROUNDING else "")
                plays_until, before = max(plays_until, at) + line.seconds(len(payload)), coming


def cleared_is_not_heard(evidence: Evidence) -> Iterator[Case]:
    """A mark that a clear has overtaken never counts as heard, whenever it comes back."""
    for log in evidence.wire.connections():
        sent, cleared = set[str](), set[str]()
        for entry in log.of(Mark, Clear, MarkDone):
            match entry:
                case Passed(side=Side.OUT, what=Mark(name=name)):
                    sent.add(name)
                case Passed(side=Side.OUT, what=Clear()):
                    cleared, sent = cleared | sent, set()
                case Passed(at=at, what=MarkDone(name=name, fate=fate)):
                    sent.discard(name)
                    wrong = fate in (MarkFate.PLAYED, MarkFate.SKIPPED, MarkFate.ASSUMED)
                    if name in cleared:
                        yield Case(at, f"mark {name!r} was cleared, and is said to be {fate.value}" if wrong else "")


def marks_in_order(evidence: Evidence) -> Iterator[Case]:
    """What became of marks is told in the order in which they were sent."""
    for log in evidence.wire.connections():
        sent = list[str]()
        latest = -1
        for entry in log.of(Mark, MarkDone):
            if entry.side is Side.OUT and isinstance(entry.what, Mark):
                sent.append(entry.what.name)
            elif isinstance(entry.what, MarkDone) and sent.count(entry.what.name) == 1:
                place = sent.index(entry.what.name)
                yield Case(entry.at, f"mark {entry.what.name!r} after {sent[latest]!r}" if place < latest else "")
                latest = max(latest, place)


# The flow's side.


def goodbye_is_heard(evidence: Evidence) -> Iterator[Case]:
    """What a flow says last before it ends the call is heard to its end, unless the caller cuts it."""
    for story in evidence.stories:
        over = next(filter(is_over, story.about(Kind.END)), None)
        if over is not None and text(over, "cause") == "flow" and (said := _last_words(story.entries)):
            yield case(over, _wrong_goodbye(said))


def _last_words(entries: Sequence[Entry]) -> list[Entry]:
    """Give what happened from the last playback on, until the end; nothing for one that goes round or is made live."""
    said = list[Entry]()
    for entry in entries:
        if is_over(entry):
            break
        if entry.kind is Kind.PLAYBACK and entry.what == "queued":
            said = [entry]
        elif said:
            said.append(entry)
    return [] if said and any(name in said[0].details for name in ("loop", "live")) else said


def _wrong_goodbye(said: Sequence[Entry]) -> str:
    prompt = text(said[0], "prompt")
    fate = next((n for n, entry in enumerate(said) if is_fate(entry)), None)
    if fate is None:
        return f"{prompt} still played"
    before, after = said[:fate], said[fate:]
    is_callers = any(entry.kind is Kind.PLAYBACK and entry.what == "barge-in" for entry in before)
    ways = [text(entry, "by") for entry in before if is_state(entry, "left")]
    is_left = ways[-1:] == ["run"] or not any(is_state(entry, "left") for entry in (*before, *after))
    return f"{prompt} was cut by the flow itself" if said[fate].what == "cut" and is_left and not is_callers else ""


def protected_prompts(evidence: Evidence) -> Iterator[Case]:
    """Noise, speech and keys cut nothing that does not let them."""
    for story in evidence.stories:
        yield from _disturbed(story)


def _disturbed(story: Story) -> Iterator[Case]:
    """Follow what plays; what pauses cannot be cut. A cut in the very instant of a noise is the noise's."""
    playing: Entry | None = None
    paused = dict[str, Entry]()
    noise, noisy_at, may_stop = "", -math.inf, False
    for entry in story.about(Kind.STATE, Kind.PLAYBACK, Kind.KEY, Kind.SPEECH):
        if is_state(entry, "entered"):
            may_stop = _works_by_itself(story.states.get(text(entry, "state")))
        if entry.kind is Kind.PLAYBACK and entry.what == "queued":
            playing, noise = entry, ""
        elif entry.kind is Kind.PLAYBACK and entry.what == "paused" and playing is not None:
            paused[text(playing, "prompt")], playing = playing, None
        elif entry.kind is Kind.PLAYBACK and entry.what == "resumed":
            playing = paused.pop(text(entry, "prompt"), None)
        elif entry.kind is Kind.PLAYBACK and entry.what == "barge-in":
            yield case(entry, _wrong_barge_in(entry, playing))
            noise = ""
        elif playing is not None and is_fate(entry) and text(entry, "prompt") == text(playing, "prompt"):
            is_cut = noise and not may_stop and entry.what == "cut" and entry.at == noisy_at
            yield case(entry, f"{noise} has cut {text(playing, 'prompt')}" if is_cut else "")
            playing, noise = None, ""
        elif playing is not None and (by := _disturbance(entry)):
            noise, noisy_at = by if text(playing, "barge_in") not in _CUTS[by] else "", entry.at
        elif entry.kind is Kind.STATE:
            noise = ""  # the flow has decided something


def _works_by_itself(state: type[State[Any]] | None) -> bool:
    """Say whether a state has code of its own beside its handlers, which may stop a prompt in any instant."""
    return state is not None and (overrides(state, "run") or any(marked(state, ACTIVITY_ATTRIBUTE)))


def _wrong_barge_in(entry: Entry, playing: Entry | None) -> str:
    by = text(entry, "by")
    fits = playing is None or text(playing, "barge_in") in _CUTS[by]
    return "" if fits else f"{text(entry, 'prompt')} may not be cut by a {by}, and was"


_CUTS = {"key": CUT_BY_KEY, "speech": CUT_BY_SPEECH}


def _disturbance(entry: Entry) -> str:
    if is_key(entry, "pressed"):
        return "key"
    return "speech" if entry.kind is Kind.SPEECH and entry.what == "began" else ""


# What is kept.


def resume_keeps_data(evidence: Evidence) -> Iterator[Case]:
    """A call that goes on over another line has the data that it had."""
    had: dict[str, int] = {}
    for entry in evidence.wire.of(Held):
        if isinstance(entry.what, Held):
            call, data = entry.what.call, entry.what.data
            if call in had:
                yield Case(entry.at, "" if had[call] == data else "the call has other data since its line is back")
            had[call] = data


def mailbox_bounded(evidence: Evidence) -> Iterator[Case]:
    """What waits for a flow is bounded: its events, and the caller's audio."""
    for what, (most, allowed) in evidence.fullest.items():
        yield Case(0.0, f"{most:g} {what}, {allowed:g} allowed" if most > allowed else "")


def no_secrets(evidence: Evidence) -> Iterator[Case]:
    """A secret entry that was typed stands in no journal, log line, record, script or chronicle."""
    for name, digits in evidence.papers.entries.items():
        whole = re.compile(rf"(?<![0-9.]){re.escape(digits)}(?![0-9])")
        for kind, texts in evidence.papers.texts.items():
            yield Case(0.0, f"${name} stands in the {kind}" if any(map(whole.search, texts)) else "")


# Two calls.


def neighbours(evidence: Evidence) -> Iterator[Case]:
    """Trouble in one call changes nothing in another: what it is sent and when, and what its flow does."""
    if evidence.beside is not None:
        at, words = evidence.beside.difference or (0.0, "")
        yield Case(at, words)


@frozen
class Whole:
    """One law of whole examples; its name is its judge's, its sentence the docstring."""

    id: str
    judge: Judge
    reads: str
    """What it looks at; without it the law has no case."""


WHOLE = (
    Whole("K1", no_errors, "errors of the journal"),
    Whole("K2", no_orphans, "tasks, live calls, connections, timers and playbacks when all is over"),
    Whole("K3", strangers_stay_out, "answers to strangers, who come by odd steps"),
    Whole("K4", nothing_fails_inside, "what the firewall of connections has caught"),
    Whole("K5", one_line_each, "Queued on every connection"),
    Whole("K6", no_gaps, "Queued, Interrupted, Blocked, media and clears sent"),
    Whole("K7", cleared_is_not_heard, "marks and clears sent, MarkDone"),
    Whole("K8", marks_in_order, "marks sent, MarkDone"),
    Whole("K9", goodbye_is_heard, "playbacks, left, over by the flow"),
    Whole("K10", protected_prompts, "playbacks, keys pressed and speech while they sound"),
    Whole("K11", resume_keeps_data, "Held when a line is lost and found"),
    Whole("K12", mailbox_bounded, "the most that was in mailboxes and rings"),
    Whole("K13", no_secrets, "what was written where a state asked for a secret and a named answer was typed"),
    Whole("K14", neighbours, "a quiet call beside one that has trouble, and the same call alone"),
)
"""The laws, in order."""

OF_STORIES = frozenset({"K1", "K9", "K10"})
"""Those that read nothing but stories."""
