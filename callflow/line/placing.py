"""Placing a call: rings a server, sets the telephone's tasks going, and ends them with the block."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from random import Random

import trio

from callflow.line.dialling import Dial, Link, Upgrade, alone, connect, draw_sid, with_query
from callflow.line.profile import CONFORMANT, Profile
from callflow.line.telephone import Telephone
from callflow.wire.messages import Start

_SHARED = Random(0)
"""Where ids come from that nobody draws otherwise."""


@asynccontextmanager
async def place_call(  # noqa: PLR0913 - what a call has, all of it by keyword and with a default
    dial: Dial,
    *,
    target: str = "/stream",
    caller: str = "+910000000105",
    called: str = "00000000319",
    call_sid: str | None = None,
    account_sid: str = "acme1",
    parameters: Mapping[str, str] | None = None,
    profile: Profile = CONFORMANT,
    credentials: str | None = None,
    host: str = "bot.example.com",
    random: Random | None = None,
) -> AsyncIterator[Telephone]:
    """Ring a server, and hang up at the end of the block if nobody did before.

    Args:
        dial: Opens a connection; called again for a retry of a failed handshake.
        target: Path of the stream URL, with its query if it has one.
        caller: The number that rings, ``start.from``.
        called: The number rung, ``start.to``.
        call_sid: Identifier of the call; drawn if None.
        account_sid: Name of the account at Exotel.
        parameters: Custom parameters; added to the target's query, all of which ``start`` tells again.
        profile: Which Exotel this is.
        credentials: ``key:token`` of the stream URL, sent as Basic authorization.
        host: Name in the ``Host`` header.
        random: Source of everything drawn; by default one for all calls of the process, so that their ids differ.

    Raises:
        NotAnswered: No handshake succeeded, in time, in as many attempts as the profile makes.

    Cancellation:
        The connection is gone; the server may have got no ``stop``.
    """
    source = random or _SHARED
    upgrade = Upgrade(host=host, resource=with_query(target, parameters or {}), credentials=credentials)
    start = Start(
        stream_sid=draw_sid(source),
        call_sid=call_sid or draw_sid(source),
        account_sid=account_sid,
        caller=caller,
        called=called,
        parameters=upgrade.parameters,
    )
    with alone():
        async with trio.open_nursery() as nursery:

            async def another() -> Link:
                link = await connect(dial, upgrade, profile)
                nursery.start_soon(phone.listen, link)
                return link

            first = await connect(dial, upgrade, profile)
            phone = Telephone(first, start, profile, source, another, dial)
            nursery.start_soon(phone.listen, first)
            nursery.start_soon(phone.talk)
            try:
                yield phone
                await phone.hang_up()
            finally:
                phone.drop()
                nursery.cancel_scope.cancel()
