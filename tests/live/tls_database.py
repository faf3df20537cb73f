"""A PostgreSQL server with TLS and SCRAM: Debian's, because the embedded one is built without."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING

import psycopg
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from localstack.host import as_user
from localstack.parts import postgres

from streams.runtime import clock
from tests.live.test_cdc_support import until

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = "localhost"
PASSWORD = "the right one"
PROGRAMS = Path("/usr/lib/postgresql")
RULES = """
local all all scram-sha-256
hostssl all all 127.0.0.1/32 scram-sha-256
hostssl all all ::1/128 scram-sha-256
"""
KEEP = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "TZ": "UTC"}


@dataclass(frozen=True)
class Authority:
    """A certificate authority of a test's own."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def new(cls, name: str) -> Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(name)
        made = _builder(subject, subject, key).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        return cls(key, made.sign(key, hashes.SHA256()))

    def server(self, host: str) -> tuple[bytes, bytes]:
        """A server's key and certificate, as PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = _builder(_name(host), self.certificate.subject, key).add_extension(
            x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False
        )
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        signed = made.sign(self.key, hashes.SHA256())
        return private, signed.public_bytes(serialization.Encoding.PEM)

    def write(self, file: Path) -> Path:
        file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        return file


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = clock.now()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
    )


def programs() -> Path:
    """Where Debian keeps the server's programs."""
    found = sorted(PROGRAMS.glob("*/bin/postgres"))
    assert found, "this test needs a PostgreSQL server with TLS: apt-get install postgresql"
    return found[-1].parent


@dataclass(frozen=True)
class TlsDatabase:
    """The server.

    Attributes:
        dsn: Of its administrator, by verified TLS and SCRAM with channel binding.
    """

    dsn: str


@contextmanager
def tls_database(folder: Path, authority: Authority, ca: Path) -> Iterator[TlsDatabase]:
    """Lend a server whose certificate the authority signed, and end it."""
    user = postgres.run_as()
    home = _made(folder, authority, user)
    with socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = int(taken.getsockname()[1])
    settings = {
        "port": port,
        "listen_addresses": HOST,
        "unix_socket_directories": "",
        "ssl": "on",
        "wal_level": "logical",
        "fsync": "off",
    }
    flags = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            _as(user, programs() / "postgres", "-D", str(home), *flags),
            env=KEEP,
            cwd=home,
            stdout=log,
            stderr=log,
        )
    dsn = (
        f"host={HOST} port={port} user=postgres password='{PASSWORD}' dbname=postgres "
        f"passfile=/dev/null sslmode=verify-full sslrootcert={ca} channel_binding=require"
    )
    try:
        until(lambda: _answers(dsn), "the server's start")
        yield TlsDatabase(dsn)
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(30)
        shutil.rmtree(home)


def _made(folder: Path, authority: Authority, user: tuple[int, int] | None) -> Path:
    """The server's folder: its data, its key and certificate, who may connect and how."""
    home = folder / "server"
    home.mkdir(mode=0o700)
    secret = folder / "password"
    secret.write_text(PASSWORD)
    if user is not None:
        os.chown(home, *user)
    words = ("-D", str(home), "-U", "postgres", "-E", "UTF8", "--no-sync", "-A", "scram-sha-256")
    subprocess.run(
        _as(user, programs() / "initdb", *words, f"--pwfile={secret}"),
        env=KEEP,
        cwd=home,
        check=True,
        capture_output=True,
    )
    key, certificate = authority.server(HOST)
    for name, content in (("server.key", key), ("server.crt", certificate)):
        (home / name).write_bytes(content)
        (home / name).chmod(0o600)
        if user is not None:
            os.chown(home / name, *user)
    (home / "pg_hba.conf").write_text(RULES)
    return home


def _as(user: tuple[int, int] | None, program: Path, *arguments: str) -> list[str]:
    command = [str(program), *arguments]
    if user is None:
        return command
    return [sys.executable, "-I", "-S", as_user.__file__, str(user[0]), str(user[1]), *command]


def _answers(dsn: str) -> bool:
    try:
        psycopg.connect(dsn, connect_timeout=3).close()
    except psycopg.OperationalError as error:
        if "refused" in str(error) or "starting up" in str(error):
            return False
        raise
    return True
