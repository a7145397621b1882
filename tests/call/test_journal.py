"""The journal: order, lines, readers, and an end to what it keeps."""

from __future__ import annotations

import json

from callflow.call.journal import MOST_ENTRIES, Entry, Journal, Kind


def test_entries_are_numbered_and_timed_from_the_first() -> None:
    journal = Journal()
    journal.add(100.0, Kind.LINK, "accepted", peer="client:1")
    journal.add(101.5, Kind.KEY, "pressed")

    assert list(journal.entries) == [
        Entry(1, 0.0, Kind.LINK, "accepted", {"peer": "client:1"}),
        Entry(2, 1.5, Kind.KEY, "pressed", {}),
    ]


def test_an_entry_is_one_line_of_json_whatever_is_in_it() -> None:
    hostile = 'a\r\n"\x1b\x9b\u2028\u202e\ud800é'
    line = Entry(3, 1.23456, Kind.ODD, "encoding", {"encoding": hostile}).line()

    assert (json.loads(line), line.isascii(), line[:-1].isprintable()) == (
        {"n": 3, "t": 1.235, "kind": "odd", "what": "encoding", "encoding": hostile},
        True,
        True,
    )


def test_readers_get_each_entry_from_then_on() -> None:
    journal = Journal()
    read: list[Entry] = []
    journal.add(0.0, Kind.LINK, "accepted")
    journal.readers.append(read.append)
    journal.add(1.0, Kind.KEY, "pressed")

    assert [entry.n for entry in read] == [2]


def test_the_oldest_entries_go_first_and_are_counted() -> None:
    journal = Journal()
    for _ in range(MOST_ENTRIES + 3):
        journal.add(0.0, Kind.KEY, "pressed")

    assert (len(journal.entries), journal.entries[0].n, journal.forgotten) == (MOST_ENTRIES, 4, 3)
