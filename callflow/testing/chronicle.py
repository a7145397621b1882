"""What happened in a call, one line each, as a person wants to read it: the journal without what says nothing new."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

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
    for row in _in_rows(entry for entry in entries if _is_told(entry)):
        yield f"{row[0].at:7.2f}  {_told(row)}"


def _is_told(entry: Entry) -> bool:
    return entry.kind is Kind.ERROR or (entry.kind, entry.what) in _SHOWN


def _told(row: Sequence[Entry]) -> str:
    first = row[0]
    if first.kind is Kind.ERROR:
        return " ".join(map(str, (*first.details.values(), first.what)))
    if len(row) == 1:
        return _SHOWN[first.kind, first.what].format_map(_Details(first.details))
    if first.what == "held":
        return f"{len(row)} keys are kept"
    return "keys " + "".join(str(entry.details["key"]) for entry in row)


def _in_rows(entries: Iterable[Entry]) -> Iterator[Sequence[Entry]]:
    """Put keys to one another that came soon one after another, and of which the same is told."""
    row = list[Entry]()
    for entry in entries:
        if row and not _belongs(entry, row[-1]):
            yield row
            row = []
        row.append(entry)
    if row:
        yield row


def _belongs(entry: Entry, last: Entry) -> bool:
    is_alike = (entry.kind, entry.what) == (last.kind, last.what)
    return is_alike and entry.kind is Kind.KEY and entry.what in ("taken", "held") and entry.at - last.at <= IN_A_ROW


class _Details(dict[str, object]):
    def __missing__(self, name: str) -> str:
        return "?"
