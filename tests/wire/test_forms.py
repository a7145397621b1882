"""Parameters are read from any body that a page of Exotel's describes, and from nothing else."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callflow.wire.forms import (
    LONGEST_TEXT,
    MOST_LEGS,
    MOST_PARAMETERS,
    Leg,
    UnreadableRequest,
    folded,
    phrase,
    read_legs,
    read_parameters,
)

MULTIPART = "multipart/form-data; boundary=between"


def multipart(fields: dict[str, str], boundary: str = "between") -> bytes:
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'
        for name, text in fields.items()
    ]
    return ("".join(parts) + f"--{boundary}--\r\n").encode("utf-8", "replace")


def read(body: bytes, content_type: str = MULTIPART) -> dict[str, str]:
    return read_parameters("", content_type, body)


names = st.from_regex(r"[A-Za-z]{1,8}(\[[A-Za-z]{1,8}\])?", fullmatch=True)


@given(st.dictionaries(names, st.text(st.characters(exclude_categories=["Cs"]), max_size=16), max_size=8))
def test_a_multipart_body_gives_what_was_put_in(fields: dict[str, str]) -> None:
    assert read(multipart(fields)) == fields


@pytest.mark.parametrize(
    "content_type", ['Multipart/Form-Data; charset=utf-8; boundary="between"', "multipart/mixed;boundary=between"]
)
def test_a_boundary_is_found(content_type: str) -> None:
    assert read(multipart({"CallSid": "a"}), content_type) == {"CallSid": "a"}


@pytest.mark.parametrize(
    "part",
    [
        b'Content-Disposition: form-data; filename="a"\r\n\r\nfile',
        b"Content-Type: text/plain\r\n\r\nnameless",
        b'Content-Disposition: form-data; name="a"\r\nno gap',
        b"",
    ],
)
def test_a_part_without_a_name_or_a_text_is_left_out(part: bytes) -> None:
    assert read(b"--between\r\n" + part + b"\r\n" + multipart({"CallSid": "c"})) == {"CallSid": "c"}


def test_a_multipart_body_that_is_cut_off_gives_what_came() -> None:
    assert read(multipart({"CallSid": "c", "Status": "completed"})[:-20]).get("CallSid") == "c"


@pytest.mark.parametrize("names", [[f"p{n}" for n in range(MOST_PARAMETERS + 1)], ["p"] * (MOST_PARAMETERS + 2)])
def test_a_multipart_body_of_many_parts_is_refused(names: list[str]) -> None:
    parts = b"".join(multipart({name: ""}).removesuffix(b"--between--\r\n") for name in names)

    with pytest.raises(UnreadableRequest):
        read(parts + b"--between--")


@pytest.mark.parametrize("content_type", ["application/json", "application/x-www-form-urlencoded", "text/plain", ""])
@pytest.mark.parametrize(
    "body", [b'{"CallSid": "c"}', b"CallSid=c", b'\xef\xbb\xbf{"CallSid":"c"}', b"\r\nCallSid=c\n"]
)
def test_a_body_tells_what_it_is_whatever_its_type_says(body: bytes, content_type: str) -> None:
    assert read(body, content_type) == {"CallSid": "c"}


@given(
    st.binary(max_size=128), st.sampled_from(["", "application/json", MULTIPART, "multipart/form-data", "a; boundary="])
)
def test_any_body_gives_texts_or_one_error(body: bytes, content_type: str) -> None:
    try:
        found = read(body, content_type)
    except UnreadableRequest:
        return

    assert all(isinstance(text, str) for text in found.values())


# Legs.

TWO = (Leg(status="completed", duration=28.0, answered_by="human"), Leg(status="busy"))


@pytest.mark.parametrize(
    "raw",
    [
        {"Legs": '[{"Status":"Completed","OnCallDuration":28,"AnsweredBy":"human"},{"Status":"busy"}]'},
        {"legs": '[{"status":"completed","oncallduration":"28","answered_by":"human"},{"status":"busy"}]'},
        {
            "Legs[1][Status]": "busy",
            "Legs[0][Status]": "completed",
            "Legs[0][OnCallDuration]": "28",
            "Legs[0][AnsweredBy]": "human",
        },
    ],
)
def test_the_forms_of_legs_agree(raw: dict[str, str]) -> None:
    assert read_legs(folded(raw)) == TWO


@pytest.mark.parametrize(
    "raw", [{}, {"legs": "1"}, {"legs": "{}"}, {"legs": "[broken"}, {"Legs[x][Status]": "a", "Legs[999][Status]": "b"}]
)
def test_what_is_no_list_of_legs_gives_none(raw: dict[str, str]) -> None:
    assert read_legs(folded(raw)) == ()


def test_legs_do_not_come_without_end() -> None:
    assert len(read_legs({"legs": json.dumps([{"Status": "a"}] * 999)})) == MOST_LEGS


def test_a_phrase_is_one_short_line() -> None:
    assert phrase("3009\r\n\x1b[31m" + "x" * 999) == "3009???[31m" + "x" * (LONGEST_TEXT - 11)
