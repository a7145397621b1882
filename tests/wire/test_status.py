"""A status callback is read to one record, whatever its form (exotel.md §15)."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callflow.wire.forms import UnreadableRequest
from callflow.wire.status import StatusReport, read_status

SENT = {"CallSid": "c0ffee", "EventType": "Terminal", "Status": "No-Answer", "From": "00000000105"}


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/x-www-form-urlencoded", urlencode(SENT).encode()),
        ("application/json", json.dumps(SENT).encode()),
        ("application/json", json.dumps({name.lower(): text for name, text in SENT.items()}).encode()),
    ],
)
def test_the_forms_agree(content_type: str, body: bytes) -> None:
    report = read_status("", content_type, body)

    assert (report.call_sid, report.event, report.status, report.caller) == (
        "c0ffee",
        "terminal",
        "no-answer",
        "00000000105",
    )


@pytest.mark.parametrize(
    ("event", "final"), [(None, True), ("terminal", True), ("answered", False), ("ringing", False)]
)
def test_the_last_one_is_known(event: str | None, final: bool) -> None:
    assert StatusReport(call_sid="c", event=event).is_final is final


def test_one_that_names_no_call_is_refused() -> None:
    with pytest.raises(UnreadableRequest):
        read_status("Status=completed")


def test_a_repr_shows_no_number() -> None:
    assert "00000000105" not in repr(read_status(SENT))


@given(query=st.text(max_size=64), body=st.binary(max_size=64))
def test_any_request_is_read_or_refused(query: str, body: bytes) -> None:
    try:
        report = read_status(query, "", body)
    except UnreadableRequest:
        return

    assert report.call_sid
