"""Certificates: what is offered, what is refused with which words, and what clients would think of it."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

import pytest

from callflow.errors import SettingsError
from callflow.server.tls import doubt_about, load_certificate
from tests.certificates import CertificateFiles, client_context, make_certificate, shared_certificate


def shaken(client: ssl.SSLContext, server: ssl.SSLContext) -> ssl.SSLObject:
    """Shake hands in memory; give the client's side."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = (
        client.wrap_bio(back, there, server_hostname="localhost"),
        server.wrap_bio(there, back, server_side=True),
    )
    for side in sides * 3:
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    return sides[0]


def offered(files: CertificateFiles) -> ssl.SSLContext:
    return load_certificate(files.certificate, files.key)


@pytest.mark.parametrize(
    ("newest", "spoken"), [(ssl.TLSVersion.TLSv1_3, "TLSv1.3"), (ssl.TLSVersion.TLSv1_2, "TLSv1.2")]
)
def test_current_versions_are_spoken(newest: ssl.TLSVersion, spoken: str) -> None:
    client = client_context()
    client.maximum_version = newest

    assert shaken(client, offered(shared_certificate())).version() == spoken


def test_nothing_older_is_allowed() -> None:
    assert offered(shared_certificate()).minimum_version is ssl.TLSVersion.TLSv1_2


def test_http_1_1_is_the_only_protocol() -> None:
    client = client_context()
    client.set_alpn_protocols(["h2", "http/1.1"])

    assert shaken(client, offered(shared_certificate())).selected_alpn_protocol() == "http/1.1"


def test_the_key_may_stand_behind_the_certificate(tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(shared_certificate().certificate.read_bytes() + shared_certificate().key.read_bytes())

    assert shaken(client_context(), load_certificate(both, None)).version() == "TLSv1.3"


def fault(certificate: Path, key: Path | None) -> tuple[str, str]:
    """Give the setting that is blamed, and the message."""
    with pytest.raises(SettingsError) as refused:
        load_certificate(certificate, key)
    return refused.value.key, str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    key, said = fault(tmp_path / "absent.pem", None)

    assert (key, f"{tmp_path}/absent.pem cannot be read" in said) == ("tls_certificate", True)


def test_a_key_that_is_not_there_is_named(tmp_path: Path) -> None:
    key, said = fault(shared_certificate().certificate, tmp_path / "absent.key")

    assert (key, "absent.key cannot be read (No such file" in said) == ("tls_key", True)


def test_the_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    other = make_certificate(tmp_path, "other")
    key, said = fault(shared_certificate().certificate, other.key)

    assert (key, f"{other.key} is not the key of" in said) == ("tls_key", True)


@pytest.mark.parametrize(
    "text", ["", "no PEM at all", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_what_is_no_certificate_is_refused_and_not_shown(tmp_path: Path, text: str) -> None:
    broken = tmp_path / "broken.pem"
    broken.write_text(text)
    key, said = fault(broken, shared_certificate().key)

    assert (key, "hold no certificate with its key" in said, "AAAA" in said) == ("tls_certificate", True, False)


def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked(tmp_path: Path) -> None:
    locked, key = tmp_path / "locked.key", shared_certificate().key  # skips where openssl is not there
    words = ["ec", "-aes128", "-passout", "pass:secret", "-in", str(key), "-out", str(locked)]
    subprocess.run(["openssl", *words], check=True, capture_output=True)

    setting, said = fault(shared_certificate().certificate, locked)

    assert (setting, "locked by a passphrase" in said) == ("tls_key", True)


@pytest.mark.parametrize("host", ["localhost", None])
def test_a_certificate_that_nobody_vouches_for_is_doubtful(host: str | None) -> None:
    assert "self-signed" in (doubt_about(offered(shared_certificate()), host) or "")


@pytest.mark.parametrize(
    ("host", "doubt"), [("localhost", None), (None, None), ("calls.example.com", "Hostname mismatch")]
)
def test_a_certificate_that_clients_trust_is_judged_by_its_name(
    host: str | None, doubt: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(shared_certificate().certificate))
    found = doubt_about(offered(shared_certificate()), host)

    assert (found or "").startswith(doubt or "")
    assert (found is None) is (doubt is None)
