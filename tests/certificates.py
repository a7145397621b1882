"""Certificates for tests, made when they are first wanted and thrown away with the process."""

from __future__ import annotations

import functools
import shutil
import ssl
import subprocess
import tempfile
from pathlib import Path

import pytest
from attrs import frozen

NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1"


@frozen
class CertificateFiles:
    """A self-signed certificate for this machine and its key, as files."""

    certificate: Path
    key: Path


def make_certificate(folder: Path, name: str = "server") -> CertificateFiles:
    """Make a certificate that a client can be told to trust; skips the test where the tool is not there."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("the command openssl, which makes the certificates of this test, is not installed")
    made = CertificateFiles(folder / f"{name}.crt", folder / f"{name}.key")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(made.key))
    subject = ("-subj", f"/CN={name}", "-addext", NAMES, "-days", "2", "-out", str(made.certificate))
    subprocess.run([openssl, "req", "-x509", *key, *subject], check=True, capture_output=True)
    return made


@functools.cache
def shared_certificate() -> CertificateFiles:
    """Give the one certificate of this process, for tests that need no own."""
    folder = Path(_FOLDER.name)
    return make_certificate(folder)


_FOLDER = tempfile.TemporaryDirectory(prefix="callflow-certificates-")  # removed when the process ends


def server_context() -> ssl.SSLContext:
    """Make a server's context with the shared certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shared_certificate().certificate, shared_certificate().key)
    return context


def client_context(files: CertificateFiles | None = None) -> ssl.SSLContext:
    """Make a client's context that trusts one certificate and no other."""
    return ssl.create_default_context(cafile=str((files or shared_certificate()).certificate))
