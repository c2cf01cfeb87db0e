"""The session with an MT5 access server: signing in, keeping it alive, and what an answer means.

A session is one TCP connection plus one cookie. When either is gone the client signs in again and, for a call that
only reads, asks once more. A call that changes something is sent once and never again by itself: the protocol has no
idempotency key, so a lost answer is reported as an unknown outcome.

Nothing secret is logged or put into a message: calls are named by their path, never by their query.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from integrations.adapters.failures import BadAnswer, ConnectionLost, TookTooLong, TooMuch
from integrations.adapters.mt5_webapi import auth, retcodes
from integrations.adapters.mt5_webapi.failures import Forbidden, OutcomeUnknown, UnknownCall
from integrations.adapters.transport import Address, Reply, Transport
from integrations.ports import ServerError

logger = logging.getLogger("integrations.mt5_webapi")

# Any number from 484 is accepted as the version of a client.
CLIENT_VERSION = "3211"
# The server forgets a challenge after this time.
SIGN_IN_SECONDS = 10.0
PING_AFTER_SECONDS = 20.0
ATTEMPTS = 3
FIRST_PAUSE_SECONDS = 0.2
MAX_ANSWER_BYTES = 64 * 1024 * 1024
# The longest address that every web server takes.
MAX_TARGET = 8000

_RETCODE = re.compile(r"\s*(\d{1,9})(?:\s+(.*))?", re.DOTALL)


class Client:
    """Calls of one manager account. Not for use by several threads: calls of a session are strictly one by one."""

    def __init__(
        self,
        address: Address,
        *,
        login: str,
        password: str,
        agent: str,
        tls: ssl.SSLContext | None = None,
        timeout_seconds: float = 30.0,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._transport = Transport(address, tls=tls, max_bytes=max_answer_bytes, monotonic=monotonic)
        self._login = login
        self._hash = auth.password_hash(password)
        self._agent = agent
        self._timeout = timeout_seconds
        self._monotonic = monotonic
        self._sleep = sleep
        self._cookies: dict[str, str] = {}
        self._signed_in = False
        self._last_use = 0.0
        self.server_version = ""

    def call(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        """Ask something that changes nothing, and return the decoded `answer`; None when the server has nothing.

        Every number in it is text, digit for digit as sent, whether the server wrote it as a string or as a number.
        Repeats by itself what may help: lost connections, broken answers, codes of retcodes.RETRY. Raises ServerError.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._answer(path, self._ask(path, params or {}))
            except ServerError as error:
                # Who asked for too much asks for less, and does not ask for the same again.
                if attempt == ATTEMPTS or not error.retry or isinstance(error, TookTooLong):
                    raise
                if error.retcode != retcodes.TOO_FREQUENT:
                    self._drop()
                logger.info("%s: %s Asking again (%d of %d).", path, error, attempt + 1, ATTEMPTS)
                self._sleep(FIRST_PAUSE_SECONDS * 2 ** (attempt - 1))
        raise AssertionError("the last attempt returns or raises")

    def change(
        self, path: str, params: Mapping[str, str] | None = None, *, body: Mapping[str, str] | None = None
    ) -> Any:
        """Order something that has an effect, at most once, and return the decoded `answer`. A `body` is posted.

        Raises ServerError with the server's retcode when it refused, OutcomeUnknown when nobody knows.
        """
        self.ensure_session()
        try:
            return self._order(path, params or {}, body)
        except Forbidden:
            # Refused before anything was done, so sending it in a fresh session is not a repetition.
            self._sign_in()
        return self._order(path, params or {}, body)

    def _order(self, path: str, params: Mapping[str, str], body: Mapping[str, str] | None) -> Any:
        try:
            payload = self._payload(path, self._exchange(path, params, self._monotonic() + self._timeout, body))
            code, words = _retcode(path, payload)
            if code in retcodes.NOTHING:
                raise _refusal(path, code, words)
            if code in retcodes.OUTCOME_OPEN:
                raise BadAnswer(f"{path}: {code} {words}.")
            return self._answer(path, payload)
        except (ConnectionLost, TookTooLong, TooMuch, BadAnswer) as error:
            self._drop()
            raise OutcomeUnknown(f"{error} The server may have done it: look for its effect first.") from error

    def ensure_session(self) -> None:
        """Be signed in: sign in where there is no session, ping where the last call is a while ago."""
        if not self._signed_in or not self._transport.is_open:
            self._sign_in()
        elif self._monotonic() - self._last_use > PING_AFTER_SECONDS:
            try:
                deadline = self._monotonic() + min(SIGN_IN_SECONDS, self._timeout)
                alive = self._exchange("/api/test/access", {}, deadline).status == 200
            except (ConnectionLost, TookTooLong):
                alive = False
            if not alive:
                logger.info("The session of manager %s had ended while idle.", self._login)
                self._sign_in()

    def close(self) -> None:
        self._drop()

    def _drop(self) -> None:
        self._signed_in = False
        self._cookies.clear()
        self._transport.close()

    def _ask(self, path: str, params: Mapping[str, str]) -> dict[str, Any]:
        """One call inside a session. 403 means a lost session or a missing right: a fresh session tells which."""
        self.ensure_session()
        reply = self._exchange(path, params, self._monotonic() + self._timeout)
        if reply.status in {401, 403}:
            logger.info("%s: HTTP %d. Signing in again.", path, reply.status)
            self._sign_in()
            reply = self._exchange(path, params, self._monotonic() + self._timeout)
        return self._payload(path, reply)

    def _payload(self, path: str, reply: Reply) -> dict[str, Any]:
        if reply.status in {401, 403}:
            raise Forbidden(
                f"{path}: HTTP {reply.status} although manager {self._login} is signed in: the manager lacks the right "
                "for this call. Have it granted in MT5 Administrator."
            )
        if reply.status in {404, 405, 501} and not reply.body.lstrip().startswith(b"{"):
            raise UnknownCall(f"{path}: this server does not know the call (HTTP {reply.status}).")
        if reply.status >= 500 and not reply.body.lstrip().startswith(b"{"):
            raise BadAnswer(f"{path}: the server failed (HTTP {reply.status}).")
        if 300 <= reply.status < 400:
            raise ServerError(
                f"{path}: the server sends elsewhere (HTTP {reply.status}): base_url is not the access server.",
                retry=False,
            )
        return _decode(path, reply.body)

    def _answer(self, path: str, payload: dict[str, Any]) -> Any:
        code, words = _retcode(path, payload)
        if code in {retcodes.DONE, retcodes.REQUEST_DONE}:
            if "answer" not in payload:
                raise BadAnswer(f"{path}: the server says done but hands over no answer.")
            return payload["answer"]
        if code in retcodes.NOTHING:
            return None
        if code == retcodes.PARTIAL:
            raise TooMuch(f"{path}: the server says that this is only a part.", retcode=code)
        if code == retcodes.TIMED_OUT:
            raise TookTooLong(f"{path}: {code} {words}.")
        raise _refusal(path, code, words)

    def _exchange(
        self, path: str, params: Mapping[str, str], deadline: float, body: Mapping[str, str] | None = None
    ) -> Reply:
        target = f"{path}?{urlencode(params)}" if params else path
        assert len(target) <= MAX_TARGET, f"{path}: the caller must ask for less at a time"
        headers = {"Accept": "application/json", "Connection": "keep-alive", "User-Agent": self._agent}
        if self._cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        posted = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        if posted is not None:
            headers["Content-Type"] = "application/json"
        reply = self._transport.exchange(target, headers=headers, deadline=deadline, what=path, body=posted)
        self._cookies.update(reply.cookies)
        self._last_use = self._monotonic()
        return reply

    def _sign_in(self) -> None:
        """Prove that we know the password, and have the server prove it too. Raises ServerError."""
        self._drop()
        allowed = min(SIGN_IN_SECONDS, self._timeout)
        deadline = self._monotonic() + allowed
        try:
            self._transport.open(deadline=deadline)
            self._handshake(deadline)
        except TookTooLong as error:
            # Not for the caller to halve what it asks for: the question was never put.
            self._drop()
            raise ConnectionLost(f"Sign-in took longer than the {allowed:g} s allowed.") from error
        except ServerError:
            self._drop()
            raise
        self._signed_in = True
        logger.info("Signed in as manager %s.", self._login)

    def _handshake(self, deadline: float) -> None:
        start = self._handshake_step(
            "/api/auth/start",
            {"version": CLIENT_VERSION, "agent": self._agent, "login": self._login, "type": "manager"},
            deadline,
        )
        challenge = start.get("srv_rand")
        if not auth.is_challenge(challenge):
            raise BadAnswer("/api/auth/start: the server sent no srv_rand of 32 hex digits.")
        own_challenge = secrets.token_hex(16)
        proof = self._handshake_step(
            "/api/auth/answer",
            {"srv_rand_answer": auth.answer(self._hash, str(challenge)), "cli_rand": own_challenge},
            deadline,
        )
        if not auth.proves(self._hash, own_challenge, proof.get("cli_rand_answer")):
            raise ServerError(
                "The server could not prove that it knows the manager's password (cli_rand_answer is wrong): it is not "
                "the server it claims to be. Check base_url; nothing more was sent.",
                retry=False,
                retcode=retcodes.FALSE_SERVER,
            )
        self.server_version = str(start.get("version_access") or "")

    def _handshake_step(self, path: str, params: Mapping[str, str], deadline: float) -> dict[str, Any]:
        reply = self._exchange(path, params, deadline)
        if reply.status in {401, 403}:
            raise ServerError(
                f"Sign-in refused (HTTP {reply.status}). Check the manager login and password, its connection type "
                "“Web API” and its list of allowed addresses.",
                retry=False,
                retcode=retcodes.INVALID_ACCOUNT,
            )
        payload = self._payload(path, reply)
        code, words = _retcode(path, payload)
        if code != retcodes.DONE:
            raise _refusal("Sign-in", code, words)
        return payload


def _decode(path: str, body: bytes) -> dict[str, Any]:
    """Decode an envelope with every number as the text that was sent: no digit passes through binary floating point.

    Bytes that are not UTF-8 survive as surrogate escapes, so that one odd comment does not hide the other records.
    """
    text = body.decode("utf-8-sig", errors="surrogateescape")
    try:
        payload = json.loads(text, parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError) as error:
        raise BadAnswer(f"{path}: the answer of {len(body)} bytes is cut off or not JSON.") from error
    if not isinstance(payload, dict):
        raise BadAnswer(f"{path}: the answer is not a JSON object.")
    return payload


def _retcode(path: str, payload: Mapping[str, Any]) -> tuple[int, str]:
    """Split "<int> <text>" on the first space."""
    match = _RETCODE.fullmatch(str(payload.get("retcode", "")))
    if match is None:
        raise BadAnswer(f"{path}: the answer has no retcode.")
    return int(match[1]), (match[2] or "").strip()


def _refusal(what: str, code: int, words: str) -> ServerError:
    advice = retcodes.advice(code)
    message = f"{what}: {code} {words}".rstrip() + (f" - {advice}." if advice else ".")
    return ServerError(message, retry=code in retcodes.RETRY, retcode=code)
