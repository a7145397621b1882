"""What happened to one call, to be compared with what happened to it another time. Pure, once the call is over."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

from attrs import frozen

from callflow.call.call import CallTask
from callflow.line.telephone import Telephone
from callflow.wire.messages import Clear, Mark, Media


@frozen(order=True)
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
        """Say what is different first, and when."""
        for there, alone in zip(self.there, self.alone, strict=False):
            if there != alone:
                return _told(there, alone)
        if len(self.there) == len(self.alone):
            return None
        both = min(len(self.there), len(self.alone))
        return _told(next(iter(self.there[both:]), None), next(iter(self.alone[both:]), None))


def _told(there: Happened | None, alone: Happened | None) -> tuple[float, str]:
    moment = min(each.at for each in (there, alone) if each is not None)
    return moment, f"beside a call in trouble: {_named(there)}; alone: {_named(alone)}"


def _named(happened: Happened | None) -> str:
    return "nothing more" if happened is None else f"{happened.what} at {happened.at:.2f} s"


def trace_of(phone: Telephone, task: CallTask | None) -> list[Happened]:
    """Give what happened, in order; what is of one instant in the order of its words."""
    return sorted([*_sent(phone), *([] if task is None else _lived(task))])


def _sent(phone: Telephone) -> Iterator[Happened]:
    for entry in phone.log:
        if entry.side == "out":
            match entry.message:
                case Media(payload=payload):
                    words = f"{len(payload)} bytes of audio ({zlib.crc32(payload):08x})"
                case Mark(name=name):
                    words = f"mark {name}"
                case Clear():
                    words = "clear"
                case _:
                    words = repr(entry.text)
            yield Happened(round(entry.at, 3), words)
    record = phone.record()
    yield Happened(round(record.duration, 3), f"the line ended by {record.ended_by}, {phone.close_code}")


def _lived(task: CallTask) -> Iterator[Happened]:
    for entry in task.driver.journal.entries:
        details = " ".join(f"{name}={value}" for name, value in entry.details.items())
        yield Happened(round(entry.at, 3), f"{entry.kind.value} {entry.what} {details}".rstrip())
    if task.record is not None:
        yield Happened(task.record.seconds, repr(task.record))
