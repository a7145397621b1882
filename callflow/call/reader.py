"""The reader actor: decodes what a link brings and feeds it to the driver. It never waits for user code (R28)."""

from __future__ import annotations

from callflow.call.driver import Driver
from callflow.call.link import Gone, Link
from callflow.errors import MalformedMessage
from callflow.session.inputs import SocketClosed, Undecodable
from callflow.session.table import OPENING
from callflow.wire.exotel import decode
from callflow.wire.messages import Media, Start


async def read_opening(link: Link, driver: Driver) -> Start | None:
    """Read a link up to its ``start``, which is returned and not fed; None if the link went before one came.

    What comes before belongs to the link's own session: it keeps early audio, counts rubbish, and gives up in time.

    Cancellation:
        Nothing that was received is lost to the session.
    """
    while (text := await link.receive()) is not None:
        driver.came()
        start = _start_of(text)
        if start is not None and driver.session.state in OPENING:
            return start
        take(text, driver)
    _tell_gone(link, driver)
    return None


async def read(link: Link, driver: Driver) -> Gone:
    """Be the reader actor of one link: run until the link is gone, and tell the session.

    Cancellation:
        Nothing that was received is lost to the session.
    """
    while (text := await link.receive()) is not None:
        driver.came()
        take(text, driver)
    return _tell_gone(link, driver)


def take(text: str | bytes, driver: Driver) -> None:
    """Take in one message. Audio goes to the taps; everything else through the session's table."""
    try:
        message = decode(text)
    except MalformedMessage as broken:
        driver.feed(Undecodable(broken.reason))
        return
    if isinstance(message, Media):
        driver.heard(message)
    else:
        driver.feed(message)


def _start_of(text: str | bytes) -> Start | None:
    try:
        message = decode(text)
    except MalformedMessage:
        return None
    return message if isinstance(message, Start) else None


def _tell_gone(link: Link, driver: Driver) -> Gone:
    assert link.gone is not None
    driver.feed(SocketClosed(link.gone.cause))
    return link.gone
