"""Lists that leave the house as files are noted in the audit log, before the first byte and at the end."""

from __future__ import annotations

from django.db import transaction

from backoffice.audit import services as audit
from backoffice.audit.selectors.watched import PERSONAL
from backoffice.ui.hooks import Export

# Whom a list was narrowed to is personal, and an entry stays for ever.
_PERSONAL = PERSONAL | {"name"}


def _mask(name: str, values: list[str]) -> list[str]:
    return ["(hidden)" if value else "" for value in values] if name in _PERSONAL else values


@transaction.atomic
def record(export: Export, /) -> None:
    """Who took which list, narrowed how, as what. The first row of a download has no number of rows; a download
    that was broken off ends with the number that had been sent and `finished` false."""
    audit.record(
        actor=export.actor,
        action="list.exported",
        target=export.path[:150],
        data={
            "title": export.title,
            "query": {name: _mask(name, values) for name, values in export.query.items()},
            "format": export.format,
            "rows": export.rows,
            "finished": export.finished,
        },
    )
