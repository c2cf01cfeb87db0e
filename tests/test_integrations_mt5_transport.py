"""Where the MT5 adapter may connect to, and what a hostile or broken HTTP server can do to it."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from backoffice.kernel.errors import DomainError
from integrations.adapters.failures import BadSetting, ConnectionLost, TookTooLong, TooMuch
from integrations.adapters.mt5_webapi import ADAPTER
from integrations.adapters.transport import Address, Transport, parse_address, tls_context
from integrations.ports import ServerError
from tests.mt5_world import MANAGER, PASSWORD, running


@pytest.mark.parametrize(
    "base_url",
    [
        "http://mt5.example.com", "http://10.0.0.5:443", "http://127.0.0.1.example.com", "http://0.0.0.0:8080",
        "http://[2001:db8::1]:80", "http://localhost.example.com", "ftp://127.0.0.1", "mt5.example.com:443", "",
        "https://", "https://user:pw@mt5.example.com", "https://mt5.example.com/api", "https://mt5.example.com:99999",
        "https://mt5.example.com?x=1",
    ],
)  # fmt: skip
def test_addresses_that_are_refused(base_url):
    with pytest.raises(BadSetting, match="base_url"):
        parse_address(base_url)


@pytest.mark.parametrize(
    ("base_url", "address"),
    [
        ("https://mt5.example.com", Address("mt5.example.com", 443, True)),
        ("https://10.0.0.5:1950/", Address("10.0.0.5", 1950, True)),
        ("http://127.0.0.1:8080", Address("127.0.0.1", 8080, False)),
        (" http://localhost ", Address("localhost", 80, False)),
        ("http://[::1]:81", Address("::1", 81, False)),
    ],
)
def test_addresses_that_are_taken(base_url, address):
    assert parse_address(base_url) == address


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("login", "manager"), ("login", ""), ("agent", "back office"), ("groups", " , "), ("slice_minutes", "0"),
        ("margin_minutes", "-1"), ("timeout_seconds", "soon"), ("ca_file", "/nowhere/ca.pem"),
        ("base_url", "http://mt5.example.com"),
    ],
)  # fmt: skip
def test_settings_that_are_refused(setting, value):
    settings = {"base_url": "https://mt5.example.com", "login": "1000", "groups": "*", setting: value}
    with pytest.raises(BadSetting, match=setting) as caught:
        ADAPTER.open(settings, {"password": "x"})
    assert isinstance(caught.value, DomainError)
    assert isinstance(caught.value, ServerError) and not caught.value.retry


def test_password_is_needed_and_marked_secret():
    with pytest.raises(BadSetting, match="password"):
        ADAPTER.open({"base_url": "https://mt5.example.com", "login": "1000", "groups": "*"}, {})
    assert [item.name for item in ADAPTER.settings if item.secret] == ["password"]


@contextmanager
def raw_server(script):
    """One connection, answered by a function of the connected socket."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                script(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield Address("127.0.0.1", listener.getsockname()[1], False)
        thread.join(5)


def fetch(address, *, seconds=2.0, max_bytes=1000):
    transport = Transport(address, tls=None, max_bytes=max_bytes)
    deadline = time.monotonic() + seconds
    transport.open(deadline=deadline)
    try:
        return transport.exchange("/", headers={}, deadline=deadline, what="test"), transport.is_open
    finally:
        transport.close()


def test_dripping_answer_ends_at_the_time_limit():
    def drip(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        try:
            for _ in range(100):
                connection.sendall(b"x")
                time.sleep(0.02)
        except OSError:
            return

    started = time.monotonic()
    with raw_server(drip) as address, pytest.raises(TookTooLong):
        fetch(address, seconds=0.2)
    assert time.monotonic() - started < 1.5


def test_endless_answer_is_cut_off():
    def flood(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        try:
            while True:
                connection.sendall(b"x" * 10_000)
        except OSError:
            return

    with raw_server(flood) as address, pytest.raises(TooMuch):
        fetch(address)


def test_connection_the_server_closes_after_its_answer_is_not_used_again():
    def close(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nSet-Cookie: a=b; Path=/\r\n\r\n{}")

    with raw_server(close) as address:
        reply, is_open = fetch(address)
    assert (reply.status, reply.body, reply.cookies, is_open) == (200, b"{}", {"a": "b"}, False)


def test_chunked_answer():
    def chunks(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n3\r\nabc\r\n0\r\n\r\n")

    with raw_server(chunks) as address:
        reply, is_open = fetch(address)
    assert (reply.body, is_open) == (b"{}abc", True)


def test_answer_that_is_no_http():
    def babble(connection):
        connection.sendall(b"MT5WEBAPI\r\n\r\n")

    with raw_server(babble) as address, pytest.raises(ConnectionLost):
        fetch(address)


@pytest.fixture
def simulator():
    with running() as simulator:
        yield simulator


def test_certificate_is_verified(simulator, tmp_path):
    key, certificate = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    simulator._http.socket = context.wrap_socket(simulator._http.socket, server_side=True)
    settings = {"base_url": f"https://127.0.0.1:{simulator.port}", "login": MANAGER, "groups": "*"}
    server = ADAPTER.open(settings, {"password": PASSWORD})
    (refused,) = server.probe()
    assert not refused.ok and "is not trusted" in refused.detail and "ca_file" in refused.detail
    trusting = ADAPTER.open({**settings, "ca_file": str(certificate)}, {"password": PASSWORD})
    assert trusting.probe()[0].ok
    trusting.close()
    with pytest.raises(BadSetting, match="PEM"):
        tls_context(str(key))


def self_signed(folder):
    """A key and a certificate for 127.0.0.1 that nobody else vouches for."""
    secret = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mt5")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(secret.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(secret, hashes.SHA256())
    )
    key_file, certificate_file = folder / "key.pem", folder / "certificate.pem"
    key_file.write_bytes(
        secret.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return key_file, certificate_file
