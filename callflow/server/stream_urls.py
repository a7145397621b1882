"""Addresses: under which URL Exotel reaches a stream, and how a token stands in it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Literal

from attrs import field, frozen

from callflow.server.flows import STREAM_PATH
from callflow.wire.parameters import DEFAULT_RATE, LONGEST_URL, TOKEN_PARAMETER, write_parameters

TokenPlace = Literal["path", "basic", "query"]
"""Where a token stands in a URL that we write; all three are read (ruling 3)."""

TOKEN_USER = "callflow"
"""User name beside a token in Basic authorization."""

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z]([0-9A-Za-z.-]{0,252}[0-9A-Za-z])?)(:[0-9]{1,5})?\Z")


@frozen
class StreamUrls:
    """Writes the URLs of streams.

    Args:
        public: The setting ``public_url``; None to take the address that Exotel asked.
        place: Where the token stands.
        is_tls: Whether this server speaks TLS itself.
    """

    public: str | None = None
    place: TokenPlace = "path"
    is_tls: bool = field(default=False, kw_only=True)

    def base(self, host: str | None) -> str | None:
        """Give ``wss://host`` and what stands before our paths; None if neither a setting nor the request says it.

        A ``Host`` header is whatever its sender wrote, but the answer goes back to that sender alone and is not to be
        stored, so that only its form is checked. It does not tell the scheme, since what ends TLS may stand before us:
        this machine is reached by ws, and every other by wss, the only one that Exotel takes in earnest.
        """
        if self.public is not None:
            scheme, _, rest = self.public.rstrip("/").partition("://")
            return f"{'wss' if scheme in ('wss', 'https') else 'ws'}://{rest}"
        named = _HOST.match(host or "")
        if named is None:
            return None
        return f"{'ws' if _is_here(named.group(1)) and not self.is_tls else 'wss'}://{host}"

    def write(self, base: str, flow: str, token: str, parameters: Mapping[str, str], rate: int = DEFAULT_RATE) -> str:
        """Write the URL of one call's stream.

        Raises:
            ValueError: It has more parameters, or is longer, than Exotel takes.
        """
        scheme, _, rest = base.partition("://")
        path = f"{STREAM_PATH}/{flow}"
        match self.place:
            case "path":
                path = f"{path}/{token}"
            case "basic":
                rest = f"{TOKEN_USER}:{token}@{rest}"
            case "query":
                parameters = {**parameters, TOKEN_PARAMETER: token}
        query = write_parameters(parameters, rate)
        url = f"{scheme}://{rest}{path}" + (f"?{query}" if query else "")
        if len(url) > LONGEST_URL:
            raise ValueError(
                f"a stream URL of {len(url)} characters, and Exotel takes {LONGEST_URL}; shorten public_url"
            )
        return url


def _is_here(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"
