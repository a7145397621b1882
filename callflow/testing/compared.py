"""What happened to one call, to be compared with what happened to it another time. Pure, once the call is over."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from attrs import asdict, frozen

from callflow.call.call import CallTask
from callflow.line.telephone import Telephone
from callflow.wire.messages import Clear, Mark, Media


@frozen
class Happened:
    """One thing that happened to a call."""

    at: float
    """Seconds since it was answered, to a thousandth."""
    what: str


@frozen
class Compared:
    """What happened to a call beside one in trouble, and what happens to it alone."""

    there: Sequence[Happened]
    alone: Sequence[Happened]

    @property
    def difference(self) -> tuple[float, str] | None:
        """Say when something is different first, and what. What happens in one instant has no order."""
        there, alone = Counter(self.there), Counter(self.alone)
        differ = [*(there - alone), *(alone - there)]
        if not differ:
            return None
        at = min(each.at for each in differ)
        told = {"beside a call in trouble": there - alone, "alone": alone - there}
        return at, "; ".join(f"only {when}: {words}" for when, more in told.items() for words in _first(more, at))


def _first(more: Counter[Happened], at: float) -> list[str]:
    return [each.what for each in more if each.at == at][:1]


def trace_of(phone: Telephone, task: CallTask | None) -> list[Happened]:
    """Give what happened to a call that is over: in its flow, on its line, and what its record says."""
    return [*([] if task is None else _lived(task)), *_sent(phone), *([] if task is None else _recorded(task))]


def _lived(task: CallTask) -> Iterator[Happened]:
    for entry in task.driver.journal.entries:
        yield Happened(round(entry.at, 3), " ".join([entry.kind.value, entry.what, *_pairs(entry.details)]))


def _sent(phone: Telephone) -> Iterator[Happened]:
    for entry in phone.log:
        if entry.side == "out":
            match entry.message:
                case Media(payload=payload):
                    words = f"{len(payload)} bytes of audio sent, {zlib.crc32(payload):08x}"
                case Mark(name=name):
                    words = f"mark {name} sent"
                case Clear():
                    words = "clear sent"
                case _:
                    words = f"sent {entry.text!r}"
            yield Happened(round(entry.at, 3), words)
    record = phone.record()
    yield Happened(round(record.duration, 3), f"line ended by {record.ended_by} with {phone.close_code}")


def _recorded(task: CallTask) -> Iterator[Happened]:
    if task.record is not None:
        yield Happened(task.record.seconds, " ".join(["record", *_pairs(asdict(task.record))]))


def _pairs(details: Mapping[str, object]) -> Iterator[str]:
    return (f"{name}={value}" for name, value in details.items())
