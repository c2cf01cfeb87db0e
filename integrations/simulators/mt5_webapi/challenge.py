"""The server's half of the Web API sign-in, written independently of the adapter's.

stored = MD5(MD5(UTF-16LE password) + "WebAPI"); both sides prove it by MD5(stored + the other side's 16 random bytes).
"""

from __future__ import annotations

import secrets
from hashlib import md5


class Secret:
    """What a server keeps of a manager's password."""

    def __init__(self, password: str) -> None:
        inner = md5(password.encode("utf-16le"), usedforsecurity=False)
        outer = md5(usedforsecurity=False)
        outer.update(inner.digest())
        outer.update(b"WebAPI")
        self._stored = outer.digest()

    def response(self, random_hex: str) -> str:
        """The proof for 16 random bytes in hex. Raises ValueError when they are not hex."""
        digest = md5(self._stored, usedforsecurity=False)
        digest.update(bytes.fromhex(random_hex))
        return digest.hexdigest()


def fresh_random() -> str:
    return secrets.token_hex(16)
