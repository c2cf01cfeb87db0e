"""A rule on passwords that needs no network: nothing that is only dressed up from a list of known ones."""

from __future__ import annotations

import re
from typing import Any

from django.contrib.auth.password_validation import CommonPasswordValidator
from django.core.exceptions import ValidationError

_LEET = str.maketrans("013457@$!", "oleastasi")
# What people in this house would think of first (ASVS 6.2.11).
_HOUSE = ("backoffice", "password", "passphrase", "broker", "forex", "trading", "metatrader", "welcome", "letmein")
_ROWS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890123456789",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
)
# So many other signs beside a known word make a password of their own.
_REST_LEAST = 12
_SIGNS_LEAST = 5


class NotDressedUp(CommonPasswordValidator):
    """Refuses a known password or a word of this house with digits and signs around it, repeated, or written
    with lookalikes; and runs of the keyboard or the alphabet. Almost no known password has twelve letters, so
    comparing whole passwords alone would refuse nearly nothing."""

    def validate(self, password: str, user: Any | None = None) -> None:
        whole = re.sub(r"\s+", "", password.lower())
        trimmed = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", whole)
        for core in (re.sub(r"[\W\d_]+", "", whole), re.sub(r"[\W\d_]+", "", trimmed.translate(_LEET))):
            if self._is_known(_once(core)) and len(whole) - len(core) < _REST_LEAST:
                self._refuse()
        if self._is_known(_once(whole)) or _is_run(whole) or len(set(whole)) < _SIGNS_LEAST:
            self._refuse()

    def _is_known(self, text: str) -> bool:
        rest = text
        for word in _HOUSE:
            rest = rest.replace(word, "")
        return text in self.passwords or (text != rest and len(rest) < _SIGNS_LEAST)

    def get_help_text(self) -> str:
        return "Not a known password or a name of this place with digits added. Four unrelated words are good."

    def _refuse(self) -> None:
        raise ValidationError(
            "This is too close to a password that everybody tries first. Take four unrelated words instead.",
            code="password_dressed_up",
        )


def _once(text: str) -> str:
    """ "abcabcabc" is "abc" said three times."""
    for size in range(1, len(text) // 2 + 1):
        if len(text) % size == 0 and text[:size] * (len(text) // size) == text:
            return text[:size]
    return text


def _is_run(text: str) -> bool:
    return any(text in row * 2 or text in row[::-1] * 2 for row in _ROWS)
