"""One pinned HTTP connection: where it may go, how long an answer may take and how large it may be.

Nothing here reconnects by itself. MT5's Web API binds a session to one TCP connection, so that a lost connection is a
lost session; an order to a PSP must not be sent twice. Only the client above may decide what comes next.
"""

from __future__ import annotations

import http.client
import ipaddress
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from urllib.parse import urlsplit

from integrations.adapters.failures import BadSetting, ConnectionLost, TookTooLong, TooMuch

_CHUNK_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Address:
    """Where the other side listens."""

    host: str
    port: int
    encrypted: bool


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer, read to its end."""

    status: int
    body: bytes
    cookies: Mapping[str, str]


def parse_address(base_url: str) -> Address:
    """Read `base_url`: https to anywhere, plain http to this machine only. Raises BadSetting."""
    try:
        parts = urlsplit(base_url.strip())
        port = parts.port
    except ValueError as error:
        raise BadSetting(f"base_url: {base_url!r} is not an address. Write https://host:port.") from error
    if parts.scheme not in {"https", "http"} or not parts.hostname:
        raise BadSetting(f"base_url: {base_url!r} is not an address. Write https://host:port.")
    if parts.username or parts.password:
        raise BadSetting("base_url: leave user and password out of the address; they have fields of their own.")
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise BadSetting(f"base_url: leave {parts.path or '?'!r} out of the address; only https://host:port is needed.")
    encrypted = parts.scheme == "https"
    if not encrypted and not _is_loopback(parts.hostname):
        raise BadSetting(
            f"base_url: plain http is allowed to this machine only, not to {parts.hostname!r}. Use https://."
        )
    return Address(parts.hostname, port or (443 if encrypted else 80), encrypted)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def tls_context(ca_file: str) -> ssl.SSLContext:
    """A context that verifies name and chain, against `ca_file` where one is named. Raises BadSetting."""
    if ca_file and not Path(ca_file).is_file():
        raise BadSetting(f"ca_file: there is no file {ca_file!r}.")
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except ssl.SSLError as error:
        raise BadSetting(f"ca_file: {ca_file!r} holds no certificate in PEM form.") from error


class Transport:
    """One connection at a time. Not for use by several threads."""

    def __init__(
        self,
        address: Address,
        *,
        tls: ssl.SSLContext | None,
        max_bytes: int,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        assert (tls is not None) == address.encrypted, "https needs a TLS context, http must not have one"
        self._address = address
        self._tls = tls
        self._max_bytes = max_bytes
        self._monotonic = monotonic
        self._link: http.client.HTTPConnection | None = None

    @property
    def is_open(self) -> bool:
        return self._link is not None

    def open(self, *, deadline: float) -> None:
        """Make a new connection, dropping the old one. Raises ConnectionLost, TookTooLong, BadSetting (certificate)."""
        self.close()
        host, port, timeout = self._address.host, self._address.port, self._left(deadline, "connecting")
        link: http.client.HTTPConnection
        if self._tls is not None:
            link = http.client.HTTPSConnection(host, port, timeout=timeout, context=self._tls)
        else:
            link = http.client.HTTPConnection(host, port, timeout=timeout)
        # http.client would reconnect silently, and the new connection would not be signed in.
        link.auto_open = 0
        try:
            link.connect()
        except ssl.SSLCertVerificationError as error:
            raise BadSetting(
                f"The certificate of {host}:{port} is not trusted ({error.verify_message}). "
                "If the server uses its own authority, name that certificate in ca_file."
            ) from error
        except TimeoutError as error:
            raise TookTooLong(f"{host}:{port} did not accept a connection in time.") from error
        except OSError as error:
            raise ConnectionLost(f"No connection to {host}:{port}: {error.strerror or error}.") from error
        self._link = link

    def exchange(
        self, target: str, *, headers: Mapping[str, str], deadline: float, what: str, body: bytes | None = None
    ) -> Reply:
        """Send one GET, or a POST of a JSON `body`, and read the whole answer. `what` names the call in messages:
        `target` may hold secrets.

        Any failure closes the connection. Raises ConnectionLost, TookTooLong, TooMuch.
        """
        if self._link is None:
            raise ConnectionLost(f"{what}: there is no connection.")
        try:
            return self._exchange(self._link, target, headers, deadline, what, body=body)
        except BaseException as error:
            self.close()
            if isinstance(error, TimeoutError):
                raise TookTooLong(f"{what}: no whole answer in the time allowed.") from error
            if isinstance(error, (OSError, http.client.HTTPException)):
                raise ConnectionLost(
                    f"{what}: the connection ended before the answer ({type(error).__name__})."
                ) from error
            raise

    def close(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None

    def _exchange(
        self,
        link: http.client.HTTPConnection,
        target: str,
        headers: Mapping[str, str],
        deadline: float,
        what: str,
        *,
        body: bytes | None,
    ) -> Reply:
        # A server that answers "Connection: close" makes http.client forget the socket before the body is read.
        sock = link.sock
        sock.settimeout(self._left(deadline, what))
        link.request("GET" if body is None else "POST", target, body=body, headers=dict(headers))
        response = link.getresponse()
        text = self._read(response, lambda: sock.settimeout(self._left(deadline, what)), what)
        reply = Reply(response.status, text, _cookies(response))
        if response.will_close:
            self.close()
        response.close()
        return reply

    def _read(self, response: http.client.HTTPResponse, rearm: Callable[[], None], what: str) -> bytes:
        announced = response.length
        if announced is not None and announced > self._max_bytes:
            raise TooMuch(f"{what}: the answer has {announced} bytes, more than the {self._max_bytes} we take.")
        parts: list[bytes] = []
        size = 0
        while announced is None or size < announced:
            rearm()
            part = response.read1(_CHUNK_BYTES if announced is None else min(_CHUNK_BYTES, announced - size))
            if not part:
                break
            parts.append(part)
            size += len(part)
            if size > self._max_bytes:
                raise TooMuch(f"{what}: the answer is larger than the {self._max_bytes} bytes we take.")
        if announced is not None and size < announced:
            raise ConnectionLost(f"{what}: the connection ended after {size} of {announced} bytes.")
        return b"".join(parts)

    def _left(self, deadline: float, what: str) -> float:
        left = deadline - self._monotonic()
        if left <= 0:
            raise TookTooLong(f"{what}: no whole answer in the time allowed.")
        return left


def _cookies(response: http.client.HTTPResponse) -> dict[str, str]:
    jar: SimpleCookie = SimpleCookie()
    for header in response.msg.get_all("Set-Cookie", []):
        try:
            jar.load(header)
        except CookieError:
            continue
    return {name: morsel.value for name, morsel in jar.items()}
