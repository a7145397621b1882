"""Strangers: somebody else who asks at the door that a call goes through."""

from __future__ import annotations

import trio

from callflow.call.port import PortStream
from callflow.line.dialling import Dial

PATIENCE = 5.0
"""Seconds for an answer."""


async def knock(dial: Dial, request: bytes) -> str:
    """Open a connection, say something, and read the first line of the answer, empty if there is none.

    Cancellation:
        The connection is closed.
    """
    answer = bytearray()
    async with PortStream(await dial()) as stream:
        with trio.move_on_after(PATIENCE):
            try:
                await stream.send_all(request)
                while b"\r\n" not in answer and (more := await stream.receive_some()):
                    answer += more
            except trio.BrokenResourceError:
                pass  # what has come by then is the answer
    return answer.partition(b"\r\n")[0].decode("ascii", "replace")
