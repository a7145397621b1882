"""Every wait of a call and where its length comes from. Seconds throughout."""

from __future__ import annotations

from attrs import frozen


@frozen(kw_only=True)
class Timing:
    """How long callflow waits, and for what. The defaults are the ones to use; tests scale them."""

    open: float = 10.0
    """From the upgrade to ``start``, then 1008. Exotel's only documented number (exotel.md §10)."""
    attach: float = 60.0
    """How long a Passthru waits for its stream (faults T2)."""
    stall: float = 5.0
    """Silence of a link until it counts as half-open."""
    idle: float = 30.0
    """Silence of a link until it is cut; gaps of 9 s were seen on real calls (exotel.md §6.3, §21)."""
    resume: float = 10.0
    """How long a call without a link waits for a new one. Exotel documents no window."""
    takeover: float = 1.0
    """How long the link of a live call is listened to when another link says that it is the same call. A line that is
    there answers a ping in a fraction of it."""
    mark_slack: float = 2.0
    """Added to the audio's own remaining length before a silent mark is assumed (exotel.md §6.5)."""
    flush: float = 2.0
    """How long marks that a ``clear`` overtook may still come back (D25)."""
    lead: float = 0.4
    """How far audio is sent ahead of real time (R20). ``clear`` reaches only what was not picked up yet."""
    low_latency_lead: float = 0.16
    """The same under the low-latency profile (exotel.md §21)."""
    write: float = 5.0
    """A send that takes longer has lost its peer (exotel.md §10, "half-open socket")."""
    close: float = 5.0
    """For the closing handshake, then the transport is dropped (R36)."""
    leave: float = 2.0
    """For a state's own clean-up when it is left or the call ends."""
    call: float = 58 * 60.0
    """Longest call; Exotel ends a stream at 60 minutes (exotel.md §10)."""
