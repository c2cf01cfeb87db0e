"""Personal data in the log: each person's values under a key of that person's own, and shredding that key.

    data={"email": personal.hide(person="accounts.client:5", value="eva@example.com")}

What is sealed is the ciphertext, so the chain still verifies when the key is gone; everything that shows the value
(`shown`) prints ERASED from then on. AES-256-GCM; the person's key is wrapped with Fernet by the newest key of
BACKOFFICE_FIELD_KEYS, which the database does not see. A copy of the table from before is a copy of the keys:
docs.md says how long backups of it may live.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.db import transaction

from backoffice.audit.models import PersonKey
from backoffice.audit.services.recording import record
from backoffice.kernel import clock, locking
from backoffice.kernel.actor import Actor
from backoffice.kernel.errors import DomainError, NotFound

ERASED = "[erased]"
HIDDEN = "[personal data]"
_OF, _VALUE = "personal_of", "personal"
_NONCE = 12


class Shredded(DomainError):
    """The person's key is gone: nothing more can be kept under it."""


def hide(*, person: str, value: str) -> dict[str, str]:
    """A value as it may stand in an entry's data. `person` is the name of the row it is about ("app.model:key")."""
    locking.require_transaction()
    return hidden(_key_for(person), person, value)


def hide_all(*, person: str, values: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Several values of one person by name, each as `hide` gives it. Empty ones are left out and need no key."""
    locking.require_transaction()
    named = {name: value for name, value in values.items() if value}
    key = _key_for(person) if named else b""
    return {name: hidden(key, person, value) for name, value in named.items()}


def hidden(key: bytes, person: str, value: str) -> dict[str, str]:
    """A value under a key that the caller has unwrapped."""
    nonce = os.urandom(_NONCE)
    content = AESGCM(key).encrypt(nonce, value.encode(), person.encode())
    return {_OF: person, _VALUE: base64.b64encode(nonce + content).decode()}


def new_key() -> tuple[bytes, str]:
    """A person's key, plain for use at once and wrapped for the table."""
    key = AESGCM.generate_key(256)
    return key, _wrapper().encrypt(key).decode()


def shown(data: Any, *, reveal: bool = True) -> Any:
    """Data with its personal values in clear, as ERASED where the key was shredded, or as HIDDEN with `reveal` off."""
    persons = set(_persons(data))
    rows = PersonKey.objects.filter(person__in=persons) if persons else ()
    keys = {row.person: unwrapped(row) for row in rows if row.wrapped}
    return _shown(data, keys, reveal)


def masked(data: Any) -> Any:
    """Data with a mark for every personal value, without looking for keys: for lists."""
    if _is_personal(data):
        return HIDDEN
    if isinstance(data, Mapping):
        return {name: masked(value) for name, value in data.items()}
    return [masked(value) for value in data] if isinstance(data, list) else data


def require_key(*, person: str) -> None:
    """Make sure that a person has a key, so that there is one to shred and none can be made afterwards."""
    locking.require_transaction()
    _key_for(person)


@transaction.atomic
def shred(*, actor: Actor, person: str) -> None:
    """Destroy a person's key for ever. What stands under it in the log cannot be read any more."""
    row = PersonKey.objects.select_for_update().filter(person=person).first()
    if row is None:
        raise NotFound(f"Nothing personal is kept in the log under {person}.")
    if not row.wrapped:
        raise Shredded(f"The key of {person} was shredded on {row.shredded_at:%Y-%m-%d}. There is nothing left to do.")
    row.wrapped, row.shredded_at = "", clock.now()
    row.save(update_fields=["wrapped", "shredded_at"])
    record(actor=actor, action="personal.shredded", target=person)


def _key_for(person: str) -> bytes:
    row = PersonKey.objects.filter(person=person).first()
    if row is None:
        # Two writers may be first at once: the row of one of them stands, and both use it.
        row, _ = PersonKey.objects.get_or_create(
            person=person, defaults={"wrapped": new_key()[1], "created_at": clock.now()}
        )
    if not row.wrapped:
        raise Shredded(f"The personal data of {person} was erased; nothing more may be written about this person.")
    return unwrapped(row)


def unwrapped(row: PersonKey) -> bytes:
    """A person's key in clear. Raises DomainError where the key around it is not known."""
    try:
        return _wrapper().decrypt(row.wrapped.encode())
    except InvalidToken as error:
        raise DomainError(
            f"The key of {row.person} was wrapped with a key that is not in BACKOFFICE_FIELD_KEYS. Add that key."
        ) from error


def _wrapper() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.FIELD_KEYS])


def _is_personal(value: Any) -> bool:
    return isinstance(value, Mapping) and value.keys() == {_OF, _VALUE}


def _persons(data: Any) -> list[str]:
    if _is_personal(data):
        return [data[_OF]]
    parts = data.values() if isinstance(data, Mapping) else data if isinstance(data, list) else ()
    return [person for part in parts for person in _persons(part)]


def _shown(data: Any, keys: Mapping[str, bytes], reveal: bool) -> Any:
    if _is_personal(data):
        key = keys.get(data[_OF])
        return ERASED if key is None else _clear(data, key) if reveal else HIDDEN
    if isinstance(data, Mapping):
        return {name: _shown(value, keys, reveal) for name, value in data.items()}
    if isinstance(data, list):
        return [_shown(value, keys, reveal) for value in data]
    return data


def _clear(data: Mapping[str, str], key: bytes) -> str:
    content = base64.b64decode(data[_VALUE])
    try:
        return AESGCM(key).decrypt(content[:_NONCE], content[_NONCE:], data[_OF].encode()).decode()
    except InvalidTag:
        return "[unreadable]"
