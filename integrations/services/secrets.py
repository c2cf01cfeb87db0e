"""Secrets of connections: encrypted in the database with keys that are only in the environment.

Fernet (AES-128-CBC with HMAC-SHA256). The first key of BACKOFFICE_FIELD_KEYS encrypts, all decrypt, so a key
is rotated by putting a new one in front and saving each connection once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from backoffice.kernel.errors import DomainError


class CannotDecrypt(DomainError):
    """No key of the environment opens a stored secret."""


def seal(secrets: Mapping[str, str]) -> str:
    if not secrets:
        return ""
    return _box().encrypt(json.dumps(dict(secrets), sort_keys=True).encode()).decode()


def open_sealed(sealed: str) -> dict[str, str]:
    """The secrets of a connection, for the moment of a call. Never logged, never shown."""
    if not sealed:
        return {}
    try:
        opened: dict[str, str] = json.loads(_box().decrypt(sealed.encode()))
    except InvalidToken as error:
        raise CannotDecrypt(
            "The stored secret was encrypted with a key that is not in BACKOFFICE_FIELD_KEYS. "
            "Add that key behind the current one, or enter the secret again."
        ) from error
    return opened


def part(opened: Mapping[str, str], name: str) -> dict[str, str]:
    """The secrets named "<name>.<rest>", by <rest>: a set that is kept beside others."""
    return {key[len(name) + 1 :]: value for key, value in opened.items() if key.startswith(f"{name}.")}


def _box() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.FIELD_KEYS])
