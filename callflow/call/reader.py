"""The reader actor: decodes what a link brings and feeds it to the driver. It never waits for user code (R28)."""

from __future__ import annotations

from callflow.call.driver import Driver
from callflow.call.link import Gone, Link
from callflow.errors import MalformedMessage
from callflow.session.inputs import SocketClosed, Undecodable
from callflow.wire.exotel import decode
from callflow.wire.messages import Media


async def read(link: Link, driver: Driver) -> Gone:
    """Be the reader actor of one link: run until the link is gone, and tell the session.

    Cancellation:
        Nothing that was received is lost to the session.
    """
    while (text := await link.receive()) is not None:
        driver.came()
        take(text, driver)
    assert link.gone is not None
    driver.feed(SocketClosed(link.gone.cause))
    return link.gone


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
