"""The applets round a stream: the Passthru that Exotel asks by HTTP before it and after it (exotel.md §12).

``StreamRecord`` and ``PassthruRequest`` are what is told, in the forms of Exotel's pages, which do not agree;
``passthru`` asks, and ``Applets`` is where the answers send the call.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, assert_never
from urllib.parse import urlencode

import h11
import msgspec
import trio
from attrs import frozen

from callflow.call.port import PortStream
from callflow.errors import NotAnswered
from callflow.line.dialling import Dial, authorization

EndedBy = Literal["caller", "server", "network"]
"""Who ended a stream; ``network`` is a connection that went without a close frame."""


@frozen(kw_only=True)
class StreamRecord:
    """What Exotel knows of a stream: of one to come its id and URL, afterwards also how it ended (exotel.md §12.1)."""

    stream_sid: str = ""
    url: str = ""
    ended_by: EndedBy = "network"
    duration: float = 0.0
    """Seconds."""
    recording_url: str = ""
    detailed_status: str = ""
    """Such as ``Streaming_call_throttled``."""

    def fields(self) -> dict[str, str]:
        """Write it under the names in wide use; what is empty is absent."""
        status, by, error = self._outcome()
        every = {
            "StreamSID": self.stream_sid,
            "Status": status,
            "Duration": str(round(self.duration)),
            "StreamUrl": self.url,
            "DisconnectedBy": by,
            "RecordingUrl": self.recording_url,
            "Error": error,
            "DetailedStatus": self.detailed_status,
        }
        return {name: value for name, value in every.items() if value}

    def _outcome(self) -> tuple[str, str, str]:
        match self.ended_by:
            case "caller":
                return "cancelled", "user", ""
            case "server":
                return "completed", "bot", ""
            case "network":
                return "failed", "NA", "3009 failed to establish ws conn"
            case _:
                assert_never(self.ended_by)


_ENDERS: Mapping[EndedBy, str] = {"caller": "caller", "server": "bot", "network": "system"}
"""Who disconnected, in the words of the page that describes a JSON body after the stream (D29)."""


@frozen(kw_only=True)
class PassthruRequest:
    """What a Passthru tells, in the forms of Exotel's pages; they do not agree (exotel.md §12)."""

    call_sid: str
    caller: str
    called: str
    before: bool
    """Whether the stream is still to come."""
    stream: StreamRecord | None = None

    def fields(self) -> dict[str, str]:
        """Write the form in wide use, for a query or a form body (§12.1)."""
        call = {
            "CallSid": self.call_sid,
            "CallFrom": self.caller,
            "From": self.caller,
            "CallTo": self.called,
            "To": self.called,
            "Direction": "incoming",
            "CallType": "call-attempt" if self.before else "completed",
        }
        if self.before or self.stream is None:
            return call
        return call | {f"Stream[{name}]": value for name, value in self.stream.fields().items()}

    def document(self) -> dict[str, str]:
        """Write the object of the pages that describe a JSON body: one before the stream, one after it (§12.3)."""
        stream = self.stream or StreamRecord()
        if not self.before:
            told = {name.lower(): value for name, value in stream.fields().items()}
            return {"callsid": self.call_sid, **told, "disconnectedby": _ENDERS[stream.ended_by]}
        return {
            "CallSid": self.call_sid,
            "StreamSid": stream.stream_sid,
            "StreamUrl": stream.url,
            "EventType": "stream-start",
            "From": self.caller,
            "To": self.called,
            "Direction": "inbound",
        }


# Asking.

PASSTHRU_SECONDS = 15.0
"""The longest deadline that a page gives; others say 3 to 5 s (D31)."""

Method = Literal["GET", "POST form", "POST json"]


@frozen
class Applets:
    """The applets round a stream, as one call went through them: the answers of its Passthrus."""

    before: int | None = None
    """Status that the Passthru before the stream was answered with, if there was one."""
    after: int | None = None
    """The same after the stream."""

    @property
    def branch(self) -> Literal["A", "B"] | None:
        """Where the flow at Exotel goes on; None for the error path, or without a Passthru (exotel.md §12.2)."""
        match self.after:
            case 200:
                return "A"
            case 302:
                return "B"
            case _:
                return None


async def passthru(  # noqa: PLR0913 - what such a request has, all of it by keyword
    dial: Dial,
    *,
    call_sid: str,
    caller: str = "+910000000105",
    called: str = "00000000319",
    before: bool,
    stream: StreamRecord | None = None,
    method: Method = "GET",
    path: str = "/passthru",
    credentials: str | None = None,
    host: str = "bot.example.com",
) -> int:
    """Ask a Passthru, in one of the forms that Exotel's pages describe (exotel.md §12).

    Args:
        dial: Opens the connection; one request, then it is closed.
        call_sid: The call's identifier.
        caller: The number that rings.
        called: The number rung.
        before: Whether the stream is still to come.
        stream: How the stream ended (``Telephone.record()``); of one to come only its id and URL are told.
        method: ``GET`` and ``POST form`` have the keys in wide use, ``POST json`` those of the two pages that
            describe it, which differ before and after the stream.
        path: Path of the Passthru's URL, with its query if it has one.
        credentials: ``key:token`` of the URL, sent as Basic authorization.
        host: Name in the ``Host`` header.

    Returns:
        The status: 200 is branch A, 302 branch B.

    Raises:
        NotAnswered: There was no answer, or none in ``PASSTHRU_SECONDS``.

    Cancellation:
        Unknown: the server may have got the request.
    """
    asked = PassthruRequest(call_sid=call_sid, caller=caller, called=called, before=before, stream=stream)
    request, body = _http_request(asked, method, path, [("Host", host), *authorization(credentials)])
    try:
        with trio.fail_after(PASSTHRU_SECONDS):
            return await _status(PortStream(await dial()), request, body)
    except (OSError, trio.TooSlowError, trio.BrokenResourceError, h11.RemoteProtocolError) as failed:
        raise NotAnswered(f"the Passthru was not answered: {str(failed) or 'too slow'}") from failed


def _http_request(
    asked: PassthruRequest, method: Method, path: str, headers: list[tuple[str, str]]
) -> tuple[h11.Request, bytes]:
    if method == "GET":
        target = path + ("&" if "?" in path else "?") + urlencode(asked.fields())
        return h11.Request(method="GET", target=target, headers=headers), b""
    if method == "POST form":
        content_type, body = "application/x-www-form-urlencoded", urlencode(asked.fields()).encode()
    else:
        content_type, body = "application/json", msgspec.json.encode(asked.document())
    length = ("Content-Length", str(len(body)))
    return h11.Request(method="POST", target=path, headers=[*headers, ("Content-Type", content_type), length]), body


async def _status(stream: PortStream, request: h11.Request, body: bytes) -> int:
    """Send one request and read the status of its answer."""
    http = h11.Connection(h11.CLIENT)
    async with stream:
        head, data, end = http.send(request), http.send(h11.Data(data=body)), http.send(h11.EndOfMessage())
        await stream.send_all((head or b"") + (data or b"") + (end or b""))
        while not isinstance(event := http.next_event(), h11.Response):
            if event is h11.NEED_DATA:
                http.receive_data(await stream.receive_some())
    return event.status_code
