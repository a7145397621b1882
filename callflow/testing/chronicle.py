"""What happened in a call, one line each, as a person wants to read it: the journal without what says nothing new."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

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
    (Kind.PLAYBACK, "cut"): "{prompt} cut after {seconds} s",
    (Kind.PLAYBACK, "lost"): "{prompt} lost with the line",
    (Kind.PLAYBACK, "heard"): "{prompt} heard",
    (Kind.END, "over"): "over: {cause}",
}
"""What is told of an entry, by its kind and word."""


def chronicle(entries: Iterable[Entry]) -> Iterator[str]:
    """Tell what happened in a call."""
    for entry in entries:
        if entry.kind is Kind.ERROR:
            yield f"{entry.at:7.2f}  {' '.join(map(str, (*entry.details.values(), entry.what)))}"
        elif (form := _SHOWN.get((entry.kind, entry.what))) is not None:
            yield f"{entry.at:7.2f}  {form.format_map(_Details(entry.details))}"


class _Details(dict[str, object]):
    def __missing__(self, name: str) -> str:
        return "?"
