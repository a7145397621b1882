"""Settings: flags first, then ``CALLFLOW_*`` variables, then ``callflow.toml``, then the defaults.

Each value is checked where it came from, so that an error names its key, its source and the cure. Reading them is the
only thing done here; what they mean is written beside each field.
"""

from __future__ import annotations

import difflib
import functools
import re
import tomllib
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import attrs
import msgspec
from attrs import field, frozen
from msgspec import Meta

from callflow.call.budget import RATE
from callflow.errors import SettingsError
from callflow.server.addresses import Networks, read_listener
from callflow.server.credentials import Credentials
from callflow.server.limits import Limits

PREFIX = "CALLFLOW_"
"""Of the environment variables; the rest of the name is the setting in capitals."""

_STANDARD = Limits()

Count = Annotated[int, Meta(ge=1, le=1_000_000, description="write a number up to 1000000")]
Wait = Annotated[float, Meta(gt=0, le=24 * 3600, description="write seconds, such as 10")]
Truth = Annotated[bool, Meta(description="write true or false")]
Pair = Annotated[str, Meta(pattern="^[^:]+:.+$")]


@frozen(kw_only=True)
class Settings:
    """What an operator can set. Times are seconds; the description of a type is what to do when it does not fit."""

    host: Annotated[str, Meta(description="write an address of this machine, or 0.0.0.0 for all of them")] = "127.0.0.1"
    """Address to listen on. Only this machine reaches the default."""
    port: Annotated[int, Meta(ge=0, le=65535, description="write a number up to 65535, or 0 for any free port")] = 8080
    """TCP port to listen on."""
    credentials: Annotated[
        tuple[Pair, ...],
        Meta(description="write user:password, several as a list (in a variable, with blanks between them)"),
    ] = field(default=(), repr=False)
    """Basic credentials, ``user:password``, of which each is let in; none: everybody is. In Exotel's applets they are
    part of the URL, ``wss://user:password@host/stream`` (exotel.md §3)."""
    public_url: (
        Annotated[
            str,
            Meta(
                pattern="^(wss?|https?)://[^/@]+(/[^@]*)?$",  # credentials have a setting of their own
                description="write the address under which Exotel reaches the server, such as wss://calls.example.com",
            ),
        ]
        | None
    ) = None
    """How Exotel reaches this server, for what is printed and for ``/stream-url``, which else goes by the ``Host``."""
    reuse_port: Truth = False
    """Whether other processes of this user may listen there, too, so that a new one can come before an old one goes."""
    tokens_required: Truth = False
    """Whether a stream must show a token, which only ``/stream-url`` gives; credentials alone are not enough."""
    token_in: Annotated[Literal["path", "basic", "query"], Meta(description="write path, basic or query")] = "path"
    """Where the token stands in a URL that ``/stream-url`` gives; all three are read."""
    announced_only: Truth = False
    """Whether a stream is refused whose call no Passthru and no ``/stream-url`` request announced."""
    accounts: Annotated[
        tuple[str, ...],
        Meta(description="write Exotel account SIDs, several as a list (in a variable, with blanks between them)"),
    ] = ()
    """Exotel accounts whose calls are taken; none: all are."""
    origins: Annotated[
        tuple[str, ...],
        Meta(description="write https://host, several as a list (in a variable, with blanks between them)"),
    ] = ()
    """Web pages that may open streams besides this server's own; Exotel is no page and always may."""
    allow: Annotated[
        tuple[str, ...],
        Meta(description="write networks, such as 203.0.113.0/24 (in a variable, with blanks between them)"),
    ] = field(default=(), metadata={"check": Networks.of})
    """Networks whose clients are let in; none: from everywhere. Exotel gives its own on request (exotel.md §11)."""
    proxies: Annotated[
        tuple[str, ...],
        Meta(description="write the proxies' addresses, such as 10.0.0.5 (in a variable, with blanks between them)"),
    ] = field(default=(), metadata={"check": Networks.of})
    """Networks of the proxies in front, who are believed when they say whom they speak for. Nobody else is."""
    proxy_protocol: Truth = False
    """Whether those proxies begin each connection with a header of the PROXY protocol, version 2."""
    insecure: Truth = False
    """Whether to listen for everybody on an address that others reach."""
    admin: (
        Annotated[str, Meta(description="write HOST:PORT, or a port alone for one that only this machine reaches")]
        | None
    ) = field(default=None, metadata={"check": lambda where: where is None or read_listener(where)})
    """Address of the admin listener, with ``/metrics``; None for no such listener."""
    admin_credentials: Annotated[
        tuple[Pair, ...],
        Meta(description="write user:password, several as a list (in a variable, with blanks between them)"),
    ] = field(default=(), repr=False)
    """Basic credentials of the admin listener. Those of Exotel's applets do not open it."""
    tls_certificate: Annotated[str, Meta(description="write the path of a PEM file")] | None = None
    """File of the certificate and its chain; with it the port speaks TLS and nothing else."""
    tls_key: Annotated[str, Meta(description="write the path of a PEM file")] | None = None
    """File of the certificate's key, if it is not in the same."""
    codec: Annotated[Literal["auto", "pcm16", "mulaw"], Meta(description="write auto, pcm16 or mulaw")] = "auto"
    """Coding of the audio; ``auto`` is PCM16 unless the call names mu-law."""
    low_latency: Truth = False
    """Send audio in pieces of 20 ms instead of 100 ms or more, and 160 ms ahead instead of 400 (exotel.md §21)."""
    start_within: Wait = 10.0
    """From the upgrade to the call's start; then the socket is closed."""
    idle: Wait = 30.0
    """Silence of a socket until it is cut. Gaps of 9 s were seen in calls that lived (exotel.md §6.3)."""
    resume: Annotated[float, Meta(ge=0, le=600, description="write seconds up to 600, or 0 for not at all")] = 10.0
    """How long a call whose line was lost waits for it to come back; a ``Flow`` may say otherwise."""
    previous_for: Annotated[float, Meta(ge=0, le=24 * 3600, description="write seconds, or 0 for not at all")] = 300.0
    """How long after its end what is left of a call is offered to the next one of the same ``CallSid``."""
    call_limit: Wait = 58 * 60.0
    """Longest call. Exotel ends a stream after 60 minutes (exotel.md §10)."""
    drain_delay: Annotated[float, Meta(ge=0, le=3600, description="write seconds, or 0 for none")] = 0.0
    """How long a server that was told to stop says that it is not ready and takes calls all the same: balancers need
    time to notice."""
    drain: Annotated[float, Meta(ge=0, le=24 * 3600, description="write seconds, or 0 for at once")] = 30.0
    """How long running calls may go on when new ones are refused."""
    max_calls: Count | None = None
    """Calls at once; more are refused before they begin. None for no limit."""
    max_sockets: Count = _STANDARD.sockets
    """Connections at once, of any kind."""
    max_sockets_per_address: Count | None = None
    """Connections at once from one address. Behind a proxy all have one, so that there is no limit by default."""
    max_sockets_without_start: Count = _STANDARD.sockets_without_start
    """Sockets that were upgraded and whose call has not started."""
    message_rate: Count = RATE
    """Messages and other frames a second that a stream is read at; a telephone sends 50."""
    head_within: Wait = _STANDARD.head
    """For a whole request head."""
    body_within: Wait = _STANDARD.body
    """For a whole request body."""
    max_body: Annotated[int, Meta(ge=1, le=2**26, description="write a number up to 67108864")] = _STANDARD.body_bytes
    """Bytes of a request body."""
    passthru_fallback: Annotated[Literal[200, 302], Meta(description="write 200 or 302")] = 200
    """Answer to a Passthru when the flow's own fails or is late: 200 is the applet's branch A, 302 its branch B."""
    stream_url_fallback: (
        Annotated[
            str,
            Meta(
                pattern="^wss?://[^/@]+(/.*)?$",
                description="write a stream's URL, such as wss://other.example.com/stream",
            ),
        ]
        | None
    ) = None
    """Answer to who asks for a stream's URL when the flow's own fails or is late; None for the flow's plain URL."""
    feed: Truth = False
    """Whether the journal of a running call can be followed from this machine, at ``/events/CALL_SID``."""

    @property
    def limits(self) -> Limits:
        """What the door enforces."""
        return Limits(
            head=self.head_within,
            body=self.body_within,
            body_bytes=self.max_body,
            sockets=self.max_sockets,
            sockets_per_address=self.max_sockets_per_address,
            sockets_without_start=self.max_sockets_without_start,
            calls=self.max_calls,
        )

    @property
    def accepted(self) -> Credentials | None:
        """Whom the door lets in; None for everybody."""
        return Credentials.of(self.credentials) if self.credentials else None


_FIELDS = {attribute.name: attribute for attribute in attrs.fields(Settings)}


@functools.cache
def _types() -> dict[str, Any]:
    return typing.get_type_hints(Settings, include_extras=True)


def load_settings(flags: Mapping[str, object], environ: Mapping[str, str], file: Path | None = None) -> Settings:
    """Read the settings.

    Args:
        flags: By field name, as the command line gives them; None for a flag that was not given.
        environ: The process's environment.
        file: ``callflow.toml``, or None for none.

    Raises:
        SettingsError: A value is wrong, a key is unknown, or the file cannot be read.
    """
    values: dict[str, Any] = {}
    for read in (_from_file(file), _from_environment(environ), _from_flags(flags)):
        values |= read
    return Settings(**values)


def _from_flags(flags: Mapping[str, object]) -> dict[str, object]:
    given = {key: value for key, value in flags.items() if value is not None}
    return {key: _convert(key, value, f"--{key.replace('_', '-')}") for key, value in given.items()}


# The environment.


def _from_environment(environ: Mapping[str, str]) -> dict[str, object]:
    values: dict[str, object] = {}
    for variable, text in environ.items():
        key = variable.removeprefix(PREFIX).lower()
        if variable.startswith(PREFIX) and text and _is_ours(key, variable):
            values[key] = _convert(key, text.split() if _is_list(key) else text, variable)
    return values


def _is_ours(key: str, variable: str) -> bool:
    """Tell our variables from those of other tools with the same prefix; what is nearly ours is a slip."""
    if key in _FIELDS:
        return True
    near = difflib.get_close_matches(key, _FIELDS, n=1, cutoff=0.75)
    if near:
        raise SettingsError(variable, f"there is no such setting; did you mean {PREFIX}{near[0].upper()}?")
    return False


def _is_list(key: str) -> bool:
    return isinstance(_FIELDS[key].default, tuple)


# The file.


def _from_file(file: Path | None) -> dict[str, object]:
    if file is None:
        return {}
    text = _read(file)
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as broken:
        raise SettingsError(str(file), f"this is not TOML: {broken}") from broken
    return {key: _from_line(key, value, f"{file}:{_line_of(key, text)}") for key, value in table.items()}


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as broken:
        raise SettingsError(str(file), f"cannot be read ({broken.strerror}); name a file that is there") from broken
    except UnicodeDecodeError as broken:
        raise SettingsError(str(file), f"is not UTF-8 at byte {broken.start}; save it as UTF-8") from broken


def _from_line(key: str, value: object, source: str) -> object:
    if key in _FIELDS:
        return _convert(key, value, source)
    near = difflib.get_close_matches(key, _FIELDS, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(_FIELDS)}"
    raise SettingsError(key, f"there is no such setting ({source}); {hint}")


def _line_of(key: str, text: str) -> int:
    """Find the line of a key, from 1. A table or a quoted key stands there in brackets or quotes."""
    found = re.search(rf"""^\s*\[*\s*["']?{re.escape(key)}\b""", text, re.MULTILINE)
    return text.count("\n", 0, found.end()) + 1 if found else 1


# One value.


def _convert(key: str, value: object, source: str) -> object:
    """Convert a value to its field's type; numbers and truth may be text, as they are in the environment."""
    check = _FIELDS[key].metadata.get("check", _holds)
    try:
        converted: object = msgspec.convert(value, _types()[key], strict=False)
        check(converted)
    except (msgspec.ValidationError, ValueError) as broken:
        found = f", found {value!r}" if _FIELDS[key].repr else ""  # what a repr hides, an error does not show
        raise SettingsError(key, f"{_problem(str(broken))}{found} ({source}); {_cure(_types()[key])}") from broken
    return converted


def _holds(value: object) -> None:
    """Stand in for the check of a field whose type says all."""


def _problem(text: str) -> str:
    """Put msgspec's words into ours: its path and its regular expressions say nothing to an operator."""
    if "regex" in text or "enum" in text:
        return "not one of the forms that it can have"
    return text.partition(" - at ")[0].replace("`", "").replace("E", "e", 1)


def _cure(hint: object) -> str:
    """Find the description in a type, which may stand inside of a union with None."""
    marks = [mark for part in (hint, *typing.get_args(hint)) for mark in getattr(part, "__metadata__", ())]
    return next(mark.description for mark in marks if isinstance(mark, Meta) and mark.description)
