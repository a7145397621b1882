"""Custom parameters of a stream: read from three places, written to one. Pure.

They are the query of the stream's URL. Exotel hands them back in ``start``, by one page in ``connected``, and may leave
them in the request line as well (exotel.md §3, D12).
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, unquote_plus, urlencode

MOST_PRODUCED = 3
"""Parameters of a URL that we write; whether ``sample-rate`` counts is not said, so it does (D13)."""

PRODUCED_SIZE = 256
"""Characters of its query, as written (D13)."""

LONGEST_URL = 600
"""Characters of a whole stream URL (exotel.md §3)."""

SAMPLE_RATE = "sample-rate"
"""As we write it; the spelling with an underscore is read as well (D14)."""

RATE_NAMES = (SAMPLE_RATE, "sample_rate")

TOKEN_PARAMETER = "token"
"""Under which a token may stand among them; it is none of the call's."""

DEFAULT_RATE = 8000
"""Hertz that Exotel takes where a URL names none."""


def merge_parameters(
    *, start: Mapping[str, str], connected: Mapping[str, str], url: Mapping[str, str]
) -> dict[str, str]:
    """Merge what the three places say: ``start`` wins over ``connected``, and that over the URL (D12).

    A value that is the URL's own, only still percent-encoded, gives way to the decoded one: whether Exotel decodes what
    it hands back is not said.
    """
    return {**url, **_decoded(connected, url), **_decoded(start, url)}


def _decoded(told: Mapping[str, str], url: Mapping[str, str]) -> dict[str, str]:
    return {name: url[name] if unquote_plus(text) == url.get(name) else text for name, text in told.items()}


def write_parameters(parameters: Mapping[str, str], rate: int = DEFAULT_RATE) -> str:
    """Write the query of a stream URL, percent-encoded; empty for none.

    Raises:
        ValueError: There are more than Exotel takes. The message ends with the cure.
    """
    every = {**parameters, **({} if rate == DEFAULT_RATE else {SAMPLE_RATE: str(rate)})}
    query = urlencode(every, quote_via=quote)
    if len(every) > MOST_PRODUCED:
        raise ValueError(
            f"{len(every)} parameters ({', '.join(every)}), and Exotel takes {MOST_PRODUCED}; "
            "give the others as data, which stays here"
        )
    if len(query) > PRODUCED_SIZE:
        raise ValueError(
            f"parameters of {len(query)} characters as the URL has them, and Exotel takes {PRODUCED_SIZE}; "
            "give long values as data, which stays here"
        )
    return query
