"""What a seal says and who signed it: canonical statements, Ed25519 keys from the environment.

The private key is in the environment of the sealer (BACKOFFICE_SEAL_KEY, or a file named by BACKOFFICE_SEAL_KEY_FILE)
and never in the database. Those who only verify need the public one (BACKOFFICE_SEAL_PUBLIC_KEYS), and after a change
of keys also the former ones. Keys are 32 bytes in base64.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings

from backoffice.kernel.errors import DomainError

START = "0" * 64  # what stands before the first seal


class NoSealKey(DomainError):
    """There is no usable key to sign with."""


def statement(content: Mapping[str, Any]) -> str:
    """The one spelling of a statement: sorted keys, no spaces."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def head(text: str) -> str:
    """The name of a statement in the next one: its SHA-256 in hex."""
    return sha256(text.encode()).hexdigest()


def private_key() -> Ed25519PrivateKey:
    """The key this process seals with."""
    text = settings.SEAL_KEY
    if not text and settings.SEAL_KEY_FILE:
        text = Path(settings.SEAL_KEY_FILE).read_text().strip()
    if not text:
        raise NoSealKey("There is no key to seal with. Set BACKOFFICE_SEAL_KEY; `manage audit key` makes one.")
    return Ed25519PrivateKey.from_private_bytes(_bytes(text, "BACKOFFICE_SEAL_KEY"))


def public_text(key: Ed25519PrivateKey) -> str:
    """The public half, as it stands in seals."""
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


def trusted() -> frozenset[str]:
    """Public keys whose signatures count: those of the settings and that of our own private key."""
    known = {
        base64.b64encode(_bytes(text, "BACKOFFICE_SEAL_PUBLIC_KEYS")).decode() for text in settings.SEAL_PUBLIC_KEYS
    }
    if settings.SEAL_KEY or settings.SEAL_KEY_FILE:
        known.add(public_text(private_key()))
    return frozenset(known)


def sign(key: Ed25519PrivateKey, text: str) -> str:
    return base64.b64encode(key.sign(text.encode())).decode()


def signed_by(text: str, signature: str, key: str) -> bool:
    """Whether the signature over the statement was made with the private half of `key`."""
    try:
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key, validate=True))
        public.verify(base64.b64decode(signature, validate=True), text.encode())
    except (ValueError, binascii.Error, InvalidSignature):
        return False
    return True


def new_key() -> tuple[str, str]:
    """A fresh pair, private and public, in base64."""
    key = Ed25519PrivateKey.generate()
    return base64.b64encode(key.private_bytes_raw()).decode(), public_text(key)


def _bytes(text: str, name: str) -> bytes:
    try:
        found = base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise NoSealKey(f"{name} is not base64. `manage audit key` makes a key.") from error
    if len(found) != 32:
        raise NoSealKey(f"{name} has {len(found)} bytes, a key has 32. `manage audit key` makes one.")
    return found
