"""Secrets that must come back as they were, in few enough letters for the TOTP device's column of 80.

AES-256-GCM with a key derived (HKDF-SHA256) from the first of BACKOFFICE_FIELD_KEYS; older keys still open what
they sealed. A copy of the database alone gives nobody a second factor.
"""

from __future__ import annotations

import base64
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from backoffice.kernel.errors import DomainError

_NONCE = 12


class WrongKey(DomainError):
    """Sealed with a key that is not configured, or changed in the database."""


def seal(secret: bytes) -> str:
    """Encrypt and authenticate."""
    nonce = secrets.token_bytes(_NONCE)
    sealed = AESGCM(_key(settings.FIELD_KEYS[0])).encrypt(nonce, secret, None)
    return base64.urlsafe_b64encode(nonce + sealed).decode()


def unseal(text: str) -> bytes:
    """The secret. Raises WrongKey where no configured key fits."""
    raw = base64.urlsafe_b64decode(text)
    for key in settings.FIELD_KEYS:
        try:
            return AESGCM(_key(key)).decrypt(raw[:_NONCE], raw[_NONCE:], None)
        except InvalidTag:
            continue
    raise WrongKey("A stored secret does not open with BACKOFFICE_FIELD_KEYS. Tell a system administrator.")


def _key(field_key: str) -> bytes:
    made = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"backoffice.signin")
    return made.derive(base64.urlsafe_b64decode(field_key))
