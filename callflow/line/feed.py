"""The event feed: which states a call enters, as callflow's own server tells programs on the same machine.

``GET /events/CALL_SID`` answers with one JSON text a line, the entries of the call's journal, for as long as the call
lives. Other servers have no such address, and then there is a problem to tell but never an error.
"""

from __future__ import annotations

import h11
import msgspec
import trio
from attrs import Factory, define

from callflow.call.port import PortStream
from callflow.line.dialling import Dial, authorization
from callflow.line.transcript import Entered

ATTEMPTS = 20
"""The server knows the call when it has read its ``start``; until then it answers 404."""

BETWEEN = 0.1
"""Seconds from one attempt to the next."""

_FOUND, _UNKNOWN = 200, 404


class _Event(msgspec.Struct):
    """What is read of a journal's entry; the rest is left alone."""

    t: float = 0.0
    kind: str = ""
    what: str = ""
    state: str = ""


@define(eq=False)
class EventFeed:
    """The states of one call, as far as they are known."""

    entered: list[Entered] = Factory(list)
    problem: str = ""
    """Why no more will be told; empty while more may come."""
    _rest: bytes = b""
    _news: trio.Event = Factory(trio.Event)

    async def changed(self) -> None:
        """Wait for the next state, or for a problem."""
        await self._news.wait()

    def close(self, problem: str) -> None:
        """Tell that no more will come, and why."""
        self.problem = problem
        self._tell()

    async def follow(self, dial: Dial, call_sid: str, host: str, credentials: str | None = None) -> None:
        """Read the feed of a call until it ends.

        Args:
            dial: Opens a connection to the server.
            call_sid: The call's identifier.
            host: The server's name and port, for the ``Host`` header.
            credentials: ``user:password``, sent as Basic authorization.

        Cancellation:
            The connection is closed; what was told stays.
        """
        try:
            headers = [("Host", host), *authorization(credentials)]
            status = await self._read_when_known(dial, f"/events/{call_sid}", headers)
        except (OSError, trio.BrokenResourceError, h11.RemoteProtocolError, msgspec.DecodeError) as broken:
            self.close(f"the event feed broke off: {broken}")
            return
        if status == _FOUND:
            self.close("the event feed has ended")
        else:
            cure = "; if this is callflow, start it with --feed" if status == _UNKNOWN else ""
            self.close(f"there is no event feed, its address was answered {status}{cure}")

    async def _read_when_known(self, dial: Dial, path: str, headers: list[tuple[str, str]]) -> int:
        status = _UNKNOWN
        for _ in range(ATTEMPTS):
            status = await self._read(PortStream(await dial()), path, headers)
            if status != _UNKNOWN:
                break
            await trio.sleep(BETWEEN)
        return status

    async def _read(self, stream: PortStream, path: str, headers: list[tuple[str, str]]) -> int:
        """Read one answer to its end; return its status."""
        http = h11.Connection(h11.CLIENT)
        asked = http.send(h11.Request(method="GET", target=path, headers=headers))
        status = 0
        async with stream:
            await stream.send_all((asked or b"") + (http.send(h11.EndOfMessage()) or b""))
            while not isinstance(event := http.next_event(), h11.EndOfMessage | h11.ConnectionClosed):
                match event:
                    case h11.NEED_DATA:
                        http.receive_data(await stream.receive_some())
                    case h11.Response(status_code=code):
                        status = code
                    case h11.Data(data=data) if status == _FOUND:
                        self._take(bytes(data))
        return status

    def _take(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for event in (msgspec.json.decode(line, type=_Event) for line in lines if line.strip()):
            if event.kind == "state" and event.what == "entered":
                self.entered.append(Entered(event.t, event.state))
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = trio.Event()
