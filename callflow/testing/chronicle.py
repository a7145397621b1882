"""What happened in a call, one line each, as a person wants to read it: the journal without what says nothing new."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from attrs import evolve

from callflow.call.journal import Entry, Kind

_SHOWN = {
    (Kind.STATE, "entered"): "{state} entered",
    (Kind.STATE, "resumed"): "{state} goes on",
    (Kind.KEY, "taken"): "key {key}",
    (Kind.KEY, "dropped"): "a key is dropped",
    (Kind.KEY, "held"): "a key is kept",
    (Kind.TIMER, "due"): "{state}: a wait is over",
    (Kind.LINK, "detached"): "the line is lost",
    (Kind.LINK, "resumed"): "the line is back",
    (Kind.PLAYBACK, "queued"): "plays {prompt}",
    (Kind.PLAYBACK, "paused"): "{prompt} pauses",
    (Kind.PLAYBACK, "resumed"): "{prompt} goes on",
    (Kind.PLAYBACK, "cut"): "{prompt} cut",
    (Kind.PLAYBACK, "lost"): "{prompt} lost with the line",
    (Kind.PLAYBACK, "heard"): "{prompt} heard",
    (Kind.END, "over"): "over: {cause}",
}
"""What is told of an entry, by its kind and word."""

IN_A_ROW = 1.0
"""Seconds between two keys that are told in one line, at most."""


def chronicle(entries: Iterable[Entry]) -> Iterator[str]:
    """Tell what happened in a call."""
    for entry in _in_rows(entry for entry in entries if _is_told(entry)):
        yield f"{entry.at:7.2f}  {_told(entry)}"


def _is_told(entry: Entry) -> bool:
    return entry.kind is Kind.ERROR or (entry.kind, entry.what) in _SHOWN


def _told(entry: Entry) -> str:
    if entry.kind is Kind.ERROR:
        return " ".join(map(str, (*entry.details.values(), entry.what)))
    form = "keys {key}" if len(_keys(entry)) > 1 else _SHOWN[entry.kind, entry.what]
    return form.format_map(_Details(entry.details))


def _in_rows(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Make one entry of keys that a state took one soon after another."""
    row, last = list[Entry](), 0.0
    for entry in entries:
        if row and not (_keys(entry) and entry.at - last <= IN_A_ROW):
            yield _joined(row)
            row = []
        if _keys(entry):
            row.append(entry)
        else:
            yield entry
        last = entry.at
    if row:
        yield _joined(row)


def _joined(row: Sequence[Entry]) -> Entry:
    return evolve(row[0], details={**row[0].details, "key": "".join(map(_keys, row))})


def _keys(entry: Entry) -> str:
    """Give the keys that an entry says to be taken; empty if it is about something else."""
    is_taken = (entry.kind, entry.what) == (Kind.KEY, "taken")
    return str(entry.details["key"]) if is_taken else ""


class _Details(dict[str, object]):
    def __missing__(self, name: str) -> str:
        return "?"
