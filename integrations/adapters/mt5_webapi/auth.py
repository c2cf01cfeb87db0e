"""Challenge arithmetic of the MT5 Web API sign-in.

P = MD5(password as UTF-16LE), H = MD5(P + "WebAPI"), answer to a challenge = hex(MD5(H + challenge bytes)). The
hashes in between stay binary; hashing their hex spelling is the classic mistake, and the server then says 403.
MD5 is the protocol's choice, not ours: the secrecy of the session comes from TLS.

The simulator has its own copy of this arithmetic on purpose: the two ends must not share a mistake.
"""

from __future__ import annotations

import hashlib
import hmac
import re

_CHALLENGE = re.compile(r"[0-9a-fA-F]{32}")


def is_challenge(text: object) -> bool:
    """Whether a value is what the protocol calls a random: 16 bytes in hex."""
    return isinstance(text, str) and _CHALLENGE.fullmatch(text) is not None


def password_hash(password: str) -> bytes:
    """H of the protocol, 16 bytes: all that has to be kept of the password while a client lives."""
    first = hashlib.md5(password.encode("utf-16-le"), usedforsecurity=False).digest()
    return hashlib.md5(first + b"WebAPI", usedforsecurity=False).digest()


def answer(hashed: bytes, challenge: str) -> str:
    """The answer to a challenge (32 hex digits), as 32 lower-case hex digits."""
    assert is_challenge(challenge), "a challenge is 32 hex digits"
    return hashlib.md5(hashed + bytes.fromhex(challenge), usedforsecurity=False).hexdigest()


def proves(hashed: bytes, challenge: str, given: object) -> bool:
    """Whether `given` answers our own challenge: only a server that knows the password can."""
    if not is_challenge(given):
        return False
    return hmac.compare_digest(answer(hashed, challenge), str(given).lower())
