"""Reading what is kept under clients' keys: whoever may see the client and the row may see it in clear."""

from __future__ import annotations

from collections.abc import Iterable

from accounts.models.personal import UnderKey
from backoffice.audit.services import personal


def reveal(rows: Iterable[UnderKey]) -> None:
    """Make the values of these rows readable, or ERASED where the key is gone: one query, whatever their number."""
    listed = list(rows)
    for row, said in zip(listed, personal.shown([row.under_key for row in listed]), strict=True):
        row.revealed = said
