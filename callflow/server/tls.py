"""Certificates: read from files, judged once, and offered by contexts that allow only what is still safe."""

from __future__ import annotations

import ssl
from pathlib import Path

from callflow.errors import SettingsError


def load_certificate(certificate: Path, key: Path | None) -> ssl.SSLContext:
    """Make the context of a server: TLS 1.2 and up, and HTTP/1.1 as the only protocol.

    Args:
        certificate: PEM, with the chain behind it.
        key: PEM; None if it is in the certificate's file.

    Raises:
        SettingsError: A file cannot be read, or the two do not belong together. Nothing of them is in the message.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["http/1.1"])
    _check_readable("tls_certificate", certificate)
    if key is not None:
        _check_readable("tls_key", key)
    try:
        context.load_cert_chain(certificate, key, password=_no_passphrase)
    except ssl.SSLError as broken:
        raise SettingsError(*_fault_of(broken, certificate, key)) from broken
    except _Locked as locked:
        problem = f"{key or certificate} is locked by a passphrase, which nobody is there to type"
        raise SettingsError(
            "tls_key", f"{problem}; write it without, and let its file be read by this user alone"
        ) from locked
    return context


class _Locked(Exception):
    """The key has a passphrase. Said by an exception since OpenSSL would else ask at the terminal."""


def _no_passphrase() -> str:
    raise _Locked


def _check_readable(setting: str, file: Path) -> None:
    try:
        file.read_bytes()
    except OSError as broken:
        problem = f"{file} cannot be read ({broken.strerror})"
        raise SettingsError(setting, f"{problem}; name a file that is there and that this user may read") from broken


def _fault_of(broken: ssl.SSLError, certificate: Path, key: Path | None) -> tuple[str, str]:
    if broken.reason == "KEY_VALUES_MISMATCH":
        return "tls_key", f"{key or certificate} is not the key of {certificate}; name the two that belong together"
    files = f"{certificate}" if key is None else f"{certificate} and {key}"
    cure = "give the certificate with its chain, and its key, as PEM (the lines between -----BEGIN and -----END)"
    return "tls_certificate", f"{files} hold no certificate with its key; {cure}"


def doubt_about(context: ssl.SSLContext, host: str | None) -> str | None:
    """Say why a client like Exotel would refuse a certificate, or None if it would not.

    Exotel wants one that is valid and whose chain ends at a public root. The roots are those of this machine.

    Args:
        context: The server's.
        host: The name that clients use; None if it is not known, and then not checked.
    """
    judge = ssl.create_default_context()
    judge.check_hostname = host is not None
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = judge.wrap_bio(to_client, to_server, server_hostname=host)
    server = context.wrap_bio(to_server, to_client, server_side=True)
    try:
        while (_steps(client), _steps(server)) != (True, True):
            pass
    except ssl.SSLCertVerificationError as refused:
        return refused.verify_message
    except ssl.SSLError as failed:
        return failed.reason
    return None


def _steps(side: ssl.SSLObject) -> bool:
    """Go on with a handshake; say whether this side is done."""
    try:
        side.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True
