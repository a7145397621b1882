"""Every stored request of Exotel's gives the record that stands beside it."""

from __future__ import annotations

import enum
from collections.abc import Callable
from datetime import datetime
from typing import Any

import attrs
import pytest

from callflow.server.head import HeadReader
from callflow.wire.passthru import PassthruReport, read_passthru
from callflow.wire.status import StatusReport, read_status
from tests.conformance.stored import StoredRequest, stored


def plain(value: Any) -> Any:
    """Write a report as JSON would, without what is empty and without the raw parameters."""
    match value:
        case enum.Enum():
            return value.value
        case datetime():
            return value.isoformat()
        case tuple():
            return [plain(each) for each in value]
        case _ if attrs.has(type(value)):
            members = {name: getattr(value, name) for name in dir(value) if name in _SHOWN}
            return {name: plain(member) for name, member in members.items() if member not in (None, (), {})}
        case _:
            return value


_SHOWN = {"after_stream", "is_final"} | {
    field.name for cls in (PassthruReport, StatusReport) for field in attrs.fields(cls) if field.name != "raw"
}
_SHOWN |= {"stream_sid", "disconnected_by", "error", "detailed_status", "answered_by"}


def read(request: StoredRequest, reader: Callable[[str, str, bytes], Any]) -> Any:
    heads = HeadReader()
    head = heads.feed(request.wire)
    assert head is not None
    return reader(head.query_string, head.header("content-type") or "", heads.rest)


@pytest.mark.parametrize("request_", stored("passthru") + stored("stream-url"), ids=lambda one: one.name)
def test_a_stored_passthru_gives_its_record(request_: StoredRequest) -> None:
    assert plain(read(request_, read_passthru)) == request_.said


@pytest.mark.parametrize("request_", stored("status"), ids=lambda one: one.name)
def test_a_stored_status_callback_gives_its_record(request_: StoredRequest) -> None:
    assert plain(read(request_, read_status)) == request_.said


def test_there_are_enough_of_them() -> None:
    assert [len(stored(kind)) >= least for kind, least in (("passthru", 8), ("stream-url", 1), ("status", 3))] == [
        True
    ] * 3
